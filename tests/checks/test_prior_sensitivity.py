"""Prior sensitivity: every row is a fit under that prior, the grid is scaled to the measure, the verdict is counted correctly."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.checks import prior_sensitivity as sensitivity
from bayesmeta.checks.prior_grids import default_mu_priors, default_tau_priors
from bayesmeta.checks.prior_sensitivity import (
    BASELINES,
    baseline_sensitivity,
    prior_sensitivity,
    verdict,
)
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.errors import ConvergenceError, SpecError
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.refit import refit

Y, V = np.array([0.1, 0.3, -0.2, 0.9]), np.array([0.04, 0.1, 0.09, 0.02])
CLEAR = {"yi": [0.5, 0.6, 0.55, 0.52], "sei": [0.05] * 4}


def test_the_default_grid_is_long_and_proper() -> None:
    for measure in ("RR", "OR", "SMD", "MD"):
        grid = default_tau_priors(measure)
        assert len(grid) >= 12
        assert len({str(prior) for prior in grid}) == len(grid)
        assert len({prior.family for prior in grid}) >= 6
        assert all(prior.proper and prior.support[0] >= 0 for prior in grid)
    assert default_tau_priors("OR")[-1].written == 'turner2015("any", "any")'
    assert default_tau_priors("SMD")[-1].written.startswith("rhodes2015")


def test_the_grid_scales_with_its_unit() -> None:
    for prior, scaled in zip(default_tau_priors("MD"), default_tau_priors("MD", 7.0), strict=True):
        assert prior.family == scaled.family
        np.testing.assert_allclose(scaled.quantile([0.1, 0.5, 0.9]), 7 * prior.quantile([0.1, 0.5, 0.9]), rtol=2e-3)


@pytest.mark.parametrize("factor", [1.0, 25.0])
def test_the_grid_of_a_mean_difference_follows_the_data(factor: float) -> None:
    table = prior_sensitivity(yi=factor * Y, sei=factor * np.sqrt(V), measure="MD")
    tau = table[table["varied"] == "tau"]
    known = prior_sensitivity(yi=Y, vi=V, measure="MD")
    np.testing.assert_allclose(tau["tau"] / factor, known.loc[known["varied"] == "tau", "tau"], rtol=0.02)


def test_every_row_is_a_fit() -> None:
    fitted = {"mu": "Normal(0.1, 0.7)", "tau": "HalfNormal(0.5)"}
    table = prior_sensitivity(yi=Y, vi=V, measure="HR", priors=fitted, better="higher", mid=1.2, level=0.9)
    whole = bm.summarize(bm.fit(yi=Y, vi=V, measure="HR", priors=fitted)).loc["mu"]
    assert list(dict.fromkeys(table["varied"])) == ["as fitted", "tau", "mu"]
    for _, row in table.iloc[1:].iterrows():
        known = bm.fit(yi=Y, vi=V, measure="HR", priors={**fitted, row["varied"]: row["prior"].split(" = ")[-1]})
        summary = bm.summarize(known, better="higher", mid=1.2, level=0.9)
        mu, new = summary.loc["mu"], summary.loc["theta_new"]
        found = row[
            ["estimate", "ci_low", "ci_high", "pi_low", "pi_high", "tau", "prob_benefit", "prob_beyond_mid", "shift"]
        ]
        expected = [
            mu["median"], mu["ci_low"], mu["ci_high"], new["ci_low"], new["ci_high"], summary.loc["tau", "median"],
            mu["prob_benefit"], mu["prob_beyond_mid"], mu["mean"] - whole["mean"],
        ]  # fmt: skip
        np.testing.assert_allclose(found.to_numpy(float), expected, rtol=1e-8, atol=1e-11)
        if known.priors.mu.proper:
            assert row["log_marginal_likelihood"] == pytest.approx(known.log_marginal_likelihood, abs=1e-10)
    assert np.isnan(table["log_marginal_likelihood"].iloc[-1]), "under a flat prior it has no scale"


def test_priors_of_the_user() -> None:
    table = prior_sensitivity(yi=Y, vi=V, tau_priors=["HalfNormal(1)", Prior("HalfCauchy", (0.3,))], mu_priors=[])
    assert list(table["prior"].iloc[1:]) == ["HalfNormal(1)", "HalfCauchy(0.3)"]
    assert "priors for mu" not in table.attrs["verdict"]
    assert "Under all 3 priors for tau" in table.attrs["verdict"]


def test_the_verdict_on_a_clear_effect() -> None:
    table = prior_sensitivity(**CLEAR, measure="HR")
    assert table["excludes_null"].all()
    text = table.attrs["verdict"]
    assert text.startswith("Under all 14 priors for tau the 95% interval excludes no effect; mu moves by at most ")
    assert "Under all 5 priors for mu" in text
    assert " on the log scale (" in text
    most = table.loc[table[table["varied"] == "tau"]["shift_sd"].abs().idxmax(), "prior"]
    assert most in text


def test_the_verdict_on_no_effect_and_a_divided_one() -> None:
    none = prior_sensitivity(yi=[0.1, -0.1, 0.02], sei=[0.1] * 3)
    assert "priors for tau the 95% interval includes no effect" in none.attrs["verdict"]
    assert "log scale" not in none.attrs["verdict"]
    table = prior_sensitivity(
        yi=[0.5, 0.6], sei=[0.2, 0.2], priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.02)"},
        tau_priors=["HalfNormal(0.01)", "HalfNormal(50)"], mu_priors=[],
    )  # fmt: skip
    assert table["excludes_null"].to_list() == [True, True, False]
    assert table.attrs["verdict"].startswith("Under 2 of 3 priors for tau the 95% interval excludes no effect")


def test_a_prior_that_fails_keeps_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails_with_cauchy(posterior: Posterior, priors: Priors) -> Posterior:
        if priors.mu.family == "Cauchy":
            raise ConvergenceError("did not reach its tolerance")
        return refit(posterior, priors)

    monkeypatch.setattr(sensitivity, "refit", fails_with_cauchy)
    table = prior_sensitivity(yi=Y, vi=V, tau_priors=["HalfNormal(1)"], mu_priors=["Cauchy(0, 1)"])
    last = table.iloc[-1]
    assert np.isnan(last["estimate"])
    assert last["note"] == "did not reach its tolerance"
    assert "1 could not be fitted" in table.attrs["verdict"]
    assert np.isfinite(table["estimate"].iloc[:-1]).all()


def test_the_natural_scale_and_levels() -> None:
    model, natural = (prior_sensitivity(**CLEAR, measure="HR", scale=scale) for scale in ("model", "natural"))
    np.testing.assert_allclose(natural["ci_low"], np.exp(model["ci_low"]), rtol=1e-14)
    np.testing.assert_array_equal(natural["shift"], model["shift"])
    assert natural.attrs["verdict"] == model.attrs["verdict"]
    assert "the 80% interval" in prior_sensitivity(**CLEAR, level=0.8).attrs["verdict"]


def test_default_priors_for_mu() -> None:
    assert list(map(str, default_mu_priors(Prior("Normal", (0.0, 2.0))))) == [
        "Normal(0, 1)", "Normal(0, 4)", "Normal(0, 20)", "Flat()",
    ]  # fmt: skip
    assert default_mu_priors(Prior("Flat", ())) == []
    assert list(map(str, default_mu_priors(Prior("Flat", ()), 4.0))) == [
        "Normal(0, 4)",
        "Normal(0, 8)",
        "Normal(0, 40)",
    ]
    assert list(map(str, default_mu_priors(Prior("Cauchy", (0.0, 1.0)), 4.0))) == ["Flat()"]


def test_unusable_requests_are_errors() -> None:
    with pytest.raises(SpecError, match="unknown prior 'HalfNorml'"):
        prior_sensitivity(yi=Y, vi=V, tau_priors=["HalfNorml(1)"])
    with pytest.raises(SpecError, match="unknown scale 'log'"):
        prior_sensitivity(yi=Y, vi=V, scale="log")
    with pytest.raises(SpecError, match="likelihood 'normal' has no baseline"):
        baseline_sensitivity(yi=Y, vi=V)


# baselines -----------------------------------------------------------------------------------------------------------


def test_baselines_are_varied_one_by_one(bcg: pd.DataFrame, exact: Posterior, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine for counts is replaced by one that shifts mu by the number of fits."""
    data = model_data(effect_sizes(bcg, measure="RR"), "binomial")
    counts = Posterior(data, exact.priors, "quadrature", "binary_rr", exact.solution, 1)
    fitted = []

    def shifted_fit(_: Posterior, priors: Priors) -> Posterior:
        fitted.append(str(priors.baseline))
        shifted = bm.fit(yi=[-0.7, -0.6 - 0.01 * len(fitted)], sei=[0.1, 0.1], measure="RR")
        return replace(shifted, data=data, priors=priors)

    monkeypatch.setattr(sensitivity, "refit", shifted_fit)
    table = baseline_sensitivity(counts)
    assert fitted == list(BASELINES["binomial"]) == list(table["prior"].iloc[1:])
    assert list(table["varied"]) == ["as fitted", *["baseline"] * len(fitted)]
    assert (table["shift"].iloc[1:].diff().dropna() < 0).all()
    assert "priors for the baseline the 95% interval excludes no effect" in table.attrs["verdict"]


def test_a_prior_flat_in_the_risk_moves_rare_events() -> None:
    """Beta(1, 1) tilts every log m_i by about |theta| / 2; the default does not (DESIGN, section 2)."""
    counts = pd.DataFrame(
        {"study": list("ABCDE"), "events_e": [3, 0, 5, 1, 4], "n_e": [400, 350, 800, 300, 500], "events_c": [1, 1, 3, 0, 2],
         "n_c": [400, 340, 810, 310, 495]}
    )  # fmt: skip
    table = baseline_sensitivity(counts, measure="RR", likelihood="binomial").set_index("prior")
    assert abs(table.loc["Normal(0, 10)", "shift"]) < 1e-6, "the likelihood's own"
    assert table.loc["Beta(1, 1)", "shift_sd"] > 0.1
    assert "Beta(1, 1)" in table.attrs["verdict"]


def test_a_verdict_can_be_made_again() -> None:
    table = prior_sensitivity(**CLEAR)
    assert verdict(table, "GEN") == table.attrs["verdict"]
