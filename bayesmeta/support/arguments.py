"""Checks of arguments that many functions share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesmeta.errors import SpecError

if TYPE_CHECKING:
    pass


def check_level(level: float) -> None:
    """Refuse a probability that is not strictly between 0 and 1.

    Raises
    ------
    SpecError
    """
    if not 0 < level < 1:
        raise SpecError(f"level must be between 0 and 1 but got {level}; 0.95 gives 95% intervals")
