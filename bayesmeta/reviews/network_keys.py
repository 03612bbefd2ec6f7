"""Keys of a network of a review: several treatments, compared in one model."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.parameter_names import is_network_parameter
from bayesmeta.errors import BayesmetaError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.networks.arm_level import arm_likelihood
from bayesmeta.networks.contrast_priors import network_priors
from bayesmeta.networks.frequentist.methods import NETWORK_METHODS, find_method
from bayesmeta.reviews.analysis_keys import ANALYSIS_ID
from bayesmeta.reviews.band_keys import BandKeys, check_thresholds
from bayesmeta.reviews.settings import Level, Strict

#: certainty of evidence in GRADE, the best first
RATINGS = ("high", "moderate", "low", "very low")


class Network(Strict):
    """A network meta-analysis: all treatments of a table of arms or contrasts in one model."""

    id: Annotated[str, Field(pattern=ANALYSIS_ID, max_length=60)] = Field(
        description="Number of the network, as the id of an analysis; it must differ from those too."
    )
    outcome: str = Field(description="What is measured.")
    title: str = Field(default="", description="Heading of the network's own tables; by default the outcome.")
    measure: str = Field(
        description="Effect measure: OR, RR, RD, IRR, MD, SMD or ROM of arms, any measure of contrasts."
    )
    data: str = Field(
        description="The table, a CSV file: one row per arm (study, treatment and events n, mean sd n, mean se, or events time) or per "
        "contrast (study, treat1, treat2, yi, sei). Its path is relative to the folder of review.toml."
    )
    reference: str | None = Field(
        default=None, description="Treatment that the tables compare the others with; by default the first by name."
    )
    better: Literal["lower", "higher"] | None = Field(
        default=None, description="Side of benefit. Needed for the ranking and for the probability of benefit."
    )
    treatments: dict[str, str] = Field(
        default={},
        description='Names of treatments to replace, which also lumps them: `{ "waiting list" = "control" }`. The tables list them.',
    )
    component: str | None = Field(
        default=None,
        description="Of a network in several parts that no study connects, a treatment of the part to analyse.",
    )
    combine: bool = Field(default=False, description="Whether arms of one treatment in one study are combined.")
    likelihood: Literal["normal", "binomial", "poisson"] | None = Field(
        default=None,
        description='Likelihood of the Bayesian fit beside the exact one on contrasts, by NUTS: binomial (OR, RR), poisson (IRR); "normal" '
        "for the exact one only. By default that of the arms, where the review's engine is NUTS or both and the arms have it.",
    )
    method: str = Field(
        default="REML", description="Frequentist method: CE, DL, ML, REML, PM, HE, or MH or NCH for rare events."
    )
    priors: dict[str, str] = Field(
        default={},
        description='Priors of this network, model scale: d (of every contrast, such as `"Normal(0, 2)"`, or `"independent Normal(0, '
        '100)"` of those with the reference), tau or tau2, inconsistency, baseline (NUTS) and the moderator by its name. By default those '
        "of the review for the measure, that of mu being the prior of every contrast.",
    )
    moderator: str | None = Field(
        default=None,
        description="A column with one number per study, which changes the effects of all treatments against the reference alike "
        "(network meta-regression, exact on contrasts only).",
    )
    components: str | None = Field(
        default=None,
        description='What separates components in the names of treatments, such as `"+"`: the effect of "CBT + drug" is then the sum of '
        "those of its components (additive component network, exact on contrasts only), and the network need not be connected.",
    )
    interactions: tuple[str, ...] = Field(
        default=(),
        description='Components that have an additional effect together: `["CBT*drug"]`; needs `components`.',
    )
    inactive: str | None = Field(
        default=None, description="Component without effect, such as placebo; needs `components`."
    )
    certainty: dict[str, str] = Field(
        default={},
        description='Certainty of the evidence of each treatment against the reference: `{ "drug A" = "moderate" }`; high, moderate, low '
        "or very low. The table `network_categories` then sorts the treatments by effect and certainty.",
    )
    risk_of_bias: str | None = Field(
        default=None,
        description="Column with each study's risk of bias, for the files for CINeMA; by default one called so, or rob.",
    )
    indirectness: str | None = Field(
        default=None,
        description="Column with each study's indirectness, for the files for CINeMA; by default one called so.",
    )
    where: dict[str, str] = Field(
        default={}, description='Rows of the table to keep: `{ column = "value" }`. Default: all.'
    )
    exclude: dict[str, str] = Field(
        default={}, description='Studies to leave out, with the reason: `{ "Trial A" = "reason" }`.'
    )
    columns: dict[str, str] = Field(
        default={},
        description='Columns of your file that are not recognized by name, and what they are: `{ "deaths" = "events" }`.',
    )
    comparison: str = Field(default="", description="What is compared, for the tables.")
    time: str = Field(default="", description="Time of measurement, for the tables.")
    level: Level | None = Field(
        default=None, description="Level of the intervals of this network; by default that of `[settings]`."
    )
    mid: float | None = Field(
        default=None,
        description="Minimal important difference of this network, natural scale; by default the one under `[mid]` for its measure.",
    )
    bands: BandKeys | None = Field(
        default=None,
        description="Bands of effects of this network; by default those under `[bands]` for its measure.",
    )
    note: str = Field(default="", description="A sentence under the tables and figures.")

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        return {name: value for name, value in written.items() if value != fields[name].default}

    @property
    def heading(self) -> str:
        """Title of its own tables."""
        return self.title or self.outcome

    @property
    def beyond_pairwise(self) -> bool:
        """Whether it reads the table under ``[studies]``: it does not."""
        return False

    @field_validator("measure")
    @classmethod
    def _known_measure(cls, value: str) -> str:
        if value.upper() not in MEASURES:
            raise ValueError(str(unknown_name("measure", value, MEASURES)))
        return value.upper()

    @field_validator("method")
    @classmethod
    def _known_method(cls, value: str) -> str:
        try:
            return find_method(value)
        except BayesmetaError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _usable(self) -> Network:
        check_thresholds(self.measure, self.better, self.mid, self.bands)
        for treatment, rating in self.certainty.items():
            if rating not in RATINGS:
                raise ValueError(f"certainty of '{treatment}': {unknown_name('certainty', rating, RATINGS)}")
        if self.certainty and self.better is None:
            raise ValueError("certainty sorts treatments by their effect; give better")
        if self.moderator is not None and is_network_parameter(self.moderator):
            raise ValueError(f"the moderator '{self.moderator}' has the name of a parameter; rename the column")
        if self.likelihood not in (None, "normal"):
            try:
                arm_likelihood(self.measure, self.likelihood)
            except BayesmetaError as error:
                raise ValueError(str(error)) from None
            if self.moderator is not None or self.components is not None:
                what = "components" if self.moderator is None else "a moderator"
                raise ValueError(f"a network with {what} is exact on contrasts only; remove likelihood")
        if self.components is None and (self.interactions or self.inactive is not None):
            raise ValueError(
                "interactions and inactive are of components; give components, what separates them, such as '+'"
            )
        if self.components is not None and NETWORK_METHODS[self.method].counts:
            raise ValueError(
                f"component networks pool contrasts: choose method CE, DL, ML, REML, PM or HE, not {self.method}"
            )
        given = {name: text for name, text in self.priors.items() if name != self.moderator}
        try:
            # measures without a natural scale have a default that needs the data
            scaled = None if MEASURES[self.measure].prior_sds else Prior("HalfNormal", (1.0,))
            network_priors(given, self.measure, scaled)
            if self.moderator in self.priors:
                parse_prior(self.priors[self.moderator])
        except BayesmetaError as error:
            raise ValueError(f"[priors] {error}") from None
        return self
