"""Keys of one analysis of a review, and of the published result beside it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import unknown_name
from bayesmeta.reviews.band_keys import BandKeys, check_thresholds
from bayesmeta.reviews.grade_keys import AbsoluteKeys, GradeKeys
from bayesmeta.reviews.model_keys import ModelKeys
from bayesmeta.reviews.settings import Level, Strict

ANALYSIS_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class Published(Strict):
    """A pooled result as the review printed it, on the natural scale."""

    estimate: float = Field(description="The pooled estimate.")
    ci_low: float = Field(description="Lower end of its confidence interval.")
    ci_high: float = Field(description="Upper end of its confidence interval.")
    k: int | None = Field(default=None, description="Number of studies.")
    n: int | None = Field(default=None, description="Number of participants.")
    method: str = Field(default="DL", description="Method by which the review pooled, as text.")
    model: Literal["common", "random"] | None = Field(
        default=None, description="Whether the review pooled under a common effect or random effects."
    )
    tau2: Annotated[float, Field(ge=0)] | None = Field(default=None, description="Heterogeneity variance, model scale.")
    i2: Annotated[float, Field(ge=0, le=100)] | None = Field(default=None, description="I2, in percent.")
    q: Annotated[float, Field(ge=0)] | None = Field(default=None, description="Cochran's Q.")

    @model_validator(mode="after")
    def _ordered(self) -> Published:
        if not self.ci_low <= self.estimate <= self.ci_high:
            raise ValueError(
                f"published estimate {self.estimate:g} is outside its interval [{self.ci_low:g}, {self.ci_high:g}]"
            )
        return self


class Analysis(ModelKeys):
    """One meta-analysis of a review."""

    id: Annotated[str, Field(pattern=ANALYSIS_ID, max_length=60)] = Field(
        description="Number of the analysis: letters, digits, `.`, `_` and `-`, at most 60. It names files, so two ids must "
        "differ in more than upper and lower case."
    )
    outcome: str = Field(description="What is measured.")
    measure: str = Field(description="Effect measure by name, such as RR or SMD.")
    data: str = Field(description="The study table, a CSV file; its path is relative to the folder of review.toml.")
    comparison: str = Field(default="", description="What is compared with what, for the tables.")
    time: str = Field(default="", description="Time of measurement, for the tables.")
    domain: str = Field(
        default="", description="Domain of the outcome, such as child development, which a `[[synthesis]]` can pool."
    )
    better: Literal["lower", "higher"] | None = Field(
        default=None, description="Side of benefit. Needed for the probability of benefit and for `mid`."
    )
    where: dict[str, str] = Field(
        default={}, description='Rows of the table to keep: `{ column = "value" }`. Default: all.'
    )
    exclude: dict[str, str] = Field(
        default={}, description='Studies to leave out, with the reason: `{ "Trial A" = "reason" }`.'
    )
    columns: dict[str, str] = Field(
        default={},
        description='Columns of your file that are not recognized by name, and what they are: `{ "my column" = "events_e" }`.',
    )
    groups: tuple[str, str] = Field(
        default=("Experimental", "Control"),
        description="Names of the experimental and the control arm, for the figures.",
    )
    level: Level | None = Field(
        default=None, description="Level of the intervals of this analysis; by default that of `[settings]`."
    )
    estimates: Literal["log", "natural"] | None = Field(
        default=None,
        description="How ready-made ratios are written in the data of this analysis: their logarithms or natural; "
        "by default as `estimates` in `[options]` says.",
    )
    data_level: Level | None = Field(
        default=None,
        description="Confidence level of the intervals of ready-made estimates in the data of this analysis; by default that of "
        "`[options]`.",
    )
    mid: float | None = Field(
        default=None,
        description="Minimal important difference of this analysis, natural scale, taken as it is written; "
        "by default the one under `[mid]` for its measure.",
    )
    bands: BandKeys | None = Field(
        default=None,
        description="Bands of effects of this analysis, such as `{ trivial = 0.9, small = 0.8, moderate = 0.6 }`; "
        "by default those under `[bands]` for its measure.",
    )
    absolute: AbsoluteKeys | None = Field(
        default=None,
        description="Absolute effects, for the table `summary_of_findings`: "
        '`{ baseline = 0.12 }`, `{ baseline = "pooled" }`, or for an SMD `{ sd = 5 }`.',
    )
    cumulative: bool | str | None = Field(
        default=None,
        description='Pool the studies again after each one, in the order of their years (`true`) or of a column (`"date"`), of the study '
        "table or of the table under `[studies]`; by default as `cumulative` under `[settings]`.",
    )
    grade: GradeKeys | None = Field(
        default=None,
        description='The reviewers\' GRADE ratings: `[analysis.grade]` with `imprecision = { down = 1, why = "few events" }` and so on.',
    )
    note: str = Field(default="", description="A sentence under the figure.")
    published: Published | None = Field(
        default=None, description="The review's own pooled result, shown beside the ones computed here."
    )

    @classmethod
    def _left_out(cls) -> tuple[str, ...]:
        return "estimates", "data_level", "domain", "bands", "absolute", "grade", "cumulative"

    @field_validator("measure")
    @classmethod
    def _known_measure(cls, value: str) -> str:
        if value.upper() not in MEASURES:
            raise ValueError(str(unknown_name("measure", value, MEASURES)))
        return value.upper()

    @model_validator(mode="after")
    def _on_their_scale(self) -> Analysis:
        if self.published is not None and MEASURES[self.measure].log and self.published.ci_low <= 0:
            raise ValueError(
                f"the published interval of a ratio must be above 0, on the natural scale, but ci_low is {self.published.ci_low:g}"
            )
        if self.estimates == "natural" and not MEASURES[self.measure].log:
            raise ValueError(f"estimates = 'natural' is for ratios, but {self.measure} is not one; remove it")
        if self.cumulative and self.nesting is not None:
            raise ValueError(
                "cumulative adds independent studies, and nesting says that estimates depend on each other; remove one"
            )
        check_thresholds(self.measure, self.better, self.mid, self.bands)
        if self.absolute is not None:
            self.absolute.check_measure(self.measure)
            if self.absolute.per_1000 is not None and self.better is None:
                raise ValueError("absolute: per_1000 needs the side of benefit: better = 'lower' or 'higher'")
        return self
