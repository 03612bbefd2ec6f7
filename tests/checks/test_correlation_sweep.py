"""Estimates by sampling correlation, Bayesian and frequentist."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm

TABLE = pd.DataFrame(
    {
        "study": ["A", "A", "A", "B", "B", "C", "D", "D"],
        "yi": [0.2, 0.5, 0.1, 0.6, 0.9, 0.3, -0.1, 0.2],
        "vi": [0.04, 0.05, 0.09, 0.06, 0.05, 0.03, 0.08, 0.07],
        "outcome": ["math", "read", "other", "math", "read", "read", "math", "read"],
    }
)
PRIORS = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}


def test_each_row_is_the_fit_with_that_correlation() -> None:
    found = bm.correlation_sweep(TABLE, measure="RR", nesting="study/estimate", priors=PRIORS, correlations=(0, 0.5))
    assert list(found["correlation"]) == [0, 0, 0.5, 0.5]
    assert list(found["method"]) == ["bayes:normal:quadrature", "REML"] * 2
    bayes = bm.fit(TABLE, measure="RR", nesting="study/estimate", priors=PRIORS, sampling_correlation=0.5)
    row = found.iloc[2]
    assert row["estimate"] == pytest.approx(bayes.quantile("mu", 0.5), rel=1e-12)
    assert row["ci_high"] == pytest.approx(bayes.quantile("mu", 0.975), rel=1e-12)
    assert row["tau"] == pytest.approx(bayes.quantile("tau", 0.5), rel=1e-12)
    assert row["log_marginal_likelihood"] == bayes.log_marginal_likelihood
    classical = bm.multilevel(TABLE, measure="RR", nesting="study/estimate", sampling_correlation=0.5, ci="t")
    assert found.iloc[3]["se"] == classical.coefficients["se"].iloc[0]
    assert found.iloc[3]["tau"] == pytest.approx(np.sqrt(classical.sigma2.sum()))
    natural = bm.correlation_sweep(
        TABLE, measure="RR", nesting="study/estimate", priors=PRIORS, correlations=[0.5], scale="natural", method=None
    )
    assert list(natural["method"]) == ["bayes:normal:quadrature"]
    assert natural["estimate"].iloc[0] == pytest.approx(np.exp(row["estimate"]))
    assert natural["se"].iloc[0] == row["se"]


def test_outcomes_and_impossible_correlations() -> None:
    found = bm.correlation_sweep(
        TABLE, measure="SMD", nesting="study", within="outcome", moderators="~ 0 + outcome", correlations=(-0.8, 0.4)
    )
    # three estimates of one study cannot all be correlated by -0.8
    impossible = found[found["note"] != ""]
    assert set(impossible["correlation"]) <= {-0.8}
    assert set(found.loc[found["correlation"] == 0.4, "term"]) == {"outcome[math]", "outcome[other]", "outcome[read]"}


def test_refusals() -> None:
    with pytest.raises(bm.SpecError, match="needs nesting="):
        bm.correlation_sweep(TABLE, measure="SMD")
    with pytest.raises(bm.SpecError, match=r"between -1 and 1 but one is 1\.2"):
        bm.correlation_sweep(TABLE, measure="SMD", nesting="study/estimate", correlations=[1.2])
    with pytest.raises(bm.SpecError, match="covariance= cannot be given"):
        bm.correlation_sweep(TABLE, measure="SMD", nesting="study/estimate", covariance=np.diag(TABLE["vi"]))
    with pytest.raises(bm.SpecError, match="rather than a posterior"):
        bm.correlation_sweep(bm.fit(TABLE, measure="SMD", nesting="study/estimate"))
