"""fit, check and forest beyond one pooled effect: numbers equal those of Python, wrong options are refused."""

import io
import re

import numpy as np
import pandas as pd
import pytest
from paths import FIXTURES_FOLDER
from typer.testing import CliRunner

import bayesmeta as bm
from bayesmeta.cli.app import app
from bayesmeta.cli.model_options import in_options

FOLDER = FIXTURES_FOLDER / "every_model"
STUDIES, NESTED, FACTS = (str(FOLDER / name) for name in ("dichotomous.csv", "nested.csv", "characteristics.csv"))


def printed(*arguments):
    done = CliRunner().invoke(app, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def rows(*arguments, index):
    return pd.read_csv(io.StringIO(printed(*arguments, "--format", "csv")), index_col=index)


@pytest.fixture(scope="module")
def nested():
    return pd.read_csv(NESTED)


@pytest.fixture(scope="module")
def effects():
    return bm.effect_sizes(FOLDER / "dichotomous.csv", "RR")


@pytest.fixture(scope="module")
def facts(effects):
    return pd.read_csv(FACTS, index_col="study").loc[list(effects.labels)].reset_index()


def test_fit_prints_groups_overall_and_differences(effects, facts):
    options = ("fit", STUDIES, "--by", "focus", "--data", FACTS, "--scale", "model", "--better", "lower", "--mid", 0.8)
    frame = rows(*options, index="group")
    found = bm.fit_subgroups(effects, by="focus", data=facts)
    table = found.to_frame()
    np.testing.assert_allclose(frame.estimate.iloc[:3], table.estimate, rtol=1e-8)
    np.testing.assert_allclose(frame.pi_high.iloc[:3], table.pi_high, rtol=1e-8)
    difference = found.difference("parent", "child")
    last = frame.loc["parent - child"]
    assert last.kind == "difference"
    assert last.estimate == pytest.approx(difference.quantile(0.5), rel=1e-8)
    assert (last.ci_low, last.ci_high) == pytest.approx(difference.interval(), rel=1e-8)
    assert last.prob_below == pytest.approx(difference.cdf(0.0), rel=1e-8)
    assert last.prob_beyond_mid == pytest.approx(difference.prob_beyond(0.8), rel=1e-8)
    assert frame.prob_benefit["parent"] == pytest.approx(
        found.groups["parent"].marginal("mu").cdf(np.zeros((1, 1)))[0, 0]
    )
    natural = rows("fit", STUDIES, "--by", "focus", "--data", FACTS, index="group")
    assert natural.estimate["parent / child"] == pytest.approx(np.exp(last.estimate), rel=1e-8)
    text = printed("fit", STUDIES, "--by", "focus", "--data", FACTS)
    assert "Differences between groups, as ratios" in text
    assert f"chi2 = {found.test.q_between:.2f} (df = 1" in text


def test_fit_of_groups_with_a_common_tau(effects, facts):
    options = ("--by", "focus", "--data", FACTS, "--common-tau", "-l", "normal", "-p", "tau=HalfNormal(0.3)")
    frame = rows("fit", STUDIES, *options, index="group")
    found = bm.fit_subgroups(
        effects, by="focus", data=facts, common_tau=True, likelihood="normal", priors={"tau": "HalfNormal(0.3)"}
    )
    np.testing.assert_allclose(frame.tau.iloc[:3], found.table.tau, rtol=1e-8)
    assert "one tau" in printed("fit", STUDIES, *options)


def test_fit_with_moderators_nesting_and_a_sampling_correlation(nested):
    options = ("--nesting", "district/estimate", "--moderators", "~ year", "--sampling-correlation", 0.3)
    priors = {"year": "Normal(0, 0.02)", "rho": "Beta(2, 2)", "Intercept": "Normal(0, 100)"}
    given = [part for name, text in priors.items() for part in ("--prior", f"{name}={text}")]
    frame = rows("fit", NESTED, *options, *given, index="term")
    post = bm.fit(
        yi=nested.yi, vi=nested.vi, data=nested, nesting="district/estimate", moderators="~ year",
        sampling_correlation=0.3, priors=priors,
    )  # fmt: skip
    for term in (
        "Intercept",
        "year",
        "effect_at_means",
        "rho",
        "tau_within",
        "tau",
    ):
        assert frame.loc[term, "median"] == pytest.approx(post.quantile(term, 0.5), rel=1e-7), term
    text = printed("fit", NESTED, *options, *given)
    assert "14 estimates in 5 groups of district" in text
    assert "year ~ Normal(0, 0.02)" in text


def test_fit_of_two_outcomes(nested):
    options = ("--nesting", "district", "--within", "period", "--structure", "UN", "-p", "tau=HalfNormal(0.3)")
    frame = rows("fit", NESTED, *options, index="term")
    post = bm.fit(
        yi=nested.yi, vi=nested.vi, data=nested, nesting="district", within="period", structure="UN",
        priors={"tau": "HalfNormal(0.3)"},
    )  # fmt: skip
    for term in ("tau[before 1990]", "tau[from 1990]", "rho", "theta_new[from 1990]"):
        assert frame.loc[term, "median"] == pytest.approx(post.quantile(term, 0.5), rel=1e-7), term


def test_a_prior_for_a_coefficient_with_an_equals_sign_in_its_name(effects, facts):
    formula, name = "~ I(weeks == 12)", "I(weeks == 12)"
    options = ("--moderators", formula, "--data", FACTS, "-l", "normal", "-p", f"{name}=Normal(0, 0.1)")
    frame = rows("fit", STUDIES, *options, "--scale", "model", index="term")
    post = bm.fit(effects, moderators=formula, data=facts, likelihood="normal", priors={name: "Normal(0, 0.1)"})
    assert frame.loc[name, "sd"] == pytest.approx(post.sd(name), rel=1e-8)
    assert frame.loc[name, "sd"] < 0.1


def test_check_takes_moderators_and_their_terms(effects, facts):
    options = ("--moderators", "~ weeks", "--data", FACTS, "-l", "normal", "--scale", "model")
    frame = rows("check", STUDIES, *options, "--what", "influence", "--term", "weeks", index="left_out")
    post = bm.fit(effects, moderators="~ weeks", data=facts, likelihood="normal")
    np.testing.assert_allclose(frame.estimate, bm.influence(post, term="weeks").estimate, rtol=1e-8)
    frame = rows("check", STUDIES, *options, "--what", "loo", index="study")
    np.testing.assert_allclose(frame.log_predictive, bm.leave_one_out(post).log_predictive, rtol=1e-8)


def test_check_leaves_out_studies_with_all_their_estimates(nested):
    options = ("--nesting", "district/estimate", "--moderators", "~ year", "--sampling-correlation", 0.3)
    frame = rows("check", NESTED, *options, "--what", "influence", index="left_out")
    post = bm.fit(
        yi=nested.yi,
        vi=nested.vi,
        data=nested,
        nesting="district/estimate",
        moderators="~ year",
        sampling_correlation=0.3,
    )
    np.testing.assert_allclose(frame.estimate, bm.influence(post).estimate, rtol=1e-8)
    assert list(frame.index) == ["(none)", "north", "south", "west", "east", "island"]


def test_check_of_groups_is_the_check_of_each_and_of_all(effects, facts):
    frame = rows("check", STUDIES, "--by", "focus", "--data", FACTS, "--what", "influence", index=["group", "left_out"])
    found = bm.fit_subgroups(effects, by="focus", data=facts)
    for group, post in (("focus: child", found.groups["child"]), ("all studies", found.overall)):
        expected = bm.influence(post, scale="natural")
        np.testing.assert_allclose(frame.loc[group].estimate, expected.estimate, rtol=1e-8)


def test_forest_by_draws_the_groups(tmp_path):
    target = tmp_path / "a.svg"
    printed("forest", STUDIES, "--by", "focus", "--data", FACTS, "--out", target, "--level", 0.9)
    svg = target.read_text(encoding="utf-8")
    for text in ("focus: parent", "focus: child", "Subtotal, 90% CrI", "Adams 2001", "dichotomous, RR by focus"):
        assert re.search(rf">[^<]*{re.escape(text)}[^<]*</text>", svg), text
    assert "Subtotal" not in _without_groups(tmp_path)


def _without_groups(folder):
    printed("forest", STUDIES, "--out", folder / "b.svg")
    return (folder / "b.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize("verb", ["fit", "check"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sampling-correlation", "0.5"], "--sampling-correlation is of estimates that belong together: add --nesting"),
        (["--nesting", "district/estimate", "--sampling-correlation", "1.5"], "between -1 and 1 but got 1.5"),
        (["--within", "period"], "--within is of outcomes or times that are correlated within studies: add --nesting study"),
        (["--nesting", "district", "--structure", "UN"], "--structure UN is of outcomes or times: add --within"),
        (["--drop-missing"], "--drop-missing is about --moderators and --by"),
        (["--data", FACTS], "--data has columns for --moderators, --by or --nesting"),
        (["--by", "period", "--nesting", "district"], "--by fits a model per group and cannot be given with --nesting"),
        (["--by", "period", "--moderators", "~ year"], 'as in --moderators "~ 0 + period"'),
        (["--by", "perod"], "did you mean 'period'?"),
        (["--nesting", "district/estimate", "-l", "binomial"], "need likelihood='normal'"),
        (["--nesting", "distrikt/estimate"], "did you mean 'district'?"),
        (["--nesting", "study/estimate"], "Leave --nesting out"),
        (["--nesting", "district/estimate", "--within", "period"], "--within period needs --nesting district, one level"),
        (["--nesting", "district", "--within", "study", "--structure", "UN"], "take --structure CS"),
        (["--nesting", "district", "--within", "period", "--structure", "XY"], "unknown structure 'XY'"),
        (["--moderators", "~ yaer"], "did you mean 'year'?"),
        (["--moderators", "~ year", "-p", "yaer=Normal(0, 1)"], "did you mean 'year'?"),
    ],
)  # fmt: skip
def test_wrong_combinations_are_refused_by_the_names_of_options(refused, verb, options, message):
    assert message in refused(verb, NESTED, *options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["fit", STUDIES, "--common-tau"], "--common-tau is about groups: add --by"),
        (["fit", STUDIES, "--by", "blinded", "--engine", "both"], "--engine both compares one fit with another"),
        (["fit", STUDIES, "--by", "blinded", "--save", "a.nc"], "--save writes one posterior, and --by fits one per group"),
        (["check", STUDIES, "--what", "influence", "--term", "weeks"], "--term weeks is a coefficient of a formula: add --moderators"),
        (["forest", STUDIES, "--data", FACTS], "--data has the columns of --by and --nesting"),
        (["forest", STUDIES, "--drop-missing"], "--drop-missing is about --by"),
        (["forest", STUDIES, "--by", "blindet"], "did you mean 'blinded'?"),
    ],
)  # fmt: skip
def test_options_that_a_command_cannot_use_are_refused(refused, options, message):
    assert message in refused(*options)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("give nesting='study/estimate', or name", "give --nesting study/estimate, or name"),
        ("within= needs nesting=, the groups", "--within needs --nesting, the groups"),
        ("structure='CS', or bm.fit(within='x')", "--structure CS, or bm.fit(within='x')"),
        ("put it into moderators='~ 0 + a'", 'put it into --moderators "~ 0 + a"'),
        ("with drop_missing=True.", "with --drop-missing."),
    ],
)  # fmt: skip
def test_messages_of_the_library_name_options(text, expected):
    assert in_options(text) == expected
