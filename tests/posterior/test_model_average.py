"""Bayes factors and model averaging: against Savage-Dickey ratios, double integrals and R bayesmeta; errors."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import REFERENCE_FOLDER
from scipy.integrate import dblquad, quad
from scipy.stats import norm

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.posterior.model_average import MODELS, bayes_factors, model_average
from bayesmeta.results.rows import averaged_rows, tidy_average

REFERENCE = json.loads((REFERENCE_FOLDER / "bayesmeta_extract.json").read_text(encoding="utf-8"))
CASES = [(name, prior) for name, case in REFERENCE["cases"].items() for prior in case["priors"]]
Y, V = np.array([0.1, 0.3, -0.2, 0.5]), np.array([0.04, 0.1, 0.09, 0.02])
PRIORS = {"mu": "Normal(0.1, 0.7)", "tau": "HalfNormal(0.5)"}
GIVEN_EFFECT = {"common effect": 0.5, "random effect": 0.5}


@pytest.fixture(scope="module")
def average():
    return model_average(yi=Y, vi=V, priors=PRIORS)


@pytest.mark.parametrize(("name", "prior"), CASES)
def test_roever2020_bayes_factor_of_heterogeneity(name: str, prior: str) -> None:
    case = REFERENCE["cases"][name]
    found = model_average(yi=case["yi"], vi=case["vi"], priors={"mu": "Normal(0, 4)", "tau": prior})
    known = case["priors"][prior]
    assert found.log_bf("heterogeneity, effect") == pytest.approx(-known["log_bf_tau0"], abs=1e-9, rel=1e-9)
    assert found.log_marginal_likelihoods[3] == pytest.approx(known["log_marginal_likelihood"], abs=1e-9)


@pytest.mark.parametrize("prior", ["HalfNormal(0.5)", "HalfCauchy(0.5)", "LogNormal(-1, 1)", "Uniform(0, 2)"])
@pytest.mark.parametrize("mu", ["Normal(0, 0.5)", "Normal(0.3, 2)"])
def test_savage_dickey_ratios(mu: str, prior: str) -> None:
    """Dickey 1971 (Ann Math Stat 42:204): BF01 is the posterior over the prior density of mu at 0, with tau and without."""
    found = model_average(yi=Y, vi=V, priors={"mu": mu, "tau": prior})
    for heterogeneity, model in (("random", "random effect"), ("common", "common effect")):
        fitted = found.fits[found.names.index(model)]
        ratio = fitted.pdf("mu", 0.0) / float(fitted.priors.mu.pdf(0.0))
        assert found.log_bf(f"effect, {heterogeneity}") == pytest.approx(-np.log(ratio), abs=1e-10)


def test_savage_dickey_under_a_prior_that_is_not_normal() -> None:
    found = model_average(yi=Y, vi=V, priors={"mu": "StudentT(4, 0, 1)", "tau": "HalfNormal(0.5)"})
    ratio = found.fits[3].pdf("mu", 0.0) / float(found.fits[3].priors.mu.pdf(0.0))
    assert found.log_bf("effect, random") == pytest.approx(-np.log(ratio), abs=1e-6)


@pytest.mark.parametrize(("measure", "likelihood"), [("RR", "binomial"), ("OR", "binomial"), ("RR", "normal")])
def test_savage_dickey_ratios_of_counts(measure: str, likelihood: str) -> None:
    """Rare events with a study without any: the same identity, by quadrature over mu and tau."""
    counts = pd.DataFrame(
        {"study": ["A", "B", "C", "D"], "events_e": [1, 0, 4, 0], "n_e": [100, 150, 300, 80],
         "events_c": [3, 1, 9, 0], "n_c": [100, 140, 310, 82]}
    )  # fmt: skip
    found = model_average(counts, measure=measure, likelihood=likelihood)
    assert found.posterior.method == f"bayes:{likelihood}:averaged"
    for heterogeneity, model in (("random", "random effect"), ("common", "common effect")):
        fitted = found.fits[found.names.index(model)]
        ratio = fitted.pdf("mu", 0.0) / float(fitted.priors.mu.pdf(0.0))
        assert found.log_bf(f"effect, {heterogeneity}") == pytest.approx(-np.log(ratio), abs=2e-5)
    assert found.prob_effect == pytest.approx(1 - sum(found.posterior.marginal("mu").masses("mu").values()))


def test_marginal_likelihoods_against_double_integrals(average) -> None:
    def joint(mu: float, tau: float) -> float:
        prior = norm.pdf(mu, 0.1, 0.7) * 2 * norm.pdf(tau, 0, 0.5)
        return float(prior * np.prod(norm.pdf(Y, mu, np.sqrt(V + tau**2))))

    known = {
        "common null": float(np.prod(norm.pdf(Y, 0, np.sqrt(V)))),
        "common effect": quad(lambda mu: norm.pdf(mu, 0.1, 0.7) * np.prod(norm.pdf(Y, mu, np.sqrt(V))), -4, 4, epsrel=1e-11)[0],
        "random null": quad(lambda t: 2 * norm.pdf(t, 0, 0.5) * np.prod(norm.pdf(Y, 0, np.sqrt(V + t**2))), 0, 5, epsrel=1e-11)[0],
        "random effect": dblquad(joint, 0, 4, -4, 4, epsrel=1e-9)[0],
    }  # fmt: skip
    np.testing.assert_allclose(average.to_frame()["log_marginal_likelihood"], np.log(list(known.values())), rtol=1e-8)
    weights = np.array(list(known.values()))
    np.testing.assert_allclose(average.posterior_probabilities, weights / weights.sum(), rtol=1e-8)
    assert average.bf_effect == pytest.approx((weights[1] + weights[3]) / (weights[0] + weights[2]), rel=1e-8)
    assert average.bf_heterogeneity == pytest.approx((weights[2] + weights[3]) / (weights[0] + weights[1]), rel=1e-8)
    assert average.log_marginal_likelihood == pytest.approx(np.log(weights.mean()), abs=1e-9)


def test_the_table_of_bayes_factors(average) -> None:
    table = bayes_factors(yi=Y, vi=V, priors=PRIORS)
    assert list(table.index[:2]) == ["effect", "heterogeneity"]
    np.testing.assert_allclose(table["bf10"], np.exp(table["log_bf10"]), rtol=1e-14)
    np.testing.assert_allclose(table["bf10"] * table["bf01"], 1, rtol=1e-13)
    odds = table["posterior_prob"] / (1 - table["posterior_prob"]) * (1 - table["prior_prob"]) / table["prior_prob"]
    np.testing.assert_allclose(odds, table["bf10"], rtol=1e-10)
    assert table.loc["effect", "posterior_prob"] == pytest.approx(average.prob_effect, rel=1e-13)
    assert table.loc["heterogeneity", "posterior_prob"] == pytest.approx(average.prob_heterogeneity, rel=1e-13)


def test_inclusion_bayes_factors_under_unequal_prior_probabilities() -> None:
    """Posterior over prior odds, and the posterior odds recomputed from the prior probabilities (Gronau et al. 2021)."""
    prior = {"common null": 0.4, "common effect": 0.3, "random null": 0.2, "random effect": 0.1}
    found = model_average(yi=Y, vi=V, priors=PRIORS, prior_probabilities=prior)
    posterior = found.posterior_probabilities
    np.testing.assert_allclose(posterior.sum(), 1, rtol=1e-13)
    odds = (posterior[1] + posterior[3]) / (posterior[0] + posterior[2])
    assert found.bf_effect == pytest.approx(odds / (0.4 / 0.6), rel=1e-12)
    table = bayes_factors(yi=Y, vi=V, priors=PRIORS, prior_probabilities=prior)
    assert table.loc["effect", "prior_prob"] == pytest.approx(0.4)
    assert table.loc["effect", "posterior_prob"] == pytest.approx(found.prob_effect, rel=1e-12)


def test_the_averaged_posterior_is_the_mixture(average) -> None:
    posterior, probabilities = average.posterior, average.posterior_probabilities
    assert (posterior.method, posterior.engine) == ("bayes:normal:averaged", "averaged")
    for term in posterior.terms:
        parts = [fit.marginal(term) for fit in average.fits]
        means = np.array([part.mean()[0] for part in parts])
        assert posterior.marginal(term).mean()[0] == pytest.approx(probabilities @ means, rel=1e-12)
    null = probabilities[0] + probabilities[2]
    assert posterior.marginal("mu").masses("mu") == pytest.approx({0.0: null})
    assert posterior.cdf("mu", 0.0) - posterior.cdf("mu", -1e-12) == pytest.approx(null, abs=1e-9)
    assert average.prob_effect == pytest.approx(1 - null, abs=1e-12)
    for term, p in (("mu", 0.975), ("mu", 0.025), ("tau", 0.9), ("theta_new", 0.3), ("i2", 0.95)):
        x = posterior.quantile(term, p)
        if x != 0:
            assert posterior.cdf(term, x) == pytest.approx(p, abs=1e-10)


def test_the_averaged_posterior_is_summarized_like_any_other(average) -> None:
    summary = bm.summarize(average.posterior, better="lower")
    assert list(summary.index) == list(average.posterior.terms)
    assert np.isfinite(summary[["mean", "sd", "median", "ci_low", "ci_high", "hdi_low", "hdi_high"]].to_numpy()).all()
    higher = bm.summarize(average.posterior, better="higher")
    both = summary.loc["mu", "prob_benefit"] + higher.loc["mu", "prob_benefit"]
    assert both == pytest.approx(average.prob_effect, abs=1e-12), "no effect is a benefit on neither side"
    np.testing.assert_allclose(summary.loc["mu", ["hdi_low", "hdi_high"]], average.posterior.hdi("mu"), rtol=1e-9)


def test_draws_of_the_averaged_posterior(average) -> None:
    drawn = average.posterior.solution.sample(20000, np.random.default_rng(3))
    assert (drawn["mu"] == 0).mean() == pytest.approx(1 - average.prob_effect, abs=4 * 0.5 / np.sqrt(20000))
    assert (drawn["tau"] == 0).mean() == pytest.approx(1 - average.prob_heterogeneity, abs=4 * 0.5 / np.sqrt(20000))
    mu = average.posterior.marginal("mu")
    assert drawn["mu"].mean() == pytest.approx(mu.mean()[0], abs=4 * mu.sd()[0] / np.sqrt(20000))
    assert drawn["theta"].shape == (20000, 4)


def test_draws_of_counts_include_their_baselines() -> None:
    counts = pd.DataFrame(
        {"study": ["A", "B"], "events_e": [4, 0], "n_e": [100, 150], "events_c": [9, 1], "n_c": [100, 140]}
    )
    average = model_average(counts, measure="OR", likelihood="binomial")
    drawn = average.posterior.solution.sample(50, np.random.default_rng(3))
    assert drawn["mid_logit"].shape == (50, 2)


def test_given_an_effect_the_null_models_are_left_out() -> None:
    found = model_average(yi=Y, vi=V, priors=PRIORS, prior_probabilities=GIVEN_EFFECT)
    assert found.names == ("common effect", "random effect")
    assert found.prob_effect == pytest.approx(1)
    assert np.isnan(found.bf_effect)
    assert found.bf_heterogeneity > 0
    assert found.posterior.marginal("mu").masses("mu") == {}
    table = bayes_factors(yi=Y, vi=V, priors=PRIORS, prior_probabilities=GIVEN_EFFECT)
    assert table["bf10"].notna().to_list() == [False, True, False, False, False, True]


def test_a_flat_prior_for_mu_is_an_error_unless_no_null_model_needs_it() -> None:
    flat = {"mu": "Flat()", "tau": "HalfNormal(0.5)"}
    with pytest.raises(SpecError, match=r"undefined under the improper prior Flat\(\).*give a proper one"):
        bayes_factors(yi=Y, vi=V, priors=flat)
    found = model_average(yi=Y, vi=V, priors=flat, prior_probabilities=GIVEN_EFFECT)
    wide = model_average(yi=Y, vi=V, priors={**flat, "mu": "Normal(0, 1e4)"}, prior_probabilities=GIVEN_EFFECT)
    assert found.bf_heterogeneity == pytest.approx(wide.bf_heterogeneity, rel=1e-6)


@settings(max_examples=15)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=5), st.floats(0.05, 20))
def test_evidence_ignores_signs_order_and_units(effects: list[float], factor: float) -> None:
    y, v = np.array(effects), np.linspace(0.02, 0.2, len(effects))

    def factors(y, v, unit):
        priors = {"mu": f"Normal(0, {unit!r})", "tau": f"HalfNormal({0.5 * unit!r})"}
        found = model_average(yi=y, vi=v, priors=priors)
        return np.array([found.log_bf("effect"), found.log_bf("heterogeneity")])

    known = factors(y, v, 1.0)
    np.testing.assert_allclose(factors(-y, v, 1.0), known, atol=1e-9)
    np.testing.assert_allclose(factors(y[::-1], v[::-1], 1.0), known, atol=1e-9)
    np.testing.assert_allclose(factors(factor * y, factor**2 * v, factor), known, atol=1e-8)


def test_a_wide_prior_favours_no_effect() -> None:
    """Bartlett 1957 (Biometrika 44:533): without bound as the prior for mu widens."""
    logs = [
        model_average(yi=Y, vi=V, priors={**PRIORS, "mu": f"Normal(0, {sd})"}).log_bf("effect") for sd in (1, 10, 100)
    ]
    np.testing.assert_allclose(np.diff(logs), -np.log(10), atol=0.05)


def test_a_posterior_has_its_own_data_and_priors() -> None:
    posterior = bm.fit(yi=Y, vi=V, priors=PRIORS)
    pd.testing.assert_frame_equal(bayes_factors(posterior), bayes_factors(yi=Y, vi=V, priors=PRIORS))
    with pytest.raises(SpecError, match="has its own data and priors, so priors cannot be given"):
        model_average(posterior, priors=PRIORS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"prior_probabilities": {"common efect": 1.0}},
            r"unknown model 'common efect'; did you mean 'common effect'\?",
        ),
        ({"prior_probabilities": {"common effect": 0.3}}, "must sum to 1 but sum to 0.3"),
        ({"prior_probabilities": {"common effect": 1.5, "random null": -0.5}}, "must be 0 or above but got -0.5"),
        ({"priors": {"mu": "Point(0)"}}, r"with mu ~ Point\(0\) there is nothing to compare"),
        ({"priors": {"tau": "Point(0.2)"}}, r"tau fixed by Point\(0.2\)"),
    ],
)
def test_unusable_requests_are_errors(arguments: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        model_average(yi=Y, vi=V, **arguments)


# the row in comparisons ----------------------------------------------------------------------------------------------


def test_the_row_of_a_comparison() -> None:
    row = bm.compare(yi=Y, vi=V, priors=PRIORS, better="higher").set_index("method").loc["bayes:normal:averaged"]
    average = model_average(yi=Y, vi=V, priors=PRIORS)
    summary = bm.summarize(average.posterior, better="higher", studies=False)
    mu, new = summary.loc["mu"], summary.loc["theta_new"]
    found = row[["median", "estimate", "se", "ci_low", "ci_high", "prob_benefit"]].to_numpy(float)
    expected = mu[["median", "mean", "sd", "ci_low", "ci_high", "prob_benefit"]].to_numpy(float)
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose([row["pi_low"], row["pi_high"]], [new["ci_low"], new["ci_high"]], rtol=1e-9)
    medians = summary.loc[["tau", "tau2", "i2"], "median"]
    np.testing.assert_allclose([row["tau"], row["tau2"], row["i2"]], medians, rtol=1e-8, atol=1e-12)
    names = ["prob_effect", "prob_heterogeneity", "bf_effect", "bf_heterogeneity"]
    assert row[names].to_list() == [getattr(average, name) for name in names]


def test_an_empty_row_has_a_reason() -> None:
    posterior = bm.fit(yi=Y, vi=V, priors={"mu": "Flat()"})
    (row,) = averaged_rows(posterior)
    assert row["note"].startswith("not estimable: the Bayes factor for an effect is undefined")
    frame = bm.compare(yi=Y, vi=V, priors={"mu": "Flat()"}).set_index("method")
    assert np.isnan(frame.loc["bayes:normal:averaged", "estimate"])


def test_the_natural_scale_exponentiates_the_mean_too() -> None:
    frames = [
        bm.compare(yi=Y, vi=V, measure="HR", scale=scale).set_index("method").loc["bayes:normal:averaged"]
        for scale in ("model", "natural")
    ]
    for name in ("estimate", "median", "ci_high", "pi_low"):
        assert frames[1][name] == pytest.approx(np.exp(frames[0][name]), rel=1e-14)
    assert frames[1]["prob_effect"] == frames[0]["prob_effect"]


def test_the_row_has_intervals_of_the_level(average) -> None:
    wide, narrow = (tidy_average(average, level=level)[0] for level in (0.95, 0.5))
    assert wide["pi_low"] < narrow["pi_low"] < narrow["pi_high"] < wide["pi_high"]
    assert len(MODELS) == 4


def test_a_model_without_heterogeneity_that_the_data_contradict_has_no_weight() -> None:
    # two huge trials, each some 40 standard errors from the other: under tau = 0 the likelihoods hardly overlap
    apart = pd.DataFrame(
        {
            "study": ["A", "B"],
            "events_e": [5000, 9000],
            "n_e": [50000, 50000],
            "events_c": [9000, 5000],
            "n_c": [50000, 50000],
        }
    )
    frame = bm.compare(apart, measure="OR").set_index("method")
    assert np.isfinite(frame.loc["bayes:binomial:quadrature", "estimate"])
    average = bm.model_average(apart, measure="OR")
    null = dict(zip(average.names, average.log_marginal_likelihoods, strict=True))
    assert null["common effect"] < null["random effect"] - 1000
    assert np.isfinite(frame.loc["bayes:binomial:averaged", "estimate"])
    assert average.prob_heterogeneity == pytest.approx(1.0)
