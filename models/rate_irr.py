"""Random-effects model for the incidence rate ratio, with the Poisson or the normal likelihood.

The effect theta_i of study i is its log rate ratio, experimental over control:

    theta_i ~ Normal(mu, tau^2)
    mu, tau ~ the priors given

With moderators theta_i ~ Normal(x_i' b, tau^2), with row x_i of the design matrix X and coefficients b, as in ``generic_normal``.

Likelihood ``poisson`` (default for arm-level data), the events in t_ei and t_ci of person-time, without continuity corrections:

    r_ei ~ Poisson(t_ei exp(a_i + theta_i / 2))
    r_ci ~ Poisson(t_ci exp(a_i - theta_i / 2))
    a_i ~ Normal(0, 10^2), or the baseline prior given

The baseline a_i is the mean of the log rates of the arms, in events per unit of the person-time given. So the arms are treated alike, and
arms without events need no special treatment.

Likelihood ``normal``: the log rate ratio y_i ~ Normal(theta_i, se_i^2), as in ``generic_normal``.

Data columns: ``events_e`` (r_ei), ``time_e`` (t_ei), ``events_c`` (r_ci), ``time_c`` (t_ci) and ``log_coefficient``, the log of the factors
t^r / r! of both arms; those of ``generic_normal`` for the normal likelihood.

Reference: Stijnen, Hamza and Ozdemir (2010), Stat Med 29:3046-3067, with priors for the baselines instead of conditioning on the events.
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
    """Return the PyMC model of one analysis."""
    if data.likelihood == "normal":
        return load_model("generic_normal").build(data, priors)
    with pm.Model(coords={"study": data.labels}) as model:
        columns = add_data(data)
        expected, tau = add_priors(priors, data)
        theta = add_study_effects(expected, tau, columns)
        log_rate = add_baseline(data, priors)  # variable "mid_log_rate": a_i
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
