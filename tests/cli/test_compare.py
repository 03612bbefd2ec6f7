"""`bayesmeta compare`: its table, its machine formats, and the options that reach the methods."""

import io
import json

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.results.rows import TIDY


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


def test_zero_cell_rules_reach_the_effects(tmp_path, command):
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


def test_double_zeros_leave_the_rows_that_can_be_estimated(command, tmp_path):
    table = tmp_path / "dz.csv"
    table.write_text("study,events_e,n_e,events_c,n_c\nS1,0,150,0,148\nS2,0,80,0,80\nS3,0,200,0,190\n")
    code, out, err = command("compare", str(table), "--measure", "RR")
    assert code == 0
    assert "Bayesian, binomial likelihood (quadrature)" in out
    assert "Mantel-Haenszel" not in out
    assert "Mantel-Haenszel: not estimable: no study is left to pool" in err
    assert "Bayesian, normal likelihood (quadrature): not estimable: " in err
    rates = tmp_path / "rates.csv"
    rates.write_text("study,events_e,time_e,events_c,time_c\nS1,0,150,0,148\nS2,0,80,0,80\n")
    assert command("compare", str(rates))[0] == 0


def test_rows_that_cannot_be_estimated_are_in_the_frame_with_their_reason():
    counts = bm.read_studies(pd.DataFrame({"events_e": [0, 0], "n_e": [150, 80], "events_c": [0, 0], "n_c": [148, 80]}))
    frame = bm.compare(counts, measure="OR").set_index("method")
    assert np.isnan(frame.loc["bayes:normal:quadrature", "estimate"])
    assert frame.loc["bayes:normal:quadrature", "note"].startswith("not estimable: ")
    fitted = bm.fit(counts, measure="OR").quantile("mu", 0.5)
    assert frame.loc["bayes:binomial:quadrature", "estimate"] == pytest.approx(fitted, rel=1e-9)
    # where no method has an answer the reason is an error, as in fit
    with pytest.raises(bm.DataError, match="no study is left"):
        bm.compare(counts, measure="PETO")
