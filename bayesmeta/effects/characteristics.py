"""Characteristics of studies, a table with one row per study, joined to the estimates by the study's name."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np

from bayesmeta.effects.estimate_columns import Column, numbers_or_texts
from bayesmeta.errors import DataError
from bayesmeta.studies.names import ALIASES, simplify
from bayesmeta.studies.raw import read_file
from bayesmeta.support.words import plural


@dataclass(frozen=True)
class Characteristics:
    """What is known of each study, whatever the outcome.

    Parameters
    ----------
    source : str
        The file.
    studies : tuple of str
        Names of the studies.
    columns : mapping of str to tuple of str
        Other columns, one text per study.
    """

    source: str
    studies: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]


def read_characteristics(path: str | os.PathLike[str]) -> Characteristics:
    """Read a table of characteristics: a separated file with a column ``study`` and one row per study.

    Raises
    ------
    DataError
        If the file cannot be read, no column names the studies, or a study appears twice.
    """
    raw = read_file(path)
    at = next((i for i, name in enumerate(raw.header) if ALIASES.get(simplify(name), "") == "study"), None)
    if at is None:
        raise DataError("no column names the studies", source=raw.source, fix="Add a column 'study'.")
    rows = range(len(raw.rows))
    studies = tuple(raw.text(row, at) for row in rows)
    seen: set[str] = set()
    for row, name in enumerate(studies):
        if name in seen:
            raise raw.error(f"the study '{name}' appears twice", row=row, column=at, fix="Give each study one row.")
        seen.add(name)
    columns = {name: tuple(raw.text(row, i) for row in rows) for i, name in enumerate(raw.header) if i != at}
    return Characteristics(raw.source, studies, columns)


def join_by_study(
    known: Characteristics | None, labels: Sequence[str], used: np.ndarray, skip: Collection[str] = ()
) -> dict[str, Column]:
    """Return the characteristics of the studies in the order of the estimates.

    Parameters
    ----------
    known : Characteristics or None
        The table; None has no columns.
    labels : sequence of str
        Study of each of the n estimates.
    used : numpy.ndarray of bool, shape (n,)
        Estimates that are pooled and therefore need a row.
    skip : collection of str
        Columns to leave out, as the estimates have their own.

    Raises
    ------
    DataError
        If a study that is pooled has no row; the message suggests the nearest name.
    """
    if known is None:
        return {}
    row = {name: i for i, name in enumerate(known.studies)}
    absent = list(dict.fromkeys(label for label, here in zip(labels, used, strict=True) if here and label not in row))
    if absent:
        near = get_close_matches(absent[0], known.studies, n=1, cutoff=0.5)
        hint = f"Is '{absent[0]}' the study '{near[0]}'? " if near else ""
        more = f" and {plural(len(absent) - 1, 'other study', 'other studies')}" if len(absent) > 1 else ""
        raise DataError(
            f"no row for the study '{absent[0]}'{more}", source=known.source,
            fix=f"{hint}Write its name as in the study tables, or add a row for it.",
        )  # fmt: skip
    places = [row.get(label) for label in labels]
    return {
        name: numbers_or_texts([texts[i] if i is not None else "" for i in places])
        for name, texts in known.columns.items()
        if name not in skip
    }
