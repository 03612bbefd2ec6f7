"""The command ``bayesmeta categories``: an outcome with several categories from one table of counts."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bayesmeta.cli.options import (
    Format,
    FormatOption,
    LevelOption,
    SaveOption,
    SeedOption,
    TreatmentOption,
    parse_pairs,
)
from bayesmeta.cli.printing import print_frame
from bayesmeta.errors import SpecError

if TYPE_CHECKING:
    from bayesmeta.categories.result import CategoryFit


class CategoryEngine(StrEnum):
    """Engines of an outcome with several categories."""

    nuts = "nuts"
    quadrature = "quadrature"


class Shown(StrEnum):
    """Tables of an outcome with several categories."""

    risks = "risks"
    new_trial = "new-trial"
    effects = "effects"
    separate = "separate"
    margins = "margins"


def categories(
    data: Annotated[
        Path,
        typer.Argument(
            metavar="COUNTS",
            help="A CSV file with a row per arm and a column per category, or a row per arm and category.",
            show_default=False,
        ),
    ],
    reference: Annotated[
        str | None,
        typer.Option(
            "--reference", "-r", help="Treatment that tables compare with; default: control, else the first by name."
        ),
    ] = None,
    engine: Annotated[
        CategoryEngine,
        typer.Option("--engine", "-e", help="nuts: the multinomial likelihood; quadrature: its normal approximation."),
    ] = CategoryEngine.nuts,
    names: Annotated[
        str | None,
        typer.Option("--categories", metavar="A,B,...", help="Names of the categories; default: those of the table."),
    ] = None,
    outcome_order: Annotated[
        str | None,
        typer.Option("--outcome-order", metavar="A,B,...", help="Ordered categories, from the lowest; fitted by nuts."),
    ] = None,
    link: Annotated[
        str | None, typer.Option("--link", help="Link of ordered categories: probit (default) or logit.")
    ] = None,
    prior: Annotated[
        list[str] | None,
        typer.Option(
            "--prior",
            "-p",
            metavar="NAME=PRIOR",
            help='For d, tau, tau2 or baseline, e.g. --prior "d=Normal(0, 2)"; repeatable.',
        ),
    ] = None,
    baseline: Annotated[
        list[str] | None,
        typer.Option(
            "--baseline",
            metavar="CATEGORY=P",
            help="Probability of a category under the reference, one option for each; default: that of all its participants.",
        ),
    ] = None,
    baseline_n: Annotated[
        float | None, typer.Option("--baseline-n", help="Participants from whom a stated baseline was estimated.")
    ] = None,
    together: Annotated[
        list[str] | None,
        typer.Option(
            "--together",
            metavar="CATEGORY=SIDE",
            help="Probability that all named risks are higher or lower than under the reference; repeatable.",
        ),
    ] = None,
    treatment: TreatmentOption = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            "--columns", metavar="NAME=MEANING", help="What a column contains, e.g. --columns B=secure; repeatable."
        ),
    ] = None,
    show: Annotated[
        Shown,
        typer.Option(
            "--show",
            help="risks with their ratios and differences, also in a new-trial; effects on ordered categories on the scale of the link; "
            "risk ratios beside separate ones; or margins, the numbers reported beside what the model predicts.",
        ),
    ] = Shown.risks,
    level: LevelOption = 0.95,
    seed: SeedOption = 1,
    save: SaveOption = None,
    form: FormatOption = Format.table,
) -> None:
    """Fit an outcome with several categories, or change between categories, as one outcome."""
    import numpy as np

    from bayesmeta.categories.fit import categories as fit_categories

    if save:
        from bayesmeta.support.files import check_target

        check_target(save)
    fit = fit_categories(
        data, reference=reference, engine=engine.value, priors=parse_pairs(prior, "--prior") or None, outcome_order=_names(outcome_order),
        link=link, baseline=_probabilities(baseline) or "pooled", baseline_n=baseline_n, seed=seed,
        columns=parse_pairs(columns, "--columns"), treatments=parse_pairs(treatment, "--treatment"), categories=_names(names),
    )  # fmt: skip
    sides = parse_pairs(together, "--together")
    probabilities = {name: fit.probability(sides, name) for name in fit.others} if sides else {}
    frame, title = _table(fit, show, level)
    if form is Format.table:
        trials = len(set(fit.table.studies))
        typer.echo(
            f"{fit.table.n.sum():.0f} participants, {trials} trials, {len(fit.treatments)} treatments; {fit.engine}"
        )
        priors = fit.priors.to_dict()
        priors.pop("inconsistency")
        typer.echo("priors: " + ", ".join(f"{name} ~ {text}" for name, text in priors.items()))
        low, middle, high = np.quantile(fit.tau, [0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level])
        typer.echo(f"tau {middle:.2f} [{low:.2f}, {high:.2f}]")
    print_frame(frame, form, f"{title}, {100 * level:g}% intervals")
    if form is Format.table and "why" in frame.attrs:
        typer.echo(frame.attrs["why"])
    for name, value in probabilities.items():
        what = " and ".join(f"{term} {side}" for term, side in sides.items())
        typer.echo(
            f"{name}: probability of {what} than under {fit.reference} {value:.3f}", err=form is not Format.table
        )
    if save:
        fit.save(save)
        typer.echo(f"fit written to {save}", err=True)


def _names(text: str | None) -> tuple[str, ...] | None:
    return tuple(name.strip() for name in text.split(",")) if text is not None else None


def _probabilities(items: list[str] | None) -> dict[str, float]:
    found = {}
    for name, text in parse_pairs(items, "--baseline").items():
        try:
            found[name] = float(text)
        except ValueError:
            raise SpecError(f"--baseline takes CATEGORY=PROBABILITY but got '{name}={text}'") from None
    return found


def _table(fit: CategoryFit, show: Shown, level: float) -> tuple[Any, str]:
    """Return one table of a fit, with its title."""
    against = f"against {fit.reference}"
    if show is Shown.effects:
        return fit.link_effects(level=level), f"Effects {against} on the scale of the {fit.link} link"
    if show is Shown.separate:
        return fit.separate(level=level), f"Risk ratios {against} of the one model, and of separate meta-analyses"
    if show is Shown.margins:
        return fit.margins(level=level), "Numbers reported, and the predictive intervals of the model"
    new = show is Shown.new_trial
    frame = fit.summary(level=level, new_study=new)
    frame = frame if fit.table.before else frame.drop(columns="given")
    return frame, f"Risks, and ratios and differences {against}{', in a new trial' if new else ''}"
