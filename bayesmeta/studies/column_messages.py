"""Messages about columns: which are missing, which may be meant, and how a user says what a column is."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING

from bayesmeta.errors import DataError
from bayesmeta.studies.kinds import KINDS, Kind
from bayesmeta.studies.names import ALIASES, simplify
from bayesmeta.studies.numbers import quoted

if TYPE_CHECKING:
    from bayesmeta.studies.columns import Assignment

#: Names of a column with both ends of an interval in one cell.
_INTERVALS = ("ci", "95%ci", "ci95%", "ci95", "95ci", "confidenceinterval", "95%confidenceinterval")


def state_column(name: str, target: str) -> str:
    """Write how a user states what a column is: on the command line, in review.toml and in Python."""
    return f'--columns "{name}={target}" (in review.toml and in Python: columns, "{name}" to "{target}")'


def listed(names: Sequence[str], most: int = 30) -> str:
    """Write the names of columns for a message, at most `most` of them."""
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
    hint = ""
    if near:
        hint = f"Is it {listed(list(dict.fromkeys(near))[:3])}? Then rename it, or give {state_column(near[0], missing[0])}. "
    both_ends = [other for other in others if simplify(other) in _INTERVALS]
    if both_ends and kind.name == "estimate":
        hint = f"'{both_ends[0]}' has both ends of the interval in one cell: put them into two columns, ci_low and ci_high. "
    several = len(missing) > 1
    raise DataError(
        f"of the columns of one kind {listed(present)} {'is' if len(present) == 1 else 'are'} there, "
        f"but {', '.join(name + _alternatives(kind, name) for name in missing)} {'are' if several else 'is'} not",
        source=source,
        fix=f"{hint}Add the column{'s' if several else ''}; these are the table's columns: {listed(header)}.",
    )


def _no_number_columns(header: Sequence[str], others: Sequence[str], source: str) -> DataError:
    hints = {name: get_close_matches(simplify(name)[:40], ALIASES, n=1, cutoff=0.85) for name in others[:50]}
    known = [name for name in others if simplify(name) in ALIASES]
    near = [
        f"'{name}' (did you mean '{ALIASES.get(hit[0], hit[0])}'?)"
        for name, hit in hints.items()
        if hit and name not in known
    ]
    return DataError(
        f"no columns of numbers recognized among {listed(header)}"
        + (f"; perhaps {', '.join(near[:5])}" if near else "")
        + (f"; {listed(known)} need the estimate beside them, in a column yi" if known else ""),
        source=source,
        fix=f"A study table has {', or '.join(kind.wanted for kind in KINDS.values())}. "
        f"Rename the columns accordingly, or say what yours are: {state_column('your name', 'events_e')}.",
    )


def _alternatives(kind: Kind, name: str) -> str:
    """Write what may be given instead of a column, such as `` (or vi, or ci_low and ci_high)``."""
    others = [kind.derived.get(name, ()), *(choice for choice in kind.instead if name not in choice)]
    texts = [" and ".join(part for part in parts if part not in kind.columns) for parts in others]
    return f" (or {', or '.join(filter(None, texts))})" if any(texts) else ""


def _spellings(target: str) -> list[str]:
    return [alias for alias, name in ALIASES.items() if name == target and len(alias) > 2]
