"""Random-effects model for ready-made estimates: the normal-normal hierarchical model.

    y_i ~ Normal(theta_i, se_i^2)      the estimate of study i, with its standard error taken as known
    theta_i ~ Normal(mu, tau^2)        the effect in study i
    mu, tau ~ the priors given

With moderators theta_i ~ Normal(x_i' b, tau^2): x_i is row i of the design matrix X, shape (k, p), and b are p coefficients. Their priors
are independent for p linear combinations c = T b: by default the effect at the means of the moderators, with mu's prior, and the slopes.

It serves any effect measure, on the model scale (log for ratios).

Data columns: ``effect`` (y_i) and ``se`` (se_i), model scale.

Reference: Higgins, Thompson and Spiegelhalter (2009), J R Stat Soc A 172:137-159.
"""

import pymc as pm

from bayesmeta.modeling import ModelData, Priors, add_data, add_priors, add_study_effects, run_as_script

MEASURES = ()
LIKELIHOODS = ("normal",)
PADDED = True


def build(data: ModelData, priors: Priors) -> pm.Model:
    """Return the PyMC model of one analysis."""
    with pm.Model(coords={"study": data.labels}) as model:
        columns = add_data(data)
        expected, tau = add_priors(priors, data)
        theta = add_study_effects(expected, tau, columns)
        log_density = pm.logp(pm.Normal.dist(theta, columns["se"]), columns["effect"])
        pm.Potential("log_likelihood", columns["included"] * log_density)
    return model


if __name__ == "__main__":
    run_as_script(__file__)
