"""Sampling with NUTS: a PyMC model is compiled once per shape, and draws are returned only if they have converged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np

from bayesmeta.effects.design import Design
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.nuts.model_files import ModelFile
from bayesmeta.engines.nuts.own_model import COEFFICIENTS, check_variables, own_groups, own_terms, own_values, varying
from bayesmeta.engines.nuts.programs import build_model, program_for
from bayesmeta.engines.terms import AT_MEANS, MEAN, NEW_STUDY, Terms, terms_of, with_effect_at_means
from bayesmeta.errors import BayesmetaError, ConvergenceError, SpecError
from bayesmeta.frequentist.i_squared import i_squared
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: criteria of convergence, with no divergences (Vehtari et al. 2021, Bayesian Analysis 16:667)
R_HAT_BELOW, ESS_ABOVE = 1.01, 400.0
CHAINS = 4
#: settings of the attempts, in turn until the chains have converged: draws and tuning steps per chain, target acceptance
ATTEMPTS = ((1000, 1000, 0.95), (2500, 2500, 0.99), (8000, 4000, 0.995))


@dataclass(frozen=True)
class NutsSolution:
    """A posterior as draws that have converged.

    Parameters
    ----------
    draws : mapping of str to numpy.ndarray
        Draws of the coefficients (mu without moderators), tau and, without moderators, theta_new, of shape (chain, draw); of theta and
        the nuisance parameters, of shape (chain, draw, k). Of a user's model: of all its variables.
    sample_stats : mapping of str to numpy.ndarray
        Statistics of the sampler, each of shape (chain, draw).
    diagnostics : mapping
        Largest r_hat and smallest bulk and tail ESS over all model variables, divergences, number of attempts, settings of the last.
    typical_variance : float
        Typical within-study variance, for I2.
    labels : tuple of str
        Labels of the studies.
    groups : mapping of str to xarray.Dataset
        Groups of arviz' schema that a user's model defines (``own_groups``); empty for the models of this package.
    design : Design, optional
        Design matrix X, shape (k, p), of a model with moderators.
    """

    draws: Mapping[str, Array]
    sample_stats: Mapping[str, Array]
    diagnostics: Mapping[str, Any]
    typical_variance: float
    labels: tuple[str, ...]
    groups: Mapping[str, Any] = field(default_factory=dict)
    design: Design | None = None
    log_marginal_likelihood: None = field(default=None, init=False)
    error: float = field(default=float("nan"), init=False)

    @cached_property
    def terms(self) -> Terms:
        """Names of the terms."""
        names = (MEAN,) if self.design is None else self.design.names
        if self.groups:
            return own_terms(self.groups["posterior"], self.labels, names)
        return with_effect_at_means(terms_of(self.labels, names))

    @property
    def families(self) -> tuple[Samples]:
        """Marginal distributions of all terms, as samples."""
        named = own_values(self.groups["posterior"]) if self.groups else self._heterogeneity()
        if self.design is not None:
            coefficients = self._coefficients()
            named |= dict(zip(self.design.names, np.moveaxis(coefficients, -1, 0), strict=True))
            named[AT_MEANS] = coefficients @ self.design.matrix.mean(axis=0)
        elif not self.groups:
            named |= {name: self.draws[name] for name in (MEAN, NEW_STUDY)}
        named = {term: named[term] for term in self.terms.pooled}
        named |= {term: self.draws["theta"][..., i] for i, term in enumerate(self.terms.studies)}
        return (Samples(tuple(named), np.stack(list(named.values()))),)

    def _heterogeneity(self) -> dict[str, Array]:
        tau2 = self.draws["tau"] ** 2
        return {"tau": self.draws["tau"], "tau2": tau2, "i2": i_squared(tau2, self.typical_variance)}

    def _coefficients(self) -> Array:
        """Draws of the coefficients, shape (chain, draw, p)."""
        return np.stack([self.draws[name] for name in self.terms.coefficients], axis=-1)

    def combinations(
        self, weights: Array, names: tuple[str, ...], *, new_study: bool = False, seed: int = 1
    ) -> Samples:
        """Return the marginal distributions of linear combinations of the coefficients, L b.

        Parameters
        ----------
        weights : numpy.ndarray, shape (m, p)
            The rows of L.
        names : tuple of str
            Names of the m combinations.
        new_study : bool
            Whether to add the between-study deviation of a new study, Normal(0, tau^2).
        seed : int
            Seed of the deviations.
        """
        values = np.einsum("mp,cdp->mcd", weights, self._coefficients())
        if new_study:
            noise = np.random.default_rng([seed, 1]).standard_normal(values.shape)
            values = values + self.draws["tau"] * noise
        return Samples(names, values)

    @property
    def pooled(self) -> tuple[Samples]:
        """Marginal distributions of all terms: those of the effects in the studies take no extra time."""
        return self.families

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Return draws taken at random from the chains, with replacement: arrays of shape (size, ...)."""
        chains, draws = self.draws["tau"].shape
        place = rng.integers(chains * draws, size=size)
        return {name: value.reshape(chains * draws, *value.shape[2:])[place] for name, value in self.draws.items()}

    def sample_pooled(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Return draws taken at random from the chains, without the effects in the studies; arrays of shape (size,)."""
        drawn = self.sample(size, rng)
        return {name: drawn[name] for name in self.terms.parameters}

    def chains(self, chains: int, draws: int, rng: np.random.Generator) -> dict[str, Array]:  # noqa: ARG002
        """Return the chains as they were sampled; the arguments are not used."""
        return dict(self.draws)

    def joint_pdf(self, mu: Array, tau: Array) -> Array:  # noqa: ARG002
        """Raise an error: draws have no joint density.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError("only a quadrature fit without point priors has a joint density of mu and tau")


def convergence_diagnostics(posterior: Any, diverging: Array) -> dict[str, float]:
    """Compute the diagnostics that decide convergence, over every variable of a posterior that is not constant by definition.

    Parameters
    ----------
    posterior : xarray.Dataset
        Variables with the dimensions (chain, draw, ...).
    diverging : numpy.ndarray, shape (chain, draw)
        Whether each transition diverged.

    Returns
    -------
    dict
        r_hat (largest, rank-normalized), ess_bulk and ess_tail (smallest), divergences (number).
    """
    import arviz_stats as az

    def values(dataset: Any) -> Array:
        return np.concatenate([np.ravel(dataset[name].values) for name in dataset.data_vars])

    posterior = varying(posterior)
    return {
        "r_hat": float(np.max(values(az.rhat(posterior)))),
        "ess_bulk": float(np.min(values(az.ess(posterior, method="bulk")))),
        "ess_tail": float(np.min(values(az.ess(posterior, method="tail")))),
        "divergences": int(np.sum(diverging)),
    }


def converged(found: Mapping[str, float]) -> bool:
    """Whether chains have converged: r_hat < 1.01, bulk and tail ESS > 400, no divergences."""
    enough = found["ess_bulk"] > ESS_ABOVE and found["ess_tail"] > ESS_ABOVE
    return bool(found["r_hat"] < R_HAT_BELOW and enough and found["divergences"] == 0)


def sample(file: ModelFile, data: ModelData, priors: Priors, typical_variance: float, seed: int) -> NutsSolution:
    """Sample a model until it has converged.

    Parameters
    ----------
    file : ModelFile
        Model file.
    data : ModelData
        Data of one analysis.
    priors : Priors
        Priors for mu, tau and the baseline.
    typical_variance : float
        Typical within-study variance, for I2.
    seed : int
        Seed of the sampler.

    Raises
    ------
    ConvergenceError
        If NUTS cannot sample the model, or the chains have not converged after the last, most careful attempt.
    SpecError
        If the model lacks mu, tau or theta.
    """
    k = data.k
    rows = data.padded(padded_size(k)) if file.padded else data
    found: dict[str, float] = {}
    for attempt, attempted in enumerate(ATTEMPTS, 1):
        draws, tune, target_accept = attempted
        try:
            tree = _run(file, rows, priors, attempted, seed)
        except BayesmetaError:
            raise
        except (RuntimeError, ValueError, ArithmeticError) as error:
            raise ConvergenceError(
                f"NUTS could not sample the model {file.name}: {error}\n  Check the data and the priors for extreme values."
            ) from error
        posterior = tree["posterior"].to_dataset()
        check_variables(file, posterior, k, 0 if data.design.is_mean else len(data.design.names))
        kept = _drop_padding(posterior, k, auxiliary=not file.built_in)
        stats = tree["sample_stats"].to_dataset()
        found = convergence_diagnostics(kept, stats["diverging"].values)
        if converged(found):
            settings = {
                "attempts": attempt,
                "chains": CHAINS,
                "draws": draws,
                "tune": tune,
                "target_accept": target_accept,
            }
            solution = _solution(kept, stats, {**found, **settings}, data, typical_variance)
            if file.built_in and data.nesting is not None:
                from bayesmeta.engines.nuts.levels import levels_solution

                return levels_solution(solution, seed)
            if file.built_in:
                return _with_new_study(solution, seed) if data.design.is_mean else solution
            return replace(
                solution, groups=own_groups(build_model(file, rows, priors), posterior, rows.labels, k, seed)
            )
    raise ConvergenceError(
        f"NUTS did not converge for the model {file.name} after {len(ATTEMPTS)} attempts (the last with {ATTEMPTS[-1][0]} draws and "
        f"target_accept {ATTEMPTS[-1][2]}): worst r_hat {found['r_hat']:.3f} (must be below {R_HAT_BELOW}), least ESS "
        f"{min(found['ess_bulk'], found['ess_tail']):.0f} (above {ESS_ABOVE:.0f}), {found['divergences']} divergences (0).\n"
        "  A more informative prior for tau usually helps, and so does center(x) for a moderator x where Intercept has a prior of its own; "
        "with likelihood='normal', engine='quadrature' needs no sampling."
    )


def padded_size(k: int) -> int:
    """Return the number of studies to which k are padded: the next of 4, 8, 16, 32 ..."""
    return max(4, 1 << (k - 1).bit_length())


def _run(file: ModelFile, data: ModelData, priors: Priors, settings: tuple[int, int, float], seed: int) -> Any:
    """Sample once and return a DataTree with the groups posterior and sample_stats."""
    draws, tune, target_accept = settings
    try:
        import nutpie
    except ImportError:
        import pymc as pm

        return pm.sample(
            draws, tune=tune, chains=CHAINS, target_accept=target_accept, random_seed=seed, progressbar=False,
            model=build_model(file, data, priors),
        )  # fmt: skip
    return nutpie.sample(
        program_for(file, data, priors).for_nutpie(), draws=draws, tune=tune, chains=CHAINS, cores=2, target_accept=target_accept,
        seed=seed, progress_bar=False, save_warmup=False,
    )  # fmt: skip


def _drop_padding(posterior: Any, k: int, *, auxiliary: bool) -> Any:
    """Leave out the studies added as padding and, unless they are wanted, the auxiliary variables of the models of this package."""
    dropped = [] if auxiliary else [name for name in ("z", "log_tau", "log_mu", "baseline_w") if name in posterior]
    if not auxiliary:
        dropped += [name for name in posterior if str(name).startswith(("combination_", "log_combination_"))]
    kept = posterior.drop_vars(dropped)
    return kept.isel(study=slice(0, k)) if "study" in kept.dims else kept


def _solution(
    posterior: Any, stats: Any, diagnostics: dict[str, Any], data: ModelData, typical_variance: float
) -> NutsSolution:
    draws = {str(name): posterior[name].values for name in posterior.data_vars}
    design = None if data.design.is_mean else data.design
    if design is not None:
        draws = dict(zip(design.names, np.moveaxis(draws.pop(COEFFICIENTS), -1, 0), strict=True)) | draws
    kept = {
        name: stats[name].values
        for name in ("diverging", "depth", "n_steps", "energy", "logp", "step_size")
        if name in stats
    }
    return NutsSolution(draws, kept, diagnostics, typical_variance, data.labels[: data.k], design=design)


def _with_new_study(solution: NutsSolution, seed: int) -> NutsSolution:
    """Add the effect in a new study, theta_new ~ Normal(mu, tau^2)."""
    mu, tau = solution.draws["mu"], solution.draws["tau"]
    theta_new = mu + tau * np.random.default_rng([seed, 1]).standard_normal(mu.shape)
    return replace(solution, draws={**solution.draws, "theta_new": theta_new})
