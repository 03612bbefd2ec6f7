"""Woolacott et al. 2006, Health Technol Assess 10(46): treatments of psoriasis, ordered probit model of the PASI response.

The data are those of NICE DSU Technical Support Document 2, example 6, as R's multinma distributes them; the results those of its vignette
(Phillippo, "Example: Plaque psoriasis HTA report"), with its priors: Normal(0, 10) for effects, half-normal with scale 2.5 for tau.
"""

from __future__ import annotations

import numpy as np
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.categories import CategoryTable

NAN = float("nan")
CLASSES = ("below PASI50", "PASI50", "PASI75", "PASI90")
#: study, treatment, participants, and those with a response of 50 to 74, 75 to 89 and 90 percent or more; a number that is not reported is
#: part of the one before it
ARMS = [
    (1, "Supportive care", 193, 12, 5, 1), (1, "Etanercept 25 mg", 196, 59, 46, 21), (1, "Etanercept 50 mg", 194, 54, 56, 40),
    (2, "Supportive care", 55, 5, 1, 0), (2, "Etanercept 25 mg", 57, 23, 11, 6), (3, "Supportive care", 122, 13, 5, 1),
    (3, "Efalizumab", 232, 68, 42, 10), (4, "Supportive care", 166, 18, 5, 1), (4, "Etanercept 25 mg", 162, 39, 36, 19),
    (4, "Etanercept 50 mg", 164, 40, 45, 36), (5, "Supportive care", 187, 18, 8, NAN), (5, "Efalizumab", 369, 118, 98, NAN),
    (6, "Supportive care", 170, 25, NAN, NAN), (6, "Efalizumab", 162, 99, NAN, NAN), (7, "Supportive care", 263, 33, NAN, NAN),
    (7, "Efalizumab", 450, 234, NAN, NAN), (8, "Supportive care", 11, 1, NAN, NAN), (8, "Ciclosporin", 12, 12, NAN, NAN),
    (9, "Supportive care", 264, 38, NAN, NAN), (9, "Efalizumab", 529, 284, NAN, NAN), (10, "Supportive care", 51, NAN, 1, NAN),
    (10, "Fumaderm", 49, NAN, 12, NAN), (11, "Supportive care", 11, NAN, 2, NAN), (11, "Infliximab", 11, NAN, 9, NAN),
    (12, "Supportive care", 25, NAN, 0, NAN), (12, "Ciclosporin", 25, NAN, 9, NAN), (12, "Ciclosporin", 20, NAN, 13, NAN),
    (13, "Supportive care", 51, NAN, 3, NAN), (13, "Infliximab", 99, NAN, 71, NAN), (13, "Infliximab", 99, NAN, 87, NAN),
    (14, "Ciclosporin", 42, NAN, 30, NAN), (14, "Methotrexate", 43, NAN, 26, NAN), (15, "Supportive care", 43, NAN, 2, NAN),
    (15, "Ciclosporin", 41, NAN, 4, NAN), (16, "Supportive care", 10, NAN, 0, NAN), (16, "Ciclosporin", 10, NAN, 7, NAN),
]  # fmt: skip
PUBLISHED = {
    "Ciclosporin": (1.92, 0.34), "Efalizumab": (1.19, 0.06), "Etanercept 25 mg": (1.51, 0.09), "Etanercept 50 mg": (1.92, 0.10),
    "Fumaderm": (1.48, 0.49), "Infliximab": (2.33, 0.27), "Methotrexate": (1.61, 0.44),
}  # fmt: skip
PRIORS = {"d": "independent Normal(0, 10)", "baseline": "Normal(0, 100)"}


def psoriasis() -> CategoryTable:
    """The arms, two of one treatment in a study kept apart."""
    counts, arm, cells = [], [], []
    for i, (_, _, n, *reached) in enumerate(ARMS):
        numbers = [n - np.nansum(reached), *reached]
        known = [j for j in range(4) if not np.isnan(numbers[j])]
        for first, following in zip(known, [*known[1:], 4], strict=True):
            counts.append(numbers[first])
            arm.append(i)
            cells.append([first <= j < following for j in range(4)])
    studies, treatments = tuple(f"{row[0]:02}" for row in ARMS), tuple(row[1] for row in ARMS)
    return CategoryTable(studies, treatments, CLASSES, (), np.array(counts, float), np.array(arm), np.array(cells))


def assert_near(draws: np.ndarray, published: float, ess: float) -> None:
    """Within 4.5 Monte Carlo standard errors of both analyses, and the rounding of the printed number."""
    assert abs(draws.mean() - published) < 4.5 * np.sqrt(2.0) * draws.std() / np.sqrt(ess) + 0.005


@pytest.mark.sampling
def test_common_effects() -> None:
    fit = bm.categories(
        psoriasis(), outcome_order=CLASSES, reference="Supportive care", priors={**PRIORS, "tau": "Point(0)"}
    )
    ess = fit.diagnostics["ess_bulk"]
    for name, (mean, sd) in PUBLISHED.items():
        draws = fit.effects.effects[:, :, fit.treatments.index(name)]
        assert_near(draws, mean, ess)
        assert abs(draws.std() - sd) < 4.5 * draws.std() / np.sqrt(ess) + 0.005
    cutpoints = fit.effects.cutpoints
    for i, (mean, sd) in enumerate([(0.76, 0.03), (1.56, 0.05)], 1):
        assert_near(cutpoints[..., i], mean, ess)
        assert cutpoints[..., i].std() == pytest.approx(sd, abs=0.006)
    assert not fit.tau.any()
    # a treatment moves everything to higher categories
    frame = fit.summary()
    rows = frame[(frame.treatment == "Infliximab") & (frame.measure == "RR")].set_index("term")
    assert rows.loc["PASI90", "ci_low"] > 1 > rows.loc["below PASI50", "ci_high"]
    np.testing.assert_allclose(fit.risks("Infliximab").sum(axis=-1), 1.0, rtol=1e-9)


@pytest.mark.sampling
def test_random_effects() -> None:
    fit = bm.categories(
        psoriasis(), outcome_order=CLASSES, reference="Supportive care", priors={**PRIORS, "tau": "HalfNormal(2.5)"}
    )
    assert fit.link == "probit"
    assert_near(fit.tau, 0.30, fit.diagnostics["ess_bulk"])
    low, middle, high = np.quantile(fit.tau, [0.025, 0.5, 0.975])
    # quantiles as printed: .02, .26, .83
    assert low == pytest.approx(0.02, abs=0.015)
    assert middle == pytest.approx(0.26, abs=0.03)
    assert high == pytest.approx(0.83, abs=0.09)


def test_what_ordered_categories_cannot_be() -> None:
    table = psoriasis()
    with pytest.raises(DataError, match="not neighbours"):
        bm.categories(table, outcome_order=("PASI50", "below PASI50", "PASI90", "PASI75"))
    with pytest.raises(DataError, match="leaves out PASI90"):
        bm.categories(table, outcome_order=CLASSES[:3])
    with pytest.raises(SpecError, match="unknown link"):
        bm.categories(table, outcome_order=CLASSES, link="log")
    with pytest.raises(SpecError, match="leave engine= out"):
        bm.categories(table, outcome_order=CLASSES, engine="quadrature")
