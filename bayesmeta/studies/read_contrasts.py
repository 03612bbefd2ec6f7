"""Reading of contrasts between treatments: one row per contrast, or one row per arm with its contrast against a base arm."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.special import ndtri

from bayesmeta.studies.arm_cells import named, number, renamed
from bayesmeta.studies.arm_checks import check_contrasts
from bayesmeta.studies.arm_columns import CONTRAST_NUMBERS, ArmColumns
from bayesmeta.studies.arms import ContrastTable
from bayesmeta.studies.numbers import Marks
from bayesmeta.studies.raw import RawTable
from bayesmeta.support.arrays import Array


def contrast_table(raw: RawTable, found: ArmColumns, marks: Marks, rename: Mapping[str, str]) -> ContrastTable:
    """Read a table with one row per contrast.

    Parameters
    ----------
    raw : RawTable
        The table.
    found : ArmColumns
        Its columns.
    marks : Marks
        Its decimal marks.
    rename : mapping of str to str
        Names of treatments to replace.
    """
    rows = range(len(raw.rows))
    studies = [named(raw, row, found.at["study"], "study") for row in rows]
    first, second = ([named(raw, row, found.at[name], "treatment") for row in rows] for name in ("treat1", "treat2"))
    both = renamed([*first, *second], rename)
    first, second = both[: len(first)], both[len(first) :]
    numbers = {
        name: np.array([number(raw, row, found.at[name], marks, name) for row in rows])
        for name in CONTRAST_NUMBERS
        if name in found.at
    }
    _on_model_scale(raw, found, numbers)
    check_contrasts(raw, {"sei": found.at.get("ci_low", 0), **found.at}, studies, first, second, numbers)
    base = numbers.get("se_base")
    base = None if base is None or np.isnan(base).all() else base
    return ContrastTable(
        tuple(studies),
        tuple(first),
        tuple(second),
        numbers["yi"],
        numbers["sei"],
        base,
        dict(rename),
        raw.source,
        found.ratio,
        extra_columns(raw, found),
    )


def _on_model_scale(raw: RawTable, found: ArmColumns, numbers: dict[str, Array]) -> None:
    """Take the logs of ratios and of their limits, and standard errors from 95% confidence intervals where there are some."""
    if found.ratio:
        for name in ("yi", "ci_low", "ci_high"):
            for row in np.flatnonzero(numbers.get(name, np.ones(1)) <= 0).tolist():
                raise raw.error(
                    f"{found.ratio} must be above 0 but is {numbers[name][row]:g}",
                    row=row,
                    column=found.at[name],
                    fix="Give ratios, or name a column of their logs yi.",
                )
            if name in numbers:
                numbers[name] = np.log(numbers[name])
    low, high = numbers.pop("ci_low", None), numbers.pop("ci_high", None)
    if low is None or high is None:
        return
    for row in np.flatnonzero(~(low < high) & ~np.isnan(low + high)).tolist():
        raise raw.error(
            "the lower confidence limit is not below the upper one",
            row=row,
            column=found.at["ci_low"],
            fix="Correct the limits.",
        )
    width = (high - low) / (2 * float(ndtri(0.975)))
    given = numbers.get("sei")
    numbers["sei"] = width if given is None or found.ratio else np.where(np.isnan(given), width, given)


def against_base(raw: RawTable, found: ArmColumns, marks: Marks, rename: Mapping[str, str]) -> ContrastTable:
    """Read a table with one row per arm, each with its contrast against the base arm of its study, whose contrast is blank.

    The standard error in a base arm's row is that of the arm, which contrasts of three arms or more need.

    Raises
    ------
    DataError
        If a study has no base arm or several.
    """
    rows = range(len(raw.rows))
    studies = [named(raw, row, found.at["study"], "study") for row in rows]
    names = renamed([named(raw, row, found.at["treatment"], "treatment") for row in rows], rename)
    y, se = (np.array([number(raw, row, found.at[name], marks, name) for row in rows]) for name in ("yi", "sei"))
    base: dict[str, int] = {}
    for row in np.flatnonzero(np.isnan(y)).tolist():
        if base.setdefault(studies[row], row) != row:
            raise raw.error(
                f"two arms of the study '{studies[row]}' have no contrast: '{names[base[studies[row]]]}' and '{names[row]}'",
                row=row,
                column=found.at["yi"],
                fix="Leave the contrast blank in the row of the base arm only.",
            )
    for row, study in enumerate(studies):
        if study not in base:
            raise raw.error(
                f"the study '{study}' has no base arm",
                row=row,
                column=found.at["yi"],
                fix="Add the row of the arm that the others are compared with, its contrast left blank.",
            )
    kept = [row for row in rows if base[studies[row]] != row]
    if not kept:
        raise raw.error("no row has a contrast", row=0, column=found.at["yi"], fix="Give the contrasts of the arms.")
    own = raw.take(kept)
    first = [studies[row] for row in kept]
    treat, against = [names[row] for row in kept], [names[base[study]] for study in first]
    at = {"study": found.at["study"], "treat2": found.at["treatment"], "yi": found.at["yi"], "sei": found.at["sei"]}
    check_contrasts(own, at, first, treat, against, {"yi": y[kept], "sei": se[kept]})
    shared = se[[base[study] for study in first]]
    return ContrastTable(
        tuple(first),
        tuple(treat),
        tuple(against),
        y[kept],
        se[kept],
        None if np.isnan(shared).all() else shared,
        dict(rename),
        raw.source,
        extra=extra_columns(own, found),
    )


def extra_columns(raw: RawTable, found: ArmColumns) -> dict[str, tuple[str, ...]]:
    """Return the columns of a table that are no numbers of a contrast, as text."""
    used = set(found.at.values())
    return {
        name: tuple(raw.text(row, at) for row in range(len(raw.rows)))
        for at, name in enumerate(raw.header)
        if at not in used
    }
