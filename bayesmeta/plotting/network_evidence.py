"""Public plotting: contributions of direct comparisons, and characteristics of trials by comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.frequentist.least_squares import edge_weights
from bayesmeta.networks.frequentist.methods import NETWORK_METHODS
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.pairs import versus
from bayesmeta.networks.transitivity import Characteristic, characteristics, transitivity_table
from bayesmeta.plotting.network_inputs import contrasts_of, risk_places
from bayesmeta.reporting.figures.network_bars import Distributions, Shares, distributions_figure, shares_figure
from bayesmeta.reporting.figures.network_parts import RISKS
from bayesmeta.support.arrays import Array
from bayesmeta.support.wrong_kind import wrong_kind

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure


def contribution_plot(
    net: NetworkMeta,
    *,
    risk_of_bias: str | Mapping[str, str] | None = None,
    estimates: str | Sequence[str] = "reference",
    method: str = "shortest path",
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 6.85,
) -> Figure:
    """Draw what each direct comparison contributes to the estimates of a network, or how much comes from trials at high risk of bias.

    Parameters
    ----------
    net : NetworkMeta
        From ``network_meta``.
    risk_of_bias : str or mapping of str to str, optional
        As in ``network_plot``: bars then are the shares of trials at low, moderate and high risk of bias.
    estimates : {"reference", "all"} or sequence of str
        Estimates that have a bar: those against the reference, all, or "A vs B" as named, in either direction.
    method : {"shortest path", "random walk"}
        As in ``NetworkMeta.contributions``.
    title, notes, width
        As in ``network_plot``.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    SpecError
        If it is not a frequentist network, a name or level is unknown, or the width has no place for the names.
    """
    if not isinstance(net, NetworkMeta):
        raise wrong_kind("contribution_plot", "the result of network_meta", net)
    if risk_of_bias is not None and NETWORK_METHODS[net.method].counts:
        raise SpecError(
            "contributions by risk of bias need a method that weights contrasts of trials; choose CE, DL, ML or REML"
        )
    places = risk_places(net.data, risk_of_bias)
    shares = contribution_shares(net, estimates, method, places)
    about = [f"Contributions by {method} of the flow of evidence (the weights of trials with τ² as estimated)"]
    xlabel = "Contribution to the network estimate (%)" + (", by risk of bias of the trials" if places else "")
    return shares_figure(
        "contributions",
        shares,
        header="Network estimate",
        xlabel=xlabel,
        title=title,
        notes=[*about, *notes],
        width_inches=width,
    )


def contribution_shares(
    net: NetworkMeta, estimates: str | Sequence[str], method: str, risks: Mapping[str, int]
) -> Shares:
    """Return contributions of direct comparisons, or of levels of risk of bias, to estimates of a network."""
    frame = net.contributions(method)
    names = _estimates(net, list(map(str, frame.index)), estimates)
    rows = tuple(names.values())
    values = frame.loc[list(names)].to_numpy(dtype=float)
    values = values / values.sum(axis=1, keepdims=True)
    if not risks:
        used = np.flatnonzero(values.max(axis=0) > 0.0005)
        values = values[:, used] / values[:, used].sum(axis=1, keepdims=True)
        labels = tuple(str(n + 1) for n in range(len(used)))
        return Shares(rows, tuple(str(name) for name in frame.columns[used]), values, labels=labels)
    by_risk = risk_shares(net, risks, list(map(str, frame.columns)))
    return Shares(rows, tuple(f"{one.name}" for one in RISKS), values @ by_risk, tuple(one.color for one in RISKS))


def _estimates(net: NetworkMeta, known: list[str], wanted: str | Sequence[str]) -> dict[str, str]:
    """Return rows of the contributions, by name there, with the name of the estimate as it is written."""
    if isinstance(wanted, str) and wanted == "all":
        return {name: name for name in known}
    if isinstance(wanted, str) and wanted != "reference":
        raise unknown_name("choice of estimates", wanted, ("reference", "all"))
    names = (
        [versus(one, net.reference) for one in net.treatments if one != net.reference]
        if isinstance(wanted, str)
        else wanted
    )
    found = {}
    for name in map(str, names):
        reverse = " vs ".join(reversed(name.split(" vs ")))
        if name not in known and reverse not in known:
            raise unknown_name("estimate", name, known)
        found[name if name in known else reverse] = name
    return found


def risk_shares(net: NetworkMeta, risks: Mapping[str, int], comparisons: list[str]) -> Array:
    """Return the shares of levels of risk of bias in each direct comparison, by the weights of its trials, shape (C, levels)."""
    contrasts = net.contrasts
    total = np.zeros((len(comparisons), len(RISKS)))
    for study, (rows, arms) in enumerate(zip(contrasts.slices, contrasts.arms_of_studies, strict=True)):
        size = rows.stop - rows.start
        weights = edge_weights(contrasts.S[rows, rows] + net.tau2 * (0.5 + 0.5 * np.eye(size)))
        for i, j in combinations(range(len(arms)), 2):
            first, second = sorted((arms[i], arms[j]))
            name = versus(contrasts.treatments[first], contrasts.treatments[second])
            if name in comparisons:
                total[comparisons.index(name), risks[contrasts.studies[study]]] += max(float(weights[i, j]), 0.0)
    sums = total.sum(axis=1, keepdims=True)
    return total / np.where(sums > 0, sums, 1.0)


def transitivity(data: Any, characteristic: Any, *, measure: str | None = None) -> pd.DataFrame:
    """Tabulate characteristics of the trials by comparison: large differences speak against transitivity.

    Parameters
    ----------
    data : NetworkPosterior, NetworkMeta, NetworkContrasts, ArmTable, ContrastTable, pandas.DataFrame or path
        A fit, or data as in ``network_contrasts``.
    characteristic : str, sequence of str, mapping or pandas.DataFrame
        Columns of the table of arms, with one value per study; or values: ``{"age": {"Study A": 54.0}}``, or a frame with one row per
        study, named in its index or in a column ``study``. A column whose values are all numbers is numeric.
    measure : str, optional
        As in ``network_contrasts``; not with a fit.

    Returns
    -------
    pandas.DataFrame
        Index characteristic and comparison; studies, missing; of numbers mean, sd, median, min and max over the studies (unweighted); of
        others ``categories``, each with its number of studies. A trial of several arms is in several comparisons.

    Raises
    ------
    DataError
        If the data cannot be used.
    SpecError
        If a column or study is unknown, or arms of a study differ.
    """
    return transitivity_table(characteristics(contrasts_of(data, measure, "transitivity"), characteristic))


def transitivity_plot(
    data: Any,
    characteristic: Any,
    *,
    measure: str | None = None,
    title: str = "",
    notes: Sequence[str] = (),
    width: float = 6.85,
) -> Figure:
    """Draw the distribution of a characteristic of the trials by comparison.

    Parameters
    ----------
    data, characteristic, measure
        As in ``transitivity``, one characteristic.
    title, notes, width
        As in ``network_plot``; the heading is by default the characteristic.

    Returns
    -------
    matplotlib.figure.Figure
        Of numbers the trials as circles, with their range and mean; of categories their shares.

    Raises
    ------
    DataError
        If the data cannot be used.
    SpecError
        As ``transitivity``; or if there are several characteristics, or no trial has a value.
    """
    found = characteristics(contrasts_of(data, measure, "transitivity_plot"), characteristic)
    if len(found) != 1:
        raise SpecError(
            f"transitivity_plot draws one characteristic, but got {', '.join(one.name for one in found)}; call it for each"
        )
    return characteristic_figure(found[0], title=title, notes=notes, width=width)


def characteristic_figure(
    one: Characteristic, *, title: str = "", notes: Sequence[str] = (), width: float = 6.85
) -> Figure:
    """Draw a characteristic by comparison."""
    missing = sum(
        value == "" or (isinstance(value, float) and math.isnan(value)) for own in one.values for value in own
    )
    about = [f"{missing} values are missing"] if missing else []
    if one.numeric:
        key = "Circles: trials; horizontal lines: their range; vertical bars: their mean; dashed: mean of all values drawn"
        return distributions_figure(
            "transitivity", Distributions(one.comparisons, one.values), header="Comparison", xlabel=one.name, title=title or one.name,
            notes=[key, *about, *notes], width_inches=width,
        )  # fmt: skip
    kept = [n for n, own in enumerate(one.values) if any(own)]
    if not kept:
        raise SpecError(f"transitivity: no trial has a value of '{one.name}'")
    without = [one.comparisons[n] for n in range(len(one.values)) if n not in kept]
    about += [f"Without any value: {', '.join(without)}"] if without else []
    counts = np.array([[one.values[n].count(category) for category in one.categories] for n in kept], dtype=float)
    shares = Shares(
        tuple(one.comparisons[n] for n in kept), one.categories, counts / counts.sum(axis=1, keepdims=True),
        counts=tuple(f"{total:.0f}" for total in counts.sum(axis=1)),
    )  # fmt: skip
    return shares_figure(
        "transitivity", shares, header="Comparison", xlabel=f"{one.name} (% of trials)", title=title or one.name, notes=[*about, *notes],
        width_inches=width,
    )  # fmt: skip
