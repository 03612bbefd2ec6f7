"""Import of a Cochrane review: review.toml and study tables, to read, edit and run."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from bayesmeta.cochrane.entries import Entry, entries
from bayesmeta.cochrane.read import read_cochrane
from bayesmeta.cochrane.recompute import numbers_of, swapped
from bayesmeta.cochrane.review import FIELDS, CochraneReview
from bayesmeta.errors import DataError, unknown_name
from bayesmeta.reviews.cochrane_toml import SUBGROUP, toml_text
from bayesmeta.reviews.file_names import REVIEW_TOML
from bayesmeta.reviews.import_risk_of_bias import FILE as RISK_OF_BIAS
from bayesmeta.reviews.import_risk_of_bias import imported_tool, with_every_study
from bayesmeta.reviews.spec import read_review
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.files import write_text

_FILES = {
    "dichotomous": "dichotomous.csv", "continuous": "continuous.csv", "estimate": "estimates.csv", "oe": "o_minus_e.csv",
}  # fmt: skip
#: number of rows above which tables are split by comparison, since every analysis reads its whole table
_MOST_ROWS = 150


def import_review(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    overwrite: bool = False,
    better: Mapping[str, str] | None = None,
) -> tuple[CochraneReview, Path]:
    """Read a Cochrane review and write it as review.toml and study tables.

    Parameters
    ----------
    path : path-like
        A Cochrane file: see ``bayesmeta.read_cochrane``.
    out : path-like
        Folder to write into; nothing is written elsewhere.
    overwrite : bool
        Whether an existing review.toml, which may have been edited, is replaced.
    better : mapping of str to str, optional
        Side of benefit, "lower" or "higher", by analysis ("1.2" or, for one subgroup, "1.2.3"); under "" for all others.

    Returns
    -------
    review : CochraneReview
        The review.
    file : Path
        Its review.toml.

    Raises
    ------
    DataError
        If the file cannot be read, nothing in it can be analysed, or the folder already contains a review.
    SpecError
        If ``better`` names another side, or an analysis that is not there.
    """
    review, folder = read_cochrane(path), checked_path(out, "the folder of the review")
    if not overwrite and (folder / REVIEW_TOML).exists():
        raise DataError(
            "the folder already contains a review",
            source=str(folder / REVIEW_TOML),
            fix="Choose another folder, or give --overwrite to replace it.",
        )
    return review, write_review(review, folder, better or {})


def review_from_cochrane(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Import a Cochrane review into a folder, with its reproduction report, replacing an earlier import.

    Parameters
    ----------
    path : path-like
        A Cochrane file.
    folder : path-like
        Folder to write into.

    Returns
    -------
    Path
        The review.toml.

    Raises
    ------
    DataError
        As ``import_review``.
    """
    from bayesmeta.reviews.report.reproduction import write_reproduction

    review, file = import_review(path, folder, overwrite=True)
    write_reproduction(review, Path(folder))
    return file


def write_review(review: CochraneReview, folder: Path, better: Mapping[str, str] | None = None) -> Path:
    """Write a review as review.toml and study tables.

    Parameters
    ----------
    review : CochraneReview
        The review.
    folder : Path
        Folder to write into: review.toml, one study table per kind of data (per comparison, if there are many rows), analyses.csv
        with every analysis of the review, imported or not, and, if the file contains them, studies.csv and risk_of_bias.csv.
    better : mapping of str to str, optional
        As in ``import_review``.

    Returns
    -------
    Path
        The review.toml.

    Raises
    ------
    DataError
        If nothing in the review can be analysed, or the folder cannot be written.
    """
    found = entries(review)
    usable = [entry for entry in found if not entry.problem]
    if not usable:
        why = "; ".join(dict.fromkeys(entry.problem for entry in found))
        raise DataError(f"no analysis of the review can be run: {why}", source=review.source)
    sides = _sides(usable, better or {})
    tables = _tables(usable)
    for name, table in tables.items():
        write_text(folder / name, _study_csv(table))
    write_text(folder / "analyses.csv", _index(found))
    if review.studies:
        write_text(folder / "studies.csv", _studies(review))
    if review.risk_of_bias:
        pooled = [row.study for entry in usable for row in entry.rows]
        columns = ("study", "domain", "judgement", "support")
        write_text(
            folder / RISK_OF_BIAS,
            _csv(
                [
                    columns,
                    *([getattr(one, c) for c in columns] for one in with_every_study(review.risk_of_bias, pooled)),
                ]
            ),
        )
    files = {entry.id: name for name, table in tables.items() for entry in table}
    # last, so that a review.toml is never beside the tables of another review
    judged = imported_tool(review)
    path = write_text(folder / REVIEW_TOML, toml_text(review, found, files, sides, judged))
    read_review(path)
    return path


def _sides(usable: Sequence[Entry], better: Mapping[str, str]) -> dict[str, str]:
    """Return the side of benefit of each entry that has one, by its id."""
    known = dict.fromkeys(name for entry in usable for name in (entry.id, entry.analysis.id))
    for analysis, side in better.items():
        if side not in ("lower", "higher"):
            raise unknown_name("side of benefit", side, ("lower", "higher"))
        if analysis and analysis not in known:
            raise unknown_name("analysis with a side of benefit:", analysis, known)
    found = {entry.id: better.get(entry.id) or better.get(entry.analysis.id) or better.get("", "") for entry in usable}
    return {name: side for name, side in found.items() if side}


def _tables(usable: Sequence[Entry]) -> dict[str, list[Entry]]:
    tables: dict[str, list[Entry]] = {}
    for kind, name in _FILES.items():
        these = [entry for entry in usable if entry.analysis.data_type == kind]
        comparisons = dict.fromkeys(entry.analysis.comparison for entry in these)
        split = len(comparisons) > 1 and sum(len(entry.rows) for entry in these) > _MOST_ROWS
        for entry in these:
            tables.setdefault(f"comparison-{entry.analysis.comparison}-{name}" if split else name, []).append(entry)
    return tables


def _study_csv(table: Iterable[Entry]) -> str:
    table = list(table)
    kind = table[0].analysis.data_type
    counts = ("n_e", "n_c") if kind in ("estimate", "oe") else ()
    reported = ("estimate", "ci_low", "ci_high", "weight")
    lines: list[list[object]] = [
        ["analysis", SUBGROUP, "study", "study_label", "year", *FIELDS[kind], *(f"participants_{c[-1]}" for c in counts),
         "exclude", *(f"reported_{name}" for name in reported), "footnote"]
    ]  # fmt: skip
    for entry in table:
        names = {subgroup.number: subgroup.name for subgroup in entry.analysis.subgroups}
        for row, name, reason in zip(entry.rows, entry.labels, entry.reasons, strict=True):
            values = swapped(row) if entry.analysis.swap_events and not reason else numbers_of(row, kind)
            lines.append(
                [entry.id, names.get(row.subgroup, ""), name, row.study, row.year, *values.values(),
                 *(getattr(row, count) for count in counts), reason, *(getattr(row, one) for one in reported), row.footnote]
            )  # fmt: skip
    return _csv(lines)


def _index(found: Sequence[Entry]) -> str:
    lines: list[Sequence[object]] = [
        ("analysis", "comparison", "outcome", "data_type", "measure", "method", "model", "level", "studies", "imported", "note")
    ]  # fmt: skip
    for entry in found:
        one = entry.analysis
        note = entry.problem or entry.note
        lines.append(
            (entry.id, entry.comparison, entry.outcome, one.data_type, entry.measure, one.method, one.model, entry.level,
             len(entry.rows), "no" if entry.problem else "yes", note)
        )  # fmt: skip
    return _csv(lines)


def _studies(review: CochraneReview) -> str:
    names = list(dict.fromkeys(name for study in review.studies for name, _ in study.characteristics))
    lines: list[Sequence[object]] = [("study", "year", "data_source", *names)]
    for study in review.studies:
        known = dict(study.characteristics)
        lines.append((study.study, study.year, study.data_source, *(known.get(name, "") for name in names)))
    return _csv(lines)


def _csv(lines: Iterable[Sequence[object]]) -> str:
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    for line in lines:
        writer.writerow([_cell(value) for value in line])
    return stream.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
