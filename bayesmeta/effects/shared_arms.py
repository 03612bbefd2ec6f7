"""Arms that several estimates of a study share: what the table says, its check, and the covariance that a shared arm makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from bayesmeta.effects.arm_variances import require_arm_variances
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column, missing_in
from bayesmeta.effects.pair_correlations import occasions
from bayesmeta.errors import DataError
from bayesmeta.studies.repeats import shared_arm_columns
from bayesmeta.support.arrays import Array

_WORDS = {"e": "experimental", "c": "control"}
#: number columns of an arm
_NUMBERS = ("events", "n", "mean", "sd", "time")


@dataclass(frozen=True, eq=False)
class SharedArms:
    """The arms that a table says rows share.

    Parameters
    ----------
    names : mapping of str to str
        Column of each side, "e" and "c", as written; a side without a column is absent.
    keys : mapping of str to list
        For each side, the study and arm of each row; None where the row names none.
    declared : numpy.ndarray of bool, shape (n,)
        Rows that name an arm.
    """

    names: Mapping[str, str]
    keys: Mapping[str, list[tuple[str, str] | None]]
    declared: Array

    @property
    def name(self) -> str | None:
        """A column of shared arms, for messages."""
        return self.names.get("c", self.names.get("e"))

    def say_all(self, studies: Sequence[object], used: Array) -> bool:
        """Whether every used row of a study with several used rows names an arm."""
        rows = np.flatnonzero(used).tolist()
        count = Counter(studies[row] for row in rows)
        return all(self.declared[row] for row in rows if count[studies[row]] > 1)

    def pairs(self, rows: Sequence[int]) -> dict[str, Array]:
        """Return for each side whether each two of some rows share that arm, bool of shape (m, m)."""
        found = {}
        for side in ("e", "c"):
            keys = [self.keys[side][row] if side in self.keys else None for row in rows]
            number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
            codes = np.array([-1 - i if key is None else number[key] for i, key in enumerate(keys)])
            found[side] = codes[:, None] == codes
        return found


def shared_arms(effects: Effects, columns: Mapping[str, Column]) -> SharedArms:
    """Read the columns of shared arms, and check that an arm has the same numbers wherever it is named.

    Raises
    ------
    DataError
        If an arm has different numbers in two rows of one outcome and time, or two rows share both arms there.
    """
    n, table = len(effects.yi), effects.studies
    names = shared_arm_columns(columns)
    studies = table.study_names if table is not None else effects.labels
    keys: dict[str, list[tuple[str, str] | None]] = {}
    for side, name in names.items():
        blank = missing_in(columns[name])
        texts = [str(int(v)) if isinstance(v, float) and v == int(v) else str(v) for v in _filled(columns[name], blank)]
        keys[side] = [None if gone else (studies[i], texts[i]) for i, gone in enumerate(blank)]
    declared = np.array([any(found[i] is not None for found in keys.values()) for i in range(n)], dtype=bool)
    arms = SharedArms(names, keys, declared)
    if declared.any():
        _check(effects, arms, occasions(columns, None, n))
    return arms


def _filled(values: Column, blank: Array) -> list[object]:
    return ["" if gone else value for value, gone in zip(list(values), blank, strict=True)]


def _check(effects: Effects, arms: SharedArms, times: Sequence[tuple[str, ...]]) -> None:
    """Refuse an arm with different numbers in two rows, and two rows that are the same comparison."""
    source = effects.studies.source if effects.studies is not None else None
    both: dict[object, int] = {}
    for side, keys in arms.keys.items():
        first: dict[object, int] = {}
        for row in np.flatnonzero(effects.used).tolist():
            if keys[row] is None:
                continue
            earlier = first.setdefault((keys[row], times[row]), row)
            if earlier != row:
                _same_numbers(effects, arms, side, earlier, row, source)
    if len(arms.keys) == 2:
        for row in np.flatnonzero(effects.used).tolist():
            e, c = arms.keys["e"][row], arms.keys["c"][row]
            earlier = both.setdefault((e, c, times[row]), row) if e is not None and c is not None else row
            if earlier != row:
                raise DataError(
                    f"'{effects.labels[earlier]}' and '{effects.labels[row]}' share both arms at the same outcome and time: they are one "
                    "comparison twice",
                    source=source,
                    column=arms.names["c"],
                    fix="Exclude one of the two, or add a column outcome or time that tells them apart.",
                )


def _same_numbers(effects: Effects, arms: SharedArms, side: str, one: int, two: int, source: str | None) -> None:
    columns = effects.studies.columns if effects.studies is not None else {}
    arm = arms.keys[side][two]
    for name in (f"{number}_{side}" for number in _NUMBERS):
        values = columns.get(name)
        if values is not None and values[one] != values[two] and not np.isnan(values[[one, two]]).all():
            raise DataError(
                f"'{effects.labels[one]}' and '{effects.labels[two]}' share the {_WORDS[side]} arm '{arm[1] if arm else ''}', but {name} "
                f"is {values[one]:g} in the one and {values[two]:g} in the other",
                source=source,
                column=arms.names[side],
                fix="Give both rows the numbers of the whole arm; or, if it was divided between them, leave the column blank there.",
            )


def arm_covariance(
    effects: Effects, arms: SharedArms, rows: Sequence[int], shared: Mapping[str, Array], r: Array
) -> Array:
    """Return the covariances of the estimates of one study that their shared arms make, shape (m, m); the diagonal is not used.

    Parameters
    ----------
    effects : Effects
        Estimates with the data of their arms.
    arms : SharedArms
        From ``shared_arms``.
    rows : sequence of int
        The m estimates of one study.
    shared : mapping of str to numpy.ndarray of bool, shape (m, m)
        For each side, whether two estimates share that arm.
    r : numpy.ndarray, shape (m, m)
        Correlation between the outcomes of one person in the two estimates; 1 for the same outcome at the same time.

    Notes
    -----
    With V_a the part of arm a in the sampling variance (``arm_variances``), cov(y_i, y_j) is r_ij times the sum of sqrt(V_ai V_aj) over
    the shared arms: for one shared control group p (1 - p) / n (RD), (1 - p) / (p n) (log RR), 1 / (p (1 - p) n) (log OR) and sd^2 / n
    (MD). For standardized mean differences it is r_ij times the sum of 1 / n_a, plus r_ij^2 g_i g_j / (2 N): N is the number of
    participants in all arms of the study, or in the two arms where both are shared. Gleser and Olkin (2009), Stochastically dependent
    effect sizes, in: Cooper, Hedges and Valentine (eds), Handbook of Research Synthesis, 2nd ed., 357-376. Their standard deviation is
    pooled over all arms; where it is pooled over the two arms of each comparison, the last term is a little smaller.
    """
    parts = require_arm_variances(effects, arms.name or "sampling_correlation")
    total = np.zeros((len(rows), len(rows)))
    for side, part in (("e", parts.e), ("c", parts.c)):
        root = np.sqrt(part[list(rows)])
        total += np.where(shared[side], np.multiply.outer(root, root), 0.0)
    total = r * total
    if not parts.standardized:
        return total
    g = effects.yi[list(rows)]
    return total + r**2 * np.multiply.outer(g, g) / (2 * _participants(effects, arms, rows, shared))


def _participants(effects: Effects, arms: SharedArms, rows: Sequence[int], shared: Mapping[str, Array]) -> Array:
    """Return the number of participants for each two estimates: of the two arms if both are shared, else of all arms of the study."""
    assert effects.studies is not None
    n = {side: effects.studies.columns[f"n_{side}"] for side in ("e", "c")}
    own = n["e"][list(rows)] + n["c"][list(rows)]
    arms_of_study: dict[object, float] = {}
    for side in ("e", "c"):
        for row in rows:
            key = arms.keys[side][row] if side in arms.keys else None
            known = (side, key) if key is not None else (side, row)
            arms_of_study[known] = max(arms_of_study.get(known, 0.0), float(n[side][row]))
    return np.where(shared["e"] & shared["c"], np.sqrt(np.multiply.outer(own, own)), sum(arms_of_study.values()))
