"""Threshold analysis: how far an estimate of a network has to move until another treatment is the best."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import ndtri

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.consistency import require_exact
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.exact import solve_network
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.frequentist.fit import fit_contrasts
from bayesmeta.networks.frequentist.methods import NETWORK_METHODS
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.perturbations import LEVELS, Perturbation, perturbations
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.posterior.bands import SIDES
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed

if TYPE_CHECKING:
    import pandas as pd

#: what may be done about tau when an estimate moves
TAU = ("fixed", "refit")
#: where a new best treatment is looked for when the network is fitted again: multiples of the threshold with tau fixed, and of the
#: standard error where that is infinite
_MULTIPLES, _OF_SE = (0.5, 0.8, 1.0, 1.25, 1.6, 2.0, 3.0, 5.0, 10.0), (1.0, 2.0, 5.0, 10.0, 20.0)
_NO_RATE = 1e-10


@dataclass(frozen=True, eq=False, repr=False)
class ThresholdAnalysis(Displayed):
    """Thresholds of the estimates of a network.

    Parameters
    ----------
    table : pandas.DataFrame
        One row per estimate, the one whose threshold is the smallest in its standard errors first; see ``threshold_analysis``.
    best : str
        Treatment with the best estimate.
    better : str
        Side of benefit, "higher" or "lower".
    by : str
        "contrast" or "study".
    tau : str
        "fixed" or "refit".
    measure : str
        Effect measure; the table is on its model scale (log for ratios).
    level : float
        Level of the intervals.
    notes : tuple of str
        Remarks on estimates that have no row.
    """

    table: pd.DataFrame
    best: str
    better: str
    by: str
    tau: str
    measure: str
    level: float
    notes: tuple[str, ...] = ()

    def _line(self) -> str:
        inside = int(self.table["sensitive"].sum())
        size = f"{len(self.table)} estimates by {self.by}"
        return f"{self.measure}, best {self.best}; {size}, {inside} with a threshold inside of their interval"

    def _table(self) -> pd.DataFrame:
        return self.table


@dataclass(frozen=True, eq=False)
class Linear:
    """Effects of the T treatments as linear functions of the m contrasts.

    Parameters
    ----------
    contrasts : NetworkContrasts
        The data.
    effects : numpy.ndarray, shape (T,)
        Effects against any one of them.
    influence : numpy.ndarray, shape (T, m)
        Change of each effect when a contrast moves by one.
    tau2 : float
        Heterogeneity variance, for the weights of trials: the estimate, or the squared posterior median.
    refit : callable
        Returns the effects, shape (T,), for other contrasts, shape (m,).
    """

    contrasts: NetworkContrasts
    effects: Array
    influence: Array
    tau2: float
    refit: Callable[[Array], Array]


def threshold_analysis(
    net: NetworkPosterior | NetworkMeta,
    *,
    by: str = "contrast",
    better: str | None = None,
    tau: str = "fixed",
    level: float | None = None,
) -> ThresholdAnalysis:
    """Compute how far each estimate has to move until another treatment is the best (Phillippo et al. 2019).

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        A fit; a posterior has to be exact on contrasts, a frequentist fit one that weights contrasts.
    by : {"contrast", "study"}
        Estimates that are moved, one at a time: all evidence on two treatments that trials compare, or each trial's (of a trial with
        several arms, each arm's against the reference, or the first
        treatment by name).
    better : {"higher", "lower"}, optional
        Side of benefit; by default that of the network.
    tau : {"fixed", "refit"}
        Whether tau (of a posterior: its distribution) stays as it is, so that thresholds are exact closed forms; or the network is fitted
        again with the moved estimate. The second is looked for up to ten times the first.
    level : float, optional
        Level of the intervals; by default that of a frequentist fit, else 0.95.

    Returns
    -------
    ThresholdAnalysis
        Its ``table`` is on the model scale (log for ratios). Index ``estimate_of``: "A vs B", or "study: A vs B". ``estimate`` with its
        standard error ``se`` and ``ci_low``, ``ci_high``: of a contrast, the direct evidence pooled with the network's tau. ``low`` and
        ``high``: the changes, negative and positive, at which another treatment becomes the best, infinite if none does;
        ``new_best_low``, ``new_best_high``: that treatment; ``invariant_low``, ``invariant_high``: the estimate plus these changes.
        ``sensitive``: whether the interval of the estimate reaches beyond a threshold.

    Raises
    ------
    SpecError
        If the side of benefit is not given, a name is unknown, or the network is sampled or by a method for counts.

    Notes
    -----
    Phillippo et al. 2019, J R Stat Soc A 182:681-703, and their R package nmathresh. The best treatment is the one with the best posterior
    mean or estimate. The evidence on a contrast is the weighted mean of its trials after the multi-arm reduction (Ruecker 2012, Res Synth
    Methods 3:312-324), with which independent contrasts give the same network: this is the likelihood that the paper reconstructs.

    Examples
    --------
    >>> import pandas as pd
    >>> from bayesmeta.networks.frequentist.fit import network_meta
    >>> rows = [("A", "x", "p", -0.5, 0.2), ("B", "y", "p", -0.9, 0.3), ("C", "y", "x", -0.1, 0.2)]
    >>> net = network_meta(pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"]), "MD", reference="p", method="CE")
    >>> found = threshold_analysis(net, better="lower")
    >>> found.best, found.table.loc["y vs p", "high"].round(3), found.table.loc["y vs p", "new_best_high"]
    ('y', np.float64(0.725), 'x')
    """
    if by not in LEVELS:
        raise unknown_name("level of estimates", by, LEVELS)
    if tau not in TAU:
        raise unknown_name("treatment of tau", tau, TAU)
    side = better if better is not None else getattr(net, "better", None)
    if side is None:
        raise SpecError("threshold_analysis needs the side of benefit: better='higher' or better='lower'")
    if side not in SIDES:
        raise unknown_name("side of benefit", side, SIDES)
    shared = (net.level if isinstance(net, NetworkMeta) else 0.95) if level is None else level
    check_level(shared)
    linear = linear_in_data(net)
    sign = 1.0 if side == "higher" else -1.0
    moved, notes = perturbations(linear.contrasts, linear.tau2, by, net.reference)
    best = int(np.argmax(sign * linear.effects))
    names, z = linear.contrasts.treatments, float(ndtri((1 + shared) / 2))
    rows = [_row(linear, one, best, sign, tau, z) for one in moved]
    return ThresholdAnalysis(_frame(rows), names[best], side, by, tau, linear.contrasts.measure, shared, notes)


def linear_in_data(net: NetworkPosterior | NetworkMeta) -> Linear:
    """Return the effects of the treatments as linear functions of the contrasts.

    Raises
    ------
    SpecError
        If the network is sampled, or by a method for counts.
    """
    if isinstance(net, NetworkMeta):
        if NETWORK_METHODS[net.method].counts:
            raise SpecError("threshold analysis needs a method that weights contrasts; choose CE, DL, ML or REML")
        contrasts = net.contrasts
        columns, basis = contrasts.design(), np.eye(len(net.treatments))[:, 1:]
        influence = basis @ _influence(contrasts, columns, np.zeros((columns.shape[1],) * 2), net.tau2)
        return Linear(
            contrasts, net.estimates, influence, net.tau2,
            lambda y: fit_contrasts(replace(contrasts, y=y), net.method, net.reference, net.level).estimates,
        )  # fmt: skip
    solution = _exact(net)
    contrasts, more = net.contrasts, 0 if net.further is None else len(net.further.names)
    columns = contrasts.incidence @ solution.basis
    if net.further is not None:
        columns[:, -more:] = net.further.columns
    parts = [
        weight * _influence(contrasts, columns, solution.model.prior.precision, float(tau) ** 2)
        for tau, weight in zip(solution.tau, solution.weights, strict=True)
    ]
    middle = float(net.quantile("tau", 0.5))
    return Linear(
        contrasts, _means(solution), solution.basis @ np.sum(parts, axis=0), middle**2,
        lambda y: _means(
            solve_network(replace(contrasts, y=y), net.priors, solution.reference, net.further, net.components)
        ),
    )  # fmt: skip


def _exact(net: NetworkPosterior) -> NetworkSolution:
    if net.components is not None and isinstance(net.solution, NetworkSolution):
        return net.solution
    return require_exact(net, "threshold analysis")


def _means(solution: NetworkSolution) -> Array:
    """Return the posterior means of the effects against one treatment, shape (T,)."""
    means, _ = solution.given_tau
    return solution.basis @ (solution.weights @ means)


def _influence(contrasts: NetworkContrasts, columns: Array, precision: Array, tau2: float) -> Array:
    """Return (X' V^-1 X + P)^-1 X' V^-1, shape (p, m)."""
    weighted = np.linalg.solve(contrasts.S + tau2 * contrasts.R, columns).T
    return np.linalg.solve(weighted @ columns + precision, weighted)


def _row(linear: Linear, one: Perturbation, best: int, sign: float, tau: str, z: float) -> dict[str, Any]:
    gaps = sign * (linear.effects[best] - linear.effects)
    slopes = linear.influence @ one.change
    rates = sign * (slopes[best] - slopes)
    rates = np.where(np.abs(rates) > _NO_RATE * max(float(np.abs(slopes).max()), 1e-300), rates, 0.0)
    found = {side: _crossing(gaps, rates * side) for side in (-1.0, 1.0)}
    if tau == "refit":
        found = {side: _refitted(linear, one, best, sign, side, found[side][0]) for side in (-1.0, 1.0)}
    (below, low_best), (above, high_best) = found[-1.0], found[1.0]
    names = linear.contrasts.treatments
    ends = (one.estimate - z * one.se, one.estimate + z * one.se)
    return {
        "estimate_of": one.name, "estimate": one.estimate, "se": one.se, "ci_low": ends[0], "ci_high": ends[1],
        "low": -below, "high": above,
        "new_best_low": "" if low_best is None else names[low_best], "new_best_high": "" if high_best is None else names[high_best],
        "invariant_low": one.estimate - below, "invariant_high": one.estimate + above,
        "sensitive": bool(min(below, above) < z * one.se),
    }  # fmt: skip


def _crossing(gaps: Array, rates: Array) -> tuple[float, int | None]:
    """Return how far an estimate moves until a gap that shrinks at these rates is zero, and whose; infinite if none is."""
    falling = np.flatnonzero(rates < 0)
    if not len(falling):
        return np.inf, None
    distances = gaps[falling] / -rates[falling]
    first = int(np.argmin(distances))
    return float(distances[first]), int(falling[first])


def _refitted(
    linear: Linear, one: Perturbation, best: int, sign: float, side: float, start: float
) -> tuple[float, int | None]:
    """Return the distance at which another treatment is the best when the network is fitted again, and which one."""

    def others(distance: float) -> Array:
        effects = linear.refit(linear.contrasts.y + side * distance * one.change)
        return np.delete(sign * (effects[best] - effects), best)

    def lead(distance: float) -> float:
        return float(others(distance).min())

    tried = [start * m for m in _MULTIPLES] if 0 < start < np.inf else [one.se * m for m in _OF_SE]
    before = 0.0
    for distance in tried:
        if lead(distance) < 0:
            at = float(brentq(lead, before, distance, xtol=1e-12, rtol=1e-10)) if lead(before) > 0 else before
            rivals = np.delete(np.arange(len(linear.effects)), best)
            return at, int(rivals[int(np.argmin(others(at)))])
        before = distance
    return np.inf, None


def _frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    import pandas as pd

    frame = pd.DataFrame(rows).set_index("estimate_of")
    nearest = np.minimum(-frame["low"], frame["high"]) / frame["se"]
    return frame.iloc[np.argsort(nearest.to_numpy(dtype=float), kind="stable")]
