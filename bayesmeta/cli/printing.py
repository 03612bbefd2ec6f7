"""Printing of result frames: as a table with rounded numbers, as CSV or as JSON."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any

import typer

from bayesmeta.cli.options import Format

#: columns of whole numbers, whatever their type; others are known by their type
COUNTS = {"k", "n", "q_df", "data"}
#: ends of intervals, and the columns that are written to the precision of the interval
INTERVALS = (
    ("ci_low", "ci_high", ("estimate", "mean", "median", "mode")),
    ("hdi_low", "hdi_high", ()),
    ("pi_low", "pi_high", ()),
)


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
        from bayesmeta.reporting.tables.csv import frame_without_formulas

        plain = frame_without_formulas(frame)
        sys.stdout.write(plain.to_csv(index=frame.index.name is not None, float_format="%.10g", lineterminator="\n"))
        return
    shown = frame.reset_index() if frame.index.name else frame
    if form is Format.json:
        sys.stdout.write(shown.to_json(orient="records", indent=1, double_precision=10) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(header_style="bold", box=None, pad_edge=False)
    numeric = [shown[name].dtype.kind in "fiu" for name in shown.columns]
    for name, number in zip(shown.columns, numeric, strict=True):
        table.add_column(str(name), justify="right" if number else "left", no_wrap=number)
    for record in shown.to_dict("records"):
        texts = _row({str(name): value for name, value in record.items()})
        table.add_row(
            *(texts[str(name)] if number else str(record[name]) for name, number in zip(shown, numeric, strict=True))
        )
    width = None if sys.stdout.isatty() else 200
    console = Console(width=width, highlight=False, markup=False)
    if title:
        # a title of the table would be divided at the table's width
        console.print(title, style="italic")
    console.print(table)


def numbered(frame: Any) -> tuple[Any, list[str]]:
    """Return a frame with numbers for its wide column names, and the legend."""
    names = list(frame.columns)
    short = frame.set_axis([str(i + 1) for i in range(len(names))], axis="columns")
    return short, [f"{i + 1}: {name}" for i, name in enumerate(names)]


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


def _row(record: Mapping[str, Any]) -> dict[str, str]:
    """Write the numbers of a row: what is on the scale of its interval to the interval's precision, the rest with three digits."""
    from bayesmeta.reporting.numbers import count, is_missing, row, significant

    def cell(name: str, value: Any) -> str:
        if is_missing(value) or isinstance(value, bool) or not isinstance(value, Real):
            return ""
        return count(value) if name in COUNTS or isinstance(value, Integral) else significant(value, 3)

    texts = {name: cell(name, value) for name, value in record.items()}
    for low, high, beside in INTERVALS:
        if low in record and high in record:
            names = [name for name in beside if name in record]
            written = row(tuple(record[name] for name in names), record[low], record[high])
            texts |= dict(zip([*names, low, high], written, strict=True))
    return texts
