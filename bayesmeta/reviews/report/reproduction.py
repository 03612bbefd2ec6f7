"""Tables of the reproduction report of a Cochrane review."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.cochrane.reproduce import DIFFERS, NOT_COMPUTED, REPRODUCED, reproduce_pooled, reproduce_studies
from bayesmeta.cochrane.review import CochraneReview
from bayesmeta.reporting.numbers import count, estimate, number
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.write import write

if TYPE_CHECKING:
    import pandas as pd


def reproduction_tables(review: CochraneReview) -> dict[str, Table]:
    """Return the reproduction report: a table of pooled results, and one of the study rows that are not reproduced.

    Parameters
    ----------
    review : CochraneReview
        The review, with its published results.

    Returns
    -------
    dict of str to Table
        ``"reproduction"`` and, if some study row is not reproduced, ``"reproduction-studies"``.
    """
    import pandas as pd

    pooled, studies = reproduce_pooled(review), reproduce_studies(review)
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
        for row in pooled.to_dict("records")
    ]  # fmt: skip
    notes = (
        f"Study effects: {_counts(studies)}.",
        f"Pooled results: {_counts(pooled[is_printed])}{_unprinted(pooled[~is_printed])}.",
        "Reproduced: the same to every digit the file prints, with the review's own measure, method, model and level.",
    )  # fmt: skip
    tables = {
        "reproduction": Table(pd.DataFrame(shown), f"Reproduction of the published results: {review.title}", notes)
    }
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
    """Write the reproduction report as ``reproduction.*`` (and ``reproduction-studies.*``) into a folder.

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
