"""Choice of the quadrature solver and of the model file for a likelihood and an effect measure."""

from __future__ import annotations

from bayesmeta.engines.arm_level.solution import ArmSolution
from bayesmeta.engines.arm_level.solve import solve_arm
from bayesmeta.engines.normal.fixed import PointSolution, has_point, solve_point
from bayesmeta.engines.normal.solve import QuadratureSolution, solve_normal
from bayesmeta.model.likelihoods.registry import ModelData
from bayesmeta.model.priors.priors import Priors

#: the model file that says what quadrature computes; ``models.default_model`` finds the same, but has to import PyMC
MODELS = {
    ("binomial", "RR"): "binary_rr",
    ("binomial", "OR"): "binary_or",
    ("poisson", "IRR"): "rate_irr",
    ("nct", "SMD"): "continuous_smd",
}


def solve_exactly(data: ModelData, priors: Priors) -> QuadratureSolution | PointSolution | ArmSolution:
    """Compute a posterior by quadrature, by the quickest way that treats it."""
    if data.likelihood == "normal" and priors.mu.family in ("Normal", "Flat", "Point"):
        solve_closed = solve_point if has_point(priors) else solve_normal
        return solve_closed(data.columns["effect"], data.columns["se"] ** 2, priors, data.labels)
    return solve_arm(data, priors)
