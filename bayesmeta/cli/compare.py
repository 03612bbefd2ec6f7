"""The command ``bayesmeta compare``: one table of studies by every method."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import typer

from bayesmeta.cli.model_options import (
    CharacteristicsOption,
    DropMissingOption,
    NestingOption,
    SamplingCorrelationOption,
    SeveralGroupsOption,
    SeveralModeratorsOption,
    check_model_options,
    columns_of_studies,
)
from bayesmeta.cli.options import (
    BetterOption,
    ColumnsOption,
    DataArgument,
    EstimatesOption,
    ExcludeOption,
    Format,
    FormatOption,
    LevelOption,
    MeasureOption,
    MidOption,
    PriorOption,
    Scale,
    ScaleOption,
    SmdOption,
    WhereOption,
    ZeroCellsOption,
    parse_pairs,
    read_effects,
)
from bayesmeta.cli.printing import print_frame, print_notes


def compare(
    data: DataArgument,
    measure: MeasureOption = None,
    prior: PriorOption = None,
    where: WhereOption = None,
    columns: ColumnsOption = None,
    exclude: ExcludeOption = None,
    zero_cells: ZeroCellsOption = "revman",
    smd: SmdOption = "exact",
    estimates: EstimatesOption = None,
    level: LevelOption = 0.95,
    scale: ScaleOption = Scale.natural,
    better: BetterOption = None,
    mid: MidOption = None,
    form: FormatOption = Format.table,
    moderators: SeveralModeratorsOption = None,
    by: SeveralGroupsOption = None,
    characteristics: CharacteristicsOption = None,
    nesting: NestingOption = None,
    sampling_correlation: SamplingCorrelationOption = None,
    drop_missing: DropMissingOption = False,
) -> None:
    """Pool one table of studies by every method, side by side."""
    from bayesmeta.results.compare import compare as compare_methods

    check_model_options(moderators, by, characteristics, nesting, sampling_correlation, drop_missing)
    options: dict[str, Any] = {
        "zero_cells": zero_cells,
        "smd": smd,
        "estimates": estimates,
        "repeated": nesting is not None,
    }
    effects = read_effects(data, measure, where, columns, exclude, **options)
    frame = compare_methods(
        effects,
        priors=parse_pairs(prior, "--prior"),
        level=level,
        scale=scale.value,
        better=better.value if better else None,
        mid=mid,
        moderators=tuple(moderators or ()),
        by=tuple(by or ()),
        nesting=nesting,
        sampling_correlation=sampling_correlation,
        data=columns_of_studies(effects, characteristics, drop_missing=drop_missing),
        drop_missing=drop_missing,
    )
    if form is Format.table:
        from bayesmeta.results.methods import method_label

        frame["method"] = frame["method"].map(method_label)
        letters, notes = _lettered(frame["note"])
        several = ["model", "group", "term"] if "model" in frame else []
        names = ["estimate", "ci_low", "ci_high", "pi_low", "pi_high", "tau", "i2", "k", "n"]
        frame = frame[["method", *several, *names]]
        if notes:
            frame = frame.assign(note=letters)
        for formula in moderators or ():
            typer.echo(f"{formula}: {_intercept(effects, formula, characteristics, drop_missing)}", err=True)
        print_notes(effects)
    print_frame(frame, form, f"{effects.measure} ({scale.value} scale), {100 * level:g}% intervals")
    if form is Format.table:
        typer.echo("".join(f"{letter}: {note}\n" for note, letter in notes.items()), nl=False)


def _intercept(effects: Any, formula: str, characteristics: Path | None, drop_missing: bool) -> str:
    """Return what the coefficients of a formula are, in a sentence."""
    from bayesmeta.effects.estimate_columns import columns_of
    from bayesmeta.effects.intercept import intercept_sentence
    from bayesmeta.effects.model_matrix import effects_with_moderators

    data = columns_of_studies(effects, characteristics, drop_missing=drop_missing)
    _, matrix = effects_with_moderators(effects, formula, data, drop_missing=drop_missing)
    sentence = intercept_sentence(matrix, columns_of(effects, data))
    return ". ".join(filter(None, [sentence, *matrix.dropped])) or "no intercept: each coefficient is an effect"


def _lettered(notes: Iterable[object]) -> tuple[list[str], dict[str, str]]:
    """Return a letter per row, "" without a note, and the distinct notes with their letters."""
    texts = [" ".join(note.split()) if isinstance(note, str) else "" for note in notes]
    distinct = [text for text in dict.fromkeys(texts) if text]
    letters = {text: _letter(i) for i, text in enumerate(distinct)}
    return [letters.get(text, "") for text in texts], letters


def _letter(number: int) -> str:
    """Return a, b, ..., z, aa, ab, ... for 0, 1, ..."""
    more, last = divmod(number, 26)
    return (_letter(more - 1) if more else "") + chr(ord("a") + last)
