"""Bayes factors and averages of models with moderators, or with several estimates per study."""

import numpy as np
import pytest
from dependent import MODELS, TABLE, covariance, fitted
from scipy.stats import halfnorm, multivariate_normal

import bayesmeta as bm

NODES = np.polynomial.legendre.leggauss(60)


def log_evidence_without_an_effect(name):
    """Integrate the likelihood of mu = 0 over tau and rho on a grid, from the definition of the model."""
    u = 0.5 * (NODES[0] + 1)
    tau, weight = 3 * u, 1.5 * NODES[1] * halfnorm.pdf(3 * u, scale=0.5)
    if name == "one effect per study":
        rho, of_rho = np.ones(1), np.ones(1)
    elif "CS" in name:
        # Uniform(-1, 1) for the correlation
        rho, of_rho = NODES[0], NODES[1] / 2
    else:
        rho, of_rho = u, NODES[1] / 2
    t, r = (value.ravel() for value in np.meshgrid(tau, rho, indexing="ij"))
    draws = {"tau": t, "rho": r, "tau_between": t * np.sqrt(np.maximum(r, 0)), "tau_within": t * np.sqrt(1 - r)}
    value = [multivariate_normal(np.zeros(len(TABLE)), covariance(name, draws, i)).pdf(TABLE.yi) for i in range(len(t))]
    return float(np.log(np.outer(weight, of_rho).ravel() @ value))


@pytest.mark.parametrize(
    "name", ["three levels", "three levels, sampling correlation", "one effect per study", "outcomes, CS"]
)
def test_marginal_likelihoods_are_those_of_the_definition(name):
    average = bm.model_average(fitted(name))
    found = dict(zip(average.names, average.log_marginal_likelihoods, strict=True))
    assert found["random null"] == pytest.approx(log_evidence_without_an_effect(name), abs=1e-5)
    sampling = covariance(name, {key: np.zeros(1) for key in ("tau", "rho", "tau_between", "tau_within")}, 0)
    null = multivariate_normal(np.zeros(len(TABLE)), sampling).logpdf(TABLE.yi)
    assert found["common null"] == pytest.approx(null, abs=1e-9)
    effect = multivariate_normal(np.zeros(len(TABLE)), sampling + 1.0).logpdf(TABLE.yi)
    assert found["common effect"] == pytest.approx(effect, abs=1e-9)
    assert found["random effect"] == fitted(name).log_marginal_likelihood


@pytest.mark.parametrize("name", MODELS)
def test_point_priors_are_the_limit_of_narrow_ones(name):
    zero = fitted(name, priors={"mu": "Point(0)", "tau": "HalfNormal(0.5)"})
    narrow = fitted(name, priors={"mu": "Normal(0, 0.0001)", "tau": "HalfNormal(0.5)"})
    assert zero.log_marginal_likelihood == pytest.approx(narrow.log_marginal_likelihood, abs=1e-4)
    terms = [term for term in zero.terms if term not in (*zero.data.design.names, "effect_at_means")]
    for term in terms:
        assert zero.quantile(term, 0.8) == pytest.approx(narrow.quantile(term, 0.8), abs=2e-3), term
    drawn = zero.solution.sample(4000, np.random.default_rng(1))
    for term, value in drawn.items():
        if term in zero.terms and zero.sd(term) > 0:
            assert abs(value.mean() - zero.mean(term)) < 5 * zero.sd(term) / np.sqrt(4000), term
    np.testing.assert_allclose(
        drawn["theta"].mean(axis=0), [zero.mean(f"theta[{label}]") for label in zero.data.labels], atol=0.03
    )


def test_a_slope_that_is_0_is_a_model_without_it():
    slope = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)", "dose": "Point(0)"}
    known, without = fitted("three levels, moderator", priors=slope), fitted("three levels")
    assert known.log_marginal_likelihood == pytest.approx(without.log_marginal_likelihood, abs=1e-7)
    assert known.quantile("effect_at_means", 0.9) == pytest.approx(without.quantile("mu", 0.9), rel=1e-6)
    assert known.sd("dose") == 0
    assert bm.predict(known, {"dose": [7.0]}).pi_high.item() == pytest.approx(
        without.quantile("theta_new_estimate", 0.975), rel=1e-6
    )
    with pytest.raises(bm.SpecError, match=r"spread out, or Point\(0\), but got Point\(0.2\)"):
        fitted("three levels", priors={"tau": "Point(0.2)"})


@pytest.mark.parametrize("moderators", ["~ dose", "~ dose + outcome"])
def test_bayes_factors_of_a_regression_keep_its_moderators(moderators):
    given = {
        "yi": TABLE.yi,
        "vi": TABLE.vi,
        "data": TABLE.drop(columns="study"),
        "measure": "SMD",
        "moderators": moderators,
    }
    post = bm.fit(**given, priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"})
    kept = {term.name: 1.0 for term in post.data.matrix.terms if term.factors}
    expected = bm.moderator_evidence(post, prior_probabilities=kept).bf_inclusion
    found = bm.bayes_factors(post).bf10
    assert found["effect"] == pytest.approx(expected["effect"], rel=1e-7)
    assert found["heterogeneity"] == pytest.approx(expected["heterogeneity"], rel=1e-7)
    literal = bm.fit(**given, priors={"Intercept": "Normal(0, 1)", "tau": "HalfNormal(0.5)"})
    expected = bm.moderator_evidence(literal, prior_probabilities=kept).bf_inclusion
    assert bm.bayes_factors(literal).bf10["effect"] == pytest.approx(expected["effect"], rel=1e-7)
    with pytest.raises(bm.SpecError, match="improper prior Intercept ~ Flat"):
        bm.bayes_factors(bm.fit(**given, priors={"Intercept": "Flat()", "tau": "HalfNormal(0.5)"}))


def test_the_bayes_factor_with_priors_by_level():
    priors = {"mu": "Normal(0, 1)", "tau_between": "HalfNormal(0.4)", "tau_within": "HalfNormal(0.3)"}
    average = bm.model_average(fitted("three levels", priors=priors))
    found = dict(zip(average.names, average.log_marginal_likelihoods, strict=True))
    narrow = fitted(
        "three levels", priors={**priors, "tau_between": "HalfNormal(0.0001)", "tau_within": "HalfNormal(0.0001)"}
    )
    assert found["common effect"] == pytest.approx(narrow.log_marginal_likelihood, abs=1e-5)
    assert average.posterior.priors.to_dict() == priors


@pytest.mark.parametrize("name", ["three levels, moderator", "outcomes, UN"])
def test_an_averaged_posterior_is_summarized_checked_and_left_out(name):
    priors = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}
    priors |= {"dose": "Normal(0, 0.3)"} if "moderator" in name else {}
    average = bm.model_average(fitted(name, priors=priors))
    post = average.posterior
    table = post.summary()
    fits = [fit.mean(post.terms[0]) for fit in average.fits]
    assert table["mean"].iloc[0] == pytest.approx(average.posterior_probabilities @ fits, rel=1e-9)
    scale = "tau" if name.startswith("three") else "tau[x]"
    random = ["random" in one for one in average.names]
    assert 1 - post.marginal(scale).masses(scale)[0.0] == pytest.approx(average.posterior_probabilities[random].sum())
    found = bm.influence(post, bayes_factors=True)
    rest = bm.model_average(fitted(name, TABLE.study != "a", priors=priors))
    assert found.bf_effect["a"] == pytest.approx(rest.bf_effect, rel=1e-6)
    loo = bm.leave_one_out(post)
    assert loo.log_predictive["a"] == pytest.approx(
        average.log_marginal_likelihood - rest.log_marginal_likelihood, abs=1e-7
    )
    assert bm.predictive_checks(post)["tail"].between(0, 1).all()
    assert set(post.draws["posterior"].data_vars) >= {post.terms[0], scale}


def test_groups_with_a_common_tau():
    found = bm.fit_subgroups(
        yi=TABLE.yi,
        vi=TABLE.vi,
        measure="SMD",
        by=TABLE.outcome,
        common_tau=True,
        priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"},
    )
    average = bm.model_average(found.model)
    assert average.posterior.summary().loc["x", "mean"] < found.model.mean("x")
