"""Public plotting: a forest plot and the density of tau, from studies, effects or a posterior."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import Effects, effects_from_arrays
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.plotting.nested import forest_of_nested
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.scale import to_natural
from bayesmeta.posterior.summary import summarize
from bayesmeta.reporting.figures.from_rows import ForestTexts, forest_from_rows, tau_from_density
from bayesmeta.reporting.figures.named_layouts import layout_of
from bayesmeta.results.rows import frequentist_rows, tidy_frame, tidy_posterior
from bayesmeta.results.studies import study_rows, tau_density
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arguments import check_level
from bayesmeta.support.wrong_kind import is_result, wrong_kind

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SIDES = ("lower", "higher")


def forest(
    studies: Any = None,
    *,
    measure: str | None = None,
    likelihood: str | None = None,
    priors: Priors | Mapping[str, str | Prior] | None = None,
    level: float = 0.95,
    title: str = "",
    groups: tuple[str, str] = ("Experimental", "Control"),
    better: str | None = None,
    notes: Sequence[str] = (),
    yi: ArrayLike | None = None,
    vi: ArrayLike | None = None,
    sei: ArrayLike | None = None,
    ci_low: ArrayLike | None = None,
    ci_high: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    zero_cells: str | None = None,
    smd: str | None = None,
    rom: str | None = None,
    estimates: str | None = None,
    data_level: float | None = None,
    width: float | None = None,
    layout: str = "default",
) -> Figure:
    """Draw a forest plot: studies, their effects in the Bayesian model, and the pooled results.

    Parameters
    ----------
    studies : Posterior, Multilevel, Effects, StudyTable, pandas.DataFrame or path, optional
        A posterior or a result of ``multilevel``, which is drawn as it is; or data as in ``fit``, to which the model is fitted. Where
        studies have several estimates (``nesting=``), these are under the name of their study, with its mean in the model.
    measure, likelihood, priors
        As in ``fit``; not with a posterior.
    level : float
        Level of all intervals drawn, between 0 and 1.
    title : str
        Heading; by default the measure.
    groups : tuple of str
        Names of the experimental and the control arm.
    better : {"lower", "higher"}, optional
        Side of benefit, for the arrows below the axis; without it there are none.
    notes : sequence of str
        Notes below the figure, each on a line of its own.
    yi, vi, sei, ci_low, ci_high, labels, zero_cells, smd, rom, estimates, data_level
        Data as in ``fit``; not with a posterior.
    width : float, optional
        Width of the figure in inches, 3.3 to 14; by default what its columns need. At a given width type becomes smaller, down to 6 points;
        then data of the arms, weights and numbers for which there is no place are left out, which a note says.
    layout : {"default", "revman", "jama", "bmj"}
        Columns, words, numbers and colours: of this package, or after RevMan, JAMA or the BMJ; the latter three without shrunken effects.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale (ratios on a logarithmic axis). ``figure.savefig("forest.pdf")`` writes it.

    Raises
    ------
    DataError
        If the data cannot be used.
    SpecError
        If a name, a prior, a level or a side is not possible, or options of the data are given with a posterior.

    Examples
    --------
    >>> figure = forest(yi=[-0.9, -0.4, -0.5], sei=[0.3, 0.2, 0.4], measure="OR", labels=["A", "B", "C"], better="lower")
    >>> figure.axes[0].get_xscale()
    'log'
    """
    check_level(level)
    if better is not None and better not in _SIDES:
        raise unknown_name("side of benefit", better, _SIDES)
    if isinstance(groups, str) or len(groups) != 2:
        raise SpecError(f"groups should be the names of the two arms, but got {groups!r}")
    chosen = layout_of(layout)
    if is_result(studies) and not isinstance(studies, (Posterior, Multilevel, Effects, StudyTable)):
        raise wrong_kind("forest", "studies, effects, a posterior or a multilevel model", studies)
    of_data: dict[str, Any] = {
        "measure": measure, "yi": yi, "vi": vi, "sei": sei, "ci_low": ci_low, "ci_high": ci_high, "labels": labels,
        "zero_cells": zero_cells, "smd": smd, "rom": rom, "estimates": estimates, "data_level": data_level,
    }  # fmt: skip
    if isinstance(studies, (Posterior, Multilevel)):
        given = [
            name for name, value in {**of_data, "likelihood": likelihood, "priors": priors}.items() if value is not None
        ]
        if given:
            raise SpecError(f"a fit has its data and model already; leave out {', '.join(given)}")
        if isinstance(studies, Multilevel) or studies.data.nesting is not None:
            return forest_of_nested(
                studies, level=level, title=title, groups=(str(groups[0]), str(groups[1])), better=better, notes=notes,
                width=width, layout=chosen,
            )  # fmt: skip
        posterior, effects = studies, _effects_of(studies)
    else:
        effects = effect_sizes(studies, **of_data)
        posterior = fit(effects, likelihood=likelihood, priors=priors)
    summary = summarize(posterior, level=level, studies=False)
    # estimates that share arms have neither the weights nor the summary rows of independent ones
    independent = effects.covariance.diagonal
    rows = [*tidy_posterior(posterior, summary), *(frequentist_rows(effects, level=level) if independent else ())]
    low, high = summary.loc["tau", ["ci_low", "ci_high"]]
    return forest_from_rows(
        study_rows(effects, posterior, level, weights=independent),
        [{str(name): value for name, value in row.items()} for row in to_natural(tidy_frame(rows)).to_dict("records")],
        primary=posterior.method,
        measure=effects.measure,
        level=level,
        texts=ForestTexts(title or effects.measure, (str(groups[0]), str(groups[1])), better, tuple(notes)),
        tau={"median": summary.loc["tau", "median"], "ci_low": low, "ci_high": high},
        priors=", ".join(f"{name} ~ {text}" for name, text in posterior.priors.to_dict().items()),
        width_inches=width,
        layout=chosen,
    )


def _effects_of(posterior: Posterior) -> Effects:
    """Return the effects of a posterior's data: from its counts where it has them, else its estimates."""
    data = posterior.data
    data.require_independent("a forest plot")
    if {"events_e", "events_c"} <= set(data.columns):
        import pandas as pd

        columns = {name: column for name, column in data.columns.items() if not name.startswith("log_")}
        return effect_sizes(pd.DataFrame({"study": data.labels, **columns}), data.measure)
    return effects_from_arrays(
        data.columns.get("effect", data.guide_effect), vi=data.study_variance, labels=data.labels, measure=data.measure
    )


def tau_plot(
    posterior: Posterior, *, level: float = 0.95, title: str = "", notes: Sequence[str] = (), width: float = 4.6
) -> Figure:
    """Draw the prior and posterior density of tau, the between-study standard deviation.

    Parameters
    ----------
    posterior : Posterior
        Posterior of one analysis.
    level : float
        Level of the credible interval, between 0 and 1.
    title : str
        Heading; by default the measure.
    notes : sequence of str
        Notes below the figure, each on a line of its own.
    width : float
        Width of the figure in inches, 3.3 to 14.

    Returns
    -------
    matplotlib.figure.Figure
        Tau on the model scale (log for ratios). ``figure.savefig("tau.pdf")`` writes it.

    Raises
    ------
    SpecError
        If it is not a posterior, tau is fixed, or the level is outside (0, 1).
    """
    check_level(level)
    if not isinstance(posterior, Posterior):
        raise wrong_kind("tau_plot", "a posterior, as fit returns it", posterior)
    if "tau" not in posterior.terms:
        raise SpecError("this model has a tau per outcome; prior_posterior_plot draws each beside its prior")
    if posterior.quantile("tau", 0.001) == posterior.quantile("tau", 0.999):
        raise SpecError(f"tau is fixed in this posterior ({posterior.priors.scale}), so there is no density to draw")
    return tau_from_density(
        tau_density(posterior, level),
        title=title or posterior.measure,
        measure=posterior.measure,
        level=level,
        notes=notes,
        width_inches=width,
    )
