"""Consistency of direct and indirect evidence in a network, with exact Bayes factors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.networks.exact import Further, solve_network
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.frequentist import tables
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.graph import network_graph
from bayesmeta.networks.inconsistency_factors import (
    adds_rank,
    compared,
    design_columns,
    edge_columns,
    loop_column,
    loops,
    split_column,
)
from bayesmeta.networks.league import LEVEL, check_either, check_network
from bayesmeta.networks.pairs import versus
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


def node_split(net: NetworkPosterior | NetworkMeta, *, level: float | None = None) -> pd.DataFrame:
    """Compare direct with indirect evidence, for each comparison that has both.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        From ``network``: exact on contrasts, or with the likelihood of the arms, which is then sampled once per comparison; or from
        ``network_meta``.
    level : float, optional
        Probability of the equal-tailed intervals; default: 0.95, of ``network_meta`` the level of its fit.

    Returns
    -------
    pandas.DataFrame
        Index ``comparison``, "A vs B" as in the network's terms. ``network`` and ``network_sd``: posterior mean and standard deviation of
        the consistent network; ``direct``, ``direct_sd``, ``indirect``, ``indirect_sd`` where the two may differ; ``difference`` (direct
        less indirect) with ``difference_sd``, ``ci_low``, ``ci_high`` and ``prob_above_0``; all on the model scale. ``bf_inconsistency``:
        Bayes factor of a difference with the prior "inconsistency" against none; ``prob_inconsistency`` at equal prior probabilities;
        ``tau``, the posterior median. ``attrs`` has the level and that prior. Of ``network_meta`` ``network_se``, ``direct_se``,
        ``indirect_se`` and ``difference_se`` are standard errors, and ``statistic``, ``pvalue``, ``studies`` (that compare the two) and
        ``direct_share`` take the place of the probabilities.

    Raises
    ------
    SpecError
        If it is a network of components.
    ConvergenceError
        If the chains of an arm-level network do not converge.

    Notes
    -----
    Dias et al. 2010, Stat Med 29:932-944; in a multi-arm trial both arms deviate by half of the difference. Where the prior of the
    difference is wide, the Bayes factor favours consistency. Of sampled networks it is the ratio of the densities of no difference before
    and after the data (Savage and Dickey), the latter a kernel density of the draws.
    """
    check_either(net)
    if isinstance(net, NetworkMeta):
        return tables.node_split(net, level)
    level = LEVEL if level is None else level
    check_level(level)
    if not isinstance(net.solution, NetworkSolution):
        from bayesmeta.networks.sampled_splits import split_rows

        return _split_frame(split_rows(net, net.solution, level), net, level)
    consistent = require_exact(net, "node splitting")
    contrasts, reference = net.contrasts, consistent.reference
    rows = {}
    for first, second in compared(contrasts):
        column = split_column(contrasts, first, second)
        if not adds_rank(contrasts, column):
            continue
        name = versus(contrasts.treatments[first], contrasts.treatments[second])
        if reference == first:
            first, second, column = second, first, -column
            name = versus(contrasts.treatments[first], contrasts.treatments[second])
        split = _with_factors(net, column[:, None], ("difference",), np.eye(1))
        whole = consistent.contrasts([(first, second)], (name,))
        indirect = split.basis[first] - split.basis[second]
        factor = np.eye(len(indirect))[-1]
        parts = split.combinations(
            np.stack([indirect + factor, indirect, factor]), ("direct", "indirect", "difference")
        )
        means, sds = parts.mean(), parts.sd()
        low, high = parts.take("difference").quantile(np.array([[0.5 - 0.5 * level], [0.5 + 0.5 * level]]))[:, 0]
        rows[name] = {
            "network": whole.mean()[0], "network_sd": whole.sd()[0],
            "direct": means[0], "direct_sd": sds[0], "indirect": means[1], "indirect_sd": sds[1],
            "difference": means[2], "difference_sd": sds[2], "ci_low": low, "ci_high": high,
            "prob_above_0": 1 - float(parts.cdf(np.zeros(1))[2]),
            **_evidence(consistent, split), "tau": _median_tau(split),
        }  # fmt: skip
    return _split_frame(rows, net, level)


def _split_frame(rows: dict[str, dict[str, float]], net: NetworkPosterior, level: float) -> pd.DataFrame:
    import pandas as pd

    columns = (
        "network", "network_sd", "direct", "direct_sd", "indirect", "indirect_sd", "difference", "difference_sd", "ci_low", "ci_high",
        "prob_above_0", "bf_inconsistency", "prob_inconsistency", "tau",
    )  # fmt: skip
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))
    frame.index.name = "comparison"
    frame.attrs = {"level": level, "prior": str(net.priors.factor)}
    return frame


def inconsistency(net: NetworkPosterior | NetworkMeta, *, level: float | None = None) -> pd.DataFrame:
    """Compare the consistent network with models in which direct and indirect evidence differ.

    Parameters
    ----------
    net : NetworkPosterior or NetworkMeta
        From ``network``: exact on contrasts, or with the likelihood of the arms, which is then sampled once per model; or from
        ``network_meta``.
    level : float, optional
        Probability of the equal-tailed intervals; default: 0.95, of ``network_meta`` the level of its fit.

    Returns
    -------
    pandas.DataFrame
        Index ``model``: "consistency"; "design-by-treatment", in which each design (set of treatments compared in a trial) has effects of
        its own; "unrelated mean effects", in which each comparison has; and "loop A-B-C" for each closed loop of three or four comparisons.
        ``parameters``: number of parameters beyond consistency. ``bf_inconsistency``: Bayes factor against consistency;
        ``prob_inconsistency`` at equal prior probabilities. ``residual_deviance``, about one per contrast where the model fits, and
        ``dic``; ``tau``, the posterior median. ``factor``, ``factor_sd``, ``ci_low``, ``ci_high``: of a loop, the sum of direct effects
        around it, "A vs B" plus "B vs C" plus "C vs A", model scale. Only "consistency" where the network has no loop. Sampled
        networks have no rows of loops (``node_split`` has the same differences), and NaN for the Bayes factors: compare ``dic`` and
        ``residual_deviance``, about one per arm, as Technical Support Document 4 does. Of ``network_meta`` the index is ``part``, and the
        columns ``q``, ``df``, ``pvalue`` and ``tau2`` are those of ``NetworkMeta.inconsistency``.

    Raises
    ------
    SpecError
        If it is a network of components.
    ConvergenceError
        If the chains of an arm-level network do not converge.

    Notes
    -----
    Higgins et al. 2012, Res Synth Methods 3:98-110; Lu and Ades 2006, J Am Stat Assoc 101:447-459; NICE DSU Technical Support Document 4.
    Each factor has the prior "inconsistency", those of a design with correlation 1/2, as random inconsistency effects of known standard
    deviation (Jackson et al. 2014, Stat Med 33:3639-3654). In a multi-arm trial unrelated mean effects are fitted by least squares;
    Technical Support Document 4 has effects of the other arms against the first, so that its residual deviance differs.
    """
    check_either(net)
    if isinstance(net, NetworkMeta):
        return tables.inconsistency(net)
    level = LEVEL if level is None else level
    check_level(level)
    if not isinstance(net.solution, NetworkSolution):
        from bayesmeta.networks.sampled_inconsistency import inconsistency_rows

        return _model_frame(inconsistency_rows(net, net.solution), net, level)
    consistent = require_exact(net, "a test of inconsistency")
    contrasts, names = net.contrasts, net.treatments
    rows: dict[str, dict[str, float]] = {"consistency": _fit_numbers(consistent, consistent, 0)}
    groups = [design_columns(contrasts, design) for design in network_graph(contrasts).designs]
    if groups := [columns for columns in groups if adds_rank(contrasts, columns)]:
        whole = np.hstack(groups)
        # arms with variance s^2 / 2 give contrasts with variance s^2 and correlation 1/2
        solution = _with_factors(
            net, whole, tuple(f"factor {i + 1}" for i in range(whole.shape[1])), 0.5 * np.eye(whole.shape[1])
        )
        rows["design-by-treatment"] = _fit_numbers(consistent, solution, adds_rank(contrasts, whole))
    edges = [pair for pair in compared(contrasts) if adds_rank(contrasts, edge_columns(contrasts, [pair]))]
    if edges:
        whole = edge_columns(contrasts, edges)
        solution = _with_factors(net, whole, tuple(f"factor {i + 1}" for i in range(len(edges))), np.eye(len(edges)))
        rows["unrelated mean effects"] = _fit_numbers(consistent, solution, adds_rank(contrasts, whole))
    for loop in loops(contrasts):
        column = loop_column(contrasts, loop)
        if not adds_rank(contrasts, column):
            continue
        solution = _with_factors(net, column[:, None], ("factor",), np.eye(1))
        factor = solution.combinations(np.eye(solution.model.x.shape[1])[-1:], ("factor",))
        low, high = factor.quantile(np.array([[0.5 - 0.5 * level], [0.5 + 0.5 * level]]))[:, 0]
        numbers = {"factor": factor.mean()[0], "factor_sd": factor.sd()[0], "ci_low": low, "ci_high": high}
        rows["loop " + "-".join(names[i] for i in loop)] = _fit_numbers(consistent, solution, 1) | numbers
    return _model_frame(rows, net, level)


def _model_frame(rows: dict[str, dict[str, float]], net: NetworkPosterior, level: float) -> pd.DataFrame:
    import pandas as pd

    columns = (
        "parameters", "bf_inconsistency", "prob_inconsistency", "residual_deviance", "dic", "tau", "factor", "factor_sd",
        "ci_low", "ci_high",
    )  # fmt: skip
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=list(columns))
    frame = frame.astype(dict.fromkeys(columns[1:], float))
    frame.index.name = "model"
    frame.attrs = {"level": level, "prior": str(net.priors.factor)}
    return frame


def require_exact(net: NetworkPosterior, what: str) -> NetworkSolution:
    """Return the solution of a network that was computed by quadrature on contrasts.

    Parameters
    ----------
    net : NetworkPosterior
        From ``network``.
    what : str
        What needs it, for the message.

    Raises
    ------
    SpecError
        If it is something else, or was sampled.
    """
    check_network(net)
    if not isinstance(net.solution, NetworkSolution):
        raise SpecError(f"{what} needs the exact network on contrasts; fit it without a likelihood of the arms")
    if net.components is not None:
        raise SpecError(f"{what} is for networks without components; additivity() compares networks with and without")
    return net.solution


def _with_factors(net: NetworkPosterior, columns: Array, names: tuple[str, ...], covariance: Array) -> NetworkSolution:
    """Return the network with factors, whose prior covariance is given in units of the variance of the prior "inconsistency"."""
    variance = net.priors.factor.args[1] ** 2
    further = Further(columns, names, variance * covariance).beside(net.further)
    return solve_network(net.contrasts, net.priors, net.solution.reference, further)


def _evidence(consistent: NetworkSolution, solution: NetworkSolution) -> dict[str, float]:
    log_bf = solution.log_marginal_likelihood - consistent.log_marginal_likelihood
    return {
        "bf_inconsistency": float(np.exp(min(log_bf, 700.0))),
        "prob_inconsistency": float(1 / (1 + np.exp(-max(log_bf, -700.0)))),
    }


def _fit_numbers(consistent: NetworkSolution, solution: NetworkSolution, parameters: int) -> dict[str, float]:
    deviance = solution.residual_deviance
    return {
        "parameters": parameters, **_evidence(consistent, solution),
        "residual_deviance": deviance, "dic": deviance + solution.effective_parameters, "tau": _median_tau(solution),
    }  # fmt: skip


def _median_tau(solution: NetworkSolution) -> float:
    return float(solution.heterogeneity.take("tau").quantile(0.5)[0])
