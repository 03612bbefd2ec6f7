"""Networks that tests of figures and further analyses share, from the reference data, and checks of drawn figures."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from paths import REFERENCE_FOLDER

import bayesmeta as bm

SMOKING_NAMES = {"A": "No contact", "B": "Self-help", "C": "Individual counselling", "D": "Group counselling"}


@cache
def _datasets() -> dict[str, Any]:
    return json.loads((REFERENCE_FOLDER / "networks_extract.json").read_text(encoding="utf-8"))["datasets"]


@cache
def smoking() -> bm.ArmTable:
    """Smoking cessation: 24 trials of four treatments, two of three arms; higher odds are better."""
    raw = pd.DataFrame(_datasets()["smokingcessation"]["raw"])
    parts = [
        pd.DataFrame(
            {"study": raw["study"], "treatment": raw[f"treat{i}"], "events": raw[f"event{i}"], "n": raw[f"n{i}"]}
        )
        for i in (1, 2, 3)
    ]
    rows = pd.concat(parts).dropna().sort_values(["study", "treatment"], kind="stable")
    rows["study"] = [f"Trial {study}" for study in rows["study"]]
    rows["year"] = [1980 + int(name.split()[1]) % 17 for name in rows["study"]]
    rows["setting"] = [("clinic", "community")[int(name.split()[1]) % 2] for name in rows["study"]]
    return bm.read_arms(rows[rows["treatment"] != ""], treatments=SMOKING_NAMES)


@cache
def senn() -> bm.ContrastTable:
    """Diabetes (Senn 2013): 26 trials of ten treatments, one of three arms; mean differences in HbA1c, lower is better."""
    columns = _datasets()["Senn2013"]["contrasts"]
    names = {"studlab": "study", "treat1": "treat1", "treat2": "treat2", "TE": "yi", "seTE": "sei"}
    return bm.read_arms(pd.DataFrame({new: columns[old] for old, new in names.items()}))


@cache
def star() -> bm.NetworkContrasts:
    """Three treatments compared with one other each: no loop."""
    rows = [("a", "x", "p", -0.5, 0.2), ("b", "y", "p", -0.9, 0.3), ("c", "z", "p", -0.1, 0.2)]
    return bm.network_contrasts(pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"]), "MD")


def pair() -> pd.DataFrame:
    """Two treatments only."""
    rows = [("a", "x", "p", -0.5, 0.2), ("b", "x", "p", -0.9, 0.3), ("c", "x", "p", -0.1, 0.25)]
    return pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])


def texts(figure: Any) -> list[str]:
    """All texts of a figure."""
    inside = [text.get_text() for axes in figure.axes for text in axes.texts]
    return [*(text.get_text() for text in figure.texts), *inside]


def boxes(figure: Any, *, ticks: bool = True) -> list[tuple[str, Any]]:
    """Boxes of all texts in pixels: figure texts, texts in axes and, if wanted, tick labels."""
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    every = [*figure.texts, *(text for axes in figure.axes for text in axes.texts)]
    if ticks:
        every += [
            label for axes in figure.axes if axes.axison for label in (*axes.get_xticklabels(), *axes.get_yticklabels())
        ]
    return [
        (text.get_text(), text.get_window_extent(renderer))
        for text in every
        if text.get_text().strip() and text.get_visible()
    ]


def check_texts(figure: Any, *, ticks: bool = True) -> None:
    """No text leaves the figure or overlaps another one."""
    found = boxes(figure, ticks=ticks)
    wide, high = figure.canvas.get_width_height()
    for text, box in found:
        assert box.x0 >= -1, f"'{text}' leaves the figure at the left"
        assert box.x1 <= wide + 1, f"'{text}' leaves the figure at the right"
        assert box.y0 >= -1, f"'{text}' leaves the figure at the bottom"
        assert box.y1 <= high + 1, f"'{text}' leaves the figure at the top"
    for i, (one, a) in enumerate(found):
        for other, b in found[:i]:
            across = min(a.x1, b.x1) - max(a.x0, b.x0)
            down = min(a.y1, b.y1) - max(a.y0, b.y0)
            # boxes have the font's ascent and descent, which lines of small print share
            assert across < 1.5 or down < 0.35 * min(a.height, b.height), f"'{one}' overlaps '{other}'"


def finite(values: Any) -> np.ndarray:
    """Numbers that are finite."""
    array = np.asarray(values, dtype=float)
    return array[np.isfinite(array)]
