"""Judgements of the risk of bias of studies: reading them strictly, and the overall judgement of each study."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from bayesmeta.certainty.risk_of_bias_tools import Judgement, Tool, get_tool, simple
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.columns import label_column
from bayesmeta.studies.frames import read_frame
from bayesmeta.studies.numbers import is_missing, quoted
from bayesmeta.studies.raw import RawTable, read_file
from bayesmeta.studies.repeats import study_name
from bayesmeta.studies.rows import with_year

if TYPE_CHECKING:
    import pandas as pd

#: name of the overall judgement, as of a column after the prefix
OVERALL = "overall"
_OVERALL = frozenset({"overall", "overall_bias", "overall_risk", "overall_risk_of_bias", "risk_of_bias"})
#: what a table may write where nobody judged
_NOT_JUDGED = frozenset({"", "not judged", "not applicable", "na", "n/a", "nr", "."})


@dataclass(frozen=True)
class RiskOfBias:
    """Judgements of the risk of bias, one row per study.

    Parameters
    ----------
    tool : Tool
        The tool.
    judgements : mapping of str to tuple of str
        Study to its judgement in each domain of the tool, in order; "" where there is none.
    overall : mapping of str to str
        Study to its overall judgement: as given, else the worst of the domains that count; "" where it is open.
    source : str
        Where they were read.
    """

    tool: Tool
    judgements: Mapping[str, tuple[str, ...]]
    overall: Mapping[str, str]
    source: str

    def of(self, study: str) -> dict[str, str]:
        """Return the judgements of a study by the key of the domain, and ``overall``.

        Raises
        ------
        DataError
            If the study has none; the message suggests the nearest name.
        """
        name = study_name(study)
        if name not in self.judgements:
            near = get_close_matches(name, self.judgements, n=1, cutoff=0.5)
            hint = f"Is it '{near[0]}' there? " if near else ""
            raise DataError(
                f"no risk-of-bias judgements of the study '{name}'",
                source=self.source,
                fix=f"{hint}Write its name as in the study tables, or add a row for it; blank cells are judgements not made.",
            )
        found = {one.key: text for one, text in zip(self.tool.domains, self.judgements[name], strict=True)}
        return found | {OVERALL: self.overall[name]}

    def to_frame(self) -> pd.DataFrame:
        """Return the judgements, one row per study, one column per domain by its key, and ``overall``."""
        import pandas as pd

        rows = [{"study": study, **self.of(study)} for study in self.judgements]
        return pd.DataFrame(rows, columns=["study", *(one.key for one in self.tool.domains), OVERALL])


def risk_of_bias(
    source: str | os.PathLike[str] | pd.DataFrame,
    tool: str | Tool = "cochrane",
    *,
    prefix: str = "rob_",
    columns: Mapping[str, str] | None = None,
    domains: Sequence[str] = (),
    judgements: Sequence[str] = (),
    key_domains: Sequence[str] = (),
) -> RiskOfBias:
    """Read judgements of the risk of bias.

    Parameters
    ----------
    source : str, os.PathLike or pandas.DataFrame
        A table with one row per study and one column per domain; or one row per study and domain, with the columns ``study``,
        ``domain`` and ``judgement``, as the import of a Cochrane review writes it. Several rows of a study and domain (of
        several outcomes) count as their worst.
    tool : str or Tool
        ``"cochrane"`` (2011), ``"rob2"``, ``"robins-i"``, ``"quadas-2"``, or ``"own"``.
    prefix : str
        What the names of the columns begin with; a column ``prefix`` + ``overall`` has the overall judgement. With "" columns are
        recognized by the names of domains (D1, D2, ... as in R robvis), and others are left alone.
    columns : mapping of str to str, optional
        Columns, or domains of the table, that are not recognized, and the domains that they are.
    domains, judgements, key_domains : sequence of str
        As in ``get_tool``: the domains judged or those of one's own tool, its judgements, and the domains that count overall.

    Returns
    -------
    RiskOfBias

    Raises
    ------
    SpecError
        For an unknown tool or domain.
    DataError
        For a column or judgement that is not recognized, a domain without a column, a study with two rows or without a name.
    """
    found = (
        tool
        if isinstance(tool, Tool)
        else get_tool(tool, domains=domains, judgements=judgements, key_domains=key_domains)
    )
    raw = _read(source)
    given = {name: _chosen(found, domain) for name, domain in (columns or {}).items()}
    header = [simple(name) for name in raw.header]
    if "domain" in header and "judgement" in header:
        cells = _long(raw, found, given, header.index("domain"), header.index("judgement"))
    else:
        cells = _wide(raw, found, given, prefix)
    keys = [one.key for one in found.domains]
    rows = {study: tuple(known.get(key, "") for key in keys) for study, known in cells.items()}
    overall = {study: known.get(OVERALL, "") or overall_of(found, rows[study]) for study, known in cells.items()}
    return RiskOfBias(found, rows, overall, raw.source)


def overall_of(tool: Tool, judgements: Sequence[str]) -> str:
    """Return the worst judgement among the domains that count; "" where none is a high risk and one is missing."""
    return tool.worst([text for one, text in zip(tool.domains, judgements, strict=True) if one.counts])


def weight_by_judgement(tool: Tool, judgements: Sequence[str], weights: Sequence[float]) -> dict[str, float]:
    """Return the share of the weight by judgement, in the order of the tool, and of "" where nobody judged; shares sum to 1.

    Parameters
    ----------
    tool : Tool
        The tool.
    judgements : sequence of str
        Judgement of each study.
    weights : sequence of float
        Weight of each study, on any scale; NaN for a study that is not pooled.
    """
    known = [(text, weight) for text, weight in zip(judgements, weights, strict=True) if weight == weight]
    total = sum(weight for _, weight in known) or 1.0
    names = [*(one.name for one in tool.judgements), ""]
    return {name: sum(weight for text, weight in known if text == name) / total for name in names}


def _read(source: object) -> RawTable:
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return read_frame(source)
    if isinstance(source, str | os.PathLike) and isinstance(os.fspath(source), str):
        return read_file(source)
    raise SpecError(f"judgements are the path of a file or a pandas DataFrame; got {type(source).__name__}")


def _chosen(tool: Tool, domain: str) -> str:
    if simple(domain) in _OVERALL:
        return OVERALL
    found = tool.domain(domain)
    if found is None:
        raise unknown_name(f"domain of {tool.label}", domain, [*(one.key for one in tool.domains), OVERALL])
    return found.key


def _key(tool: Tool, text: str) -> str:
    """Return the key of the domain that a text names, "overall", or "" for none."""
    domain = tool.domain(text)
    return domain.key if domain else OVERALL if simple(text) in _OVERALL else ""


def _wide(raw: RawTable, tool: Tool, given: Mapping[str, str], prefix: str) -> dict[str, dict[str, str]]:
    """Read one row per study and one column per domain."""
    missing = [name for name in given if name not in raw.header]
    if missing:
        raise DataError(
            str(unknown_name("column", missing[0], raw.header)), source=raw.source, fix="Write it as the header does."
        )
    places: dict[str, int] = {}
    for at, name in enumerate(raw.header):
        marked = bool(prefix) and name.casefold().startswith(prefix.casefold())
        key = given.get(name) or (_key(tool, name[len(prefix) :]) if marked or not prefix else "")
        if not key and marked:
            known = [prefix + one.key for one in tool.domains] + [prefix + OVERALL]
            near = get_close_matches(name, known, n=1, cutoff=0.6)
            raise DataError(
                f"this is no domain of {tool.label}",
                source=raw.source,
                column=name,
                fix=f"{f'Is it {near[0]}? ' if near else ''}Its domains are {', '.join(one.key for one in tool.domains)}; "
                "or say which one it is with columns, choose another tool, or rename the column.",
            )
        if not key:
            continue
        if key in places:
            raise DataError(
                f"the column '{raw.header[places[key]]}' is of the same domain, '{key}'",
                source=raw.source,
                column=name,
                fix="Keep one of the two.",
            )
        places[key] = at
    absent = [one.key for one in tool.domains if one.key not in places]
    if absent and set(places) != {OVERALL}:
        raise DataError(
            f"no column for the domain{'s' if len(absent) > 1 else ''} {', '.join(absent)} of {tool.label}",
            source=raw.source,
            fix=f"Add {', '.join(prefix + key for key in absent)}, say with columns which column it is, or list the domains "
            "that were judged with domains.",
        )
    names = _study_names(raw)
    cells: dict[str, dict[str, str]] = {}
    for row, name in enumerate(names):
        judged = {key: _judged(raw, tool, row, at) for key, at in places.items()}
        # a table of outcomes may have a study in several rows, if they agree
        if cells.setdefault(name, judged) != judged:
            raise raw.error(
                f"{quoted(name)} has other judgements in another row",
                row=row,
                fix="Judgements have one row per study: delete one of the two.",
            )
    return cells


def _long(
    raw: RawTable, tool: Tool, given: Mapping[str, str], domain_at: int, judgement_at: int
) -> dict[str, dict[str, str]]:
    """Read one row per study and domain."""
    severity = {one.name: one.severity for one in tool.judgements}
    cells: dict[str, dict[str, str]] = {}
    for row, name in enumerate(_study_names(raw)):
        text = raw.text(row, domain_at)
        key = given.get(text) or _key(tool, text)
        if not key:
            near = get_close_matches(text, [one.label for one in tool.domains], n=1, cutoff=0.5)
            raise raw.error(
                f"{quoted(text)} is no domain of {tool.label}",
                row=row,
                column=domain_at,
                fix=f"{f'Is it {quoted(near[0])}? ' if near else ''}Say which one it is with columns, or choose another tool.",
            )
        known, judged = cells.setdefault(name, {}), _judged(raw, tool, row, judgement_at)
        if judged and (not known.get(key) or severity[judged] > severity[known[key]]):
            known[key] = judged
        known.setdefault(key, "")
    return cells


def _study_names(raw: RawTable) -> list[str]:
    study, year = label_column(raw.header)
    if study is None and raw.labels is None:
        raise DataError(
            "no column names the studies",
            source=raw.source,
            fix="Judgements are joined by the name of the study: add a column 'study' with the names of the study table.",
        )
    names = []
    for row in range(len(raw.rows)):
        name = raw.text(row, study) if study is not None else (raw.labels or ())[row]
        name = with_year(name, raw.text(row, year)) if year is not None else name
        if is_missing(name):
            raise raw.error("the row has no study name", row=row, column=study, fix="Name the study.")
        names.append(study_name(name))
    return names


def _judged(raw: RawTable, tool: Tool, row: int, at: int) -> str:
    text = " ".join(raw.text(row, at).split())
    if text.casefold() in _NOT_JUDGED:
        return ""
    found: Judgement | None = tool.judgement(text)
    if found is None:
        names = [one.name for one in tool.judgements]
        near = get_close_matches(text.casefold(), names, n=1, cutoff=0.5)
        raise raw.error(
            f"{quoted(text)} is no judgement of {tool.label}",
            row=row,
            column=at,
            fix=f"{f'Is it {near[0]}? ' if near else ''}Its judgements are {', '.join(names)}; leave the cell blank where "
            "nobody judged.",
        )
    return found.name
