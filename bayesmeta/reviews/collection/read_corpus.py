"""Reading of a collection of reviews: the pooled rows, and the effects of the studies of each analysis."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError, unknown_name
from bayesmeta.reviews.file_names import RESULTS_FILE, REVIEW_FILE, ROWS_FILE, STUDIES_FILE
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: columns that a file of results must have
NEEDED = ("analysis", "method", "measure", "term", "estimate", "ci_low", "ci_high", "tau", "k")


def read_corpus(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a collection's pooled rows (term mu), natural scale.

    Parameters
    ----------
    path : str or path
        A results.parquet or results.csv of a run, or the folder that contains one.

    Returns
    -------
    pandas.DataFrame
        One row per analysis and method (the first): review ("" if it is not named), analysis, method, measure, outcome, estimate,
        ci_low, ci_high, tau, k.

    Raises
    ------
    DataError
        If there is no such file, it is not a table of results, or it has no rows.
    """
    import pandas as pd

    file, _ = find_results(path)
    fix = "give results.parquet (or results.csv) as `bayesmeta run` writes it"
    try:
        if file.suffix == ".parquet":
            import pyarrow.parquet as pq

            present = set(pq.read_schema(file).names)
        else:
            present = set(pd.read_csv(file, nrows=0).columns)
        missing = [name for name in NEEDED if name not in present]
        if missing:
            raise DataError(f"no column '{missing[0]}'", source=str(file), fix=fix)
        columns = [*NEEDED, *(name for name in ("review", "outcome") if name in present)]
        if file.suffix == ".parquet":
            frame = pd.read_parquet(file, columns=columns, filters=[("term", "==", "mu")], partitioning=None)
        else:
            frame = pd.read_csv(file, usecols=columns, dtype={"analysis": str, "review": str, "outcome": str})
            frame = frame[frame["term"] == "mu"]
        for name in ("estimate", "ci_low", "ci_high", "tau", "k"):
            frame[name] = pd.to_numeric(frame[name])
    except (OSError, ValueError) as error:
        raise DataError(f"these results cannot be read: {error}", source=str(file), fix=fix) from None
    if frame.empty:
        raise DataError("there is no pooled estimate (term mu)", source=str(file), fix=fix)
    for name in ("review", "outcome", "analysis"):
        frame[name] = frame[name].fillna("").astype(str) if name in frame else ""
    unknown = sorted(set(frame["measure"]) - set(MEASURES))
    if unknown:
        raise unknown_name("measure", unknown[0], MEASURES)
    return frame.drop(columns="term").drop_duplicates(["review", "analysis", "method"]).reset_index(drop=True)


def find_results(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Return the file of results, and the folder that contains the folders of the reviews.

    Raises
    ------
    DataError
        If there is no file of results.
    """
    path = checked_path(path, "the folder of a collection's results")
    if path.is_dir():
        found = [path / name for name in (ROWS_FILE, RESULTS_FILE) if (path / name).is_file()]
        if not found:
            raise DataError(
                f"neither {ROWS_FILE} nor {RESULTS_FILE} is in this folder", source=str(path),
                fix="give the folder that `bayesmeta run` wrote",
            )  # fmt: skip
        return found[0], path
    if path.suffix not in (".parquet", ".csv") or not path.is_file():
        raise DataError(
            "no such file of results", source=str(path), fix="give results.parquet, results.csv or the folder of a run"
        )
    return path, path.parent


Key = tuple[str, str, str]


def study_effects(frame: pd.DataFrame, folder: Path) -> Iterator[tuple[Key, tuple[Array, Array]]]:
    """Read the effects and variances of the studies of each analysis.

    Parameters
    ----------
    frame : pandas.DataFrame
        From ``read_corpus``.
    folder : pathlib.Path
        Folder that contains the folders of the reviews.

    Yields
    ------
    key : (str, str, str)
        Review, analysis, measure.
    effects : (numpy.ndarray, numpy.ndarray)
        Effects and variances, shape (k,), k >= 2, MODEL scale. Analyses of one study are skipped.

    Raises
    ------
    DataError
        If the study rows of a review cannot be read.
    """
    import pandas as pd

    analyses = frame.drop_duplicates(["review", "analysis"]).sort_values(["review", "analysis"])
    for review, rows in analyses.groupby("review", sort=True):
        file = folder / str(review) / STUDIES_FILE
        try:
            studies = pd.read_csv(file, dtype={"analysis": str})
            levels = _levels(file.with_name(REVIEW_FILE))
            by_analysis = {str(name): part for name, part in studies.groupby("analysis")}
            for analysis, measure in zip(map(str, rows["analysis"]), map(str, rows["measure"]), strict=True):
                if analysis not in by_analysis:
                    continue
                yi, vi = _effects(by_analysis[analysis], measure, levels.get(analysis, levels[""]))
                if len(yi) > 1:
                    yield (str(review), analysis, measure), (yi, vi)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"the studies of the review cannot be read: {error}", source=str(file),
                fix="keep the reviews' folders beside results.parquet as `bayesmeta run` wrote them, or run again",
            ) from None  # fmt: skip


def _levels(file: Path) -> dict[str, float]:
    """Read the levels of the intervals of a review: by analysis, and under "" for all others."""
    if not file.is_file():
        return {"": 0.95}
    review: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    own = {item["id"]: float(item["level"]) for item in review.get("analysis", ()) if item.get("level")}
    return {"": float(review.get("settings", {}).get("level", 0.95)), **own}


def _effects(studies: pd.DataFrame, measure: str, level: float) -> tuple[Array, Array]:
    """Compute the effects and variances that were pooled from estimates and intervals on the natural scale."""
    from scipy.special import ndtri

    pooled = studies["reason"].isna() | (studies["reason"] == "") if "reason" in studies else slice(None)
    values = studies.loc[pooled, ["estimate", "ci_low", "ci_high"]].to_numpy(float)
    if MEASURES[measure].log:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log(values)
    se = (values[:, 2] - values[:, 1]) / (2 * float(ndtri(0.5 + 0.5 * level)))
    kept = np.isfinite(values).all(axis=1) & (se > 0)
    return values[kept, 0], se[kept] ** 2
