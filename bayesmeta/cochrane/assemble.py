"""Assembly of a review from the values of a file, for every format: filler dropped, rows in one order."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace

from bayesmeta.cochrane.review import FIELDS, CochraneAnalysis, Comparison, Pooled, StudyRow, Subgroup, SubgroupTest
from bayesmeta.cochrane.text import estimable
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError
from bayesmeta.studies.kinds import KINDS

Numbers = Mapping[str, float | None]

#: Shown beside the data where authors enter them: the fields of ``StudyRow`` that are kept, by type of data.
_BESIDE = {"estimate": ("n_e", "n_c"), "oe": KINDS["dichotomous"].columns}


def study_row(
    data_type: str, numbers: Numbers, *, study: str, year: str = "", subgroup: int = 0, order: int | None = None,
    footnote: str = "", stated_estimable: bool = True,
) -> StudyRow:  # fmt: skip
    """Return a study's row, with only the numbers of its analysis' data type, and its printed effect if it has one.

    Parameters
    ----------
    data_type : str
        A name in ``DATA_TYPES``.
    numbers : mapping of str to float or None
        Fields of ``StudyRow`` as in the file, filler included.
    study, year, subgroup, order, footnote
        The other fields of ``StudyRow``.
    stated_estimable : bool
        False where the file states that the row is not estimable.

    Returns
    -------
    StudyRow
    """
    kept = {name: numbers.get(name) for name in FIELDS.get(data_type, {}).values()}
    # without participants, counts beside an estimate are filler
    if any(numbers.get(name) for name in ("n_e", "n_c")):
        kept |= {name: numbers.get(name) for name in _BESIDE.get(data_type, ())}
    effect = (numbers.get("estimate"), numbers.get("ci_low"), numbers.get("ci_high"))
    wild = any(value is not None and not math.isfinite(value) for value in (*effect, numbers.get("weight")))
    numbers = finite_only(numbers)
    shown = stated_estimable and estimable(*effect)
    return StudyRow(
        study=study, year=year, subgroup=subgroup, order=order, footnote=footnote, **kept,
        estimate=effect[0] if shown else None, ci_low=effect[1] if shown else None, ci_high=effect[2] if shown else None,
        weight=(numbers.get("weight") or 0.0) if shown else None, estimable=shown,
        printed_problem="a printed number is too large to be right" if wild else "",
    )  # fmt: skip


def finite_only(numbers: Numbers) -> dict[str, float | None]:
    """Return numbers with None for those that are not finite, which no result is."""
    return {name: None if value is None or not math.isfinite(value) else value for name, value in numbers.items()}


def pooled_result(numbers: Numbers, data_type: str, model: str) -> Pooled | None:
    """Return a printed result; None where nothing was pooled. Filler (tau2 of a common effect, Q of one study) is None."""
    if not estimable(numbers.get("estimate"), numbers.get("ci_low"), numbers.get("ci_high")):
        return None
    result = Pooled(**finite_only(numbers))
    if data_type != "dichotomous":
        result = replace(result, events_e=None, events_c=None)
    if data_type == "estimate":
        result = replace(result, n_e=result.n_e or None, n_c=result.n_c or None)
    if not result.q_df:
        result = replace(result, q=None, q_pvalue=None, i2=None, tau2=None)
    return replace(result, tau2=None) if model == "common" else result


def subgroup_test(numbers: Numbers, subgroups: Iterable[Subgroup]) -> SubgroupTest | None:
    """Return the test for subgroup differences; None without subgroups or where the fields are filler."""
    found = finite_only(numbers)
    return SubgroupTest(**found) if len(list(subgroups)) >= 2 and found.get("q") else None


def in_order(analysis: CochraneAnalysis) -> CochraneAnalysis:
    """Return an analysis with rows in order of subgroup and study, the same for every format; rows of one study keep their order."""
    rows = sorted(analysis.rows, key=lambda row: (row.subgroup, row.study.casefold(), row.study))
    known = analysis.measure in MEASURES and analysis.measure not in ("GEN", "OE")
    label = MEASURES[analysis.measure].label if known else analysis.measure_label
    subgroups = tuple(sorted(analysis.subgroups, key=lambda one: one.number))
    return replace(analysis, rows=tuple(rows), subgroups=subgroups, measure_label=label)


def comparisons(names: Mapping[int, str], analyses: Iterable[CochraneAnalysis], source: str) -> tuple[Comparison, ...]:
    """Group analyses by comparison, in order of their numbers.

    Raises
    ------
    DataError
        If two analyses have the same number, or no analysis has a study.
    """
    by_id: dict[tuple[int, int], CochraneAnalysis] = {}
    for analysis in analyses:
        if (analysis.comparison, analysis.number) in by_id:
            raise DataError(f"analysis {analysis.id} occurs twice", source=source, fix="Export the review again.")
        by_id[analysis.comparison, analysis.number] = in_order(analysis)
    if not any(analysis.rows for analysis in by_id.values()):
        raise DataError("the review has no study in any analysis", source=source, fix="Give a review with analyses.")
    numbers = sorted({*names, *(comparison for comparison, _ in by_id)})
    return tuple(
        Comparison(number, names.get(number, ""), tuple(by_id[key] for key in sorted(by_id) if key[0] == number))
        for number in numbers
    )
