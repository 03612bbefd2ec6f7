"""Exact meta-regression against independent quadrature, and against R bayesmeta's bmr."""

import json

import numpy as np
import pandas as pd
import pytest
from paths import REFERENCE_FOLDER

import bayesmeta as bm

ANDREWS = json.loads((REFERENCE_FOLDER / "exact_linear_models.json").read_text())["andrews2021"]
BMR = json.loads((REFERENCE_FOLDER / "bmr_extract.json").read_text())["fits"]


def andrews() -> bm.Posterior:
    return bm.fit(
        yi=ANDREWS["yi"], vi=ANDREWS["vi"], data={name: ANDREWS[name] for name in ("measure", "age")},
        moderators="~ measure + age",
        priors={"Intercept": "Normal(0, 0.5)", "measure": "Normal(0, 0.125)", "age": "Normal(0, 0.125)", "tau": "InvGamma(1, 0.075)"},
    )  # fmt: skip


def test_the_full_model_of_andrews2021() -> None:
    post, full = andrews(), ANDREWS["full_model"]
    for name, term in (("intercept", "Intercept"), ("measure", "measure"), ("age", "age")):
        expected = full["coefficients"][name]
        found = bm.summarize(post, studies=False).loc[term]
        columns = {"mean": "mean", "sd": "sd", "median": "median", "ci_low": "q025", "ci_high": "q975"}
        for column, key in columns.items():
            assert found[column] == pytest.approx(expected[key], rel=1e-8), (term, column)
    assert post.mean("tau") == pytest.approx(full["tau_mean"], rel=1e-8)
    assert post.log_marginal_likelihood == pytest.approx(ANDREWS["log_marginal_likelihood"]["1111"], abs=1e-8)


@pytest.mark.parametrize("zeros", ["1110", "1101", "1011", "0111", "0100", "1000", "0000"])
def test_point_priors_are_the_submodels_of_andrews2021(zeros: str) -> None:
    names = ("Intercept", "tau", "measure", "age")
    given = {
        "Intercept": "Normal(0, 0.5)",
        "tau": "InvGamma(1, 0.075)",
        "measure": "Normal(0, 0.125)",
        "age": "Normal(0, 0.125)",
    }
    priors = {name: given[name] if flag == "1" else "Point(0)" for name, flag in zip(names, zeros, strict=True)}
    columns = {name: ANDREWS[name] for name in ("measure", "age")}
    post = bm.fit(yi=ANDREWS["yi"], vi=ANDREWS["vi"], data=columns, moderators="~ measure + age", priors=priors)
    assert post.log_marginal_likelihood == pytest.approx(ANDREWS["log_marginal_likelihood"][zeros], abs=1e-8)
    summary = bm.summarize(post)
    for name, flag in zip(names, zeros, strict=True):
        assert (summary.loc[name, "sd"] == 0) == (flag == "0")
        assert flag == "1" or summary.loc[name, "median"] == 0
    drawn = post.solution.sample(20000, np.random.default_rng(1))
    for term in ("Intercept", "measure", "age", "tau"):
        sd = summary.loc[term, "sd"]
        assert drawn[term].mean() == pytest.approx(summary.loc[term, "mean"], abs=5 * sd / np.sqrt(20000) + 1e-14)
    theta = summary.loc["theta[1]"]
    assert drawn["theta"][:, 0].mean() == pytest.approx(theta["mean"], abs=5 * theta["sd"] / np.sqrt(20000) + 1e-14)


def bmr_fit(name: str, **changed: str) -> bm.Posterior:
    one = BMR[name]
    x = pd.DataFrame(np.array(one["X"], float), columns=one["names"])
    prior = "Flat()" if one["beta_prior"] == "flat" else "Normal(0, 4)"
    priors = {**dict.fromkeys(one["names"], prior), "tau": "HalfNormal(0.5)", **changed}
    return bm.fit(yi=one["yi"], vi=one["vi"], measure="RR", moderators=x, priors=priors)


@pytest.mark.parametrize("name", BMR)
def test_fits_of_bmr(name: str) -> None:
    one, post = BMR[name], bmr_fit(name)
    for term in (*one["names"], "tau"):
        expected = one["summary"][term]
        assert post.mean(term) == pytest.approx(expected["mean"], abs=1e-3 * expected["sd"])
        assert post.sd(term) == pytest.approx(expected["sd"], rel=1e-3)
        assert post.quantile(term, 0.5) == pytest.approx(expected["median"], abs=1e-3 * expected["sd"])
        shortest = post.hdi(term)
        for end, column in zip(shortest, ("95% lower", "95% upper"), strict=True):
            assert end == pytest.approx(expected[column], abs=5e-3 * expected["sd"])
    tails = np.array([0.025, 0.5, 0.975])
    for term, expected in zip(one["names"], one["beta_q"], strict=True):
        sd = one["summary"][term]["sd"]
        np.testing.assert_allclose(post.quantile(term, tails), expected, atol=2e-3 * sd)
    np.testing.assert_allclose(post.quantile("tau", tails), one["tau_q"], rtol=1e-7)
    for i, expected in enumerate(one["theta"], start=1):
        assert post.mean(f"theta[{i}]") == pytest.approx(expected["mean"], abs=2e-3 * expected["sd"])
        assert post.sd(f"theta[{i}]") == pytest.approx(expected["sd"], rel=2e-3)


@pytest.mark.parametrize("name", BMR)
def test_predictions_of_bmr(name: str) -> None:
    one = BMR[name]
    found = bm.predict(bmr_fit(name), np.array(one["Xnew"], float))
    sd = found["sd"].to_numpy()[:, None]
    np.testing.assert_allclose(found[["ci_low", "median", "ci_high"]] / sd, np.array(one["mean_q"]) / sd, atol=4e-3)
    # bmr puts tau into bins, so that its ends of intervals are good to a few thousandths of a standard deviation
    ends = np.array(one["pred_q"])[:, [0, 2]]
    np.testing.assert_allclose(found[["pi_low", "pi_high"]] / sd, ends / sd, atol=0.01)


@pytest.mark.parametrize("name", [name for name in BMR if name.endswith("proper")])
def test_marginal_likelihoods_and_bayes_factors_of_bmr(name: str) -> None:
    one, post = BMR[name], bmr_fit(name)
    assert np.exp(post.log_marginal_likelihood) == pytest.approx(one["marginal_likelihood"], rel=1e-6)
    for term in (*one["names"], "tau"):
        point = bmr_fit(name, **{term: "Point(0)"})
        factor = np.exp(point.log_marginal_likelihood - post.log_marginal_likelihood)
        assert factor == pytest.approx(one["bayesfactor"][f"{term}=0"][0], rel=1e-5), term


def test_more_nodes_change_nothing() -> None:
    from bayesmeta.engines.normal.solve import solve_linear

    post = andrews()
    finer = solve_linear(post.solution.model, post.priors, post.solution.terms, nodes_per_panel=40)
    for family, other in zip(post.solution.families, finer.families, strict=True):
        np.testing.assert_allclose(
            family.quantile(np.array([[0.025], [0.975]])), other.quantile(np.array([[0.025], [0.975]])), rtol=1e-8
        )
    assert finer.log_marginal_likelihood == pytest.approx(post.log_marginal_likelihood, abs=1e-8)
