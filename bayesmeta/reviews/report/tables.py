"""Tables of a paper, made from the results of a run."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from bayesmeta.posterior.method import AVERAGED, BayesianMethod, parse_method
from bayesmeta.reporting.numbers import estimate, interval, number, probability, significant
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.reporting.tables.results import comparison_table, main_notes, main_table
from bayesmeta.reporting.tables.studies import arm_data, study_table
from bayesmeta.results.methods import bayesian_parts, method_label
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

if TYPE_CHECKING:
    import pandas as pd


def review_tables(review: Review, results: list[AnalysisResult]) -> dict[str, Table]:
    """Return the tables of a run by name: main, methods, studies, and unless they are empty evidence, priors and engines.

    Parameters
    ----------
    review : Review
        The review, for titles, notice and order.
    results : list of AnalysisResult
        Results of its analyses.

    Returns
    -------
    dict of str to Table
        Tables that have a row.
    """
    found = {
        "main": _main(review, results),
        "methods": _methods(review, results),
        "studies": _studies(review, results),
        "evidence": _evidence(review, results),
        "priors": _priors(review, results),
        "engines": _engines(review, results),
    }
    return {name: table for name, table in found.items() if table is not None}


def _headings(review: Review) -> dict[str, str]:
    """Return what an analysis is called in the row groups of the longer tables, with its level where levels differ."""
    shared = _shared_level(review)
    found = {}
    for analysis in review.analysis:
        time = f", {analysis.time}" if analysis.time else ""
        level = f"{100 * review.level_of(analysis):g}% CI" if shared is None else ""
        details = "; ".join(filter(None, [analysis.comparison, analysis.measure, level]))
        found[analysis.id] = f"{analysis.id} {analysis.outcome}{time} ({details})"
    return found


def _shared_level(review: Review) -> float | None:
    """Return the level of the intervals of every analysis; None where levels differ."""
    levels = {review.level_of(analysis) for analysis in review.analysis}
    return levels.pop() if len(levels) == 1 else None


def _at_level(review: Review, intervals: str) -> str:
    """Write intervals with their level: "95% intervals", or where to find it where levels differ."""
    level = _shared_level(review)
    return f"{intervals} at the level beside each analysis" if level is None else f"{100 * level:g}% {intervals}"


Row = dict[str, Any]


def _rows(result: AnalysisResult) -> tuple[list[Row], list[Row]]:
    """Return the tidy rows under the main priors, and those under alternative priors."""
    alternative = [_prior_set(row["method"]) != "" for row in result.rows]
    main = [row for row, other in zip(result.rows, alternative, strict=True) if not other]
    return main, [row for row, other in zip(result.rows, alternative, strict=True) if other]


def _prior_set(method: str) -> str:
    """Return the name of the alternative priors of a method; "" for the main ones and for frequentist methods."""
    found = parse_method(method)
    return found.priors if found else ""


def _main(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the main table: one row per analysis, with the Bayesian estimate of its primary method."""
    import pandas as pd

    rows: list[Row] = []
    for result in results:
        main, _ = _rows(result)
        rows += [row for row in main if row["method"] == result.primary]
        rows += [row for row in main if parse_method(row["method"]) is None]
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    shown = main_table(frame)
    own_levels = {
        analysis.id: f"{100 * analysis.level:g}% CI"
        for analysis in review.analysis
        if analysis.level not in (None, review.settings.level)
    }
    level = _shared_level(review)
    note: tuple[str, ...] = ()
    if level is None:
        own = [own_levels.get(name, "") for name in shown["Analysis"]]
        notes = shown[NOTE] if NOTE in shown else [""] * len(shown)
        shown[NOTE] = [". ".join(filter(None, parts)) for parts in zip(own, notes, strict=True)]
        note = ("A level in the column of notes, such as 99% CI, is that of all intervals of its row.",)
    grouped = shown["Comparison"].ne("").any()
    if not grouped:
        shown = shown.drop(columns="Comparison")
    return Table(
        shown,
        review.title,
        (*main_notes(frame, level=level or review.settings.level), *note, *_mid_note(review)),
        "Comparison" if grouped else None,
        review.notice,
    )


def _mid_note(review: Review) -> tuple[str, ...]:
    """Return a note that lists the minimal important differences used; none if there are none."""
    stated = [f"{measure} {value:g}" for measure, value in review.mid.items()]
    stated += [f"analysis {analysis.id}: {analysis.mid:g}" for analysis in review.analysis if analysis.mid is not None]
    return (f"Minimal important differences, turned to the side of benefit: {', '.join(stated)}.",) if stated else ()


def _methods(review: Review, results: list[AnalysisResult]) -> Table | None:
    import pandas as pd

    heading = _headings(review)
    frames = []
    for result in results:
        main, _ = _rows(result)
        if main:
            frames.append(
                comparison_table(pd.DataFrame(main), level=_shared_level(review)).assign(Analysis=heading[result.id])
            )
    if not frames:
        return None
    frame = pd.concat(frames, ignore_index=True).fillna("")
    notes = (
        f"Natural scale, {_at_level(review, 'intervals')}. Bayesian rows: posterior median, equal-tailed interval, "
        "effect in a new study. Averaged over models: posterior mean; the models are those of the evidence table.",
        "Frequentist prediction intervals: Higgins-Thompson-Spiegelhalter, t with k - 2 degrees of freedom; after Hartung-Knapp, k - 1.",
    )
    return Table(
        _front(frame, "Analysis"), f"{review.title}: all methods side by side", notes, "Analysis", review.notice
    )


def _front(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    return frame[[column, *(name for name in frame.columns if name != column)]]


def _studies(review: Review, results: list[AnalysisResult]) -> Table | None:
    import pandas as pd

    heading = _headings(review)
    measures = {analysis.id: analysis.measure for analysis in review.analysis}
    frames = [
        study_table(pd.DataFrame(result.studies), level=_shared_level(review), measure=measures[result.id]).assign(
            Analysis=heading[result.id]
        )
        for result in results
        if result.studies
    ]
    if not frames:
        return None
    frame = pd.concat(frames, ignore_index=True).fillna("")
    names = [name for name in frame.columns if name != "Note"] + (["Note"] if "Note" in frame else [])
    rates = any(arm_data(result.studies, measures[result.id]) == "rates" for result in results)
    notes = (
        f"Arms: events/participants, {'events/person-time, ' if rates else ''}or mean (SD), participants. Weight: DerSimonian-Laird, "
        "percent. Shrunken estimate: the study's effect in the Bayesian model shown in the main table.",
    )
    return Table(_front(frame[names], "Analysis"), f"{review.title}: the studies", notes, "Analysis", review.notice)


def _evidence(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of Bayes factors for an effect and for heterogeneity, with the effect averaged over the models."""
    import pandas as pd

    heading = _headings(review)
    lines = []
    for result in results:
        for row in result.rows:
            known = row.get("bf_effect")
            method = parse_method(row["method"])
            if method is None or method.engine != AVERAGED or known is None or known != known:
                continue
            lines.append(
                {
                    "Analysis": heading[result.id],
                    "Likelihood": (bayesian_parts(str(row["method"])) or ("",))[0],
                    "BF effect": _bayes_factor(row["bf_effect"]),
                    "BF heterogeneity": _bayes_factor(row["bf_heterogeneity"]),
                    "P(effect)": probability(row["prob_effect"]),
                    "P(heterogeneity)": probability(row["prob_heterogeneity"]),
                    "Averaged estimate": estimate(row["estimate"], row["ci_low"], row["ci_high"]),
                    "Prediction interval": interval(row["pi_low"], row["pi_high"]),
                }
            )
    if not lines:
        return None
    notes = (
        "Four models, with prior probability 1/4 each: no effect or an effect with the prior of mu, and no heterogeneity or tau "
        "with its prior. BF: inclusion Bayes factors, above 1 in favour; exact, from marginal likelihoods by quadrature. They depend on "
        "the priors: the wider that of mu, the more evidence an effect needs.",
        f"Averaged over the models: posterior mean and equal-tailed {_at_level(review, 'interval')}, natural scale.",
    )
    return Table(
        pd.DataFrame(lines),
        f"{review.title}: evidence for an effect and for heterogeneity",
        notes,
        "Analysis",
        review.notice,
    )


def _bayes_factor(value: float) -> str:
    """Write a Bayes factor with three significant digits, or as a power of ten if it is very large or small."""
    return significant(value, 3) if 1e-3 < value < 1e5 else f"{value:.1e}".replace("e+", "e")


def _priors(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of sensitivity to the prior for tau: the normal likelihood under main and alternative priors."""
    heading = _headings(review)
    lines = []
    for result in results:
        main, alternatives = _rows(result)
        if not alternatives:
            continue
        exact = [
            {**row, "priors": result.priors.get("normal", "")}
            for row in main
            if parse_method(row["method"]) == BayesianMethod("normal", "quadrature")
        ]
        fits: dict[str, dict[str, Row]] = {}
        for row in [*exact, *alternatives]:
            fits.setdefault(row["method"], {})[row["term"]] = row
        for method, terms in fits.items():
            mu, tau = terms["mu"], terms["tau"]
            lines.append(
                {
                    "Analysis": heading[result.id],
                    "Priors": _prior_set(method) or "main",
                    "Prior of tau": _heterogeneity_prior(str(mu["priors"])),
                    "Estimate": estimate(mu["estimate"], mu["ci_low"], mu["ci_high"]),
                    "tau": estimate(tau["estimate"], tau["ci_low"], tau["ci_high"]),
                    "Prediction interval": interval(mu["pi_low"], mu["pi_high"]),
                }
            )
    if not lines:
        return None
    import pandas as pd

    notes = (
        "Normal likelihood, exact posterior by quadrature: median and "
        f"{_at_level(review, 'credible interval')}, natural scale; tau on the model scale.",
    )
    return Table(
        pd.DataFrame(lines), f"{review.title}: sensitivity to the heterogeneity prior", notes, "Analysis", review.notice
    )


def _heterogeneity_prior(priors: str) -> str:
    """Return the prior for tau out of a text of priors; one for tau2 keeps its name."""
    return re.split(r", (?=tau2? ~ )", priors)[-1].removeprefix("tau ~ ")


def _engines(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of convergence of the sampler and of its difference from the exact posterior, where there is one."""
    import pandas as pd

    lines = []
    for result in results:
        agreement = {entry["likelihood"]: entry for entry in result.agreement}
        for diagnostic in result.diagnostics:
            method = parse_method(diagnostic["method"])
            known = agreement.get(method.likelihood) if method else None
            lines.append(
                {
                    "Analysis": result.id,
                    "Method": method_label(diagnostic["method"]),
                    "Draws": f"{diagnostic['chains']} x {diagnostic['draws']}",
                    "Attempts": str(diagnostic["attempts"]),
                    "R-hat": number(diagnostic["r_hat"], 4),
                    "Bulk ESS": number(diagnostic["ess_bulk"], 0),
                    "Tail ESS": number(diagnostic["ess_tail"], 0),
                    "Divergences": str(diagnostic["divergences"]),
                    "From exact posterior (MCSE)": significant(known["worst_mcse"], 2) if known else "",
                }
            )
    if not lines:
        return None
    limits = [entry["limit_mcse"] for result in results for entry in result.agreement]
    chance = f"; one of 1,000 runs has one above {max(limits):.1f} by chance" if limits else ""
    notes = (
        "R-hat: the worst, ESS: the least, over all variables of the model. The gate: R-hat below 1.01, bulk and tail ESS above 400, "
        "no divergences.",
        "From exact posterior: the largest difference between draws and quadrature in mean, sd and the ends of the 95% interval of mu, "
        "tau, the effect in a new study and the effect in each study, in Monte Carlo standard errors (MCSE)"
        f"{chance}. Blank where only one engine was run.",
    )
    return Table(
        pd.DataFrame(lines), f"{review.title}: convergence and agreement of the two engines", notes, None, review.notice
    )
