"""What the commands take: their arguments and options, and how those are read and printed."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from bayesmeta.errors import SpecError


class Format(StrEnum):
    """How a table is printed."""

    table = "table"
    csv = "csv"
    json = "json"


class Scale(StrEnum):
    """The scale of estimates."""

    natural = "natural"
    model = "model"


class Engine(StrEnum):
    """The engine of a fit."""

    auto = "auto"
    quadrature = "quadrature"
    nuts = "nuts"
    both = "both"


class RunEngine(StrEnum):
    """The engines of a run."""

    both = "both"
    quadrature = "quadrature"
    nuts = "nuts"


class Side(StrEnum):
    """The side of benefit."""

    low = "lower"
    high = "higher"


DataArgument = Annotated[Path, typer.Argument(metavar="DATA", help="A CSV file of studies.", show_default=False)]
MeasureOption = Annotated[
    str | None,
    typer.Option(
        "--measure",
        "-m",
        help="RR, OR, PETO, RD, SMD, MD, ROM, HR, GEN or OE; default: RR or SMD, as the columns suggest.",
    ),
]
WhereOption = Annotated[
    list[str] | None,
    typer.Option(
        "--where", "-w", metavar="COLUMN=VALUE", help="Keep the rows whose column has this value; repeatable."
    ),
]
PriorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--prior",
        "-p",
        metavar="NAME=PRIOR",
        help='For mu, tau, tau2 or baseline, e.g. --prior "tau=HalfNormal(0.5)" or tau=corpus:FILE; repeatable.',
    ),
]
LevelOption = Annotated[float, typer.Option("--level", help="Level of all intervals.")]
ScaleOption = Annotated[Scale, typer.Option("--scale", help="natural: ratios exponentiated; model: their logs.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="How to print.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Of the sampler.")]
SaveOption = Annotated[Path | None, typer.Option("--save", help="Write the posterior here, as netCDF.")]
ZeroCellsOption = Annotated[
    str,
    typer.Option(
        "--zero-cells", help="revman, metafor, metafor_drop00, all or none: what is added to studies with a zero cell."
    ),
]
SmdOption = Annotated[str, typer.Option("--smd", help="exact (Hedges' g as in metafor) or revman.")]
EstimatesOption = Annotated[
    str, typer.Option("--estimates", help="How ready-made ratios are written in the data: log or natural.")
]
BetterOption = Annotated[Side | None, typer.Option("--better", help="Side of benefit, for its probability.")]
MidOption = Annotated[
    float | None, typer.Option("--mid", help="Minimal important difference, natural scale; needs --better.")
]


#: columns that hold whole numbers, whatever their type
COUNTS = {"k", "n", "q_df"}


def pairs(items: list[str] | None, option: str) -> dict[str, str]:
    """Read repeated NAME=VALUE options.

    Raises
    ------
    SpecError
        If one has no ``=`` or no name.
    """
    found = {}
    for item in items or []:
        name, equals, value = item.partition("=")
        if not equals or not name.strip():
            raise SpecError(f"{option} takes NAME=VALUE but got '{item}'")
        found[name.strip()] = value.strip()
    return found


def read_effects(data: Path, measure: str | None, where: list[str] | None, **options: Any) -> Any:
    """Read a study table and compute its effects; without a measure, the one its columns suggest. Options: of ``effect_sizes``."""
    from bayesmeta.effects.compute import effect_sizes
    from bayesmeta.studies.kinds import KINDS
    from bayesmeta.studies.read import read_studies

    table = read_studies(data, where=pairs(where, "--where") or None)
    return effect_sizes(table, measure or KINDS[table.kind].measure, **options)


def _cell(value: float, whole: bool) -> str:
    """Write a number with three significant digits, or a count."""
    from bayesmeta.reporting.numbers import count, is_missing, significant

    if is_missing(value):
        return ""
    return count(value) if whole else significant(value, 3)


def print_frame(frame: Any, form: Format, title: str = "") -> None:
    """Print a frame: as a table with rounded numbers, or as CSV or JSON at full precision."""
    if form is Format.csv:
        sys.stdout.write(frame.to_csv(index=frame.index.name is not None, float_format="%.10g", lineterminator="\n"))
        return
    if form is Format.json:
        shown = frame.reset_index() if frame.index.name else frame
        sys.stdout.write(shown.to_json(orient="records", indent=1, double_precision=10) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    shown = frame.reset_index() if frame.index.name else frame
    table = Table(title=title or None, title_justify="left", header_style="bold", box=None, pad_edge=False)
    numeric = [shown[name].dtype.kind in "fiu" for name in shown.columns]
    for name, number in zip(shown.columns, numeric, strict=True):
        table.add_column(str(name), justify="right" if number else "left", no_wrap=number)
    for row in shown.itertuples(index=False):
        cells = zip(shown.columns, row, numeric, strict=True)
        table.add_row(*(_cell(value, str(name) in COUNTS) if number else str(value) for name, value, number in cells))
    width = None if sys.stdout.isatty() else 200
    Console(width=width, highlight=False, markup=False).print(table)
