"""Network meta-analysis of means, with the normal likelihood of every arm's mean.

    y_k ~ Normal(m_k, se_k^2)                             mean of arm k of trial i, with its standard error taken as known
    m_k = a_i + theta_k - mean of the trial's theta
    theta_k - theta_1 ~ Normal(d_t(k) - d_t(1), tau^2)    its effect against the trial's first arm, a mean difference
    d, tau ~ the priors given                             d: contrasts with the reference treatment
    a_i ~ flat                                            mean of the trial's arms

Two effects of a trial have covariance tau^2 / 2. With flat baselines this is the model of the contrasts that ``bm.network`` computes
exactly by quadrature.

Data: ``mean`` (y_k) and ``se`` (se_k) of the arms, as ``bm.network(arms, engine="nuts")`` gives them.

Reference: Dias, Welton, Sutton and Ades (2011), NICE DSU Technical Support Document 2.
"""

import pymc as pm

from bayesmeta.modeling import (
    NetworkArms,
    Priors,
    add_arm_effects,
    add_arms,
    add_network_priors,
    add_trial_baselines,
    network_coordinates,
)

MEASURES = ("MD",)
LIKELIHOODS = ("normal arms",)


def build(data: NetworkArms, priors: Priors) -> pm.Model:
    """Return the PyMC model of one network."""
    with pm.Model(coords=network_coordinates(data)) as model:
        columns = add_arms(data)
        d, tau = add_network_priors(priors, data, columns)
        effects = add_arm_effects(d, tau, columns, centred=True)
        fitted = pm.Deterministic("fitted", add_trial_baselines(priors, data)[columns["trial"]] + effects, dims="arm")
        pm.Potential("log_likelihood", pm.logp(pm.Normal.dist(fitted, columns["se"]), columns["mean"]))
    return model
