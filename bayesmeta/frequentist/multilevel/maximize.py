"""Maximum of a likelihood within bounds: Newton's method with the exact Hessian, on the parameters that are not at a bound."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from bayesmeta.errors import ConvergenceError, DataError
from bayesmeta.frequentist.multilevel.likelihood import Evaluation, Likelihood
from bayesmeta.support.arrays import Array

_MAX_STEPS = 300


def maximize(
    likelihood: Likelihood, start: Array, fixed: Array | None = None, at: Evaluation | None = None
) -> tuple[Array, Evaluation]:
    """Return the parameters of a local maximum and the likelihood there.

    Parameters
    ----------
    likelihood : Likelihood
        Data of unit scale (typical variance about 1).
    start : numpy.ndarray, shape (q,)
        Parameters within their bounds with a finite likelihood.
    fixed : numpy.ndarray of bool, shape (q,), optional
        Parameters that keep their start.
    at : Evaluation, optional
        The likelihood at the start, if it is known.

    Raises
    ------
    ConvergenceError
        If the iteration does not settle.
    """
    low, high = likelihood.bounds()
    held = np.zeros(len(start), dtype=bool) if fixed is None else fixed
    theta, here = start.copy(), likelihood.evaluate(start) if at is None else at
    if len(theta) == 0 or held.all():
        return theta, here
    for _ in range(_MAX_STEPS):
        gradient, hessian, expected = likelihood.derivatives(theta, here)
        free = ~held & ~((theta <= low) & (gradient <= 0)) & ~((theta >= high) & (gradient >= 0))
        if not free.any():
            return theta, here
        step = np.zeros_like(theta)
        gain = _newton_step(gradient, hessian, expected, free, step)
        if gain < 1e-21:
            return theta, here
        if gain < 1e-12:
            # beyond what the likelihood resolves: the step itself is exact to its square
            theta = np.clip(theta + step, low, high)
            here = likelihood.evaluate(theta)
            if gain < 1e-16:
                return theta, here
            continue
        length = 1.0
        while length > 1e-12:
            proposal = np.clip(theta + length * step, low, high)
            there = likelihood.evaluate(proposal)
            if there.value >= here.value + 1e-4 * float(gradient @ (proposal - theta)) and there.value > -math.inf:
                break
            length /= 2 if length > 0.1 else 5
        else:
            if gain > 1e-6:
                raise ConvergenceError(f"the likelihood does not rise along its gradient; last parameters {theta}")
            return theta, here
        if length == 1.0 and np.array_equal(proposal, theta):
            return theta, here
        theta, here = proposal, there
    raise ConvergenceError(
        f"the maximum of the likelihood was not found in {_MAX_STEPS} steps; last parameters {theta}"
    )


def _newton_step(gradient: Array, hessian: Array, expected: Array, free: Array, step: Array) -> float:
    """Fill in the step of the free parameters, uphill, and return twice the gain that it predicts."""
    g, h = gradient[free], -hessian[np.ix_(free, free)]
    # a parameter at a singular covariance may carry no expected information, and still have curvature
    sizes = np.maximum(np.abs(np.diagonal(expected))[free], np.abs(np.diagonal(h)))
    scale = np.sqrt(np.maximum(sizes, 1e-12 * max(float(sizes.max()), 1e-100)))
    values, vectors = np.linalg.eigh(h / np.multiply.outer(scale, scale))
    # directions of the wrong curvature are taken with its opposite, flat ones with a small one
    values = np.maximum(np.abs(values), 1e-7 * max(float(np.abs(values).max()), 1.0))
    along = vectors.T @ (g / scale)
    step[free] = (vectors @ (along / values)) / scale
    return float((along**2 / values).sum())


def best_maximum(likelihood: Likelihood, starts: Sequence[Array]) -> tuple[Array, Evaluation]:
    """Return the highest maximum found from the two best of several starts, and from correlations at their bounds and at 0.

    A variance of 0 leaves its correlations without a slope, so that a likelihood with correlations often has several maxima.

    Raises
    ------
    DataError
        If S + Sigma is not positive definite at any start.
    """
    found = [maximize(likelihood, start) for start in _best(likelihood, starts)[:2]]
    if not found:
        raise DataError(
            "the sampling covariance plus the covariance of the random effects is not positive definite",
            fix="Check the covariance: correlations beyond -1 or 1, or the same estimate twice.",
        )
    for place, value in likelihood.correlations_to_try():
        fixed = np.arange(len(starts[0])) == place
        for start in _best(likelihood, [np.where(fixed, value, start) for start in starts])[:1]:
            try:
                found.append(maximize(likelihood, maximize(likelihood, start, fixed)[0]))
            except ConvergenceError:
                continue
    return max(found, key=lambda pair: pair[1].value)


def _best(likelihood: Likelihood, starts: Sequence[Array]) -> list[Array]:
    """Return the starts with a finite likelihood, the highest first."""
    values = [(likelihood.evaluate(start).value, i) for i, start in enumerate(starts)]
    return [starts[i] for value, i in sorted(values, reverse=True) if value > -math.inf]
