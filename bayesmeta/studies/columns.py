"""Assignment of a study table's columns: by the names of RevMan, R meta, metafor and this package, or by the user's map.

Case, spaces, points, underscores and brackets in a column's name do not matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.kinds import DERIVED, KINDS, NUMERIC, Kind
from bayesmeta.studies.names import ALIASES, simplify
from bayesmeta.studies.numbers import quoted

#: Names of a label column where no column has one of the certain names, the best first.
_LABELS = (
    "studyname",
    "studylabel",
    "trial",
    "trialname",
    "studyid",
    "trialid",
    "author",
    "authors",
    "authoryear",
    "name",
    "label",
)
#: Names of a variance: of O-E where that column is there, else of an estimate.
_VARIANCES = ("v", "variance", "var")
#: An estimate's precision is of no use without the estimate: a published interval beside counts, for instance.
_NEEDS_ESTIMATE = ("sei", "vi", "ci_low", "ci_high")
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
    revman5, zero_filled : bool
        Whether this is a RevMan 5 export (heading rows are among the studies); any RevMan table (fields of other
        kinds contain zeros).
    """

    at: Mapping[str, int]
    exclude: tuple[int, ...]
    extra: tuple[int, ...]
    revman5: bool
    zero_filled: bool

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
            f"'{name}' could be any of the columns {_listed([header[at] for at in close])}; write one of them exactly"
        )
    raise unknown_name("column", name, header)


def _mapped_by_user(header: Sequence[str], columns: Mapping[str, str]) -> dict[int, str]:
    """Return the canonical name of each column that the user's map names, by position."""
    found: dict[int, str] = {}
    for name, target in columns.items():
        if not isinstance(name, str) or not isinstance(target, str):
            raise SpecError(f"columns= maps a column's name to one of {', '.join(_TARGETS)}; got {name!r}: {target!r}")
        at = find_column(header, name)
        target = target if target in _TARGETS else ALIASES.get(simplify(target), target)
        if target not in _TARGETS:
            raise unknown_name("column name for columns=", target, _TARGETS)
        others = [other for other, same in found.items() if (same == target and target != "extra") or other == at]
        if others:
            raise SpecError(
                f"columns= maps both '{header[others[0]]}' and '{name}' to '{target}'; a table has one of each"
            )
        found[at] = target
    return found


def _mapped_by_alias(simple: Sequence[str], taken: Mapping[int, str]) -> dict[int, str]:
    """Return canonical names by the aliases, by position; names with several meanings are decided by the other columns."""
    revman5 = is_revman5(simple)
    found = {at: ALIASES[name] for at, name in enumerate(simple) if name in ALIASES and at not in taken}
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
    if "yi" not in {*found.values(), *taken.values()}:
        found = {at: target for at, target in found.items() if target not in _NEEDS_ESTIMATE}
    else:
        needless = "sei" if "vi" in taken.values() else "vi" if "sei" in {*found.values(), *taken.values()} else ""
        found = {at: target for at, target in found.items() if target != needless}
    if "study" not in {*found.values(), *taken.values()}:
        ranked = [name for name in _LABELS if name in simple and simple.index(name) not in taken]
        found |= {at: "study" for at, name in enumerate(simple) if ranked and name == ranked[0]}
    return {at: target for at, target in found.items() if target not in taken.values() or target == "exclude"}


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
                fix=f'Delete or rename one, or choose with columns={{"{header[place]}": "{target}"}}.',
            )
        at.setdefault(target, place)
    used = {place for place, target in found.items() if target != "extra"}
    return Assignment(
        at={name: place for name, place in at.items() if name not in ("exclude", "extra")},
        exclude=tuple(place for place in sorted(found) if found[place] == "exclude"),
        extra=tuple(place for place in range(len(header)) if place not in used),
        revman5=is_revman5(simple),
        zero_filled=is_revman5(simple) or "givmean" in simple,
    )


def _listed(names: Sequence[str], most: int = 30) -> str:
    shown = ", ".join(quoted(name) for name in names[:most])
    return shown + (", ..." if len(names) > most else "")


def check_columns(header: Sequence[str], assignment: Assignment, source: str) -> None:
    """Refuse a table that lacks the columns of every kind of data.

    Raises
    ------
    DataError
        Naming the columns that are missing and the nearest among those that are there.
    """
    if any(assignment.complete(kind) for kind in KINDS.values()):
        return
    started = [kind for kind in KINDS.values() if assignment.started(kind)]
    others = [header[at] for at in assignment.extra]
    if not started:
        raise _no_number_columns(header, others, source)
    kind = max(started, key=lambda one: sum(column in assignment.at for column in one.columns))
    missing = [
        name
        for name in kind.columns
        if name not in assignment.at and not kind.sources(name, {*assignment.at, *kind.columns} - {name})
    ]
    present = [
        header[assignment.at[name]] for name in dict.fromkeys((*kind.own, *kind.columns)) if name in assignment.at
    ]
    near = [
        other
        for other in others
        for name in missing
        if get_close_matches(simplify(other)[:40], _spellings(name), 1, 0.75)
    ]
    hint = f"Is it {_listed(list(dict.fromkeys(near))[:3])}? Then name it in columns=, or rename it. " if near else ""
    several = len(missing) > 1
    raise DataError(
        f"of the columns of one kind {_listed(present)} {'is' if len(present) == 1 else 'are'} there, "
        f"but {', '.join(name + _alternatives(kind, name) for name in missing)} {'are' if several else 'is'} not",
        source=source,
        fix=f"{hint}Add the column{'s' if several else ''}; these are the table's columns: {_listed(header)}.",
    )


def _no_number_columns(header: Sequence[str], others: Sequence[str], source: str) -> DataError:
    hints = {name: get_close_matches(simplify(name)[:40], ALIASES, n=1, cutoff=0.85) for name in others[:50]}
    near = [f"'{name}' (did you mean '{ALIASES.get(hit[0], hit[0])}'?)" for name, hit in hints.items() if hit]
    return DataError(
        f"no columns of numbers recognized among {_listed(header)}"
        + (f"; perhaps {', '.join(near[:5])}" if near else ""),
        source=source,
        fix=f"A study table has {', or '.join(kind.wanted for kind in KINDS.values())}. "
        'Rename the columns accordingly, or map yours: columns={"your name": "events_e"}.',
    )


def _alternatives(kind: Kind, name: str) -> str:
    """Write what may be given instead of a column, such as `` (or vi, or ci_low and ci_high)``."""
    others = [kind.derived.get(name, ()), *(choice for choice in kind.instead if name not in choice)]
    texts = [" and ".join(part for part in parts if part not in kind.columns) for parts in others]
    return f" (or {', or '.join(filter(None, texts))})" if any(texts) else ""


def _spellings(target: str) -> list[str]:
    return [alias for alias, name in ALIASES.items() if name == target and len(alias) > 2]
