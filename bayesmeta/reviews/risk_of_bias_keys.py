"""The table ``[risk_of_bias]`` of review.toml."""

from __future__ import annotations

from pydantic import Field, model_validator

from bayesmeta.certainty.risk_of_bias_tools import Tool, get_tool
from bayesmeta.errors import BayesmetaError
from bayesmeta.reviews.settings import Strict


class RiskOfBiasKeys(Strict):
    """Judgements of the risk of bias of each study."""

    tool: str = Field(
        description='The tool: `"cochrane"` (seven domains, 2011), `"rob2"`, `"robins-i"`, `"quadas-2"`, or `"own"` with `domains`.'
    )
    data: str | None = Field(
        default=None,
        description="A CSV file with one row per study and one column per domain, or the `risk_of_bias.csv` of an import (one row per "
        "study and domain). Default: the table under `[studies]`.",
    )
    prefix: str = Field(
        default="rob_",
        description="What the names of the columns begin with: `rob_allocation_concealment`. A column `rob_overall` has the overall "
        "judgement, which by default is the worst of the domains that count.",
    )
    columns: dict[str, str] = Field(
        default={},
        description='Columns not recognized by name, and the domains that they are: `{ "Concealed?" = "allocation_concealment" }`.',
    )
    domains: tuple[str, ...] = Field(
        default=(),
        description='The domains that were judged, by default all; with `tool = "own"` the names of its domains.',
    )
    judgements: tuple[str, ...] = Field(
        default=(),
        description='With `tool = "own"`: two to five judgements from the best to the worst. Default: low, unclear, high.',
    )
    key_domains: tuple[str, ...] = Field(
        default=(),
        description="Domains that count for the overall judgement; by default all. A domain in which no trial can be at low risk, "
        "such as the blinding of participants in psychotherapy, can be left out.",
    )

    @model_validator(mode="after")
    def _known_tool(self) -> RiskOfBiasKeys:
        try:
            self.known_tool()
        except BayesmetaError as error:
            raise ValueError(f"[risk_of_bias] {error}") from None
        return self

    def known_tool(self) -> Tool:
        """Return the tool with its domains and judgements.

        Raises
        ------
        SpecError
            For names that are not known.
        """
        return get_tool(self.tool, domains=self.domains, judgements=self.judgements, key_domains=self.key_domains)
