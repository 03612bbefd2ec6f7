"""What the explorer of one analysis needs: studies, priors, bands and the results of the run, from what the run saved."""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError
from bayesmeta.model.likelihoods.registry import LIKELIHOODS
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior, parse_priors
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.numbers import is_missing
from bayesmeta.reporting.tables.studies import arm_cells, arm_data
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.band_keys import bands_for
from bayesmeta.reviews.explorer.likelihood_data import study_tables
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

#: families of priors that the scripts have
TAU_FAMILIES = (
    "HalfNormal", "HalfCauchy", "HalfT", "Uniform", "Exponential", "LogNormal", "LogT", "Gamma", "InvGamma", "Beta", "Point",
)  # fmt: skip
MU_FAMILIES = ("Normal", "StudentT", "Cauchy", "Logistic", "Flat")

_PRIOR = re.compile(r"(\w+) ~ (.+?)(?=, \w+ ~ |$)")


def explorer_data(review: Review, analysis: Analysis, result: AnalysisResult) -> dict[str, Any] | None:
    """Return what the explorer of an analysis needs as plain values for JSON, or None where it has no pooled result to start from.

    Parameters
    ----------
    review : Review
        The review, for levels, bands and alternative priors.
    analysis : Analysis
        The analysis.
    result : AnalysisResult
        Its result as saved: nothing is fitted, but log m_i of each study is tabulated again (``study_tables``).

    Returns
    -------
    dict or None
        ``studies``: ``label``, ``y`` and ``se`` (model scale; null where not estimable), ``arms``, ``reason`` (why the run left it out)
        and for an arm-level likelihood ``table``; ``likelihoods``: name, label, priors and results (natural scale) of the run;
        ``presets``: alternative priors; ``bands``: thresholds on the natural scale; and texts.
    """
    likelihoods = _likelihoods(result)
    if not likelihoods:
        return None
    level, measure = review.level_of(analysis), MEASURES[analysis.measure]
    arm_level = next((one for one in likelihoods if one["name"] != "normal"), None)
    studies = _studies(analysis, result, level)
    if arm_level is not None:
        tables = study_tables(arm_level["name"], analysis.measure, result.studies, arm_level.pop("baseline"))
        for study, row, table in zip(studies, result.studies, tables, strict=True):
            if table is not None and arm_level["name"] == "nct" and study["y"] is not None:
                # as in the fit, the normal approximation is that of the effects, with the review's options
                table["guide"], table["variance"] = [study["y"], study["se"] ** 2], study["se"] ** 2
            study["table"] = table
            study["fitted"] = not is_missing(row.get("theta"))
        if not any("table" in study and study["table"] for study in studies):
            likelihoods.remove(arm_level)
    if not likelihoods:
        return None
    bands = bands_for(review, analysis)
    return {
        "id": analysis.id,
        "outcome": analysis.outcome,
        "measure": measure.label,
        "phrase": measure.phrase,
        "short": analysis.measure,
        "log": measure.log,
        "level": level,
        "better": analysis.better or "lower",
        "groups": list(analysis.groups),
        "likelihoods": likelihoods,
        "primary": _primary(result, likelihoods),
        "presets": _presets(review, analysis),
        "studies": studies,
        "bands": [] if bands is None else [_rounded(limit) for limit in _thresholds(bands.edges, analysis)],
        "dependent": analysis.nesting is not None,
    }


def _likelihoods(result: AnalysisResult) -> list[dict[str, Any]]:
    """Return the likelihoods of the run whose priors the scripts have, with their results; exact ones before sampled ones."""
    found = []
    for name, text in result.priors.items():
        priors = plain_priors(text)
        rows = _rows(result, name)
        if priors is None or not rows:
            continue
        baseline = priors.pop("baseline")
        label = LIKELIHOODS[name].label
        one = {"name": name, "label": label, "priors": priors, "run": rows}
        if name != "normal":
            one["baseline"] = baseline
        found.append(one)
    return found


def plain_priors(text: str) -> dict[str, Any] | None:
    """Return the priors of a run, "mu ~ Normal(0, 2.82), tau ~ HalfNormal(0.5)", as the scripts take them; None for ones they lack.

    Parameters
    ----------
    text : str
        Priors as the result of an analysis states them.

    Returns
    -------
    dict or None
        ``mu`` (family and args), ``tau`` (family, args, onVariance), and ``baseline``, a ``Prior`` or None.

    Examples
    --------
    >>> plain_priors("mu ~ Flat(), tau2 ~ LogNormal(-2.56, 1.74)")["tau"]
    {'family': 'LogNormal', 'args': [-2.56, 1.74], 'onVariance': True}
    """
    try:
        given = {name: _read_prior(one) for name, one in _PRIOR.findall(text)}
    except BayesmetaError:
        return None
    scale = given.get("tau2", given.get("tau"))
    if "mu" not in given or scale is None:
        return None
    if given["mu"].family not in MU_FAMILIES or scale.family not in TAU_FAMILIES:
        return None
    return {
        "mu": _plain(given["mu"]),
        "tau": {**_plain(scale), "onVariance": "tau2" in given},
        "baseline": given.get("baseline"),
    }


def _read_prior(text: str) -> Prior:
    """Read a prior as a result states it; one from a source has its distribution after it, ``turner2015(...) = LogNormal(-2.56, 1.74)``."""
    source, _, distribution = text.partition(" = ")
    try:
        return parse_prior(source)
    except BayesmetaError:
        if not distribution:
            raise
        return parse_prior(distribution)


def _plain(prior: Prior) -> dict[str, Any]:
    return {"family": prior.family, "args": [float(arg) for arg in prior.args]}


def _rows(result: AnalysisResult, likelihood: str) -> dict[str, Any]:
    """Return the estimates of a likelihood in the run, natural scale, by term: the exact engine's, else the sampled one's."""
    by_method: dict[str, dict[str, Any]] = {}
    for row in result.rows:
        method = parse_method(row["method"])
        if method is None or method.likelihood != likelihood or method.id != row["method"]:
            continue
        if row.get("model") or row.get("group") or method.priors or method.engine not in ("quadrature", "nuts"):
            continue
        by_method.setdefault(method.engine, {})[row["term"]] = row
    terms = by_method.get("quadrature") or by_method.get("nuts") or {}
    if "mu" not in terms or "tau" not in terms:
        return {}
    names = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high", "prob_benefit", "i2")
    found = {
        term: {
            name: _rounded(terms[term].get(name))
            for name in names
            if name in terms[term] and not is_missing(terms[term][name])
        }
        for term in ("mu", "tau")
    }
    return {**found, "engine": "quadrature" if "quadrature" in by_method else "nuts"}


def _primary(result: AnalysisResult, likelihoods: list[dict[str, Any]]) -> str:
    method = parse_method(result.primary) if result.primary else None
    names = [one["name"] for one in likelihoods]
    return method.likelihood if method is not None and method.likelihood in names else names[0]


def _presets(review: Review, analysis: Analysis) -> list[dict[str, Any]]:
    """Return the alternative priors of the review that apply to the analysis and that the scripts have."""
    found = []
    start = Priors(Prior("Flat", ()), Prior("HalfNormal", (1.0,)))
    for alternative in review.alternatives_of(analysis):
        given = {name: text for name, text in alternative.given().items() if name != "baseline"}
        try:
            priors = parse_priors(given, start, analysis.measure)
        except BayesmetaError:
            continue
        if not given or priors.mu.family not in MU_FAMILIES or priors.scale.family not in TAU_FAMILIES:
            continue
        one: dict[str, Any] = {"name": alternative.name}
        if "mu" in given:
            one["mu"] = _plain(priors.mu)
        if {"tau", "tau2"} & given.keys():
            one["tau"] = {**_plain(priors.scale), "onVariance": priors.on_variance}
        found.append(one)
    return found


def _studies(analysis: Analysis, result: AnalysisResult, level: float) -> list[dict[str, Any]]:
    """Return the studies with effect and standard error on the model scale, from their estimate and interval as saved."""
    from scipy.special import ndtri

    z, log = float(ndtri(0.5 + 0.5 * level)), MEASURES[analysis.measure].log
    kind = arm_data(result.studies, analysis.measure)
    found = []
    for row in result.studies:
        values = np.array([row["estimate"], row["ci_low"], row["ci_high"]], dtype=float)
        with np.errstate(divide="ignore", invalid="ignore"):
            estimate, low, high = np.log(values) if log else values
        se = (high - low) / (2 * z)
        usable = np.isfinite([estimate, se]).all() and se > 0
        found.append(
            {
                "label": str(row["study"]),
                "y": _rounded(estimate) if usable else None,
                "se": _rounded(se) if usable else None,
                "arms": [", ".join(filter(None, arm_cells(row, arm, kind))) for arm in "ec"] if kind else [],
                "reason": row.get("reason") or "",
            }
        )
    return found


def _thresholds(edges: tuple[float, ...], analysis: Analysis) -> list[float]:
    """Return the outer limits of the bands on the natural scale, on the side of benefit."""
    side = -1.0 if analysis.better == "lower" else 1.0
    return [math.exp(side * edge) if MEASURES[analysis.measure].log else edge for edge in edges]


def _rounded(x: Any) -> float:
    """Return a number with 13 significant digits, far more than the page shows and half the size of a double's digits."""
    return float(f"{float(x):.13g}")
