"""Random-effects model for the risk ratio, with the normal or the binomial likelihood.

Normal likelihood (``normal``): the log risk ratio y_i ~ Normal(theta_i, v_i), as in ``generic_normal``.

Arm-level likelihood (``binomial``): the events themselves, without continuity corrections,

    r_ei ~ Binomial(n_ei, p_ei),  r_ci ~ Binomial(n_ci, p_ci),  theta_i = log p_ei - log p_ci
    logit of the larger of the two risks ~ Normal(0, 10^2) or the baseline prior given;  the smaller is exp(-|theta_i|) times it

so theta_i is unrestricted, the arms are treated alike, no risk can pass 1, and arms without events (or with nothing but
events) are data like any other. The baseline prior is wide on the logit scale because one flat in the risk itself would
tilt the likelihood of theta when events are rare.

    theta_i ~ Normal(mu, tau^2);  mu, tau ~ the priors given
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
    """Build the model; data columns ``events_e n_e events_c n_c``, or those of ``generic_normal``."""
    if data.likelihood == "normal":
        return load_model("generic_normal").build(data, priors)
    with pm.Model(coords={"study": data.labels}) as model:
        columns = add_data(data)
        mu, tau = add_priors(priors)
        theta = add_study_effects(mu, tau, columns)
        logit = add_baseline(data, priors)  # logit_larger_risk

        # logs of the two risks and of their complements, each written so that it keeps its digits
        up = theta > 0
        larger, not_larger = -pm.math.softplus(-logit), -pm.math.softplus(logit)
        smaller = larger - pm.math.abs(theta)
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
