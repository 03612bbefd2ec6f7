"""Numbers no study can have, which are refused, and numbers that are likely to be a slip, which are noted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import chdtr

from bayesmeta.errors import DataError
from bayesmeta.studies.kinds import COUNTS, KINDS

if TYPE_CHECKING:
    from bayesmeta.studies.table import StudyTable
#: the largest count of participants or events that is accepted
MOST_PEOPLE = 1e10


def refuse_impossible(studies: StudyTable, kind: str) -> None:
    """Raise a DataError for numbers no study can have, in rows that are not excluded.

    Parameters
    ----------
    studies : StudyTable
        The study table.
    kind : {"dichotomous", "continuous", "rates", "oe"}
        The kind of data the effects are computed from.

    Raises
    ------
    DataError
        For the first such number: column, value and study.
    """
    record, columns = KINDS[kind], studies.columns
    checks: list[tuple[str, np.ndarray, str]] = []
    for name in record.columns:
        if name in record.limits:
            checks.append((name, columns[name] > columns[record.limits[name]], "is more than the arm's total"))
        if name in record.sizes:
            checks.append((name, columns[name] <= 0, "is not positive"))
        if name in COUNTS:
            checks.append((name, columns[name] > MOST_PEOPLE, "is more than there are people"))
        if name not in record.sizes and (name in COUNTS or name in record.spreads):
            checks.append((name, columns[name] < 0, "is negative"))
    for name, bad, what in checks:
        for i in np.flatnonzero(bad & studies.included):
            raise DataError(
                f"{name} = {columns[name][i]:g} {what}",
                source=studies.source,
                row=studies.labels[i],
                column=name,
                fix="Correct the number, or exclude the study with a reason.",
            )


def suspicions(studies: StudyTable, kind: str, used: np.ndarray) -> list[str]:
    """Return for each row what in its numbers is likely to be a slip, "" for nothing; the numbers are used as they are.

    Parameters
    ----------
    studies : StudyTable
        The study table.
    kind : str
        The kind of data the effects are computed from.
    used : ndarray
        bool (k,): rows that are pooled; only these are looked at.

    Notes
    -----
    The rules, each chosen so that sound data rarely meet it:

    - one participant in an arm, and a standard deviation of it;
    - a standard deviation at most a third of the other arm's, or of the median of the other studies on the same scale, that is within
      a factor of 2 of it when multiplied by sqrt(n): a standard error. Studies are on the same scale where the means are within two
      such medians of each other;
    - arms that differ by more than 3 standard deviations;
    - the same control arm, or the same numbers of both arms, in two rows: mean, SD and n, or events and n with names that begin alike;
    - a standard error whose square root, or square, is the one that the confidence limits beside it give, to 5%;
    - effects that agree more closely than 49 in 50 tables of equal effects would, and would not if the variances were standard errors.
    """
    notes: list[list[str]] = [[] for _ in studies.labels]
    for rule in _RULES.get(kind, ()):
        for row, note in rule(studies, np.flatnonzero(used)):
            notes[row].append(note)
    return ["; ".join(dict.fromkeys(found)) for found in notes]


Found = Iterator[tuple[int, str]]
_LARGE_SMD = 3.0


def _one_participant(studies: StudyTable, rows: np.ndarray) -> Found:
    for arm in ("e", "c"):
        for row in rows[studies.columns[f"n_{arm}"][rows] == 1]:
            yield row, f"n_{arm} is 1, and one participant has no standard deviation: check n_{arm} and sd_{arm}"


def _standard_error_as_sd(studies: StudyTable, rows: np.ndarray) -> Found:
    columns = studies.columns
    mean, sd, n = (np.stack([columns[f"{name}_{arm}"][rows] for arm in ("e", "c")]) for name in ("mean", "sd", "n"))
    if not sd.size:
        return
    other_arm = sd[::-1]
    median_sd, median_mean = np.median(sd), np.median(mean)
    noted = set()
    same_scale = (np.abs(mean - median_mean) <= 2 * median_sd) & (sd.shape[1] > 2)
    for usual, comparable, what in (
        (other_arm, np.full(sd.shape, True), "of the other arm"),
        (np.full(sd.shape, median_sd), same_scale, "of most arms"),
    ):
        spread = sd * np.sqrt(n)
        small = comparable & (sd <= usual / 3) & (spread >= usual / 2) & (spread <= 2 * usual)
        for arm, at in np.argwhere(small):
            if (arm, at) in noted:
                continue
            noted.add((arm, at))
            name = f"sd_{'ec'[arm]}"
            text = f"{name} = {sd[arm, at]:g}, but the SD {what} is {usual[arm, at]:g}: is it a standard error? SD = SE * sqrt(n)"
            yield rows[at], f"{text} = {spread[arm, at]:.3g}"


def _large_difference(studies: StudyTable, rows: np.ndarray) -> Found:
    columns = {name: values[rows] for name, values in studies.columns.items()}
    pooled = np.sqrt((columns["sd_e"] ** 2 + columns["sd_c"] ** 2) / 2)
    with np.errstate(all="ignore"):
        apart = np.abs(columns["mean_e"] - columns["mean_c"]) / pooled
    for at in np.flatnonzero(apart > _LARGE_SMD):
        yield rows[at], f"the means are {apart[at]:.3g} standard deviations apart: are sd_e and sd_c standard errors?"


def _repeated_means(studies: StudyTable, rows: np.ndarray) -> Found:
    return _repeated_arms(studies, rows, continuous=True)


def _repeated_counts(studies: StudyTable, rows: np.ndarray) -> Found:
    return _repeated_arms(studies, rows, continuous=False)


def _repeated_arms(studies: StudyTable, rows: np.ndarray, continuous: bool) -> Found:
    """Find rows with the control arm, or both arms, of an earlier row."""
    names = ("mean", "sd", "n") if continuous else ("events", "n")
    values = {arm: np.stack([studies.columns[f"{name}_{arm}"][rows] for name in names], axis=1) for arm in ("e", "c")}
    first: dict[tuple[object, ...], int] = {}
    for at, row in enumerate(rows):
        control = tuple(values["c"][at].tolist())
        # counts of small trials are often equal by chance
        same_name = () if continuous else (_first_word(studies.labels[row]),)
        earlier = first.setdefault((*control, *same_name), at)
        if earlier == at or studies.study_names[rows[earlier]] == studies.study_names[row]:
            # rows of one study depend on each other as their model says
            continue
        label = studies.labels[rows[earlier]]
        if np.array_equal(values["e"][earlier], values["e"][at]):
            yield row, f"the numbers are those of {label}: are its participants counted twice?"
        else:
            yield (
                row,
                (
                    f"the control arm is that of {label}: if it is one group, its participants count twice; combine the "
                    "experimental arms, or divide the control arm between the rows"
                ),
            )


def _first_word(label: str) -> str:
    return label.split()[0].casefold().rstrip(",.;:") if label.split() else ""


def _variance_as_standard_error(studies: StudyTable, rows: np.ndarray) -> Found:
    columns = studies.columns
    if not studies.has("sei") or not len(rows):
        return
    sei = columns["sei"][rows]
    if studies.has("ci_low", "ci_high"):
        implied = (columns["ci_high"][rows] - columns["ci_low"][rows]) / (2 * 1.959964)
        for at in np.flatnonzero((implied > 0) & (np.abs(sei / implied - 1) > 0.2)):
            for power, what in ((2.0, "a variance"), (0.5, "the square root of a standard error")):
                if abs(sei[at] / implied[at] ** power - 1) < 0.05:
                    yield rows[at], f"sei = {sei[at]:g}, but the interval gives {implied[at]:.3g}: is it {what}?"
        return
    y, df = columns["yi"][rows], len(rows) - 1
    if df < 4 or not np.isfinite(y).all() or not np.isfinite(sei).all() or not (sei > 0).all():
        return
    # P(Q below the one found) if the effects are equal, as entered and with standard errors where variances are
    as_entered, other = (float(chdtr(df, _q(y, spread))) for spread in (sei, sei**2))
    if as_entered < 0.02 and other > 0.05:
        yield (
            rows[0],
            (
                f"the effects of all studies agree more closely than their standard errors allow (Q = {_q(y, sei):.3g}, df = {df}): "
                "were standard errors given as variances?"
            ),
        )


def _q(y: np.ndarray, sei: np.ndarray) -> float:
    weights = 1 / sei**2
    return float(weights @ (y - weights @ y / weights.sum()) ** 2)


_RULES: Mapping[str, tuple[Callable[[StudyTable, np.ndarray], Found], ...]] = {
    "dichotomous": (_repeated_counts,),
    "continuous": (_one_participant, _standard_error_as_sd, _large_difference, _repeated_means),
    "estimate": (_variance_as_standard_error,),
}
