"""RevMan 5's export of analysis data (CSV), in which headings of comparisons, outcomes and subgroups are among the studies."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from bayesmeta.cochrane.assemble import comparisons, pooled_result, study_row, subgroup_test
from bayesmeta.cochrane.lines import Line, read_lines
from bayesmeta.cochrane.names import CSV_DATA_TYPES, is_log, measure_name, method_name
from bayesmeta.cochrane.review import CochraneAnalysis, CochraneReview, StudyRow, Subgroup
from bayesmeta.cochrane.text import (
    flag,
    id_from_path,
    label,
    letters,
    level,
    logged,
    number,
    printed,
    review_id,
    whole,
)

NEEDED = ("Comparison Number", "Outcome Number", "Subgroup Number", "Name", "Data Type")
_ARMS = {
    "events_e": ("Events 1",), "n_e": ("Total 1",), "events_c": ("Events 2",), "n_c": ("Total 2",),
    "mean_e": ("Mean 1",), "sd_e": ("SD 1",), "mean_c": ("Mean 2",), "sd_c": ("SD 2",),
    "oe": ("O-E",), "v": ("Var", "Variance", "V"),
}  # fmt: skip
_EFFECT = {"estimate": ("Effect Estimate",), "ci_low": ("CI Start",), "ci_high": ("CI End",), "weight": ("Weight",)}
_RESULT = _EFFECT | {
    "tau2": ("Tau²", "Tau2"), "q": ("Q", "Chi²"), "q_df": ("df",), "q_pvalue": ("P(Q)",), "i2": ("I²(Q)", "I2(Q)"),
    "z": ("Z",), "pvalue": ("P(Z)",),
    "events_e": ("Events 1",), "n_e": ("Total 1",), "events_c": ("Events 2",), "n_c": ("Total 2",),
}  # fmt: skip
_TEST = {"q": ("Qint",), "pvalue": ("P(Qint)",), "i2": ("I²(Qint)", "I2(Qint)")}
_TOTALS = {"yes": "yes", "totals": "yes", "sub": "subgroups", "subtotals": "subgroups", "no": "no", "none": "no"}
_LOG_COLUMN = "Entered data are on log scale (Generic Inverse Variance only)"


@dataclass
class _Outcome:
    """An outcome's heading with the rows and subgroups below it."""

    head: Line
    data_type: str
    model: str
    rows: list[Line] = field(default_factory=list)
    subgroups: dict[int, Line] = field(default_factory=dict)


def read_csv_export(data: bytes, path: Path) -> CochraneReview:
    """Read a RevMan 5 export of analysis data.

    Parameters
    ----------
    data : bytes
        The file's content.
    path : Path
        Its path; the review's identifier and title are taken from the name, as the file has none.

    Raises
    ------
    DataError
        If it is not such an export, or a value in it cannot be right.
    """
    source = str(path)
    names: dict[int, str] = {}
    outcomes: dict[tuple[int, int], _Outcome] = {}
    for line in read_lines(data, source, NEEDED):
        comparison, outcome, subgroup = (line.read(whole, name) or 0 for name in NEEDED[:3])
        if not comparison:
            raise line.error("the row has no comparison number", NEEDED[0])
        if not outcome:
            if comparison in names:
                raise line.error(f"comparison {comparison} has a second heading", NEEDED[0])
            names[comparison] = label(line.text("Name"))
            continue
        found = outcomes.get((comparison, outcome))
        if line.text("Data Type"):
            if found:
                raise line.error(f"outcome {comparison}.{outcome} has a second heading", "Data Type")
            outcomes[comparison, outcome] = _Outcome(line, *_kind(line))
        elif not found:
            raise line.error(f"this row of outcome {comparison}.{outcome} is before the outcome's heading", "Name")
        elif subgroup and subgroup not in found.subgroups:
            found.subgroups[subgroup] = line
        else:
            found.rows.append(line)
    analyses = [_analysis(key, outcome) for key, outcome in outcomes.items()]
    stem = id_from_path(path)
    return CochraneReview(
        review_id(stem), path.stem, comparisons(names, analyses, source), format="csv", decimals=8, source=source
    )


def _kind(line: Line) -> tuple[str, str]:
    data_type = CSV_DATA_TYPES.get(letters(line.text("Data Type")))
    if data_type is None:
        raise line.error(f"'{line.text('Data Type')[:40]}' is not a data type of RevMan", "Data Type")
    model = letters(line.text("Analysis Model"))
    return data_type, "random" if model.startswith("random") else "common" if model.startswith("fixed") else ""


def _analysis(key: tuple[int, int], outcome: _Outcome) -> CochraneAnalysis:
    head, data_type, model = outcome.head, outcome.data_type, outcome.model
    measure_text = head.text("Effect Measure")
    measure, swapped = measure_name(measure_text, data_type)
    log = is_log(measure, measure_text)
    if data_type == "estimate":
        log = bool(flag(head.text(_LOG_COLUMN)) or is_log("", measure_text)) or _looks_log(outcome)
    result = pooled_result(
        {name: None if name == "weight" else head.read(printed, *columns) for name, columns in _RESULT.items()},
        data_type, model,
    )  # fmt: skip
    subgroups = tuple(
        Subgroup(
            at, label(line.text("Name")),
            pooled_result({name: line.read(printed, *columns) for name, columns in _RESULT.items()}, data_type, model),
        )
        for at, line in outcome.subgroups.items()
    )  # fmt: skip
    swap = flag(head.text("Swap event and non-event")) if head.has("Swap event and non-event") else swapped
    test = subgroup_test({name: head.read(printed, *columns) for name, columns in _TEST.items()}, subgroups)
    return CochraneAnalysis(
        comparison=key[0], number=key[1], name=label(head.text("Name")), data_type=data_type, measure=measure,
        measure_label=label(measure_text), log=log,
        method=method_name(head.text("Statistical Method"), data_type), model=model,
        level_study=head.read(level, "Study Confidence Interval"),
        level_total=head.read(level, "Total Confidence Interval"),
        totals=_TOTALS.get(letters(head.text("Totals"))),
        group_e=label(head.text("Group Label 1")) or None, group_c=label(head.text("Group Label 2")) or None,
        favours_left=label(head.text("Left Graph Label")) or None,
        favours_right=label(head.text("Right Graph Label")) or None,
        swap_events=swap if data_type == "dichotomous" else None,
        rows=tuple(_row(line, data_type, log) for line in outcome.rows), subgroups=subgroups, result=result,
        subgroup_test=test if result or any(one.result for one in subgroups) else None,
    )  # fmt: skip


def _row(line: Line, data_type: str, log: bool) -> StudyRow:
    numbers = {name: line.read(number, *columns) for name, columns in _ARMS.items()}
    numbers |= {name: line.read(printed, *columns) for name, columns in _EFFECT.items()}
    if data_type == "estimate":
        numbers["given_se"] = line.read(number, "SE")
        # the export prints the effect but not what was entered; for ratios that is its logarithm
        numbers["given"] = logged(numbers["estimate"], log)
    study = label(line.text("Name"))
    if not study:
        raise line.error("the row has no study name", "Name")
    return study_row(
        data_type, numbers, study=study, year=label(line.text("Year of study")),
        subgroup=line.read(whole, "Subgroup Number") or 0, order=line.read(whole, "User defined order"),
        footnote=label(line.text("Footnotes", "Footnote")),
    )  # fmt: skip


def _looks_log(outcome: _Outcome) -> bool:
    """Return whether the limits of ready-made effects are those that the standard error gives on the log scale."""
    votes = 0
    for line in outcome.rows:
        value, low, high = (line.read(printed, *_EFFECT[name]) for name in ("estimate", "ci_low", "ci_high"))
        se = line.read(printed, "SE")
        if value is None or low is None or high is None or not se or high <= low:
            continue
        plain = abs((high - low) / se - 3.92)
        ratio = abs(math.log(high / low) / se - 3.92) if low > 0 else math.inf
        votes += 1 if ratio < plain else -1
    return votes > 0
