"""Agreement of the two engines over all analyses of a run."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bayesmeta.checks.engine_agreement import largest_by_chance
from bayesmeta.reviews.result import AnalysisResult


@dataclass(frozen=True)
class RunAgreement:
    """The largest difference between the engines in a run.

    Parameters
    ----------
    worst : float
        Largest difference, in Monte Carlo standard errors.
    analysis : str
        Id of the analysis that it is in.
    limit : float
        Largest difference that chance explains, over all comparisons of the run.
    """

    worst: float
    analysis: str
    limit: float

    @property
    def agree(self) -> bool:
        """Whether chance explains all differences."""
        return self.worst <= self.limit


def run_agreement(results: Iterable[AnalysisResult]) -> RunAgreement | None:
    """Return the agreement of the engines over the results of a run; None where no model was fitted by both."""
    entries = [
        (entry["worst_mcse"], result.id, len(entry["terms"])) for result in results for entry in result.agreement
    ]
    entries = [entry for entry in entries if math.isfinite(entry[0])]
    if not entries:
        return None
    worst, analysis, _ = max(entries)
    return RunAgreement(worst, analysis, largest_by_chance(sum(size for _, _, size in entries)))
