"""Keys of review.toml about the summary of findings: absolute effects and the certainty of evidence of an analysis."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bayesmeta.certainty.baseline_risk import MEDIAN, POOLED
from bayesmeta.certainty.corresponding_risk import RISK_MEASURES
from bayesmeta.certainty.grade import DOWN, UP, Certainty, certainty
from bayesmeta.errors import BayesmetaError
from bayesmeta.reviews.band_keys import BandKeys, check_thresholds
from bayesmeta.reviews.settings import Strict


class AbsoluteKeys(Strict):
    """Absolute effects of an analysis, for the table `summary_of_findings`."""

    baseline: float | str | None = Field(
        default=None,
        description='Risk without treatment: a number between 0 and 1, a distribution such as `"Beta(30, 70)"`, `"median"` (of the control '
        'groups) or `"pooled"` (over them, with its uncertainty). Default: `"median"` where there are counts of events; none for an SMD.',
    )
    source: str = Field(default="", description="Where a stated baseline risk comes from, for the footnote.")
    per_1000: BandKeys | None = Field(
        default=None,
        description="Bands of differences of risks per 1,000: `{ trivial = 10, small = 30, moderate = 60 }`. Without it the bands are "
        "those of the effect measure.",
    )
    sd: Annotated[float, Field(gt=0)] | None = Field(
        default=None,
        description="Of an SMD: the standard deviation of a familiar scale, on which it is shown as a mean difference.",
    )
    units: str = Field(
        default="",
        description="The units of that scale, or of a mean difference (MD), such as `points on the EPDS (0 to 30)`.",
    )

    @model_validator(mode="after")
    def _can_be_used(self) -> AbsoluteKeys:
        from bayesmeta.certainty.baseline_risk import baseline_risk

        given = self.baseline
        if given is not None and not (isinstance(given, str) and given.strip().lower() in (MEDIAN, POOLED)):
            try:
                baseline_risk(given)
            except BayesmetaError as error:
                raise ValueError(str(error)) from None
        if self.per_1000 is not None:
            try:
                check_thresholds("RD", "lower", None, self.per_1000)
            except ValueError as error:
                raise ValueError(f"per_1000: {error}") from None
        return self

    def check_measure(self, measure: str) -> None:
        """Raise ValueError for a measure without absolute effects, and keys that are for other measures.

        Raises
        ------
        ValueError
        """
        if measure not in (*RISK_MEASURES, "MD"):
            raise ValueError(f"absolute: no absolute effect follows from {measure}; remove it")
        if measure != "SMD" and self.sd is not None:
            raise ValueError(f"absolute: sd re-expresses an SMD, but the measure is {measure}; remove it")
        if measure not in ("SMD", "MD") and self.units:
            raise ValueError(f"absolute: units are those of an SMD or MD, but the measure is {measure}; remove them")
        if measure == "MD" and (self.baseline is not None or self.per_1000 is not None):
            raise ValueError("absolute: a mean difference (MD) has no baseline risk; remove baseline and per_1000")
        if measure == "SMD" and self.baseline in (MEDIAN, POOLED):
            raise ValueError(
                "absolute: an SMD has no control groups with events; give baseline as a number, or leave it out"
            )
        if self.per_1000 is not None and measure == "SMD" and self.baseline is None:
            raise ValueError("absolute: per_1000 needs a baseline risk")


class RatingKeys(Strict):
    """How one domain changes the certainty: levels `down`, or for a reason to rate up, `up`, and why."""

    down: Annotated[int, Field(ge=0, le=3)] = Field(default=0, description="Levels down.")
    up: Annotated[int, Field(ge=0, le=2)] = Field(default=0, description="Levels up.")
    why: str = Field(default="", description="The reason, for the footnote; needed where a level is changed.")

    @model_validator(mode="after")
    def _has_a_reason(self) -> RatingKeys:
        if (self.down or self.up) and not self.why.strip():
            raise ValueError('a rating that changes the certainty needs its reason: why = "..."')
        return self


class GradeKeys(Strict):
    """The reviewers' GRADE ratings of an analysis: `risk_of_bias = { down = 1, why = "..." }` and so on."""

    start: Literal["high", "low"] = Field(
        default="high",
        description="Certainty before rating: high for randomized trials, or for other studies judged by ROBINS-I (GRADE 18); low for "
        "other studies, as in Core GRADE.",
    )
    risk_of_bias: RatingKeys = Field(default=RatingKeys(), description="Rating down for risk of bias, 0 to 3 levels.")
    inconsistency: RatingKeys = Field(default=RatingKeys(), description="Rating down for inconsistency, 0 to 2 levels.")
    indirectness: RatingKeys = Field(default=RatingKeys(), description="Rating down for indirectness, 0 to 2 levels.")
    imprecision: RatingKeys = Field(default=RatingKeys(), description="Rating down for imprecision, 0 to 3 levels.")
    publication_bias: RatingKeys = Field(
        default=RatingKeys(), description="Rating down for publication bias, 0 or 1 level."
    )
    large_effect: RatingKeys = Field(default=RatingKeys(), description="Rating up for a large effect, 0 to 2 levels.")
    dose_response: RatingKeys = Field(
        default=RatingKeys(), description="Rating up for a dose-response relation, 0 or 1 level."
    )
    opposing_confounding: RatingKeys = Field(
        default=RatingKeys(),
        description="Rating up because all plausible confounding would reduce the effect, 0 or 1 level.",
    )

    @model_validator(mode="after")
    def _ratings_are_possible(self) -> GradeKeys:
        for names, other, side in ((DOWN, "up", "down"), (UP, "down", "up")):
            for name in names:
                if getattr(getattr(self, name), other):
                    raise ValueError(f'{name} rates {side}; write {name} = {{ {side} = 1, why = "..." }}')
        try:
            self.certainty()
        except BayesmetaError as error:
            raise ValueError(str(error)) from None
        return self

    def certainty(self) -> Certainty:
        """Return the certainty that the ratings give.

        Raises
        ------
        SpecError
            For more levels than a domain has.
        """
        rated = {name: getattr(self, name) for name in (*DOWN, *UP)}
        return certainty(
            self.start,
            {name: (rated[name].down, rated[name].why) for name in DOWN if rated[name].down},
            {name: (rated[name].up, rated[name].why) for name in UP if rated[name].up},
        )
