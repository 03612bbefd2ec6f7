"""``sampling_covariance``: the covariance of estimates of the same people, for models of dependent estimates."""

from __future__ import annotations

from typing import Any

import numpy as np

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.dependence import dependent_covariance
from bayesmeta.effects.estimate_columns import columns_of, find_column, group_labels
from bayesmeta.effects.estimates import read_estimates
from bayesmeta.errors import DataError
from bayesmeta.support.arguments import with_keywords_of
from bayesmeta.support.arrays import Array


@with_keywords_of(effect_sizes)
def sampling_covariance(
    effects: Any = None,
    *,
    sampling_correlation: Any = None,
    of: str = "estimates",
    study: str = "study",
    by: str | None = None,
    measure: str | None = None,
    data: Any = None,
    **options: Any,
) -> Covariance:
    """Compute the sampling covariance of estimates that share participants.

    The result is what ``multilevel`` and ``fit`` take as ``covariance=``. They compute it themselves from columns of shared arms and from
    ``sampling_correlation=``; this function is for looking at it, and for correlations of outcomes.

    Parameters
    ----------
    effects : Effects, StudyTable, pandas.DataFrame or path, optional
        n effects, or data of which they are computed; or give ``yi`` instead. A study may have several rows.
    sampling_correlation : float, str, mapping or pandas.DataFrame, optional
        Correlation between estimates of the same people: one number; a column with one number per study; or correlations by outcome or
        time, as ``{"math": {"reading": 0.5}}``, ``{("math", "reading"): 0.5}`` or a square frame. Without it only shared arms count.
    of : {"estimates", "outcomes"}
        Of what it is the correlation: of the estimates, cov = rho sqrt(v_i v_j); or of the outcomes in one person, from which that of the
        estimates is computed by the data of the arms.
    study : str
        Column that names the study of each estimate.
    by : str, optional
        Column of the outcomes or times that ``sampling_correlation`` names; found by default.
    measure, data
        As in ``regression``.
    **options
        Data and options as in ``effect_sizes``.

    Returns
    -------
    Covariance
        Model scale squared; ``.matrix`` is the whole matrix, shape (n, n), NaN on the diagonal for rows that are not pooled.

    Raises
    ------
    DataError
        If an arm has different numbers in two rows, a correlation is needed that is not given, there is no formula for the measure, or the
        correlations given are impossible together.
    SpecError
        If a name is not understood or a correlation is not between -1 and 1.

    Notes
    -----
    Formulas and their source are in ``bayesmeta.effects.shared_arms.arm_covariance``.

    Examples
    --------
    >>> found = sampling_covariance(yi=[0.1, 0.3, 0.2], vi=[0.04, 0.09, 0.05], data={"study": ["A", "A", "B"]}, sampling_correlation=0.5)
    >>> found.matrix.round(3).tolist()
    [[0.04, 0.03, 0.0], [0.03, 0.09, 0.0], [0.0, 0.0, 0.05]]
    """
    found, data = read_estimates(effects, measure, data, options, repeated=True, dependence=False)
    columns = columns_of(found, data)
    if by is not None:
        find_column(columns, by, "by")
    groups = group_labels(columns, study, "study", found.labels, found.used)
    covariance = dependent_covariance(found, columns, groups, sampling_correlation, by=by, of=of)
    for rows, block in covariance.blocks:
        if not _semidefinite(block):
            raise DataError(
                f"the sampling correlations of {', '.join(repr(found.labels[i]) for i in rows[:6])} are impossible together: their "
                "covariance is not positive definite",
                fix="Give correlations that can occur together.",
            )
    return covariance


def _semidefinite(matrix: Array) -> bool:
    """Whether a covariance matrix has no negative eigenvalue beyond rounding."""
    try:
        np.linalg.cholesky(matrix + 1e-10 * np.trace(matrix) * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return False
    return True
