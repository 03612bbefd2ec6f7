"""Forests of a network: every treatment against the reference, and direct, indirect and network evidence of comparisons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from bayesmeta.reporting.figures.alignment import aligned_intervals
from bayesmeta.reporting.figures.network_intervals import IntervalBlock, IntervalRow
from bayesmeta.reporting.figures.network_rows import interval_table


@dataclass(frozen=True)
class NetworkEffect:
    """Effect of a treatment against the reference by one method, natural scale.

    Parameters
    ----------
    treatment : str
        The treatment.
    method : str
        Name of the method, such as ``"Bayesian"``.
    estimate, low, high : float
        Estimate (or median) and ends of its interval.
    pi_low, pi_high : float
        Ends of the prediction interval, the effect in a new trial; NaN: none.
    studies : int
        Number of trials that compare the two directly.
    look : {"bayes", "frequentist"}
        How it is drawn.
    """

    treatment: str
    method: str
    estimate: float
    low: float
    high: float
    pi_low: float = math.nan
    pi_high: float = math.nan
    studies: int = 0
    look: str = "bayes"


@dataclass(frozen=True)
class Evidence:
    """An estimate with its interval, natural scale; NaN where there is none."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class SplitComparison:
    """Direct, indirect and all evidence of a comparison.

    Parameters
    ----------
    comparison : str
        ``"A vs B"``.
    direct, indirect, network : Evidence
        Estimates of A against B.
    studies : int
        Number of trials that compare the two directly.
    test : str
        The p-value or Bayes factor of a difference between direct and indirect evidence, as it is written.
    """

    comparison: str
    direct: Evidence
    indirect: Evidence
    network: Evidence
    studies: int
    test: str


def network_forest_figure(
    effects: Sequence[NetworkEffect],
    *,
    reference: str,
    measure: str,
    log: bool,
    level: float = 0.95,
    favours: tuple[str, str] = ("", ""),
    header: str = "",
    counted: str = "Direct trials",
    xlabel: str = "",
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 6.85,
) -> Figure:
    """Draw the effects of all treatments against the reference, with several methods a block per treatment.

    Parameters
    ----------
    effects : sequence of NetworkEffect
        Effects; those of one treatment are drawn together, in the order in which treatments and methods first occur.
    reference, measure : str
        Reference treatment and abbreviation of the measure, for the axis.
    log : bool
        Whether the measure is a ratio: logarithmic axis, no effect at 1.
    level : float
        Level of all intervals.
    favours : (str, str)
        What low and high values favour.
    header, counted, xlabel : str
        Heading of the labels and of the numbers of trials, and label of the axis, where they are not those of treatments.
    title : str
        Heading.
    notes : sequence of str
        Small print, each on a line of its own.
    width_inches : float
        Width of the figure, 3.3 to 14 inches.

    Raises
    ------
    SpecError
        If there is nothing to draw, a ratio is not positive, or the width has no place for the columns.
    """
    methods = list(dict.fromkeys(one.method for one in effects))
    treatments = list(dict.fromkeys(one.treatment for one in effects))
    predicted = any(not math.isnan(one.pi_low) for one in effects)
    percent = f"{100 * level:g}%"

    texts = aligned_intervals([(math.nan, one.pi_low, one.pi_high) for one in effects], bare=[True] * len(effects))
    written = {id(one): text for one, text in zip(effects, texts, strict=True)}

    def row(one: NetworkEffect, label: str, first: bool) -> IntervalRow:
        after = (written[id(one)],) if predicted else ()
        return IntervalRow(
            label, one.estimate, one.low, one.high, one.pi_low, one.pi_high, one.look,
            (str(one.studies) if first else "",), after,
        )  # fmt: skip

    if len(methods) == 1:
        blocks = [IntervalBlock("", tuple(row(one, one.treatment, True) for one in effects))]
    else:
        blocks = []
        for name in treatments:
            own = sorted((one for one in effects if one.treatment == name), key=lambda one: methods.index(one.method))
            blocks.append(IntervalBlock(name, tuple(row(one, one.method, not n) for n, one in enumerate(own))))
    thin = [f"Thin lines: {percent} prediction intervals, of the effect in a new trial"] if predicted else []
    return interval_table(
        "network forest", blocks, log=log, level=level, header=header or f"Against {reference}", before=(counted,),
        after=(f"{percent} prediction",) if predicted else (), xlabel=xlabel or f"{measure} against {reference}", favours=favours,
        title=title, notes=[*thin, *notes], width_inches=width_inches,
    )  # fmt: skip


def node_split_figure(
    splits: Sequence[SplitComparison],
    *,
    measure: str,
    log: bool,
    test: str,
    level: float = 0.95,
    favours: tuple[str, str] = ("", ""),
    title: str = "",
    notes: Sequence[str] = (),
    width_inches: float = 6.85,
) -> Figure:
    """Draw direct, indirect and all evidence of comparisons, a block each, with the test of their difference.

    Parameters
    ----------
    splits : sequence of SplitComparison
        Comparisons from top to bottom.
    measure : str
        Abbreviation of the measure, for the axis.
    log : bool
        Whether the measure is a ratio.
    test : str
        Header of the column of tests, such as ``"p of difference"``.
    level, favours, title, notes, width_inches
        As in `network_forest_figure`.

    Raises
    ------
    SpecError
        As in `network_forest_figure`.
    """
    blocks = []
    for one in splits:
        parts = (
            ("direct", "Direct", one.direct),
            ("indirect", "Indirect", one.indirect),
            ("network", "Network", one.network),
        )
        rows = [
            IntervalRow(
                label, found.estimate, found.low, found.high, look=look,
                before=(str(one.studies) if look == "direct" else "",), after=(one.test if look == "direct" else "",),
            )
            for look, label, found in parts
            if not math.isnan(found.estimate)
        ]  # fmt: skip
        blocks.append(IntervalBlock(one.comparison, tuple(rows)))
    return interval_table(
        "node split", blocks, log=log, level=level, header="Comparison", before=("Direct trials",), after=(test,),
        xlabel=f"{measure}, the first treatment against the second", favours=favours, title=title, notes=notes,
        width_inches=width_inches,
    )  # fmt: skip
