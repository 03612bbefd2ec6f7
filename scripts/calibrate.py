"""Calibrate both engines and every interval by simulation: ``python scripts/calibrate.py --replicates 2000 --jobs 2``.

Every cell of the grid and every hundred ranks are a file under ``<out>/parts``; a run that was stopped continues with the
missing ones. Tables and figures are made from the parts that the arguments name.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter

import pandas as pd

from bayesmeta.calibration.categories import CATEGORICAL
from bayesmeta.calibration.coverage import grid_cells, rare_cells
from bayesmeta.calibration.figures import STYLES, coverage_figure, rank_figure, rare_figure
from bayesmeta.calibration.linear import LINEAR
from bayesmeta.calibration.ranks import EXPERIMENTS, calibratable, rank_table
from bayesmeta.calibration.run import coverage_tasks, rank_tasks, read_ranks, read_tasks, run_tasks
from bayesmeta.calibration.tables import coverage_report, rank_report
from bayesmeta.reporting.figures.save import save
from bayesmeta.support.files import write_text

ENGINES = ("quadrature", "nuts")
RARE_METHODS = (
    "CE",
    "DL",
    "REML",
    "REML HKSJ guarded",
    "Bayes normal",
    "MH",
    "Peto (OR)",
    "Bayes binomial",
    "Bayes binomial, flatter",
)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--replicates", type=int, default=200, help="reviews per cell (default 200; 2000 for publication)"
    )
    parser.add_argument(
        "--arm-level", type=int, default=200, help="how many of them the binomial model fits (default 200)"
    )
    parser.add_argument("--ranks", type=int, default=1000, help="reviews for the ranks by quadrature (default 1000)")
    parser.add_argument(
        "--nuts", type=int, default=0, help="reviews for the ranks by NUTS (default none; 300 take minutes)"
    )
    parts = ("grid", "rare", "ranks", "linear", "categories")
    parser.add_argument(
        "--parts",
        nargs="+",
        choices=parts,
        default=parts,
        help="linear: ranks of regressions and of the three-level model; categories: of outcomes with several categories, by NUTS",
    )
    parser.add_argument("--jobs", type=int, default=1, help="processes (default 1)")
    parser.add_argument("--seed", type=int, default=1, help="seed of all random numbers (default 1)")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("outputs/calibration"),
        help="folder of the results (default outputs/calibration)",
    )
    return parser.parse_args()


def make(tasks: list, jobs: int) -> list:
    """Write the parts, and print a line for each."""
    started = perf_counter()
    for done, (task, seconds) in enumerate(run_tasks(tasks, jobs=jobs), 1):
        took = f"{seconds:.1f} s" if seconds else "already there"
        print(f"[{done}/{len(tasks)}] {task.path.name}: {took} ({perf_counter() - started:.0f} s in all)", flush=True)
    return tasks


def coverage(given: argparse.Namespace) -> None:
    """Make the coverage study's table and figures."""
    binomial = calibratable("binomial", "quadrature")
    arm_level = min(given.arm_level, given.replicates) if binomial else 0
    cells = {"grid": grid_cells(), "rare": rare_cells()}
    frames = {}
    for part in ("grid", "rare"):
        if part in given.parts:
            tasks = coverage_tasks(
                cells[part], given.out / "parts", replicates=given.replicates, arm_level=arm_level, seed=given.seed
            )
            frames[part] = read_tasks(make(tasks, given.jobs))
    for part, frame in frames.items():
        write_text(given.out / f"coverage_{part}.csv", frame.to_csv(index=False, float_format="%.5g"))
        write_text(given.out / f"coverage_{part}.md", coverage_report(frame))
    if "grid" in frames:
        save(
            coverage_figure(frames["grid"], "Coverage of the 95% interval of the mean effect"),
            given.out / "coverage",
            ("png",),
        )
        title = "Content of the 95% prediction interval"
        methods = [name for name in STYLES if name != "MH"]
        save(
            coverage_figure(frames["grid"], title, quantity="prediction", methods=methods),
            given.out / "prediction",
            ("png",),
        )
    if "rare" in frames:
        title = "40 trials with control risks of 0.2% to 1%, true risk ratio 1.35"
        save(rare_figure(frames["rare"], title, methods=RARE_METHODS), given.out / "rare_events", ("png",))


def ranks(given: argparse.Namespace, experiments: Sequence[str], name: str, engines: Sequence[str] = ENGINES) -> None:
    """Make the table and figures of the ranks of these experiments; ``name`` is that of the table."""
    found = {}
    for experiment in experiments:
        for engine in engines:
            reviews = given.ranks if engine == "quadrature" else given.nuts
            if not reviews or not calibratable(experiment, engine):
                continue
            tasks = rank_tasks(experiment, engine, given.out / "parts", reviews=reviews, seed=given.seed)
            # NUTS itself runs chains in parallel
            found[f"{experiment}/{engine}"] = read_ranks(make(tasks, given.jobs if engine == "quadrature" else 1))
    for title, terms in found.items():
        experiment, engine = title.split("/")
        model = f"{experiment} likelihood" if experiment in EXPERIMENTS else experiment.replace("_", " ")
        heading = f"Ranks of the truth, {model}, {engine if engine == 'quadrature' else engine.upper()}"
        save(rank_figure(terms, heading, seed=given.seed), given.out / f"ranks_{experiment}_{engine}", ("png",))
    table = pd.DataFrame(rank_table(found, given.seed))
    write_text(given.out / f"{name}.csv", table.to_csv(index=False, float_format="%.5g"))
    write_text(given.out / f"{name}.md", rank_report(table))


def main() -> None:
    """Run the parts that the command line names."""
    given = arguments()
    # the processes use all cores, so threads within them would only compete
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    if {"grid", "rare"} & set(given.parts):
        coverage(given)
    if "ranks" in given.parts:
        ranks(given, ("normal", "binomial"), "ranks")
    if "linear" in given.parts:
        ranks(given, tuple(LINEAR), "ranks_linear")
    if "categories" in given.parts and given.nuts:
        ranks(given, tuple(CATEGORICAL), "ranks_categories", ("nuts",))
    print(f"written to {given.out}")


if __name__ == "__main__":
    main()
