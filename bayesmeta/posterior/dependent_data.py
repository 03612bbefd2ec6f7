"""Data of fits with moderators, several estimates per study, or correlated sampling errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import group_labels
from bayesmeta.effects.model_matrix import ModelMatrix
from bayesmeta.effects.nesting import Nesting, Outcomes, independent, nested
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.frequentist.multilevel.estimates import DependentEstimates, dependent_estimates
from bayesmeta.frequentist.multilevel.groupings import group_keys
from bayesmeta.frequentist.multilevel.unstructured import STRUCTURES
from bayesmeta.model.likelihoods.data import ModelData

#: structures that are exact here, and what each is for two outcomes
EXACT = {"CS": "CS", "UN": "UN", "HCS": "UN"}


@dataclass(frozen=True, eq=False)
class GroupedEffects:
    """Effects with their design, and the groups of all n rows where the model has random effects of them.

    Parameters
    ----------
    effects : Effects
        n estimates, those that are left out with their reason.
    matrix : ModelMatrix
        The design.
    nesting, outcomes
        Groups and outcomes; None where the model has none.
    """

    effects: Effects
    matrix: ModelMatrix
    nesting: Nesting | None = None
    outcomes: Outcomes | None = None

    def in_rows(self, data: ModelData) -> ModelData:
        """Return the data of a likelihood with the formula and the groups of its rows."""
        assert data.rows is not None
        return replace(
            data,
            matrix=self.matrix,
            nesting=None if self.nesting is None else self.nesting.subset(data.rows),
            outcomes=None if self.outcomes is None else self.outcomes.subset(data.rows),
        )


def effects_of_dependent(
    studies: Any,
    measure: str | None,
    options: Mapping[str, Any],
    *,
    nesting: str | Sequence[str] | None,
    within: str | None,
    structure: str | None,
    moderators: Any,
    data: Any,
    drop_missing: bool,
    sampling_correlation: Any,
    covariance: Any,
) -> GroupedEffects:
    """Read effects with their design, sampling covariance and groups.

    Parameters
    ----------
    studies, measure, options
        As in ``effect_sizes``.
    nesting, within, structure, moderators, data, drop_missing, sampling_correlation, covariance
        As in ``fit``.

    Returns
    -------
    GroupedEffects

    Raises
    ------
    DataError
        If two groupings are the same, or one has one group.
    SpecError
        If the model is none that ``fit`` has; the message names the function that has it.
    """
    found = dependent_estimates(
        studies, measure, data, options, nesting=nesting, within=within, moderators=moderators, drop_missing=drop_missing,
        sampling_correlation=sampling_correlation, covariance=covariance, many=True,
    )  # fmt: skip
    effects, used = found.effects, np.flatnonzero(found.matrix.used)
    variances = effects.vi.copy()
    variances[used] = found.sampling.variances
    blocks = tuple((used[rows], matrix) for rows, matrix in found.sampling.blocks)
    effects = replace(effects, vi=variances, covariance=Covariance(variances, blocks))
    repeated = not effects.nesting.one_estimate_per_study
    # the groups of the model are beside the effects
    effects = replace(effects, nesting=independent(len(variances)))
    if structure is not None and within is None:
        raise SpecError(f"structure='{structure}' needs within=, the column of its levels, such as within='outcome'")
    if nesting is None and within is None:
        # studies with several rows that do not say how they depend
        if repeated and sampling_correlation is None and covariance is None:
            raise SpecError(
                "several estimates per study depend on each other: give nesting='study/estimate', or name the arms that rows share"
            )
        return GroupedEffects(effects, found.matrix)
    if within is None:
        return GroupedEffects(effects, found.matrix, _nesting(found))
    return GroupedEffects(effects, found.matrix, *_outcomes(found, within, structure or "CS"))


def _chain(found: DependentEstimates) -> tuple[str, ...]:
    """Return the names of the levels of the one nesting.

    Raises
    ------
    SpecError
        For crossed groups, and for more than two levels.
    """
    if not found.chains:
        raise SpecError(
            "within= needs nesting=, the groups in which its levels are correlated, such as nesting='study'"
        )
    if len(found.chains) > 1:
        raise SpecError(
            f"nesting={found.nesting!r} has crossed groups; fit() takes one nesting of two levels, such as 'study/estimate'. "
            "bm.multilevel fits crossed groups by ML or REML"
        )
    chain = found.chains[0]
    if len(chain) > 2:
        raise SpecError(
            f"nesting='{'/'.join(chain)}' has {len(chain)} levels; fit() takes two, such as 'study/estimate'. bm.multilevel fits more "
            "levels by ML or REML"
        )
    return chain


def _nesting(found: DependentEstimates) -> Nesting:
    """Return the groups of all rows, those of rows that are not used being groups of their own."""
    chain = _chain(found)
    used = found.matrix.used
    keys = group_keys(chain, found.columns, found.effects.labels, used)
    counts = [len(set(level)) for level in keys]
    total = int(used.sum())
    if counts[0] == total:
        raise DataError(
            f"every group of '{chain[0]}' has one estimate, so that rho, the share of the heterogeneity that is between groups, cannot be "
            "learned",
            fix="Leave nesting= out: the model with two levels has one tau.",
        )
    if counts[0] == 1:
        raise DataError(
            f"all estimates are in one group of '{chain[0]}', so that tau between groups cannot be learned",
            fix="Leave it out of the nesting.",
        )
    if len(counts) > 1 and counts[1] == counts[0]:
        raise DataError(
            f"'{chain[0]}' and '{'/'.join(chain)}' are the same groups, so that both levels cannot be distinguished",
            fix=f"Give nesting='{chain[0]}/estimate', or nesting='{chain[0]}'.",
        )
    return nested(chain, [_all_rows(level, found) for level in keys])


def _all_rows(values: Sequence[Any], found: DependentEstimates) -> list[Any]:
    """Return values of the used rows, at all rows: others are by themselves."""
    every: list[Any] = [("not used", i) for i in range(len(found.matrix.used))]
    for row, value in zip(np.flatnonzero(found.matrix.used), values, strict=True):
        every[int(row)] = value
    return every


def _outcomes(found: DependentEstimates, within: str, structure: str) -> tuple[Nesting, Outcomes]:
    """Return the studies and the outcomes of all rows.

    Raises
    ------
    DataError
        If no study has two outcomes.
    SpecError
        For a structure that is not exact here.
    """
    name = str(structure).upper()
    if name not in STRUCTURES:
        raise unknown_name("structure", structure, tuple(STRUCTURES))
    chain, used = _chain(found), found.matrix.used
    if len(chain) > 1:
        raise SpecError(
            f"within='{within}' needs nesting='{chain[0]}', one level, in which its levels are correlated; got '{'/'.join(chain)}'"
        )
    if name not in EXACT:
        raise SpecError(
            f"structure='{name}' is fitted by bm.multilevel(within='{within}', structure='{name}'); fit() has CS, HCS and UN"
        )
    labels = group_labels(found.columns, within, "within", found.effects.labels, used)
    rows = np.flatnonzero(used)
    values = [labels[i] for i in rows]
    categories = getattr(found.columns[within], "categories", None)
    present = set(values)
    levels = (
        sorted(present, key=lambda value: (isinstance(value, str), value))
        if categories is None
        else [level for level in categories if level in present]
    )
    exact = EXACT[name]
    if len(levels) != 2 and exact == "UN":
        raise SpecError(
            f"structure='{name}' is exact for two levels of '{within}', and there are {len(levels)}; take structure='CS', or "
            f"bm.multilevel(within='{within}', structure='{name}'), which is fitted by ML or REML"
        )
    assert found.outer is not None
    pairs = set(zip(found.outer, values, strict=True))
    if len(pairs) == len({study for study, _ in pairs}):
        raise DataError(
            f"no group of '{chain[0]}' has two levels of '{within}', so that their correlation cannot be learned",
            fix="Leave within= out.",
        )
    codes = np.zeros(len(used), dtype=int)
    codes[rows] = [levels.index(value) for value in values]
    groups = nested(chain, [_all_rows(found.outer, found)])
    return groups, Outcomes(tuple(map(str, levels)), codes, exact, within)
