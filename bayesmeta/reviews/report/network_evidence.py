"""Tables of the networks of a run: heterogeneity and fit, inconsistency, direct and indirect evidence."""

from __future__ import annotations

import math
from typing import Any

from bayesmeta.reporting.bayes_factors import bayes_factor
from bayesmeta.reporting.numbers import count, estimate, is_missing, number, percent, probability, pvalue
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.report.headings import at_level
from bayesmeta.reviews.report.network_tables import EXACT, frequentist_method, grouped_table, networks
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review


def heterogeneity_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of tau and of the fit of each network, by method."""
    lines = []
    for heading, result, saved in networks(review, results):
        for method, fit in saved["fits"].items():
            found = {row["quantity"]: row for row in fit["heterogeneity"]}
            deviance, q = found.get("residual deviance", {}), found.get("Q", {})
            lines.append(
                {
                    "Network": heading,
                    "Method": method_label(method),
                    "tau": _quantity(found.get("tau")),
                    "tau2": _quantity(found.get("tau2")),
                    "I2": percent(found.get("i2", {}).get("value")),
                    "Residual deviance": number(deviance.get("value"), 1, missing=""),
                    "Data points": count(deviance.get("data"), missing=""),
                    "DIC": number(found.get("dic", {}).get("value"), 1, missing=""),
                    "Q (df)": "" if is_missing(q.get("value")) else f"{number(q['value'], 2)} ({count(q['data'])})",
                    "Priors": _priors(result, method),
                }
            )
    if not lines:
        return None
    notes = (
        f"One tau is that of all contrasts, model scale; posterior median and {at_level(review, 'interval')} of Bayesian methods. Residual "
        "deviance: posterior mean, about one per data point (contrasts, or arms) where the model fits; DIC compares models of the same "
        "data only. I2 of frequentist methods from Q.",
    )
    optional = ("Residual deviance", "Data points", "DIC", "Q (df)", "Priors")
    return grouped_table(review, lines, "networks, heterogeneity and fit", notes, "Network", optional)


def _quantity(row: dict[str, Any] | None) -> str:
    return "" if row is None else estimate(row["value"], row.get("ci_low"), row.get("ci_high"))


def _priors(result: AnalysisResult, method: str) -> str:
    return result.priors.get(method.removeprefix("bayes:"), "") if method.startswith("bayes:") else ""


def inconsistency_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of Q within and between designs, and of the models in which direct and indirect evidence differ."""
    lines = []
    for heading, _, saved in networks(review, results):
        for method, rows in saved["inconsistency"].items():
            label = method_label(method)
            for row in rows:
                bayesian = "model" in row
                lines.append(
                    {
                        "Network": heading,
                        "Test or model": str(row["model"] if bayesian else f"Q {row['part']}"),
                        "Method": label,
                        "Q": number(row.get("q"), 2, missing=""),
                        "df": count(row["df"]) if not bayesian else "",
                        "p": pvalue(row.get("pvalue")),
                        "BF": "" if not bayesian or row["model"] == "consistency" else _bf(row["bf_inconsistency"]),
                        "Residual deviance": number(row.get("residual_deviance"), 1, missing=""),
                        "DIC": number(row.get("dic"), 1, missing=""),
                        "tau": number(row.get("tau"), missing=""),
                    }
                )
    if not lines:
        return None
    notes = (
        "Q between designs is the design-by-treatment test of inconsistency (Higgins et al. 2012); (random): with the heterogeneity within "
        "designs in the weights. BF: exact Bayes factor of a model in which direct and indirect evidence may differ against consistency, "
        f"above 1 for inconsistency; the factors have the prior {_factor_priors(results)}: the wider it is, the more it favours "
        "consistency.",
    )
    return grouped_table(review, lines, "networks, inconsistency", notes, "Network")


def _factor_priors(results: list[AnalysisResult]) -> str:
    found = []
    for result in results:
        for text in result.priors.values():
            if "inconsistency ~ " in text:
                found.append(text.partition("inconsistency ~ ")[2])
    return " or ".join(dict.fromkeys(found)) or "stated"


def _bf(value: Any) -> str:
    return "" if is_missing(value) else bayes_factor(math.log(value) if value > 0 else -math.inf)


def designs_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the parts of Q by design: within each, and between designs when it is detached."""
    lines = []
    for heading, _, saved in networks(review, results):
        parts = {row["part"]: row for row in saved["inconsistency"].get(frequentist_method(saved), ())}
        rows = [
            (row["design"], count(row["studies"]), _q(row, ""), _q(row, "_detached"))
            for row in saved.get("design_tests", ())
        ]
        if rows:
            within, between = (_q(parts[part], "") for part in ("within designs", "between designs"))
            rows.append(("All", count(len(saved["studies"])), within, between))
        for design, trials, own, detached in rows:
            lines.append(
                {
                    "Network": heading,
                    "Design": design.replace(":", " : "),
                    "Trials": trials,
                    "Q within (df)": own[0],
                    "p within": own[1],
                    "Q between without it (df)": detached[0],
                    "p between without it": detached[1],
                }
            )
    if not lines:
        return None
    notes = (
        "Designs: sets of treatments that are compared in a trial. Q within: heterogeneity between the trials of the design, of those with "
        "two or more. Q between without it: what is left of the inconsistency between designs, in the last row, if this design may have "
        "effects of its own; a design that takes most of it away is a source of inconsistency. Blank where nothing is left to compare or "
        "treatments would not be connected. Weights without heterogeneity (Krahn et al. 2013).",
    )
    return grouped_table(review, lines, "networks, inconsistency by design", notes, "Network")


def _q(row: dict[str, Any], suffix: str) -> tuple[str, str]:
    """Return Q with its degrees of freedom, and p; blank without degrees of freedom."""
    q, df = row[f"q{suffix}"], row[f"df{suffix}"]
    return ("", "") if is_missing(q) or not df else (f"{number(q, 2)} ({count(df)})", pvalue(row[f"pvalue{suffix}"]))


def splits_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of direct and indirect evidence on each comparison that has both."""
    lines = []
    for heading, _, saved in networks(review, results):
        exact = {row["comparison"]: row for row in saved["splits"].get(EXACT, ())}
        other = {row["comparison"]: row for row in saved["splits"].get(frequentist_method(saved), ())}
        for name, row in exact.items():
            reverse = " vs ".join(reversed(name.split(" vs ", 1)))
            found = other.get(name) or other.get(reverse) or {}
            lines.append(
                {
                    "Network": heading,
                    "Comparison": name,
                    "Trials": count(found.get("studies"), missing=""),
                    "Direct (sd)": f"{number(row['direct'])} ({number(row['direct_sd'])})",
                    "Indirect (sd)": f"{number(row['indirect'])} ({number(row['indirect_sd'])})",
                    "Difference": estimate(row["difference"], row["ci_low"], row["ci_high"]),
                    "BF": _bf(row["bf_inconsistency"]),
                    "P(inconsistent)": probability(row["prob_inconsistency"]),
                    "p": pvalue(found.get("pvalue")),
                    "Share direct": percent(100 * found["direct_share"]) if found else "",
                }
            )
    if not lines:
        return None
    notes = (
        "Comparisons with direct and indirect evidence, model scale (log for ratios), the first treatment against the second. Bayesian, "
        f"exact on contrasts: posterior means with standard deviations, and {at_level(review, 'interval')} of the difference, direct less "
        "indirect (Dias et al. 2010). BF: of a difference against none, P(inconsistent): its probability at equal prior probabilities. p "
        "and the share of direct evidence: frequentist. Comparisons of one loop are not independent tests.",
    )
    return grouped_table(
        review, lines, "networks, direct and indirect evidence", notes, "Network", ("Trials", "p", "Share direct")
    )
