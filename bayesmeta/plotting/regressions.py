"""Public plots of models with moderators: the bubble plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.terms import TAU
from bayesmeta.errors import unknown_name
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.reporting.figures.bubble_rows import BubblePoints, bubble_of
from bayesmeta.results.models.lines import column_of, model_matrix_of, moderator_line, moderator_named
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: points of the regression line
_POINTS = 81


def bubble(
    fit: Regression | Multilevel | Posterior,
    moderator: str | None = None,
    *,
    at: Mapping[str, Any] | None = None,
    level: float | None = None,
    labels: bool | Sequence[str] = True,
    title: str = "",
    xlabel: str = "",
    notes: Sequence[str] = (),
    width: float = 6.85,
) -> Figure:
    """Draw a bubble plot: estimates against a moderator, with the effect along it and its intervals.

    Parameters
    ----------
    fit : Regression, Multilevel or Posterior
        A fit with moderators, by ``regression``, ``multilevel`` or ``fit``, with any likelihood and engine.
    moderator : str, optional
        A moderator of the formula, a number or a category, or a coefficient of one; may be left out where there is one moderator.
    at : mapping, optional
        Values of other moderators. By default numbers are at their means, and categories in the proportions of the estimates, which a note
        says.
    level : float, optional
        Level of both intervals; by default that of a frequentist fit, or 0.95.
    labels : bool or sequence of str
        Whether studies are named, or the names of those that are. Names that would overlap are left out, which a note says.
    title, xlabel : str
        Heading, and name of the moderator on the axis; by default the measure and the moderator.
    notes, width
        As in ``coefficient_forest``.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale (ratios on a logarithmic axis). A category has a column per level, in which circles are moved sideways so that they do
        not cover each other. Effects and intervals are those of ``predict``; of counts by quadrature at seven values, with cubic splines
        between them. Areas of circles are proportional to
        1 / (sampling variance + tau2), tau2 being the estimate or, in a posterior, the square of tau's median.

    Raises
    ------
    SpecError
        If the model has no such moderator, it interacts with another whose value is not stated, or an argument is not possible.

    Examples
    --------
    >>> from bayesmeta import regression
    >>> found = regression(yi=[0.1, 0.4, 0.5, 0.9], vi=[0.1, 0.1, 0.2, 0.1], moderators="~ dose", data={"dose": [1, 2, 3, 4]})
    >>> bubble(found).axes[0].get_yscale()
    'linear'
    """
    matrix = model_matrix_of(fit, "bubble")
    name = moderator_named(matrix, moderator)
    posterior = isinstance(fit, Posterior)
    shown = level if level is not None else 0.95 if isinstance(fit, Posterior) else fit.level
    check_level(shown)
    line = moderator_line(fit, name, at=at, level=shown, points=_POINTS)
    estimates, weights, names = _estimates(fit)
    values = column_of(matrix, name)
    return bubble_of(
        line.plain(),
        BubblePoints(
            [str(one) for one in values] if line.category else values.tolist(),
            estimates,
            weights,
            _chosen(names, labels),
        ),
        measure=fit.measure,
        level=shown,
        credible=posterior,
        title=title or f"{fit.measure} by {name}",
        xlabel=xlabel or name,
        notes=[*_note_on_counts(fit), *notes],
        width_inches=width,
        ratio=MEASURES[fit.measure].log,
    )


def _estimates(fit: Regression | Multilevel | Posterior) -> tuple[Array, Array, Sequence[str]]:
    """Return estimates on the model scale, weights and labels of the estimates that enter."""
    if isinstance(fit, Regression):
        return fit.data.y, 1 / (fit.data.v + fit.tau2), fit.labels
    if isinstance(fit, Multilevel):
        tau2 = float(fit.sigma2.sum()) + float(np.nan_to_num(np.mean(fit.tau2)))
        return fit.y, 1 / (fit.sampling.variances + tau2), fit.labels
    tau = float(fit.quantile(TAU, 0.5)) if TAU in fit.terms else 0.0
    return fit.data.guide_effect, 1 / (fit.data.study_variance + tau**2), fit.data.labels


def _note_on_counts(fit: Regression | Multilevel | Posterior) -> list[str]:
    """Return a note where estimates that are drawn are not what the model is fitted to: counts of which some are 0."""
    if not isinstance(fit, Posterior) or fit.likelihood == "normal":
        return []
    counts = [values for name, values in fit.data.columns.items() if name.startswith("events")]
    if not any((np.asarray(values) == 0).any() for values in counts):
        return []
    return [
        "The model is fitted to the counts; circles of studies without events in an arm have a continuity correction"
    ]


def _chosen(labels: Sequence[str], wanted: bool | Sequence[str]) -> list[str]:
    if isinstance(wanted, bool):
        return list(labels) if wanted else [""] * len(labels)
    chosen = [wanted] if isinstance(wanted, str) else list(wanted)
    for name in chosen:
        if name not in labels:
            raise unknown_name("study", name, labels)
    return [label if label in chosen else "" for label in labels]
