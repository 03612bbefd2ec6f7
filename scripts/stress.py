"""Faults under load and bad input, generated and bounded: ``python scripts/stress.py [--short] [--seed N] [--only PART]``.

Parts, each of which prints what it did and what it found, in a temporary folder and without a network:

- ``kills``: a run in a process of its own is killed at random moments and started again, until it ends as one that was never stopped;
- ``workers``: one of the processes of a run with two is killed, and the next run ends as the whole one;
- ``schedulers``: a dask scheduler goes away during a run (only where dask.distributed is installed);
- ``full``: writes fail beyond a random size of file, as on a full disk, and the next run ends as the whole one;
- ``changing``: data files change while they are run; the next run ends as one of the data as they are then;
- ``caches``: files of the cache of compiled loops are cut, emptied or altered, and fits give the same numbers;
- ``ledgers``: bytes of the ledger and of the results of a finished run are damaged, and the next run ends as the first;
- ``inputs``: damaged study tables; each is pooled, or refused by an error of this package, within a time;
- ``invariance``: random meta-analyses give the same answer when their studies are shuffled, renamed, or their arms exchanged.

Exit code 1 if anything was found. No part may end in a traceback, whatever is done to it.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import bayesmeta as bm

HEAD = 'id = "r"\ntitle = "T"\n[settings]\nengine = "quadrature"\nlikelihoods = ["normal"]\ntables = ["md", "csv"]\nfigures = []\n'
ENTRY = '[[analysis]]\nid = "1.{0}"\noutcome = "Outcome {0}"\nmeasure = "RR"\ndata = "{0}.csv"\n'
TABLE = "study,events_e,n_e,events_c,n_c\nA,{0},100,9,100\nB,12,150,20,150\nC,0,60,3,60\n"
CELLS = (
    "", "-1", "0", "1e400", "-1e400", "nan", "inf", "NA", "1,5", "1.234,5", "1e-320", "1e18", "9" * 400, "0x10", "=1+1", "\t", "'", "−3",
    "1/2", "10%", "<0.001", "TRUE", "\ufeff5", "٣", "5 ", "1 000", "1e5", "100", "60.5", "Ω" * 300, "\x00", "\x1b[31m", "A",
)  # fmt: skip


def write_review(folder: Path, count: int) -> Path:
    """Write a review of ``count`` small analyses."""
    folder.mkdir(parents=True)
    for i in range(count):
        (folder / f"{i}.csv").write_text(TABLE.format(i + 1))
    (folder / "review.toml").write_text(HEAD + "".join(ENTRY.format(i) for i in range(count)))
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    """Return every file of a run with its bytes, except the manifest, which lists what was run now."""
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return {name: content for name, content in found.items() if name != "manifest.json"}


def start(source: Path, out: Path, *options: str, **given: Any) -> subprocess.Popen[str]:
    """Start a run in a process of its own."""
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "bayesmeta",
        "run",
        source,
        "--out",
        out,
        "-q",
        "--no-figures",
        *options,
    ]
    return subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, encoding="utf-8", **given
    )


def begun(process: subprocess.Popen[str], out: Path) -> None:
    """Wait until a run has written something, or has ended."""
    while process.poll() is None and not (out / "analyses").is_dir():
        time.sleep(0.01)


def recovered(source: Path, out: Path, whole: dict[str, bytes], after: str, errors: str = "") -> Iterator[str]:
    """Run again undisturbed, and compare with a run that was never disturbed."""
    if "Traceback" in errors:
        yield f"{after}: {errors}"
    done = bm.run_review(source, out, figures=False)
    if done.failed:
        yield f"{after}, in the next run: {done.failed}"
    if tree(out) != whole:
        yield f"{after} the outputs differ from those of a run that was never disturbed"


def workers(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Kill one of the processes of a run."""
    source = write_review(folder / "source", 20 if short else 60)
    bm.run_review(source, folder / "whole", figures=False)
    whole = tree(folder / "whole")
    for i in range(1 if short else 15):
        out = folder / f"out{i}"
        process = start(source, out, "-j", "2")
        begun(process, out)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
        victims = children.read_text().split() if children.is_file() else []
        # Python's own process for shared resources is no worker
        victims = [one for one in victims if b"resource_tracker" not in Path(f"/proc/{one}/cmdline").read_bytes()]
        if victims:
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(chance.choice(victims)), signal.SIGKILL)
        yield from recovered(source, out, whole, f"after the death of a worker ({i})", process.communicate()[1])


def schedulers(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Take the dask scheduler of a run away."""
    if importlib.util.find_spec("distributed") is None:
        print("schedulers: dask.distributed is not installed")
        return
    from distributed import LocalCluster

    source = write_review(folder / "source", 20 if short else 60)
    bm.run_review(source, folder / "whole", figures=False)
    whole = tree(folder / "whole")
    for i in range(1 if short else 5):
        out = folder / f"out{i}"
        with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, silence_logs=60) as cluster:
            process = start(source, out, "--scheduler", cluster.scheduler_address)
            begun(process, out)
            time.sleep(chance.random() / 2)
        yield from recovered(source, out, whole, f"after the end of the scheduler ({i})", process.communicate()[1])


def full(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Let writes fail beyond a size of file."""
    source = write_review(folder / "source", 10)
    bm.run_review(source, folder / "whole", figures=False)
    whole = tree(folder / "whole")
    for i in range(1 if short else 15):
        limit = chance.randrange(500, 40_000)
        process = start(
            source,
            folder / f"out{i}",
            preexec_fn=lambda size=limit: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
        )
        errors = process.communicate()[1]
        yield from recovered(source, folder / f"out{i}", whole, f"after writes failed beyond {limit} bytes", errors)


def changing(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Change data files while they are run."""
    count = 10 if short else 40
    for i in range(1 if short else 10):
        source, out = write_review(folder / f"source{i}", count), folder / f"out{i}"
        process = start(source, out)
        begun(process, out)
        while process.poll() is None:
            (source / f"{chance.randrange(count)}.csv").write_text(TABLE.format(chance.randrange(1, 60)))
            time.sleep(chance.random() / 10)
        errors = process.communicate()[1]
        bm.run_review(source, folder / f"whole{i}", figures=False)
        yield from recovered(source, out, tree(folder / f"whole{i}"), f"after data changed ({i})", errors)


def caches(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Damage the files of the cache of compiled loops."""
    table, cache = folder / "table.csv", folder / "cache"
    table.write_text(TABLE.format(5))
    command = [sys.executable, "-W", "ignore", "-m", "bayesmeta", "fit", str(table), "-m", "RR", "-f", "csv"]
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache)}

    def fit() -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)

    whole = fit()
    for i in range(1 if short else 10):
        for path in sorted(cache.rglob("*.nb*")):
            content, kind = bytearray(path.read_bytes()), chance.randrange(4)
            if kind == 0:
                content = bytearray()
            elif kind == 1:
                content = content[: chance.randrange(len(content) + 1)]
            elif kind == 2 and content:
                content[chance.randrange(len(content))] ^= 255
            path.write_bytes(content)
        again = fit()
        if again.returncode or again.stdout != whole.stdout:
            yield f"damage {i} of the cache: exit code {again.returncode}; {again.stderr[-500:]}"


def kills(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Kill runs at random moments."""
    source = write_review(folder / "source", 10 if short else 60)
    bm.run_review(source, folder / "whole", figures=False)
    for _ in range(2 if short else 20):
        process = start(source, folder / "out", "-j", "2")
        begun(process, folder / "out")
        time.sleep(6 * chance.random())  # while it is loaded, plans, fits or writes
        process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        errors = process.communicate()[1]
        if "Traceback" in errors:
            yield f"a kill: {errors}"
    yield from recovered(source, folder / "out", tree(folder / "whole"), "after kills")


def ledgers(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Damage a finished run."""
    source, out = write_review(folder / "source", 5), folder / "out"
    bm.run_review(source, out, figures=False)
    whole = tree(out)
    for i in range(4 if short else 200):
        path = out / chance.choice(
            ["ledger.jsonl", "ledger.jsonl", "review.json", "analyses/1.1.json", "results.csv", "tables/main.md"]
        )
        content = bytearray(path.read_bytes())
        for _ in range(chance.randint(1, 20)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content[: chance.randrange(len(content))] if chance.random() < 0.3 else content)
        done = bm.run_review(source, out, figures=False)
        if done.failed or tree(out) != whole:
            yield f"damage {i} of {path.name}: {done.failed or 'other outputs'}"
            bm.run_review(source, out, figures=False, fresh=True)


def inputs(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Pool damaged study tables."""
    tables = {
        "RR": "study,events_e,n_e,events_c,n_c\nA,5,100,9,100\nB,12,150,20,150\nC,0,60,3,60\n",
        "MD": "study,mean_e,sd_e,n_e,mean_c,sd_c,n_c\nA,20,8,40,25,9,42\nB,18,7,30,19,8,28\n",
        "HR": "study,yi,sei\nA,0.3,0.2\nB,-0.1,0.15\nC,0.2,0.3\n",
    }
    for i in range(40 if short else 800):
        measure = chance.choice(list(tables))
        rows = [line.split(",") for line in tables[measure].splitlines()]
        for _ in range(chance.randint(1, 3)):
            row = chance.choice(rows)
            row[chance.randrange(len(row))] = chance.choice(CELLS)
        if chance.random() < 0.2:
            rows.append(chance.choice(rows))
        path = folder / "table.csv"
        path.write_bytes(
            "\n".join(map(",".join, rows)).encode(chance.choice(["utf-8", "utf-8", "utf-16", "latin-1"]), "replace")
        )
        began = time.monotonic()
        try:
            bm.random_effects(path, measure=measure)
            bm.fit(path, measure=measure, engine="quadrature")
        except bm.BayesmetaError:
            pass
        except Exception:
            yield f"input {i}, {measure}, {rows}: {traceback.format_exc(limit=-1)}"
        if time.monotonic() - began > 60:
            yield f"input {i}, {measure}, {rows}: took {time.monotonic() - began:.0f} s"


def invariance(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:  # noqa: ARG001
    """Fit random effects in another order, under other names, and with the arms exchanged."""
    for i in range(30 if short else 1000):
        k = chance.randint(2, 12)
        yi = np.array([chance.gauss(0.3, 0.5) for _ in range(k)])
        sei = np.array([chance.uniform(0.05, 0.6) for _ in range(k)])
        order = chance.sample(range(k), k)
        first = bm.fit(yi=yi, sei=sei, measure="SMD").interval("mu")
        shuffled = bm.fit(yi=yi[order], sei=sei[order], measure="SMD", labels=[f"s{j}" for j in order]).interval("mu")
        exchanged = bm.fit(yi=-yi, sei=sei, measure="SMD").interval("mu")
        if not np.allclose(first, shuffled, rtol=0, atol=1e-9):
            yield f"set {i}: {first} and, shuffled, {shuffled}"
        if not np.allclose(first, -np.asarray(exchanged)[::-1], rtol=0, atol=1e-9):
            yield f"set {i}: {first} and, with the arms exchanged, {exchanged}"


PARTS: dict[str, Callable[[random.Random, Path, bool], Iterator[str]]] = {
    "kills": kills, "workers": workers, "schedulers": schedulers, "full": full, "changing": changing, "caches": caches,
    "ledgers": ledgers, "inputs": inputs, "invariance": invariance,
}  # fmt: skip


def main() -> int:
    """Run the parts; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="a minute instead of half an hour")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", choices=list(PARTS), action="append")
    given = parser.parse_args()
    warnings.simplefilter("error", RuntimeWarning)  # numpy's warnings must not leak
    found = 0
    for name in given.only or PARTS:
        began = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="stress-") as scratch:
            problems = list(PARTS[name](random.Random(given.seed), Path(scratch), given.short))
        for problem in problems:
            print(f"{name}: {problem}")
        print(f"{name}: {len(problems)} found in {time.monotonic() - began:.0f} s", flush=True)
        found += len(problems)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
