"""The command network."""

import csv
import io
import json

import pytest

from bayesmeta.networks.frequentist.fit import network_meta

ARMS = """study,treatment,deaths,n
1,control,9,140
1,counselling,23,140
1,group,10,138
2,control,11,78
2,counselling,12,85
3,counselling,29,170
3,self-help,11,78
4,control,0,33
4,group,9,48
5,self-help,20,49
5,group,32,127
6,counselling,3,26
6,tablets,3,28
"""


@pytest.fixture
def arms(tmp_path):
    path = tmp_path / "arms.csv"
    path.write_text(ARMS)
    return path


OPTIONS = ("--columns", "deaths=events", "--treatment", "tablets=self-help")


def test_the_overview(command, arms):
    code, out, err = command("network", arms, *OPTIONS, "--reference", "control", "--better", "higher")
    assert code == 0
    assert out.startswith("OR, 6 studies (1 multi-arm), 4 treatments, 5 designs; DL; tau")
    assert "Effects against control (natural scale), 95% intervals" in out
    assert "between designs (random)" in out
    assert "sucra" in out
    assert "4: 0.5 added to all cells" in err
    rows = [line.split() for line in out.splitlines() if line.startswith("group vs control")]
    assert rows[0][-1] == "2"


def test_csv_and_json_have_every_digit(command, arms):
    net = network_meta(
        arms, reference="control", method="REML", columns={"deaths": "events"}, treatments={"tablets": "self-help"}
    )
    common = ("network", arms, *OPTIONS, "--reference", "control", "--method", "reml", "--scale", "model")
    code, out, _ = command(*common, "--format", "csv")
    assert code == 0
    rows = {row["comparison"]: row for row in csv.DictReader(io.StringIO(out))}
    for name, row in net.summary().iterrows():
        assert float(rows[name]["estimate"]) == pytest.approx(row.estimate, rel=1e-9)
    code, out, _ = command(*common, "--show", "node-split", "--format", "json")
    assert code == 0
    assert json.loads(out)[0]["direct"] == pytest.approx(net.node_split().direct.iloc[0], rel=1e-8)


@pytest.mark.parametrize(
    ("table", "text"),
    [
        ("league", "League table, row against column"),
        ("comparisons", "counselling vs group"),
        ("inconsistency", "within designs"),
        ("designs", "control:counselling:group"),
        ("net-heat", "1: control:counselling"),
        ("contributions", "1: control vs counselling"),
    ],
)
def test_every_table(command, arms, table, text):
    code, out, _ = command("network", arms, *OPTIONS, "--show", table)
    assert code == 0
    assert text in out
    code, out, _ = command("network", arms, *OPTIONS, "--show", table, "--format", "csv")
    assert code == 0
    assert "\n" in out


def test_tables_say_which_scale_and_which_contributions(command, arms):
    code, out, _ = command("network", arms, *OPTIONS, "--show", "effects")
    assert code == 0
    assert "se (log)" in out
    assert "se (log)" not in command("network", arms, *OPTIONS, "--show", "effects", "--scale", "model")[1]
    assert "Contributions of direct comparisons, DL, by shortest paths" in command(
        "network", arms, *OPTIONS, "--show", "contributions"
    )[1]  # fmt: skip


def test_rare_events(command, arms):
    code, out, err = command("network", arms, *OPTIONS, "--method", "MH", "--show", "node-split")
    assert code == 0
    assert "control left out of the design control:group" in err
    assert "Direct and indirect evidence" in out
    assert command("network", arms, *OPTIONS, "--method", "NCH")[0] == 0


def test_components(command, tmp_path):
    path = tmp_path / "contrasts.csv"
    path.write_text(
        "study,treat1,treat2,yi,sei\n1,A + B,placebo,0.5,0.1\n2,A,placebo,0.3,0.1\n3,B,placebo,0.1,0.1\n4,A,B,0.1,0.1\n"
    )
    code, out, _ = command("network", path, "-m", "MD", "--components", "+", "--inactive", "placebo")
    assert code == 0
    assert "4 studies, 4 treatments, 2 components" in out
    assert "Components against placebo" in out
    assert "additivity: Q" in out
    code, out, _ = command(
        "network", path, "-m", "MD", "--components", "+", "--inactive", "placebo", "--interaction", "A*B", "-f", "csv"
    )
    assert code == 0
    assert [line.split(",")[0] for line in out.splitlines()] == ["component", "A", "B", "A*B"]
    options = ("-m", "MD", "--components", "+", "--inactive", "placebo", "--show", "additivity", "-f", "csv")
    code, out, _ = command("network", path, *options)
    assert [line.split(",")[0] for line in out.splitlines()] == ["part", "additive", "without components", "difference"]


def test_refusals(refused, arms, tmp_path):
    assert "unknown method 'DLL'" in refused("network", arms, *OPTIONS, "--method", "DLL")
    assert "the ranking needs --better" in refused("network", arms, *OPTIONS, "--show", "ranking")
    assert "need --components" in refused("network", arms, *OPTIONS, "--inactive", "control")
    assert "no table league" in refused("network", arms, *OPTIONS, "--components", "+", "--show", "league")
    assert "unknown treatment 'tablet'" in refused(
        "network", arms, "--columns", "deaths=events", "--treatment", "tablet=x"
    )
    path = tmp_path / "two.csv"
    path.write_text("study,treatment,events,n\n1,a,1,10\n1,b,2,10\n2,c,3,10\n2,d,4,10\n")
    message = refused("network", path)
    assert "the network has 2 parts that no study connects" in message
    assert "--" not in message.splitlines()[0]
