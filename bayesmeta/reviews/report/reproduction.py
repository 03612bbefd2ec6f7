"""Tables of the reproduction report of a Cochrane review."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.cochrane.reproduce import DIFFERS, NOT_COMPUTED, REPRODUCED, reproduce_pooled, reproduce_studies
from bayesmeta.cochrane.reproduce_subgroup_tests import reproduce_subgroup_tests
from bayesmeta.cochrane.review import CochraneReview
from bayesmeta.reporting.numbers import count, estimate, number
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.write import write
from bayesmeta.support.frames import records

if TYPE_CHECKING:
    import pandas as pd


def reproduction_tables(review: CochraneReview) -> dict[str, Table]:
    """Return the reproduction report: tables of pooled results, of tests of subgroups, and of the study rows that are not reproduced.

    Parameters
    ----------
    review : CochraneReview
        The review, with its published results.

    Returns
    -------
    dict of str to Table
        ``"reproduction"``; ``"reproduction-subgroups"`` if the file prints tests of differences between subgroups; and, if some study row
        is not reproduced, ``"reproduction-studies"``.
    """
    import pandas as pd

    pooled, studies, tests = reproduce_pooled(review), reproduce_studies(review), reproduce_subgroup_tests(review)
    is_printed = pooled["status"].isin([REPRODUCED, DIFFERS, NOT_COMPUTED])
    shown = [
        {
            "Analysis": row["analysis"] if not row["subgroup"] else f"{row['analysis']}.{row['subgroup']}",
            "Outcome": row["outcome"],
            "Method": " ".join(filter(None, [row["measure"], row["method"].replace("EXP_O_E_VAR", "O-E"), row["model"]])),
            "Studies": count(row["k"]),
            "Printed": estimate(row["printed_estimate"], row["printed_ci_low"], row["printed_ci_high"]),
            "Ours": estimate(row["estimate"], row["ci_low"], row["ci_high"]),
            "tau2 printed": number(row["printed_tau2"]), "tau2 ours": number(row["tau2"]),
            "Q printed": number(row["printed_q"]), "Q ours": number(row["q"]),
            "Result": row["status"], "Note": row["reason"],
        }
        for row in records(pooled)
    ]  # fmt: skip
    notes = (
        f"Study effects: {_counts(studies)}.",
        f"Pooled results: {_counts(pooled[is_printed])}{_unprinted(pooled[~is_printed])}.",
        *_subgroup_notes(pooled, is_printed, tests),
        "Reproduced: the same to every digit the file prints, with the review's own measure, method, model and level.",
    )  # fmt: skip
    tables = {
        "reproduction": Table(pd.DataFrame(shown), f"Reproduction of the published results: {review.title}", notes)
    }
    if tests["printed_q"].notna().any():
        tables["reproduction-subgroups"] = _subgroup_tests(tests, review.title)
    unlike = studies[studies["status"].isin([DIFFERS, NOT_COMPUTED])]
    if len(unlike):
        frame = pd.DataFrame(
            {
                "Analysis": unlike["analysis"], "Study": unlike["study"], "Measure": unlike["measure"],
                "Printed": [estimate(*ends) for ends in unlike[["printed_estimate", "printed_ci_low", "printed_ci_high"]].to_numpy()],
                "Ours": [estimate(*ends) for ends in unlike[["estimate", "ci_low", "ci_high"]].to_numpy()],
                "Result": unlike["status"], "Note": unlike["reason"],
            }
        )  # fmt: skip
        tables["reproduction-studies"] = Table(frame, f"Study effects that are not reproduced: {review.title}")
    return tables


def _subgroup_tests(tests: pd.DataFrame, title: str) -> Table:
    """Return the table of the tests of differences between subgroups."""
    import pandas as pd

    shown = [
        {
            "Analysis": row["analysis"], "Outcome": row["outcome"],
            "Method": " ".join(filter(None, [row["measure"], row["method"].replace("EXP_O_E_VAR", "O-E"), row["model"]])),
            "Subgroups": count(row["groups"]),
            "Q printed": number(row["printed_q"]), "Q ours": number(row["q"]), "df": count(row["q_df"]),
            "p printed": number(row["printed_pvalue"]), "p ours": number(row["pvalue"]),
            "I2 printed": number(row["printed_i2"]), "I2 ours": number(row["i2"]),
            "Result": row["status"], "Note": row["reason"],
        }
        for row in records(tests)
    ]  # fmt: skip
    notes = ("Q: chi-squared of the pooled effects of the subgroups with their standard errors.",)
    return Table(pd.DataFrame(shown), f"Tests of differences between subgroups: {title}", notes)


def _subgroup_notes(pooled: pd.DataFrame, is_printed: pd.Series, tests: pd.DataFrame) -> list[str]:
    """Return how many results and tests of subgroups are reproduced; nothing for a review without subgroups."""
    within = pooled["subgroup"] > 0
    printed, silent = pooled[is_printed & within], pooled[~is_printed & within]
    notes = [f"Of these, of subgroups: {_counts(printed)}{_unprinted(silent)}."] if within.any() else []
    return [*notes, *([f"Tests of differences between subgroups: {_counts(tests)}."] if len(tests) else [])]


def _unprinted(frame: pd.DataFrame) -> str:
    """Return how many pooled results the file prints no number of, and what of them could be compared; "" if there are none."""
    return f"; not printed in the file: {len(frame)} ({_counts(frame)})" if len(frame) else ""


def _counts(frame: pd.DataFrame) -> str:
    if not len(frame):
        return "none to compare"
    return ", ".join(f"{many} {status}" for status, many in sorted(Counter(frame["status"]).items()))


def write_reproduction(
    review: CochraneReview, folder: str | os.PathLike[str], formats: Sequence[str] = ("csv", "md")
) -> tuple[Path, ...]:
    """Write the reproduction report as ``reproduction.*`` (and ``reproduction-subgroups.*``, ``reproduction-studies.*``) into a folder.

    Parameters
    ----------
    review : CochraneReview
        The review, with its published results.
    folder : path-like
        Folder of the files.
    formats : sequence of str
        Names of ``TABLE_FORMATS``.

    Returns
    -------
    tuple of pathlib.Path
        The files.

    Raises
    ------
    SpecError
        When a format is unknown.
    DataError
        When a file cannot be written.
    """
    tables = reproduction_tables(review)
    return tuple(path for name, table in tables.items() for path in write(table, Path(folder) / name, formats))
