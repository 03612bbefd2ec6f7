"""Faults under load and bad input, generated and bounded: ``python scripts/stress.py [--short] [--seed N] [--only PART]``.

The long form runs reviews with figures, documents, a report, networks and categories; the short one those without.

Parts, each of which prints what it did and what it found, in a temporary folder and without a network:

- ``kills``: a run in a process of its own is killed at random moments and started again, until it ends as one that was never stopped;
- ``workers``: one of the processes of a run with two is killed, and the next run ends as the whole one;
- ``schedulers``: a dask scheduler goes away during a run (only where dask.distributed is installed);
- ``full``: writes fail beyond a random size of file, as on a full disk, and the next run ends as the whole one;
- ``changing``: data files change while they are run; the next run ends as one of the data as they are then;
- ``caches``: files of the cache of compiled loops are cut, emptied or altered, and fits give the same numbers;
- ``ledgers``: bytes of the ledger and of the results of a finished run are damaged, and the next run ends as the first;
- ``inputs``: damaged tables of studies, arms, contrasts and categories; each is pooled, or refused by an error of this package, in time;
- ``keys``: a review.toml with every table and key, in which one value is another; it is read, or refused by an error of this package;
- ``fits``: saved fits are damaged; each is refused, or has the numbers that were saved;
- ``links``: links, folders and pipes take the place of outputs; nothing outside changes, and the next run ends as the whole one;
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
import shutil
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

import bayesmeta as bm

sys.path.insert(0, str(Path(__file__).resolve().parent))
from stress_inputs import ARMS, COUNTS
from stress_parts import fits, inputs, invariance, keys

HEAD = """id = "r"
title = "T"
[settings]
engine = "quadrature"
likelihoods = ["normal"]
tables = ["md", "csv"]
"""
PLAIN = "figures = []\nreport = false\ndocuments = []\n"
ENTRY = '[[analysis]]\nid = "1.{0}"\noutcome = "Outcome {0}"\nmeasure = "RR"\ndata = "{0}.csv"\n'
#: what the reviews of the long form have besides
MORE = """[[network]]
id = "N"
outcome = "O"
measure = "OR"
data = "arms.csv"
reference = "control"
components = "+"
[[categories]]
id = "C"
outcome = "O"
data = "counts.csv"
"""
TABLE = "study,events_e,n_e,events_c,n_c\nA,{0},100,9,100\nB,12,150,20,150\nC,0,60,3,60\n"


def write_review(folder: Path, count: int, short: bool = True) -> Path:
    """Write a review of ``count`` small analyses; with figures, documents, a report, a network and categories if it is not ``short``."""
    folder.mkdir(parents=True)
    for i in range(count):
        (folder / f"{i}.csv").write_text(TABLE.format(i + 1))
    for name, text in (("arms", ARMS), ("counts", COUNTS)):
        (folder / f"{name}.csv").write_text(text)
    entries = "".join(ENTRY.format(i) for i in range(count))
    (folder / "review.toml").write_text(HEAD + (PLAIN + entries if short else 'figures = ["svg"]\n' + entries + MORE))
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
    done = bm.run_review(source, out)
    if done.failed:
        yield f"{after}, in the next run: {done.failed}"
    if tree(out) != whole:
        yield f"{after} the outputs differ from those of a run that was never disturbed"


def workers(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Kill one of the processes of a run."""
    source = write_review(folder / "source", 20, short)
    bm.run_review(source, folder / "whole")
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

    source = write_review(folder / "source", 20, short)
    bm.run_review(source, folder / "whole")
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
    source = write_review(folder / "source", 10, short)
    bm.run_review(source, folder / "whole")
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
    count = 10
    for i in range(1 if short else 10):
        source, out = write_review(folder / f"source{i}", count, short), folder / f"out{i}"
        process = start(source, out)
        begun(process, out)
        while process.poll() is None:
            (source / f"{chance.randrange(count)}.csv").write_text(TABLE.format(chance.randrange(1, 60)))
            time.sleep(chance.random() / 10)
        errors = process.communicate()[1]
        bm.run_review(source, folder / f"whole{i}")
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
    source = write_review(folder / "source", 10 if short else 20, short)
    bm.run_review(source, folder / "whole")
    for _ in range(2 if short else 20):
        process = start(source, folder / "out", "-j", "2")
        begun(process, folder / "out")
        time.sleep((6 if short else 60) * chance.random())  # while it is loaded, plans, fits or writes
        process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP]))
        errors = process.communicate()[1]
        if "Traceback" in errors:
            yield f"a kill: {errors}"
    yield from recovered(source, folder / "out", tree(folder / "whole"), "after kills")


def ledgers(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Damage a finished run."""
    source, out = write_review(folder / "source", 5), folder / "out"
    bm.run_review(source, out)
    whole = tree(out)
    for i in range(4 if short else 200):
        path = out / chance.choice(
            ["ledger.jsonl", "ledger.jsonl", "review.json", "analyses/1.1.json", "results.csv", "tables/main.md"]
        )
        content = bytearray(path.read_bytes())
        for _ in range(chance.randint(1, 20)):
            content[chance.randrange(len(content))] = chance.randrange(256)
        path.write_bytes(content[: chance.randrange(len(content))] if chance.random() < 0.3 else content)
        done = bm.run_review(source, out)
        if done.failed or tree(out) != whole:
            yield f"damage {i} of {path.name}: {done.failed or 'other outputs'}"
            bm.run_review(source, out, fresh=True)


def links(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Put something else in the place of outputs."""
    source, out, around = write_review(folder / "source", 2, short), folder / "out", folder / "around"
    bm.run_review(source, out)
    whole = tree(out)
    shutil.copytree(out, around)
    names = sorted(str(path.relative_to(out)) for path in out.rglob("*"))
    for name in chance.sample(names, 3) if short else names:
        place, kind = out / name, chance.choice(["link", "link", "new link", "folder", "pipe", "itself"])
        shutil.rmtree(place) if place.is_dir() else place.unlink()
        if kind == "folder":
            (place / "mine").mkdir(parents=True)
        elif kind == "pipe":
            os.mkfifo(place)
        else:
            place.symlink_to({"link": around / name, "new link": folder / "new" / name, "itself": place}[kind])
        errors = ""
        try:
            bm.run_review(source, out, fresh=True)
        except bm.BayesmetaError:
            pass
        except Exception:
            errors = traceback.format_exc(limit=-1)
        if tree(around) != whole or (folder / "new").exists():
            yield f"a {kind} in the place of {name}: files outside have changed"
            shutil.rmtree(folder / "new", ignore_errors=True)
        if not place.is_symlink() and place.is_dir() and kind == "folder":
            (place / "mine").rmdir()
            place.rmdir()
        elif place.is_symlink() or kind == "pipe":
            place.unlink(missing_ok=True)
        yield from recovered(source, out, whole, f"after a {kind} in the place of {name}", errors)


PARTS: dict[str, Callable[[random.Random, Path, bool], Iterator[str]]] = {
    "kills": kills, "workers": workers, "schedulers": schedulers, "full": full, "changing": changing, "caches": caches,
    "ledgers": ledgers, "inputs": inputs, "keys": keys, "fits": fits, "links": links, "invariance": invariance,
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
