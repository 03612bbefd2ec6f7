"""The run command: one review, many, what would be done, processes."""

from __future__ import annotations

import sys

import pytest

from bayesmeta.cli import app as cli

ENTRY = '[[analysis]]\nid = "1.{0}"\noutcome = "Outcome {0}"\nmeasure = "RR"\ndata = "death.csv"\n'
DEATH = "study,events_e,n_e,events_c,n_c\nA,5,100,9,100\nB,12,150,20,150\n"


@pytest.fixture
def command(monkeypatch, capsys):
    """Run it in this process: exit code, standard output, standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bayesmeta", "run", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        code = caught.value.code
        return (code or 0, *capsys.readouterr())

    return call


@pytest.fixture
def two(tmp_path):
    for name in ("a", "b"):
        folder = tmp_path / "reviews" / name
        folder.mkdir(parents=True)
        (folder / "death.csv").write_text(DEATH)
        head = f'id = "{name}"\ntitle = "Review {name}"\n[settings]\nengine = "quadrature"\nlikelihoods = ["normal"]\n'
        (folder / "review.toml").write_text(head + "".join(ENTRY.format(i) for i in (1, 2)))
    return tmp_path / "reviews"


def test_dry_run_writes_nothing_and_says_why(command, small_review, tmp_path):
    options = (small_review, "--out", tmp_path / "out")
    code, out, _ = command(*options, "--dry-run")
    assert code == 0
    assert not (tmp_path / "out").exists()
    assert "1.1 Death: would run: new" in out
    assert "3 of 3 analyses would be run" in out
    code, out, _ = command(*options, "--no-figures", "--quiet", "--only", "1.1", "--only", "1.2")
    assert code == 0
    assert "2 analyses in" in out
    data = small_review.parent / "pain.csv"
    data.write_text(data.read_text().replace("20.1", "20.2"))
    _, out, _ = command(*options, "--dry-run", "--no-figures")
    assert "1.1 Death: up to date\n" in out
    assert "1.2 Pain: would run: data changed" in out
    assert "1.3 Broken: would run: new" in out
    _, out, _ = command(*options, "--dry-run")
    assert "1.1 Death: up to date, would be drawn: new" in out
    assert "2 of 3 analyses would be run, 1 more drawn again" in out
    _, out, _ = command(*options, "--dry-run", "--fresh")
    assert "1.1 Death: would run: asked for afresh" in out


def test_what_is_up_to_date_is_counted(command, small_review, tmp_path):
    options = (small_review, "--out", tmp_path / "out", "--quiet", "--no-figures", "--only", "1.1")
    assert "1 analysis in" in command(*options)[1]
    assert "0 analyses in" in command(*options)[1]
    assert "1 up to date" in command(*options)[1]
    assert "up to date" not in command(*options, "--fresh")[1]


def test_many_reviews(command, two, tmp_path):
    out = tmp_path / "out"
    code, said, err = command(two, "--out", out, "--jobs", "1")
    assert code == 0
    assert "2 reviews, 4 analyses: 4 run in" in said
    assert "[4/4] b 1.2 Outcome 2" in err
    assert (out / "results.parquet").is_file()
    assert not (out / "a" / "figures").exists()
    code, said, _ = command(two / "a", two / "b", "--out", out, "--dry-run")
    assert (code, said.splitlines()[0]) == (0, "a 1.1 Outcome 1: up to date")
    assert "0 of 4 analyses would be run" in said
    (two / "b" / "death.csv").write_text("study,x\n")
    code, said, err = command(two, "--out", out, "--quiet")
    assert code == 1
    assert f"2 problems: see {out / 'summary' / 'failures.csv'}" in err
    (two / "a" / "death.csv").write_text("study,x\n")
    assert command(two, "--out", out, "--quiet")[0] == 2


def test_requests_that_cannot_be_met(command, two, tmp_path):
    code, _, err = command(two, "--jobs", "2", "--scheduler", "tcp://127.0.0.1:1")
    assert code == 2
    assert "not both" in err
    code, _, err = command(two, "--only", "9.9", "--out", tmp_path / "out")
    assert code == 2
    assert "none of the reviews has an analysis '9.9'" in err
    assert command(tmp_path / "reviews" / "nowhere")[0] == 2
