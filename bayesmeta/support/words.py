"""Words for messages."""

from __future__ import annotations


def plural(n: int, one: str, many: str) -> str:
    """Return a number with its noun in the singular or plural.

    Examples
    --------
    >>> plural(1, "analysis", "analyses"), plural(34, "analysis", "analyses")
    ('1 analysis', '34 analyses')
    """
    return f"{n} {one if n == 1 else many}"
