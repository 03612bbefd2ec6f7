"""Run a review: read it strictly, run its analyses one by one, and write everything as it is finished."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bayesmeta.analysis import AnalysisResult, run_analysis
from bayesmeta.errors import BayesmetaError, SpecError, unknown_name
from bayesmeta.files import sha256, write_json
from bayesmeta.outputs import (
    MANIFEST_FILE,
    RESULTS_FILE,
    STUDIES_FILE,
    draw_analysis,
    finished_results,
    forget,
    save_result,
    save_review,
    write_frames,
    write_tables,
)
from bayesmeta.posterior import Posterior, versions
from bayesmeta.progress import Progress, Silent
from bayesmeta.review_spec import Analysis, Review, read_review


@dataclass(frozen=True)
class Run:
    """What a run did.

    Parameters
    ----------
    out : pathlib.Path
        Its folder.
    results : tuple of AnalysisResult
        Of the analyses that gave results, in the review's order.
    failed : dict
        Analysis id to what went wrong, for those that failed in whole or in part.
    seconds : float
        Wall time.
    """

    out: Path
    results: tuple[AnalysisResult, ...]
    failed: dict[str, str]
    seconds: float


def run_review(
    path: str | os.PathLike[str],
    out: str | os.PathLike[str] | None = None,
    *,
    engine: str | None = None,
    only: tuple[str, ...] = (),
    figures: bool = True,
    progress: Progress | None = None,
) -> Run:
    """Run every analysis of a review and write results, tables and figures.

    Parameters
    ----------
    path : str or path
        A review.toml, or the folder that holds one.
    out : str or path, optional
        Where to write; default ``outputs/<review id>``.
    engine : str, optional
        ``"both"``, ``"quadrature"`` or ``"nuts"``, in place of what the review says.
    only : tuple of str
        Ids of the analyses to run; default all.
    figures : bool
        Whether to draw.
    progress : Progress, optional
        Told about each analysis; default silent.

    Returns
    -------
    Run
        One failed analysis does not stop the others: see ``failed``.

    Raises
    ------
    SpecError
        If the review itself cannot be used; nothing is written then.
    """
    started = time.perf_counter()
    review, folder = read_review(path)
    review = _with_engine(review, engine)
    chosen = _chosen(review, only)
    target = Path(out) if out is not None else Path("outputs") / review.id
    progress = progress or Silent()
    save_review(target, review)
    results: list[AnalysisResult] = []
    failed: dict[str, str] = {}
    with progress.over(len(chosen), review.title):
        for analysis in chosen:
            progress.started(analysis.id, analysis.outcome)
            began = time.perf_counter()
            try:
                result = run_analysis(review, analysis, folder, _saver(target, review, analysis.id))
                save_result(target, result)
                results.append(result)
                problems = [*result.errors, *(_drawn(target, review, analysis, result) if figures else [])]
            except Exception as error:  # one analysis must not stop the others, whatever went wrong
                # what an earlier run found for this analysis no longer holds
                forget(target, analysis.id)
                problems = [_said(error)]
            problem = "; ".join(problems)
            if problem:
                failed[analysis.id] = problem
            progress.finished(analysis.id, problem, time.perf_counter() - began)
    # with the results an earlier run left, where only some analyses were asked for now
    there = finished_results(target, review)
    if there:
        write_frames(target, there)
        write_tables(target, review, there)
    else:
        for stale in [target / RESULTS_FILE, target / STUDIES_FILE, *(target / "tables").glob("*.*")]:
            stale.unlink(missing_ok=True)
    seconds = time.perf_counter() - started
    write_json(
        target / MANIFEST_FILE, _manifest(Path(path), review, folder, there, [result.id for result in results], failed)
    )
    return Run(target, tuple(results), failed, seconds)


def _said(error: Exception) -> str:
    """Say what went wrong; for what this package does not raise on purpose, with its type."""
    return str(error) if isinstance(error, BayesmetaError) else f"unexpected {type(error).__name__}: {error}"


def _drawn(target: Path, review: Review, analysis: Analysis, result: AnalysisResult) -> list[str]:
    """Draw an analysis; a figure that fails is a problem, and its numbers stay."""
    try:
        draw_analysis(target, review, analysis, result)
    except Exception as error:
        return [f"figure: {_said(error)}"]
    return []


def _with_engine(review: Review, engine: str | None) -> Review:
    if engine is None:
        return review
    if engine not in ("both", "quadrature", "nuts"):
        raise unknown_name("engine", engine, ("both", "quadrature", "nuts"))
    return review.model_copy(update={"settings": review.settings.model_copy(update={"engine": engine})})


def _chosen(review: Review, only: tuple[str, ...]) -> list[Analysis]:
    known = {analysis.id for analysis in review.analysis}
    for name in only:
        if name not in known:
            raise SpecError(f"the review has no analysis '{name}'; it has {', '.join(sorted(known))}")
    return [analysis for analysis in review.analysis if not only or analysis.id in only]


def _saver(out: Path, review: Review, analysis_id: str) -> Callable[[str, Posterior], None] | None:
    if not review.settings.save_fits:
        return None

    def save(name: str, posterior: Posterior) -> None:
        # a quadrature fit is solved again faster than it is read
        if posterior.engine == "nuts":
            posterior.save(out / "fits" / f"{analysis_id}_{name.replace(':', '-')}.nc")

    return save


def _manifest(
    path: Path,
    review: Review,
    folder: Path,
    results: list[AnalysisResult],
    run_now: list[str],
    failed: dict[str, str],
) -> dict[str, Any]:
    """Return what made these outputs: versions, seeds, settings, hashes of data, models and settings, priors as used."""
    from bayesmeta.models import available_models, model_folder

    file = path / "review.toml" if path.is_dir() else path
    data = sorted({analysis.data for analysis in review.analysis})
    return {
        "review": review.id,
        "title": review.title,
        "notice": review.notice,
        "versions": versions(),
        "settings": review.settings.model_dump(mode="json"),
        "seed": review.settings.seed,
        "sha256": {
            "review.toml": sha256(file),
            "settings": hashlib.sha256(review.model_dump_json().encode()).hexdigest(),
            "data": {name: sha256(folder / name) for name in data},
            "models": {name: sha256(model_folder() / f"{name}.py") for name in available_models()},
        },
        "analyses": {
            result.id: {"primary": result.primary, "priors": result.priors, "errors": result.errors}
            for result in results
        },
        "run_now": run_now,
        "failed": failed,
    }
