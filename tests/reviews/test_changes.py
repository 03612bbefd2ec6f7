"""What a run says of an earlier one: studies, estimates and conclusions that changed, and nothing where nothing did."""

from __future__ import annotations

import dataclasses
import json

import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError
from bayesmeta.reporting.numbers import estimate
from bayesmeta.reviews.changes import Change, change_lines, changes_between
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.report.page import write_report
from bayesmeta.reviews.report.page_changes import summary
from bayesmeta.reviews.run import run_review

REVIEW = """id = "living"
title = "A living review"
notice = "Made-up numbers."
[settings]
engine = "quadrature"
likelihoods = ["normal"]
tables = ["csv", "md"]
figures = ["svg"]
documents = []
checks = false
[bands.SMD]
trivial = 0.2
small = 0.5
[[analysis]]
id = "1.1"
outcome = "Sleep"
measure = "SMD"
better = "lower"
data = "sleep.csv"
grade = { imprecision = { down = 1, why = "few people" } }
[[analysis]]
id = "1.2"
outcome = "Death"
measure = "RR"
better = "lower"
data = "death.csv"
"""
SLEEP = "study,yi,sei\nA,-0.10,0.20\nB,0.05,0.15\nC,-0.20,0.25\n"
DEATH = "study,events_e,n_e,events_c,n_c\nA,5,100,9,100\nB,12,150,20,150\n"


@pytest.fixture
def source(tmp_path):
    for name, text in (("review.toml", REVIEW), ("sleep.csv", SLEEP), ("death.csv", DEATH)):
        (tmp_path / name).write_text(text)
    return tmp_path


def by_what(changes):
    return {(one.analysis, one.what): one for one in changes}


def test_nothing_changed(source):
    run_review(source, source / "first", figures=False)
    done = run_review(source, source / "second", figures=False, since=source / "first")
    assert done.changes == ()
    assert change_lines(done.changes, "first") == ["nothing changed since first"]
    table = pd.read_csv(source / "second" / "tables" / "changes.csv", keep_default_na=False)
    assert list(table["What"])[-1] == "Nothing changed"
    assert bm.review_changes(source / "first", source / "second").empty


def test_studies_estimates_and_conclusions_in_the_same_folder(source):
    out = source / "out"
    run_review(source, out, figures=False)
    before = load_run(out)[1][0]
    more = SLEEP.replace("C,-0.20,0.25\n", "") + "D,-0.90,0.10\nE,-0.80,0.10\n"
    (source / "sleep.csv").write_text(more.replace("A,-0.10,0.20", "A,-0.70,0.20"))
    (source / "death.csv").write_text(DEATH.replace("A,5,100", "A,6,100"))
    toml = REVIEW.replace('{ imprecision = { down = 1, why = "few people" } }', "{}")
    (source / "review.toml").write_text(toml)
    done = run_review(source, out, figures=False, since=out)
    found = by_what(done.changes)
    added = [one.now for one in done.changes if one.what == "Study added"]
    assert added == ["D", "E"]
    assert found["1.1", "Study removed"].before == "C"
    changed = found["1.1", "Study changed"]
    assert (changed.before, changed.now) == ("A: yi -0.1", "A: yi -0.7")
    assert found["1.2", "Study changed"].before == "A: events e 5"
    assert found["1.2", "Study changed"].now == "A: events e 6"
    moved = found["1.1", "Bayesian estimate"]
    rows = [next(row for row in one.rows if row["method"] == one.primary) for one in (before, done.results[0])]
    apart = rows[1]["estimate"] - rows[0]["estimate"]
    assert moved.note.startswith(f"difference {apart:+.2g}; the interval ")
    excludes = not rows[1]["ci_low"] <= rows[0]["estimate"] <= rows[1]["ci_high"]
    assert moved.note.endswith(f"{'excludes' if excludes else 'includes'} the earlier estimate")
    labels = {one.what for one in done.changes if one.analysis == "1.2"}
    assert sum(label.endswith("estimate") for label in labels) == 3
    assert any("ratio to the earlier one 1.0" in one.note for one in done.changes if one.analysis == "1.2")
    conclusion = found["1.1", "Conclusion: interval"]
    assert (conclusion.before, conclusion.now) == ("includes no effect", "excludes no effect")
    band = found["1.1", "Conclusion: band of largest probability"]
    assert band.before.startswith("Trivial (")
    assert band.now.startswith("Moderate or large benefit (")
    certainty = found["1.1", "Certainty (GRADE)"]
    assert (certainty.before, certainty.now) == ("moderate", "high")
    assert ("1.2", "Certainty (GRADE)") not in found
    assert ("1.1", "Conclusion: side of no effect") not in found
    for form in ("csv", "md"):
        text = (out / "tables" / f"changes.{form}").read_text()
        assert "Study added" in text
        assert "Made-up numbers." in text or form == "csv"


def test_analyses_priors_measures_and_levels(source):
    run_review(source, source / "first", figures=False)
    toml = (
        REVIEW.replace('id = "1.2"', 'id = "1.3"')
        .replace("notice =", "#")
        .replace("[settings]", "[settings]\nlevel = 0.9")
    )
    toml += '[priors.SMD]\nmu = "Normal(0, 1)"\n'
    (source / "review.toml").write_text(toml)
    done = run_review(source, source / "second", figures=False, since=source / "first")
    found = by_what(done.changes)
    assert found["1.3", "Analysis added"].now == "Death"
    assert found["1.2", "Analysis without a result now"].before == "Death"
    assert found["1.1", "Level of the intervals"].now == "90%"
    assert "Normal(0, 1)" in found["1.1", "Priors, normal likelihood"].now
    lines = change_lines(done.changes, "first")
    assert lines[0] == "changed since first:"
    assert "1.3 Analysis added: Death" in lines


def test_the_table_is_removed_when_another_run_makes_it_untrue(source):
    out = source / "out"
    run_review(source, source / "first", figures=False)
    run_review(source, out, figures=False, since=source / "first")
    table = out / "tables" / "changes.csv"
    run_review(source, out, figures=False)
    assert table.exists()
    (source / "death.csv").write_text(DEATH.replace("A,5,100", "A,6,100"))
    run_review(source, out, figures=False)
    assert not table.exists()


def test_a_folder_without_a_run_is_refused_before_anything_is_written(source):
    with pytest.raises(DataError, match="this folder contains no run"):
        run_review(source, source / "out", since=source)
    assert not (source / "out").exists()


def test_an_earlier_run_is_not_trusted(source):
    first, second = source / "first", source / "second"
    run_review(source, first, figures=False)
    file = first / "analyses" / "1.1.json"
    content = json.loads(file.read_text())
    content["studies"][0]["study"] = "\x1b[31mA\n" + "x" * 1000
    content["studies"][1]["estimate"] = "many"
    content["rows"] = [{**row, "estimate": ["a"], "prob_trivial": "high"} for row in content["rows"]]
    content["priors"]["normal"] = "\x07rm"
    file.write_text(json.dumps(content))
    done = run_review(source, second, figures=False, since=first)
    removed = by_what(done.changes)["1.1", "Study removed"].before
    assert "\x1b" not in removed
    assert len(removed) == 300
    assert all(text.isprintable() for one in done.changes for text in (one.before, one.now, one.note))
    # a review that names files elsewhere is refused as a run
    review = json.loads((first / "review.json").read_text())
    review["analysis"][0]["id"] = "../../secret"
    (first / "review.json").write_text(json.dumps(review))
    with pytest.raises(DataError, match="not the review of a run"):
        bm.review_changes(first, second)


def test_an_estimate_that_appears_or_disappears_is_a_change(source):
    run_review(source, source / "out", figures=False)
    review, results = load_run(source / "out")
    rows = [row for row in results[0].rows if row["method"] != "DL"]
    (change,) = changes_between((review, [dataclasses.replace(results[0], rows=rows), results[1]]), (review, results))
    pooled = next(row for row in results[0].rows if row["method"] == "DL")
    assert change.before == "none"
    assert change.now == estimate(pooled["estimate"], pooled["ci_low"], pooled["ci_high"])


def test_the_table_shows_beside_each_estimate_how_it_moved(source):
    run_review(source, source / "first", figures=False)
    (source / "death.csv").write_text(DEATH.replace("A,5,100", "A,6,100"))
    done = run_review(source, source / "second", figures=False, since=source / "first")
    table = pd.read_csv(source / "second" / "tables" / "changes.csv", keep_default_na=False)
    moved = table[table["What"] == "Bayesian estimate"]
    assert list(moved["Change"]) == [by_what(done.changes)["1.2", "Bayesian estimate"].note]


def page_of(out):
    return (out / "report.html").read_text(encoding="utf-8")


def test_the_report_page_shows_what_changed(source):
    out = source / "out"
    (source / "review.toml").write_text(REVIEW.replace('figures = ["svg"]', "figures = []"))
    run_review(source, out)
    assert 'id="changes"' not in page_of(out)
    assert 'href="#changes"' not in page_of(out)
    (source / "sleep.csv").write_text(SLEEP + "D <i>,-0.90,0.10\nE,-0.80,0.10\n")
    run_review(source, out, since=out)
    page = page_of(out)
    section = page[page.index('<section id="changes">') :]
    section = section[: section.index("</section>")]
    assert "2 studies added; 3 estimates moved; " in section
    assert " in 1 analysis." in section
    assert "D &lt;i&gt;" in section
    assert "<i>" not in section
    assert page.count('href="#changes"') == 1
    # the same page from what was saved, without the earlier run
    write_report(out)
    assert page_of(out) == page
    # a run with nothing to do keeps it; one against the present state says that nothing changed
    assert run_review(source, out).kept
    assert page_of(out) == page
    run_review(source, out, since=out)
    assert "<p>Nothing changed.</p>" in page_of(out)
    # a later run, of other data, that is compared with nothing has none
    (source / "sleep.csv").write_text(SLEEP)
    run_review(source, out)
    assert 'id="changes"' not in page_of(out)
    assert not (out / "changes.json").exists()
    # the page is the one that the ledger knows
    before = (out / "report.html").stat().st_mtime_ns
    run_review(source, out)
    assert (out / "report.html").stat().st_mtime_ns == before


@pytest.mark.parametrize(
    ("whats", "text"),
    [
        ((), "Nothing changed."),
        (("Study added",), "1 study added, in 1 analysis."),
        (("Study removed", "Study removed"), "2 studies removed, in 1 analysis."),
        (
            ("Bayesian estimate", "Conclusion: interval", "Certainty (GRADE)", "Measure"),
            "1 estimate moved; 1 conclusion changed; 1 certainty rating changed; 1 other change, in 1 analysis.",
        ),
    ],
)
def test_changes_are_counted_in_a_sentence(whats, text):
    assert summary([Change("1.1", what) for what in whats]) == text
