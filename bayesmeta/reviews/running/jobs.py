"""Number of worker processes of a run, and what they import; nothing is loaded here, so that they can be started before anything else."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from bayesmeta.errors import DataError
from bayesmeta.reviews.file_names import MANIFEST_FILE, toml_file
from bayesmeta.support.processes import prepare_processes
from bayesmeta.support.toml_files import read_toml

#: number of analyses below which starting processes takes more time than it saves
FEW_ANALYSES = 30
#: tables of review.toml that are each fitted
_FITTED = ("analysis", "synthesis", "network", "categories")
_FITS = (
    "bayesmeta.reviews.running.tasks", "pandas", "scipy.optimize", "bayesmeta.engines.arm_level.study_kernels",
    "bayesmeta.engines.arm_level.curve_kernels", "bayesmeta.engines.numerics.point_kernels",
)  # fmt: skip
_NESTED = ("formulaic", "bayesmeta.engines.normal.nested_kernels")
_DRAWS = ("arviz_stats",)
_FIGURES = ("bayesmeta.reviews.report.figure_list", "bayesmeta.reporting.figures.save")


def default_jobs(engines: Iterable[str]) -> int:
    """Return the default number of processes: one per core for quadrature, at most two with NUTS, whose chains use the cores too."""
    cores = (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()) or 1
    return cores if all(engine == "quadrature" for engine in engines) else min(cores, 2)


def modules_of_workers(*, figures: bool = False, nested: bool = False, draws: bool = False) -> tuple[str, ...]:
    """Return the modules that every worker of a run needs.

    Parameters
    ----------
    figures : bool
        Whether figures are drawn.
    nested : bool
        Whether there are analyses with moderators or dependent estimates.
    draws : bool
        Whether there are analyses whose results are draws, with quadrature too.
    """
    return (*_FITS, *(_NESTED if nested else ()), *(_DRAWS if draws else ()), *(_FIGURES if figures else ()))


def prepare_workers(review: Path, out: Path | None, jobs: int | None, *, figures: bool) -> None:
    """Begin to import what the workers of a run of one review need, while this process reads the review.

    Nothing is begun where no process but this one is likely to run analyses: with few of them, or after a run into the same folder.

    Parameters
    ----------
    review : pathlib.Path
        A review.toml or its folder; what is no review is reported when it is read.
    out : pathlib.Path, optional
        Folder to write into; default that of the review.
    jobs : int, optional
        Number of processes, if it was stated.
    figures : bool
        Whether figures are drawn.
    """
    try:
        content = read_toml(toml_file(review))
        count = sum(len(content.get(name, ())) for name in _FITTED)
        out = out or Path("outputs") / content["id"]
        engine = content.get("settings", {}).get("engine", "both")
    except (DataError, OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    jobs = jobs or (default_jobs([engine]) if count >= FEW_ANALYSES else 1)
    if jobs > 1 and count > 1 and not (out / MANIFEST_FILE).exists():
        nested = bool(content.get("synthesis") or any("moderators" in one for one in content.get("analysis", ())))
        prepare_processes(modules_of_workers(figures=figures, nested=nested, draws="categories" in content))
