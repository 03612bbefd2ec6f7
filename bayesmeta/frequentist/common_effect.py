"""Common-effect pooling of 2x2 tables from their counts: Mantel-Haenszel and Peto."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.special import chdtrc, ndtr, ndtri

from bayesmeta.effects.compute import data_kind, effect_sizes
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.formulas import observed_minus_expected
from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.zero_cells import half_added, one_outcome_only
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.kinds import KINDS
from bayesmeta.studies.read import as_table
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed, counted, estimate_text

MH_MEASURES = ("RR", "OR", "RD")


@dataclass(frozen=True, eq=False, repr=False)
class CommonEffect(Displayed):
    """A common-effect result with the attributes of ``RandomEffects``, on the model scale (log for ratios).

    ``tau2`` is 0 by assumption and there is no prediction interval (NaN). ``k`` counts the studies that are pooled, also those whose own
    weight is 0 (a risk ratio without control events adds to the numerator only), ``q_df`` is one less than the studies that enter Q; I2
    (percent) is Q-based. ``notes`` name the studies that are not pooled, each with the reason.
    """

    estimate: float
    se: float
    ci_low: float
    ci_high: float
    statistic: float
    pvalue: float
    q: float
    q_df: int
    q_pvalue: float
    i2: float
    h2: float
    weights: Array
    k: int
    n: float
    method: str
    measure: str
    level: float
    labels: tuple[str, ...]
    notes: tuple[str, ...]
    tau2: float = 0.0
    pi_low: float = math.nan
    pi_high: float = math.nan
    ci: str = "wald"

    def _line(self) -> str:
        log = MEASURES[self.measure].log
        estimate, low, high = (
            math.exp(value) if log else value for value in (self.estimate, self.ci_low, self.ci_high)
        )
        text = (
            f"{self.measure} {estimate_text(estimate, low, high, self.level)}, p {self.pvalue:.3g}; I2 {self.i2:.3g}%"
        )
        return f"{text}; {counted(self.k, 'study', 'studies')}, {self.method}"


def _cells(studies: StudyTable) -> tuple[Array, Array, Array, Array]:
    if not studies.has(*KINDS["dichotomous"].columns):
        raise DataError(
            f"counts are needed, but the table has {studies.kind} data",
            source=studies.source,
            fix="Give the columns events_e n_e events_c n_c.",
        )
    columns = studies.columns
    events_e, events_c = columns["events_e"], columns["events_c"]
    return events_e, columns["n_e"] - events_e, events_c, columns["n_c"] - events_c


def mh_estimate(measure: str, a: Array, b: Array, c: Array, d: Array, rule: str) -> tuple[float, float, Array]:
    """Return the Mantel-Haenszel estimate and its standard error, model scale, and the unscaled weights of the studies.

    Parameters
    ----------
    measure : {"RR", "OR", "RD"}
        The effect measure.
    a, b, c, d : ndarray, shape (k,)
        Events and non-events in the experimental arm, then in the control arm.
    rule : {"metafor", "revman"}
        See ``mantel_haenszel``.

    Returns
    -------
    estimate, se : float
        NaN for a ratio with no events at all in one arm.
    weights : ndarray, shape (k,)
        Not divided by their sum.
    """
    difference = a / (a + b) - c / (c + d)
    if rule == "revman":
        a, b, c, d = half_added(a, b, c, d)
    n_e, n_c = a + b, c + d
    n = n_e + n_c
    variance: float
    if measure == "RD":
        w = n_e * n_c / n
        estimate = float(w @ difference / w.sum())
        if rule == "revman":
            variance = float(np.sum((a * b * n_c**3 + c * d * n_e**3) / (n_e * n_c * n**2))) / float(w.sum()) ** 2
        else:
            slope = np.sum(c * (n_e / n) ** 2 - a * (n_c / n) ** 2 + n_e * n_c / n**2 * (n_c - n_e) / 2)
            variance = float(estimate * slope + np.sum(a * d / n + c * b / n) / 2) / float(w.sum()) ** 2
        return estimate, math.sqrt(variance), w
    if measure == "RR":
        top, w = a * n_c / n, c * n_e / n
        r, s = float(top.sum()), float(w.sum())
        numerator = float(np.sum(n_e * n_c * (a + c) / n**2 - a * c / n))
        if r <= 0 or s <= 0:
            return math.nan, math.nan, w
        return math.log(r / s), math.sqrt(numerator / (r * s)), w
    top, w, agree, differ = a * d / n, b * c / n, (a + d) / n, (b + c) / n
    r, s = float(top.sum()), float(w.sum())
    if r <= 0 or s <= 0:
        return math.nan, math.nan, w
    variance = float(agree @ top / r**2 + (agree @ w + differ @ top) / (r * s) + differ @ w / s**2)
    return math.log(r / s), math.sqrt(variance / 2), w


def mantel_haenszel(
    studies: Any, measure: str | None = None, level: float = 0.95, *, rule: str = "metafor"
) -> CommonEffect:
    """Pool 2x2 tables by the Mantel-Haenszel method.

    Parameters
    ----------
    studies : StudyTable, Effects, pandas.DataFrame or path
        A table with counts, or effects computed from one.
    measure : {"RR", "OR", "RD"}, optional
        The effect measure, upper or lower case; RR and OR are pooled and returned on the log scale. Default: that of the effects, or RR.
    level : float
        Confidence level in (0, 1).
    rule : {"metafor", "revman"}
        "metafor": no continuity correction, and the variance of Sato et al. (1989) for RD. "revman": 0.5 in all four
        cells of a study with a zero, as RevMan's printed weights show, and Greenland and Robins' variance for RD; the
        risk difference of each study stays uncorrected. Studies with no events in both arms carry no information on RR and
        OR under either rule, nor do those with only events, except that "revman" pools their RR.

    Returns
    -------
    CommonEffect
        Q is the inverse-variance one around the Mantel-Haenszel estimate (0.5 added to studies with a zero cell).

    Raises
    ------
    DataError
        If the table has no counts, or no study is left to pool.
    SpecError
        If a name is unknown or the level is not in (0, 1).

    Notes
    -----
    Mantel and Haenszel 1959; variances of Robins, Breslow and Greenland 1986 (log OR) and Greenland and Robins 1985
    (log RR).
    """
    if measure is None:
        measure = studies.measure if isinstance(studies, Effects) else "RR"
    studies = _table_of(studies)
    name = str(measure).upper()
    if name not in MH_MEASURES:
        raise unknown_name("Mantel-Haenszel measure", measure, MH_MEASURES)
    if rule not in ("metafor", "revman"):
        raise unknown_name("Mantel-Haenszel rule", rule, ("metafor", "revman"))
    cells = _cells(studies)
    zero_cells = "metafor_drop00" if rule == "metafor" else "revman"
    effects = effect_sizes(studies, name, zero_cells=zero_cells)
    pooled = effects.used if name != "RD" else effect_sizes(studies, name, zero_cells="revman").used
    a, b, c, d = (cell[pooled] for cell in cells)
    _check_not_empty(a, studies)
    estimate, se, w = mh_estimate(name, a, b, c, d, rule)
    fix = "Use rule='revman', which adds 0.5, or a binomial model."
    if not math.isfinite(estimate):
        what = f"no events at all in one of the arms: the Mantel-Haenszel {name} is undefined"
        raise DataError(what, source=studies.source, fix=fix)
    if not se > 0:
        what = f"no arm has both events and non-events: the Mantel-Haenszel {name} has no standard error"
        raise DataError(what, source=studies.source, fix=fix)
    return _result(effects, pooled, w, estimate, se, level, "MH")


def peto(studies: Any, level: float = 0.95) -> CommonEffect:
    """Pool 2x2 tables, or O - E and V, by Peto's one-step method; the odds ratio is on the log scale.

    Parameters
    ----------
    studies : StudyTable, Effects, pandas.DataFrame or path
        A table with counts, or with ``oe`` and ``v``; or effects computed from one.
    level : float
        Confidence level in (0, 1).

    Returns
    -------
    CommonEffect
        Nothing is added to zero cells: a study with V = 0 carries no information. Q = sum V (theta_i - theta)^2.

    Raises
    ------
    DataError
        If no study is left to pool.

    Notes
    -----
    Yusuf et al. 1985.
    """
    studies = _table_of(studies)
    effects = effect_sizes(studies, "PETO")
    _check_not_empty(effects.yi[effects.used], studies)
    if data_kind(studies, MEASURES["PETO"]) == "dichotomous":
        o_minus_e, v = observed_minus_expected(*(cell[effects.used] for cell in _cells(studies)))
    else:
        o_minus_e, v = studies.columns["oe"][effects.used], studies.columns["v"][effects.used]
    total = float(v.sum())
    return _result(effects, effects.used, v, float(o_minus_e.sum()) / total, 1 / math.sqrt(total), level, "PETO")


def mh_centre(effects: Effects) -> float:
    """Return the Mantel-Haenszel estimate by RevMan's rule, model scale: RevMan takes its random-effects Q around it.

    Parameters
    ----------
    effects : Effects
        RR, OR or RD effects computed from counts; the rows that are pooled enter.

    Raises
    ------
    SpecError
        If the effects are of another measure or were not computed from counts.
    DataError
        If no study is left to pool.
    """
    if effects.studies is None or effects.measure not in MH_MEASURES:
        raise SpecError(
            "method 'DL-MH' takes Q around the Mantel-Haenszel estimate: it needs RR, OR or RD effects computed from "
            "counts by effect_sizes. Use method='DL' for other effects."
        )
    cells = [cell[effects.used] for cell in _cells(effects.studies)]
    no_events, all_events = one_outcome_only(*cells)
    measure = MEASURES[effects.measure]
    cells = [cell[~(no_events & measure.needs_events | all_events & measure.needs_nonevents)] for cell in cells]
    _check_not_empty(cells[0], effects.studies)
    return mh_estimate(effects.measure, cells[0], cells[1], cells[2], cells[3], "revman")[0]


def _table_of(studies: Any) -> StudyTable:
    """Return the study table of effects, or of any data that ``read_studies`` reads."""
    table = studies.studies if isinstance(studies, Effects) else as_table(studies)
    if table is None:
        raise SpecError("these effects were given as arrays; this method needs the counts of the arms")
    if table.repeated:
        raise SpecError(
            "Mantel-Haenszel and Peto pool independent studies, and studies of this table have several rows: use multilevel, "
            "or leave one row per study, for example by combining arms"
        )
    return table


def _check_not_empty(rows: Array, studies: StudyTable) -> None:
    if not len(rows):
        raise DataError("no study is left to pool", source=studies.source, fix="See the reasons in effect_sizes(...).")


def _result(
    effects: Effects, pooled: np.ndarray, w: Array, estimate: float, se: float, level: float, method: str
) -> CommonEffect:
    check_level(level)
    y, v = effects.yi[effects.used], effects.vi[effects.used]
    q, q_df = float(np.sum((y - estimate) ** 2 / v)), max(len(y) - 1, 0)
    half = float(ndtri((1 + level) / 2)) * se
    statistic = estimate / se if se > 0 else math.nan
    weights = np.zeros(len(effects.labels))
    weights[pooled] = w / w.sum()
    return CommonEffect(
        estimate=estimate,
        se=se,
        ci_low=estimate - half,
        ci_high=estimate + half,
        statistic=statistic,
        pvalue=2 * float(ndtr(-abs(statistic))),
        q=q,
        q_df=q_df,
        q_pvalue=float(chdtrc(q_df, q)) if q_df else 1.0,
        i2=max(0.0, 100 * (q - q_df) / q) if q > 0 else 0.0,
        h2=q / q_df if q_df else 1.0,
        weights=weights,
        k=int(pooled.sum()),
        n=replace(effects, reasons=tuple("" if here else "not pooled" for here in pooled)).n,
        method=method,
        measure=effects.measure,
        level=level,
        labels=effects.labels,
        notes=tuple(
            f"{label}: {reason}"
            for label, reason, here in zip(effects.labels, effects.reasons, pooled, strict=True)
            if reason and not here
        ),
    )
