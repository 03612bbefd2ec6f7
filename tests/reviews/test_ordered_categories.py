"""Ordered categories in a review: ``outcome_order`` and ``link`` of ``[[categories]]``, from review.toml to every output."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.reviews.documents.facts import Facts
from bayesmeta.reviews.documents.methods import methods_text
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.run import plan_review, run_review
from bayesmeta.reviews.spec import read_review

TOML = """
id = "r"
title = "Severity"
[settings]
engine = "nuts"
report = false
documents = []
figures = ["png"]
tables = ["md"]
[[categories]]
id = "2.1"
outcome = "Severity"
data = "severity.csv"
outcome_order = ["severe", "mild", "none"]
link = "logit"
together = { none = "higher", severe = "lower" }
"""
COUNTS = """study,treatment,none,mild,severe
A,drug,30,20,10
A,control,15,25,20
B,drug,25,10,5
B,control,18,12,11
"""


def write_review(folder, toml=TOML):
    folder.mkdir(exist_ok=True)
    (folder / "review.toml").write_text(toml)
    (folder / "severity.csv").write_text(COUNTS)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ordered")
    return run_review(write_review(folder / "review"), folder / "out")


@pytest.mark.sampling
def test_the_rows_have_the_effect_and_the_risks(run) -> None:
    assert run.failed == {}
    frame = pd.read_csv(run.out / "results.csv", dtype={"analysis": str})
    rows = frame[frame.analysis == "2.1"]
    assert set(rows.method) == {"bayes:ordered logit:nuts"}
    assert list(rows[rows.measure == "RR"].term) == ["severe", "mild", "none"]
    (effect,) = rows[rows.measure == "OR"].to_dict("records")
    # most people are better with the drug: the odds of a higher category, which is a milder one, are higher
    assert effect["term"] == "towards none"
    assert 1 < effect["ci_low"] < effect["estimate"] < effect["ci_high"] < effect["pi_high"]
    assert effect["se_scale"] == "log"
    fit = bm.categories(run.out.parent / "review/severity.csv", outcome_order=["severe", "mild", "none"], link="logit")
    (saved,) = (run.out / "fits").glob("*.nc")
    pd.testing.assert_frame_equal(bm.load_categories(saved).summary(), fit.summary(), check_exact=True)
    assert effect["estimate"] == pytest.approx(np.exp(fit.link_effects().estimate[0]), rel=1e-6)


@pytest.mark.sampling
def test_tables_figures_and_methods(run) -> None:
    text = (run.out / "tables" / "categories.md").read_text("utf-8")
    for part in (
        "towards none",
        "proportional odds",
        "Effect, new trial",
        "come from one latent variable",
        "on the scale of the link",
    ):
        assert part in text
    assert "come from one distribution over the categories" not in text
    assert (run.out / "figures" / "categories_2.1.png").is_file()
    review, results = load_run(run.out)
    sections = {one.heading: one for one in methods_text(Facts(review, tuple(results), {}))}
    sentences = [one.text for one in sections["Outcomes with several categories"].sentences]
    assert "proportional odds model" in sentences[0]
    assert sections["Outcomes with several categories"].sentences[0].cites == (("McCullagh1980",),)


@pytest.mark.sampling
def test_another_link_or_order_is_fitted_again(run) -> None:
    folder = run.out.parent / "review"

    def outdated() -> list[str]:
        return [step.analysis.id for step in plan_review(folder, run.out)[2] if step.why]

    assert outdated() == []
    for old, new in (('link = "logit"', ""), ('["severe", "mild", "none"]', '["none", "mild", "severe"]')):
        (folder / "review.toml").write_text(TOML.replace(old, new))
        assert outdated() == ["2.1"]
    (folder / "review.toml").write_text(TOML)


def test_quadrature_alone_has_no_ordered_categories(tmp_path) -> None:
    toml = TOML.replace('engine = "nuts"', 'engine = "quadrature"')
    run = run_review(write_review(tmp_path / "review", toml), tmp_path / "out", figures=False)
    assert list(run.failed) == ["2.1"]
    assert 'engine = "quadrature" excludes' in run.failed["2.1"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('outcome_order = ["severe", "mild", "none"]', "", "link is that of ordered categories"),
        ('"mild", "none"]', '"mild", "mild"]', "names a category twice"),
        ('link = "logit"', 'link = "log"', "'probit' or 'logit'"),
        ('link = "logit"', 'categories = ["none", "mild"]', "unknown category under outcome_order: 'severe'"),
        ('"mild", "none"]', '"mild"]\ncategories = ["none", "mild", "severe"]', "outcome_order leaves out none"),
        ('none = "higher"', 'nothing = "higher"', "unknown category under together: 'nothing'"),
    ],
)  # fmt: skip
def test_keys_that_cannot_be_used(tmp_path, old, new, message) -> None:
    with pytest.raises(SpecError, match=message):
        read_review(write_review(tmp_path / "review", TOML.replace(old, new)))


def test_an_order_without_a_category_of_the_table(tmp_path) -> None:
    toml = TOML.replace('"mild", "none"]', '"mild"]').replace('none = "higher", ', "")
    run = run_review(write_review(tmp_path / "review", toml), tmp_path / "out", figures=False)
    assert list(run.failed) == ["2.1"]
    assert "the order of the categories leaves out none" in run.failed["2.1"]
