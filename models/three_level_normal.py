"""Three-level model for ready-made estimates: studies with several estimates each.

    y_i ~ Normal(theta_i, se_i^2)                    estimate i, with its standard error taken as known; or, where the sampling
                                                     errors within studies are correlated, y ~ Normal(theta, S) with S known
    theta_i = x_i' b + u_j(i) + w_i                  its effect: study j(i), and what is its own
    u_j ~ Normal(0, rho tau^2)                       between studies; the variable ``u`` is in units of its standard deviation
    w_i ~ Normal(0, (1 - rho) tau^2)                 between the estimates of a study
    b, tau, rho ~ the priors given                   or tau_between and tau_within instead of tau and rho

It is for fits with nesting="study/estimate", on the model scale (log for ratios). Without moderators x_i' b is mu.

Data columns: ``effect`` (y_i) and ``se`` (se_i), model scale.

Reference: Konstantopoulos (2011), Res Synth Methods 2:61-76.
"""

import pymc as pm

from bayesmeta.modeling import (
    ModelData,
    Priors,
    add_data,
    add_levels,
    add_sampling_errors,
    add_study_effects,
    run_as_script,
)

MEASURES = ()
LIKELIHOODS = ("normal",)


def build(data: ModelData, priors: Priors) -> pm.Model:
    """Return the PyMC model of one analysis."""
    with pm.Model(coords={"study": data.labels}) as model:
        columns = add_data(data)
        expected, tau_between, tau_within, study = add_levels(priors, data)
        u = tau_between * pm.Normal("u", 0.0, 1.0, shape=int(study.max()) + 1)
        theta = add_study_effects(expected + u[study], tau_within, columns)
        add_sampling_errors(theta, columns, data)
    return model


if __name__ == "__main__":
    run_as_script(__file__)
