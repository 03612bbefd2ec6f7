"""Prior-data conflict of coefficients: the rule for mu (``posterior.conflict``) for each combination of coefficients that has a prior."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.special import ndtr

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.choose import solve_exactly
from bayesmeta.errors import ConvergenceError, DataError, SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors

#: probability below which data contradict a prior
UNLIKELY = 0.01
#: number of equally likely points at which a prior is evaluated
POINTS = 400
#: standard normal quantile at 0.975
NORMAL_975 = 1.959963984540054
TAILS = np.array([[0.025], [0.5], [0.975]])


def conflict_sentence(name: str, prior: Prior, limits: tuple[float, float, float], sd: float, scale: str) -> str:
    """Return a sentence if an estimate is farther out than the prior says, else "".

    Parameters
    ----------
    name : str
        What is estimated.
    prior : Prior
        Its proper prior.
    limits : (float, float, float)
        By the data alone: the lower end of its 95% interval, its median, the upper end.
    sd : float
        Standard deviation that fits the interval.
    scale : str
        Words on the scale, for the end of the sentence.
    """
    low, centre, high = limits
    points = prior.quantile((np.arange(POINTS) + 0.5) / POINTS)
    below = float(ndtr((centre - points) / sd).mean())
    probability = 2 * min(below, 1 - below)
    if probability >= UNLIKELY:
        return ""
    written = "below 0.001" if probability < 0.001 else f"{probability:.3f}"
    return (
        f"prior-data conflict: by the data alone {name} is {centre:.3g} [{low:.3g}, {high:.3g}], "
        f"which, or farther out, has probability {written} under the prior {prior}{scale}"
    )


def coefficient_conflicts(normal: ModelData, priors: Priors) -> tuple[str, ...]:
    """Return a sentence for each prior of coefficients that the data contradict.

    Parameters
    ----------
    normal : ModelData
        Data with moderators and normal likelihood.
    priors : Priors
        Priors, model scale. A flat prior and a point prior have no conflict; neither has any where X has no full rank.
    """
    design = normal.design
    found = combination_priors(priors, design)
    if np.linalg.matrix_rank(design.matrix) < len(design.names) or not any(
        prior.proper and prior.point is None for prior in found.priors
    ):
        return ()
    flat = replace(
        priors,
        mu=Prior("Flat", ()),
        baseline=None,
        coefficients=tuple((name, Prior("Flat", ())) for name in design.names),
    )
    try:
        solution: Any = solve_exactly(normal, flat)
        limits = solution.combinations(found.combinations, found.names(design)).quantile(TAILS)
    except (ConvergenceError, DataError, SpecError):
        # without an answer under flat priors there is nothing to compare
        return ()
    scale = " (log scale)" if MEASURES[normal.measure].log else ""
    sentences = []
    for name, prior, (low, centre, high) in zip(found.names(design), found.priors, limits.T, strict=True):
        if prior.proper and prior.point is None:
            sd = float(high - low) / (2 * NORMAL_975)
            sentences.append(conflict_sentence(name, prior, (float(low), float(centre), float(high)), sd, scale))
    return tuple(sentence for sentence in sentences if sentence)
