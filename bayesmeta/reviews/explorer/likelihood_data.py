"""Each study's log m_i(theta) under an arm-level likelihood, as few numbers as the page needs to evaluate it.

On each side of ``split``, theta = split + (end - split) r^2 with r in [0, 1], and log m_i is a Chebyshev series in r on each of a few
panels; beyond the ends it is a straight line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.engines.arm_level.study_table import Table, tabulate
from bayesmeta.errors import BayesmetaError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.likelihoods.registry import LIKELIHOODS, model_data
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.reporting.numbers import is_missing
from bayesmeta.studies.kinds import KINDS
from bayesmeta.support.arrays import Array

#: coefficients per panel, error allowed in log m_i at its maximum, and halvings of a side at most
ORDER, TOLERANCE, HALVINGS = 16, 1e-9, 10
#: decimals of the coefficients, natural log
DECIMALS = 10


def study_tables(
    likelihood: str, measure: str, rows: Sequence[dict[str, Any]], baseline: Prior | None
) -> list[dict[str, Any] | None]:
    """Return the compact table of log m_i of each study; None for one without the data.

    Parameters
    ----------
    likelihood : str
        Name of an arm-level likelihood.
    measure : str
        Name of the effect measure.
    rows : sequence of dict
        Study rows of a result, with the arm data.
    baseline : Prior or None
        Prior for the baselines; None: the default.

    Returns
    -------
    list of (dict or None)
        ``split``, ``corner``, ``sides`` (left and right: ``end``, ``slope``, ``cuts`` of r, ``series``), ``guide`` (effect and variance
        of a normal approximation) and ``variance`` (for I2), all on the model scale.
    """
    names = KINDS[LIKELIHOODS[likelihood].kind].columns
    out: list[dict[str, Any] | None] = [None] * len(rows)
    complete = [i for i, row in enumerate(rows) if not any(is_missing(row.get(name)) for name in names)]
    for part in _readable(likelihood, measure, rows, names, complete):
        data, places = part
        try:
            tables = tabulate(likelihood, measure, data.columns, baseline)
        except BayesmetaError:
            continue
        for j, (place, table) in enumerate(zip(places, tables, strict=True)):
            guide = [float(data.guide_effect[j]), float(min(data.guide_variance[j], 1e4))]
            out[place] = {**compact(table), "guide": guide, "variance": float(data.study_variance[j])}
    return out


def _readable(
    likelihood: str, measure: str, rows: Sequence[dict[str, Any]], names: Sequence[str], places: list[int]
) -> list[tuple[ModelData, list[int]]]:
    """Return the data of the studies at these places, in one part or, where some cannot be read, in a part for each."""
    import pandas as pd

    def read(chosen: list[int]) -> tuple[ModelData, list[int]]:
        frame = pd.DataFrame([{"study": str(i), **{name: rows[i][name] for name in names}} for i in chosen])
        data = model_data(effect_sizes(frame, measure), likelihood)
        return data, [int(label) for label in data.labels]

    if not places:
        return []
    try:
        return [read(places)]
    except BayesmetaError:
        found = []
        for place in places:
            try:
                found.append(read([place]))
            except BayesmetaError:
                continue
        return found


def compact(table: Table) -> dict[str, Any]:
    """Return a table of log m_i as plain values: see the module."""
    sides = []
    for end, slope in zip(table.ends, table.end_slopes, strict=True):
        length = end - table.split
        inward = table.split + np.sign(length) * 1e-12

        def value(r: Array, length: float = length, inward: float = inward) -> Array:
            # at a corner the two sides differ in slope: stay on this one
            at = table.split + length * r**2
            return table.log_value(np.maximum(at, inward) if length > 0 else np.minimum(at, inward))

        cuts, series = _panels(value, table.peak)
        rounded = [[round(float(one), DECIMALS) for one in panel] for panel in series]
        sides.append({"end": float(end), "slope": float(slope), "cuts": cuts, "series": rounded})
    return {"split": table.split, "corner": table.corner, "sides": sides}


def _panels(value: Callable[[Array], Array], peak: float) -> tuple[list[float], list[Array]]:
    """Divide [0, 1] into panels on which a Chebyshev series is accurate; return their edges and the series."""
    nodes = np.cos(np.pi * (np.arange(ORDER) + 0.5) / ORDER)
    to_series = np.linalg.inv(np.polynomial.chebyshev.chebvander(nodes, ORDER - 1))
    between = np.cos(np.pi * np.arange(ORDER + 1) / ORDER)
    waiting, found = [(0.0, 1.0, 0)], []
    while waiting:
        low, high, level = waiting.pop()
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        known = value(middle + half * nodes)
        series = to_series @ known
        # checked between the nodes; far below the maximum m_i need not be so accurate
        missed = np.abs(np.polynomial.chebyshev.chebval(between, series) - value(middle + half * between))
        fallen = np.clip(peak - known.max(), 0.0, 60.0)
        if missed.max() * np.exp(-fallen / 3) <= TOLERANCE * (1 + np.abs(known).max() / 1e3) or level >= HALVINGS:
            found.append((low, series))
        else:
            waiting += [(low, middle, level + 1), (middle, high, level + 1)]
    found.sort(key=lambda panel: panel[0])
    return [low for low, _ in found] + [1.0], [series for _, series in found]
