"""Sampling covariance S of estimates of one study, computed from what they share: arms, and the same people measured several times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column
from bayesmeta.effects.pair_correlations import occasions, pair_correlations
from bayesmeta.effects.shared_arms import SharedArms, arm_covariance, shared_arms
from bayesmeta.errors import DataError, SpecError
from bayesmeta.support.arrays import Array

#: what a sampling correlation is the correlation of
KINDS_OF_CORRELATION = ("estimates", "outcomes")


def dependent_covariance(
    effects: Effects,
    columns: Mapping[str, Column],
    groups: Sequence[Any],
    correlation: Any = None,
    *,
    by: str | None = None,
    of: str = "estimates",
) -> Covariance:
    """Return the sampling covariance of all estimates.

    Two estimates of one group depend on each other as follows. Where neither names an arm in a column of shared arms, they are of the same
    people: covariance ``rho sqrt(v_i v_j)`` (of the estimates) or from the arms' data (of the outcomes; see
    ``shared_arms.arm_covariance``), or 0 without a correlation. Where one names an arm, the arms with the same name are shared:
    rho is 1 at the same outcome and time, else the stated correlation.

    Parameters
    ----------
    effects : Effects
        n estimates.
    columns : mapping of str to column
        From ``columns_of``.
    groups : sequence, length n
        Study of each estimate; anything for estimates that are not pooled.
    correlation : float, str, mapping, DataFrame or None
        Sampling correlation; see ``pair_correlations``.
    by : str, optional
        Column of outcomes or times.
    of : {"estimates", "outcomes"}
        Whether it is the correlation of the estimates of effect, or of the outcomes of one person.

    Raises
    ------
    DataError
        If rows that share an arm have different numbers for it, their correlation is needed and not given, or the measure has no formula.
    SpecError
        If the correlation is not between -1 and 1, or not given for all pairs.
    """
    if of not in KINDS_OF_CORRELATION:
        raise SpecError(f"of should be 'estimates' or 'outcomes' but is {of!r}")
    arms = shared_arms(effects, columns)
    used = np.flatnonzero(effects.used)
    rows_of: dict[Any, list[int]] = {}
    for row in used.tolist():
        rows_of.setdefault(groups[row], []).append(row)
    repeated = [rows for rows in rows_of.values() if len(rows) > 1]
    if not repeated or not (arms.declared.any() or correlation is not None):
        return Covariance(effects.vi)
    number: dict[tuple[str, ...], int] = {}
    times = np.array([number.setdefault(one, len(number)) for one in occasions(columns, by, len(effects.yi))])
    blocks = []
    for rows in repeated:
        block = _block(effects, columns, arms, rows, times, correlation, by, of)
        if np.count_nonzero(block - np.diag(np.diagonal(block))):
            blocks.append((np.array(rows), block))
    return Covariance(effects.vi, tuple(blocks))


def _block(
    effects: Effects,
    columns: Mapping[str, Column],
    arms: SharedArms,
    rows: list[int],
    times: Array,
    correlation: Any,
    by: str | None,
    of: str,
) -> Array:
    """Return the sampling covariance of the estimates of one study, shape (m, m)."""
    m = len(rows)
    sd = np.sqrt(effects.vi[rows])
    declared = arms.declared[rows][:, None] | arms.declared[rows]
    shared = arms.pairs(rows)
    people = np.where(declared, shared["e"] | shared["c"], correlation is not None)
    np.fill_diagonal(people, False)
    same_time = times[rows][:, None] == times[rows]
    needed = people & ~(declared & same_time)
    r = np.eye(m)
    if needed.any() and correlation is None:
        one, two = (rows[int(at)] for at in np.argwhere(needed)[0])
        raise DataError(
            f"'{effects.labels[one]}' and '{effects.labels[two]}' share an arm at different outcomes or times, so that the correlation "
            "between these is needed",
            source=effects.studies.source if effects.studies is not None else None,
            column=arms.name,
            fix="Give sampling_correlation=, or select one outcome and time.",
        )
    if needed.any():
        r = np.where(needed, pair_correlations(correlation, columns, by, rows, effects.labels), r)
    r = np.where(people & declared & same_time, 1.0, r)
    if (np.isnan(r) & people).any():
        one, two = (rows[int(at)] for at in np.argwhere(np.isnan(r) & people)[0])
        raise SpecError(
            f"sampling_correlation has no value for '{effects.labels[one]}' and '{effects.labels[two]}', two estimates of one study"
        )
    from_arms = people & (declared if of == "estimates" else np.ones_like(declared))
    if of == "estimates":
        from_arms &= ~(shared["e"] & shared["c"])
    block = np.where(people, r * np.multiply.outer(sd, sd), 0.0)
    if from_arms.any():
        every = {arm: shared[arm] | ~declared for arm in ("e", "c")}
        block = np.where(from_arms, arm_covariance(effects, arms, rows, every, r), block)
    block[np.diag_indices(m)] = effects.vi[rows]
    return block
