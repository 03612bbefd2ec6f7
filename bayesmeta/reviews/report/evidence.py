"""Tables of evidence, of sensitivity to the prior for tau, and of the convergence and agreement of the engines."""

from __future__ import annotations

import re

from bayesmeta.posterior.method import AVERAGED, parse_method
from bayesmeta.reporting.bayes_factors import bayes_factor
from bayesmeta.reporting.numbers import estimate, interval, is_missing, number, probability, significant
from bayesmeta.reporting.tables.layout import NOTE, Table
from bayesmeta.results.methods import bayesian_parts, method_label
from bayesmeta.reviews.agreement import run_agreement
from bayesmeta.reviews.report.headings import Row, at_level, headings, main_rows, prior_set
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

#: columns of the evidence table; blank where an average is undefined, with the reason as the note of the row
EVIDENCE = (
    "BF effect", "BF heterogeneity", "P(effect)", "P(heterogeneity)", "Averaged estimate", "Prediction interval"
)  # fmt: skip


def _evidence(row: Row) -> dict[str, str]:
    """Return the cells of ``EVIDENCE`` of an averaged row."""
    return dict(
        zip(
            EVIDENCE,
            (
                bayes_factor(row["log_bf_effect"]),
                bayes_factor(row["log_bf_heterogeneity"]),
                probability(row["prob_effect"]),
                probability(row["prob_heterogeneity"]),
                estimate(row["estimate"], row["ci_low"], row["ci_high"]),
                interval(row["pi_low"], row["pi_high"]),
            ),
            strict=True,
        )
    )


def evidence_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of Bayes factors for an effect and for heterogeneity, with the effect averaged over the models."""
    import pandas as pd

    heading = headings(review)
    lines = []
    for result in results:
        for row in main_rows(result):
            method = parse_method(row["method"])
            if method is None or method.engine != AVERAGED:
                continue
            known = not is_missing(row.get("log_bf_effect"))
            lines.append(
                {
                    "Analysis": heading[result.id],
                    "Likelihood": (bayesian_parts(str(row["method"])) or ("",))[0],
                    **(_evidence(row) if known else dict.fromkeys(EVIDENCE, "")),
                    NOTE: row.get("note") or "",
                }
            )
    if not lines:
        return None
    notes = (
        "Four models, with prior probability 1/4 each: no effect or an effect with the prior of mu, and no heterogeneity or tau "
        "with its prior. BF: inclusion Bayes factors, above 1 in favour; exact, from marginal likelihoods by quadrature. They depend on "
        "the priors: the wider that of mu, the more evidence an effect needs.",
        f"Averaged over the models: posterior mean and equal-tailed {at_level(review, 'interval')}, natural scale.",
    )
    return Table(
        pd.DataFrame(lines),
        f"{review.title}: evidence for an effect and for heterogeneity",
        notes,
        "Analysis",
        review.notice,
    )


def priors_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of sensitivity to the prior for tau: the normal likelihood under main and alternative priors."""
    heading = headings(review)
    lines = []
    for result in results:
        for nesting, rows in _exact_rows(result).items():
            if all(prior_set(method) == "" for method in rows):
                continue
            title = f"{heading[result.id]}{f': {nesting}' if nesting else ''}"
            for method, terms in rows.items():
                mu, tau = terms["mu"], terms["tau"]
                main = prior_set(method) == ""
                priors = result.priors.get("normal", "") if main else mu["priors"]
                lines.append(
                    {
                        "Analysis": title,
                        "Priors": prior_set(method) or "main",
                        "Prior of tau": _heterogeneity_prior(str(priors)),
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
        f"{at_level(review, 'credible interval')}, natural scale; tau on the model scale.",
    )
    return Table(
        pd.DataFrame(lines), f"{review.title}: sensitivity to the heterogeneity prior", notes, "Analysis", review.notice
    )


def _exact_rows(result: AnalysisResult) -> dict[str, dict[str, dict[str, Row]]]:
    """Return the rows of the normal likelihood by quadrature: of one pooled effect (""), and of each nesting; by method and term."""
    nestings = {model["model"] for model in result.models if model["kind"] == "dependence"}
    found: dict[str, dict[str, dict[str, Row]]] = {}
    for row in result.rows:
        method = parse_method(row["method"])
        model = "" if is_missing(row.get("model")) else str(row["model"])
        if (
            method is None
            or (method.likelihood, method.engine) != ("normal", "quadrature")
            or model not in {"", *nestings}
        ):
            continue
        found.setdefault(model, {}).setdefault(str(row["method"]), {})[str(row["term"])] = row
    return found


def _heterogeneity_prior(priors: str) -> str:
    """Return the prior for tau out of a text of priors; one for tau2 keeps its name."""
    last = re.split(r", (?=tau2? ~ )", priors)[-1]
    return re.split(r", (?=\w+ ~ )", last)[0].removeprefix("tau ~ ")


def engines_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of convergence of the sampler and of its difference from the exact posterior, where there is one."""
    import pandas as pd

    lines = []
    for result in results:
        agreement = {(entry.get("model", ""), entry["likelihood"]): entry for entry in result.agreement}
        for diagnostic in result.diagnostics:
            method = parse_method(diagnostic["method"])
            model = "" if is_missing(diagnostic.get("model")) else str(diagnostic["model"])
            known = agreement.get((model, method.likelihood)) if method else None
            lines.append(
                {
                    "Analysis": f"{result.id}: {model}" if model else result.id,
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
    agreement_of_run = run_agreement(results)
    chance = f"; one of 1,000 runs has one above {agreement_of_run.limit:.1f} by chance" if agreement_of_run else ""
    notes = (
        "R-hat: the worst, ESS: the least, over all variables of the model. The gate: R-hat below 1.01, bulk and tail ESS above 400, "
        "no divergences.",
        "From exact posterior: the largest difference between draws and quadrature in mean, sd and the ends of the 95% interval of mu "
        "(the coefficients), "
        "tau, the effect in a new study and the effect in each study, in Monte Carlo standard errors (MCSE)"
        f"{chance}. Blank where only one engine was run.",
    )
    return Table(
        pd.DataFrame(lines), f"{review.title}: convergence and agreement of the two engines", notes, None, review.notice
    )
