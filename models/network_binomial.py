"""Network meta-analysis of events, with the binomial likelihood of every arm.

    r_k ~ Binomial(n_k, p_k)                              arm k of trial i
    theta_k - theta_1 ~ Normal(d_t(k) - d_t(1), tau^2)    its effect against the trial's first arm, log odds or risk ratio
    d, tau ~ the priors given                             d: contrasts with the reference treatment

Two effects of a trial have covariance tau^2 / 2, so that it does not matter which arm is the first. The baseline of a trial treats its
arms alike, too:

    odds ratio   logit p_k = a_i + theta_k - mean of the trial's theta
    risk ratio   logit p_max = a_i,  log p_k = log p_max + theta_k - largest theta of the trial
    a_i ~ Normal(0, 10^2), or the baseline prior given

Arms without events need no special treatment, and no risk can exceed 1. With two arms these are ``binary_or`` and ``binary_rr``.

Data: ``events`` (r_k) and ``n`` (n_k) of the arms, as ``bm.network(arms, likelihood="binomial")`` gives them.

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
    log1mexp_with_bounded_slope,
    network_coordinates,
)

MEASURES = ("OR", "RR")
LIKELIHOODS = ("binomial arms",)


def build(data: NetworkArms, priors: Priors) -> pm.Model:
    """Return the PyMC model of one network."""
    with pm.Model(coords=network_coordinates(data)) as model:
        columns = add_arms(data)
        d, tau = add_network_priors(priors, data, columns)
        effects = add_arm_effects(d, tau, columns, centred=data.measure == "OR")
        baseline = add_trial_baselines(priors, data)[columns["trial"]]
        events, n = columns["events"], columns["n"]
        if data.measure == "OR":
            logit = baseline + effects
            log_p, log_q = -pm.math.softplus(-logit), -pm.math.softplus(logit)
        else:
            below = effects - effects[columns["places"]].max(axis=1)[columns["trial"]]
            largest = -pm.math.softplus(-baseline)
            log_p = largest + below
            # bound for the gradient of log(1 - p), well above the odds that the data allow
            steepest = 100 + 10 * (events + 1) / (n - events + 1)
            log_q = pm.math.switch(below < 0, log1mexp_with_bounded_slope(log_p, steepest), -pm.math.softplus(baseline))
        coefficient = pm.math.gammaln(n + 1) - pm.math.gammaln(events + 1) - pm.math.gammaln(n - events + 1)
        pm.Deterministic("fitted", pm.math.exp(log_p), dims="arm")
        pm.Potential("log_likelihood", coefficient + events * log_p + (n - events) * log_q)
    return model
