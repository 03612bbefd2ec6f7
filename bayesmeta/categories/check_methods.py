"""The checks of an outcome with several categories as methods of its fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.categories.result import CategoryFit


class CategoryChecks:
    """Methods of ``CategoryFit`` that check the fit of its model."""

    def margins(self, *, level: float = 0.95) -> pd.DataFrame:
        """Compare the numbers reported with what the model predicts for the same arms.

        Returns
        -------
        pandas.DataFrame
            One row per number: study, treatment, category, count, n, ``expected``, and ``low``, ``high`` of the predictive interval of
            this level; ``p`` is the mid-P probability of as few (posterior predictive).

        Raises
        ------
        SpecError
            For the normal approximation, whose probabilities of an arm are those of its own counts.
        """
        from bayesmeta.categories.margins import predicted_margins

        return predicted_margins(cast("CategoryFit", self), level)

    def deviances(self) -> pd.DataFrame:
        """Return the residual deviance and the leverage of each arm, or of each trial of the normal approximation.

        Returns
        -------
        pandas.DataFrame
            Columns as of ``NetworkPosterior.deviances``. ``points`` of an arm is the number of its counts less one, as their sum is given;
            ``deviance`` is 2 sum count log(count / expected), about ``points`` where the model fits. Of the normal approximation there is a
            row per trial, about its log ratios against the first arm.
        """
        from bayesmeta.categories.checks import deviances

        return deviances(cast("CategoryFit", self))

    def predictive_checks(self, *, draws: int = 4000) -> pd.DataFrame:
        """Compare the counts of each trial with what is predicted of them, for new effects in the trial.

        Parameters
        ----------
        draws : int
            Number of replications, by NUTS.

        Returns
        -------
        pandas.DataFrame
            Columns as of ``bayesmeta.predictive_checks``. By NUTS "given all" has a row per count of the arms of a trial but its first,
            replicated given the distribution in the first arm and new effects, and "trial given all" one per trial, of the distance of
            these counts from the prediction in their covariance. Of the normal approximation "trial given all" and "trial given the
            others" have the distance of the log ratios, exact by quadrature over tau; a trial without which its treatments are not
            connected is not predicted from the others.
        """
        from bayesmeta.categories.checks import predictive_checks

        return predictive_checks(cast("CategoryFit", self), draws)
