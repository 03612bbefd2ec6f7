"""Random-effects model for the incidence rate ratio, with the Poisson or the normal likelihood.

Normal likelihood (``normal``): the log rate ratio y_i ~ Normal(theta_i, v_i), as in ``generic_normal``.

Arm-level likelihood (``poisson``): the events themselves in t_ei and t_ci of person-time, without continuity corrections,

    r_ei ~ Poisson(t_ei exp(a_i + theta_i/2)),  r_ci ~ Poisson(t_ci exp(a_i - theta_i/2))
    a_i ~ Normal(0, 10^2) or the baseline prior given, on the log of events per unit of the time given

so the arms are treated alike, and arms without events are data like any other.

    theta_i ~ Normal(mu, tau^2);  mu, tau ~ the priors given

Reference: Stijnen, Hamza and Ozdemir (2010), Stat Med 29:3046-3067, with the baselines given a prior instead of conditioned on.
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

MEASURES = ("IRR",)
LIKELIHOODS = ("poisson", "normal")
PADDED = True


def build(data: ModelData, priors: Priors) -> pm.Model:
    """Build the model; data columns ``events_e time_e events_c time_c``, or those of ``generic_normal``."""
    if data.likelihood == "normal":
        return load_model("generic_normal").build(data, priors)
    with pm.Model(coords={"study": data.labels}) as model:
        columns = add_data(data)
        mu, tau = add_priors(priors)
        theta = add_study_effects(mu, tau, columns)
        log_rate = add_baseline(data, priors)  # mid_log_rate
        in_e, in_c = log_rate + 0.5 * theta, log_rate - 0.5 * theta
        log_density = (
            columns["log_coefficient"]
            + columns["events_e"] * in_e
            - columns["time_e"] * pm.math.exp(in_e)
            + columns["events_c"] * in_c
            - columns["time_c"] * pm.math.exp(in_c)
        )
        pm.Potential("log_likelihood", columns["included"] * log_density)
    return model


if __name__ == "__main__":
    run_as_script(__file__)
