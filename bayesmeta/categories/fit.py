"""The public fit of an outcome with several categories."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bayesmeta.categories.arguments import check_baseline, checked_link, checked_priors
from bayesmeta.categories.arms import in_order, reference_of
from bayesmeta.categories.baseline import POOLED
from bayesmeta.categories.ordered import sample_ordered
from bayesmeta.categories.result import CategoryFit
from bayesmeta.categories.sampled import sample_categories, solve_categories
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.studies.categories import CategoryTable
from bayesmeta.studies.read_categories import as_categories
from bayesmeta.support.arguments import check_seed
from bayesmeta.support.versions import versions

if TYPE_CHECKING:
    import pandas as pd

ENGINES = {"nuts": sample_categories, "quadrature": solve_categories}


def categories(
    data: CategoryTable | pd.DataFrame | str | os.PathLike[str],
    *,
    reference: str | None = None,
    engine: str = "nuts",
    priors: Mapping[str, str | Prior] | None = None,
    outcome_order: Sequence[str] | None = None,
    link: str | None = None,
    baseline: str | Mapping[str, float] = POOLED,
    baseline_n: float | None = None,
    seed: int = 1,
    columns: Mapping[str, str] | None = None,
    treatments: Mapping[str, str] | None = None,
    categories: Sequence[str] | None = None,
    before: Sequence[str] | None = None,
    lumps: Mapping[str, Sequence[str]] | None = None,
) -> CategoryFit:
    """Fit an outcome with several categories as one multinomial outcome, or change between categories as one transition model.

    Parameters
    ----------
    data : CategoryTable, pandas.DataFrame or path
        Counts of each arm by category; with categories before treatment the model is that of change (``read_categories``).
    reference : str, optional
        Treatment against which the others are compared; by default "control", else the first by name. The model does not depend on it.
    engine : {"nuts", "quadrature"}
        "nuts" for the multinomial likelihood; "quadrature" for its normal approximation, log ratios with 1/2 added to every count, which
        needs no sampling and is rough where categories have few participants.
    priors : mapping of str to str or Prior, optional
        Priors by parameter: "d", of the effect of a treatment against another on every log odds of two categories, Normal with mean 0;
        "tau" or "tau2", of its standard deviation between trials; "baseline", of every log odds of two categories in a trial, Normal with
        mean 0. The defaults are those of log odds ratios, and Normal(0, 10) for the baseline, Normal(0, 2.5) in a model of change.
    outcome_order : sequence of str, optional
        Names of the categories from the lowest to the highest: the model is that of ordered categories, in which a treatment moves a latent
        variable by one amount whatever the category. ``fit.effects`` has these amounts.
    link : {"probit", "logit"}, optional
        Link of ordered categories, by default "probit". The default priors are those of SMD for the probit and of log odds ratios for the
        logit, and Normal(0, 10) for the baseline of a trial, its share above the lowest category.
    baseline : "pooled" or mapping of str to float
        Distribution under the reference at which risks are compared: that of all participants of the reference arms together, with its
        uncertainty; or stated, as in ``{"secure": 0.3, "avoidant": 0.3, "disorganised": 0.4}`` (of changes:
        ``{"insecure to secure": 0.1, ...}``).
    baseline_n : float, optional
        Participants from whom a stated baseline was estimated, for its uncertainty; None: it is known exactly.
    seed : int
        Seed of NUTS and of draws.
    columns, treatments, categories, before, lumps
        As in ``read_categories``, for files and frames.

    Returns
    -------
    CategoryFit
        Risks, risk ratios and risk differences of all categories together.

    Raises
    ------
    DataError
        If the table cannot be used, or the treatments are not connected by trials.
    SpecError
        If an option, a name or a prior is unknown.
    ConvergenceError
        If the chains do not converge.

    Notes
    -----
    The model is in ``models/attachment_multinomial.py``, that of change in ``models/attachment_transition.py``, that of ordered
    categories in ``models/ordered_categories.py``.
    """
    check_seed(seed)
    if engine not in ENGINES:
        raise unknown_name("engine", engine, ENGINES)
    table = in_order(
        as_categories(data, columns=columns, treatments=treatments, categories=categories, before=before, lumps=lumps)
    )
    ordered_by = checked_link(link, outcome_order)
    name = reference_of(table, reference)
    if outcome_order is not None:
        table = table.reordered(outcome_order)
        if engine != "nuts":
            raise SpecError("ordered categories have the multinomial likelihood only; leave engine= out")
    chosen = checked_priors(priors, engine, ordered_by)
    check_baseline(baseline, baseline_n, table, seed)
    if ordered_by:
        sampled = sample_ordered(table, name, chosen, seed, ordered_by)
    else:
        sampled = ENGINES[engine](table, name, chosen, seed)
    return CategoryFit(
        table, name, chosen, sampled.treatments, sampled.effects, sampled.fitted, engine, sampled.diagnostics,
        baseline if isinstance(baseline, str) else dict(baseline), baseline_n, seed, versions(), ordered_by,
    )  # fmt: skip
