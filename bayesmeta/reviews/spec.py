"""Keys of a review.toml, read strictly: an unknown key is an error that names the nearest known one."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SerializerFunctionWrapHandler, ValidationError, model_serializer, model_validator

from bayesmeta.checks.cumulative import YEAR
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import BayesmetaError, DataError, SpecError, unknown_name
from bayesmeta.reviews.analysis_keys import ANALYSIS_ID, Analysis, Published
from bayesmeta.reviews.band_keys import BandKeys, check_bands, check_mid, check_thresholds, without_unused
from bayesmeta.reviews.categories_keys import Categories
from bayesmeta.reviews.file_names import toml_file
from bayesmeta.reviews.grade_keys import AbsoluteKeys, GradeKeys, RatingKeys
from bayesmeta.reviews.network_keys import Network
from bayesmeta.reviews.risk_of_bias_keys import AdjustKeys, RiskOfBiasKeys
from bayesmeta.reviews.settings import Options, Settings, Strict
from bayesmeta.reviews.spec_errors import explain
from bayesmeta.reviews.stated_priors import AlternativePriors, PriorTexts, check_stated_baseline, read_corpus_prior
from bayesmeta.reviews.synthesis_keys import StudyCharacteristics, Synthesis, shared
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.toml_files import read_toml

AnalysisOrSynthesis = Analysis | Synthesis
#: what a run fits
AnyAnalysis = Analysis | Synthesis | Network | Categories


#: keys of a network that an analysis has too
SHARED_WITH_NETWORKS = (
    "id", "measure", "data", "comparison", "time", "better", "level", "mid", "bands", "note"
)  # fmt: skip


class Review(Strict):
    """A review: what to fit, and how."""

    id: Annotated[str, Field(pattern=ANALYSIS_ID, max_length=60)] = Field(
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
    bands: dict[str, BandKeys] = Field(
        default={},
        description="Bands of effects by measure, in place of `[mid]`: `[bands.RR]` with `trivial = 0.9`, `small = 0.8` and "
        "`moderate = 0.6`. Results then have the posterior probability of every band, in benefit and in harm.",
    )
    alternative: tuple[AlternativePriors, ...] = Field(
        default=(), description="Sensitivity analyses with other priors."
    )
    studies: StudyCharacteristics | None = Field(
        default=None, description="The table of what is known of each study, for moderators and subgroups."
    )
    risk_of_bias: RiskOfBiasKeys | None = Field(
        default=None, description="Judgements of the risk of bias, for figures, tables and sensitivity analyses."
    )
    analysis: tuple[Analysis, ...] = Field(
        default=(), description="The meta-analyses to fit. A review has at least one of them, or one `[[network]]`."
    )
    synthesis: tuple[Synthesis, ...] = Field(default=(), description="Models that pool several of the analyses.")
    network: tuple[Network, ...] = Field(default=(), description="Network meta-analyses of several treatments.")
    categories: tuple[Categories, ...] = Field(default=(), description="Outcomes with several categories, each as one.")

    @model_serializer(mode="wrap")
    def _without_unused_tables(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        written: dict[str, Any] = handler(self)
        return without_unused(written, ("studies", "synthesis", "network", "categories", "bands", "risk_of_bias"))

    @model_validator(mode="after")
    def _consistent(self) -> Review:
        if not (self.analysis or self.network or self.categories):
            raise ValueError(
                "'analysis' is missing: a review has at least one [[analysis]], [[network]] or [[categories]]"
            )
        seen: set[str] = set()
        for analysis in self.every_analysis:
            if analysis.id.lower() in seen:
                raise ValueError(
                    f"analysis id '{analysis.id}' appears twice (ids name files, so upper and lower case count as the same)"
                )
            seen.add(analysis.id.lower())
        for synthesis in self.synthesis:
            try:
                first, *_ = synthesis.members(self.analysis)
                check_thresholds(first.measure, first.better, synthesis.mid, synthesis.bands)
            except (BayesmetaError, ValueError) as error:
                raise ValueError(f"synthesis {synthesis.id}: {error}") from None
        named = [*self.priors, *self.mid, *self.bands, *(alternative.measure for alternative in self.alternative)]
        for measure in named:
            if measure not in MEASURES:
                raise ValueError(str(unknown_name("measure", measure, MEASURES)))
        for measure, value in self.mid.items():
            check_mid(measure, value)
        check_bands(self.bands, self.mid)
        if self.risk_of_bias is not None and not self.risk_of_bias_data:
            raise ValueError(
                "[risk_of_bias] has no data: name the file with the judgements, or give [studies], whose columns they can be"
            )
        for measure, texts in self.priors.items():
            if texts.baseline is not None:
                check_stated_baseline(measure, texts.baseline)
        return self

    @property
    def every_analysis(self) -> tuple[AnyAnalysis, ...]:
        """What a run fits: the analyses, the syntheses, the networks, then the outcomes with categories."""
        return (*self.analysis, *self.synthesis, *self.network, *self.categories)

    def members(self, analysis: AnyAnalysis) -> tuple[Analysis, ...]:
        """Return the analyses whose estimates are pooled: those of a synthesis, or the analysis itself; none of other models."""
        if isinstance(analysis, Network | Categories):
            return ()
        return analysis.members(self.analysis) if isinstance(analysis, Synthesis) else (analysis,)

    def level_of(self, analysis: AnyAnalysis) -> float:
        """Return the level of an analysis' intervals: its own, else the review's."""
        return analysis.level or self.settings.level

    def alternatives_of(self, analysis: Analysis) -> tuple[AlternativePriors, ...]:
        """Return the alternative priors that apply to an analysis: of its measure and, if they name one, its comparison."""
        return tuple(
            one
            for one in self.alternative
            if one.measure == analysis.measure and one.comparison in (None, analysis.comparison)
        )

    def as_analysis(self, analysis: AnyAnalysis) -> Analysis:
        """Return an analysis, or a synthesis or network with the keys of an analysis, as tables and figures need them.

        The ``data`` of a synthesis is that of the first analysis that it pools.
        """
        if isinstance(analysis, Analysis):
            return analysis
        if isinstance(analysis, Network):
            keys = {name: getattr(analysis, name) for name in SHARED_WITH_NETWORKS}
            return Analysis(**keys, outcome=analysis.heading)
        if isinstance(analysis, Categories):
            return analysis.as_analysis()
        members = self.members(analysis)
        own = {
            name: getattr(analysis, name) for name in type(analysis).model_fields if name not in ("analyses", "select")
        }
        agreed = {
            name: getattr(analysis, name) or shared(getattr(member, name) for member in members)
            for name in ("comparison", "time")
        }
        return members[0].model_copy(
            update={
                "where": {},
                "exclude": {},
                "columns": {},
                "published": None,
                "estimates": None,
                "absolute": None,
                "grade": None,
                "data_level": None,
                **own,
                **agreed,
            }
        )

    @property
    def risk_of_bias_data(self) -> str:
        """The file of the judgements of the risk of bias: that of ``[risk_of_bias]``, else the table under ``[studies]``."""
        own = self.risk_of_bias.data if self.risk_of_bias else None
        return own or (self.studies.data if self.studies else "")

    def order_column(self, analysis: AnyAnalysis) -> str:
        """Return the column in whose order a cumulative meta-analysis adds independent studies; "" where none is wanted."""
        if not isinstance(analysis, Analysis) or analysis.nesting is not None:
            return ""
        stated = self.settings.cumulative if analysis.cumulative is None else analysis.cumulative
        return YEAR if stated is True else stated or ""

    def reads_characteristics(self, analysis: AnyAnalysis) -> bool:
        """Whether an analysis reads the table under ``[studies]``."""
        return self.studies is not None and (analysis.beyond_pairwise or bool(self.order_column(analysis)))

    def data_files(self, analysis: AnyAnalysis) -> tuple[str, ...]:
        """Return the tables that an analysis reads: of the analyses it pools, and of the studies if it is used."""
        if isinstance(analysis, Network | Categories):
            files = [analysis.data]
        else:
            files = [one.data for one in self.members(analysis)]
        if self.studies is not None and self.reads_characteristics(analysis):
            files.append(self.studies.data)
        if self.risk_of_bias is not None:
            files.append(self.risk_of_bias_data)
        return tuple(dict.fromkeys(files))


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
        given = read_toml(file)
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
        raise SpecError("\n".join(f"{file}: {explain(item, given, TABLES)}" for item in error.errors())) from None
    except BayesmetaError as error:
        raise SpecError(f"{file}: {error}") from None
    for what, data in [
        (f"{kind} {one.id}", one.data)
        for kind, entries in (
            ("analysis", review.analysis),
            ("network", review.network),
            ("categories", review.categories),
        )
        for one in entries
    ]:
        if not os.path.isfile(file.parent / data):
            raise SpecError(f"{file}: {what}: there is no data file '{data}' in {file.parent}")
    if review.studies is not None and not os.path.isfile(file.parent / review.studies.data):
        raise SpecError(f"{file}: [studies] there is no data file '{review.studies.data}' in {file.parent}")
    if review.risk_of_bias is not None and not os.path.isfile(file.parent / review.risk_of_bias_data):
        raise SpecError(f"{file}: [risk_of_bias] there is no data file '{review.risk_of_bias_data}' in {file.parent}")
    return review, file.parent


def _read_corpora(given: dict[str, Any], folder: Path) -> None:
    """Replace every ``corpus:FILE`` by the prior in the file, so that the review states its priors wherever it is read."""
    priors, alternatives = given.get("priors"), given.get("alternative")
    tables = list(priors.items()) if isinstance(priors, dict) else []
    if isinstance(alternatives, list):
        tables += [(str(table.get("measure")), table) for table in alternatives if isinstance(table, dict)]
    for kind in ("analysis", "network"):
        analyses = given.get(kind)
        if not isinstance(analyses, list):
            continue
        tables += [(str(one.get("measure")).upper(), one.get("priors")) for one in analyses if isinstance(one, dict)]
    for measure, table in tables:
        for key in ("tau", "tau2"):
            text = table.get(key) if isinstance(table, dict) and measure in MEASURES else None
            if isinstance(text, str):
                table[key] = read_corpus_prior(text, measure, folder)


#: tables of review.toml by their names in it, "" the file itself
TABLES: dict[str, type[Strict]] = {
    "": Review, "settings": Settings, "options": Options, "studies": StudyCharacteristics, "priors": PriorTexts, "bands": BandKeys,
    "risk_of_bias": RiskOfBiasKeys, "adjust": AdjustKeys,
    "absolute": AbsoluteKeys, "per_1000": BandKeys, "grade": GradeKeys, "rating": RatingKeys,
    "alternative": AlternativePriors, "analysis": Analysis, "published": Published, "synthesis": Synthesis,
    "network": Network, "categories": Categories,
}  # fmt: skip
