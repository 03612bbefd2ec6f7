"""RevMan 5 reviews (.rm5), which are XML files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from xml.etree.ElementTree import Element

from bayesmeta.cochrane.assemble import comparisons, pooled_result, study_row, subgroup_test
from bayesmeta.cochrane.names import RM5_DATA_TYPES, is_log, measure_name, method_name
from bayesmeta.cochrane.review import (
    CochraneAnalysis,
    CochraneReview,
    Pooled,
    RiskOfBias,
    StudyInformation,
    StudyRow,
    Subgroup,
)
from bayesmeta.cochrane.safe_xml import parse, text_of
from bayesmeta.cochrane.text import (
    flag,
    id_from_path,
    judgement,
    label,
    letters,
    level,
    logged,
    number,
    printed,
    review_id,
    whole,
)
from bayesmeta.errors import DataError

_ARMS = {
    "events_e": "EVENTS_1", "n_e": "TOTAL_1", "events_c": "EVENTS_2", "n_c": "TOTAL_2",
    "mean_e": "MEAN_1", "sd_e": "SD_1", "mean_c": "MEAN_2", "sd_c": "SD_2", "oe": "O_E", "v": "VAR",
}  # fmt: skip
_EFFECT = {"estimate": "EFFECT_SIZE", "ci_low": "CI_START", "ci_high": "CI_END"}
_RESULT = _EFFECT | {
    "tau2": "TAU2", "q": "CHI2", "q_df": "DF", "q_pvalue": "P_CHI2", "i2": "I2", "z": "Z", "pvalue": "P_Z",
    "weight": "WEIGHT", "events_e": "EVENTS_1", "n_e": "TOTAL_1", "events_c": "EVENTS_2", "n_c": "TOTAL_2",
}  # fmt: skip
_TEST = {"q": "Q", "pvalue": "P_Q", "i2": "I2_Q"}
_TOTALS = {"YES": "yes", "SUB": "subgroups", "NO": "no"}
_JUDGEMENTS = {"YES": "low risk", "NO": "high risk", "UNKNOWN": "unclear risk"}


def read_rm5(data: bytes, path: Path) -> CochraneReview:
    """Read a RevMan 5 review.

    Parameters
    ----------
    data : bytes
        The file's content.
    path : Path
        Its path, for messages and, where it has none itself, for the review's identifier and title.

    Raises
    ------
    DataError
        If it is not such a review, or a value in it cannot be right.
    """
    source = str(path)
    root = parse(data, source)
    if root.tag != "COCHRANE_REVIEW":
        raise DataError(f"this is XML, but not a RevMan 5 review: its root is <{root.tag[:60]}>", source=source)
    names = _study_names(root, source)
    groups: dict[int, str] = {}
    analyses = []
    for comparison in root.iterfind("ANALYSES_AND_DATA/COMPARISON"):
        place = _read(comparison, "NO", whole, source)
        if place is None or place in groups:
            raise DataError(f"a comparison has {'no' if place is None else 'the'} number {place or ''}", source=source)
        groups[place] = label(text_of(comparison.find("NAME")))
        for element in comparison:
            kind = element.tag.removesuffix("_OUTCOME")
            if element.tag.endswith("_OUTCOME") and kind in RM5_DATA_TYPES:
                analyses.append(_analysis(element, kind, place, names, source))
    title = label(text_of(root.find("COVER_SHEET/TITLE")))
    return CochraneReview(
        review_id(root.get("REVIEW_NO", ""), root.get("DOI", "").rpartition(".")[2], id_from_path(path)),
        title or path.stem, comparisons(groups, analyses, source), _studies(root, names), _risk_of_bias(root, names),
        "rm5", None, source,
    )  # fmt: skip


def _study_names(root: Element, source: str) -> dict[str, tuple[str, str]]:
    """Return name and year of every study by its ID."""
    names: dict[str, tuple[str, str]] = {}
    for element in root.iter("STUDY"):
        identifier = element.get("ID", "")
        if identifier in names:
            raise DataError(f"two studies have the ID '{identifier[:60]}'", source=source, fix="Save the review again.")
        name = label(element.get("NAME", "") or identifier.removeprefix("STD-"))
        names[identifier] = name, label(element.get("YEAR", ""))
    return names


def _studies(root: Element, names: dict[str, tuple[str, str]]) -> tuple[StudyInformation, ...]:
    """Return the included studies with their characteristics, in order of their names."""
    tables = {element.get("STUDY_ID", ""): element for element in root.iter("INCLUDED_CHAR")}
    included = root.find("STUDIES_AND_REFERENCES/STUDIES/INCLUDED_STUDIES")
    studies = []
    for element in included.iter("STUDY") if included is not None else ():
        identifier = element.get("ID", "")
        characteristics = [
            (label(child.tag.removeprefix("CHAR_").replace("_", " ").capitalize()), text_of(child))
            for child in tables.get(identifier, ())
            if child.tag.startswith("CHAR_")
        ]
        filled = tuple(pair for pair in characteristics if pair[1])
        studies.append(StudyInformation(*names[identifier], label(element.get("DATA_SOURCE", "")), filled))
    return tuple(sorted(studies, key=lambda study: study.study.casefold()))


def _read[T](element: Element, name: str, read: Callable[[str], T], source: str) -> T:
    """Read an attribute, "" where there is none; errors name the element and the study."""
    try:
        return read(element.get(name, ""))
    except DataError as error:
        where = element.get("STUDY_ID") or element.get("ID") or element.tag
        raise DataError(f"<{element.tag}> of {where[:60]}: {error.what}", source=source, column=name) from None


def _analysis(
    element: Element, kind: str, comparison: int, names: dict[str, tuple[str, str]], source: str
) -> CochraneAnalysis:
    data_type = RM5_DATA_TYPES[kind]
    place = _read(element, "NO", whole, source)
    if place is None:
        raise DataError(f"an analysis of comparison {comparison} has no number", source=source)
    measure_text = element.get("EFFECT_MEASURE", "")
    measure, swapped = measure_name(measure_text, data_type)
    log = (
        is_log(measure, measure_text)
        if data_type != "estimate"
        else bool(flag(element.get("LOG_DATA", "")) or is_log("", measure_text))
    )
    model = {"YES": "random", "NO": "common"}.get(element.get("RANDOM", ""), "")
    totals = _TOTALS.get(element.get("TOTALS", ""))
    rows: list[StudyRow] = []
    subgroups: list[Subgroup] = []
    for child in element:
        if child.tag == f"{kind}_DATA":
            rows.append(_row(child, data_type, log, 0, names, source))
        elif child.tag == f"{kind}_SUBGROUP":
            at = _read(child, "NO", whole, source) or len(subgroups) + 1
            result = _pooled(child, data_type, model, source) if totals in ("yes", "subgroups") else None
            subgroups.append(Subgroup(at, label(text_of(child.find("NAME"))), result))
            rows += [_row(row, data_type, log, at, names, source) for row in child.iterfind(f"{kind}_DATA")]
    test = {name: _read(element, attribute, printed, source) for name, attribute in _TEST.items()}
    return CochraneAnalysis(
        comparison=comparison, number=place, name=label(text_of(element.find("NAME"))), data_type=data_type,
        measure=measure, measure_label=label(measure_text), log=log,
        method=method_name(element.get("METHOD", ""), data_type), model=model,
        level_study=_read(element, "CI_STUDY", level, source), level_total=_read(element, "CI_TOTAL", level, source),
        totals=totals,
        group_e=_label(element, "GROUP_LABEL_1"), group_c=_label(element, "GROUP_LABEL_2"),
        favours_left=_label(element, "GRAPH_LABEL_1"), favours_right=_label(element, "GRAPH_LABEL_2"),
        swap_events=bool(swapped or flag(element.get("SWAP_EVENTS", ""))) if data_type == "dichotomous" else None,
        units=label(element.get("UNITS", "")), rows=tuple(rows), subgroups=tuple(subgroups),
        result=_pooled(element, data_type, model, source) if totals == "yes" else None,
        subgroup_test=subgroup_test(test, subgroups) if totals in ("yes", "subgroups") else None,
    )  # fmt: skip


def _label(element: Element, tag: str) -> str | None:
    return label(text_of(element.find(tag))) or None


def _pooled(element: Element, data_type: str, model: str, source: str) -> Pooled | None:
    if element.get("ESTIMABLE") == "NO":
        return None
    numbers = {name: _read(element, attribute, printed, source) for name, attribute in _RESULT.items()}
    if element.tag.endswith("_OUTCOME"):
        numbers["weight"] = None
    return pooled_result(numbers, data_type, model)


def _row(
    element: Element, data_type: str, log: bool, subgroup: int, names: dict[str, tuple[str, str]], source: str
) -> StudyRow:
    numbers = {name: _read(element, attribute, number, source) for name, attribute in _ARMS.items()}
    numbers |= {name: _read(element, attribute, printed, source) for name, attribute in _EFFECT.items()}
    numbers["weight"] = _read(element, "WEIGHT", printed, source)
    if data_type == "estimate":
        numbers["given"] = _read(element, "ESTIMATE", number, source)
        numbers["given_se"] = _read(element, "SE", number, source)
        if numbers["given"] is None:
            numbers["given"] = logged(numbers["estimate"], log)
    identifier = element.get("STUDY_ID", "")
    study, year = names.get(identifier) or (label(identifier.removeprefix("STD-")), "")
    if not study:
        raise DataError(f"<{element.tag}> has no study name", source=source, fix="Save the review again.")
    return study_row(
        data_type, numbers, study=study, year=year, subgroup=subgroup, order=_read(element, "ORDER", whole, source),
        footnote=text_of(element.find("FOOTNOTE")), stated_estimable=element.get("ESTIMABLE", "YES") != "NO",
    )  # fmt: skip


def _risk_of_bias(root: Element, names: dict[str, tuple[str, str]]) -> tuple[RiskOfBias, ...]:
    found = []
    for item in root.iterfind("QUALITY_ITEMS/QUALITY_ITEM"):
        domain = label(text_of(item.find("NAME")))
        for entry in item.iter("QUALITY_ITEM_DATA_ENTRY"):
            study = names.get(entry.get("STUDY_ID", ""), ("", ""))[0]
            result = entry.get("RESULT", "")
            group = label(entry.get("GROUP_ID", ""))
            if study and letters(result):
                support = text_of(entry.find("DESCRIPTION"))
                unjudged = result == "UNKNOWN" and not support
                judged = judgement("not applicable" if unjudged else _JUDGEMENTS.get(result, result), support)
                found.append(RiskOfBias(study, f"{domain} ({group})" if group else domain, judged, support))
    return tuple(sorted(found, key=lambda one: (one.domain, one.study.casefold())))
