"""Ready-made contrasts of trials: the covariance of a multi-arm trial from its pairwise standard errors or its base arm."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.networks.arm_values import StudyContrasts
from bayesmeta.studies.arms import ContrastTable
from bayesmeta.support.arrays import Array

#: largest contradiction between the contrasts of a multi-arm trial that is taken for rounding, if they have three decimals or more
TOLERANCE = 0.001


def contrasts_of_studies(table: ContrastTable) -> tuple[list[str], list[tuple[str, ...]], list[StudyContrasts]]:
    """Return studies, their treatments (first arm first) and their contrasts against the first arm.

    Raises
    ------
    DataError
        If the rows of a multi-arm trial are neither all a (a - 1) / 2 contrasts nor a - 1 against one arm with ``se_base``, if they
        contradict one another, or if their standard errors cannot be right together.
    """
    rows: dict[str, list[int]] = {}
    for row, study in enumerate(table.studies):
        rows.setdefault(study, []).append(row)
    studies = list(rows)
    found = [_of_study(table, study, rows[study]) for study in studies]
    return studies, [arms for arms, _ in found], [block for _, block in found]


def _of_study(table: ContrastTable, study: str, rows: list[int]) -> tuple[tuple[str, ...], StudyContrasts]:
    y, v = table.yi[rows], table.sei[rows] ** 2
    pairs = [(table.treat1[row], table.treat2[row]) for row in rows]
    if len(rows) == 1:
        return (pairs[0][1], pairs[0][0]), StudyContrasts(y, v[:, None])
    names = list(dict.fromkeys(name for pair in pairs for name in pair))
    base = table.se_base[rows] if table.se_base is not None else np.full(len(rows), np.nan)
    if len(rows) == len(names) * (len(names) - 1) // 2:
        return _of_all_pairs(table, study, names, pairs, y, v)
    common = set(pairs[0]).intersection(*pairs)
    if len(rows) == len(names) - 1 and len(common) == 1 and not np.isnan(base).all():
        return _of_base(table, study, common.pop(), pairs, y, v, base[~np.isnan(base)])
    arms = len(names)
    raise DataError(
        f"the study '{study}' compares {arms} treatments ({', '.join(names)}) in {len(rows)} rows",
        source=table.source,
        fix=f"Give all {arms * (arms - 1) // 2} contrasts of its arms; or {arms - 1} rows against one of them, with the standard error of "
        "that arm in a column se_base; or the data of the arms.",
    )


def _of_all_pairs(
    table: ContrastTable, study: str, names: list[str], pairs: list[tuple[str, str]], y: Array, v: Array
) -> tuple[tuple[str, ...], StudyContrasts]:
    """Return contrasts from all pairs: covariance (v_1i + v_1j - v_ij) / 2 of the contrasts of i and j against the first arm."""
    a = len(names)
    at = {name: i for i, name in enumerate(names)}
    effect, variance = np.zeros((a, a)), np.zeros((a, a))
    for (one, two), value, square in zip(pairs, y, v, strict=True):
        i, j = at[one], at[two]
        effect[i, j], effect[j, i] = value, -value
        variance[i, j] = variance[j, i] = square
    position = effect.mean(axis=1)
    slack = _slack(y, v)
    for i, j in combinations(range(a), 2):
        gap = abs(effect[i, j] - (position[i] - position[j]))
        if gap > slack:
            raise DataError(
                f"the contrasts of the study '{study}' contradict one another: '{names[i]}' against '{names[j]}' is {effect[i, j]:g}, but "
                f"{position[i] - position[j]:g} by all its rows together",
                source=table.source,
                fix="The effects of a trial add up: A against C is A against B plus B against C. Correct a number or a sign.",
            )
    covariance = (variance[0, 1:, None] + variance[0, 1:] - variance[1:, 1:]) / 2
    if np.linalg.eigvalsh(covariance)[0] <= 0:
        raise DataError(
            f"the standard errors of the study '{study}' cannot be right together: no trial with {a} arms has them",
            source=table.source,
            fix="Correct them, or give the data of the arms.",
        )
    return tuple(names), StudyContrasts(position[1:] - position[0], covariance)


def _slack(y: Array, v: Array) -> float:
    """Return what rounding to the last decimal can explain: ``TOLERANCE`` at least, and a tenth of a standard error at most."""
    decimals = max(len(repr(float(value)).partition("e")[0].partition(".")[2].rstrip("0")) for value in y)
    return max(TOLERANCE, min(1.5 * 10.0**-decimals, 0.1 * float(np.sqrt(v.min()))))


def _of_base(
    table: ContrastTable, study: str, base: str, pairs: list[tuple[str, str]], y: Array, v: Array, given: Array
) -> tuple[tuple[str, ...], StudyContrasts]:
    """Return contrasts from rows against one arm, whose variance is their covariance."""
    if np.ptp(given) > 0:
        raise DataError(
            f"the study '{study}' has two values of se_base, {given.min():g} and {given.max():g}",
            source=table.source,
            column="se_base",
            fix=f"It is the standard error of one arm, '{base}': give the same value in all rows of the study.",
        )
    shared = float(given[0]) ** 2
    if not (shared < v).all():
        raise DataError(
            f"se_base of the study '{study}' is {given[0]:g}, not below the standard error of a contrast, {np.sqrt(v.min()):g}",
            source=table.source,
            column="se_base",
            fix="The standard error of a contrast contains that of the shared arm: correct one of them.",
        )
    sign = np.array([1.0 if two == base else -1.0 for _, two in pairs])
    names = (base, *(one if two == base else two for one, two in pairs))
    covariance = np.full((len(y), len(y)), shared)
    np.fill_diagonal(covariance, v)
    return names, StudyContrasts(sign * y, covariance)
