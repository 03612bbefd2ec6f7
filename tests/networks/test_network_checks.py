"""Checks of networks: influence of single trials, predictive checks and residual deviance, against refits, dense computation and draws."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from network_examples import smoking, star
from scipy.integrate import simpson
from scipy.special import logsumexp
from scipy.stats import chi2, norm

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.networks.left_out import leave_each_out

PRIORS = {"d": "Normal(0, 2)", "tau": "HalfNormal(0.7)"}


@pytest.fixture(scope="module")
def net():
    return bm.network(smoking(), better="higher", priors=PRIORS)


@pytest.fixture(scope="module")
def without(net):
    return leave_each_out(net)


def dense_predictions(net, study):
    """Return the density of tau on a grid given the other trials, and mean and covariance of the trial's contrasts, by dense algebra."""
    contrasts = net.contrasts
    rows = contrasts.slices[contrasts.studies.index(study)]
    own = np.arange(rows.start, rows.stop)
    rest = np.setdiff1d(np.arange(contrasts.m), own)
    x = contrasts.design(net.reference)
    size = x.shape[1]
    # contrasts with standard deviation 2 and correlation 1/2
    prior = 4.0 * 0.5 * (np.eye(size) + 1.0)
    tau = np.linspace(1e-6, 3.0, 801)
    log_density, means, covariances = [], [], []
    for value in tau:
        whole = x @ prior @ x.T + contrasts.S + value**2 * contrasts.R
        inside, across = whole[np.ix_(rest, rest)], whole[np.ix_(own, rest)]
        weights = np.linalg.solve(inside, across.T).T
        log_density.append(
            norm.logpdf(value, 0, 0.7)
            - 0.5 * np.linalg.slogdet(inside)[1]
            - 0.5 * contrasts.y[rest] @ np.linalg.solve(inside, contrasts.y[rest])
        )
        means.append(weights @ contrasts.y[rest])
        covariances.append(whole[np.ix_(own, own)] - weights @ across.T)
    density = np.exp(np.array(log_density) - logsumexp(log_density))
    return contrasts.y[own], tau, density / simpson(density, x=tau), np.array(means), np.array(covariances)


def test_predictions_of_a_trial_from_the_others_are_those_of_dense_algebra(net, without):
    found = net.predictive_checks(without=without)
    others = found[found["check"] == "given the others"].set_index("study")
    for study, label in (("Trial 7", "Trial 7: No contact vs Individual counselling"), ("Trial 1", None)):
        y, tau, density, means, covariances = dense_predictions(net, study)
        labels = [label] if label else [name for name in others.index if name.startswith("Trial 1:")]
        for i, name in enumerate(labels):
            tails = norm.cdf((y[i] - means[:, i]) / np.sqrt(covariances[:, i, i]))
            assert others.loc[name, "tail"] == pytest.approx(simpson(tails * density, x=tau), abs=2e-6)
            assert others.loc[name, "mcse"] == 0
    # of the trial with three arms both contrasts together
    together = found[found["check"] == "trial given the others"].set_index("study").loc["Trial 1"]
    residual = y - means
    distance = np.einsum("tm,tmn,tn->t", residual, np.linalg.inv(covariances), residual)
    assert together["pvalue"] == pytest.approx(simpson(chi2.sf(distance, 2) * density, x=tau), abs=2e-6)
    assert together["observed"] == pytest.approx(simpson(distance * density, x=tau), rel=1e-5)


def test_predictions_given_all_trials_are_those_of_draws(net, without):
    found = net.predictive_checks(without=without)
    draws = net.solution.sample(100_000, np.random.default_rng(3))
    rng = np.random.default_rng(4)
    at = net.contrasts.studies.index("Trial 21")
    row = net.contrasts.slices[at].start
    effect = (
        np.stack([draws[name] for name in net.solution.terms.coefficients], 1)
        @ net.contrasts.design(net.reference)[row]
    )
    new = effect + np.sqrt(draws["tau"] ** 2 + net.contrasts.S[row, row]) * rng.standard_normal(len(effect))
    checked = found[(found["check"] == "given all") & found["study"].str.startswith("Trial 21:")].iloc[0]
    assert checked["tail"] == pytest.approx((new < net.contrasts.y[row]).mean(), abs=0.005)
    # data of all trials, replicated by draws of their blocks
    together = found.set_index("check").loc["Q"]
    weights = np.linalg.inv(net.contrasts.S)
    x = net.contrasts.design(net.reference)
    left = weights @ x
    outside = weights - left @ np.linalg.solve(x.T @ left, left.T)
    q = net.contrasts.y @ outside @ net.contrasts.y
    assert together["observed"] == pytest.approx(q)
    expected = np.stack([draws[name][:4000] for name in net.solution.terms.coefficients], 1) @ x.T
    spread = net.contrasts.S + draws["tau"][:4000, None, None] ** 2 * net.contrasts.R
    replicated = expected + (np.linalg.cholesky(spread) @ rng.standard_normal((4000, net.contrasts.m, 1)))[..., 0]
    tail = (np.einsum("si,ij,sj->s", replicated, outside, replicated) < q).mean()
    assert together["tail"] == pytest.approx(tail, abs=0.04)


def test_influence_is_that_of_a_network_fitted_to_the_other_trials(net, without):
    found = net.influence(without=without, scale="natural")
    assert found.index.get_level_values("term").unique().tolist() == list(net.solution.terms.coefficients)
    arms = smoking().to_frame()
    for study in ("Trial 1", "Trial 15"):
        others = bm.network(arms[arms["study"] != study], better="higher", priors=PRIORS)
        row = found.loc[("No contact vs Group counselling", study)]
        term = "No contact vs Group counselling"
        low, middle, high = np.exp(others.quantile(term, np.array([0.025, 0.5, 0.975])))
        assert (row["estimate"], row["ci_low"], row["ci_high"]) == pytest.approx((middle, low, high), rel=1e-6)
        assert row["pi_high"] == pytest.approx(np.exp(others.quantile(f"theta_new[{term}]", 0.975)), rel=1e-6)
        assert row["shift_sd"] == pytest.approx((others.mean(term) - net.mean(term)) / net.sd(term), rel=1e-5)
        assert row["prob_benefit"] == pytest.approx(1 - others.cdf(term, 0.0), abs=1e-8)
    one = net.influence(terms="Self-help vs No contact", without=without)
    assert one["most_influential"].sum() == 1
    # the marginal likelihoods are those of one model, so that their difference is a log predictive density
    log_predictive = net.log_marginal_likelihood - without[6].net.log_marginal_likelihood
    assert np.isfinite(log_predictive)
    with pytest.raises(SpecError, match="Self-help vs nothing"):
        net.influence(terms="Self-help vs nothing")
    for function in (bm.influence, bm.predictive_checks):
        with pytest.raises(SpecError, match=r"net\.influence\(\), net\.predictive_checks\(\)"):
            function(net)


def test_treatments_that_a_trial_alone_connects_have_no_numbers_without_it():
    net = bm.network(star(), better="lower")
    found = net.influence()
    row = found.loc[("y vs p", "b")] if "y vs p" in found.index else found.loc[("p vs x", "a")]
    assert np.isnan(row["estimate"])
    assert row["note"].startswith("not connected without it: ")
    checks = net.predictive_checks()
    assert set(checks["check"]) == {"given all", "largest residual"}
    # flat priors: the others do not determine the contrasts
    flat = bm.network(star(), priors={"d": "Flat()", "tau": "HalfNormal(1)"})
    rows = flat.influence()
    assert rows.drop(index="(none)", level="left_out")["estimate"].isna().sum() >= 3


def test_components_still_compare_treatments_that_no_trial_connects():
    rows = [
        ("a", "x", "p", 0.5, 0.2),
        ("b", "y", "p", 0.3, 0.2),
        ("c", "x+y", "p", 0.9, 0.2),
        ("d", "x", "p", 0.4, 0.2),
    ]
    data = bm.network_contrasts(pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"]), "MD")
    net = bm.network(data, components="+", inactive="p", priors={"d": "Normal(0, 2)", "tau": "HalfNormal(1)"})
    found = net.influence(terms="x+y vs p")
    # without c the sum of x and y is known from the others
    assert np.isfinite(found.loc[("x+y vs p", "c"), "estimate"])
    assert found.loc[("x+y vs p", "c"), "note"] == ""
    assert len(net.predictive_checks().query("check == 'given the others'")) == 4


def test_residual_deviance_and_leverage_of_each_trial_are_those_of_draws(net):
    found = net.deviances()
    assert found["deviance"].sum() == pytest.approx(net.residual_deviance)
    assert found["dic"].sum() == pytest.approx(net.dic)
    assert found["points"].sum() == net.contrasts.m
    theta = net.solution.sample(60_000, np.random.default_rng(5))["theta"]
    for k, at in enumerate(net.contrasts.slices):
        weights = np.linalg.inv(net.contrasts.S[at, at])
        residual = net.contrasts.y[at] - theta[:, at]
        deviance = np.einsum("si,ij,sj->s", residual, weights, residual)
        middle = residual.mean(axis=0)
        assert found.loc[k, "deviance"] == pytest.approx(deviance.mean(), abs=0.06)
        assert found.loc[k, "leverage"] == pytest.approx(deviance.mean() - middle @ weights @ middle, abs=0.06)
    trial = found.set_index("study").loc["Trial 15"]
    assert trial["signed_root"] == pytest.approx(-np.sqrt(trial["deviance"]))
