"""One outcome with several categories of a review: fitted, and its result as plain values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from bayesmeta.categories.fit import categories
from bayesmeta.categories.result import RD, RR, CategoryFit
from bayesmeta.categories.separate import separate_ratios
from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.method import BayesianMethod
from bayesmeta.results.rows import tidy_frame
from bayesmeta.reviews.categories_keys import Categories
from bayesmeta.reviews.model_checks import KIND as CHECKS
from bayesmeta.reviews.model_checks import REPLICATIONS
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.studies.categories import CategoryTable
from bayesmeta.studies.read_categories import read_categories
from bayesmeta.support.frames import records

#: kind of the models in a result, and names of likelihoods in the ids of methods; that of ordered categories has the link too
KIND, MULTINOMIAL, TRANSITIONS, ORDERED = "categories", "multinomial", "transitions", "ordered"
#: measure of the effects on ordered categories, by link
LINK_MEASURES = {"probit": "SMD", "logit": "OR"}


def read_counts(keys: Categories, folder: Path) -> CategoryTable:
    """Read the table of an outcome with categories.

    Raises
    ------
    DataError, SpecError
        If it cannot be used.
    """
    return read_categories(
        folder / keys.data,
        columns=keys.columns,
        treatments=keys.treatments,
        categories=keys.categories or None,
        lumps=keys.lumps,
    )


def run_categories(
    keys: Categories, engine: str, seed: int, level: float, folder: Path,
    save_fit: Callable[[str, CategoryFit, str], None] | None = None, *, checks: bool = True,
) -> AnalysisResult:  # fmt: skip
    """Fit an outcome with categories: the multinomial by NUTS, or its normal approximation where only quadrature is wanted.

    Parameters
    ----------
    keys : Categories
        Keys of the outcome.
    engine : str
        Engine of the review: "both", "nuts" or "quadrature".
    seed : int
        Seed of the review.
    level : float
        Level of the intervals.
    folder : pathlib.Path
        Folder of the data files.
    save_fit : callable, optional
        Called with the method, the fit and "".
    checks : bool
        Whether the fit is checked.

    Returns
    -------
    AnalysisResult
        Rows of RR and RD of every treatment and category, ``group`` being "PIP vs control", and of ordered categories of the effect on
        the latent variable (SMD of the probit link, OR of the logit link); in ``models`` what tables and figures need.

    Raises
    ------
    DataError, SpecError
        If the table cannot be used at all.
    """
    table = read_counts(keys, folder)
    result = AnalysisResult(keys.id)
    chosen = "quadrature" if engine == "quadrature" else "nuts"
    if keys.outcome_order and engine == "quadrature":
        result.errors.append(
            'ordered categories (outcome_order) are fitted by NUTS, which engine = "quadrature" excludes; choose "nuts" or "both", or '
            "leave outcome_order out for the normal approximation of categories without order"
        )
        return result
    first, *more = keys.reference or (None,)
    try:
        fit = categories(
            table, reference=first, engine=chosen, priors=keys.priors, seed=seed,
            outcome_order=keys.outcome_order or None, link=keys.link,
        )  # fmt: skip
        fits = [fit, *(fit.against(str(name)) for name in more)]
    except BayesmetaError as error:
        result.errors.append(" ".join(str(error).split()))
        return result
    likelihood = f"{ORDERED} {fit.link}" if fit.link else TRANSITIONS if table.before else MULTINOMIAL
    method = BayesianMethod(likelihood, chosen).id
    if save_fit:
        save_fit(method, fit, "")
    result.priors[likelihood] = _priors_text(fit)
    if fit.diagnostics:
        result.diagnostics.append({"method": method, "model": KIND, **dict(fit.diagnostics)})
    rows: list[dict[str, Any]] = []
    for one in fits:
        shown = set(one.others) - {other.reference for other in fits[: fits.index(one)]}
        summary = records(one.summary(level=level))
        rows += [
            _row(keys, method, one, row) for row in summary if row["measure"] in (RR, RD) and row["treatment"] in shown
        ]
        rows += [_row(keys, method, one, row) for row in _link_rows(one, level) if row["treatment"] in shown]
        result.models.append(_model(keys, method, one, summary, shown, level))
    if checks:
        result.models.append(_checks(fit, method))
    frame = tidy_frame(rows).assign(comparison=keys.comparison, outcome=keys.outcome, time=keys.time)
    result.rows.extend(records(frame))
    return result


def _checks(fit: CategoryFit, method: str) -> dict[str, Any]:
    """Return the predictive checks and the residual deviances of the fit as an entry of the result."""
    return {
        "kind": CHECKS, "model": KIND, "method": method, "predictive": records(fit.predictive_checks(draws=REPLICATIONS)),
        "deviance": records(fit.deviances()),
    }  # fmt: skip


def _priors_text(fit: CategoryFit) -> str:
    texts = fit.priors.to_dict()
    texts.pop("inconsistency")
    return ", ".join(f"{name} ~ {prior}" for name, prior in texts.items())


def _link_rows(fit: CategoryFit, level: float) -> list[dict[str, Any]]:
    """Return a summary per treatment of the effects on ordered categories, odds ratios on the natural scale; none without an order."""
    if not fit.link:
        return []
    shape = np.exp if fit.link == "logit" else np.positive
    ends = ("estimate", "ci_low", "ci_high", "pi_low", "pi_high")
    known = {"given": "", "term": f"towards {fit.table.categories[-1]}", "measure": LINK_MEASURES[fit.link]}
    return [
        row | known | {name: float(shape(row[name])) for name in ends} for row in records(fit.link_effects(level=level))
    ]


def _row(keys: Categories, method: str, fit: CategoryFit, row: dict[str, Any]) -> dict[str, Any]:
    """Return a tidy row of one category, or of the effect on ordered categories, on the natural scale."""
    term = f"{row['term']} | {row['given']}" if row["given"] else row["term"]
    direct = {fit.reference, row["treatment"]}
    studies = [rows for rows in fit.table.rows_by_study().values() if direct <= {fit.table.treatments[i] for i in rows}]
    return {
        "analysis": keys.id, "method": method, "measure": row["measure"], "term": term, "estimate": row["estimate"], "se": row["sd"],
        "ci_low": row["ci_low"], "ci_high": row["ci_high"], **{end: row[end] for end in ("pi_low", "pi_high") if end in row},
        "tau": float(np.median(fit.tau)), "tau2": float(np.median(fit.tau**2)),
        "k": len(studies), "n": float(sum(fit.table.n[i] for rows in studies for i in rows if fit.table.treatments[i] in direct)),
        "r_hat": row["r_hat"], "ess_bulk": row["ess"], "model": KIND, "group": f"{row['treatment']} vs {fit.reference}",
        "scale": "natural", "se_scale": "log" if row["measure"] == LINK_MEASURES["logit"] else "natural", "note": "",
    }  # fmt: skip


def _model(
    keys: Categories, method: str, fit: CategoryFit, summary: list[dict[str, Any]], shown: set[str], level: float
) -> dict[str, Any]:
    """Return what tables and figures need of the comparisons with one reference."""
    separate = separate_ratios(fit, level)
    together = {name: fit.probability(keys.together, name) for name in fit.others} if keys.together else {}
    new = {name: fit.probability(keys.together, name, new_study=True) for name in together}
    margins = records(fit.margins(level=level)) if fit.engine == "nuts" else []
    tau = np.quantile(fit.tau, [0.5, 0.5 - level / 2, 0.5 + level / 2])
    return {
        "kind": KIND, "model": KIND, "method": method, "reference": fit.reference, "treatments": list(fit.treatments),
        "shown": [name for name in fit.others if name in shown], "terms": list(fit.terms), "categories": list(fit.table.categories),
        "before": list(fit.table.before), "summary": [row for row in summary if row["treatment"] in {fit.reference, *fit.others}],
        "separate": separate.to_dict("records"), "why": separate.attrs["why"], "sides": dict(keys.together), "together": together,
        "together_new": new, "margins": margins, "tau": [float(value) for value in tau],
        "link": fit.link, "shift": _link_rows(fit, level), "studies": len(set(fit.table.studies)),
        "participants": int(fit.table.n.sum()), "level": level,
    }  # fmt: skip
