"""`bayesmeta fit`, and the command line of a model file."""

import io
import json
import sys

import numpy as np
import pandas as pd
import pytest
from paths import ROOT_FOLDER

import bayesmeta as bm
from bayesmeta.cli import fit as fit_command
from bayesmeta.cli.fit import run_model_file


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


def test_fit_reports_a_folder_it_cannot_write_to(command, death, tmp_path):
    (tmp_path / "taken").write_text("a file")
    code, _, err = command("fit", death, "-e", "quadrature", "--save", tmp_path / "taken" / "fit.nc")
    assert code == 2
    assert "taken: cannot write" in err


@pytest.mark.sampling
@pytest.mark.usefixtures("depression_nuts")
def test_fit_by_both_engines(command, death):
    code, out, err = command("fit", death, "--engine", "both", "--likelihood", "normal", "--seed", "4")
    assert code == 0
    assert "engine nuts" in out
    assert "NUTS against quadrature" in out
    assert "the engines agree: largest difference" in err
    assert "MCSE" in err


def test_a_model_file_has_a_command_line(monkeypatch, capsys, death):
    def call(name, *arguments):
        path = str(ROOT_FOLDER / "models" / f"{name}.py")
        monkeypatch.setattr(sys, "argv", [path, *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            run_model_file(path)
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


def test_both_engines_are_refused_for_a_users_model_file(command, death, own_path, monkeypatch):
    from bayesmeta.engines.nuts import sampling

    def never(*_):
        raise AssertionError("sampled")

    monkeypatch.setattr(sampling, "_run", never)
    code, out, err = command("fit", death, "--engine", "both", "--likelihood", "normal", "--model", own_path)
    assert code == 2
    assert out == ""
    assert "quadrature computes the models of this package only" in err
    assert "own.py" in err.replace("\n", "")
    assert "--engine nuts" in err


def test_the_command_line_of_a_users_model_file_does_not_compare_with_another_model(monkeypatch, death, own_path):
    engines = []
    monkeypatch.setattr(fit_command, "_fit_and_print", lambda _, engine, *__: engines.append(engine.value))
    for path in (own_path, ROOT_FOLDER / "models" / "generic_normal.py"):
        monkeypatch.setattr(sys, "argv", [str(path), str(death), "--measure", "RR"])
        with pytest.raises(SystemExit) as ended:
            run_model_file(str(path))
        assert ended.value.code == 0
    assert engines == ["nuts", "both"]


def test_the_target_of_save_is_checked_before_the_fit(command, death, tmp_path, monkeypatch):
    monkeypatch.setattr("bayesmeta.posterior.fit.fit", lambda *_, **__: pytest.fail("the model was fitted first"))
    (tmp_path / "file").write_text("")
    for target in (tmp_path / "file" / "post.nc", tmp_path):
        code, _, err = command("fit", death, "--save", str(target))
        assert code == 2
        assert str(target) in err or str(tmp_path / "file") in err


def test_printed_csv_has_no_formulas(command, tmp_path):
    (tmp_path / "t.csv").write_text('study,yi,sei\n"=1+1",0.3,0.2\n@Lee,-0.1,0.2\n')
    _, out, _ = command("fit", tmp_path / "t.csv", "-m", "SMD", "-f", "csv")
    assert "theta[=1+1]" in out  # begins with a letter
    code, out, _ = command("check", tmp_path / "t.csv", "-m", "SMD", "--what", "influence", "-f", "csv")
    assert code == 0
    assert "\n'=1+1," in out
    assert "\n'@Lee," in out
