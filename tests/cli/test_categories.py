"""The command ``bayesmeta categories``."""

from __future__ import annotations

import csv
import io

import pandas as pd
import pytest

import bayesmeta as bm

COUNTS = """trial,arm,visit,secure,avoidant,disorganised
E,PIP,last,45,5,9
E,control,last,6,7,14
F,PIP,last,29,6,3
F,waiting list,last,1,11,12
"""
OPTIONS = ("--categories", "secure, avoidant,disorganised", "--treatment", "waiting list=control", "-e", "quadrature")


@pytest.fixture
def counts(tmp_path):
    path = tmp_path / "counts.csv"
    path.write_text(COUNTS)
    return path


@pytest.fixture
def fit(counts):
    return bm.categories(
        counts,
        engine="quadrature",
        categories=["secure", "avoidant", "disorganised"],
        treatments={"waiting list": "control"},
    )


def test_the_rows_are_those_of_the_fit(command, counts, fit) -> None:
    code, out, _ = command("categories", counts, *OPTIONS, "-f", "csv")
    assert code == 0
    rows = pd.read_csv(io.StringIO(out))
    expected = fit.summary()
    assert list(rows.columns) == [name for name in expected.columns if name != "given"]
    pd.testing.assert_frame_equal(rows, expected.drop(columns="given"), rtol=1e-8)


def test_what_is_printed(command, counts, fit) -> None:
    sides = ("--together", "secure=higher", "--together", "disorganised=lower")
    code, out, _ = command("categories", counts, *OPTIONS, "--show", "separate", *sides)
    assert code == 0
    assert out.startswith(
        "148 participants, 2 trials, 2 treatments; quadrature\npriors: d ~ Normal(0, 2.82), tau ~ HalfNormal(0.5)\ntau "
    )
    assert "The risk ratios of one model come from one distribution" in out
    both = fit.probability({"secure": "higher", "disorganised": "lower"})
    assert f"PIP: probability of secure higher and disorganised lower than under control {both:.3f}" in out


def test_a_stated_baseline_and_the_saved_fit(command, counts, tmp_path) -> None:
    stated = ("--baseline", "secure=0.3", "--baseline", "avoidant=0.3", "--baseline", "disorganised=0.4")
    saved = tmp_path / "fit.nc"
    code, out, err = command(
        "categories", counts, *OPTIONS, *stated, "--save", saved, "-f", "csv", "--show", "new-trial"
    )
    assert code == 0
    assert f"fit written to {saved}" in err
    (row,) = [
        one for one in csv.DictReader(io.StringIO(out))
        if (one["treatment"], one["term"], one["measure"]) == ("control", "disorganised", "risk")
    ]  # fmt: skip
    assert float(row["estimate"]) == pytest.approx(0.4)
    assert bm.load_categories(saved).baseline == {"secure": 0.3, "avoidant": 0.3, "disorganised": 0.4}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--reference", "placebo"), "unknown treatment 'placebo'"),
        (("--link", "logit"), "link is that of ordered categories"),
        (("--baseline", "secure=many"), "takes CATEGORY=PROBABILITY but got 'secure=many'"),
        (("--baseline", "secure"), "takes NAME=VALUE"),
        (("--show", "effects"), "effects on ordered categories"),
        (("--show", "margins"), "multinomial model"),
        (("--together", "secure=more"), "unknown side"),
        (("--outcome-order", "secure,avoidant,disorganised"), "multinomial likelihood only"),
    ],
)
def test_what_cannot_be_done(command, counts, options, message) -> None:
    code, out, err = command("categories", counts, *OPTIONS, *options)
    assert (code, out) == (2, "")
    assert message in err
