"""Whether the effects of components add up: the additive component network against networks in which they need not."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.networks.exact import Further, solve_network
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.frequentist.component_result import ComponentNetwork
from bayesmeta.networks.graph import network_graph
from bayesmeta.networks.inconsistency_factors import adds_rank
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.support.arguments import check_type

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.support.arrays import Array

#: name of a deviation of a treatment from the sum of its components
DEVIATION = "deviation of {treatment}"


def additivity(net: NetworkPosterior | ComponentNetwork) -> pd.DataFrame:
    """Compare an additive component network with networks in which treatments need not be the sums of their components.

    Parameters
    ----------
    net : NetworkPosterior or ComponentNetwork
        From ``network`` with ``components``, or ``component_network``.

    Returns
    -------
    pandas.DataFrame
        Of a Bayesian network the index is ``model``: "additive"; "deviations", in which each treatment with several components deviates
        from their sum, if the data tell about it; and "without components", in which each treatment has an effect of its own, if studies
        connect the network. ``parameters``: number of parameters beyond the additive model. ``bf_additivity``: Bayes factor of the additive
        model against this one (NaN under flat priors, where the number of parameters differs), ``prob_additivity`` at equal prior
        probabilities.
        ``residual_deviance``, about one per contrast where the model fits, and ``dic``; ``tau``, the posterior median. ``attrs`` has the
        ``prior`` of a deviation. Of a frequentist network the index is ``part``: "additive" and, if studies connect the network, "without
        components", the Q of both, and "difference", the test of additivity; ``q``, ``df``, ``pvalue``.

    Raises
    ------
    SpecError
        If it is no component network.

    Notes
    -----
    Rücker, Petropoulou and Schwarzer (2020), Biometrical Journal 62:808, for Q; the Bayes factors are ratios of exact marginal likelihoods.
    Deviations are independent with the prior "inconsistency"; in "without components" every contrast has the prior "d". The wider these
    priors, the more the Bayes factor favours additivity.
    """
    import pandas as pd

    should = "a component network, as component_network() returns it, or network() with components="
    check_type(net, (NetworkPosterior, ComponentNetwork), "the first argument", should)
    if isinstance(net, ComponentNetwork):
        return _parts_of_q(net)
    if net.components is None or not isinstance(net.solution, NetworkSolution):
        raise SpecError(
            "additivity is of networks of components; fit it with components=, what separates them, such as '+'"
        )
    additive = net.solution
    rows = {"additive": _numbers(additive, additive, 0)}
    names, columns = deviations(net)
    if names:
        covariance = net.priors.factor.args[1] ** 2 * np.eye(len(names))
        further = Further(columns, names, covariance).beside(net.further)
        free = solve_network(net.contrasts, net.priors, additive.reference, further, net.components)
        rows["deviations"] = _numbers(additive, free, _beyond(net, columns))
    if len(network_graph(net.contrasts).components) == 1:
        whole = solve_network(net.contrasts, net.priors, additive.reference, net.further)
        found = _numbers(additive, whole, _beyond(net, net.contrasts.incidence))
        if net.priors.contrasts.prior.family == "Flat":
            found |= {"bf_additivity": math.nan, "prob_additivity": math.nan}
        rows["without components"] = found
    frame = pd.DataFrame.from_dict(rows, orient="index")
    frame.index.name = "model"
    frame.attrs = {"prior": str(net.priors.factor)}
    return frame


def deviations(net: NetworkPosterior) -> tuple[tuple[str, ...], Array]:
    """Return the names and columns, shape (m, q), of the deviations from additivity that the data tell about."""
    assert net.components is not None
    matrix, treatments = net.components.matrix, net.contrasts.treatments
    several = [
        i for i in range(len(treatments)) if matrix[i].sum() > 1 and _beyond(net, net.contrasts.incidence[:, [i]])
    ]
    return tuple(DEVIATION.format(treatment=treatments[i]) for i in several), net.contrasts.incidence[:, several]


def _beyond(net: NetworkPosterior, columns: Array) -> int:
    """Return how many parameters columns add to the additive network."""
    assert net.components is not None
    return adds_rank(net.contrasts, columns, net.contrasts.incidence @ net.components.matrix)


def _numbers(additive: NetworkSolution, other: NetworkSolution, parameters: int) -> dict[str, float]:
    log_bf = additive.log_marginal_likelihood - other.log_marginal_likelihood
    return {
        "parameters": parameters, "bf_additivity": math.exp(min(log_bf, 700.0)),
        "prob_additivity": 1 / (1 + math.exp(-max(log_bf, -700.0))), "residual_deviance": other.residual_deviance,
        "dic": other.residual_deviance + other.effective_parameters,
        "tau": float(other.heterogeneity.take("tau").quantile(0.5)[0]),
    }  # fmt: skip


def _parts_of_q(net: ComponentNetwork) -> pd.DataFrame:
    import pandas as pd
    from scipy.special import chdtrc

    parts = {"additive": (net.q, net.q_df)}
    if not math.isnan(net.q_standard):
        parts |= {
            "without components": (net.q_standard, net.q_standard_df),
            "difference": (net.q_difference, net.q_difference_df),
        }
    rows = [(q, df, float(chdtrc(df, max(q, 0.0))) if df > 0 else math.nan) for q, df in parts.values()]
    return pd.DataFrame(rows, index=pd.Index(list(parts), name="part"), columns=["q", "df", "pvalue"])
