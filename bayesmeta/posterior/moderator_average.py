"""The average over models that leave out terms of a formula: evidence for each term, and averaged coefficients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.engines.arm_level.submodels import ArmFullModel
from bayesmeta.engines.marginals.averaged import Averaged
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.normal.submodels import RHO, FullModel, Submodel
from bayesmeta.engines.terms import TAU
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.posterior.log_evidence import bayes_factor, log_weighted_sum
from bayesmeta.posterior.moderator_models import DEPENDENCE, EFFECT, VARIES, Component, models_of
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed, counted

if TYPE_CHECKING:
    import pandas as pd

#: components of a mixture with less probability are left out
_NEGLIGIBLE = 1e-16


@dataclass(frozen=True, repr=False)
class ModeratorAverage(Displayed):
    """The models {effect} x {heterogeneity} x subsets of terms, the evidence for each part, and the averaged coefficients.

    Everything is on the model scale (log for ratios).

    Parameters
    ----------
    components : tuple of Component
        The C parts that a model may leave out: "effect", "heterogeneity", each term of the formula, and "dependence" where estimates are
        nested in studies.
    coefficients : tuple of str
        Names of the p coefficients: the effect that is 0 without "effect" (``effect_at_means`` or ``Intercept``), then those of the terms.
    included : numpy.ndarray of bool, shape (M, C)
        Parts of each of the M models.
    prior_probabilities, log_marginal_likelihoods : numpy.ndarray, shape (M,)
        Prior probabilities of the models (they sum to one) and natural logs of p(D | model).
    fits : tuple of Submodel
        Posterior under each model.
    """

    components: tuple[Component, ...]
    coefficients: tuple[str, ...]
    included: Array
    prior_probabilities: Array
    log_marginal_likelihoods: Array
    fits: tuple[Submodel, ...]

    def _line(self) -> str:
        parts = [f"BF {name} {bayes_factor(self.log_bf(name)):.3g}" for name in self.names]
        return f"{', '.join(parts)}; {counted(len(self.included), 'model')}"

    def _table(self) -> pd.DataFrame:
        return self.evidence

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the components."""
        return tuple(component.name for component in self.components)

    @property
    def log_marginal_likelihood(self) -> float:
        """Natural log of p(D), averaged over the models."""
        return log_weighted_sum(self.log_marginal_likelihoods, self.prior_probabilities)

    @cached_property
    def posterior_probabilities(self) -> Array:
        """Posterior probabilities of the models, shape (M,)."""
        return self.prior_probabilities * np.exp(self.log_marginal_likelihoods - self.log_marginal_likelihood)

    def log_bf(self, name: str) -> float:
        """Return the natural log of the inclusion Bayes factor of a component: its posterior odds over its prior odds.

        That of dependence compares models with heterogeneity only: three levels with two.

        Parameters
        ----------
        name : str
            "effect", "heterogeneity", a term or "dependence".

        Returns
        -------
        float
            NaN where all models have it, or none.

        Raises
        ------
        SpecError
            For an unknown name.
        """
        inside = self._inside(name)
        sides = []
        outside = ~inside & self._inside(VARIES) if name == DEPENDENCE else ~inside
        for chosen in (inside, outside):
            if not chosen.any():
                return float("nan")
            prior = self.prior_probabilities[chosen]
            sides.append(log_weighted_sum(self.log_marginal_likelihoods[chosen], prior / prior.sum()))
        return sides[0] - sides[1]

    @property
    def _scales(self) -> dict[str, str]:
        """The scales and the components that they belong to."""
        return {TAU: VARIES} | ({RHO: DEPENDENCE} if DEPENDENCE in self.names else {})

    def _inside(self, name: str) -> Array:
        if name not in self.names:
            raise unknown_name("part of the model", name, self.names)
        return self.included[:, self.names.index(name)]

    def marginal(self, term: str) -> Averaged:
        """Return the averaged marginal distribution of a coefficient, tau or rho, with a point mass at 0 for the models without it.

        Raises
        ------
        SpecError
            For an unknown term.
        """
        probabilities = self.posterior_probabilities / self.posterior_probabilities.sum()
        if term in self._scales:
            parts: Sequence[Any] = [fit.tau if term == TAU else fit.rho for fit in self.fits]
        elif term in self.coefficients:
            i = self.coefficients.index(term)
            parts, probabilities = _merged(term, [fit.coefficients[i] for fit in self.fits], probabilities)
        else:
            raise unknown_name("term", term, (*self.coefficients, *self._scales))
        return Averaged((term,), np.asarray(probabilities), (tuple(parts),))

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row per model: whether it has each component; log_marginal_likelihood, prior_prob, posterior_prob."""
        import pandas as pd

        frame = pd.DataFrame(self.included, columns=list(self.names))
        frame["log_marginal_likelihood"] = self.log_marginal_likelihoods
        frame["prior_prob"] = self.prior_probabilities
        frame["posterior_prob"] = self.posterior_probabilities
        return frame.rename_axis("model")

    @cached_property
    def averaged(self) -> pd.DataFrame:
        """Averaged coefficients and scales, with the mass at 0: index term; columns prob_inclusion, mean, sd, median, ci_low, ci_high."""
        import pandas as pd

        rows = {}
        owners = {self.coefficients[i]: one.name for one in self.components for i in one.columns}
        for term, owner in (owners | self._scales).items():
            marginal = self.marginal(term)
            low, middle, high = marginal.quantile(np.array([[0.025], [0.5], [0.975]]))[:, 0]
            rows[term] = {
                "prob_inclusion": self._probability(owner),
                "mean": marginal.mean()[0], "sd": marginal.sd()[0], "median": middle, "ci_low": low, "ci_high": high,
            }  # fmt: skip
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("term")

    def _probability(self, name: str) -> float:
        return float(self.posterior_probabilities[self._inside(name)].sum())

    @cached_property
    def evidence(self) -> pd.DataFrame:
        """The frame that ``moderator_evidence`` returns."""
        import pandas as pd

        rows = {}
        for component in self.components:
            log_bf = self.log_bf(component.name)
            terms = [self.coefficients[i] for i in component.columns]
            terms = terms or [term for term, owner in self._scales.items() if owner == component.name]
            summary = self.averaged.loc[terms[0]].to_dict() if len(terms) == 1 else {}
            summary.pop("prob_inclusion", None)
            rows[component.name] = {
                "bf_inclusion": bayes_factor(log_bf),
                "prob_inclusion": self._probability(component.name),
                **{name: summary.get(name, np.nan) for name in ("mean", "sd", "median", "ci_low", "ci_high")},
                "prior_prob": float(self.prior_probabilities[self._inside(component.name)].sum()),
                "log_bf_inclusion": log_bf,
            }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("term")


def _merged(
    name: str, parts: Sequence[Marginals], probabilities: Array
) -> tuple[Sequence[Marginals], Sequence[float] | Array]:
    """Return the distribution of a coefficient over all models with their probabilities, mixtures of normals as one and one point mass."""
    if not all(isinstance(part, NormalMixtures | PointMasses) for part in parts):
        return parts, probabilities
    smooth = [
        (part, p) for part, p in zip(parts, probabilities, strict=True) if isinstance(part, NormalMixtures) and p > 0
    ]
    if not smooth:
        return [PointMasses((name,), np.zeros(1))], [1.0]
    weights = np.concatenate([part.weights * p for part, p in smooth])
    kept = weights > _NEGLIGIBLE
    total = weights[kept].sum()
    means = np.concatenate([part.means[0] for part, _ in smooth])[kept]
    sds = np.concatenate([part.sds[0] for part, _ in smooth])[kept]
    moments = min((part.finite_moments or (4,))[0] for part, _ in smooth)
    mixture = NormalMixtures((name,), weights[kept] / total, means[None], sds[None], (moments,))
    without = sum(p for part, p in zip(parts, probabilities, strict=True) if isinstance(part, PointMasses))
    if without == 0:
        return [mixture], [1.0]
    return [PointMasses((name,), np.zeros(1)), mixture], [1.0 - total / (total + without), total / (total + without)]


def average_models(
    full: FullModel | ArmFullModel, components: tuple[Component, ...], probabilities: Mapping[str, float] | None = None
) -> ModeratorAverage:
    """Compute the evidence of every model that leaves out some components, and average them.

    Parameters
    ----------
    full : FullModel
        The full model, with p coefficients; that of "effect" is the effect at the means of the moderators, or the intercept.
    components : tuple of Component
        Parts that a model may leave out, which have the p columns among them.
    probabilities : mapping of str to float, optional
        As in ``moderator_evidence``.

    Raises
    ------
    SpecError
        If a coefficient that some models leave out has an improper prior, or the prior for tau is a point and some models leave out
        heterogeneity.
    """
    included, prior = models_of(components, probabilities)
    for component, inside in zip(components, included.T, strict=True):
        if not inside.all() and inside.any():
            _require_proper(component, full)
    fits = []
    for flags in included:
        here = [one for one, flag in zip(components, flags, strict=True) if flag]
        names = {one.name for one in here}
        columns = sorted(i for one in here for i in one.columns)
        fits.append(full.submodel(columns, heterogeneity=VARIES in names, dependence=DEPENDENCE in names))
    evidence = np.array([fit.log_marginal_likelihood for fit in fits])
    return ModeratorAverage(components, full.design.names, included, prior, evidence, tuple(fits))


def _require_proper(component: Component, full: FullModel | ArmFullModel) -> None:
    """Refuse a component that some models leave out, but whose prior is improper or fixes it.

    Raises
    ------
    SpecError
    """
    scale = full.scale_priors.scale
    if component.name == VARIES and scale.point is not None:
        raise SpecError(
            f"tau is fixed by {scale}, so there is nothing to compare; give tau a prior that spreads, such as HalfNormal(0.5)"
        )
    for column in component.columns:
        if not full.proper(column):
            name = full.design.names[column]
            given = "Intercept" if component.name == EFFECT else name
            raise SpecError(
                f"the coefficient '{name}' has a flat prior, under which the Bayes factor for '{component.name}' is undefined: its "
                f"constant is arbitrary; give it a proper one, as in priors={{'{given}': 'Normal(0, 1)'}}, or keep it in every model with "
                f"prior_probabilities={{'{component.name}': 1}}"
            )
