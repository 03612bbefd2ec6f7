"""Log densities of the models of ordered categories, at points, against scipy; recovery of known effects."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from model_densities import Evaluated, assert_same_density
from scipy import stats

import bayesmeta as bm
from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.engines.nuts.ordered_arms import OrderedArms, ordered_arms
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.networks.contrast_priors import ContrastPrior

PRIORS = Priors(Prior("Flat", ()), Prior("HalfNormal", (0.5,)), baseline=Prior("Normal", (-1.0, 3.0)))
TRIAL, TREATMENT = np.array([0, 0, 1, 1, 1]), np.array([0, 1, 0, 1, 2])
COUNTS = np.array([[16, 7, 6], [5, 5, 19], [11, 16, 12], [6, 0, 33], [6, 2, 9]], float)
DISTRIBUTIONS = {"probit": stats.norm, "logit": stats.logistic}


def arms(link: str, together: bool) -> OrderedArms:
    """Arms of two trials; in the last arm the upper two categories may be reported together."""
    cells = [[j == c for j in range(3)] for _ in range(5) for c in range(3)]
    counts, arm = COUNTS.ravel(), np.repeat(np.arange(5), 3)
    if together:
        counts, arm, cells = np.append(counts[:-2], counts[-2:].sum()), arm[:-1], [*cells[:-2], [False, True, True]]
    contrasts = ContrastPrior(Prior("Normal", (0.0, 1.5))).coefficients(2)
    numbers = (counts, arm, np.array(cells))
    return ordered_arms(
        link, ("a", "b", "c"), ("A", "B", "C"), 0, ("s1", "s2"), TRIAL, TREATMENT, numbers, contrasts, 0.3
    )


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("link", ["probit", "logit"])
def test_the_log_density_of_ordered_categories(link, together) -> None:
    data = arms(link, together)
    evaluate = Evaluated(load_model("ordered_categories").build(data, PRIORS))
    rng, found, expected = np.random.default_rng(4), [], []
    others = [1, 3, 4]
    for _ in range(4):
        point = {
            "w": rng.normal(size=2),
            "tau_log__": rng.normal(-1, 0.5),
            "z": rng.normal(size=3),
            "baseline": rng.normal(0.2, 0.5, 2),
            "gap_log__": rng.normal(-0.3, 0.3, 1),
        }
        logp, tau, eta = evaluate(**point)
        d = np.insert(data.guide_contrasts + data.guide_root @ point["w"], 0, 0.0)
        theta = data.back @ eta
        mean = d[TREATMENT[others]] - d[[0, 0, 0]]
        same = TRIAL[others][:, None] == TRIAL[others]
        total = stats.multivariate_normal.logpdf(
            theta[others], mean, tau**2 * np.where(same, 0.5 + 0.5 * np.eye(3), 0.0)
        )
        share = tau**2 * data.r / (tau**2 * data.r + data.guide_variance)
        total += 0.5 * np.log(share * data.guide_variance).sum()
        total += stats.multivariate_normal.logpdf(d[1:], np.zeros(2), 0.5 * 1.5**2 * (np.eye(2) + 1.0))
        total += stats.halfnorm.logpdf(tau, scale=0.5) + point["tau_log__"]
        gap = np.exp(point["gap_log__"])
        total += (stats.halfnorm.logpdf(gap, scale=5.0) + point["gap_log__"]).sum()
        total += stats.norm.logpdf(point["baseline"], -1, 3).sum()
        middle = np.array([theta[i == TRIAL].mean() for i in range(2)])
        location = point["baseline"][TRIAL] + theta - middle[TRIAL]
        for k in range(5):
            cuts = np.array([-np.inf, 0.0, gap[0], np.inf]) - location[k]
            p = np.diff(DISTRIBUTIONS[link].cdf(cuts))
            rows = data.arm == k
            total += stats.multinomial.logpmf(data.counts[rows], int(data.counts[rows].sum()), data.cells[rows] @ p)
        found.append(logp)
        expected.append(total)
    assert_same_density(np.array(found) - (found[0] - expected[0]), expected)


@pytest.mark.sampling
@pytest.mark.parametrize("link", ["probit", "logit"])
def test_effects_on_ordered_categories_are_recovered(link, tmp_path) -> None:
    rng, rows = np.random.default_rng(12), []
    for trial in range(16):
        base, deviation = 0.3 * rng.normal(), 0.2 * rng.normal()
        for arm, shift in (("control", 0.0), ("drug", 0.7 + deviation)):
            p = np.diff(DISTRIBUTIONS[link].cdf(np.array([-np.inf, 0.0, 0.8, np.inf]) - base - shift))
            rows.append((f"s{trial:02}", arm, *rng.multinomial(150, p)))
    frame = pd.DataFrame(rows, columns=["study", "treatment", "low", "middle", "high"])
    fit = bm.categories(frame, outcome_order=["low", "middle", "high"], link=link)
    effect, cut = fit.effects.effects[..., 1], fit.effects.cutpoints[..., 1]
    assert abs(effect.mean() - 0.7) < 3.5 * effect.std() < 0.4
    assert abs(cut.mean() - 0.8) < 3.5 * cut.std() < 0.2
    assert fit.probability({"high": "higher", "low": "lower"}) > 0.99
    margins = fit.margins()
    assert margins.p.between(0.001, 0.999).all()
    # in a new trial the same, but less certain
    assert fit.risks("drug", new_study=True)[..., 2].std() > fit.risks("drug")[..., 2].std()
    found = bm.load_categories(fit.save(tmp_path / "fit.nc"))
    pd.testing.assert_frame_equal(found.link_effects(), fit.link_effects(), check_exact=True)
    pd.testing.assert_frame_equal(found.summary(), fit.summary(), check_exact=True)
    (row,) = fit.link_effects().to_dict("records")
    assert (row["treatment"], row["estimate"]) == ("drug", pytest.approx(np.median(effect)))
    assert row["pi_low"] < row["ci_low"] < row["mean"] < row["ci_high"] < row["pi_high"]
    # the whole of a stated baseline is kept, and every cut of it is moved by the effect
    stated = fit.against("control", {"low": 0.2, "middle": 0.1, "high": 0.7})
    np.testing.assert_allclose(stated.risks("control")[0, 0], [0.2, 0.1, 0.7], rtol=1e-9)
    moved = DISTRIBUTIONS[link].cdf(DISTRIBUTIONS[link].ppf([0.2, 0.3]) - effect[..., None])
    np.testing.assert_allclose(np.cumsum(stated.risks("drug"), axis=-1)[..., :2], moved, rtol=1e-9)


def test_categories_without_order_have_no_effects_of_a_link() -> None:
    frame = pd.DataFrame({"study": ["A", "A"], "treatment": ["a", "b"], "low": [5, 6], "high": [7, 8]})
    with pytest.raises(SpecError, match="outcome_order="):
        bm.categories(frame, engine="quadrature").link_effects()
