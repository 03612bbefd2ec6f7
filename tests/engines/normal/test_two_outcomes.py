"""Two outcomes per study by quadrature: against whole covariance matrices, brute force, and the three-level model."""

import json
from itertools import product

import numpy as np
import pytest
from paths import REFERENCE_FOLDER
from scipy.stats import multivariate_normal

from bayesmeta.effects.covariance import Covariance, covariance_from_matrix
from bayesmeta.effects.design import Design
from bayesmeta.engines.normal.level_priors import LevelPriors
from bayesmeta.engines.normal.model import CoefficientPrior
from bayesmeta.engines.normal.nested_model import nested_model
from bayesmeta.engines.normal.three_level import solve_three_level
from bayesmeta.engines.normal.three_level_solution import compound_terms
from bayesmeta.engines.normal.two_outcomes import OutcomeModel, Scales, conditional_on_scales, outcome_model
from bayesmeta.engines.normal.two_outcomes_solution import TwoOutcomesSolution, outcome_terms, solve_two_outcomes
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.engines.solution import marginal_of
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors

BERKEY = json.loads((REFERENCE_FOLDER / "multilevel_extract.json").read_text(encoding="utf-8"))["datasets"][
    "berkey1998"
]
Y = np.array(BERKEY["columns"]["yi"])
V = np.array(BERKEY["covariance"])
TRIAL = np.array(BERKEY["columns"]["trial"])
OUTCOME = np.array([int(name == "PD") for name in BERKEY["columns"]["outcome"]])
X = np.stack([OUTCOME == 0, OUTCOME == 1], axis=1).astype(float)
NAMES = ("AL", "PD")


def tau_prior(text: str) -> Priors:
    return Priors(Prior("Flat", ()), parse_prior(text))


def berkey(sd: float = 1.0) -> OutcomeModel:
    prior = CoefficientPrior(np.zeros(2), np.eye(2) / sd**2)
    return outcome_model(Y, Design(X, NAMES), covariance_from_matrix(V), prior, TRIAL, OUTCOME)


def solve(rho: str = "Uniform(-1, 1)", tau: str = "HalfNormal(0.5)") -> TwoOutcomesSolution:
    terms = outcome_terms(map(str, range(len(Y))), NAMES, NAMES, np.eye(2))
    return solve_two_outcomes(berkey(), tau_prior(tau), parse_prior(rho), terms, np.eye(2))


def test_likelihood_is_that_of_the_whole_covariance_matrix() -> None:
    rng = np.random.default_rng(3)
    mixed = rng.permutation(len(Y))[:9]  # a trial with one outcome
    y, v, trial, outcome = Y[mixed], V[np.ix_(mixed, mixed)], TRIAL[mixed], OUTCOME[mixed]
    x = np.column_stack([X[mixed], rng.normal(size=9)])
    prior = CoefficientPrior(np.array([0.1, -0.2, 0.3]), np.diag([1.0, 2.0, 3.0]))
    model = outcome_model(y, Design(x, ("a", "b", "c")), covariance_from_matrix(v), prior, trial, outcome)
    one, other, rho = np.array([0.1, 0.3]), np.array([0.2, 0.01]), np.array([-0.4, 0.95])
    given = conditional_on_scales(model, Scales(one, other, rho, 1 - rho**2))
    for i in range(2):
        g = np.array([[one[i] ** 2, rho[i] * one[i] * other[i]], [rho[i] * one[i] * other[i], other[i] ** 2]])
        whole = v + np.where(trial[:, None] == trial, g[outcome[:, None], outcome], 0.0)
        marginal = whole + x @ np.linalg.inv(prior.precision) @ x.T
        assert given.log_likelihood[i] == pytest.approx(
            multivariate_normal.logpdf(y, x @ prior.mean, marginal), rel=1e-9
        )
        precision = x.T @ np.linalg.solve(whole, x) + prior.precision
        right = x.T @ np.linalg.solve(whole, y) + prior.precision @ prior.mean
        assert given.mean[:, i] == pytest.approx(np.linalg.solve(precision, right), rel=1e-8)
        assert given.covariance[..., i] == pytest.approx(np.linalg.inv(precision), rel=1e-8)


def test_berkey1998_brute_force() -> None:
    # composite Gauss-Legendre over both tau and rho, each on panels that do not know the posterior
    nodes, weights = legendre_rule(12)[:2]
    tau_edges, rho_edges = np.array([0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0]), np.linspace(-1, 1, 9)

    def panels(edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        half = 0.5 * np.diff(edges)
        return (edges[:-1, None] + half[:, None] * (nodes + 1)).ravel(), (half[:, None] * weights).ravel()

    (tau, tau_weight), (rho, rho_weight) = panels(tau_edges), panels(rho_edges)
    a, b, r = (part.ravel() for part in np.meshgrid(tau, tau, rho, indexing="ij"))
    mass = np.array([w * u * q for w, u, q in product(tau_weight, tau_weight, rho_weight)])
    given = conditional_on_scales(berkey(), Scales(a, b, r, 1 - r**2))
    prior = tau_prior("HalfNormal(0.5)")
    density = mass * np.exp(given.log_likelihood + prior.log_tau_density(a) + prior.log_tau_density(b)) / 2
    total = density.sum()
    found = solve()
    assert found.log_marginal_likelihood == pytest.approx(np.log(total), abs=1e-7)
    assert found.error < 1e-5
    weights = density / total
    for name, value in (("tau[AL]", a), ("tau[PD]", b), ("rho", r)):
        one = marginal_of(found, name)
        mean = value @ weights
        assert one.mean()[0] == pytest.approx(mean, rel=1e-6)
        assert one.sd()[0] == pytest.approx(np.sqrt((value - mean) ** 2 @ weights), rel=1e-6)
    assert marginal_of(found, "PD").mean()[0] == pytest.approx(given.mean[1] @ weights, rel=1e-6)
    below = r <= rho_edges[4]
    assert marginal_of(found, "rho").cdf(np.array(rho_edges[4]))[0] == pytest.approx(weights[below].sum(), abs=1e-7)


def test_draws_and_marginal_distributions_agree() -> None:
    found, size = solve(), 20_000
    drawn = found.sample(size, np.random.default_rng(5))
    for name in found.terms.pooled:
        share = np.mean(drawn[name] <= marginal_of(found, name).quantile(np.array([[0.1], [0.5], [0.9]])), axis=1)
        assert share == pytest.approx([0.1, 0.5, 0.9], abs=5 * 0.5 / np.sqrt(size))
    effects = found.effects
    assert np.abs(drawn["theta"].mean(axis=0) - effects.mean()).max() < 5 * effects.sd().max() / np.sqrt(size)
    assert drawn["theta"].std(axis=0) == pytest.approx(effects.sd(), rel=0.03)
    centred = drawn["theta_new[AL]"] - drawn["AL"], drawn["theta_new[PD]"] - drawn["PD"]
    product_of = drawn["rho"] * drawn["tau[AL]"] * drawn["tau[PD]"]
    assert np.mean(centred[0] * centred[1]) == pytest.approx(np.mean(product_of), abs=0.006)


def test_outcomes_without_correlation_are_two_analyses() -> None:
    # with rho = 0, a diagonal S and independent priors the evidence is the product of both
    found = solve_two_outcomes(
        outcome_model(
            Y, Design(X, NAMES), Covariance(np.diag(V)), CoefficientPrior(np.zeros(2), np.eye(2)), TRIAL, OUTCOME
        ),
        tau_prior("HalfNormal(0.5)"),
        parse_prior("Uniform(-1e-9, 1e-9)"),
        outcome_terms(map(str, range(len(Y))), NAMES, NAMES, np.eye(2)),
        np.eye(2),
    )
    from bayesmeta.engines.normal.solve import solve_normal

    priors = Priors(Prior("Normal", (0.0, 1.0)), parse_prior("HalfNormal(0.5)"))
    alone = [solve_normal(Y[rows], np.diag(V)[rows], priors, tuple("abcde")) for rows in (OUTCOME == 0, OUTCOME == 1)]
    assert found.log_marginal_likelihood == pytest.approx(sum(one.log_marginal_likelihood for one in alone), abs=1e-8)
    assert marginal_of(found, "tau[PD]").quantile(0.9)[0] == pytest.approx(
        marginal_of(alone[1], "tau").quantile(0.9)[0], rel=1e-6
    )
    assert marginal_of(found, "theta[1]").sd()[0] == pytest.approx(marginal_of(alone[0], "theta[a]").sd()[0], rel=1e-6)


def test_one_tau_and_a_negative_correlation() -> None:
    # CS: the same model in the coordinates of the three-level model, where tau_between^2 = rho tau^2 may be negative
    prior = CoefficientPrior(np.zeros(2), np.eye(2))
    model = nested_model(Y, Design(X, NAMES), covariance_from_matrix(V), prior, TRIAL, OUTCOME)
    levels = LevelPriors(tau_prior("HalfNormal(0.5)"), parse_prior("Uniform(-1, 1)"), lowest=-1.0)
    terms = compound_terms(map(str, range(len(Y))), NAMES, NAMES, np.eye(2))
    found = solve_three_level(model, levels, terms, rows=np.eye(2))
    nodes, weights = legendre_rule(40)[:2]
    tau, rho = (part.ravel() for part in np.meshgrid(0.75 * (nodes + 1), nodes, indexing="ij"))
    mass = np.outer(0.75 * weights, weights).ravel()
    likelihood = np.empty(len(tau))
    for i, (t, r) in enumerate(zip(tau, rho, strict=True)):
        g = t**2 * np.array([[1, r], [r, 1]])
        whole = V + np.where(TRIAL[:, None] == TRIAL, g[OUTCOME[:, None], OUTCOME], 0.0) + X @ X.T
        likelihood[i] = np.exp(multivariate_normal.logpdf(Y, np.zeros(len(Y)), whole))
    density = mass * likelihood * np.exp(tau_prior("HalfNormal(0.5)").log_tau_density(tau)) / 2
    assert found.log_marginal_likelihood == pytest.approx(np.log(density.sum()), abs=1e-5)
    assert marginal_of(found, "rho").mean()[0] == pytest.approx(rho @ density / density.sum(), abs=1e-5)
    size = 20_000
    drawn = found.sample(size, np.random.default_rng(5))
    assert (drawn["rho"] < 0).mean() == pytest.approx(marginal_of(found, "rho").cdf(np.array(0.0))[0], abs=0.02)
    assert drawn["theta"].std(axis=0) == pytest.approx(found.effects.sd(), rel=0.03)
    assert np.abs(drawn["theta"].mean(axis=0) - found.effects.mean()).max() < 0.01
    share = np.mean(drawn["theta_new[AL]"] <= marginal_of(found, "theta_new[AL]").quantile(0.3))
    assert share == pytest.approx(0.3, abs=0.02)


def test_refusals() -> None:
    with pytest.raises(SpecError, match=r"rho must be between -1 and 1 but is Uniform\(-2, 1\)"):
        solve(rho="Uniform(-2, 1)")
    matrix = V.copy()
    matrix[0, 1] = matrix[1, 0] = 0.1
    with pytest.raises(DataError, match="not positive definite"):
        outcome_model(
            Y,
            Design(X, NAMES),
            covariance_from_matrix(matrix),
            CoefficientPrior(np.zeros(2), np.eye(2)),
            TRIAL,
            OUTCOME,
        )
