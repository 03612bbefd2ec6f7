"""The checks of a Bayesian network as its methods: residual deviance, influence of each study, predictive checks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

from bayesmeta.posterior.bands import Mid

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.networks.left_out import WithoutStudy
    from bayesmeta.networks.posterior import NetworkPosterior


class CheckMethods:
    """Methods of ``NetworkPosterior`` that check the fit of its model."""

    def deviances(self) -> pd.DataFrame:
        """Return the residual deviance and the leverage of each data point: an arm or, of a network on contrasts, a trial.

        Returns
        -------
        pandas.DataFrame
            study; treatment (of a trial its contrast, or all its treatments); observed and fitted: number of events, mean or contrast on
            the model scale (NaN for several contrasts); points, the number of data points; deviance, the posterior mean of the residual
            deviance, about ``points`` where the model fits; leverage, the part of the effective number of parameters; dic, their sum;
            signed_root, the root of the deviance per point, below 0 where the observed value is below the fitted one.

        Notes
        -----
        The leverage is the mean deviance less that at the posterior mean of the fitted value, so that the columns add up to
        ``residual_deviance``, pD and ``dic``: NICE DSU Technical Support Document 2, section 3.3; Spiegelhalter et al. 2002, J R Stat Soc B
        64:583-639.
        """
        from bayesmeta.networks.deviance import deviances

        return deviances(cast("NetworkPosterior", self))

    def influence(
        self,
        *,
        terms: Sequence[str] | str | None = None,
        level: float = 0.95,
        scale: str = "model",
        better: str | None = None,
        mid: Mid | None = None,
        without: Sequence[WithoutStudy] | None = None,
    ) -> pd.DataFrame:
        """Fit the network without each study in turn: exact on contrasts, by NUTS once per study with the likelihood of the arms.

        Parameters
        ----------
        terms : str or sequence of str, optional
            Contrasts "A vs B"; default: all others against the reference.
        level, scale, better, mid
            As in ``bayesmeta.summarize``.
        without : sequence of WithoutStudy, optional
            Fits without each study, from ``leave_each_out``; computed by default.

        Returns
        -------
        pandas.DataFrame
            Index term and left_out, columns as of ``bayesmeta.influence``; ``note`` says which treatments are not connected without the
            study, whose contrasts have no numbers then.

        Raises
        ------
        DataError
            If there are fewer than two studies.
        SpecError
            For an unknown contrast, scale or side.
        """
        from bayesmeta.networks.left_out import influence

        net = cast("NetworkPosterior", self)
        return influence(net, terms=terms, level=level, scale=scale, better=better, mid=mid, without=without)

    def predictive_checks(self, *, draws: int = 4000, without: Sequence[WithoutStudy] | None = None) -> pd.DataFrame:
        """Compare the contrasts of each trial with what is predicted of them, for new effects in the trial.

        Parameters
        ----------
        draws : int
            Number of replications, for checks without a closed form.
        without : sequence of WithoutStudy, optional
            Fits without each study, from ``leave_each_out``; computed by default.

        Returns
        -------
        pandas.DataFrame
            Columns as of ``bayesmeta.predictive_checks``. Checks "given all" and "given the others" have a row per contrast of a trial
            with its first arm; "trial given all" and "trial given the others" one per multi-arm trial, of the distance (y - X d)' V^-1
            (y - X d), V = S + tau^2 R and the variance of X d, of which large values are surprising; "Q" and "largest residual" are of all
            trials. A trial without which its treatments are not connected is not predicted from the others. With the likelihood of the
            arms, contrasts (of counts with 1/2 added to each) are replicated from the draws, predicted from all trials only; V is then the
            covariance of the replicated ones, and there is no Q.

        Notes
        -----
        On contrasts exact: given tau, a new result is normal, and a tail is averaged over the posterior distribution of tau (Marshall and
        Spiegelhalter 2007, Bayesian Anal 2:409-444; of multi-arm trials the p-value is the average of that of the chi-squared
        distribution given tau).
        """
        from bayesmeta.networks.predictive import predictive_checks

        return predictive_checks(cast("NetworkPosterior", self), draws=draws, without=without)
