"""Plan of a run: which analyses have to be fitted or drawn, and why, by the ledger."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.reviews.categories_keys import Categories
from bayesmeta.reviews.documents.names import PICTURES
from bayesmeta.reviews.file_names import result_file
from bayesmeta.reviews.network_keys import Network
from bayesmeta.reviews.running.code_digest import code_digest, digest
from bayesmeta.reviews.running.fingerprints import combined, data_digest, file_digest, fingerprint, tables_digest
from bayesmeta.reviews.running.ledger import Ledger, analysis_entry, figures_entry
from bayesmeta.reviews.running.state import state_of
from bayesmeta.reviews.spec import AnyAnalysis, Review
from bayesmeta.reviews.stated_priors import PriorTexts, read_corpus_prior
from bayesmeta.reviews.synthesis_keys import Synthesis
from bayesmeta.support.versions import versions

ENGINES = ("both", "quadrature", "nuts")


@dataclass(frozen=True)
class Step:
    """One analysis of a run.

    Parameters
    ----------
    analysis : Analysis
        The analysis.
    why : str
        Why it has to be fitted; "" if its result is up to date.
    why_draw : str
        Why it has to be drawn; "" if its figures are up to date or none are wanted.
    made_from : dict
        What its result depends on.
    data : str
        Hash of its data files (``data_digest``); "" if one cannot be read.
    """

    analysis: AnyAnalysis
    why: str
    why_draw: str
    made_from: dict[str, str]
    data: str = ""


@dataclass(frozen=True)
class Choice:
    """Options of a run.

    Parameters
    ----------
    engine : str, optional
        ``"both"``, ``"quadrature"`` or ``"nuts"``, in place of the review's.
    only : tuple of str
        Ids of the analyses to run; empty: all.
    figures : bool
        Whether to draw figures.
    fresh : bool
        Whether to make everything again, also what is up to date.
    priors : tuple of (str, str)
        Names and texts, as in review.toml, in place of the review's for every measure.
    """

    engine: str | None = None
    only: tuple[str, ...] = ()
    figures: bool = True
    fresh: bool = False
    priors: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if self.engine is not None and self.engine not in ENGINES:
            raise unknown_name("engine", self.engine, ENGINES)


def with_engine(review: Review, engine: str | None) -> Review:
    """Return the review with another engine; with its own if ``engine`` is None."""
    if engine is None:
        return review
    return review.model_copy(update={"settings": review.settings.model_copy(update={"engine": engine})})


def apply_choice(review: Review, choice: Choice) -> Review:
    """Return the review with the engine and the priors of a choice."""
    return with_priors(with_engine(review, choice.engine), choice.priors)


def with_priors(review: Review, given: tuple[tuple[str, str], ...]) -> Review:
    """Return the review with other priors for all measures of its analyses.

    Parameters
    ----------
    review : Review
        The review.
    given : tuple of (str, str)
        Names (mu, tau, tau2) and texts; priors not named are unchanged. A ``corpus:FILE``, relative to the working directory, applies to
        the measures it contains.

    Raises
    ------
    SpecError
        For a prior that cannot be used, or a file that contains none of the review's measures.
    """
    if not given:
        return review
    priors, problems = dict(review.priors), []
    measures = sorted({one.measure for one in review.analysis} | {one.measure for one in review.network})
    for measure in measures:
        stated = priors[measure].given() if measure in priors else {}
        if {"tau", "tau2"} & dict(given).keys():
            stated = {name: text for name, text in stated.items() if name not in ("tau", "tau2")}
        try:
            texts = {name: read_corpus_prior(text, measure, Path()) for name, text in given}
        except SpecError as error:
            problems.append(error)
            continue
        try:
            priors[measure] = PriorTexts.model_validate({**stated, **texts})
        except ValidationError as error:
            raise SpecError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    if len(problems) == len(measures):
        raise problems[0]
    return review.model_copy(update={"priors": priors, **_without_own(review, dict(given).keys())})


def _without_own(review: Review, names: Collection[str]) -> dict[str, Any]:
    """Return the analyses and syntheses of a review without their own priors for what is given for all of them."""
    gone = {*names, *(("tau", "tau2") if {"tau", "tau2"} & set(names) else ()), *(("d",) if "mu" in names else ())}

    def cleaned(one: Any) -> Any:
        return one.model_copy(update={"priors": {name: text for name, text in one.priors.items() if name not in gone}})

    return {kind: tuple(map(cleaned, getattr(review, kind))) for kind in ("analysis", "synthesis", "network")}


def select_analyses(review: Review, only: tuple[str, ...]) -> list[AnyAnalysis]:
    """Return the analyses with these ids, all if there are none, in the order of the review.

    Raises
    ------
    SpecError
        If the review has no analysis of that id.
    """
    known = {analysis.id for analysis in review.every_analysis}
    for name in only:
        if name not in known:
            raise SpecError(f"the review has no analysis '{name}'; it has {', '.join(sorted(known))}")
    return [analysis for analysis in review.every_analysis if not only or analysis.id in only]


def plan(review: Review, folder: Path, out: Path, choice: Choice, ledger: Ledger | None = None) -> list[Step]:
    """Return for each selected analysis whether it has to be fitted and drawn, and why.

    Parameters
    ----------
    review : Review
        The review, with the engine to use.
    folder : pathlib.Path
        Folder of the data files.
    out : pathlib.Path
        Folder of the run; nothing is written.
    choice : Choice
        Options of the run.
    ledger : Ledger, optional
        Ledger of ``out``; read if it is not given.
    """
    ledger = Ledger(out) if ledger is None else ledger
    return [_step(review, analysis, folder, out, choice, ledger) for analysis in select_analyses(review, choice.only)]


def _step(review: Review, analysis: AnyAnalysis, folder: Path, out: Path, choice: Choice, ledger: Ledger) -> Step:
    data = data_digest(review, analysis, folder)
    made_from = fingerprint(review, analysis, folder, data)
    why = "a fresh run was requested" if choice.fresh else ledger.why_outdated(analysis_entry(analysis.id), made_from)
    if why == "new" and result_file(out, analysis.id).is_file():
        why = "no record of what its result was made from"
    draws = choice.figures and bool(review.settings.figures)
    why_draw = ""
    if draws and why:
        why_draw = "its result is made again"
    elif draws:
        why_draw = ledger.why_outdated(figures_entry(analysis.id), figures_made_from(review, analysis, ledger))
    return Step(analysis, why, why_draw, made_from, data)


def figures_made_from(review: Review, analysis: AnyAnalysis, ledger: Ledger) -> dict[str, str]:
    """Return hashes of what the figures of an analysis depend on: its result, as the ledger has it, the review, the code."""
    alone = single_analysis(review, analysis).model_dump(
        mode="json", exclude={"settings": {"tables", "documents", "report", "save_fits"}}
    )
    return {
        "result": digest(dict(ledger.get(analysis_entry(analysis.id)).files)),
        "review": digest([alone, review.settings.figure_formats(PICTURES[0])]),
        "version": digest([code_digest(shown=True), _version("matplotlib")]),
    }


def tables_made_from(review: Review, ledger: Ledger, finished: list[str]) -> dict[str, str]:
    """Return hashes of what the tables of a review depend on: the finished results, the review, the code."""
    results = [[name, dict(ledger.entries[analysis_entry(name)].files)] for name in finished]
    shown = review.model_dump(mode="json", exclude={"settings": {"figures", "documents", "report", "save_fits"}})
    known = versions()
    return {
        "results": digest([results, state_of(review, ledger).notice]),
        "review": digest(shown),
        "version": digest([code_digest(shown=True), known["pandas"], _version("pyarrow")]),
    }


def review_figures_made_from(review: Review, ledger: Ledger, finished: list[str]) -> dict[str, str]:
    """Return hashes of what the figures of a whole review depend on: the finished results, the review, the code."""
    made_from = tables_made_from(review, ledger, finished)
    formats = [review.settings.figures, review.settings.figure_formats(PICTURES[0])]
    return {**made_from, "version": digest([made_from["version"], _version("matplotlib"), formats])}


def report_made_from(review: Review, ledger: Ledger, finished: list[str]) -> dict[str, str]:
    """Return hashes of what the report of a review depends on: what its tables and its figures depend on."""
    made_from = tables_made_from(review, ledger, finished)
    return {**made_from, "version": digest([made_from["version"], _version("matplotlib")])}


def documents_made_from(review: Review, ledger: Ledger, finished: list[str]) -> dict[str, str]:
    """Return hashes of what the documents of a review depend on: what its tables and figures depend on, and which are wanted."""
    made_from = report_made_from(review, ledger, finished)
    wanted = [list(review.settings.documents), list(review.settings.figures)]
    versions = [made_from["version"], _version("python-docx"), _version("xlsxwriter")]
    return {**made_from, "review": digest([made_from["review"], wanted]), "version": digest(versions)}


def single_analysis(review: Review, analysis: AnyAnalysis) -> Review:
    """Return the review with only this analysis, as it is sent to a worker; a synthesis with the analyses that it pools."""
    only = {
        "synthesis": (analysis,) if isinstance(analysis, Synthesis) else (),
        "network": (analysis,) if isinstance(analysis, Network) else (),
        "categories": (analysis,) if isinstance(analysis, Categories) else (),
    }
    return review.model_copy(update={"analysis": review.members(analysis), **only})


@cache
def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)


def changed_data(review: Review, folder: Path, steps: Sequence[Step], ledger: Ledger) -> list[Step]:
    """Return the analyses whose result is not of the data as they are now, in ``folder``."""
    files: dict[str, str] = {}
    changed = []
    for step in steps:
        names = review.data_files(step.analysis)
        for name in names:
            files[name] = files.get(name, "") or file_digest(folder / name)
        content = combined({name: files[name] for name in names})
        entry = ledger.get(analysis_entry(step.analysis.id))
        known = entry.made_from.get("data")
        same = content == entry.data or known == tables_digest(review, step.analysis, folder, content)
        if entry.files and not same:
            changed.append(step)
    return changed
