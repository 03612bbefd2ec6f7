"""The linear model with normal likelihood: regression and correlated estimates, against independent quadrature and brute force."""

import json
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import REFERENCE_FOLDER
from scipy.integrate import quad
from scipy.stats import multivariate_normal

from bayesmeta.effects.covariance import Covariance, covariance_from_matrix
from bayesmeta.effects.design import Design, mean_only
from bayesmeta.engines.normal.formulas import conditional_coefficients, log_likelihood_of_scale
from bayesmeta.engines.normal.model import CoefficientPrior, NormalModel, mean_prior, normal_model
from bayesmeta.engines.normal.solve import QuadratureSolution, solve_linear, solve_normal
from bayesmeta.engines.terms import terms_of
from bayesmeta.errors import DataError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors

REFERENCE = json.loads((REFERENCE_FOLDER / "exact_linear_models.json").read_text(encoding="utf-8"))
ANDREWS, PARKINSON = REFERENCE["andrews2021"], REFERENCE["parkinson_tsd2"]


def tau_prior(text: str) -> Priors:
    return Priors(Prior("Flat", ()), parse_prior(text))


def independent_prior(*sds: float) -> CoefficientPrior:
    return CoefficientPrior(np.zeros(len(sds)), np.diag(1 / np.array(sds) ** 2))


def solution_of(model: NormalModel, prior: str) -> QuadratureSolution:
    labels = tuple(f"study {i}" for i in range(model.n))
    return solve_linear(model, tau_prior(prior), terms_of(labels, model.design.names))


def andrews(measure: bool, age: bool) -> NormalModel:
    y, v = np.array(ANDREWS["yi"]), np.array(ANDREWS["vi"])
    columns = {"intercept": (np.ones(len(y)), 0.5)}
    columns |= {"measure": (np.array(ANDREWS["measure"]), 0.125)} if measure else {}
    columns |= {"age": (np.array(ANDREWS["age"]), 0.125)} if age else {}
    matrix = np.stack([values for values, _ in columns.values()], axis=1)
    prior = independent_prior(*(sd for _, sd in columns.values()))
    return normal_model(y, Design(matrix, tuple(columns)), Covariance(v), prior)


@pytest.mark.parametrize(("measure", "age"), list(product((False, True), repeat=2)))
def test_andrews2021_log_marginal_likelihoods(measure: bool, age: bool) -> None:
    found = solution_of(andrews(measure, age), "InvGamma(1, 0.075)").log_marginal_likelihood
    # intercept, heterogeneity, measure, age
    assert found == pytest.approx(ANDREWS["log_marginal_likelihood"][f"11{measure:d}{age:d}"], rel=1e-8)


def test_andrews2021_coefficients() -> None:
    solution = solution_of(andrews(True, True), "InvGamma(1, 0.075)")
    assert solution.scale.take("tau").mean()[0] == pytest.approx(ANDREWS["full_model"]["tau_mean"], rel=1e-8)
    for name, wanted in ANDREWS["full_model"]["coefficients"].items():
        marginal = solution.effects.take(name)
        assert marginal.mean()[0] == pytest.approx(wanted["mean"], rel=1e-8)
        assert marginal.sd()[0] == pytest.approx(wanted["sd"], rel=1e-8)
        quantiles = marginal.quantile(np.array([[0.025], [0.5], [0.975]]))[:, 0]
        np.testing.assert_allclose(quantiles, [wanted[q] for q in ("q025", "median", "q975")], rtol=1e-8)


def parkinson(prior: CoefficientPrior) -> NormalModel:
    """Contrasts of the later arms of each trial with its first; columns of X: treatments 2 to 5 against 1."""
    rows = [[int(study), int(treatment), mean, se] for study, treatment, mean, se in PARKINSON["rows"]]
    y, design, s_blocks, r_blocks = [], [], [], []
    for study in dict.fromkeys(row[0] for row in rows):
        (_, base, mean, se), *later = [row for row in rows if row[0] == study]
        places = np.arange(len(y), len(y) + len(later))
        for _, treatment, other, _ in later:
            y.append(other - mean)
            line = np.zeros(6)
            line[treatment] += 1
            line[base] -= 1
            design.append(line[2:])
        s_blocks.append((places, np.diag([row[3] ** 2 for row in later]) + se**2))
        r_blocks.append((places, 0.5 * (np.eye(len(later)) + 1)))
    variances = np.concatenate([np.diag(block) for _, block in s_blocks])
    several = lambda blocks: tuple((at, block) for at, block in blocks if len(at) > 1)  # noqa: E731
    return normal_model(
        np.array(y),
        Design(np.array(design), ("2 vs 1", "3 vs 1", "4 vs 1", "5 vs 1")),
        Covariance(variances, several(s_blocks)),
        prior,
        Covariance(np.ones(len(y)), several(r_blocks)),
    )


@pytest.mark.parametrize(
    ("name", "prior"),
    [
        ("exchangeable_sd2", CoefficientPrior(np.zeros(4), np.linalg.inv(2.0 * (np.eye(4) + 1)))),
        ("independent_sd100", independent_prior(100, 100, 100, 100)),
    ],
)
def test_tsd2_parkinson_with_a_three_arm_trial(name: str, prior: CoefficientPrior) -> None:
    wanted = PARKINSON[name]
    solution = solution_of(parkinson(prior), "HalfNormal(5)")
    assert solution.log_marginal_likelihood == pytest.approx(wanted["log_marginal_likelihood"], rel=1e-8)
    assert solution.scale.take("tau").mean()[0] == pytest.approx(wanted["tau_mean"], rel=1e-8)
    for contrast, numbers in wanted["contrasts"].items():
        marginal = solution.effects.take(contrast)
        assert marginal.mean()[0] == pytest.approx(numbers["mean"], rel=1e-8)
        assert marginal.sd()[0] == pytest.approx(numbers["sd"], rel=1e-8)
        assert marginal.quantile(0.975)[0] == pytest.approx(numbers["q975"], rel=1e-8)
    # a contrast of two coefficients is a combination like any other
    difference = solution.combinations(np.array([[1.0, -1.0, 0.0, 0.0]]), ("2 vs 3",))
    assert difference.mean()[0] == pytest.approx(
        wanted["contrasts"]["2 vs 1"]["mean"] - wanted["contrasts"]["3 vs 1"]["mean"], rel=1e-8
    )


Y, V = np.array([0.4, -0.1, 0.3, 0.9, 0.2]), np.array([0.04, 0.09, 0.02, 0.16, 0.05])
X = Design(np.column_stack([np.ones(5), [0.1, 0.5, 0.7, 1.1, 1.9]]), ("Intercept", "dose"))
BLOCK = np.array([[0.04, 0.03, 0.0], [0.03, 0.09, 0.01], [0.0, 0.01, 0.02]])
CORRELATED = Covariance(V, ((np.array([0, 1, 2]), BLOCK),))
HALF = Covariance(np.ones(5), ((np.array([3, 4]), np.array([[1.0, 0.5], [0.5, 1.0]])),))
SIZES = independent_prior(1.0, 0.3)


@pytest.mark.parametrize("covariance", [Covariance(V), CORRELATED], ids=["diagonal", "blocks"])
@pytest.mark.parametrize("correlation", [None, HALF], ids=["identity", "half"])
def test_densities_given_tau_are_those_of_the_multivariate_normal(
    covariance: Covariance, correlation: Covariance | None
) -> None:
    model = normal_model(Y, X, covariance, SIZES, correlation)
    r = np.eye(5) if correlation is None else correlation.matrix
    for tau in (0.05, 0.3, 2.0):
        total = covariance.matrix + tau**2 * r
        marginal = total + X.matrix @ np.linalg.inv(SIZES.precision) @ X.matrix.T
        wanted = multivariate_normal(np.zeros(5), marginal).logpdf(Y)
        assert log_likelihood_of_scale(np.array([tau]), model)[0] == pytest.approx(wanted, rel=1e-12)
        mean, spread = conditional_coefficients(np.array([tau]), model)
        precision = X.matrix.T @ np.linalg.inv(total) @ X.matrix + SIZES.precision
        np.testing.assert_allclose(spread[0], np.linalg.inv(precision), rtol=1e-11)
        np.testing.assert_allclose(
            mean[0], np.linalg.solve(precision, X.matrix.T @ np.linalg.solve(total, Y)), rtol=1e-11
        )


@pytest.mark.parametrize("correlation", [None, HALF], ids=["identity", "half"])
def test_effects_in_the_studies_against_the_joint_normal_distribution(correlation: Covariance | None) -> None:
    solution = solution_of(normal_model(Y, X, CORRELATED, SIZES, correlation), "HalfNormal(0.5)")
    r = np.eye(5) if correlation is None else correlation.matrix
    prior = tau_prior("HalfNormal(0.5)")
    means, seconds, total = np.zeros(5), np.zeros(5), 0.0
    nodes, weights = np.polynomial.legendre.leggauss(200)
    for tau, weight in zip(2.0 * (nodes + 1), 2.0 * weights, strict=True):
        between = tau**2 * r + X.matrix @ np.linalg.inv(SIZES.precision) @ X.matrix.T
        whole = between + CORRELATED.matrix
        mass = weight * np.exp(prior.log_tau_density(np.array(tau)) + multivariate_normal(np.zeros(5), whole).logpdf(Y))
        mean = between @ np.linalg.solve(whole, Y)
        variance = np.diag(between - between @ np.linalg.solve(whole, between))
        means, seconds, total = means + mass * mean, seconds + mass * (variance + mean**2), total + mass
    means, seconds = means / total, seconds / total
    for i, term in enumerate(solution.terms.studies):
        marginal = solution.effects.take(term)
        assert marginal.mean()[0] == pytest.approx(means[i], rel=1e-9)
        assert marginal.sd()[0] == pytest.approx(np.sqrt(seconds[i] - means[i] ** 2), rel=1e-8)
    assert solution.log_marginal_likelihood == pytest.approx(float(np.log(total)), rel=1e-9)


def test_flat_priors_are_the_limit_of_wide_ones() -> None:
    flat = solution_of(
        normal_model(Y, X, CORRELATED, CoefficientPrior(np.zeros(2), np.zeros((2, 2)))), "HalfNormal(0.5)"
    )
    wide = solution_of(normal_model(Y, X, CORRELATED, independent_prior(1e4, 1e4)), "HalfNormal(0.5)")
    np.testing.assert_allclose(flat.effects.mean(), wide.effects.mean(), rtol=1e-6)
    # a proper prior has density 1 / (sd sqrt(2 pi)) where the data are
    shift = 2 * np.log(1e4 * np.sqrt(2 * np.pi))
    assert flat.log_marginal_likelihood == pytest.approx(wide.log_marginal_likelihood + shift, rel=1e-7)


def test_draws_follow_the_marginal_distributions() -> None:
    solution = solution_of(normal_model(Y, X, CORRELATED, SIZES, HALF), "HalfNormal(0.5)")
    drawn = solution.sample(40_000, np.random.default_rng(3))
    assert set(drawn) == {"Intercept", "dose", "tau", "theta"}
    columns = {"Intercept": drawn["Intercept"], "dose": drawn["dose"]}
    columns |= dict(zip(solution.terms.studies, drawn["theta"].T, strict=True))
    for name, values in columns.items():
        marginal = solution.effects.take(name)
        error = marginal.sd()[0] / np.sqrt(len(values))
        assert values.mean() == pytest.approx(marginal.mean()[0], abs=5 * error)
        assert values.std() == pytest.approx(marginal.sd()[0], rel=0.03)


@given(st.permutations(range(5)), st.floats(-2, 2), st.floats(0.2, 5))
def test_order_shift_and_unit_of_the_estimates(order: list[int], shift: float, unit: float) -> None:
    flat = CoefficientPrior(np.zeros(2), np.zeros((2, 2)))
    base = solution_of(normal_model(Y, X, CORRELATED, flat), "HalfNormal(0.5)")
    at = np.array(order)
    design = Design(X.matrix[at], X.names)
    moved = covariance_from_matrix(CORRELATED.matrix[np.ix_(at, at)] * unit**2)
    other = solution_of(normal_model(unit * (Y[at] + shift), design, moved, flat), f"HalfNormal({0.5 * unit})")
    means = other.effects.mean() / unit
    np.testing.assert_allclose(means[0], base.effects.mean()[0] + shift, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(means[1], base.effects.mean()[1], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(other.effects.sd()[:2] / unit, base.effects.sd()[:2], rtol=1e-7)


def test_a_pairwise_meta_analysis_is_the_linear_model_with_one_coefficient() -> None:
    priors = Priors(Prior("Normal", (0.2, 1.5)), parse_prior("HalfNormal(0.5)"))
    labels = ("a", "b", "c", "d", "e")
    pairwise = solve_normal(Y, V, priors, labels)
    assert pairwise.model.pairwise
    # a matrix R that is written out takes the general formulas
    written_out = Covariance(np.ones(5), ((np.array([0, 1]), np.eye(2)),))
    model = normal_model(Y, mean_only(5), Covariance(V), mean_prior(priors), written_out)
    general = solve_linear(model, priors, terms_of(labels))
    assert not general.model.pairwise
    assert general.log_marginal_likelihood == pytest.approx(pairwise.log_marginal_likelihood, rel=1e-12)
    assert general.effects.terms == pairwise.effects.terms
    np.testing.assert_allclose(general.effects.mean(), pairwise.effects.mean(), rtol=1e-9)
    np.testing.assert_allclose(general.effects.sd(), pairwise.effects.sd(), rtol=1e-9)
    assert general.scale.typical_variance == pytest.approx(pairwise.scale.typical_variance, rel=1e-12)
    mu, tau = np.array([-0.3, 0.1, 0.8]), np.array([0.05, 0.3, 1.0])
    np.testing.assert_allclose(general.joint_pdf(mu, tau), pairwise.joint_pdf(mu, tau), rtol=1e-9)
    new = general.combinations(np.ones((1, 1)), ("new",), new_study=True)
    assert new.sd()[0] == pytest.approx(pairwise.effects.take("theta_new").sd()[0], rel=1e-9)


def test_the_marginal_likelihood_against_an_integral_over_tau() -> None:
    solution = solution_of(normal_model(Y, X, CORRELATED, SIZES, HALF), "HalfCauchy(0.3)")
    prior = tau_prior("HalfCauchy(0.3)")

    def density(tau: float) -> float:
        spread = CORRELATED.matrix + tau**2 * HALF.matrix + X.matrix @ np.linalg.inv(SIZES.precision) @ X.matrix.T
        return float(np.exp(prior.log_tau_density(np.array(tau)) + multivariate_normal(np.zeros(5), spread).logpdf(Y)))

    wanted = sum(quad(density, low, high, epsabs=0, epsrel=1e-11)[0] for low, high in ((0, 0.3), (0.3, 3), (3, np.inf)))
    assert solution.log_marginal_likelihood == pytest.approx(np.log(wanted), rel=1e-9)


def test_an_impossible_covariance_is_an_error() -> None:
    too_strong = Covariance(V, ((np.array([0, 1]), np.array([[0.04, 0.08], [0.08, 0.09]])),))
    with pytest.raises(DataError, match="not positive definite"):
        normal_model(Y, X, too_strong, SIZES)
    with pytest.raises(DataError, match="variance of estimate 2 is 0"):
        normal_model(Y, X, Covariance(np.array([0.1, 0.0, 0.1, 0.1, 0.1])), SIZES)
