"""The sampling engine: compile a PyMC model once per shape, sample it with NUTS, and let nothing through that has not converged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.nuts.model_files import ModelFile
from bayesmeta.engines.nuts.programs import build_model, program_for
from bayesmeta.engines.terms import Terms, terms_of
from bayesmeta.errors import ConvergenceError, SpecError
from bayesmeta.frequentist.i_squared import i_squared
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

R_HAT_BELOW = 1.01
ESS_ABOVE = 400.0
CHAINS = 4
#: what is tried in turn until the gate opens: draws, tuning steps, target acceptance
ATTEMPTS = ((1000, 1000, 0.95), (2500, 2500, 0.99), (8000, 4000, 0.995))


@dataclass(frozen=True)
class NutsSolution:
    """Converged draws.

    Parameters
    ----------
    draws : mapping of str to numpy.ndarray
        mu, tau of shape (chain, draw); theta and the nuisance variables of shape (chain, draw, k).
    sample_stats : mapping of str to numpy.ndarray
        Of the sampler, shape (chain, draw).
    diagnostics : mapping
        Worst r_hat, least bulk and tail ESS over all model variables, divergences, attempts made, settings of the last.
    typical_variance : float
        For I2.
    labels : tuple of str
        Study names.
    """

    draws: Mapping[str, Array]
    sample_stats: Mapping[str, Array]
    diagnostics: Mapping[str, Any]
    typical_variance: float
    labels: tuple[str, ...]
    log_marginal_likelihood: None = field(default=None, init=False)
    error: float = field(default=float("nan"), init=False)

    @cached_property
    def terms(self) -> Terms:
        """Names of the terms."""
        return terms_of(self.labels)

    @property
    def families(self) -> tuple[Samples]:
        """Marginal distributions of all terms, as samples."""
        tau2 = self.draws["tau"] ** 2
        named = {
            "mu": self.draws["mu"],
            "tau": self.draws["tau"],
            "tau2": tau2,
            "i2": i_squared(tau2, self.typical_variance),
            "theta_new": self.draws["theta_new"],
        }
        named |= {term: self.draws["theta"][..., i] for i, term in enumerate(self.terms.studies)}
        return (Samples(tuple(named), np.stack(list(named.values()))),)

    @property
    def pooled(self) -> tuple[Samples]:
        """The same: the effects in the studies cost nothing more."""
        return self.families

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Take draws at random from the chains, with replacement: arrays of shape (size, ...)."""
        chains, draws = self.draws["mu"].shape
        place = rng.integers(chains * draws, size=size)
        return {name: value.reshape(chains * draws, *value.shape[2:])[place] for name, value in self.draws.items()}

    def chains(self, chains: int, draws: int, rng: np.random.Generator) -> dict[str, Array]:  # noqa: ARG002
        """Return the chains as they were sampled, whatever numbers are asked for."""
        return dict(self.draws)

    def joint_pdf(self, mu: Array, tau: Array) -> Array:  # noqa: ARG002
        """Refuse: draws have no joint density.

        Raises
        ------
        SpecError
        """
        raise SpecError("only a quadrature fit without point priors has a joint density of mu and tau")


def _run(file: ModelFile, data: ModelData, priors: Priors, settings: tuple[int, int, float], seed: int) -> Any:
    """Sample once; a DataTree with posterior and sample_stats."""
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
        program_for(file, data, priors), draws=draws, tune=tune, chains=CHAINS, cores=2, target_accept=target_accept,
        seed=seed, progress_bar=False, save_warmup=False,
    )  # fmt: skip


def gate(posterior: Any, diverging: Array) -> dict[str, float]:
    """Compute what decides convergence, over every variable of a posterior.

    Parameters
    ----------
    posterior : xarray.Dataset
        Variables of dims (chain, draw, ...).
    diverging : numpy.ndarray
        Whether each transition diverged.

    Returns
    -------
    dict
        r_hat (worst, rank-normalized), ess_bulk and ess_tail (least), divergences.
    """
    import arviz as az

    def every(dataset: Any) -> Array:
        return np.concatenate([np.ravel(dataset[name].values) for name in dataset.data_vars])

    return {
        "r_hat": float(np.max(every(az.rhat(posterior)))),
        "ess_bulk": float(np.min(every(az.ess(posterior, method="bulk")))),
        "ess_tail": float(np.min(every(az.ess(posterior, method="tail")))),
        "divergences": int(np.sum(diverging)),
    }


def converged(found: Mapping[str, float]) -> bool:
    """Whether the gate opens: r_hat < 1.01, bulk and tail ESS > 400, no divergences."""
    enough = found["ess_bulk"] > ESS_ABOVE and found["ess_tail"] > ESS_ABOVE
    return bool(found["r_hat"] < R_HAT_BELOW and enough and found["divergences"] == 0)


def sample(file: ModelFile, data: ModelData, priors: Priors, typical_variance: float, seed: int) -> NutsSolution:
    """Sample a model until it has converged.

    Parameters
    ----------
    file : ModelFile
        The model to build.
    data : ModelData
        One analysis.
    priors : Priors
        Of mu and tau, and of the baseline.
    typical_variance : float
        For I2.
    seed : int
        Of the sampler.

    Raises
    ------
    ConvergenceError
        If the gate stays shut after the last, most careful attempt.
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
        except (RuntimeError, ValueError, ArithmeticError) as error:
            raise ConvergenceError(
                f"NUTS could not sample the model {file.name}: {error}\n  Check the data and the priors for extreme values."
            ) from error
        posterior = tree["posterior"].to_dataset()
        kept = _drop_padding(posterior, k)
        stats = tree["sample_stats"].to_dataset()
        found = gate(kept, stats["diverging"].values)
        if converged(found):
            settings = {
                "attempts": attempt,
                "chains": CHAINS,
                "draws": draws,
                "tune": tune,
                "target_accept": target_accept,
            }
            return _solution(kept, stats, {**found, **settings}, data, typical_variance, seed)
    raise ConvergenceError(
        f"NUTS did not converge for the model {file.name} after {len(ATTEMPTS)} attempts (the last with {ATTEMPTS[-1][0]} draws and "
        f"target_accept {ATTEMPTS[-1][2]}): worst r_hat {found['r_hat']:.3f} (must be below {R_HAT_BELOW}), least ESS "
        f"{min(found['ess_bulk'], found['ess_tail']):.0f} (above {ESS_ABOVE:.0f}), {found['divergences']} divergences (0).\n"
        "  A more informative prior for tau usually mends it; with likelihood='normal', engine='quadrature' needs no sampling."
    )


def padded_size(k: int) -> int:
    """Return the size analyses of k studies are padded to: the next of 4, 8, 16, 32 ..."""
    return max(4, 1 << (k - 1).bit_length())


def _drop_padding(posterior: Any, k: int) -> Any:
    for name in ("mu", "tau", "theta"):
        if name not in posterior:
            raise SpecError(
                f"the model has no variable '{name}'; a model file must name mu, tau and theta (one a study)"
            )
    helpers = [name for name in ("z", "log_tau", "log_mu", "baseline_w") if name in posterior]
    return posterior.drop_vars(helpers).isel(study=slice(0, k)) if "study" in posterior.dims else posterior


def _solution(
    posterior: Any, stats: Any, diagnostics: dict[str, Any], data: ModelData, typical_variance: float, seed: int
) -> NutsSolution:
    draws = {str(name): posterior[name].values for name in posterior.data_vars}
    rng = np.random.default_rng([seed, 1])
    draws["theta_new"] = draws["mu"] + draws["tau"] * rng.standard_normal(draws["mu"].shape)
    kept = {
        name: stats[name].values
        for name in ("diverging", "depth", "n_steps", "energy", "logp", "step_size")
        if name in stats
    }
    labels = data.labels[: data.k]
    return NutsSolution(draws, kept, diagnostics, typical_variance, labels)
