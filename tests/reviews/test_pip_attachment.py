"""The numbers that the README of the worked review states about attachment are those of its outputs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from bayesmeta.reviews.folder import load_run

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = re.compile(r"(\d+\.\d+) \[(\d+\.\d+), (\d+\.\d+)\]")
#: draws of another version of the sampler may differ by this share
TOLERANCE = 0.12


def test_the_numbers_on_attachment_are_those_of_the_outputs() -> None:
    text = (ROOT / "reviews" / "pip" / "README.md").read_text(encoding="utf-8")
    section = text.split("## Attachment as one outcome")[1].split("\n## ")[0]
    stated = [tuple(map(float, found)) for found in NUMBERS.findall(section)]
    assert len(stated) == 8
    _, results = load_run(ROOT / "outputs" / "pip")
    (model,) = [
        model
        for result in results
        for model in result.models
        if result.id == "5.1" and model.get("reference") == "control"
    ]
    rows = [(one["estimate"], one["ci_low"], one["ci_high"]) for one in model["summary"] if one["treatment"] == "PIP"]
    rows += [
        (one["separate"], one["separate_low"], one["separate_high"])
        for one in model["separate"]
        if one["treatment"] == "PIP"
    ]
    rows += [tuple(model["tau"]), tuple(0.5 * np.array([0.67449, 0.03134, 2.24140]))]
    for number in stated:
        assert any(number == pytest.approx(row, rel=TOLERANCE, abs=0.006) for row in rows), number
