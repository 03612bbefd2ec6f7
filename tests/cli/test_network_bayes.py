"""The Bayesian side of ``bayesmeta network``, and the options that both sides have."""

import csv
import io
import json

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm

ARMS = """study,treatment,deaths,n,year,setting
1,control,9,140,1990,ward
1,counselling,23,140,1990,ward
1,group,10,138,1990,ward
2,control,11,78,1995,home
2,counselling,12,85,1995,home
3,counselling,29,170,2001,ward
3,self-help,11,78,2001,ward
4,control,0,33,2003,ward
4,group,9,48,2003,ward
5,self-help,20,49,2005,ward
5,group,32,127,2005,ward
6,counselling,3,26,2008,home
6,tablets,3,28,2008,home
"""
OPTIONS = ("--columns", "deaths=events", "--treatment", "tablets=self-help", "--reference", "control")


@pytest.fixture
def arms(tmp_path):
    path = tmp_path / "arms.csv"
    path.write_text(ARMS)
    return path


@pytest.fixture
def net(arms) -> bm.NetworkPosterior:
    table = bm.read_arms(arms, columns={"deaths": "events"}, treatments={"tablets": "self-help"})
    return bm.network(table, reference="control", better="higher")


def rows_of(out: str) -> dict[str, dict[str, str]]:
    """The rows of a CSV by their first column."""
    return {next(iter(row.values())): row for row in csv.DictReader(io.StringIO(out))}


def test_the_overview(command, arms, net):
    code, out, err = command("network", arms, *OPTIONS, "--engine", "quadrature", "--better", "higher")
    assert code == 0
    assert out.startswith("OR, 6 studies (1 multi-arm), 4 treatments, 5 designs; normal likelihood, quadrature\n")
    assert "priors: d ~ Normal(0, 2.82), tau ~ HalfNormal(0.5), inconsistency ~ Normal(0, 0.5)" in out
    for text in ("Effects against control", "residual deviance", "dic", "design-by-treatment", "sucra", "prob_benefit"):
        assert text in out
    assert "treatment 'tablets' is analysed as 'self-help'" in err
    assert "4: 0.5 added to all cells" in err
    line = next(line for line in out.splitlines() if line.startswith("residual deviance"))
    assert float(line.split()[2]) == pytest.approx(net.residual_deviance, rel=0.01)


def test_csv_has_every_digit(command, arms, net):
    code, out, _ = command(
        "network", arms, *OPTIONS, "--engine", "auto", "--scale", "model", "-f", "csv", "--better", "lower"
    )
    assert code == 0
    found = rows_of(out)
    assert list(found) == ["counselling vs control", "group vs control", "self-help vs control"]
    for name, row in found.items():
        assert float(row["median"]) == pytest.approx(net.quantile(name, 0.5), rel=1e-8)
        assert float(row["pi_low"]) == pytest.approx(net.quantile(f"theta_new[{name}]", 0.025), rel=1e-8)
        assert float(row["prob_benefit"]) == pytest.approx(net.cdf(name, 0.0), rel=1e-8)
    assert [row["studies"] for row in found.values()] == ["2", "2", "0"]


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("league", lambda net: bm.league_table(net)),
        ("ranking", lambda net: bm.ranking(net)),
        ("node-split", lambda net: bm.node_split(net)),
        ("inconsistency", lambda net: bm.inconsistency(net)),
        ("summary", lambda net: net.summary(scale="natural")),
    ],
)
def test_tables_are_those_of_python(command, arms, net, table, expected):
    options = (*OPTIONS, "-e", "quadrature", "--better", "higher", "--show", table)
    code, out, _ = command("network", arms, *options, "--format", "csv")
    assert code == 0
    frame = expected(net)
    found = pd.read_csv(io.StringIO(out), index_col=0)
    assert [str(name) for name in found.index] == list(frame.index)
    for name in found.columns:
        if frame[name].dtype == object or frame[name].dtype.kind not in "fi":
            assert list(found[name]) == list(frame[name])
        else:
            np.testing.assert_allclose(found[name], frame[name], rtol=1e-8)
    assert command("network", arms, *options)[0] == 0
    code, out, _ = command("network", arms, *options, "--format", "json")
    assert len(json.loads(out)) == len(frame)


@pytest.mark.parametrize("side", [("--engine", "auto"), ()])
def test_tables_of_both_sides(command, arms, side):
    for table in ("comparisons", "heterogeneity", "geometry", "ranks"):
        options = (*OPTIONS, *side, "--better", "higher", "--show", table)
        code, out, _ = command("network", arms, *options, "-f", "csv")
        assert code == 0
        assert len(rows_of(out)) == (
            6 if table == "comparisons" else 4 if table != "heterogeneity" else len(rows_of(out))
        )
        assert command("network", arms, *options)[0] == 0
    code, out, _ = command("network", arms, *OPTIONS, *side, "--show", "geometry", "-f", "csv")
    assert {name: (row["studies"], row["participants"]) for name, row in rows_of(out).items()} == {
        "control": ("3", "251"), "counselling": ("4", "421"), "group": ("3", "313"), "self-help": ("3", "155")
    }  # fmt: skip


def test_priors_and_a_moderator(command, arms):
    options = (*OPTIONS, "-f", "csv", "--scale", "model", "--show", "summary")
    code, out, _ = command("network", arms, *options, "--prior", "d=Normal(0, 1)", "--prior", "tau=Point(0)")
    assert code == 0
    table = bm.read_arms(arms, columns={"deaths": "events"}, treatments={"tablets": "self-help"})
    net = bm.network(table, reference="control", priors={"d": "Normal(0, 1)", "tau": "Point(0)"})
    assert float(rows_of(out)["group vs control"]["mean"]) == pytest.approx(net.mean("group vs control"), rel=1e-8)
    code, out, _ = command("network", arms, *options, "--moderator", "year")
    assert code == 0
    net = bm.network(table, reference="control", moderator="year")
    assert float(rows_of(out)["year"]["sd"]) == pytest.approx(net.sd("year"), rel=1e-8)


def test_nuts_with_the_likelihood_of_the_arms_is_saved(command, arms, tmp_path):
    path = tmp_path / "net.nc"
    options = (*OPTIONS, "--likelihood", "binomial", "--seed", "3", "--save", path, "--better", "higher")
    code, out, _ = command("network", arms, *options, "--prior", "tau=HalfNormal(0.3)")
    assert code == 0
    assert "binomial likelihood, nuts" in out
    assert "0 divergences" in out
    # the study without events in one arm is in it as it is
    assert "6 studies" in out
    found = bm.load_network(path)
    assert (found.engine, found.seed, found.likelihood) == ("nuts", 3, "binomial")
    line = next(line for line in out.splitlines() if line.startswith("group vs control"))
    assert float(line.split()[3]) == pytest.approx(np.exp(found.quantile("group vs control", 0.5)), abs=0.006)


def test_both_sides_are_saved(command, arms, tmp_path):
    for name, side in (("a.nc", ("--method", "REML")), ("b.nc", ("--engine", "auto"))):
        assert command("network", arms, *OPTIONS, *side, "--save", tmp_path / name)[0] == 0
    assert bm.load_network(tmp_path / "a.nc").method == "REML"
    assert bm.load_network(tmp_path / "b.nc").engine == "quadrature"


@pytest.mark.parametrize("side", [("--engine", "auto"), ()])
def test_rows_and_studies_are_selected(command, arms, side):
    code, out, _ = command(
        "network", arms, *OPTIONS[:2], *side, "--where", "setting=ward", "--show", "geometry", "-f", "csv"
    )
    assert code == 0
    assert rows_of(out)["control"]["studies"] == "2"
    code, out, err = command(
        "network", arms, *OPTIONS[:2], *side, "--exclude", "6=odd", "--exclude", "2", "--show", "geometry", "-f", "csv"
    )
    assert code == 0
    assert rows_of(out)["control"]["studies"] == "2"
    assert "tablets" not in out
    code, out, err = command("network", arms, *OPTIONS[:2], *side, "--exclude", "6=odd")
    assert "6: left out: odd" in err


@pytest.mark.parametrize("side", [("--engine", "auto"), (), ("-l", "binomial", "-p", "tau=HalfNormal(0.1)")])
def test_a_part_of_a_network(command, refused, tmp_path, side):
    path = tmp_path / "two.csv"
    path.write_text("study,treatment,events,n\n1,a,10,50\n1,b,20,50\n2,c,13,60\n2,d,14,60\n3,c,10,50\n3,d,12,50\n")
    message = refused("network", path, *side)
    assert "the network has 2 parts that no study connects: 1. a, b (1 study); 2. c, d (2 studies)" in message
    assert "--component" in message
    code, out, _ = command("network", path, *side, "--component", "d")
    assert code == 0
    assert "OR, 2 studies, 2 treatments" in out
    assert "unknown treatment 'e'" in refused("network", path, *side, "--component", "e")


def test_contributions_and_networks_without_a_loop(command, arms, tmp_path):
    code, out, _ = command("network", arms, *OPTIONS, "--engine", "quadrature", "--show", "contributions")
    assert code == 0
    assert "averaged over the posterior distribution of tau" in out
    assert "1: " in out
    path = tmp_path / "pair.csv"
    path.write_text("study,treat1,treat2,yi,sei\n1,a,p,0.5,0.1\n2,a,p,0.3,0.1\n")
    code, out, _ = command("network", path, "-m", "SMD", "--engine", "quadrature")
    assert "1 design;" in out
    assert "no loop of comparisons" in out


def test_components(command, tmp_path):
    path = tmp_path / "contrasts.csv"
    path.write_text(
        "study,treat1,treat2,yi,sei\n1,A + B,placebo,0.5,0.1\n2,A,placebo,0.3,0.1\n3,B,placebo,0.1,0.1\n4,A + C,C,0.1,0.1\n"
    )
    options = ("-m", "SMD", "--components", "+", "--inactive", "placebo", "--engine", "quadrature")
    code, out, err = command("network", path, *options)
    assert code == 0
    for text in ("Effects of components", "Effects against placebo", "Additivity against models", "deviations"):
        assert text in out
    assert "do not identify the effects of C" in err
    code, out, _ = command("network", path, *options, "--show", "components", "-f", "csv")
    assert code == 0
    lines = [line.split(",") for line in out.splitlines()]
    assert lines[0] == ["component", "median", "ci_low", "ci_high", "treatments", "studies", "identified"]
    assert [(line[0], line[-1]) for line in lines[1:]] == [("A", "True"), ("B", "True"), ("C", "False")]
    code, out, _ = command("network", path, *options, "--show", "additivity", "-f", "csv")
    assert [line.split(",")[0] for line in out.splitlines()] == ["model", "additive", "deviations"]


def test_refusals(refused, arms):
    assert "leave it out with --engine" in refused("network", arms, *OPTIONS, "--method", "DL", "--engine", "auto")
    assert "no table 'net-heat'" in refused("network", arms, *OPTIONS, "--engine", "auto", "--show", "net-heat")
    assert "needs --better" in refused("network", arms, *OPTIONS, "--engine", "auto", "--show", "ranking")
    assert "needs --better" in refused("network", arms, *OPTIONS, "--show", "ranks")
    assert "--show summary is of Bayesian" in refused("network", arms, *OPTIONS, "--show", "summary")
    for show in ("components", "additivity"):
        assert "--components" in refused("network", arms, *OPTIONS, "--engine", "auto", "--show", show)
    assert "use the engine 'nuts'" in refused("network", arms, *OPTIONS, "-e", "quadrature", "-l", "binomial")
    assert "a network has no mu" in refused("network", arms, *OPTIONS, "--prior", "mu=Normal(0, 1)")
    assert "unknown value in column 'setting'" in refused("network", arms, *OPTIONS, "--where", "setting=garden")
    assert "unknown study to exclude" in refused("network", arms, *OPTIONS, "--exclude", "9")
    assert "every study is left out" in refused(
        "network", arms, "--columns", "deaths=events", *(f"--exclude={study}" for study in range(1, 7))
    )
