"""What a review.toml may say, read strictly: an unknown key is an error that names the nearest known one."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    field_validator,
    model_serializer,
    model_validator,
)

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError, SpecError, unknown_name
from bayesmeta.model.priors.empirical import CORPUS, corpus_text
from bayesmeta.model.priors.parse import parse_priors


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Published(_Strict):
    """A pooled result as the review printed it, on the natural scale."""

    estimate: float
    ci_low: float
    ci_high: float
    k: int | None = None
    n: int | None = None
    method: str = "DL"
    model: Literal["common", "random"] | None = None
    tau2: Annotated[float, Field(ge=0)] | None = None
    i2: Annotated[float, Field(ge=0, le=100)] | None = None
    q: Annotated[float, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _ordered(self) -> Published:
        if not self.ci_low <= self.estimate <= self.ci_high:
            raise ValueError(
                f"published estimate {self.estimate:g} is outside its interval [{self.ci_low:g}, {self.ci_high:g}]"
            )
        return self


class PriorTexts(_Strict):
    """Priors of one measure, as text."""

    mu: str | None = None
    tau: str | None = None
    tau2: str | None = None
    baseline: str | None = None

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _leave_out_if_none(handler(self), "baseline")

    @model_validator(mode="after")
    def _readable(self) -> PriorTexts:
        from bayesmeta.model.priors.defaults import default_priors

        try:
            parse_priors(self.given(), default_priors("RR"))
        except BayesmetaError as error:
            # as a ValueError pydantic adds the place and goes on to the other complaints
            raise ValueError(str(error)) from None
        return self

    def given(self) -> dict[str, str]:
        """Return the priors that are stated."""
        stated = {"mu": self.mu, "tau": self.tau, "tau2": self.tau2, "baseline": self.baseline}
        return {name: text for name, text in stated.items() if text is not None}


class AlternativePriors(PriorTexts):
    """Priors for a sensitivity row: for one measure and, optionally, one comparison."""

    name: str
    measure: str
    comparison: str | None = None

    @model_validator(mode="after")
    def _no_baseline(self) -> AlternativePriors:
        if self.baseline is not None:
            raise ValueError(
                "alternative priors are for the normal likelihood, which has no baseline; remove 'baseline', or give it under [priors]"
            )
        return self


class Options(_Strict):
    """How effects are computed: see ``bayesmeta.effect_sizes``."""

    zero_cells: str = "revman"
    smd: str = "exact"
    rom: str = "classical"
    scale: str = "log"

    @model_validator(mode="after")
    def _known(self) -> Options:
        from bayesmeta.effects.zero_cells import ZERO_CELL_RULES

        for kind, name, known in (
            ("zero-cell rule", self.zero_cells, tuple(ZERO_CELL_RULES)),
            ("smd formula", self.smd, ("exact", "revman")),
            ("rom formula", self.rom, ("classical", "corrected")),
            ("scale", self.scale, ("log", "natural")),
        ):
            if name not in known:
                raise ValueError(str(unknown_name(kind, name, known)))
        return self


class Settings(_Strict):
    """Engines, likelihoods and what is written."""

    engine: Literal["both", "quadrature", "nuts"] = "both"
    likelihoods: tuple[Literal["normal", "arm-level"], ...] = ("normal", "arm-level")
    level: Annotated[float, Field(gt=0, lt=1)] = 0.95
    seed: Annotated[int, Field(ge=0)] = 1
    tables: tuple[Literal["csv", "md", "html", "tex"], ...] = ("csv", "md", "html", "tex")
    figures: tuple[Literal["png", "svg", "pdf"], ...] = ("png", "svg")
    save_fits: bool = True


class Analysis(_Strict):
    """One meta-analysis of a review."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
    outcome: str
    measure: str
    data: str
    comparison: str = ""
    time: str = ""
    better: Literal["lower", "higher"] | None = None
    where: dict[str, str] = {}
    exclude: dict[str, str] = {}
    columns: dict[str, str] = {}
    groups: tuple[str, str] = ("Experimental", "Control")
    level: Annotated[float, Field(gt=0, lt=1)] | None = None
    estimates: Literal["log", "natural"] | None = None
    mid: float | None = None
    note: str = ""
    published: Published | None = None

    @model_serializer(mode="wrap")
    def _without_unused_keys(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return _leave_out_if_none(handler(self), "estimates")

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


class Review(_Strict):
    """A review: what to fit, and how."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
    title: str
    citation: str = ""
    notice: str = ""
    settings: Settings = Settings()
    options: Options = Options()
    priors: dict[str, PriorTexts] = {}
    mid: dict[str, float] = {}
    alternative: tuple[AlternativePriors, ...] = ()
    analysis: Annotated[tuple[Analysis, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _consistent(self) -> Review:
        seen: set[str] = set()
        for analysis in self.analysis:
            if analysis.id.lower() in seen:
                raise ValueError(
                    f"analysis id '{analysis.id}' appears twice (ids name files, so case does not tell them apart)"
                )
            seen.add(analysis.id.lower())
        named = [*self.priors, *self.mid, *(alternative.measure for alternative in self.alternative)]
        for measure in named:
            if measure not in MEASURES:
                raise ValueError(str(unknown_name("measure", measure, MEASURES)))
        for measure, texts in self.priors.items():
            if texts.baseline is not None:
                _check_baseline(measure, texts.baseline)
        return self

    def level_of(self, analysis: Analysis) -> float:
        """Return the level of an analysis' intervals: its own, else the review's."""
        return analysis.level or self.settings.level


def _check_baseline(measure: str, text: str) -> None:
    """Refuse a prior for the baseline that no likelihood of the measure takes."""
    from bayesmeta.model.likelihoods.registry import arm_level_likelihood, likelihood_for
    from bayesmeta.model.priors.baseline import check_baseline
    from bayesmeta.model.priors.parse import parse_prior

    arm_level = arm_level_likelihood(measure)
    try:
        check_baseline(parse_prior(text), likelihood_for(arm_level.name, measure).baseline if arm_level else "")
    except BayesmetaError as error:
        raise ValueError(f"[priors.{measure}] {error}") from None


def _leave_out_if_none(written: dict[str, Any], key: str) -> dict[str, Any]:
    """Leave a key without a value out, so that files of reviews without it stay as they were."""
    if written.get(key) is None:
        written.pop(key, None)
    return written


def read_review(path: str | os.PathLike[str]) -> tuple[Review, Path]:
    """Read and check a review.toml.

    Parameters
    ----------
    path : str or path
        The file, or the folder it stands in as ``review.toml``.

    Returns
    -------
    review : Review
    folder : pathlib.Path
        Against which the data files' names are taken.

    Raises
    ------
    SpecError
        If it is not there, is not TOML, says something unknown or out of range, or names a data file that does not exist.
    """
    path = Path(path)
    file = path / "review.toml" if path.is_dir() else path
    try:
        given = tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except FileNotFoundError:
        raise SpecError(f"{file}: no such file; give a review.toml or the folder that holds one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{file}: cannot be read as UTF-8 text: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SpecError(f"{file}: not valid TOML: {error}") from None
    try:
        _read_corpora(given, file.parent)
        review = Review.model_validate(given)
    except ValidationError as error:
        raise SpecError("\n".join(f"{file}: {_explain(item, given)}" for item in error.errors())) from None
    except BayesmetaError as error:
        raise SpecError(f"{file}: {error}") from None
    for analysis in review.analysis:
        if not (file.parent / analysis.data).is_file():
            raise SpecError(f"{file}: analysis {analysis.id}: there is no data file '{analysis.data}' in {file.parent}")
    return review, file.parent


def _read_corpora(given: dict[str, Any], folder: Path) -> None:
    """Put the numbers of every ``corpus:FILE`` in its place, so that the review says its priors wherever it is read."""
    priors, alternatives = given.get("priors"), given.get("alternative")
    tables = list(priors.items()) if isinstance(priors, dict) else []
    if isinstance(alternatives, list):
        tables += [(table.get("measure"), table) for table in alternatives if isinstance(table, dict)]
    for measure, table in tables:
        for key in ("tau", "tau2"):
            text = table.get(key) if isinstance(table, dict) and measure in MEASURES else None
            if isinstance(text, str) and text.strip().lower().startswith(CORPUS):
                table[key] = corpus_text(text.strip()[len(CORPUS) :].strip(), measure, folder)


def _explain(item: Any, given: dict[str, Any]) -> str:
    """Turn one of pydantic's complaints into a sentence with place, value and mend."""
    place = _place(item["loc"], given)
    if item["type"] == "extra_forbidden":
        key = str(item["loc"][-1])
        return f"{place}{unknown_name('key', key, _known_keys(item['loc'][:-1]))}"
    key = str(item["loc"][-1]) if item["loc"] else ""
    if item["type"] == "missing":
        return f"{place}the key '{key}' is missing"
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
    """Return the keys a table may have."""
    tables: dict[str, type[BaseModel]] = {
        "settings": Settings, "options": Options, "priors": PriorTexts, "alternative": AlternativePriors, "analysis": Analysis,
    }  # fmt: skip
    if not location:
        return list(Review.model_fields)
    if location[-1] == "published":
        return list(Published.model_fields)
    return list(tables[location[0]].model_fields)
