"""Words in messages."""

from __future__ import annotations


def plural(n: int, one: str, many: str) -> str:
    """Write a number with its noun.

    Examples
    --------
    >>> plural(1, "analysis", "analyses"), plural(34, "analysis", "analyses")
    ('1 analysis', '34 analyses')
    """
    return f"{n} {one if n == 1 else many}"
