"""A review run from its toml to its outputs, by quadrature."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import shutil

import numpy as np
import pandas as pd
import pytest
from paths import REVIEWS_FOLDER
from table_readers import text_of

import bayesmeta as bm
from bayesmeta.errors import BayesmetaError, SpecError
from bayesmeta.reporting.tables.formats import TABLE_FORMATS
from bayesmeta.results.rows import TIDY
from bayesmeta.reviews.agreement import run_agreement
from bayesmeta.reviews.run import run_review

PIP = REVIEWS_FOLDER / "pip"
NOTICE = "Made-up numbers, to test with."


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def run(tmp_path_factory, whole_source):
    """The small review, whose third analysis has a bad table, run once with everything."""
    return run_review(whole_source, tmp_path_factory.mktemp("run") / "out")


@pytest.fixture(scope="module")
def results(run):
    return pd.read_csv(run.out / "results.csv", dtype={"analysis": str})


def test_one_bad_table_does_not_stop_the_others(run):
    assert [result.id for result in run.results] == ["1.1", "1.2"]
    assert list(run.failed) == ["1.3"]
    for part in ("broken.csv", "row 3", "'200'", "150"):
        assert part in run.failed["1.3"]
    assert run.seconds > 0


def test_what_is_written(run):
    found = set(tree(run.out))
    tables = {
        f"tables/{name}.{form}"
        for name in ("main", "methods", "studies", "influence", "predictive", "evidence", "priors")
        for form in TABLE_FORMATS
    }
    figures = {
        f"figures/{kind}_{id_}.{form}"
        for kind in ("forest", "tau")
        for id_ in ("1.1", "1.2")
        for form in (("png", "svg") if kind == "forest" else ("svg",))
    }
    rest = {
        "review.json",
        "results.csv",
        "results.parquet",
        "studies.csv",
        "manifest.json",
        "ledger.jsonl",
        "report.html",
    }
    rest |= {"analyses/1.1.json", "analyses/1.2.json"}
    documents = {f"documents/{name}" for name in ("manuscript.docx", "references.bib", "workbook.xlsx")}
    documents |= {f"documents/checklists.{form}" for form in TABLE_FORMATS}
    assert found == tables | figures | documents | rest


def test_results_are_tidy_and_on_the_natural_scale(run, results, small_source):
    assert tuple(results.columns[: len(TIDY)]) == TIDY
    assert set(results["scale"]) == {"natural"}
    table = bm.read_studies(small_source.parent / "death.csv")
    row = results[(results["analysis"] == "1.1") & (results["method"] == "DL") & (results["term"] == "mu")].iloc[0]
    pooled = bm.random_effects(bm.effect_sizes(table, "RR"), method="DL")
    for name in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high"):
        assert row[name] == pytest.approx(np.exp(getattr(pooled, name)), rel=1e-9)
    assert row["se"] == pytest.approx(pooled.se, rel=1e-9)
    assert (row["k"], row["tau2"], row["i2"]) == pytest.approx((3, pooled.tau2, pooled.i2), rel=1e-9, abs=1e-12)
    assert "Clark: " in row["note"]
    posterior = bm.fit(table, measure="RR", likelihood="normal", engine="quadrature")
    bayes = results[(results["analysis"] == "1.1") & (results["method"] == "bayes:normal:quadrature")].set_index("term")
    assert list(bayes.index) == ["mu", "tau", "tau2", "i2", "theta_new"]
    assert bayes.loc["mu", "estimate"] == pytest.approx(np.exp(posterior.quantile("mu", 0.5)), rel=1e-8)
    assert bayes.loc["tau", "ci_high"] == pytest.approx(posterior.quantile("tau", 0.975), rel=1e-8)
    assert bayes.loc["mu", "prob_benefit"] == pytest.approx(posterior.cdf("mu", np.array([0.0]))[0], abs=1e-8)
    assert bayes.loc["mu", "prob_beyond_mid"] == pytest.approx(
        posterior.cdf("mu", np.array([np.log(0.8)]))[0], abs=1e-8
    )
    assert bayes.loc["mu", "pi_low"] == pytest.approx(bayes.loc["theta_new", "ci_low"], rel=1e-9)
    published = results[results["method"] == "published"].iloc[0]
    assert (published["estimate"], published["ci_low"], published["ci_high"], published["n"]) == pytest.approx(
        (0.62, 0.35, 1.1, 620)
    )
    smd = results[(results["analysis"] == "1.2") & (results["term"] == "mu")].set_index("method")
    assert smd.loc["DL", "estimate"] < 0
    alternatives = results[results["method"] == "bayes:normal:quadrature:Wide"]
    assert set(alternatives["analysis"]) == {"1.1"}
    assert set(alternatives["priors"]) == {"HalfCauchy(1)"}
    assert len(results) == sum(len(result.rows) for result in run.results)


def test_studies_keep_those_left_out_with_their_reason(run):
    studies = pd.read_csv(run.out / "studies.csv", dtype={"analysis": str})
    assert list(studies.columns[:2]) == ["analysis", "study"]
    assert list(studies["study"]) == ["Adams", "Baker", "Clark", "Davis", "Adams", "Baker"]
    clark = studies.iloc[2]
    assert "not estimable" in clark["reason"]
    assert np.isnan(clark["weight"])
    weights = studies[studies["analysis"] == "1.1"]["weight"]
    assert weights.sum() == pytest.approx(100)
    assert studies.iloc[0]["estimate"] == pytest.approx(5 / 9)


def test_the_manifest_records_what_made_the_outputs(run, whole_source):
    manifest = json.loads((run.out / "manifest.json").read_text())
    assert (manifest["review"], manifest["title"], manifest["notice"], manifest["seed"]) == (
        "small",
        "A small review",
        NOTICE,
        7,
    )
    assert manifest["versions"] == bm.fit(yi=[0.1], sei=[0.2], measure="SMD").provenance
    assert manifest["settings"]["engine"] == "quadrature"
    folder = whole_source.parent
    assert manifest["sha256"]["review.toml"] == hashlib.sha256(whole_source.read_bytes()).hexdigest()
    assert [manifest["analyses"][name]["data"] for name in ("1.1", "1.2")] == [
        {"file": name, "sha256": hashlib.sha256((folder / name).read_bytes()).hexdigest()}
        for name in ("death.csv", "pain.csv")
    ]
    assert {"binary_rr", "continuous_smd", "generic_normal"} <= set(manifest["sha256"]["models"])
    assert set(manifest["analyses"]) == {"1.1", "1.2"}
    assert manifest["analyses"]["1.1"]["errors"] == []
    assert manifest["analyses"]["1.1"]["primary"] == run.results[0].primary
    assert manifest["analyses"]["1.1"]["priors"]["normal"] == "mu ~ Normal(0, 2.82), tau ~ HalfNormal(0.5)"
    assert list(manifest["failed"]) == ["1.3"]
    # nothing in it depends on when, where or by whom it was run
    text = (run.out / "manifest.json").read_text()
    assert str(folder.parent) not in text.replace(json.dumps(manifest["failed"])[1:-1], "")


def test_the_notice_is_in_every_table_and_figure(run):
    for path in (run.out / "tables").iterdir():
        assert NOTICE in text_of(path), path.name
    for path in (run.out / "figures").glob("*.svg"):
        text = path.read_text()
        words = NOTICE.split()
        # text is kept as text; a footnote may be broken into lines
        for word in words:
            assert word in text, (path.name, word)


def test_running_again_gives_the_same_bytes(run, whole_source, tmp_path):
    again = run_review(whole_source, tmp_path / "again")
    before, after = tree(run.out), tree(again.out)
    assert set(before) == set(after)
    differing = [name for name in before if before[name] != after[name]]
    assert differing == []


def test_running_into_the_same_folder_changes_nothing_and_leaves_no_temporary_files(small_review, tmp_path):
    out = tmp_path / "out"
    run_review(small_review, out, figures=False)
    first = tree(out)
    manifest = json.loads(first.pop("manifest.json"))
    assert (manifest["run_now"], manifest["kept"]) == (["1.1", "1.2", "1.3"], [])
    run_review(small_review, out, figures=False)
    again = tree(out)
    second_manifest = json.loads(again.pop("manifest.json"))
    assert again == first
    # the one that failed is tried again
    assert (second_manifest.pop("run_now"), second_manifest.pop("kept")) == (["1.3"], ["1.1", "1.2"])
    assert second_manifest.items() <= manifest.items()


def test_the_old_result_of_a_table_that_has_become_bad_is_removed(small_review, tmp_path):
    out = tmp_path / "out"
    run_review(small_review, out, figures=False)
    (small_review.parent / "pain.csv").write_text("study,mean_e\nA,1\n")
    again = run_review(small_review, out, figures=False)
    assert set(again.failed) == {"1.2", "1.3"}
    assert not (out / "analyses" / "1.2.json").exists()
    assert set(pd.read_csv(out / "results.csv", dtype={"analysis": str})["analysis"]) == {"1.1"}


def test_no_table_is_left_when_the_last_result_has_become_bad(small_review, tmp_path):
    out = tmp_path / "out"
    run_review(small_review, out, figures=False, only=("1.2",))
    (small_review.parent / "pain.csv").write_text("study,mean_e\nA,1\n")
    run_review(small_review, out, figures=False, only=("1.2",))
    kept = [path.name for path in out.rglob("*") if path.is_file() and b"Adams" in path.read_bytes()]
    assert kept == []


def test_the_figures_of_an_analysis_that_has_become_bad_are_removed(small_review, tmp_path):
    out = tmp_path / "out"
    run_review(small_review, out, only=("1.2",))
    assert (out / "figures" / "forest_1.2.svg").exists()
    (small_review.parent / "pain.csv").write_text("study,mean_e\nA,1\n")
    run_review(small_review, out, only=("1.1", "1.2"))
    assert not (out / "figures" / "forest_1.2.svg").exists()


def test_running_one_analysis_keeps_the_results_of_the_others(small_review, tmp_path):
    out = tmp_path / "out"
    run_review(small_review, out, figures=False)
    whole = (out / "results.csv").read_bytes()
    run_review(small_review, out, figures=False, only=("1.1",))
    assert (out / "results.csv").read_bytes() == whole


def test_a_review_where_everything_fails(small_review, tmp_path):
    run = run_review(small_review, tmp_path / "out", only=("1.3",))
    assert run.results == ()
    assert list(run.failed) == ["1.3"]
    assert not (tmp_path / "out" / "results.csv").exists()


def test_a_figure_that_fails_does_not_affect_the_numbers(small_review, tmp_path, monkeypatch):
    def broken(*_):
        raise ValueError("no glyph")

    monkeypatch.setattr("bayesmeta.reviews.running.tasks.draw_analysis", broken)
    done = run_review(small_review, tmp_path / "out")
    assert "1.1" in [result.id for result in done.results]
    assert done.failed["1.1"] == "figure: unexpected ValueError: no glyph"
    assert (tmp_path / "out" / "analyses" / "1.1.json").is_file()
    assert "1.1" in set(pd.read_csv(tmp_path / "out" / "results.csv", dtype={"analysis": str})["analysis"])


def test_an_unexpected_error_in_one_analysis_does_not_stop_the_others(small_review, tmp_path, monkeypatch):
    from bayesmeta.reviews.running import tasks

    real = tasks.run_analysis

    def surprising(spec, analysis, *rest):
        if analysis.id == "1.1":
            raise ZeroDivisionError("a bug")
        return real(spec, analysis, *rest)

    monkeypatch.setattr(tasks, "run_analysis", surprising)
    done = run_review(small_review, tmp_path / "out", figures=False)
    assert done.failed["1.1"] == "unexpected ZeroDivisionError: a bug"
    assert "1.2" in [result.id for result in done.results]


def test_the_level_is_in_every_caption(small_review, tmp_path):
    text = small_review.read_text(encoding="utf-8")
    assert "[settings]" in text
    small_review.write_text(text.replace("[settings]", "[settings]\nlevel = 0.9", 1), encoding="utf-8")
    done = run_review(small_review, tmp_path / "out", figures=False)
    for name in ("main", "methods", "studies", "priors"):
        table = (done.out / "tables" / f"{name}.md").read_text(encoding="utf-8")
        assert "95%" not in table, name
    assert "90% credible interval" in (done.out / "tables" / "main.md").read_text(encoding="utf-8")


def test_nothing_is_written_for_unknown_analyses_and_engines(small_review, tmp_path):
    with pytest.raises(SpecError, match=r"no analysis '9\.9'; it has 1\.1, 1\.2, 1\.3"):
        run_review(small_review, tmp_path / "out", only=("9.9",))
    with pytest.raises(SpecError, match="did you mean 'quadrature'"):
        run_review(small_review, tmp_path / "out", engine="quadratur")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written(small_review, tmp_path):
    (tmp_path / "taken").write_text("a file")
    for out in (tmp_path / "taken", tmp_path / "taken" / "deeper"):
        with pytest.raises(BayesmetaError) as caught:
            run_review(small_review, out, figures=False)
        assert str(out) in str(caught.value)
        assert "folder" in str(caught.value)
    assert (tmp_path / "taken").read_text() == "a file"


def test_figures_can_be_left_out(small_review, tmp_path):
    run = run_review(small_review, tmp_path / "out", figures=False, only=("1.2",))
    assert not (run.out / "figures").exists()
    assert not (run.out / "fits").exists()


class Recorded:
    """Progress that records its calls."""

    def __init__(self):
        self.calls = []

    def over(self, total, title):
        from contextlib import nullcontext

        self.calls.append(("over", total, title))
        return nullcontext()

    def kept(self, count):
        self.calls.append(("kept", count))

    def started(self, name, description):
        self.calls.append(("started", name, description))

    def finished(self, name, problem, seconds):
        assert seconds >= 0
        self.calls.append(("finished", name, bool(problem)))


def test_progress_is_reported(small_review, tmp_path):
    recorded = Recorded()
    run_review(small_review, tmp_path / "out", figures=False, progress=recorded)
    assert recorded.calls == [
        ("over", 3, "A small review"),
        ("started", "1.1", "Death"), ("finished", "1.1", False),
        ("started", "1.2", "Pain"), ("finished", "1.2", False),
        ("started", "1.3", "Broken"), ("finished", "1.3", True),
    ]  # fmt: skip


def test_two_comparisons_of_other_kinds(tmp_path):
    """Ready-made estimates, mean differences, and an analysis without any estimable study."""
    (tmp_path / "review.toml").write_text(
        'id = "r"\ntitle = "R"\n[settings]\nengine = "quadrature"\n'
        + "".join(
            f'[[analysis]]\nid = "{m}"\noutcome = "{m}"\nmeasure = "{m}"\ndata = "{m}.csv"\n'
            for m in ("HR", "MD", "RR")
        )
    )
    (tmp_path / "HR.csv").write_text("study,yi,sei\nA,0.1,0.2\nB,-0.3,0.25\n")
    (tmp_path / "MD.csv").write_text("study,mean_e,sd_e,n_e,mean_c,sd_c,n_c\nA,20,8,40,25,9,42\nB,18,7,30,19,8,28\n")
    (tmp_path / "RR.csv").write_text("study,events_e,n_e,events_c,n_c\nA,0,10,0,10\n")
    run = run_review(tmp_path, tmp_path / "out")
    assert [result.id for result in run.results] == ["HR", "MD", "RR"]
    assert list(run.failed) == ["RR"]
    assert "no study is estimable" in run.failed["RR"]
    frame = pd.read_csv(run.out / "results.csv")
    hr = frame[(frame["analysis"] == "HR") & (frame["method"] == "CE")].iloc[0]
    assert hr["estimate"] == pytest.approx(np.exp((0.1 / 0.04 - 0.3 / 0.0625) / (1 / 0.04 + 1 / 0.0625)))
    assert (run.out / "tables" / "main.csv").is_file()


# the worked review

PRINTED = {
    ("Parental depression (incidence)", "post-intervention"): ("RR", "0.74", "0.52", "1.04"),
    ("Parental depression (symptoms)", "post-intervention"): ("SMD", "-0.22", "-0.46", "0.02"),
    ("Infant attachment: secure", "post-intervention"): ("RR", "8.93", "1.25", "63.70"),
    ("Infant attachment: avoidant", "post-intervention"): ("RR", "0.48", "0.24", "0.95"),
    ("Infant attachment: disorganised", "post-intervention"): ("RR", "0.32", "0.17", "0.58"),
    ("Attachment change: insecure to secure", "post-intervention"): ("RR", "11.45", "3.12", "42.10"),
}


@pytest.fixture(scope="module")
def pip(tmp_path_factory):
    return run_review(PIP, tmp_path_factory.mktemp("pip") / "out", engine="quadrature", figures=False)


def test_pip_runs_whole(pip):
    assert pip.failed == {}
    assert len(pip.results) == 34 + 6 + 9 + 2  # analyses, syntheses, networks, outcomes with categories
    frame = pd.read_csv(pip.out / "results.csv", dtype={"analysis": str})
    for _, rows in frame[(frame["term"] == "mu") & frame["model"].isna()].groupby("analysis"):
        methods = set(rows["method"])
        assert {"bayes:normal:quadrature", "CE", "DL", "PM", "REML", "REML-HKSJ"} <= methods
        assert rows.loc[rows["method"].isin(["bayes:normal:quadrature", "DL"]), "estimate"].notna().all()
    assert frame["analysis"].nunique() == 34 + 6 + 9 + 2
    assert set(frame[frame["method"] == "published"]["analysis"]) == {"1.1", "1.2", "1.8", "1.9", "1.10", "1.12"}
    # rows under the alternative priors, of syntheses too
    alternatives = frame[frame["method"].str.count(":") == 3]
    assert set(alternatives.loc[alternatives["model"].isna(), "analysis"]) == set(
        frame.loc[frame["model"].isna(), "analysis"]
    )
    assert set(alternatives.loc[alternatives["model"].notna(), "analysis"]) >= {"3.1", "3.2", "3.3", "3.4"}


def numbers(text):
    import re

    return re.findall(r"-?\d+\.\d+", text.replace("−", "-"))


def test_pip_main_table_prints_the_published_estimates(pip):
    text = (pip.out / "tables" / "main.csv").read_text("utf-8-sig")
    lines = text.splitlines()
    start = next(i for i, line in enumerate(lines) if "Outcome" in line)
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[start:]))))
    dl = next(name for name in rows[0] if "DerSimonian" in name or name.startswith("DL"))
    for (outcome, time), (measure, *printed) in PRINTED.items():
        found = [
            row for row in rows
            if row.get("Comparison", "PIP versus control") == "PIP versus control" and any(outcome in str(value) for value in row.values())
            and any(time in str(value) for value in row.values())
        ]  # fmt: skip
        assert len(found) == 1, outcome
        assert numbers(found[0][dl])[:3] == printed
        assert measure in found[0].values()


def test_pip_says_in_every_table_that_its_data_are_reconstructed(pip):
    for path in (pip.out / "tables").iterdir():
        assert "reconstructed" in text_of(path), path.name


def test_pip_copied_elsewhere_and_run_in_part_gives_the_same_results(pip, tmp_path):
    shutil.copytree(PIP, tmp_path / "elsewhere" / "pip")
    some = ("1.1", "1.12", "2.3")
    again = run_review(tmp_path / "elsewhere" / "pip", tmp_path / "out", engine="quadrature", figures=False, only=some)
    assert [result.id for result in again.results] == list(some)
    for name in some:
        assert (again.out / "analyses" / f"{name}.json").read_bytes() == (
            pip.out / "analyses" / f"{name}.json"
        ).read_bytes()


@pytest.mark.sampling
@pytest.mark.usefixtures("depression_nuts", "resistant_nuts", "symptoms_nuts")
def test_pip_with_both_engines(tmp_path):
    run = run_review(PIP, tmp_path / "out", only=("1.1", "1.2", "1.11"), figures=False)
    assert run.failed == {}
    by_id = {result.id: result for result in run.results}
    assert by_id["1.1"].primary.startswith("bayes:binomial:")
    assert by_id["1.2"].primary.startswith("bayes:nct:")
    for result in run.results:
        assert "normal" in [entry["likelihood"] for entry in result.agreement]
        # of the pooled effect by each likelihood, and of each model with moderators
        assert len([entry for entry in result.diagnostics if "model" not in entry]) == 2
        assert all(entry["divergences"] == 0 for entry in result.diagnostics)
    agreement = run_agreement(run.results)
    assert agreement.agree
    assert agreement.limit < 5
    fits = {path.name for path in (run.out / "fits").iterdir()}
    assert "1.11_bayes-binomial-nuts.nc" in fits
    assert {f"1.2_bayes-{one}-nuts{model}.nc" for one in ("nct", "normal") for model in ("", "_duration_weeks")} <= fits
    assert bm.load_posterior(run.out / "fits" / "1.2_bayes-nct-nuts.nc").likelihood == "nct"
    engines = (run.out / "tables" / "engines.md").read_text()
    assert "noncentral t" in engines
    assert "reconstructed" in engines
