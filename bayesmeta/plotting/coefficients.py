"""Public plots of coefficients: coefficient forest, prior and posterior, and sweep over the sampling correlation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.frequentist.wald import coefficient_frame
from bayesmeta.plotting.names import method_name
from bayesmeta.posterior.method import parse_method
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.prior_posterior import PriorPosterior, prior_posterior
from bayesmeta.posterior.scale import check_scale
from bayesmeta.posterior.summary import summarize
from bayesmeta.reporting.figures.coefficients import CoefficientRow
from bayesmeta.reporting.figures.coefficients import coefficient_forest as draw_coefficients
from bayesmeta.reporting.figures.densities import DensityPanel, density_panels, scale_note
from bayesmeta.reporting.figures.sweep import SweepRow, sweep
from bayesmeta.results.methods import method_label
from bayesmeta.support.arguments import check_level
from bayesmeta.support.wrong_kind import is_result, wrong_kind

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


Fit = Regression | Multilevel | Posterior


def coefficient_forest(
    fits: Fit | Mapping[str, Fit],
    *,
    level: float = 0.95,
    scale: str = "model",
    standardised: bool = False,
    intercept: bool = False,
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 6.85,
) -> Figure:
    """Draw the coefficients of meta-regressions with their intervals, several methods side by side.

    Parameters
    ----------
    fits : Regression, Multilevel, Posterior or mapping
        One meta-regression; or several of one measure, by the names under which they are drawn.
    level : float
        Level of all intervals.
    scale : str
        ``"model"``, or ``"natural"``: of ratios, the factor by which the ratio changes, on a logarithmic axis.
    standardised : bool
        Whether coefficients are per standard deviation of their column of the design matrix instead of per unit.
    intercept : bool
        Whether the intercept is drawn too.
    title : str
        Heading; by default the measure.
    notes : sequence of str
        Notes below the figure, each on a line of its own.
    width : float
        Width of the figure in inches, 3.3 to 14.

    Returns
    -------
    matplotlib.figure.Figure
        Coefficients by default on the model scale (log for ratios); of posteriors the medians with equal-tailed intervals.

    Raises
    ------
    SpecError
        If something is not a meta-regression, measures differ, or there is no coefficient to draw.
    """
    check_level(level)
    check_scale(scale)
    named = fits if isinstance(fits, Mapping) else {_name(fits): fits}
    rows: list[CoefficientRow] = []
    measures = []
    for name, fit in named.items():
        matrix = (
            fit.matrix
            if isinstance(fit, (Regression, Multilevel))
            else fit.data.matrix
            if isinstance(fit, Posterior)
            else None
        )
        if matrix is None:
            if isinstance(fit, Posterior):
                raise SpecError(
                    f"'{name}' is not a fit with moderators; coefficient_forest draws results of regression, multilevel and fit "
                    "with moderators=; forest and tau_plot draw others"
                )
            raise wrong_kind("coefficient_forest", "results of regression, multilevel and fit with moderators=", fit)
        measures.append(fit.measure)
        numbers = _interval_rows(fit, level)
        for i, term in enumerate(matrix.design.names):
            constant = float(np.ptp(matrix.x[:, i])) == 0
            if constant and not intercept:
                continue
            sd = float(matrix.x[:, i].std(ddof=1)) if standardised and not constant else 1.0
            factor = scale == "natural" and MEASURES[fit.measure].log
            kind = "bayes" if isinstance(fit, Posterior) else "frequentist"
            middle, low, high = (_scaled(value, sd, factor) for value in numbers[term])
            rows.append(CoefficientRow(term, str(name), middle, low, high, kind))
    if len(set(measures)) > 1:
        raise SpecError(
            f"coefficients of different measures ({', '.join(dict.fromkeys(measures))}) have no common axis"
        )
    log = bool(measures) and MEASURES[measures[0]].log
    natural = log and scale == "natural"
    measure = measures[0] if measures else ""
    shown = f"Factor of the {measure}" if natural else f"Coefficient ({'log ' if log else ''}{measure}"
    unit = f"per {'standard deviation' if standardised else 'unit'} of the column"
    return draw_coefficients(
        rows,
        xlabel=f"{shown} {unit}" if natural else f"{shown} {unit})",
        title=title or (f"Coefficients, {measure}" if measures else ""),
        level=level,
        log=natural,
        notes=notes,
        width_inches=width,
    )


def _scaled(value: float, sd: float, factor: bool) -> float:
    """Return a coefficient per ``sd`` units, as a factor or not."""
    return math.exp(sd * value) if factor else sd * value


def _name(fit: Any) -> str:
    return method_name(fit.method, fit.ci) if isinstance(fit, (Regression, Multilevel)) else "Bayesian"


def _interval_rows(fit: Fit, level: float) -> dict[str, tuple[float, float, float]]:
    if isinstance(fit, (Regression, Multilevel)):
        frame = coefficient_frame(fit.names, fit.estimates, np.sqrt(np.diagonal(fit.covariance)), fit.df, level)
        columns = ["estimate", "ci_low", "ci_high"]
    else:
        frame, columns = summarize(fit, level=level), ["median", "ci_low", "ci_high"]
    values = zip(frame.index, *(frame[column].to_list() for column in columns), strict=True)
    return {str(name): (float(middle), float(low), float(high)) for name, middle, low, high in values}


def prior_posterior_plot(
    found: Posterior | PriorPosterior,
    *,
    terms: Sequence[str] | None = None,
    title: str = "Prior and posterior",
    notes: Sequence[str] = (),
    width: float = 6.85,
) -> Figure:
    """Draw the prior (dashed) and posterior (filled) density of each coefficient and of tau, with the overlap of both.

    Parameters
    ----------
    found : Posterior or PriorPosterior
        A fit, or what ``prior_posterior`` returned for it.
    terms : sequence of str, optional
        Terms that are drawn; by default all that are not fixed by their prior.
    title : str
        Heading.
    notes, width
        As in ``coefficient_forest``.

    Returns
    -------
    matplotlib.figure.Figure
        Model scale (log for ratios).

    Raises
    ------
    SpecError
        If a term is unknown or fixed by its prior, or all are.
    """
    if not isinstance(found, (Posterior, PriorPosterior)):
        raise wrong_kind("prior_posterior_plot", "a posterior, or the result of prior_posterior", found)
    compared = prior_posterior(found) if isinstance(found, Posterior) else found
    scale = [scale_note(found.measure)] if isinstance(found, Posterior) else []
    chosen = list(terms) if terms is not None else [str(t) for t, sd in compared.table["sd"].items() if sd > 0]
    panels = []
    for term in chosen:
        density = compared.densities(term)
        overlap = float(compared.table["overlap"].to_dict()[term])
        panels.append(DensityPanel(term, density["x"], density["prior"], density["posterior"], overlap))
    return density_panels(panels, title=title, notes=[*scale, *notes], width_inches=width)


def sweep_plot(
    table: pd.DataFrame,
    *,
    measure: str,
    term: str | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 5.0,
) -> Figure:
    """Draw pooled estimates with intervals against the sampling correlation.

    Parameters
    ----------
    table : pandas.DataFrame
        As ``correlation_sweep`` returns it with ``scale="natural"``: columns correlation, method, term, estimate, ci_low, ci_high.
    measure : str
        Effect measure, for the axis: logarithmic for ratios.
    term : str, optional
        Coefficient that is drawn; by default the first of the table.
    title : str
        Heading; by default the measure.
    notes, width
        As in ``coefficient_forest``.

    Raises
    ------
    SpecError
        If the measure or the term is unknown, a column is missing, or no row has an estimate.
    """
    if is_result(table) or not hasattr(table, "columns"):
        raise wrong_kind("sweep_plot", "the table of correlation_sweep(..., scale='natural')", table)
    if measure not in MEASURES:
        raise unknown_name("measure", measure, MEASURES)
    needed = ("correlation", "method", "term", "estimate", "ci_low", "ci_high")
    missing = [name for name in needed if name not in getattr(table, "columns", ())]
    if missing:
        raise SpecError(
            f"the table lacks {', '.join(missing)}; give what correlation_sweep(..., scale='natural') returns"
        )
    # a fit that failed has a row without term and numbers
    known = [str(one) for one in dict.fromkeys(table["term"].dropna()) if str(one)]
    if term is None:
        term = known[0] if known else ""
    elif term not in known:
        raise unknown_name("term", term, known)
    log = MEASURES[measure].log
    chosen = table[table["term"] == term]
    rows = []
    for r in chosen.itertuples():
        correlation, middle, low, high = map(_number, (r.correlation, r.estimate, r.ci_low, r.ci_high))
        kind = "frequentist" if parse_method(str(r.method)) is None else "bayes"
        rows.append(SweepRow(method_label(str(r.method)), correlation, middle, low, high, kind))
    label = measure if term == "mu" else f"{measure}, {term}"
    return sweep(
        rows, log=log, ylabel=f"{label} with interval", title=title or measure, notes=notes, width_inches=width
    )


def _number(value: Any) -> float:
    return math.nan if value is None else float(value)
