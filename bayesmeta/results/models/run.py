"""All models of an analysis beyond one pooled effect."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bayesmeta.errors import BayesmetaError
from bayesmeta.results.models.dependence import fit_dependence
from bayesmeta.results.models.given import (
    DEPENDENCE,
    MODERATORS,
    SUBGROUPS,
    ModelInput,
    ModelResults,
    Rows,
    one_line,
)
from bayesmeta.results.models.grouped import fit_nested_subgroups, fit_subgroups
from bayesmeta.results.models.moderators import fit_moderators


def frequentist_models(given: ModelInput, errors: list[str] | None = None) -> ModelResults:
    """Fit every wanted model by the frequentist methods.

    Parameters
    ----------
    given : ModelInput
        Estimates, columns and what is wanted.
    errors : list of str, optional
        Receives a line about each model that fails; by default the first failure is raised.

    Returns
    -------
    ModelResults
        Rows on the model scale, with ``model`` and ``group``; one entry of ``models`` per nesting, formula and column of groups.

    Raises
    ------
    DataError, SpecError
        As in ``regression``, ``subgroups`` and ``multilevel``, unless ``errors`` receives them.
    """
    found = ModelResults([], [])
    tasks: list[tuple[str, str, Callable[[ModelInput, str], tuple[Rows, dict[str, Any]]]]] = []
    if given.wanted.nesting is not None:
        tasks.append((DEPENDENCE, given.wanted.nesting, fit_dependence))
    tasks += [(MODERATORS, formula, fit_moderators) for formula in given.wanted.formulas]
    grouped = fit_subgroups if given.wanted.nesting is None else fit_nested_subgroups
    tasks += [(SUBGROUPS, column, grouped) for column in given.wanted.groupings]
    for kind, model, fit in tasks:
        try:
            rows, values = fit(given, model)
        except BayesmetaError as error:
            if errors is None:
                raise
            errors.append(f"{kind} '{model}': {one_line(str(error))}")
            continue
        found.rows += rows
        found.models.append({"kind": kind, "model": model, **values})
    return found
