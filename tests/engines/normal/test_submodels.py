"""Submodels with zeros among the coefficients and tau: evidence against double integrals, conditional priors, changes of coordinates."""

import json
from itertools import product

import numpy as np
import pytest
from paths import REFERENCE_FOLDER
from scipy.integrate import quad
from scipy.stats import multivariate_normal, norm

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.normal.model import CoefficientPrior, normal_model
from bayesmeta.engines.normal.submodels import solve_submodel, transformed, with_zeros
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.parse import parse_priors

ANDREWS = json.loads((REFERENCE_FOLDER / "exact_linear_models.json").read_text())["andrews2021"]
Y, V = np.array([0.1, 0.3, -0.2, 0.5, 0.4]), np.array([0.04, 0.1, 0.09, 0.02, 0.05])
X = np.column_stack([np.ones(5), [0.0, 1.0, 2.0, 0.5, 3.0], [1.0, 0.0, 0.0, 1.0, 1.0]])
MEAN, COVARIANCE = np.array([0.1, -0.2, 0.3]), np.array([[1.0, -0.4, 0.1], [-0.4, 0.5, 0.05], [0.1, 0.05, 0.7]])
PRIORS = parse_priors({"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}, default_priors("OR"), "OR")


@pytest.fixture(scope="module")
def model():
    prior = CoefficientPrior(MEAN, np.linalg.inv(COVARIANCE))
    return normal_model(Y, Design(X, ("a", "b", "c")), Covariance(V), prior)


@pytest.fixture(scope="module")
def andrews():
    x = np.column_stack([np.ones(36), ANDREWS["measure"], ANDREWS["age"]])
    prior = CoefficientPrior(np.zeros(3), np.diag([4.0, 64.0, 64.0]))
    design = Design(x, ("Intercept", "measure", "age"))
    return normal_model(np.array(ANDREWS["yi"]), design, Covariance(np.array(ANDREWS["vi"])), prior)


@pytest.mark.parametrize("flags", list(product((0, 1), repeat=4)))
def test_andrews2021_log_marginal_likelihoods(andrews, flags):
    priors = parse_priors({"mu": "Normal(0, 1)", "tau": "InvGamma(1, 0.075)"}, default_priors("OR"), "OR")
    kept = [column for column, flag in zip((0, 1, 2), (flags[0], *flags[2:]), strict=True) if flag]
    found = solve_submodel(andrews, priors, kept, heterogeneity=bool(flags[1]))
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

    fixed = solve_submodel(model, PRIORS, rows, heterogeneity=False)
    assert fixed.log_marginal_likelihood == pytest.approx(np.log(density(0.0)), rel=1e-10)
    total, _ = quad(
        lambda tau: density(tau) * 2 * norm.pdf(tau, 0, 0.5), 0, 6, epsabs=1e-14, points=[0.2, 0.5], limit=200
    )
    assert solve_submodel(model, PRIORS, rows, heterogeneity=True).log_marginal_likelihood == pytest.approx(
        np.log(total), rel=1e-9
    )


def test_a_model_in_other_coefficients_has_the_same_evidence(model):
    transform = np.array([[1.0, 1.3, 0.6], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    moved = transformed(model, transform, ("effect", "b", "c"))
    whole, same = (solve_submodel(one, PRIORS, (0, 1, 2), heterogeneity=True) for one in (model, moved))
    assert same.log_marginal_likelihood == pytest.approx(whole.log_marginal_likelihood, rel=1e-12)
    means = np.array([one.mean()[0] for one in whole.coefficients])
    np.testing.assert_allclose([one.mean()[0] for one in same.coefficients], transform @ means, rtol=1e-9)
    assert same.coefficients[1].sd()[0] == pytest.approx(whole.coefficients[1].sd()[0], rel=1e-9)


def test_independent_priors_stay_as_they_are(andrews):
    small = with_zeros(andrews, (0, 2))
    assert small.design.names == ("Intercept", "age")
    np.testing.assert_array_equal(small.prior.precision, np.diag([4.0, 64.0]))
    np.testing.assert_array_equal(small.prior.mean, np.zeros(2))
