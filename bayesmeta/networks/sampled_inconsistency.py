"""Models of inconsistency of arm-level networks by NUTS: the network is sampled with factors of designs, or of comparisons."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from bayesmeta.engines.nuts.network_arms import NetworkArms
from bayesmeta.engines.nuts.network_sampling import sample_network
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.sampled_solution import SampledNetwork
from bayesmeta.networks.sampled_splits import columns_of, with_factors
from bayesmeta.support.arrays import Array


def inconsistency_rows(net: NetworkPosterior, solution: SampledNetwork) -> dict[str, dict[str, float]]:
    """Return the rows of ``inconsistency``: consistency, design-by-treatment and unrelated mean effects, one run of NUTS each.

    Parameters
    ----------
    net : NetworkPosterior
        The network by NUTS.
    solution : SampledNetwork
        Its solution.

    Raises
    ------
    ConvergenceError
        If the chains of a model do not converge.
    """
    rows = {"consistency": _numbers(solution, 0)}
    variance = float(net.priors.factor.args[1]) ** 2
    # arms with variance s^2 / 2 give contrasts with variance s^2 and correlation 1/2
    for name, groups, share in (
        ("design-by-treatment", design_deviations(solution.arms), 0.5),
        ("unrelated mean effects", edge_deviations(solution.arms), 1.0),
    ):
        used = [group for group in groups if _adds_rank(solution.arms, group)]
        if not used:
            continue
        whole = np.hstack(used)
        factors = tuple(f"factor {i + 1}" for i in range(whole.shape[1]))
        typical = float(solution.drawn.draws["tau"].mean())
        arms = with_factors(solution.arms, whole, factors, share * variance * np.eye(whole.shape[1]), typical)
        drawn = sample_network(arms, net.priors.scale, net.seed)
        fitted = SampledNetwork(arms, drawn, solution.typical_variance, solution.seed)
        rows[name] = _numbers(fitted, _adds_rank(solution.arms, whole))
    return rows


def design_deviations(arms: NetworkArms) -> list[Array]:
    """Return the deviations of the arms of each design, in the trials that compare just these treatments; each of shape (n, a)."""
    sets = [frozenset(arms.treatment[arms.trial == trial].tolist()) for trial in range(len(arms.trials))]
    of_arm = np.array(sets, dtype=object)[arms.trial]
    return [
        np.stack([(of_arm == design) & (arms.treatment == one) for one in sorted(design)], axis=1).astype(float)
        for design in dict.fromkeys(sorted(sets, key=lambda one: (len(one), sorted(one))))
    ]


def edge_deviations(arms: NetworkArms) -> list[Array]:
    """Return the deviations of the arms by unrelated mean effects of each comparison, fitted by least squares in multi-arm trials.

    Each is of shape (n, 1); see ``inconsistency_factors.edge_columns``.
    """
    found: dict[tuple[int, int], Array] = {}
    for trial in range(len(arms.trials)):
        own = np.flatnonzero(arms.trial == trial)
        for i, j in combinations(own[np.argsort(arms.treatment[own])], 2):
            column = found.setdefault((arms.treatment[i], arms.treatment[j]), np.zeros((len(arms.trial), 1)))
            column[j, 0], column[i, 0] = 1 / len(own), -1 / len(own)
    return [found[pair] for pair in sorted(found)]


def _adds_rank(arms: NetworkArms, deviations: Array) -> int:
    whole = np.hstack([arms.expected, columns_of(arms, deviations)])
    return int(np.linalg.matrix_rank(whole) - np.linalg.matrix_rank(arms.expected))


def _numbers(solution: SampledNetwork, parameters: int) -> dict[str, float]:
    deviance = solution.residual_deviance
    return {
        "parameters": parameters, "residual_deviance": deviance, "dic": deviance + solution.effective_parameters,
        "tau": float(np.median(solution.drawn.draws["tau"])),
    }  # fmt: skip
