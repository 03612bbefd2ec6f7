"""Effects of the estimates of a model with two variance components: their mixtures of normals, and draws."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.normal.nested_model import Conditional, NestedModel
from bayesmeta.support.arrays import Array

#: numbers in the largest array of a step
ARRAY_SIZE = 400_000


def effect_mixtures(
    model: NestedModel, terms: tuple[str, ...], between: Array, within: Array, weights: Array, given: Conditional
) -> NormalMixtures:
    """Return the effect of each estimate as a mixture of normals over the nodes of the variance components.

    With u the random effects and V = S + Sigma, the effects theta = X b + u have given b and the variance components the mean
    y - S V^-1 (y - X b) and the covariance S - S V^-1 S, and b adds S V^-1 X Cov(b) X' V^-1 S. Where S is not positive definite that may
    be negative, and the effects are the best linear predictions, with a variance of 0.

    Parameters
    ----------
    model : NestedModel
        Model with n estimates.
    terms : tuple of str
        Names of the n effects.
    between, within, weights : numpy.ndarray, shape (J,)
        Nodes and their probabilities.
    given : Conditional
        The model at the nodes.
    """
    means, variances = np.empty((model.n, len(weights))), np.empty((model.n, len(weights)))
    step = max(1, ARRAY_SIZE // model.n)
    for start in range(0, len(weights), step):
        part = slice(start, start + step)
        means[:, part], variances[:, part] = _effects(
            model, between[part], within[part], given.mean[:, part], given.covariance[..., part]
        )
    floor = 1e-18 * np.maximum(variances.max(axis=1, keepdims=True), 1e-300)
    return NormalMixtures(terms, weights, means, np.sqrt(np.maximum(variances, floor)))


def _effects(model: NestedModel, between: Array, within: Array, mean: Array, covariance: Array) -> tuple[Array, Array]:
    """Return means and variances of the effects at each node, shape (n, T), in the order of the data."""
    s, z = model.s[:, None], model.z[:, None]
    weight = 1.0 / (s + model.r[:, None] * within)
    residual = model.y[:, None] - model.x @ (mean - model.centre[:, None])
    factor = _factor(model, weight, between)

    def solve(values: Array) -> Array:
        """Return S V^-1 values."""
        weighted = weight * values
        share = np.add.reduceat(weighted * z, model.starts, axis=0) * factor
        return s * (weighted - weight * z * share[model.study_of])

    rotated = (model.y + model.x @ model.centre)[:, None] - solve(residual)
    own = s * model.r[:, None] * within * weight
    shared = s * weight * z
    pulls = [model.to_rows(solve(np.broadcast_to(column[:, None], residual.shape))) for column in model.x.T]
    variance = model.to_rows(own) if model.back is None else _squared(model, own)
    variance = variance + factor[model.study_of[np.argsort(model.order)]] * model.to_rows(shared) ** 2
    for a, one in enumerate(pulls):
        for b, other in enumerate(pulls):
            variance = variance + covariance[a, b] * one * other
    return model.to_rows(rotated), variance


def _squared(model: NestedModel, variances: Array) -> Array:
    """Return the variances of the estimates from those of the rotated ones, which are independent."""
    assert model.back is not None
    out = np.empty_like(variances)
    out[model.order] = np.tensordot(model.back**2, variances, 1)
    return out


def _factor(model: NestedModel, weight: Array, between: Array) -> Array:
    """Return B / (1 + B z' D^-1 z) of each study, shape (m, T)."""
    return between / (1 + between * np.add.reduceat(weight * model.z[:, None] ** 2, model.starts, axis=0))


def draw_effects(
    model: NestedModel, between: Array, within: Array, coefficients: Array, rng: np.random.Generator
) -> Array:
    """Draw the effects of the estimates given the variance components and coefficients.

    Parameters
    ----------
    model : NestedModel
        Model with n estimates.
    between, within : numpy.ndarray, shape (size,)
        Variance components.
    coefficients : numpy.ndarray, shape (size, p)
        Coefficients.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    numpy.ndarray, shape (size, n)
    """
    return _in_parts(_draw, model, between, within, coefficients, rng)


def draw_correlated(
    model: NestedModel, between: Array, within: Array, coefficients: Array, rng: np.random.Generator
) -> Array:
    """Draw as ``draw_effects``, also where tau_between^2 is negative: from the covariance matrix of each study's effects."""
    return _in_parts(_draw_jointly, model, between, within, coefficients, rng)


def _in_parts(
    draw: Callable[..., Array],
    model: NestedModel,
    between: Array,
    within: Array,
    coefficients: Array,
    rng: np.random.Generator,
) -> Array:
    out = np.empty((len(between), model.n))
    step = max(1, ARRAY_SIZE // model.n)
    for start in range(0, len(between), step):
        part = slice(start, start + step)
        out[part] = draw(model, between[part], within[part], coefficients[part], rng).T
    return out


def _draw_jointly(
    model: NestedModel, between: Array, within: Array, coefficients: Array, rng: np.random.Generator
) -> Array:
    s, z = model.s[:, None], model.z[:, None]
    weight = 1.0 / (s + model.r[:, None] * within)
    residual = model.y[:, None] - model.x @ (coefficients.T - model.centre[:, None])
    factor = _factor(model, weight, between)
    share = factor * np.add.reduceat(weight * z * residual, model.starts, axis=0)
    drawn = (model.y + model.x @ model.centre)[:, None] - s * weight * (residual - z * share[model.study_of])
    own, shared = s * model.r[:, None] * within * weight, s * weight * z
    for study, (start, end) in enumerate(zip(model.starts, model.ends, strict=True)):
        rows = slice(int(start), int(end))
        matrix = factor[study][:, None, None] * np.einsum("it,jt->tij", shared[rows], shared[rows])
        matrix[:, np.arange(end - start), np.arange(end - start)] += own[rows].T
        values, vectors = np.linalg.eigh(matrix)
        noise = np.sqrt(np.maximum(values, 0.0)) * rng.standard_normal(values.shape)
        drawn[rows] += np.einsum("tij,tj->it", vectors, noise)
    return model.to_rows(drawn)


def _draw(model: NestedModel, between: Array, within: Array, coefficients: Array, rng: np.random.Generator) -> Array:
    s, z = model.s[:, None], model.z[:, None]
    inner = model.r[:, None] * within
    weight = 1.0 / (s + inner)
    residual = model.y[:, None] - model.x @ (coefficients.T - model.centre[:, None])
    factor = _factor(model, weight, between)
    study = factor * np.add.reduceat(weight * z * residual, model.starts, axis=0)
    study = study + np.sqrt(np.maximum(factor, 0.0)) * rng.standard_normal(factor.shape)
    deviation = z * study[model.study_of]
    drawn = deviation + inner * weight * (residual - deviation)
    drawn = drawn + np.sqrt(np.maximum(s * inner * weight, 0.0)) * rng.standard_normal(residual.shape)
    return model.to_rows(model.x @ coefficients.T + drawn)


def study_mean_mixtures(
    model: NestedModel, names: tuple[str, ...], between: Array, within: Array, weights: Array, given: Conditional
) -> NormalMixtures:
    """Return the mean effect of each study, mu + u, of a model without moderators as a mixture of normals.

    With D the covariance of a study's rotated estimates without tau_between, u has given mu and the variance components the mean
    B z' D^-1 (y - x mu) / (1 + B z' D^-1 z) and the variance B / (1 + B z' D^-1 z), B = tau_between^2, and mu adds its own variance.

    Parameters
    ----------
    model : NestedModel
        Model with m studies and one coefficient.
    names : tuple of str
        Names of the m means, in the order of the studies in the model.
    between, within, weights : numpy.ndarray, shape (J,)
        Nodes and their probabilities.
    given : Conditional
        The model at the nodes.
    """
    pulled = model.z[:, None] / (model.s[:, None] + model.r[:, None] * within)
    factor = between / (1 + between * np.add.reduceat(pulled * model.z[:, None], model.starts, axis=0))
    residual = model.y[:, None] - model.x @ (given.mean - model.centre[:, None])
    means = given.mean + factor * np.add.reduceat(pulled * residual, model.starts, axis=0)
    share = 1 - factor * np.add.reduceat(pulled * model.x, model.starts, axis=0)
    variances = factor + share**2 * given.covariance[0, 0]
    floor = 1e-18 * np.maximum(variances.max(axis=1, keepdims=True), 1e-300)
    return NormalMixtures(names, weights, means, np.sqrt(np.maximum(variances, floor)))
