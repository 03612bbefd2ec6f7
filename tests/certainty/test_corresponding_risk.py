"""Risks with treatment: published worked examples, draws, and intervals that cross no effect."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit, logit

import bayesmeta as bm
from bayesmeta.certainty.baseline_risk import baseline_risk, known_risk
from bayesmeta.certainty.corresponding_risk import (
    CorrespondingRisk,
    number_needed_to_treat,
    odds_ratio_of,
    risk_with_treatment,
    superiority_of,
)
from bayesmeta.errors import DataError, SpecError

TRIALS = pd.DataFrame(
    {"study": ["A", "B", "C"], "events_e": [3, 5, 7], "n_e": [50, 60, 80], "events_c": [6, 9, 12], "n_c": [50, 60, 80]}
)


@pytest.mark.parametrize(
    ("baseline", "ratio", "printed"),
    [
        # Cochrane Handbook 5.1, figure 11.5.a: compression stockings on long flights, per 1,000
        (10, (0.10, 0.04, 0.26), (1, 0, 3)),
        (30, (0.10, 0.04, 0.26), (3, 1, 8)),
        (13, (0.45, 0.18, 1.13), (6, 2, 15)),
    ],
)
def test_corresponding_risks_of_the_handbook(baseline: int, ratio: tuple, printed: tuple) -> None:
    risks = 1000 * risk_with_treatment("RR", np.log(ratio), baseline / 1000)
    assert tuple(np.round(risks).astype(int)) == printed


@pytest.mark.parametrize(
    ("baseline", "ratio", "printed"),
    [
        # Kearon et al. 2012, Chest 141(2 Suppl):e419S, table 24: differences per 1,000 in a GRADE summary of findings
        (479, (0.46, 0.34, 0.63), (-259, -316, -177)),
        (210, (1.01, 0.61, 1.67), (2, -82, 141)),
    ],
)
def test_differences_of_a_published_summary_of_findings(baseline: int, ratio: tuple, printed: tuple) -> None:
    found = 1000 * risk_with_treatment("RR", np.log(ratio), baseline / 1000) - baseline
    assert tuple(np.round(found).astype(int)) == printed


def test_the_hazard_ratio_and_the_odds_ratio() -> None:
    assert risk_with_treatment("HR", np.log(0.5), 0.36) == pytest.approx(1 - 0.8)
    assert risk_with_treatment("OR", np.log(3.0), 0.25) == pytest.approx(0.5)
    assert risk_with_treatment("RD", -0.3, 0.25) == 0.0
    assert risk_with_treatment("RR", np.log(9.0), 0.25) == 1.0
    with pytest.raises(SpecError, match="no risk follows from MD"):
        risk_with_treatment("MD", 0.1, 0.2)


def test_a_standardized_mean_difference_in_other_words() -> None:
    # Chinn 2000: 1.81; common language effect size of 0.5: 64% (McGraw and Wong 1992)
    assert np.log(odds_ratio_of(1.0)) == pytest.approx(1.8138, abs=1e-4)
    assert superiority_of(0.5) == pytest.approx(0.638, abs=5e-4)
    assert superiority_of(0.0) == 0.5


@pytest.mark.parametrize("measure", ["RR", "OR"])
@pytest.mark.parametrize("baseline", [0.2, "Beta(20, 80)", "pooled"])
def test_quantiles_agree_with_draws_of_both(measure: str, baseline: float | str) -> None:
    posterior = bm.fit(TRIALS, measure=measure)
    base = baseline_risk(baseline, TRIALS["events_c"], TRIALS["n_c"])
    found = CorrespondingRisk(posterior.marginal("mu"), measure, base).summary()
    rng = np.random.default_rng(1)
    size = 40_000
    effect = posterior.quantile("mu", rng.uniform(size=size))
    if baseline == 0.2:
        risks = np.full(size, 0.2)
    elif baseline == "pooled":
        events, n = TRIALS["events_c"].to_numpy(float), TRIALS["n_c"].to_numpy(float)
        pooled = bm.fit(
            yi=logit(events / n), vi=1 / events + 1 / (n - events), measure="MD",
            priors={"mu": "Normal(0, 10)", "tau": "HalfNormal(1)"},
        )  # fmt: skip
        risks = expit(pooled.quantile("mu", rng.uniform(size=size)))
    else:
        risks = rng.beta(20, 80, size)
    with_treatment = risk_with_treatment(measure, effect, risks)
    for name, drawn in (("risk", with_treatment), ("difference", with_treatment - risks)):
        for end, p in (("", 0.5), ("_low", 0.025), ("_high", 0.975)):
            at = found[f"{name}{end}"]
            # four Monte Carlo standard errors of the share of draws below
            assert (drawn < at).mean() == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / size) + 5e-4)
    if baseline == 0.2:
        assert (base.low, base.median, base.high) == (0.2, 0.2, 0.2)
        plain = bm.absolute_risks(posterior, 0.2)
        assert found["difference_low"] == pytest.approx(plain.loc["risk_difference", "ci_low"])
    else:
        assert base.low < base.median < base.high


def test_where_a_baseline_risk_comes_from() -> None:
    assert baseline_risk("median", [1, 3, 8], [10, 10, 10]).median == 0.3
    assert baseline_risk("median", [1], [10]).source == "risk of the control group of 1 study"
    assert "median of the control groups of 3 studies" in baseline_risk("median", [1, 3, 8], [10, 10, 10]).source
    assert known_risk(0.1, "registry").source == "registry"
    for given, message in (
        (12.0, "120 per 1,000"),
        ("Normal(0, 1)", "not a distribution on"),
        (0.0, "between 0 and 1"),
    ):
        with pytest.raises(SpecError, match=message):
            baseline_risk(given)
    with pytest.raises(DataError, match="State the baseline risk"):
        baseline_risk("pooled", [0, 0], [10, 10])
    with pytest.raises(DataError, match="median risk of the control groups is 0"):
        baseline_risk("median", [0, 0, 3], [10, 10, 10])


@pytest.mark.parametrize(
    ("given", "better", "written"),
    [
        # Altman 1998, BMJ 317:1309: a risk reduced by 10% (95% CI -5% to 25%)
        ((-0.10, -0.25, 0.05), "lower", "NNTB 10 [NNTB 4 to ∞ to NNTH 20]"),
        ((-0.10, -0.25, -0.02), "lower", "NNTB 10 [4 to 50]"),
        ((0.10, 0.02, 0.25), "higher", "NNTB 10 [4 to 50]"),
        ((0.10, 0.02, 0.25), "lower", "NNTH 10 [4 to 50]"),
        ((0.02, -0.05, 0.10), "lower", "NNTH 50 [NNTB 20 to ∞ to NNTH 10]"),
        ((0.0, -0.05, 0.10), "lower", "∞ [NNTB 20 to ∞ to NNTH 10]"),
        ((-0.1, -0.2, 0.0), "lower", "NNTB 10 [5 to ∞]"),
        ((0.0001, 0.00005, 0.0002), "lower", "NNTH 10,000 [5,000 to 20,000]"),
    ],
)
def test_numbers_needed_to_treat(given: tuple, better: str, written: str) -> None:
    assert number_needed_to_treat(*given, better=better) == written
