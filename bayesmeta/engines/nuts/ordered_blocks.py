"""Parts of PyMC models of outcomes with ordered categories: data, cutpoints, probabilities."""

from __future__ import annotations

from typing import Any

from bayesmeta.engines.nuts.category_blocks import TINY, add_numbers
from bayesmeta.engines.nuts.network_blocks import add_arms, network_coordinates
from bayesmeta.engines.nuts.ordered_arms import OrderedArms

#: standard deviation of the half-normal prior of the distance of neighbouring cutpoints, on the scale of the link
GAP_SD = 5.0


def ordered_coordinates(data: OrderedArms) -> dict[str, Any]:
    """Return the coordinates of a model of ordered categories: those of a network, "earlier", "category" and "between"."""
    c = len(data.categories)
    return network_coordinates(data) | {"earlier": range(1), "category": range(c), "between": range(c - 2)}


def add_ordered_arms(data: OrderedArms) -> dict[str, Any]:
    """Register the data of ordered categories in the PyMC model whose ``with`` block is active; see ``add_arms`` and ``add_categories``."""
    return add_arms(data) | add_numbers(data)


def add_cutpoints(data: OrderedArms) -> Any:
    """Add the cutpoints between C categories, the first being 0, to the PyMC model whose ``with`` block is active.

    The distances of neighbouring cutpoints are ``gap``, HalfNormal(5) on the scale of the link.

    Returns
    -------
    pymc variable, shape (C - 1,)
        ``cutpoints``, increasing.
    """
    import pymc as pm
    import pytensor.tensor as pt

    zero = pt.zeros(1)
    if len(data.categories) == 2:
        return pm.Deterministic("cutpoints", zero)
    gap = pm.HalfNormal("gap", GAP_SD, dims="between")
    return pm.Deterministic("cutpoints", pt.concatenate([zero, pt.cumsum(gap)]))


def ordered_log_probabilities(location: Any, cutpoints: Any, link: str) -> Any:
    """Return the logs of the probabilities of C categories, shape (n, C).

    Parameters
    ----------
    location : pymc variable, shape (n,)
        Location of the latent variable of each arm; a category c is where it lies between cutpoints c - 1 and c.
    cutpoints : pymc variable, shape (C - 1,)
        Cutpoints.
    link : str
        "probit": the latent variable is Normal(location, 1); "logit": Logistic(location, 1).
    """
    import pymc as pm
    import pytensor.tensor as pt

    def below(x: Any) -> Any:
        return pm.math.sigmoid(x) if link == "logit" else 0.5 * pt.erfc(-x / 2.0**0.5)

    distance = location[:, None] - cutpoints[None, :]
    above = below(distance)
    middle = above[:, :-1] - above[:, 1:]
    p = pt.concatenate([below(-distance[:, :1]), middle, above[:, -1:]], axis=1)
    return pm.math.log(pm.math.maximum(p, TINY))
