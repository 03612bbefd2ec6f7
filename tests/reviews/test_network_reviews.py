"""Networks of a review, from review.toml to its outputs."""

from __future__ import annotations

import csv
import json
import shutil

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.reviews.analysis_data import data_problem
from bayesmeta.reviews.network_result import network_of
from bayesmeta.reviews.report.network_categories import categories, category_name
from bayesmeta.reviews.report.network_league import league_words
from bayesmeta.reviews.result import read_result, result_text
from bayesmeta.reviews.run import plan_review, run_review
from bayesmeta.reviews.spec import read_review

ARMS = """study,treatment,deaths,n,rob,directness,period
1,control,9,140,low,low,before
1,counselling,23,140,low,low,before
1,group,10,138,low,low,before
2,control,11,78,some concerns,high,before
2,counselling,12,85,some concerns,high,before
3,counselling,29,170,high,low,before
3,self-help,11,78,high,low,before
4,control,0,33,low,low,before
4,group,9,48,low,low,before
5,self-help,20,49,,low,before
5,group,32,127,,low,before
6,counselling,3,26,low,low,before
6,tablets,3,28,low,low,before
7,control,0,20,low,low,before
7,group,0,20,low,low,before
8,control,0,20,low,low,after
8,tablets,5,20,low,low,after
"""
CONTRASTS = """study,treat1,treat2,yi,sei
A,x,p,-0.5,0.2
B,y,p,-0.9,0.3
C,y,x,-0.1,0.2
D,v,w,-0.1,0.2
"""
DEATH = """study,events_e,n_e,events_c,n_c
Adams,5,50,9,50
Baker,7,80,12,80
Clark,3,40,5,41
"""
TOML = """id = "treatments"
title = "Several treatments"

[settings]
engine = "quadrature"
tables = ["csv", "md"]
figures = ["svg"]
documents = []
checks = false

[bands.OR]
trivial = 1.1

[priors.OR]
mu = "Normal(0, 1)"
tau = "HalfNormal(0.3)"

[[analysis]]
id = "1.1"
outcome = "Death"
measure = "RR"
data = "death.csv"

[[network]]
id = "N1"
outcome = "Cessation"
measure = "or"
data = "arms.csv"
reference = "control"
better = "higher"
columns = { deaths = "events" }
treatments = { tablets = "self-help" }
indirectness = "directness"
where = { period = "before" }
note = "Events are good."

[[network]]
id = "N2"
outcome = "Pain"
title = "Pain, without w"
measure = "MD"
data = "contrasts.csv"
component = "p"
method = "CE"
priors = { d = "independent Normal(0, 100)", tau = "HalfNormal(1)" }
"""


@pytest.fixture
def source(tmp_path):
    return write_source(tmp_path / "source")


def write_source(folder, toml=TOML):
    folder.mkdir(exist_ok=True)
    for name, text in (("arms", ARMS), ("contrasts", CONTRASTS), ("death", DEATH)):
        (folder / f"{name}.csv").write_text(text)
    (folder / "review.toml").write_text(toml)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    return run_review(write_source(folder / "source"), folder / "out")


@pytest.fixture(scope="module")
def results(run) -> pd.DataFrame:
    return pd.read_csv(run.out / "results.csv", dtype={"analysis": str})


@pytest.fixture(scope="module")
def arms(tmp_path_factory):
    path = tmp_path_factory.mktemp("arms") / "arms.csv"
    path.write_text(ARMS)
    return bm.read_arms(
        path, columns={"deaths": "events"}, treatments={"tablets": "self-help"}, where={"period": "before"}
    )


def rows_of(results, analysis, method):
    return results[(results["analysis"] == analysis) & (results["method"] == method)].set_index("term")


def test_rows_are_those_of_python(run, results, arms):
    assert run.failed == {}
    assert [result.id for result in run.results] == ["1.1", "N1", "N2"]
    net = bm.network(
        arms, "OR", reference="control", better="higher", priors={"d": "Normal(0, 1)", "tau": "HalfNormal(0.3)"}
    )
    freq = bm.network_meta(arms, "OR", reference="control", method="REML")
    bayes, reml = rows_of(results, "N1", "bayes:normal:quadrature"), rows_of(results, "N1", "REML")
    assert set(reml.index) == {term for term in net.terms if " vs " in term and "[" not in term}
    assert set(bayes.index) == {*reml.index, "tau", "tau2", "i2"}
    for term in reml.index:
        one, two = term.split(" vs ")
        assert bayes.loc[term, "estimate"] == pytest.approx(np.exp(net.quantile(term, 0.5)), rel=1e-8)
        assert bayes.loc[term, "se"] == pytest.approx(net.sd(term), rel=1e-8)
        assert bayes.loc[term, "pi_high"] == pytest.approx(np.exp(net.quantile(f"theta_new[{term}]", 0.975)), rel=1e-8)
        assert bayes.loc[term, "prob_benefit"] == pytest.approx(1 - net.cdf(term, 0), rel=1e-8)
        assert bayes.loc[term, "prob_beyond_mid"] == pytest.approx(1 - net.cdf(term, np.log(1.1)), rel=1e-8)
        assert reml.loc[term, "estimate"] == pytest.approx(np.exp(freq.effects.loc[one, two]), rel=1e-8)
        assert reml.loc[term, "ci_low"] == pytest.approx(np.exp(freq.ci_low.loc[one, two]), rel=1e-8)
        assert reml.loc[term, "pvalue"] == pytest.approx(freq.pvalue.loc[one, two], rel=1e-8)
    assert bayes.loc["tau", "estimate"] == pytest.approx(net.quantile("tau", 0.5), rel=1e-8)
    assert (reml["tau2"].iloc[0], reml["q"].iloc[0]) == pytest.approx((freq.tau2, freq.q), rel=1e-8)
    assert dict(reml["k_direct"])["self-help vs control"] == 0
    assert dict(bayes["k_direct"].dropna())["group vs control"] == 2
    # the study without events is not estimable: it has no part in the numbers of studies and participants
    assert set(reml["k"]) == {6}
    assert set(reml["n"]) == {1140}
    assert set(results.loc[results["analysis"] == "N1", "model"]) == {"network"}
    assert run.results[1].priors == {
        "normal:quadrature": "d ~ Normal(0, 1), tau ~ HalfNormal(0.3), inconsistency ~ Normal(0, 0.5)"
    }


def test_contrasts_of_one_part_with_their_own_priors(results):
    frame = pd.DataFrame([line.split(",") for line in CONTRASTS.split()[1:4]], columns=CONTRASTS.split()[0].split(","))
    frame = frame.astype({"yi": float, "sei": float})
    net = bm.network(frame, "MD", priors={"d": "independent Normal(0, 100)", "tau": "HalfNormal(1)"})
    bayes = rows_of(results, "N2", "bayes:normal:quadrature")
    assert bayes.loc["x vs p", "estimate"] == pytest.approx(net.quantile("x vs p", 0.5), rel=1e-8)
    common = rows_of(results, "N2", "CE")
    assert common["tau"].isna().all()
    freq = bm.network_meta(frame, "MD", method="CE")
    assert common.loc["y vs x", "estimate"] == pytest.approx(freq.effects.loc["y", "x"], rel=1e-8)
    assert "prob_benefit" not in common or common["prob_benefit"].isna().all()


def test_the_pairwise_analysis_is_as_without_networks(run, results, tmp_path):
    alone = TOML.split("[[network]]")[0]
    other = run_review(write_source(tmp_path / "alone", alone), tmp_path / "out")
    found = pd.read_csv(other.out / "results.csv", dtype={"analysis": str})
    shared = [name for name in found.columns if name in results.columns]
    ours = results.loc[results["analysis"] == "1.1", shared].reset_index(drop=True)
    pd.testing.assert_frame_equal(ours, found[shared], check_dtype=False)
    assert "network" not in json.loads((other.out / "review.json").read_text())
    for name in ("methods", "studies", "evidence"):
        text = (run.out / "tables" / f"{name}.md").read_text()
        assert "N1" not in text
        assert text == (other.out / "tables" / f"{name}.md").read_text()


def test_what_is_saved_is_enough_for_figures(run, arms):
    result = read_result((run.out / "analyses" / "N1.json").read_bytes())
    assert result_text(result) == (run.out / "analyses" / "N1.json").read_text()
    saved = network_of(result)
    net = bm.network(
        arms, "OR", reference="control", better="higher", priors={"d": "Normal(0, 1)", "tau": "HalfNormal(0.3)"}
    )
    fit = saved["fits"]["bayes:normal:quadrature"]
    league = bm.league_table(net, value="median", scale="model")
    assert saved["treatments"] == list(league.index)
    np.testing.assert_allclose(fit["estimate"], league.to_numpy(), rtol=1e-12, atol=1e-12)
    pi = bm.league_table(net, value="pi_high", scale="model").to_numpy()
    np.testing.assert_allclose(fit["pi_high"], pi, rtol=1e-12)
    ranking = net.ranking()
    np.testing.assert_array_equal(fit["ranks"], ranking.probabilities)
    np.testing.assert_array_equal(fit["better"], ranking.better)
    freq = bm.network_meta(arms, "OR", reference="control", method="REML")
    other = saved["fits"]["REML"]
    scores = (np.array(other["better"]).sum(axis=1) - 0.5) / (len(saved["treatments"]) - 1)
    np.testing.assert_allclose(scores, freq.p_scores("higher"), rtol=1e-12)
    np.testing.assert_allclose(saved["contributions"]["values"], freq.contributions().to_numpy(), rtol=1e-12)
    assert saved["net_heat"]["rows"] == list(freq.net_heat().index)
    splits = {row["comparison"]: row for row in saved["splits"]["bayes:normal:quadrature"]}
    expected = bm.node_split(net)
    assert list(splits) == list(expected.index)
    assert splits["group vs control"]["bf_inconsistency"] == expected.loc["group vs control", "bf_inconsistency"]
    assert [row["part"] for row in saved["inconsistency"]["REML"]][1:3] == ["within designs", "between designs"]
    assert {(row["study"], row["treatment"]) for row in saved["arms"]} == set(
        zip(arms.studies, arms.treatments, strict=True)
    )
    assert saved["left_out"].keys() == {"7"}
    assert saved["multi_arm"] == ["1"]
    geometry = {row["treatment"]: row for row in saved["geometry"]}
    assert (geometry["control"]["studies"], geometry["control"]["participants"]) == (3, 251)
    edges = {(row["treat1"], row["treat2"]): row for row in saved["edges"]}
    assert edges["control", "group"] | {} == {
        "treat1": "control", "treat2": "group", "studies": 2, "participants": 140 + 138 + 33 + 48
    }  # fmt: skip
    assert [row.get("rob") for row in saved["judgements"]][:3] == [1, 2, 3]
    assert network_of(run.results[0]) is None


def table(run, name):
    with (run.out / "tables" / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def dictionaries(run, name):
    with (run.out / "tables" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_cell_of_the_league_table_is_row_against_column(run, results):
    rows = table(run, "network_league_N1")
    at = next(i for i, row in enumerate(rows) if row[0] == "Treatment")
    header, body = rows[at], {row[0]: row for row in rows[at + 1 : at + 5]}
    bayes = rows_of(results, "N1", "bayes:normal:quadrature")
    row = bayes.loc["counselling vs control"]
    assert row["estimate"] > 1
    cell = body["counselling"][header.index("control")]
    assert cell.startswith(f"{row['estimate']:.2f} [{row['ci_low']:.2f}, {row['ci_high']:.2f}")
    reverse = body["control"][header.index("counselling")]
    assert reverse.startswith(f"{1 / row['estimate']:.2f} [{1 / row['ci_high']:.2f}, {1 / row['ci_low']:.2f}")
    assert header[1:5] == list(body)
    text = (run.out / "tables" / "network_league_N1.md").read_text()
    assert "odds ratio of its row's treatment against its column's" in text
    assert "Values above 1 favour the row's treatment" in text
    assert "Analysed under one name: self-help: tablets." in text
    assert "Events are good." in text
    # the best first
    ranking = [row[1] for row in table(run, "network_ranking") if len(row) > 1 and row[1] in body]
    assert ranking == list(body)


def test_the_words_of_a_league_table():
    assert "Values below 0 favour the row's treatment." in league_words("MD", "lower")
    assert "Values above 1 favour" in league_words("RR", "higher")
    assert "favour" not in league_words("RR", "")


def test_every_table(run):
    found = {path.stem for path in (run.out / "tables").iterdir()}
    names = ("networks", *(f"network_{name}" for name in (
        "treatments", "effects", "ranking", "heterogeneity", "inconsistency", "splits", "league_N1", "league_N2"
    )))  # fmt: skip
    assert set(names) <= found
    text = {name: (run.out / "tables" / f"{name}.md").read_text() for name in names}
    line = next(line for line in text["networks"].splitlines() if line.startswith("| N1"))
    assert [cell.strip() for cell in line.split("|")[2:8]] == ["4", "6", "1", "5", "5 of 6", "2"]
    assert "Not estimable: 7: " in text["networks"]
    assert "4: 0.5 added to all cells" in text["networks"]
    assert "The part of a disconnected network that has p" in text["networks"]
    assert "| self-help | 3 |" in text["network_treatments"]
    assert "tablets" in text["network_treatments"]
    assert "REML" in text["network_heterogeneity"]
    assert "tau \\~ HalfNormal(0.3)" in text["network_heterogeneity"]
    assert "design-by-treatment" in text["network_inconsistency"]
    assert "Q between designs" in text["network_inconsistency"]
    assert "the prior Normal(0, 0.5)" in text["network_inconsistency"]
    assert "| group vs control |" in text["network_splits"]
    assert "| self-help vs control | 0 |" in text["network_effects"]
    assert "**N2 Pain, without w (MD)**" in text["network_effects"]
    # without a side of benefit nothing is ranked
    assert "N2" not in text["network_ranking"].split("Bayesian network:")[0]
    assert "Networks of several treatments (N1, N2)" in (run.out / "tables" / "main.md").read_text()


def test_the_files_for_cinema(run, arms):
    rows = dictionaries(run, "cinema_N1")
    assert list(rows[0]) == ["id", "study", "t", "r", "n", "rob", "indirectness"]
    assert [row["id"] for row in rows] == ["1", "1", "1", "2", "2", "3", "3", "4", "4", "5", "5", "6", "6"]
    assert rows[3] == {
        "id": "2", "study": "2", "t": "control", "r": "11", "n": "78", "rob": "2", "indirectness": "3"
    }  # fmt: skip
    assert rows[9]["rob"] == ""
    content = json.loads((run.out / "tables" / "cinema_N1.json").read_text())
    assert (content["format"], content["method"], content["measure"], content["scale"]) == (
        "binary", "REML", "OR", "log"
    )  # fmt: skip
    assert content["clinically_important"] == pytest.approx(1.1)
    freq = bm.network_meta(arms, "OR", reference="control", method="REML")
    assert content["tau2"] == pytest.approx(freq.tau2)
    np.testing.assert_allclose(np.array(content["contributions"]["values"]).sum(axis=1), 100)
    assert content["contributions"]["rows"] == list(freq.contributions().index)
    first = {row["comparison"]: row for row in content["estimates"]}["group vs control"]
    assert first["estimate"] == pytest.approx(freq.effects.loc["group", "control"])
    assert first["se"] == pytest.approx(freq.se.loc["group", "control"])
    assert [row["part"] for row in content["incoherence"]["global"]] == ["between designs", "between designs (random)"]
    assert {row["comparison"] for row in content["incoherence"]["local"]} == set(bm.node_split(freq).index)
    rows = dictionaries(run, "cinema_N2")
    assert rows[0] == {"id": "1", "study": "A", "t1": "p", "t2": "x", "effect": "0.5", "se": "0.2"}


def test_the_notice_of_a_review_is_in_the_files_for_cinema(source, tmp_path):
    write_source(source, TOML.replace("[settings]", 'notice = "Made up."\n[settings]', 1))
    run = run_review(source, tmp_path / "out", only=("N2",))
    assert all(row["notice"].startswith("Made up.") for row in dictionaries(run, "cinema_N2"))
    assert json.loads((run.out / "tables" / "cinema_N2.json").read_text())["notice"].startswith("Made up.")


def test_the_report_shows_them(run, tmp_path):
    from bayesmeta.reviews.report.page import write_report

    shutil.copytree(run.out, tmp_path / "out")
    text = write_report(tmp_path / "out").read_text()
    assert '<section id="a-N1"><h2>N1 Cessation</h2>' in text
    assert '<section id="a-N2"><h2>N2 Pain, without w</h2>' in text
    assert '<a href="#a-N2">N2 Pain, without w</a>' in text
    assert text.count("league table, N1 Cessation (OR)") == 1
    assert "<summary>Network ranking</summary>" in text


def test_only_what_changed_is_run_again(source, tmp_path):
    out = tmp_path / "out"
    first = run_review(source, out)
    assert first.failed == {}
    again = run_review(source, out)
    assert again.kept == ("1.1", "N1", "N2")
    # a row that no network reads
    (source / "arms.csv").write_text(ARMS.replace("8,tablets,5", "8,tablets,6"))
    assert run_review(source, out).kept == ("1.1", "N1", "N2")
    (source / "arms.csv").write_text(ARMS.replace("6,tablets,3", "6,tablets,4"))
    _, _, steps = plan_review(source, out)
    assert [(step.analysis.id, step.why) for step in steps] == [("1.1", ""), ("N1", "data changed"), ("N2", "")]
    assert run_review(source, out).kept == ("1.1", "N2")
    (source / "review.toml").write_text(TOML.replace('method = "CE"', 'method = "DL"'))
    assert run_review(source, out).kept == ("1.1", "N1")
    (source / "review.toml").write_text(TOML.replace('mu = "Normal(0, 1)"', 'mu = "Normal(0, 2)"'))
    assert run_review(source, out, only=("N1",)).kept == ()
    # a network that is gone leaves nothing behind
    (source / "review.toml").write_text(TOML.rpartition("[[network]]")[0])
    run_review(source, out)
    assert not [path for path in out.rglob("*") if "N2" in path.name]


def test_two_processes_give_the_same_files(source, run, tmp_path):
    other = run_review(source, tmp_path / "out", jobs=2)
    assert other.failed == {}
    for name in ("analyses/N1.json", "analyses/N2.json", "results.csv", "tables/network_effects.md"):
        assert (other.out / name).read_bytes() == (run.out / name).read_bytes()
    made = json.loads((run.out / "manifest.json").read_text())["analyses"]["N1"]
    assert made["data"]["file"] == "arms.csv"
    assert made["primary"] == "bayes:normal:quadrature"


def test_priors_of_the_command_replace_those_of_the_review(source, tmp_path):
    run = run_review(source, tmp_path / "out", priors={"tau": "Point(0)"})
    assert run.results[1].priors["normal:quadrature"].startswith("d ~ Normal(0, 1), tau ~ Point(0)")
    assert run.results[2].priors["normal:quadrature"].startswith("d ~ independent Normal(0, 100), tau ~ Point(0)")


def test_nuts_with_the_likelihood_of_the_arms(tmp_path):
    toml = TOML.partition("[[analysis]]")[0] + "[[network]]" + TOML.split("[[network]]")[1]
    toml = toml.replace('engine = "quadrature"', 'engine = "both"')
    run = run_review(write_source(tmp_path / "nuts", toml), tmp_path / "out")
    assert run.failed == {}
    (result,) = run.results
    assert result.primary == "bayes:binomial:nuts"
    saved = network_of(result)
    assert list(saved["fits"]) == ["REML", "bayes:normal:quadrature", "bayes:binomial:nuts"]
    net = bm.load_network(run.out / "fits" / "N1_bayes-binomial-nuts.nc")
    rows = {(row["method"], row["term"]): row for row in result.rows}
    row = rows["bayes:binomial:nuts", "group vs control"]
    assert row["estimate"] == pytest.approx(np.exp(net.quantile("group vs control", 0.5)))
    # all studies, that without events too
    assert (row["k"], row["n"]) == (7, 1180)
    assert row["r_hat"] < 1.01
    assert "N1: network" in (run.out / "tables" / "engines.md").read_text()
    text = (run.out / "tables" / "network_effects.md").read_text()
    assert "Exact, on contrasts" in text
    assert "binomial likelihood (NUTS)" in text


def test_one_that_fails_does_not_stop_the_others(source, tmp_path):
    toml = TOML.replace('component = "p"\n', "").replace('method = "CE"', 'method = "MH"')
    run = run_review(write_source(source, toml), tmp_path / "out")
    assert list(run.failed) == ["N2"]
    assert (
        "the network has 2 parts that no study connects: 1. p, x, y (3 studies); 2. v, w (1 study)" in run.failed["N2"]
    )
    assert "component" in run.failed["N2"]
    toml = TOML.replace('method = "CE"', 'method = "MH"').replace("rob,dir", "rob,dir")
    (source / "arms.csv").write_text(ARMS.replace("some concerns", "so so"))
    run = run_review(write_source(source, toml), tmp_path / "other")
    assert list(run.failed) == ["N2"]
    assert "MH" in run.failed["N2"]
    assert list(network_of(run.results[2])["fits"]) == ["bayes:normal:quadrature"]


def test_a_judgement_that_is_none(source, tmp_path):
    (source / "arms.csv").write_text(ARMS.replace("some concerns", "so so"))
    run = run_review(source, tmp_path / "out", only=("N1",))
    assert "study '2', column 'rob': 'so so' is no judgement" in run.failed["N1"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('id = "N2"', 'id = "n1"', "analysis id 'n1' appears twice"),
        ('measure = "or"', 'measure = "ORR"', "network N1: unknown measure 'ORR'"),
        ('reference = "control"', 'referent = "control"', "network N1: unknown key 'referent'"),
        ('better = "higher"', 'better = "up"', "network N1: 'better' = 'up'"),
        ('method = "CE"', 'method = "REMLE"', "network N2: unknown method 'REMLE'"),
        ('data = "arms.csv"', 'data = "arm.csv"', "network N1: there is no data file 'arm.csv'"),
        ('component = "p"', 'likelihood = "binomial"', "NUTS|unknown likelihood of a network of MD 'binomial'"),
        ('tau = "HalfNormal(1)"', 'tau2 = "HalfNormal(1)", tau = "HalfNormal(1)"', "tau2"),
        ('d = "independent Normal(0, 100)"', 'mu = "Normal(0, 1)"', "a network has no mu"),
        ('d = "independent Normal(0, 100)"', 'd = "Normal(1, 1)"', "its mean must be 0"),
        ('d = "independent Normal(0, 100)"', 'dose = "Normal(0, 1)"', "dose"),
        ('component = "p"', 'certainty = { x = "low" }', "give better"),
        ('note = "Events are good."', 'certainty = { group = "lowest" }', "unknown certainty 'lowest'"),
        ('component = "p"', "mid = 0.5", "better"),
    ],
)
def test_keys_that_cannot_be(source, old, new, message):
    assert old in TOML
    write_source(source, TOML.replace(old, new))
    with pytest.raises(SpecError) as caught:
        read_review(source)
    assert any(part in str(caught.value) for part in message.split("|")), str(caught.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('reference = "control"', 'reference = "placebo"', "unknown treatment 'placebo'"),
        ('component = "p"', 'component = "z"', "unknown treatment 'z'"),
        ('note = "Events are good."', 'certainty = { tablet = "low" }', "unknown treatment in certainty 'tablet'"),
        ('note = "Events are good."', 'certainty = { control = "low" }', "that is not the reference 'control'"),
        ('indirectness = "directness"', 'indirectness = "direct"', "unknown column of judgements 'direct'"),
        ('note = "Events are good."', 'moderator = "dose"', "unknown moderator 'dose'"),
        ('where = { period = "before" }', 'where = { period = "later" }', "unknown value in column 'period'"),
        ('treatments = { tablets = "self-help" }', 'treatments = { pills = "self-help" }', "unknown treatment 'pills'"),
    ],
)
def test_data_that_cannot_be_used_are_named_before_a_run(source, old, new, message):
    write_source(source, TOML.replace(old, new))
    review, folder = read_review(source)
    found = [data_problem(review, one, folder) for one in review.network]
    assert any(message in text for text in found), found


def test_a_moderator(source, tmp_path):
    lines = ARMS.splitlines()
    years = [f"{line},{1990 + int(line.split(',')[0])}" for line in lines[1:]]
    toml = TOML.replace('note = "Events are good."', 'moderator = "year"\npriors = { year = "Normal(0, 0.1)" }')
    write_source(source, toml)
    (source / "arms.csv").write_text("\n".join([f"{lines[0]},year", *years]))
    run = run_review(source, tmp_path / "out", only=("N1",))
    assert run.failed == {}
    rows = {row["term"]: row for row in run.results[0].rows if row["method"] == "bayes:normal:quadrature"}
    assert rows["year"]["se"] < 0.1
    assert "year ~" not in run.results[0].priors["normal:quadrature"]


def saved_fit(effects, se, better="higher", thresholds=()):
    """What a run saves of a network with these effects of treatments, against the first, and one standard error."""
    names, d = list(effects), np.array(list(effects.values()))
    matrix = d[:, None] - d
    half = 1.96 * se * (1 - np.eye(len(d)))
    fit = {"estimate": matrix.tolist(), "ci_low": (matrix - half).tolist(), "ci_high": (matrix + half).tolist()}
    return {
        "treatments": names, "reference": names[0], "better": better, "measure": "MD", "thresholds": list(thresholds), "fits": {"REML": fit}
    }  # fmt: skip


def test_categories_go_up_until_none_is_better_than_another():
    effects = {"p": 0.0, "worse": -1.0, "like": 0.2, "good": 1.0, "better": 2.0, "best": 3.0}
    found = categories(saved_fit(effects, 0.3), "REML")
    assert found == {"worse": -1, "like": 0, "good": 1, "better": 2, "best": 3}
    # lower values are better: the same with the signs turned
    turned = categories(saved_fit({name: -value for name, value in effects.items()}, 0.3, "lower"), "REML")
    assert turned == found
    assert categories(saved_fit(effects, 5.0), "REML") == dict.fromkeys(list(effects)[1:], 0)
    # a minimal important difference: 1 +- 0.6 is not beyond 0.5, and 2 is better than 1 by less than it
    strict = categories(saved_fit(effects, 0.3, thresholds=[0.5]), "REML")
    assert strict == {"worse": 0, "like": 0, "good": 0, "better": 1, "best": 1}
    assert category_name(1, 1) == category_name(3, 3) == "Among the most effective"
    assert category_name(1, 2).startswith("Better than the reference, inferior")


def test_the_table_of_categories(source, tmp_path):
    rows = "A,x,p,3.0,0.2\nB,y,p,1.0,0.2\nC,y,x,-2.0,0.2\nD,v,p,0.1,0.2\n"
    toml = TOML.replace('component = "p"', 'better = "higher"\ncertainty = { x = "low", y = "high", v = "moderate" }')
    write_source(source, toml)
    (source / "contrasts.csv").write_text("study,treat1,treat2,yi,sei\n" + rows)
    run = run_review(source, tmp_path / "out", only=("N2",))
    assert run.failed == {}
    lines = [
        line.split("|")[1:-1]
        for line in (run.out / "tables" / "network_categories.md").read_text().splitlines()
        if "]" in line
    ]
    found = [[cell.strip() for cell in line] for line in lines if len(line) > 4]
    assert [(row[2], row[0], row[4]) for row in found] == [
        ("x", "Low or very low", "low"), ("y", "High or moderate", "high"), ("v", "High or moderate", "moderate")
    ]  # fmt: skip
    assert found[0][1] == "Among the most effective"
    assert found[2][1].startswith("Among the least effective")
    assert found[0][3].startswith("3.0")
