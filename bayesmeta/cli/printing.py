"""Printing of result frames: as a table with rounded numbers, as CSV or as JSON."""

from __future__ import annotations

import sys
from typing import Any

import typer

from bayesmeta.cli.options import Format

#: columns of whole numbers, whatever their type
COUNTS = {"k", "n", "q_df"}


def print_frame(frame: Any, form: Format, title: str = "") -> None:
    """Print a frame: as a table with rounded numbers, or as CSV or JSON at full precision.

    Parameters
    ----------
    frame : pandas.DataFrame
        The rows; a named index is printed as the first column.
    form : Format
        The format.
    title : str
        Title of a table; CSV and JSON have none.
    """
    if form is Format.csv:
        sys.stdout.write(frame.to_csv(index=frame.index.name is not None, float_format="%.10g", lineterminator="\n"))
        return
    shown = frame.reset_index() if frame.index.name else frame
    if form is Format.json:
        sys.stdout.write(shown.to_json(orient="records", indent=1, double_precision=10) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    numeric = [shown[name].dtype.kind in "fiu" for name in shown.columns]
    for name, number in zip(shown.columns, numeric, strict=True):
        table.add_column(str(name), justify="right" if number else "left", no_wrap=number)
    for row in shown.itertuples(index=False):
        cells = zip(shown.columns, row, numeric, strict=True)
        table.add_row(*(_cell(value, str(name) in COUNTS) if number else str(value) for name, value, number in cells))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)


def print_notes(effects: Any) -> None:
    """Print, on standard error, why rows are not pooled, what was changed in them, and which of their numbers look wrong.

    Parameters
    ----------
    effects : Effects
        Effects of the table.
    """
    for label, reason, note in zip(effects.labels, effects.reasons, effects.notes, strict=True):
        if reason or note:
            typer.echo(f"{label}: {reason or note}", err=True)


def _cell(value: float, whole: bool) -> str:
    """Format a number with three significant digits, or a count without decimals."""
    from bayesmeta.reporting.numbers import count, is_missing, significant

    if is_missing(value):
        return ""
    return count(value) if whole else significant(value, 3)
