"""The normal model with mu or tau fixed: closed forms, one-dimensional integrals, and priors that become narrow."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr
from scipy.stats import kstest, multivariate_normal, norm

import bayesmeta as bm
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.engines.normal.fixed import PointSolution, has_point, solve_point
from bayesmeta.engines.normal.solve import solve_normal
from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.i_squared import typical_variance
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.posterior import Posterior

Y, V = np.array([0.1, 0.3, -0.2, 0.5]), np.array([0.04, 0.1, 0.09, 0.02])
LABELS = ("A", "B", "C", "D")


def priors(mu: str, tau: str, on_variance: bool = False) -> Priors:
    return Priors(parse_prior(mu), parse_prior(tau), on_variance)


def solved(mu: str, tau: str, on_variance: bool = False) -> PointSolution:
    return solve_point(Y, V, priors(mu, tau, on_variance), LABELS)


def as_posterior(solution: PointSolution) -> Posterior:
    data = model_data(effect_sizes(yi=Y, vi=V, labels=LABELS), "normal")
    return Posterior(data, solution.priors, "quadrature", "generic_normal", solution, 1)


def test_the_common_effect_in_closed_form() -> None:
    posterior = as_posterior(solved("Normal(0.2, 1.5)", "Point(0)"))
    precision = (1 / V).sum() + 1 / 1.5**2
    mean = ((Y / V).sum() + 0.2 / 1.5**2) / precision
    for term in ("mu", "theta_new", "theta[A]", "theta[D]"):
        found = posterior.quantile(term, np.array([0.025, 0.5, 0.975]))
        np.testing.assert_allclose(found, mean + norm.ppf([0.025, 0.5, 0.975]) / np.sqrt(precision), rtol=1e-13)
    assert posterior.quantile("tau", 0.975) == posterior.quantile("i2", 0.5) == 0
    joint = multivariate_normal(np.full(4, 0.2), np.diag(V) + 1.5**2)
    assert posterior.log_marginal_likelihood == pytest.approx(joint.logpdf(Y), rel=1e-12)


@pytest.mark.parametrize(("tau", "on_variance"), [("Point(0.3)", False), ("Point(0.09)", True)])
def test_a_known_tau_in_closed_form(tau: str, on_variance: bool) -> None:
    posterior = as_posterior(solved("Flat()", tau, on_variance))
    weights = 1 / (V + 0.09)
    mean, variance = weights @ Y / weights.sum(), 1 / weights.sum()
    mu, new = posterior.marginal("mu"), posterior.marginal("theta_new")
    np.testing.assert_allclose([mu.mean()[0], mu.sd()[0] ** 2], [mean, variance], rtol=1e-13)
    np.testing.assert_allclose(new.sd()[0] ** 2, variance + 0.09, rtol=1e-13)
    assert posterior.quantile("tau", 0.3) == pytest.approx(0.3, rel=1e-15)
    assert posterior.quantile("i2", 0.3) == pytest.approx(100 * 0.09 / (0.09 + typical_variance(V)), rel=1e-14)


def test_everything_known() -> None:
    both = solved("Point(0.1)", "Point(0)")
    assert both.log_marginal_likelihood == pytest.approx(norm.logpdf(Y, 0.1, np.sqrt(V)).sum(), rel=1e-13)
    posterior = as_posterior(both)
    summary = bm.summarize(posterior, better="lower")
    assert (summary.loc[["mu", "theta_new", "theta[A]"], ["mean", "median", "ci_low", "hdi_high"]] == 0.1).all().all()
    assert (summary["sd"] == 0).all()
    assert summary.loc["mu", "prob_benefit"] == 0
    spread = as_posterior(solved("Point(0.1)", "Point(0.4)"))
    np.testing.assert_allclose(spread.quantile("theta_new", 0.975), 0.1 + 0.4 * norm.ppf(0.975), rtol=1e-13)


@pytest.mark.parametrize(
    "tau",
    ["HalfNormal(0.5)", "HalfCauchy(0.5)", "Uniform(0, 2)", "LogNormal(-1, 1)", "Uniform(0.1, 1)", "Exponential(2)"],
)
def test_no_effect_with_unknown_tau_against_one_dimensional_integrals(tau: str) -> None:
    solution = solved("Point(0)", tau)
    low, high = solution.priors.tau_support
    cuts = [low, *(c for c in (0.01, 0.1, 0.5, 2.0) if low < c < high), high]

    def integral(g: object) -> float:
        return sum(quad(g, a, b, epsabs=0, epsrel=1e-11, limit=300)[0] for a, b in pairwise(cuts))

    def joint(tau: float) -> float:
        return float(np.exp(solution.priors.log_tau_density(tau)) * np.prod(norm.pdf(Y, 0, np.sqrt(V + tau**2))))

    total = integral(joint)
    assert solution.log_marginal_likelihood == pytest.approx(np.log(total), rel=1e-10)
    posterior = as_posterior(solution)
    for x in (1e-3, 0.05, 0.4):
        expected = integral(lambda t, x=x: joint(t) * ndtr(x / t)) / total
        assert posterior.cdf("theta_new", x) == pytest.approx(expected, abs=1e-10)
        assert posterior.cdf("theta_new", -x) == pytest.approx(1 - expected, abs=1e-10)

        def share(t: float) -> float:
            return t**2 / (t**2 + V[1])

        expected = integral(lambda t, x=x: joint(t) * ndtr((x - share(t) * Y[1]) / np.sqrt(share(t) * V[1]))) / total
        assert posterior.cdf("theta[B]", x) == pytest.approx(expected, abs=1e-10)
    assert posterior.cdf("tau", 0.3) == pytest.approx(
        sum(quad(joint, a, min(b, 0.3), epsabs=0, epsrel=1e-11)[0] for a, b in pairwise(cuts) if a < 0.3) / total,
        abs=1e-10,
    )  # fmt: skip


def test_a_narrow_prior_is_close_to_a_point_prior() -> None:
    narrow = solve_normal(Y, V, priors("Normal(0.2, 1e-6)", "HalfNormal(0.5)"), LABELS)
    point = solved("Point(0.2)", "HalfNormal(0.5)")
    assert narrow.log_marginal_likelihood == pytest.approx(point.log_marginal_likelihood, abs=1e-8)
    narrow = solve_normal(Y, V, priors("Normal(0, 1)", "HalfNormal(1e-6)"), LABELS)
    point = solved("Normal(0, 1)", "Point(0)")
    assert narrow.log_marginal_likelihood == pytest.approx(point.log_marginal_likelihood, abs=1e-8)
    np.testing.assert_allclose(narrow.effects.mean()[0], point.families[1].mean()[0], atol=1e-8)


@pytest.mark.parametrize(
    ("mu", "tau"), [("Normal(0, 1)", "Point(0)"), ("Point(0)", "HalfNormal(0.5)"), ("Point(0)", "Point(0.2)")]
)
def test_draws_follow_the_marginals(mu: str, tau: str) -> None:
    solution = solved(mu, tau)
    posterior = as_posterior(solution)
    drawn = solution.sample(4000, np.random.default_rng(8))
    assert drawn["theta"].shape == (4000, 4)
    for term, values in {**drawn, "theta[B]": drawn["theta"][:, 1]}.items():
        if term == "theta":
            continue
        if posterior.marginal(term).sd()[0] == 0:
            np.testing.assert_array_equal(values, posterior.quantile(term, 0.5))
            continue
        assert kstest(values, lambda x, term=term: posterior.cdf(term, x)).pvalue > 1e-3


@settings(max_examples=20)
@given(factor=st.floats(1e-3, 1e3))
def test_scaling_the_data_scales_the_results(factor: float) -> None:
    scaled = solve_point(factor * Y, factor**2 * V, priors("Point(0)", f"HalfNormal({0.5 * factor!r})"), LABELS)
    known = solved("Point(0)", "HalfNormal(0.5)")
    shift = scaled.log_marginal_likelihood + 4 * np.log(factor)
    assert shift == pytest.approx(known.log_marginal_likelihood, abs=1e-9)
    np.testing.assert_allclose(
        scaled.families[0].quantile(0.5)[0], factor * known.families[0].quantile(0.5)[0], rtol=1e-9
    )


def test_no_component_has_a_standard_deviation_of_zero() -> None:
    for mu, tau in (("Normal(0, 1)", "Point(0)"), ("Point(0)", "HalfNormal(0.5)"), ("Point(0)", "Point(0)")):
        for family in solved(mu, tau).families:
            assert (getattr(family, "sds", np.ones(1)) > 0).all()


def test_unusable_priors_and_data_are_errors() -> None:
    assert not has_point(priors("Normal(0, 1)", "HalfNormal(0.5)"))
    with pytest.raises(SpecError, match="needs a point prior"):
        solved("Normal(0, 1)", "HalfNormal(0.5)")
    with pytest.raises(SpecError, match="Normal, Flat or Point prior for mu but got Cauchy"):
        solved("Cauchy(0, 1)", "Point(0)")
    with pytest.raises(DataError, match="no study can be pooled"):
        solve_point(np.empty(0), np.empty(0), priors("Point(0)", "Point(0)"), ())
