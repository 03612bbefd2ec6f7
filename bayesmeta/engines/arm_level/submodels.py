"""Submodels of an arm-level model with one or two coefficients: some coefficients are 0, and so is tau, or they have their priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.effects.design import Design, mean_only
from bayesmeta.engines.arm_level.solve import solve_arm
from bayesmeta.engines.arm_level.solve_two import solve_two_coefficients
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.normal.submodels import RHO, Submodel
from bayesmeta.engines.solution import marginal_of
from bayesmeta.engines.terms import TAU
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.coefficients import CombinationPriors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors


@dataclass(frozen=True, eq=False)
class ArmFullModel:
    """An arm-level model from which submodels are made, in coefficients that have independent priors.

    Parameters
    ----------
    data : ModelData
        Data of k studies.
    design : Design
        Design matrix, shape (k, p), p at most 2, of the coefficients that have the priors.
    coefficient_priors : tuple of Prior
        Prior for each coefficient.
    priors : Priors
        Priors, of which those for tau and for the baseline are used.
    """

    data: ModelData
    design: Design
    coefficient_priors: tuple[Prior, ...]
    priors: Priors

    @property
    def scale_priors(self) -> Priors:
        """Priors for tau."""
        return self.priors

    def proper(self, column: int) -> bool:
        """Whether the prior for a coefficient is proper and spreads."""
        prior = self.coefficient_priors[column]
        return prior.proper and prior.point is None

    def submodel(self, kept: Sequence[int], *, heterogeneity: bool, dependence: bool = False) -> Submodel:
        """Compute evidence and posterior of a submodel.

        Parameters
        ----------
        kept : sequence of int
            Columns whose coefficients are not 0, in increasing order.
        heterogeneity : bool
            Whether tau has its prior; else it is 0.
        dependence : bool
            Never true: these studies have one estimate each.

        Raises
        ------
        ConvergenceError
            If an integral does not reach its accuracy.
        """
        assert not dependence
        scale = self.priors.scale if heterogeneity else Prior("Point", (0.0,))
        priors = replace(self.priors, scale=scale, coefficients=())
        coefficients: list[Marginals] = [PointMasses((name,), np.zeros(1)) for name in self.design.names]
        if len(kept):
            names = tuple(f"coefficient {column}" for column in kept)
            data = replace(self.data, design=Design(self.design.matrix[:, list(kept)], names))
            chosen = CombinationPriors(np.eye(len(kept)), tuple(self.coefficient_priors[column] for column in kept))
            found = solve_two_coefficients(data, priors, chosen)
            for column, name in zip(kept, names, strict=True):
                coefficients[column] = marginal_of(found, name)
            total, error = found.log_marginal_likelihood, found.error
            tau = marginal_of(found, TAU)
        else:
            nothing = replace(priors, mu=Prior("Point", (0.0,)))
            bare = solve_arm(replace(self.data, design=mean_only(self.data.k)), nothing)
            total, error, tau = bare.log_marginal_likelihood, bare.error, marginal_of(bare, TAU)
        return Submodel(float(total), tuple(coefficients), tau, PointMasses((RHO,), np.zeros(1)), float(error))
