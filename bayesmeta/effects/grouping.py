"""Groups of studies: the group of each row from a column, the order of the groups, and the effects of one of them."""

from __future__ import annotations

import reprlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import columns_of, find_column, group_labels, missing_in
from bayesmeta.errors import DataError, SpecError
from bayesmeta.support.arrays import Array

#: names in a message
_MOST_NAMES = 10


@dataclass(frozen=True, eq=False)
class Grouping:
    """The group of each row.

    Parameters
    ----------
    name : str
        Column that names the groups.
    labels : tuple
        Label of each row's group, None for a row that is not used.
    order : tuple
        The G groups: in the order of a categorical column, numbers in increasing order, else in the order of the table.
    """

    name: str
    labels: tuple[Any, ...]
    order: tuple[Any, ...]

    def rows(self, group: Any) -> Array:
        """Return whether each row is in a group, shape (n,)."""
        return np.array([label == group for label in self.labels], dtype=bool)


def grouped(
    effects: Effects, by: Any, data: Any = None, *, drop_missing: bool = False, used: Array | None = None
) -> tuple[Grouping, Effects]:
    """Return the group of each row, and the effects without the rows that have none.

    Parameters
    ----------
    effects : Effects
        n rows.
    by : str or sequence
        Column of ``data`` or of the study table, or the groups themselves, one per row.
    data : DataFrame or mapping, optional
        Columns with one value per row.
    drop_missing : bool
        Whether rows without a group are left out instead of refused.
    used : numpy.ndarray of bool, shape (n,), optional
        Rows that need a group; default: those that are pooled.

    Raises
    ------
    DataError
        If a used row has no group, or all are in one group.
    SpecError
        If there is no such column.
    """
    if isinstance(by, str):
        name, columns = by, columns_of(effects, data)
    else:
        if not hasattr(by, "__iter__"):
            raise SpecError(f"by should be the name of a column, or one group per study, but is {reprlib.repr(by)}")
        name = str(getattr(by, "name", None) or "by")
        columns = columns_of(effects, {name: by if hasattr(by, "cat") else list(by)})
    values = find_column(columns, name, "by")
    used = effects.used if used is None else used
    lacking = missing_in(values) & used
    if lacking.any():
        if not drop_missing:
            raise _no_group(name, [effects.labels[i] for i in np.flatnonzero(lacking)])
        effects, used = leave_out(effects, lacking, f"{name} missing"), used & ~lacking
    labels = group_labels(columns, name, "by", effects.labels, used)
    order = list(dict.fromkeys(label for label, here in zip(labels, used, strict=True) if here))
    if hasattr(values, "categories"):
        order = [one for one in values.categories if one in order]
    elif all(isinstance(label, (int, float)) for label in order):
        order.sort()
    if len(order) < 2:
        raise DataError(
            f"all studies are in one group: {order[0]!r}" if order else "no study is left to pool", column=name
        )
    return Grouping(name, tuple(labels), tuple(order)), effects


def _no_group(name: str, studies: Sequence[str]) -> DataError:
    shown = ", ".join(f"'{study}'" for study in studies[:_MOST_NAMES])
    more = f" and {len(studies) - _MOST_NAMES} more" if len(studies) > _MOST_NAMES else ""
    return DataError(
        f"no group for {shown}{more}", column=name, fix="Fill it in, or leave such studies out with drop_missing=True."
    )


def leave_out(effects: Effects, rows: Array, reason: str) -> Effects:
    """Return effects in which some rows are not pooled, for a reason, neither as estimates nor by the counts of their table."""
    reasons = tuple(
        known or (reason if here else "") for known, here in zip(effects.reasons, rows.tolist(), strict=True)
    )
    table = effects.studies
    if table is not None:
        exclusions = (
            known or (reason if here else "") for known, here in zip(table.exclusions, rows.tolist(), strict=True)
        )
        table = replace(table, exclusions=tuple(exclusions))
    return replace(effects, reasons=reasons, studies=table)
