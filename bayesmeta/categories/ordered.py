"""Outcomes with ordered categories: sampling of the ordered probit and logit models, and what their draws give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bayesmeta.categories.arms import codes_of, graph_of, typical_tau
from bayesmeta.categories.sampled import SampledCategories
from bayesmeta.engines.nuts.ordered_arms import LINKS, ordered_arms
from bayesmeta.errors import DataError
from bayesmeta.networks.contrast_priors import NetworkPriors
from bayesmeta.studies.categories import CategoryTable
from bayesmeta.support.arrays import Array

#: name of the model file
ORDERED = "ordered_categories"


@dataclass(frozen=True, eq=False)
class OrderedEffects:
    """Draws of the effects of T treatments against the reference on the scale of the link, and how they change a baseline.

    Parameters
    ----------
    effects : numpy.ndarray, shape (chain, draw, T)
        Effects; above 0 towards the highest category.
    tau : numpy.ndarray, shape (chain, draw)
        Standard deviation of an effect between trials.
    reference : int
        Which treatment is the reference.
    cutpoints : numpy.ndarray, shape (chain, draw, C - 1)
        Cutpoints, the first being 0.
    link : str
        "probit" or "logit".
    """

    effects: Array
    tau: Array
    reference: int
    cutpoints: Array
    link: str

    def against(self, reference: int) -> OrderedEffects:
        """Return the effects against another treatment."""
        moved = self.effects - self.effects[:, :, [reference]]
        return OrderedEffects(moved, self.tau, reference, self.cutpoints, self.link)

    def in_new_trial(self, seed: int) -> Array:
        """Return draws of the effects in a new trial, shape (chain, draw, T)."""
        noise = np.random.default_rng([seed, 1]).standard_normal(self.effects.shape)
        noise[:, :, self.reference] = 0.0
        return self.effects + self.tau[..., None] * noise

    def at(self, baseline: Array, seed: int | None = None) -> Array:
        """Return the probabilities of the categories under each treatment, (chain, draw, T, 1, C).

        Under the reference they are the baseline, (chain, draw, 1, C); its cuts on the scale of the link are moved by the effects. With a
        seed they are those of a new trial.
        """
        function, inverse = LINKS[self.link]
        effects = self.effects if seed is None else self.in_new_trial(seed)
        shares = np.clip(np.cumsum(baseline[:, :, 0, :-1], axis=-1), 1e-12, 1 - 1e-12)
        below = function(inverse(shares)[:, :, None, :] - effects[..., None])
        edges = [np.zeros((*effects.shape, 1)), below, np.ones((*effects.shape, 1))]
        return np.maximum(np.diff(np.concatenate(edges, axis=-1), axis=-1), 1e-300)[:, :, :, None, :]


def sample_ordered(
    table: CategoryTable, reference: str, priors: NetworkPriors, seed: int, link: str
) -> SampledCategories:
    """Sample the model of ordered categories until it has converged.

    Parameters
    ----------
    table : CategoryTable
        The arms, in order, with the categories from the lowest.
    reference : str
        The reference treatment.
    priors : NetworkPriors
        Priors, on the scale of the link.
    seed : int
        Seed of the sampler.
    link : str
        "probit" or "logit".

    Raises
    ------
    DataError
        If categories that are not neighbours were reported together, the table has categories before treatment, or the treatments are not
        connected.
    ConvergenceError
        If the chains do not converge.
    """
    from bayesmeta.engines.nuts.model_files import load_model
    from bayesmeta.engines.nuts.network_sampling import until_converged

    if table.before:
        raise DataError(
            "there is no model of change between ordered categories",
            source=table.source,
            fix="Leave outcome_order out.",
        )
    for row, label in zip(table.cells, table.labels, strict=True):
        if np.count_nonzero(np.diff(row.astype(int), prepend=0) == 1) > 1:
            raise DataError(
                f"the categories {label} were reported together and are not neighbours in the order given",
                source=table.source,
                fix="Correct outcome_order, or leave it out for the model of categories without order.",
            )
    graph = graph_of(table)
    graph.require_connected(table.source)
    trial, treatment = codes_of(table, graph)
    arms = ordered_arms(
        link, table.categories, graph.treatments, graph.treatments.index(reference), graph.studies, trial, treatment,
        (table.counts, table.arm, table.cells), priors.contrasts.coefficients(len(graph.treatments) - 1), typical_tau(priors),
    )  # fmt: skip
    model = load_model(ORDERED).build(arms, priors.scale)
    # neither a known tau nor the first cutpoint varies
    variables = ["d", "theta", "baseline", "fitted"]
    variables += ["gap"] if len(table.categories) > 2 else []
    variables += ["tau"] if priors.scale.fixed_tau is None else []
    drawn = until_converged(
        model, variables, seed, "the model of ordered categories",
        "A more informative prior for tau or d usually helps.",
    )  # fmt: skip
    posterior = drawn.posterior
    effects = np.insert(posterior["d"].values, arms.reference, 0.0, axis=-1)
    moved = OrderedEffects(effects, posterior["tau"].values, arms.reference, posterior["cutpoints"].values, link)
    return SampledCategories(arms.treatments, moved, posterior["fitted"].values, drawn.diagnostics)
