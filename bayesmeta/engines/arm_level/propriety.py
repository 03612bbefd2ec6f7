"""Whether likelihoods and priors together bound two coefficients: with flat priors the posterior may not be a distribution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bayesmeta.engines.arm_level.mu_given_tau import NormalStudy
from bayesmeta.engines.arm_level.smoothing import NEGLIGIBLE, Smoothed
from bayesmeta.errors import DataError
from bayesmeta.model.priors.coefficients import CombinationPriors
from bayesmeta.support.arrays import Array


def bounded_sides(study: Smoothed | NormalStudy) -> tuple[bool, bool]:
    """Return whether a study's likelihood vanishes as its effect goes to minus infinity, and to infinity.

    That of a study without events in one arm does so on one side only.
    """
    if isinstance(study, NormalStudy):
        return True, True
    (low, high), (below, above) = study.edge_values, study.edge_slopes
    return bool(low <= -NEGLIGIBLE or below > 0), bool(high <= -NEGLIGIBLE or above < 0)


def unbounded_direction(rows: Array) -> Array | None:
    """Return a direction d other than 0 with ``rows @ d <= 0`` (rows of shape (m, 2)), or None where there is none."""
    rows = rows[(rows != 0).any(axis=1)]
    if not len(rows):
        return np.array([1.0, 0.0])
    rows = rows / np.linalg.norm(rows, axis=1)[:, None]
    # a cone of such directions has an edge, which is perpendicular to a row
    sides = np.stack([-rows[:, 1], rows[:, 0]], axis=1)
    for d in np.concatenate([sides, -sides]):
        if (rows @ d <= 1e-10).all():
            return d
    return None


def require_proper(
    studies: Sequence[Smoothed | NormalStudy],
    matrix: Array,
    prior: CombinationPriors,
    labels: Sequence[str],
    names: Sequence[str],
    *,
    light_tailed_tau: bool,
) -> None:
    """Refuse an improper posterior of two coefficients.

    The likelihood does not vanish along d where no study bounds x_i'd on the side to which it goes and d changes no combination with a
    proper prior; the posterior is then improper at every tau. Where the coefficients are bounded by opposite studies only, each on one
    side, their range grows with tau, so that tau needs a prior with a light tail.

    Parameters
    ----------
    studies : sequence of Smoothed or NormalStudy
        The k studies.
    matrix : numpy.ndarray, shape (k, 2)
        Design matrix.
    prior : CombinationPriors
        Priors for the coefficients.
    labels, names : sequence of str
        Names of the studies, and of the coefficients.
    light_tailed_tau : bool
        Whether the tail of the prior for tau falls faster than any power.

    Raises
    ------
    DataError
        If the posterior is improper.
    """
    if prior.proper:
        return
    known = prior.combinations[[one.proper for one in prior.priors]]
    sides = np.array([bounded_sides(study) for study in studies])
    above, below = matrix[sides[:, 1]], -matrix[sides[:, 0]]
    both = matrix[sides.all(axis=1)]
    one_sided = [label for label, (low, high) in zip(labels, sides, strict=True) if not (low and high)]
    named = f"{', '.join(repr(label) for label in one_sided[:3])}{' and others' if len(one_sided) > 3 else ''}"
    cause = f" (the likelihood does not vanish on one side for {named}, as where an arm has no events)" if named else ""
    fix = "Give these coefficients proper priors, such as Normal(0, 2.82)"
    direction = unbounded_direction(np.vstack([above, below, known, -known]))
    if direction is not None:
        moved = [name for name, step in zip(names, direction, strict=False) if abs(step) > 1e-10]
        raise DataError(
            f"the posterior is improper: data and flat priors do not bound {' and '.join(moved)}{cause}", fix=f"{fix}."
        )
    if not light_tailed_tau and np.linalg.matrix_rank(np.vstack([both, known])) < 2:
        raise DataError(
            f"the posterior may be improper: with flat priors {named} bound the coefficients on one side only, so that they vary as far as "
            "tau does",
            fix=f"{fix}, or tau a prior with a light tail, such as HalfNormal(0.5).",
        )
