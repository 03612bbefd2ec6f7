"""Likelihoods of correlated outcomes have several maxima: the highest is found, by comparison with a grid of the likelihood itself."""

import itertools
import math

import numpy as np
import pytest
from scipy.optimize import minimize

import bayesmeta as bm

Y = np.array([[-0.2, 0.2], [0.2, -0.5], [0.3, -0.1], [0.1, -0.1], [0.1, -0.2], [0.4, -0.1]])
V = np.array([[0.06, 0.08], [0.05, 0.02], [0.06, 0.06], [0.07, 0.06], [0.03, 0.01], [0.04, 0.05]])


def log_restricted(y, v, g):
    """Restricted log-likelihood of studies with all outcomes and a mean per outcome, from its definition, with metafor's constant."""
    weights = [np.linalg.inv(np.diag(one) + g) for one in v]
    precision = sum(weights)
    beta = np.linalg.solve(precision, sum(w @ one for w, one in zip(weights, y, strict=True)))
    n, p = y.shape
    value = -(n * p - p) / 2 * math.log(2 * math.pi) + p / 2 * math.log(n) - np.linalg.slogdet(precision)[1] / 2
    for w, one in zip(weights, y, strict=True):
        value += np.linalg.slogdet(w)[1] / 2 - (one - beta) @ w @ (one - beta) / 2
    return value


def test_the_highest_maximum_of_two_outcomes():
    # one variance of 0 is a maximum of its own, at which the correlation has no slope
    found = bm.multilevel(
        yi=Y.ravel(), vi=V.ravel(), data={"study": np.repeat(np.arange(6), 2), "outcome": ["a", "b"] * 6},
        nesting="study", within="outcome", structure="UN", moderators="~ 0 + outcome",
    )  # fmt: skip
    grid = [
        log_restricted(Y, V, np.array([[a * a, rho * a * b], [rho * a * b, b * b]]))
        for a, b, rho in itertools.product(
            np.linspace(0, 0.2, 11), np.linspace(0, 0.3, 11), (-1.0, -0.5, 0.0, 0.5, 1.0)
        )
    ]
    assert found.correlation == -1.0
    assert min(found.tau2) > 0.004
    a, b = np.sqrt(found.tau2)
    assert log_restricted(Y, V, np.array([[a * a, -a * b], [-a * b, b * b]])) == pytest.approx(found.log_likelihood)
    assert found.log_likelihood > max(grid)


def test_a_maximum_at_a_singular_covariance_of_three_outcomes():
    # the Cholesky factor of a singular covariance has parameters without expected information: the others still have to move
    generator = np.random.default_rng(53)
    y = np.round(generator.normal(size=(9, 1)) * 0.3 + generator.normal(size=(9, 3)) * 0.2, 2)
    v = np.round(generator.uniform(0.02, 0.08, (9, 3)), 3)
    found = bm.multilevel(
        yi=y.ravel(), vi=v.ravel(), data={"study": np.repeat(np.arange(9), 3), "outcome": ["a", "b", "c"] * 9},
        nesting="study", within="outcome", structure="UN", moderators="~ 0 + outcome",
    )  # fmt: skip
    sd = np.sqrt(found.tau2)
    g = found.correlation.to_numpy() * np.multiply.outer(sd, sd)
    best = log_restricted(y, v, g)
    assert best == pytest.approx(found.log_likelihood)
    assert np.linalg.eigvalsh(g)[0] < 1e-8
    values, vectors = np.linalg.eigh(g)
    start = vectors * np.sqrt(np.maximum(values, 0)) + 0.02 * generator.normal(size=(3, 3))

    def negative(factor):
        root = factor.reshape(3, 3)
        return -log_restricted(y, v, root @ root.T)

    assert -minimize(negative, start.ravel(), method="BFGS").fun < best + 1e-6
