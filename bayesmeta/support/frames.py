"""Rows of a DataFrame as plain values, without a lookup in the frame for each column or number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas


def tuples(frame: pandas.DataFrame) -> list[list[Any]]:
    """Return the rows of a frame: numbers of NumPy columns as Python's, missing texts as NaN."""
    rows: list[list[Any]] = frame.to_numpy(dtype=object).tolist()
    return rows


def records(frame: pandas.DataFrame) -> list[dict[str, Any]]:
    """Return each row of a frame as a mapping of the names of its columns to its values."""
    names = [str(name) for name in frame.columns]
    return [dict(zip(names, row, strict=True)) for row in tuples(frame)]


def by_index(frame: pandas.DataFrame) -> dict[Any, dict[str, Any]]:
    """Return each row of a frame, as ``records`` does, by its entry in the index."""
    return dict(zip(frame.index.tolist(), records(frame), strict=True))
