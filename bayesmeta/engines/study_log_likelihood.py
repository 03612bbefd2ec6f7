"""Log-likelihood of each study given mu and tau, with the study's own effect integrated out."""

from __future__ import annotations

import numpy as np

from bayesmeta.engines.arm_level.smoothing import smoothed
from bayesmeta.engines.arm_level.study_table import tabulate
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

LOG_2PI = float(np.log(2 * np.pi))


def pointwise_log_likelihood(data: ModelData, priors: Priors, mu: Array, tau: Array) -> Array:
    """Return the natural log of g_i(mu, tau) = p(D_i | mu, tau), with the study's effect theta_i ~ Normal(mu, tau2) integrated out.

    Parameters
    ----------
    data : ModelData
        Data of k studies.
    priors : Priors
        Only the prior for the baseline is used, by arm-level likelihoods.
    mu : numpy.ndarray, shape (S,), (S, 1) or (S, k)
        Draws of the mean effect or, with moderators, of the expected effect of each study (``ModelData.expected_effects``); model scale.
    tau : numpy.ndarray, shape (S,)
        Draws, on the model scale; above 0 for arm-level likelihoods.

    Returns
    -------
    numpy.ndarray, shape (S, k)

    Raises
    ------
    SpecError
        For correlated estimates, whose likelihood is no product over studies.
    """
    data.require_separate("the log-likelihood by study")
    mu = np.broadcast_to(mu[:, None] if mu.ndim == 1 else mu, (len(tau), len(data.labels)))
    if data.likelihood == "normal":
        total = data.columns["se"] ** 2 + tau[:, None] ** 2
        return -0.5 * (LOG_2PI + np.log(total) + (data.columns["effect"] - mu) ** 2 / total)
    tables = tabulate(data.likelihood, data.measure, data.columns, priors.baseline)
    return np.stack([smoothed(table).log_smooth(mu[:, i, None], tau)[:, 0] for i, table in enumerate(tables)], axis=1)
