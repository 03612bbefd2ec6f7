"""The three-level model by quadrature: independent quadrature, brute force, and other coordinates of the same posterior."""

import json

import numpy as np
import pytest
from paths import REFERENCE_FOLDER
from scipy.integrate import dblquad, quad
from scipy.stats import multivariate_normal

import bayesmeta as bm
from bayesmeta.effects.covariance import Covariance, covariance_from_matrix
from bayesmeta.effects.design import Design, mean_only
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.normal.derived_scales import DERIVED
from bayesmeta.engines.normal.level_priors import LevelPriors
from bayesmeta.engines.normal.model import CoefficientPrior, normal_model
from bayesmeta.engines.normal.nested_model import NestedModel, conditional, nested_model
from bayesmeta.engines.normal.solve import solve_linear
from bayesmeta.engines.normal.three_level import solve_three_level
from bayesmeta.engines.normal.three_level_solution import ThreeLevelSolution, level_terms
from bayesmeta.engines.solution import marginal_of
from bayesmeta.engines.terms import terms_of
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors

KONSTANTOPOULOS = json.loads((REFERENCE_FOLDER / "exact_linear_models.json").read_text(encoding="utf-8"))[
    "konstantopoulos2011"
]
Y, V = np.array(KONSTANTOPOULOS["yi"]), np.array(KONSTANTOPOULOS["vi"])
DISTRICT = np.array(KONSTANTOPOULOS["district"]).astype(int)


def scale_prior(text: str) -> Priors:
    return Priors(Prior("Flat", ()), parse_prior(text))


def total(tau: str, rho: str = "Uniform(0, 1)") -> LevelPriors:
    return LevelPriors(scale_prior(tau), parse_prior(rho))


def by_level(between: str, within: str) -> LevelPriors:
    return LevelPriors(None, None, scale_prior(between), scale_prior(within))


def normal_prior(*sds: float) -> CoefficientPrior:
    return CoefficientPrior(np.zeros(len(sds)), np.diag([0.0 if np.isinf(sd) else 1 / sd**2 for sd in sds]))


def solve(model: NestedModel, priors: LevelPriors) -> ThreeLevelSolution:
    return solve_three_level(model, priors, level_terms(map(str, range(model.n)), model.design.names))


def konstantopoulos(priors: LevelPriors | None = None) -> ThreeLevelSolution:
    model = nested_model(Y, mean_only(len(Y)), Covariance(V), normal_prior(0.5), DISTRICT)
    return solve(model, priors or total("InvGamma(1, 0.075)"))


def term(solution: ThreeLevelSolution, name: str) -> Marginals:
    return marginal_of(solution, name)


def small() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(4)
    study = np.repeat(np.arange(4), [3, 1, 2, 2])
    v = rng.uniform(0.02, 0.2, len(study))
    return rng.normal(0.3, 0.4, len(study)) + rng.normal(0, 0.3, 4)[study], v, study


def log_density(y: np.ndarray, covariance: np.ndarray) -> float:
    """Normal with mean 0; scipy's takes five times as long, which many calls notice."""
    return -0.5 * float(y @ np.linalg.solve(covariance, y) + np.linalg.slogdet(2 * np.pi * covariance)[1])


def test_konstantopoulos2011() -> None:
    # R package RoBMA, bridge sampling: 25.70; the reference is independent quadrature
    found = konstantopoulos()
    reference = KONSTANTOPOULOS["log_marginal_likelihood"]
    assert found.log_marginal_likelihood == pytest.approx(reference["1_three"], rel=1e-10)
    assert found.error < 1e-8
    for name in ("mu", "tau", "rho"):
        one = term(found, name)
        assert one.mean()[0] == pytest.approx(KONSTANTOPOULOS["three_level"][f"{name}_mean"], rel=1e-8)
        assert one.sd()[0] == pytest.approx(KONSTANTOPOULOS["three_level"][f"{name}_sd"], rel=1e-8)


def test_konstantopoulos2011_hierarchical_bayes_factor() -> None:
    # averaged over models with and without an effect
    three, two = [], []
    for p in (0, 1):
        design, prior = (
            (mean_only(len(Y)), normal_prior(0.5)) if p else (Design(np.empty((len(Y), 0)), ()), normal_prior())
        )
        model = nested_model(Y, design, Covariance(V), prior, DISTRICT)
        three.append(solve(model, total("InvGamma(1, 0.075)")).log_marginal_likelihood)
        one = normal_model(Y, design, Covariance(V), prior)
        priors = Priors(Prior("Normal", (0.0, 0.5)), parse_prior("InvGamma(1, 0.075)"))
        two.append(solve_linear(one, priors, terms_of(map(str, range(len(Y))), design.names)).log_marginal_likelihood)
    reference = KONSTANTOPOULOS["log_marginal_likelihood"]
    assert three == pytest.approx([reference["0_three"], reference["1_three"]], rel=1e-10)
    assert two == pytest.approx([reference["0_two"], reference["1_two"]], rel=1e-8)
    evidence = np.exp(three).sum() / np.exp(two).sum()
    assert evidence == pytest.approx(KONSTANTOPOULOS["bf_three_levels_against_two"], rel=1e-8)


@pytest.mark.parametrize("correlated", [False, True])
@pytest.mark.parametrize("grouped", [False, True])
def test_likelihood_is_that_of_the_whole_covariance_matrix(correlated: bool, grouped: bool) -> None:
    y, v, study = small()
    rng = np.random.default_rng(1)
    shuffled = rng.permutation(len(y))
    y, v, study = y[shuffled], v[shuffled], study[shuffled]
    together = study[:, None] == study
    matrix = np.where(together, 0.4 if correlated else 0.0, 0.0) * np.sqrt(np.outer(v, v))
    matrix[np.diag_indices(len(y))] = v
    group = np.array([0, 0, 1, 0, 1, 2, 0, 1]) if grouped else np.arange(len(y))
    same = together & (group[:, None] == group)
    x = np.stack([np.ones(len(y)), rng.normal(size=len(y))], axis=1)
    prior = CoefficientPrior(np.array([0.1, -0.3]), np.array([[4.0, 0.5], [0.5, 2.0]]))
    model = nested_model(y, Design(x, ("a", "b")), covariance_from_matrix(matrix), prior, study, group)
    between, within = np.array([0.3, 0.0, 0.05, 50.0]), np.array([0.1, 0.2, 0.0, 7.0])
    given = conditional(model, between, within)
    for i, (b, w) in enumerate(zip(between, within, strict=True)):
        whole = matrix + b * together + w * same
        marginal = whole + x @ np.linalg.inv(prior.precision) @ x.T
        assert given.log_likelihood[i] == pytest.approx(
            multivariate_normal.logpdf(y, x @ prior.mean, marginal), rel=1e-10
        )
        precision = x.T @ np.linalg.solve(whole, x) + prior.precision
        right = x.T @ np.linalg.solve(whole, y) + prior.precision @ prior.mean
        assert given.mean[:, i] == pytest.approx(np.linalg.solve(precision, right), rel=1e-9)
        assert given.covariance[..., i] == pytest.approx(np.linalg.inv(precision), rel=1e-9)


PRIORS = {
    "flat rho": total("HalfNormal(0.5)"),
    "heavy tail": total("HalfCauchy(0.3)"),
    "rho infinite at both ends": total("HalfNormal(0.5)", "Beta(0.5, 0.5)"),
    "rho more infinite at one end": total("HalfNormal(0.5)", "Beta(0.3, 0.7)"),
    "rho concentrated": total("LogNormal(-1, 1)", "Beta(4, 2)"),
    "by level": by_level("HalfNormal(0.5)", "HalfNormal(0.5)"),
    "by level, log-normal": by_level("LogNormal(-2, 1)", "Exponential(5)"),
}


@pytest.mark.parametrize("priors", PRIORS.values(), ids=PRIORS.keys())
@pytest.mark.parametrize("homogeneous", [False, True])
def test_other_coordinates_give_the_same_integral(priors: LevelPriors, homogeneous: bool) -> None:
    y, v, study = small()
    model = nested_model(0.1 * y if homogeneous else y, mean_only(len(y)), Covariance(v), normal_prior(1.0), study)
    found = solve(model, priors)
    between, within, weights = found._nodes
    for name, definition in DERIVED.items():
        panel = found._density(name).panel()
        assert panel.log_total == pytest.approx(found.log_marginal_likelihood, abs=2e-8)
        # the table has the expectation of a bounded function of the term
        value = definition.value(between, within, found.typical_variance) * (100 if name.startswith("i2") else 1)
        at = float(np.median(value))
        x = np.linspace(0.0, 1.0, 20_001)[1:-1]
        quantiles = panel.quantile(x)
        assert np.mean(quantiles / (quantiles + at)) == pytest.approx(weights @ (value / (value + at)), abs=2e-4)
        assert panel.cdf(quantiles[::500]) == pytest.approx(x[::500], abs=1e-9)


@pytest.mark.parametrize("priors", [PRIORS["flat rho"], PRIORS["by level"]], ids=["total", "by level"])
def test_brute_force_integral(priors: LevelPriors) -> None:
    y, v, study = small()
    together = (study[:, None] == study).astype(float)

    def joint(tau_within: float, tau_between: float) -> float:
        covariance = np.diag(v) + tau_between**2 * together + tau_within**2 * np.eye(len(y)) + 1.0
        likelihood = np.exp(log_density(y, covariance))
        one, other = np.array([tau_between**2]), np.array([tau_within**2])
        return float(likelihood * np.exp(priors.log_density(one, other)[0]) * 4 * tau_between * tau_within)

    expected = dblquad(joint, 0, 5, 0, 5, epsabs=1e-8, epsrel=1e-6)[0]
    model = nested_model(y, mean_only(len(y)), Covariance(v), normal_prior(1.0), study)
    found = solve(model, priors)
    assert found.log_marginal_likelihood == pytest.approx(np.log(expected), abs=2e-6)
    c = float(term(found, "tau_between").quantile(0.4)[0])
    below = dblquad(joint, 0, c, 0, 5, epsabs=1e-8, epsrel=1e-6)[0]
    assert below / expected == pytest.approx(0.4, abs=3e-6)


def test_bounded_priors_have_kinks() -> None:
    y, v, study = small()
    model = nested_model(y, mean_only(len(y)), Covariance(v), normal_prior(1.0), study)
    for priors in (total("Uniform(0, 0.5)", "Uniform(0.1, 0.8)"), by_level("Uniform(0, 0.4)", "Uniform(0.1, 3)")):
        found = solve(model, priors)
        for name in DERIVED:
            panel = found._density(name).panel()
            assert panel.log_total == pytest.approx(found.log_marginal_likelihood, abs=1e-7)
        rho = term(found, "rho").quantile(np.array([[0.0], [1e-9], [1 - 1e-9]]))
        assert (rho >= -1e-12).all()
        if priors.rho is not None:
            assert 0.0999 < rho[1, 0] < rho[2, 0] < 0.8001


def test_the_limits_of_rho_are_two_level_models() -> None:
    y, v, study = small()
    model = nested_model(y, mean_only(len(y)), Covariance(v), normal_prior(1.0), study)
    between = covariance_from_matrix((study[:, None] == study).astype(float))
    for rho, correlation in (("Uniform(0, 1e-9)", None), ("Uniform(0.999999999, 1)", between)):
        found = solve(model, total("HalfNormal(0.5)", rho))
        one = normal_model(y, mean_only(len(y)), Covariance(v), normal_prior(1.0), correlation)
        priors = Priors(Prior("Normal", (0.0, 1.0)), parse_prior("HalfNormal(0.5)"))
        expected = solve_linear(one, priors, terms_of(map(str, range(len(y)))))
        assert found.log_marginal_likelihood == pytest.approx(expected.log_marginal_likelihood, abs=1e-6)
        assert term(found, "mu").sd()[0] == pytest.approx(marginal_of(expected, "mu").sd()[0], rel=1e-6)
        theta = term(found, "theta[2]")
        assert theta.mean()[0] == pytest.approx(marginal_of(expected, "theta[2]").mean()[0], rel=1e-6)
        assert theta.sd()[0] == pytest.approx(marginal_of(expected, "theta[2]").sd()[0], rel=1e-6)


def test_no_moments_under_heavy_tails() -> None:
    y, v, study = np.array([0.1, 0.4, 0.2]), np.full(3, 0.1), np.array([0, 0, 1])
    model = nested_model(y, mean_only(3), Covariance(v), normal_prior(np.inf), study)
    found = solve(model, by_level("HalfCauchy(0.5)", "HalfCauchy(0.5)"))
    assert term(found, "tau_between").sd()[0] == np.inf
    assert term(found, "mu").sd()[0] == np.inf
    assert np.isfinite(term(found, "tau_within").mean()[0])


@pytest.mark.parametrize("correlated", [False, True])
def test_draws_and_marginal_distributions_agree(correlated: bool) -> None:
    y, v, study = small()
    matrix = np.diag(v)
    if correlated:
        matrix = np.where(study[:, None] == study, 0.5, 0.0) * np.sqrt(np.outer(v, v)) + 0.5 * np.diag(v)
    model = nested_model(y, mean_only(len(y)), covariance_from_matrix(matrix), normal_prior(1.0), study)
    found = solve(model, total("HalfNormal(0.5)", "Beta(0.5, 0.5)"))
    size = 40_000
    drawn = found.sample(size, np.random.default_rng(2))
    for name in ("mu", "tau", "rho", "tau_between", "tau_within", "theta_new", "theta_new_estimate"):
        share = np.mean(drawn[name] <= term(found, name).quantile(np.array([[0.1], [0.5], [0.9]])), axis=1)
        assert share == pytest.approx([0.1, 0.5, 0.9], abs=5 * 0.5 / np.sqrt(size))
    for i in range(len(y)):
        effect = term(found, f"theta[{i}]")
        assert drawn["theta"][:, i].mean() == pytest.approx(effect.mean()[0], abs=5 * effect.sd()[0] / np.sqrt(size))
        assert drawn["theta"][:, i].std() == pytest.approx(effect.sd()[0], rel=0.02)
    assert np.corrcoef(drawn["tau"], drawn["rho"])[0, 1] == pytest.approx(_correlation(found), abs=0.02)


def _correlation(found: ThreeLevelSolution) -> float:
    between, within, weights = found._nodes
    values = np.stack([np.sqrt(between + within), between / (between + within)])
    centred = values - (values @ weights)[:, None]
    covariance = (centred * weights) @ centred.T
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def test_an_indefinite_sampling_covariance_restricts_the_posterior() -> None:
    y, study = np.array([0.3, -0.1, 0.5, 0.2, 0.4]), np.array([0, 0, 1, 1, 2])
    s = np.diag(np.full(5, 0.1))
    s[0, 1] = s[1, 0] = 0.12  # its least eigenvalue is -0.02
    model = nested_model(y, mean_only(5), covariance_from_matrix(s), normal_prior(1.0), study)
    assert model.indefinite
    priors = total("HalfNormal(0.5)")
    found = solve(model, priors)
    together = (study[:, None] == study).astype(float)

    def joint(tau_within: float, tau_between: float) -> float:
        covariance = s + tau_between**2 * together + tau_within**2 * np.eye(5)
        if np.linalg.eigvalsh(covariance)[0] <= 0:
            return 0.0
        one, other = np.array([tau_between**2]), np.array([tau_within**2])
        prior = np.exp(priors.log_density(one, other)[0]) * 4 * tau_between * tau_within
        return float(prior * np.exp(log_density(y, covariance + 1.0)))

    least = np.sqrt(0.02)
    expected = quad(lambda b: quad(lambda w: joint(w, b), least, 4, epsrel=1e-7)[0], 0, 4, epsrel=1e-6)[0]
    assert found.log_marginal_likelihood == pytest.approx(np.log(expected), abs=1e-5)
    assert term(found, "tau_within").quantile(1e-6)[0] > 0.999 * least


def test_refusals() -> None:
    y, v, study = small()
    with pytest.raises(DataError, match="variance of estimate 3 is -1"):
        nested_model(y, mean_only(len(y)), Covariance(np.where(np.arange(8) == 2, -1.0, v)), normal_prior(1.0), study)
    across = np.diag(v)
    across[0, 7] = across[7, 0] = 0.001
    with pytest.raises(SpecError, match="estimates 1 and 8 are of different studies"):
        nested_model(y, mean_only(len(y)), covariance_from_matrix(across), normal_prior(1.0), study)
    with pytest.raises(SpecError, match=r"prior for rho must be Uniform or Beta but is Normal\(0, 1\)"):
        total("HalfNormal(0.5)", "Normal(0, 1)")
    with pytest.raises(SpecError, match=r"between 0 and 1 but is Uniform\(-1, 1\)"):
        total("HalfNormal(0.5)", "Uniform(-1, 1)")
    with pytest.raises(SpecError, match="needs a prior for tau that is spread out"):
        total("Point(0.1)")
    # no variance components make the covariance positive definite: tau is too small under its prior
    s = np.diag(np.full(8, 0.1))
    s[0, 1] = s[1, 0] = 0.3
    model = nested_model(y, mean_only(8), covariance_from_matrix(s), normal_prior(1.0), study)
    with pytest.raises(DataError, match="covariance S is not positive definite, and S \\+ Sigma neither"):
        solve(model, total("Uniform(0, 0.1)"))


def test_an_integral_that_is_not_that_in_other_coordinates_is_computed_again() -> None:
    # the prior has tau near 0.1 and rho near 0, the data tau near 0.0005
    rng = np.random.default_rng(1)
    study = np.repeat(np.arange(12), 3)
    v = rng.uniform(0.02, 0.2, 36) * 1e-6
    y = 3e-4 + 5e-4 * rng.normal(size=36) + np.sqrt(v) * rng.normal(size=36)
    model = nested_model(y, mean_only(36), Covariance(v), normal_prior(np.inf), study)
    found = solve(model, total("InvGamma(1, 0.15)", "Beta(0.2, 3)"))
    first, finer = (
        solve_three_level(model, found.priors, found.terms, settings=[one]) for one in ((20, 1e-8), (26, 1e-10))
    )
    missed = abs(first.log_marginal_likelihood - finer.log_marginal_likelihood)
    assert missed > 1e-8
    # the series alone would not tell
    assert first.boxes.error < 0.1 * missed
    assert first.error == pytest.approx(missed, rel=0.3)
    assert found.error <= 1e-8
    assert found.log_marginal_likelihood == pytest.approx(finer.log_marginal_likelihood, abs=1e-9)


@pytest.mark.parametrize("seed", range(8))
def test_random_analyses_are_as_accurate_as_with_more_nodes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    taus = ("HalfNormal(0.5)", "HalfCauchy(0.5)", "Uniform(0, 10)", "LogNormal(-1.5, 1)", "InvGamma(1, 0.15)")
    rhos = ("Uniform(0, 1)", "Beta(0.5, 0.5)", "Beta(0.2, 3)", "Uniform(0.2, 0.7)")
    study = np.repeat(np.arange(6), rng.integers(1, 6, 6))
    unit, n = 10.0 ** rng.choice([0, -3, 3]), len(study)
    v = np.exp(rng.uniform(np.log(1e-3), np.log(0.5), n))
    y = 0.3 + rng.choice([0.0, 0.5]) * rng.normal(size=6)[study] + rng.choice([0.0, 0.3]) * rng.normal(size=n)
    y = unit * (y + np.sqrt(v) * rng.normal(size=n))
    priors = total(str(rng.choice(taus)), str(rng.choice(rhos)))
    model = nested_model(y, mean_only(n), Covariance(unit**2 * v), normal_prior(2.0), study)
    found = solve(model, priors)
    finer = solve_three_level(model, priors, found.terms, settings=((26, 1e-10),))
    assert found.log_marginal_likelihood == pytest.approx(finer.log_marginal_likelihood, abs=2e-9)
    for name in ("mu", "theta_new", "tau", "rho", "theta[2]"):
        ends = term(finer, name).quantile(np.array([[0.01], [0.3], [0.9]]))
        assert term(found, name).cdf(ends)[:, 0] == pytest.approx([0.01, 0.3, 0.9], abs=1e-7)


@pytest.mark.parametrize("moderators", [None, "~ kind"])
def test_balanced_data_under_a_flat_prior(moderators: str | None) -> None:
    """Equal variances and sizes: the mean does not depend on the scales, and is that under a prior that is nearly flat."""
    data = {"district": list("aabbccdd"), "kind": list("xxxxyyyy")}
    name, priors = ("mu", "mu") if moderators is None else ("Intercept", "Intercept")

    def fitted(prior: str) -> bm.Posterior:
        flat = {priors: prior, "tau": "HalfNormal(0.5)"} | ({} if moderators is None else {"kind[T.y]": prior})
        return bm.fit(
            yi=0.1 * np.arange(8), vi=[0.02] * 8, data=data, nesting="district/estimate", moderators=moderators,
            measure="GEN", priors=flat,
        )  # fmt: skip

    found, near = fitted("Flat()"), fitted("Normal(0, 10000)")
    for p in (0.025, 0.5, 0.975):
        assert found.quantile(name, p) == pytest.approx(near.quantile(name, p), abs=1e-6)
