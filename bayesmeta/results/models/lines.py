"""Effects along a moderator, the others at their means or at stated values: what bubble plots are drawn from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.effects.model_matrix import ModelMatrix
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.predictions import matrix_of, predict
from bayesmeta.support.arrays import Array
from bayesmeta.support.wrong_kind import wrong_kind

#: values of a numeric moderator at which effects are computed
POINTS = 41
#: those at which they are computed where each takes long (arm-level likelihoods by quadrature); between them is a cubic spline
KNOTS = 7
#: numbers at each value: the effect (a median where it is a posterior), the ends of its interval and of the prediction interval
COLUMNS = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
#: where another moderator is: at a stated value, at its mean, or in the proportions of the estimates
STATED, AT_MEAN, IN_PROPORTION = PLACES = ("stated", "mean", "proportion")


@dataclass(frozen=True, eq=False)
class ModeratorLine:
    """Effects along a moderator, on the model scale (log for ratios).

    Parameters
    ----------
    moderator : str
        Name of the moderator.
    category : bool
        Whether it is a category.
    at : tuple
        Values, increasing, or levels of the category; m of them.
    values : mapping of str to numpy.ndarray, shape (m,)
        The numbers of ``COLUMNS``; the prediction interval is NaN where the model has none.
    others : tuple of (str, str, value)
        Where the other moderators are: name, one of ``PLACES``, and the value ("" where there is none).
    """

    moderator: str
    category: bool
    at: tuple[Any, ...]
    values: Mapping[str, Array]
    others: tuple[tuple[str, str, Any], ...]

    def plain(self) -> dict[str, Any]:
        """Return it as JSON has it."""
        numbers = {name: [float(one) for one in self.values[name]] for name in COLUMNS}
        at = [str(one) if self.category else float(one) for one in self.at]
        return {
            "moderator": self.moderator,
            "category": self.category,
            "at": at,
            **numbers,
            "others": [list(one) for one in self.others],
        }


def moderator_line(
    fit: Regression | Multilevel | Posterior,
    moderator: str,
    *,
    at: Mapping[str, Any] | None = None,
    level: float = 0.95,
    points: int = POINTS,
) -> ModeratorLine:
    """Compute effects along a moderator, from its smallest to its greatest value and no further, or at each of its levels.

    Other moderators are averaged over the estimates: numbers are at their means, categories in the proportions of the estimates.

    Parameters
    ----------
    fit : Regression, Multilevel or Posterior
        A fit with moderators.
    moderator : str
        A column of the formula, as `moderator_named` returns it.
    at : mapping, optional
        Values of other moderators.
    level : float
        Level of the intervals.
    points : int
        Values of a numeric moderator.

    Raises
    ------
    SpecError
        If the moderator interacts with another one whose value is not stated, or a stated one is not in the model.
    """
    matrix = model_matrix_of(fit)
    stated = dict(at or {})
    others = [name for name in moderators_of(matrix) if name != moderator]
    for name in stated:
        if name not in others:
            raise unknown_name("other moderator of this model", name, others)
    _refuse_interactions(matrix, moderator, stated)
    values = column_of(matrix, moderator)
    category = is_category(matrix, moderator)
    slow = isinstance(fit, Posterior) and fit.engine == "quadrature" and fit.likelihood != "normal"
    knots = min(points, KNOTS) if slow else points
    where: Any = levels_of(values) if category else np.linspace(np.min(values), np.max(values), knots)
    found = predict(fit, _rows(matrix, moderator, where, stated), level=level)
    middle = "median" if isinstance(fit, Posterior) else "estimate"
    numbers = {name: found[middle if name == "estimate" else name].to_numpy(float) for name in COLUMNS}
    if not category and knots < points:
        numbers, where = _between(where, numbers, points)
    return ModeratorLine(moderator, category, tuple(where), numbers, _others(matrix, others, stated))


def model_matrix_of(fit: Any, what: str = "a figure of moderators") -> ModelMatrix:
    """Return the model matrix of a fit; ``what`` is the function that needs it, for messages.

    Raises
    ------
    SpecError
        If it is not a fit, or has no moderators.
    """
    if not isinstance(fit, (Regression, Multilevel, Posterior)):
        raise wrong_kind(what, "a meta-regression, as regression, multilevel or fit return it", fit)
    matrix = matrix_of(fit.data) if isinstance(fit, Posterior) else fit.matrix
    if matrix.design.is_mean:
        raise SpecError("this fit has no moderators; a bubble plot is of a fit with moderators=")
    return matrix


def moderators_of(matrix: ModelMatrix) -> tuple[str, ...]:
    """Return the names of the moderators: columns of the formula, or of X where X was given without its constant columns."""
    if matrix.formula is not None:
        return matrix.moderators
    return tuple(name for i, name in enumerate(matrix.design.names) if np.ptp(matrix.x[:, i]) > 0)


def moderator_named(matrix: ModelMatrix, name: str | None) -> str:
    """Return the moderator that a name means: a column of the formula, or a coefficient of one; without a name the only one there is.

    Raises
    ------
    SpecError
        If there is no such moderator, or there are several and none is named.
    """
    known = moderators_of(matrix)
    if name is None:
        if len(known) != 1:
            raise SpecError(f"say which moderator the plot is of; those of this model: {', '.join(known) or 'none'}")
        return known[0]
    if name in known:
        return name
    for term in matrix.terms:
        if name == term.name or name in [matrix.design.names[i] for i in term.columns]:
            used = [one for one in known if any(_uses(factor, one) for factor in term.factors)]
            if len(used) == 1:
                return used[0]
    raise unknown_name("moderator of this model", name, known)


def column_of(matrix: ModelMatrix, moderator: str) -> Array:
    """Return the values of a moderator, one per estimate that enters."""
    if matrix.formula is None:
        return matrix.x[:, matrix.design.names.index(moderator)]
    column: Any = matrix.values[moderator] if moderator in matrix.values else matrix.parts[moderator]
    return np.asarray(column)[matrix.used]


def is_category(matrix: ModelMatrix, moderator: str) -> bool:
    """Whether a moderator is a category."""
    return moderator in matrix.categories or column_of(matrix, moderator).dtype.kind not in "fiu"


def levels_of(values: Array) -> list[Any]:
    """Return the levels of a category in the order of their names, which is that of the coefficients."""
    return sorted(dict.fromkeys(values.tolist()))


def _uses(factor: str, column: str) -> bool:
    """Whether a factor of a term is made from a column."""
    return factor == column or re.search(rf"(?<![\w.]){re.escape(column)}(?![\w.])", factor) is not None


def _between(knots: Array, numbers: Mapping[str, Array], points: int) -> tuple[dict[str, Array], Array]:
    """Return the numbers at equally spaced values, by cubic splines through those at the knots, and the values."""
    from scipy.interpolate import CubicSpline

    fine = np.linspace(knots[0], knots[-1], points)
    known = {name: np.isfinite(values).all() for name, values in numbers.items()}
    return {
        name: CubicSpline(knots, values)(fine) if known[name] else np.full(points, np.nan)
        for name, values in numbers.items()
    }, fine


def _refuse_interactions(matrix: ModelMatrix, moderator: str, stated: Mapping[str, Any]) -> None:
    for term in matrix.terms:
        if len(term.factors) < 2 or not any(_uses(factor, moderator) for factor in term.factors):
            continue
        free = [
            name for name in moderators_of(matrix)
            if name != moderator and name not in stated and any(_uses(factor, name) for factor in term.factors)
        ]  # fmt: skip
        if free:
            raise SpecError(
                f"'{moderator}' is also part of {term.name}, so that its line depends on {free[0]}: state where, as at={{'{free[0]}': ...}}"
            )


def _rows(matrix: ModelMatrix, moderator: str, where: Any, stated: Mapping[str, Any]) -> Array:
    """Return the rows of X at each value, averaged over the estimates where others are not stated."""
    m, k = len(where), int(matrix.used.sum())
    if matrix.formula is None:
        rows = np.tile(matrix.x.mean(axis=0), (m, 1))
        for name, value in stated.items():
            rows[:, matrix.design.names.index(name)] = value
        rows[:, matrix.design.names.index(moderator)] = where
        return rows
    frame: dict[str, Any] = {}
    for name in moderators_of(matrix):
        if name == moderator:
            frame[name] = np.repeat(np.asarray(where), k)
        else:
            frame[name] = np.tile(np.full(k, stated[name]) if name in stated else column_of(matrix, name), m)
    x, _ = matrix.rows_for(frame)
    return x.reshape(m, k, -1).mean(axis=1)


def _others(matrix: ModelMatrix, others: list[str], stated: Mapping[str, Any]) -> tuple[tuple[str, str, Any], ...]:
    """Return where the other moderators are."""
    found: list[tuple[str, str, Any]] = []
    for name in others:
        if name in stated:
            value = stated[name]
            found.append((name, STATED, float(value) if isinstance(value, (int, float, np.number)) else str(value)))
        elif is_category(matrix, name):
            found.append((name, IN_PROPORTION, ""))
        else:
            found.append((name, AT_MEAN, float(np.mean(column_of(matrix, name)))))
    return tuple(found)
