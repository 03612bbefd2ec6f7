"""Inputs of ``stress.py``: small tables and a review with every kind of key, and what takes the place of a part of them."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import bayesmeta as bm

#: what takes the place of cells of tables
CELLS = (
    "", "-1", "0", "1e400", "-1e400", "nan", "inf", "NA", "1,5", "1.234,5", "1e-320", "1e18", "9" * 400, "9" * 5000, "0x10",
    "=1+1", "\t",
    "'", "−3", "1/2", "10%", "<0.001", "TRUE", "\ufeff5", "٣", "5 ", "1 000", "1e5", "100", "60.5", "Ω" * 300, "\x00", "\x1b[31m", "A",
    "1e150", "1e-150", "999999999", "-0", "a" * 10000, "\r", "drug + talk", "+", "control",
)  # fmt: skip
#: what takes the place of values of review.toml, as it is written there
VALUES = (
    "true", "0", "-1", "3", "1000000000000000000", "9" * 400, "1e300", "1e-320", "nan", "inf", "-0.0", "0.9999999999999999",
    '""', '"a"', '" "',
    '"\\u0000"', '"\\u202E"', '"٣"', '"' + "a" * 10000 + '"', '"../x"', '"/etc/passwd"', '"/dev/zero"', '".."', '"~ ("',
    '"~ ' + "(" * 3000 + '"',
    '"+"', '"drug*"', '"drug*drug"', '"Cauchy(0, 1e300)"', '"Normal(0, 0)"', '"Normal(1e400, 1)"', '"' + "Normal(" * 3000 + '"',
    '"Point(0)"',
    '"corpus:/dev/zero"', '"Normal(0, ' + "9" * 5000 + ')"', "[]", "[1]", "[[]]", '["a", "a"]', "{}", '{ a = 1 }', '{ "" = "" }',
    '{ trivial = "0.9" }', '{ down = 9, why = "x" }', "1979-05-27", "07:32:00", "[" * 60 + "]" * 60,
)  # fmt: skip
ARMS = (
    "study,treatment,events,n,rob\n1,control,9,140,low\n1,drug,23,140,low\n1,drug + talk,10,138,low\n"
    "2,control,11,78,high\n2,drug,12,85,high\n"
    "3,drug,29,170,low\n3,talk,11,78,low\n4,control,0,33,low\n4,drug + talk,9,48,low\n"
)
CONTRASTS = "study,treat1,treat2,yi,sei\nA,x,p,-0.5,0.2\nB,y,p,-0.9,0.3\nC,y,x,-0.1,0.2\n"
COUNTS = "study,treatment,none,mild,severe\nA,drug,30,20,10\nA,control,15,25,20\nB,drug,25,10,5\nB,control,18,12,11\n"
EVENTS = (
    "study,events_e,n_e,events_c,n_c,dose,year\nA,5,100,9,100,1,2001\nB,12,150,20,150,2,2003\nC,0,60,3,60,2,2002\n"
    "D,9,60,13,60,3,2002\n"
    "E,4,50,9,51,1,2004\n"
)
DEPENDENT = "study,estimate,yi,sei\nA,1,0.3,0.2\nA,2,0.4,0.2\nB,1,-0.1,0.15\nC,1,0.2,0.3\nC,2,0.1,0.3\n"
MEANS = "study,mean_e,sd_e,n_e,mean_c,sd_c,n_c\nA,20,8,40,25,9,42\nB,18,7,30,19,8,28\n"
READY = "study,yi,sei\nA,0.3,0.2\nB,-0.1,0.15\nC,0.2,0.3\n"
PRIORS = {"d": "Normal(0, 2)", "tau": "HalfNormal(1)"}


def _pairwise(measure: str) -> Callable[[Path], None]:
    def pooled(path: Path) -> None:
        bm.random_effects(path, measure=measure)
        bm.fit(path, measure=measure, engine="quadrature").interval("mu")

    return pooled


#: tables and what pools them
POOLED: tuple[tuple[str, Callable[[Path], Any]], ...] = (
    (EVENTS, _pairwise("RR")), (MEANS, _pairwise("MD")), (MEANS, _pairwise("SMD")), (READY, _pairwise("HR")),
    (ARMS, lambda path: bm.network_meta(bm.read_arms(path), "OR").summary()),
    (ARMS, lambda path: bm.network(bm.read_arms(path), "OR", priors=PRIORS).summary()),
    (ARMS, lambda path: bm.network(bm.read_arms(path), "OR", priors=PRIORS, components="+", reference="control").summary()),
    (CONTRASTS, lambda path: bm.network_meta(bm.read_arms(path), "MD", method="CE").summary()),
    (COUNTS, lambda path: bm.categories(path, engine="quadrature").summary()),
    (DEPENDENT, lambda path: bm.fit(path, measure="SMD", nesting="study/estimate", engine="quadrature").interval("mu")),
)  # fmt: skip
BANDS = {"trivial": 0.9, "small": 0.8, "moderate": 0.6}
#: a review with every table of review.toml
REVIEW: dict[str, Any] = {
    "id": "r", "title": "T", "citation": "c", "notice": "n",
    "settings": {
        "engine": "quadrature", "likelihoods": ["normal"], "level": 0.9, "seed": 3, "tables": ["csv"], "figures": ["svg"],
        "cumulative": True,        "checks": False, "report": False, "figure_width": 174.0, "figure_layout": "default",
        "documents": ["checklists"], "save_fits": True,
    },
    "options": {"zero_cells": "revman", "smd": "exact", "rom": "classical", "estimates": "log", "data_level": 0.95},
    "priors": {"RR": {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}}, "mid": {"RR": 0.8}, "bands": {"OR": BANDS},
    "alternative": [{"name": "a", "measure": "RR", "mu": "Normal(0, 2)", "tau": "HalfNormal(1)"}],
    "studies": {"data": "events.csv"}, "risk_of_bias": {"data": "judged.csv", "tool": "rob2"},
    "analysis": [
        {
            "id": "1.1", "outcome": "O", "measure": "RR", "data": "events.csv", "better": "lower", "level": 0.9,
            "moderators": "~ dose",
            "absolute": {"baseline": 0.2, "source": "s", "per_1000": {"trivial": 10, "small": 30}}, "columns": {"dose": "extra"},
            "grade": {"start": "high", "risk_of_bias": {"down": 1, "why": "x"}}, "exclude": {"C": "x"},
            "priors": {"tau": "HalfNormal(1)"},
        },
        {"id": "1.2", "outcome": "S", "measure": "SMD", "data": "dependent.csv", "nesting": "study/estimate", "better": "lower"},
        {"id": "1.3", "outcome": "S", "measure": "SMD", "data": "dependent.csv", "nesting": "study/estimate", "better": "lower"},
    ],
    "synthesis": [
        {"id": "S", "outcome": "S", "select": {"outcome": "S", "measure": "SMD"}, "nesting": "study/estimate", "mid": -0.2,
        "note": "x"}
    ],
    "network": [
        {
            "id": "N", "outcome": "O", "measure": "OR", "data": "arms.csv", "reference": "control", "better": "higher",
            "components": "+",
            "interactions": ["drug*talk"], "inactive": "control", "certainty": {"drug": "high"}, "risk_of_bias": "rob", "method": "DL",
            "priors": PRIORS, "bands": BANDS, "where": {"rob": "low"}, "treatments": {"talk": "talk"}, "combine": False,
        },
        {"id": "M", "outcome": "O", "measure": "MD", "data": "contrasts.csv", "component": "p", "method": "CE", "mid": -0.3,
        "better": "lower"},
    ],
    "categories": [
        {
            "id": "C", "outcome": "O", "data": "counts.csv", "categories": ["none", "mild", "severe"], "reference": ["control"],
            "together": {"none": "higher", "severe": "lower"}, "priors": {"tau": "HalfNormal(0.5)"}, "treatments": {"drug": "drug"},
        }
    ],
}  # fmt: skip
#: the study tables of that review
TABLES = {
    "events.csv": EVENTS, "dependent.csv": DEPENDENT, "arms.csv": ARMS, "contrasts.csv": CONTRASTS, "counts.csv": COUNTS,
    "judged.csv": "study,rob_D1,rob_D2,rob_D3,rob_D4,rob_D5,rob_overall\nA,low,low,low,low,low,low\n",
}  # fmt: skip


def as_toml(value: Any) -> str:
    """Write a value as in review.toml; a text in a list of one is written as it is."""
    if isinstance(value, tuple):
        return str(value[0])
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {as_toml(item)}" for key, item in value.items()) + " }"
    return "[" + ", ".join(map(as_toml, value)) + "]" if isinstance(value, list) else json.dumps(value)


def write_every_key(folder: Path, review: dict[str, Any]) -> Path:
    """Write a review of this form with the study tables; return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in TABLES.items():
        (folder / name).write_text(text)
    text = "".join(f"{key} = {as_toml(value)}\n" for key, value in review.items())
    (folder / "review.toml").write_text(text, encoding="utf-8")
    return folder


def _places(value: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield (*place, key)
        yield from _places(value[key], (*place, key))


def changed_reviews(chance: random.Random, count: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield reviews in which one value is another, with what was changed; all of them if ``count`` is 0, else a random choice."""
    every = [(place, value) for place in _places(REVIEW) for value in VALUES]
    for place, value in chance.sample(every, count) if count else every:
        changed = copy.deepcopy(REVIEW)
        inner: Any = changed
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = (value,)
        yield f"{'.'.join(map(str, place))} = {value[:60]}", changed


def damaged(chance: random.Random, content: bytes) -> bytes:
    """Return a file cut short, or with one or thirty bytes changed, most of them in its header."""
    found, kind = bytearray(content), chance.randrange(3)
    if kind == 0:
        return content[: chance.randrange(len(content))]
    for _ in range(1 if kind == 1 else 30):
        found[chance.randrange(len(content) if kind == 1 else min(len(content), 6000))] ^= chance.randrange(1, 256)
    return bytes(found)


def damaged_table(chance: random.Random, text: str) -> bytes:
    """Return a table in which cells, rows or the encoding are others."""
    rows = [line.split(",") for line in text.splitlines()]
    for _ in range(chance.randint(1, 3)):
        row = chance.choice(rows)
        row[chance.randrange(len(row))] = chance.choice(CELLS)
    if chance.random() < 0.2:
        rows.append(chance.choice(rows))
    encoding = chance.choice(["utf-8", "utf-8", "utf-16", "latin-1"])
    return "\n".join(map(",".join, rows)).encode(encoding, "replace")
