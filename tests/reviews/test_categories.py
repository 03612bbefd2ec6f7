"""``[[categories]]`` in a review: outcomes with several categories, from review.toml to every output."""

from __future__ import annotations

import csv
import io

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.reporting.figures.category_shift import ShiftPanel, category_shift
from bayesmeta.reporting.figures.formats import FIGURE_FORMATS
from bayesmeta.reporting.tables.formats import TABLE_FORMATS
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.report.page import write_report
from bayesmeta.reviews.run import plan_review, run_review
from bayesmeta.reviews.spec import read_review

TOML = """
id = "r"
title = "Attachment"
notice = "Not for inference."
[settings]
engine = "quadrature"
tables = [{tables}]
figures = [{figures}]
[[analysis]]
id = "1.1"
outcome = "Secure"
measure = "RR"
data = "secure.csv"
[[categories]]
id = "2.1"
outcome = "Attachment"
comparison = "PIP or talking versus control"
time = "12 months"
data = "attachment.csv"
categories = ["secure", "avoidant", "resistant", "disorganised"]
reference = ["control", "talking"]
together = {{ secure = "higher", disorganised = "lower" }}
[[categories]]
id = "2.2"
outcome = "Change"
data = "change.csv"
priors = {{ tau = "HalfNormal(0.3)" }}
"""
ATTACHMENT = """study,treatment,visit,secure,avoidant,resistant,disorganised
E,PIP,last,45,5,0,9
E,control,last,6,7,4,14
F,PIP,last,29,6,0,3
F,control,last,1,11,16,12
F,talking,last,22,6,2,9
"""
CHANGE = """study,arm,insecure_to_secure,stable_secure,secure_to_insecure,stable_insecure
E,PIP,41,4,1,13
E,control,3,3,2,23
F,PIP,28,1,0,9
F,control,1,0,1,38
"""


def write_review(folder, **replaced):
    folder.mkdir(exist_ok=True)
    quoted = {
        name: ", ".join(f'"{one}"' for one in names)
        for name, names in (("tables", TABLE_FORMATS), ("figures", FIGURE_FORMATS))
    }
    (folder / "review.toml").write_text(replaced.get("toml", TOML).format(**quoted))
    (folder / "secure.csv").write_text("study,events_e,n_e,events_c,n_c\nE,45,59,6,31\nF,29,38,1,40\n")
    (folder / "attachment.csv").write_text(replaced.get("attachment", ATTACHMENT))
    (folder / "change.csv").write_text(CHANGE)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("categories")
    return run_review(write_review(folder / "review"), folder / "out")


def test_the_rows_have_the_names_of_the_categories(run) -> None:
    assert run.failed == {}
    frame = pd.read_csv(run.out / "results.csv", dtype={"analysis": str})
    rows = frame[(frame.analysis == "2.1") & (frame.measure == "RR")]
    assert set(rows.group) == {"PIP vs control", "talking vs control", "PIP vs talking"}
    assert list(rows[rows.group == "PIP vs control"].term) == ["secure", "avoidant", "resistant", "disorganised"]
    assert set(rows.method) == {"bayes:multinomial:quadrature"}
    assert (rows.ci_low < rows.estimate).all()
    fit = bm.categories(
        run.out.parent / "review" / "attachment.csv", engine="quadrature", seed=1, categories=list(rows.term[:4])
    )
    expected = fit.summary()
    expected = expected[(expected.measure == "RR") & (expected.treatment == "PIP")]
    np.testing.assert_allclose(rows[rows.group == "PIP vs control"].estimate, expected.estimate, rtol=1e-8)
    assert (rows[rows.group == "PIP vs control"].k == 2).all()
    assert (rows[rows.group == "talking vs control"].n == 79).all()
    change = frame[(frame.analysis == "2.2") & (frame.measure == "RD")]
    assert "insecure to secure" in set(change.term)
    assert "secure | insecure" in set(change.term)


def test_the_table_has_coherent_and_separate_ratios_in_every_format(run) -> None:
    for name in TABLE_FORMATS:
        assert (run.out / "tables" / f"categories.{name}").is_file()
    text = (run.out / "tables" / "categories.csv").read_text("utf-8-sig")
    assert "Not for inference." in text
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if "Risk ratio, separate" in line)
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[start:]))))
    (row,) = [
        one
        for one in rows
        if one["Treatment"] == "PIP"
        and one["Category"] == "secure"
        and "against control" in one["Analysis"]
        and "2.1" in one["Analysis"]
    ]
    alone = bm.fit(run.out.parent / "review" / "secure.csv", measure="RR", likelihood="binomial")
    assert row["Risk ratio, separate"].startswith(f"{np.exp(alone.quantile('mu', 0.5)):.2f} [")
    markdown = (run.out / "tables" / "categories.md").read_text("utf-8")
    for sentence in ("The risk ratios of one model come from one distribution", "probability of secure higher and disorganised lower",
                     "Normal approximation", "HalfNormal(0.3)"):  # fmt: skip
        assert sentence in markdown
    main = (run.out / "tables" / "main.md").read_text("utf-8")
    assert "Secure" in main
    assert "Change" not in main


def test_the_figures_and_the_report(run) -> None:
    for name in ("categories_2.1_control", "categories_2.1_talking", "categories_2.2"):
        for suffix in FIGURE_FORMATS:
            assert (run.out / "figures" / f"{name}.{suffix}").stat().st_size > 1000
    page = write_report(run.out).read_text("utf-8")
    assert 'id="a-2.1"' in page
    assert "<summary>Categories</summary>" in page
    review, results = load_run(run.out)
    assert [result.id for result in results] == ["1.1", "2.1", "2.2"]
    assert review.categories[0].together == {"secure": "higher", "disorganised": "lower"}


def outdated(folder, out):
    """Ids of what a run would fit again."""
    return [step.analysis.id for step in plan_review(folder, out)[2] if step.why]


def test_only_what_changed_is_fitted_again(tmp_path) -> None:
    folder = write_review(tmp_path / "review")
    first = run_review(folder, tmp_path / "out", figures=False, jobs=2)
    assert first.failed == {}
    assert outdated(folder, tmp_path / "out") == []
    (folder / "attachment.csv").write_text(ATTACHMENT.replace("E,PIP,last,45,5", "E,PIP,last,44,6"))
    assert outdated(folder, tmp_path / "out") == ["2.1"]
    again = run_review(folder, tmp_path / "out", figures=False)
    assert again.failed == {}
    text = (folder / "review.toml").read_text().replace("HalfNormal(0.3)", "HalfNormal(0.4)")
    (folder / "review.toml").write_text(text)
    assert outdated(folder, tmp_path / "out") == ["2.2"]


def test_a_table_that_cannot_be_used_fails_alone(tmp_path) -> None:
    folder = write_review(
        tmp_path / "review", attachment=ATTACHMENT.replace("E,control,last,6,7", "E,control,last,6,-7")
    )
    run = run_review(folder, tmp_path / "out", figures=False)
    assert list(run.failed) == ["2.1"]
    assert "attachment.csv" in run.failed["2.1"]
    assert "0 or above, but is -7" in run.failed["2.1"]
    assert [result.id for result in run.results] == ["1.1", "2.2"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "2.2"', 'id = "1.1"', "appears twice"),
        ('data = "change.csv"', 'dta = "change.csv"', "categories 2.2: unknown key 'dta'"),
        ("HalfNormal(0.3)", "Half(0.3)", "categories 2.2"),
        ('secure = "higher"', 'safe = "higher"', "unknown category under together: 'safe'"),
    ],
)
def test_keys_that_cannot_be_used(tmp_path, old, new, message) -> None:
    folder = write_review(tmp_path / "review", toml=TOML.replace(old, new))
    with pytest.raises(SpecError, match=message):
        read_review(folder)


def test_the_figure_refuses_what_is_no_distribution() -> None:
    values = np.array([[0.5, 0.5], [0.2, 0.8]])
    panel = ShiftPanel("After", ("a", "b"), ("control", "drug"), values, values, values - 0.1, values + 0.1)
    figure = category_shift([panel], title="T", notes=["N"])
    bars, _, _, dots = figure.axes
    widths = [patch.get_width() for patch in bars.patches]
    np.testing.assert_allclose(widths, [50, 50, 20, 80])
    points = [line.get_xdata()[0] for line in dots.lines if line.get_marker() not in ("", "None")]
    np.testing.assert_allclose(points, [50, 20, 50, 80])
    with pytest.raises(SpecError, match="sum to 1"):
        category_shift([ShiftPanel("", ("a", "b"), ("c", "d"), 2 * values, values, values, values)])
    with pytest.raises(SpecError, match="nothing to draw"):
        category_shift([])
