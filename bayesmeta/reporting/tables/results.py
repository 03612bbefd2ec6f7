"""Tables of pooled results as text: a whole review, or the methods of one analysis.

They are made from tidy results: one row per analysis, method and term, estimates and intervals on the natural scale. Every number
is rounded once, here, and nothing is computed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.reporting.labels import abbreviations, has_ratio
from bayesmeta.reporting.numbers import count, estimate, interval, is_missing, number, percent, probability
from bayesmeta.reporting.tables.bands import IN_BANDS, bands_cell, bands_note
from bayesmeta.reporting.tables.layout import NOTE
from bayesmeta.results.methods import PUBLISHED, bayesian_parts, main_bayesian, method_label
from bayesmeta.support.frames import records

if TYPE_CHECKING:
    import pandas

Record = Mapping[str, Any]

#: level at which reviews usually publish their intervals
PUBLISHED_LEVEL = 0.95
#: columns of the main table that are left out where they are blank throughout
_OPTIONAL = ("P(beyond MID)", IN_BANDS, NOTE)


def written_estimate(row: Record) -> str:
    """Write the estimate and interval of a row of tidy results."""
    return estimate(row.get("estimate"), row.get("ci_low"), row.get("ci_high"))


def text_frame(rows: list[dict[str, str]], columns: Iterable[str], optional: Iterable[str] = ()) -> pandas.DataFrame:
    """Return rows of text as a frame; an optional column that is blank throughout is left out."""
    import pandas as pd

    unused = {name for name in optional if not any(row[name] for row in rows)}
    return pd.DataFrame(rows, columns=[name for name in columns if name not in unused], dtype=object)


class _Analysis:
    """The tidy rows of one analysis by method and term; absent rows and values count as missing."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._rows: dict[tuple[str, str], Record] = {}

    def add(self, row: Record) -> None:
        term = row.get("term", "mu")
        key = (str(row["method"]), "mu" if is_missing(term) else str(term))
        if key in self._rows:
            raise DataError(
                f"analysis {self.name} has two rows of method '{key[0]}', term '{key[1]}'",
                source="results",
                fix="Keep one row per analysis, method and term.",
            )
        self._rows[key] = row

    @property
    def methods(self) -> list[str]:
        return [method for method, term in self._rows if term == "mu"]

    def row(self, method: str | None, term: str = "mu") -> Record:
        return self._rows.get((method or "", term), {})

    def first(self, column: str) -> str:
        """Return the first value of a column that describes the whole analysis (outcome, time, measure ...)."""
        values = (row.get(column) for row in self._rows.values())
        return next((str(value) for value in values if not is_missing(value)), "")

    def bayes(self, wanted: str | None) -> str | None:
        methods = [m for m in self.methods if (m == wanted if wanted else main_bayesian(m))]
        return methods[0] if methods else None

    def tau(self, method: str | None) -> str:
        row = self.row(method, "tau")
        return written_estimate(row) or number(self.row(method).get("tau"))


def _analyses(results: pandas.DataFrame) -> list[_Analysis]:
    absent = [name for name in ("analysis", "method", "estimate") if name not in results.columns]
    if absent:
        raise DataError(
            f"no column {', '.join(map(repr, absent))}",
            source="results",
            fix=f"Tidy results need analysis, method and estimate; these have: {', '.join(map(str, results.columns))}.",
        )
    if len(results) and results["analysis"].dtype.kind == "f":
        raise DataError(
            "the analysis numbers were read as decimals, which makes 1.10 the same as 1.1",
            source="results",
            column="analysis",
            fix="Read the file with dtype={'analysis': str}.",
        )
    return _by_analysis(records(results))


def _by_analysis(rows: Iterable[Record]) -> list[_Analysis]:
    found: dict[str, _Analysis] = {}
    for row in rows:
        name = str(row["analysis"])
        if not is_missing(row.get("model")) and row["model"]:
            continue  # moderators, subgroups and nestings have tables of their own
        found.setdefault(name, _Analysis(name)).add(row)
    return list(found.values())


def _check_bayes(analyses: Sequence[_Analysis], bayes: str | None) -> None:
    known = dict.fromkeys(method for analysis in analyses for method in analysis.methods)
    if bayes is not None and bayes not in known:
        raise unknown_name("method in these results", bayes, known)


def main_table(results: pandas.DataFrame, *, bayes: str | None = None) -> pandas.DataFrame:
    """Tabulate a review: one row per analysis, in the order given, with the methods side by side.

    Parameters
    ----------
    results : pandas.DataFrame
        Tidy results on the natural scale; the columns `analysis`, `method` and `estimate` are needed, others may be
        absent.
    bayes : str, optional
        The Bayesian method to show, e.g. ``"bayes:normal:quadrature"``; without it the first of each analysis.

    Returns
    -------
    pandas.DataFrame
        Text. `Comparison` is meant as the row groups of a `Table`; k and N are those of the Bayesian row (else of the
        next method), tau is the Bayesian one, I2 the DerSimonian-Laird one. ``P(beyond MID)``, ``P(bands)`` and ``Note``
        are present when some analysis has one.

    Raises
    ------
    DataError
        When a needed column is absent, a row appears twice, or analysis numbers were read as decimals.
    SpecError
        When no analysis has the method `bayes`.
    """
    analyses = _analyses(results)
    _check_bayes(analyses, bayes)
    rows = []
    for analysis in analyses:
        shown = analysis.bayes(bayes)
        posterior = analysis.row(shown)
        parts = bayesian_parts(shown) if shown else None
        rows.append(
            {
                "Comparison": analysis.first("comparison"),
                "Analysis": analysis.name,
                "Outcome": analysis.first("outcome"),
                "Time": analysis.first("time"),
                "Measure": analysis.first("measure"),
                "k": _first(analysis, "k", shown),
                "N": _first(analysis, "n", shown),
                "Published": written_estimate(analysis.row("published")),
                "DerSimonian-Laird": written_estimate(analysis.row("DL")),
                "REML + guarded HK": written_estimate(analysis.row("REML-HKSJ")),
                "Bayesian": written_estimate(posterior),
                "Bayesian model": ", ".join(parts) if parts else "",
                "tau": analysis.tau(shown),
                "I2": percent(analysis.row("DL").get("i2")),
                "Prediction interval": interval(posterior.get("pi_low"), posterior.get("pi_high")),
                "P(benefit)": probability(posterior.get("prob_benefit")),
                "P(beyond MID)": probability(posterior.get("prob_beyond_mid")),
                IN_BANDS: bands_cell(posterior),
                NOTE: _main_note(analysis, shown),
            }
        )
    names = ["Comparison", "Analysis", "Outcome", "Time", "Measure", "k", "N", "Published", "DerSimonian-Laird"]
    names += ["REML + guarded HK", "Bayesian", "Bayesian model", "tau", "I2", "Prediction interval", "P(benefit)"]
    return text_frame(rows, [*names, *_OPTIONAL], optional=_OPTIONAL)


def _first(analysis: _Analysis, column: str, shown: str | None) -> str:
    """Write a count from the Bayesian row, else from the first method run here, else the published one."""
    ours = [method for method in analysis.methods if method != "published"]
    candidates = (analysis.row(method).get(column) for method in (shown, "DL", *ours, "published"))
    return next((count(value) for value in candidates if not is_missing(value)), "")


def _main_note(analysis: _Analysis, shown: str | None) -> str:
    """Return the notes of the methods shown, each once, and a note where they pool different studies."""
    shown_methods = [method for method in ("published", "DL", "REML-HKSJ", shown) if method]
    texts = [analysis.row(method).get("note") for method in shown_methods]
    notes = list(
        dict.fromkeys(str(text).strip().rstrip(".") for text in texts if not is_missing(text) and str(text).strip())
    )
    pooled, kept = analysis.row("DL").get("k"), analysis.row(shown).get("k")
    if not is_missing(pooled) and not is_missing(kept) and pooled != kept:
        notes.append(f"DerSimonian-Laird and REML pool {count(pooled)} of the {count(kept)} studies")
    return ". ".join(notes)


def main_notes(results: pandas.DataFrame, *, bayes: str | None = None, level: float = 0.95) -> tuple[str, ...]:
    """Return notes that explain the columns of `main_table` and the abbreviations in it.

    Parameters
    ----------
    results : pandas.DataFrame
        Tidy results, as in `main_table`.
    bayes : str, optional
        The Bayesian method shown, as in `main_table`.
    level : float
        Level of the intervals.

    Returns
    -------
    tuple of str
        The notes of a `Table`.
    """
    analyses = _analyses(results)
    _check_bayes(analyses, bayes)
    measures = list(dict.fromkeys(filter(None, (analysis.first("measure") for analysis in analyses))))
    shown = f"{100 * level:g}%"
    notes = [
        f"Estimates with {shown} confidence intervals; Bayesian: posterior median with {shown} credible interval. "
        "A blank cell: not reported or not estimable.",
        "; ".join([*abbreviations(measures), "k: studies pooled", "N: participants", "HK: Hartung-Knapp"]) + ".",
        f"τ: between-study standard deviation, posterior median with {shown} credible interval"
        + (", on the log scale for ratios" if has_ratio(measures) else "")
        + f". I²: from DerSimonian-Laird. Prediction interval: {shown}, Bayesian, for the effect in a new study. "
        "P(benefit): posterior probability that the effect favours the experimental arm.",
    ]
    if level != PUBLISHED_LEVEL and any(PUBLISHED in analysis.methods for analysis in analyses):
        notes.append("Published: the interval that the review printed, at its own level.")
    if "prob_beyond_mid" in results.columns and results["prob_beyond_mid"].notna().any():
        notes.append("P(beyond MID): posterior probability of a benefit beyond the minimal important difference.")
    notes += filter(None, [bands_note(analysis.row(analysis.bayes(bayes)) for analysis in analyses)])
    return tuple(notes)


def comparison_table(results: pandas.DataFrame, *, level: float | None = 0.95) -> pandas.DataFrame:
    """Tabulate one analysis: one row per method, in the order given.

    Parameters
    ----------
    results : pandas.DataFrame
        Tidy results of one analysis, as in `main_table`.
    level : float or None
        Level of the intervals, for the header; None leaves it out.

    Returns
    -------
    pandas.DataFrame
        Text: Method, Estimate [95% interval], Prediction interval, tau, I2, k, N, P(benefit), and where a method has
        one, P(beyond MID) and Note.

    Raises
    ------
    SpecError
        When the results are of several analyses.
    DataError
        As in `main_table`.
    """
    analyses = _analyses(results)
    if len(analyses) > 1:
        some = ", ".join(analysis.name for analysis in analyses[:5])
        raise SpecError(f"a comparison table shows one analysis, but these results have {len(analyses)}: {some}, ...")
    return _comparison(analyses, {}, level)


def comparisons(results: Iterable[Record], headings: Mapping[str, str], *, level: float | None) -> pandas.DataFrame:
    """Tabulate several analyses as `comparison_table` does one.

    Parameters
    ----------
    results : iterable of mapping
        Tidy results on the natural scale, one row per analysis, method and term.
    headings : mapping of str to str
        What each analysis is called in the first column, Analysis.
    level : float or None
        As in `comparison_table`.
    """
    return _comparison(_by_analysis(results), headings, level)


def _comparison(analyses: Iterable[_Analysis], headings: Mapping[str, str], level: float | None) -> pandas.DataFrame:
    """Return one row per analysis and method, with a column of headings if there are any."""
    header = "Estimate [interval]" if level is None else f"Estimate [{100 * level:g}% interval]"
    rows = []
    for analysis in analyses:
        for method in analysis.methods:
            row = analysis.row(method)
            note = row.get("note")
            if method == PUBLISHED and level != PUBLISHED_LEVEL:
                note = "Interval as published, whose level is not that of this analysis if the review used another"
            rows.append(
                {
                    "Analysis": headings.get(analysis.name, analysis.name),
                    "Method": method_label(method),
                    header: written_estimate(row),
                    "Prediction interval": interval(row.get("pi_low"), row.get("pi_high")),
                    "tau": analysis.tau(method),
                    "I2": percent(row.get("i2")),
                    "k": count(row.get("k")),
                    "N": count(row.get("n")),
                    "P(benefit)": probability(row.get("prob_benefit")),
                    "P(beyond MID)": probability(row.get("prob_beyond_mid")),
                    NOTE: "" if is_missing(note) else str(note),
                }
            )
    names = ["Method", header, "Prediction interval", "tau", "I2", "k", "N", "P(benefit)"]
    names = ["Analysis", *names] if headings else names
    return text_frame(rows, [*names, "P(beyond MID)", NOTE], optional=("P(beyond MID)", NOTE))
