"""Moderators, subgroups, nesting and syntheses, from review.toml to every output."""

import json
import math
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from paths import FIXTURES_FOLDER
from table_readers import text_of

import bayesmeta as bm
from bayesmeta.reporting.tables.formats import TABLE_FORMATS
from bayesmeta.reviews.report.entangled import entangled
from bayesmeta.reviews.report.page import write_report
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.run import plan_review, run_review
from bayesmeta.reviews.spec import read_review

FOLDER = FIXTURES_FOLDER / "every_model"
CHARACTERISTICS = pd.read_csv(FOLDER / "characteristics.csv", index_col="study")
TABLES = ("moderators", "subgroups", "dependence")


def frame_of(run, analysis):
    (result,) = [result for result in run.results if result.id == analysis]
    return pd.DataFrame(result.rows)


def pick(frame, model, method, term, group=""):
    found = frame[(frame.model == model) & (frame.method == method) & (frame.term == term) & (frame.group == group)]
    assert len(found) == 1, (model, method, term, group)
    return found.iloc[0]


def relapse():
    """The effects of analysis 1.1 with the characteristics of its studies, joined here by pandas."""
    effects = bm.effect_sizes(FOLDER / "dichotomous.csv", "RR")
    return effects, CHARACTERISTICS.loc[list(effects.labels)].reset_index()


def test_nothing_fails_and_pairwise_rows_stay(every_model):
    assert every_model.failed == {}
    frame = frame_of(every_model, "1.1")
    pairwise = frame[frame.model == ""]
    assert {"DL", "REML", "REML-HKSJ", "bayes:binomial:quadrature"} <= set(pairwise.method)
    assert pairwise.estimate[(pairwise.method == "DL") & (pairwise.term == "mu")].item() == pytest.approx(
        math.exp(bm.random_effects(relapse()[0], method="DL").estimate), rel=1e-12
    )


@pytest.mark.parametrize(("method", "ci"), [("REML", "wald"), ("REML-HKSJ", "hksj_guarded")])
def test_rows_of_moderators_are_those_of_regression(every_model, method, ci):
    effects, columns = relapse()
    for formula in ("~ weeks", "~ focus + center(weeks)", "~ blinded"):
        expected = bm.regression(effects, moderators=formula, data=None if "blinded" in formula else columns, ci=ci)
        frame = frame_of(every_model, "1.1")
        for name, row in expected.coefficients.iterrows():
            found = pick(frame, formula, method, name)
            ends = np.log(found[["estimate", "ci_low", "ci_high"]].to_numpy(float))
            np.testing.assert_allclose(ends, row[["estimate", "ci_low", "ci_high"]].to_numpy(float), rtol=1e-10)
            assert found.pvalue == pytest.approx(row.pvalue, rel=1e-10)
        means = expected.predict(expected.matrix.x.mean(axis=0, keepdims=True)).iloc[0]
        assert math.log(pick(frame, formula, method, "effect_at_means").pi_high) == pytest.approx(means.pi_high)


def test_rows_of_subgroups_are_those_of_subgroups(every_model):
    effects, columns = relapse()
    for common, ending in ((False, ""), (True, "-common-tau")):
        expected = bm.subgroups(effects, by="focus", data=columns, ci="hksj_guarded", common_tau=common)
        frame, method = frame_of(every_model, "1.1"), f"REML-HKSJ{ending}"
        for group, row in expected.groups.iterrows():
            found = pick(frame, "focus", method, "mu", group)
            assert math.log(found.ci_low) == pytest.approx(row.ci_low)
            assert found.k == row.k
        assert pick(frame, "focus", method, "overall").qm_pvalue == pytest.approx(expected.q_pvalue)
        difference = pick(frame, "focus", method, "difference", "child vs parent")
        apart = expected.groups.loc["child", "estimate"] - expected.groups.loc["parent", "estimate"]
        assert math.log(difference.estimate) == pytest.approx(apart)


def stacked():
    """The estimates of the synthesis S2, stacked here."""
    parts = []
    for which, outcome in (("anxiety post", "Anxiety"), ("anxiety later", "Anxiety"), ("sleep post", "Sleep problems")):
        effects = bm.effect_sizes(bm.read_studies(FOLDER / "continuous.csv", where={"outcome": which}), "SMD")
        parts.append(pd.DataFrame({"study": effects.labels, "yi": effects.yi, "vi": effects.vi, "outcome": outcome}))
    return pd.concat(parts, ignore_index=True)


def test_a_synthesis_pools_the_stacked_estimates(every_model):
    data = stacked()
    given = {"yi": data.yi, "vi": data.vi, "nesting": "study/estimate", "sampling_correlation": 0.5}
    expected = bm.multilevel(data=data, **given)
    frame = frame_of(every_model, "S2")
    row = pick(frame, "study/estimate", "REML", "mu")
    assert row.estimate == pytest.approx(expected.estimates[0], rel=1e-8)
    assert row.k == 13
    robust = pick(frame, "study/estimate", "REML-CR2", "mu")
    assert robust.ci_low == pytest.approx(expected.robust("CR2").ci_low.iloc[0], rel=1e-8)
    between = pick(frame, "study/estimate", "REML", "tau_between")
    assert between.estimate == pytest.approx(math.sqrt(expected.sigma2[0]), rel=1e-6)
    by_outcome = bm.multilevel(data=data, moderators="~ 0 + outcome", **given)
    assert pick(frame, "~ 0 + outcome", "REML", "outcome[Anxiety]").estimate == pytest.approx(by_outcome.estimates[0])
    # the groups of a synthesis are coefficients of the same model
    assert pick(frame, "outcome", "REML", "mu", "Anxiety").se == pytest.approx(by_outcome.coefficients.se.iloc[0])


def test_a_synthesis_joins_characteristics_of_studies(every_model):
    data = stacked()
    data["weeks"] = CHARACTERISTICS.weeks.loc[data.study].to_numpy()
    given = {"yi": data.yi, "vi": data.vi, "nesting": "study/estimate", "sampling_correlation": 0.5}
    expected = bm.multilevel(data=data, moderators="~ weeks", **given)
    assert pick(frame_of(every_model, "S2"), "~ weeks", "REML", "weeks").estimate == pytest.approx(
        expected.estimates[1]
    )


def test_sweep_over_the_sampling_correlation(every_model):
    (result,) = [result for result in every_model.results if result.id == "S1"]
    (model,) = [model for model in result.models if model["kind"] == "dependence"]
    assert [point["sampling_correlation"] for point in model["sweep"]] == [0.0, 0.2, 0.4, 0.6, 0.8, 0.9]
    data = stacked().iloc[:9]
    for point in model["sweep"]:
        fit = bm.multilevel(
            yi=data.yi, vi=data.vi, data=data, nesting="study/estimate", sampling_correlation=point["sampling_correlation"]
        )  # fmt: skip
        assert point["estimate"] == pytest.approx(fit.estimates[0], rel=1e-7)


def test_bayesian_sweep_over_the_sampling_correlation(every_model):
    (result,) = [result for result in every_model.results if result.id == "S1"]
    (model,) = [model for model in result.models if model["kind"] == "dependence"]
    assert [point["sampling_correlation"] for point in model["bayesian_sweep"]] == [0.0, 0.2, 0.4, 0.6, 0.8, 0.9]
    data = stacked().iloc[:9]
    given = {"yi": data.yi, "vi": data.vi, "data": data, "nesting": "study/estimate", "measure": "SMD"}
    for point in model["bayesian_sweep"][::3]:
        fit = bm.fit(sampling_correlation=point["sampling_correlation"], **given)
        assert point["estimate"] == pytest.approx(fit.quantile("mu", 0.5), rel=1e-6)
        assert point["tau"] == pytest.approx(fit.quantile("tau", 0.5), rel=1e-6)
    table = pd.read_csv(every_model.out / "tables" / "dependence.csv", keep_default_na=False)
    bayesian = table[table.Method.str.startswith("Bayesian") & table.Analysis.str.startswith("S1")]
    assert list(bayesian["Sampling correlation"].astype(float)) == [0.6, 0.0, 0.2, 0.4, 0.8, 0.9]


def test_cluster_robust_rows_have_the_heterogeneity_of_their_fit(every_model):
    table = pd.read_csv(every_model.out / "tables" / "dependence.csv", keep_default_na=False)
    robust = table[table.Method.str.contains("CR2")]
    assert len(robust) >= 2
    names = ["tau between", "tau within", "rho"]
    for row in robust.to_dict("records"):
        (plain,) = table[(table.Method == "REML") & (table.Analysis == row["Analysis"])].to_dict("records")
        assert [row[name] for name in names] == [plain[name].split(" [")[0] for name in names]
        # an estimate without its interval is not shown, and the note says why
        assert bool(row["Estimate"]) != ("degrees of freedom: no interval" in row["Note"])


def test_tables_are_in_every_format(every_model):
    for name in TABLES:
        for form in TABLE_FORMATS:
            path = every_model.out / "tables" / f"{name}.{form}"
            assert path.stat().st_size > 500
            assert not re.search(r"\bnan\b|\bNone\b|\binf\b", text_of(path)), path.name


def test_table_of_moderators_says_what_can_be_learned(every_model):
    text = (every_model.out / "tables" / "moderators.md").read_text(encoding="utf-8")
    for words in ("(prespecified)", "(post hoc)", "(not stated whether prespecified)"):
        assert words in text
    assert "ecological bias" in text
    assert "Intercept: the effect where focus is child and weeks is its mean" in text
    assert "| weeks | 0.95 [0.91, 0.99] | 0.026 |" in text
    # of the model of dependent estimates test and intervals have the degrees of freedom of the groups
    data = stacked()
    data["weeks"] = CHARACTERISTICS.weeks.loc[data.study].to_numpy()
    given = {"yi": data.yi, "vi": data.vi, "data": data, "nesting": "study/estimate", "sampling_correlation": 0.5}
    test = bm.multilevel(moderators="~ weeks", ci="contain", **given).test(["weeks"])
    assert f"F(1, {test.df_residual:.1f}) = {test.statistic:.2f}" in text


def test_results_csv_has_one_schema_and_the_page_all_tables(every_model):
    frame = pd.read_csv(every_model.out / "results.csv", dtype={"analysis": str}, keep_default_na=False)
    assert {"model", "group", "term"} <= set(frame.columns)
    assert not frame.duplicated(["analysis", "method", "model", "group", "term"]).any()
    page = write_report(every_model.out).read_text(encoding="utf-8")
    for name in TABLES:
        assert f"<summary>{name.capitalize()}</summary>" in page
    manifest = json.loads((every_model.out / "manifest.json").read_text())
    assert manifest["analyses"]["S2"]["data"]["file"] == ["continuous.csv", "characteristics.csv"]
    assert manifest["analyses"]["1.3"]["data"]["file"] == "continuous.csv"


@pytest.fixture
def copied(tmp_path, every_model):
    source, out = tmp_path / "source", tmp_path / "out"
    shutil.copytree(FOLDER, source)
    shutil.copytree(every_model.out, out)
    return source, out


def outdated(source, out):
    return {step.analysis.id: step.why for step in plan_review(source, out)[2] if step.why}


def test_what_is_up_to_date_is_kept(copied):
    assert outdated(*copied) == {}


def test_a_changed_characteristic_makes_what_reads_it_outdated(copied):
    source, out = copied
    table = source / "characteristics.csv"
    table.write_text(table.read_text().replace("Baker 2003,12", "Baker 2003,13"))
    found = outdated(source, out)
    assert set(found) == {"1.1", "1.2", "2.1", "S1", "S2"}
    assert all("data" in why for why in found.values())


def test_a_changed_analysis_makes_its_syntheses_outdated(copied):
    source, out = copied
    toml = source / "review.toml"
    toml.write_text(
        toml.read_text().replace(
            'where = { outcome = "sleep post" }',
            'where = { outcome = "sleep post" }\nexclude = { "Clark 2005" = "no" }',
        )
    )
    assert set(outdated(source, out)) == {"1.4", "S2"}


def test_a_study_without_characteristics_stops_the_models_but_not_the_pooled_effect(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(FOLDER, source)
    table = source / "characteristics.csv"
    table.write_text(table.read_text().replace("Baker 2003", "Baker 2030"))
    run = run_review(source, tmp_path / "out", only=("1.1",), figures=False)
    assert "no row for the study 'Baker 2003'. Is 'Baker 2003' the study 'Baker 2030'?" in run.failed["1.1"]
    assert "mu" in set(frame_of(run, "1.1").term)


def test_a_moderator_that_is_missing_is_refused_with_the_key_that_drops_it(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(FOLDER, source)
    table = source / "characteristics.csv"
    table.write_text(table.read_text().replace("Baker 2003,12", "Baker 2003,"))
    toml = source / "review.toml"
    toml.write_text(
        toml.read_text()
        .replace('likelihoods = ["normal", "arm-level"]', 'likelihoods = ["normal"]\nchecks = false')
        .replace('["~ weeks", "~ focus + center(weeks)", "~ blinded"]', '"~ weeks"')
    )
    run = run_review(source, tmp_path / "out", only=("1.1",), figures=False)
    assert "the moderator is missing for 'Baker 2003'" in run.failed["1.1"]
    assert "drop_missing = true" in run.failed["1.1"]
    assert "drop_missing=True" not in run.failed["1.1"]
    toml.write_text(
        toml.read_text().replace('by = ["focus", "blinded"]', 'by = ["focus", "blinded"]\ndrop_missing = true')
    )
    again = run_review(source, tmp_path / "out", only=("1.1",), figures=False)
    assert again.failed == {}
    assert pick(frame_of(again, "1.1"), "~ weeks", "REML", "weeks").k == 7


def test_a_synthesis_alone_can_be_run(tmp_path):
    run = run_review(FOLDER, tmp_path / "out", only=("S1",), figures=False)
    assert run.failed == {}
    assert [result.id for result in run.results] == ["S1"]


GOOD = (FOLDER / "review.toml").read_text()


#: (what is changed, into what, what the message must contain)
REFUSED = [
    ('moderators = "~ center(year)"', "moderators = 3", "'moderators' = 3: a text in quotation marks, or a list of texts, is expected"),
    ('moderators = "~ center(year)"', 'moderators = ["~ year", "~ year"]', "'moderators' has the same entry twice"),
    ('moderators = "~ center(year)"', 'moderators = " "', "'moderators' is blank"),
    ('by = "period"', 'subgroups = "period"', "unknown key 'subgroups'"),
    ("prespecified = false", 'prespecified = "weeks"', "true, false, or a list of texts, is expected"),
    ("prespecified = false", 'prespecified = ["week"]', "unknown column in prespecified 'week'; did you mean 'weeks'?"),
    ('where = { outcome = "sleep post" }', "prespecified = true", "prespecified is about moderators and subgroups"),
    ('where = { outcome = "sleep post" }', "sampling_correlation = 0.5", "add nesting"),
    ('where = { outcome = "sleep post" }', 'nesting = "study/"', "should name columns, outer to inner"),
    ("sampling_correlation = 0.6", "sampling_correlation = 1.2", "'sampling_correlation' = 1.2"),
    ('select = { outcome = "Anxiety" }', 'select = { outcom = "Anxiety" }', "unknown key in select 'outcom'; did you mean 'outcome'?"),
    ('select = { outcome = "Anxiety" }', 'select = { outcome = "Sleep problems" }', "chooses only 1.4"),
    ('select = { outcome = "Anxiety" }', 'select = { outcome = "Worry" }', "chooses none"),
    ('select = { outcome = "Anxiety" }', 'analyses = ["1.2", "1.9"]', "unknown analysis '1.9'"),
    ('select = { outcome = "Anxiety" }', 'analyses = ["1.2", "1.2"]', "listed twice"),
    ('select = { outcome = "Anxiety" }', 'analyses = ["1.1", "1.2"]', "have one measure, but 1.1 has RR and 1.2 has SMD"),
    ('select = { outcome = "Anxiety" }', "", "give either analyses"),
    ('id = "S1"', 'id = "1.1"', "analysis id '1.1' appears twice"),
    ('data = "characteristics.csv"', 'data = "character.csv"', "[studies] there is no data file 'character.csv'"),
    ('data = "characteristics.csv"', 'date = "characteristics.csv"', "unknown key 'date'; did you mean 'data'?"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "message"), REFUSED, ids=[new or old for old, new, _ in REFUSED])
def test_keys_are_refused_with_place_and_remedy(tmp_path, old, new, message):
    shutil.copytree(FOLDER, tmp_path / "source")
    assert GOOD.count(old) == 1, old
    (tmp_path / "source" / "review.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(bm.SpecError) as error:
        read_review(tmp_path / "source")
    assert message in str(error.value)


def test_sides_of_benefit_that_differ_are_not_pooled(tmp_path):
    shutil.copytree(FOLDER, tmp_path / "source")
    sleep = 'better = "lower"\ndata = "continuous.csv"\nwhere = { outcome = "sleep post" }'
    assert sleep in GOOD
    (tmp_path / "source" / "review.toml").write_text(GOOD.replace(sleep, sleep.replace("lower", "higher")))
    with pytest.raises(bm.SpecError, match="one side of benefit"):
        read_review(tmp_path / "source")


def test_reviews_without_the_new_keys_are_written_as_before():
    review = read_review(FIXTURES_FOLDER / "every_measure")[0]
    written = review.model_dump(mode="json")
    assert not {"studies", "synthesis"} & set(written)
    assert not {"moderators", "by", "nesting", "sampling_correlation", "prespecified", "drop_missing", "domain"} & set(
        written["analysis"][0]
    )
    again = read_review(FOLDER)[0]
    assert type(again).model_validate(again.model_dump(mode="json")) == again


def nested_review(folder, groups, values):
    """A review of three districts, with a moderator that differs as ``values`` say."""
    rows = [
        f"s{i},{group},{0.1 * i:.1f},0.02,{value}" for i, (group, value) in enumerate(zip(groups, values, strict=True))
    ]
    (folder / "table.csv").write_text("study,district,yi,vi,kind\n" + "\n".join(rows) + "\n")
    (folder / "review.toml").write_text(
        'id = "n"\ntitle = "N"\n[settings]\nengine = "quadrature"\ntables = ["md"]\n[[analysis]]\nid = "1"\noutcome = "O"\n'
        'measure = "GEN"\ndata = "table.csv"\nnesting = "district/estimate"\nmoderators = "~ kind"\nby = "kind"\n'
    )
    return run_review(folder, folder / "out", figures=False)


def test_a_coefficient_that_rests_on_one_group_has_no_cluster_robust_interval(tmp_path):
    run = nested_review(tmp_path, "aabbcc", "xxxxyy")
    assert run.failed == {}
    frame = frame_of(run, "1")
    for term, group in (("kind[T.y]", ""), ("mu", "y"), ("difference", "y vs x")):
        model = "~ kind" if term.startswith("kind") else "kind"
        row = pick(frame, model, "REML-CR2", term, group)
        assert math.isfinite(row.estimate)
        assert math.isnan(row.ci_low)
        assert math.isfinite(pick(frame, model, "REML-t", term, group).ci_low)
    text = (run.out / "tables" / "moderators.md").read_text()
    assert "Rests on one study, c" in text
    subgroups = (run.out / "tables" / "subgroups.md").read_text()
    assert "| y | 2 | 1 |" in subgroups


def test_rows_of_independent_estimates_say_that_they_are_not(every_model):
    notes = frame_of(every_model, "2.1")
    pooled = notes[(notes.model == "") & (notes.term == "mu")]
    assert pooled.note.str.contains("takes all estimates as independent, which they are not").all()
    assert not frame_of(every_model, "1.1").note.astype(str).str.contains("independent").any()


def test_moderators_that_vary_together_are_named():
    def result(*columns):
        models = [
            {
                "kind": "moderators", "columns": [name],
                "points": [{"study": str(i), "x": [1.0, float(value)]} for i, value in enumerate(values)],
            }
            for name, values in zip("abc", columns, strict=False)
        ]  # fmt: skip
        return AnalysisResult("1", models=models)

    same, near, apart = [1, 1, 0, 0], [1, 2, 3, 9], [2, 2, 5, 5]
    (sentence,) = entangled([result(same, apart)])
    assert sentence.startswith("a and b cannot be told apart in 1, where they vary in the same way")
    close = [1, 2, 3.5, 9]
    (sentence,) = entangled([result(near, close)])
    correlation = np.corrcoef(near, close)[0, 1]
    assert f"can hardly be told apart in 1 ({correlation:.2f})" in sentence
    assert entangled([result([1, 0, 1, 0], [1, 1, 0, 0])]) == []
    # a moderator that does not vary is like none
    assert entangled([result([1, 1, 1, 1], [1, 1, 0, 0])]) == []


@pytest.mark.parametrize("likelihood", ["normal", "binomial"])
def test_bayesian_rows_of_subgroups_are_those_of_fit_subgroups(every_model, likelihood):
    effects, columns = relapse()
    found = bm.fit_subgroups(effects, by="focus", data=columns, likelihood=likelihood)
    frame, method = frame_of(every_model, "1.1"), f"bayes:{likelihood}:quadrature"
    for group in ("parent", "child"):
        row = pick(frame, "focus", method, "mu", group)
        assert math.log(row.estimate) == pytest.approx(found.groups[group].quantile("mu", 0.5), rel=1e-6)
        assert row.prob_benefit == pytest.approx(found.groups[group].cdf("mu", 0.0), rel=1e-6)
    difference = found.difference("child", "parent")
    row = pick(frame, "focus", method, "difference", "child vs parent")
    assert math.log(row.ci_high) == pytest.approx(difference.quantile(0.975), rel=1e-6)
    assert pick(frame, "focus", method, "overall").estimate == pytest.approx(
        frame.estimate[(frame.model == "") & (frame.method == method) & (frame.term == "mu")].item()
    )
