"""Keys of review.toml about bands of effects, and the bands of an analysis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import Field

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.bands import Bands, Mid, bands_of
from bayesmeta.reviews.settings import Strict

if TYPE_CHECKING:
    from bayesmeta.reviews.analysis_keys import Analysis
    from bayesmeta.reviews.spec import Review


class BandKeys(Strict):
    """Bands of effects: the outer limit of each, on the natural scale; the bands of harm mirror those of benefit."""

    trivial: float = Field(
        description="Effects up to here are trivial: it takes the place of a minimal important difference."
    )
    small: float | None = Field(default=None, description="Effects from `trivial` to here are small.")
    moderate: float | None = Field(
        default=None, description="Effects from `small` to here are moderate, and those beyond it large."
    )

    @property
    def given(self) -> dict[str, float]:
        """The thresholds that are given, by name."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


def check_mid(measure: str, value: float) -> None:
    """Raise ValueError for a minimal important difference that is none.

    Raises
    ------
    ValueError
    """
    if not math.isfinite(value) or value == 0 or (MEASURES[measure].log and value <= 0):
        should = "a ratio above 0" if MEASURES[measure].log else "a difference other than 0"
        raise ValueError(f"[mid] {measure} = {value:g}: a minimal important difference is {should}")
    if MEASURES[measure].log and value == 1:
        raise ValueError(f"[mid] {measure} = 1 is no difference; give a ratio below 1, such as 0.8")
    try:
        bands_of(measure, "lower", {"trivial": value})
    except BayesmetaError as error:
        raise ValueError(f"[mid] {measure} = {value:g}: {error}") from None


def check_bands(bands: Mapping[str, BandKeys], mid: Mapping[str, float]) -> None:
    """Raise ValueError for bands whose thresholds are no effects of their measure or not in order, or beside ``[mid]``.

    Raises
    ------
    ValueError
    """
    for measure, keys in bands.items():
        if measure in mid:
            raise ValueError(
                f"[mid] and [bands.{measure}] both give the minimal important difference of {measure}; "
                f"keep [bands.{measure}], whose 'trivial' it is"
            )
        try:
            bands_of(measure, "lower", keys.given)
        except BayesmetaError as error:
            raise ValueError(f"[bands.{measure}] {error}") from None


def check_thresholds(measure: str, better: str | None, mid: float | None, bands: BandKeys | None) -> None:
    """Raise ValueError where the minimal important difference or the bands of one analysis cannot be used.

    Raises
    ------
    ValueError
    """
    if mid is not None and bands is not None:
        raise ValueError(
            "give either mid or bands: the threshold 'trivial' of bands is the minimal important difference"
        )
    stated: Mid | None = mid if bands is None else bands.given
    if stated is None:
        return
    try:
        bands_of(measure, better, stated)
    except BayesmetaError as error:
        raise ValueError(str(error)) from None


def mid_of(review: Review, analysis: Analysis) -> Mid | None:
    """Return the analysis' own minimal important difference or bands, or the review's for the measure; None without any.

    A minimal important ratio of the review is turned to the side of benefit.
    """
    if analysis.bands is not None:
        return bands_of(analysis.measure, analysis.better, analysis.bands.given)
    if analysis.mid is not None:
        return analysis.mid
    if analysis.better is None:
        return None
    keys = review.bands.get(analysis.measure)
    if keys is not None:
        return bands_of(analysis.measure, analysis.better, keys.given)
    stated = review.mid.get(analysis.measure)
    if stated is None or not MEASURES[analysis.measure].log:
        return stated
    lower = min(stated, 1 / stated)
    return lower if analysis.better == "lower" else 1 / lower


def bands_for(review: Review, analysis: Analysis) -> Bands | None:
    """Return the bands of an analysis, one threshold if it has a minimal important difference only; None without any."""
    stated = mid_of(review, analysis)
    return None if stated is None else bands_of(analysis.measure, analysis.better, stated)


def without_unused(written: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Leave out the named tables of a review that have nothing in them, so that files written without them stay as they were."""
    return {name: value for name, value in written.items() if name not in names or value}
