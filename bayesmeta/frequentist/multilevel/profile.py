"""Profile likelihood intervals of variances and correlations, and predicted random effects."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from scipy.special import chdtri

from bayesmeta.errors import ConvergenceError, SpecError, unknown_name
from bayesmeta.frequentist.multilevel.likelihood import Likelihood
from bayesmeta.frequentist.multilevel.maximize import maximize
from bayesmeta.frequentist.multilevel.structures import HeterogeneousCompoundSymmetry
from bayesmeta.frequentist.multilevel.unstructured import Unstructured
from bayesmeta.frequentist.wald import quantile
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.frequentist.multilevel.result import Multilevel

#: intervals by level and parameters of likelihoods that are in use: fits that differ in the tests of coefficients only share one
_KNOWN: WeakKeyDictionary[Likelihood, dict[tuple[float, bytes], pd.DataFrame]] = WeakKeyDictionary()


def profile_intervals(fit: Multilevel, level: float) -> pd.DataFrame:
    """Return profile likelihood intervals; see ``Multilevel.intervals``. They are computed once per likelihood."""
    known = _KNOWN.setdefault(fit.likelihood, {})
    key = level, fit.theta.tobytes()
    if key not in known:
        known[key] = _profile_intervals(fit, level)
    return known[key].copy()


def _profile_intervals(fit: Multilevel, level: float) -> pd.DataFrame:
    import pandas as pd

    drop = float(chdtri(1, 1 - level)) / 2
    rows: dict[str, tuple[float, float, float]] = {}
    at = 0
    for component in fit.likelihood.components:
        structure = component.structure
        q = len(structure.bounds()[0])
        part = fit.theta[at : at + q]
        variances = structure.variances(part)
        for i in range(len(variances) if isinstance(structure, Unstructured) else q):
            likelihood, theta = fit.likelihood, fit.theta
            if isinstance(structure, Unstructured):
                likelihood, theta = _level_first(fit, at, i)
                place, power, factor = at, 2, fit.unit**2
            elif i < len(variances):
                place, power, factor = (
                    at + i,
                    2 if isinstance(structure, HeterogeneousCompoundSymmetry) else 1,
                    fit.unit**2,
                )
            else:
                place, power, factor = at + i, 1, 1.0
            low, high = _limits(likelihood, theta, place, fit.at.value - drop)
            values = [
                math.copysign(abs(value) ** power, value) * factor
                for value in (abs(theta[place]) if power == 2 else theta[place], low, high)
            ]
            rows[_name(component.name, structure.size, component.levels, i, len(variances))] = tuple(values)  # type: ignore[assignment]
        at += q
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "ci_low", "ci_high"])
    return frame.rename_axis("parameter")


def _name(name: str, size: int, levels: tuple[object, ...], i: int, variances: int) -> str:
    if size == 1:
        return f"sigma2[{name}]"
    if i >= variances:
        return "rho"
    label = f"{levels[i]:g}" if isinstance(levels[i], float) else levels[i]
    return "tau2" if variances == 1 else f"tau2[{label}]"


def _level_first(fit: Multilevel, at: int, i: int) -> tuple[Likelihood, Array]:
    """Return the likelihood and parameters with level i of an unstructured covariance first, so that its first parameter is tau_i."""
    number = next(j for j, c in enumerate(fit.likelihood.components) if isinstance(c.structure, Unstructured))
    structure = fit.likelihood.components[number].structure
    order = [i, *(j for j in range(structure.size) if j != i)]
    place = np.argsort(order)
    blocks = fit.likelihood.blocks
    places = tuple(place[p] if j == number else p for j, p in enumerate(blocks.places))
    q = len(structure.bounds()[0])
    g = structure.derivatives(fit.theta[at : at + q])[0][np.ix_(order, order)]
    floor = 1e-12 * float(np.trace(g)) * np.eye(len(g))
    theta = fit.theta.copy()
    theta[at : at + q] = np.linalg.cholesky(g + floor)[np.tril_indices(structure.size)]
    return replace(fit.likelihood, blocks=replace(blocks, places=places)), theta


def _limits(likelihood: Likelihood, theta: Array, place: int, target: float) -> tuple[float, float]:
    """Return where the profile of one parameter falls to the target, on both sides; its bounds where it does not."""
    lower, upper = (float(bound[place]) for bound in likelihood.bounds())
    if not math.isfinite(lower):
        lower = 0.0  # the first parameter of a Cholesky factor is a standard deviation
    fixed = np.zeros(len(theta), dtype=bool)
    fixed[place] = True
    best = float(abs(theta[place]) if lower == 0.0 else theta[place])
    start = theta.copy()
    last = [start.copy()]

    def excess(value: float) -> float:
        found = []
        for begin in (start,) if np.array_equal(start, last[0]) else (start, last[0]):
            trial = begin.copy()
            trial[place] = value
            at = likelihood.evaluate(trial)
            if at.value > -math.inf:
                try:
                    found.append(maximize(likelihood, trial, fixed, at))
                except ConvergenceError:
                    continue
        if not found:
            return -1e6
        parameters, at = max(found, key=lambda pair: pair[1].value)
        last[0] = parameters
        return at.value - target

    top = max(likelihood.evaluate(theta).value - target, 0.0)

    @cache
    def distance(value: float) -> float:
        """Square root of the fall from the maximum, nearly a line in the parameter, in place of the excess, nearly a parabola."""
        return math.sqrt(max(top - excess(value), 0.0)) - math.sqrt(top)

    low = lower if best <= lower or distance(lower) <= 0 else _root(distance, lower, best)
    last[0] = start.copy()
    if best >= upper:
        return low, upper
    step = max(best - lower, 1e-3) if not math.isfinite(upper) else (upper - best)
    inside, high = best, best + step
    while (left := -distance(high)) > 0:
        if high >= upper:
            return low, upper
        if high > 1e8:
            return low, math.inf
        # to where a line from the maximum has fallen far enough, and a little further
        times = 1.1 * math.sqrt(top) / max(math.sqrt(top) - left, 1e-9)
        inside, high = high, min(best + min(max(times, 2.0), 50.0) * (high - best), upper)
    return low, _root(distance, inside, high)


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    return float(brentq(function, low, high, xtol=1e-13, rtol=1e-11))


def variances_of_levels(fit: Multilevel, new: Any, within: Any, rows: int) -> Any:
    """Return the tau2 of rows to predict: 0 without a structure, NaN where variances differ by level and the level is not known.

    Raises
    ------
    SpecError
        If a level is unknown.
    """
    if not fit.structure:
        return 0.0
    variances = np.atleast_1d(np.asarray(fit.tau2, dtype=float))
    if len(variances) == 1:
        return variances[0]
    column = fit.likelihood.components[0].name.partition(" | ")[0]
    if within is None and hasattr(new, "keys") and column in new:
        within = new[column]
    if within is None:
        return math.nan
    places = {str(level): i for i, level in enumerate(fit.levels)}
    labels = [within] if isinstance(within, str) or not hasattr(within, "__iter__") else list(within)
    if len(labels) not in (1, rows):
        raise SpecError(f"within should be one level per row, but has {len(labels)} for {rows} rows")
    found = []
    for label in labels:
        text = str(label) if str(label) in places or not isinstance(label, float) else f"{label:g}"
        if text not in places:
            raise unknown_name("level", label, places)
        found.append(variances[places[text]])
    return np.array(found)


def predicted_effects(fit: Multilevel) -> dict[str, pd.DataFrame]:
    """Return the predicted random effects of each grouping; see ``Multilevel.random_effects``.

    With D the covariance of the effects of a group and Z their design, the prediction is D Z' P y and its variance D - D Z' P Z D.
    """
    import pandas as pd

    blocks, at = fit.likelihood.blocks, fit.at
    core = at.inverse - at.through @ at.covariance @ at.through.transpose(0, 2, 1)
    found = {}
    q = quantile(fit.level, float(np.min(fit.df)))
    parts = fit.likelihood.split(fit.theta)
    for component, part, place in zip(fit.likelihood.components, parts, blocks.places, strict=True):
        g = component.structure.derivatives(part)[0]
        rows, index = [], []
        group_at = {
            code: np.argwhere((blocks.rows >= 0) & (component.codes[blocks.rows] == code))
            for code in range(component.codes.max() + 1)
        }
        for members in group_at.values():
            block, inside = int(members[0, 0]), members[:, 1]
            z = np.zeros((len(inside), len(g)))
            z[np.arange(len(inside)), place[block, inside]] = 1.0
            estimate = g @ z.T @ at.scaled[block, inside]
            variance = g - g @ z.T @ core[block][np.ix_(inside, inside)] @ z @ g
            label = component.groups[int(blocks.rows[block, inside[0]])]
            for i, level in enumerate(component.levels):
                se = math.sqrt(max(0.0, float(variance[i, i])))
                rows.append(
                    [fit.unit * value for value in (estimate[i], se, estimate[i] - q * se, estimate[i] + q * se)]
                )
                index.append(label if component.structure.size == 1 else (label, level))
        names = (
            pd.Index(index, name="group")
            if component.structure.size == 1
            else pd.MultiIndex.from_tuples(index, names=["group", "level"])
        )
        found[component.name] = pd.DataFrame(rows, index=names, columns=["estimate", "se", "pi_low", "pi_high"])
    return found
