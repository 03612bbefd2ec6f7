"""From what a file says to the review's values, alike for every format: filler dropped, rows in one order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from bayesmeta.cochrane.review import CochraneAnalysis, Comparison, Pooled, StudyRow, Subgroup, SubgroupTest
from bayesmeta.cochrane.text import estimable
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError

Numbers = Mapping[str, float | None]

_ARMS = ("events_e", "n_e", "events_c", "n_c")
_KEPT = {
    "dichotomous": _ARMS,
    "continuous": ("mean_e", "sd_e", "n_e", "mean_c", "sd_c", "n_c"),
    "estimate": ("given", "given_se", "n_e", "n_c"),
    "oe": ("oe", "v", *_ARMS),
    "other": (),
}


def study_row(
    data_type: str, numbers: Numbers, *, study: str, year: str = "", subgroup: int = 0, order: int | None = None,
    footnote: str = "", said_estimable: bool = True,
) -> StudyRow:  # fmt: skip
    """Build a study's row, with only the numbers of its analysis' data type and its printed effect if it has one.

    Parameters
    ----------
    data_type : str
        A name in ``DATA_TYPES``.
    numbers : mapping of str to float or None
        Fields of ``StudyRow`` as the file has them, filler included.
    said_estimable : bool
        False where the file says in words that the row is not estimable.
    """
    kept = {name: numbers.get(name) for name in _KEPT[data_type]}
    if data_type in ("estimate", "oe"):
        # shown beside the estimate where authors enter them; zeros are filler
        counted = {name: kept.get(name) for name in _ARMS if name in kept}
        if not any(counted.get(name) for name in ("n_e", "n_c")):
            kept |= dict.fromkeys(counted, None)
    effect = (numbers.get("estimate"), numbers.get("ci_low"), numbers.get("ci_high"))
    shown = said_estimable and estimable(*effect)
    return StudyRow(
        study=study, year=year, subgroup=subgroup, order=order, footnote=footnote, **kept,
        estimate=effect[0] if shown else None, ci_low=effect[1] if shown else None, ci_high=effect[2] if shown else None,
        weight=(numbers.get("weight") or 0.0) if shown else None, estimable=shown,
    )  # fmt: skip


def pooled_result(numbers: Numbers, data_type: str, model: str) -> Pooled | None:
    """Build a printed result; None where nothing was pooled. Filler (tau2 of a common effect, Q of one study) is None."""
    if not estimable(numbers.get("estimate"), numbers.get("ci_low"), numbers.get("ci_high")):
        return None
    result = Pooled(**numbers)
    if data_type != "dichotomous":
        result = replace(result, events_e=None, events_c=None)
    if data_type == "estimate":
        result = replace(result, n_e=result.n_e or None, n_c=result.n_c or None)
    if not result.q_df:
        result = replace(result, q=None, q_pvalue=None, i2=None, tau2=None)
    return replace(result, tau2=None) if model == "common" else result


def subgroup_test(numbers: Numbers, subgroups: Iterable[Subgroup]) -> SubgroupTest | None:
    """Build the test for subgroup differences; None without subgroups or where the fields are filler."""
    if len(list(subgroups)) < 2 or not numbers.get("q"):
        return None
    return SubgroupTest(**numbers)


def finished(analysis: CochraneAnalysis) -> CochraneAnalysis:
    """Order rows by subgroup and study, so that every format gives the same; rows of one study keep their order."""
    rows = sorted(analysis.rows, key=lambda row: (row.subgroup, row.study.casefold(), row.study))
    known = analysis.measure in MEASURES and analysis.measure not in ("GEN", "OE")
    said = MEASURES[analysis.measure].label if known else analysis.measure_label
    subgroups = tuple(sorted(analysis.subgroups, key=lambda one: one.number))
    return replace(analysis, rows=tuple(rows), subgroups=subgroups, measure_label=said)


def comparisons(names: Mapping[int, str], analyses: Iterable[CochraneAnalysis], source: str) -> tuple[Comparison, ...]:
    """Group analyses by comparison, in order of their numbers.

    Raises
    ------
    DataError
        If two analyses have one number, or there is none.
    """
    by_id: dict[tuple[int, int], CochraneAnalysis] = {}
    for analysis in analyses:
        if (analysis.comparison, analysis.number) in by_id:
            raise DataError(f"analysis {analysis.id} is there twice", source=source, fix="Export the review again.")
        by_id[analysis.comparison, analysis.number] = finished(analysis)
    if not any(analysis.rows for analysis in by_id.values()):
        raise DataError("the review holds no study in any analysis", source=source, fix="Give a review with analyses.")
    numbers = sorted({*names, *(comparison for comparison, _ in by_id)})
    return tuple(
        Comparison(number, names.get(number, ""), tuple(by_id[key] for key in sorted(by_id) if key[0] == number))
        for number in numbers
    )
