"""Leave-one-study-out: refits against predictive densities in closed form, importance sampling, tails in closed form."""

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import dblquad
from scipy.stats import norm

import bayesmeta as bm
from bayesmeta.checks.leave_one_out import leave_one_out, psis_log_predictive, tail_probability
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.engines.study_log_likelihood import pointwise_log_likelihood
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.posterior.given import as_posterior
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.refit import exact_fit, leave_each_out, refit

Y, V = np.array([0.1, 0.3, -0.2, 0.9]), np.array([0.04, 0.1, 0.09, 0.02])
PRIORS = {"mu": "Normal(0.1, 0.7)", "tau": "HalfNormal(0.5)"}


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return bm.fit(yi=Y, vi=V, labels=list("ABCD"), priors=PRIORS)


@pytest.mark.parametrize("priors", [PRIORS, {**PRIORS, "mu": "Flat()"}, {**PRIORS, "tau": "LogNormal(-1, 1)"}])
def test_log_predictive_densities_against_the_others_posterior(priors: dict[str, str]) -> None:
    """p(D_i | D_-i) is also N(y_i; mu, v_i + tau2) averaged over the posterior of the others."""
    found = leave_one_out(yi=Y, vi=V, priors=priors, psis=False)
    for i in range(4):
        rest = np.arange(4) != i
        new = bm.fit(yi=Y[rest], vi=V[rest], priors=priors).marginal("theta_new")
        density = norm.pdf(Y[i], new.means[0], np.sqrt(new.sds[0] ** 2 + V[i])) @ new.weights
        assert found["log_predictive"].iloc[i] == pytest.approx(np.log(density), abs=1e-9)
        tail = norm.cdf(Y[i], new.means[0], np.sqrt(new.sds[0] ** 2 + V[i])) @ new.weights
        assert found["tail"].iloc[i] == pytest.approx(tail, abs=1e-12)


def test_against_a_double_integral(posterior: Posterior) -> None:
    def joint(mu: float, tau: float, i: np.ndarray) -> float:
        prior = norm.pdf(mu, 0.1, 0.7) * 2 * norm.pdf(tau, 0, 0.5)
        return float(prior * np.prod(norm.pdf(Y[i], mu, np.sqrt(V[i] + tau**2))))

    found = leave_one_out(posterior, psis=False)
    whole, rest = (dblquad(joint, 0, 4, -4, 4, args=(np.arange(n),), epsrel=1e-9)[0] for n in (4, 3))
    assert found.loc["D", "log_predictive"] == pytest.approx(np.log(whole / rest), abs=1e-7)


def test_the_sum_and_its_standard_error(posterior: Posterior) -> None:
    found = leave_one_out(posterior)
    assert list(found.index) == list("ABCD")
    assert found.attrs["elpd_loo"] == pytest.approx(found["log_predictive"].sum(), rel=1e-14)
    assert found.attrs["elpd_loo_se"] == pytest.approx(2 * found["log_predictive"].std(), rel=1e-13)


def test_importance_sampling_comes_close_where_pareto_k_is_low(bcg: pd.DataFrame) -> None:
    found = leave_one_out(bcg, measure="RR", likelihood="normal")
    good = found["pareto_k"] < 0.5
    assert good.sum() >= 8
    assert found.loc[good, "psis_error"].abs().max() < 0.05
    np.testing.assert_allclose(found["log_predictive_psis"] - found["log_predictive"], found["psis_error"], atol=1e-14)


def test_importance_sampling_from_sampled_draws(drawn: Posterior) -> None:
    """From NUTS draws, compared with exact refits of the same model."""
    found = leave_one_out(drawn)
    assert found.loc[found["pareto_k"] < 0.5, "psis_error"].abs().max() < 0.05
    value, pareto_k = psis_log_predictive(drawn)
    np.testing.assert_array_equal(found["log_predictive_psis"], value)
    assert len(pareto_k) == 13


def test_an_outlier_is_the_worst_predicted_and_in_the_tail() -> None:
    found = leave_one_out(yi=[0.1, 0.12, 0.08, 0.11, 1.8], sei=[0.1] * 5, priors={"tau": "HalfNormal(0.1)"})
    assert found["log_predictive"].idxmin() == found.index[-1]
    assert found["tail"].iloc[-1] > 0.999
    assert found["pareto_k"].idxmax() == found.index[-1]


def test_order_and_units_do_not_matter() -> None:
    found = leave_one_out(yi=Y, vi=V, labels=list("ABCD"), priors={"mu": "Normal(0, 1)"}, psis=False)
    back = leave_one_out(yi=Y[::-1], vi=V[::-1], labels=list("DCBA"), priors={"mu": "Normal(0, 1)"}, psis=False)
    np.testing.assert_allclose(back.loc[list("ABCD")], found, atol=1e-11)
    mirrored = leave_one_out(yi=-Y, vi=V, labels=list("ABCD"), priors={"mu": "Normal(0, 1)"}, psis=False)
    np.testing.assert_allclose(mirrored["log_predictive"], found["log_predictive"], atol=1e-11)
    np.testing.assert_allclose(mirrored["tail"], 1 - found["tail"], atol=1e-12)


def test_tails_of_t_statistics_by_quantiles() -> None:
    """A noncentral t whose effect is predicted by a posterior of normal estimates."""
    table = pd.DataFrame(
        {"study": ["A", "B", "C"], "mean_e": [10.1, 11.4, 9.0], "sd_e": [2.1, 3.0, 2.5], "n_e": [30, 45, 22],
         "mean_c": [11.0, 12.9, 9.2], "sd_c": [2.4, 2.8, 2.2], "n_c": [31, 40, 25]}
    )  # fmt: skip
    predictor = bm.fit(table, measure="SMD", likelihood="normal", engine="quadrature")
    data = model_data(effect_sizes(table, measure="SMD"), "nct")
    target = Posterior(data, predictor.priors, "quadrature", "continuous_smd", predictor.solution, 1)
    draws = predictor.solution.sample(20000, np.random.default_rng(2))["theta_new"]
    t, df, root_n = (data.columns[name][1] for name in ("t", "df", "root_n"))
    rng = np.random.default_rng(6)
    new = (draws * root_n + rng.standard_normal(20000)) / np.sqrt(rng.chisquare(df, 20000) / df)
    assert tail_probability(target, 1, predictor) == pytest.approx((new <= t).mean(), abs=4 * 0.5 / np.sqrt(20000))


def test_counts_have_no_tail_in_closed_form(bcg: pd.DataFrame, exact: Posterior) -> None:
    data = model_data(effect_sizes(bcg, measure="RR"), "binomial")
    target = Posterior(data, exact.priors, "quadrature", "binary_rr", exact.solution, 1)
    assert np.isnan(tail_probability(target, 0, exact))


def test_given_refits_are_used(posterior: Posterior) -> None:
    without = leave_each_out(posterior)
    assert [one.data.k for one in without] == [3, 3, 3, 3]
    pd.testing.assert_frame_equal(leave_one_out(posterior, without=without), leave_one_out(posterior))


def test_refits_have_the_same_model(posterior: Posterior, drawn: Posterior) -> None:
    assert as_posterior(posterior) is posterior
    assert exact_fit(posterior) is posterior
    assert exact_fit(drawn).engine == "quadrature"
    assert exact_fit(drawn).data.labels == drawn.data.labels
    assert refit(posterior).log_marginal_likelihood == posterior.log_marginal_likelihood
    with pytest.raises(SpecError, match="so measure, seed cannot be given"):
        as_posterior(posterior, measure="RR", seed=3)


def test_one_study_is_an_error() -> None:
    with pytest.raises(DataError, match="leaving a study out needs at least two studies"):
        leave_one_out(yi=[0.1], sei=[0.2])


def test_counts_against_a_grid() -> None:
    """Three trials, risk ratios: log p(D_3 | D_1, D_2) from g_i(mu, tau) on a grid of mu and tau."""
    counts = pd.DataFrame(
        {
            "study": ["A", "B", "C"],
            "events_e": [4, 0, 9],
            "n_e": [40, 60, 90],
            "events_c": [9, 2, 8],
            "n_c": [41, 58, 88],
        }
    )
    posterior = bm.fit(counts, measure="RR", likelihood="binomial", engine="quadrature")
    found = leave_one_out(posterior)
    mu, tau = (grid.ravel() for grid in np.meshgrid(np.linspace(-6, 4, 241), np.linspace(0.004, 2.4, 240)))
    prior = norm.logpdf(mu, 0, 2.82) + norm.logpdf(tau, 0, 0.5)
    each = pointwise_log_likelihood(posterior.data, posterior.priors, mu, tau)
    whole, rest = (np.log(np.exp(prior + each[:, keep].sum(axis=1)).sum()) for keep in ([0, 1, 2], [0, 1]))
    assert found.loc["C", "log_predictive"] == pytest.approx(whole - rest, abs=2e-3)
    assert found["tail"].isna().all()
    good = found["pareto_k"] < 0.5
    assert found.loc[good, "psis_error"].abs().max() < 0.1


def test_the_normal_likelihood_given_mu_and_tau() -> None:
    posterior = bm.fit(yi=Y, vi=V)
    found = pointwise_log_likelihood(posterior.data, posterior.priors, np.array([0.2, -0.1]), np.array([0.0, 0.7]))
    known = [norm.logpdf(Y, 0.2, np.sqrt(V)), norm.logpdf(Y, -0.1, np.sqrt(V + 0.49))]
    np.testing.assert_allclose(found, known, rtol=1e-12)
