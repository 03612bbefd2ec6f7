"""Options for moderators, subgroups and dependent estimates, which several commands share."""

from __future__ import annotations

import re
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
WithinOption = Annotated[
    str | None,
    typer.Option(
        "--within",
        metavar="COLUMN",
        help="Outcomes or times whose effects are correlated within the groups of --nesting, e.g. outcome.",
    ),
]
StructureOption = Annotated[
    str | None,
    typer.Option(
        "--structure",
        metavar="NAME",
        help="Of --within: CS, one tau and one correlation (default), or UN, a tau for each of two outcomes.",
    ),
]
CommonTauOption = Annotated[
    bool, typer.Option("--common-tau", help="One tau for all groups of --by; default: each group has its own.")
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
    *,
    within: str | None = None,
    structure: str | None = None,
    common_tau: bool = False,
) -> None:
    """Refuse options that have no effect without others.

    Raises
    ------
    SpecError
    """
    from bayesmeta.errors import SpecError

    needs = (
        (
            sampling_correlation is not None and nesting is None,
            "--sampling-correlation is of estimates that belong together: add --nesting, e.g. study/estimate",
        ),
        (
            sampling_correlation is not None and not -1 < sampling_correlation < 1,
            f"--sampling-correlation should be between -1 and 1 but got {sampling_correlation}",
        ),
        (
            within is not None and nesting is None,
            "--within is of outcomes or times that are correlated within studies: add --nesting study",
        ),
        (
            structure is not None and within is None,
            f"--structure {structure} is of outcomes or times: add --within with their column, e.g. --within outcome",
        ),
        (common_tau and not by, "--common-tau is about groups: add --by with their column"),
        (
            data is not None and not (moderators or by or nesting),
            "--data has columns for --moderators, --by or --nesting: add one of them",
        ),
        (
            drop_missing and not (moderators or by),
            "--drop-missing is about --moderators and --by: add one of them",
        ),
    )
    for wrong, message in needs:
        if wrong:
            raise SpecError(message)


def check_groups_alone(by: str | None, **others: object) -> None:
    """Refuse subgroups together with options of other models.

    Parameters
    ----------
    by : str, optional
        The column of --by.
    **others
        Values of options by name, None or False where they are not given.

    Raises
    ------
    SpecError
    """
    from bayesmeta.errors import SpecError

    given = [name for name, value in others.items() if value not in (None, False)]
    if by is None or not given:
        return
    option = f"--{given[0].replace('_', '-')}"
    if given[0] == "save":
        raise SpecError(
            "--save writes one posterior, and --by fits one per group; select a group with --where to save its fit"
        )
    if given[0] == "engine":
        raise SpecError(
            "--engine both compares one fit with another, and --by fits one per group; use --engine nuts or quadrature"
        )
    raise SpecError(
        f"--by fits a model per group and cannot be given with {option}; put the groups into a formula instead, as in "
        f'--moderators "~ 0 + {by}"'
    )


def model_keywords(
    effects: Any,
    moderators: str | None,
    file: Path | None,
    drop_missing: bool,
    nesting: str | None,
    within: str | None,
    structure: str | None,
    sampling_correlation: float | None,
) -> dict[str, Any]:
    """Return the keywords of ``fit`` for the options of a model with moderators or several estimates per study."""
    return {
        "moderators": moderators,
        "data": columns_of_studies(effects, file, drop_missing=drop_missing) if moderators or nesting else None,
        "drop_missing": drop_missing,
        "nesting": nesting,
        "within": within,
        "structure": structure,
        "sampling_correlation": sampling_correlation,
    }


#: keywords of the library that are options of the command line, with the value that a message gives them
_KEYWORDS = re.compile(
    # calls of functions are Python, and stay as they are
    r"(?P<call>\w+\([^()]*\))|\b(?P<name>moderators|by|nesting|within|structure|sampling_correlation|drop_missing|common_tau)="
    r"(?:'(?P<text>[^']*)'|(?P<word>True))?"
)


def in_options(text: str) -> str:
    """Return a message of the library with the options of the command line in place of Python's keywords."""
    return _KEYWORDS.sub(_in_option, text)


def _in_option(found: re.Match[str]) -> str:
    if found["call"]:
        return found["call"]
    option, value = f"--{found['name'].replace('_', '-')}", found["text"]
    if value is None:
        # a keyword without a value: what follows it, if anything, is set off by a space
        following = found.string[found.end() : found.end() + 1]
        return option if found["word"] or not following or following in " ,.;:)" else f"{option} "
    return f'{option} "{value}"' if " " in value else f"{option} {value}"
