"""The table ``[risk_of_bias]`` of review.toml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from bayesmeta.certainty.bias_priors import bias_prior, check_domains
from bayesmeta.certainty.risk_of_bias import OVERALL
from bayesmeta.certainty.risk_of_bias_tools import Tool, get_tool
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError, unknown_name
from bayesmeta.reviews.settings import Strict


class AdjustKeys(Strict):
    """The bias-adjusted model: an additive bias of the studies at high risk, with a stated prior."""

    domains: tuple[str, ...] = Field(
        default=(OVERALL,),
        description='Keys of the domains that have a bias each, or `"overall"` for one bias of the studies at high overall risk.',
    )
    priors: dict[str, str | dict[str, str]] = Field(
        default={},
        description='By measure, the prior for every bias, `{ RR = "Normal(0, 0.2)" }`, or one by domain, '
        '`{ SMD = { allocation_concealment = "Normal(-0.1, 0.1)" } }`, on the model scale (log for ratios); a negative mean is a bias '
        "towards lower values. Default: Normal(0, 0.2) for log ratios and Normal(0, 0.11) for SMD; other measures need one.",
    )
    unclear: Annotated[float, Field(ge=0, le=1)] = Field(
        default=0.0, description="Share of the bias of studies whose risk is between low and high, or was not judged."
    )

    def priors_for(self, measure: str) -> dict[str, str]:
        """Return the priors of the biases by domain, or of all of them as "bias", for a measure."""
        stated = self.priors.get(measure, {})
        return {"bias": stated} if isinstance(stated, str) else dict(stated)

    def check(self, tool: Tool) -> None:
        """Refuse what cannot be used with a tool.

        Raises
        ------
        SpecError
            For an unknown domain or measure, or a prior that is not Normal.
        """
        keys = check_domains(tool, self.domains)
        for measure in self.priors:
            if measure not in MEASURES:
                raise unknown_name("measure", measure, MEASURES)
            for domain, text in self.priors_for(measure).items():
                if domain not in ("bias", *keys):
                    raise unknown_name("domain with a bias", domain, keys)
                bias_prior(text)


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
        "judgement, which by default is the worst of the domains that count. Where it is blank, columns are recognized by the names of "
        "domains alone, such as D1 and D2 of R robvis.",
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

    adjust: AdjustKeys | None = Field(
        default=None,
        description="A model in which the studies at high risk have an additive bias with a stated prior, with the keys below; "
        "`adjust = {}` takes the defaults.",
    )

    @model_validator(mode="after")
    def _known_tool(self) -> RiskOfBiasKeys:
        where = "[risk_of_bias]"
        try:
            tool = self.known_tool()
            where = "[risk_of_bias] adjust:"
            if self.adjust is not None:
                self.adjust.check(tool)
        except BayesmetaError as error:
            raise ValueError(f"{where} {error}") from None
        return self

    def known_tool(self) -> Tool:
        """Return the tool with its domains and judgements.

        Raises
        ------
        SpecError
            For names that are not known.
        """
        return get_tool(self.tool, domains=self.domains, judgements=self.judgements, key_domains=self.key_domains)
