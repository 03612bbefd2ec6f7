"""Tables and figure of component networks of a run: effects of the components, and whether they add up."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.posterior.method import parse_method
from bayesmeta.reporting.bayes_factors import bayes_factor
from bayesmeta.reporting.numbers import count, estimate, is_missing, number, probability, pvalue
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.results.methods import method_label
from bayesmeta.reviews.report.headings import at_level
from bayesmeta.reviews.report.network_tables import EXACT, Saved, grouped_table, networks, star_notes
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from bayesmeta.reporting.figures.network_forest import NetworkEffect

#: models of ``bm.additivity``, as the table calls them
MODELS = {
    "additive": "additive",
    "deviations": "combinations deviate from the sum",
    "without components": "each treatment by itself",
    "difference": "difference: test of additivity",
}


def components_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the effects of the components of each component network."""
    lines = []
    for heading, _, saved in networks(review, results):
        if "components" not in saved:
            continue
        fits = saved["components"]["fits"]
        exact = {row["component"]: row for row in fits.get(EXACT, ())}
        other = {row["component"]: row for row in next((fits[one] for one in fits if one != EXACT), ())}
        for name, row in (exact or other).items():
            bayes, freq = exact.get(name, {}), other.get(name, {})
            lines.append(
                {
                    "Network": heading,
                    "Component": name if row["identified"] else f"{name} *",
                    "Treatments": count(row["treatments"]),
                    "Trials": count(row["studies"]),
                    "Estimate": _written(saved, bayes, "median"),
                    "P(benefit)": probability(bayes.get("prob_benefit")),
                    "Frequentist": _written(saved, freq, "estimate"),
                    "p": pvalue(freq.get("pvalue")),
                }
            )
    if not lines:
        return None
    notes = [
        f"What each component adds to a treatment, natural scale: the effect of a treatment is the {_sums(review, results)}. Against: "
        f"{_inactive(review, results)}. Estimate: posterior median, {at_level(review, 'interval')}, exact on contrasts. Treatments that "
        "have the component, trials whose arms differ in it. A*B: the additional effect of the two together.",
    ]
    notes += star_notes(lines, "Component")
    optional = ("P(benefit)", "Frequentist", "p")
    return grouped_table(review, lines, "networks, components", tuple(notes), "Network", optional)


def _sums(review: Review, results: list[AnalysisResult]) -> str:
    logs = [MEASURES[saved["measure"]].log for _, _, saved in networks(review, results) if "components" in saved]
    if all(logs):
        return "product of those of its components"
    return "sum of those of its components" + (", for ratios their product" if any(logs) else "")


def _inactive(review: Review, results: list[AnalysisResult]) -> str:
    """Write what components are against, by network where they differ."""
    found = {
        result.id: saved["components"]["inactive"] or "treatments without it"
        for _, result, saved in networks(review, results)
        if "components" in saved
    }
    if len(set(found.values())) == 1:
        return next(iter(found.values()))
    return "; ".join(f"{name} {inactive}" for name, inactive in found.items())


def _written(saved: Saved, row: dict[str, Any], middle: str) -> str:
    shown = [_natural(saved, row.get(key)) for key in (middle, "ci_low", "ci_high")]
    return estimate(shown[0], shown[1], shown[2])


def _natural(saved: Saved, value: Any) -> float:
    if is_missing(value):
        return math.nan
    return math.exp(value) if MEASURES[saved["measure"]].log else float(value)


def additivity_table(review: Review, results: list[AnalysisResult]) -> Table | None:
    """Return the table of the tests of additivity: Bayes factors against other networks, and Q."""
    lines, priors = [], []
    for heading, _, saved in networks(review, results):
        tests = saved["components"]["additivity"] if "components" in saved else {}
        for method, rows in tests.items():
            if method == EXACT:
                priors.append(saved["components"]["prior"])
            lines += [_additivity_line(heading, method, row) for row in rows]
    if not lines:
        return None
    notes = (
        "Whether treatments are the sums of their components. The difference of Q between the additive network and that in which each "
        "treatment has an effect of its own is the test of additivity (Rücker et al. 2020), without heterogeneity in the weights. BF: "
        "exact Bayes factor of the additive network against the model of the row, above 1 for additivity. Deviations have the prior "
        f"{' or '.join(dict.fromkeys(priors)) or 'stated'}; the wider the priors of the larger model, the more it favours additivity. "
        "Networks that only components connect have no model in which each treatment is by itself.",
    )
    return grouped_table(review, lines, "networks, additivity of components", notes, "Network")


def _additivity_line(heading: str, method: str, row: dict[str, Any]) -> dict[str, str]:
    model = row["model"] if "model" in row else row["part"]
    against = row.get("bf_additivity") if model != "additive" else None
    return {
        "Network": heading,
        "Model": MODELS[model],
        "Method": method_label(method),
        "Q": number(row.get("q"), 2, missing=""),
        "df": count(row["df"]) if "df" in row else "",
        "p": pvalue(row.get("pvalue")),
        "Further parameters": count(row["parameters"]) if "parameters" in row else "",
        "BF for additivity": ""
        if against is None or is_missing(against)
        else bayes_factor(math.log(against) if against else -math.inf),
        "Residual deviance": number(row.get("residual_deviance"), 1, missing=""),
        "DIC": number(row.get("dic"), 1, missing=""),
        "tau": number(row.get("tau"), missing=""),
    }


def not_identified(saved: Saved) -> list[str]:
    """Return a note on the components that the data do not tell apart from others; none for other networks."""
    rows: list[dict[str, Any]] = []
    if "components" in saved:
        rows = next(iter(saved["components"]["fits"].values()), [])
    missing = [row["component"] for row in rows if not row["identified"]]
    return (
        [f"Not identified by the data, Bayesian estimates depend on the prior: {', '.join(missing)}"] if missing else []
    )


def component_effects(saved: Saved) -> list[NetworkEffect]:
    """Return the effects of the components by each method, natural scale; those that have an estimate."""
    from bayesmeta.reporting.figures.network_forest import NetworkEffect

    found = []
    for method, rows in saved["components"]["fits"].items():
        bayes = parse_method(method) is not None
        for row in rows:
            middle, low, high = (
                _natural(saved, row[key]) for key in ("median" if bayes else "estimate", "ci_low", "ci_high")
            )
            if not math.isnan(middle):
                look = "bayes" if bayes else "frequentist"
                found.append(
                    NetworkEffect(
                        row["component"],
                        method_label(method),
                        middle,
                        low,
                        high,
                        studies=int(row["studies"]),
                        look=look,
                    )
                )
    return found


def components_figure(saved: Saved, texts: dict[str, Any]) -> Callable[..., Figure]:
    """Return what draws the forest plot of the components."""
    from bayesmeta.reporting.figures.network_forest import network_forest_figure

    against, side = saved["components"]["inactive"] or "without it", saved["better"]
    words = ("favours the component", f"favours {against}" if saved["components"]["inactive"] else "favours none")
    return partial(network_forest_figure,
        component_effects(saved), reference=against, measure=saved["measure"], log=MEASURES[saved["measure"]].log,
        level=saved["level"], favours=("", "") if not side else words if side == "lower" else words[::-1], header="Component",
        counted="Trials", xlabel=f"{saved['measure']} of a component", **texts,
    )  # fmt: skip
