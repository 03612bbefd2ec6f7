"""Public plots of models with moderators: the bubble plot."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.model_matrix import ModelMatrix
from bayesmeta.engines.normal.solve import QuadratureSolution
from bayesmeta.engines.terms import TAU
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.frequentist.wald import quantile
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.reporting.figures.bubble import bubble as draw_bubble
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: points of the regression line
_POINTS = 81


def bubble(
    fit: Regression | Posterior,
    moderator: str | None = None,
    *,
    level: float | None = None,
    labels: bool | Sequence[str] = True,
    title: str = "",
    xlabel: str = "",
    notes: Sequence[str] = (),
    width: float = 6.85,
) -> Figure:
    """Draw a bubble plot: estimates against a numeric moderator, with the regression line and its intervals.

    Parameters
    ----------
    fit : Regression or Posterior
        A meta-regression, by ``regression`` or by ``fit`` with moderators and quadrature.
    moderator : str, optional
        Coefficient of the moderator; may be left out where there is one besides the intercept.
    level : float, optional
        Level of both intervals; by default that of the regression, or 0.95.
    labels : bool or sequence of str
        Whether studies are named, or the names of those that are. Names that would overlap are left out, which a note says.
    title, xlabel : str
        Heading, and name of the moderator on the axis; by default the measure and the moderator.
    notes : sequence of str
        Notes below the figure, each on a line of its own.
    width : float
        Width of the figure in inches, 3.3 to 14.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale (ratios on a logarithmic axis). Areas of circles are proportional to 1 / (sampling variance + tau2), tau2 being the
        estimate or, in a posterior, the square of tau's median. Other coefficients are at the means of their columns, which a note says.

    Raises
    ------
    SpecError
        If the model has no such moderator, it is a category or part of an interaction or transformation, or an argument is not possible.

    Examples
    --------
    >>> from bayesmeta import regression
    >>> found = regression(yi=[0.1, 0.4, 0.5, 0.9], vi=[0.1, 0.1, 0.2, 0.1], moderators="~ dose", data={"dose": [1, 2, 3, 4]})
    >>> bubble(found).axes[0].get_yscale()
    'linear'
    """
    if not isinstance(fit, (Regression, Posterior)):
        raise SpecError(
            f"bubble draws a meta-regression, as regression or fit with moderators returns it, but got {type(fit).__name__}"
        )
    matrix = fit.matrix if isinstance(fit, Regression) else fit.data.matrix
    if matrix is None:
        raise SpecError("this posterior has no moderators; a bubble plot is of a fit with moderators=")
    column = _column(matrix, moderator)
    name = matrix.design.names[column]
    shown = level if level is not None else fit.level if isinstance(fit, Regression) else 0.95
    check_level(shown)
    x = matrix.x
    values = x[:, column]
    # the line reaches from the smallest to the greatest value of the studies, and no further
    at = np.linspace(values.min(), values.max(), _POINTS)
    rows = np.tile(x.mean(axis=0), (_POINTS, 1))
    rows[:, column] = at
    if isinstance(fit, Regression):
        line, band, prediction, effects, weights = _by_regression(fit, rows, shown)
        kind = "confidence"
    else:
        line, band, prediction, effects, weights = _by_posterior(fit, rows, shown)
        kind = "credible"
    log = MEASURES[fit.measure].log
    natural = np.exp if log else np.asarray
    study_labels = fit.labels if isinstance(fit, Regression) else fit.data.labels
    others = [one for i, one in enumerate(matrix.design.names) if i != column and not _constant(x[:, i])]
    at_means = f"The line is at the means of the other moderators ({', '.join(others)})" if others else ""
    percent = f"{100 * shown:g}%"
    area = "Area of circles: weight, 1 / (sampling variance + τ²)"
    return draw_bubble(
        values,
        natural(effects),
        weights,
        _chosen(study_labels, labels),
        line_x=at,
        line=natural(line),
        band=(natural(band[0]), natural(band[1])),
        prediction=(natural(prediction[0]), natural(prediction[1])),
        log=log,
        xlabel=xlabel or name,
        ylabel=fit.measure,
        title=title or f"{fit.measure} by {name}",
        band_name=f"{percent} {kind} interval",
        prediction_name=f"{percent} prediction interval",
        notes=[area, *([at_means] if at_means else []), *notes],
        width_inches=width,
    )


def _constant(values: Array) -> bool:
    return bool(np.ptp(values) == 0)


def _column(matrix: ModelMatrix, moderator: str | None) -> int:
    """Return the column of X that is the moderator itself, in no other term."""
    names = matrix.design.names
    # a dummy of a category is written with its level in brackets
    numeric = {
        names[term.columns[0]]: term.columns[0]
        for term in matrix.terms
        if len(term.columns) == 1 and len(term.factors) == 1 and "[" not in names[term.columns[0]]
    }
    if moderator is None:
        if len(numeric) != 1:
            known = ", ".join(numeric) or "none"
            raise SpecError(f"say which moderator the plot is of; numeric ones of this model: {known}")
        moderator = next(iter(numeric))
    if moderator not in numeric:
        if any(one.startswith(f"{moderator}[") for one in names):
            raise SpecError(f"'{moderator}' is a category, which has no line; draw its groups with subgroups(by=...)")
        raise unknown_name("numeric moderator of this model", moderator, numeric)
    factor = next(iter(next(t.factors for t in matrix.terms if t.columns == (numeric[moderator],))))
    elsewhere = [
        t.name for t in matrix.terms if t.columns != (numeric[moderator],) and any(factor in f for f in t.factors)
    ]
    if elsewhere:
        raise SpecError(
            f"'{moderator}' is also part of {', '.join(elsewhere)}, so that one line does not show its effect; draw a model without that"
        )
    return numeric[moderator]


def _by_regression(
    fit: Regression, rows: Array, level: float
) -> tuple[Array, tuple[Array, Array], tuple[Array, Array], Array, Array]:
    line = rows @ fit.estimates
    variance = ((rows @ fit.covariance) * rows).sum(axis=1)
    q = quantile(level, fit.df)
    half, wide = q * np.sqrt(variance), q * np.sqrt(variance + fit.tau2)
    return line, (line - half, line + half), (line - wide, line + wide), fit.data.y, 1 / (fit.data.v + fit.tau2)


def _by_posterior(
    fit: Posterior, rows: Array, level: float
) -> tuple[Array, tuple[Array, Array], tuple[Array, Array], Array, Array]:
    solution = fit.solution
    if not isinstance(solution, QuadratureSolution):
        raise SpecError(
            "the bubble plot of a posterior needs the normal likelihood by quadrature; fit with likelihood='normal', engine='quadrature'"
        )
    names = tuple(map(str, range(len(rows))))
    tails = np.array([[0.5], [0.5 - 0.5 * level], [0.5 + 0.5 * level]])
    line, low, high = solution.combinations(rows, names).quantile(tails)
    _, below, above = solution.combinations(rows, names, new_study=True).quantile(tails)
    tau = float(fit.quantile(TAU, 0.5))
    return line, (low, high), (below, above), fit.data.guide_effect, 1 / (fit.data.study_variance + tau**2)


def _chosen(labels: Sequence[str], wanted: bool | Sequence[str]) -> list[str]:
    if isinstance(wanted, bool):
        return list(labels) if wanted else [""] * len(labels)
    chosen = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in chosen:
        if name not in labels:
            raise unknown_name("study", name, labels)
    return [label if label in chosen else "" for label in labels]
