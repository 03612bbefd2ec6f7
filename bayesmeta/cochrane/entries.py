"""The meta-analyses of a Cochrane review: one entry per set of rows that is pooled, with unique labels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from bayesmeta.cochrane.recompute import measure_of, numbers_of, row_problem
from bayesmeta.cochrane.review import FIELDS, CochraneAnalysis, CochraneReview, Pooled, StudyRow
from bayesmeta.effects.measures import MEASURES

_TOTALS = frozenset(("total", "totals", "subtotal", "sub-total", "overall", "pooled", "sum"))
_LONGEST_SUBGROUP = 60


@dataclass(frozen=True)
class Entry:
    """A meta-analysis of an imported review.

    Parameters
    ----------
    id : str
        "1.2", or "1.2.3" for subgroup 3 of an analysis whose subgroups are not pooled together.
    analysis : CochraneAnalysis
        The analysis that it is, or belongs to.
    comparison, outcome : str
        Names for tables; never blank.
    measure : str
        A key of ``MEASURES``; "" if the rows cannot be analysed.
    rows : tuple of StudyRow
    labels : tuple of str
        One per row, unique.
    reasons : tuple of str
        Why a row cannot be pooled, "" where it can.
    published : Pooled or None
        The review's result.
    note : str
        Remark for readers, "" for none.
    problem : str
        Why there is nothing to analyse, "" where there is.
    """

    id: str
    analysis: CochraneAnalysis
    comparison: str
    outcome: str
    measure: str
    rows: tuple[StudyRow, ...]
    labels: tuple[str, ...]
    reasons: tuple[str, ...]
    published: Pooled | None
    note: str
    problem: str = ""

    @property
    def level(self) -> float:
        """Confidence level of the review's pooled interval."""
        return self.analysis.level_total or self.analysis.level_study or 0.95

    @property
    def k(self) -> int:
        """Rows the review pooled."""
        return sum(bool(row.weight) for row in self.rows)


def entries(review: CochraneReview) -> tuple[Entry, ...]:
    """List the meta-analyses of a review.

    An analysis with an overall result is one entry. Where the review pooled subgroups only, each is an entry of its own;
    likewise where the review pooled nothing, as the same participants may then be in several subgroups.
    """
    found = []
    for comparison in review.comparisons:
        name = comparison.name or f"Comparison {comparison.number}"
        for analysis in comparison.analyses:
            outcome = analysis.name or f"Analysis {analysis.id}"
            whole = analysis.totals in ("yes", None) or len(analysis.subgroups) < 2
            names = {subgroup.number: subgroup.name for subgroup in analysis.subgroups}
            if whole:
                result = analysis.result
                if result is None and analysis.totals == "subgroups" and analysis.subgroups:
                    result = analysis.subgroups[0].result
                found.append(_entry(analysis.id, analysis, name, outcome, analysis.rows, result, names))
                continue
            for subgroup in analysis.subgroups:
                rows = tuple(row for row in analysis.rows if row.subgroup == subgroup.number)
                if rows:
                    title = f"{outcome}: {subgroup.name or f'subgroup {subgroup.number}'}"
                    found.append(
                        _entry(f"{analysis.id}.{subgroup.number}", analysis, name, title, rows, subgroup.result, names)
                    )
            ungrouped = tuple(row for row in analysis.rows if row.subgroup not in names)
            if ungrouped:
                found.append(_entry(analysis.id, analysis, name, outcome, ungrouped, None, names))
    return tuple(found)


def _entry(
    identifier: str, analysis: CochraneAnalysis, comparison: str, outcome: str, rows: tuple[StudyRow, ...],
    result: Pooled | None, names: dict[int, str],
) -> Entry:  # fmt: skip
    reasons = tuple(row_problem(row, analysis.data_type) for row in rows)
    measure = measure_of(analysis)
    problem = ""
    if not rows:
        problem = "the review lists no study"
    elif analysis.data_type not in FIELDS:
        problem = "the data are text, not numbers"
    elif not measure:
        problem = f"the file does not name a measure we know ('{analysis.measure_label}')"
    elif all(_blank(row, analysis.data_type) for row in rows):
        problem = "no study has data"
    labels = unique_labels(rows, names)
    note = _note(analysis, measure)
    return Entry(identifier, analysis, comparison, outcome, measure, rows, labels, reasons, result, note, problem)


def _blank(row: StudyRow, data_type: str) -> bool:
    return all(value is None for value in numbers_of(row, data_type).values())


def _note(analysis: CochraneAnalysis, measure: str) -> str:
    notes = []
    if analysis.swap_events:
        notes.append("events and non-events are exchanged, as the review does")
    if analysis.log and measure and not MEASURES[measure].log:
        notes.append(f"on the log scale: its exponential is the {analysis.measure_label.casefold() or 'ratio'}")
    if analysis.totals == "no":
        notes.append("the review did not pool these studies")
    if "measure" in analysis.inferred:
        notes.append("the measure is inferred from the printed effects, as the file does not state it")
    return "; ".join(notes)


def unique_labels(rows: Sequence[StudyRow], subgroups: dict[int, str]) -> tuple[str, ...]:
    """Return unique names of the rows of one analysis: with the subgroup or a number added where a study repeats.

    Parameters
    ----------
    rows : sequence of StudyRow
    subgroups : dict of int to str
        Names of the subgroups, by number.

    Examples
    --------
    >>> unique_labels([StudyRow("Lee 2001"), StudyRow("Lee 2001"), StudyRow("Kim 1999")], {})
    ('Lee 2001', 'Lee 2001 (2)', 'Kim 1999')
    """
    often = Counter(row.study for row in rows)
    places_of: dict[str, set[int]] = {}
    for row in rows:
        places_of.setdefault(row.study, set()).add(row.subgroup)
    taken: set[str] = set()
    last: dict[str, int] = {}
    names = []
    for row in rows:
        name = f"{row.study} (study)" if row.study.casefold() in _TOTALS else row.study
        place = subgroups.get(row.subgroup, "")
        several = len(places_of[row.study]) == often[row.study]
        if often[row.study] > 1 and several and 0 < len(place) <= _LONGEST_SUBGROUP:
            name = f"{name} ({place})"
        # numbers below the last one given are taken
        start, count = name, last.get(name.casefold(), 1)
        while name.casefold() in taken:
            count += 1
            name = f"{start} ({count})"
        last[start.casefold()] = count
        taken.add(name.casefold())
        names.append(name)
    return tuple(names)


def published_result(entry: Entry) -> Pooled | None:
    """Return an entry's published result, NATURAL scale of the measure it is imported with; None if it is unusable."""
    result = entry.published
    if result is None or result.estimate is None or result.ci_low is None or result.ci_high is None:
        return None
    estimate, low, high = result.estimate, result.ci_low, result.ci_high
    if entry.analysis.log:
        if low <= 0:
            return None
        if not MEASURES[entry.measure].log:
            estimate, low, high = math.log(estimate), math.log(low), math.log(high)
    return replace(result, estimate=estimate, ci_low=low, ci_high=high) if low <= estimate <= high else None
