"""Cumulative meta-analysis in the run of a review."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmeta.checks.cumulative import cumulative_rows, entering_studies, study_order
from bayesmeta.effects.characteristics import join_by_study
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import columns_of
from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.results.models.given import one_line
from bayesmeta.reviews.band_keys import mid_of
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.studies.characteristics import read_characteristics

if TYPE_CHECKING:
    from bayesmeta.reviews.analysis_keys import Analysis
    from bayesmeta.reviews.spec import Review

#: the model of these rows, and of the entry with their order among the models of a result
MODEL = "cumulative"


def add_cumulative(
    review: Review, keys: Analysis, folder: Path, effects: Effects, posterior: Posterior | None, result: AnalysisResult
) -> list[dict[str, Any]]:
    """Return the rows of the cumulative meta-analysis of an analysis; none where it is not wanted.

    Parameters
    ----------
    review, keys, folder
        The review, the analysis and the folder of the data files.
    effects : Effects
        Its independent effects.
    posterior : Posterior, optional
        The Bayesian fit that is shown.
    result : AnalysisResult
        Receives the order of the studies, and what went wrong.
    """
    by = review.order_column(keys)
    if not by or not effects.k:
        return []
    try:
        entering = entering_studies(effects, posterior)
        columns = columns_of(effects)
        if review.studies is not None:
            known = read_characteristics(folder / review.studies.data)
            columns |= join_by_study(known, list(columns["study"]), entering, skip=set(columns), drop_missing=True)
        order = study_order(effects, columns, by, entering)
        rows = cumulative_rows(
            effects, order, posterior, analysis=keys.id, level=review.level_of(keys), better=keys.better, mid=mid_of(review, keys)
        )  # fmt: skip
    except BayesmetaError as error:
        result.errors.append(f"cumulative: {one_line(str(error))}")
        return []
    names = _distinct(effects.labels)
    steps = [{"study": names[row], "at": at} for row, at in zip(order.rows, order.values, strict=True)]
    result.models.append({"kind": MODEL, "model": MODEL, "by": by, "steps": steps})
    return [
        {
            **{name: value for name, value in row.items() if name not in ("study", "at", "row")},
            "model": MODEL,
            "group": names[row["row"]],
        }
        for row in rows
    ]


def _distinct(labels: tuple[str, ...]) -> list[str]:
    """Return the labels of studies, with a number where two have the same."""
    return [f"{label} ({i + 1})" if labels.count(label) > 1 else label for i, label in enumerate(labels)]
