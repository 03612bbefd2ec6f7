"""Keys of review.toml that say how an analysis goes beyond one pooled effect: moderators, subgroups, dependent estimates."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, field_validator, model_serializer, model_validator

from bayesmeta.errors import BayesmetaError, SpecError, unknown_name
from bayesmeta.model.priors.parse import LEVELS, PARAMETERS, parse_prior
from bayesmeta.results.models.wanted import WantedModels
from bayesmeta.reviews.settings import Strict

#: a text, or several
Texts = str | tuple[str, ...]


class ModelKeys(Strict):
    """Keys that analyses and syntheses share: what the effects depend on, and which estimates belong together."""

    moderators: Texts = Field(
        default=(),
        description='Meta-regression: a formula such as `"~ dose + C(setting)"`, or a list of formulas, each fitted on its own. It names '
        "columns of the study table or of the table under `[studies]`.",
    )
    by: Texts = Field(
        default=(),
        description="Subgroup analysis: the column that names each study's group, or a list of columns, each used on its own.",
    )
    nesting: str | None = Field(
        default=None,
        description='Groups of estimates that depend on each other, outer to inner: `"study/estimate"`, `"district/school"`. A last name '
        "that is no column makes each estimate a group of its own.",
    )
    sampling_correlation: Annotated[float, Field(gt=-1, lt=1)] | None = Field(
        default=None,
        description="Correlation of the sampling errors of the estimates of one outermost group of `nesting`, because they are of the same "
        "people. The table `dependence` shows the results at other values too.",
    )
    prespecified: bool | tuple[str, ...] | None = Field(
        default=None,
        description="Whether moderators and subgroups were named before the data were seen: `true`, `false`, or a list of the columns that "
        "were. The tables state it; without it they say that it is not stated.",
    )
    priors: dict[str, str] = Field(
        default={},
        description="Priors of this analysis, on the model scale, in place of those of the review for its measure: by parameter (mu, tau "
        "or tau2, baseline; with `nesting` also rho, or tau_between and tau_within) and by coefficient, such as "
        '`{ latitude = "Normal(0, 0.05)" }`, with its name in the table `moderators`.',
    )
    drop_missing: bool = Field(
        default=False,
        description="Whether studies whose moderator or group is missing are left out, with a note; by default that is an error that "
        "names them.",
    )

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # files of reviews written before there was a key stay as they were
        written: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        for name in (*ModelKeys.model_fields, *self._left_out()):
            if getattr(self, name) == fields[name].default:
                written.pop(name, None)
        return written

    @classmethod
    def _left_out(cls) -> tuple[str, ...]:
        """Return further keys that are not written where they have their default."""
        return ()

    @field_validator("moderators", "by", "prespecified", mode="before")
    @classmethod
    def _one_or_several(cls, value: Any, info: Any) -> Any:
        several = isinstance(value, (list, tuple)) and all(isinstance(item, str) for item in value)
        other = info.field_name == "prespecified" and (value is None or isinstance(value, bool))
        if not (several or other or (isinstance(value, str) and info.field_name != "prespecified")):
            expected = "true, false" if info.field_name == "prespecified" else "a text in quotation marks"
            raise ValueError(f"'{info.field_name}' = {value!r}: {expected}, or a list of texts, is expected")
        return tuple(value) if isinstance(value, list) else value

    @model_validator(mode="after")
    def _models_are_complete(self) -> ModelKeys:
        for key, texts in (("moderators", self.formulas), ("by", self.groupings)):
            if any(not text.strip() for text in texts):
                raise ValueError(f"'{key}' is blank; name a column, or remove the key")
            if len(set(texts)) < len(texts):
                raise ValueError(f"'{key}' has the same entry twice")
        if self.nesting is not None and not all(part.strip() for part in re.split("[/+]", self.nesting)):
            raise ValueError(
                f"nesting = '{self.nesting}' should name columns, outer to inner, such as 'study/estimate'"
            )
        if self.sampling_correlation is not None and self.nesting is None:
            raise ValueError(
                "sampling_correlation is the correlation of estimates that belong together: add nesting, such as 'study/estimate'"
            )
        if not (self.formulas or self.groupings):
            for key in ("prespecified", "drop_missing"):
                if getattr(self, key) not in (None, False):
                    raise ValueError(f"{key} is about moderators and subgroups, of which there are none; remove it")
        self._check_priors()
        if isinstance(self.prespecified, tuple):
            known = self.columns_named
            for name in self.prespecified:
                if name not in known:
                    raise ValueError(str(unknown_name("column in prespecified", name, known)))
        return self

    def _check_priors(self) -> None:
        """Refuse a prior that cannot be read or has no parameter; names of coefficients are known only with the data."""
        known = (*PARAMETERS, *(LEVELS if self.nesting is not None else ()))
        for name, text in self.priors.items():
            try:
                parse_prior(text)
                if name in LEVELS and self.nesting is None:
                    raise SpecError(f"a prior for {name} is for estimates that depend on each other: add nesting")
                if name not in known and not self.formulas:
                    raise unknown_name("parameter with a prior", name, known)
            except BayesmetaError as error:
                raise ValueError(f"[priors] {name}: {error}") from None
        if {"tau", "tau2"} <= self.priors.keys():
            raise ValueError("[priors] names both tau and tau2, which is one quantity; keep one of them")

    @property
    def columns_named(self) -> list[str]:
        """The columns that the formulas and the groupings name; names of functions are not among them."""
        words = [word for text in self.formulas for word in re.findall(r"`[^`]+`|[^\W\d][\w.]*(?![\w.]*\s*[(=])", text)]
        return list(dict.fromkeys([word.strip("`") for word in words] + list(self.groupings)))

    @property
    def columns_needed(self) -> list[str]:
        """The columns of ``columns_named``, and those of the nesting; its last names may be no columns."""
        chains = [chain.split("/") for chain in (self.nesting or "").split("+")]
        levels = [name.strip() for chain in chains for name in (chain[:-1] if len(chain) > 1 else chain)]
        return [name for name in dict.fromkeys([*self.columns_named, *levels]) if name]

    @property
    def formulas(self) -> tuple[str, ...]:
        """The formulas of moderators, each a model of its own."""
        return (self.moderators,) if isinstance(self.moderators, str) else self.moderators

    @property
    def groupings(self) -> tuple[str, ...]:
        """The columns of groups, each a subgroup analysis of its own."""
        return (self.by,) if isinstance(self.by, str) else self.by

    @property
    def beyond_pairwise(self) -> bool:
        """Whether there is any model besides that of one pooled effect of independent studies."""
        return bool(self.formulas or self.groupings or self.nesting)

    @property
    def wanted(self) -> WantedModels:
        """The models beyond one pooled effect."""
        return WantedModels(self.formulas, self.groupings, self.nesting, self.sampling_correlation, self.drop_missing)

    def was_prespecified(self, columns: tuple[str, ...]) -> bool | None:
        """Return whether all these columns were prespecified; None if it is not stated."""
        if self.prespecified is None or isinstance(self.prespecified, bool):
            return self.prespecified
        return set(columns) <= set(self.prespecified)
