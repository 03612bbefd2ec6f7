"""Inconsistency factors of a network: columns of its design matrix for where direct and indirect evidence may differ.

In a study an arm of treatment k deviates by u_k from what the consistent network predicts, so that a contrast deviates by u_k - u_l. All
factors are symmetric: none depends on the reference, or on which arm of a study or which treatment of a comparison comes first.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, permutations

import numpy as np

from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.support.arrays import Array


def split_column(contrasts: NetworkContrasts, first: int, second: int) -> Array:
    """Return the column of the difference of direct and indirect evidence on ``first`` against ``second``; shape (m,).

    Both arms of a study that has them deviate by half of it, so in a multi-arm trial too their contrast deviates by all of it (White 2015,
    Stata J 15:951-985, symmetric node splitting).
    """
    return _column(contrasts, {study: {first: 0.5, second: -0.5} for study in _studies_with(contrasts, first, second)})


def edge_columns(contrasts: NetworkContrasts, edges: Sequence[tuple[int, int]]) -> Array:
    """Return the columns of unrelated mean effects of comparisons, first against second; shape (m, q).

    The effects of the comparisons of a multi-arm trial are their least-squares fit by differences of arms, u_k = sum_l w_kl / a with a
    arms.
    """
    columns = []
    for first, second in edges:
        arms = {}
        for study in _studies_with(contrasts, first, second):
            size = len(contrasts.arms_of_studies[study])
            arms[study] = {first: 1 / size, second: -1 / size}
        columns.append(_column(contrasts, arms))
    return np.stack(columns, axis=1)


def design_columns(contrasts: NetworkContrasts, design: tuple[int, ...]) -> Array:
    """Return the columns of the deviations of the arms of one design, in the studies that compare just these treatments; shape (m, a)."""
    of_design = [k for k, arms in enumerate(contrasts.arms_of_studies) if tuple(sorted(arms)) == design]
    return np.stack([_column(contrasts, {k: {arm: 1.0} for k in of_design}) for arm in design], axis=1)


def adds_rank(contrasts: NetworkContrasts, columns: Array, model: Array | None = None) -> int:
    """Return how many parameters columns add to a model, by default the consistent network.

    It is 0 where no other evidence contradicts or confirms theirs. ``model`` has the design matrix, shape (m, p).
    """
    before = contrasts.incidence if model is None else model
    whole = np.hstack([before, columns.reshape(contrasts.m, -1)])
    return int(np.linalg.matrix_rank(whole) - np.linalg.matrix_rank(before))


def compared(contrasts: NetworkContrasts) -> list[tuple[int, int]]:
    """Return the comparisons with direct evidence, each a later treatment against an earlier one."""
    found = {pair for arms in contrasts.arms_of_studies for pair in combinations(sorted(arms), 2)}
    return [(j, i) for i, j in sorted(found)]


def loops(contrasts: NetworkContrasts, longest: int = 4) -> list[tuple[int, ...]]:
    """Return the loops of three to ``longest`` comparisons without a comparison between treatments that are no neighbours in it.

    Each starts with its first treatment by name and goes on to the earlier of its two neighbours.
    """
    edges = {frozenset(pair) for pair in compared(contrasts)}
    found = []
    for size in range(3, longest + 1):
        for members in combinations(range(len(contrasts.treatments)), size):
            if sum(frozenset(pair) in edges for pair in combinations(members, 2)) != size:
                continue
            for rest in permutations(members[1:]):
                loop = (members[0], *rest)
                if rest[0] < rest[-1] and all(
                    frozenset(pair) in edges for pair in zip(loop, (*rest, loop[0]), strict=True)
                ):
                    found.append(loop)
    return found


def loop_column(contrasts: NetworkContrasts, loop: tuple[int, ...]) -> Array:
    """Return the column of the inconsistency of a loop, the sum of the direct effects around it; shape (m,).

    Each of its comparisons has an equal part of it. It is also the difference of direct and indirect evidence of each of them.
    """
    around = list(zip(loop, (*loop[1:], loop[0]), strict=True))
    return edge_columns(contrasts, around).sum(axis=1) / len(loop)


def _studies_with(contrasts: NetworkContrasts, first: int, second: int) -> list[int]:
    return [k for k, arms in enumerate(contrasts.arms_of_studies) if first in arms and second in arms]


def _column(contrasts: NetworkContrasts, deviations: dict[int, dict[int, float]]) -> Array:
    """Return the deviations of the contrasts, shape (m,), from those of the arms, by study and treatment."""
    found = np.zeros(contrasts.m)
    for study, arms in deviations.items():
        for row in range(contrasts.slices[study].start, contrasts.slices[study].stop):
            found[row] = arms.get(int(contrasts.treat[row]), 0.0) - arms.get(int(contrasts.base[row]), 0.0)
    return found
