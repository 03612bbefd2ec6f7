"""Submodels with zeros among the coefficients and tau: evidence against double integrals, conditional priors, changes of coordinates."""

import json
from itertools import product

import numpy as np
import pytest
from paths import REFERENCE_FOLDER
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design, mean_only
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.normal.level_priors import LevelPriors
from bayesmeta.engines.normal.model import CoefficientPrior
from bayesmeta.engines.normal.submodels import FullModel, Levels, solve_submodel
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.parse import parse_prior, parse_priors

ANDREWS = json.loads((REFERENCE_FOLDER / "exact_linear_models.json").read_text())["andrews2021"]
Y, V = np.array([0.1, 0.3, -0.2, 0.5, 0.4]), np.array([0.04, 0.1, 0.09, 0.02, 0.05])
X = np.column_stack([np.ones(5), [0.0, 1.0, 2.0, 0.5, 3.0], [1.0, 0.0, 0.0, 1.0, 1.0]])
MEAN, COVARIANCE = np.array([0.1, -0.2, 0.3]), np.array([[1.0, -0.4, 0.1], [-0.4, 0.5, 0.05], [0.1, 0.05, 0.7]])
PRIORS = parse_priors({"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}, default_priors("OR"), "OR")


@pytest.fixture(scope="module")
def model():
    prior = CoefficientPrior(MEAN, np.linalg.inv(COVARIANCE))
    return FullModel(Y, Design(X, ("a", "b", "c")), Covariance(V), prior, PRIORS)


@pytest.fixture(scope="module")
def andrews():
    x = np.column_stack([np.ones(36), ANDREWS["measure"], ANDREWS["age"]])
    prior = CoefficientPrior(np.zeros(3), np.diag([4.0, 64.0, 64.0]))
    design = Design(x, ("Intercept", "measure", "age"))
    priors = parse_priors({"mu": "Normal(0, 1)", "tau": "InvGamma(1, 0.075)"}, default_priors("OR"), "OR")
    return FullModel(np.array(ANDREWS["yi"]), design, Covariance(np.array(ANDREWS["vi"])), prior, priors)


@pytest.mark.parametrize("flags", list(product((0, 1), repeat=4)))
def test_andrews2021_log_marginal_likelihoods(andrews, flags):
    kept = [column for column, flag in zip((0, 1, 2), (flags[0], *flags[2:]), strict=True) if flag]
    found = solve_submodel(andrews, kept, heterogeneity=bool(flags[1]))
    exact = ANDREWS["log_marginal_likelihood"]["".join(map(str, flags))]
    assert found.log_marginal_likelihood == pytest.approx(exact, abs=1e-10)
    assert [isinstance(one, PointMasses) for one in found.coefficients] == [not flags[0], not flags[2], not flags[3]]
    assert isinstance(found.tau, PointMasses) == (not flags[1])


@pytest.mark.parametrize("kept", [(), (0,), (1, 2), (0, 1, 2)])
def test_evidence_is_the_density_of_the_estimates_under_the_conditional_prior(model, kept):
    others = [i for i in range(3) if i not in kept]
    rows = list(kept)
    solve = np.linalg.inv(COVARIANCE[np.ix_(others, others)]) if others else np.zeros((0, 0))
    cross = COVARIANCE[np.ix_(rows, others)]
    # the prior of the kept coefficients given that the others are 0
    mean = MEAN[rows] - cross @ solve @ MEAN[others]
    covariance = COVARIANCE[np.ix_(rows, rows)] - cross @ solve @ cross.T
    x = X[:, rows]

    def density(tau):
        return multivariate_normal.pdf(Y, x @ mean, np.diag(V + tau**2) + x @ covariance @ x.T)

    fixed = solve_submodel(model, rows, heterogeneity=False)
    assert fixed.log_marginal_likelihood == pytest.approx(np.log(density(0.0)), rel=1e-10)
    total, _ = quad(
        lambda tau: density(tau) * 2 * norm.pdf(tau, 0, 0.5), 0, 6, epsabs=1e-14, points=[0.2, 0.5], limit=200
    )
    assert solve_submodel(model, rows, heterogeneity=True).log_marginal_likelihood == pytest.approx(
        np.log(total), rel=1e-9
    )


def test_a_model_in_other_coefficients_has_the_same_evidence(model):
    transform = np.array([[1.0, 1.3, 0.6], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    moved = model.in_coefficients(transform, ("effect", "b", "c"))
    whole, same = (solve_submodel(one, (0, 1, 2), heterogeneity=True) for one in (model, moved))
    assert same.log_marginal_likelihood == pytest.approx(whole.log_marginal_likelihood, rel=1e-12)
    means = np.array([one.mean()[0] for one in whole.coefficients])
    np.testing.assert_allclose([one.mean()[0] for one in same.coefficients], transform @ means, rtol=1e-9)
    assert same.coefficients[1].sd()[0] == pytest.approx(whole.coefficients[1].sd()[0], rel=1e-9)


def test_independent_priors_stay_as_they_are(andrews):
    small = andrews.with_zeros((0, 2))
    assert small.design.names == ("Intercept", "age")
    np.testing.assert_array_equal(small.prior.precision, np.diag([4.0, 64.0]))
    np.testing.assert_array_equal(small.prior.mean, np.zeros(2))


KONSTANTOPOULOS = json.loads((REFERENCE_FOLDER / "exact_linear_models.json").read_text())["konstantopoulos2011"]


def konstantopoulos(levels):
    y, v = np.array(KONSTANTOPOULOS["yi"]), np.array(KONSTANTOPOULOS["vi"])
    prior = CoefficientPrior(np.zeros(1), np.array([[4.0]]))
    # mu's own prior is not used: that of the coefficients is
    priors = parse_priors({"mu": "Normal(3, 0.1)", "tau": "HalfNormal(9)"}, default_priors("OR"), "OR")
    return FullModel(y, mean_only(len(y)), Covariance(v), prior, priors, levels)


@pytest.mark.parametrize("effect", [0, 1])
def test_konstantopoulos2011_models_with_and_without_three_levels(effect):
    total = parse_priors({"mu": "Normal(0, 1)", "tau": "InvGamma(1, 0.075)"}, default_priors("OR"), "OR")
    district = np.array(KONSTANTOPOULOS["district"]).astype(int)
    full = konstantopoulos(Levels(district, None, LevelPriors(total, parse_prior("Uniform(0, 1)"))))
    exact = KONSTANTOPOULOS["log_marginal_likelihood"]
    for name, heterogeneity, dependence in (("common", False, False), ("two", True, False), ("three", True, True)):
        found = solve_submodel(full, (0,) * effect, heterogeneity=heterogeneity, dependence=dependence)
        assert found.log_marginal_likelihood == pytest.approx(exact[f"{effect}_{name}"], abs=1e-9)
        assert isinstance(found.rho, PointMasses) == (not dependence)
    if effect:
        assert found.coefficients[0].mean()[0] == pytest.approx(KONSTANTOPOULOS["three_level"]["mu_mean"], rel=1e-8)
        assert found.rho.sd()[0] == pytest.approx(KONSTANTOPOULOS["three_level"]["rho_sd"], rel=1e-6)


def test_estimates_of_one_group_share_their_effect_where_nothing_else_varies():
    study, group = np.array([0, 0, 0, 1, 2]), np.array([0, 0, 1, 0, 0])
    total = parse_priors({"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}, default_priors("OR"), "OR")
    prior = CoefficientPrior(MEAN, np.linalg.inv(COVARIANCE))
    levels = Levels(study, group, LevelPriors(total, parse_prior("Uniform(0, 1)")))
    full = FullModel(Y, Design(X, ("a", "b", "c")), Covariance(V), prior, PRIORS, levels)
    same = np.eye(5)
    same[0, 1] = same[1, 0] = 1.0

    def density(tau):
        return multivariate_normal.pdf(Y, X @ MEAN, np.diag(V) + tau**2 * same + X @ COVARIANCE @ X.T)

    exact, _ = quad(
        lambda tau: density(tau) * 2 * norm.pdf(tau, 0, 0.5), 0, 6, epsabs=1e-14, points=[0.2, 0.5], limit=200
    )
    found = solve_submodel(full, (0, 1, 2), heterogeneity=True)
    assert found.log_marginal_likelihood == pytest.approx(np.log(exact), rel=1e-9)
