"""Within- and between-study parts of moderators: ``within(dose)`` and ``between(dose)`` in formulas.

The coefficient of a moderator that varies within studies mixes two comparisons: of estimates within a study, and of studies. Its two parts
are columns of their own: the mean of the study, and the difference from it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayesmeta.effects.estimate_columns import Column, find_column, missing_in
from bayesmeta.errors import DataError, SpecError
from bayesmeta.support.arrays import Array

_NAME = r"(?:[A-Za-z_][\w.]*|`[^`]+`)"
_CALL = re.compile(rf"(?<![\w.])(within|between)\(\s*({_NAME})\s*(?:,\s*({_NAME})\s*)?\)")
_BACKTICKS = re.compile(rf"({_CALL.pattern})|`[^`]*`|'[^']*'|\"[^\"]*\"")


@dataclass(frozen=True)
class StudyPart:
    """A part of a moderator in a formula.

    Parameters
    ----------
    name : str
        Name of its column: "within(dose)".
    kind : {"within", "between"}
        Difference from the mean of the study, or that mean.
    variable : str
        The moderator.
    group : str
        Column that names the study; "" for the one that the model is given.
    """

    name: str
    kind: str
    variable: str
    group: str


def name_parts(text: str) -> tuple[str, tuple[StudyPart, ...]]:
    """Return a formula in which each part is the quoted name of a column, and the parts."""
    found: dict[str, StudyPart] = {}

    def quoted(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        kind, variable, group = match[2], match[3].strip("`"), (match[4] or "").strip("`")
        name = f"{kind}({variable}{', ' + group if group else ''})"
        found[name] = StudyPart(name, kind, variable, group)
        return f"`{name}`"

    return _BACKTICKS.sub(quoted, text), tuple(found.values())


def part_columns(
    parts: Sequence[StudyPart], columns: Mapping[str, Column], used: Array, study: str
) -> dict[str, Column]:
    """Return the columns of the parts; NaN where the moderator is missing.

    Parameters
    ----------
    parts : sequence of StudyPart
        Parts that a formula names.
    columns : mapping of str to column
        From ``columns_of``.
    used : numpy.ndarray of bool, shape (n,)
        Estimates over which the means are taken.
    study : str
        Column that names the study of each estimate.

    Raises
    ------
    DataError
        If a moderator does not vary within studies.
    SpecError
        If it is not a number, or there is no such column.
    """
    found: dict[str, Column] = {}
    for part in parts:
        x = find_column(columns, part.variable, part.name)
        if not (isinstance(x, np.ndarray) and x.dtype.kind in "fi"):
            raise SpecError(
                f"{part.name} needs numbers, but '{part.variable}' has categories; make a number of each that is of interest"
            )
        group = part.group or study
        codes = group_codes(find_column(columns, group, part.name))
        means = _means(np.asarray(x, dtype=float), codes, used)
        within = x - means
        here = used & np.isfinite(within)
        if not (np.abs(within[here]) > 1e-10 * np.abs(x[here]).max(initial=0.0)).any():
            single = len(np.unique(codes[here])) == here.sum()
            what = f"each has one estimate by the column '{group}'" if single else "each has one value"
            raise DataError(
                f"'{part.variable}' does not vary within studies: {what}",
                column=part.variable,
                fix=f"Use '{part.variable}' itself; or name the column of the studies: {part.kind}({part.variable}, column).",
            )
        found[part.name] = means if part.kind == "between" else within
    return found


def group_codes(values: Column) -> Array:
    """Return the number of each estimate's group; estimates without one have a number of their own."""
    blank = missing_in(values)
    number: dict[object, int] = {}
    keys = [("", i) if gone else str(value) for i, (value, gone) in enumerate(zip(list(values), blank, strict=True))]
    return np.array([number.setdefault(key, len(number)) for key in keys])


def _means(x: Array, codes: Array, used: Array) -> Array:
    """Return the mean of x over the used estimates of each study; NaN where x is missing."""
    here = used & np.isfinite(x)
    size = int(codes.max(initial=-1)) + 1
    count = np.bincount(codes[here], minlength=size)
    total = np.bincount(codes[here], weights=x[here], minlength=size)
    with np.errstate(invalid="ignore"):
        means = (total / count)[codes]
    return np.where(np.isfinite(x), means, np.nan)


def notes_on_parts(
    parts: Sequence[StudyPart], variables: Sequence[str], columns: Mapping[str, Column], used: Array, study: str
) -> tuple[str, ...]:
    """Return what a reader must know of moderators that vary within studies: which coefficients mix, and what the parts are."""
    split = {part.variable for part in parts}
    notes = []
    for variable in dict.fromkeys(part.variable for part in parts):
        names = {part.kind: part.name for part in parts if part.variable == variable}
        meaning = {
            "within": "differences within studies (value less the study's mean)",
            "between": "differences between studies (means of the studies)",
        }
        notes.append("; ".join(f"'{name}': {meaning[kind]}" for kind, name in names.items()))
    if study not in columns:
        return tuple(notes)
    codes = group_codes(columns[study])
    if len(np.unique(codes[used])) == used.sum():
        return tuple(notes)
    for variable in variables:
        x = columns.get(variable)
        if variable in split or not (isinstance(x, np.ndarray) and x.dtype.kind in "fi") or variable.endswith(")"):
            continue
        within = np.abs(x - _means(np.asarray(x, dtype=float), codes, used))[used]
        if (within > 1e-10 * np.abs(x[used]).max(initial=0.0)).any():
            notes.append(
                f"'{variable}' varies within studies: its coefficient mixes differences within and between studies; "
                f"within({variable}) and between({variable}) separate them"
            )
    return tuple(notes)
