"""The parts of ``stress.py`` that run in its own process: tables, keys and files of fits that are damaged, and invariance."""

from __future__ import annotations

import random
import time
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from stress_inputs import (
    ARMS,
    COUNTS,
    POOLED,
    PRIORS,
    REVIEW,
    changed_reviews,
    damaged,
    damaged_table,
    write_every_key,
)

import bayesmeta as bm
from bayesmeta.reviews.spec import read_review


def inputs(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Pool damaged tables."""
    for i in range(40 if short else 1200):
        text, pooled = chance.choice(POOLED)
        path = folder / "table.csv"
        path.write_bytes(damaged_table(chance, text))
        began = time.monotonic()
        try:
            pooled(path)
        except bm.BayesmetaError as error:
            yield from _unreadable(f"input {i}", error)
        except Exception:
            yield f"input {i}, {path.read_bytes()[:1000]!r}: {traceback.format_exc(limit=-1)}"
        if time.monotonic() - began > 60:
            yield f"input {i}, {path.read_bytes()[:1000]!r}: took {time.monotonic() - began:.0f} s"


def _unreadable(what: str, error: bm.BayesmetaError) -> Iterator[str]:
    """Find what is in no message: characters that move the cursor, and lines without end."""
    message = str(error)
    if not message.replace("\n", "").isprintable() or max(map(len, message.split("\n"))) > 1300:
        yield f"{what}: {message[:500]!r}"


def keys(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Read reviews in which one value is another."""
    read_review(write_every_key(folder, REVIEW))
    for what, review in changed_reviews(chance, 250 if short else 0):
        try:
            read_review(write_every_key(folder, review))
        except bm.BayesmetaError as error:
            yield from _unreadable(what, error)
        except Exception:
            yield f"{what}: {traceback.format_exc(limit=-1)}"


def fits(chance: random.Random, folder: Path, short: bool) -> Iterator[str]:
    """Load damaged files of fits."""
    for name, text in (("arms", ARMS), ("counts", COUNTS)):
        (folder / f"{name}.csv").write_text(text)
    exact = bm.fit(yi=[0.1, 0.4, 0.2], sei=[0.1, 0.2, 0.15], measure="SMD")
    net = bm.network(bm.read_arms(folder / "arms.csv"), "OR", priors=PRIORS)
    shares = bm.categories(folder / "counts.csv", engine="quadrature")
    for fit, load in ((exact, bm.load_posterior), (net, bm.load_network), (shares, bm.load_categories)):
        path = Path(fit.save(folder / "fit.nc"))
        content, whole = path.read_bytes(), fit.summary()
        for i in range(3 if short else 100):
            path.write_bytes(damaged(chance, content))
            try:
                if not load(path).summary().equals(whole):
                    yield f"damage {i} of {load.__name__}: other numbers"
            except bm.BayesmetaError as error:
                yield from _unreadable(f"damage {i}", error)
            except Exception:
                yield f"damage {i} of {load.__name__}: {traceback.format_exc(limit=-1)}"


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
