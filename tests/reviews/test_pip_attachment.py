"""The numbers that the README of the worked review states about attachment are those of its outputs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
NUMBERS = re.compile(r"(\d+\.\d+) \[(\d+\.\d+), (\d+\.\d+)\]")
#: draws of another version of the sampler may differ by this share
TOLERANCE = 0.12


def test_the_numbers_on_attachment_are_those_of_the_outputs() -> None:
    text = (ROOT / "reviews" / "pip" / "README.md").read_text(encoding="utf-8")
    section = text.split("## Attachment as one outcome")[1].split("\n## ")[0]
    stated = [tuple(map(float, found)) for found in NUMBERS.findall(section)]
    assert len(stated) == 8
    table = (ROOT / "outputs" / "pip" / "tables" / "categories.md").read_text(encoding="utf-8")
    printed = [tuple(map(float, found)) for found in NUMBERS.findall(table)]
    prior = tuple(0.5 * np.array([0.67449, 0.03134, 2.24140]))  # quantiles of HalfNormal(0.5)
    for number in stated:
        assert any(number == pytest.approx(one, rel=TOLERANCE, abs=0.006) for one in (*printed, prior)), number
