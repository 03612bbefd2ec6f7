"""Forest plot of a model of dependent estimates, for ``forest``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.plotting.names import method_name
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.reporting.figures.grouped import pooled_summary
from bayesmeta.reporting.figures.named_layouts import Layout
from bayesmeta.reporting.figures.nested import NEW_STUDY, nested_forest
from bayesmeta.reporting.numbers import estimate, number, typographic
from bayesmeta.results.models.nested import (
    nested_points,
    new_study,
    posterior_points,
    posterior_study_means,
    study_means,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def forest_of_nested(
    fit: Multilevel | Posterior,
    *,
    level: float,
    title: str,
    groups: tuple[str, str],
    better: str | None,
    notes: Sequence[str],
    width: float | None,
    layout: Layout,
) -> Figure:
    """Draw estimates under the header of their study, with the mean of each study and all together; arguments as in ``forest``.

    Raises
    ------
    SpecError
        If the fit has moderators, a structure or one estimate per study throughout, or is an average of models.
    """
    shared: dict[str, Any] = {
        "level": level, "arms": groups, "better": better, "width_inches": width, "measure": fit.measure,
        "title": title or fit.measure, "layout": layout,
    }  # fmt: skip
    percent = f"{100 * level:g}%"
    if isinstance(fit, Posterior):
        means, points = posterior_study_means(fit, level), posterior_points(fit)
        assert fit.data.nesting is not None
        low, middle, high = fit.quantile(MEAN, np.array([0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level]))
        row = _natural(fit.measure, (middle, low, high, *new_study(fit, level)))
        kept = [name for name in ("tau", "rho") if name in fit.terms]
        scales = [_scale(name, fit, level) for name in kept]
        return nested_forest(
            points, means, [pooled_summary(layout.pooled("All studies", f"{percent} CrI"), row, "bayes", NEW_STUDY)],
            outer=fit.data.nesting.levels[0], credible=True, heterogeneity=f"Heterogeneity: {', '.join(scales)}",
            notes=[f"Priors: {', '.join(f'{name} ~ {text}' for name, text in fit.priors.to_dict().items())}", *notes],
            **shared,
        )  # fmt: skip
    if not fit.matrix.design.is_mean or fit.structure or not len(fit.sigma2):
        raise SpecError(
            "the forest plot of a multilevel model needs one with nesting= and without moderators or structure=; bubble and "
            "coefficient_forest draw moderators"
        )
    found = fit.coefficients.iloc[0]
    if level != fit.level:
        raise SpecError(
            f"this model has intervals of level {fit.level:g}; for others call multilevel(..., level={level:g})"
        )
    row = _natural(fit.measure, (found["estimate"], found["ci_low"], found["ci_high"], *new_study(fit, level)))
    levels = [
        f"τ² = {number(value)} ({name}), I² = {share:.0f}%"
        for name, value, share in zip(fit.sigma2_names, fit.sigma2, fit.i2_by_level, strict=True)
    ]
    return nested_forest(
        nested_points(fit.labels, fit.y, fit.sampling.variances, fit.outer or fit.labels), study_means(fit, level),
        [pooled_summary(layout.pooled("All studies", f"{percent} CI"), row, "frequentist", NEW_STUDY)],
        outer=fit.sigma2_names[0], credible=False,
        heterogeneity=typographic(f"Heterogeneity ({method_name(fit.method)}): {'; '.join(levels)}", powers=True),
        notes=notes, **shared,
    )  # fmt: skip


def _natural(measure: str, values: tuple[float, ...]) -> dict[str, float]:
    """Return a pooled result on the natural scale."""
    back: Any = np.exp if MEASURES[measure].log else float
    names = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
    return {
        name: float(back(value)) if math.isfinite(value) else math.nan
        for name, value in zip(names, values, strict=True)
    }


def _scale(name: str, fit: Posterior, level: float) -> str:
    """Write a measure of heterogeneity with its interval."""
    low, middle, high = fit.quantile(name, np.array([0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level]))
    symbol = {"tau": "τ", "rho": "share between studies ρ"}[name]
    return typographic(f"{symbol} = {estimate(middle, low, high)}", powers=True)
