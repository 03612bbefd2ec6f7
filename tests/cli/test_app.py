"""The command line: what it prints, where, and the exit code; every bad input ends in one message, never a traceback."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from paths import ROOT_FOLDER
from reviews.test_spec import BAD_REVIEWS
from reviews.test_spec import DATA as REVIEW_DATA
from studies.test_bad_tables import BAD_TABLES

import bayesmeta as bm
from bayesmeta.cli import app as cli
from bayesmeta.results.rows import TIDY

DEATH = "study,events_e,n_e,events_c,n_c\nAdams,5,100,9,100\nBaker,12,150,20,150\nClark,0,60,0,60\nDavis,1,60,4,60\n"
ESTIMATES = "outcome,study,yi,sei\nx,A,0.1,0.2\nx,B,-0.3,0.25\ny,A,0.9,0.2\ny,C,0.7,0.3\n"


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def command(monkeypatch, capsys):
    """Run the command in this process: exit code, standard output, standard error."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["bayesmeta", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return stopped.value.code or 0, out, err

    return call


@pytest.fixture
def refused(command):
    """Run the command, which must end in exit code 2 with one message on standard error alone; return the message."""

    def call(*arguments):
        code, out, err = command(*arguments)
        assert code == 2, (out, err)
        assert out == ""
        assert sum(line.startswith("error: ") for line in err.splitlines()) == 1, err
        return err

    return call


def python(*arguments, **options):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], capture_output=True, text=True, check=False, timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT_FOLDER)}, **options,
    )  # fmt: skip


@pytest.fixture
def death(tmp_path):
    path = tmp_path / "death.csv"
    path.write_text(DEATH)
    return path


@pytest.fixture
def estimates(tmp_path):
    path = tmp_path / "estimates.csv"
    path.write_text(ESTIMATES)
    return path


# imports and true processes

HEAVY = ("pymc", "pytensor", "nutpie", "arviz", "matplotlib", "pandas", "xarray", "scipy.stats", "great_tables")
WHAT_WAS_IMPORTED = """
import sys
from bayesmeta.cli.app import main
try:
    main()
finally:
    print("IMPORTED", *(name for name in {names!r} if name in sys.modules), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["run", "--help"], ["fit", "--help"], ["models"], ["priors"], ["priors", "turner2015"]]
)
def test_help_and_lists_import_nothing_heavy(arguments):
    done = python("-c", WHAT_WAS_IMPORTED.format(names=HEAVY), *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert done.stderr.strip() == "IMPORTED"


def test_compare_needs_no_sampler(death):
    done = python(
        "-c", WHAT_WAS_IMPORTED.format(names=("pymc", "pytensor", "nutpie", "arviz", "matplotlib")), "compare", death
    )
    assert done.returncode == 0, done.stderr
    assert "DerSimonian-Laird" in done.stdout
    assert done.stderr.splitlines()[-1].strip() == "IMPORTED"


def test_as_a_module_and_with_wrong_usage():
    done = python("-m", "bayesmeta", "compare")
    assert done.returncode == 2
    assert done.stdout == ""
    assert "DATA" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_closed_pipe_is_no_error(death):
    shell = f"'{sys.executable}' -m bayesmeta compare '{death}' --format csv | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", shell],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT_FOLDER)},
    )
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


# bad input


@pytest.mark.parametrize(
    ("content", "expected"), [case[1:] for case in BAD_TABLES], ids=[case[0] for case in BAD_TABLES]
)
def test_a_bad_table_is_one_message_and_exit_code_2(refused, tmp_path, content, expected):
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    message = refused("compare", path)
    assert message.startswith(f"error: {path}")
    for part in expected:
        assert part in message


@pytest.fixture(scope="module")
def finished(tmp_path_factory, small_source):
    """A finished run of the small review, one of whose analyses fails."""
    out = tmp_path_factory.mktemp("cli") / "out"
    bm.run_review(small_source, out)
    return out


@pytest.mark.parametrize(
    ("content", "expected"), [case[1:] for case in BAD_REVIEWS], ids=[case[0] for case in BAD_REVIEWS]
)
def test_a_bad_review_is_one_message_and_leaves_the_old_outputs(refused, tmp_path, content, expected):
    for name, text in REVIEW_DATA.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "review.toml").write_bytes(content)
    out = tmp_path / "out"
    (out / "tables").mkdir(parents=True)
    (out / "review.json").write_text("old")
    (out / "tables" / "main.csv").write_text("old")
    before = tree(out)
    message = refused("run", tmp_path, "--out", out, "--quiet", "--no-figures")
    for part in expected:
        assert part in message
    assert tree(out) == before


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["compair"], "compair"),
        (["compare"], "DATA"),
        (["compare", "{death}", "--measur", "RR"], "--measur"),
        (["compare", "{death}", "--format", "xlsx"], "xlsx"),
        (["compare", "{death}", "--scale", "log"], "log"),
        (["compare", "{death}", "--level", "many"], "--level"),
        (["compare", "{death}", "--better", "down"], "down"),
        (["fit", "{death}", "--engine", "gibbs"], "gibbs"),
        (["fit", "{death}", "--seed", "one"], "--seed"),
        (["run"], "REVIEW"),
        (["run", "{death}", "--engine", "gibbs"], "gibbs"),
        (["tables"], "OUT"),
        (["compare", "{death}", "{death}"], "death.csv"),
    ],
)
def test_wrong_usage_is_exit_code_2(command, death, arguments, expected):
    code, out, err = command(*(item.format(death=death) for item in arguments))
    assert code == 2
    assert out == ""
    assert "Usage" in err
    assert expected in err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--measure", "RRR"], ("unknown measure 'RRR'", "did you mean 'RR'?")),
        (["--measure", "SMD"], ("SMD cannot be computed from dichotomous data",)),
        (["--where", "outcome"], ("--where takes NAME=VALUE", "'outcome'")),
        (["--where", "=x"], ("--where takes NAME=VALUE",)),
        (["--where", "outcome=x"], ("'outcome'",)),
        (["--where", "study=Nobody"], ("Nobody",)),
        (["--prior", "HalfNormal(0.5)"], ("--prior takes NAME=VALUE",)),
        (["--prior", "sigma=HalfNormal(0.5)"], ("'sigma'", "mu, tau, tau2")),
        (["--prior", "tau=HalfNorml(0.5)"], ("did you mean 'HalfNormal'?",)),
        (["--prior", "tau=HalfNormal"], ("cannot read the prior",)),
        (["--prior", "tau=HalfNormal(-1)"], ("above 0",)),
        (["--prior", "tau=Normal(0, 1)"], ("[0, infinity)",)),
        (["--prior", "tau=HalfNormal(1)", "--prior", "tau2=InvGamma(1, 1)"], ("both tau and tau2",)),
        (["--prior", "mu=Uniform(-1, 1)"], ("engine='nuts'",)),
        (["--prior", "tau=__import__('os').system('true')"], ("cannot read the prior",)),
        (["--level", "95"], ("between 0 and 1", "95")),
        (["--level", "nan"], ("between 0 and 1",)),
        (["--mid", "0.8"], ("better",)),
        (["--better", "lower", "--mid", "1.25"], ("1.25", "lower")),
        (["--better", "lower", "--mid", "-1"], ("above 0",)),
    ],
)
def test_requests_compare_cannot_meet(refused, death, arguments, expected):
    message = refused("compare", death, *arguments)
    for part in expected:
        assert part in message


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--likelihood", "binomal"], ("did you mean 'binomial'?",)),
        (["--likelihood", "nct"], ("'nct' is for SMD",)),
        (["--engine", "quadrature", "--likelihood", "normal", "--prior", "mu=Uniform(-1, 1)"], ("engine='nuts'",)),
        (["--engine", "quadrature", "--model", "generic_normal"], ("no model files",)),
        (["--engine", "nuts", "--model", "nobody.py"], ("nobody.py",)),
        (["--engine", "nuts", "--model", "generic_norma"], ("did you mean 'generic_normal'?",)),
        (["--engine", "quadrature", "--seed", "-1"], ("seed", "-1")),
        (["--engine", "quadrature", "--prior", "tau=Uniform(2, 1)"], ("low must be below high",)),
    ],
)
def test_requests_fit_cannot_meet(refused, death, arguments, expected):
    message = refused("fit", death, *arguments)
    for part in expected:
        assert part in message


def test_files_that_are_not_there(refused, tmp_path, death):
    assert "death.csv" in refused("compare", tmp_path / "deth.csv")
    assert "a folder, not a file" in refused("fit", tmp_path)
    assert "no such file" in refused("run", tmp_path / "nowhere")
    for name in ("tables", "figures", "report"):
        (tmp_path / "empty").mkdir(exist_ok=True)
        assert "no run stands in this folder" in refused(name, tmp_path / "empty")
        assert "no run stands in this folder" in refused(name, tmp_path / "nowhere")
        assert "no run stands in this folder" in refused(name, death)


# compare and fit


def test_compare_prints_a_table(command, death):
    code, out, err = command("compare", death)
    assert code == 0
    assert out.startswith("RR (natural scale), 95% intervals")
    for part in ("DerSimonian-Laird", "Mantel-Haenszel", "Bayesian, normal likelihood (quadrature)"):
        assert part in out
    assert "Clark: " in err
    assert all(len(line) <= 200 for line in out.splitlines())


def test_compare_as_csv_and_json(command, death):
    expected = bm.compare(death, measure="RR", scale="natural")
    code, out, _ = command("compare", death, "--format", "csv")
    assert code == 0
    frame = pd.read_csv(io.StringIO(out))
    assert tuple(frame.columns[: len(TIDY)]) == TIDY
    assert list(frame["method"]) == list(expected["method"])
    np.testing.assert_allclose(frame["estimate"], expected["estimate"], rtol=1e-9)
    code, out, _ = command("compare", death, "--format", "json")
    assert code == 0
    rows = json.loads(out)
    assert [row["method"] for row in rows] == list(expected["method"])
    np.testing.assert_allclose([row["ci_low"] for row in rows], expected["ci_low"], rtol=1e-8)


def test_compare_on_the_model_scale_at_another_level(command, death):
    code, out, _ = command(
        "compare", death, "-f", "csv", "--scale", "model", "--level", "0.8", "--better", "lower", "--mid", "0.8"
    )
    assert code == 0
    frame = pd.read_csv(io.StringIO(out)).set_index("method")
    expected = bm.random_effects(bm.effect_sizes(bm.read_studies(death), "RR"), level=0.8)
    assert frame.loc["DL", "ci_low"] == pytest.approx(expected.ci_low, rel=1e-8)
    bayes = frame.loc["bayes:normal:quadrature"]
    assert 0 < bayes["prob_beyond_mid"] < bayes["prob_benefit"] < 1


def test_where_and_prior_reach_the_fit(command, estimates):
    code, out, _ = command(
        "compare",
        estimates,
        "--where",
        "outcome=y",
        "--measure",
        "GEN",
        "-f",
        "csv",
        "-p",
        "tau=HalfNormal(0.1)",
        "-p",
        "mu = Normal(0, 1)",
    )
    assert code == 0
    frame = pd.read_csv(io.StringIO(out)).set_index("method")
    weights = np.array([1 / 0.04, 1 / 0.09])
    assert frame.loc["CE", "estimate"] == pytest.approx(weights @ [0.9, 0.7] / weights.sum())
    known = bm.fit(yi=[0.9, 0.7], sei=[0.2, 0.3], priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.1)"})
    assert frame.loc["bayes:normal:quadrature", "estimate"] == pytest.approx(known.quantile("mu", 0.5), rel=1e-8)


def test_fit_by_quadrature(command, death, tmp_path):
    code, out, err = command(
        "fit", death, "--engine", "quadrature", "--likelihood", "normal", "--save", tmp_path / "fit.nc"
    )
    assert code == 0
    assert out.startswith(
        "RR, 3 studies, normal likelihood, engine quadrature; mu ~ Normal(0, 2.82), tau ~ HalfNormal(0.5)"
    )
    for part in ("mu", "tau2", "theta_new", "theta[Davis]", "ci_low"):
        assert part in out
    assert "posterior written to" in err
    assert bm.load_posterior(tmp_path / "fit.nc").data.labels == ("Adams", "Baker", "Davis")


def test_fit_as_csv_and_json(command, death):
    known = bm.summarize(bm.fit(death, measure="RR", likelihood="normal", engine="quadrature"), scale="natural")
    code, out, _ = command("fit", death, "-e", "quadrature", "-f", "csv", "-l", "normal")
    assert code == 0
    frame = pd.read_csv(io.StringIO(out), index_col="term")
    assert list(frame.index) == list(known.index)
    np.testing.assert_allclose(frame["median"], known["median"], rtol=1e-9)
    code, out, _ = command("fit", death, "-e", "quadrature", "-f", "json", "--likelihood", "normal")
    assert code == 0
    rows = json.loads(out)
    assert [row["term"] for row in rows] == list(known.index)
    np.testing.assert_allclose([row["hdi_low"] for row in rows], known["hdi_low"], rtol=1e-7, atol=1e-9)


def test_fit_cannot_save_there(command, death, tmp_path):
    (tmp_path / "taken").write_text("a file")
    code, _, err = command("fit", death, "-e", "quadrature", "--save", tmp_path / "taken" / "fit.nc")
    assert code == 2
    assert "fit.nc" in err


@pytest.mark.sampling
@pytest.mark.usefixtures("depression_nuts")
def test_fit_by_both_engines(command, death):
    code, out, err = command("fit", death, "--engine", "both", "--likelihood", "normal", "--seed", "4")
    assert code == 0
    assert "engine nuts" in out
    assert "NUTS against quadrature" in out
    assert "largest difference of mu, tau and theta_new" in err
    assert "MCSE" in err


# lists


def test_models_are_listed(command):
    code, out, _ = command("models")
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()]
    assert names == sorted(names)
    assert {"binary_rr", "continuous_smd", "generic_normal"} <= set(names)
    assert all(len(line.split()) > 3 for line in out.splitlines())


def test_priors_are_listed(command, refused):
    code, out, _ = command("priors")
    assert code == 0
    for part in ("HalfNormal(sd)", "turner2015(outcome, comparison)", "rhodes2015"):
        assert part in out
    for name in ("turner2015", "rhodes2015"):
        code, out, _ = command("priors", name)
        assert code == 0
        assert len(out.splitlines()) > 10
        assert all(" | " in line for line in out.splitlines())
    assert "did you mean 'turner2015'?" in refused("priors", "turner2016")


# reviews


def test_run_with_one_bad_table_is_exit_code_1(command, small_review, tmp_path):
    code, out, err = command("run", small_review, "--out", tmp_path / "out", "--no-figures")
    assert code == 1
    assert out.splitlines()[-1].startswith("2 analyses in ")
    assert str(tmp_path / "out") in out
    assert "A small review: 3 analyses" in err
    assert "[3/3] 1.3 Broken" in err
    assert "problem in analysis 1.3: " in err
    assert "broken.csv" in err


def test_run_where_all_is_well_and_where_nothing_is(command, small_review, tmp_path):
    options = ("--out", tmp_path / "out", "--no-figures", "--quiet")
    code, out, err = command("run", small_review.parent, *options, "--only", "1.1", "--only", "1.2")
    assert (code, err) == (0, "")
    assert out.startswith("2 analyses in ")
    code, _, err = command("run", small_review, *options, "--only", "1.3")
    assert code == 2
    assert "problem in analysis 1.3" in err


def test_run_says_where_it_wrote_when_nothing_is_said(command, small_review, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, _ = command("run", small_review, "--no-figures", "--quiet", "--only", "1.2")
    assert code == 0
    assert (tmp_path / "outputs" / "small" / "results.csv").is_file()
    assert str(Path("outputs") / "small") in out


def test_requests_run_cannot_meet(refused, small_review, tmp_path):
    out = tmp_path / "out"
    assert "no analysis '9.9'" in refused("run", small_review, "--only", "9.9", "--out", out)
    (tmp_path / "taken").write_text("a file")
    assert "taken" in refused("run", small_review, "--out", tmp_path / "taken", "--quiet", "--no-figures")
    assert not out.exists()


def test_tables_figures_and_report_of_a_finished_run(command, refused, finished, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    before = tree(out)
    shutil.rmtree(out / "tables")
    code, said, _ = command("tables", out)
    assert code == 0
    assert str(out / "tables" / "main.csv") in said.splitlines()
    assert tree(out) == before
    (out / "figures" / "forest_1.1.svg").unlink()
    code, said, _ = command("figures", out, "--only", "1.1")
    assert code == 0
    assert {Path(line).name for line in said.splitlines()} == {
        "forest_1.1.png",
        "forest_1.1.svg",
        "tau_1.1.png",
        "tau_1.1.svg",
    }
    assert tree(out) == before
    assert "no analysis '7'" in refused("figures", out, "--only", "7")
    code, said, _ = command("report", out)
    assert code == 0
    page = Path(said.strip()).read_text()
    for part in ("A small review", "Made-up numbers, to test with.", "<svg", "Mantel-Haenszel"):
        assert part in page


# a model file run on its own


def test_a_model_file_has_a_command_line(monkeypatch, capsys, death):
    def call(name, *arguments):
        path = str(ROOT_FOLDER / "models" / f"{name}.py")
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            cli.run_model_file(path)
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return stopped.value.code or 0, out, err

    code, out, _ = call("binary_rr", "--help")
    assert code == 0
    assert "risk ratio" in out
    code, _, err = call("binary_rr", death, "--likelihood", "binomal")
    assert code == 2
    assert "did you mean 'binomial'?" in err
    code, _, err = call("generic_normal", death.parent / "none.csv")
    assert code == 2
    assert "no such file" in err
    assert call("generic_normal")[0] == 2


@pytest.mark.parametrize("error", [BrokenPipeError(), KeyboardInterrupt()])
def test_interruptions(monkeypatch, capsys, error):
    import typer

    application = typer.Typer(pretty_exceptions_enable=False)

    @application.command()
    def stop():
        raise error

    monkeypatch.setattr(sys, "argv", ["bayesmeta"])
    with pytest.raises(SystemExit) as stopped:
        cli.invoke(application)
    assert stopped.value.code == (0 if isinstance(error, BrokenPipeError) else 130)
    assert "Traceback" not in capsys.readouterr().err


def test_ready_made_ratios_on_the_natural_scale(tmp_path, command):
    path = tmp_path / "hr.csv"
    path.write_text("study,yi,ci_low,ci_high\nA,0.8,0.6,1.07\nB,0.7,0.5,0.98\n", encoding="utf-8")
    code, out, err = command("compare", path, "-m", "HR", "--estimates", "natural", "--format", "csv")
    assert code == 0
    assert "--estimates" not in err
    frame = pd.read_csv(io.StringIO(out)).set_index("method").drop(index="bayes:normal:averaged")
    assert frame["estimate"].between(0.7, 0.8).all()
    code, _, err = command("compare", path, "-m", "HR", "--format", "csv")
    assert code == 2
    assert "--estimates natural" in err


def test_options_of_the_effect_sizes(tmp_path, command):
    path = tmp_path / "double_zero.csv"
    path.write_text("study,events_e,n_e,events_c,n_c\nA,1,10,2,10\nB,0,20,0,21\nC,3,30,9,29\n", encoding="utf-8")
    pooled = [
        pd.read_csv(io.StringIO(command("compare", path, "--zero-cells", rule, "--format", "csv")[1]))["k"][0]
        for rule in ("revman", "metafor")
    ]
    assert pooled == [2, 3]
    code, _, err = command("compare", path, "--zero-cells", "nothing")
    assert code == 2
    assert "'nothing'" in err
