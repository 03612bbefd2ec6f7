"""The test of small-study effects of an analysis, from its studies as saved."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import ndtri

from bayesmeta.certainty.small_studies import FOR_TESTS, SmallStudyTest, egger_test, peters_test
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError
from bayesmeta.reporting.numbers import is_missing, pvalue
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

#: measures from counts for which Peters' test is taken
_FROM_COUNTS = ("OR", "RR", "PETO")


def small_study_test(review: Review, analysis: Analysis, result: AnalysisResult) -> SmallStudyTest | None:
    """Return Peters' test of ratios from counts, Egger's of others; None with fewer than ten estimates, or where they have no test."""
    log = MEASURES[analysis.measure].log
    z = 2 * float(ndtri(0.5 + 0.5 * review.level_of(analysis)))
    found: list[tuple[float, float, float, float]] = []
    for study in result.studies:
        ends = [float(study.get(name, math.nan)) for name in ("estimate", "ci_low", "ci_high")]
        if not all(map(math.isfinite, ends)) or is_missing(study.get("weight")) or (log and min(ends) <= 0):
            continue
        estimate, low, high = (math.log(one) for one in ends) if log else ends
        events = _of_both(study, "events")
        found.append((estimate, (high - low) / z, events, _of_both(study, "n")))
    if len(found) < FOR_TESTS:
        return None
    yi, sei, events_of, participants = np.array(found).T
    counts = analysis.measure in _FROM_COUNTS and np.isfinite([events_of, participants]).all()
    try:
        return peters_test(yi, events_of, participants) if counts else egger_test(yi, sei)
    except DataError:  # studies of one size, or with events only
        return None


def in_words(test: SmallStudyTest) -> str:
    """Write a test as a sentence."""
    name = "Egger's" if test.name == "Egger" else f"{test.name}'"
    side = "higher" if test.slope > 0 else "lower"
    p = pvalue(test.pvalue)
    return (
        f"{name} test of small-study effects ({test.k} estimates): those of smaller studies are {side}, "
        f"p {p if p.startswith('<') else f'= {p}'} (t with {test.k - 2} degrees of freedom)."
    )


def _of_both(study: dict[str, object], name: str) -> float:
    values = [study.get(f"{name}_{arm}") for arm in ("e", "c")]
    return math.nan if any(map(is_missing, values)) else sum(float(str(value)) for value in values)
