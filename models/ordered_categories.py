"""Meta-analysis of an outcome with ordered categories, with the multinomial likelihood of every arm and the probit or the logit link.

    r_k ~ Multinomial(n_k, p_k)                           arm k of trial i, categories 1 to C from the lowest
    P(above category c) = F(a_i + theta_k - mean of the trial's theta - z_c)
    z_1 = 0,  z_c - z_(c-1) ~ HalfNormal(5)               cutpoints, common to all trials
    theta_k - theta_1 ~ Normal(d_t(k) - d_t(1), tau^2)    its effect against the trial's first arm
    a_i ~ Normal(0, 10^2), or the baseline prior given;  d, tau ~ the priors given

A treatment moves a latent variable by the same amount whatever the category: d above 0 is towards the highest. Effects of two arms of a
trial have covariance tau^2 / 2. Neighbouring categories that were reported together have the sum of their probabilities.

Likelihood ``ordered probit arms``: F is the standard normal distribution function, the latent variable Normal(location, 1), and effects
are standardized mean differences of it.

Likelihood ``ordered logit arms``: F is expit, the latent variable Logistic(location, 1), and effects are log odds ratios of being above
any category (proportional odds).

Data: ``counts`` of the categories of each arm, as ``bm.categories(table, outcome_order=..., link=...)`` gives them.

References: McCullagh (1980), Regression models for ordinal data, JRSS B 42:109-142. Dias, Welton, Sutton and Ades (2011), NICE DSU
Technical Support Document 2, section 3.6.
"""

import pymc as pm

from bayesmeta.modeling import (
    OrderedArms,
    Priors,
    add_arm_effects,
    add_cutpoints,
    add_multinomial,
    add_network_priors,
    add_ordered_arms,
    add_trial_baselines,
    ordered_coordinates,
    ordered_log_probabilities,
)

MEASURES = ("categories",)
LIKELIHOODS = ("ordered probit arms", "ordered logit arms")


def build(data: OrderedArms, priors: Priors) -> pm.Model:
    """Return the PyMC model of one outcome."""
    with pm.Model(coords=ordered_coordinates(data)) as model:
        columns = add_ordered_arms(data)
        d, tau = add_network_priors(priors, data, columns, known_tau=True)
        effects = add_arm_effects(d, tau, columns, centred=True)
        location = add_trial_baselines(priors, data)[columns["trial"]] + effects
        add_multinomial(ordered_log_probabilities(location, add_cutpoints(data), data.link), columns, data)
    return model
