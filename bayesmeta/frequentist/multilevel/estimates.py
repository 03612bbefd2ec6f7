"""Dependent estimates as models of them take them: effects with X, groups, and the sampling covariance of the rows that are used."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column, columns_of
from bayesmeta.effects.estimates import read_estimates
from bayesmeta.effects.model_matrix import ModelMatrix, effects_with_moderators
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.multilevel.groupings import group_keys, parse_nesting
from bayesmeta.frequentist.multilevel.sampling import given_covariance, sampling_of_effects, variances_of


@dataclass(frozen=True, eq=False)
class DependentEstimates:
    """Effects whose estimates may depend on each other.

    Parameters
    ----------
    effects : Effects
        n estimates with their design.
    matrix : ModelMatrix
        Design, with the rows that are used.
    columns : mapping of str to column
        Columns that names of groups refer to.
    nesting : str, sequence of str, or None
        As given, or that of the effects themselves.
    chains : list of tuple of str
        Names of the levels of each nesting.
    outer : list or None
        Outermost group of each used estimate.
    sampling : Covariance
        Sampling covariance of the k used estimates.
    """

    effects: Effects
    matrix: ModelMatrix
    columns: Mapping[str, Column]
    nesting: str | Sequence[str] | None
    chains: list[tuple[str, ...]]
    outer: list[Any] | None
    sampling: Covariance


def dependent_estimates(
    effects: Any,
    measure: str | None,
    data: Any,
    options: Mapping[str, Any],
    *,
    nesting: str | Sequence[str] | None,
    within: str | None = None,
    moderators: Any = None,
    drop_missing: bool = False,
    sampling_correlation: Any = None,
    covariance: Any = None,
    many: bool = False,
) -> DependentEstimates:
    """Read dependent estimates; arguments as in ``multilevel``, and ``many`` as in ``model_matrix``.

    Raises
    ------
    DataError
        If groups or moderators are missing, or the covariance does not fit.
    SpecError
        If a name is not understood.
    """
    options = dict(options)
    no_spread = not {"vi", "sei", "ci_low"} & {name for name, value in options.items() if value is not None}
    if effects is None and covariance is not None and no_spread:
        options |= {"vi": variances_of(covariance)}
    if covariance is not None and sampling_correlation is not None:
        raise SpecError("give covariance= or sampling_correlation=, not both")
    effects, data = read_estimates(
        effects, measure, data, options, repeated=True, dependence=sampling_correlation is None
    )
    columns = columns_of(effects, data)
    if nesting is None and not effects.nesting.one_estimate_per_study:
        nesting = "/".join(effects.nesting.levels)
        columns |= {name: effects.nesting.groups[:, i].astype(float) for i, name in enumerate(effects.nesting.levels)}
    pooled = effects.used
    chains = parse_nesting(nesting)
    study = chains[0][0] if chains and chains[0][0] in columns else "study"
    effects, matrix = effects_with_moderators(
        effects, moderators, data, drop_missing=drop_missing, study=study, many=many
    )
    used = matrix.used
    outer = group_keys(chains[0][:1], columns, effects.labels, used)[0] if chains else None
    every = outer
    if chains and not np.array_equal(pooled, used):
        every = group_keys(chains[0][:1], columns, effects.labels, pooled)[0]
    if covariance is not None:
        sampling = given_covariance(effects.vi[pooled], covariance, every, pooled).subset(used[pooled])
    else:
        sampling = sampling_of_effects(effects, columns, sampling_correlation, within, every, pooled).subset(used)
    return DependentEstimates(effects, matrix, columns, nesting, chains, outer, sampling)
