"""Bands of effects: trivial, small, moderate and large, for benefit and for harm, and their posterior probabilities.

A minimal important difference is the case of one threshold. The bands of harm mirror those of benefit: on the log scale for ratios.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from numbers import Real
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.terms import is_effect
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.support.arguments import check_type
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.posterior.posterior import Posterior

#: thresholds by name: the outer limit of the band of that name
THRESHOLDS = ("trivial", "small", "moderate")
#: names of the bands beyond the trivial one, by the number of thresholds
BEYOND = {1: ("important",), 2: ("small", "moderate_or_large"), 3: ("small", "moderate", "large")}
#: smallest ratio that is a threshold, so that its mirror is a number too
_SMALLEST = 1e-100
#: sides of benefit
SIDES = ("lower", "higher")


@dataclass(frozen=True)
class Bands:
    """Thresholds between bands of effects.

    Parameters
    ----------
    measure : str
        Effect measure.
    edges : tuple of float
        One to three thresholds, increasing: distances from no effect on the model scale (log for ratios).
    """

    measure: str
    edges: tuple[float, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the bands from the largest benefit to the largest harm: ``large_benefit``, ..., ``trivial``, ..., ``large_harm``."""
        beyond = BEYOND[len(self.edges)]
        return (
            *(f"{name}_benefit" for name in reversed(beyond)),
            "trivial",
            *(f"{name}_harm" for name in beyond),
        )

    @property
    def limits(self) -> tuple[float, ...]:
        """The limits between neighbouring bands on the natural scale, increasing: both sides of no effect."""
        both = [*(-edge for edge in reversed(self.edges)), *self.edges]
        return tuple(float(np.exp(edge)) for edge in both) if MEASURES[self.measure].log else tuple(both)

    def probabilities(self, family: Marginals, better: str) -> dict[str, Array]:
        """Return the probability of each band, by name, each of shape (T,): exact, from distribution functions.

        A value on a limit belongs to the band nearer to no effect.
        """
        size = len(family.terms)
        below = [np.zeros(size)]
        for edge in reversed(self.edges):
            below.append(family.cdf(np.full(size, np.nextafter(-edge, -np.inf))))
        for edge in self.edges:
            below.append(family.cdf(np.full(size, edge)))
        below.append(np.ones(size))
        from_low = [np.clip(b - a, 0.0, 1.0) for a, b in pairwise(below)]
        ordered = from_low if better == "lower" else from_low[::-1]
        return dict(zip(self.names, ordered, strict=True))

    def beyond_trivial(self, family: Marginals, better: str) -> Array:
        """Return the probability of a benefit beyond the first threshold, the minimal important difference; shape (T,)."""
        edge, size = self.edges[0], len(family.terms)
        if better == "lower":
            return family.cdf(np.full(size, np.nextafter(-edge, -np.inf)))
        return 1 - family.cdf(np.full(size, edge))

    def in_words(self, better: str | None = None) -> str:
        """Write the thresholds on the natural scale, ratios on the side of benefit or below no effect: ``trivial 0.9, small 0.8``."""
        log, sign = MEASURES[self.measure].log, 1.0 if better == "higher" else -1.0
        written = [np.exp(sign * edge) if log else edge for edge in self.edges]
        if len(written) == 1:
            return f"{written[0]:.4g}"
        return ", ".join(f"{name} {value:.4g}" for name, value in zip(THRESHOLDS, written, strict=False))


#: a minimal important difference, or thresholds by name, on the natural scale; or bands
Mid = float | Mapping[str, float] | Bands


def bands_of(measure: str, better: str | None, given: Mid) -> Bands:
    """Return the bands that a minimal important difference or thresholds by name make.

    Parameters
    ----------
    measure : str
        Effect measure.
    better : str or None
        ``"lower"`` or ``"higher"``: the side of benefit.
    given : float, mapping or Bands
        A minimal important difference, or ``{"trivial": 0.9, "small": 0.8, "moderate": 0.6}``: the outer limit of each band, on the
        NATURAL scale. Thresholds by name are mirrored, so that 0.8 and 1.25 are the same; a minimal important ratio must be on the side
        of benefit.

    Raises
    ------
    SpecError
        If no side of benefit is given, or for thresholds that are no ratio, on both sides of no effect, or not increasing.
    """
    what = "a minimal important difference needs" if isinstance(given, Real) else "bands need"
    if better is None:
        raise SpecError(f"{what} the side of benefit: better='lower' or better='higher'")
    if better not in SIDES:
        raise unknown_name("side of benefit", better, SIDES)
    if isinstance(given, Bands):
        if given.measure != measure:
            raise SpecError(f"these bands are of {given.measure}, but the effects are {measure}")
        return given
    if isinstance(given, Mapping):
        return Bands(measure, _edges(measure, given))
    check_type(given, Real, "the minimal important difference", "a number")
    edge = _distance(MEASURES[measure].log, "the minimal important difference", given)
    if not MEASURES[measure].log:
        return Bands(measure, (abs(edge),))
    if (edge if better == "higher" else -edge) < 0:
        raise SpecError(
            f"a minimal important ratio of {given} is not on the side of benefit, which is '{better}' than 1"
        )
    return Bands(measure, (abs(edge),))


def _edges(measure: str, given: Mapping[str, float]) -> tuple[float, ...]:
    """Check thresholds by name and return their distances from no effect on the model scale."""
    log = MEASURES[measure].log
    for name in given:
        if name not in THRESHOLDS:
            raise unknown_name("threshold of bands", str(name), THRESHOLDS)
    for name, wider in pairwise(THRESHOLDS):
        if wider in given and name not in given:
            raise SpecError(f"bands have '{wider}' but not '{name}'; give the thresholds from 'trivial' outwards")
    if not given:
        raise SpecError("bands need at least the threshold 'trivial', the limit between trivial and important effects")
    values = []
    for name in THRESHOLDS:
        if name not in given:
            break
        value = given[name]
        check_type(value, Real, f"the threshold '{name}'", "a number")
        distance = _distance(log, f"the threshold '{name}'", value)
        if distance == 0:
            raise SpecError(f"the threshold '{name}' = {value:g} is no difference; give one such as {_example(log)}")
        values.append((name, value, distance))
    if len({distance > 0 for _, _, distance in values}) > 1:
        raise SpecError("the thresholds of bands are on both sides of no effect; give one side, the other mirrors it")
    for (name, value, distance), (wider, other, next_distance) in pairwise(values):
        if abs(next_distance) <= abs(distance):
            raise SpecError(
                f"the threshold '{wider}' = {other:g} must be further from no effect than '{name}' = {value:g}"
            )
    return tuple(abs(distance) for *_, distance in values)


def _distance(log: bool, what: str, value: float) -> float:
    """Return the distance of a threshold from no effect on the model scale, if it has the size of an effect."""
    inside = _SMALLEST <= value <= 1 / _SMALLEST if log else abs(value) <= 1 / _SMALLEST
    if not inside:  # NaN among them
        limits = f"a ratio between {_SMALLEST:g} and {1 / _SMALLEST:g}" if log else "a finite difference"
        raise SpecError(f"{what} must be {limits} but got {reprlib.repr(value)}")
    return float(np.log(float(value))) if log else float(value)


def _example(log: bool) -> str:
    return "0.8" if log else "0.2"


def band_columns(family: Marginals, measure: str, better: str | None, mid: Mid | None) -> dict[str, Array]:
    """Return the posterior probabilities of a benefit, of one beyond the first threshold, and of each band where there are several.

    Parameters
    ----------
    family : Marginals
        Marginal distributions of T terms.
    measure, better, mid
        As in ``summarize``.

    Returns
    -------
    dict
        prob_benefit, prob_beyond_mid and, with bands, ``prob_`` and the name of each, each of shape (T,); NaN for terms that are no
        effects, and without ``better`` or ``mid``.

    Raises
    ------
    SpecError
        For an unknown side, or thresholds that ``bands_of`` refuses.
    """
    if better is not None and better not in SIDES:
        raise unknown_name("side of benefit", better, SIDES)
    effect = np.array([is_effect(term) for term in family.terms])
    bands = None if mid is None else bands_of(measure, better, mid)
    shown = bands is not None and not isinstance(mid, Real)
    names = [f"prob_{name}" for name in bands.names] if bands is not None and shown else []
    found = {name: np.full(len(effect), np.nan) for name in ("prob_benefit", "prob_beyond_mid", *names)}
    if better is None or not effect.any():
        return found
    # a point mass at no effect is not a benefit, on either side
    known = {"prob_benefit": Bands(measure, (0.0,)).beyond_trivial(family, better)}
    if bands is not None:
        known["prob_beyond_mid"] = bands.beyond_trivial(family, better)
        if shown:
            known |= {f"prob_{name}": value for name, value in bands.probabilities(family, better).items()}
    return found | {name: np.where(effect, value, np.nan) for name, value in known.items()}


def band_probabilities(
    posterior: Posterior, bands: Mid, *, better: str, terms: Sequence[str] = ("mu", "theta_new")
) -> pd.DataFrame:
    """Return the posterior probability that an effect is trivial, small, moderate or large, in benefit and in harm.

    Parameters
    ----------
    posterior : Posterior
        Posterior from either engine.
    bands : mapping or float
        The outer limit of each band on the NATURAL scale: ``{"trivial": 0.9, "small": 0.8, "moderate": 0.6}``, or its first one or two;
        a number is a minimal important difference. The bands of harm mirror those of benefit (on the log scale for ratios: 1/0.9, 1/0.8,
        1/0.6).
    better : str
        ``"lower"`` or ``"higher"``: the side of benefit.
    terms : sequence of str
        Effects: ``"mu"`` is the pooled effect, ``"theta_new"`` that in a new study.

    Returns
    -------
    pandas.DataFrame
        One row per term, index ``term``; one column per band, from the largest benefit to the largest harm. Rows sum to 1. By
        quadrature they are exact: differences of distribution functions.

    Raises
    ------
    SpecError
        For a term that is no effect, and as in ``bands_of``.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> post = bm.fit(yi=[-0.3, -0.1], vi=[0.04, 0.05], measure="RR")
    >>> bm.band_probabilities(post, {"trivial": 0.9, "small": 0.75}, better="lower").round(2).loc["mu"].to_list()
    [0.36, 0.31, 0.22, 0.06, 0.04]
    """
    import pandas as pd

    known = bands_of(posterior.measure, better, bands)
    rows = {}
    for term in terms:
        if term not in posterior.terms or not posterior.solution.terms.is_effect(term):
            effects = [name for name in posterior.terms if posterior.solution.terms.is_effect(name)]
            raise unknown_name("effect of this posterior", term, effects)
        found = known.probabilities(posterior.marginal(term), better)
        rows[term] = {name: float(value[0]) for name, value in found.items()}
    return pd.DataFrame(list(rows.values()), index=pd.Index(list(rows), name="term"))
