"""The errors that users can meet: each states what is wrong, where, and what to do about it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

#: characters that move the cursor, change colours or the order of what is shown, and halves of characters
_UNSEEN = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\u2060\ufeff\ud800-\udfff]"
)
#: characters of one line of a message, and those of its beginning and its end that are kept of a longer one
_LONGEST_LINE, _BEGINNING, _END = 1300, 800, 400


def readable(message: str) -> str:
    r"""Return a message that can be shown whatever it quotes: unseen characters as escapes, long lines without their middle.

    Examples
    --------
    >>> print(readable("unknown column 'a\x1b[2J'"))
    unknown column 'a\x1b[2J'
    >>> len(readable("x" * 100_000))
    1238
    """
    lines = _UNSEEN.sub(lambda found: ascii(found.group())[1:-1], message).split("\n")
    return "\n".join(
        line
        if len(line) <= _LONGEST_LINE
        else f"{line[:_BEGINNING]} ... ({len(line) - _BEGINNING - _END:,} characters left out) ... {line[-_END:]}"
        for line in lines
    )


class BayesmetaError(Exception):
    """Base of every error this package raises on purpose; the command line turns it into exit code 2."""

    def __init__(self, *arguments: object) -> None:
        super().__init__(*(readable(one) if isinstance(one, str) else one for one in arguments))


class DataError(BayesmetaError):
    """A file or table that cannot be used or written as it is.

    Parameters
    ----------
    what : str
        What is wrong, with the refused value in it.
    source : str, optional
        The file, or ``"DataFrame"``.
    row : int or str, optional
        Its row: for a file, the line number as an editor shows it (the header is line 1).
    column : str, optional
        The column's name as the user wrote it.
    fix : str, optional
        What to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        source: str | None = None,
        row: int | str | None = None,
        column: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.what, self.source, self.row, self.column, self.fix = what, source, row, column, fix
        places = [str(source)] if source is not None else []
        places += [f"row {row}"] if row is not None else []
        places += [f"column '{column}'"] if column is not None else []
        where = ", ".join(places)
        message = f"{where}: {what}" if where else what
        super().__init__(f"{message}\n  {fix}" if fix else message)


class SpecError(BayesmetaError):
    """A request that cannot be carried out as written: an unknown name, a prior that does not parse, a misspelled key."""


class ConvergenceError(BayesmetaError):
    """A sampler or an iteration that did not reach its stated accuracy."""


def unknown_name(kind: str, name: object, known: Iterable[str], place: str = "") -> SpecError:
    """Return the error for an unknown name, with the nearest known one as a suggestion.

    Parameters
    ----------
    kind : str
        What the name is of, e.g. ``"measure"``.
    name : object
        The unknown name.
    known : iterable of str
        The known names.
    place : str
        Where the name is, as in "in the formula '~ dose'".

    Returns
    -------
    SpecError

    Examples
    --------
    >>> print(unknown_name("measure", "SDM", ["SMD", "MD"]))
    unknown measure 'SDM'; did you mean 'SMD'? Known: SMD, MD
    """
    known = list(dict.fromkeys(known))
    lowered = {item.lower(): item for item in known}
    near = get_close_matches(str(name).lower(), list(lowered), n=1, cutoff=0.5)
    hint = f"; did you mean '{lowered[near[0]]}'?" if near else "."
    where = f" {place}" if place else ""
    return SpecError(f"unknown {kind} '{name}'{where}{hint} Known: {', '.join(known)}")


def error_text(error: BaseException) -> str:
    """Return the message of an error, with its type if this package does not raise it on purpose.

    Examples
    --------
    >>> error_text(SpecError("no such method")), error_text(ValueError("a fault"))
    ('no such method', 'unexpected ValueError: a fault')
    >>> error_text(OSError(28, "No space left on device", "data.csv"))
    'data.csv: No space left on device'
    """
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) if isinstance(error, BayesmetaError) else readable(f"unexpected {type(error).__name__}: {error}")
