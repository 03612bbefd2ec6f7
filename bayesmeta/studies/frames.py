"""Tables as users give them: header, cells and row names of a DataFrame, unchanged, or of a file."""

from __future__ import annotations

import math
import numbers
import os
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.numbers import Cell, is_missing, shown
from bayesmeta.studies.raw import RawTable, name_columns, read_file

if TYPE_CHECKING:
    import pandas as pd


def read_table(source: object, what: str) -> RawTable:
    """Return the cells of a file or a DataFrame.

    Parameters
    ----------
    source : str, os.PathLike or pandas.DataFrame
        The table.
    what : str
        What it is, with its verb, for messages: "a study table is".

    Raises
    ------
    DataError
        If the table cannot be read, or has no rows or columns.
    SpecError
        If it is neither the path of a file nor a DataFrame.
    """
    require_table(source, what)
    return read_file(source) if isinstance(source, str | os.PathLike) else read_frame(source)  # type: ignore[arg-type]


def require_table(source: object, what: str) -> None:
    """Check that something is the path of a file or a DataFrame; ``what`` as in ``read_table``.

    Raises
    ------
    SpecError
        If it is neither.
    """
    # pandas is not imported here: a caller with a DataFrame has imported it
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(source, pandas.DataFrame):
        return
    if not (isinstance(source, str | os.PathLike) and isinstance(os.fspath(source), str)):
        raise SpecError(f"{what} the path of a file or a pandas DataFrame; got {type(source).__name__}")


def read_frame(frame: pd.DataFrame) -> RawTable:
    """Return a DataFrame's cells unchanged.

    Parameters
    ----------
    frame : pandas.DataFrame
        One row per study; missing values of any type become blank cells.

    Returns
    -------
    RawTable
        Labels are the index, or ``Study 1`` and so on where it only numbers the rows.

    Raises
    ------
    DataError
        If it has no rows or columns, or two columns of one name.
    """
    source = "DataFrame"
    if not frame.shape[0] or not frame.shape[1]:
        what = "no rows" if frame.shape[1] else "no columns"
        raise DataError(
            f"the table has {what}", source=source, fix="Give one row per study and one column per quantity."
        )
    names = [str(name).strip() for name in frame.columns]
    columns = [_column_cells(frame.iloc[:, at]) for at in range(frame.shape[1])]
    rows = list(zip(*columns, strict=True))
    header = name_columns(names, [[shown(cell) for cell in row] for row in rows], source, None)
    index = frame.index
    counted = index.nlevels == 1 and index.name is None and (index.inferred_type == "integer")
    labels = [f"Study {at + 1}" if counted else _label(value) for at, value in enumerate(index)]
    places: list[int | str] = [int(value) if isinstance(value, numbers.Integral) else _label(value) for value in index]
    keep = [at for at, row in enumerate(rows) if not all(is_missing(cell) for cell in row)]
    if not keep:
        raise DataError("every cell of the table is blank", source=source, fix="Give one row per study.")
    full = RawTable(source, header, tuple(row[: len(header)] for row in rows), tuple(places), ",", tuple(labels))
    return full.take(keep)


def _label(value: Any) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(part) for part in value)
    return "" if _is_blank(value) else str(value).strip()


def _column_cells(column: pd.Series) -> list[Cell]:
    """Return one column's cells; whole numbers that pandas made floats because others are missing become integers again."""
    cells = [_cell(value) for value in column.tolist()]
    floats = [cell for cell in cells if isinstance(cell, float)]
    if floats and all(cell.is_integer() for cell in floats):
        return [int(cell) if isinstance(cell, float) else cell for cell in cells]
    return cells


def _is_blank(value: Any) -> bool:
    # pandas.isna looks into lists and fails for a signalling NaN, so each type of missing value is named here.
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return value.is_nan() if isinstance(value, Decimal) else isinstance(value, float) and math.isnan(value)


def _cell(value: Any) -> Cell:
    if _is_blank(value):
        return ""
    if isinstance(value, bool) or not isinstance(value, numbers.Real | Decimal):
        return str(value).strip()
    try:
        number = float(value)
    except OverflowError:
        return "inf"
    if math.isnan(number):
        return ""
    return int(value) if isinstance(value, numbers.Integral) else number
