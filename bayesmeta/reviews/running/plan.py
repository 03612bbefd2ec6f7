"""What a run has to do and why: each analysis against what the ledger says its result was made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.empirical import CORPUS, corpus_text
from bayesmeta.reviews.folder import result_file
from bayesmeta.reviews.running.code_digest import code_digest, digest
from bayesmeta.reviews.running.fingerprints import fingerprint
from bayesmeta.reviews.running.ledger import Ledger
from bayesmeta.reviews.spec import Analysis, PriorTexts, Review
from bayesmeta.support.versions import versions

ENGINES = ("both", "quadrature", "nuts")


@dataclass(frozen=True)
class Step:
    """One analysis of a run.

    Parameters
    ----------
    analysis : Analysis
    why : str
        Why it is to be fitted; "" if its result is up to date.
    why_draw : str
        Why it is to be drawn; "" if its figures are up to date or none are wanted.
    made_from : dict
        What its result depends on.
    """

    analysis: Analysis
    why: str
    why_draw: str
    made_from: dict[str, str]


@dataclass(frozen=True)
class Choice:
    """What is asked of a run.

    Parameters
    ----------
    engine : str, optional
        ``"both"``, ``"quadrature"`` or ``"nuts"``, in place of what the review says.
    only : tuple of str
        Ids of the analyses to run; empty: all.
    figures : bool
        Whether to draw.
    fresh : bool
        Whether to make everything again, up to date or not.
    priors : tuple of (str, str)
        Names and texts, as in review.toml, in place of what the review says for any measure.
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
    """Return the review with another engine, where one is given."""
    if engine is None:
        return review
    return review.model_copy(update={"settings": review.settings.model_copy(update={"engine": engine})})


def as_chosen(review: Review, choice: Choice) -> Review:
    """Return the review with the engine and the priors that are asked for."""
    return with_priors(with_engine(review, choice.engine), choice.priors)


def with_priors(review: Review, given: tuple[tuple[str, str], ...]) -> Review:
    """Return the review with other priors for all measures of its analyses.

    Parameters
    ----------
    review : Review
    given : tuple of (str, str)
        Names (mu, tau, tau2) and texts; those not named stay. A ``corpus:FILE``, from where the program runs, serves the measures it has.

    Raises
    ------
    SpecError
        For a prior that cannot be used, or a file that has none of the review's measures.
    """
    if not given:
        return review
    priors, problems = dict(review.priors), []
    measures = sorted({analysis.measure for analysis in review.analysis})
    for measure in measures:
        stated = priors[measure].given() if measure in priors else {}
        if {"tau", "tau2"} & dict(given).keys():
            stated = {name: text for name, text in stated.items() if name not in ("tau", "tau2")}
        try:
            texts = {
                name: corpus_text(text[len(CORPUS) :], measure, Path()) if text.startswith(CORPUS) else text
                for name, text in given
            }
        except SpecError as error:
            problems.append(error)
            continue
        try:
            priors[measure] = PriorTexts.model_validate({**stated, **texts})
        except ValidationError as error:
            raise SpecError(error.errors()[0]["msg"].removeprefix("Value error, ")) from None
    if len(problems) == len(measures):
        raise problems[0]
    return review.model_copy(update={"priors": priors})


def chosen_analyses(review: Review, only: tuple[str, ...]) -> list[Analysis]:
    """Return the analyses asked for, in the review's order.

    Raises
    ------
    SpecError
        If the review has none of that name.
    """
    known = {analysis.id for analysis in review.analysis}
    for name in only:
        if name not in known:
            raise SpecError(f"the review has no analysis '{name}'; it has {', '.join(sorted(known))}")
    return [analysis for analysis in review.analysis if not only or analysis.id in only]


def plan(review: Review, folder: Path, out: Path, choice: Choice, ledger: Ledger | None = None) -> list[Step]:
    """Say for each analysis asked for whether it has to be fitted and drawn, and why.

    Parameters
    ----------
    review : Review
        With the engine to use.
    folder : pathlib.Path
        Of the data files.
    out : pathlib.Path
        Of the run; nothing is written.
    choice : Choice
    ledger : Ledger, optional
        That of ``out``.
    """
    ledger = Ledger(out) if ledger is None else ledger
    return [_step(review, analysis, folder, out, choice, ledger) for analysis in chosen_analyses(review, choice.only)]


def _step(review: Review, analysis: Analysis, folder: Path, out: Path, choice: Choice, ledger: Ledger) -> Step:
    made_from = fingerprint(review, analysis, folder)
    name = f"analysis {analysis.id}"
    why = "asked for afresh" if choice.fresh else ledger.why_not(name, made_from)
    if why == "new" and result_file(out, analysis.id).is_file():
        why = "no record of what its result was made from"
    draws = choice.figures and bool(review.settings.figures)
    why_draw = ""
    if draws and why:
        why_draw = "its result is made anew"
    elif draws:
        why_draw = ledger.why_not(f"figures {analysis.id}", figures_made_from(review, analysis, ledger))
    return Step(analysis, why, why_draw, made_from)


def figures_made_from(review: Review, analysis: Analysis, ledger: Ledger) -> dict[str, str]:
    """Return what the figures of an analysis depend on: its result as the ledger has it, what is said beside it, the code."""
    alone = alone_in(review, analysis).model_dump(mode="json", exclude={"settings": {"tables", "save_fits"}})
    entry = ledger.entries.get(f"analysis {analysis.id}")
    return {
        "result": digest(dict(entry.files) if entry else {}),
        "review": digest(alone),
        "version": digest([code_digest(shown=True), _version("matplotlib")]),
    }


def tables_made_from(review: Review, ledger: Ledger, there: list[str]) -> dict[str, str]:
    """Return what the tables of a review depend on: the results that are there, the review, the code."""
    results = [[name, dict(ledger.entries[f"analysis {name}"].files)] for name in there]
    shown = review.model_dump(mode="json", exclude={"settings": {"figures", "save_fits"}})
    known = versions()
    return {
        "results": digest(results),
        "review": digest(shown),
        "version": digest([code_digest(shown=True), known["pandas"], _version("pyarrow")]),
    }


def alone_in(review: Review, analysis: Analysis) -> Review:
    """Return the review with just this analysis: what a worker is sent."""
    return review.model_copy(update={"analysis": (analysis,)})


def _version(package: str) -> str:
    from importlib.metadata import version

    return version(package)
