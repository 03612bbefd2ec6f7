"""The command ``bayesmeta check``: Bayes factors, leave-one-out, predictive p-values and prior sensitivity."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import Annotated, Any

import typer

from bayesmeta.cli.groups import fit_groups
from bayesmeta.cli.model_options import (
    CharacteristicsOption,
    DropMissingOption,
    GroupsOption,
    ModeratorsOption,
    NestingOption,
    SamplingCorrelationOption,
    StructureOption,
    WithinOption,
    check_groups_alone,
    check_model_options,
    in_options,
    model_keywords,
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
    LikelihoodOption,
    MeasureOption,
    MidOption,
    PriorOption,
    Scale,
    ScaleOption,
    SeedOption,
    SmdOption,
    WhereOption,
    ZeroCellsOption,
    parse_pairs,
    read_effects,
)
from bayesmeta.cli.printing import print_frame, print_notes
from bayesmeta.errors import SpecError, error_text


class What(StrEnum):
    """Checks by name; ``TABLES`` has the function of each."""

    evidence = "evidence"
    influence = "influence"
    loo = "loo"
    predictive = "predictive"
    priors = "priors"
    baseline = "baseline"
    power = "power"


TermOption = Annotated[
    str | None,
    typer.Option(
        "--term",
        help="Coefficient that influence and priors are of; default: the effect at the means of the moderators.",
    ),
]
WhatOption = Annotated[
    list[What] | None,
    typer.Option(
        "--what",
        help="evidence (Bayes factors), influence (leave one out), loo (cross-validation), predictive (p-values), priors or baseline "
        "(sensitivity), power (power-scaling); repeatable; default: all that apply.",
    ),
]


def check(
    data: DataArgument,
    what: WhatOption = None,
    measure: MeasureOption = None,
    likelihood: LikelihoodOption = None,
    prior: PriorOption = None,
    where: WhereOption = None,
    columns: ColumnsOption = None,
    exclude: ExcludeOption = None,
    zero_cells: ZeroCellsOption = "revman",
    smd: SmdOption = "exact",
    estimates: EstimatesOption = None,
    seed: SeedOption = 1,
    level: LevelOption = 0.95,
    scale: ScaleOption = Scale.natural,
    better: BetterOption = None,
    mid: MidOption = None,
    form: FormatOption = Format.table,
    moderators: ModeratorsOption = None,
    by: GroupsOption = None,
    characteristics: CharacteristicsOption = None,
    nesting: NestingOption = None,
    within: WithinOption = None,
    structure: StructureOption = None,
    sampling_correlation: SamplingCorrelationOption = None,
    drop_missing: DropMissingOption = False,
    term: TermOption = None,
) -> None:
    """Check a fit: Bayes factors, leave-one-out, predictive p-values and sensitivity to the priors, all exact.

    With --by the fit of each group is checked, and that of all studies. A check that cannot be computed gives its reason on one line,
    and exit code 1 after the others.
    """
    from bayesmeta.posterior.fit import fit

    check_model_options(
        moderators, by, characteristics, nesting, sampling_correlation, drop_missing, within=within, structure=structure
    )
    check_groups_alone(by, moderators=moderators, nesting=nesting, sampling_correlation=sampling_correlation)
    if form is not Format.table and len(what or ()) != 1:
        raise SpecError(f"--format {form.value} prints one table: name it with --what, e.g. --what influence")
    if term is not None and moderators is None:
        raise SpecError(f"--term {term} is a coefficient of a formula: add --moderators")
    effects = read_effects(
        data, measure, where, columns, exclude, zero_cells=zero_cells, smd=smd, estimates=estimates,
        repeated=nesting is not None,
    )  # fmt: skip
    given: dict[str, Any] = {"likelihood": likelihood, "priors": parse_pairs(prior, "--prior"), "engine": "quadrature"}
    if by is None:
        design = model_keywords(
            effects, moderators, characteristics, drop_missing, nesting, within, structure, sampling_correlation
        )
        posteriors = {"": fit(effects, seed=seed, **given, **design)}
    else:
        found = fit_groups(
            effects, by, characteristics, common_tau=False, drop_missing=drop_missing, seed=seed, **given
        )
        posteriors = {f"{by}: {group}": one for group, one in found.groups.items()} | {"all studies": found.overall}
    if form is Format.table:
        print_notes(effects)
    options = {
        "level": level, "scale": scale.value, "better": better.value if better else None, "mid": mid, "term": term,
    }  # fmt: skip
    checked = {group: Checked(posterior) for group, posterior in posteriors.items()}
    applicable = {group: _applicable(posterior) for group, posterior in posteriors.items()}
    failed = False
    for part in what or [one for one in What if any(one in here for here in applicable.values())]:
        found_parts: dict[str, Part] = {}
        for group, one in checked.items():
            if what is None and part not in applicable[group]:
                continue
            try:
                found_parts[group] = TABLES[part](one, options)
            except Exception as error:  # one check must not take the others with it
                if len(what or ()) == 1 and not group:
                    raise
                reason = in_options(" ".join(error_text(error).split()))
                typer.echo(f"{f'{group}: ' if group else ''}{part.value}: not computed: {reason}", err=True)
                failed = True
        _print_part(found_parts, form)
    if failed:
        raise typer.Exit(1)


def _print_part(found: dict[str, Part], form: Format) -> None:
    """Print one check of each group under its name, "" of a fit without groups; as CSV and JSON in one table with a column group."""
    if form is Format.table:
        for group, (title, frame, remarks) in found.items():
            shown = _readable(frame.dropna(axis="columns", how="all"))
            print_frame(shown, form, f"{group}: {title}" if group else title)
            typer.echo("".join(f"{remark}\n" for remark in remarks))
        return
    frames = []
    for group, (_, frame, _) in found.items():
        named = frame.reset_index() if group and frame.index.name else frame
        frames.append(named.assign(group=group)[["group", *named.columns]] if group else named)
    if frames:
        import pandas as pd

        every = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
        print_frame(every.dropna(axis="columns", how="all"), form)


def _applicable(posterior: Any) -> list[What]:
    """List the checks that these data and priors allow."""
    spread = posterior.priors.mu.point is None and posterior.priors.scale.point is None
    several = len(posterior.data.units) > 1
    counts = posterior.likelihood in ("binomial", "poisson")
    allowed = {
        What.evidence: spread and posterior.priors.mu.proper, What.influence: several, What.loo: several,
        What.baseline: counts, What.power: spread,
    }  # fmt: skip
    return [part for part in What if allowed.get(part, True)]


@dataclass(frozen=True)
class Checked:
    """A fit to check, with the fits without each study, which several checks share."""

    posterior: Any

    @cached_property
    def without(self) -> Any:
        """Fits without each study in turn; None where there is one study only."""
        from bayesmeta.posterior.refit import leave_each_out

        return leave_each_out(self.posterior) if len(self.posterior.data.units) > 1 else None


#: title, frame and remarks of one check
Part = tuple[str, Any, list[str]]


def _evidence(checked: Checked, _: dict[str, Any]) -> Part:
    from bayesmeta.posterior.model_average import bayes_factors, model_average

    posterior = checked.posterior
    average = model_average(posterior)
    models = average.to_frame()["posterior_prob"]
    remark = "Posterior probabilities of the models: " + ", ".join(
        f"{name} {value:.3f}" for name, value in models.items()
    )
    priors = ", ".join(f"{name} ~ {text}" for name, text in posterior.priors.to_dict().items())
    return "Bayes factors, effect or heterogeneity against none", bayes_factors(posterior), [remark, f"Under {priors}."]


def _influence(checked: Checked, options: dict[str, Any]) -> Part:
    from bayesmeta.checks.influence import influence

    frame = influence(checked.posterior, without=checked.without, **options)
    most = frame.index[frame["most_influential"]]
    remarks = [f"Most influential: {most[0]}, {frame.loc[most[0], 'shift_sd']:+.2f} posterior sd."] if len(most) else []
    return "Each study left out", frame.drop(columns="most_influential"), remarks


def _loo(checked: Checked, _: dict[str, Any]) -> Part:
    from bayesmeta.checks.leave_one_out import leave_one_out

    frame = leave_one_out(checked.posterior, without=checked.without)
    remark = f"elpd_loo = {frame.attrs['elpd_loo']:.2f} (SE {frame.attrs['elpd_loo_se']:.2f}), exact by refits."
    return "Each study predicted from the others", frame, [remark]


def _predictive(checked: Checked, _: dict[str, Any]) -> Part:
    from bayesmeta.checks.predictive import predictive_checks

    return "Posterior-predictive p-values, two-sided", predictive_checks(checked.posterior, without=checked.without), []


def _priors(checked: Checked, options: dict[str, Any]) -> Part:
    from bayesmeta.checks.prior_sensitivity import prior_sensitivity

    frame = prior_sensitivity(checked.posterior, **options)
    return "Other priors", _without_empty_notes(frame), [frame.attrs["verdict"]]


def _baseline(checked: Checked, options: dict[str, Any]) -> Part:
    from bayesmeta.checks.prior_sensitivity import baseline_sensitivity

    frame = baseline_sensitivity(checked.posterior, **options)
    return "Other priors for the baseline", _without_empty_notes(frame), [frame.attrs["verdict"]]


def _power(checked: Checked, _: dict[str, Any]) -> Part:
    from bayesmeta.checks.power_scaling import power_scaling

    return "Power-scaling sensitivity (above 0.05: sensitive)", power_scaling(checked.posterior), []


def _readable(frame: Any) -> Any:
    """Shorten the Bayes factors for a reader: three significant digits, in powers of ten if huge or tiny, no BF01."""
    from bayesmeta.reporting.bayes_factors import bayes_factor

    shown = frame.drop(columns="bf01", errors="ignore")
    if "bf10" in shown.columns:
        shown["bf10"] = [bayes_factor(value) for value in shown["log_bf10"]]
    return shown


def _without_empty_notes(frame: Any) -> Any:
    return frame if frame["note"].any() else frame.drop(columns="note")


TABLES: dict[What, Callable[[Checked, dict[str, Any]], Part]] = {
    What.evidence: _evidence,
    What.influence: _influence,
    What.loo: _loo,
    What.predictive: _predictive,
    What.priors: _priors,
    What.baseline: _baseline,
    What.power: _power,
}
