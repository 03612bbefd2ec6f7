"""Sampling of networks of trials with NUTS, until the chains have converged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.engines.nuts.network_arms import NetworkArms
from bayesmeta.engines.nuts.programs import compiled
from bayesmeta.engines.nuts.sampling import ATTEMPTS, CHAINS, ESS_ABOVE, R_HAT_BELOW, converged, convergence_diagnostics
from bayesmeta.errors import ConvergenceError
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: model files of networks by their likelihood
NETWORK_MODELS = {
    "binomial arms": "network_binomial",
    "normal arms": "network_normal",
    "poisson arms": "network_poisson",
}


@dataclass(frozen=True)
class NetworkDraws:
    """Draws of a network that have converged.

    Parameters
    ----------
    draws : mapping of str to numpy.ndarray
        ``d``, shape (chain, draw, T - 1), contrasts with the reference; ``tau``, shape (chain, draw); ``theta``, shape (chain, draw, m),
        effects of the arms against their trial's first; ``baseline``, shape (chain, draw, k); ``fitted``, shape (chain, draw, n), risks,
        means or expected numbers of events of the arms.
    sample_stats : mapping of str to numpy.ndarray
        Statistics of the sampler, each of shape (chain, draw).
    diagnostics : mapping
        Largest r_hat and smallest bulk and tail ESS over all variables, divergences, number of attempts, settings of the last.
    """

    draws: Mapping[str, Array]
    sample_stats: Mapping[str, Array]
    diagnostics: Mapping[str, Any]


def sample_network(data: NetworkArms, priors: Priors, seed: int) -> NetworkDraws:
    """Sample the model of a network until it has converged.

    Parameters
    ----------
    data : NetworkArms
        Arms of the trials.
    priors : Priors
        Priors for tau or tau2, and for the baseline.
    seed : int
        Seed of the sampler.

    Raises
    ------
    ConvergenceError
        If NUTS cannot sample the model, or the chains have not converged after the last, most careful attempt.
    SpecError
        If a prior is one that NUTS cannot sample.
    """
    file = load_model(NETWORK_MODELS[data.likelihood])
    file.require(data.measure, data.likelihood)
    model = file.build(data, priors)
    sampled = until_converged(
        model,
        ("d", "tau", "theta", "baseline"),
        seed,
        f"the network with the {data.likelihood.split()[0]} likelihood",
        "A more informative prior for tau or d usually helps; the network on contrasts, without likelihood=, needs no sampling.",
    )
    values = {name: sampled.posterior[name].values for name in ("d", "tau", "theta", "baseline", "fitted")}
    # effects of the arms against their trial's first, instead of the independent combinations
    others = (data.back != 0).any(axis=1)
    values["theta"] = values["theta"] @ data.back[others].T
    return NetworkDraws(values, sampled.sample_stats, sampled.diagnostics)


@dataclass(frozen=True)
class Sampled:
    """Draws that have converged, with the variables of the model as they are.

    Parameters
    ----------
    posterior : xarray.Dataset
        The variables.
    sample_stats : mapping of str to numpy.ndarray
        Statistics of the sampler, each of shape (chain, draw).
    diagnostics : mapping
        As in ``NetworkDraws``.
    """

    posterior: Any
    sample_stats: Mapping[str, Array]
    diagnostics: Mapping[str, Any]


def until_converged(model: Any, variables: Sequence[str], seed: int, what: str, advice: str) -> Sampled:
    """Sample a model until it has converged.

    Parameters
    ----------
    model : pymc.Model
        The model.
    variables : sequence of str
        Variables that must have converged.
    seed : int
        Seed of the sampler.
    what, advice : str
        What is sampled, and what usually helps, for messages.

    Raises
    ------
    ConvergenceError
        If NUTS cannot sample the model, or the chains have not converged after the last, most careful attempt.
    """
    found: dict[str, float] = {}
    for attempt, (draws, tune, target_accept) in enumerate(ATTEMPTS, 1):
        try:
            tree = _run(model, (draws, tune, target_accept), seed)
        except (RuntimeError, ValueError, ArithmeticError) as error:
            raise ConvergenceError(
                f"NUTS could not sample {what}: {error}\n  Check the data and the priors for extreme values."
            ) from error
        posterior, stats = tree["posterior"].to_dataset(), tree["sample_stats"].to_dataset()
        found = convergence_diagnostics(posterior[list(variables)], stats["diverging"].values)
        if converged(found):
            settings = {
                "attempts": attempt,
                "chains": CHAINS,
                "draws": draws,
                "tune": tune,
                "target_accept": target_accept,
            }
            names = [name for name in ("diverging", "depth", "n_steps", "energy", "logp", "step_size") if name in stats]
            return Sampled(posterior, {name: stats[name].values for name in names}, {**found, **settings})
    raise ConvergenceError(
        f"NUTS did not converge for {what} after {len(ATTEMPTS)} attempts: worst r_hat {found['r_hat']:.3f} (must be below "
        f"{R_HAT_BELOW}), least ESS {min(found['ess_bulk'], found['ess_tail']):.0f} (above {ESS_ABOVE:.0f}), {found['divergences']} "
        f"divergences (0).\n  {advice}"
    )


def _run(model: Any, settings: tuple[int, int, float], seed: int) -> Any:
    """Sample once and return a DataTree with the groups posterior and sample_stats."""
    draws, tune, target_accept = settings
    try:
        import nutpie
    except ImportError:
        import pymc as pm

        return pm.sample(
            draws, tune=tune, chains=CHAINS, target_accept=target_accept, random_seed=seed, progressbar=False, model=model
        )  # fmt: skip
    return nutpie.sample(
        compiled(model).for_nutpie(), draws=draws, tune=tune, chains=CHAINS, cores=2, target_accept=target_accept, seed=seed,
        progress_bar=False, save_warmup=False,
    )  # fmt: skip
