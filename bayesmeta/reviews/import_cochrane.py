"""A Cochrane review written as review.toml and study tables that a person can read and edit."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from bayesmeta.cochrane.entries import Entry, entries, published_result
from bayesmeta.cochrane.read import read_cochrane
from bayesmeta.cochrane.recompute import numbers_of, swapped
from bayesmeta.cochrane.review import FIELDS, CochraneReview
from bayesmeta.errors import DataError
from bayesmeta.reviews.spec import read_review
from bayesmeta.support.files import write_text

_FILES = {
    "dichotomous": "dichotomous.csv", "continuous": "continuous.csv", "estimate": "estimates.csv", "oe": "o_minus_e.csv",
}  # fmt: skip
_METHODS = {"MH": "Mantel-Haenszel", "IV": "inverse variance", "PETO": "Peto", "EXP_O_E_VAR": "O-E and variance"}
_MODELS = {"common": "common effect", "random": "random effects"}
#: rows beyond which tables are split by comparison, as every analysis reads the whole of its table
_MOST_ROWS = 150

_HEAD = """\
# {title}
# Made by `bayesmeta import` from {source}. Edit what you like: see the columns of the tables, and ARCHITECTURE.md for what
# a review.toml may say. The tables' column `study` is unique within an analysis, `study_label` is the review's own name;
# a text in `exclude` leaves a row out, with that reason. What the review printed stands in `reported_*` and `published`.
"""


def import_review(
    path: str | os.PathLike[str], out: str | os.PathLike[str], *, overwrite: bool = False
) -> tuple[CochraneReview, Path]:
    """Read a Cochrane review and write it as review.toml and study tables.

    Parameters
    ----------
    path : path-like
        Any of Cochrane's files: see ``bayesmeta.read_cochrane``.
    out : path-like
        The folder to write into; nothing is written elsewhere.
    overwrite : bool
        Whether a review.toml that stands there already, perhaps edited, may be replaced.

    Returns
    -------
    review : CochraneReview
    file : Path
        The review.toml.

    Raises
    ------
    DataError
        If the file cannot be read, nothing in it can be analysed, or the folder holds a review already.
    """
    review, folder = read_cochrane(path), Path(out)
    if not overwrite and (folder / "review.toml").exists():
        raise DataError(
            "a review stands here already",
            source=str(folder / "review.toml"),
            fix="Choose another folder, or say --overwrite if it may be replaced.",
        )
    return review, write_review(review, folder)


def review_from_cochrane(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> Path:
    """Import a Cochrane review into a folder with its reproduction report, replacing an earlier import; return the path of its review.toml.

    Raises
    ------
    DataError
        As ``import_review``.
    """
    from bayesmeta.reviews.report.reproduction import write_reproduction

    review, file = import_review(path, folder, overwrite=True)
    write_reproduction(review, Path(folder))
    return file


def write_review(review: CochraneReview, folder: Path) -> Path:
    """Write a review that has been read; returns the path of its review.toml.

    Parameters
    ----------
    review : CochraneReview
    folder : Path
        Gets review.toml, one study table for each kind of data (for each comparison, where there are many rows),
        analyses.csv with every analysis of the review whether it could be imported or not, and, where the file tells of
        them, studies.csv and risk_of_bias.csv.

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
    tables = _tables(usable)
    for name, table in tables.items():
        write_text(folder / name, _study_csv(table))
    write_text(folder / "analyses.csv", _index(found))
    if review.studies:
        write_text(folder / "studies.csv", _studies(review))
    if review.risk_of_bias:
        columns = ("study", "domain", "judgement", "support")
        write_text(
            folder / "risk_of_bias.csv",
            _csv([columns, *([getattr(one, c) for c in columns] for one in review.risk_of_bias)]),
        )
    files = {entry.id: name for name, table in tables.items() for entry in table}
    # last, so that a review.toml never stands beside tables that are not its own
    path = write_text(folder / "review.toml", _toml(review, found, files))
    read_review(path)
    return path


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
        ["analysis", "subgroup", "study", "study_label", "year", *FIELDS[kind], *(f"participants_{c[-1]}" for c in counts),
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
        told = dict(study.characteristics)
        lines.append((study.study, study.year, study.data_source, *(told.get(name, "") for name in names)))
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


def _text(value: str) -> str:
    """Write a string as TOML; the escapes of JSON are among those of TOML."""
    return json.dumps(value, ensure_ascii=False)


def _toml(review: CochraneReview, found: Sequence[Entry], files: dict[str, str]) -> str:
    source = Path(review.source).name
    parts = [
        _HEAD.format(title=review.title, source=" ".join(source.split())),
        f"id = {_text(review.id)}\ntitle = {_text(review.title)}\n",
        # NUTS takes seconds an analysis, and a review may have hundreds
        '[settings]\nengine = "quadrature"  # or "both", to check it with NUTS\nsave_fits = false\n',
        '# Effects as RevMan computes them\n[options]\nzero_cells = "revman"\nsmd = "revman"\n',
    ]
    for entry in found:
        if entry.problem:
            parts.append(f"# Analysis {entry.id}, {entry.outcome}: not imported, {entry.problem}\n")
        else:
            parts.append(_analysis(entry, files[entry.id]))
    return "\n".join(parts)


def _analysis(entry: Entry, file: str) -> str:
    one = entry.analysis
    lines = [
        "[[analysis]]", f"id = {_text(entry.id)}", f"comparison = {_text(entry.comparison)}",
        f"outcome = {_text(entry.outcome)}", f"measure = {_text(entry.measure)}", f"data = {_text(file)}",
        f"where = {{ analysis = {_text(entry.id)} }}",
        f"groups = [{_text(one.group_e or 'Experimental')}, {_text(one.group_c or 'Control')}]",
    ]  # fmt: skip
    if entry.level != 0.95:
        lines.append(f"level = {entry.level!r}")
    if entry.note:
        lines.append(f"note = {_text(entry.note)}")
    result = published_result(entry)
    if result is not None:
        said: dict[str, object] = {name: getattr(result, name) for name in ("estimate", "ci_low", "ci_high")}
        said["k"] = entry.k or None
        n = None if result.n_e is None or result.n_c is None else int(result.n_e + result.n_c)
        said |= {"n": n, "tau2": result.tau2, "i2": result.i2, "q": result.q}
        pairs = [f"{name} = {value!r}" for name, value in said.items() if value is not None]
        pairs.append(
            f"method = {_text(', '.join(filter(None, [_METHODS.get(one.method, ''), _MODELS.get(one.model, '')])))}"
        )
        pairs += [f"model = {_text(one.model)}"] if one.model else []
        lines.append(f"published = {{ {', '.join(pairs)} }}")
    return "\n".join(lines) + "\n"
