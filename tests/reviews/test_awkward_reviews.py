"""Reviews that went wrong: the scale of one analysis, studies that all are excluded, heterogeneity beyond measure, input of no sense."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.cli import app as cli
from bayesmeta.errors import DataError, SpecError
from bayesmeta.reviews.report.page import write_report
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.spec import read_review

HEAD = 'id = "r"\ntitle = "T"\n{0}\n[settings]\nengine = "quadrature"\nfigures = ["png"]\ntables = ["csv"]\ndocuments = []\n'
ENTRY = '[[analysis]]\nid = "{0}"\noutcome = "O"\nmeasure = "{1}"\ndata = "{2}"\n'
RATIOS = "study,yi,ci_low,ci_high\nTrial A,1.78,0.84,3.76\nTrial B,1.20,0.37,3.93\nTrial C,1.14,0.3,4.25\nTrial D,2.99,1.66,5.39\n"
COUNTS = (
    "study,events_e,n_e,events_c,n_c,exclude\nNorth 2000,437,486,50,83,\nEast 2001,NA,NA,7,15,one arm only\nSouth 2002,51,52,6,6,\n"
    "Hill 2004,468,551,36,55,\nLake 2005,10,11,0,0,no control arm\n"
)


def write(folder, toml, **tables):
    folder.mkdir()
    (folder / "review.toml").write_text(toml)
    for name, text in tables.items():
        (folder / f"{name}.csv").write_text(text)
    return folder


@pytest.mark.parametrize("where", ["analysis", "options"])
def test_natural_ratios_of_one_analysis_leave_the_others_as_they_are(tmp_path, where):
    option = 'estimates = "natural"\n'
    toml = HEAD.format(f"[options]\n{option}" if where == "options" else "") + ENTRY.format("1", "HR", "hr.csv")
    toml += (option if where == "analysis" else "") + ENTRY.format("2", "OR", "counts.csv")
    source = write(tmp_path / "source", toml, hr=RATIOS, counts=COUNTS)
    done = run_review(source, tmp_path / "out", figures=False)
    assert done.failed == {}
    rows = pd.read_csv(tmp_path / "out" / "results.csv", dtype={"analysis": str})
    rows = rows[(rows["method"] == "DL") & (rows["term"] == "mu")].set_index("analysis")
    ratios = pd.read_csv(source / "hr.csv")
    logs = np.log(ratios[["yi", "ci_low", "ci_high"]].to_numpy())
    known = bm.random_effects(yi=logs[:, 0], sei=(logs[:, 2] - logs[:, 1]) / (2 * 1.959963984540054), method="DL")
    assert rows.loc["1", "estimate"] == pytest.approx(np.exp(known.estimate), rel=1e-6)
    counted = bm.random_effects(source / "counts.csv", measure="OR", method="DL")
    assert rows.loc["2", "estimate"] == pytest.approx(np.exp(counted.estimate), rel=1e-9)


def test_scale_as_a_key_is_answered_by_its_name(tmp_path):
    toml = HEAD.format("") + ENTRY.format("1", "HR", "hr.csv") + 'scale = "natural"\n'
    with pytest.raises(SpecError, match=r"analysis 1: unknown key 'scale'; 'estimates' says whether"):
        read_review(write(tmp_path / "source", toml, hr=RATIOS))


def test_every_study_excluded(tmp_path):
    table = "study,events_e,n_e,events_c,n_c,exclude\nA,3,20,6,21,wrong population\nB,5,40,9,41,duplicate\n"
    source = write(tmp_path / "source", HEAD.format("") + ENTRY.format("1", "RR", "t.csv"), t=table)
    done = run_review(source, tmp_path / "out")
    assert list(done.failed) == ["1"]
    assert "no study is estimable" in done.failed["1"]
    studies = pd.read_csv(tmp_path / "out" / "studies.csv")
    assert list(studies["reason"]) == ["wrong population", "duplicate"]
    text = (tmp_path / "out" / "tables" / "studies.csv").read_text()
    assert "wrong population" in text
    assert (tmp_path / "out" / "figures" / "forest_1.png").is_file()


def test_heterogeneity_beyond_measure(tmp_path):
    table = (
        "study,mean_e,sd_e,n_e,mean_c,sd_c,n_c\nNorth,-2.08,0.53,696,-2.15,0.32,558\nSouth,-2.60,0.55,1028,-0.24,0.26,808\n"
        "Registry,-2.31,0.61,250000,-2.19,0.58,310000\nTiny,-2.2,0.4,3,-2.0,0.5,2\n"
    )
    toml = HEAD.format("") + ENTRY.format("1.1", "SMD", "t.csv") + 'better = "lower"\n'
    done = run_review(write(tmp_path / "source", toml, t=table), tmp_path / "out")
    assert done.failed == {}
    assert {path.name for path in (tmp_path / "out" / "figures").iterdir()} == {"forest_1.1.png", "tau_1.1.png"}
    (tau,) = [row for row in done.results[0].rows if (row["method"], row["term"]) == ("bayes:normal:quadrature", "tau")]
    assert 0.5 < tau["estimate"] < 5


DEEP, DIGITS = "[" * 50_000 + "]" * 50_000, "9" * 5000
HOSTILE = {
    "a key of many parts": (f'id = "a"\n{"a." * 100_000}b = 1', "nested too deeply"),
    "quoted parts": ('id = "a"\n["a" . ' + "'a'. " * 100_000 + "b]", "nested too deeply"),
    "deep toml": (f'id = "a"\nx = {DEEP}', "nested too deeply"),
    "many digits": (f'id = "a"\nx = {DIGITS}', "too many digits"),
    "long path": (HEAD.format("") + ENTRY.format("1", "RR", "x" * 5000), "there is no data file"),
    "nul": (HEAD.format("") + ENTRY.format("1", "RR", "d\\u0000.csv"), "there is no data file"),
    "folder as data": (HEAD.format("") + ENTRY.format("1", "RR", "."), "there is no data file"),
    "device as data": (HEAD.format("") + ENTRY.format("1", "RR", "/dev/zero"), "there is no data file"),
    "deep prior": (
        HEAD.format("") + ENTRY.format("1", "RR", "t.csv") + '[priors.RR]\ntau = "corpus:c.json"\n', "is incomplete"
    ),
    "device as prior": (
        HEAD.format("") + ENTRY.format("1", "RR", "t.csv") + '[priors.RR]\ntau = "corpus:/dev/zero"\n',
        "a device or a pipe",
    ),
}  # fmt: skip


def test_dots_in_texts_are_no_keys(tmp_path):
    citation = "." * 5000 + "1.2." * 40 + " et al. " * 500
    toml = f"citation = '''{citation}'''\n" + HEAD.format("") + ENTRY.format("1", "RR", "t.csv")
    assert read_review(write(tmp_path / "source", toml, t=COUNTS))[0].citation == citation


@pytest.mark.parametrize(("toml", "message"), HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_review_files_are_one_message(tmp_path, toml, message):
    source = write(tmp_path / "source", toml, t=COUNTS)
    (source / "c.json").write_text("[" * 100_000)
    with pytest.raises(SpecError, match=message):
        read_review(source)


@pytest.mark.parametrize("path", ["x" * 5000, "/dev/zero", "/dev/null/x"])
@pytest.mark.parametrize("as_output", [False, True])
def test_hostile_paths_are_one_message(tmp_path, monkeypatch, capsys, path, as_output):
    source = write(tmp_path / "source", HEAD.format("") + ENTRY.format("1", "OR", "t.csv"), t=COUNTS)
    arguments = ["run", str(source), "--out", path] if as_output else ["run", path, "--out", str(tmp_path / "out")]
    monkeypatch.setattr("sys.argv", ["bayesmeta", *arguments, "--quiet"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "Traceback" not in err


@pytest.mark.parametrize("text", ["[" * 100_000, DIGITS, "[1]", json.dumps({"id": 3})])
def test_a_hostile_folder_of_a_run_is_one_message(tmp_path, text):
    (tmp_path / "review.json").write_text(text)
    with pytest.raises(DataError, match="not the review of a run as it was written"):
        write_report(tmp_path)


def test_the_former_name_of_estimates_in_the_options_is_read(tmp_path):
    entry = ENTRY.format("1", "HR", "hr.csv")
    for key in ("scale", "estimates"):
        toml = HEAD.format("") + f'\n[options]\n{key} = "natural"\n' + entry
        review, _ = read_review(write(tmp_path / key, toml, hr=RATIOS))
        assert review.options.estimates == "natural"
    both = HEAD.format("") + '\n[options]\nscale = "log"\nestimates = "natural"\n' + entry
    with pytest.raises(SpecError, match="'scale' is the former name of 'estimates'"):
        read_review(write(tmp_path / "both", both, hr=RATIOS))


@pytest.mark.parametrize(("measure", "value"), [("RR", "0"), ("RR", "-0.8"), ("RR", "1"), ("SMD", "0"), ("SMD", "inf")])
def test_a_minimal_important_difference_of_nothing_is_refused(tmp_path, measure, value):
    toml = HEAD.format("") + f"\n[mid]\n{measure} = {value}\n" + ENTRY.format("1", "HR", "hr.csv")
    with pytest.raises(SpecError, match=rf"\[mid\] {measure}"):
        read_review(write(tmp_path / "source", toml, hr=RATIOS))
