"""The posterior of an arm-level network by NUTS, and what follows from it: contrasts, ranks, residual deviance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.special import xlogy

from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.nuts.network_arms import NetworkArms, contrast_labels
from bayesmeta.engines.nuts.network_sampling import NetworkDraws
from bayesmeta.engines.terms import HETEROGENEITY, TAU, Terms, new_outcome_term, study_term
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.i_squared import i_squared
from bayesmeta.networks.pairs import contrast_pairs, versus
from bayesmeta.networks.ranking import Ranking, rank_probabilities, ranks_of
from bayesmeta.support.arrays import Array


@dataclass(frozen=True, eq=False)
class SampledNetwork:
    """Posterior of an arm-level network as draws that have converged.

    Parameters
    ----------
    arms : NetworkArms
        Arms of the trials.
    drawn : NetworkDraws
        Draws.
    typical_variance : float
        Typical sampling variance of the contrasts, for I2.
    seed : int
        Seed of the deviations of a new study.
    """

    arms: NetworkArms
    drawn: NetworkDraws
    typical_variance: float
    seed: int
    groups: Mapping[str, Any] = field(default_factory=dict)
    log_marginal_likelihood: None = field(default=None, init=False)
    error: float = field(default=float("nan"), init=False)

    @property
    def treatments(self) -> tuple[str, ...]:
        """Names of the treatments."""
        return self.arms.treatments

    @property
    def reference(self) -> int:
        """Position of the reference."""
        return self.arms.reference

    @property
    def sample_stats(self) -> Mapping[str, Array]:
        """Statistics of the sampler, each of shape (chain, draw)."""
        return self.drawn.sample_stats

    @property
    def diagnostics(self) -> Mapping[str, Any]:
        """Convergence diagnostics and settings of the sampler."""
        return self.drawn.diagnostics

    @cached_property
    def terms(self) -> Terms:
        """Names of the terms."""
        names = tuple(versus(self.treatments[i], self.treatments[j]) for i, j in self._pairs)
        basic = len(self.treatments) - 1
        studies = tuple(map(study_term, contrast_labels(self.arms)))
        new = tuple(map(new_outcome_term, names))
        return Terms(names[:basic], (TAU,), HETEROGENEITY, new, studies, combined=names[basic:])

    @property
    def _pairs(self) -> list[tuple[int, int]]:
        return contrast_pairs(len(self.treatments), self.reference)

    @cached_property
    def effects(self) -> Array:
        """Draws of the contrasts of all treatments with the reference, shape (chain, draw, T)."""
        return np.insert(self.drawn.draws["d"], self.reference, 0.0, axis=-1)

    @cached_property
    def new_effects(self) -> Array:
        """Draws of the same contrasts in a new study with all treatments, shape (chain, draw, T)."""
        noise = np.random.default_rng([self.seed, 1]).standard_normal(self.effects.shape)
        return self.effects + self.drawn.draws["tau"][..., None] * np.sqrt(0.5) * noise

    def contrasts(
        self, pairs: Sequence[tuple[int, int]], names: tuple[str, ...], *, new_study: bool = False
    ) -> Samples:
        """Return the marginal distributions of contrasts of treatments, the first of each pair against the second."""
        first, second = np.array(pairs).T
        effects = self.new_effects if new_study else self.effects
        return Samples(names, np.moveaxis(effects[..., first] - effects[..., second], -1, 0))

    @cached_property
    def pooled(self) -> tuple[Samples, ...]:
        """Marginal distributions of all terms but the effects in the studies."""
        tau2 = self.drawn.draws["tau"] ** 2
        scales = (self.drawn.draws["tau"], tau2, i_squared(tau2, self.typical_variance))
        names = (*self.terms.coefficients, *self.terms.combined)
        return (
            Samples(HETEROGENEITY, np.stack(scales)),
            self.contrasts(self._pairs, names),
            self.contrasts(self._pairs, self.terms.new, new_study=True),
        )

    @cached_property
    def families(self) -> tuple[Samples, ...]:
        """Marginal distributions of all terms, by family."""
        return (*self.pooled, Samples(self.terms.studies, np.moveaxis(self.drawn.draws["theta"], -1, 0)))

    def ranking(self, sign: float, seed: int) -> Ranking:  # noqa: ARG002
        """Rank the treatments in each draw; ``sign`` is 1 where higher effects are better, -1 where lower ones are."""
        flat = self.effects.reshape(-1, len(self.treatments))
        better = 0.5 * np.eye(len(self.treatments))
        for i in range(len(self.treatments)):
            for j in range(i):
                better[i, j] = float((sign * (flat[:, i] - flat[:, j]) > 0).mean())
                better[j, i] = 1 - better[i, j]
        # dependent draws count for as many independent ones as the worst term has
        size = int(min(self.diagnostics["ess_bulk"], self.diagnostics["ess_tail"], len(flat)))
        return Ranking(self.treatments, better, rank_probabilities(ranks_of(flat, sign)), size)

    @cached_property
    def deviances(self) -> tuple[Array, Array]:
        """Posterior mean of the residual deviance, and leverage, of each arm; both of shape (n,).

        The leverage is the mean deviance less that at the posterior mean of the arm's fitted value: NICE DSU Technical Support Document 2.
        """
        fitted = self.drawn.draws["fitted"]
        average = residual_deviance(self.arms, fitted).mean(axis=(0, 1))
        return average, average - residual_deviance(self.arms, fitted.mean(axis=(0, 1)))

    @property
    def residual_deviance(self) -> float:
        """Posterior mean of the residual deviance; a model that fits has about one per arm."""
        return float(self.deviances[0].sum())

    @property
    def effective_parameters(self) -> float:
        """Effective number of parameters pD: the mean residual deviance less that at the posterior means of the arms' fitted values.

        WinBUGS has the deviance at the posterior means of the logits in place of the risks: on the 50 arms of the smoking cessation trials
        of Technical Support Document 4 its pD is 45.0, this one 43.9.
        """
        return float(self.deviances[1].sum())

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Return draws taken at random from the chains, with replacement: contrasts with the reference and tau, theta of the studies."""
        chains, draws = self.drawn.draws["tau"].shape
        place = rng.integers(chains * draws, size=size)
        values = {
            name: value.reshape(chains * draws, *value.shape[2:])[place] for name, value in self.drawn.draws.items()
        }
        named = dict(zip(self.terms.coefficients, values["d"].T, strict=True))
        return {**named, "tau": values["tau"], "theta": values["theta"]}

    def sample_pooled(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Return draws as ``sample``, without the effects in the studies."""
        return {name: value for name, value in self.sample(size, rng).items() if value.ndim == 1}

    def chains(self, chains: int, draws: int, rng: np.random.Generator) -> dict[str, Array]:  # noqa: ARG002
        """Return the chains as they were sampled; the arguments are not used."""
        named = dict(zip(self.terms.coefficients, np.moveaxis(self.drawn.draws["d"], -1, 0), strict=True))
        return {**named, "tau": self.drawn.draws["tau"], "theta": self.drawn.draws["theta"]}

    def joint_pdf(self, mu: Array, tau: Array) -> Array:  # noqa: ARG002
        """Raise an error: a network has no mu.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError("a network has no joint density of mu and tau")


def residual_deviance(arms: NetworkArms, fitted: Array) -> Array:
    """Return the residual deviance of each arm at fitted risks, means or expected events, shape (..., n)."""
    columns = arms.columns
    if arms.likelihood == "normal arms":
        found: Array = ((columns["mean"] - fitted) / columns["se"]) ** 2
        return found
    events = columns["events"]
    if arms.likelihood == "poisson arms":
        return np.asarray(2 * (xlogy(events, events / fitted) - (events - fitted)))
    n = columns["n"]
    inside = np.clip(fitted, 1e-300, 1 - 2.0**-53)
    with_event = xlogy(events, events / (n * inside))
    return np.asarray(2 * (with_event + xlogy(n - events, (n - events) / (n * (1 - inside)))))
