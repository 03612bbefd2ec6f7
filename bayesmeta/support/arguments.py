"""Checks of arguments that many functions share."""

from __future__ import annotations

import functools
import inspect
import os
import reprlib
from collections.abc import Callable, Mapping
from numbers import Real
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.support.arrays import Array, real_numbers

Function = TypeVar("Function", bound=Callable[..., Any])


#: least and greatest level of intervals: nearer to 0 and 1 their ends are rounding errors
LEVELS = (1e-6, 1 - 1e-9)


def check_level(level: float, name: str = "level") -> None:
    """Refuse a level of intervals that is not between 0 and 1.

    Parameters
    ----------
    level : float
        Probability, such as 0.95.
    name : str
        Keyword or option, for the message.

    Raises
    ------
    SpecError
        If it is 0 or less, or 1 or more, or nearer to them than ``LEVELS``.
    """
    if isinstance(level, bool) or not isinstance(level, Real):
        raise SpecError(f"{name} must be a number between 0 and 1 but got {level!r}; 0.95 gives 95% intervals")
    if not 0 < level < 1:
        raise SpecError(f"{name} must be between 0 and 1 but got {level}; 0.95 gives 95% intervals")
    if not LEVELS[0] <= level <= LEVELS[1]:
        raise SpecError(
            f"{name} must be between {LEVELS[0]:g} and {LEVELS[1]:.9f} but got {level}; 0.95 gives 95% intervals"
        )


#: seeds are below this number
SEEDS = 2**64


def check_seed(seed: object) -> None:
    """Refuse a seed of random numbers that is not a whole number from 0 to 2^64 - 1.

    Raises
    ------
    SpecError
    """
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise SpecError(f"seed must be a whole number, 0 or above, but got {reprlib.repr(seed)}")
    if seed >= SEEDS:
        raise SpecError("seed must be below 2^64 (18446744073709551616), but it is larger")


def check_type(value: object, wanted: type | tuple[type, ...], name: str, should: str) -> None:
    """Refuse a value of another type.

    Parameters
    ----------
    value : object
        Value of an argument.
    wanted : type or tuple of type
        Types that it may have.
    name, should : str
        What the value is, and what it should be, for the message: "the posterior", "one that fit() returns".

    Raises
    ------
    SpecError
    """
    if not isinstance(value, wanted):
        raise SpecError(f"{name} should be {should}, but is {reprlib.repr(value)} ({type(value).__name__})")


def check_whole(value: object, name: str, least: int = 1) -> None:
    """Refuse what is not a whole number of at least ``least``.

    Raises
    ------
    SpecError
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise SpecError(f"{name} must be a whole number, {least} or above, but got {reprlib.repr(value)}")


#: keywords whose value is a name, and those that are yes or no, in all functions that have them
_NAMES = frozenset(
    (
        "measure", "likelihood", "engine", "structure", "within", "method", "ci", "pi", "scale", "of", "study", "zero_cells", "smd", "rom",
        "estimates",
    )
)  # fmt: skip
_FLAGS = frozenset(("drop_missing", "common_tau", "psis", "bayes_factors"))


def check_kinds(given: Mapping[str, Any]) -> None:
    """Refuse a value of the wrong kind for a keyword that takes a name, or True or False.

    Parameters
    ----------
    given : mapping of str to object
        Keywords; those that take something else are left alone.

    Raises
    ------
    SpecError
    """
    for name, value in given.items():
        if name in _NAMES:
            # a number is no known name, and the function lists those
            if not isinstance(value, str) and value is not None and not (isinstance(value, Real) and value):
                raise SpecError(f"{name} should be a name, as text, but is {reprlib.repr(value)}")
        elif name in _FLAGS and not isinstance(value, bool | np.bool_):
            raise SpecError(f"{name} should be True or False, but is {reprlib.repr(value)}")


def checked_path(value: object, name: str) -> Path:
    """Return the path of a file or folder.

    Raises
    ------
    SpecError
        If it is no text and no path, or has a NUL.
    """
    check_type(value, (str, os.PathLike), name, "the path of a file or folder")
    if "\0" in str(value):
        raise SpecError(f"{name} should be the path of a file or folder, but has a NUL: {value!r}")
    return Path(value)  # type: ignore[arg-type]


def checked_numbers(value: object, name: str) -> Array:
    """Return a number, or numbers, as an array of the same shape.

    Raises
    ------
    SpecError
        If it is something else.
    """
    try:
        found = real_numbers(value)
    except (TypeError, ValueError):
        found = None
    if found is None or value is None:
        raise SpecError(f"{name} should be a number or numbers, but is {reprlib.repr(value)}")
    return found


def with_keywords_of(source: Callable[..., Any]) -> Callable[[Function], Function]:
    """Replace the ``**keywords`` of a function by the keyword-only arguments of another one, to which it passes them on.

    The signature and the docstring name each keyword, and any other is refused under the function's own name.

    Parameters
    ----------
    source : callable
        Function whose keyword-only arguments are taken over; those that the function has itself remain its own.
    """
    keywords = [one for one in inspect.signature(source).parameters.values() if one.kind is one.KEYWORD_ONLY]

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        own = [one for one in signature.parameters.values() if one.kind is not one.VAR_KEYWORD]
        names = {one.name for one in own}
        added = [one for one in keywords if one.name not in names]
        known = names | {one.name for one in added}

        @functools.wraps(function)
        def checked(*args: Any, **given: Any) -> Any:
            check_kinds(given)
            for name in given:
                if name not in known:
                    raise TypeError(f"{function.__name__}() got an unexpected keyword argument '{name}'")
            return function(*args, **given)

        checked.__signature__ = signature.replace(parameters=[*own, *added])  # type: ignore[attr-defined]
        text = ", ".join(one.name for one in added)
        rest = next(one.name for one in signature.parameters.values() if one.kind is one.VAR_KEYWORD)
        checked.__doc__ = (function.__doc__ or "").replace(f"**{rest}", text)
        return cast(Function, checked)

    return decorate
