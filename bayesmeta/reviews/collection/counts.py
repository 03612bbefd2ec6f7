"""Heterogeneity and agreement of methods over the analyses of a collection, counted."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reviews.collection.read_corpus import read_corpus

if TYPE_CHECKING:
    import pandas as pd

#: the methods that are compared, and what they are called
METHODS: Mapping[str, str] = {
    "dl": "DerSimonian-Laird",
    "reml": "REML",
    "hk": "REML, guarded Hartung-Knapp",
    "normal": "Bayesian, normal likelihood",
    "arm": "Bayesian, arm-level likelihood",
}
#: those whose tau is shown, and those whose intervals are compared
OF_TAU, OF_EFFECT = ("dl", "reml", "normal", "arm"), ("dl", "hk", "normal", "arm")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
COLUMNS = tuple(f"q{100 * level:g}" for level in QUANTILES)
#: analyses that must share an outcome's name to be shown by themselves
SHARED = 5
ALL = "all"


@dataclass(frozen=True, eq=False)
class CorpusSummary:
    """What the analyses of a collection say together, from ``corpus_summary``.

    Parameters
    ----------
    analyses : pandas.DataFrame
        One row for each analysis of two studies or more: review, analysis, measure, outcome, k; and for each method of ``METHODS``
        ``tau_<method>`` (MODEL scale), ``excludes_<method>`` (1 where the interval excludes no effect, 0 where not) and
        ``width_<method>`` (of the interval, MODEL scale); NaN where the method has none.
    sizes : pandas.DataFrame
        By measure: analyses, those of one study, and quantiles of k over the others.
    tau : pandas.DataFrame
        By measure, outcome ("all", and each that 5 analyses or more share) and method: analyses, quantiles of tau, share of zeros.
    agreement : pandas.DataFrame
        By measure and method: analyses with an interval, how many exclude no effect, their share.
    concordance : pandas.DataFrame
        By measure and pair of methods, over the analyses that have both: both, only the first, only the second or neither exclude no
        effect; the median ratio of the second's width to the first's.
    """

    analyses: pd.DataFrame
    sizes: pd.DataFrame
    tau: pd.DataFrame
    agreement: pd.DataFrame
    concordance: pd.DataFrame


def corpus_summary(path: str | os.PathLike[str]) -> CorpusSummary:
    """Summarize heterogeneity and the agreement of methods over a collection of reviews.

    Parameters
    ----------
    path : str or path
        results.parquet (or results.csv) of a run, or the folder that holds it.

    Returns
    -------
    CorpusSummary
        Analyses of one study have no heterogeneity and are only counted. The Bayesian rows are those under the main priors, by
        quadrature where there is one; no effect is 1 for ratios, 0 for differences.

    Raises
    ------
    DataError
        If the results cannot be read.
    """
    every = _wide(read_corpus(path))
    several = every[every["k"] >= 2].reset_index(drop=True)
    return CorpusSummary(several, _sizes(every), _tau(several), _agreement(several), _concordance(several))


def _method(name: str) -> str:
    """Return the key of ``METHODS`` for a row's method, or ""."""
    parts = name.split(":")
    if parts[0] == "bayes":
        engines = ("quadrature", "nuts")
        return ("normal" if parts[1] == "normal" else "arm") if len(parts) == 3 and parts[2] in engines else ""
    return {"DL": "dl", "REML": "reml", "REML-HKSJ": "hk"}.get(name, "")


def _wide(rows: pd.DataFrame) -> pd.DataFrame:
    """One row for each analysis."""
    import pandas as pd

    key = ["review", "analysis"]
    every = rows.drop_duplicates(key).set_index(key)[["measure", "outcome"]]
    # counts of the published row and of methods that leave studies out may be other ones
    every["k"] = rows[rows["method"] != "published"].groupby(key)["k"].max()
    every["outcome"] = every["outcome"].str.split().str.join(" ")
    found = rows.assign(short=[_method(name) for name in rows["method"]])
    # a method that could use one study only says nothing of heterogeneity
    found = found[(found["short"] != "") & (found["k"] >= 2)]
    # "quadrature" comes after "nuts", so it is the one that is kept
    found = found.sort_values("method").drop_duplicates([*key, "short"], keep="last")
    log = found["measure"].map({name: measure.log for name, measure in MEASURES.items()}).to_numpy(bool)
    low, high = found["ci_low"].to_numpy(float), found["ci_high"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.where(log, np.log(low), low), np.where(log, np.log(high), high)
    known = np.isfinite(high - low)
    found = found.assign(
        excludes=np.where(known, ((low > 0) | (high < 0)).astype(float), np.nan),
        width=np.where(known, high - low, np.nan),
    )
    for name in METHODS:
        own = found[found["short"] == name].set_index(key)[["tau", "excludes", "width"]]
        every = every.join(own.add_suffix(f"_{name}"))
    return pd.DataFrame(every.sort_index().reset_index())


def _groups(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the analyses by measure, and all of them where there are several."""
    found = [(str(name), part) for name, part in frame.groupby("measure", sort=True)]
    return found if len(found) == 1 else [*found, (ALL, frame)]


def _quantiles(values: pd.Series) -> dict[str, float]:
    return dict(zip(COLUMNS, map(float, np.quantile(values.to_numpy(float), QUANTILES)), strict=True))


def _frame(rows: list[dict[str, object]], columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))


def _sizes(every: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for measure, part in _groups(every):
        several = part.loc[part["k"] >= 2, "k"]
        single = int((part["k"] == 1).sum())
        row = {"measure": measure, "analyses": len(part), "one_study": single, "several": len(several)}
        rows.append({**row, **(_quantiles(several) if len(several) else {})})
    return _frame(rows, ("measure", "analyses", "one_study", "several", *COLUMNS))


def _tau(several: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for measure, part in several.groupby("measure", sort=True):
        spelt = part["outcome"].str.casefold()
        parts = [(ALL, part)]
        for _, shared in part[spelt != ""].groupby(spelt, sort=True):
            if len(shared) >= SHARED:
                parts.append((shared["outcome"].iloc[0], shared))
        for outcome, chosen in parts:
            for method in OF_TAU:
                tau = chosen[f"tau_{method}"].dropna()
                if tau.empty:
                    continue
                row = {"measure": measure, "outcome": outcome, "method": method, "analyses": len(tau)}
                rows.append({**row, **_quantiles(tau), "zero": float((tau == 0).mean())})
    return _frame(rows, ("measure", "outcome", "method", "analyses", *COLUMNS, "zero"))


def _agreement(several: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for measure, part in _groups(several):
        for method in OF_EFFECT:
            excludes = part[f"excludes_{method}"].dropna()
            if len(excludes):
                row = {"measure": measure, "method": method, "analyses": len(excludes)}
                rows.append({**row, "excluding": int(excludes.sum()), "share": float(excludes.mean())})
    return _frame(rows, ("measure", "method", "analyses", "excluding", "share"))


def _concordance(several: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for measure, part in _groups(several):
        for first, second in combinations(OF_EFFECT, 2):
            pair = part.dropna(subset=[f"excludes_{first}", f"excludes_{second}"])
            if pair.empty:
                continue
            a, b = pair[f"excludes_{first}"] == 1, pair[f"excludes_{second}"] == 1
            counts = {"both": a & b, "only_first": a & ~b, "only_second": ~a & b, "neither": ~a & ~b}
            ratio = (pair[f"width_{second}"] / pair[f"width_{first}"]).median()
            row = {"measure": measure, "first": first, "second": second, "analyses": len(pair)}
            rows.append({**row, **{name: int(where.sum()) for name, where in counts.items()}, "width_ratio": ratio})
    names = ("measure", "first", "second", "analyses", "both", "only_first", "only_second", "neither", "width_ratio")
    return _frame(rows, names)
