"""A study's log m_i(theta) tabulated once, so that it can be evaluated at thousands of points."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from bayesmeta.distributions import Prior
from bayesmeta.errors import ConvergenceError
from bayesmeta.graded_cells import DEGREE, cell_points, horner, locate
from bayesmeta.study_likelihoods import Kernel, kernel_of, log_marginal

Array = np.ndarray
#: points in each panel, panels on each side to begin with and at most
ORDER, FIRST_PANELS, MOST_PANELS = 24, 2, 768
#: absolute error allowed in log m_i, and relative to the size of the log-likelihood (its rounding)
TOLERANCE, ROUNDING = 1e-9, 3e-14
#: how far log m_i is followed: this fall from its maximum, or this distance from 0; it is taken as linear beyond
FALL, FARTHEST = 120.0, 400.0
#: each panel is cut into this many cells, for fast evaluation
CUTS = 32
#: studies whose tables are kept, so that refits (leave one out, other priors) need not make them again
KEPT = 4096


@dataclass(frozen=True)
class Table:
    """One study's log m_i(theta).

    The sides left and right of ``split`` are cut into cells that are equal in the square root of the distance from it, so that they
    are finest there.

    Parameters
    ----------
    split : float
        Where the two sides meet: the corner of log m_i, or about its maximum.
    ends : (float, float)
        Where the tables end; log m_i is linear beyond, with ``end_slopes``.
    cells : (numpy.ndarray, numpy.ndarray), each of shape (DEGREE, cells)
        Coefficients of powers of the local coordinate in [-1, 1], cells numbered outwards.
    peak, peak_at : float
        The maximum of log m_i, natural log, and where it is.
    corner : bool
        Whether log m_i has a corner at ``split``.
    error : float
        Estimated absolute error of log m_i.
    """

    split: float
    ends: tuple[float, float]
    end_slopes: tuple[float, float]
    cells: tuple[Array, Array]
    peak: float
    peak_at: float
    corner: bool
    error: float

    def log_value(self, theta: Array) -> Array:
        """Logarithm of m_i at ``theta`` (any shape), natural log."""
        right = theta > self.split
        if right.all():
            return self._on_side(theta, 1)
        if not right.any():
            return self._on_side(theta, 0)
        out = np.empty_like(theta)
        out[right], out[~right] = self._on_side(theta[right], 1), self._on_side(theta[~right], 0)
        return out

    def _on_side(self, theta: Array, side: int) -> Array:
        cells = self.cells[side]
        length = abs(self.ends[side] - self.split)
        share = np.abs(theta - self.split) * (1 / length)
        value = horner(cells, *locate(np.minimum(share, 1.0), cells.shape[1]))
        if (share > 1.0).any():
            outward = self.end_slopes[side] * (1 if side else -1)
            value += outward * length * np.maximum(share - 1.0, 0.0)
        return value


_kept: OrderedDict[tuple[object, ...], Table] = OrderedDict()


def tabulate(
    likelihood: str,
    measure: str,
    columns: Mapping[str, Array],
    guess: Array,
    spread: Array,
    baseline: Prior | None = None,
) -> tuple[Table, ...]:
    """Tabulate log m_i of every study; those made before are not made again.

    Parameters
    ----------
    likelihood, measure : str
        Names in ``study_likelihoods.KERNELS``.
    columns : mapping of str to numpy.ndarray, shape (k,)
        The data.
    guess, spread : numpy.ndarray, shape (k,)
        About where m_i is and how wide, to begin the search for its range.
    baseline : Prior, optional
        Of the baseline.

    Raises
    ------
    ConvergenceError
        If log m_i is not resolved to ``TOLERANCE``.
    """
    kernel = kernel_of(likelihood, measure)
    rows = np.stack(list(columns.values()), axis=1)
    keys = [(likelihood, measure, baseline, tuple(columns), row.tobytes()) for row in rows]
    missing = np.array([i for i, key in enumerate(keys) if key not in _kept], dtype=int)
    found: dict[tuple[object, ...], Table] = {key: _kept[key] for key in keys if key in _kept}
    if len(missing):
        _, first = np.unique(rows[missing], axis=0, return_index=True)
        new = missing[np.sort(first)]
        made = _tabulate(
            kernel, {name: value[new] for name, value in columns.items()}, guess[new], spread[new], baseline
        )
        found.update(zip((keys[i] for i in new), made, strict=True))
    for key, table in found.items():
        _kept[key] = table
        _kept.move_to_end(key)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return tuple(found[key] for key in keys)


def forget() -> None:
    """Forget the tables that are kept, as a new process would."""
    _kept.clear()


def _tabulate(
    kernel: Kernel, columns: Mapping[str, Array], guess: Array, spread: Array, baseline: Prior | None
) -> list[Table]:
    split, ends, peak, peak_at, cornered = _ranges(kernel, columns, guess, spread, baseline)
    k = len(split)
    study, side = np.repeat(np.arange(k), 2), np.tile([0, 1], k)
    wanted, panels = np.arange(2 * k), FIRST_PANELS
    found: list[tuple[Array, float]] = [(np.empty(0), 0.0)] * (2 * k)
    nodes, to_series, to_cells = _rules()
    while len(wanted):
        i, end = study[wanted], ends[study[wanted], side[wanted]]
        root = (np.arange(panels)[:, None] + 0.5 * (nodes + 1)) / panels
        theta = split[i][:, None, None] + (end - split[i])[:, None, None] * root**2
        rows = np.repeat(i, panels * ORDER)
        value = log_marginal(kernel, {name: column[rows] for name, column in columns.items()}, theta.ravel(), baseline)
        value = value.reshape(theta.shape)
        series = value @ to_series
        # where m_i is far below its maximum its logarithm need not be so accurate
        fallen = np.clip(peak[i][:, None] - value.max(axis=2), 0.0, 60.0)
        error = np.abs(series[..., -3:]).sum(axis=2) * np.exp(-fallen / 3)
        size = np.abs(value).max(axis=(1, 2)) + _rounding_size(columns)[i]
        good = error.max(axis=1) <= TOLERANCE + ROUNDING * size
        for j in np.flatnonzero(good):
            cells = np.einsum("po,ocd->pcd", series[j], to_cells).reshape(-1, DEGREE)
            found[wanted[j]] = np.ascontiguousarray(cells.T), float(error[j].max())
        wanted, panels = wanted[~good], 2 * panels
        if len(wanted) and panels > MOST_PANELS:
            raise ConvergenceError(
                "the likelihood of a study could not be tabulated; check its data for extreme values"
            )
    return [_table(split[i], ends[i], found[2 * i], found[2 * i + 1], peak_at[i], bool(cornered[i])) for i in range(k)]


def _rounding_size(columns: Mapping[str, Array]) -> Array:
    """Size of the numbers that cancel in a log-likelihood, a study."""
    return sum((np.abs(value) for value in columns.values()), np.zeros(1))


def _ranges(
    kernel: Kernel, columns: Mapping[str, Array], guess: Array, spread: Array, baseline: Prior | None
) -> tuple[Array, Array, Array, Array, Array]:
    """Find where each log m_i has to be known, from its values on a ladder of thetas about the guess."""
    k = len(guess)
    steps = 0.5 * 1.45 ** np.arange(24)
    offsets = np.concatenate([-steps[::-1], [0.0], steps])
    theta = np.clip(guess[:, None] + spread[:, None] * offsets, -FARTHEST, FARTHEST)
    rows = np.repeat(np.arange(k), theta.shape[1])
    value = log_marginal(kernel, {name: column[rows] for name, column in columns.items()}, theta.ravel(), baseline)
    value = value.reshape(theta.shape)
    best = value.argmax(axis=1)
    peak, peak_at = value[np.arange(k), best], theta[np.arange(k), best]
    within = value > (peak - FALL)[:, None]
    first, last = np.maximum(within.argmax(axis=1) - 1, 0), within.shape[1] - within[:, ::-1].argmax(axis=1)
    last = np.minimum(last, within.shape[1] - 1)
    # where the ladder ends before log m_i has fallen it is followed as far as it goes
    low = np.where(within[:, 0], -FARTHEST, theta[np.arange(k), first])
    high = np.where(within[:, -1], FARTHEST, theta[np.arange(k), last])
    ends = np.stack([low, high], axis=1)
    cornered = np.full(k, kernel.corner) & (low < 0) & (high > 0)
    split = np.where(cornered, 0.0, peak_at)
    span = ends[:, 1] - ends[:, 0]
    ends[:, 0] = np.minimum(ends[:, 0], split - 0.02 * span)
    ends[:, 1] = np.maximum(ends[:, 1], split + 0.02 * span)
    return split, ends, peak, peak_at, cornered


@cache
def _rules() -> tuple[Array, Array, Array]:
    """Return Chebyshev points, the matrix from values there to the Chebyshev series, and from the series to the powers of each cell."""
    nodes = np.cos(np.pi * (np.arange(ORDER) + 0.5) / ORDER)
    basis = np.polynomial.chebyshev.chebvander(nodes, ORDER - 1)
    to_series = np.linalg.inv(basis).T
    fine, to_powers = cell_points()
    place = -1 + (np.arange(CUTS)[:, None] + 0.5 * (fine + 1)) * 2 / CUTS
    at = np.polynomial.chebyshev.chebvander(place, ORDER - 1)
    return nodes, to_series, np.einsum("cfo,fd->ocd", at, to_powers)


def _table(
    split: float, ends: Array, left: tuple[Array, float], right: tuple[Array, float], peak_at: float, corner: bool
) -> Table:
    slopes = []
    for (cells, _), end in zip((left, right), ends, strict=True):
        # at the end the local coordinate, in cells of the square root of the share, has this slope in theta
        local = cells.shape[1] / (end - split)
        slopes.append(float(cells[1:, -1] @ np.arange(1, DEGREE)) * local)
    table = Table(
        float(split), (float(ends[0]), float(ends[1])), (slopes[0], slopes[1]), (left[0], right[0]), 0.0, float(peak_at), corner,
        max(left[1], right[1]),
    )  # fmt: skip
    around = np.concatenate([[peak_at], np.linspace(ends[0], ends[1], 401)])
    value = table.log_value(around)
    best = int(value.argmax())
    return replace(table, peak=float(value[best]), peak_at=float(around[best]))
