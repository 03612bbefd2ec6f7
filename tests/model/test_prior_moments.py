"""Means and standard deviations of priors against numerical integrals of their densities."""

import numpy as np
import pytest
from scipy.integrate import quad

from bayesmeta.engines.marginals.priors import prior_marginal
from bayesmeta.model.priors.families import FAMILIES
from bayesmeta.model.priors.moments import prior_moments
from bayesmeta.model.priors.parse import parse_prior

FINITE = [
    "Normal(0.3, 2)", "StudentT(4, 0.2, 1.5)", "Logistic(-1, 0.7)", "Uniform(0.2, 2)", "Beta(2, 5)", "HalfNormal(0.5)", "HalfT(5, 0.4)",
    "Exponential(2.5)", "LogNormal(-1, 0.6)", "Gamma(2, 3)", "InvGamma(3.5, 0.4)",
]  # fmt: skip
WITHOUT = ["Cauchy(0, 1)", "HalfCauchy(1)", "LogT(3, 0, 1)", "InvGamma(1, 0.15)", "HalfT(1.5, 1)", "StudentT(2, 0, 1)"]


@pytest.mark.parametrize("text", FINITE)
def test_moments_are_those_of_the_density(text):
    prior = parse_prior(text)
    low, high = prior.support
    first, second = (quad(lambda x, p=p: x**p * prior.pdf(x), low, high, epsabs=1e-11, limit=400)[0] for p in (1, 2))
    assert prior_moments(prior) == pytest.approx((first, np.sqrt(second - first**2)), rel=1e-6)


@pytest.mark.parametrize("text", [text for text in FINITE if parse_prior(text).support[0] >= 0])
def test_moments_of_tau_under_a_prior_for_tau2(text):
    prior = parse_prior(text)
    low, high = prior.support
    first, second = (quad(lambda x, p=p: x**p * prior.pdf(x), low, high, epsabs=1e-11, limit=400)[0] for p in (0.5, 1))
    assert prior_moments(prior, square=True) == pytest.approx((first, np.sqrt(second - first**2)), rel=1e-6)


@pytest.mark.parametrize("text", WITHOUT)
def test_moments_that_do_not_exist(text):
    mean, sd = prior_moments(parse_prior(text))
    assert not np.isfinite(sd)
    assert np.isfinite(mean) == text.startswith(("HalfT(1.5", "StudentT(2"))


def test_every_family_has_moments():
    tested = {text.partition("(")[0] for text in (*FINITE, *WITHOUT)} | {"Flat", "Point"}
    assert tested == set(FAMILIES)
    assert prior_moments(parse_prior("Point(0.09)"), square=True) == (0.3, 0.0)
    assert np.isinf(prior_moments(parse_prior("Flat()"))[1])


@pytest.mark.parametrize("text", ["HalfNormal(0.5)", "StudentT(3, 0, 1)", "Normal(0, 2)"])
def test_distribution_functions_of_priors(text):
    prior = parse_prior(text)
    found = prior_marginal("x", prior)
    p = np.array([0.001, 0.2, 0.5, 0.9, 0.9999])
    np.testing.assert_allclose(found.cdf(found.quantile(p[:, None]))[:, 0], p, rtol=1e-12)
    np.testing.assert_allclose(found.pdf(np.array([[0.3]])), prior.pdf(0.3), rtol=1e-12)
    low, high = found.hdi(0.9)
    assert found.cdf(high)[0] - found.cdf(low)[0] == pytest.approx(0.9, abs=1e-9)


def test_a_prior_for_tau2_as_that_of_tau():
    found = prior_marginal("tau", parse_prior("Gamma(2, 3)"), square=True)
    total, _ = quad(lambda x: found.pdf(np.array([x]))[0], 0, 0.7)
    assert found.cdf(np.array([0.7]))[0] == pytest.approx(total, abs=1e-10)
    assert found.pdf(np.array([-0.1]))[0] == 0.0
    assert prior_marginal("x", parse_prior("Flat()")) is None
    assert prior_marginal("tau", parse_prior("Point(0.04)"), square=True).mean()[0] == 0.2


@pytest.mark.parametrize("text", [text for text in (*FINITE, *WITHOUT) if "Cauchy" not in text])
def test_quantiles_at_0_and_1_are_the_ends_of_the_support(text):
    prior = parse_prior(text)
    assert tuple(prior.quantile([0.0, 1.0])) == prior.support
