"""Refusal of numbers no study can have: more events than participants, negative spreads, empty arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.studies.kinds import COUNTS, KINDS

if TYPE_CHECKING:
    from bayesmeta.studies.table import StudyTable


def refuse_impossible(studies: StudyTable, kind: str) -> None:
    """Raise a DataError for numbers no study can have, in rows that are not excluded.

    Parameters
    ----------
    studies : StudyTable
        The study table.
    kind : {"dichotomous", "continuous", "rates", "oe"}
        The kind of data the effects are computed from.

    Raises
    ------
    DataError
        For the first such number: column, value and study.
    """
    record, columns = KINDS[kind], studies.columns
    checks: list[tuple[str, np.ndarray, str]] = []
    for name in record.columns:
        if name in record.limits:
            checks.append((name, columns[name] > columns[record.limits[name]], "is more than the arm's total"))
        if name in record.sizes:
            checks.append((name, columns[name] <= 0, "is not positive"))
        elif name in COUNTS or name in record.spreads:
            checks.append((name, columns[name] < 0, "is negative"))
    for name, bad, what in checks:
        for i in np.flatnonzero(bad & studies.included):
            raise DataError(
                f"{name} = {columns[name][i]:g} {what}",
                source=studies.source,
                row=studies.labels[i],
                column=name,
                fix="Correct the number, or exclude the study with a reason.",
            )
