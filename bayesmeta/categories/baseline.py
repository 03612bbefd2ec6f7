"""The distribution over the categories under the reference treatment at which risks are compared."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.studies.categories import CategoryTable
from bayesmeta.support.arrays import Array

#: name of the default
POOLED = "pooled"


def pooled_baseline(table: CategoryTable, fitted: Array, reference: str) -> Array:
    """Return draws of the probabilities of the cells among the participants of all reference arms together.

    They are the means of the fitted probabilities of these arms, weighted by participants, so that the uncertainty of the arms is carried.

    Parameters
    ----------
    table : CategoryTable
        The arms.
    fitted : numpy.ndarray, shape (chain, draw, n, B, C)
        Draws of the probabilities of the cells of each arm.
    reference : str
        The reference treatment.

    Returns
    -------
    numpy.ndarray, shape (chain, draw, B, C)
    """
    weight = np.array([n if name == reference else 0.0 for n, name in zip(table.n, table.treatments, strict=True)])
    return np.tensordot(fitted, weight / weight.sum(), axes=(2, 0))


def stated_baseline(
    given: Mapping[str, float], size: float | None, table: CategoryTable, shape: tuple[int, int], seed: int
) -> Array:
    """Return draws of a stated baseline.

    Parameters
    ----------
    given : mapping of str to float
        Probability of each category; with categories before treatment, of each change, as in ``{"insecure to secure": 0.1, ...}``.
    size : float, optional
        Number of participants from whom they were estimated: draws are from the Dirichlet distribution of that size. None: known exactly.
    table : CategoryTable
        The arms.
    shape : tuple of int
        Chains and draws.
    seed : int
        Seed of the draws.

    Returns
    -------
    numpy.ndarray, shape (chain, draw, B, C)

    Raises
    ------
    SpecError
        If a name is unknown or missing, a probability is not above 0, or they do not sum to 1.
    """
    names = table.cell_names
    for name in given:
        if name not in names:
            raise unknown_name("category of the baseline", name, names)
    missing = [name for name in names if name not in given]
    if missing:
        raise SpecError(f"the baseline has no probability of {', '.join(missing)}; give one of every category")
    values = np.array([float(given[name]) for name in names])
    if not (values > 0).all():
        raise SpecError(
            f"the probabilities of a baseline must be above 0 but {names[int(np.argmin(values))]} has {values.min():g}; "
            "a category that nobody can be in has no risk ratio"
        )
    if abs(values.sum() - 1.0) > 1e-6:
        raise SpecError(
            f"the probabilities of a baseline sum to 1 but these sum to {values.sum():g}; divide percentages by 100"
        )
    values = values / values.sum()
    if size is None:
        drawn = np.broadcast_to(values, (*shape, len(values)))
    elif size > 0:
        drawn = np.random.default_rng([seed, 3]).dirichlet(size * values, shape)
    else:
        raise SpecError(f"baseline_n is a number of participants, above 0, but is {size:g}")
    return np.array(drawn).reshape(*shape, *table.shape)
