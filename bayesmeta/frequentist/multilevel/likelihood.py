"""Likelihood of a model with several random effects, restricted or not, with its gradient and Hessian in the parameters.

y ~ Normal(X b, S + Sigma(theta)); the coefficients are profiled out. With P = V^-1 - V^-1 X (X' V^-1 X)^-1 X' V^-1 the derivatives of the
restricted log-likelihood are those of Harville (1977, Journal of the American Statistical Association 72:320).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bayesmeta.frequentist.multilevel.blocks import Blocks, Component
from bayesmeta.support.arrays import Array


class Evaluation(NamedTuple):
    """Log-likelihood at theta, and what derivatives and coefficients are computed from.

    Parameters
    ----------
    value : float
        Log-likelihood; minus infinity where S + Sigma is not positive definite.
    inverse : numpy.ndarray, shape (m, b, b)
        V^-1.
    through : numpy.ndarray, shape (m, b, p)
        V^-1 X.
    covariance : numpy.ndarray, shape (p, p)
        (X' V^-1 X)^-1.
    beta : numpy.ndarray, shape (p,)
        Coefficients.
    scaled : numpy.ndarray, shape (m, b)
        V^-1 (y - X b).
    """

    value: float
    inverse: Array
    through: Array
    covariance: Array
    beta: Array
    scaled: Array


_IMPOSSIBLE = Evaluation(-math.inf, *(np.empty(0) for _ in range(5)))


@dataclass(frozen=True, eq=False)
class Likelihood:
    """Log-likelihood of n estimates in blocks.

    Parameters
    ----------
    blocks : Blocks
        The data; the columns of x are an orthonormal basis of the design, so that log |X' X| is 0.
    components : tuple of Component
        Random effects.
    restricted : bool
        Whether this is the restricted likelihood.
    n, p : int
        Numbers of estimates and coefficients.
    """

    blocks: Blocks
    components: tuple[Component, ...]
    restricted: bool
    n: int
    p: int

    def split(self, theta: Array) -> list[Array]:
        """Return the parameters of each component."""
        found, at = [], 0
        for component in self.components:
            q = len(component.structure.bounds()[0])
            found.append(theta[at : at + q])
            at += q
        return found

    def bounds(self) -> tuple[Array, Array]:
        """Bounds of all parameters, each of shape (q,)."""
        pairs = [component.structure.bounds() for component in self.components]
        return (
            np.concatenate([low for low, _ in pairs]) if pairs else np.empty(0),
            np.concatenate([high for _, high in pairs]) if pairs else np.empty(0),
        )

    def correlations_to_try(self) -> list[tuple[int, float]]:
        """Places of correlations among the parameters, each with a value from which a maximum is looked for."""
        found, at = [], 0
        for component in self.components:
            at += len(component.structure.bounds()[0])
            found += [(at - 1, value) for value in component.structure.correlations_to_try()]
        return found

    def total(self, theta: Array) -> Array:
        """S + Sigma in blocks, shape (m, b, b)."""
        v = self.blocks.s.copy()
        for part, component, together, place in zip(
            self.split(theta), self.components, self.blocks.together, self.blocks.places, strict=True
        ):
            g = component.structure.derivatives(part)[0]
            v += together * (g[0, 0] if len(g) == 1 else g[place[:, :, None], place[:, None, :]])
        return v

    def evaluate(self, theta: Array) -> Evaluation:
        """Return the log-likelihood at theta, shape (q,), with what else is computed on the way."""
        v = self.total(theta)
        try:
            root = np.linalg.cholesky(v)
        except np.linalg.LinAlgError:
            return _IMPOSSIBLE
        blocks = self.blocks
        inverse = np.linalg.inv(v)
        through = inverse @ blocks.x
        information = np.tensordot(blocks.x, through, axes=((0, 1), (0, 1)))
        try:
            gram = np.linalg.cholesky(information)
        except np.linalg.LinAlgError:
            return _IMPOSSIBLE
        covariance = np.linalg.inv(information)
        beta = covariance @ np.tensordot(through, blocks.y, axes=((0, 1), (0, 1)))
        residual = blocks.y - blocks.x @ beta
        scaled = (inverse @ residual[..., None])[..., 0]
        value = 2 * float(np.log(np.diagonal(root, axis1=1, axis2=2)).sum()) + float((residual * scaled).sum())
        n = self.n
        if self.restricted:
            value += 2 * float(np.log(np.diagonal(gram)).sum())
            n -= self.p
        value = -0.5 * (value + n * math.log(2 * math.pi))
        return Evaluation(value if math.isfinite(value) else -math.inf, inverse, through, covariance, beta, scaled)

    def derivatives(self, theta: Array, at: Evaluation) -> tuple[Array, Array, Array]:
        """Return the gradient, shape (q,), the Hessian and minus the expected information, shapes (q, q)."""
        firsts, contractions = [], []
        core = at.inverse
        if self.restricted:
            core = core - at.through @ at.covariance @ at.through.transpose(0, 2, 1)
        excess = core - at.scaled[:, :, None] * at.scaled[:, None, :]
        for part, component, together, place in zip(
            self.split(theta), self.components, self.blocks.together, self.blocks.places, strict=True
        ):
            _, first, second = component.structure.derivatives(part)
            size = component.structure.size
            if size == 1:
                firsts.append(first[:, :, :, None] * together)
            else:
                firsts.append(first[:, place[:, :, None], place[:, None, :]] * together)
            pair = (place[:, :, None] * size + place[:, None, :]).ravel()
            sums = np.bincount(pair, weights=(excess * together).ravel(), minlength=size * size).reshape(size, size)
            contractions.append((second * sums).sum(axis=(2, 3)))
        sigma = np.concatenate(firsts)  # (q, m, b, b)
        q = len(sigma)
        gradient = -0.5 * (sigma * excess).sum(axis=(1, 2, 3))
        product = core @ sigma if self.restricted else at.inverse @ sigma
        flat = product.reshape(q, -1)
        traces = flat @ product.transpose(0, 1, 3, 2).reshape(q, -1).T
        weighted = (sigma @ at.scaled[..., None])[..., 0]  # Sigma_i P y
        solved = (at.inverse @ weighted[..., None]).reshape(q, -1)
        weighted = weighted.reshape(q, -1)
        crossed = weighted @ at.through.reshape(-1, self.p)
        inner = weighted @ solved.T - crossed @ at.covariance @ crossed.T
        if self.restricted:
            # P is not block-diagonal: what the other blocks add to tr(P Sigma_i P Sigma_j)
            spread = at.covariance @ (at.through.transpose(0, 2, 1) @ (sigma @ at.through))  # (q, m, p, p)
            whole = spread.sum(axis=1)
            traces += whole.reshape(q, -1) @ whole.transpose(0, 2, 1).reshape(q, -1).T
            traces -= spread.reshape(q, -1) @ spread.transpose(0, 1, 3, 2).reshape(q, -1).T
        hessian = 0.5 * traces - inner
        at_place = 0
        for second_term in contractions:
            k = len(second_term)
            hessian[at_place : at_place + k, at_place : at_place + k] -= 0.5 * second_term
            at_place += k
        return gradient, hessian, -0.5 * traces
