"""`bayesmeta run`: one review, many, dry runs and processes."""

from __future__ import annotations

from pathlib import Path

import pytest

ENTRY = '[[analysis]]\nid = "1.{0}"\noutcome = "Outcome {0}"\nmeasure = "RR"\ndata = "death.csv"\n'
DEATH = "study,events_e,n_e,events_c,n_c\nA,5,100,9,100\nB,12,150,20,150\n"


@pytest.fixture
def run(command):
    """Run `bayesmeta run` in this process; return exit code, standard output and standard error."""
    return lambda *arguments: command("run", *arguments)


@pytest.fixture
def two(tmp_path):
    for name in ("a", "b"):
        folder = tmp_path / "reviews" / name
        folder.mkdir(parents=True)
        (folder / "death.csv").write_text(DEATH)
        head = f'id = "{name}"\ntitle = "Review {name}"\n[settings]\nengine = "quadrature"\nlikelihoods = ["normal"]\n'
        (folder / "review.toml").write_text(head + "".join(ENTRY.format(i) for i in (1, 2)))
    return tmp_path / "reviews"


def test_dry_run_writes_nothing_and_gives_reasons(run, small_review, tmp_path):
    options = (small_review, "--out", tmp_path / "out")
    code, out, err = run(*options, "--dry-run")
    # the data of 1.3 cannot be used
    assert code == 1
    assert "1.3 Broken: cannot be run: " in err
    assert not (tmp_path / "out").exists()
    assert "1.1 Death: would run: new" in out
    assert "3 of 3 analyses would be run" in out
    code, out, _ = run(*options, "--no-figures", "--quiet", "--only", "1.1", "--only", "1.2")
    assert code == 0
    assert "2 analyses in" in out
    data = small_review.parent / "pain.csv"
    data.write_text(data.read_text().replace("20.1", "20.2"))
    _, out, _ = run(*options, "--dry-run", "--no-figures")
    assert "1.1 Death: up to date\n" in out
    assert "1.2 Pain: would run: data changed" in out
    assert "1.3 Broken: would run: new" in out
    _, out, _ = run(*options, "--dry-run")
    assert "1.1 Death: up to date, would be drawn: new" in out
    assert "2 of 3 analyses would be run, 1 more drawn again" in out
    _, out, _ = run(*options, "--dry-run", "--fresh")
    assert "1.1 Death: would run: a fresh run was requested" in out


def test_what_is_up_to_date_is_counted(run, small_review, tmp_path):
    options = (small_review, "--out", tmp_path / "out", "--quiet", "--no-figures", "--only", "1.1")
    assert "1 analysis in" in run(*options)[1]
    assert "0 analyses in" in run(*options)[1]
    assert "1 up to date" in run(*options)[1]
    assert "up to date" not in run(*options, "--fresh")[1]


def test_many_reviews(run, two, tmp_path):
    out = tmp_path / "out"
    code, printed, err = run(two, "--out", out, "--jobs", "1")
    assert code == 0
    assert "2 reviews, 4 analyses: 4 run in" in printed
    assert "[4/4] b 1.2 Outcome 2" in err
    assert (out / "results.parquet").is_file()
    assert not (out / "a" / "figures").exists()
    code, printed, _ = run(two / "a", two / "b", "--out", out, "--dry-run")
    assert (code, printed.splitlines()[0]) == (0, "a 1.1 Outcome 1: up to date")
    assert "0 of 4 analyses would be run" in printed
    (two / "b" / "death.csv").write_text("study,x\n")
    code, printed, err = run(two, "--out", out, "--quiet")
    assert code == 1
    assert f"2 problems: see {out / 'summary' / 'failures.csv'}" in err
    (two / "a" / "death.csv").write_text("study,x\n")
    assert run(two, "--out", out, "--quiet")[0] == 2


def test_contradictory_options_and_unknown_analyses_are_refused(run, two, tmp_path):
    code, _, err = run(two, "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert code == 2
    assert "not both" in err
    code, _, err = run(two, "--only", "9.9", "--out", tmp_path / "out")
    assert code == 2
    assert "none of the reviews has an analysis '9.9'" in err
    assert run(tmp_path / "reviews" / "nowhere")[0] == 2


def test_run_with_one_bad_table_is_exit_code_1(run, small_review, tmp_path):
    code, out, err = run(small_review, "--out", tmp_path / "out", "--no-figures")
    assert code == 1
    assert out.splitlines()[-1].startswith("2 analyses in ")
    assert str(tmp_path / "out") in out
    assert "A small review: 3 analyses" in err
    assert "[3/3] 1.3 Broken" in err
    assert "problem in analysis 1.3: " in err
    assert "broken.csv" in err


def test_run_exits_with_0_if_all_analyses_succeed_and_with_2_if_none_does(run, small_review, tmp_path):
    options = ("--out", tmp_path / "out", "--no-figures", "--quiet")
    code, out, err = run(small_review.parent, *options, "--only", "1.1", "--only", "1.2")
    assert (code, err) == (0, "")
    assert out.startswith("2 analyses in ")
    code, _, err = run(small_review, *options, "--only", "1.3")
    assert code == 2
    assert "problem in analysis 1.3" in err


def test_run_writes_to_outputs_by_default_and_reports_it(run, small_review, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = run(small_review, "--no-figures", "--quiet", "--only", "1.2")
    assert code == 0
    assert (tmp_path / "outputs" / "small" / "results.csv").is_file()
    assert str(Path("outputs") / "small") in out


def test_run_refuses_an_unknown_analysis_and_a_file_as_folder(refused, small_review, tmp_path):
    out = tmp_path / "out"
    assert "no analysis '9.9'" in refused("run", small_review, "--only", "9.9", "--out", out)
    (tmp_path / "taken").write_text("a file")
    assert "taken" in refused("run", small_review, "--out", tmp_path / "taken", "--quiet", "--no-figures")
    assert not out.exists()


def test_since_says_what_changed(run, small_review, tmp_path):
    options = (small_review, "--quiet", "--no-figures", "--only", "1.1", "--out")
    run(*options, tmp_path / "first")
    _, out, _ = run(*options, tmp_path / "second", "--since", tmp_path / "first")
    assert f"nothing changed since {tmp_path / 'first'}\n" in out
    data = small_review.parent / "death.csv"
    data.write_text(data.read_text().rstrip("\n") + "\nNew trial,3,50,7,50\n")
    _, out, _ = run(*options, tmp_path / "second", "--since", tmp_path / "first")
    assert "1.1 Study added: New trial\n" in out
    assert "1.1 Bayesian estimate: " in out
    assert (tmp_path / "second" / "tables" / "changes.csv").is_file()


def test_since_is_for_one_run_of_one_review(run, two, small_review, tmp_path):
    code, _, err = run(two, "--since", tmp_path)
    assert code != 0
    assert "--since compares a run of one review; leave it out with several" in err
    code, _, err = run(small_review, "--since", tmp_path, "--out", tmp_path / "out")
    assert "this folder contains no run" in err
    assert not (tmp_path / "out").exists()
