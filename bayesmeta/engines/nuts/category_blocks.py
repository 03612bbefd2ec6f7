"""Parts of PyMC models of outcomes with several categories: data, effects of the arms, baselines of the trials, probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import gammaln

from bayesmeta.engines.nuts.category_arms import CategoryArms, centred_basis
from bayesmeta.engines.nuts.ordered_arms import OrderedArms
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.baseline import DEFAULT_BASELINE
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors

#: prior of the baselines of change, which margins may not identify: Normal(0, 10) would have most of its mass at risks near 0 and 1
BASELINE_OF_CHANGE = Prior("Normal", (0.0, 2.5))
#: added to probabilities of which the log is taken
TINY = 1e-300


def category_coordinates(data: CategoryArms) -> dict[str, Any]:
    """Return the coordinates of a model of categories: "study" (the eta of ``CategoryArms``), "arm", "trial", "basic" and others."""
    n, b, c = data.shape
    return {
        "study": range(len(data.r)),
        "arm": range(n),
        "trial": range(len(data.trials)),
        "basic": range(len(data.guide_contrasts)),
        "earlier": range(b),
        "category": range(c),
        "of_baseline": range(len(data.trials) * b * (c - 1)),
        "of_prevalence": range(len(data.trials) * (b - 1)),
    }


def add_categories(data: CategoryArms) -> dict[str, Any]:
    """Register the data of an outcome with categories in the PyMC model whose ``with`` block is active.

    Parameters
    ----------
    data : CategoryArms
        Arms of the trials. The model must have the coordinates of ``category_coordinates``.

    Returns
    -------
    dict of str to pymc.Data
        ``alone``, the counts of single cells, shape (n * B, C), and what ``add_network_priors``, ``add_arm_effects`` and
        ``add_multinomial`` use. They are matrices because those compile fast.
    """
    import pymc as pm

    found = {
        name: pm.Data(name, np.asarray(value, float), dims="study")
        for name, value in (("guide_effect", data.guide_effect), ("guide_variance", data.guide_variance), ("r", data.r))
    }
    for name in ("back", "centred", "expected", "guide_contrasts", "guide_root"):
        found[name] = pm.Data(name, np.ascontiguousarray(getattr(data, name), dtype=float))
    return found | add_numbers(data)


def add_numbers(data: CategoryArms | OrderedArms) -> dict[str, Any]:
    """Register the numbers reported, for ``add_multinomial``, in the PyMC model whose ``with`` block is active."""
    import pymc as pm

    found = {"alone": pm.Data("alone", data.alone.reshape(-1, data.shape[2]))}
    together = data.cells.sum(axis=1) > 1
    if together.any():
        n, b, c = data.shape
        cells = np.zeros((int(together.sum()), n, b * c))
        cells[np.arange(len(cells)), data.arm[together]] = data.cells[together]
        found["together"] = pm.Data("together", np.asarray(data.counts[together], float))
        found["cells"] = pm.Data("cells", np.ascontiguousarray(cells.reshape(len(cells), -1)))
    return found


def add_category_baselines(priors: Priors, data: CategoryArms, name: str = "baseline") -> Any:
    """Add each trial's baseline with its prior to the PyMC model whose ``with`` block is active.

    Every log odds of two categories has the prior, and so the order of the categories does not matter.

    Parameters
    ----------
    priors : Priors
        Its ``baseline`` is the prior of every log odds of two categories at the baseline, Normal with mean 0; None: Normal(0, 10), and
        Normal(0, 2.5) where there are categories before treatment, because margins may leave them to the prior.
    data : CategoryArms
        Arms of the trials.
    name : str
        ``"baseline"``: of the categories after treatment given each before, the mean of the trial's arms; ``"prevalence"``: of the
        categories before treatment.

    Returns
    -------
    pymc variable, shape (n * B * C,) or (n * B,)
        Centred log ratios of the trial of each arm. The variable ``name`` of the model has their coordinates, divided by the standard
        deviation of their prior.

    Raises
    ------
    SpecError
        For a prior that is not Normal with mean 0.
    """
    import pymc as pm

    prior = priors.baseline or (BASELINE_OF_CHANGE if data.before else DEFAULT_BASELINE)
    if prior.family != "Normal" or prior.args[0] != 0.0:
        raise SpecError(
            f"the prior for the baseline of categories is that of every log odds of two of them, Normal with mean 0, but is {prior}; "
            "try Normal(0, 10)"
        )
    _, b, c = data.shape
    basis = np.kron(np.eye(b), centred_basis(c)) if name == "baseline" else centred_basis(b)
    of_arms = 1.0 * (data.trial[:, None] == np.arange(len(data.trials)))
    scaled = pm.Data(f"{name}_basis", prior.args[1] / np.sqrt(2.0) * np.kron(of_arms, basis))
    return scaled @ pm.Normal(name, 0.0, 1.0, dims=f"of_{name}")


def log_probabilities(centred_log_ratios: Any, categories: int) -> Any:
    """Return the logs of the probabilities of groups of so many categories from logs up to a constant, shape (groups, categories)."""
    import pymc as pm

    rows = centred_log_ratios.reshape((-1, categories))
    return rows - pm.math.logsumexp(rows, axis=1, keepdims=True)


def add_multinomial(log_p: Any, columns: dict[str, Any], data: CategoryArms | OrderedArms) -> None:
    """Add the multinomial likelihood of the numbers reported to the PyMC model whose ``with`` block is active.

    A number of several cells together has the sum of their probabilities. The variable ``fitted`` of the model has the probabilities,
    shape (n, B, C).

    Parameters
    ----------
    log_p : pymc variable, shape (n * B, C)
        Logs of the probabilities of the cells, which sum to 1 for each arm.
    columns : dict
        From ``add_categories`` or ``add_ordered_arms``.
    data : CategoryArms or OrderedArms
        Arms of the trials.
    """
    import pymc as pm

    p = pm.math.exp(log_p)
    pm.Deterministic("fitted", p.reshape(data.shape), dims=("arm", "earlier", "category"))
    totals = np.bincount(data.arm, data.counts, len(data.trial))
    coefficient = pm.Data("coefficient", gammaln(totals + 1).sum() - gammaln(np.asarray(data.counts) + 1).sum())
    log_likelihood = coefficient + (columns["alone"] * log_p).sum()
    if "cells" in columns:
        log_likelihood += (columns["together"] * pm.math.log(columns["cells"] @ p.reshape((-1,)) + TINY)).sum()
    pm.Potential("log_likelihood", log_likelihood)
