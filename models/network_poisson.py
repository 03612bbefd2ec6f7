"""Network meta-analysis of rates, with the Poisson likelihood of every arm.

    r_k ~ Poisson(time_k lambda_k)                        events in arm k of trial i
    log lambda_k = a_i + theta_k - mean of the trial's theta
    theta_k - theta_1 ~ Normal(d_t(k) - d_t(1), tau^2)    its effect against the trial's first arm, a log rate ratio
    d, tau ~ the priors given                             d: contrasts with the reference treatment
    a_i ~ Normal(0, 10^2), or the baseline prior given

Two effects of a trial have covariance tau^2 / 2. With two arms this is ``rate_irr``.

Data: ``events`` (r_k) and ``time`` (person-time) of the arms, as ``bm.network(arms, likelihood="poisson")`` gives them.

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

MEASURES = ("IRR",)
LIKELIHOODS = ("poisson arms",)


def build(data: NetworkArms, priors: Priors) -> pm.Model:
    """Return the PyMC model of one network."""
    with pm.Model(coords=network_coordinates(data)) as model:
        columns = add_arms(data)
        d, tau = add_network_priors(priors, data, columns)
        effects = add_arm_effects(d, tau, columns, centred=True)
        log_mean = add_trial_baselines(priors, data)[columns["trial"]] + effects + pm.math.log(columns["time"])
        mean = pm.Deterministic("fitted", pm.math.exp(log_mean), dims="arm")
        events = columns["events"]
        pm.Potential("log_likelihood", events * log_mean - mean - pm.math.gammaln(events + 1))
    return model
