"""Nesting of the estimates: which study, and which group within it, each estimate belongs to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class Nesting:
    """Levels of grouping of n estimates, outer to inner.

    Parameters
    ----------
    levels : tuple of str
        Names of the levels, such as ("study", "estimate").
    groups : numpy.ndarray of int, shape (n, L)
        Number of the group of each estimate on each level; estimates with the same number belong together.
    names : tuple of str
        Names of the groups of the outermost level, by their number; () where they have none.
    """

    levels: tuple[str, ...]
    groups: Array
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.groups.ndim != 2 or self.groups.shape[1] != len(self.levels):
            raise SpecError(
                f"a nesting of {' / '.join(self.levels)} should have {len(self.levels)} columns of groups, but has the shape "
                f"{self.groups.shape}"
            )

    @cached_property
    def one_estimate_per_study(self) -> bool:
        """Whether every group of the outermost level has one estimate: the estimates are independent given the model."""
        return len(np.unique(self.groups[:, 0])) == len(self.groups)

    def subset(self, rows: Array) -> Nesting:
        """Return the nesting of the estimates at ``rows``, a boolean mask or indices."""
        return Nesting(self.levels, self.groups[rows], self.names)


@dataclass(frozen=True, eq=False)
class Outcomes:
    """Outcomes or times of n estimates, whose effects are correlated within studies.

    Parameters
    ----------
    names : tuple of str
        Names of the L outcomes.
    codes : numpy.ndarray of int, shape (n,)
        Outcome of each estimate.
    structure : str
        "CS": one standard deviation and one correlation; "UN": a standard deviation per outcome, and their correlation.
    column : str
        Column of the data that names the outcomes; "" where it is not known.
    """

    names: tuple[str, ...]
    codes: Array
    structure: str
    column: str = ""

    def subset(self, rows: Array) -> Outcomes:
        """Return the outcomes of the estimates at ``rows``, a boolean mask or indices."""
        return Outcomes(self.names, self.codes[rows], self.structure, self.column)


@lru_cache(maxsize=256)
def independent(n: int) -> Nesting:
    """Return the nesting of n estimates from n studies, one each."""
    return Nesting(("study",), np.arange(n)[:, None])


def nested(levels: Sequence[str], labels: Sequence[Sequence[object]]) -> Nesting:
    """Return the nesting of estimates from the labels of their groups.

    Parameters
    ----------
    levels : sequence of str
        Names of the levels, outer to inner.
    labels : sequence of sequences
        Label of each estimate's group, for each level. Inner labels need to be unique within their outer group only.
    """
    codes: list[Array] = []
    keys: list[tuple[object, ...]] = [() for _ in labels[0]]
    for level in labels:
        keys = [(*key, label) for key, label in zip(keys, level, strict=True)]
        number = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        codes.append(np.array([number[key] for key in keys]))
    names = tuple(map(str, dict.fromkeys(labels[0])))
    return Nesting(tuple(levels), np.stack(codes, axis=1), names)
