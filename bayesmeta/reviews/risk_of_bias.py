"""Risk of bias in the run of a review: the judgements of its studies, and the sensitivity analyses that follow from them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmeta.certainty.risk_of_bias import OVERALL, RiskOfBias, risk_of_bias
from bayesmeta.effects.effects import Effects
from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.results.models.given import one_line
from bayesmeta.results.risk_of_bias import MODEL, risk_of_bias_rows
from bayesmeta.reviews.band_keys import mid_of
from bayesmeta.reviews.bias_adjustment import adjusted_rows
from bayesmeta.reviews.result import AnalysisResult

if TYPE_CHECKING:
    from bayesmeta.reviews.analysis_keys import Analysis
    from bayesmeta.reviews.spec import Review

#: what the judgements of a study row begin with
PREFIX = "rob_"


def read_judgements(review: Review, folder: Path) -> RiskOfBias | None:
    """Read the judgements of a review; None without ``[risk_of_bias]``.

    Raises
    ------
    DataError, SpecError
        As in ``risk_of_bias``.
    """
    keys = review.risk_of_bias
    if keys is None:
        return None
    return risk_of_bias(folder / review.risk_of_bias_data, keys.known_tool(), prefix=keys.prefix, columns=keys.columns)


def add_risk_of_bias(
    review: Review,
    keys: Analysis,
    folder: Path,
    effects: Effects,
    studies: list[dict[str, Any]],
    result: AnalysisResult,
    posterior: Posterior | None = None,
    *,
    sensitivity: bool = True,
    computed: Sequence[dict[str, Any]] = (),
) -> list[dict[str, Any]]:
    """Add the judgements to the rows of the studies, and return the rows of the sensitivity analyses.

    What is wrong with the judgements is added to the errors of the result, which keeps everything else.

    Parameters
    ----------
    review, keys, folder
        The review, the analysis and the folder of the data files.
    effects : Effects
        Its effects.
    studies : list of dict
        Its study rows, which get ``rob_`` and the key of each domain, and ``rob_overall``.
    result : AnalysisResult
        Its result, for models and errors.
    posterior : Posterior, optional
        The Bayesian fit that is shown.
    sensitivity : bool
        Whether to pool again without studies at high risk.
    computed : sequence of dict
        Rows of all studies that have been computed.
    """
    try:
        found = read_judgements(review, folder)
        if found is None:
            return []
        judged = [
            found.of(name) if used else _of(found, name)
            for name, used in zip(_names(effects), effects.used, strict=True)
        ]
    except BayesmetaError as error:
        result.errors.append(f"risk of bias: {one_line(str(error))}")
        return []
    for row, known in zip(studies, judged, strict=True):
        row.update({f"{PREFIX}{key}": text for key, text in known.items()})
    if not sensitivity or not effects.k:
        return []
    adjusted = adjusted_rows(review, keys, effects, found.tool, judged, result)
    tool = found.tool
    labels = {OVERALL: OVERALL} | {one.key: one.label for one in tool.domains if one.counts}
    high = {label: [tool.is_high(known[key]) for known in judged] for key, label in labels.items()}
    rows = risk_of_bias_rows(
        effects,
        posterior,
        high,
        keys.id,
        level=review.level_of(keys),
        better=keys.better,
        mid=mid_of(review, keys),
        known=computed,
    )
    if rows:
        result.models.append({"kind": MODEL, "model": MODEL})
    return rows + adjusted


def _names(effects: Effects) -> tuple[str, ...]:
    """Return the studies' names as the table of judgements has them: those of an import's column ``study_label``, else their own."""
    table = effects.studies
    if table is None:
        return effects.labels
    return tuple(
        own or name
        for own, name in zip(table.extra.get("study_label", table.study_names), table.study_names, strict=True)
    )


def _of(found: RiskOfBias, name: str) -> dict[str, str]:
    """Return the judgements of a study that is not pooled, which needs none."""
    try:
        return found.of(name)
    except BayesmetaError:
        return dict.fromkeys([*(one.key for one in found.tool.domains), OVERALL], "")
