"""Simulation-based calibration: reviews drawn from the priors, their fits, and the rank of the true values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.calibration.categories import CATEGORICAL, PRIORS, TREATMENTS
from bayesmeta.calibration.linear import LINEAR
from bayesmeta.calibration.simulate import SimulatedReview, draw_from_prior
from bayesmeta.calibration.uniformity import rank_among, uniformity
from bayesmeta.categories.fit import categories
from bayesmeta.engines.terms import study_term
from bayesmeta.errors import ConvergenceError, SpecError, unknown_name
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.support.arrays import Array

TERMS = ("mu", "tau", "theta_1", "theta_new")


@dataclass(frozen=True)
class Experiment:
    """A model to calibrate: its likelihood, its priors, and the design of the reviews.

    Parameters
    ----------
    likelihood, measure : str
        As in ``fit``.
    priors : mapping of str to str
        Proper priors as text, narrow enough for plausible data.
    design : callable
        ``design(rng)`` returns the arguments of ``draw_from_prior`` other than the priors: sei, or n_e and n_c.
    """

    likelihood: str
    measure: str
    priors: Mapping[str, str]
    design: Callable[[np.random.Generator], dict[str, Array]]


def _standard_errors(rng: np.random.Generator) -> dict[str, Array]:
    return {"sei": np.exp(rng.uniform(np.log(0.1), np.log(0.8), 6))}


def _arms(rng: np.random.Generator) -> dict[str, Array]:
    n_e, n_c = np.round(np.exp(rng.uniform(np.log(20), np.log(400), (2, 6))))
    return {"n_e": n_e, "n_c": n_c}


#: six studies each; in the binomial one a third of the arms have fewer than five events, and some none
EXPERIMENTS: dict[str, Experiment] = {
    "normal": Experiment("normal", "HR", {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}, _standard_errors),
    "binomial": Experiment(
        "binomial", "RR", {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)", "baseline": "Normal(-2, 1)"}, _arms
    ),
}


def draw_review(name: str, seed: int, replicate: int) -> SimulatedReview:
    """Draw one review of an experiment from its priors; the same for every engine.

    Parameters
    ----------
    name : str
        A key of ``EXPERIMENTS``.
    seed, replicate : int
        The review depends on these numbers only.

    Raises
    ------
    SpecError
        If there is no such experiment.
    """
    if name not in EXPERIMENTS:
        raise unknown_name("calibration experiment", name, EXPERIMENTS)
    experiment = EXPERIMENTS[name]
    rng = np.random.default_rng([seed, list(EXPERIMENTS).index(name), replicate])
    parsed = {parameter: parse_prior(text) for parameter, text in experiment.priors.items()}
    priors = Priors(parsed["mu"], parsed["tau"], baseline=parsed.get("baseline"))
    return draw_from_prior(priors, rng, **experiment.design(rng))


def ranks_of_truth(review: SimulatedReview, posterior: Posterior, rng: np.random.Generator) -> dict[str, float]:
    """Return the rank of the true values in a posterior: its distribution function if exact, else the rank among draws.

    Parameters
    ----------
    review : SimulatedReview
        The review with its true values.
    posterior : Posterior
        Its fit.
    rng : numpy.random.Generator
        Source of randomness for ranks among draws.

    Returns
    -------
    dict of str to float
        By term of ``TERMS``, a number in [0, 1].
    """
    truth = dict(zip(TERMS, (review.mu, review.tau, review.theta[0], review.theta_new), strict=True))
    names = {"theta_1": study_term(review.studies.labels[0])}
    return _ranks(truth, posterior, rng, names)


def _ranks(
    truth: Mapping[str, float], posterior: Posterior, rng: np.random.Generator, names: Mapping[str, str]
) -> dict[str, float]:
    """Return the rank of each true value; ``names`` has the posterior's names of terms that are called otherwise here."""
    found = {}
    for term, value in truth.items():
        name = names.get(term, term)
        if posterior.engine == "quadrature":
            found[term] = float(posterior.cdf(name, value))
        else:
            marginal: Any = posterior.marginal(name)
            found[term] = rank_among(marginal.values, value, rng)
    return found


def calibrate(name: str, engine: str, replicates: range, seed: int) -> list[dict[str, Any]]:
    """Fit reviews drawn from the priors of an experiment.

    Parameters
    ----------
    name : str
        A key of ``EXPERIMENTS``, ``LINEAR`` or ``CATEGORICAL``.
    engine : str
        ``"quadrature"`` or ``"nuts"``.
    replicates : range
        Numbers of the reviews; each review depends on its number and the seed only.
    seed : int
        Seed of the reviews, of the sampler and of the ranks.

    Returns
    -------
    list of dict
        One row per review: ``replicate``, the rank for each term of the experiment
        (``terms_of_experiment``), ``problem`` ("" or why there are no ranks).
    """
    if name in LINEAR:
        return [_calibrate_linear(name, engine, replicate, seed) for replicate in replicates]
    if name in CATEGORICAL:
        return [_calibrate_categories(name, engine, replicate, seed) for replicate in replicates]
    rows = []
    for replicate in replicates:
        review = draw_review(name, seed, replicate)
        experiment = EXPERIMENTS[name]
        row: dict[str, Any] = {"replicate": replicate, **dict.fromkeys(TERMS, float("nan")), "problem": ""}
        try:
            posterior = fit(
                review.studies, measure=experiment.measure, likelihood=experiment.likelihood,
                priors=experiment.priors, engine=engine, seed=seed + replicate,
            )  # fmt: skip
            row |= ranks_of_truth(review, posterior, np.random.default_rng([seed, replicate, 7]))
        except ConvergenceError as error:
            row["problem"] = str(error).splitlines()[0]
        rows.append(row)
    return rows


def _calibrate_linear(name: str, engine: str, replicate: int, seed: int) -> dict[str, Any]:
    """Return the row of one review of an experiment of the linear model."""
    experiment = LINEAR[name]
    # a stream of its own per experiment, whatever other experiments there are
    rng = np.random.default_rng([seed, *map(ord, name), replicate])
    truth, given = experiment.draw(rng)
    row: dict[str, Any] = {"replicate": replicate, **dict.fromkeys(experiment.terms, float("nan")), "problem": ""}
    try:
        posterior = fit(**given, priors=experiment.priors, engine=engine, seed=seed + replicate)
        row |= _ranks(truth, posterior, np.random.default_rng([seed, replicate, 7]), {})
    except ConvergenceError as error:
        row["problem"] = str(error).splitlines()[0]
    return row


def _calibrate_categories(name: str, engine: str, replicate: int, seed: int) -> dict[str, Any]:
    """Return the row of one outcome of an experiment with several categories."""
    experiment = CATEGORICAL[name]
    rng = np.random.default_rng([seed, *map(ord, name), replicate])
    truth, table = experiment.draw(rng)
    row: dict[str, Any] = {"replicate": replicate, **dict.fromkeys(experiment.terms, float("nan")), "problem": ""}
    try:
        fitted = categories(
            table, reference=TREATMENTS[0], engine=engine, priors=PRIORS, seed=seed + replicate, **experiment.options
        )
        draws, rng = experiment.values(fitted), np.random.default_rng([seed, replicate, 7])
        row |= {term: rank_among(draws[term], value, rng) for term, value in truth.items()}
    except ConvergenceError as error:
        row["problem"] = str(error).splitlines()[0]
    return row


def terms_of_experiment(name: str) -> tuple[str, ...]:
    """Return the terms whose ranks an experiment has."""
    if name in CATEGORICAL:
        return CATEGORICAL[name].terms
    return LINEAR[name].terms if name in LINEAR else TERMS


def calibratable(name: str, engine: str) -> bool:
    """Return whether an engine can fit an experiment's likelihood and priors; its first review is tried."""
    try:
        calibrate(name, engine, range(1), 0)
    except SpecError:
        return False
    return True


def rank_table(ranks: Mapping[str, Mapping[str, Array]], seed: int) -> list[dict[str, Any]]:
    """Test the ranks of every experiment and engine for uniformity, one row per term.

    Parameters
    ----------
    ranks : mapping of str to mapping of str to numpy.ndarray
        Ranks by ``"experiment/engine"``, then by term.
    seed : int
        Seed of the simultaneous bands.
    """
    rows = []
    for title, terms in ranks.items():
        experiment, engine = title.split("/")
        for term in terms_of_experiment(experiment):
            found = uniformity(np.asarray(terms[term], dtype=float), np.random.default_rng(seed))
            rows.append(
                {
                    "likelihood": experiment, "engine": engine, "term": term, "reviews": found.count,
                    "failed": len(terms[term]) - found.count, "chi2": found.chi2, "chi2_pvalue": found.chi2_pvalue,
                    "deviation": found.deviation, "deviation_pvalue": found.deviation_pvalue,
                    "outside_band": found.outside,
                }
            )  # fmt: skip
    return rows
