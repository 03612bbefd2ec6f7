"""Numbers in cells of text: minus signs are those of numbers, and no line break divides an interval."""

from __future__ import annotations

import re

from bayesmeta.reporting.numbers import typographic

#: an interval in a cell of text, "[161 to 627]" or "-0.20 [-0.37, -0.03]" with the number before it, and "(13 studies)"
SHORT_INTERVAL = re.compile(r"(?:(?<= )-[\d.]+ )?\[(?=[^][]*\d)[^][<>&]{1,30}\]|\(\d+ [a-z]+\)")


def tied(text: str) -> str:
    r"""Return a cell of text whose intervals have no-break spaces and minus signs.

    Examples
    --------
    >>> tied("all: -0.20 [-0.37, -0.03]; post-test").replace("\N{NO-BREAK SPACE}", "_")
    'all: −0.20_[−0.37,_−0.03]; post-test'
    """
    return SHORT_INTERVAL.sub(lambda found: typographic(found[0]).replace(" ", "\N{NO-BREAK SPACE}"), text)
