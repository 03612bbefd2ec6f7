"""Priors for the contrasts of a network: the same for every contrast, or independent for the contrasts with the reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.parameter_names import CONTRASTS, INCONSISTENCY
from bayesmeta.engines.normal.model import CoefficientPrior
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior, parse_priors
from bayesmeta.model.priors.priors import Priors
from bayesmeta.support.arrays import Array

#: the word that makes the priors of the contrasts independent
INDEPENDENT = "independent"

#: standard deviation of the default prior for an inconsistency factor, on log ratios and SMD
FACTOR_SD = 0.5


@dataclass(frozen=True)
class ContrastPrior:
    """Prior for the contrasts of a network.

    Parameters
    ----------
    prior : Prior
        Normal or Flat, on the model scale: of every contrast of two treatments, or of each contrast with the reference.
    independent : bool
        Whether the contrasts with the reference are independent; else every contrast has the prior, and two contrasts with a treatment in
        common have correlation 1/2, whatever the reference.

    Raises
    ------
    SpecError
        For another family, and for a prior of every contrast whose mean is not 0: A against B and B against A cannot both have it.
    """

    prior: Prior
    independent: bool = False

    def __post_init__(self) -> None:
        if self.prior.family not in ("Normal", "Flat"):
            raise SpecError(
                f"the prior for {CONTRASTS} of a network must be Normal or Flat but is {self.prior}; try Normal(0, 2)"
            )
        if not self.independent and self.prior.family == "Normal" and self.prior.args[0] != 0.0:
            raise SpecError(
                f"the prior {self.prior} cannot be that of every contrast: its mean must be 0, as A against B is minus B against A; give "
                f'"{INDEPENDENT} {self.prior}" for the contrasts with the reference'
            )

    def __str__(self) -> str:
        return f"{INDEPENDENT} {self.prior}" if self.independent else str(self.prior)

    def coefficients(self, size: int) -> CoefficientPrior:
        """Return the joint prior of the ``size`` contrasts with the reference.

        With standard deviation s of every contrast their covariance is s^2 / 2 (I + 11'), whose inverse is 2 / s^2 (I - 11' / (size + 1)).
        """
        if self.prior.family == "Flat":
            return CoefficientPrior(np.zeros(size), np.zeros((size, size)))
        mean, sd = self.prior.args
        if self.independent:
            return CoefficientPrior(np.full(size, mean), np.eye(size) / sd**2)
        return CoefficientPrior(np.zeros(size), 2.0 / sd**2 * (np.eye(size) - 1.0 / (size + 1)))

    def components(self, size: int) -> CoefficientPrior:
        """Return the joint prior of the effects of ``size`` components: that of a contrast for each, independently."""
        return replace(self, independent=True).coefficients(size)


@dataclass(frozen=True)
class NetworkPriors:
    """Priors of a network.

    Parameters
    ----------
    contrasts : ContrastPrior
        Prior for the contrasts.
    scale : Priors
        Prior for tau or tau2.
    factor : Prior
        Prior for an inconsistency factor, the difference of direct and indirect evidence.
    factor_scale : float
        Standard deviation of its default, and of the default prior for a moderator's coefficient per standard deviation of the moderator.
    """

    contrasts: ContrastPrior
    scale: Priors
    factor: Prior
    factor_scale: float

    def to_dict(self) -> dict[str, str]:
        """Return the priors as text by parameter, as ``priors=`` of ``network`` reads them."""
        texts = self.scale.to_dict()
        texts.pop("mu")
        return {CONTRASTS: str(self.contrasts)} | texts | {INCONSISTENCY: str(self.factor)}


def network_priors(given: Mapping[str, str | Prior] | None, measure: str, scale: Prior | None = None) -> NetworkPriors:
    """Read the priors of a network, and take the default for each one left out.

    By default every contrast has the prior that mu has in a pairwise meta-analysis of the measure.

    Parameters
    ----------
    given : mapping of str to str or Prior, optional
        Priors by parameter: "d", such as "Normal(0, 2)" or "independent Normal(0, 100)"; "tau" or "tau2"; "inconsistency", Normal with mean
        0; "baseline" for arm-level likelihoods.
    measure : str
        Effect measure.
    scale : Prior, optional
        Default prior for tau, of measures without a natural scale; see ``default_scale``.

    Raises
    ------
    SpecError
        For an unknown parameter or prior, or one that a network cannot have.
    """
    if given is not None and not isinstance(given, Mapping):
        raise SpecError(
            f'priors of a network are given by parameter, like {{"{CONTRASTS}": "Normal(0, 2)"}}, but got {given!r}'
        )
    others = dict(given or {})
    if "mu" in others:
        raise SpecError(f"a network has no mu; give the prior for its contrasts as '{CONTRASTS}'")
    written, factor = others.pop(CONTRASTS, None), others.pop(INCONSISTENCY, None)
    default = Priors(Prior("Flat", ()), scale) if scale is not None else default_priors(measure)
    priors = parse_priors(others, default, measure)
    contrasts = ContrastPrior(default.mu) if written is None else parse_contrast_prior(written)
    spread = FACTOR_SD if scale is None else scale.args[0]
    inconsistency = Prior("Normal", (0.0, spread)) if factor is None else parse_prior(factor)
    if inconsistency.family != "Normal" or inconsistency.args[0] != 0.0:
        raise SpecError(
            f"the prior for {INCONSISTENCY} must be Normal with mean 0 but is {inconsistency}; try Normal(0, {FACTOR_SD})"
        )
    return NetworkPriors(contrasts, replace(priors, mu=contrasts.prior), inconsistency, spread)


def parse_contrast_prior(written: str | Prior) -> ContrastPrior:
    """Read the prior for the contrasts: a prior, or "independent" and a prior.

    Raises
    ------
    SpecError
        As ``parse_prior`` and ``ContrastPrior``.
    """
    if isinstance(written, Prior):
        return ContrastPrior(written)
    first, _, rest = str(written).strip().partition(" ")
    if first.lower() == INDEPENDENT:
        return ContrastPrior(parse_prior(rest.strip()), independent=True)
    return ContrastPrior(parse_prior(written))


def default_scale(
    measure: str, effects: Sequence[Array], variances: Sequence[Array], comparisons: Sequence[Any], n: float
) -> Prior | None:
    """Return the default prior for tau of a measure without a natural scale; None for the others, which ``default_priors`` has.

    It is that of ``default_priors`` for two treatments. With more, the spread of the effects is that within comparisons, and nothing in it
    depends on which treatment of a comparison comes first.

    Parameters
    ----------
    measure : str
        Effect measure.
    effects, variances : sequence of numpy.ndarray
        Effects of all pairs of arms of each study, and their variances.
    comparisons : sequence of sequence of (int, int)
        The two treatments of each pair, the lower first, with the sign of its effect accordingly.
    n : float
        Number of participants; NaN where it is not known.
    """
    if MEASURES[measure].prior_sds is not None:
        return None
    flat, inverse = np.concatenate(effects), [float(np.mean(1.0 / variance)) for variance in variances]
    groups: dict[Any, list[float]] = {}
    for values, pairs in zip(effects, comparisons, strict=True):
        for value, pair in zip(values, pairs, strict=True):
            groups.setdefault(pair, []).append(float(value))
    within = sum(len(values) * float(np.var(values)) for values in groups.values()) / len(flat)
    unit = float(np.sqrt(n / sum(inverse))) if np.isfinite(n) else None
    error = 0.25 * unit if unit is not None else float(np.sqrt(np.median(np.concatenate(variances))))
    sd = max(float(np.sqrt(within)), 0.1 * float(np.sqrt(np.mean(flat**2))), error)
    # three significant digits: the prior is printed, and what is printed is what was used
    return Prior("HalfNormal", (float(f"{sd:.3g}"),))
