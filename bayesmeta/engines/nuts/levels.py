"""Parts of PyMC models with several estimates per study, and the solution that their draws make."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.parameter_names import NEW_ESTIMATE
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.normal.three_level_solution import level_terms
from bayesmeta.engines.nuts.blocks import add_coefficients
from bayesmeta.engines.nuts.sampling import NutsSolution
from bayesmeta.engines.terms import AT_MEANS, NEW_STUDY, TAU, TAU2, Terms
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.i_squared import i_squared
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array


def add_levels(priors: Priors, data: ModelData) -> tuple[Any, Any, Any, Array]:
    """Add the coefficients and both levels of heterogeneity to the PyMC model whose ``with`` block is active.

    Parameters
    ----------
    priors : Priors
        Priors for the coefficients (mu without moderators), and for tau (or tau2) and rho or for tau_between and tau_within.
    data : ModelData
        Data of k estimates with a nesting of two levels.

    Returns
    -------
    expected : pymc variable
        mu, or x_i' b of each estimate, shape (k,).
    tau_between, tau_within : pymc variables, scalar
        Standard deviations between studies and within them, model scale. The variables tau and rho are in the model too.
    study : numpy.ndarray of int, shape (k,)
        Number of the study of each estimate, from 0.

    Raises
    ------
    SpecError
        If the data have no nesting of two levels, or estimates share the inner group.
    """
    import pymc as pm

    if data.nesting is None or data.nesting.groups.shape[1] != 2:
        raise SpecError("this model is for estimates in studies; give nesting='study/estimate'")
    study, group = (np.unique(codes, return_inverse=True)[1] for codes in data.nesting.groups.T)
    if group.max() + 1 < len(group):
        raise SpecError(
            f"estimates share a group of '{'/'.join(data.nesting.levels)}', which engine 'nuts' has no model for; use engine='quadrature'"
        )
    expected = add_coefficients(priors, data)
    if priors.between is not None and priors.within is not None:
        between, within = priors.between.to_pymc("tau_between"), priors.within.to_pymc("tau_within")
        square = between**2 + within**2
        pm.Deterministic("tau", pm.math.sqrt(square))
        pm.Deterministic("rho", between**2 / square)
        return expected, between, within, study
    if priors.on_variance:
        tau = pm.Deterministic("tau", pm.math.sqrt(priors.scale.to_pymc("tau2")))
    else:
        tau = priors.scale.to_pymc("tau")
    assert priors.rho is not None
    rho = priors.rho.to_pymc("rho")
    between = pm.Deterministic("tau_between", tau * pm.math.sqrt(rho))
    within = pm.Deterministic("tau_within", tau * pm.math.sqrt(1 - rho))
    return expected, between, within, study


@dataclass(frozen=True)
class LevelsSolution(NutsSolution):
    """Draws of a three-level model."""

    @property
    def terms(self) -> Terms:
        """Names of the terms."""
        return level_terms(self.labels, (MEAN,) if self.design is None else self.design.names)

    @property
    def families(self) -> tuple[Samples]:
        """Marginal distributions of all terms, as samples."""
        draws = self.draws
        tau2, s2 = draws[TAU] ** 2, self.typical_variance
        named = {name: draws[name] for name in (TAU, "rho", "tau_between", "tau_within")}
        named |= {TAU2: tau2, "i2": i_squared(tau2, s2)}
        named |= {f"i2_{level}": 100 * draws[f"tau_{level}"] ** 2 / (tau2 + s2) for level in ("between", "within")}
        named |= {name: draws[name] for name in (*self.terms.coefficients, *self.terms.new)}
        if self.design is not None:
            named[AT_MEANS] = self._coefficients() @ self.design.matrix.mean(axis=0)
        named = {term: named[term] for term in self.terms.pooled}
        named |= {term: draws["theta"][..., i] for i, term in enumerate(self.terms.studies)}
        return (Samples(tuple(named), np.stack(list(named.values()))),)


def levels_solution(solution: NutsSolution, seed: int) -> LevelsSolution:
    """Return the solution of a three-level model, with the effects in a new study where the mean is the one coefficient."""
    draws = {name: value for name, value in solution.draws.items() if name not in ("u", TAU2)}
    found = LevelsSolution(
        draws,
        solution.sample_stats,
        solution.diagnostics,
        solution.typical_variance,
        solution.labels,
        design=solution.design,
    )
    if solution.design is not None or NEW_STUDY in draws:
        return found
    rng = np.random.default_rng([seed, 1])
    new = draws["mu"] + draws["tau_between"] * rng.standard_normal(draws["mu"].shape)
    estimate = new + draws["tau_within"] * rng.standard_normal(new.shape)
    return replace(found, draws={**draws, NEW_STUDY: new, NEW_ESTIMATE: estimate})
