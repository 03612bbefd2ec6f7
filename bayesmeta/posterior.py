"""A fitted model as a value: its marginal distributions, its draws as an arviz DataTree, and the same on disk."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.likelihoods import LIKELIHOODS, ModelData
from bayesmeta.mixtures import NormalMixtures, TauFunctions
from bayesmeta.priors import Priors, parse_priors
from bayesmeta.quadrature import QuadratureSolution, solve_normal

if TYPE_CHECKING:
    import xarray as xr

    from bayesmeta.nuts import NutsSolution
    from bayesmeta.samples import Samples

Array = np.ndarray
FORMAT = 1


@dataclass(frozen=True)
class Posterior:
    """The posterior of one analysis.

    Parameters
    ----------
    data : ModelData
        What was fitted.
    priors : Priors
        Of mu and tau, on the model scale.
    engine : str
        ``"quadrature"`` or ``"nuts"``.
    model : str
        The model file's name.
    solution : QuadratureSolution or NutsSolution
        What the engine found.
    seed : int
        Of the sampler, and of every draw made from this posterior.
    provenance : mapping
        Versions of the packages that made it.
    """

    data: ModelData
    priors: Priors
    engine: str
    model: str
    solution: QuadratureSolution | NutsSolution
    seed: int
    provenance: Mapping[str, str] = field(default_factory=dict)

    @property
    def measure(self) -> str:
        """The effect measure."""
        return self.data.measure

    @property
    def likelihood(self) -> str:
        """The likelihood's name."""
        return self.data.likelihood

    @property
    def method(self) -> str:
        """The name of this fit in tidy tables."""
        return f"bayes:{self.likelihood}:{self.engine}"

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms it knows: mu, tau, tau2, i2, theta_new and theta[study] for each study."""
        studies = tuple(f"theta[{label}]" for label in self.data.labels)
        return ("mu", "tau", "tau2", "i2", "theta_new", *studies)

    def marginal(self, term: str) -> TauFunctions | NormalMixtures | Samples:
        """Return the marginal distribution of one term.

        Raises
        ------
        SpecError
            If there is no such term.
        """
        for family in self.solution.families:
            if term in family.terms:
                return family.take(term)
        raise unknown_name("term", term, self.terms)

    def quantile(self, term: str, p: float | Array) -> Any:
        """Quantile of a term at probability ``p`` (a number or an array), on the model scale."""
        points = np.asarray(p, dtype=float)
        if not ((points >= 0) & (points <= 1)).all():
            raise SpecError(f"a probability must be in [0, 1] but got {p}")
        found = self.marginal(term).quantile(points[..., None])[..., 0]
        return float(found) if points.ndim == 0 else found

    def cdf(self, term: str, x: float | Array) -> Any:
        """Posterior probability that a term is at or below ``x`` (a number or an array), on the model scale."""
        points = np.asarray(x, dtype=float)
        found = self.marginal(term).cdf(points[..., None])[..., 0]
        return float(found) if points.ndim == 0 else found

    def pdf(self, term: str, x: float | Array) -> Any:
        """Posterior density of a term at ``x`` (a number or an array), on the model scale."""
        points = np.asarray(x, dtype=float)
        found = self.marginal(term).pdf(points.reshape(-1, 1)).reshape(points.shape)
        return float(found) if points.ndim == 0 else found

    def hdi(self, term: str, mass: float = 0.95) -> tuple[float, float]:
        """Shortest interval holding ``mass``, on the model scale."""
        low, high = self.marginal(term).hdi(mass)
        return float(low[0]), float(high[0])

    @property
    def log_marginal_likelihood(self) -> float:
        """Natural log of the marginal likelihood.

        Raises
        ------
        SpecError
            For draws, which do not give it.
        """
        value = self.solution.log_marginal_likelihood
        if value is None:
            raise SpecError("NUTS draws give no marginal likelihood; fit with engine='quadrature'")
        return value

    @cached_property
    def draws(self) -> xr.DataTree:
        """The draws in arviz' schema, with coordinates named by study.

        Groups: posterior, prior, posterior_predictive, log_likelihood, observed_data, constant_data and, from NUTS, sample_stats.
        Quadrature gives independent draws (four chains of 1000, for arviz' sake).
        """
        from bayesmeta.draws import build_tree

        return build_tree(self)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the draws with everything needed to load this posterior again, as netCDF; atomic.

        Returns
        -------
        pathlib.Path
        """
        from bayesmeta.draws import write_tree

        return write_tree(self.draws, Path(path))


@cache
def versions() -> dict[str, str]:
    """Return the versions of Python and of the packages a result depends on."""
    names = ("bayesmeta", "numpy", "scipy", "pandas", "xarray", "pymc", "pytensor", "nutpie", "arviz")
    found = {"python": platform.python_version()}
    for name in names:
        try:
            found[name] = version(name)
        except ImportError:
            found[name] = "not installed"
    return found


def specification(posterior: Posterior) -> dict[str, Any]:
    """Return what was asked for, as plain values that survive JSON."""
    return {
        "format": FORMAT,
        "measure": posterior.measure,
        "likelihood": posterior.likelihood,
        "engine": posterior.engine,
        "model": posterior.model,
        "priors": {name: str(text).split(" = ")[-1] for name, text in posterior.priors.to_dict().items()},
        "priors_as_written": posterior.priors.to_dict(),
        "seed": posterior.seed,
        "n": None if np.isnan(posterior.data.n) else posterior.data.n,
        "provenance": dict(posterior.provenance),
    }


def load_posterior(path: str | os.PathLike[str]) -> Posterior:
    """Load a posterior that ``Posterior.save`` wrote.

    Raises
    ------
    DataError
        If the file is not there or is not one.
    """
    from bayesmeta.draws import read_tree

    tree = read_tree(Path(path))
    if "bayesmeta" not in tree.attrs:
        raise DataError(
            "this file holds no bayesmeta posterior", source=str(path), fix="load one that Posterior.save wrote"
        )
    spec = json.loads(tree.attrs["bayesmeta"])
    if spec["likelihood"] not in LIKELIHOODS:
        raise DataError(f"unknown likelihood '{spec['likelihood']}'", source=str(path), fix="update bayesmeta")
    constant = {str(name): tree["constant_data"][name].values for name in tree["constant_data"].data_vars}
    observed = {str(name): tree["observed_data"][name].values for name in tree["observed_data"].data_vars}
    guide = {name: constant.pop(name) for name in ("guide_effect", "guide_variance", "typical_variance_of")}
    data = ModelData(
        measure=spec["measure"],
        likelihood=spec["likelihood"],
        labels=tuple(str(label) for label in tree["constant_data"]["study"].values),
        columns={**constant, **observed},
        n=float("nan") if spec["n"] is None else spec["n"],
        included=np.ones(len(guide["guide_effect"])),
        **guide,
    )
    default = parse_priors(spec["priors"], Priors(*map(_placeholder, ("mu", "tau"))))
    solution = _solution(tree, spec, data, default)
    posterior = Posterior(data, default, spec["engine"], spec["model"], solution, spec["seed"], spec["provenance"])
    posterior.__dict__["draws"] = tree
    return posterior


def _placeholder(name: str) -> Any:
    from bayesmeta.distributions import Prior

    return Prior("Normal", (0.0, 1.0)) if name == "mu" else Prior("HalfNormal", (1.0,))


def _solution(tree: Any, spec: Mapping[str, Any], data: ModelData, priors: Priors) -> QuadratureSolution | NutsSolution:
    """Solve again where that takes milliseconds; otherwise take the stored draws."""
    if spec["engine"] == "quadrature":
        return solve_normal(data.columns["effect"], data.columns["se"] ** 2, priors, data.labels)
    from bayesmeta.nuts import NutsSolution
    from bayesmeta.quadrature import typical_variance

    return NutsSolution(
        draws={str(name): tree["posterior"][name].values for name in tree["posterior"].data_vars},
        sample_stats={str(name): tree["sample_stats"][name].values for name in tree["sample_stats"].data_vars},
        diagnostics=json.loads(tree.attrs["diagnostics"]),
        typical_variance=typical_variance(data.typical_variance_of),
        labels=data.labels,
    )
