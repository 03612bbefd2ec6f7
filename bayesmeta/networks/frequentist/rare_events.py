"""Networks of odds ratios of rare events from counts, without corrections for zero cells (Efthimiou et al. 2019).

Studies without events, or with nothing else, in all arms carry no information. An arm without events (or with events only) in all studies
of a design has no finite odds ratio in that design, and is left out of it; a design with one arm left is left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.errors import ConvergenceError, DataError, SpecError
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.frequentist.mantel_haenszel import design_contrasts
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.graph import network_graph
from bayesmeta.support.arrays import Array

_MAX_STEPS = 100


@dataclass(frozen=True, eq=False)
class Design:
    """Counts of the s studies of a design.

    Parameters
    ----------
    name : str
        Treatments of the design as its studies have them, "A:B:C".
    treatments : tuple of str
        Those that are left, a of them.
    studies : tuple of str
        The studies.
    events, n : numpy.ndarray, shape (s, a)
        Events and participants.
    """

    name: str
    treatments: tuple[str, ...]
    studies: tuple[str, ...]
    events: Array
    n: Array


def designs_of_counts(contrasts: NetworkContrasts) -> tuple[list[Design], list[str]]:
    """Return the designs of a network with their counts, and notes on what was left out.

    Raises
    ------
    DataError
        If there are no counts, or nothing is left.
    """
    arms = contrasts.arms
    if arms is None or not {"events", "n"} <= arms.columns.keys():
        raise DataError(
            "Mantel-Haenszel and hypergeometric networks are computed from counts, and these are ready-made contrasts or other data",
            source=contrasts.source,
            fix="Give events and n of every arm, or choose method CE, DL, ML or REML.",
        )
    found, notes = [], []
    rows = arms.rows_by_study()
    graph = network_graph(contrasts)
    for design, places in graph.designs.items():
        names = tuple(contrasts.treatments[t] for t in design)
        label, studies = ":".join(names), [contrasts.studies[place] for place in places]
        events, n = (
            np.array(
                [
                    [arms.columns[column][_arm(arms.treatments, rows[study], name)] for name in names]
                    for study in studies
                ]
            )
            for column in ("events", "n")
        )
        informative = (events.sum(axis=1) > 0) & (events.sum(axis=1) < n.sum(axis=1))
        notes += [
            f"{study}: no events, or only events, in all arms"
            for study, ok in zip(studies, informative, strict=True)
            if not ok
        ]
        studies = [study for study, ok in zip(studies, informative, strict=True) if ok]
        events, n = events[informative], n[informative]
        if not studies:
            continue
        keep = (events.sum(axis=0) > 0) & (events.sum(axis=0) < n.sum(axis=0))
        gone = [name for name, ok in zip(names, keep, strict=True) if not ok]
        notes += [
            f"{name} left out of the design {label}: without events, or with events only, in all its studies"
            for name in gone
        ]
        if keep.sum() < 2:
            notes.append(f"the design {label} is left out: it has one arm left ({', '.join(studies)})")
            continue
        left = tuple(name for name, ok in zip(names, keep, strict=True) if ok)
        found.append(Design(label, left, tuple(studies), events[:, keep], n[:, keep]))
    if not found:
        raise DataError(
            "no design has two arms with events", source=contrasts.source, fix="Choose another method or outcome."
        )
    return found, notes


def _arm(treatments: tuple[str, ...], rows: list[int], name: str) -> int:
    return next(row for row in rows if treatments[row] == name)


def fit_counts(contrasts: NetworkContrasts, method: str, reference: str | int | None, level: float) -> NetworkMeta:
    """Fit a network of odds ratios to counts.

    Parameters
    ----------
    contrasts : NetworkContrasts
        Odds ratios of studies with the counts of their arms.
    method : {"MH", "NCH"}
        Mantel-Haenszel, or the noncentral hypergeometric likelihood.
    reference : str, optional
        Treatment that tables compare with.
    level : float
        Level of all intervals.

    Raises
    ------
    DataError, SpecError
        If the data are not counts, the measure is not OR, or what is left is not connected.
    """
    from bayesmeta.networks.frequentist.fit import fit_contrasts

    if contrasts.measure != "OR":
        raise SpecError(f"{method} networks are of odds ratios; the measure is {contrasts.measure}. Give measure='OR'")
    designs, notes = designs_of_counts(contrasts)
    pooled = design_contrasts(designs, contrasts)
    network_graph(pooled).require_connected(contrasts.source)
    first = pooled.treatments[pooled.position(reference)]
    gone = [f"{name} is in no design that is left" for name in contrasts.treatments if name not in pooled.treatments]
    left = [f"{study}: {reason}" for study, reason in contrasts.left_out.items()]
    fitted = fit_contrasts(pooled, "MH", first, level)
    data = contrasts.subset([study for design in designs for study in design.studies])
    fitted = replace(fitted, data=data, notes=(*left, *notes, *gone))
    return fitted if method == "MH" else _hypergeometric(designs, fitted)


def _hypergeometric(designs: list[Design], start: NetworkMeta) -> NetworkMeta:
    """Return the maximum of the conditional likelihood, from the Mantel-Haenszel estimates.

    Notes
    -----
    Given a study's total of events r, their distribution over its arms is multivariate noncentral hypergeometric, which for rare events
    is multinomial with probabilities proportional to n_k exp(d_k) (Breslow 1981; Stijnen, Hamza and Özdemir 2010); so R's netmeta has it.
    """
    at = {name: i for i, name in enumerate(start.treatments)}
    places = [[at[name] for name in design.treatments] for design in designs]
    d = start.estimates.copy()
    information = np.eye(len(d))
    value = _log_likelihood(designs, places, d)
    for _ in range(_MAX_STEPS):
        slope, information = np.zeros(len(d)), np.zeros((len(d), len(d)))
        for design, columns in zip(designs, places, strict=True):
            r = design.events.sum(axis=1)
            p = _probabilities(design.n, d[columns])
            slope[columns] += (design.events - r[:, None] * p).sum(axis=0)
            information[np.ix_(columns, columns)] += np.diag(r @ p) - (r[:, None] * p).T @ p
        step = np.concatenate([[0.0], np.linalg.solve(information[1:, 1:], slope[1:])])
        size = 1.0
        while (new := _log_likelihood(designs, places, d + size * step)) < value - 1e-12 * abs(value) and size > 1e-8:
            size /= 2
        d, value = d + size * step, new
        if np.abs(size * step).max() < 1e-11:
            covariance = np.zeros_like(information)
            covariance[1:, 1:] = np.linalg.inv(information[1:, 1:])
            return replace(
                start, estimates=d, covariance=covariance, q=math.nan, q_df=0, log_likelihood=value, method="NCH"
            )
    raise ConvergenceError(
        f"the hypergeometric likelihood did not reach its maximum in {_MAX_STEPS} steps; use method MH"
    )


def _probabilities(n: Array, d: Array) -> Array:
    weight = n * np.exp(d - d.max())
    return weight / weight.sum(axis=1, keepdims=True)


def _log_likelihood(designs: list[Design], places: list[list[int]], d: Array) -> float:
    total = 0.0
    for design, columns in zip(designs, places, strict=True):
        p = _probabilities(design.n, d[columns])
        total += float((design.events * np.log(p)).sum())
    return total
