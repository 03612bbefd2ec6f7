"""Which results are up to date, and why others are not."""

from __future__ import annotations

import json
import shutil

import pytest

from bayesmeta.reviews.run import plan_review, run_review
from bayesmeta.reviews.running.code_digest import code_digest
from bayesmeta.reviews.running.fingerprints import _declared_measures, fingerprint, table_digest
from bayesmeta.reviews.running.ledger import LEDGER_FILE, Entry, Ledger
from bayesmeta.reviews.running.plan import Choice
from bayesmeta.reviews.spec import read_review
from bayesmeta.support.files import append_text

TWO = ("1.1", "1.2")


@pytest.fixture(scope="module")
def done(tmp_path_factory, small_source):
    """The small review, run without figures."""
    out = tmp_path_factory.mktemp("ledger") / "out"
    run_review(small_source, out, figures=False)
    return out


@pytest.fixture
def place(done, small_source, tmp_path):
    """A copy of the review and of its outputs, and a function that returns why each analysis has to be run."""
    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(small_source.parent, source)
    shutil.copytree(done, out)

    def reasons(**choice):
        steps = plan_review(source, out, Choice(figures=False, **choice))[2]
        return {step.analysis.id: step.why for step in steps}

    return source, out, reasons


def change(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_nothing_changed(place):
    _, _, reasons = place
    assert reasons() == {"1.1": "", "1.2": "", "1.3": "failed before"}
    assert reasons(only=("1.2",)) == {"1.2": ""}
    assert set(reasons(fresh=True).values()) == {"a fresh run was requested"}


@pytest.mark.parametrize(
    ("file", "old", "new", "first", "second"),
    [
        ("death.csv", "Adams,5,", "Adams,6,", "data changed", ""),
        ("death.csv", "\nBaker", "\n\nBaker", "", ""),  # a blank line changes the file, not the table
        ("pain.csv", "20.1", "20.2", "", "data changed"),
        ("review.toml", 'outcome = "Death"', 'outcome = "Dying"', "analysis changed", ""),
        ("review.toml", "HalfCauchy(1)", "HalfCauchy(2)", "priors changed", ""),
        ("review.toml", "[mid]", '[priors.SMD]\ntau = "HalfNormal(0.2)"\n[mid]', "", "priors changed"),
        ("review.toml", "RR = 0.8", "RR = 0.9", "settings changed", ""),
        ("review.toml", "seed = 7", "seed = 8", "settings changed", "settings changed"),
        ("review.toml", 'smd = "revman"', 'smd = "exact"', "settings changed", "settings changed"),
        ("review.toml", '[options]', 'tables = ["md"]\n[options]', "", ""),
        ("review.toml", 'title = "A small review"', 'title = "A review"', "", ""),
    ],
)  # fmt: skip
def test_what_a_change_affects(place, file, old, new, first, second):
    source, _, reasons = place
    change(source / file, old, new)
    found = reasons()
    assert (found["1.1"], found["1.2"]) == (first, second)


def test_the_engine_is_a_setting_and_adds_its_models(place):
    _, _, reasons = place
    assert reasons(engine="nuts")["1.1"] == "settings changed, version changed, model changed"


def test_another_version(place, monkeypatch):
    _, _, reasons = place
    monkeypatch.setattr("bayesmeta.reviews.running.fingerprints.code_digest", lambda: "another")
    assert reasons()["1.1"] == "version changed"


def test_an_edited_model_affects_its_measures(place, tmp_path, monkeypatch):
    from bayesmeta.engines.nuts.model_files import model_folder

    source, _, _ = place
    review, folder = read_review(source)
    sampled = review.model_copy(update={"settings": review.settings.model_copy(update={"engine": "both"})})
    models = tmp_path / "models"
    shutil.copytree(model_folder(), models)
    monkeypatch.setattr("bayesmeta.reviews.running.fingerprints.model_folder", lambda: models)

    def parts():
        return [fingerprint(sampled, analysis, folder) for analysis in review.analysis[:2]]

    before = parts()
    change(models / "binary_rr.py", '"""', '"""One word more. ')
    after = parts()
    assert before[0]["model"] != after[0]["model"]
    assert before[1] == after[1]
    assert "model" not in fingerprint(review, review.analysis[0], folder)
    assert _declared_measures("MEASURES = tuple(x)") == ()


def test_damaged_files_are_found_and_made_again(place):
    source, out, reasons = place
    whole = (out / "analyses" / "1.1.json").read_bytes()
    (out / "analyses" / "1.1.json").write_bytes(whole[:1000])
    (out / "analyses" / "1.2.json").unlink()
    assert reasons()["1.1"] == "damaged file analyses/1.1.json"
    assert reasons()["1.2"] == "missing file analyses/1.2.json"
    # a damaged result that is not selected is reported and left out
    run = run_review(source, out, figures=False, only=("1.2",))
    assert "not intact" in run.failed["1.1"]
    assert "\n1.1," not in (out / "results.csv").read_text()
    run_review(source, out, figures=False, only=TWO)
    assert (out / "analyses" / "1.1.json").read_bytes() == whole


def test_a_result_without_a_record_is_made_again_but_shown_until_then(place):
    source, out, reasons = place
    (out / LEDGER_FILE).unlink()
    assert reasons()["1.1"] == "no record of what its result was made from"
    table = (out / "results.csv").read_bytes()
    run = run_review(source, out, figures=False, only=("1.2",))
    assert run.kept == ()
    assert (out / "results.csv").read_bytes() == table
    assert json.loads((out / "manifest.json").read_text())["not_asked_for"] == ["1.1"]


def test_an_analysis_removed_from_the_review_is_removed_from_the_outputs(place):
    source, out, _ = place
    text = (source / "review.toml").read_text()
    start, end = text.index('[[analysis]]\nid = "1.2"'), text.index('[[analysis]]\nid = "1.3"')
    (source / "review.toml").write_text(text[:start] + text[end:])
    run_review(source, out, figures=False)
    assert not (out / "analyses" / "1.2.json").exists()
    assert "1.2" not in (out / LEDGER_FILE).read_text()


def test_a_changed_row_of_a_shared_table_affects_only_its_analysis(tmp_path):
    rows = "analysis,study,events_e,n_e,events_c,n_c\na,A,1,9,2,9\na,B,2,9,3,9\nb,A,4,9,5,9\nb,B,1,8,2,8\n"
    entry = (
        '[[analysis]]\nid = "{0}"\noutcome = "O"\nmeasure = "RR"\ndata = "all.csv"\nwhere = {{ analysis = "{0}" }}\n'
    )
    (tmp_path / "all.csv").write_text(rows)
    (tmp_path / "review.toml").write_text('id = "r"\ntitle = "R"\n' + entry.format("a") + entry.format("b"))
    review, _ = read_review(tmp_path)
    before = [table_digest(analysis, tmp_path) for analysis in review.analysis]
    change(tmp_path / "all.csv", "b,A,4", "b,A,3")
    after = [table_digest(analysis, tmp_path) for analysis in review.analysis]
    assert (before[0] == after[0], before[1] == after[1]) == (True, False)


def test_figures_are_drawn_again_only_if_missing_or_changed(small_source, tmp_path, monkeypatch):
    from bayesmeta.reviews.running import tasks

    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(small_source.parent, source)
    change(source / "review.toml", "[options]", 'figures = ["svg"]\n[options]')
    drawn = []

    def draw(out, review, analysis, result, _problems):
        drawn.append(analysis.id)
        (out / "figures").mkdir(parents=True)
        path = out / "figures" / f"forest_{analysis.id}.svg"
        path.write_text(f"<svg>{review.title} {analysis.outcome} {result.rows[0]['estimate']}</svg>")
        return [path]

    monkeypatch.setattr(tasks, "draw_analysis", draw)

    def again(**options):
        drawn.clear()
        run = run_review(source, out, only=TWO, **options)
        assert run.failed == {}
        return [*drawn]

    assert again() == ["1.1", "1.2"]
    assert again() == []
    assert again(fresh=True) == ["1.1", "1.2"]
    (out / "figures" / "forest_1.1.svg").unlink()
    assert again() == ["1.1"]
    (out / "figures" / "forest_1.2.svg").write_text("cut")
    assert [step.why_draw for step in plan_review(source, out, Choice(only=TWO))[2]] == [
        "",
        "damaged file figures/forest_1.2.svg",
    ]
    assert again() == ["1.2"]
    change(source / "review.toml", 'title = "A small review"', 'title = "Another"')
    assert again() == ["1.1", "1.2"]
    # a figure of outdated numbers is removed also when none is drawn
    change(source / "death.csv", "Adams,5,", "Adams,6,")
    assert again(figures=False) == []
    assert [path.name for path in (out / "figures").iterdir()] == ["forest_1.2.svg"]
    assert again() == ["1.1"]


def test_a_ledger_cut_anywhere_is_read_up_to_there(tmp_path):
    ledger = Ledger(tmp_path)
    assert ledger.entries == {}
    entries = [Entry(f"analysis {i}", {"data": "é" * 3}, {f"analyses/{i}.json": "0"}) for i in range(3)]
    ledger.add(*entries)
    whole = (tmp_path / LEDGER_FILE).read_bytes()
    for end in range(len(whole) + 1):
        (tmp_path / LEDGER_FILE).write_bytes(whole[:end])
        found = list(Ledger(tmp_path).entries.values())
        assert found == entries[: len(found)]
        assert len(found) >= whole[:end].count(b"\n")
    # entries added after a cut line are not lost, once the ledger is rewritten
    (tmp_path / LEDGER_FILE).write_bytes(whole[:-5])
    cut = Ledger(tmp_path)
    cut.rewrite()
    cut.add(entries[2])
    assert list(Ledger(tmp_path).entries.values()) == entries
    append_text(tmp_path / LEDGER_FILE, '[1]\n{"colour": "red"}\n')
    assert list(Ledger(tmp_path).entries.values()) == entries


def test_code_that_shows_results_has_its_own_digest():
    assert code_digest() != code_digest(shown=True)
