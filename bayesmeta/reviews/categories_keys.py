"""Keys of an outcome with several categories, fitted as one: ``[[categories]]``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from bayesmeta.categories.arguments import checked_priors
from bayesmeta.errors import BayesmetaError, unknown_name
from bayesmeta.reviews.analysis_keys import ANALYSIS_ID, Analysis
from bayesmeta.reviews.settings import Level, Strict


class Categories(Strict):
    """An outcome with several categories: as one multinomial outcome, as change between categories, or with ordered categories."""

    id: Annotated[str, Field(pattern=ANALYSIS_ID, max_length=60)] = Field(
        description="Number of the outcome, as the id of an analysis; it must differ from those too."
    )
    outcome: str = Field(description="What is measured, for the tables.")
    comparison: str = Field(default="", description="What is compared with what, for the tables.")
    time: str = Field(default="", description="Time of measurement.")
    data: str = Field(
        description="A CSV file with the counts of each arm by category: a row per arm and category (study, treatment, category, count), "
        "or a row per arm with a column per category. With the category before treatment (a column `before`, or columns such as "
        "`insecure to secure`) the model is that of change. Its path is relative to the folder of review.toml."
    )
    categories: tuple[str, ...] = Field(
        default=(), description="Names of the categories, in their order; by default those of the table."
    )
    outcome_order: tuple[str, ...] = Field(
        default=(),
        description="Names of the categories from the lowest to the highest, for the model of ordered categories, in which a treatment "
        'moves all of them by one amount: `["none", "mild", "severe"]`. It is fitted by NUTS.',
    )
    link: Literal["probit", "logit"] | None = Field(
        default=None,
        description="Link of ordered categories: `probit` (the default; effects are differences of a latent variable in its standard "
        "deviations) or `logit` (proportional odds).",
    )
    columns: dict[str, str] = Field(
        default={}, description='Which column is which, your name to ours: `{ B = "secure" }`.'
    )
    treatments: dict[str, str] = Field(
        default={}, description='Names of treatments to replace: `{ "waiting list" = "control" }`.'
    )
    lumps: dict[str, tuple[str, ...]] = Field(
        default={}, description="Names that stand for several categories that were reported together."
    )
    reference: tuple[str, ...] = Field(
        default=(),
        description="Treatments against which the others are compared, each in turn; by default control, else the first by name.",
    )
    together: dict[str, Literal["higher", "lower"]] = Field(
        default={},
        description='Categories, for the probability that all move this way: `{ secure = "higher", disorganised = "lower" }`.',
    )
    priors: dict[str, str] = Field(
        default={},
        description="Priors of this outcome: `d` (effects on every log odds of two categories), `tau` or `tau2`, `baseline`, as in "
        '`{ tau = "HalfNormal(0.5)" }`; by default those of log odds ratios, with the probit link those of SMD.',
    )
    level: Level | None = Field(
        default=None, description="Level of the intervals of this outcome; by default that of `[settings]`."
    )
    note: str = Field(default="", description="A sentence under the table and the figure.")

    @model_validator(mode="after")
    def _consistent(self) -> Categories:
        try:
            checked_priors(self.priors, "nuts", self.ordered_by)
        except BayesmetaError as error:
            raise ValueError(str(error)) from None
        if len(set(self.outcome_order)) < len(self.outcome_order):
            raise ValueError("outcome_order names a category twice; name every category once")
        known = self.categories or self.outcome_order
        for key, names in (("outcome_order", self.outcome_order), ("together", self.together)):
            for name in names:
                if known and name not in known:
                    raise ValueError(str(unknown_name(f"category under {key}:", name, known)))
        missing = [name for name in self.categories if self.outcome_order and name not in self.outcome_order]
        if missing:
            raise ValueError(f"outcome_order leaves out {', '.join(missing)}; name every category once")
        if self.link and not self.outcome_order:
            raise ValueError("link is that of ordered categories; name them from the lowest with outcome_order")
        return self

    @property
    def ordered_by(self) -> str:
        """Link of ordered categories; "" for categories without order."""
        return (self.link or "probit") if self.outcome_order else ""

    @property
    def beyond_pairwise(self) -> bool:
        """Whether it reads the table of ``[studies]``: never."""
        return False

    @property
    def mid(self) -> None:
        """Minimal important difference: none."""
        return None

    @property
    def bands(self) -> None:
        """Bands of effects: none."""
        return None

    def as_analysis(self) -> Analysis:
        """Return the keys that tables and figures need of every analysis; the measure is that of its risk ratios."""
        return Analysis(
            id=self.id, outcome=self.outcome, comparison=self.comparison, time=self.time, measure="RR", data=self.data, level=self.level,
            note=self.note,
        )  # fmt: skip
