"""Compiled loop over the variance components of a model with estimates in studies: its likelihood and coefficients at each node."""

from __future__ import annotations

import math

import numpy as np

from bayesmeta.engines.numerics.compiled import compiled
from bayesmeta.support.arrays import Array

#: nodes computed beside each other
BLOCK = 64


@compiled
def condition(
    columns: Array,
    s: Array,
    r: Array,
    z: Array,
    ends: Array,
    precision: Array,
    pull: Array,
    between: Array,
    within: Array,
    run: int,
) -> tuple[Array, Array, Array]:
    """Integrate the coefficients out at each node.

    Parameters
    ----------
    columns : numpy.ndarray, shape (n, 1 + p)
        Rotated estimates and design matrix, [y, X].
    s, r, z : numpy.ndarray, shape (n,)
        Covariance diag(s + within r) + between z z' of the estimates of each study.
    ends : numpy.ndarray of int, shape (m,)
        Place after the last estimate of each study.
    precision, pull : numpy.ndarray, shape (p, p) and (p,)
        Prior precision P, and P times the prior mean.
    between, within : numpy.ndarray, shape (T,)
        Variances of the studies and of the estimates within them.
    run : int
        Number of variances whose product is a floating-point number, so that one logarithm serves all of them.

    Returns
    -------
    value : numpy.ndarray, shape (T,)
        -0.5 (log |V| + log |A| + y' V^-1 y - h' A^-1 h) with A = X' V^-1 X + P and h = X' V^-1 y + pull; -inf where V or A is not
        positive definite.
    mean : numpy.ndarray, shape (p, T)
        A^-1 h.
    covariance : numpy.ndarray, shape (p, p, T)
        A^-1.
    """
    size, q = len(between), columns.shape[1]
    p = q - 1
    value, mean, covariance = np.empty(size), np.zeros((p, size)), np.zeros((p, p, size))
    moments, sums = np.empty((q, q, BLOCK)), np.empty((q, BLOCK))
    total, weight, product, spread = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    log_determinant, negative, valid = np.empty(BLOCK), np.empty(BLOCK), np.empty(BLOCK)
    lower, inverse, forward = np.empty((p, p)), np.empty((p, p)), np.empty(p)
    variance, component = np.zeros(BLOCK), np.zeros(BLOCK)
    for first in range(0, size, BLOCK):
        count = min(BLOCK, size - first)
        # nodes beside each other, so that the processor computes several at once
        variance[:count] = within[first : first + count]
        component[:count] = between[first : first + count]
        log_determinant[:], product[:], valid[:] = 0.0, 1.0, 1.0
        for a in range(q):
            for b in range(q):
                moments[a, b, :] = (
                    pull[b - 1] if a == 0 and b > 0 else precision[a - 1, b - 1] if a > 0 and b > 0 else 0.0
                )
        start, held = 0, 0
        for end in ends:
            spread[:], negative[:], sums[:, :] = 0.0, 0.0, 0.0
            for i in range(start, end):
                si, ri, zi = s[i], r[i], z[i]
                zz = zi * zi
                for t in range(BLOCK):
                    total[t] = si + variance[t] * ri
                    weight[t] = 1.0 / total[t]
                    negative[t] += 1.0 if total[t] < 0.0 else 0.0
                    product[t] *= abs(total[t])
                    spread[t] += weight[t] * zz
                for a in range(q):
                    of_sum = columns[i, a] * zi
                    for t in range(BLOCK):
                        sums[a, t] += weight[t] * of_sum
                    for b in range(a, q):
                        pair = columns[i, a] * columns[i, b]
                        for t in range(BLOCK):
                            moments[a, b, t] += weight[t] * pair
                held += 1
                if held >= run:
                    held = 0
                    for t in range(BLOCK):
                        log_determinant[t] += math.log(product[t])
                        product[t] = 1.0
            for t in range(BLOCK):
                rank_one = 1.0 + component[t] * spread[t]
                # one negative entry of the diagonal part may be outweighed by the part of rank one
                if not ((negative[t] == 0.0 and rank_one > 0.0) or (negative[t] == 1.0 and rank_one < 0.0)):
                    valid[t] = 0.0
                log_determinant[t] += math.log(abs(rank_one))
                spread[t] = component[t] / rank_one
            for a in range(q):
                for b in range(a, q):
                    for t in range(BLOCK):
                        moments[a, b, t] -= spread[t] * sums[a, t] * sums[b, t]
            start = end
        for t in range(count):
            at, good = first + t, valid[t] > 0.0
            quadratic, log_root = moments[0, 0, t], 0.0
            for j in range(p):
                pivot = moments[1 + j, 1 + j, t]
                for c in range(j):
                    pivot -= lower[j, c] * lower[j, c]
                if not pivot > 0.0:
                    good = False
                    break
                pivot = math.sqrt(pivot)
                log_root += math.log(pivot)
                lower[j, j] = pivot
                for i in range(j + 1, p):
                    entry = moments[1 + j, 1 + i, t]
                    for c in range(j):
                        entry -= lower[i, c] * lower[j, c]
                    lower[i, j] = entry / pivot
                entry = moments[0, 1 + j, t]
                for c in range(j):
                    entry -= lower[j, c] * forward[c]
                forward[j] = entry / pivot
                quadratic -= forward[j] * forward[j]
                inverse[j, j] = 1.0 / pivot
                for i in range(j):
                    entry = 0.0
                    for c in range(i, j):
                        entry -= lower[j, c] * inverse[c, i]
                    inverse[j, i] = entry / pivot
            if not good:
                value[at] = -np.inf
                continue
            value[at] = -0.5 * (log_determinant[t] + math.log(product[t]) + quadratic) - log_root
            for i in range(p):
                for k in range(i, p):
                    mean[i, at] += inverse[k, i] * forward[k]
                for j in range(i, p):
                    entry = 0.0
                    for k in range(j, p):
                        entry += inverse[k, i] * inverse[k, j]
                    covariance[i, j, at] = entry
                    covariance[j, i, at] = entry
    return value, mean, covariance
