"""What each arm adds to the sampling variance of an estimate, for the covariance of estimates that share an arm."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from bayesmeta.effects.effects import Effects
from bayesmeta.errors import DataError
from bayesmeta.support.arrays import Array


class ArmVariances(NamedTuple):
    """Parts of the sampling variance that are due to the experimental and the control arm, shape (n,), model scale squared.

    ``standardized`` is whether the effects are divided by an estimated standard deviation, whose variance comes on top.
    """

    e: Array
    c: Array
    standardized: bool


#: measures with a formula for the covariance of estimates that share an arm
WITH_ARMS = ("RR", "OR", "RD", "IRR", "MD", "ROM", "SMD")


def arm_variances(effects: Effects) -> ArmVariances | None:
    """Return the arms' parts of the variances, or None where the data of the arms, or a formula, are not there.

    The formulas are those of the variances: for a risk p of n participants p (1 - p) / n (RD), (1 - p) / (p n) (log RR) and
    1 / (p (1 - p) n) (log OR); 1 / events (log IRR); sd^2 / n (MD), sd^2 / (n mean^2) (log ROM) and 1 / n (SMD).

    Notes
    -----
    Where a zero-cell rule added 0.5, the parts are those of the corrected cells: the parts add up to the variance there is.
    """
    table, measure = effects.studies, effects.measure
    if table is None or measure not in WITH_ARMS or table.kind == "estimate":
        return None
    columns = table.columns
    with np.errstate(all="ignore"):
        if measure in ("RR", "OR", "RD", "IRR"):
            exposed = "time" if measure == "IRR" else "n"
            if not table.has("events_e", "events_c", f"{exposed}_e", f"{exposed}_c"):
                return None
            plain, added = (
                [_of_events(measure, columns[f"events_{arm}"], columns[f"{exposed}_{arm}"], add) for arm in ("e", "c")]
                for add in (0.0, 0.5)
            )
            fits = np.isclose(plain[0] + plain[1], effects.vi, rtol=1e-9, atol=0.0)
            e, c = (np.where(fits, one, other) for one, other in zip(plain, added, strict=True))
            return ArmVariances(e, c, False)
        if not table.has("mean_e", "sd_e", "n_e", "mean_c", "sd_c", "n_c"):
            return None
        e, c = (
            _of_means(measure, columns[f"mean_{arm}"], columns[f"sd_{arm}"], columns[f"n_{arm}"]) for arm in ("e", "c")
        )
        return ArmVariances(e, c, measure == "SMD")


def require_arm_variances(effects: Effects, column: str) -> ArmVariances:
    """Return the arms' parts of the variances.

    Raises
    ------
    DataError
        If there is no formula for the measure, or the table has no data of the arms.
    """
    found = arm_variances(effects)
    if found is None:
        raise DataError(
            f"the covariance of estimates that share an arm is computed from the data of the arms, for {', '.join(WITH_ARMS)}; these are "
            f"{effects.measure}" + ("" if effects.measure not in WITH_ARMS else " as ready-made estimates"),
            source=effects.studies.source if effects.studies is not None else None,
            column=column,
            fix="Give covariance= yourself and leave the column out, combine the arms, or choose another measure.",
        )
    return found


def _of_events(measure: str, events: Array, exposed: Array, add: float) -> Array:
    if measure == "IRR":
        return 1 / (events + add)
    a, b = events + add, exposed - events + add
    n = a + b
    if measure == "RD":
        return a * b / n**3
    return b / (a * n) if measure == "RR" else 1 / a + 1 / b


def _of_means(measure: str, mean: Array, sd: Array, n: Array) -> Array:
    if measure == "SMD":
        return 1 / n
    return sd**2 / n if measure == "MD" else sd**2 / (n * mean**2)
