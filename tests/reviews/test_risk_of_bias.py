"""Risk of bias in a run: judgements beside the studies, sensitivity analyses, tables and figures, and the import of a Cochrane review."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from paths import FIXTURES_FOLDER

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.import_cochrane import import_review
from bayesmeta.reviews.report.figure_list import figures_of, review_figures
from bayesmeta.reviews.report.page import write_report
from bayesmeta.reviews.report.risk_of_bias import weight_at_high_risk
from bayesmeta.reviews.report.tables import review_tables
from bayesmeta.reviews.run import plan_review, run_review
from bayesmeta.reviews.spec import read_review

REVIEW = """id = "judged"
title = "A judged review"
notice = "Made-up numbers."
[settings]
engine = "quadrature"
tables = ["csv"]
figures = ["svg"]
documents = []
checks = false
[studies]
data = "studies.csv"
[risk_of_bias]
tool = "rob2"
[bands.SMD]
trivial = 0.2
small = 0.5
[[analysis]]
id = "1.1"
outcome = "Sleep"
measure = "SMD"
better = "lower"
data = "sleep.csv"
"""
SLEEP = "study,yi,sei\nA,-0.30,0.20\nB,-0.10,0.15\nC,-0.80,0.25\nD,-0.40,0.30\n"
STUDIES = """study,weeks,rob_randomization,rob_deviations,rob_missing_data,rob_measurement,rob_reported_result
A,4,low,low,low,low,low
B,6,low,some concerns,low,low,low
C,8,low,high,low,low,low
D,8,low,high,,some concerns,low
E,9,low,low,low,low,low
"""


@pytest.fixture
def source(tmp_path):
    for name, text in (("review.toml", REVIEW), ("sleep.csv", SLEEP), ("studies.csv", STUDIES)):
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("judged")
    for name, text in (("review.toml", REVIEW), ("sleep.csv", SLEEP), ("studies.csv", STUDIES)):
        (folder / name).write_text(text)
    return run_review(folder, folder / "out")


def rows_of(run):
    frame = pd.DataFrame(run.results[0].rows)
    return frame[frame["model"] == "risk_of_bias"].set_index(["group", "method"])


def test_rows_are_those_of_fits_without_the_studies_at_high_risk(run):
    rows = rows_of(run)
    deviations = "without high risk: Bias due to deviations from intended interventions"
    assert set(rows.index.get_level_values(0)) == {"all studies", "without high risk: overall", deviations}
    kept = bm.fit(yi=[-0.30, -0.10], sei=[0.20, 0.15], measure="SMD")
    found = rows.loc[(deviations, "bayes:normal:quadrature")]
    assert found["estimate"] == pytest.approx(kept.quantile("mu", 0.5))
    assert found["prob_beyond_mid"] == pytest.approx(kept.cdf("mu", -0.2))
    assert found["prob_moderate_or_large_benefit"] == pytest.approx(kept.cdf("mu", -0.5))
    reml = bm.random_effects(yi=[-0.30, -0.10], sei=[0.20, 0.15], method="REML", ci="hksj_guarded", measure="SMD")
    assert rows.loc[(deviations, "REML-HKSJ"), "ci_low"] == pytest.approx(reml.ci_low)
    assert rows.loc[(deviations, "DL"), "k"] == 2
    pooled = pd.DataFrame(run.results[0].rows).query("model == '' and term == 'mu'").set_index("method")
    for method in ("DL", "REML-HKSJ", "bayes:normal:quadrature"):
        for column in ("estimate", "ci_low", "ci_high"):
            assert rows.loc[("all studies", method), column] == pytest.approx(pooled.loc[method, column])


def test_studies_have_their_judgements_and_tables_show_them(run):
    judged = pd.read_csv(run.out / "studies.csv").set_index("study")
    assert judged.loc["C", "rob_deviations"] == judged.loc["C", "rob_overall"] == "high"
    assert judged.loc["B", "rob_overall"] == "some concerns"
    assert pd.isna(judged.loc["D", "rob_missing_data"])
    review, _ = load_run(run.out)
    tables = review_tables(review, run.results)
    frame = tables["risk_of_bias"].frame.set_index("Study")
    assert list(frame.index) == ["A", "B", "C", "D"]
    assert frame.loc["D", "Bias due to missing outcome data"] == "Not judged"
    sensitivity = tables["risk_of_bias_sensitivity"].frame
    assert list(sensitivity["k"]) == ["4", "2", "2"]
    assert tables["risk_of_bias"].notice == "Made-up numbers."
    # the main table has one row, of all studies
    assert len(tables["main"].frame) == 1
    weights = 1 / np.array([0.20, 0.15, 0.25, 0.30]) ** 2
    dl = bm.random_effects(yi=[-0.3, -0.1, -0.8, -0.4], sei=[0.2, 0.15, 0.25, 0.3], method="DL", measure="SMD")
    weights = 1 / (1 / weights + dl.tau2)
    expected = weights[2:].sum() / weights.sum()
    assert weight_at_high_risk(review.risk_of_bias.known_tool(), run.results[0]) == pytest.approx(expected)


def test_all_figures_are_within_the_width_of_the_settings(run):
    review, (result,) = load_run(run.out)
    settings = review.settings.model_copy(update={"figure_width": 85.0})
    narrow = review.model_copy(update={"settings": settings})
    figures = [*figures_of(narrow, narrow.analysis[0], result), *review_figures(narrow, [result])]
    names = {one.name for one in figures}
    assert {"forest plot", "figure of tau", "weighted risk of bias", "risk of bias"} <= names
    for one in figures:
        assert one.draw().get_size_inches()[0] == pytest.approx(85 / 25.4), one.name


def test_figures_have_a_light_per_judgement(run):
    review, (result,) = load_run(run.out)
    (analysis,) = review.analysis
    symbols = {"low": "+", "some concerns": "!", "high": "−"}
    judged = pd.read_csv(run.out / "studies.csv", keep_default_na=False)
    columns = [name for name in judged if name.startswith("rob_")]
    expected = sorted(symbols[text] for text in judged[columns].to_numpy().ravel() if text)
    figures = {one.name: one.draw for one in figures_of(review, analysis, result)}
    whole = {one.name: one.draw for one in review_figures(review, [result])}
    assert list(figures) == ["forest plot", "figure of tau", "weighted risk of bias"]
    for figure in (figures["forest plot"](), whole["risk of bias"]()):
        lights = [one for axes in figure.axes for one in axes.collections if str(one.get_label()).startswith("light")]
        assert sum(len(one.get_offsets()) for one in lights) == 4 * 6
        texts = [text.get_text() for axes in figure.axes for text in axes.texts]
        assert sorted(text for text in texts if text in symbols.values()) == expected
        for axes, x, y in ((light.axes, x, y) for light in lights for x, y in light.get_offsets()):
            assert axes.get_xlim()[0] < x < axes.get_xlim()[1]
            assert axes.get_ylim()[1] < y < axes.get_ylim()[0]
    weighted, counted = (
        bars_of(draw()) for draw in (figures["weighted risk of bias"], whole["summary of the risk of bias"])
    )
    for bars in (weighted, counted):
        assert len(bars) == 6
        assert {round(sum(one.values()), 6) for one in bars} == {3.2}
    # the second domain: A low, B some concerns, C and D high
    assert counted[1] == pytest.approx({"low": 0.8, "some concerns": 0.8, "high": 1.6})
    assert weighted[1]["some concerns"] > 0.8
    names = {path.name for path in (run.out / "figures").iterdir()}
    drawn = {"forest_1.1.svg", "tau_1.1.svg", "traffic_light.svg", "bias_summary.svg", "bias_summary_1.1.svg"}
    assert names == drawn


def bars_of(figure):
    """The width of each judgement, in inches, of each domain from the top."""
    found = {}
    for bar in (patch for axes in figure.axes for patch in axes.patches):
        found.setdefault(round(bar.get_y(), 3), {})[bar.get_label().removeprefix("share ")] = bar.get_width()
    return [found[y] for y in sorted(found)]


TWO = '\n[[analysis]]\nid = "1.2"\noutcome = "Fatigue"\nmeasure = "SMD"\ndata = "fatigue.csv"\n'


def test_figures_of_the_review_have_every_study_once_and_bars_need_three_studies(source):
    (source / "review.toml").write_text(REVIEW + TWO)
    (source / "fatigue.csv").write_text("study,yi,sei\nE,-0.3,0.2\nA,-0.1,0.3\n")
    out = source / "out"
    done = run_review(source, out)
    assert done.failed == {}
    whole = {"traffic_light.svg", "bias_summary.svg"}
    names = {path.name for path in (out / "figures").iterdir()}
    assert names >= whole | {"bias_summary_1.1.svg"}
    assert not names & {"bias_summary_1.2.svg", "traffic_light_1.1.svg", "traffic_light_1.2.svg"}
    review, results = load_run(out)
    lights = {one.name: one.draw for one in review_figures(review, results)}["risk of bias"]()
    marks = [one for axes in lights.axes for one in axes.collections if str(one.get_label()).startswith("light")]
    assert sum(len(one.get_offsets()) for one in marks) == 5 * 6
    page = write_report(out).read_text()
    assert "A judged review: risk of bias" in page
    assert page.index('id="all-studies"') < page.index('id="a-1.1"')


def test_figures_of_the_review_follow_its_results(source):
    out, drawn = source / "out", source / "out" / "figures" / "traffic_light.svg"
    run_review(source, out)
    first = drawn.read_bytes()
    assert run_review(source, out).failed == {}
    assert drawn.read_bytes() == first
    drawn.write_text("damaged")
    run_review(source, out)
    assert drawn.read_bytes() == first
    (source / "studies.csv").write_text(STUDIES.replace("B,6,low,some concerns", "B,6,low,high"))
    run_review(source, out, figures=False)
    assert not drawn.exists()
    run_review(source, out)
    assert drawn.read_bytes() != first
    # without judgements there is nothing to draw, and what was drawn is removed
    (source / "review.toml").write_text(REVIEW.replace('[risk_of_bias]\ntool = "rob2"\n', ""))
    assert run_review(source, out).failed == {}
    assert not drawn.exists()


def test_a_figure_of_the_review_that_fails_is_reported_and_drawn_again(source, monkeypatch):
    from bayesmeta.reporting.figures import risk_of_bias as lights

    out, drawn = source / "out", source / "out" / "figures" / "traffic_light.svg"
    with monkeypatch.context() as patch:
        patch.setattr(lights, "letters", lambda _: 1 / 0)
        done = run_review(source, out)
    assert "division by zero" in done.failed["figures"]
    assert not drawn.exists()
    assert run_review(source, out).failed == {}
    assert drawn.exists()


def test_a_changed_judgement_is_run_again(source):
    out = source / "out"
    run_review(source, out, figures=False)
    assert [step.why for step in plan_review(source, out)[2]] == [""]
    (source / "studies.csv").write_text(STUDIES.replace("B,6,low,some concerns", "B,6,low,high"))
    assert [step.why for step in plan_review(source, out)[2]] != [""]


@pytest.mark.parametrize(
    ("old", "new", "parts"),
    [
        ("A,4,low,low,low,low,low\n", "", ("no risk-of-bias judgements of the study 'A'",)),
        ("B,6,low,some concerns", "B,6,low,medium", ("'medium' is no judgement of RoB 2", "row 3", "'rob_deviations'")),
        ("rob_measurement", "rob_measuring", ("column 'rob_measuring'", "Is it rob_measurement?")),
    ],
)
def test_judgements_that_cannot_be_used_are_reported_and_the_rest_is_kept(source, old, new, parts):
    assert old in STUDIES
    (source / "studies.csv").write_text(STUDIES.replace(old, new))
    run = run_review(source, source / "out", figures=False)
    (error,) = run.results[0].errors
    assert error.startswith("risk of bias: ")
    for part in (*parts, "studies.csv"):
        assert part in error
    assert {row["method"] for row in run.results[0].rows} >= {"DL", "bayes:normal:quadrature"}


@pytest.mark.parametrize(
    ("old", "new", "part"),
    [
        (
            'tool = "rob2"',
            'tool = "rob2"\nadjust = { domains = ["blinding"] }',
            "[risk_of_bias] adjust: unknown domain of RoB 2 'blinding'",
        ),
        (
            'tool = "rob2"',
            'tool = "rob2"\nadjust = { priors = { XY = "Normal(0, 1)" } }',
            "[risk_of_bias] adjust: unknown measure 'XY'",
        ),
        (
            'tool = "rob2"',
            'tool = "rob2"\nadjust = { priors = { RR = "Cauchy(0, 1)" } }',
            "[risk_of_bias] adjust: the prior for a bias is Normal",
        ),
        ('tool = "rob2"', 'tool = "rob2"\nadjust = { share = 1 }', "share"),
        ('tool = "rob2"', 'tool = "rob3"', "[risk_of_bias] unknown risk-of-bias tool 'rob3'; did you mean 'rob2'?"),
        ('tool = "rob2"', "", "[risk_of_bias] the key 'tool' is missing"),
        ('tool = "rob2"', 'tool = "rob2"\ndata = "bias.csv"', "[risk_of_bias] there is no data file 'bias.csv'"),
        ('tool = "rob2"', 'tool = "rob2"\nkey_domain = ["d1"]', "did you mean 'key_domains'?"),
        ('[studies]\ndata = "studies.csv"\n', "", "[risk_of_bias] has no data"),
    ],
)
def test_keys_that_cannot_be_used(source, old, new, part):
    assert old in REVIEW
    (source / "review.toml").write_text(REVIEW.replace(old, new))
    with pytest.raises(SpecError) as caught:
        read_review(source)
    assert part in str(caught.value)


@pytest.mark.parametrize("name", ["small.rm5", "small.zip"])
def test_an_imported_review_has_the_judgements_of_its_file(tmp_path, name):
    review, file = import_review(FIXTURES_FOLDER / "cochrane" / name, tmp_path / "imported")
    keys = read_review(file)[0].risk_of_bias
    assert keys is not None
    assert (keys.tool, keys.data, keys.domains) == ("cochrane", "risk_of_bias.csv", ("sequence_generation",))
    found = bm.risk_of_bias(tmp_path / "imported" / "risk_of_bias.csv", keys.known_tool())
    for one in review.risk_of_bias:
        assert found.of(one.study)["sequence_generation"] == one.judgement.removesuffix(" risk").replace(
            "not judged", ""
        )


ADJUST = 'tool = "rob2"\nadjust = { domains = ["deviations"], unclear = 0.5, priors = { SMD = "Normal(-0.1, 0.2)" } }'


def test_rows_and_table_of_the_bias_adjusted_model(source):
    (source / "review.toml").write_text(REVIEW.replace('tool = "rob2"', ADJUST))
    out = source / "out"
    done = run_review(source, out, figures=False)
    assert done.failed == {}
    frame = pd.DataFrame(done.results[0].rows)
    rows = frame[frame["model"] == "bias_adjusted"].set_index(["group", "term"])
    judgements = bm.risk_of_bias(source / "studies.csv", "rob2")
    effects = bm.effect_sizes(
        yi=[-0.3, -0.1, -0.8, -0.4], sei=[0.2, 0.15, 0.25, 0.3], labels=["A", "B", "C", "D"], measure="SMD"
    )
    fitted = bm.bias_adjusted(
        effects, judgements, domains=("deviations",), unclear=0.5, priors={"deviations": "Normal(-0.1, 0.2)"}
    )
    stated = rows.loc[("stated priors", "mu")]
    assert stated["estimate"] == pytest.approx(fitted.posterior.quantile("mu", 0.5))
    assert stated["prob_benefit"] == pytest.approx(fitted.posterior.cdf("mu", 0.0))
    assert stated["pi_low"] == pytest.approx(fitted.summary().loc["mu", "pi_low"])
    bias = rows.loc[("stated priors", "bias_deviations")]
    assert bias["estimate"] == pytest.approx(fitted.posterior.quantile("bias_deviations", 0.5))
    assert np.isnan(bias["prob_benefit"])
    plain = rows.loc[("unadjusted", "mu"), "estimate"]
    main = frame[(frame["model"] == "") & (frame["method"] == "bayes:normal:quadrature") & (frame["term"] == "mu")]
    assert plain == pytest.approx(main["estimate"].item())
    factors = fitted.sensitivity()
    for factor, expected in zip(factors["factor"], factors["median"], strict=True):
        group = "stated priors" if factor == 1 else f"sd x {factor:g}"
        assert rows.loc[(group, "mu"), "estimate"] == pytest.approx(expected)
    table = pd.read_csv(out / "tables" / "bias_adjusted.csv")
    assert list(table["Prior for the bias"].dropna())[:2] == ["No bias", "Normal(-0.1, 0.2)"]
    assert len(table.dropna(subset=["Effect"])) >= 6
    review, results = load_run(out)
    notes = " ".join(review_tables(review, results)["bias_adjusted"].notes)
    assert "have 0.5 of it" in notes


def test_ratios_of_the_bias_adjusted_model_are_factors(source):
    toml = (
        REVIEW.replace('tool = "rob2"', 'tool = "rob2"\nadjust = {}')
        .replace('measure = "SMD"', 'measure = "OR"')
        .replace("SMD", "OR")
    )
    toml = toml.replace("trivial = 0.2\nsmall = 0.5", "trivial = 0.9\nsmall = 0.8")
    (source / "review.toml").write_text(toml)
    (source / "sleep.csv").write_text(SLEEP.replace("yi,sei", "logor,se"))
    done = run_review(source, source / "out", figures=False)
    assert done.failed == {}
    frame = pd.DataFrame(done.results[0].rows)
    rows = frame[frame["model"] == "bias_adjusted"].set_index(["group", "term"])
    effects = bm.effect_sizes(
        yi=[-0.3, -0.1, -0.8, -0.4], sei=[0.2, 0.15, 0.25, 0.3], labels=["A", "B", "C", "D"], measure="OR"
    )
    fitted = bm.bias_adjusted(effects, bm.risk_of_bias(source / "studies.csv", "rob2"))
    for term, own in (("mu", "mu"), ("bias_overall", "bias_overall")):
        expected = np.exp(fitted.posterior.quantile(own, np.array([0.5, 0.025])))
        assert rows.loc[("stated priors", term), ["estimate", "ci_low"]].tolist() == pytest.approx(expected)
    low = np.exp(fitted.summary().loc["mu", "pi_low"])
    assert rows.loc[("stated priors", "mu"), "pi_low"] == pytest.approx(low)


def test_a_measure_without_a_prior_for_its_bias_is_reported(source):
    toml = REVIEW.replace('tool = "rob2"', 'tool = "rob2"\nadjust = {}').replace("SMD", "MD")
    (source / "review.toml").write_text(toml)
    done = run_review(source, source / "out", figures=False)
    (error,) = done.results[0].errors
    assert error.startswith("[risk_of_bias] adjust: the bias of MD has no default prior")
    assert error.endswith('give one, as in priors = { MD = "Normal(0, 1)" } under [risk_of_bias.adjust]')
    assert not [row for row in done.results[0].rows if row["model"] == "bias_adjusted"]


def test_what_is_known_of_all_studies_is_not_fitted_again(source, monkeypatch):
    from bayesmeta.results import risk_of_bias as rows

    solve = rows.solve
    solved, pooled = [], []
    monkeypatch.setattr(rows, "solve", lambda data, *given: solved.append(data.labels) or solve(data, *given))
    summarize = rows.summarize
    monkeypatch.setattr(
        rows, "summarize", lambda fitted, **given: pooled.append(fitted.data.labels) or summarize(fitted, **given)
    )
    done = run_review(source, source / "out", figures=False)
    assert done.failed == {}
    # overall and the domain of deviations have the same studies at high risk, and no other domain has any
    assert solved == pooled == [("A", "B")]
    frame = pd.DataFrame(done.results[0].rows)
    both = frame[(frame["term"] == "mu") & (frame["method"] == "bayes:normal:quadrature")].set_index(["model", "group"])
    columns = ["estimate", "ci_low", "pi_high", "hdi_low", "prob_benefit", "prob_trivial"]
    whole = both.loc[("risk_of_bias", "all studies"), columns]
    assert whole.tolist() == both.loc[("", ""), columns].tolist()
