"""Arguments and options that several commands share, and how they are read.

Names are listed from the registries that cost nothing to import; tests compare the others with theirs.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError


class Format(StrEnum):
    """Formats of a printed table."""

    table = "table"
    csv = "csv"
    json = "json"


class Scale(StrEnum):
    """Scales of estimates."""

    natural = "natural"
    model = "model"


class Engine(StrEnum):
    """Engines of a fit; ``both`` fits twice."""

    auto = "auto"
    quadrature = "quadrature"
    nuts = "nuts"
    both = "both"


class RunEngine(StrEnum):
    """Engines of a run."""

    both = "both"
    quadrature = "quadrature"
    nuts = "nuts"


class ForestLayout(StrEnum):
    """Layouts of forest plots."""

    default = "default"
    revman = "revman"
    jama = "jama"
    bmj = "bmj"


class Side(StrEnum):
    """Sides of benefit."""

    low = "lower"
    high = "higher"


def one_of(names: Iterable[str]) -> str:
    """Join names for a help text: ``a, b or c``."""
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


DataArgument = Annotated[Path, typer.Argument(metavar="DATA", help="A CSV file of studies.", show_default=False)]
MeasureOption = Annotated[
    str | None,
    typer.Option(
        "--measure",
        "-m",
        help=f"{one_of(MEASURES)}; default: what the columns are: RR, SMD, IRR, OE, or of estimates by their name, else GEN.",
    ),
]
LikelihoodOption = Annotated[
    str | None,
    typer.Option(
        "--likelihood",
        "-l",
        help="binomial (RR, OR), poisson (IRR), nct (SMD) or normal; default: arm-level where possible.",
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
        help='For mu, tau, tau2, rho, baseline or a coefficient by its name, e.g. --prior "tau=HalfNormal(0.5)" or tau=corpus:FILE; '
        "repeatable.",
    ),
]
LevelOption = Annotated[float, typer.Option("--level", help="Level of all intervals, between 0 and 1.")]
ScaleOption = Annotated[Scale, typer.Option("--scale", help="natural: ratios exponentiated; model: their logs.")]
FormatOption = Annotated[Format, typer.Option("--format", "-f", help="Format of the printed tables.")]
SeedOption = Annotated[int, typer.Option("--seed", help="Seed of the sampler.")]
SaveOption = Annotated[Path | None, typer.Option("--save", help="Write the posterior to this netCDF file.")]
ZeroCellsOption = Annotated[
    str,
    typer.Option(
        "--zero-cells",
        help="Rule for adding 0.5 to studies with a zero cell: revman, metafor, metafor_drop00, all or none.",
    ),
]
SmdOption = Annotated[str, typer.Option("--smd", help="Formula of Hedges' g: exact (as in metafor) or revman.")]
ColumnsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--columns",
        metavar="NAME=MEANING",
        help="What a column of yours contains, e.g. --columns deaths=events_e; extra keeps one as text; repeatable.",
    ),
]
TreatmentOption = Annotated[
    list[str] | None,
    typer.Option(
        "--treatment",
        metavar="NAME=NEW",
        help="Rename or lump a treatment, e.g. --treatment tablets=placebo; repeatable.",
    ),
]
ExcludeOption = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="STUDY[=REASON]", help="Leave out this study, with the reason; repeatable."),
]
EstimatesOption = Annotated[
    str | None,
    typer.Option(
        "--estimates",
        help="Scale of ready-made ratios: log or natural; default: natural in a column HR, OR, RR, else log.",
    ),
]
BetterOption = Annotated[Side | None, typer.Option("--better", help="Side of benefit, for its probability.")]
MidOption = Annotated[
    float | None, typer.Option("--mid", help="Minimal important difference, natural scale; needs --better.")
]
LayoutOption = Annotated[
    ForestLayout | None,
    typer.Option("--layout", help="Layout of forest plots: of this package, or after RevMan, JAMA or the BMJ."),
]
FolderArgument = Annotated[Path, typer.Argument(metavar="OUT", help="The folder of a run.")]


def parse_pairs(items: list[str] | None, option: str) -> dict[str, str]:
    """Read repeated NAME=VALUE options.

    Parameters
    ----------
    items : list of str, optional
        Values of the option.
    option : str
        The option, for the message.

    Raises
    ------
    SpecError
        If one has no ``=`` or no name.
    """
    found = {}
    for item in items or []:
        name, equals, value = _split(item)
        if not equals or not name.strip():
            raise SpecError(f"{option} takes NAME=VALUE but got '{item}'")
        found[name.strip()] = value.strip()
    return found


def _split(item: str) -> tuple[str, str, str]:
    """Split at the first equals sign outside of brackets: a coefficient such as "I(dose == 2)[T.True]" has others in its name."""
    depth = 0
    for at, sign in enumerate(item):
        depth += (sign in "([") - (sign in ")]")
        if sign == "=" and depth <= 0:
            return item[:at], sign, item[at + 1 :]
    return item.partition("=")


def parse_exclusions(items: list[str] | None) -> dict[str, str]:
    """Read repeated STUDY=REASON options; a study without a reason gets one that says so."""
    parts = [item.partition("=") for item in items or []]
    return {study.strip(): reason.strip() or "excluded on the command line" for study, _, reason in parts}


def read_effects(
    data: Path,
    measure: str | None,
    where: list[str] | None,
    columns: list[str] | None = None,
    exclude: list[str] | None = None,
    *,
    repeated: bool = False,
    **options: Any,
) -> Any:
    """Read a study table and compute its effects.

    Parameters
    ----------
    data : Path
        A CSV file.
    measure : str, optional
        The effect measure; by default the usual one for the columns.
    where : list of str, optional
        COLUMN=VALUE conditions on rows.
    columns : list of str, optional
        NAME=MEANING, what columns contain.
    exclude : list of str, optional
        STUDY or STUDY=REASON, studies to leave out.
    repeated : bool
        Whether a study may have several rows, as with --nesting.
    **options
        Options of ``effect_sizes``: zero_cells, smd, estimates.

    Returns
    -------
    Effects
    """
    from bayesmeta.effects.compute import effect_sizes
    from bayesmeta.studies.read import read_studies

    table = read_studies(
        data,
        where=parse_pairs(where, "--where"),
        columns=parse_pairs(columns, "--columns"),
        exclude=parse_exclusions(exclude),
        repeated=repeated,
    )
    return effect_sizes(table, measure or table.measure, **options)
