"""Time what a user waits for, beside its target: ``python scripts/benchmark.py [--nuts] [--pip] [--repeats 20] [--only text]``.

``--profile`` prints instead the functions that take most of the time of the throughput rows, each on one core.
"""

import argparse
import cProfile
import json
import os
import pstats
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, process_time

import numpy as np

import bayesmeta as bm
from bayesmeta.calibration.simulate import Trials, cochrane_sizes, draw_effects, draw_trials
from bayesmeta.effects.effects import effects_from_arrays
from bayesmeta.engines.arm_level import study_table
from bayesmeta.posterior.fit_many import fit_many
from bayesmeta.posterior.refit import leave_each_out

REVIEWS = Path(__file__).resolve().parent.parent / "reviews"
#: published data sets that tests use too, with their sources
PUBLISHED = REVIEWS.parent / "tests" / "reference" / "exact_linear_models.json"
Row = tuple[str, str, int, Callable[[], object]]


def command(*arguments: str) -> None:
    """Run Python with these arguments in a new process."""
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


#: milliseconds that R's metafor takes for the same on a comparable machine: rma with test="knha", and rma.mv
METAFOR = {
    "regression REML, Knapp-Hartung, 3 coefficients, X": 6.9,
    "multilevel REML, three levels, 100 estimates": 37.0,
}


def moderated(effects: bm.Effects, many: int) -> Iterator[Row]:
    """Yield the measurements of regression and of evidence for moderators."""
    formula = "~ latitude + year"
    x = bm.regression(effects, moderators=formula).matrix.x

    def fitted(moderators: object) -> object:
        return bm.regression(effects, moderators=moderators, ci="hksj").estimates

    yield "regression REML, Knapp-Hartung, 3 coefficients, X", "< 1 ms", many, lambda: fitted(x)
    yield "regression REML, Knapp-Hartung, 3 coefficients, formula", "< 3 ms", many, lambda: fitted(formula)

    def exact() -> bm.Posterior:
        return bm.fit(effects, likelihood="normal", moderators=formula)

    yield "exact regression and summary, 3 coefficients", "< 10 ms", many, lambda: bm.summarize(exact())
    studies, few = bm.read_studies(REVIEWS / "bcg" / "studies.csv"), max(many // 20, 3)

    def counts(measure: str) -> bm.Posterior:
        return bm.fit(studies, measure=measure, likelihood="binomial", moderators="~ latitude")

    def summarized(measure: str) -> object:
        return bm.summarize(counts(measure))

    def drawn(measure: str) -> object:
        return counts(measure).draws

    for measure in ("OR", "RR"):
        yield f"exact binomial regression and summary, {measure}", "< 2 s", few, partial(summarized, measure)
        yield f"the same and its draws, {measure}", "< 4 s", few, partial(drawn, measure)
    yield "evidence for two moderators, 16 models averaged", "< 60 ms", many, averaged()


def averaged() -> Callable[[], object]:
    """Return the average of 16 models of the 36 estimates of Andrews et al. (2021, Dev Rev 61:100977), with two moderators."""
    data = json.loads(PUBLISHED.read_text(encoding="utf-8"))["andrews2021"]
    columns = {name: data[name] for name in ("measure", "age")}
    priors = {
        "Intercept": "Normal(0, 0.5)",
        "measure": "Normal(0, 0.125)",
        "age": "Normal(0, 0.125)",
        "tau": "InvGamma(1, 0.075)",
    }
    fit = bm.fit(yi=data["yi"], vi=data["vi"], data=columns, moderators="~ measure + age", priors=priors, measure="SMD")
    return lambda: bm.moderator_evidence(fit)


def dependent(many: int) -> Iterator[Row]:
    """Yield the measurements of three levels."""
    generator = np.random.default_rng(1)
    study, v = np.repeat(np.arange(25), 4), generator.uniform(0.02, 0.2, 100)
    y = 0.3 + 0.2 * generator.normal(size=25)[study] + np.sqrt(v + 0.02) * generator.normal(size=100)

    def levels() -> object:
        return bm.multilevel(yi=y, vi=v, data={"study": study}, nesting="study/estimate")

    def exact_levels() -> object:
        fit = bm.fit(yi=y, vi=v, data={"study": study}, nesting="study/estimate", measure="SMD")
        return bm.summarize(fit, studies=False)

    yield "multilevel REML, three levels, 100 estimates", "< 15 ms", many, levels
    yield "exact three levels and summary, 100 estimates", "< 60 ms", many, exact_levels


def rows(repeats: int, nuts: bool, pip: bool, out: str) -> Iterator[Row]:
    """Yield the measurements: name, target, repeats, and the call to time."""
    studies = bm.read_studies(REVIEWS / "bcg" / "studies.csv")
    effects = bm.effect_sizes(studies, "RR")
    many, few = max(10 * repeats, 3), max(repeats // 4, 3)

    def exact() -> bm.Posterior:
        return bm.fit(effects, likelihood="normal", engine="quadrature")

    yield "effect_sizes, 13 risk ratios", "< 1 ms", many, lambda: bm.effect_sizes(studies, "RR")
    for method, target in (("DL", "< 0.3 ms"), ("PM", "< 1 ms"), ("REML", "< 1 ms")):
        call = lambda method=method: bm.random_effects(effects, method=method)  # noqa: E731
        yield f"random_effects {method}, all statistics, 13 studies", target, many, call
    yield from moderated(effects, many)
    yield from dependent(many)
    yield "quadrature fit, 13 studies", "< 5 ms", many, exact
    yield "quadrature fit and summary, 13 studies", "< 5 ms", many, lambda: bm.summarize(exact())
    plain = effects_from_arrays(effects.yi, vi=effects.vi, measure="RR")
    yield "compare, every method, 13 estimates", "< 100 ms", repeats, lambda: bm.compare(plain)
    yield "compare, every method, 13 trials of counts", "< 300 ms", repeats, lambda: bm.compare(effects)

    def counts() -> bm.Posterior:
        study_table.clear_tables()
        return bm.fit(effects, likelihood="binomial", engine="quadrature")

    yield "binomial quadrature fit, 13 trials", "< 100 ms", repeats, counts
    for name, target, work in checks(counts()):
        yield name, target, few, work
    for name, target, work in throughput():
        yield name, target, 1, work
    if nuts:
        yield "NUTS fit, binomial, 13 studies, compiled before", "< 5 s", 3, lambda: bm.fit(effects, engine="nuts")
    yield "import bayesmeta (new process)", "< 0.5 s", few, lambda: command("-c", "import bayesmeta")
    yield "bayesmeta --help (new process)", "< 1 s", few, lambda: command("-m", "bayesmeta", "--help")
    review = str(REVIEWS / "pip")
    exactly = ("--engine", "quadrature", "--no-figures", "--fresh")
    yield (
        "PIP, 34 analyses, quadrature, no figures",
        "< 10 s",
        3,
        lambda: bm.run_review(review, out, engine="quadrature", figures=False, fresh=True),
    )
    yield "the same (new process)", "< 10 s", 1, lambda: command("-m", "bayesmeta", "run", review, "-o", out, *exactly)
    if pip:
        both = ("--engine", "both", "--fresh")
        yield (
            "PIP, both engines, figures (new process)",
            "< 120 s",
            1,
            lambda: command("-m", "bayesmeta", "run", review, "-o", out, *both),
        )


def checks(posterior: bm.Posterior) -> list[tuple[str, str, Callable[[], object]]]:
    """List the rows of the checks of a fit to counts, each on its own, and all as ``bayesmeta check`` makes them."""

    def fresh() -> bm.Posterior:
        # draws and tabulated densities are kept by a posterior and its solution, and must be made again
        return bm.fit(bm.effect_sizes(bm.read_studies(REVIEWS / "bcg" / "studies.csv"), "RR"), engine="quadrature")

    def together() -> None:
        one, without = fresh(), leave_each_out(posterior)
        for check in (bm.influence, bm.leave_one_out, bm.predictive_checks):
            check(one, without=without)
        for other in (bm.prior_sensitivity, bm.baseline_sensitivity, bm.power_scaling):
            other(one)
        _ = one.draws

    return [
        ("predictive_checks, 13 trials of counts", "< 1 s", lambda: bm.predictive_checks(fresh())),
        ("leave_one_out with PSIS", "< 0.5 s", lambda: bm.leave_one_out(fresh())),
        ("influence", "< 0.5 s", lambda: bm.influence(fresh())),
        ("prior_sensitivity", "< 0.5 s", lambda: bm.prior_sensitivity(fresh())),
        ("power_scaling", "< 0.5 s", lambda: bm.power_scaling(fresh())),
        ("post.draws", "< 1 s", lambda: fresh().draws),
        ("all of them and baseline_sensitivity together", "< 2 s", together),
    ]


def throughput() -> list[tuple[str, str, Callable[[], object]]]:
    """List the throughput rows: mean, sd and three quantiles of mu and tau, and the prediction interval, of simulated reviews."""
    rng = np.random.default_rng(1)
    mus, taus = rng.normal(0.0, 0.5, 10_000), np.abs(rng.normal(0.0, 0.3, 10_000))
    reviews = [
        draw_effects(mu, tau, np.exp(rng.normal(-1.0, 0.5, k)), rng).studies.columns
        for mu, tau, k in zip(mus, taus, cochrane_sizes(10_000, rng), strict=True)
    ]
    pairs = [(review["yi"], review["sei"] ** 2) for review in reviews]
    risks = ((0.002, 0.02), (0.05, 0.5))
    counts = [
        draw_trials(mu, tau, Trials(int(k), risks[i % 2], (20, 1000)), rng).studies
        for i, (mu, tau, k) in enumerate(zip(mus[:1000], taus, cochrane_sizes(1000, rng), strict=False))
    ]
    cores = os.cpu_count() or 1
    return [
        ("10,000 normal reviews, k median 4", "< 10 s", lambda: fit_many(pairs, measure="RR")),
        (
            "1,000 binomial reviews, k median 4",
            "< 30 s",
            lambda: fit_many(counts, measure="RR", likelihood="binomial"),
        ),
        (
            "the same, all cores",
            "< 30 s",
            lambda: fit_many(counts, measure="RR", likelihood="binomial", jobs=cores),
        ),
    ]


def profile(lines: int = 15) -> None:
    """Print the functions with the most own time in the throughput rows."""
    for name, _, call in throughput()[:2]:
        call()
        profiler = cProfile.Profile()
        profiler.runcall(call)
        found = pstats.Stats(profiler)
        print(f"{name}: {found.total_tt:.2f} s under the profiler, {found.total_calls:,} calls")  # type: ignore[attr-defined]
        print(f"{'own time':>10} {'with calls':>11} {'calls':>9}  function")
        busiest = sorted(found.stats.items(), key=lambda item: -item[1][2])  # type: ignore[attr-defined]
        for (file, line, function), (_, calls, own, total, _) in busiest[:lines]:
            place = f"{Path(file).name}:{line} {function}" if line else function
            print(f"{own:8.2f} s {total:9.2f} s {calls:9,}  {place}")
        print()


def seconds(repeats: int, call: Callable[[], object]) -> tuple[float, float, float]:
    """Return the median and least time of a call and its least processor time, in seconds; if it is repeated, a first call is not counted.

    On a machine that does other work too, the processor time is what tells.
    """
    times, processor = [], []
    for _ in range(repeats + (repeats > 1)):
        started, used = perf_counter(), process_time()
        call()
        times.append(perf_counter() - started)
        processor.append(process_time() - used)
    first = 1 if repeats > 1 else 0
    return median(times[first:]), min(times[first:]), min(processor[first:])


def format_time(took: float) -> str:
    """Format a time in seconds or milliseconds."""
    return f"{took:.2f} s" if took >= 0.1 else f"{1000 * took:.3g} ms"


def main() -> None:
    """Print one line per measurement as soon as it is made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nuts", action="store_true", help="also sample with NUTS")
    parser.add_argument("--pip", action="store_true", help="also run the PIP review with both engines")
    parser.add_argument(
        "--repeats", type=int, default=20, help="repeats of a measurement (default 20); more are steadier"
    )
    parser.add_argument(
        "--profile", action="store_true", help="print where the throughput rows spend their time, and nothing else"
    )
    parser.add_argument("--only", default="", help="print the rows that have this text in their name")
    given = parser.parse_args()
    if given.profile:
        profile()
        return
    columns = ("target", "median", "best", "processor", "R")
    print(f"{'':55}" + "".join(f"{name:>11}" for name in columns))
    with tempfile.TemporaryDirectory() as out:
        for name, target, repeats, call in rows(given.repeats, given.nuts, given.pip, out):
            if given.only not in name:
                continue
            found = [format_time(took) for took in seconds(repeats, call)]
            other = format_time(METAFOR[name] / 1000) if name in METAFOR else ""
            print(f"{name:55}" + "".join(f"{text:>11}" for text in (target, *found, other)), flush=True)


if __name__ == "__main__":
    main()
