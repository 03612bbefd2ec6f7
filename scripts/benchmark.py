"""Time what a user waits for, against what the project promises: ``python scripts/benchmark.py [--nuts] [--pip] [--repeats 20]``."""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from time import perf_counter

import bayesmeta as bm

REVIEWS = Path(__file__).resolve().parent.parent / "reviews"
Row = tuple[str, str, int, Callable[[], object]]


def command(*arguments: str) -> None:
    """Run Python with these arguments in a new process."""
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)


def rows(repeats: int, nuts: bool, pip: bool, out: str) -> Iterator[Row]:
    """Yield what is timed: name, target, repeats, and the call."""
    studies = bm.read_studies(REVIEWS / "bcg" / "studies.csv")
    effects = bm.effect_sizes(studies, "RR")
    many, few = max(10 * repeats, 3), max(repeats // 4, 3)

    def exact() -> bm.Posterior:
        return bm.fit(effects, likelihood="normal", engine="quadrature")

    yield "effect_sizes, 13 risk ratios", "< 1 ms", many, lambda: bm.effect_sizes(studies, "RR")
    for method, target in (("DL", "< 0.3 ms"), ("PM", "< 1 ms"), ("REML", "< 1 ms")):
        call = lambda method=method: bm.random_effects(effects, method=method)  # noqa: E731
        yield f"random_effects {method}, all statistics, 13 studies", target, many, call
    yield "quadrature fit, 13 studies", "< 5 ms", many, exact
    yield "quadrature fit and summary, 13 studies", "< 5 ms", many, lambda: bm.summarize(exact())
    yield "compare, every method, 13 studies", "< 100 ms", repeats, lambda: bm.compare(effects)
    if nuts:
        yield "NUTS fit, binomial, 13 studies, compiled before", "< 5 s", 3, lambda: bm.fit(effects, engine="nuts")
    yield "import bayesmeta (new process)", "< 0.5 s", few, lambda: command("-c", "import bayesmeta")
    yield "bayesmeta --help (new process)", "< 1 s", few, lambda: command("-m", "bayesmeta", "--help")
    review = str(REVIEWS / "pip")
    exactly = ("--engine", "quadrature", "--no-figures")
    yield (
        "PIP, 34 analyses, quadrature, no figures",
        "< 10 s",
        3,
        lambda: bm.run_review(review, out, engine="quadrature", figures=False),
    )
    yield "the same (new process)", "< 10 s", 1, lambda: command("-m", "bayesmeta", "run", review, "-o", out, *exactly)
    if pip:
        both = ("--engine", "both")
        yield (
            "PIP, both engines, figures (new process)",
            "< 120 s",
            1,
            lambda: command("-m", "bayesmeta", "run", review, "-o", out, *both),
        )


def seconds(repeats: int, call: Callable[[], object]) -> tuple[float, float]:
    """Median and least time of a call, in seconds, after one call that is not counted where it is repeated."""
    times = []
    for _ in range(repeats + (repeats > 1)):
        started = perf_counter()
        call()
        times.append(perf_counter() - started)
    counted = times[1:] or times
    return median(counted), min(counted)


def written(took: float) -> str:
    """Write a time in seconds or milliseconds."""
    return f"{took:.2f} s" if took >= 0.1 else f"{1000 * took:.3g} ms"


def main() -> None:
    """Print one line a measurement as soon as it is made."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nuts", action="store_true", help="also sample with NUTS")
    parser.add_argument("--pip", action="store_true", help="also run the PIP review with both engines")
    parser.add_argument("--repeats", type=int, default=20, help="more is steadier")
    given = parser.parse_args()
    print(f"{'':52} {'target':>9} {'median':>10} {'best':>10}")
    with tempfile.TemporaryDirectory() as out:
        for name, target, repeats, call in rows(given.repeats, given.nuts, given.pip, out):
            typical, best = seconds(repeats, call)
            print(f"{name:52} {target:>9} {written(typical):>10} {written(best):>10}", flush=True)


if __name__ == "__main__":
    main()
