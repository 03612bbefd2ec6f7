"""The graph of a network: treatments joined by trials, its components, designs and multi-arm trials."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class NetworkGraph(Displayed):
    """Treatments as nodes and the comparisons of trials as edges.

    Parameters
    ----------
    treatments : tuple of str
        Names of the T treatments.
    studies : tuple of str
        Names of the studies.
    arms : tuple of tuple of int
        Treatments of each study, sorted.
    """

    treatments: tuple[str, ...]
    studies: tuple[str, ...]
    arms: tuple[tuple[int, ...], ...]

    def _line(self) -> str:
        return (
            f"{len(self.treatments)} treatments, {len(self.studies)} studies, {len(self.designs)} designs, "
            f"{len(self.components)} component{'s' if len(self.components) > 1 else ''}"
        )

    def _table(self) -> pd.DataFrame:
        return self.edges

    @cached_property
    def counts(self) -> Array:
        """Number of studies that compare each two treatments, int of shape (T, T)."""
        found = np.zeros((len(self.treatments),) * 2, dtype=int)
        for arms in self.arms:
            for i, j in combinations(arms, 2):
                found[i, j] += 1
                found[j, i] += 1
        return found

    @property
    def edges(self) -> pd.DataFrame:
        """Frame with one row per comparison: treat1, treat2, studies (number)."""
        import pandas as pd

        pairs = [(int(i), int(j)) for i, j in zip(*np.nonzero(np.triu(self.counts)), strict=True)]
        return pd.DataFrame(
            {
                "treat1": [self.treatments[i] for i, _ in pairs],
                "treat2": [self.treatments[j] for _, j in pairs],
                "studies": [int(self.counts[i, j]) for i, j in pairs],
            }
        )

    @cached_property
    def components(self) -> tuple[tuple[str, ...], ...]:
        """Treatments of each connected part, the largest part first."""
        # imported here, since it takes longer than the rest of this module
        from scipy.sparse.csgraph import connected_components

        number, part = connected_components(self.counts, directed=False)
        found = [tuple(self.treatments[i] for i in np.flatnonzero(part == at)) for at in range(number)]
        return tuple(sorted(found, key=lambda names: -len(names)))

    @cached_property
    def designs(self) -> dict[tuple[int, ...], tuple[int, ...]]:
        """Studies, by position, of each design (set of treatments compared in a trial), sorted by size and names."""
        found: dict[tuple[int, ...], list[int]] = {}
        for i, arms in enumerate(self.arms):
            found.setdefault(arms, []).append(i)
        return {arms: tuple(found[arms]) for arms in sorted(found, key=lambda arms: (len(arms), arms))}

    @cached_property
    def design_names(self) -> tuple[str, ...]:
        """Names of the designs, such as ``"A:B"``."""
        return tuple(self.name_of(arms) for arms in self.designs)

    def name_of(self, arms: tuple[int, ...]) -> str:
        """Return the name of a design or comparison, treatments joined by colons."""
        return ":".join(self.treatments[i] for i in arms)

    @property
    def multi_arm(self) -> tuple[str, ...]:
        """Names of the studies with three arms or more."""
        return tuple(name for name, arms in zip(self.studies, self.arms, strict=True) if len(arms) > 2)

    @property
    def loops(self) -> int:
        """Number of independent loops of comparisons: edges - treatments + components."""
        return int(np.count_nonzero(np.triu(self.counts))) - len(self.treatments) + len(self.components)

    def require_connected(self, source: str | None = None) -> None:
        """Refuse a network of several components.

        Raises
        ------
        DataError
            With the components and the ways to go on.
        """
        if len(self.components) == 1:
            return
        studies = Counter(
            next(i for i, part in enumerate(self.components) if self.treatments[arms[0]] in part) for arms in self.arms
        )
        parts = "; ".join(
            f"{i + 1}. {', '.join(names)} ({studies[i]} {'study' if studies[i] == 1 else 'studies'})"
            for i, names in enumerate(self.components)
        )
        raise DataError(
            f"the network has {len(self.components)} parts that no study connects: {parts}",
            source=source,
            fix="Analyse one part by naming one of its treatments (command line: --component; review.toml: component; Python: "
            "bm.network_component), add studies or lump treatments that connect the parts, or, if they share components, fit "
            "treatments as sums of them (--components; components; components= of bm.network, or bm.component_network).",
        )


def network_graph(contrasts: NetworkContrasts) -> NetworkGraph:
    """Return the graph of a network.

    Parameters
    ----------
    contrasts : NetworkContrasts
        The network, connected or not.
    """
    arms = tuple(tuple(sorted(arms)) for arms in contrasts.arms_of_studies)
    return NetworkGraph(contrasts.treatments, contrasts.studies, arms)
