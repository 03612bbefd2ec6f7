"""Figures of the coefficients of an analysis, made from its saved result: with intervals, and their prior and posterior densities."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.figures.coefficients import CoefficientRow, coefficient_forest
from bayesmeta.reporting.figures.densities import DensityPanel, density_panels, scale_note
from bayesmeta.reporting.figures.widths import within
from bayesmeta.reporting.numbers import is_missing
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.report.model_figures import Model, analysis_title, drawn_by, is_ratio, notes_of
from bayesmeta.reviews.report.moderators import SHOWN, bayesian_method, rows_of, shown_method
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def density_figure(review: Review, analysis: Analysis, result: AnalysisResult, model: Model) -> Figure:
    """Draw prior and posterior of the coefficients and of tau of a model, by the method that tables show."""
    panels: list[DensityPanel] = []
    shown = ""
    for method, drawn in drawn_by(result, model):
        if not panels:
            panels, shown = [_panel(one) for one in drawn.get("densities", ())], method_label(method)
    draw = partial(
        density_panels,
        panels,
        title=f"{analysis_title(analysis)}: prior and posterior",
        notes=notes_of(review, analysis, scale_note(analysis.measure), f"Model: {model['model']}; {shown}"),
    )
    return within(review.settings.figure_inches, draw)


def _panel(one: Model) -> DensityPanel:
    x, prior, posterior = (np.asarray(one[name], dtype=float) for name in ("x", "prior", "posterior"))
    both = np.minimum(prior, posterior)
    overlap = float(np.trapezoid(np.where(np.isfinite(both), both, 0.0), x)) if np.isfinite(prior).any() else math.nan
    return DensityPanel(one["term"], x, prior, posterior, min(overlap, 1.0))


def coefficient_figure(review: Review, analysis: Analysis, result: AnalysisResult, models: Sequence[Model]) -> Figure:
    """Draw the coefficients of all formulas of an analysis, numbers per standard deviation so that they have one axis.

    Of ratios they are factors, on a logarithmic axis.
    """
    rows: list[CoefficientRow] = []
    several = len(models) > 1
    counted = Counter(name for model in models for name in _scales(model))
    for model in models:
        methods = rows_of(result, model["model"])
        names = [bayesian_method(methods, result), shown_method(methods, SHOWN)]
        for name, scale in _scales(model).items():
            term = f"{name}, in {model['model']}" if counted[name] > 1 else name
            for method in filter(None, names):
                row = methods.get(method, {}).get((name, ""), {})
                if is_missing(row.get("estimate")):
                    continue
                kind = "frequentist" if parse_method(method) is None else "bayes"
                middle, low, high = _scaled(row, scale, is_ratio(analysis))
                rows.append(CoefficientRow(term, method_label(method), middle, low, high, kind))
    unique = {(row.term, row.method): row for row in rows}
    unit = "per standard deviation of numbers, per level of categories"
    draw = partial(
        coefficient_forest,
        list(unique.values()),
        xlabel=f"{'Factor of the ' if is_ratio(analysis) else 'Difference of the '}{analysis.measure} {unit}",
        title=f"{analysis_title(analysis)}: coefficients",
        level=review.level_of(analysis),
        log=is_ratio(analysis),
        notes=notes_of(review, analysis, "Each model on its own" if several else ""),
    )
    return within(review.settings.figure_inches, draw)


def _scales(model: Model) -> dict[str, float]:
    """Return the columns of X that vary, each with its standard deviation, or 1 where it has two values."""
    x = np.array([point["x"] for point in model["points"]], dtype=float)
    found = {}
    for i, name in enumerate(model["coefficients"]):
        values = np.unique(x[:, i])
        if len(values) > 1:
            found[name] = float(x[:, i].std(ddof=1)) if len(values) > 2 else 1.0
    return found


def _scaled(row: Model, scale: float, log: bool) -> tuple[float, float, float]:
    """Return a coefficient (natural scale: a factor for ratios) per ``scale`` units."""
    estimate, low, high = (
        math.nan if is_missing(row.get(n)) else float(row[n]) for n in ("estimate", "ci_low", "ci_high")
    )
    return (estimate**scale, low**scale, high**scale) if log else (estimate * scale, low * scale, high * scale)
