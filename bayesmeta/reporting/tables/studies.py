"""Table of the studies of an analysis: data, effects, weights and reasons of exclusion."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError
from bayesmeta.reporting.numbers import count, estimate, is_missing, number, percent
from bayesmeta.reporting.rounding import WHOLE_FROM, decimals_for
from bayesmeta.reporting.tables.layout import NOTE
from bayesmeta.reporting.tables.results import Record, text_frame, written_estimate
from bayesmeta.support.frames import records

if TYPE_CHECKING:
    import pandas


#: columns of one arm, by kind of data
_ARM_COLUMNS = {"dichotomous": ("events", "n"), "continuous": ("mean", "sd", "n"), "rates": ("events", "time")}
_NOT_REPORTED = "NR"


def arm_data(rows: Iterable[Record], measure: str = "") -> str:
    """Return the kind of arm-level data to show: the first that the measure is made from and that some study has.

    Parameters
    ----------
    rows : iterable of mapping
        One per study, with the columns of the study table.
    measure : str
        A name in ``MEASURES``; without it, or where no study has the data of the measure, any kind is shown.

    Returns
    -------
    str
        "dichotomous", "continuous" or "rates"; "" where no study has arm-level data.
    """
    rows = list(rows)
    wanted = MEASURES[measure].kinds if measure in MEASURES else ()
    for kind in (*(kind for kind in wanted if kind in _ARM_COLUMNS), *_ARM_COLUMNS):
        arms = [[f"{name}_{arm}" for name in _ARM_COLUMNS[kind]] for arm in "ec"]
        if any(not any(is_missing(row.get(name)) for name in names) for row in rows for names in arms):
            return kind
    return ""


def arm_cells(row: Record, arm: str, kind: str, *, split: bool = False) -> tuple[str, ...]:
    """Write one arm's data of one study: ``12/57``; ``10.20 (5.10)`` and ``57``; or ``12`` and ``1043.5`` person-time.

    Parameters
    ----------
    row : mapping
        The study.
    arm : {"e", "c"}
        Experimental or control.
    kind : str
        As from `arm_data`.
    split : bool
        Whether events and participants, and means and standard deviations, have a cell each.

    Returns
    -------
    tuple of str
        Blank where the study has none of the numbers; "NR" for one that is missing beside others.
    """
    values = [row.get(f"{name}_{arm}") for name in _ARM_COLUMNS.get(kind, ())]
    absent = all(is_missing(value) for value in values)
    missing = "" if absent else _NOT_REPORTED
    if kind == "dichotomous":
        counts = [count(value, missing=missing) for value in values]
        return tuple(counts) if split else ("" if absent else "/".join(counts),)
    if kind == "continuous":
        mean, sd, n = values
        if absent:
            return ("",) * (3 if split else 2)
        place = (
            None if sd is None or is_missing(sd) else decimals_for(-sd, sd)
        )  # a mean has the digits of its standard deviation
        shown = [number(value, place=place, missing=missing) for value in (mean, sd)]
        both = tuple(shown) if split else (f"{shown[0]} ({shown[1]})",)
        return (*both, count(n, missing=missing))
    if kind == "rates":
        events, time = values
        return count(events, missing=missing), _person_time(time) or missing
    return ()


def arm_totals(rows: Iterable[Record], kind: str, *, split: bool = False) -> tuple[str, ...]:
    """Write the sums of both arms' data over studies, with as many cells as `arm_cells` of the two arms.

    Parameters
    ----------
    rows : iterable of mapping
        The studies to add up.
    kind : str
        As from `arm_data`.
    split : bool
        As in `arm_cells`.

    Returns
    -------
    tuple of str
        Events and participants, participants alone for means, events and person-time; empty where a study lacks one of the numbers.
    """
    rows = list(rows)
    names = _ARM_COLUMNS.get(kind, ())
    cells: list[str] = []
    for arm in "ec":
        sums: dict[str, list[Any]] = {
            name: [row.get(f"{name}_{arm}") for row in rows] for name in names if name not in ("mean", "sd")
        }
        if not rows or not names or any(is_missing(value) for values in sums.values() for value in values):
            return ()
        total = {f"{name}_{arm}": float(sum(map(float, values))) for name, values in sums.items()}
        blank = ("", "") if split else ("",)
        means = kind == "continuous"
        cells += (*blank, count(total[f"n_{arm}"])) if means else arm_cells(total, arm, kind, split=split)
    return tuple(cells)


def _person_time(time: Any) -> str:
    """Write person-time with a decimal if it is below 1000; a long one keeps its digits, as it is data; "" if missing."""
    if is_missing(time) or time < WHOLE_FROM:
        return number(time, 1).removesuffix(".0")
    return count(time)


def _arm(row: Record, arm: str, kind: str) -> str:
    """Write an arm's data in one cell."""
    return ("/" if kind == "rates" else ", ").join(filter(None, arm_cells(row, arm, kind)))


def study_table(studies: pandas.DataFrame, *, level: float | None = 0.95, measure: str = "") -> pandas.DataFrame:
    """Tabulate the studies of one analysis, those left out included with the reason.

    Parameters
    ----------
    studies : pandas.DataFrame
        One row per study: `study`, arm data (`events_e n_e events_c n_c`, or `events_e time_e events_c time_c`, or
        `mean_e sd_e n_e mean_c sd_c n_c`, or `oe v`), `estimate ci_low ci_high` and the shrunken
        `theta theta_low theta_high` (both on the natural scale), `weight` in percent, `reason` (blank when the study is
        in) and `note`. All but `study` may be absent.
    level : float or None
        Level of the intervals, for the headers; None leaves it out of them.
    measure : str
        The effect measure, which chooses the arm data to show where the studies have several kinds.

    Returns
    -------
    pandas.DataFrame
        Text: Study, Experimental, Control, O-E, V, Estimate [95% CI], Weight, Shrunken estimate [95% CrI], Note; columns
        other than Study and the estimate only when some study has a value.

    Raises
    ------
    DataError
        When there is no column `study`.
    """
    if "study" not in studies.columns:
        raise DataError(
            "no column 'study'",
            source="studies",
            fix=f"Name the studies in a column 'study'; the columns are: {', '.join(map(str, studies.columns))}.",
        )
    return study_tables([("", records(studies), measure)], level=level)


def study_tables(analyses: Iterable[tuple[str, Sequence[Record], str]], *, level: float | None) -> pandas.DataFrame:
    """Tabulate the studies of several analyses as `study_table` does those of one.

    Parameters
    ----------
    analyses : iterable of (str, sequence of mapping, str)
        What each analysis is called in the first column, Analysis (which is left out where none has a name), its studies, and its
        effect measure.
    level : float or None
        As in `study_table`.
    """
    percentage = "" if level is None else f"{100 * level:g}% "
    estimated, shrunken = f"Estimate [{percentage}CI]", f"Shrunken estimate [{percentage}CrI]"
    rows = []
    for heading, row, kind in _with_kind(analyses):
        reason, note = ("" if is_missing(row.get(name)) else str(row[name]).strip() for name in ("reason", "note"))
        rows.append(
            {
                "Analysis": heading,
                "Study": str(row["study"]),
                "Experimental": _arm(row, "e", kind),
                "Control": _arm(row, "c", kind),
                "O-E": number(row.get("oe")),
                "V": number(row.get("v")),
                estimated: written_estimate(row),
                "Weight": percent(row.get("weight"), 1),
                shrunken: estimate(row.get("theta"), row.get("theta_low"), row.get("theta_high")),
                NOTE: ". ".join(filter(None, [f"Not pooled: {reason}" if reason else "", note])),
            }
        )
    names = ["Analysis", "Study", "Experimental", "Control", "O-E", "V", estimated, "Weight", shrunken, NOTE]
    return text_frame(rows, names, optional=set(names) - {"Study", estimated})


def _with_kind(analyses: Iterable[tuple[str, Sequence[Record], str]]) -> Iterator[tuple[str, Record, str]]:
    """Yield every study with the heading of its analysis and the kind of its arm data."""
    for heading, rows, measure in analyses:
        kind = arm_data(rows, measure)
        for row in rows:
            yield heading, row, kind
