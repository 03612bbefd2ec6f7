"""One network of a review: the frequentist method, the exact Bayesian fit and that of the arms, and what tables and figures need."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bayesmeta.errors import BayesmetaError
from bayesmeta.networks.arm_level import ARM_LIKELIHOODS, arm_likelihood
from bayesmeta.networks.consistency import inconsistency, node_split
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.frequentist.component_result import ComponentNetwork
from bayesmeta.networks.frequentist.components import component_network
from bayesmeta.networks.frequentist.fit import network_meta
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.graph import network_graph
from bayesmeta.networks.network import network as fit_network
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.summary import graph_of
from bayesmeta.posterior.scale import to_natural
from bayesmeta.results.rows import tidy_frame
from bayesmeta.reviews.band_keys import bands_for, mid_of
from bayesmeta.reviews.network_checks import network_checks
from bayesmeta.reviews.network_components import (
    as_network,
    component_rows,
    components_record,
    known_effects,
    only_identified,
)
from bayesmeta.reviews.network_data import NetworkData, prepare_network
from bayesmeta.reviews.network_keys import Network
from bayesmeta.reviews.network_result import bayesian_fit, described, frequentist_fit, matrix_record
from bayesmeta.reviews.network_rows import MODEL, bayesian_rows, frequentist_rows, method_of
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.studies.arms import ArmTable, ContrastTable
from bayesmeta.support.frames import records


def network_priors_of(review: Review, network: Network) -> dict[str, str]:
    """Return the stated priors of a network: its own, else those of the review for the measure, that of mu for every contrast."""
    stated = review.priors.get(network.measure)
    found = dict(stated.given()) if stated is not None else {}
    if {"tau", "tau2"} & network.priors.keys():
        found = {name: text for name, text in found.items() if name not in ("tau", "tau2")}
    if "mu" in found:
        found["d"] = found.pop("mu")
    return found | network.priors


def run_network(
    review: Review,
    network: Network,
    folder: Path,
    save_fit: Callable[[str, NetworkPosterior, str], None] | None = None,
) -> AnalysisResult:
    """Run every method on one network; a method that fails is recorded and does not stop the others.

    Parameters
    ----------
    review : Review
        The review, for its settings, options and priors.
    network : Network
        The network to run.
    folder : pathlib.Path
        Folder of the data files.
    save_fit : callable, optional
        Called with the method, the posterior and the model of each Bayesian fit.

    Returns
    -------
    AnalysisResult
        Its rows have the model "network", and ``models`` has what tables and figures need: see ``network_of``.

    Raises
    ------
    DataError, SpecError
        If the table cannot be used at all, or the network is not connected.
    """
    data = prepare_network(review, network, folder)
    table, contrasts, reference = data.table, data.contrasts, data.reference
    level, result = review.level_of(network), AnalysisResult(network.id)
    posteriors = _fit(review, network, data, result)
    freq, parts = _frequentist(review, network, data, result)
    saved = described(table, contrasts, network_graph(contrasts))
    names = saved["treatments"]
    keys = review.as_analysis(network)
    mid, bands = mid_of(review, keys), bands_for(review, keys)
    result.errors.extend(data.problems)
    rows: list[dict[str, Any]] = []
    fits: dict[str, Any] = {}
    known = known_effects(network, contrasts)
    if freq is not None:
        rows += frequentist_rows(freq, _labels(network, table, freq), reference, known)
        fits[freq.method] = only_identified(frequentist_fit(freq, names, network.better), known)
    if parts is not None:
        rows += component_rows(parts, _labels(network, table, parts))
    for method, net in posteriors.items():
        rows += bayesian_rows(net, _labels(network, table, net), level=level, mid=mid)
        fits[method] = bayesian_fit(net, names, level)
        if net.solution.diagnostics:
            result.diagnostics.append({"method": method, "model": MODEL, **dict(net.solution.diagnostics)})
        if save_fit:
            save_fit(method, net, "")
    record = {
        "kind": MODEL, "model": MODEL, "heading": network.heading, "measure": network.measure, "reference": reference,
        "better": network.better or "", "level": level, "note": network.note, "component": network.component or "",
        "certainty": dict(network.certainty), "thresholds": list(bands.edges) if bands is not None else [], **saved,
        "judgements": data.judgements, "fits": fits, **_evidence(network, freq, posteriors, level, result),
    }  # fmt: skip
    if known is not None:
        record["components"] = components_record(network, known, parts, posteriors, level, result)
    frame = to_natural(tidy_frame(rows)) if rows else tidy_frame(rows)
    for column in ("comparison", "outcome", "time"):
        frame[column] = getattr(network, column)
    frame["model"], frame["group"] = MODEL, ""
    checks = [network_checks(net, level=level, mid=mid) for net in posteriors.values() if review.settings.checks]
    return dataclasses.replace(result, rows=records(frame), models=[record, *checks], primary=_primary(posteriors))


def _frequentist(
    review: Review, network: Network, data: NetworkData, result: AnalysisResult
) -> tuple[NetworkMeta | None, ComponentNetwork | None]:
    """Fit the frequentist network and, with components, that of components, whose effects of treatments the network then has."""
    options: dict[str, Any] = {
        "method": network.method,
        "level": review.level_of(network),
        "zero_cells": review.options.zero_cells,
    }
    try:
        if network.components is None:
            return network_meta(data.table, network.measure, reference=data.reference, **options), None
        parts = component_network(
            data.table, network.measure, separator=network.components, interactions=network.interactions,
            inactive=network.inactive, **options,
        )  # fmt: skip
    except BayesmetaError as error:
        result.errors.append(f"{network.method}: {error}")
        return None, None
    return as_network(parts, data.reference), parts


def _fit(review: Review, network: Network, data: NetworkData, result: AnalysisResult) -> dict[str, NetworkPosterior]:
    """Fit the exact network and, where it is asked for and there are arms, that with the likelihood of the arms."""
    table, posteriors = data.table, dict[str, NetworkPosterior]()
    reference = network.reference if network.components is None else data.reference
    for likelihood in (None, *_sampled(review, network, table)):
        priors = network_priors_of(review, network)
        if likelihood is None:
            priors.pop("baseline", None)
        try:
            net = fit_network(
                table, network.measure, reference=reference, better=network.better, likelihood=likelihood,
                engine="quadrature" if likelihood is None else "nuts", priors=priors, moderator=network.moderator,
                components=network.components, interactions=network.interactions, inactive=network.inactive,
                seed=review.settings.seed, zero_cells=review.options.zero_cells,
            )  # fmt: skip
        except BayesmetaError as error:
            result.errors.append(f"network, {likelihood or 'normal'} likelihood: {error}")
            continue
        posteriors[method_of(net)] = net
        texts = net.priors.to_dict()
        if likelihood is not None:
            texts.pop("inconsistency", None)
        result.priors[method_of(net).removeprefix("bayes:")] = ", ".join(
            f"{name} ~ {text}" for name, text in texts.items()
        )
    return posteriors


def _sampled(review: Review, network: Network, table: ArmTable | ContrastTable) -> tuple[str, ...]:
    """Return the likelihood of the arms that is to be fitted by NUTS, if any."""
    exact_only = network.moderator is not None or network.components is not None
    if review.settings.engine == "quadrature" or network.likelihood == "normal" or exact_only:
        return ()
    if network.likelihood is not None:
        return (arm_likelihood(network.measure, network.likelihood),)
    if "arm-level" not in review.settings.likelihoods or not isinstance(table, ArmTable):
        return ()
    found = ARM_LIKELIHOODS.get(network.measure)
    return () if found is None else (found,)


def _primary(posteriors: dict[str, NetworkPosterior]) -> str:
    """Choose the fit to show: that of the arms, else the exact one."""
    return next(iter(reversed(list(posteriors))), "")


def _labels(
    network: Network, table: ArmTable | ContrastTable, net: NetworkPosterior | NetworkMeta | ComponentNetwork
) -> dict[str, Any]:
    """Return what every row of a fit has: the id, and the numbers of studies and of participants in it."""
    studies = set(net.contrasts.studies if isinstance(net, ComponentNetwork) else graph_of(net).studies)
    n = math.nan
    if isinstance(table, ArmTable) and "n" in table.columns:
        n = sum(float(n) for study, n in zip(table.studies, table.columns["n"], strict=True) if study in studies)
    return {"analysis": network.id, "k": len(studies), "n": n}


def _evidence(
    network: Network,
    freq: NetworkMeta | None,
    posteriors: dict[str, NetworkPosterior],
    level: float,
    result: AnalysisResult,
) -> dict[str, Any]:
    """Return node splits, tests and models of inconsistency, contributions and net heat; what has none of them is left out."""
    found: dict[str, Any] = {"splits": {}, "inconsistency": {}}
    if network.components is not None:
        return found
    exact = [net for net in posteriors.values() if isinstance(net.solution, NetworkSolution)]
    nets: list[NetworkPosterior | NetworkMeta] = [
        *exact,
        *([freq] if freq is not None and freq.method != "NCH" else []),
    ]
    for net in nets:
        for name, function in (("splits", node_split), ("inconsistency", inconsistency)):
            try:
                frame = function(net) if isinstance(net, NetworkMeta) else function(net, level=level)
            except BayesmetaError as error:
                result.errors.append(f"{method_of(net)}, {name}: {error}")
                continue
            found[name][method_of(net)] = records(frame.reset_index())
    if freq is not None and freq.method not in ("NCH", "MH"):
        shares = freq.contributions()
        found["contributions"] = matrix_record(shares) | {"fit": freq.method, **shares.attrs}
        if freq.graph.loops:
            heat = freq.heat_matrix()
            found["net_heat"] = {
                **matrix_record(freq.net_heat()), "contribution": heat.contribution.tolist(), "drawn": list(heat.drawn),
                "random": not freq.common,
            }  # fmt: skip
            found["design_tests"] = records(freq.design_table().reset_index())
    return found
