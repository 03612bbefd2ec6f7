"""Priors as review.toml states them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import (
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from bayesmeta.errors import BayesmetaError
from bayesmeta.model.priors.empirical import CORPUS, corpus_text
from bayesmeta.model.priors.parse import parse_priors
from bayesmeta.reviews.settings import Strict, leave_out_if_none


class PriorTexts(Strict):
    """Priors of one measure, as text."""

    mu: str | None = Field(default=None, description='Prior for the mean effect mu, such as `"Normal(0, 2.82)"`.')
    tau: str | None = Field(
        default=None,
        description="Prior for the heterogeneity standard deviation tau, such as "
        '`"HalfNormal(0.5)"`, `\'turner2015("outcome", "comparison")\'` or `"corpus:FILE"`. Give `tau` or `tau2`, not both.',
    )
    tau2: str | None = Field(
        default=None, description="Prior for the heterogeneity variance tau2, in place of one for tau."
    )
    baseline: str | None = Field(
        default=None,
        description="Prior for the baseline of each study, for likelihoods of events: on the logit of a risk or the log of a rate, "
        'such as `"Normal(-3, 1)"`, or `"Beta(1, 1)"` on a risk. Not in `[[alternative]]`.',
    )

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return leave_out_if_none(handler(self), "baseline")

    @model_validator(mode="after")
    def _readable(self) -> PriorTexts:
        from bayesmeta.model.priors.defaults import default_priors

        try:
            parse_priors(self.given(), default_priors("RR"))
        except BayesmetaError as error:
            # pydantic adds the place to a ValueError, and collects the other errors
            raise ValueError(str(error)) from None
        return self

    def given(self) -> dict[str, str]:
        """Return the priors that are stated."""
        stated = {"mu": self.mu, "tau": self.tau, "tau2": self.tau2, "baseline": self.baseline}
        return {name: text for name, text in stated.items() if text is not None}


class AlternativePriors(PriorTexts):
    """Priors for a sensitivity row: for one measure and, optionally, one comparison."""

    name: str = Field(description="Label of the sensitivity analysis in the table `priors`.")
    measure: str = Field(description="Measure to which it applies, as written in the analyses.")
    comparison: str | None = Field(
        default=None, description="Comparison to which it is limited; by default it applies to every comparison."
    )

    @model_validator(mode="after")
    def _no_baseline(self) -> AlternativePriors:
        if self.baseline is not None:
            raise ValueError(
                "alternative priors are for the normal likelihood, which has no baseline; remove 'baseline', or give it under [priors]"
            )
        return self


def check_stated_baseline(measure: str, text: str) -> None:
    """Refuse a prior for the baseline that no likelihood of the measure takes."""
    from bayesmeta.model.likelihoods.registry import arm_level_likelihood, likelihood_for
    from bayesmeta.model.priors.baseline import check_baseline
    from bayesmeta.model.priors.parse import parse_prior

    arm_level = arm_level_likelihood(measure)
    try:
        check_baseline(parse_prior(text), likelihood_for(arm_level.name, measure).baseline if arm_level else "")
    except BayesmetaError as error:
        raise ValueError(f"[priors.{measure}] {error}") from None


def read_corpus_prior(text: str, measure: str, folder: Path) -> str:
    """Return the text of a prior; that of ``corpus:FILE`` with the numbers in the file.

    Parameters
    ----------
    text : str
        Text of a prior.
    measure : str
        Effect measure that the prior is for.
    folder : pathlib.Path
        Folder to which the name of the file is relative.

    Raises
    ------
    SpecError
        If the file cannot be read, or contains no prior for the measure.
    """
    name = text.strip()
    return corpus_text(name[len(CORPUS) :].strip(), measure, folder) if name.lower().startswith(CORPUS) else text
