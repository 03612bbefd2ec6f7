"""RevMan Web data packages: data rows, overall estimates and settings, subgroup estimates, study data, risk of bias.

Both versions of the format are read: that of reviews exported until September 2024, and the one since, which also states
the heterogeneity estimator and the method of the interval.
"""

from __future__ import annotations

from pathlib import Path

from bayesmeta.cochrane.assemble import comparisons, pooled_result, study_row, subgroup_test
from bayesmeta.cochrane.lines import Line, read_lines
from bayesmeta.cochrane.names import (
    WEB_DATA_TYPES,
    interval_name,
    is_log,
    measure_name,
    method_name,
    tau2_name,
)
from bayesmeta.cochrane.review import (
    CochraneAnalysis,
    CochraneReview,
    Pooled,
    RiskOfBias,
    StudyInformation,
    StudyRow,
    Subgroup,
)
from bayesmeta.cochrane.safe_zip import Archive
from bayesmeta.cochrane.text import (
    flag,
    id_from_path,
    judgement,
    label,
    letters,
    level,
    number,
    printed,
    review_id,
    whole,
)
from bayesmeta.errors import DataError

Key = tuple[int, int]

ROWS = ("Analysis group", "Analysis number", "Study", "Weight", "Mean", "CI start", "CI end")
_SETTINGS = ("Analysis group", "Analysis number", "Data type", "Effect measure", "Analysis model")
_SUBGROUPS = ("Analysis group", "Analysis number", "Subgroup")
_NUMBERS = {
    "events_e": "Experimental cases", "n_e": "Experimental N", "events_c": "Control cases", "n_c": "Control N",
    "mean_e": "Experimental mean", "sd_e": "Experimental SD", "mean_c": "Control mean", "sd_c": "Control SD",
    "given": "GIV Mean", "given_se": "GIV SE", "oe": "O-E", "v": "Variance",
}  # fmt: skip
_EFFECT = {"estimate": "Mean", "ci_low": "CI start", "ci_high": "CI end", "weight": "Weight"}
_RESULT = _EFFECT | {
    "tau2": "Heterogeneity Tau²", "q": "Heterogeneity Chi²", "q_df": "Heterogeneity df",
    "q_pvalue": "Heterogeneity P", "i2": "Heterogeneity I²", "z": "Effect Z", "pvalue": "Effect P",
    "events_e": "Experimental cases", "n_e": "Experimental N", "events_c": "Control cases", "n_c": "Control N",
}  # fmt: skip
_TEST = {"q": "Subgroup Chi²", "q_df": "Subgroup df", "pvalue": "Subgroup P", "i2": "Subgroup I²"}


def read_package(data: bytes, path: Path) -> CochraneReview:
    """Read a data package, as exported by RevMan Web or inside the archive from the Cochrane Library.

    Parameters
    ----------
    data : bytes
        The archive.
    path : Path
        Its path, for messages and for the review's title.

    Raises
    ------
    DataError
        If it is not such a package, is damaged or unsafe, or a value in it cannot be right.
    """
    source = str(path)
    archive = Archive(data, source)
    if archive.ending("-parameters.csv"):
        what = "this is the data package of a review of diagnostic tests"
        raise DataError(what, source=source, fix="Give a review of interventions.")
    rows_of = _only_file(archive, "-data-rows.csv", source, needed=True)
    settings_of = _only_file(archive, "-overall-estimates-and-settings.csv", source, needed=True)
    settings = _by_analysis(_lines(archive, settings_of, _SETTINGS))
    data_rows: dict[Key, list[Line]] = {}
    for line in _lines(archive, rows_of, ROWS):
        data_rows.setdefault(analysis_key(line), []).append(line)
    subgroup_lines: dict[Key, list[Line]] = {}
    for line in _lines(archive, _only_file(archive, "-subgroup-estimates.csv", source), _SUBGROUPS):
        subgroup_lines.setdefault(analysis_key(line), []).append(line)
    for key, lines in data_rows.items():
        if key not in settings:
            what = f"analysis {key[0]}.{key[1]} has rows but no settings"
            raise lines[0].error(what, "Analysis number", "Export the review again.")
    analyses = [
        _analysis(key, line, data_rows.get(key, []), subgroup_lines.get(key, [])) for key, line in settings.items()
    ]
    names = {key[0]: label(line.text("Analysis group name")) for key, line in settings.items()}
    stem = rows_of.rpartition("/")[2].removesuffix("-data-rows.csv")
    return CochraneReview(
        review_id(stem, id_from_path(path)), path.stem, comparisons(names, analyses, source),
        _studies(archive, source), _risk_of_bias(archive, source), "package", 6, source,
    )  # fmt: skip


def _only_file(archive: Archive, ending: str, source: str, needed: bool = False) -> str:
    found = archive.ending(ending)
    if len(found) > 1:
        what = f"the archive contains {len(found)} files *{ending}: several reviews?"
        raise DataError(what, source=source, fix="Give one review at a time.")
    if not found and needed:
        raise DataError(
            f"the archive contains no file *{ending}: it is not a RevMan Web data package",
            source=source,
            fix="From the Cochrane Library take 'Download statistical data'.",
        )
    return found[0] if found else ""


def _lines(archive: Archive, name: str, needed: tuple[str, ...]) -> list[Line]:
    return read_lines(archive.read(name), f"{archive.source}: {name}", needed) if name else []


def analysis_key(line: Line) -> Key:
    """Return the numbers of a row's comparison and analysis."""
    comparison, analysis = line.read(whole, "Analysis group"), line.read(whole, "Analysis number")
    if not comparison or not analysis:
        raise line.error("the row does not name its analysis", "Analysis group")
    return comparison, analysis


def _by_analysis(lines: list[Line]) -> dict[Key, Line]:
    found: dict[Key, Line] = {}
    for line in lines:
        key = analysis_key(line)
        if key in found:
            raise line.error(f"analysis {key[0]}.{key[1]} occurs twice", "Analysis number")
        found[key] = line
    return found


def _analysis(key: Key, line: Line, rows: list[Line], subgroup_lines: list[Line]) -> CochraneAnalysis:
    data_type = WEB_DATA_TYPES.get(letters(line.text("Data type")))
    if data_type is None:
        raise line.error(f"'{line.text('Data type')[:40]}' is not a data type of RevMan", "Data type")
    measure_text = line.text("Effect measure")
    measure, swapped = measure_name(measure_text, data_type)
    logged = flag(line.text("Log-scale data"))
    model = letters(line.text("Analysis model"))
    model = "random" if model.startswith("random") else "common" if model.startswith(("fixed", "common")) else ""
    overall, sub = flag(line.text("Overall estimates")), flag(line.text("Subgroup estimates"))
    totals = "yes" if overall else "subgroups" if sub else "no"
    named = subgroup_numbers(rows, subgroup_lines)
    printed_of = {label(one.text("Subgroup")): one for one in subgroup_lines}
    subgroups = tuple(
        Subgroup(
            at, name, _pooled(printed_of[name], data_type, model) if name in printed_of and totals != "no" else None
        )
        for name, at in named.items()
    )
    swap = bool(swapped or flag(line.text("Swap event and non-event")))
    test = subgroup_test({name: line.read(printed, column) for name, column in _TEST.items()}, subgroups)
    return CochraneAnalysis(
        comparison=key[0], number=key[1], name=label(line.text("Analysis name")), data_type=data_type, measure=measure,
        measure_label=label(measure_text), log=is_log(measure, measure_text) if logged is None else logged,
        method=method_name(line.text("Statistical method"), data_type), model=model,
        # until 2024 the rows' and the pooled intervals had separate levels
        level_study=line.read(level, "CI/PI level", "Study CI"),
        level_total=line.read(level, "CI/PI level", "Estimate CI"), totals=totals,
        group_e=label(line.text("Experimental group label", "Experimental intervention")) or None,
        group_c=label(line.text("Control group label", "Control intervention")) or None,
        favours_left=label(line.text("Graph label (left)")) or None,
        favours_right=label(line.text("Graph label (right)")) or None,
        swap_events=swap if data_type == "dichotomous" else None,
        tau2_method=tau2_name(line.text("Heterogeneity estimator")), ci_method=interval_name(line.text("CI method")),
        units=label(line.text("Unit of effect measure")) if data_type == "continuous" else "",
        rows=tuple(data_row(row, data_type, named) for row in rows), subgroups=subgroups,
        result=_pooled(line, data_type, model, overall=True) if totals == "yes" else None,
        subgroup_test=test if totals != "no" else None,
    )  # fmt: skip


def subgroup_numbers(rows: list[Line], estimates: list[Line]) -> dict[str, int]:
    """Return the numbers of an analysis' subgroups by name: those of the file of estimates, then others in order of the rows."""
    numbers: dict[str, int] = {}
    for line in estimates:
        at = line.read(whole, "Subgroup number")
        if at is not None:
            numbers[label(line.text("Subgroup"))] = at
    for line in rows:
        name = label(line.text("Subgroup"))
        if name and name not in numbers:
            numbers[name] = max(numbers.values(), default=0) + 1
    return numbers


def data_row(line: Line, data_type: str, subgroups: dict[str, int]) -> StudyRow:
    """Read one row of ``*-data-rows.csv``."""
    numbers = {name: line.read(number, column) for name, column in _NUMBERS.items()}
    numbers |= {name: line.read(printed, column) for name, column in _EFFECT.items()}
    study = label(line.text("Study"))
    if not study:
        raise line.error("the row has no study name", "Study")
    return study_row(
        data_type, numbers, study=study, year=label(line.text("Study year")),
        subgroup=subgroups.get(label(line.text("Subgroup")), 0), footnote=label(line.text("Footnotes")),
    )  # fmt: skip


def _pooled(line: Line, data_type: str, model: str, overall: bool = False) -> Pooled | None:
    numbers = {
        name: line.read(lambda text: printed(text.removesuffix("%")), column) for name, column in _RESULT.items()
    }
    if overall:
        numbers["weight"] = None
    return pooled_result(numbers, data_type, model)


def _studies(archive: Archive, source: str) -> tuple[StudyInformation, ...]:
    lines = _lines(archive, _only_file(archive, "-study-information.csv", source), ("Study",))
    found = []
    for line in lines:
        characteristics = tuple((label(name), label(text)) for name, text in line.with_prefix("Char: ") if text)
        found.append(
            StudyInformation(
                label(line.text("Study")), label(line.text("Year")), label(line.text("Data source")), characteristics
            )
        )
    return tuple(sorted(found, key=lambda study: study.study.casefold()))


def _risk_of_bias(archive: Archive, source: str) -> tuple[RiskOfBias, ...]:
    found = []
    for line in _lines(archive, _only_file(archive, "-risk-of-bias.csv", source), ("Study",)):
        supports = dict(line.with_prefix("Domain (support): "))
        for domain, text in line.with_prefix("Domain (judgement): "):
            support = label(supports.get(domain, ""))
            if text:
                found.append(RiskOfBias(label(line.text("Study")), label(domain), judgement(text, support), support))
    return tuple(sorted(found, key=lambda one: (one.domain, one.study.casefold())))
