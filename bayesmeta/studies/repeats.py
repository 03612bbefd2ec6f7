"""Studies with several rows: whether a table may have them, and labels that tell their rows apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from bayesmeta.studies.names import simplify
from bayesmeta.studies.numbers import is_missing, quoted
from bayesmeta.studies.raw import RawTable
from bayesmeta.studies.rows import RESULTS, suggest_where

#: arm that the rows of a study share, by the simplified name of the column that says so
SHARED_ARMS: Mapping[str, str] = {"sharedarme": "e", "sharedarmc": "c"}
#: simplified names of the columns that tell the outcomes and times of a study's rows apart
OCCASIONS = ("outcome", "endpoint", "time", "timepoint", "followup")
#: simplified names of columns by which rows of one study are told apart before all others
_TELLING = (
    *OCCASIONS, "days", "weeks", "months", "years", "dose", "comparison", "treatment", "arm", "intervention", "sharedarme", "sharedarmc",
)  # fmt: skip
#: a text longer than this does not become part of a label
_LONGEST = 40


def shared_arm_columns(names: Iterable[str]) -> dict[str, str]:
    """Return the columns that name shared arms: "e" or "c" to the name of the column as written."""
    return {SHARED_ARMS[simplify(name)]: name for name in names if simplify(name) in SHARED_ARMS}


def study_name(label: str) -> str:
    """Return the name by which rows belong to one study: runs of spaces are one space."""
    return " ".join(label.split())


def refuse_duplicates(
    raw: RawTable, labels: Sequence[str], included: np.ndarray, columns: Mapping[str, np.ndarray], extra: Sequence[int]
) -> None:
    """Refuse two rows of one study, unless columns of shared arms say how the two depend on each other.

    Raises
    ------
    DataError
        Naming both rows, and the ways to go on.
    """
    first: dict[str, int] = {}
    declared = _declared_rows(raw, extra)
    for row in (int(at) for at in np.flatnonzero(included)):
        earlier = first.setdefault(study_name(labels[row]), row)
        if earlier == row or (declared[row] and declared[earlier]):
            continue
        same = all(np.array_equal(values[earlier], values[row], equal_nan=True) for values in columns.values())
        select = suggest_where(raw, extra, earlier, row)
        choose = f"Select one outcome, e.g. with {select}. " if select else ""
        several = (
            "If they are two studies, name them differently. If they are several estimates of one study, its participants must not count "
            "twice: keep one row, combine the arms, say which rows share an arm (column shared_arm_c or shared_arm_e), or model the "
            "dependence (--nesting study/estimate; nesting in review.toml and in Python)."
        )
        raise raw.error(
            f"{quoted(labels[row])} is in row {raw.numbers[earlier]} already, with {'the same' if same else 'other'} numbers",
            row=row,
            fix=choose + ("Delete or exclude one of the two." if same else several),
        )


def _declared_rows(raw: RawTable, extra: Sequence[int]) -> np.ndarray:
    """Whether each row names an arm that it may share, bool (k,)."""
    places = [at for at in extra if simplify(raw.header[at]) in SHARED_ARMS]
    return np.array(
        [any(not is_missing(raw.text(row, at)) for at in places) for row in range(len(raw.rows))], dtype=bool
    )


def unique_labels(
    raw: RawTable, labels: Sequence[str], included: np.ndarray, extra: Sequence[int] = ()
) -> tuple[str, ...]:
    """Return one label per row, each once.

    Rows of one study get what tells them apart added: the text of a column, such as the outcome, or a number from the second row on.
    Excluded rows with the label of another get their row number.
    """
    names = list(labels)
    rows_of: dict[str, list[int]] = {}
    for row in (int(at) for at in np.flatnonzero(included)):
        rows_of.setdefault(study_name(labels[row]), []).append(row)
    repeated = [rows for rows in rows_of.values() if len(rows) > 1]
    if repeated:
        texts = _telling_texts(raw, repeated, extra)
        taken = set(labels)
        for rows in repeated:
            for number, row in enumerate(rows):
                if not texts and not number:
                    continue
                name = f"{labels[row]} ({texts[row] if texts else number + 1})"
                while name in taken:
                    name = f"{name} (row {raw.numbers[row]})"
                taken.add(name)
                names[row] = name
    taken = {name for name, is_in in zip(names, included, strict=True) if is_in}
    for row in (int(at) for at in np.flatnonzero(~np.asarray(included))):
        name = names[row] or f"row {raw.numbers[row]}"
        while name in taken:
            name = f"{name} (row {raw.numbers[row]})"
        taken.add(name)
        names[row] = name
    return tuple(names)


def _telling_texts(raw: RawTable, repeated: Sequence[Sequence[int]], extra: Sequence[int]) -> dict[int, str]:
    """Return for each row of repeated studies the text that tells it apart; empty where no column, and no two, do."""
    simple = {at: simplify(raw.header[at]) for at in extra if simplify(raw.header[at]) not in RESULTS}
    first = sorted((at for at in simple if simple[at] in _TELLING), key=lambda at: _TELLING.index(simple[at]))
    others = [at for at in simple if at not in first]
    pairs = [(one, two) for i, one in enumerate(first) for two in first[i + 1 :]]
    for columns in [*((at,) for at in first), *pairs, *((at,) for at in others)]:
        texts = {row: [raw.text(row, at) for at in columns] for rows in repeated for row in rows}
        if any(is_missing(text) or len(text) > _LONGEST for parts in texts.values() for text in parts):
            continue
        # a number says nothing without the name of its column, and one of an unknown column may be a counter
        numbers = [all(_is_number(parts[i]) for parts in texts.values()) for i in range(len(columns))]
        if columns[0] in others and numbers[0]:
            continue
        headers = [f"{raw.header[at]} " if number else "" for at, number in zip(columns, numbers, strict=True)]
        joined = {
            row: ", ".join(f"{header}{text}" for header, text in zip(headers, parts, strict=True))
            for row, parts in texts.items()
        }
        if all(len({joined[row] for row in rows}) == len(rows) for rows in repeated):
            return joined
    return {}


def _is_number(text: str) -> bool:
    """Whether a text is written as a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True
