"""Result of a frequentist network meta-analysis: effects between all treatments, heterogeneity, inconsistency, ranking.

Everything is on the model scale (log for ratios). In every matrix the entry of a row and a column is the effect of the row's treatment
against the column's.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from scipy.special import chdtrc

from bayesmeta.errors import SpecError
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.frequentist import contributions, designs, ranks, splits
from bayesmeta.networks.frequentist.designs import Inconsistency
from bayesmeta.networks.frequentist.matrices import EffectMatrices
from bayesmeta.networks.frequentist.methods import NETWORK_METHODS
from bayesmeta.networks.frequentist.net_heat import HeatMatrix, heat_matrix
from bayesmeta.networks.graph import NetworkGraph, network_graph
from bayesmeta.support.arrays import Array
from bayesmeta.support.words import plural

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class NetworkMeta(EffectMatrices):
    """A frequentist network meta-analysis of T treatments on the model scale (log for ratios).

    Parameters
    ----------
    contrasts : NetworkContrasts
        What was pooled. For the Mantel-Haenszel method its "studies" are designs, pooled before.
    estimates : numpy.ndarray, shape (T,)
        Effects of all treatments against the first one.
    covariance : numpy.ndarray, shape (T, T)
        Their covariance; zeros in the first row and column.
    tau2, tau2_se : float
        Between-study variance of every contrast, and its standard error (NaN for a common effect).
    q, q_df : float, int
        Cochran's Q of the whole network, and its degrees of freedom.
    log_likelihood : float
        Log-likelihood, restricted for REML; NaN for methods without one.
    method : str
        CE, DL, ML, REML, PM, HE, MH or NCH.
    reference : str
        Treatment that tables compare with.
    level : float
        Level of all intervals.
    notes : tuple of str
        Remarks that a reader of this result needs.
    data : NetworkContrasts
        Contrasts of the studies as read, with the data of their arms where there are some.
    """

    contrasts: NetworkContrasts
    estimates: Array
    covariance: Array
    tau2: float
    tau2_se: float
    q: float
    q_df: int
    log_likelihood: float
    method: str
    reference: str
    level: float
    notes: tuple[str, ...]
    data: NetworkContrasts

    def _line(self) -> str:
        return (
            f"{self.measure}, {plural(self.data.k, 'study', 'studies')}, {len(self.treatments)} treatments, {self.method}, "
            f"tau {self.tau:.3g}, Q between designs p {self.q_between_pvalue:.3g}"
        )

    def _table(self) -> pd.DataFrame:
        return self.summary()

    @property
    def measure(self) -> str:
        """Name of the effect measure."""
        return self.contrasts.measure

    @property
    def tau(self) -> float:
        """Between-study standard deviation of every contrast."""
        return math.sqrt(self.tau2)

    @property
    def common(self) -> bool:
        """Whether tau2 is 0 by assumption."""
        return NETWORK_METHODS[self.method].estimator is None

    @property
    def _counts(self) -> bool:
        return NETWORK_METHODS[self.method].counts

    @cached_property
    def graph(self) -> NetworkGraph:
        """Treatments, comparisons, designs and multi-arm trials."""
        return network_graph(self.data)

    @property
    def q_pvalue(self) -> float:
        """P value of ``q``; NaN without degrees of freedom."""
        return float(chdtrc(self.q_df, self.q)) if self.q_df > 0 else math.nan

    @property
    def i2(self) -> float:
        """I2 in percent, from Q: the share of the variation around the network that is not sampling error."""
        return 100 * max(0.0, 1 - self.q_df / self.q) if self.q > 0 else 0.0

    @cached_property
    def _inconsistency(self) -> Inconsistency:
        self._require_contrasts("the decomposition of Q")
        return designs.inconsistency(self.contrasts, self.reference)

    @property
    def q_within(self) -> float:
        """Part of Q within designs: heterogeneity between studies of the same treatments."""
        return math.nan if self._counts else self._inconsistency.q_within

    @property
    def q_between(self) -> float:
        """Part of Q between designs: the design-by-treatment test of inconsistency (Higgins et al. 2012)."""
        return math.nan if self.method == "NCH" else self._inconsistency.q_between

    @property
    def q_within_df(self) -> int:
        """Degrees of freedom of ``q_within``."""
        return self._inconsistency.df_within

    @property
    def q_between_df(self) -> int:
        """Degrees of freedom of ``q_between``."""
        return self._inconsistency.df_between

    @property
    def q_between_pvalue(self) -> float:
        """P value of ``q_between``; NaN without degrees of freedom."""
        if self.method == "NCH" or self.q_between_df < 1:
            return math.nan
        return float(chdtrc(self.q_between_df, self.q_between))

    def inconsistency(self) -> pd.DataFrame:
        """Return Q of the network, within and between designs, and between designs under a full design-by-treatment model.

        Returns
        -------
        pandas.DataFrame
            Index total, within designs, between designs, between designs (random); q, df, pvalue, tau2 (assumed in the row). For MH, which
            pools designs before, between designs only.
        """
        frame = designs.decomposition(self._inconsistency)
        return frame.loc[["between designs"]] if self._counts else frame

    def design_table(self) -> pd.DataFrame:
        """Return one row per design: studies, Q within it, and Q between designs when it is detached."""
        return designs.design_table(self._inconsistency)

    def net_heat(self, random: bool | None = None) -> pd.DataFrame:
        """Return the net heat matrix (Krahn, Binder and König 2013).

        Parameters
        ----------
        random : bool, optional
            Whether the covariances contain the heterogeneity within designs; by default for random-effects methods.

        Returns
        -------
        pandas.DataFrame
            Change of a row's share of Q between designs when the design of the column is detached: positive, the column's design made the
            row look consistent; negative, it is a source of inconsistency. NaN where detaching leaves treatments unconnected. Rows and
            columns are the contrasts of each design against its first treatment, the reference where it has it.
        """
        import pandas as pd

        found = self.heat_matrix(random)
        return pd.DataFrame(found.change, index=list(found.labels), columns=list(found.labels))

    def heat_matrix(self, random: bool | None = None) -> HeatMatrix:
        """Return the net heat matrix with what its plot shows besides; ``random`` as in ``net_heat``."""
        return heat_matrix(self._inconsistency, (not self.common) if random is None else random)

    def contributions(self, method: str = "shortest path") -> pd.DataFrame:
        """Return what each direct comparison contributes to each estimate of the network; rows add up to 1.

        Parameters
        ----------
        method : {"shortest path", "random walk"}
            Papakonstantinou et al. (2018), or Davies et al. (2022).

        Returns
        -------
        pandas.DataFrame
            Index "A vs B" for every pair of treatments, one column per comparison with direct evidence. ``attrs`` has the ``method`` and
            the ``tau`` of the weights.
        """
        self._require_contrasts("contributions")
        frame = contributions.contribution_matrix(self.contrasts, method, [self.tau2])
        frame.attrs["tau"] = self.tau
        return frame

    def node_split(self, method: str = "back-calculation") -> pd.DataFrame:
        """Return direct and indirect evidence of every pair of treatments, and the test of their difference.

        Parameters
        ----------
        method : {"back-calculation", "SIDDE"}
            Indirect evidence from the network's estimate less the direct one (Dias et al. 2010; König et al. 2013), or the network of
            all studies that do not compare the two (Efthimiou et al. 2019).

        Returns
        -------
        pandas.DataFrame
            Index "A vs B"; studies, network, network_se, direct, direct_se, indirect, indirect_se, difference, difference_se, statistic,
            pvalue, direct_share. NaN where there is no direct, or no indirect, evidence.
        """
        return splits.node_split(self, method)

    def direct_share(self) -> pd.DataFrame:
        """Return the share of direct evidence in each effect, (network se / direct se)^2; 0 without direct evidence."""
        self._require_contrasts("the share of direct evidence")
        return self._frame(splits.direct_evidence(self.contrasts, self.tau2).share(self.se_matrix))

    def p_scores(self, better: str = "higher") -> pd.Series:
        """Return the P-score of each treatment (Rücker and Schwarzer 2015): the mean certainty that it is better than another one.

        Parameters
        ----------
        better : {"higher", "lower"}
            Side of benefit.
        """
        import pandas as pd

        return pd.Series(ranks.p_scores(self, better), index=list(self.treatments), name="p_score")

    def ranking(self, better: str = "higher", draws: int = 100_000, seed: int = 1) -> pd.DataFrame:
        """Return the ranking by the joint normal distribution of the effects.

        Parameters
        ----------
        better : {"higher", "lower"}
            Side of benefit.
        draws : int
            Number of draws.
        seed : int
            Their seed.

        Returns
        -------
        pandas.DataFrame
            Index treatment, best first; sucra and mean_rank (exact), prob_best with its Monte Carlo standard error prob_best_se,
            rank_low and rank_high (interval of the rank).
        """
        return ranks.ranking(self, better, draws, seed)

    def rank_probabilities(self, better: str = "higher", draws: int = 100_000, seed: int = 1) -> pd.DataFrame:
        """Return the probability of each rank, one row per treatment; the standard error of p is sqrt(p (1 - p) / draws)."""
        return ranks.rank_probabilities(self, better, draws, seed)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the network to a netCDF file, completely or not at all; ``load_network`` reads it.

        Parameters
        ----------
        path : str or path
            File to write.

        Returns
        -------
        pathlib.Path
            The file.
        """
        from bayesmeta.networks.storage import save_network

        return save_network(self, path)

    def _require_contrasts(self, what: str) -> None:
        if self.method == "NCH":
            raise SpecError(
                f"{what} needs a method that weights contrasts; NCH maximizes a likelihood. Choose MH, CE, DL, ML or REML"
            )
