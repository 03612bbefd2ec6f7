"""Characteristics of the trials of each comparison: whether they could differ in what changes effects (transitivity)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.graph import network_graph
from bayesmeta.networks.pairs import versus

if TYPE_CHECKING:
    import pandas as pd

_MISSING = ("", "na", "n/a", "nan", "none", ".")


@dataclass(frozen=True)
class Characteristic:
    """A characteristic of trials by comparison.

    Parameters
    ----------
    name : str
        Its name.
    comparisons : tuple of str
        ``"A vs B"`` for every two treatments that trials compare.
    studies : tuple of tuple of str
        Trials of each comparison; one of several arms is in several.
    values : tuple of tuple
        Their values: numbers (NaN: missing), or texts ("": missing).
    numeric : bool
        Whether all values are numbers.
    """

    name: str
    comparisons: tuple[str, ...]
    studies: tuple[tuple[str, ...], ...]
    values: tuple[tuple[Any, ...], ...]
    numeric: bool

    @property
    def categories(self) -> tuple[str, ...]:
        """Texts that occur, sorted; empty for numbers."""
        return () if self.numeric else tuple(sorted({text for own in self.values for text in own if text}))


def characteristics(contrasts: NetworkContrasts, given: Any) -> list[Characteristic]:
    """Return characteristics of the trials of each comparison.

    Parameters
    ----------
    contrasts : NetworkContrasts
        The network.
    given : str, sequence of str, mapping or pandas.DataFrame
        Columns of the table of arms; or values: by name and study, or a frame with one row per study, named in its index or in a column
        ``study``.

    Raises
    ------
    SpecError
        If a column or study is unknown, or arms of a study differ.
    """
    import pandas as pd

    if isinstance(given, pd.DataFrame):
        frame = given.set_index("study") if "study" in given.columns else given
        if frame.index.has_duplicates:
            raise SpecError(
                f"characteristics: the study '{frame.index[frame.index.duplicated()][0]}' has several rows; give one per study"
            )
        table = {str(name): dict(zip(map(str, frame.index), frame[name], strict=True)) for name in frame.columns}
    elif isinstance(given, Mapping):
        table = {str(name): {str(study): value for study, value in own.items()} for name, own in given.items()}
    else:
        names = [given] if isinstance(given, str) else [str(name) for name in given]
        table = {name: _column(contrasts, name) for name in names}
    if not table:
        raise SpecError("characteristics: there is nothing to compare; name at least one column")
    known = (*contrasts.studies, *contrasts.left_out)
    for own in table.values():
        for study in own:
            if study not in known:
                raise unknown_name("study", study, contrasts.studies)
    return [_by_comparison(contrasts, name, own) for name, own in table.items()]


def _column(contrasts: NetworkContrasts, name: str) -> dict[str, Any]:
    arms = contrasts.arms
    columns: dict[str, Sequence[Any]] = {}
    if arms is not None:
        columns = {**arms.extra, **{own: values.tolist() for own, values in arms.columns.items()}}
    if name not in columns or arms is None:
        if arms is None:
            raise SpecError(f"contrasts have no column '{name}'; give a frame with one row per study")
        raise unknown_name("column of the table of arms", name, tuple(columns))
    found: dict[str, Any] = {}
    for study, value in zip(arms.studies, columns[name], strict=True):
        if found.setdefault(study, value) != value:
            raise SpecError(
                f"the arms of '{study}' have '{found[study]}' and '{value}' in column '{name}'; it should be one value per study"
            )
    return found


def _by_comparison(contrasts: NetworkContrasts, name: str, own: Mapping[str, Any]) -> Characteristic:
    graph = network_graph(contrasts)
    texts = {study: "" if _missing(value) else str(value).strip() for study, value in own.items()}
    numbers = {study: _number(text) for study, text in texts.items()}
    numeric = any(texts.values()) and all(number is not None for number in numbers.values())
    names, studies, values = [], [], []
    for i, j in zip(*np.nonzero(np.triu(graph.counts)), strict=True):
        members = [study for study, arms in zip(graph.studies, graph.arms, strict=True) if i in arms and j in arms]
        names.append(versus(graph.treatments[i], graph.treatments[j]))
        studies.append(tuple(members))
        values.append(tuple(numbers.get(one, math.nan) if numeric else texts.get(one, "") for one in members))
    return Characteristic(name, tuple(names), tuple(studies), tuple(values), numeric)


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value)) or str(value).strip().lower() in _MISSING


def _number(text: str) -> float | None:
    """Return the number of a text, NaN for none; None for what is not a number."""
    try:
        return float(text) if text else math.nan
    except ValueError:
        return None


def transitivity_table(found: Sequence[Characteristic]) -> pd.DataFrame:
    """Return one row per characteristic and comparison: studies, missing; mean, sd, median, min, max of numbers; counts of categories."""
    import pandas as pd

    rows = []
    for one in found:
        for name, values in zip(one.comparisons, one.values, strict=True):
            row: dict[str, Any] = {
                "characteristic": one.name,
                "comparison": name,
                "studies": len(values),
                "categories": "",
            }
            if one.numeric:
                known = np.array([value for value in values if not math.isnan(value)])
                row["missing"] = len(values) - len(known)
                row["mean"] = float(known.mean()) if len(known) else math.nan
                row["sd"] = float(known.std(ddof=1)) if len(known) > 1 else math.nan
                parts = np.quantile(known, [0.5, 0.0, 1.0]) if len(known) else [math.nan] * 3
                row |= dict(zip(("median", "min", "max"), (float(part) for part in parts), strict=True))
            else:
                row["missing"] = sum(not value for value in values)
                counts = ((category, values.count(category)) for category in one.categories)
                row["categories"] = "; ".join(f"{category} {count}" for category, count in counts if count)
            rows.append(row)
    columns = ["characteristic", "comparison", "studies", "missing", "mean", "sd", "median", "min", "max", "categories"]
    return pd.DataFrame(rows).reindex(columns=columns).set_index(["characteristic", "comparison"])
