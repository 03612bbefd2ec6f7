"""The priors of a two-level model: parse what a user writes, and the defaults for what they leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.errors import SpecError
from bayesmeta.model.priors.baseline import _refuse_baseline
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.support.arrays import Array


@dataclass(frozen=True)
class Priors:
    """The priors of a two-level model.

    Parameters
    ----------
    mu : Prior
        Of the mean effect, on the model scale (log for ratios).
    scale : Prior
        Of the between-study standard deviation tau, or of its square.
    on_variance : bool
        Whether ``scale`` is the prior of tau2 rather than of tau.
    baseline : Prior, optional
        Of each study's baseline risk, for the arm-level likelihoods: on the logit (log for rates), or Beta on the risk. None:
        ``DEFAULT_BASELINE``. See ``baseline_log_density``.
    """

    mu: Prior
    scale: Prior
    on_variance: bool = False
    baseline: Prior | None = None

    def __post_init__(self) -> None:
        if self.scale.support[0] < 0:
            name = "tau2" if self.on_variance else "tau"
            raise SpecError(
                f"the prior of {name} must live on [0, infinity) but {self.scale} does not; try HalfNormal(0.5)"
            )
        if not self.scale.proper:
            raise SpecError(f"the prior of tau must be proper but {self.scale} is not; try HalfNormal(0.5)")
        if self.baseline is not None:
            _refuse_baseline(self.baseline)

    def log_tau_density(self, tau: Any) -> Array:
        """Natural log of the prior density of tau at ``tau`` (any shape)."""
        tau = np.asarray(tau, dtype=float)
        if not self.on_variance:
            return self.scale.logpdf(tau)
        with np.errstate(divide="ignore"):
            return self.scale.logpdf(tau**2) + np.log(2 * tau)

    @property
    def tau_support(self) -> tuple[float, float]:
        """Lower and upper end of tau's support."""
        low, high = self.scale.support
        return (float(np.sqrt(low)), float(np.sqrt(high))) if self.on_variance else (low, high)

    @property
    def fixed_tau(self) -> float | None:
        """The tau where a point prior fixes it, or None."""
        point = self.scale.point
        return None if point is None else float(np.sqrt(point)) if self.on_variance else point

    @property
    def tau_tail_exponent(self) -> float:
        """Exponent of the power-law tail of tau's prior density; infinite for lighter tails."""
        exponent = self.scale.tail_exponent
        return 2 * exponent - 1 if self.on_variance else exponent

    def sample_tau(self, size: int | tuple[int, ...], rng: np.random.Generator) -> Array:
        """Draw tau from its prior; an array of shape ``size``."""
        draws = self.scale.sample(size, rng)
        return np.sqrt(draws) if self.on_variance else draws

    def to_dict(self) -> dict[str, str]:
        """Return the priors as text, keyed as the user writes them."""
        texts = {"mu": str(self.mu), "tau2" if self.on_variance else "tau": str(self.scale)}
        return texts if self.baseline is None else {**texts, "baseline": str(self.baseline)}
