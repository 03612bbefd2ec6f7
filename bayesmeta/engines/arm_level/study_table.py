"""A study's log m_i(theta) tabulated once, so that it can be evaluated at thousands of points."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.engines.arm_level.study_likelihood import Kernel, kernel_of, log_marginal
from bayesmeta.engines.numerics.cells import DEGREE, cell_points
from bayesmeta.errors import ConvergenceError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    from bayesmeta.engines.arm_level.smoothing import Smoothed

#: points per panel; number of times each side is halved at the beginning, and at most
ORDER, FIRST_LEVEL, LAST_LEVEL = 24, 1, 13
#: error allowed in log m_i: absolute, and relative to the size of the log-likelihood (its rounding)
TOLERANCE, ROUNDING = 1e-9, 3e-14
#: log m_i is tabulated until it has fallen by this much from its maximum, or to this distance from 0; beyond, it is taken as linear
FALL, FARTHEST = 120.0, 400.0
#: number of cells in each of the narrowest panels, for fast evaluation
CUTS = 32
#: number of studies whose tables are kept for refits (leave one out, other priors); tables with more cells than this (half a megabyte)
#: are not kept
KEPT, KEPT_CELLS = 4096, 8192


@dataclass(frozen=True)
class Table:
    """One study's log m_i(theta).

    The sides left and right of ``split`` are divided into cells of equal width in the square root of the distance from it, so that the
    cells are finest there.

    Parameters
    ----------
    split : float
        Effect (model scale) at which the two sides meet: the corner of log m_i, or approximately its maximum.
    ends, end_slopes : (float, float)
        Effects at which the table ends, and the slopes of log m_i beyond, where it is taken as linear.
    cells : numpy.ndarray, shape (cells, DEGREE)
        Coefficients of powers of the local coordinate in [-1, 1]: cells left of the split first, each side's numbered outwards.
    on_left : int
        Number of cells left of the split.
    peak, peak_at : float
        Maximum of log m_i (natural log), and the effect at which it is reached.
    corner : bool
        Whether log m_i has a corner at ``split``.
    error : float
        Estimated absolute error of log m_i.
    """

    split: float
    ends: tuple[float, float]
    end_slopes: tuple[float, float]
    cells: Array
    on_left: int
    peak: float
    peak_at: float
    corner: bool
    error: float

    @cached_property
    def smoothed(self) -> Smoothed:
        """The likelihood ready to be smoothed by the normal distribution of effects."""
        from bayesmeta.engines.arm_level.smoothing import smoothed

        return smoothed(self)

    @cached_property
    def frame(self) -> Array:
        """Split, inverse lengths, numbers of cells and end slopes of the sides, shape (7,), as ``cell_kernels`` takes them."""
        lengths = np.abs(np.subtract(self.ends, self.split))
        slopes = np.array([-1.0, 1.0]) * self.end_slopes * lengths
        return np.array([self.split, *1 / lengths, self.on_left, len(self.cells) - self.on_left, *slopes])

    def log_value(self, theta: Array) -> Array:
        """Return log m_i at ``theta`` (any shape), natural log."""
        from bayesmeta.engines.numerics.cell_kernels import log_values

        return log_values(self.frame, self.cells, theta.flatten()).reshape(theta.shape)


_kept: OrderedDict[tuple[object, ...], Table] = OrderedDict()


def tabulate(
    likelihood: str,
    measure: str,
    columns: Mapping[str, Array],
    baseline: Prior | None = None,
    fall: float = FALL,
) -> tuple[Table, ...]:
    """Tabulate log m_i of every study, or take the tables from earlier calls.

    A study's table is the same to the last bit whatever was tabulated with it or before it, so that results do not depend on
    which process computed them.

    Parameters
    ----------
    likelihood, measure : str
        Names in ``study_likelihood.KERNELS``.
    columns : mapping of str to numpy.ndarray, shape (k,)
        Data of the studies.
    baseline : Prior, optional
        Prior for the baselines; default ``DEFAULT_BASELINE``.
    fall : float
        Depth below the maximum of log m_i to which it is tabulated; beyond the default it is as accurate everywhere as at the maximum.

    Returns
    -------
    tuple of Table
        One per study.

    Raises
    ------
    ConvergenceError
        If log m_i is not resolved to ``TOLERANCE``.
    """
    kernel = kernel_of(likelihood, measure)
    rows = np.stack(list(columns.values()), axis=1)
    keys = [(likelihood, measure, baseline, fall, tuple(columns), row.tobytes()) for row in rows]
    missing = np.array([i for i, key in enumerate(keys) if key not in _kept], dtype=int)
    found: dict[tuple[object, ...], Table] = {key: _kept[key] for key in keys if key in _kept}
    if len(missing):
        _, first = np.unique(rows[missing], axis=0, return_index=True)
        new = missing[np.sort(first)]
        made = _tabulate(kernel, {name: value[new] for name, value in columns.items()}, baseline, fall)
        found.update(zip((keys[i] for i in new), made, strict=True))
    for key, table in found.items():
        if len(table.cells) <= KEPT_CELLS:
            _kept[key] = table
            _kept.move_to_end(key)
    while len(_kept) > KEPT:
        _kept.popitem(last=False)
    return tuple(found[key] for key in keys)


def clear_tables() -> None:
    """Discard the tables that are kept, so that they are computed again as in a new process."""
    _kept.clear()


def _tabulate(kernel: Kernel, columns: Mapping[str, Array], baseline: Prior | None, fall: float) -> list[Table]:
    split, ends, slopes, peak, peak_at, cornered = _ranges(kernel, columns, baseline, fall)
    k = len(split)
    # panels of equal width in the square root of the distance from the split, halved where they do not resolve log m_i
    first = 2**FIRST_LEVEL
    side, level, place = np.repeat(np.arange(2 * k), first), FIRST_LEVEL, np.tile(np.arange(first), 2 * k)
    found: list[list[tuple[int, int, Array, float]]] = [[] for _ in range(2 * k)]
    nodes, to_series = _series_rule()
    while len(side):
        i, end = side // 2, ends.ravel()[side]
        root = (place[:, None] + 0.5 * (nodes + 1)) * 0.5**level
        theta = split[i][:, None] + (end - split[i])[:, None] * root**2
        rows = np.repeat(i, ORDER)
        value = log_marginal(kernel, {name: column[rows] for name, column in columns.items()}, theta.ravel(), baseline)
        value = value.reshape(theta.shape)
        # not ``@``: the rounding of BLAS depends on the number of rows
        series = np.einsum("pn,ns->ps", value, to_series)
        # where m_i is far below its maximum its logarithm need not be so accurate
        fallen = np.clip(peak[i] - value.max(axis=1), 0.0, 60.0 if fall <= FALL else 0.0)
        error = np.abs(series[:, -3:]).sum(axis=1) * np.exp(-fallen / 3)
        good = error <= TOLERANCE + ROUNDING * (np.abs(value).max(axis=1) + _rounding_size(columns)[i])
        for j in np.flatnonzero(good):
            found[side[j]].append((level, int(place[j]), series[j], float(error[j])))
        side, place = np.repeat(side[~good], 2), (2 * place[~good][:, None] + [0, 1]).ravel()
        level += 1
        if len(side) and level > LAST_LEVEL:
            raise ConvergenceError(
                "the likelihood of a study could not be tabulated; check its data for extreme values"
            )
    sides = [(_cells(panels), max(error for *_, error in panels)) for panels in found]
    return [
        _table(split[i], ends[i], slopes[i], sides[2 * i], sides[2 * i + 1], peak_at[i], bool(cornered[i]))
        for i in range(k)
    ]


def _cells(panels: list[tuple[int, int, Array, float]]) -> Array:
    """Divide one side's panels (level, place, series, error) into cells as fine as the narrowest panel needs."""
    finest = max(level for level, *_ in panels)
    out = np.empty((2**finest, CUTS, DEGREE))
    for level, place, series, _ in panels:
        halvings = finest - level
        part = slice(place * 2**halvings, (place + 1) * 2**halvings)
        out[part] = np.tensordot(series, _to_cells(halvings), axes=1).reshape(-1, CUTS, DEGREE)
    return out.reshape(-1, DEGREE)


def _rounding_size(columns: Mapping[str, Array]) -> Array:
    """Return the size of the numbers that cancel in each study's log-likelihood, shape (k,)."""
    return sum((np.abs(value) for value in columns.values()), np.zeros(1))


def _ranges(
    kernel: Kernel, columns: Mapping[str, Array], baseline: Prior | None, fall: float
) -> tuple[Array, Array, Array, Array, Array, Array]:
    """Find where each log m_i has to be known, from its values on a grid of theta about a first guess.

    Returns
    -------
    split, ends, slopes, peak, peak_at, cornered : numpy.ndarray
        As in ``Table``, with one row per study; ``slopes`` are NaN where they have to be taken from the table.
    """
    guess, spread = kernel.start(columns)
    k = len(guess)
    steps = 0.5 * 1.45 ** np.arange(24)
    offsets = np.concatenate([-steps[::-1], [0.0], steps])
    theta = np.clip(guess[:, None] + spread[:, None] * offsets, -FARTHEST, FARTHEST)
    rows = np.repeat(np.arange(k), theta.shape[1])
    value = log_marginal(kernel, {name: column[rows] for name, column in columns.items()}, theta.ravel(), baseline)
    value = value.reshape(theta.shape)
    best = value.argmax(axis=1)
    peak, peak_at = value[np.arange(k), best], theta[np.arange(k), best]
    within = value > (peak - fall)[:, None]
    first, last = np.maximum(within.argmax(axis=1) - 1, 0), within.shape[1] - within[:, ::-1].argmax(axis=1)
    last = np.minimum(last, within.shape[1] - 1)
    ends = np.stack([theta[np.arange(k), first], theta[np.arange(k), last]], axis=1)
    slopes = np.full((k, 2), np.nan)
    # where log m_i has not fallen at the end of the grid, the table extends to the limit, or to where log m_i is a straight line
    for side, limit in ((0, -FARTHEST), (1, FARTHEST)):
        for i in np.flatnonzero(within[:, -side]):
            inward = slice(None) if side == 0 else slice(None, None, -1)
            place, slope = _straight_from(theta[i, inward], value[i, inward], _rounding_size(columns)[i])
            ends[i, side], slopes[i, side] = (limit, np.nan) if place is None else (place, slope)
    cornered = np.full(k, kernel.corner) & (ends[:, 0] < 0) & (ends[:, 1] > 0)
    split = np.where(cornered, 0.0, np.clip(peak_at, ends[:, 0], ends[:, 1]))
    span = ends[:, 1] - ends[:, 0]
    far = float(guess[int(np.abs(guess).argmax())])
    if abs(far) > FARTHEST or not (span > 0).all():
        raise ConvergenceError(
            f"the effect of a study is about {far:.3g} on the model scale, and the likelihood of its arms is computed up to {FARTHEST:g}; "
            "check its numbers, or choose the normal likelihood"
        )
    ends[:, 0] = np.minimum(ends[:, 0], split - 0.02 * span)
    ends[:, 1] = np.maximum(ends[:, 1], split + 0.02 * span)
    return split, ends, slopes, peak, peak_at, cornered


def _straight_from(theta: Array, value: Array, size: float) -> tuple[float | None, float]:
    """Return the theta from which log m_i is a straight line up to the limit, ``theta[0]``, and the line's slope (None, NaN: nowhere)."""
    # several points of the grid may be at the limit
    first = int(np.flatnonzero(theta == theta[0])[-1])
    theta, value = theta[first:], value[first:]
    if abs(theta[0]) < FARTHEST or len(theta) < 3:
        return None, np.nan
    slope = (value[1:] - value[0]) / (theta[1:] - theta[0])
    missed = np.abs(value[0] + slope[1:] * (theta[1:-1] - theta[0]) - value[1:-1])
    bent = missed > 0.01 * TOLERANCE + ROUNDING * (size + np.abs(value[1:-1]))
    straight = int(bent.argmax()) if bent.any() else len(bent)
    return (float(theta[straight]), float(slope[straight - 1])) if straight else (None, np.nan)


@cache
def _series_rule() -> tuple[Array, Array]:
    """Return Chebyshev points in (-1, 1), shape (ORDER,), and the matrix (ORDER, ORDER) from values there to the Chebyshev series."""
    nodes = np.cos(np.pi * (np.arange(ORDER) + 0.5) / ORDER)
    return nodes, np.linalg.inv(np.polynomial.chebyshev.chebvander(nodes, ORDER - 1)).T


@cache
def _to_cells(halvings: int) -> Array:
    """Return the tensor, shape (ORDER, cells, DEGREE), from the series of a panel halved this often to the coefficients of its cells."""
    fine, to_powers = cell_points()
    cells = CUTS * 2**halvings
    place = -1 + (np.arange(cells)[:, None] + 0.5 * (fine + 1)) * 2 / cells
    at = np.polynomial.chebyshev.chebvander(place, ORDER - 1)
    return np.einsum("cfo,fd->ocd", at, to_powers)


def _table(
    split: float,
    ends: Array,
    known: Array,
    left: tuple[Array, float],
    right: tuple[Array, float],
    peak_at: float,
    corner: bool,
) -> Table:
    slopes = []
    for (cells, _), end, slope in zip((left, right), ends, known, strict=True):
        # derivative in theta of the local coordinate at the end, where cells are of equal width in the square root of the share
        local = len(cells) / (end - split)
        slopes.append(float(cells[-1, 1:] @ np.arange(1, DEGREE)) * local if np.isnan(slope) else float(slope))
    table = Table(
        float(split), (float(ends[0]), float(ends[1])), (slopes[0], slopes[1]), np.concatenate([left[0], right[0]]), len(left[0]),
        0.0, float(peak_at), corner, max(left[1], right[1]),
    )  # fmt: skip
    around = np.concatenate([[peak_at], np.linspace(ends[0], ends[1], 401)])
    value = table.log_value(around)
    best = int(value.argmax())
    return replace(table, peak=float(value[best]), peak_at=float(around[best]))
