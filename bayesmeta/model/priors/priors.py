"""The priors of a two-level model as one value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.baseline import check_baseline_family
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed


@dataclass(frozen=True, repr=False)
class Priors(Displayed):
    """The priors of a two-level model: theta_i ~ Normal(mu, tau^2) for the effects theta_i of the studies.

    Parameters
    ----------
    mu : Prior
        Prior for the mean effect mu, on the model scale (log for ratios).
    scale : Prior
        Prior for the between-study standard deviation tau (model scale), or for its square.
    on_variance : bool
        Whether ``scale`` is the prior for tau2 rather than for tau.
    baseline : Prior, optional
        Prior for each study's baseline, for arm-level likelihoods that have one: on the logit of a risk (log of a rate), or Beta on the
        risk. None: ``DEFAULT_BASELINE``, Normal(0, 10). See ``baseline_log_density``.
    others : tuple of (str, Prior)
        Priors that the user gives for other parameters of a model file, by their names (``bayesmeta.modeling.add_priors``).
    coefficients : tuple of (str, Prior)
        Priors for single coefficients of a model with moderators, by their names.
    rho : Prior, optional
        With several estimates per study: prior for the share of tau^2 that is between studies, or for the correlation of outcomes.
    between, within : Prior, optional
        Priors for tau_between and tau_within, which take the place of those for tau and rho; both or neither.

    Raises
    ------
    SpecError
        If the prior for tau is improper or extends below 0, or the prior for the baseline is improper or of a family it cannot have.

    Examples
    --------
    >>> priors = Priors(Prior("Normal", (0.0, 2.82)), Prior("HalfNormal", (0.5,)))
    >>> priors.to_dict()
    {'mu': 'Normal(0, 2.82)', 'tau': 'HalfNormal(0.5)'}
    """

    mu: Prior
    scale: Prior
    on_variance: bool = False
    baseline: Prior | None = None
    others: tuple[tuple[str, Prior], ...] = ()
    coefficients: tuple[tuple[str, Prior], ...] = ()
    rho: Prior | None = None
    between: Prior | None = None
    within: Prior | None = None

    def __post_init__(self) -> None:
        if self.scale.support[0] < 0:
            name = "tau2" if self.on_variance else "tau"
            raise SpecError(
                f"the prior for {name} must be a distribution on [0, infinity) but {self.scale} is not; try HalfNormal(0.5)"
            )
        if not self.scale.proper:
            raise SpecError(f"the prior for tau must be proper but {self.scale} is not; try HalfNormal(0.5)")
        if self.baseline is not None:
            check_baseline_family(self.baseline)
        if (self.between is None) != (self.within is None):
            raise SpecError("priors for tau_between and tau_within belong together: give both, or tau and rho")
        for name, prior in (("tau_between", self.between), ("tau_within", self.within)):
            if prior is not None and not (prior.support[0] >= 0 and prior.proper):
                raise SpecError(
                    f"the prior for {name} must be a proper distribution on [0, infinity) but {prior} is not; try HalfNormal(0.5)"
                )

    def _line(self) -> str:
        return ", ".join(f"{name} ~ {text}" for name, text in self.to_dict().items())

    def log_tau_density(self, tau: Any) -> Array:
        """Return the log prior density of tau at ``tau`` (any shape), natural log; also where ``scale`` is the prior for tau2."""
        tau = np.asarray(tau, dtype=float)
        if not self.on_variance:
            return self.scale.logpdf(tau)
        with np.errstate(divide="ignore"):
            return self.scale.logpdf(tau**2) + np.log(2 * tau)

    @property
    def tau_support(self) -> tuple[float, float]:
        """Lower and upper end of the support of tau."""
        low, high = self.scale.support
        return (float(np.sqrt(low)), float(np.sqrt(high))) if self.on_variance else (low, high)

    @property
    def fixed_tau(self) -> float | None:
        """The tau at which a point prior fixes it, or None."""
        point = self.scale.point
        return None if point is None else float(np.sqrt(point)) if self.on_variance else point

    @property
    def tau_tail_exponent(self) -> float:
        """Exponent a of the power-law tail tau**-a of the prior density of tau; infinite for lighter tails."""
        exponent = self.scale.tail_exponent
        return 2 * exponent - 1 if self.on_variance else exponent

    @property
    def tau_power_at_zero(self) -> float | None:
        """Exponent e of the density of log tau, which falls as tau^e towards tau = 0; None where it falls otherwise."""
        power = self.scale.definition.power_at_zero
        exponent = None if power is None else power(*self.scale.args)
        return 2 * exponent if self.on_variance and exponent is not None else exponent

    def sample_tau(self, size: int | tuple[int, ...], rng: np.random.Generator) -> Array:
        """Draw tau from its prior; shape ``size``."""
        draws = self.scale.sample(size, rng)
        return np.sqrt(draws) if self.on_variance else draws

    def to_dict(self) -> dict[str, str]:
        """Return the priors as text by parameter (mu, coefficients, tau or tau2, baseline, others), as ``parse_priors`` reads them."""
        named = {name: str(prior) for name, prior in self.coefficients}
        # the prior for the intercept takes the place of that for the effect at the means
        texts = named if INTERCEPT in named else {"mu": str(self.mu)} | named
        if self.between is None:
            texts["tau2" if self.on_variance else "tau"] = str(self.scale)
        levels = {"rho": self.rho, "tau_between": self.between, "tau_within": self.within}
        texts |= {name: str(prior) for name, prior in levels.items() if prior is not None}
        if self.baseline is not None:
            texts["baseline"] = str(self.baseline)
        return texts | {name: str(prior) for name, prior in self.others}
