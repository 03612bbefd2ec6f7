"""Numbers no study can have: more events than participants, negative spreads, empty arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import DataError

if TYPE_CHECKING:
    from bayesmeta.studies.table import StudyTable


def refuse_impossible(studies: StudyTable, kind: str) -> None:
    """Raise a DataError for numbers no study can have, in rows that are not excluded.

    Parameters
    ----------
    studies : StudyTable
        The study table.
    kind : {"dichotomous", "continuous", "rates", "oe"}
        The kind of data the effects are made from.
    """
    columns, included = studies.columns, np.asarray(studies.included, dtype=bool)
    checks: list[tuple[str, np.ndarray, str]] = []
    if kind == "dichotomous":
        for arm in ("e", "c"):
            events, total = columns[f"events_{arm}"], columns[f"n_{arm}"]
            checks.append((f"events_{arm}", events > total, "is more than the arm's total"))
            checks.append((f"events_{arm}", events < 0, "is negative"))
    elif kind == "continuous":
        checks += [(f"sd_{arm}", columns[f"sd_{arm}"] < 0, "is negative") for arm in ("e", "c")]
    elif kind == "rates":
        for arm in ("e", "c"):
            checks.append((f"events_{arm}", columns[f"events_{arm}"] < 0, "is negative"))
            checks.append((f"time_{arm}", columns[f"time_{arm}"] <= 0, "is not positive"))
    if kind in ("dichotomous", "continuous"):
        checks += [(f"n_{arm}", columns[f"n_{arm}"] <= 0, "is not positive") for arm in ("e", "c")]
    for name, bad, what in checks:
        for i in np.flatnonzero(bad & included):
            raise DataError(
                f"{name} = {columns[name][i]:g} {what}",
                source=studies.source,
                row=studies.labels[i],
                column=name,
                fix="Correct the number, or exclude the study with a reason.",
            )
