"""Summary of a collection of reviews: quantiles of heterogeneity, and agreement of methods, over its analyses."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.choose import ENGINES
from bayesmeta.posterior.method import parse_method
from bayesmeta.results.methods import PUBLISHED
from bayesmeta.reviews.collection.read_corpus import read_corpus
from bayesmeta.support.display import Displayed, counted

if TYPE_CHECKING:
    import pandas as pd

#: methods that are compared, with their labels
METHODS: Mapping[str, str] = {
    "dl": "DerSimonian-Laird",
    "reml": "REML",
    "hk": "REML, guarded Hartung-Knapp",
    "normal": "Bayesian, normal likelihood",
    "arm": "Bayesian, arm-level likelihood",
}
#: methods whose tau is summarized, and methods whose intervals are compared
TAU_METHODS, EFFECT_METHODS = ("dl", "reml", "normal", "arm"), ("dl", "hk", "normal", "arm")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
COLUMNS = tuple(f"q{100 * level:g}" for level in QUANTILES)
#: number of analyses of the same outcome from which it is summarized by itself
SHARED = 5
ALL = "all"


@dataclass(frozen=True, eq=False, repr=False)
class CorpusSummary(Displayed):
    """Summary of the analyses of a collection, from ``corpus_summary``.

    Parameters
    ----------
    analyses : pandas.DataFrame
        One row per analysis of two studies or more: review, analysis, measure, outcome, k; and for each method of ``METHODS``
        ``tau_<method>`` (MODEL scale), ``excludes_<method>`` (1 if the interval excludes no effect, else 0) and
        ``width_<method>`` (of the interval, MODEL scale); NaN if the method has none.
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

    def _line(self) -> str:
        return f"{counted(len(self.analyses), 'analysis', 'analyses')} of two studies or more"

    def _table(self) -> pd.DataFrame:
        return self.agreement


def corpus_summary(path: str | os.PathLike[str]) -> CorpusSummary:
    """Summarize heterogeneity and the agreement of methods over a collection of reviews.

    Parameters
    ----------
    path : str or path
        results.parquet (or results.csv) of a run, or the folder that contains it.

    Returns
    -------
    CorpusSummary
        Analyses of one study have no heterogeneity and are only counted. The Bayesian rows are those under the main priors, by
        quadrature if there is one; no effect is 1 for ratios, 0 for differences.

    Raises
    ------
    DataError
        If the results cannot be read.
    """
    analyses = _one_row_per_analysis(read_corpus(path))
    several = analyses[analyses["k"] >= 2].reset_index(drop=True)
    return CorpusSummary(several, _sizes(analyses), _tau(several), _agreement(several), _concordance(several))


def _method(name: str) -> str:
    """Return the key of ``METHODS`` for a row's method; "" if it is not compared."""
    bayesian = parse_method(name)
    if bayesian is not None:
        main = not bayesian.priors and bayesian.engine in ENGINES
        return ("normal" if bayesian.likelihood == "normal" else "arm") if main else ""
    return {"DL": "dl", "REML": "reml", "REML-HKSJ": "hk"}.get(name, "")


def _one_row_per_analysis(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the columns ``analyses`` of a summary, analyses of one study included."""
    import pandas as pd

    key = ["review", "analysis"]
    analyses = rows.drop_duplicates(key).set_index(key)[["measure", "outcome"]]
    # the published row and methods that exclude studies may have other counts
    analyses["k"] = rows[rows["method"] != PUBLISHED].groupby(key)["k"].max()
    analyses["outcome"] = analyses["outcome"].str.split().str.join(" ")
    found = rows.assign(short=[_method(name) for name in rows["method"]])
    # from one study a method estimates no heterogeneity
    found = found[(found["short"] != "") & (found["k"] >= 2)]
    # "quadrature" sorts after "nuts", so it is kept
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
        analyses = analyses.join(own.add_suffix(f"_{name}"))
    return pd.DataFrame(analyses.sort_index().reset_index())


def _groups(frame: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    """Return the analyses by measure and, if there are several measures, all of them."""
    found = [(str(name), part) for name, part in frame.groupby("measure", sort=True)]
    return found if len(found) == 1 else [*found, (ALL, frame)]


def _quantiles(values: pd.Series) -> dict[str, float]:
    return dict(zip(COLUMNS, map(float, np.quantile(values.to_numpy(float), QUANTILES)), strict=True))


def _frame(rows: list[dict[str, object]], columns: tuple[str, ...]) -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(rows, columns=list(columns))


def _sizes(analyses: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for measure, part in _groups(analyses):
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
            for method in TAU_METHODS:
                tau = chosen[f"tau_{method}"].dropna()
                if tau.empty:
                    continue
                row = {"measure": measure, "outcome": outcome, "method": method, "analyses": len(tau)}
                rows.append({**row, **_quantiles(tau), "zero": float((tau == 0).mean())})
    return _frame(rows, ("measure", "outcome", "method", "analyses", *COLUMNS, "zero"))


def _agreement(several: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for measure, part in _groups(several):
        for method in EFFECT_METHODS:
            excludes = part[f"excludes_{method}"].dropna()
            if len(excludes):
                row = {"measure": measure, "method": method, "analyses": len(excludes)}
                rows.append({**row, "excluding": int(excludes.sum()), "share": float(excludes.mean())})
    return _frame(rows, ("measure", "method", "analyses", "excluding", "share"))


def _concordance(several: pd.DataFrame) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    for measure, part in _groups(several):
        for first, second in combinations(EFFECT_METHODS, 2):
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
