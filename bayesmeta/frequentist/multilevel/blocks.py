"""Estimates in blocks that are independent of one another, padded to one size, so that all blocks are computed at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.frequentist.multilevel.structures import Structure
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class Component:
    """Random effects of one grouping.

    Parameters
    ----------
    name : str
        Name of the grouping, such as "district/school", or "outcome | trial".
    structure : Structure
        Covariance of the effects of one group.
    groups : tuple
        Label of the group of each estimate, length n.
    codes : numpy.ndarray of int, shape (n,)
        Number of the group of each estimate.
    levels : tuple
        Labels of the levels of the structure, in order.
    places : numpy.ndarray of int, shape (n,)
        Level of each estimate.
    """

    name: str
    structure: Structure
    groups: tuple[Any, ...]
    codes: Array
    levels: tuple[Any, ...]
    places: Array


@dataclass(frozen=True, eq=False)
class Blocks:
    """Arrays of m blocks, padded to b estimates each.

    Padding has variance 1, no effect and no design, so it adds nothing to any sum or determinant.

    Parameters
    ----------
    y : numpy.ndarray, shape (m, b)
    x : numpy.ndarray, shape (m, b, p)
    s : numpy.ndarray, shape (m, b, b)
        Sampling covariance.
    rows : numpy.ndarray of int, shape (m, b)
        Row of each estimate; -1 for padding.
    together : tuple of numpy.ndarray, each of shape (m, b, b)
        For each component, 1 where two estimates are in the same group.
    places : tuple of numpy.ndarray of int, each of shape (m, b)
        For each component, the level of each estimate; 0 for padding.
    """

    y: Array
    x: Array
    s: Array
    rows: Array
    together: tuple[Array, ...]
    places: tuple[Array, ...]


def independent_blocks(codes: Sequence[Array], covariance: Covariance, n: int) -> list[list[int]]:
    """Return the rows of each block: estimates connected by a common group or a sampling covariance."""
    parent = list(range(n))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    chains: list[list[int]] = [indices.tolist() for indices, _ in covariance.blocks]
    for grouping in codes:
        members: dict[int, list[int]] = {}
        for i, code in enumerate(grouping.tolist()):
            members.setdefault(code, []).append(i)
        chains += [rows for rows in members.values() if len(rows) > 1]
    for rows in chains:
        first = root(rows[0])
        for i in rows[1:]:
            parent[root(i)] = first
    found: dict[int, list[int]] = {}
    for i in range(n):
        found.setdefault(root(i), []).append(i)
    return list(found.values())


def make_blocks(y: Array, x: Array, covariance: Covariance, components: Sequence[Component]) -> Blocks:
    """Return the arrays of the independent blocks.

    Parameters
    ----------
    y : numpy.ndarray, shape (n,)
        Estimates.
    x : numpy.ndarray, shape (n, p)
        Design.
    covariance : Covariance
        Sampling covariance.
    components : sequence of Component
        Random effects.
    """
    found = independent_blocks([component.codes for component in components], covariance, len(y))
    size = max(map(len, found))
    rows = np.full((len(found), size), -1)
    for i, members in enumerate(found):
        rows[i, : len(members)] = members
    there = rows >= 0
    pairs = there[:, :, None] & there[:, None, :]
    full = covariance.matrix if covariance.blocks else None
    s = np.zeros((*rows.shape, size))
    if full is not None:
        s = np.where(pairs, full[rows[:, :, None], rows[:, None, :]], 0.0)
    diagonal = np.arange(size)
    s[:, diagonal, diagonal] = np.where(there, covariance.variances[rows], 1.0)
    together = tuple(
        ((c.codes[rows][:, :, None] == c.codes[rows][:, None, :]) & pairs).astype(float) for c in components
    )
    places = tuple(np.where(there, c.places[rows], 0) for c in components)
    return Blocks(np.where(there, y[rows], 0.0), np.where(there[..., None], x[rows], 0.0), s, rows, together, places)
