import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import bayesmeta as bm
from bayesmeta.certainty.absolute_risks import TERMS, absolute_risks, risk_draws, risk_marginal
from bayesmeta.errors import SpecError

TRIALS = pd.DataFrame(
    {"study": ["A", "B", "C"], "events_e": [3, 5, 7], "n_e": [50, 60, 80], "events_c": [6, 9, 12], "n_c": [50, 60, 80]}
)


@pytest.fixture(scope="module", params=["RR", "OR"])
def posterior(request: pytest.FixtureRequest) -> bm.Posterior:
    return bm.fit(TRIALS, measure=request.param)


def test_quantiles_are_those_of_the_effect(posterior: bm.Posterior) -> None:
    frame = absolute_risks(posterior, 0.15)
    ratio = np.exp(posterior.quantile("mu", 0.5))
    risk = 0.15 * ratio if posterior.measure == "RR" else 0.15 * ratio / (0.85 + 0.15 * ratio)
    assert frame.loc["risk", "median"] == pytest.approx(risk, rel=1e-9)
    assert frame.loc["risk_difference", "median"] == pytest.approx(risk - 0.15, rel=1e-9)
    assert (frame["ci_low"] < frame["median"]).all()
    assert (frame["hdi_high"] - frame["hdi_low"] <= frame["ci_high"] - frame["ci_low"] + 1e-12).all()


@pytest.mark.parametrize("term", TERMS)
def test_density_distribution_function_and_moments_agree(posterior: bm.Posterior, term: str) -> None:
    marginal = risk_marginal(posterior, term, baseline=0.2)
    shift = 0.2 if "difference" in term else 0.0
    a, b = marginal.quantile(np.array([0.2, 0.7]))
    assert quad(lambda x: float(marginal.pdf(x)), a, b, epsabs=1e-11)[0] == pytest.approx(0.5, abs=1e-7)
    np.testing.assert_allclose(marginal.cdf(np.array([a, b])), [0.2, 0.7], atol=1e-9)
    mean, sd = marginal.moments()
    # mean = integral of 1 - F over the risk, from 0 to 1
    grid = np.linspace(0.0, 1.0, 20001)
    below = marginal.cdf(grid - shift)
    assert mean + shift == pytest.approx(np.trapezoid(1 - below, grid), abs=1e-6)
    second = np.trapezoid(2 * grid * (1 - below), grid)
    assert sd == pytest.approx(np.sqrt(second - (mean + shift) ** 2), abs=1e-5)


def test_draws(posterior: bm.Posterior) -> None:
    drawn = risk_draws(posterior, baseline=0.2, size=4000)
    mean, sd = risk_marginal(posterior, baseline=0.2).moments()
    assert drawn.mean() == pytest.approx(mean, abs=5 * sd / np.sqrt(4000))


def test_a_risk_ratio_takes_no_risk_above_one() -> None:
    harmful = pd.DataFrame({"study": ["A"], "events_e": [40], "n_e": [50], "events_c": [10], "n_c": [50]})
    marginal = risk_marginal(bm.fit(harmful, measure="RR"), "risk", baseline=0.5)
    assert marginal.quantile(np.array(0.999)) == 1.0
    assert marginal.cdf(np.array(1.0)) == 1.0
    assert marginal.cdf(np.array(0.999999)) < 0.9
    assert 0.5 < marginal.moments()[0] < 1.0


def test_measures_without_absolute_risks_are_errors(posterior: bm.Posterior) -> None:
    with pytest.raises(SpecError, match="between 0 and 1 but got 12"):
        absolute_risks(posterior, 12)
    with pytest.raises(SpecError, match="unknown term 'mu'"):
        risk_marginal(posterior, "mu", baseline=0.1)
    with pytest.raises(SpecError, match="not from GEN"):
        absolute_risks(bm.fit(yi=[0.1], sei=[0.1]), 0.1)
