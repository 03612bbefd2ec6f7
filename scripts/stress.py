"""Faults under load and bad input, generated and bounded: ``python scripts/stress.py [--short] [--seed N] [--only PART]``.

Parts, each of which prints what it did and what it found, in a temporary folder and without a network:

- ``kills``: a run in a process of its own is killed at random moments and started again, until it ends as one that was never stopped;
- ``ledgers``: bytes of the ledger and of the results of a finished run are damaged, and the next run ends as the first;
- ``inputs``: damaged study tables; each is pooled, or refused by an error of this package, within a time;
- ``invariance``: random meta-analyses give the same answer when their studies are shuffled, renamed, or their arms exchanged.

Exit code 1 if anything was found. A full disk, dying workers and schedulers, data that change during a run and damaged caches are tested in
``tests/``, where they can be brought about at a chosen moment.
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

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


def kills(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Kill runs at random moments."""
    source = write_review(folder / "source", 10 if short else 60)
    bm.run_review(source, folder / "whole", figures=False)
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "bayesmeta",
        "run",
        source,
        "--out",
        folder / "out",
        "-q",
        "--no-figures",
        "-j",
        "2",
    ]
    for _ in range(2 if short else 20):
        process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while process.poll() is None and not (folder / "out" / "analyses").is_dir():
            time.sleep(0.01)
        time.sleep(chance.random())
        process.send_signal(chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGINT]))
        process.wait()
    done = bm.run_review(source, folder / "out", figures=False)
    if done.failed:
        yield f"after kills: {done.failed}"
    if tree(folder / "out") != tree(folder / "whole"):
        yield "after kills the outputs differ from those of a run that was never stopped"


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
    "kills": kills, "ledgers": ledgers, "inputs": inputs, "invariance": invariance,
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
