"""Rows of a table: headings dropped, rows selected and excluded, labels made unique."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.columns import find_column
from bayesmeta.studies.names import simplify
from bayesmeta.studies.numbers import is_missing, quoted
from bayesmeta.studies.raw import RawTable

_NOT_EXCLUDED = frozenset(("no", "n", "false", "0", "0.0", "f"))
_JUST_YES = frozenset(("yes", "y", "true", "1", "1.0", "x", "t", "exclude", "excluded"))
_TOTALS = frozenset(
    ("total", "totals", "subtotal", "sub-total", "overall", "pooled", "total (95% ci)", "subtotal (95% ci)", "sum")
)
_SELECTORS = (
    ("analysis",),
    ("analysisid",),
    ("analysisgroup", "analysisnumber"),
    ("comparisonnumber", "outcomenumber"),
)
#: simplified names of columns of results, which differ between any two rows
RESULTS = frozenset(("weight", "mean", "cistart", "ciend", "effectestimate", "se", "footnotes", "variance", "oe"))


def suggest_where(raw: RawTable, extra: Iterable[int], first: int, second: int) -> str:
    """Write the option ``--where`` that selects the first of two rows, or an empty string if no column differs."""
    texts = {at: (raw.text(first, at), raw.text(second, at)) for at in extra}
    named = {simplify(raw.header[at]): at for at in texts}
    groups = [[named[name] for name in names] for names in _SELECTORS if all(name in named for name in names)]
    # Weights and results differ between any two rows, whatever the outcome.
    differing = [[at] for at, pair in texts.items() if all(pair) and simplify(raw.header[at]) not in RESULTS]
    for group in [*groups, *differing]:
        if any(texts[at][0] != texts[at][1] for at in group):
            chosen = " ".join(f'--where "{raw.header[at]}={texts[at][0]}"' for at in group)
            return f"{chosen} (in review.toml and in Python: where)"
    return ""


def drop_headings(raw: RawTable) -> RawTable:
    """Drop the rows of a RevMan 5 export that are comparisons, outcomes and subgroups, not studies."""
    outcome, data_type = find_column(raw.header, "Outcome Number"), find_column(raw.header, "Data Type")
    rows = [
        row for row in range(len(raw.rows)) if raw.text(row, outcome) not in ("", "0") and not raw.text(row, data_type)
    ]
    order = next((at for at, name in enumerate(raw.header) if simplify(name) == "userdefinedorder"), None)
    if order is not None:
        # Only studies are numbered; subgroup headings, which contain totals, are not.
        rows = [row for row in rows if raw.text(row, order)] or rows
    if not rows:
        raise DataError(
            "the RevMan 5 export has headings but no study", source=raw.source, fix="Export the analysis data again."
        )
    return raw.take(rows)


def select_rows(raw: RawTable, where: Mapping[str, str], study: int | None) -> list[int]:
    """Return the positions of the rows with the texts of `where`.

    Raises
    ------
    SpecError
        If a column or a text is not there.
    """
    rows = list(range(len(raw.rows)))
    for name, value in where.items():
        if not isinstance(name, str) or not isinstance(value, str):
            raise SpecError(
                f"where compares text, so that 1.10 is not 1.1: write {{'{name}': '1.10'}}, for example; got {value!r}"
            )
        at = (
            study
            if name == "study" and study is not None and "study" not in raw.header
            else find_column(raw.header, name)
        )
        among = list(dict.fromkeys(raw.text(row, at) for row in rows))
        rows = [row for row in rows if raw.text(row, at) == value.strip()]
        if not rows:
            raise unknown_name(f"value in column '{raw.header[at]}' of {raw.source}:", value, among[:40])
    return rows


def exclusion_reasons(
    raw: RawTable, places: Sequence[int], labels: Sequence[str], requested: Mapping[str, str]
) -> list[str]:
    """Return the reason each row is left out, from its own columns or on request; "" for rows that are in.

    Raises
    ------
    SpecError
        If a requested study is not there, or its reason is not a text.
    """
    reasons = []
    for row in range(len(raw.rows)):
        texts = [raw.text(row, at) for at in places if not is_missing(raw.text(row, at))]
        marks = [text for text in texts if text.casefold() not in _NOT_EXCLUDED]
        stated = [text for text in marks if text.casefold() not in _JUST_YES]
        reasons.append((stated or ["excluded, no reason given"])[0] if marks else "")
    for label, reason in requested.items():
        if label not in labels:
            raise unknown_name("study to exclude:", label, labels)
        if not isinstance(reason, str) or not reason.strip():
            raise SpecError(f"exclude gives the reason for leaving out a study as text; got {reason!r} for '{label}'")
        reasons = [reason.strip() if labels[row] == label else old for row, old in enumerate(reasons)]
    return reasons


def with_year(label: str, year: str) -> str:
    """Return the label of a study from its author and year, unless the author's cell contains the year already."""
    return f"{label} {year}" if label and year and not is_missing(year) and year not in label else label


def check_labels(raw: RawTable, labels: Sequence[str], included: np.ndarray, study: int | None) -> None:
    """Refuse rows with numbers but no name, and rows of totals."""
    for row in (int(at) for at in np.flatnonzero(included)):
        if not labels[row]:
            raise raw.error("the row has numbers but no study name", row=row, column=study, fix="Name the study.")
        if labels[row].casefold() in _TOTALS:
            fix = "Delete the row or exclude it; if it is a study, name it differently."
            raise raw.error(f"{quoted(labels[row])} looks like a total, not a study", row=row, column=study, fix=fix)
