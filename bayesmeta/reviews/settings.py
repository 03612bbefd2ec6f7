"""The tables ``[settings]`` and ``[options]`` of review.toml."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError, unknown_name
from bayesmeta.reporting.figures.formats import FIGURE_FORMATS, FOREST_LAYOUTS, default_figure_formats
from bayesmeta.reporting.tables.formats import TABLE_FORMATS
from bayesmeta.reviews.documents.names import DOCUMENTS, PICTURES
from bayesmeta.support.arguments import SEEDS, check_level


class Strict(BaseModel):
    """Base of every table of review.toml: an unknown key is an error, and values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _level(value: float) -> float:
    try:
        check_level(value)
    except BayesmetaError as error:
        raise ValueError(str(error)) from None
    return value


#: a level of intervals
Level = Annotated[float, Field(gt=0, lt=1), AfterValidator(_level)]


def _known(kind: str, names: tuple[str, ...], known: Collection[str]) -> tuple[str, ...]:
    for name in names:
        if name not in known:
            raise ValueError(str(unknown_name(kind, name, known)))
    return names


class Options(Strict):
    """How effects are computed: see ``bayesmeta.effect_sizes``."""

    zero_cells: str = Field(
        default="revman",
        description="What is added to studies with an empty cell before an effect is computed: "
        '`"revman"`, `"metafor"`, `"metafor_drop00"`, `"all"` or `"none"`.',
    )
    smd: str = Field(
        default="exact",
        description='Formula of the standardized mean difference: `"exact"` (Hedges\' g as in metafor) or `"revman"`.',
    )
    rom: str = Field(
        default="classical",
        description='Formula of the ratio of means: `"classical"`, or `"corrected"` for the bias of small samples.',
    )
    estimates: str | None = Field(
        default=None,
        description='How ready-made ratios are written in the data: `"log"` (their logarithms) or `"natural"`; by default natural '
        "in a column called HR, OR, RR, IRR or ROM, else their logarithms.",
    )
    data_level: Level = Field(
        default=0.95, description="Confidence level of the intervals of ready-made estimates in the data."
    )

    @model_validator(mode="before")
    @classmethod
    def _estimates_by_their_former_name(cls, given: Any) -> Any:
        # files of reviews written for earlier versions, and the review.json of their runs, say scale
        if not isinstance(given, dict) or "scale" not in given:
            return given
        if "estimates" in given:
            raise ValueError("'scale' is the former name of 'estimates'; keep 'estimates' only")
        return {("estimates" if name == "scale" else name): value for name, value in given.items()}

    @model_validator(mode="after")
    def _known(self) -> Options:
        from bayesmeta.effects.zero_cells import ZERO_CELL_RULES

        for kind, name, known in (
            ("zero-cell rule", self.zero_cells, tuple(ZERO_CELL_RULES)),
            ("smd formula", self.smd, tuple(MEASURES["SMD"].formulas)),
            ("rom formula", self.rom, tuple(MEASURES["ROM"].formulas)),
            ("scale of estimates", self.estimates or "log", ("log", "natural")),
        ):
            if name not in known:
                raise ValueError(str(unknown_name(kind, name, known)))
        return self


class Settings(Strict):
    """Engines, likelihoods and what is written."""

    engine: Literal["both", "quadrature", "nuts"] = Field(
        default="both",
        description="Engine of the Bayesian fits: quadrature, NUTS, or both with a comparison of the two.",
    )
    likelihoods: tuple[Literal["normal", "arm-level"], ...] = Field(
        default=("normal", "arm-level"),
        description="Likelihoods to fit. Arm-level means binomial for RR and OR, Poisson for IRR and noncentral t for SMD.",
    )
    level: Level = Field(default=0.95, description="Level of all intervals.")
    seed: Annotated[int, Field(ge=0, lt=SEEDS)] = Field(default=1, description="Seed of the samplers.")
    tables: tuple[str, ...] = Field(
        default=tuple(TABLE_FORMATS),
        description=f"File formats of the tables: any of {', '.join(f'`"{name}"`' for name in TABLE_FORMATS)}.",
    )
    figures: tuple[str, ...] = Field(
        default=default_figure_formats(),
        description=f"File formats of the figures: any of {', '.join(f'`"{name}"`' for name in FIGURE_FORMATS)}. Those that a manuscript "
        "shows are PNG too, where one is written. `bayesmeta figures OUT --formats png` writes all of a finished run.",
    )
    cumulative: bool | str = Field(
        default=False,
        description="Whether each analysis pools its studies again after each one, in the order of their years (`true`) or of a column "
        '(`"date"`); an analysis can say otherwise.',
    )
    checks: bool | Literal["all"] = Field(
        default=True,
        description='Whether the fits that are shown are checked: fitted without each study in turn, and by predictive checks; `"all"`: '
        "models with moderators of dependent estimates, too, which take longer.",
    )
    report: bool = Field(
        default=True,
        description="Whether a page with all tables and figures and an explorer, `report.html`, is written.",
    )
    figure_width: Annotated[float, Field(ge=84, le=350)] | None = Field(
        default=None,
        description="Width of figures in millimetres, 84 to 350: journals ask for 85, 114 or 174. Forest plots are as wide; what has no "
        "place in them is left out, and a note says so. Other figures are at most as wide, unless they need more. By default as they need.",
    )
    figure_layout: str = Field(
        default="default",
        description=f"Layout of forest plots: any of {', '.join(f'`"{name}"`' for name in FOREST_LAYOUTS)}.",
    )
    documents: tuple[str, ...] = Field(
        default=tuple(DOCUMENTS),
        description=f"Documents for a paper: any of {'; '.join(f'`"{name}"`, {what}' for name, what in DOCUMENTS.items())}.",
    )
    save_fits: bool = Field(
        default=True, description="Whether NUTS posteriors are kept in the folder `fits`, as netCDF."
    )

    @property
    def figure_inches(self) -> float | None:
        """Width of figures in inches; None: what they need."""
        return None if self.figure_width is None else self.figure_width / 25.4

    def figure_formats(self, file: str) -> tuple[str, ...]:
        """Return the formats of a figure by the name of its file: those of ``figures``, and PNG if a manuscript shows it."""
        if self.figures and "manuscript" in self.documents and file.startswith(PICTURES):
            return tuple(dict.fromkeys((*self.figures, "png")))
        return self.figures

    @field_validator("figures")
    @classmethod
    def _known_figure_formats(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _known("figure format", names, FIGURE_FORMATS)

    @field_validator("figure_layout")
    @classmethod
    def _known_layout(cls, name: str) -> str:
        return _known("layout of forest plots", (name,), FOREST_LAYOUTS)[0]

    @field_validator("documents")
    @classmethod
    def _known_documents(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _known("document", names, DOCUMENTS)

    @field_validator("tables")
    @classmethod
    def _known_table_formats(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return _known("table format", names, TABLE_FORMATS)


def leave_out_if_none(written: dict[str, Any], key: str) -> dict[str, Any]:
    """Leave a key without a value out, so that files of reviews without it stay as they were."""
    if written.get(key) is None:
        written.pop(key, None)
    return written
