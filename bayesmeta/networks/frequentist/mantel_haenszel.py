"""Mantel-Haenszel odds ratios of designs with two arms or more, and direct and indirect evidence of such networks.

The generalized estimator of Mickey and Elashoff (1985) with the covariance of Greenland (1989, Biometrics 45:183), which for two arms are
the Mantel-Haenszel odds ratio and its variance by Robins, Breslow and Greenland (1986).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import DataError
from bayesmeta.networks.arm_values import StudyContrasts
from bayesmeta.networks.network_data import NetworkContrasts, assembled
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    from bayesmeta.networks.frequentist.rare_events import Design
    from bayesmeta.networks.frequentist.result import NetworkMeta


def generalized_odds_ratios(events: Array, n: Array) -> StudyContrasts:
    """Return the generalized Mantel-Haenszel log odds ratios of a arms against the first, pooled over s studies.

    Parameters
    ----------
    events, n : numpy.ndarray, shape (s, a)
        Events and participants.
    """
    other, total = n - events, n.sum(axis=1)[:, None, None]
    a = n.shape[1]
    c = events[:, :, None] * other[:, None, :] / total
    d = (events[:, :, None] + other[:, None, :]) / total
    big = c.sum(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.log(big / big.T)
        u = _covariances(events, other, n, total[:, :, 0], c, d, big)
    np.fill_diagonal(log_ratio, 0.0)
    if not (np.isfinite(log_ratio).all() and np.isfinite(u).all()):
        return StudyContrasts(
            np.full(a - 1, np.nan),
            np.full((a - 1, a - 1), np.nan),
            "no study has events in one arm and others in another",
        )
    shared = u.sum(axis=2)
    plus = u.sum(axis=0) - shared - shared.T + np.einsum("ijj->ij", u)
    np.fill_diagonal(plus, u.sum(axis=(1, 2)))
    sums = log_ratio.sum(axis=1)
    covariance = (plus[1:, 1:] - plus[1:, :1] - plus[:1, 1:] + plus[0, 0]) / a**2
    return StudyContrasts((sums[1:] - sums[0]) / a, covariance)


def _covariances(events: Array, other: Array, n: Array, total: Array, c: Array, d: Array, big: Array) -> Array:
    """Return cov(L_ij, L_ik) of the Mantel-Haenszel log odds ratios of arm i against j and against k, shape (a, a, a)."""
    up, down = 1 / big, 1 / big.T
    scaled = [values / total for values in (events, other)]
    found = (
        np.einsum("si,sj,sk,ij,ik->ijk", events, scaled[1], scaled[1], up, up)
        + np.einsum("si,sj,sk,ij,ik->ijk", n, scaled[1], scaled[0], up, down)
        + np.einsum("si,sj,sk,ij,ik->ijk", n, scaled[0], scaled[1], down, up)
        + np.einsum("si,sj,sk,ij,ik->ijk", other, scaled[0], scaled[0], down, down)
    ) / 3
    back, d_back = c.transpose(0, 2, 1), d.transpose(0, 2, 1)
    variance = (
        (c * d).sum(axis=0) * up**2
        + (c * d_back + back * d).sum(axis=0) * up * down
        + (back * d_back).sum(axis=0) * down**2
    ) / 2
    arms = np.arange(len(big))
    found[:, arms, arms] = variance
    found[arms, arms, :] = 0.0
    found[arms, :, arms] = 0.0
    return found


def design_contrasts(designs: list[Design], contrasts: NetworkContrasts) -> NetworkContrasts:
    """Return the contrasts of designs, each pooled over its studies.

    Raises
    ------
    DataError
        If a design's odds ratios are not finite.
    """
    blocks = [generalized_odds_ratios(design.events, design.n) for design in designs]
    for design, block in zip(designs, blocks, strict=True):
        if block.reason:
            raise DataError(
                f"the odds ratios of the design {design.name} are not finite: {block.reason} ({', '.join(design.studies)})",
                source=contrasts.source,
                fix="Leave these studies out, combine arms, or choose method CE, DL, ML or REML.",
            )
    found = assembled("OR", [design.name for design in designs], [design.treatments for design in designs], blocks)
    return replace(found, lumping=contrasts.lumping, source=contrasts.source)


def split_pairs(net: NetworkMeta, pairs: list[tuple[int, int]]) -> tuple[Array, Array, Array, Array, Array]:
    """Return direct and indirect log odds ratios of pairs of treatments with standard errors, and numbers of direct studies.

    Direct: the Mantel-Haenszel odds ratio of all studies with both treatments. Indirect: the network of all others.
    """
    from bayesmeta.networks.frequentist.rare_events import designs_of_counts

    designs, _ = designs_of_counts(net.data)
    values = np.full((4, len(pairs)), np.nan)
    counts = np.zeros(len(pairs), dtype=int)
    for place, (i, j) in enumerate(pairs):
        names = (net.treatments[j], net.treatments[i])
        having = [design for design in designs if {*names} <= {*design.treatments}]
        if not having:
            continue
        columns = [[design.treatments.index(name) for name in names] for design in having]
        events, n = (
            np.concatenate([getattr(design, what)[:, at] for design, at in zip(having, columns, strict=True)])
            for what in ("events", "n")
        )
        block = generalized_odds_ratios(events, n)
        counts[place] = len(n)
        values[:2, place] = block.y[0], np.sqrt(block.covariance[0, 0])
        direct = {study for design in having for study in design.studies}
        values[2:, place] = _indirect(net, [study for study in net.data.studies if study not in direct], (i, j))
    return values[0], values[1], values[2], values[3], counts


def _indirect(net: NetworkMeta, studies: list[str], pair: tuple[int, int]) -> tuple[float, float]:
    from bayesmeta.networks.frequentist.rare_events import fit_counts
    from bayesmeta.networks.frequentist.splits import connected_part

    one, two = (net.treatments[at] for at in pair)
    part = connected_part(net.data, studies, (net.data.position(one), net.data.position(two)))
    if part is None:
        return np.nan, np.nan
    try:
        fitted = fit_counts(part, "MH", None, net.level)
    except DataError:
        return np.nan, np.nan
    if one not in fitted.treatments or two not in fitted.treatments:
        return np.nan, np.nan
    i, j = fitted.treatments.index(one), fitted.treatments.index(two)
    return float(fitted.effect_matrix[i, j]), float(fitted.se_matrix[i, j])
