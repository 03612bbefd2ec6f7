"""The data rows of a RevMan Web package alone: study rows, with settings that are inferred."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bayesmeta.cochrane.assemble import comparisons
from bayesmeta.cochrane.infer_settings import infer_effect, infer_method, infer_totals
from bayesmeta.cochrane.lines import Line, read_lines
from bayesmeta.cochrane.review import CochraneAnalysis, CochraneReview, Subgroup
from bayesmeta.cochrane.text import id_from_path, label, number, review_id
from bayesmeta.cochrane.web_package import ROWS, analysis_key, data_row, subgroup_numbers

DECIMALS = 6


def read_data_rows(data: bytes, path: Path) -> CochraneReview:
    """Read a ``*-data-rows.csv``.

    Parameters
    ----------
    data : bytes
        The file's content.
    path : Path
        Its path, from which the review's identifier and title are taken.

    Returns
    -------
    CochraneReview
        Measure, method, model, levels and totals of each analysis are inferred from the printed effects and weights;
        there are no pooled results.

    Raises
    ------
    DataError
        If it is not such a file, or a value in it cannot be right.
    """
    source = str(path)
    lines: dict[tuple[int, int], list[Line]] = {}
    for line in read_lines(data, source, ROWS):
        lines.setdefault(analysis_key(line), []).append(line)
    analyses = [_analysis(key, rows) for key, rows in lines.items()]
    stem = id_from_path(path)
    return CochraneReview(
        review_id(stem), path.stem, comparisons({}, analyses, source), format="data rows", decimals=DECIMALS,
        source=source,
    )  # fmt: skip


def _analysis(key: tuple[int, int], lines: list[Line]) -> CochraneAnalysis:
    named = subgroup_numbers(lines, [])
    start = CochraneAnalysis(
        *key, label(lines[0].text("Analysis name")), "", "",
        subgroups=tuple(Subgroup(at, name) for name, at in named.items()),
    )  # fmt: skip
    readings = [
        replace(start, data_type=kind, rows=tuple(data_row(line, kind, named) for line in lines))
        for kind in _data_types(lines)
    ]
    effect = infer_effect(readings, DECIMALS)
    # where every row has a problem no reading fits, and the likeliest keeps the rows and their problems
    chosen = next((reading for reading in readings if reading.data_type == effect.data_type), readings[0])
    analysis = replace(
        chosen, measure=effect.measure, log=effect.log, level_study=effect.level,
        swap_events=effect.swap if effect.data_type == "dichotomous" else None,
        inferred=("measure", "level", "method", "model", "totals"),
    )  # fmt: skip
    analysis = replace(analysis, totals=infer_totals(analysis))
    method, model = infer_method(analysis) if analysis.totals != "no" else ("", "")
    return replace(analysis, method=method, model=model)


def _data_types(lines: list[Line]) -> list[str]:
    """Return the data types of which some row has numbers, the likeliest first; GIV SE and Variance are often left over."""

    def filled(*columns: str) -> bool:
        return any(line.read(number, column) for line in lines for column in columns)

    kinds = [kind for kind, column in (("oe", "O-E"), ("estimate", "GIV Mean")) if filled(column)]
    if filled("Experimental mean", "Control mean", "Experimental SD", "Control SD"):
        kinds.append("continuous")
    kinds.append("dichotomous")
    # an estimate may be 0 in every row
    return kinds if "estimate" in kinds or not filled("GIV SE") else [*kinds, "estimate"]
