"""Options for moderators, subgroups and dependent estimates on the command line."""

import io

import numpy as np
import pandas as pd
import pytest
from paths import FIXTURES_FOLDER
from typer.testing import CliRunner

import bayesmeta as bm
from bayesmeta.cli.app import app
from bayesmeta.cli.exit_codes import invoke

FOLDER = FIXTURES_FOLDER / "every_model"
STUDIES, CHARACTERISTICS = str(FOLDER / "dichotomous.csv"), str(FOLDER / "characteristics.csv")


def compared(*options):
    done = CliRunner().invoke(app, ["compare", *options, "--format", "csv"], catch_exceptions=False)
    assert done.exit_code == 0
    return pd.read_csv(io.StringIO(done.stdout), keep_default_na=False)


def refused(monkeypatch, capsys, *arguments):
    monkeypatch.setattr("sys.argv", ["bayesmeta", *arguments])
    with pytest.raises(SystemExit) as stopped:
        invoke(app)
    assert stopped.value.code == 2
    return capsys.readouterr().err


def test_compare_prints_coefficients_and_groups():
    frame = compared(STUDIES, "--moderators", "~ weeks", "--by", "focus", "--data", CHARACTERISTICS, "--scale", "model")
    effects = bm.effect_sizes(FOLDER / "dichotomous.csv", "RR")
    data = pd.read_csv(CHARACTERISTICS, index_col="study").loc[list(effects.labels)].reset_index()
    expected = bm.regression(effects, moderators="~ weeks", data=data)
    rows = frame[(frame.model == "~ weeks") & (frame.method == "REML")].set_index("term")
    np.testing.assert_allclose(
        rows.estimate[["Intercept", "weeks"]].astype(float), expected.coefficients.estimate, rtol=1e-8
    )
    groups = bm.subgroups(effects, by="focus", data=data)
    parent = frame[(frame.model == "focus") & (frame.method == "REML") & (frame.group == "parent")]
    assert float(parent.estimate.item()) == pytest.approx(groups.groups.estimate["parent"], rel=1e-8)


def test_compare_in_python_has_the_rows_of_the_command():
    data = pd.read_csv(FOLDER / "nested.csv")
    frame = bm.compare(
        data[["study", "yi", "vi"]], measure="GEN", data=data, nesting="district/estimate", moderators="~ year"
    )
    fit = bm.multilevel(yi=data.yi, vi=data.vi, data=data, nesting="district/estimate", moderators="~ year")
    row = frame[(frame.model == "~ year") & (frame.method == "REML") & (frame.term == "year")]
    assert row.estimate.item() == pytest.approx(fit.estimates[1], rel=1e-8)
    assert set(frame.model) == {"", "~ year", "district/estimate"}
    alone = bm.compare(data[["study", "yi", "vi"]], measure="GEN")
    assert "model" not in alone
    np.testing.assert_array_equal(frame.estimate[frame.model == ""], alone.estimate)


def test_compare_says_what_the_intercept_is():
    done = CliRunner().invoke(app, ["compare", STUDIES, "--moderators", "~ blinded"])
    assert "~ blinded: Intercept: the effect where blinded is no" in done.output
    assert "blinded[T.yes]" in done.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--moderators", "~ week", "--data", CHARACTERISTICS), "did you mean 'weeks'?"),
        (("--by", "fokus", "--data", CHARACTERISTICS), "did you mean 'focus'?"),
        (("--data", CHARACTERISTICS), "--data has columns for --moderators, --by or --nesting"),
        (("--sampling-correlation", "0.5"), "add --nesting"),
        (("--nesting", "blinded/estimate", "--sampling-correlation", "2"), "between -1 and 1 but got 2"),
        (("--drop-missing",), "--drop-missing is about --moderators and --by"),
        (("--nesting", "study/estimate"), "every group of 'study' has one estimate"),
    ],
)
def test_options_are_refused_by_their_names(monkeypatch, capsys, options, message):
    assert message in refused(monkeypatch, capsys, "compare", STUDIES, *options)


def test_missing_moderators_name_the_option(tmp_path, monkeypatch, capsys):
    file = tmp_path / "characteristics.csv"
    file.write_text((FOLDER / "characteristics.csv").read_text().replace("Baker 2003,12", "Baker 2003,"))
    message = refused(monkeypatch, capsys, "compare", STUDIES, "--moderators", "~ weeks", "--data", str(file))
    assert "the moderator is missing for 'Baker 2003'" in message
    assert "--drop-missing" in message
    assert "=True" not in message
    frame = compared(STUDIES, "--moderators", "~ weeks", "--data", str(file), "--drop-missing")
    assert set(frame.k[frame.model == "~ weeks"].astype(int)) == {7}


def test_a_study_without_characteristics_is_named_with_the_nearest(tmp_path, monkeypatch, capsys):
    file = tmp_path / "characteristics.csv"
    file.write_text((FOLDER / "characteristics.csv").read_text().replace("Baker 2003", "Baker 2030"))
    message = refused(monkeypatch, capsys, "compare", STUDIES, "--moderators", "~ weeks", "--data", str(file))
    assert "Is 'Baker 2003' the study 'Baker 2030'?" in message
    assert "--drop-missing" in message
    frame = compared(STUDIES, "--moderators", "~ weeks", "--data", str(file), "--drop-missing")
    assert set(frame.k[frame.model == "~ weeks"].astype(int)) == {7}


def test_fit_prints_coefficients_and_what_the_intercept_is(tmp_path):
    options = ["--moderators", "~ weeks", "--data", CHARACTERISTICS, "--likelihood", "normal"]
    done = CliRunner().invoke(app, ["fit", STUDIES, *options, "--save", str(tmp_path / "a.nc")], catch_exceptions=False)
    assert done.exit_code == 0
    assert "Intercept: the effect where weeks is 0" in done.stdout
    assert "effect_at_means: the effect where weeks = " in done.stdout
    assert "weeks ~ Normal(0, " in done.stdout
    form = ["--format", "csv", "--scale", "model"]
    done = CliRunner().invoke(app, ["fit", STUDIES, *options, *form], catch_exceptions=False)
    frame = pd.read_csv(io.StringIO(done.stdout), index_col="term")
    effects = bm.effect_sizes(FOLDER / "dichotomous.csv", "RR")
    data = pd.read_csv(CHARACTERISTICS, index_col="study").loc[list(effects.labels)].reset_index()
    post = bm.fit(effects, moderators="~ weeks", data=data, likelihood="normal")
    for term in ("Intercept", "weeks", "effect_at_means"):
        assert frame.loc[term, "median"] == pytest.approx(post.quantile(term, 0.5))
    assert bm.predict(bm.load_posterior(tmp_path / "a.nc"), {"weeks": [10]}).loc["1", "median"] == pytest.approx(
        bm.predict(post, {"weeks": [10]}).loc["1", "median"]
    )


def test_fit_refuses_options_without_moderators(monkeypatch, capsys):
    assert "--data has columns" in refused(monkeypatch, capsys, "fit", STUDIES, "--data", CHARACTERISTICS)
    assert "did you mean 'weeks'" in refused(
        monkeypatch, capsys, "fit", STUDIES, "--moderators", "~ week", "--data", CHARACTERISTICS
    )


def test_compare_takes_several_rows_of_a_study_with_nesting(tmp_path, monkeypatch, capsys):
    table = tmp_path / "table.csv"
    table.write_text("study,outcome,yi,vi\na,x,0.1,0.02\na,y,0.3,0.03\nb,x,0.5,0.02\nb,y,0.2,0.02\nc,x,-0.1,0.04\n")
    assert "--nesting study/estimate" in refused(monkeypatch, capsys, "compare", str(table))
    frame = compared(str(table), "--nesting", "study/estimate", "--sampling-correlation", "0.5")
    data = pd.read_csv(table)
    fit = bm.multilevel(yi=data.yi, vi=data.vi, data=data, nesting="study/estimate", sampling_correlation=0.5)
    row = frame[(frame.model == "study/estimate") & (frame.method == "REML")]
    assert float(row.estimate.item()) == pytest.approx(fit.estimates[0], rel=1e-7)
    assert "DL" in set(frame.method[frame.model == ""])
