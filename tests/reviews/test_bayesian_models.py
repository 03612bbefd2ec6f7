"""Bayesian models of a review beyond one pooled effect: rows, tables, priors of an analysis, engines."""

import shutil

import pandas as pd
import pytest
from paths import FIXTURES_FOLDER, REVIEWS_FOLDER

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.results.rows import TIDY
from bayesmeta.reviews.analysis_data import data_problem
from bayesmeta.reviews.file_names import fit_file
from bayesmeta.reviews.result import read_result
from bayesmeta.reviews.run import run_review
from bayesmeta.reviews.running.plan import with_priors
from bayesmeta.reviews.spec import read_review

FOLDER = FIXTURES_FOLDER / "every_model"
NORMAL = "bayes:normal:quadrature"
SYNTHESIS = """id = "small"
title = "Small"

[settings]
engine = "{engine}"
likelihoods = ["normal"]
tables = ["md"]
figures = []

[studies]
data = "characteristics.csv"

[priors.GEN]
mu = "Normal(0, 1)"
tau = "HalfNormal(0.5)"

[[alternative]]
name = "Wide"
measure = "GEN"
tau = "HalfCauchy(1)"

[[analysis]]
id = "1"
outcome = "Reading"
measure = "GEN"
data = "nested.csv"
nesting = "district/estimate"
{more}
"""


def small(folder, more="", engine="quadrature"):
    for name in ("nested.csv", "characteristics.csv"):
        shutil.copy(FOLDER / name, folder / name)
    (folder / "review.toml").write_text(SYNTHESIS.format(engine=engine, more=more))
    return folder


def table_of(run, name):
    return (run.out / "tables" / f"{name}.md").read_text(encoding="utf-8")


def result_of(run, analysis):
    (result,) = [result for result in run.results if result.id == analysis]
    return result


def rows_of(run, analysis, model, method=NORMAL):
    frame = pd.DataFrame(result_of(run, analysis).rows)
    return frame[(frame.model == model) & (frame.method == method)].set_index(["term", "group"])


def test_a_synthesis_has_the_bayesian_rows_of_its_model(every_model):
    found = rows_of(every_model, "S1", "study/estimate")
    terms = ["mu", "tau", "rho", "tau_between", "tau_within", "theta_new", "theta_new_estimate"]
    assert set(terms) <= {term for term, _ in found.index}
    assert set(TIDY) <= {*found.columns, "term", "method"}
    assert {("time[T.post-intervention]", "")} <= set(rows_of(every_model, "S1", "~ time").index)
    groups = {group for term, group in rows_of(every_model, "S2", "outcome").index if term == "mu"}
    assert groups == {"Anxiety", "Sleep problems"}


def test_tables_show_what_the_bayesian_models_say(every_model):
    moderators, dependence = table_of(every_model, "moderators"), table_of(every_model, "dependence")
    assert "| Bayesian | Prior | Posterior/prior sd | Overlap | Inclusion BF |" in moderators
    assert "What can be learned: " in moderators
    # more than two coefficients with the binomial likelihood, by quadrature alone
    assert "The normal likelihood was fitted in place of the binomial one" in moderators
    assert "Bayesian, normal likelihood (quadrature)" in dependence
    assert "three levels against two" in dependence
    assert "Bayesian, common tau" in table_of(every_model, "subgroups")
    influence = table_of(every_model, "influence")
    # three models of dependent estimates, the pooled effect of the four analyses of independent estimates, and the effect at the means
    # and each coefficient of their models with moderators: ~ weeks, ~ focus + center(weeks) and ~ blinded of 1.1, ~ weeks of 1.2
    assert influence.count("| none |") == 3 + 4 + (2 + 3 + 2) + 2
    result = result_of(every_model, "S1")
    (model,) = [model for model in result.models if model["kind"] == "dependence"]
    studies = {name.split(" (")[0] for name in (point["study"] for point in result.studies)}
    assert next(row["study"] for row in model["left_out"]) == "(none)"
    assert {row["study"] for row in model["left_out"]} == {"(none)", *studies}


def test_the_three_level_bayes_factor_of_konstantopoulos(tmp_path):
    run = run_review(REVIEWS_FOLDER / "konstantopoulos2011", tmp_path, only=("1.2",), figures=False)
    row = rows_of(run, "1.2", "district/school").loc[("mu", "")]
    assert row["log_marginal_likelihood"] == pytest.approx(25.7010, abs=5e-5)
    assert row["bf_dependence"] == pytest.approx(4618.841225850541, rel=1e-7)
    text = table_of(run, "dependence")
    assert (
        "Log marginal likelihood 25.70; Bayes factor for heterogeneity between groups, three levels against two: 4618.84"
        in text
    )
    # no correlation of sampling errors was assumed, so there is nothing to say about one
    assert "Sampling correlation" not in text


def test_alternative_priors_and_each_district_left_out(tmp_path):
    run = run_review(small(tmp_path), tmp_path / "out", figures=False)
    assert run.failed == {}
    data = pd.read_csv(FOLDER / "nested.csv")
    given = {"nesting": "district/estimate", "measure": "GEN"}
    priors = {"mu": "Normal(0, 1)", "tau": "HalfCauchy(1)"}
    wide = bm.fit(data, priors=priors, **given)
    found = rows_of(run, "1", "district/estimate", f"{NORMAL}:Wide")
    assert found.loc[("mu", ""), "estimate"] == pytest.approx(wide.quantile("mu", 0.5), rel=1e-9)
    assert found.loc[("tau", ""), "ci_high"] == pytest.approx(wide.quantile("tau", 0.975), rel=1e-9)
    assert "| Wide | HalfCauchy(1) |" in table_of(run, "priors")
    (model,) = result_of(run, "1").models
    first = data.district.astype(str).iloc[0]
    (row,) = [row for row in model["left_out"] if row["study"] == first]
    without = bm.fit(data[data.district.astype(str) != first], priors=priors | {"tau": "HalfNormal(0.5)"}, **given)
    assert row["estimate"] == pytest.approx(without.quantile("mu", 0.5), rel=1e-9)


def test_priors_of_an_analysis_replace_those_of_the_review(tmp_path):
    own = '"center(year)" = "Normal(0, 0.0001)"\ntau2 = "HalfNormal(0.3)"\nrho = "Beta(2, 2)"'
    more = f'moderators = "~ center(year)"\n[analysis.priors]\n{own}'
    run = run_review(small(tmp_path, more), tmp_path / "out", figures=False)
    assert run.failed == {}
    slope = rows_of(run, "1", "~ center(year)").loc[("center(year)", "")]
    assert slope["prior"] == "Normal(0, 0.0001)"
    assert abs(slope["estimate"]) < 1e-4
    data, priors = (
        pd.read_csv(FOLDER / "nested.csv"),
        {"mu": "Normal(0, 1)", "tau2": "HalfNormal(0.3)", "rho": "Beta(2, 2)"},
    )
    fit = bm.fit(data, nesting="district/estimate", measure="GEN", priors=priors)
    found = rows_of(run, "1", "district/estimate")
    assert found.loc[("rho", ""), "estimate"] == pytest.approx(fit.quantile("rho", 0.5), rel=1e-9)
    pooled = pd.DataFrame(result_of(run, "1").rows).query("model == '' and term == 'mu' and method == @NORMAL")
    independent = bm.fit(yi=data.yi, vi=data.vi, priors={"mu": "Normal(0, 1)", "tau2": "HalfNormal(0.3)"})
    assert pooled.estimate.item() == pytest.approx(independent.quantile("mu", 0.5), rel=1e-9)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('[analysis.priors]\nyear = "Normal(0, 1)"', "analysis 1: .*unknown parameter with a prior 'year'"),
        ('[analysis.priors]\ntau = "Gama(1)"', r"\[priors\] tau: unknown prior 'Gama'"),
        ('[analysis.priors]\ntau = "HalfNormal(1)"\ntau2 = "HalfNormal(1)"', "names both tau and tau2"),
    ],
)
def test_priors_of_an_analysis_that_cannot_be_used(tmp_path, more, message):
    with pytest.raises(SpecError, match=message):
        read_review(small(tmp_path, more))


def test_a_prior_for_no_coefficient_is_an_error_of_the_run(tmp_path):
    more = 'moderators = "~ center(year)"\n[analysis.priors]\nyear = "Normal(0, 1)"'
    folder = small(tmp_path, more)
    review, _ = read_review(folder)
    expected = "unknown parameter or coefficient with a prior 'year'; did you mean 'center(year)'?"
    assert expected in data_problem(review, review.analysis[0], folder)
    run = run_review(folder, tmp_path / "out", figures=False)
    assert expected in run.failed["1"]
    # the other rows are there
    assert result_of(run, "1").rows


def test_a_prior_for_the_whole_run_comes_before_that_of_an_analysis(tmp_path):
    review, _ = read_review(small(tmp_path, '[analysis.priors]\ntau = "HalfNormal(0.1)"\nmu = "Normal(0, 3)"'))
    found = with_priors(review, (("tau", "HalfNormal(0.9)"),))
    assert found.analysis[0].priors == {"mu": "Normal(0, 3)"}
    assert found.priors["GEN"].tau == "HalfNormal(0.9)"


def test_priors_of_an_analysis_make_its_result_outdated_only_where_there_are_any(tmp_path):
    review, _ = read_review(small(tmp_path))
    assert "priors" not in review.analysis[0].model_dump()


def test_a_study_without_characteristics_is_left_out_where_that_is_wanted(tmp_path):
    source = tmp_path / "source"
    shutil.copytree(FOLDER, source)
    table = source / "characteristics.csv"
    table.write_text(table.read_text().replace("Baker 2003", "Nobody 1999"))
    toml = source / "review.toml"
    wanted = 'by = ["focus", "blinded"]'
    toml.write_text(toml.read_text().replace(wanted, f"{wanted}\ndrop_missing = true"))
    run = run_review(source, tmp_path / "out", only=("1.1",), figures=False)
    assert run.failed == {}
    effects = bm.effect_sizes(FOLDER / "dichotomous.csv", "RR")
    row = rows_of(run, "1.1", "~ weeks").loc[("weeks", "")]
    assert row["k"] == effects.k - 1
    assert "'Baker 2003' is left out: weeks missing" in table_of(run, "moderators")


def test_both_engines_agree_on_models_beyond_one_pooled_effect(tmp_path):
    run = run_review(small(tmp_path, 'moderators = "~ center(year)"', "both"), tmp_path / "out", figures=False)
    assert run.failed == {}
    result = result_of(run, "1")
    sampled = rows_of(run, "1", "~ center(year)", "bayes:normal:nuts")
    exact = rows_of(run, "1", "~ center(year)")
    assert sampled.loc[("center(year)", ""), "estimate"] == pytest.approx(
        exact.loc[("center(year)", ""), "estimate"], abs=0.01
    )
    models = [entry.get("model", "") for entry in result.agreement]
    assert models == ["", "district/estimate", "~ center(year)"]
    assert all(entry["worst_mcse"] < 4.5 for entry in result.agreement)
    engines = table_of(run, "engines")
    assert "| 1: \\~ center(year) |" in engines
    assert engines.count("4 x 1000") == 3
    again = read_result((run.out / "analyses" / "1.json").read_bytes())
    assert [entry.get("model", "") for entry in again.agreement] == models
    # the sampled fits of models are kept too, and can be loaded and predicted from
    kept = sorted(path.name for path in (run.out / "fits").iterdir())
    method = "1_bayes-normal-nuts"
    assert kept == [f"{method}.nc", f"{method}_center_year.nc", f"{method}_district_estimate.nc"]
    moderated = bm.load_posterior(run.out / "fits" / f"{method}_center_year.nc")
    assert moderated.quantile("center(year)", 0.5) == pytest.approx(
        sampled.loc[("center(year)", ""), "estimate"], rel=1e-9
    )
    assert len(bm.predict(moderated, {"year": [1990, 2000]})) == 2
    nested = bm.load_posterior(run.out / "fits" / f"{method}_district_estimate.nc")
    row = rows_of(run, "1", "district/estimate", "bayes:normal:nuts").loc[("rho", "")]
    assert nested.quantile("rho", 0.5) == pytest.approx(row["estimate"], rel=1e-9)


def test_files_of_fits_of_formulas_that_differ_in_signs_only(tmp_path):
    first, second = (fit_file(tmp_path, "1", "bayes:normal:nuts", "~ a + b", number) for number in (1, 2))
    assert first.name == "1_bayes-normal-nuts_a_b.nc"
    assert second.name == "1_bayes-normal-nuts_a_b_2.nc"
    assert fit_file(tmp_path, "1", "bayes:normal:nuts").name == "1_bayes-normal-nuts.nc"
