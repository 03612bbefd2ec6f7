"""Meta-analysis of change between categories, such as insecure to secure attachment, as one transition model.

    r_k ~ Multinomial(n_k, q_k)                              arm k of trial i, cells (b, c): category before, category after
    q_kbc = w_ib p_kbc                                       prevalence before, common to the arms of a randomized trial, and transition
    log p_kb = a_ib + theta_kb - mean of the trial's theta_b, up to a constant
    theta_kb - theta_1b ~ Normal(d_t(k)b - d_t(1)b, tau^2 / 2 (I - 11'/C))    against the trial's first arm, for each b
    log w_i ~ Normal(0, s^2 / 2 (I - 11'/B)) up to a constant,  a_ib ~ Normal(0, s^2 / 2 (I - 11'/C))
    s = 2.5, or that of the baseline prior given
    d_tb ~ Normal(0, s_d^2 / 2 (I - 11'/C)) for each b,  tau ~ the priors given

Given each category before treatment this is ``attachment_multinomial``; tau is common to them, and what a treatment does to those who were
in one category says nothing, before the data, of what it does to those in another.

Trials may report margins of the table of changes. A number of several cells together, such as "any to secure", has the sum of their
probabilities. What the margins do not identify keeps its prior: of numbers after treatment alone, the prevalence before it and the
transition probabilities are not known separately.

Data: ``counts`` of the cells of each arm, as ``bm.categories(table)`` gives them where the table has categories before treatment.
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
LIKELIHOODS = ("multinomial transitions",)


def build(data: CategoryArms, priors: Priors) -> pm.Model:
    """Return the PyMC model of one outcome."""
    with pm.Model(coords=category_coordinates(data)) as model:
        columns = add_categories(data)
        d, tau = add_network_priors(priors, data, columns, known_tau=True)
        effects = add_arm_effects(d, tau, columns, centred=True)
        after = log_probabilities(add_category_baselines(priors, data) + effects, len(data.categories))
        before = log_probabilities(add_category_baselines(priors, data, "prevalence"), len(data.before))
        add_multinomial(before.reshape((-1, 1)) + after, columns, data)
    return model
