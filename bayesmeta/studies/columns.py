"""Assignment of a study table's columns: by the names of RevMan, R meta, metafor and this package, or by the user's map.

Case, spaces, points, underscores and brackets in a column's name do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.column_messages import listed, state_column
from bayesmeta.studies.kinds import DERIVED, KINDS, NUMERIC, Kind
from bayesmeta.studies.names import ALIASES, ESTIMATE_NAMES, simplify

#: Names of a label column where no column has one of the certain names, the best first.
_LABELS = (
    "studyname",
    "studylabel",
    "trial",
    "trialname",
    "studyid",
    "trialid",
    "authoryear",
    "author",
    "authors",
    "firstauthor",
    "name",
    "label",
)
#: Names of a column of authors, to which the column of the year is added.
_AUTHORS = ("author", "authors", "firstauthor")
_YEARS = ("year", "studyyear", "publicationyear", "yearofpublication", "pubyear")
#: Names of a variance: of O-E where that column is there, else of an estimate.
_VARIANCES = ("v", "variance", "var")
#: An estimate's precision is of no use without the estimate: a published interval beside counts, for instance.
_NEEDS_ESTIMATE = ("sei", "vi", "ci_low", "ci_high")
#: The columns of data that are not estimates; beside them an "RR" or "d" is a result and not the data.
_OTHER_DATA = [kind for kind in KINDS.values() if kind.name != "estimate"]
_TARGETS = ("study", "exclude", *NUMERIC, *DERIVED, "extra")


@dataclass(frozen=True)
class Assignment:
    """Which column contains what.

    Parameters
    ----------
    at : mapping of str to int
        Position of each canonical column that is there (`NUMERIC`, `DERIVED`, ``study``).
    exclude : tuple of int
        Positions of the columns that state whether and why a row is excluded.
    extra : tuple of int
        Positions of all others, kept as text.
    year : int or None
        Position of the year to add to the authors' names, where these are the labels.
    estimates : str
        Name of the column of estimates where that states the measure ("HR", "SMD") and not the user's map; else "".
    revman5, zero_filled : bool
        Whether this is a RevMan 5 export (heading rows are among the studies); any RevMan table (fields of other
        kinds contain zeros).
    """

    at: Mapping[str, int]
    exclude: tuple[int, ...]
    extra: tuple[int, ...]
    revman5: bool
    zero_filled: bool
    year: int | None = None
    estimates: str = ""

    def complete(self, kind: Kind) -> bool:
        """Return whether all columns of a kind are there."""
        return kind.complete(self.at)

    def usable(self) -> Assignment:
        """Return the assignment with columns of incomplete kinds kept as text."""
        complete = [kind for kind in KINDS.values() if self.complete(kind)]
        used = {"study", "n_e", "n_c"}.union(*(kind.read_from(self.at) for kind in complete))
        if not {"ci_low", "ci_high"} <= self.at.keys():
            used -= {"ci_low", "ci_high"}
        unused = [place for name, place in self.at.items() if name not in used]
        return replace(
            self,
            at={name: place for name, place in self.at.items() if name in used},
            extra=tuple(sorted({*self.extra, *unused})),
        )

    def started(self, kind: Kind) -> bool:
        """Return whether one of the columns that make a kind is there."""
        return any(name in self.at for name in kind.own)


def find_column(header: Sequence[str], name: str) -> int:
    """Return the position of the column a user names: exactly, or up to case, spaces and points.

    Raises
    ------
    SpecError
        If there is no such column, or several that differ only in case, spaces or points.
    """
    if name in header:
        return list(header).index(name)
    close = [at for at, other in enumerate(header) if simplify(other) == simplify(name) != ""]
    if len(close) == 1:
        return close[0]
    if close:
        raise SpecError(
            f"'{name}' could be any of the columns {listed([header[at] for at in close])}; write one of them exactly"
        )
    raise unknown_name("column", name, header)


def _mapped_by_user(header: Sequence[str], columns: Mapping[str, str]) -> dict[int, str]:
    """Return the canonical name of each column that the user's map names, by position."""
    found: dict[int, str] = {}
    for name, target in columns.items():
        if not isinstance(name, str) or not isinstance(target, str):
            raise SpecError(f"columns maps a column's name to one of {', '.join(_TARGETS)}; got {name!r}: {target!r}")
        at = find_column(header, name)
        target = target if target in _TARGETS else ALIASES.get(simplify(target), target)
        if target not in _TARGETS:
            raise unknown_name(f"meaning of the column '{header[at]}':", target, _TARGETS)
        others = [other for other, same in found.items() if (same == target and target != "extra") or other == at]
        if others:
            raise SpecError(
                f"columns maps both '{header[others[0]]}' and '{name}' to '{target}'; a table has one of each"
            )
        found[at] = target
    return found


def _mapped_by_alias(simple: Sequence[str], taken: Mapping[int, str]) -> dict[int, str]:
    """Return canonical names by the aliases, by position; names with several meanings are decided by the other columns."""
    revman5 = is_revman5(simple)
    found = {at: ALIASES[name] for at, name in enumerate(simple) if name in ALIASES and at not in taken}
    if "yi" in simple:
        # metafor's name is the estimate; "estimate" beside it numbers the estimates of a study
        found = {at: target for at, target in found.items() if target != "yi" or simple[at] == "yi"}
    there = {*found.values(), *taken.values()}
    for at, name in enumerate(simple):
        if at in taken:
            continue
        # metafor's `ci` and `di` are counts only beside `ai`; elsewhere `ci` is a confidence interval as text.
        if (name in ("bi", "ci", "di") and "ai" not in simple and "events_e" not in taken.values()) or (
            revman5 and name in ("se", "yi", "estimate", "effect")
        ):
            found.pop(at, None)
        elif name in _VARIANCES and "oe" in there:
            found[at] = "v"
        elif name in _VARIANCES and "yi" in there:
            found[at] = "vi"
    for number, total in (("nonevents_e", "n_e"), ("nonevents_c", "n_c")):
        if total in there:
            found = {at: target for at, target in found.items() if target != number}
    if "yi" not in there:
        found |= _named_estimate(simple, found, taken)
    if "yi" not in {*found.values(), *taken.values()}:
        found = {at: target for at, target in found.items() if target not in _NEEDS_ESTIMATE}
    else:
        needless = "sei" if "vi" in taken.values() else "vi" if "sei" in {*found.values(), *taken.values()} else ""
        found = {at: target for at, target in found.items() if target != needless}
    if "study" not in {*found.values(), *taken.values()}:
        ranked = [name for name in _LABELS if name in simple and simple.index(name) not in taken]
        found |= {at: "study" for at, name in enumerate(simple) if ranked and name == ranked[0]}
    return {at: target for at, target in found.items() if target not in taken.values() or target == "exclude"}


def _named_estimate(simple: Sequence[str], found: Mapping[int, str], taken: Mapping[int, str]) -> dict[int, str]:
    """Return the column of estimates that is named by its measure, such as HR or SMD, with that of its variance.

    Beside complete data of another kind such a column is a result. A single letter needs the estimate's precision beside it.
    """
    there = {*found.values(), *taken.values()}
    if any(kind.complete(there) for kind in _OTHER_DATA) or is_revman5(simple):
        return {}
    variance = {at: "vi" for at, name in enumerate(simple) if name in _VARIANCES and at not in taken}
    precise = bool(variance) or not there.isdisjoint(_NEEDS_ESTIMATE)
    named = [
        at for at, name in enumerate(simple)
        if name in ESTIMATE_NAMES and at not in taken and at not in found and (len(name) > 1 or precise)
    ]  # fmt: skip
    return {named[0]: "yi", **(variance if len(variance) == 1 else {})} if len(named) == 1 else {}


def is_revman5(simple: Sequence[str]) -> bool:
    """Return whether simplified column names are those of a RevMan 5 export of analysis data."""
    return {"comparisonnumber", "outcomenumber", "datatype"} <= set(simple)


def assign_columns(
    header: Sequence[str], columns: Mapping[str, str] | None = None, *, source: str | None = None
) -> Assignment:
    """Find what each column of a table contains.

    Parameters
    ----------
    header : sequence of str
        The column names as written in the table.
    columns : mapping of str to str, optional
        The user's own map, column name to canonical name (or to ``"extra"``: keep as text); it overrides the aliases.
    source : str, optional
        The table's name, for messages.

    Returns
    -------
    Assignment

    Raises
    ------
    DataError
        If two columns mean the same.
    SpecError
        If `columns` names a column that is not there or a canonical name that does not exist.
    """
    simple = [simplify(name) for name in header]
    taken = _mapped_by_user(header, columns or {})
    found = {**_mapped_by_alias(simple, taken), **taken}
    at: dict[str, int] = {}
    for place in sorted(found):
        target = found[place]
        if target in at and target not in ("exclude", "extra"):
            raise DataError(
                f"columns '{header[at[target]]}' and '{header[place]}' both mean '{target}'",
                source=source,
                fix=f"Delete or rename one, or choose one: {state_column(header[place], target)}.",
            )
        at.setdefault(target, place)
    used = {place for place, target in found.items() if target != "extra"}
    return Assignment(
        at={name: place for name, place in at.items() if name not in ("exclude", "extra")},
        exclude=tuple(place for place in sorted(found) if found[place] == "exclude"),
        extra=tuple(place for place in range(len(header)) if place not in used),
        revman5=is_revman5(simple),
        zero_filled=is_revman5(simple) or "givmean" in simple,
        year=_year(simple, at.get("study")) if at.get("study") not in taken else None,
        estimates=header[at["yi"]]
        if "yi" in at and at["yi"] not in taken and simple[at["yi"]] in ESTIMATE_NAMES
        else "",
    )


def label_column(header: Sequence[str]) -> tuple[int | None, int | None]:
    """Return the positions of the column that names the studies and of the year to add to its names; None for one that is not there."""
    simple = [simplify(name) for name in header]
    named = [at for at, name in enumerate(simple) if ALIASES.get(name) == "study"]
    named += [simple.index(name) for name in _LABELS if name in simple]
    return (named[0], _year(simple, named[0])) if named else (None, None)


def _year(simple: Sequence[str], study: int | None) -> int | None:
    """Return the position of the column of years if the labels are authors."""
    if study is None or simple[study] not in _AUTHORS:
        return None
    return next((at for at, name in enumerate(simple) if name in _YEARS), None)
