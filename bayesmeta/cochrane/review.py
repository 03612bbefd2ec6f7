"""A Cochrane review: comparisons, analyses, study rows, and the results that the review printed for them.

All formats of Cochrane's files are read into these classes. What a file does not contain is None (or "" for a text).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bayesmeta.studies.kinds import KINDS
from bayesmeta.support.display import Displayed, counted

_RENAMED = {"yi": "given", "sei": "given_se"}
#: By type of data: the number columns of a study table, and the fields of ``StudyRow`` they are read from.
FIELDS: Mapping[str, Mapping[str, str]] = {
    kind.name: {name: _RENAMED.get(name, name) for name in kind.columns} for kind in KINDS.values() if kind.in_revman
}
#: Types of data of an analysis; ``"other"`` is free text, which is not pooled.
DATA_TYPES = (*FIELDS, "other")


@dataclass(frozen=True)
class Pooled:
    """A pooled result as the review printed it.

    Parameters
    ----------
    estimate, ci_low, ci_high : float or None
        On the NATURAL scale (ratios not logged).
    tau2, q, q_df, q_pvalue, i2 : float or None
        Heterogeneity; tau2 on the model (log) scale, I2 in percent.
    z, pvalue : float or None
        Test of no effect.
    weight : float or None
        Weight of a subgroup, percent.
    events_e, n_e, events_c, n_c : float or None
        Totals of the arms.
    """

    estimate: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    tau2: float | None = None
    q: float | None = None
    q_df: float | None = None
    q_pvalue: float | None = None
    i2: float | None = None
    z: float | None = None
    pvalue: float | None = None
    weight: float | None = None
    events_e: float | None = None
    n_e: float | None = None
    events_c: float | None = None
    n_c: float | None = None


@dataclass(frozen=True)
class StudyRow:
    """One study's row in one analysis.

    Parameters
    ----------
    study : str
        Its name in the review; may repeat within an analysis.
    year : str
        Year of the study, "" if it is not given.
    subgroup : int
        Number of its subgroup, 0 if the analysis has none.
    events_e, n_e, events_c, n_c, mean_e, sd_e, mean_c, sd_c : float or None
        Arm data; only those of the analysis' own data type, so no filler.
    given, given_se : float or None
        A ready-made estimate and its standard error, MODEL scale (log for ratios).
    oe, v : float or None
        O - E and its variance.
    estimate, ci_low, ci_high : float or None
        The effect the review printed, NATURAL scale; None where it printed none.
    weight : float or None
        Percent; 0 where the row was not pooled.
    estimable : bool
        Whether the review printed an effect.
    order : int or None
        Place in the review's own order, where the file has it.
    footnote : str
        The authors' remark.
    printed_problem : str
        Why the effect that the file prints cannot be used, "" where it can or there is none.
    """

    study: str
    year: str = ""
    subgroup: int = 0
    events_e: float | None = None
    n_e: float | None = None
    events_c: float | None = None
    n_c: float | None = None
    mean_e: float | None = None
    sd_e: float | None = None
    mean_c: float | None = None
    sd_c: float | None = None
    given: float | None = None
    given_se: float | None = None
    oe: float | None = None
    v: float | None = None
    estimate: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    weight: float | None = None
    estimable: bool = False
    order: int | None = None
    footnote: str = ""
    printed_problem: str = ""


@dataclass(frozen=True)
class Subgroup:
    """A subgroup of an analysis: its number, its name and the printed result (None if there is none)."""

    number: int
    name: str
    result: Pooled | None = None


@dataclass(frozen=True)
class SubgroupTest:
    """The test for subgroup differences: chi-squared, degrees of freedom, p, and I2 in percent."""

    q: float | None = None
    q_df: float | None = None
    pvalue: float | None = None
    i2: float | None = None


@dataclass(frozen=True)
class CochraneAnalysis:
    """One analysis (RevMan 5: outcome) of a comparison.

    Parameters
    ----------
    comparison, number : int
        Analysis 1.2 is number 2 of comparison 1.
    name : str
        The outcome.
    data_type : str
        A name in ``DATA_TYPES``.
    measure : str
        A key of ``bayesmeta.effects.measures.MEASURES``; "GEN" for a ready-made effect that is none of the others, "" where
        the file does not state it and it could not be inferred.
    measure_label : str
        Its name in words; the file's own where `measure` is "GEN", "OE" or "".
    log : bool
        Whether effects are printed as ratios, so that the model scale is the log.
    method : str
        How the review pooled: "MH", "IV", "PETO", "EXP_O_E_VAR"; "" if unknown.
    model : str
        "common" (RevMan: fixed effect), "random", or "" if unknown.
    level_study, level_total : float or None
        Confidence level of the rows' and of the pooled intervals, such as 0.95.
    totals : str or None
        "yes" (overall, and subtotals if there are subgroups), "subgroups" (subtotals only) or "no".
    group_e, group_c, favours_left, favours_right : str or None
        Labels of the arms and of the two sides of the plot.
    swap_events : bool or None
        Whether the review analysed non-events in place of events.
    tau2_method, ci_method : str or None
        Names such as "DL", "REML" and "wald", "hksj", where the file states them (RevMan from 2024).
    units : str
        Units of a mean difference.
    rows : tuple of StudyRow
        By subgroup and study, whatever the order in the file.
    subgroups : tuple of Subgroup
    result : Pooled or None
        The overall result; None if the review did not pool.
    subgroup_test : SubgroupTest or None
    inferred : tuple of str
        Which of measure, method, model, levels and totals the file does not state, so that they were inferred from the
        printed effects and weights.
    """

    comparison: int
    number: int
    name: str
    data_type: str
    measure: str
    measure_label: str = ""
    log: bool = False
    method: str = ""
    model: str = ""
    level_study: float | None = None
    level_total: float | None = None
    totals: str | None = None
    group_e: str | None = None
    group_c: str | None = None
    favours_left: str | None = None
    favours_right: str | None = None
    swap_events: bool | None = None
    tau2_method: str | None = None
    ci_method: str | None = None
    units: str = ""
    rows: tuple[StudyRow, ...] = ()
    subgroups: tuple[Subgroup, ...] = ()
    result: Pooled | None = None
    subgroup_test: SubgroupTest | None = None
    inferred: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The analysis as reviews number it, such as "1.2"."""
        return f"{self.comparison}.{self.number}"


@dataclass(frozen=True)
class Comparison:
    """A comparison of the review and its analyses."""

    number: int
    name: str
    analyses: tuple[CochraneAnalysis, ...] = ()


@dataclass(frozen=True)
class RiskOfBias:
    """One judgement: study, domain, the file's judgement in lower case, and the text that supports it."""

    study: str
    domain: str
    judgement: str
    support: str = ""


@dataclass(frozen=True)
class StudyInformation:
    """Information on an included study: its year, where the data are from, and its characteristics."""

    study: str
    year: str = ""
    data_source: str = ""
    characteristics: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, repr=False)
class CochraneReview(Displayed):
    """A whole review, as read from one of Cochrane's files.

    Parameters
    ----------
    id : str
        Letters, digits, points, dashes and underscores; from the file, else from its name.
    title : str
    comparisons : tuple of Comparison
    studies : tuple of StudyInformation
        Empty where the file has none.
    risk_of_bias : tuple of RiskOfBias
    format : str
        "rm5", "csv", "package" or "data rows".
    decimals : int or None
        Decimals the file prints results with; None for all a double has.
    source : str
        The file.
    """

    id: str
    title: str
    comparisons: tuple[Comparison, ...]
    studies: tuple[StudyInformation, ...] = ()
    risk_of_bias: tuple[RiskOfBias, ...] = ()
    format: str = ""
    decimals: int | None = None
    source: str = ""

    def _line(self) -> str:
        sizes = f"{counted(len(self.comparisons), 'comparison')}, {counted(len(self.analyses), 'analysis', 'analyses')}"
        return f"{self.id}, {self.title!r}, {sizes}, from {self.source} ({self.format})"

    @property
    def analyses(self) -> tuple[CochraneAnalysis, ...]:
        """Every analysis, comparison by comparison."""
        return tuple(analysis for comparison in self.comparisons for analysis in comparison.analyses)
