"""Which models beyond one pooled effect are wanted."""

from __future__ import annotations

from dataclasses import dataclass


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
    sampling_correlation : float or None
        Correlation of the sampling errors of the estimates of one outermost group.
    drop_missing : bool
        Whether studies whose moderator or group is missing are left out instead of refused.
    """

    formulas: tuple[str, ...] = ()
    groupings: tuple[str, ...] = ()
    nesting: str | None = None
    sampling_correlation: float | None = None
    drop_missing: bool = False

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.formulas or self.groupings or self.nesting)
