"""The protocol of a solution, which every engine returns, and what solutions by quadrature have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.terms import Terms
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.support.arrays import Array


class Solution(Protocol):
    """A posterior from an engine, on the model scale.

    All modules above the engines read posteriors through these attributes only; ``terms`` has the names of the coefficients and the
    variance components.
    """

    @property
    def terms(self) -> Terms:
        """Names of the coefficients, the variance components, the effects in a new study and in each study."""

    @property
    def pooled(self) -> tuple[Marginals, ...]:
        """Marginal distributions of all terms but the effects in the studies, which can take longer than all others."""

    @property
    def families(self) -> tuple[Marginals, ...]:
        """Marginal distributions of all terms, by family."""

    @property
    def log_marginal_likelihood(self) -> float | None:
        """Natural log of the marginal likelihood; None where the engine does not compute it."""

    @property
    def error(self) -> float:
        """Estimated relative error of the integrals; NaN for draws."""

    @property
    def sample_stats(self) -> Mapping[str, Array]:
        """Statistics of the sampler, each of shape (chain, draw); empty where nothing was sampled."""

    @property
    def diagnostics(self) -> Mapping[str, Any]:
        """Convergence diagnostics of the sampler; empty where nothing was sampled."""

    @property
    def groups(self) -> Mapping[str, Any]:
        """Groups of arviz' schema (xarray.Dataset) that a user's model defines; empty for the models of this package."""

    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw from the joint posterior: coefficients, scales and effects in a new study of shape (size,), ``theta`` of shape (size, k)."""

    def sample_pooled(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw from the joint posterior, as ``sample``, without the effects in the studies, which take most of its time."""

    def chains(self, chains: int, draws: int, rng: np.random.Generator) -> dict[str, Array]:
        """Return draws of shape (chain, draw, ...): all that were sampled, or ``chains`` times ``draws`` independent ones."""

    def joint_pdf(self, mu: Array, tau: Array) -> Array:
        """Joint posterior density of mu and tau, at arrays that broadcast; raises SpecError where there is none."""


def marginal_of(solution: Solution, term: str) -> Marginals:
    """Return the marginal distribution of one term of a solution.

    Raises
    ------
    SpecError
        If there is no such term; the message suggests the nearest name.
    """
    families = solution.pooled if term in solution.terms.pooled else solution.families
    for family in families:
        if term in family.terms:
            return family.take(term)
    raise unknown_name("term", term, solution.terms.all)


class ComputedSolution(ABC):
    """Base of solutions by quadrature: there are no statistics of a sampler, and draws are independent."""

    sample_stats: Mapping[str, Array] = {}
    diagnostics: Mapping[str, Any] = {}
    groups: Mapping[str, Any] = {}

    @abstractmethod
    def sample(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently from the joint posterior."""

    def sample_pooled(self, size: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently, without the effects in the studies."""
        return {name: value for name, value in self.sample(size, rng).items() if value.ndim == 1}

    def chains(self, chains: int, draws: int, rng: np.random.Generator) -> dict[str, Array]:
        """Draw independently, in chains of equal length."""
        flat = self.sample(chains * draws, rng)
        return {name: value.reshape(chains, draws, *value.shape[1:]) for name, value in flat.items()}

    def joint_pdf(self, mu: Array, tau: Array) -> Array:  # noqa: ARG002
        """Raise an error: there is no joint density of mu and tau.

        Raises
        ------
        SpecError
            Always.
        """
        raise SpecError("only a quadrature fit without point priors has a joint density of mu and tau")
