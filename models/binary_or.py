"""Random-effects model for the odds ratio, with the binomial or the normal likelihood.

The effect theta_i of study i is its log odds ratio, experimental over control:

    theta_i ~ Normal(mu, tau^2)
    mu, tau ~ the priors given

With moderators theta_i ~ Normal(x_i' b, tau^2), with row x_i of the design matrix X and coefficients b, as in ``generic_normal``.

Likelihood ``binomial`` (default for arm-level data), the events themselves without continuity corrections:

    r_ei ~ Binomial(n_ei, p_ei),  logit p_ei = a_i + theta_i / 2
    r_ci ~ Binomial(n_ci, p_ci),  logit p_ci = a_i - theta_i / 2
    a_i ~ Normal(0, 10^2), or the baseline prior given

The baseline a_i is the mean of the logits of the arms. So the arms are treated alike, and arms without events (or with events only) need
no special treatment.

Likelihood ``normal``: the log odds ratio y_i ~ Normal(theta_i, se_i^2), as in ``generic_normal``.

Data columns: ``events_e`` (r_ei), ``n_e``, ``events_c`` (r_ci), ``n_c`` and ``log_coefficient``, the log of both binomial coefficients;
those of ``generic_normal`` for the normal likelihood.

References: Smith, Spiegelhalter and Thomas (1995), Stat Med 14:2685-2699; symmetric in the arms as model 4 of Jackson et al. (2018), Stat
Med 37:1059-1085.
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
    """Return the PyMC model of one analysis."""
    if data.likelihood == "normal":
        return load_model("generic_normal").build(data, priors)
    with pm.Model(coords={"study": data.labels}) as model:
        columns = add_data(data)
        expected, tau = add_priors(priors, data)
        theta = add_study_effects(expected, tau, columns)
        logit = add_baseline(data, priors)  # variable "mid_logit": a_i
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
