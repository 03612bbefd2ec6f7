"""What objects show of themselves: one line in a terminal, a line and a table in a notebook."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

#: rows of a table in a notebook
ROWS = 60


class Displayed(ABC):
    """Base of public objects: ``repr`` is one line, and notebooks show that line above a table."""

    @abstractmethod
    def _line(self) -> str:
        """Return what the object is, in one line without its class."""

    def _table(self) -> pd.DataFrame | None:
        """Return the table below the line in notebooks."""
        return None

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {' '.join(self._line().split())}>"

    def _repr_html_(self) -> str:
        line = f"<p>{html.escape(' '.join(self._line().split()))}</p>"
        table = self._table()
        return line if table is None else line + table.to_html(max_rows=ROWS, float_format="{:.4g}".format, na_rep="")


def estimate_text(estimate: float, low: float, high: float, level: float) -> str:
    """Return an estimate with its interval, three significant digits each: ``0.48 [0.33, 0.69] (95%)``."""
    return f"{estimate:.3g} [{low:.3g}, {high:.3g}] ({100 * level:g}%)"


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun: ``1 study``, ``13 studies``."""
    return f"{number} {one if number == 1 else many or one + 's'}"
