"""Comparison-adjusted effects: each trial's less that of its comparison, for small-study effects in a network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import stdtr

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.canonical import effects_of_arms
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.frequentist.methods import NETWORK_METHODS
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.frequentist.splits import direct_evidence
from bayesmeta.networks.pairs import versus
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed
from bayesmeta.support.wrong_kind import wrong_kind

if TYPE_CHECKING:
    import pandas as pd

#: effects that are drawn need at least so many for a regression
_LEAST = 3


@dataclass(frozen=True)
class EggerTest:
    """Regression of the standardized effects on their precision (Egger et al. 1997).

    Parameters
    ----------
    intercept, se : float
        Intercept, 0 where small studies do not differ, and its standard error.
    slope : float
        Slope: the effect at a standard error of 0.
    statistic, df, pvalue : float
        t statistic of the intercept, its degrees of freedom and two-sided p-value.
    """

    intercept: float
    se: float
    slope: float
    statistic: float
    df: int
    pvalue: float


@dataclass(frozen=True, eq=False, repr=False)
class ComparisonAdjusted(Displayed):
    """Comparison-adjusted effects of the trials of a network.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per trial and comparison: study, treat1, treat2, comparison ("treat1 vs treat2"), estimate and se (of treat1 against treat2,
        model scale), direct (the pooled effect of the comparison's trials) and adjusted (the difference of both).
    order : tuple of str
        Treatments in the stated order: treat1 is the earlier one.
    measure : str
        Effect measure; the table is on its model scale (log for ratios).
    tau2 : float
        Heterogeneity variance with which comparisons are pooled.
    egger : EggerTest or None
        Test of asymmetry of the adjusted effects; None with fewer than three, or with equal standard errors.
    """

    table: pd.DataFrame
    order: tuple[str, ...]
    measure: str
    tau2: float
    egger: EggerTest | None

    def _line(self) -> str:
        test = (
            "no Egger test"
            if self.egger is None
            else f"Egger intercept {self.egger.intercept:.3g}, p {self.egger.pvalue:.3g}"
        )
        return f"{self.measure}, {len(self.table)} effects of {self.table['comparison'].nunique()} comparisons, {test}"

    def _table(self) -> pd.DataFrame:
        return self.table


def comparison_adjusted(net: NetworkPosterior | NetworkMeta, order: Sequence[str]) -> ComparisonAdjusted:
    """Compute comparison-adjusted effects, and Egger's test of them (Chaimani and Salanti 2012).

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        A fit, whose tau is that with which comparisons are pooled (of a posterior the median).
    order : sequence of str
        All treatments, in an order in which small trials may favour later (or earlier) ones: from the oldest to the newest, say, or placebo
        first. Effects are those of the earlier treatment against the later one; the reverse order changes their signs, and not the test.

    Returns
    -------
    ComparisonAdjusted

    Raises
    ------
    SpecError
        If a treatment is missing, unknown or given twice, or the network is by a method for counts.

    Notes
    -----
    Res Synth Methods 3:161-176, as R's netmeta has it: all comparisons of a trial with several arms are there, as if they were independent,
    and one of a single trial has the adjusted effect 0.
    """
    import pandas as pd

    contrasts, tau2 = _data_and_tau2(net)
    names = contrasts.treatments
    wanted = [str(name) for name in order] if not isinstance(order, str) else [order]
    for name in wanted:
        if name not in names:
            raise unknown_name("treatment", name, names)
    if sorted(wanted) != sorted(names):
        missing = ", ".join(name for name in names if name not in wanted) or "none, but one is given twice"
        raise SpecError(
            f"comparison_adjusted: order should have every treatment once, from earlier to later; missing: {missing}"
        )
    place = {names.index(name): position for position, name in enumerate(wanted)}
    direct = direct_evidence(contrasts, tau2).effect
    rows = []
    for study, arms in enumerate(contrasts.arms_of_studies):
        values, covariance = effects_of_arms(contrasts, study)
        for i, j in combinations(range(len(arms)), 2):
            i, j = (i, j) if place[arms[i]] < place[arms[j]] else (j, i)
            variance = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
            effect, pooled = float(values[i] - values[j]), float(direct[arms[i], arms[j]])
            first, second = names[arms[i]], names[arms[j]]
            rows.append(
                (place[arms[i]], place[arms[j]], contrasts.studies[study], first, second, versus(first, second), effect, pooled,
                 effect - pooled, float(np.sqrt(variance)))
            )  # fmt: skip
    rows.sort(key=lambda row: row[:3])
    columns = ["study", "treat1", "treat2", "comparison", "estimate", "direct", "adjusted", "se"]
    frame = pd.DataFrame([row[2:] for row in rows], columns=columns)
    adjusted, se = frame["adjusted"].to_numpy(dtype=float), frame["se"].to_numpy(dtype=float)
    return ComparisonAdjusted(frame, tuple(wanted), contrasts.measure, tau2, egger_test(adjusted, se))


def _data_and_tau2(net: NetworkPosterior | NetworkMeta) -> tuple[NetworkContrasts, float]:
    if isinstance(net, NetworkPosterior):
        return net.contrasts, float(net.quantile("tau", 0.5)) ** 2
    if not isinstance(net, NetworkMeta):
        raise wrong_kind("comparison_adjusted", "a network, as network() or network_meta() return it", net)
    if NETWORK_METHODS[net.method].counts:
        raise SpecError("comparison_adjusted needs a method that weights contrasts; choose CE, DL, ML or REML")
    return net.contrasts, net.tau2


def egger_test(effects: Array, se: Array) -> EggerTest | None:
    """Return Egger's test of effects with standard errors, shape (k,); None if there are fewer than three or all errors are the same."""
    k = len(effects)
    precision = 1 / se
    if k < _LEAST or np.ptp(precision) <= 1e-12 * precision.max():
        return None
    x = np.column_stack([np.ones(k), precision])
    inverse = np.linalg.inv(x.T @ x)
    coefficients = inverse @ x.T @ (effects / se)
    residual = effects / se - x @ coefficients
    error = float(np.sqrt(residual @ residual / (k - 2) * inverse[0, 0]))
    intercept, slope = (float(value) for value in coefficients)
    statistic = intercept / error if error > 0 else np.nan
    return EggerTest(intercept, error, slope, statistic, k - 2, float(2 * stdtr(k - 2, -abs(statistic))))
