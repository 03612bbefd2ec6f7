"""Random-effects model for the standardized mean difference, with the normal or the noncentral t likelihood.

The effect theta_i of study i is its standardized mean difference, experimental minus control:

    theta_i ~ Normal(mu, tau^2)
    mu, tau ~ the priors given

With moderators theta_i ~ Normal(x_i' b, tau^2), with row x_i of the design matrix X and coefficients b, as in ``generic_normal``.

Likelihood ``nct`` (noncentral t), exact for normal outcomes of equal variance (no small-sample correction, no variance formula):

    t_i ~ noncentral t(df_i = n_e + n_c - 2, noncentrality theta_i sqrt(n~_i)),  n~_i = n_e n_c / (n_e + n_c)
    t_i = d_i sqrt(n~_i),  d_i = (mean_e - mean_c) / pooled SD

It is written with the sampling variance of the pooled SD as a latent variable chi2_i:

    chi2_i ~ ChiSquared(df_i),  w_i = sqrt(chi2_i / df_i),  t_i ~ Normal(theta_i sqrt(n~_i) / w_i, 1 / w_i^2)

Likelihood ``normal``: Hedges' g_i ~ Normal(theta_i, se_i^2), as in ``generic_normal``.

Data columns: ``t``, ``df`` and ``root_n`` = sqrt(n~); those of ``generic_normal`` for the normal likelihood.

Reference: Hedges (1981), J Educ Stat 6:107-128.
"""

import pymc as pm

from bayesmeta.modeling import ModelData, Priors, add_data, add_priors, add_study_effects, load_model, run_as_script

MEASURES = ("SMD",)
LIKELIHOODS = ("nct", "normal")
PADDED = True


def build(data: ModelData, priors: Priors) -> pm.Model:
    """Return the PyMC model of one analysis."""
    if data.likelihood == "normal":
        return load_model("generic_normal").build(data, priors)
    with pm.Model(coords={"study": data.labels}) as model:
        columns = add_data(data)
        expected, tau = add_priors(priors, data)
        theta = add_study_effects(expected, tau, columns)
        chi2 = pm.ChiSquared("chi2", columns["df"], dims="study")
        ratio = pm.math.sqrt(chi2 / columns["df"])
        log_density = pm.logp(pm.Normal.dist(theta * columns["root_n"] / ratio, 1 / ratio), columns["t"])
        pm.Potential("log_likelihood", columns["included"] * log_density)
    return model


if __name__ == "__main__":
    run_as_script(__file__)
