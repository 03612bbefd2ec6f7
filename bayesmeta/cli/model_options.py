"""Options for moderators, subgroups and dependent estimates, which several commands share."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

SeveralModeratorsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--moderators",
        metavar="FORMULA",
        help='Meta-regression on columns of DATA or of --data, e.g. "~ dose + C(setting)"; repeatable: each formula is a model.',
    ),
]
ModeratorsOption = Annotated[
    str | None,
    typer.Option(
        "--moderators",
        metavar="FORMULA",
        help='Meta-regression on columns of DATA or of --data, e.g. "~ dose + C(setting)".',
    ),
]
SeveralGroupsOption = Annotated[
    list[str] | None,
    typer.Option("--by", metavar="COLUMN", help="Subgroups: the column that names each study's group; repeatable."),
]
GroupsOption = Annotated[
    str | None, typer.Option("--by", metavar="COLUMN", help="Subgroups: the column that names each study's group.")
]
CharacteristicsOption = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="FILE",
        help="A CSV file with a column study and one row per study: more columns for --moderators, --by and --nesting.",
    ),
]
NestingOption = Annotated[
    str | None,
    typer.Option(
        "--nesting",
        metavar="LEVELS",
        help="Groups of estimates that depend on each other, outer to inner, e.g. district/estimate.",
    ),
]
SamplingCorrelationOption = Annotated[
    float | None,
    typer.Option(
        "--sampling-correlation", help="Correlation of the sampling errors within an outermost group of --nesting."
    ),
]
DropMissingOption = Annotated[
    bool,
    typer.Option("--drop-missing", help="Leave out studies whose moderator or group is missing; default: refuse them."),
]


def columns_of_studies(effects: Any, file: Path | None, *, drop_missing: bool = False) -> dict[str, Any] | None:
    """Return the columns of the file of --data in the order of the estimates; None without a file.

    Raises
    ------
    DataError
        If the file cannot be used, or has no row for a study that is pooled and studies are not to be left out.
    """
    if file is None:
        return None
    from bayesmeta.effects.characteristics import join_by_study
    from bayesmeta.studies.characteristics import read_characteristics

    table = effects.studies
    own = set(table.extra) if table is not None else set()
    names = effects.labels if table is None else table.study_names
    return join_by_study(read_characteristics(file), names, effects.used, skip=own, drop_missing=drop_missing)


def check_model_options(
    moderators: Iterable[str] | None,
    by: Iterable[str] | None,
    data: Path | None,
    nesting: str | None,
    sampling_correlation: float | None,
    drop_missing: bool,
) -> None:
    """Refuse options that have no effect without others.

    Raises
    ------
    SpecError
    """
    from bayesmeta.errors import SpecError

    if sampling_correlation is not None and nesting is None:
        raise SpecError(
            "--sampling-correlation is of estimates that belong together: add --nesting, e.g. study/estimate"
        )
    if sampling_correlation is not None and not -1 < sampling_correlation < 1:
        raise SpecError(f"--sampling-correlation should be between -1 and 1 but got {sampling_correlation:g}")
    if not (moderators or by or nesting) and data is not None:
        raise SpecError("--data has columns for --moderators, --by or --nesting: add one of them")
    if not (moderators or by) and drop_missing:
        raise SpecError("--drop-missing is about --moderators and --by: add one of them")


#: how the library writes a keyword in a message, and the option that it is on the command line
_IN_OPTIONS = {"drop_missing=True": "--drop-missing", "nesting=": "--nesting ", "within=": "within "}


def in_options(text: str) -> str:
    """Return a message of the library with the options of the command line in place of Python's keywords."""
    for keyword, option in _IN_OPTIONS.items():
        text = text.replace(keyword, option)
    return text
