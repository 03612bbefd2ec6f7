"""What changed between two runs of a review: studies, estimates and conclusions."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.numbers import estimate, probability
from bayesmeta.results.bands import BAND_COLUMNS
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

if TYPE_CHECKING:
    import pandas as pd

Loaded = tuple[Review, list[AnalysisResult]]
Row = Mapping[str, Any]

#: frequentist methods whose estimates are compared, beside the Bayesian one that is shown
COMPARED = ("REML-HKSJ", "DL")
#: columns of a study that follow from others: from those of all studies, and from its own data
_FROM_ALL = {"study", "weight", "theta", "theta_low", "theta_high", "note"}
_FROM_DATA = ("estimate", "ci_low", "ci_high")
#: relative to the width of the interval: an estimate that moved less has not moved
TOLERANCE = 1e-5
#: longest text of an earlier run that is shown
LONGEST = 300

NEW_ANALYSIS, NO_ANALYSIS = "Analysis added", "Analysis without a result now"


@dataclass(frozen=True)
class Change:
    """One thing that changed.

    Parameters
    ----------
    analysis : str
        Id of the analysis.
    what : str
        What changed: "Study added", "Bayesian estimate", "Certainty" and so on.
    before, now : str
        As it was in the earlier run, and as it is; "" for what is not there.
    note : str
        By how much, and what follows.
    """

    analysis: str
    what: str
    before: str = ""
    now: str = ""
    note: str = ""


def review_changes(since: str | os.PathLike[str], out: str | os.PathLike[str]) -> pd.DataFrame:
    """Compare two runs of a review.

    Parameters
    ----------
    since, out : str or path
        Folders of the earlier run and of the later one.

    Returns
    -------
    pandas.DataFrame
        One row per change, in the order of the review: analysis, what, before, now, note; empty if nothing changed. An estimate moved if
        it or an end of its interval differs by more than 1e-5 of the width of the interval.

    Raises
    ------
    DataError
        If a folder has no run that can be read.
    """
    import pandas as pd

    found = changes_between(load_run(Path(since)), load_run(Path(out)))
    return pd.DataFrame([asdict(one) for one in found], columns=[one.name for one in fields(Change)])


def changes_between(before: Loaded, now: Loaded) -> list[Change]:
    """Return what changed from an earlier run to a later one, each as ``load_run`` reads it."""
    (old_review, old_results), (review, results) = before, now
    old = {result.id: result for result in old_results}
    old_keys = {one.id: old_review.as_analysis(one) for one in old_review.every_analysis}
    keys = {one.id: review.as_analysis(one) for one in review.every_analysis}
    found: list[Change] = []
    for result in results:
        if result.id not in old:
            found.append(Change(result.id, NEW_ANALYSIS, "", keys[result.id].outcome))
            continue
        earlier, then, current = old.pop(result.id), old_keys[result.id], keys[result.id]
        found += _keys_changed(old_review.level_of(then), then, review.level_of(current), current)
        found += _studies_changed(earlier, result)
        found += _priors_changed(earlier, result)
        if then.measure == current.measure:
            found += _estimates_moved(current.measure, earlier, result)
        found += _conclusions_changed(current, earlier, result)
        found += _certainty_changed(then, current)
    gone = [Change(name, NO_ANALYSIS, old_keys[name].outcome) for name in old]
    return [
        Change(
            _readable(one.analysis), _readable(one.what), _readable(one.before), _readable(one.now), _readable(one.note)
        )
        for one in found + gone
    ]


def _keys_changed(old_level: float, then: Analysis, level: float, current: Analysis) -> Iterable[Change]:
    if then.measure != current.measure:
        yield Change(current.id, "Measure", then.measure, current.measure)
    if then.outcome != current.outcome:
        yield Change(current.id, "Outcome", then.outcome, current.outcome)
    if old_level != level:
        yield Change(current.id, "Level of the intervals", f"{100 * old_level:g}%", f"{100 * level:g}%")


def _studies_changed(before: AnalysisResult, now: AnalysisResult) -> Iterable[Change]:
    old = {str(row.get("study")): row for row in before.studies}
    new = {str(row.get("study")): row for row in now.studies}
    for name in [one for one in new if one not in old]:
        yield Change(now.id, "Study added", "", name, _reason(new[name]))
    for name in [one for one in old if one not in new]:
        yield Change(now.id, "Study removed", name, "", _reason(old[name]))
    for name, row in new.items():
        if name not in old:
            continue
        earlier = old[name]
        columns = [key for key in dict.fromkeys([*earlier, *row]) if key not in (*_FROM_ALL, *_FROM_DATA)]
        differing = [key for key in columns if not _same(earlier.get(key), row.get(key))]
        differing = differing or [key for key in _FROM_DATA if not _same(earlier.get(key), row.get(key))]
        if differing:
            yield Change(now.id, "Study changed", *(f"{name}: {_cells(one, differing)}" for one in (earlier, row)))


def _reason(row: Row) -> str:
    reason = str(row.get("reason") or "")
    return f"not pooled: {reason}" if reason else ""


def _cells(row: Row, columns: list[str]) -> str:
    return ", ".join(f"{name.removeprefix('rob_').replace('_', ' ')} {_cell(row.get(name))}" for name in columns)


def _cell(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "none" if value != value else f"{value:.6g}"
    return str(value) if value not in (None, "") else "none"


def _same(a: Any, b: Any) -> bool:
    x, y = _number(a), _number(b)
    if x == x and y == y:
        return x == y or math.isclose(x, y, rel_tol=1e-9)
    blank = [value is None or value == "" or value != value for value in (a, b)]
    return all(blank) or (not any(blank) and a == b)


def _number(value: Any) -> float:
    """Return a number of a file as it is, NaN for anything else."""
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan


def _priors_changed(before: AnalysisResult, now: AnalysisResult) -> Iterable[Change]:
    for name, text in now.priors.items():
        if name in before.priors and before.priors[name] != text:
            yield Change(now.id, f"Priors, {name} likelihood", str(before.priors[name]), str(text))


def _row_of(result: AnalysisResult, method: str) -> Row:
    """Return the row of the pooled effect by a method; empty if there is none."""
    rows = (row for row in result.rows if row.get("term") == "mu" and row.get("method") == method)
    return next((row for row in rows if not row.get("model") or row.get("model") != row.get("model")), {})


def _shown(result: AnalysisResult) -> Row:
    """Return the row of the method that is shown: the Bayesian one, else REML."""
    return _row_of(result, result.primary) or _row_of(result, COMPARED[0])


def _numbers(measure: str, row: Row) -> tuple[float, float, float]:
    """Return estimate and interval on the model scale; NaN for what is none."""
    values = [_number(row.get(name)) for name in ("estimate", "ci_low", "ci_high")]
    if MEASURES[measure].log:
        values = [math.log(value) if value > 0 else math.nan for value in values]
    return values[0], values[1], values[2]


def _estimates_moved(measure: str, before: AnalysisResult, now: AnalysisResult) -> Iterable[Change]:
    pairs = [("Bayesian", _row_of(before, before.primary), _row_of(now, now.primary))]
    pairs += [(method_label(name), _row_of(before, name), _row_of(now, name)) for name in COMPARED]
    for label, old, new in pairs:
        if not old and not new:
            continue
        then, current = _numbers(measure, old), _numbers(measure, new)
        width = current[2] - current[1]
        tolerance = TOLERANCE * width if width > 0 else TOLERANCE
        if all(_close(a, b, tolerance) for a, b in zip(then, current, strict=True)):
            continue
        note = ""
        if then[0] == then[0] and current[0] == current[0]:
            apart = current[0] - then[0]
            size = (
                f"ratio to the earlier one {math.exp(apart):.4g}"
                if MEASURES[measure].log
                else f"difference {apart:+.2g}"
            )
            if current[1] == current[1] and current[2] == current[2]:
                inside = current[1] <= then[0] <= current[2]
                size += f"; the interval {'includes' if inside else 'excludes'} the earlier estimate"
            note = size
        yield Change(now.id, f"{label} estimate", _written(old), _written(new), note)


def _close(a: float, b: float, tolerance: float) -> bool:
    return (a != a and b != b) or abs(a - b) <= tolerance


def _written(row: Row) -> str:
    middle, low, high = (_number(row.get(name)) for name in ("estimate", "ci_low", "ci_high"))
    return estimate(middle, low, high, missing="none") if middle == middle else "none"


def _conclusions_changed(keys: Analysis, before: AnalysisResult, now: AnalysisResult) -> Iterable[Change]:
    old, new = _shown(before), _shown(now)
    for what, say in (
        ("Side of no effect", _side),
        ("Interval", _crossing),
    ):
        pair = [say(_numbers(keys.measure, row)) for row in (old, new)]
        if all(pair) and pair[0] != pair[1]:
            yield Change(now.id, f"Conclusion: {what.lower()}", *pair)
    bands = [_largest_band(row) for row in (old, new)]
    if bands[0][0] and bands[1][0] and bands[0][0] != bands[1][0]:
        yield Change(
            now.id, "Conclusion: band of largest probability", *(f"{name} ({probability(p)})" for name, p in bands)
        )


def _side(values: tuple[float, float, float]) -> str:
    if values[0] != values[0]:
        return ""
    return "no difference" if values[0] == 0 else "above no effect" if values[0] > 0 else "below no effect"


def _crossing(values: tuple[float, float, float]) -> str:
    if values[1] != values[1] or values[2] != values[2]:
        return ""
    return "includes no effect" if values[1] <= 0 <= values[2] else "excludes no effect"


def _largest_band(row: Row) -> tuple[str, float]:
    known = {label: _number(row.get(name)) for name, label in BAND_COLUMNS.items()}
    given = {label: value for label, value in known.items() if 0 <= value <= 1}
    return max(given.items(), key=lambda one: one[1]) if given else ("", math.nan)


def _certainty_changed(then: Analysis, current: Analysis) -> Iterable[Change]:
    levels = [None if one.grade is None else one.grade.certainty() for one in (then, current)]
    words = ["not rated" if one is None else one.level for one in levels]
    reasons = [() if one is None else one.reasons for one in levels]
    if words[0] != words[1] or reasons[0] != reasons[1]:
        note = "" if words[0] != words[1] else f"other reasons: {'; '.join(reasons[1])}"
        yield Change(current.id, "Certainty (GRADE)", words[0], words[1], note)


def _readable(text: str) -> str:
    """Return a text of a run on one line, without characters that steer a terminal, and not longer than ``LONGEST``."""
    plain = "".join(char if char.isprintable() else " " for char in str(text))
    plain = " ".join(plain.split())
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 3]}..."


def change_lines(found: Iterable[Change], since: str | os.PathLike[str]) -> list[str]:
    """Return lines for the terminal: what changed, or that nothing did."""
    lines = []
    for one in found:
        values = f"{one.before} -> {one.now}" if one.before and one.now else one.before or one.now
        lines.append(f"{one.analysis} {one.what}: {values}" + (f" ({one.note})" if one.note else ""))
    return [f"changed since {since}:", *lines] if lines else [f"nothing changed since {since}"]
