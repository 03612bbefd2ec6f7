"""All models of an analysis beyond one pooled effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayesmeta.errors import BayesmetaError
from bayesmeta.reviews.models.dependence import fit_dependence
from bayesmeta.reviews.models.given import (
    DEPENDENCE,
    MODERATORS,
    SUBGROUPS,
    ModelInput,
    ModelResults,
    Rows,
    in_keys,
)
from bayesmeta.reviews.models.grouped import fit_nested_subgroups, fit_subgroups
from bayesmeta.reviews.models.moderators import fit_moderators


def frequentist_models(given: ModelInput) -> ModelResults:
    """Fit every model that the keys of an analysis name by the frequentist methods; a model that fails is recorded.

    Returns
    -------
    ModelResults
        Rows on the model scale, with ``model`` and ``group``; one entry of ``models`` per formula, column of groups and nesting.
    """
    found = ModelResults([], [], [])
    tasks: list[tuple[str, str, Callable[[ModelInput, str], tuple[Rows, dict[str, Any]]]]] = []
    if given.keys.nesting is not None:
        tasks.append((DEPENDENCE, given.keys.nesting, fit_dependence))
    tasks += [(MODERATORS, formula, fit_moderators) for formula in given.keys.formulas]
    grouped = fit_subgroups if given.keys.nesting is None else fit_nested_subgroups
    tasks += [(SUBGROUPS, column, grouped) for column in given.keys.groupings]
    for kind, model, fit in tasks:
        try:
            rows, values = fit(given, model)
        except BayesmetaError as error:
            found.errors.append(f"{kind} '{model}': {in_keys(str(error))}")
            continue
        found.rows += rows
        found.models.append({"kind": kind, "model": model, **values})
    return found
