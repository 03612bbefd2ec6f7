"""Public plotting: forests of a network against its reference, and of direct and indirect evidence."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import ndtri

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.consistency import node_split
from bayesmeta.networks.frequentist.methods import NETWORK_METHODS
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.graph import network_graph
from bayesmeta.networks.league import league_table
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.plotting.network_inputs import Fit, contrasts_of, favours, fit_of, is_log, side_of
from bayesmeta.reporting.figures.network_forest import (
    Evidence,
    NetworkEffect,
    SplitComparison,
    network_forest_figure,
    node_split_figure,
)
from bayesmeta.reporting.numbers import number, pvalue, typographic
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ORDERS = ("effect", "name")


def network_forest(
    *nets: NetworkPosterior | NetworkMeta,
    reference: str | None = None,
    order: str | Sequence[str] = "effect",
    better: str | None = None,
    level: float | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 6.85,
) -> Figure:
    """Draw the effects of all treatments against the reference, with their prediction intervals.

    Parameters
    ----------
    *nets : NetworkPosterior or NetworkMeta
        One fit, or several of the same treatments and measure, which are drawn below each other.
    reference : str, optional
        Treatment that the others are compared with; by default that of the first fit.
    order : {"effect", "name"} or sequence of str
        Treatments from top to bottom: by the estimate of the first fit, the best first where the side of benefit is known (else the
        lowest), by name, or as given.
    better : {"lower", "higher"}, optional
        Side of benefit, for the arrows below the axis; by default that of the first fit.
    level : float, optional
        Level of all intervals of posteriors; by default that of the frequentist fits, else 0.95.
    title, notes, width
        As in ``network_plot``.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale (ratios on a logarithmic axis).

    Raises
    ------
    SpecError
        If fits differ in treatments or measure, or a name or level is unknown.
    """
    if not nets:
        raise SpecError("network_forest: give at least one network, as network() or network_meta() return it")
    fits = [fit_of(net, "network_forest") for net in nets]
    first = fits[0]
    for other in fits[1:]:
        if other.measure != first.measure or set(other.treatments) != set(first.treatments):
            raise SpecError("network_forest: the networks should have the same measure and treatments")
    levels = {net.level for net in fits if isinstance(net, NetworkMeta)}
    if len(levels | ({level} if level is not None else set())) > 1:
        raise SpecError("network_forest: the intervals should have one level; refit with level= of network_meta")
    shared = level if level is not None else next(iter(levels), 0.95)
    check_level(shared)
    side = side_of(first, better)
    name = first.contrasts.treatments[first.contrasts.position(first.reference if reference is None else reference)]
    effects = [one for net in fits for one in network_effects(net, name, shared, label=method_of(net, fits))]
    log = is_log(first.measure)
    own = [one.treatment for one in effects if one.method == effects[0].method]
    if isinstance(order, str):
        if order not in ORDERS:
            raise unknown_name("order of treatments", order, ORDERS)
        if order == "effect":
            values = {one.treatment: one.estimate for one in effects if one.method == effects[0].method}
            own = sorted(own, key=lambda one: -values[one] if side == "higher" else values[one])
    else:
        given = [str(one) for one in order if str(one) != name]
        if sorted(given) != sorted(own):
            raise SpecError(f"network_forest: order should have every treatment once: {', '.join(own)}")
        own = given
    effects = sorted(effects, key=lambda one: own.index(one.treatment))
    return network_forest_figure(
        effects, reference=name, measure=first.measure, log=log, level=shared, favours=favours("treatment", name, side),
        title=title, notes=[_about(net, shared, len(fits) > 1) for net in fits] + list(notes), width_inches=width,
    )  # fmt: skip


def method_of(net: Fit, beside: Sequence[Fit] = ()) -> str:
    """Return the name of the method of a fit, distinct from those beside it where that is possible."""
    if isinstance(net, NetworkMeta):
        return NETWORK_METHODS[net.method].label
    bayesian = [one for one in beside if isinstance(one, NetworkPosterior)]
    return f"Bayesian, {net.likelihood}" if len(bayesian) > 1 else "Bayesian"


def _about(net: Fit, level: float, several: bool) -> str:
    percent = f"{100 * level:g}%"
    if isinstance(net, NetworkMeta):
        tau = "" if net.common else f", τ = {number(net.tau)}"
        return typographic(f"{method_of(net)}: estimates with {percent} confidence intervals{tau}", powers=True)
    middle = float(net.quantile("tau", 0.5))
    lead = "Bayesian: medians" if several else "Medians"
    return typographic(
        f"{lead} with {percent} credible intervals, median τ = {number(middle)}; {net.engine}", powers=True
    )


def network_effects(net: Fit, reference: str, level: float, label: str = "") -> list[NetworkEffect]:
    """Return the effects of all treatments against a reference, natural scale, in the order of the treatments."""
    names = [one for one in net.treatments if one != reference]
    counts = network_graph(contrasts_of(net)).counts
    at = {one: i for i, one in enumerate(contrasts_of(net).treatments)}
    columns: tuple[str, ...] = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
    if isinstance(net, NetworkMeta):
        frame = net.summary(scale="natural", reference=reference)
        values = {one: [float(frame.loc[f"{one} vs {reference}", c]) for c in columns] for one in names}  # type: ignore[arg-type]
    else:
        columns = ("median", *columns[1:])
        tables = [league_table(net, value=c, level=level)[reference] for c in columns]
        values = {one: [float(table[one]) for table in tables] for one in names}
    look = "bayes" if isinstance(net, NetworkPosterior) else "frequentist"
    method = label or method_of(net)
    found = []
    for one in names:
        estimate, low, high, pi_low, pi_high = values[one]
        studies = int(counts[at[one], at[reference]])
        found.append(NetworkEffect(one, method, estimate, low, high, pi_low, pi_high, studies, look))
    return found


def node_split_plot(
    net: NetworkPosterior | NetworkMeta,
    *,
    comparisons: Sequence[str] | None = None,
    better: str | None = None,
    level: float | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 6.85,
) -> Figure:
    """Draw direct, indirect and all evidence of each comparison that has both, with the test of their difference.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        A fit; a posterior has to be exact on contrasts.
    comparisons : sequence of str, optional
        Comparisons "A vs B" that are drawn, in either direction; by default all that have direct and indirect evidence.
    better : {"lower", "higher"}, optional
        Side of benefit, for the arrows below the axis; by default that of the network.
    level : float, optional
        Level of all intervals of a posterior, 0.95 by default; a frequentist fit has its own.
    title, notes, width
        As in ``network_plot``.

    Returns
    -------
    matplotlib.figure.Figure
        Natural scale (ratios on a logarithmic axis). With a posterior the column has the Bayes factor of inconsistency, with a frequentist
        fit the p-value of the difference.

    Raises
    ------
    SpecError
        If no comparison has direct and indirect evidence, or one is unknown.
    """
    fit = fit_of(net, "node_split_plot")
    if isinstance(fit, NetworkMeta) and level is not None and level != fit.level:
        raise SpecError(
            f"this network has intervals of level {fit.level:g}; for others call network_meta(..., level={level:g})"
        )
    shared = (fit.level if isinstance(fit, NetworkMeta) else 0.95) if level is None else level
    check_level(shared)
    splits = network_splits(fit, shared)
    if comparisons is not None:
        known = {one.comparison: one for one in splits}
        chosen = []
        for name in comparisons:
            reverse = " vs ".join(reversed(str(name).split(" vs ")))
            if name not in known and reverse not in known:
                raise unknown_name("comparison with direct and indirect evidence", name, tuple(known))
            chosen.append(known[name] if name in known else known[reverse])
        splits = chosen
    if not splits:
        raise SpecError("node_split_plot: no comparison has direct and indirect evidence; the network has no loop")
    bayes = isinstance(fit, NetworkPosterior)
    about = (
        f"Estimates: posterior means with {100 * shared:g}% intervals by their standard deviations. BF: Bayes factor of a difference "
        "between direct and indirect evidence against none; above 1 speaks for inconsistency"
        if bayes
        else f"Estimates with {100 * shared:g}% confidence intervals; p-values of the difference between direct and indirect evidence"
    )
    return node_split_figure(
        splits, measure=fit.measure, log=is_log(fit.measure), test="BF" if bayes else "p", level=shared,
        favours=favours("the first", "the second", side_of(fit, better)), title=title, notes=[about, *notes],
        width_inches=width,
    )  # fmt: skip


def network_splits(net: Fit, level: float) -> list[SplitComparison]:
    """Return direct, indirect and all evidence of the comparisons that have both, natural scale."""
    frame: Any = node_split(net, level=level) if isinstance(net, NetworkPosterior) else net.node_split()
    suffix = "sd" if isinstance(net, NetworkPosterior) else "se"
    if isinstance(net, NetworkMeta):
        # a comparison with all evidence from direct comparisons, or none, is not split
        frame = frame[(frame["studies"] > 0) & np.isfinite(frame["indirect"])]
    z = float(ndtri((1 + level) / 2))
    back: Any = np.exp if is_log(net.measure) else float
    counts: Array = network_graph(contrasts_of(net)).counts
    at = {one: i for i, one in enumerate(contrasts_of(net).treatments)}
    pairs = {f"{a} vs {b}": int(counts[at[a], at[b]]) for a in at for b in at if a != b}
    found = []
    for name, row in frame.iterrows():
        parts = []
        for part in ("direct", "indirect", "network"):
            middle, spread = float(row[part]), float(row[f"{part}_{suffix}"])
            parts.append(Evidence(*(float(back(v)) for v in (middle, middle - z * spread, middle + z * spread))))
        value = float(row["bf_inconsistency" if suffix == "sd" else "pvalue"])
        test = "" if math.isnan(value) else number(value) if suffix == "sd" else pvalue(value)
        found.append(
            SplitComparison(str(name), parts[0], parts[1], parts[2], pairs[str(name)], typographic(test, powers=True))
        )
    return found
