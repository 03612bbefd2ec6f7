"""Random-effects model for the odds ratio, with the binomial or the normal likelihood.

Normal likelihood (``normal``): the log odds ratio y_i ~ Normal(theta_i, v_i), as in ``generic_normal``.

Arm-level likelihood (``binomial``): the events themselves, without continuity corrections,

    r_ei ~ Binomial(n_ei, p_ei),  logit p_ei = a_i + theta_i/2
    r_ci ~ Binomial(n_ci, p_ci),  logit p_ci = a_i - theta_i/2
    a_i ~ Normal(0, 10^2) or the baseline prior given

so the arms are treated alike, and arms without events (or with nothing but events) are data like any other.

    theta_i ~ Normal(mu, tau^2);  mu, tau ~ the priors given

Reference: Smith, Spiegelhalter and Thomas (1995), Stat Med 14:2685-2699; symmetric in the arms as in Jackson et al. (2018), Stat Med
37:1059-1085, model 4.
"""

import pymc as pm

from bayesmeta.modeling import (
    ModelData,
    Priors,
    add_baseline,
    add_data,
    add_priors,
    add_study_effects,
    load_model,
    run_as_script,
)

MEASURES = ("OR",)
LIKELIHOODS = ("binomial", "normal")
PADDED = True


def build(data: ModelData, priors: Priors) -> pm.Model:
    """Build the model; data columns ``events_e n_e events_c n_c``, or those of ``generic_normal``."""
    if data.likelihood == "normal":
        return load_model("generic_normal").build(data, priors)
    with pm.Model(coords={"study": data.labels}) as model:
        columns = add_data(data)
        mu, tau = add_priors(priors)
        theta = add_study_effects(mu, tau, columns)
        logit = add_baseline(data, priors)  # mid_logit
        in_e, in_c = logit + 0.5 * theta, logit - 0.5 * theta
        log_density = (
            columns["log_coefficient"]
            - columns["events_e"] * pm.math.softplus(-in_e)
            - (columns["n_e"] - columns["events_e"]) * pm.math.softplus(in_e)
            - columns["events_c"] * pm.math.softplus(-in_c)
            - (columns["n_c"] - columns["events_c"]) * pm.math.softplus(in_c)
        )
        pm.Potential("log_likelihood", columns["included"] * log_density)
    return model


if __name__ == "__main__":
    run_as_script(__file__)
