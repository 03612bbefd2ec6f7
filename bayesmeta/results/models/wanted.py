"""Which models beyond one pooled effect are wanted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WantedModels:
    """Models beyond one pooled effect.

    Parameters
    ----------
    formulas : tuple of str
        Formulas of moderators, each a model of its own.
    groupings : tuple of str
        Columns of groups, each a subgroup analysis of its own.
    nesting : str or None
        Groups of dependent estimates, outer to inner, such as "study/estimate"; for all models.
    sampling_correlation : float, str, mapping, DataFrame or None
        Correlation of the sampling errors of the estimates of one outermost group; see ``multilevel``.
    drop_missing : bool
        Whether studies whose moderator or group is missing are left out instead of refused.
    covariance : array_like, Covariance or None
        Sampling covariance instead of the correlation; see ``multilevel``.
    """

    formulas: tuple[str, ...] = ()
    groupings: tuple[str, ...] = ()
    nesting: str | None = None
    sampling_correlation: Any = None
    drop_missing: bool = False
    covariance: Any = None

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.formulas or self.groupings or self.nesting)
