"""Random-effects model for the risk ratio, with the normal or the binomial likelihood.

The effect theta_i of study i is its log risk ratio, experimental over control:

    theta_i ~ Normal(mu, tau^2)
    mu, tau ~ the priors given

With moderators theta_i ~ Normal(x_i' b, tau^2), with row x_i of the design matrix X and coefficients b, as in ``generic_normal``.

Likelihood ``binomial`` (default for arm-level data), the events themselves without continuity corrections:

    r_ei ~ Binomial(n_ei, p_ei),  r_ci ~ Binomial(n_ci, p_ci),  theta_i = log p_ei - log p_ci
    logit max(p_ei, p_ci) = a_i,  min(p_ei, p_ci) = exp(-|theta_i|) max(p_ei, p_ci)
    a_i ~ Normal(0, 10^2), or the baseline prior given

The baseline a_i is the logit of the larger risk. So theta_i is unrestricted, the arms are treated alike, no risk can exceed 1, and arms
without events (or with events only) need no special treatment. The baseline prior is wide on the logit scale, because a prior flat in
the risk itself would shift the likelihood of theta_i when events are rare.

Likelihood ``normal``: the log risk ratio y_i ~ Normal(theta_i, se_i^2), as in ``generic_normal``.

Data columns: ``events_e`` (r_ei), ``n_e``, ``events_c`` (r_ci), ``n_c`` and ``log_coefficient``, the log of both binomial coefficients;
those of ``generic_normal`` for the normal likelihood.

Reference: Warn, Thompson and Spiegelhalter (2002), Stat Med 21:1601-1623, who take the control risk as baseline and truncate theta_i.
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
    log1mexp_with_bounded_slope,
    run_as_script,
)

MEASURES = ("RR",)
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
        logit = add_baseline(data, priors)  # variable "logit_larger_risk": a_i

        # log risks and log complements, each in the form that loses no digits
        up = theta > 0
        larger, not_larger = -pm.math.softplus(-logit), -pm.math.softplus(logit)
        smaller = larger - pm.math.abs(theta)
        # bound for the gradient of log(1 - smaller risk), well above the odds that the data allow
        odds_e, odds_c = (
            (columns[f"events_{arm}"] + 1) / (columns[f"n_{arm}"] - columns[f"events_{arm}"] + 1) for arm in ("e", "c")
        )
        steepest = 100 + 10 * pm.math.switch(up, odds_c, odds_e)
        not_smaller = log1mexp_with_bounded_slope(smaller, steepest)
        log_p_e, log_q_e = pm.math.switch(up, larger, smaller), pm.math.switch(up, not_larger, not_smaller)
        log_p_c, log_q_c = pm.math.switch(up, smaller, larger), pm.math.switch(up, not_smaller, not_larger)

        log_density = (
            columns["log_coefficient"]
            + columns["events_e"] * log_p_e
            + (columns["n_e"] - columns["events_e"]) * log_q_e
            + columns["events_c"] * log_p_c
            + (columns["n_c"] - columns["events_c"]) * log_q_c
        )
        pm.Potential("log_likelihood", columns["included"] * log_density)
    return model


if __name__ == "__main__":
    run_as_script(__file__)
