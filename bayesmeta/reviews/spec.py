"""Keys of a review.toml, read strictly: an unknown key is an error that names the nearest known one."""

from __future__ import annotations

import math
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError, DataError, SpecError, unknown_name
from bayesmeta.reviews.file_names import toml_file
from bayesmeta.reviews.settings import Options, Settings, Strict, leave_out_if_none
from bayesmeta.reviews.stated_priors import AlternativePriors, PriorTexts, check_stated_baseline, read_corpus_prior
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.files import read_bytes


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


class Analysis(Strict):
    """One meta-analysis of a review."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)] = Field(
        description="Number of the analysis: letters, digits, `.`, `_` and `-`, at most 60. It names files, so two ids must "
        "differ in more than upper and lower case."
    )
    outcome: str = Field(description="What is measured.")
    measure: str = Field(description="Effect measure by name, such as RR or SMD.")
    data: str = Field(description="The study table, a CSV file; its path is relative to the folder of review.toml.")
    comparison: str = Field(default="", description="What is compared with what, for the tables.")
    time: str = Field(default="", description="Time of measurement, for the tables.")
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
    level: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None, description="Level of the intervals of this analysis; by default that of `[settings]`."
    )
    estimates: Literal["log", "natural"] | None = Field(
        default=None,
        description="How ready-made ratios are written in the data of this analysis: their logarithms or natural; "
        "by default as `estimates` in `[options]` says.",
    )
    data_level: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        default=None,
        description="Confidence level of the intervals of ready-made estimates in the data of this analysis; by default that of "
        "`[options]`.",
    )
    mid: float | None = Field(
        default=None,
        description="Minimal important difference of this analysis, natural scale, taken as it is written; "
        "by default the one under `[mid]` for its measure.",
    )
    note: str = Field(default="", description="A sentence under the figure.")
    published: Published | None = Field(
        default=None, description="The review's own pooled result, shown beside the ones computed here."
    )

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return leave_out_if_none(leave_out_if_none(handler(self), "estimates"), "data_level")

    @field_validator("measure")
    @classmethod
    def _known_measure(cls, value: str) -> str:
        if value.upper() not in MEASURES:
            raise ValueError(str(unknown_name("measure", value, MEASURES)))
        return value.upper()

    @model_validator(mode="after")
    def _on_their_scale(self) -> Analysis:
        from bayesmeta.posterior.summary import mid_on_model_scale

        if self.published is not None and MEASURES[self.measure].log and self.published.ci_low <= 0:
            raise ValueError(
                f"the published interval of a ratio must be above 0, on the natural scale, but ci_low is {self.published.ci_low:g}"
            )
        if self.estimates == "natural" and not MEASURES[self.measure].log:
            raise ValueError(f"estimates = 'natural' is for ratios, but {self.measure} is not one; remove it")
        if self.mid is not None:
            try:
                mid_on_model_scale(self.measure, self.better, self.mid)
            except BayesmetaError as error:
                raise ValueError(str(error)) from None
        return self


class Review(Strict):
    """A review: what to fit, and how."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)] = Field(
        description="Name of the review and of its output folder: letters, digits, `.`, `_` and `-`, at most 60."
    )
    title: str = Field(description="Heading of the tables.")
    citation: str = Field(default="", description="Where the review was published.")
    notice: str = Field(default="", description="A sentence repeated under every table and figure.")
    settings: Settings = Field(default=Settings(), description="Engines, likelihoods and files to write.")
    options: Options = Field(default=Options(), description="How effects are computed from the data.")
    priors: dict[str, PriorTexts] = Field(
        default={}, description="Priors by measure, on the model scale: `[priors.RR]`, `[priors.SMD]` and so on."
    )
    mid: dict[str, float] = Field(
        default={},
        description="Minimal important difference by measure, natural scale: `RR = 0.8`. "
        "Ratios are turned to the side of benefit of each analysis, so that 0.8 serves as 1.25 where higher is better.",
    )
    alternative: tuple[AlternativePriors, ...] = Field(
        default=(), description="Sensitivity analyses with other priors."
    )
    analysis: Annotated[tuple[Analysis, ...], Field(min_length=1)] = Field(description="The meta-analyses to fit.")

    @model_validator(mode="after")
    def _consistent(self) -> Review:
        seen: set[str] = set()
        for analysis in self.analysis:
            if analysis.id.lower() in seen:
                raise ValueError(
                    f"analysis id '{analysis.id}' appears twice (ids name files, so upper and lower case count as the same)"
                )
            seen.add(analysis.id.lower())
        named = [*self.priors, *self.mid, *(alternative.measure for alternative in self.alternative)]
        for measure in named:
            if measure not in MEASURES:
                raise ValueError(str(unknown_name("measure", measure, MEASURES)))
        for measure, value in self.mid.items():
            if not math.isfinite(value) or value == 0 or (MEASURES[measure].log and value <= 0):
                should = "a ratio above 0" if MEASURES[measure].log else "a difference other than 0"
                raise ValueError(f"[mid] {measure} = {value:g}: a minimal important difference is {should}")
            if MEASURES[measure].log and value == 1:
                raise ValueError(f"[mid] {measure} = 1 is no difference; give a ratio below 1, such as 0.8")
        for measure, texts in self.priors.items():
            if texts.baseline is not None:
                check_stated_baseline(measure, texts.baseline)
        return self

    def level_of(self, analysis: Analysis) -> float:
        """Return the level of an analysis' intervals: its own, else the review's."""
        return analysis.level or self.settings.level


def read_review(path: str | os.PathLike[str]) -> tuple[Review, Path]:
    """Read and check a review.toml.

    Parameters
    ----------
    path : str or path
        The file, or the folder that contains it as ``review.toml``.

    Returns
    -------
    review : Review
    folder : pathlib.Path
        Folder to which the names of data files are relative.

    Raises
    ------
    SpecError
        If the file does not exist or is not TOML, a key is unknown or its value out of range, or a data file does not exist.
    """
    file = toml_file(checked_path(path, "a review"))
    if not os.path.lexists(file):
        raise SpecError(f"{file}: no such file; give a review.toml or the folder that contains one")
    try:
        given = tomllib.loads(read_bytes(file).decode("utf-8-sig"))
    except DataError as error:
        raise SpecError(str(error)) from None
    except RecursionError:
        raise SpecError(f"{file}: not valid TOML: nested too deeply") from None
    except ValueError as error:
        if file.suffix.lower() != ".toml":
            raise SpecError(
                f"{file}: this is no review.toml. For one table of studies, saved as CSV, use `bayesmeta compare` or "
                "`bayesmeta fit`; for a whole review, write a review.toml that names the tables."
            ) from None
        if isinstance(error, UnicodeDecodeError):
            raise SpecError(f"{file}: not UTF-8 text, as TOML is; save it as UTF-8") from None
        detail = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "a number has too many digits"
        raise SpecError(f"{file}: not valid TOML: {detail}") from None
    try:
        _read_corpora(given, file.parent)
        review = Review.model_validate(given)
    except ValidationError as error:
        raise SpecError("\n".join(f"{file}: {_explain(item, given)}" for item in error.errors())) from None
    except BayesmetaError as error:
        raise SpecError(f"{file}: {error}") from None
    for analysis in review.analysis:
        if not os.path.isfile(file.parent / analysis.data):
            raise SpecError(f"{file}: analysis {analysis.id}: there is no data file '{analysis.data}' in {file.parent}")
    return review, file.parent


def _read_corpora(given: dict[str, Any], folder: Path) -> None:
    """Replace every ``corpus:FILE`` by the prior in the file, so that the review states its priors wherever it is read."""
    priors, alternatives = given.get("priors"), given.get("alternative")
    tables = list(priors.items()) if isinstance(priors, dict) else []
    if isinstance(alternatives, list):
        tables += [(table.get("measure"), table) for table in alternatives if isinstance(table, dict)]
    for measure, table in tables:
        for key in ("tau", "tau2"):
            text = table.get(key) if isinstance(table, dict) and measure in MEASURES else None
            if isinstance(text, str):
                table[key] = read_corpus_prior(text, measure, folder)


#: what is expected where a value is of another type, by pydantic's name of the error
_EXPECTED: Mapping[str, str] = {
    "tuple_type": "a list such as [\"Drug\", \"Placebo\"]", "too_long": "a shorter list", "list_type": "a list, in square brackets",
    "dict_type": "a table such as { name = \"value\" }", "model_type": "a table of keys", "model_attributes_type": "a table of keys",
    "string_type": "a text in quotation marks", "bool_type": "true or false", "bool_parsing": "true or false",
    "float_type": "a number", "float_parsing": "a number", "int_type": "a whole number", "int_parsing": "a whole number",
    "int_from_float": "a whole number", "finite_number": "a finite number",
}  # fmt: skip


def _explain(item: Any, given: dict[str, Any]) -> str:
    """Turn one of pydantic's errors into a sentence with place, value and remedy."""
    place = _place(item["loc"], given)
    if item["type"] == "extra_forbidden":
        key = str(item["loc"][-1])
        if key == "scale":
            return f"{place}unknown key 'scale'; 'estimates' says whether ready-made ratios are natural or logged"
        return f"{place}{unknown_name('key', key, _known_keys(item['loc'][:-1]))}"
    named = [part for part in item["loc"] if isinstance(part, str)]
    key = named[-1] if named else ""
    if item["type"] == "missing":
        inside = item["loc"][-1] != key
        return f"{place}'{key}' has too few values" if inside else f"{place}the key '{key}' is missing"
    if item["type"] in _EXPECTED:
        return f"{place}'{key}' = {item['input']!r}: {_EXPECTED[item['type']]} is expected"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return f"{place}{message}"
    return f"{place}'{key}' = {item['input']!r}: {message}"


def _place(location: tuple[Any, ...], given: dict[str, Any]) -> str:
    if len(location) > 1 and location[0] in ("analysis", "alternative") and isinstance(location[1], int):
        entry = given[location[0]][location[1]]
        name = entry.get("id", entry.get("name")) if isinstance(entry, dict) else None
        inner = "".join(f"[{part}] " for part in location[2:-1])
        return f"{location[0]} {name or f'number {location[1] + 1}'}: {inner}"
    return "".join(f"[{part}] " for part in location[:-1])


def _known_keys(location: tuple[Any, ...]) -> list[str]:
    """Return the known keys of a table."""
    tables: dict[str, type[BaseModel]] = {
        "settings": Settings, "options": Options, "priors": PriorTexts, "alternative": AlternativePriors, "analysis": Analysis,
    }  # fmt: skip
    if not location:
        return list(Review.model_fields)
    if location[-1] == "published":
        return list(Published.model_fields)
    return list(tables[location[0]].model_fields)
