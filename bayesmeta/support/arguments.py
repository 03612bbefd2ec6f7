"""Checks of arguments that many functions share."""

from __future__ import annotations

from bayesmeta.errors import SpecError


def check_level(level: float) -> None:
    """Refuse a level of intervals that is not between 0 and 1.

    Parameters
    ----------
    level : float
        Probability, such as 0.95.

    Raises
    ------
    SpecError
        If it is 0 or less, or 1 or more.
    """
    if not 0 < level < 1:
        raise SpecError(f"level must be between 0 and 1 but got {level}; 0.95 gives 95% intervals")
