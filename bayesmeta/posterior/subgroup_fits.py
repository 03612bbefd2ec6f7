"""Bayesian subgroups: the posterior of each group, with its own tau or a common one, and the differences between groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.effects import Effects
from bayesmeta.effects.grouping import Grouping
from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.arm_level.two_coefficients import TwoCoefficientSolution
from bayesmeta.engines.marginals.differences import difference
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.normal.solve import QuadratureSolution
from bayesmeta.engines.solution import marginal_of
from bayesmeta.engines.terms import MEAN, NEW_STUDY, TAU
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.frequentist.subgroups import Subgroups, subgroups
from bayesmeta.posterior.group_difference import GroupDifference
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.scale import on_scale
from bayesmeta.support.arguments import check_level
from bayesmeta.support.display import Displayed

if TYPE_CHECKING:
    import pandas as pd

#: index of the row of all studies
OVERALL = "overall"


@dataclass(frozen=True, eq=False, repr=False)
class SubgroupFits(Displayed):
    """Posteriors of subgroups, on the model scale (log for ratios).

    Parameters
    ----------
    groups : mapping
        Posterior of each group, by its label. With a common tau these are views of ``model``, without a marginal likelihood of their own.
    overall : Posterior
        All studies pooled, without subgroups.
    by : str
        Column that names the groups.
    common_tau : bool
        Whether all groups have the same tau.
    model : Posterior or None
        With a common tau, the posterior of all groups: a coefficient per group.
    effects : Effects
        Effects of all studies.
    grouping : Grouping
        The group of each row.
    notes : tuple of str
        What the data cannot tell, such as the tau of a group with one study.
    """

    groups: Mapping[Any, Posterior]
    overall: Posterior
    by: str
    common_tau: bool
    model: Posterior | None
    effects: Effects
    grouping: Grouping
    notes: tuple[str, ...]

    def _line(self) -> str:
        tau = "one tau" if self.common_tau else "a tau per group"
        return f"{self.overall.measure}, {len(self.groups)} groups by {self.by}, {tau}; {self.overall.likelihood} likelihood"

    def _table(self) -> pd.DataFrame:
        return self.to_frame(scale="natural")

    @cached_property
    def table(self) -> pd.DataFrame:
        """``to_frame()``: one row per group and one for all studies, on the model scale, 95% intervals."""
        return self.to_frame()

    def to_frame(self, *, scale: str = "model", level: float = 0.95) -> pd.DataFrame:
        """Return one row per group, and one for all studies.

        Parameters
        ----------
        scale : str
            ``"model"`` (log for ratios) or ``"natural"``: estimates and ends of intervals are exponentiated, sd and tau are not.
        level : float
            Probability of the intervals, in (0, 1).

        Returns
        -------
        pandas.DataFrame
            Index group, the last row "overall"; columns estimate (posterior median), sd, ci_low, ci_high (equal-tailed), tau, tau2
            (posterior medians), pi_low, pi_high (effect in a new study of the group), k studies, n participants (NaN if unknown).
        """
        import pandas as pd

        check_level(level)
        rows = [_row(one, level) for one in (*self.groups.values(), self.overall)]
        frame = pd.DataFrame(rows, index=pd.Index([*self.groups, OVERALL], name="group", dtype=object))
        return on_scale(frame, scale, MEASURES[self.overall.measure].log)

    @cached_property
    def test(self) -> Subgroups:
        """Frequentist subgroups of the same estimates, by REML with the same choice of tau2: ``bayesmeta.subgroups``.

        It has the test of differences as ``q_between``, ``q_df`` and ``q_pvalue``.
        """
        import pandas as pd

        labels = pd.Categorical(self.grouping.labels, categories=self.grouping.order)
        by: Any = pd.Series(labels, name=self.by)
        return subgroups(self.effects, by=by, common_tau=self.common_tau, drop_missing=True)

    def difference(self, first: Any, second: Any) -> GroupDifference:
        """Return the posterior of the pooled effect of one group less that of another.

        With a tau per group the two are independent, and the difference is their exact convolution; with a common tau it is a contrast of
        the coefficients. From NUTS it is in draws.

        Parameters
        ----------
        first, second
            Labels of two groups.

        Raises
        ------
        SpecError
            For an unknown group, or twice the same.
        """
        first, second = self._label(first), self._label(second)
        if first == second:
            raise SpecError(f"a difference is between two groups, but both are '{first}'")
        name = f"{first} - {second}"
        return GroupDifference(first, second, self.overall.measure, self._difference(name, first, second))

    def _label(self, group: Any) -> Any:
        """Return the label of a group, which may be given as its text."""
        known = group if isinstance(group, str | float | int) else str(group)
        found = [label for label in self.groups if known in (label, str(label))]
        if not found:
            raise unknown_name("group", str(group), [str(label) for label in self.groups])
        return found[0]

    def _difference(self, name: str, first: Any, second: Any) -> Marginals:
        if self.model is None:
            return difference(name, *(self.groups[group].marginal(MEAN) for group in (first, second)))
        solution = self.model.solution
        order = list(self.grouping.order)
        if isinstance(solution, (QuadratureSolution, TwoCoefficientSolution)):
            contrast = np.zeros((1, len(order)))
            contrast[0, [order.index(first), order.index(second)]] = 1.0, -1.0
            return solution.combinations(contrast, (name,))
        one, other = (marginal_of(solution, str(group)) for group in (first, second))
        if isinstance(one, Samples) and isinstance(other, Samples):
            return Samples((name,), one.values - other.values)
        raise SpecError("the engine gives no joint posterior of the groups; fit with common_tau=False")


def _row(posterior: Posterior, level: float) -> dict[str, Any]:
    tails = np.array([0.5 - 0.5 * level, 0.5, 0.5 + 0.5 * level])
    low, middle, high = posterior.quantile(MEAN, tails)
    new = posterior.quantile(NEW_STUDY, tails) if NEW_STUDY in posterior.terms else np.full(3, np.nan)
    tau = posterior.quantile(TAU, 0.5)
    return {
        "estimate": middle, "sd": posterior.sd(MEAN), "ci_low": low, "ci_high": high, "tau": tau, "tau2": tau**2,
        "pi_low": new[0], "pi_high": new[2], "k": posterior.data.k, "n": posterior.data.n,
    }  # fmt: skip
