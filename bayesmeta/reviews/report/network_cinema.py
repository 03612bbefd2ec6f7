"""Files for CINeMA (Confidence in Network Meta-Analysis): the data as it reads them, and what its domains are judged by.

Format: the documentation of CINeMA, https://cinema.ispm.unibe.ch. A CSV has one row per arm with ``id`` (a number), ``t``, ``r n`` or
``y sd n``, or one row per contrast with ``t1 t2 effect se``, the effect of t1 against t2 on the log scale for ratios; ``rob`` and
``indirectness`` are 1, 2 or 3. ``study``, the name of the study, and the notice of the review are additional columns, which CINeMA ignores.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.numbers import is_missing
from bayesmeta.reviews.file_names import TABLES
from bayesmeta.reviews.network_result import network_of
from bayesmeta.reviews.report.network_tables import Saved, frequentist_method
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import write_text
from bayesmeta.support.json_files import write_json
from bayesmeta.support.problems import recorded

#: columns of the formats with one row per arm: theirs to ours
ARM_FORMATS = {"binary": {"r": "events", "n": "n"}, "continuous": {"y": "mean", "sd": "sd", "n": "n"}}


def write_cinema(
    out: Path, review: Review, results: list[AnalysisResult], problems: list[str] | None = None
) -> list[Path]:
    """Write ``cinema_<id>.csv`` and ``.json`` of each network into the folder of the tables.

    ``problems`` receives a line about each file that cannot be made; by default the first problem is raised.
    """
    import pandas as pd

    from bayesmeta.reporting.tables.csv import frame_without_formulas

    written: list[Path] = []
    for result in results:
        saved = network_of(result)
        if saved is None:
            continue
        with recorded(f"files of network {result.id} for CINeMA", problems):
            form, rows = cinema_rows(saved)
            noted = [{**row, "notice": review.notice} for row in rows] if review.notice else rows
            frame = frame_without_formulas(pd.DataFrame(noted))
            file = out / TABLES / f"cinema_{result.id}"
            written.append(
                write_text(file.with_name(f"{file.name}.csv"), frame.to_csv(index=False, lineterminator="\n"))
            )
            content = cinema_project(review, result, saved, form, rows)
            written.append(write_json(file.with_name(f"{file.name}.json"), content, sort_keys=False))
    return written


def cinema_rows(saved: Saved) -> tuple[str, list[dict[str, Any]]]:
    """Return the data of a network in CINeMA's format, and the name of the format."""
    ids = {study: i + 1 for i, study in enumerate(saved["studies"])}
    judged = {row["study"]: row for row in saved["judgements"]}
    arms = [row for row in saved.get("arms", ()) if row["study"] in ids]

    def around(study: str, numbers: dict[str, Any]) -> dict[str, Any]:
        found = {key: _level(judged[study][key]) for key in ("rob", "indirectness") if key in judged[study]}
        return {"id": ids[study], "study": study, **numbers, **found}

    for form, names in ARM_FORMATS.items():
        if arms and all(not is_missing(row.get(name)) for row in arms for name in names.values()):
            return form, [
                around(
                    row["study"],
                    {"t": row["treatment"], **{theirs: _whole(row[ours]) for theirs, ours in names.items()}},
                )
                for row in arms
            ]
    return "inverse variance", [
        around(row["study"], {"t1": row["treat1"], "t2": row["treat2"], "effect": row["yi"], "se": row["sei"]})
        for row in saved["pairs"]
    ]


def _whole(value: float) -> float | int:
    return int(value) if float(value).is_integer() else float(value)


def _level(value: float) -> Any:
    return "" if is_missing(value) else int(value)


def cinema_project(
    review: Review, result: AnalysisResult, saved: Saved, form: str, rows: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the data with what the domains are judged by: contributions, intervals, heterogeneity, incoherence.

    Parameters
    ----------
    review, result, saved
        The review, the result of the network and what was saved of it.
    form, rows
        From ``cinema_rows``.

    Returns
    -------
    dict
        ``estimates``: one row per comparison by the frequentist method, model scale, with the intervals for imprecision and heterogeneity;
        ``contributions``: percent of each direct comparison (column) in each estimate (row); ``incoherence``: Q between designs and the
        comparisons with direct and indirect evidence.
    """
    method = frequentist_method(saved)
    effects = [row for row in result.rows if row["method"] == method and " vs " in str(row["term"])]
    heterogeneity = {row["quantity"]: row for row in saved["fits"].get(method, {}).get("heterogeneity", ())}
    log = MEASURES[saved["measure"]].log
    contributions = saved.get("contributions")
    return {
        "title": saved["heading"],
        "review": review.title,
        "notice": review.notice,
        "format": form,
        "measure": saved["measure"],
        "scale": "log" if log else "natural",
        "model": "fixed" if method == "CE" else "random",
        "method": method,
        "reference": saved["reference"],
        "clinically_important": _important(saved, log),
        "treatments": saved["treatments"],
        "data": rows,
        "tau2": heterogeneity.get("tau2", {}).get("value"),
        "estimates": [
            {
                "comparison": row["term"],
                **{name: _model(row[name], log) for name in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")},
                "se": row["se"],
                "studies": row["k_direct"],
            }
            for row in effects
        ],
        "contributions": None
        if contributions is None
        else {**contributions, "values": [[100 * value for value in line] for line in contributions["values"]]},
        "incoherence": {
            "global": [row for row in saved["inconsistency"].get(method, ()) if str(row["part"]).startswith("between")],
            "local": saved["splits"].get(method, []),
        },
    }


def _important(saved: Saved, log: bool) -> float | None:
    """Return the size of a clinically important effect, natural scale; None where none is stated."""
    if not saved["thresholds"]:
        return None
    return math.exp(saved["thresholds"][0]) if log else float(saved["thresholds"][0])


def _model(value: Any, log: bool) -> float:
    """Return a number of the rows, which are on the natural scale, on the model scale."""
    if is_missing(value):
        return math.nan
    return math.log(value) if log else float(value)
