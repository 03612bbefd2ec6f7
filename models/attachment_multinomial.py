"""Meta-analysis of an outcome with several categories, such as attachment, as one multinomial outcome.

    r_k ~ Multinomial(n_k, p_k)                              arm k of trial i, C categories
    log p_k = a_i + theta_k - mean of the trial's theta, up to a constant
    theta_k - theta_1 ~ Normal(d_t(k) - d_t(1), tau^2 / 2 (I - 11'/C))      against the trial's first arm
    a_i ~ Normal(0, s^2 / 2 (I - 11'/C)),  s = 10, or that of the baseline prior given
    d_t ~ Normal(0, s_d^2 / 2 (I - 11'/C)),  tau ~ the priors given

a, theta and d have a number per category, and these sum to 0 (centred log ratios). Under such a covariance every log odds of two categories
has the same distribution: the effects of treatments on it have the prior for d, Normal(0, s_d^2), and standard deviation tau between
trials. So nothing depends on the order of the categories or on which one would be the baseline of odds, and no category can be mistaken for
another: they are given by their names. Effects of two arms of a trial have correlation 1/2, effects of two treatments against the reference
too, so that neither the first arm nor the reference matters. With two categories this is ``binary_or`` or ``network_binomial``.

Categories without anybody in an arm need no special treatment. A number of several categories that were reported together has the sum
of their probabilities.

Data: ``counts`` of the categories of each arm, as ``bm.categories(table)`` gives them.

References: Aitchison (1982), The statistical analysis of compositional data, JRSS B 44:139-177. Dias, Welton, Sutton and Ades (2011),
NICE DSU Technical Support Document 2.
"""

import pymc as pm

from bayesmeta.modeling import (
    CategoryArms,
    Priors,
    add_arm_effects,
    add_categories,
    add_category_baselines,
    add_multinomial,
    add_network_priors,
    category_coordinates,
    log_probabilities,
)

MEASURES = ("categories",)
LIKELIHOODS = ("multinomial arms",)


def build(data: CategoryArms, priors: Priors) -> pm.Model:
    """Return the PyMC model of one outcome."""
    with pm.Model(coords=category_coordinates(data)) as model:
        columns = add_categories(data)
        d, tau = add_network_priors(priors, data, columns, known_tau=True)
        effects = add_arm_effects(d, tau, columns, centred=True)
        log_ratios = add_category_baselines(priors, data) + effects
        add_multinomial(log_probabilities(log_ratios, len(data.categories)), columns, data)
    return model
