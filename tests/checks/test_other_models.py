"""Checks of what is not a built-in model: a user's model file is refitted or refused by name, a model average is averaged."""

from __future__ import annotations

import warnings

import arviz as az
import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.checks.leave_one_out import tail_probability
from bayesmeta.engines.nuts import sampling
from bayesmeta.errors import SpecError
from bayesmeta.posterior.refit import exact_fit, leave_each_out, refit


def agreement(nuts):
    return bm.engine_agreement(nuts, bm.fit(yi=[0.1, 0.2], sei=[0.1, 0.1]))


@pytest.mark.sampling
@pytest.mark.parametrize(
    ("check", "why"),
    [
        (bm.model_average, "need its marginal likelihood, which draws do not give"),
        (bm.bayes_factors, "need its marginal likelihood, which draws do not give"),
        (bm.predictive_checks, "posterior_predictive"),
        (agreement, "quadrature computes the models of this package only"),
    ],
)
def test_a_model_file_is_refused_by_name(own, own_path, check, why):
    with pytest.raises(SpecError, match=why) as caught:
        check(own)
    assert f"this posterior is of the model file {own_path.resolve()}" in str(caught.value)


@pytest.mark.parametrize("check", [bm.model_average, bm.bayes_factors, bm.predictive_checks])
def test_a_model_file_is_refused_before_it_is_sampled(own_table, own_path, monkeypatch, check):
    def never(*_):
        raise AssertionError("sampled")

    monkeypatch.setattr(sampling, "_run", never)
    with pytest.raises(SpecError, match=r"of the model file .*own\.py"):
        check(own_table, measure="GEN", model=own_path)


@pytest.mark.sampling
def test_influence_refits_the_model_file(shifted, unshifted):
    found, exact = bm.influence(shifted), bm.influence(unshifted)
    assert list(found.index) == list(exact.index)
    np.testing.assert_allclose(found["estimate"], exact["estimate"], atol=0.04)
    np.testing.assert_allclose(found["se"], exact["se"], atol=0.04)
    np.testing.assert_allclose(found["shift"], exact["shift"], atol=0.04)
    # the file defines no effect in a new study
    assert found["pi_low"].isna().all()
    with pytest.raises(SpecError, match="marginal likelihood"):
        bm.influence(shifted, bayes_factors=True, without=[])


@pytest.mark.sampling
def test_prior_sensitivity_refits_the_model_file(shifted, unshifted):
    grid = {"tau_priors": ["HalfNormal(0.05)"], "mu_priors": ["Normal(0, 0.1)"]}
    found, exact = bm.prior_sensitivity(shifted, **grid), bm.prior_sensitivity(unshifted, **grid)
    assert list(found["note"]) == ["", "", ""]
    np.testing.assert_allclose(found["estimate"], exact["estimate"], atol=0.03)
    np.testing.assert_allclose(found["tau"], exact["tau"], atol=0.03)
    assert found["log_marginal_likelihood"].isna().all()


@pytest.mark.sampling
def test_leave_one_out_uses_the_log_likelihood_of_the_model_file(shifted, unshifted, own):
    found, exact = bm.leave_one_out(shifted), bm.leave_one_out(unshifted)
    assert list(found.columns) == ["log_predictive_psis", "pareto_k"]
    assert found["pareto_k"].max() < 0.7
    np.testing.assert_allclose(found["log_predictive_psis"], exact["log_predictive"], atol=0.15)
    assert found.attrs["elpd_loo"] == pytest.approx(exact.attrs["elpd_loo"], abs=0.3)
    with warnings.catch_warnings():
        # of high Pareto k: the log likelihood given a study's own effect
        warnings.simplefilter("ignore")
        direct = az.loo(own.draws, pointwise=True)
    assert bm.leave_one_out(own).attrs["elpd_loo"] == pytest.approx(float(direct.elpd), abs=0.05)


@pytest.mark.sampling
def test_power_scaling_scales_the_priors_of_the_model_file(shifted, unshifted, own):
    found, exact = bm.power_scaling(shifted), bm.power_scaling(unshifted)
    assert list(found.index) == ["mu", "tau"]
    columns = ["prior", "prior_mu", "prior_tau", "likelihood"]
    np.testing.assert_allclose(found[columns], exact.loc[["mu", "tau"], columns], atol=0.04)
    frame = bm.power_scaling(own)
    assert set(frame.index) == set(own.solution.terms.pooled) - {"tau2"}
    assert list(frame.columns) == [
        "prior", *(f"prior_{name}" for name in own.draws["log_prior"].data_vars), "likelihood", "diagnosis"
    ]  # fmt: skip
    # the prior of nu decides on nu, that of mu on mu and theta_new = mu + 100
    assert frame["prior_nu"].idxmax() == "nu"
    assert frame.loc["mu", "prior_mu"] == pytest.approx(frame.loc["theta_new", "prior_mu"], abs=0.01)


@pytest.mark.sampling
def test_a_model_without_log_likelihood_by_study_is_named(own):
    from dataclasses import replace

    groups = {name: group for name, group in own.solution.groups.items() if name != "log_likelihood"}
    bare = replace(own, solution=replace(own.solution, groups=groups))
    for check in (bm.leave_one_out, bm.power_scaling):
        with pytest.raises(
            SpecError, match=r"which the model file .*own\.py does not define; give it observed variables"
        ):
            check(bare)


@pytest.mark.sampling
def test_a_file_that_has_changed_since_is_not_refitted(shifted, shifted_path, tmp_path):
    from dataclasses import replace

    changed = tmp_path / "shifted.py"
    changed.write_text(shifted_path.read_text() + "\n# another model\n")
    assert shifted.source is not None
    moved = replace(shifted, source=replace(shifted.source, path=str(changed)))
    for check in (bm.influence, leave_each_out):
        with pytest.raises(SpecError, match=r"shifted\.py has changed since this posterior was fitted; fit it again"):
            check(moved)


@pytest.mark.sampling
def test_a_file_that_ignores_a_prior_is_no_evidence_of_insensitivity(shifted, tmp_path):
    from dataclasses import replace

    from bayesmeta.engines.nuts.model_files import load_model

    path = tmp_path / "fixed.py"
    text = "mu, tau = pm.Normal('mu', 0, 1), pm.HalfNormal('tau', 0.3)"
    path.write_text(
        "import pymc as pm\nLIKELIHOODS = ('normal',)\ndef build(data, priors):\n"
        f"    with pm.Model(coords={{'study': data.labels}}) as model:\n        {text}\n"
        "        theta = pm.Normal('theta', mu, tau, dims='study')\n"
        "        pm.Normal('y', theta, data.columns['se'], observed=data.columns['effect'])\n    return model\n"
    )
    file = load_model(path)
    own_priors = replace(shifted, source=replace(shifted.source, path=str(path), digest=file.digest))
    frame = bm.prior_sensitivity(own_priors, tau_priors=["HalfNormal(0.1)"], mu_priors=["Normal(0, 0.1)"])
    assert frame["note"].str.contains("does not use the prior given for").tolist() == [False, True, True]


PRIORS = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}
Y, SE = np.array([0.5, -0.2, 0.9, 0.4, 0.1]), np.array([0.2, 0.3, 0.25, 0.2, 0.3])


def average_of(rows, **options):
    return bm.model_average(yi=Y[rows], sei=SE[rows], priors=PRIORS, **options)


ALL = np.arange(5)
SHARES = {"common effect": 0.3, "random effect": 0.7}


@pytest.mark.parametrize("shares", [None, SHARES, {"common null": 0.5, "random null": 0.5}, {"common effect": 1.0}])
def test_influence_of_an_average_averages_again(shares):
    average = average_of(ALL, prior_probabilities=shares)
    frame = bm.influence(average.posterior)
    for i in range(5):
        expected = average_of(np.delete(ALL, i), prior_probabilities=shares).posterior
        row = frame.iloc[i + 1]
        assert row["estimate"] == pytest.approx(expected.quantile("mu", 0.5), abs=1e-12)
        assert row["ci_high"] == pytest.approx(expected.quantile("mu", 0.975), abs=1e-12)
        assert row["tau"] == pytest.approx(expected.quantile("tau", 0.5), abs=1e-12)
    assert frame.iloc[0]["estimate"] == pytest.approx(average.posterior.quantile("mu", 0.5), abs=1e-12)


def test_bayes_factors_without_a_study_are_those_of_the_same_models():
    frame = bm.influence(average_of(ALL).posterior, bayes_factors=True)
    assert frame["bf_effect"].iloc[0] == pytest.approx(average_of(ALL).bf_effect)
    assert frame["bf_effect"].iloc[3] == pytest.approx(average_of(np.array([0, 1, 3, 4])).bf_effect)


def test_leave_one_out_of_an_average_is_exact():
    average = average_of(ALL)
    frame = bm.leave_one_out(average.posterior)
    for i in range(5):
        without = average_of(np.delete(ALL, i))
        expected = average.log_marginal_likelihood - without.log_marginal_likelihood
        assert frame["log_predictive"].iloc[i] == pytest.approx(expected, abs=1e-10)
        tails = [tail_probability(average.fits[-1], i, fit) for fit in without.fits]
        assert frame["tail"].iloc[i] == pytest.approx(float(np.dot(without.posterior_probabilities, tails)), abs=1e-12)
    np.testing.assert_allclose(frame["psis_error"], 0, atol=0.12)


def test_an_average_of_counts_is_predicted_too():
    table = pd.DataFrame(
        {"study": list("ABC"), "events_e": [3, 0, 6], "n_e": [40, 30, 55], "events_c": [7, 2, 9], "n_c": [41, 30, 52]}
    )
    average = bm.model_average(table, measure="OR", priors=PRIORS)
    frame = bm.leave_one_out(average.posterior)
    without = bm.model_average(table.iloc[[0, 2]], measure="OR", priors=PRIORS)
    expected = average.log_marginal_likelihood - without.log_marginal_likelihood
    assert frame["log_predictive"].iloc[1] == pytest.approx(expected, abs=1e-8)
    np.testing.assert_allclose(frame["log_predictive_psis"], frame["log_predictive"], atol=0.1)


def test_predictive_checks_of_an_average_predict_by_all_its_models():
    average = average_of(ALL)
    frame = bm.predictive_checks(average.posterior)
    given = frame[frame["check"] == "given all"]
    for i in range(5):
        tails = [tail_probability(average.fits[-1], i, fit) for fit in average.fits]
        assert given["tail"].iloc[i] == pytest.approx(float(np.dot(average.posterior_probabilities, tails)), abs=1e-12)


def test_prior_sensitivity_of_an_average_varies_the_alternatives():
    average = average_of(ALL).posterior
    frame = bm.prior_sensitivity(average, tau_priors=["HalfNormal(0.1)"], mu_priors=["Normal(0, 0.2)", "Flat()"])
    expected = bm.model_average(yi=Y, sei=SE, priors={**PRIORS, "tau": "HalfNormal(0.1)"})
    assert frame["se"].iloc[1] == pytest.approx(float(expected.posterior.marginal("mu").sd()[0]), abs=1e-12)
    assert frame["log_marginal_likelihood"].iloc[1] == pytest.approx(expected.log_marginal_likelihood, abs=1e-12)
    expected = bm.model_average(yi=Y, sei=SE, priors={**PRIORS, "mu": "Normal(0, 0.2)"})
    assert frame["log_marginal_likelihood"].iloc[2] == pytest.approx(expected.log_marginal_likelihood, abs=1e-12)
    assert "undefined under the improper prior" in frame["note"].iloc[3]


def test_an_average_of_an_average_is_that_average():
    average = average_of(ALL, prior_probabilities=SHARES)
    again = bm.model_average(average.posterior)
    assert again.names == average.names
    np.testing.assert_array_equal(again.posterior_probabilities, average.posterior_probabilities)
    pd.testing.assert_frame_equal(
        bm.bayes_factors(
            average.posterior,
            prior_probabilities=dict.fromkeys(bm.model_average(yi=Y, sei=SE, priors=PRIORS).names, 0.25),
        ),
        bm.bayes_factors(yi=Y, sei=SE, priors=PRIORS),
    )


def test_what_has_no_meaning_for_an_average_is_refused():
    average = average_of(ALL).posterior
    with pytest.raises(
        SpecError, match=r"this posterior is a model average, in which mu or tau can be 0; .*fits\[-1\]"
    ):
        bm.power_scaling(average)
    with pytest.raises(SpecError, match="but got 'averaged' and 'quadrature'"):
        bm.engine_agreement(average, average_of(ALL).fits[-1])


def test_refits_of_an_average_keep_its_models():
    average = average_of(ALL, prior_probabilities=SHARES)
    assert exact_fit(average.posterior) is average.posterior
    again = refit(average.posterior)
    assert again.engine == "averaged"
    assert again.log_marginal_likelihood == pytest.approx(average.log_marginal_likelihood, abs=1e-12)
    assert [one.engine for one in leave_each_out(average.posterior)] == ["averaged"] * 5
