"""Plain values as JSON, written as every file is: completely or not at all."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.support.files import write_text


def write_json(path: str | os.PathLike[str], value: Any, *, sort_keys: bool = True) -> Path:
    """Write a value as JSON atomically: keys sorted, indented, one newline at the end.

    Parameters
    ----------
    path : path-like
        The file.
    value : object
        Mappings, sequences, NumPy arrays and scalars, paths, dates, text, numbers. NaN and missing values become ``null``;
        infinities become ``1e999`` and ``-1e999``, which are valid JSON and too large for a float, so that readers get infinity.

    Returns
    -------
    Path
        The path as given.

    Raises
    ------
    SpecError
        When a value in it has no JSON form; the message states where it is.
    DataError
        When it cannot be written.
    """
    return write_text(path, json_text(value, sort_keys=sort_keys))


def json_text(value: Any, *, sort_keys: bool = True) -> str:
    """Return the text that ``write_json`` writes."""
    text = json.dumps(_jsonable(value, "$"), sort_keys=sort_keys, indent=2, ensure_ascii=False, allow_nan=False)
    if _INFINITE in text:
        text = text.replace(f'"{_INFINITE}"', "1e999").replace(f'"-{_INFINITE}"', "-1e999")
    return text + "\n"


#: JSON text of a string that replaces infinity until the text is made: no file can contain its first character
_INFINITE = "\\u0000infinity"


#: types of values that JSON has as they are
_AS_THEY_ARE = frozenset((str, int, bool, type(None)))


def _jsonable(value: Any, where: str) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        return None if math.isnan(value) else "\0infinity" if value > 0 else "-\0infinity"
    if isinstance(value, Mapping):
        keys = [str(key) for key in value]
        if len(set(keys)) < len(keys):
            raise SpecError(f"cannot write {where} as JSON: two of its keys read the same as text; rename one.")
        items = zip(keys, value.values(), strict=True)
        return {key: item if type(item) in _AS_THEY_ARE else _jsonable(item, f"{where}.{key}") for key, item in items}
    if isinstance(value, list | tuple):
        return [_jsonable(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, np.ndarray):
        return _jsonable(value.tolist(), where)
    if isinstance(value, np.generic):
        return _jsonable(value.item(), where)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if type(value).__name__ in {"NAType", "NaTType"}:  # pandas' missing values, without importing pandas
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat()
    raise SpecError(f"cannot write {where} as JSON: {type(value).__name__} has no JSON form; convert it first.")
