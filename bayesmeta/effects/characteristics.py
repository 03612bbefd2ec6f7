"""Characteristics of studies, a table with one row per study, joined to the estimates by the study's name."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from difflib import get_close_matches

import numpy as np

from bayesmeta.effects.estimate_columns import Column, numbers_or_texts
from bayesmeta.errors import DataError
from bayesmeta.studies.characteristics import Characteristics
from bayesmeta.studies.repeats import study_name
from bayesmeta.support.words import plural


def join_by_study(
    known: Characteristics | None,
    labels: Sequence[str],
    used: np.ndarray,
    skip: Collection[str] = (),
    *,
    drop_missing: bool = False,
) -> dict[str, Column]:
    """Return the characteristics of the studies in the order of the estimates.

    Parameters
    ----------
    known : Characteristics or None
        From ``read_characteristics``; None has no columns. It may have studies that are not among the estimates.
    labels : sequence of str
        Study of each of the n estimates.
    used : numpy.ndarray of bool, shape (n,)
        Estimates that are pooled and therefore need a row.
    skip : collection of str
        Columns to leave out, as the estimates have their own.
    drop_missing : bool
        Whether the characteristics of a study without a row are missing, so that it is left out where one is needed, instead of refused.

    Raises
    ------
    DataError
        If a study that is pooled has no row, and studies are not to be left out; the message suggests the nearest name.
    """
    if known is None:
        return {}
    names = [study_name(label) for label in labels]
    row = {name: i for i, name in enumerate(known.studies)}
    absent = list(dict.fromkeys(name for name, here in zip(names, used, strict=True) if here and name not in row))
    if absent and not drop_missing:
        near = get_close_matches(absent[0], known.studies, n=1, cutoff=0.5)
        hint = f"Is '{absent[0]}' the study '{near[0]}'? " if near else ""
        more = f" and {plural(len(absent) - 1, 'other study', 'other studies')}" if len(absent) > 1 else ""
        raise DataError(
            f"no row for the study '{absent[0]}'{more}", source=known.source,
            fix=f"{hint}Write its name as in the study tables, add a row for it, or leave it out with drop_missing=True.",
        )  # fmt: skip
    places = [row.get(name) for name in names]
    return {
        name: numbers_or_texts([texts[i] if i is not None else "" for i in places])
        for name, texts in known.columns.items()
        if name not in skip
    }
