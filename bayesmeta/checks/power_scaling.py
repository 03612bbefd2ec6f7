"""Power-scaling sensitivity: how the posterior changes when the prior or the likelihood is given more or less weight."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.engines.normal.study_blocks import study_log_likelihood
from bayesmeta.engines.nuts.own_model import own_values
from bayesmeta.engines.study_log_likelihood import pointwise_log_likelihood
from bayesmeta.engines.terms import I2, MEAN, TAU, TAU2
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.posterior.coefficient_draws import at_means, coefficient_log_prior
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.given import as_posterior
from bayesmeta.posterior.grouped_draws import level_log_prior
from bayesmeta.posterior.method import AVERAGED
from bayesmeta.posterior.own_draws import own_log_likelihood, own_log_prior
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.refit import exact_fit
from bayesmeta.support.arguments import with_keywords_of

if TYPE_CHECKING:
    import pandas as pd

#: number of draws for the normal likelihood; a quarter of it for the others
DRAWS = 16000
#: cumulative Jensen-Shannon distance per unit of log2 alpha above which the posterior is called sensitive
THRESHOLD = 0.05


@with_keywords_of(fit)
def power_scaling(
    studies: Any = None, *, threshold: float = THRESHOLD, alphas: tuple[float, float] = (0.8, 1.25), **given: Any
) -> pd.DataFrame:
    """Measure how sensitive mu, tau and theta_new are to the priors and to the data.

    The prior or the likelihood is raised to a power alpha, and the draws are weighted accordingly; the sensitivity is the
    cumulative Jensen-Shannon distance from the unscaled posterior, per unit of log2 alpha (Kallioinen, Paananen, Buerkner and
    Vehtari 2024, Stat Comput 34:57), by arviz from independent draws. The priors are those for mu and for tau; Normal(mu, tau2)
    for the study effects is part of the model and not scaled. The likelihood is that of the data given mu and tau. Of a user's model file
    its own priors and log likelihood are scaled, from its own draws.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit, or data as in ``fit``.
    threshold : float
        Sensitivity above which the posterior is called sensitive.
    alphas : (float, float)
        Powers, one below and one above 1.
    **given
        Keywords of ``fit``.

    Returns
    -------
    pandas.DataFrame
        One row per term, index term: mu (with moderators the coefficients and effect_at_means), tau (with several estimates per study all
        parameters of heterogeneity that have priors, such as rho), theta_new, and other parameters of a
        user's model file. Columns prior (all priors), prior_mu, prior_tau and so on (one of them), likelihood, and diagnosis:
        "prior-data conflict" (sensitive to prior and likelihood), "strong prior / weak likelihood" (to the prior only), or "-".

    Raises
    ------
    SpecError
        For point priors, which cannot be scaled, a model average, a user's model file without a log likelihood of each study, and if the
        quadrature engine does not support the priors.
    """
    import arviz_stats as az
    import pandas as pd

    posterior = exact_fit(as_posterior(studies, **given))
    if posterior.engine == AVERAGED:
        raise SpecError(
            "power_scaling needs priors with a density, but this posterior is a model average, in which mu or tau can be 0; scale one of "
            "its models, such as model_average(...).fits[-1]"
        )
    if posterior.model_path:
        return own_power_scaling(posterior, threshold, alphas)
    of_effects = _priors_of_effects(posterior)
    if any(prior.point is not None for prior in of_effects.values()) or posterior.priors.scale.point is not None:
        raise SpecError("power-scaling needs priors with a density, but one of these is a point")
    tree = _tree(posterior)
    terms = posterior.solution.terms
    scales = tuple(name for name in tree["log_prior"].data_vars if name not in of_effects)
    shown = (*terms.coefficients, *terms.combined, *scales, *terms.new)
    kinds = {"prior": ("prior", None)} | {f"prior_{name}": ("prior", name) for name in (*of_effects, *scales)}
    columns = {}
    constant = {name for name, value in tree["log_prior"].data_vars.items() if np.ptp(value.values) == 0}
    for name, (group, one) in {**kinds, "likelihood": ("likelihood", None)}.items():
        flat = (one in of_effects and not of_effects[one].proper) or one in constant
        if flat or (name == "prior" and constant == set(tree["log_prior"].data_vars)):
            # a prior that is the same everywhere stays what it is
            columns[name] = [0.0] * len(shown)
            continue
        found = az.psense(tree, group=group, group_var_names=[one] if one else None, alphas=alphas)
        columns[name] = [float(found[term]) for term in shown]
    frame = pd.DataFrame(columns, index=pd.Index(shown, name="term"))
    frame["diagnosis"] = [
        diagnosis(prior, likelihood, threshold)
        for prior, likelihood in zip(frame["prior"], frame["likelihood"], strict=True)
    ]
    return frame


def own_power_scaling(posterior: Posterior, threshold: float, alphas: tuple[float, float]) -> pd.DataFrame:
    """Measure the sensitivity of a user's model from its draws, the log densities of its own priors and its own log likelihood.

    Returns
    -------
    pandas.DataFrame
        As of ``power_scaling``, with a row per term and a column prior_NAME per parameter with a prior and without a value per study.

    Raises
    ------
    SpecError
        If the model has no log likelihood of each study.
    """
    import arviz_stats as az
    import pandas as pd
    import xarray as xr

    priors = own_log_prior(posterior, "power_scaling")
    likelihood = own_log_likelihood(posterior, "power_scaling").sum(axis=2)
    draws = {
        term: value
        for term, value in own_values(posterior.solution.groups["posterior"]).items()
        if term not in (TAU2, I2)
    }
    shown = list(draws)
    groups = {"posterior": draws, "log_prior": priors, "log_likelihood": {"data": likelihood}}
    dims = ("chain", "draw")
    tree = xr.DataTree.from_dict(
        {group: xr.Dataset({name: (dims, value) for name, value in values.items()}) for group, values in groups.items()}
    )
    columns = {}
    for column, group, names in (
        ("prior", "prior", None),
        *((f"prior_{name}", "prior", [name]) for name in priors),
        ("likelihood", "likelihood", None),
    ):
        if names and np.ptp(priors[names[0]]) == 0:
            # a flat prior stays what it is
            columns[column] = [0.0] * len(shown)
            continue
        found = az.psense(tree, group=group, group_var_names=names, alphas=alphas)
        columns[column] = [float(found[term]) for term in shown]
    frame = pd.DataFrame(columns, index=pd.Index(shown, name="term"))
    frame["diagnosis"] = [
        diagnosis(prior, data, threshold) for prior, data in zip(frame["prior"], frame["likelihood"], strict=True)
    ]
    return frame


def _priors_of_effects(posterior: Posterior) -> dict[str, Prior]:
    """Return the priors of mu or, with moderators, of the combinations of coefficients that have one, by name."""
    if posterior.data.design.is_mean:
        return {MEAN: posterior.priors.mu}
    found = combination_priors(posterior.priors, posterior.data.design)
    return dict(zip(found.names(posterior.data.design), found.priors, strict=True))


def diagnosis(prior: float, likelihood: float, threshold: float = THRESHOLD) -> str:
    """Return the diagnosis from the sensitivities to prior and likelihood (Kallioinen et al. 2024, section 2.5)."""
    if prior <= threshold:
        return "-"
    return "prior-data conflict" if likelihood > threshold else "strong prior / weak likelihood"


def _tree(posterior: Posterior) -> Any:
    """Return independent draws with the log densities of the priors and of the data."""
    import xarray as xr

    rng = np.random.default_rng([posterior.seed, 5])
    size = DRAWS if posterior.likelihood == "normal" else DRAWS // 4
    flat = posterior.solution.sample_pooled(size, rng)
    data, priors, terms = posterior.data, posterior.priors, posterior.solution.terms
    if data.nesting is not None:
        log_prior = level_log_prior(posterior, flat)
        scales = tuple(name for name in log_prior if name in terms.heterogeneity)
    else:
        tau, scales = flat[TAU], (TAU,)
        log_prior = {TAU: priors.scale.logpdf(tau**2 if priors.on_variance else tau)}
        if not data.design.is_mean:
            log_prior |= coefficient_log_prior(posterior, flat)
        elif priors.mu.proper:
            log_prior[MEAN] = priors.mu.logpdf(flat[MEAN])
    if data.separate:
        value = pointwise_log_likelihood(data, priors, data.expected_effects(flat), flat[TAU]).sum(axis=1)
    else:
        value = study_log_likelihood(data, flat).sum(axis=1)
    groups = {
        "posterior": {name: flat[name] for name in (*terms.coefficients, *scales, *terms.new)}
        | {name: at_means(data.design, flat) for name in terms.combined},
        "log_prior": log_prior,
        "log_likelihood": {"data": value},
    }
    shaped = {
        name: xr.Dataset({key: (("chain", "draw"), value[None]) for key, value in values.items()})
        for name, values in groups.items()
    }
    return xr.DataTree.from_dict(shaped)
