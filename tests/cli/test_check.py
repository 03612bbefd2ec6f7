"""`bayesmeta check`: its tables equal those of the functions, applicable checks are printed, machine formats print one."""

import io
import json

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import bayesmeta as bm
from bayesmeta.checks.influence import influence
from bayesmeta.cli.check import TABLES, What, check
from bayesmeta.errors import ConvergenceError, SpecError
from bayesmeta.posterior.model_average import bayes_factors

app = typer.Typer()
app.command()(check)


@pytest.fixture
def estimates(tmp_path):
    path = tmp_path / "estimates.csv"
    pd.DataFrame({"study": list("ABCD"), "yi": [0.1, 0.3, -0.2, 0.9], "sei": [0.2, 0.3, 0.3, 0.15]}).to_csv(
        path, index=False
    )
    return path


def test_every_check_has_a_function_and_a_help_text(monkeypatch):
    assert list(TABLES) == list(What)
    monkeypatch.setenv("COLUMNS", "400")
    text = " ".join(CliRunner().invoke(app, ["--help"]).output.split())
    assert all(f"{what.value} " in text for what in What)


def run(*arguments):
    result = CliRunner().invoke(app, list(map(str, arguments)))
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_everything_that_applies_is_printed(estimates):
    out = run(estimates, "-m", "HR")
    for title in (
        "Bayes factors", "Each study left out", "Each study predicted from the others", "Posterior-predictive p-values",
        "Other priors", "Power-scaling",
    ):  # fmt: skip
        assert title in out
    assert "Other priors for the baseline" not in out, "estimates have none"
    assert "Most influential: D" in out
    assert "priors for tau the 95% interval" in out
    assert "Under mu ~ Normal(0, 2.82), tau ~ HalfNormal(0.5)." in out


def test_one_study_and_a_flat_prior_allow_fewer_checks(estimates):
    out = run(estimates, "-m", "HR", "--where", "study=A", "-p", "mu=Flat()")
    assert "Bayes factors" not in out
    assert "left out" not in out
    assert "Other priors" in out


def test_machine_formats_print_every_digit(estimates):
    posterior = bm.fit(estimates, measure="HR", likelihood="normal", engine="quadrature")
    frame = pd.read_csv(io.StringIO(run(estimates, "-m", "HR", "--what", "evidence", "-f", "csv"))).set_index(
        "comparison"
    )
    known = bayes_factors(posterior)
    pd.testing.assert_frame_equal(frame, known, rtol=1e-8)
    rows = json.loads(
        run(estimates, "-m", "HR", "--what", "influence", "-f", "json", "--scale", "model", "--better", "lower")
    )
    table = influence(posterior, better="lower")
    assert [row["left_out"] for row in rows] == list(table.index)
    assert [row["prob_benefit"] for row in rows] == pytest.approx(list(table["prob_benefit"]), abs=1e-9)


def test_machine_formats_print_one_table(estimates):
    for what in ([], ["--what", "loo", "--what", "power"]):
        with pytest.raises(SpecError, match="--format csv prints one table: name it with --what"):
            run(estimates, "-m", "HR", "-f", "csv", *what)


@pytest.mark.parametrize("what", [what for what in What if what is not What.baseline])
def test_each_check_alone(estimates, what):
    assert len(run(estimates, "-m", "HR", "--what", what.value).splitlines()) > 3


def test_a_baseline_needs_counts(estimates):
    with pytest.raises(SpecError, match="likelihood 'normal' has no baseline"):
        run(estimates, "-m", "HR", "--what", "baseline")


def test_a_check_that_fails_gives_its_reason_and_the_others_are_printed(command, death, monkeypatch):
    def broken(*_):
        raise ConvergenceError("study 'A' contradicts the others too much\n  check its data")

    monkeypatch.setitem(TABLES, What.evidence, broken)
    monkeypatch.setitem(TABLES, What.loo, lambda *_: 1 / 0)
    code, out, err = command("check", death)
    assert code == 1
    assert "evidence: not computed: study 'A' contradicts the others too much check its data" in err.splitlines()
    assert "loo: not computed: unexpected ZeroDivisionError: division by zero" in err.splitlines()
    assert "Bayes factors" not in out
    for title in ("Each study left out", "Posterior-predictive p-values", "Other priors", "Power-scaling"):
        assert title in out
