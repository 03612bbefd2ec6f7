"""Checks of fits with several estimates per study, or correlated sampling errors."""

import numpy as np
import pandas as pd
import pytest
from dependent import MODELS, TABLE, covariance, fitted
from scipy.stats import multivariate_normal, norm

import bayesmeta as bm
from bayesmeta.engines.normal.study_blocks import replicated_estimates, study_log_likelihood


@pytest.fixture(scope="module", params=MODELS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def post(name: str) -> bm.Posterior:
    return fitted(name)


def expected(post: bm.Posterior, draws: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack([draws[term] for term in post.data.design.names], axis=1) @ post.data.design.matrix.T


def test_the_likelihood_of_studies_is_that_of_the_definition(name: str, post: bm.Posterior) -> None:
    draws = post.solution.sample_pooled(3, np.random.default_rng(1))
    value, mean = study_log_likelihood(post.data, draws).sum(axis=1), expected(post, draws)
    for i in range(3):
        by_definition = multivariate_normal(mean[i], covariance(name, draws, i)).logpdf(TABLE.yi)
        assert value[i] == pytest.approx(by_definition, abs=1e-9)


def test_new_data_have_the_covariance_of_the_definition(name: str, post: bm.Posterior) -> None:
    one = {
        key: np.repeat(value[:1], 40_000)
        for key, value in post.solution.sample_pooled(1, np.random.default_rng(2)).items()
    }
    new = replicated_estimates(post.data, one, np.random.default_rng(3))
    whole = covariance(name, one, 0)
    error = np.sqrt((np.outer(np.diag(whole), np.diag(whole)) + whole**2) / len(new))
    assert np.abs((np.cov(new.T) - whole) / error).max() < 5
    np.testing.assert_allclose(
        new.mean(axis=0), expected(post, one)[0], atol=5 * np.sqrt(np.diag(whole).max() / len(new))
    )


def test_an_estimate_is_compared_with_a_new_one_of_a_new_study(name: str, post: bm.Posterior) -> None:
    found = bm.predictive_checks(post).set_index(["check", "study"])
    assert set(found.index.get_level_values(0)) == {"given all", "given the others", "Q", "largest residual"}
    i = 3
    label = post.data.labels[i]
    for check, one in (("given all", post), ("given the others", fitted(name, TABLE.study != "b"))):
        draws = one.solution.sample_pooled(40_000, np.random.default_rng(4))
        tau = draws["tau[y]"] if "UN" in name else draws["tau"]
        mean = np.stack([draws[term] for term in one.data.design.names], axis=1) @ post.data.design.matrix[i]
        tail = norm.cdf((TABLE.yi[i] - mean) / np.sqrt(tau**2 + TABLE.vi[i]))
        assert found.loc[(check, label), "tail"] == pytest.approx(tail.mean(), abs=5 * tail.std() / 200)
        assert found.loc[(check, label), "mcse"] == 0


def test_q_is_that_of_generalized_least_squares() -> None:
    post = fitted("three levels, sampling correlation")
    root = np.sqrt(TABLE.vi.to_numpy())
    same = TABLE.study.to_numpy()[:, None] == TABLE.study.to_numpy()
    weight = np.linalg.inv(np.outer(root, root) * (0.5 * same + 0.5 * np.eye(9)))
    y = TABLE.yi - weight.sum(axis=0) @ TABLE.yi / weight.sum()
    found = bm.predictive_checks(post).set_index("check")
    assert found.loc["Q", "observed"] == pytest.approx(y @ weight @ y, rel=1e-10)


def test_power_scaling_is_that_of_refits(name: str) -> None:
    # raising the prior for mu to a power is a narrower or wider normal prior; sensitive to it is what is far from it
    near = bm.power_scaling(fitted(name))
    far = bm.power_scaling(fitted(name, priors={"mu": "Normal(3, 0.3)", "tau": "HalfNormal(0.5)"}))
    names = ("prior_mu", "prior_effect_at_means", "prior_outcome[x]")
    of_effect = next(name for name in near.columns if name in names)
    first = near.index[0]
    assert far.loc[first, of_effect] > 3 * near.loc[first, of_effect]
    scales = {"three levels": ["tau", "rho"], "outcomes, CS": ["tau", "rho"], "one effect per study": ["tau"]}
    assert set(scales.get(name.split(", moderator")[0].split(", sampling")[0], ["tau[x]", "tau[y]", "rho"])) <= set(
        near.index
    )
    # a uniform prior is the same everywhere, whatever its power
    if "rho" in near.index:
        assert (near["prior_rho"] == 0).all()
        assert bm.power_scaling(fitted(name, priors={"rho": "Beta(3, 3)"})).loc["rho", "prior_rho"] > 0


def test_a_uniform_prior_for_tau_has_no_sensitivity() -> None:
    found = bm.power_scaling(yi=TABLE.yi, vi=TABLE.vi, measure="SMD", priors={"tau": "Uniform(0, 3)"})
    assert (found["prior_tau"] == 0).all()
    assert found.loc["mu", "prior"] == pytest.approx(found.loc["mu", "prior_mu"], rel=1e-6)


def test_influence_and_priors_by_outcome() -> None:
    post = fitted("outcomes, UN, means")
    found = bm.influence(post, term="outcome[y]")
    rest = fitted("outcomes, UN, means", TABLE.study != "c")
    row = found.loc["c"]
    assert row["tau[x]"] == pytest.approx(rest.quantile("tau[x]", 0.5), rel=1e-8)
    assert row["tau_high[y]"] == pytest.approx(rest.quantile("tau[y]", 0.975), rel=1e-8)
    assert (row.pi_low, row.pi_high) == pytest.approx(
        tuple(rest.quantile("theta_new[y]", np.array([0.025, 0.975]))), rel=1e-8
    )
    table = bm.prior_sensitivity(post, tau_priors=["HalfNormal(0.2)"], mu_priors=[])
    again = fitted("outcomes, UN, means", priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.2)"})
    assert table.loc[1, "tau[x]"] == pytest.approx(again.quantile("tau[x]", 0.5), rel=1e-8)


def test_prediction_interval_of_the_coefficient_of_one_outcome() -> None:
    post = fitted("outcomes, UN, means", within="outcome", structure="CS")
    found = bm.influence(post, term="outcome[y]").loc["(none)"]
    assert found.pi_high == pytest.approx(post.quantile("theta_new[y]", 0.975), rel=1e-8)


def test_estimates_that_share_an_arm_are_left_out_together() -> None:
    shared = pd.DataFrame(
        {
            "study": ["a", "a", "b", "c", "d"], "events_e": [5, 8, 9, 4, 7], "n_e": 50, "events_c": [10, 10, 12, 9, 11],
            "n_c": 50, "shared_arm_c": ["one", "one", "", "", ""],
        }
    )  # fmt: skip
    post = bm.fit(shared, measure="RR", likelihood="normal", moderators="~ 1", priors={"tau": "HalfNormal(0.5)"})
    assert not post.data.covariance.diagonal
    loo = bm.leave_one_out(post)
    assert list(loo.index) == ["a", "b", "c", "d"]
    rest = bm.fit(
        shared.iloc[2:], measure="RR", likelihood="normal", moderators="~ 1", priors={"tau": "HalfNormal(0.5)"}
    )
    assert loo.log_predictive["a"] == pytest.approx(
        post.log_marginal_likelihood - rest.log_marginal_likelihood, abs=1e-9
    )
    assert loo.psis_error.abs().max() < 0.1
    assert loo["tail"].isna().tolist() == [True, False, False, False]
    assert bm.influence(post).loc["a", "estimate"] == pytest.approx(rest.quantile(rest.terms[0], 0.5), rel=1e-8)
    checks = bm.predictive_checks(post)
    assert (checks.check == "given the others").sum() == 5
    assert bm.power_scaling(post)["likelihood"].gt(0).all()


def test_where_all_sampling_errors_are_correlated_rows_are_left_out() -> None:
    whole = np.diag(TABLE.vi) * 0.7 + 0.01
    post = bm.fit(yi=TABLE.yi, covariance=whole, measure="SMD", priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"})
    loo = bm.leave_one_out(post)
    assert len(loo) == 9
    assert "pareto_k" not in loo
    # the others predict an estimate through the covariance too
    kept = np.arange(1, 9)
    rest = bm.fit(
        yi=TABLE.yi[kept],
        covariance=whole[np.ix_(kept, kept)],
        measure="SMD",
        priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"},
    )
    assert loo.log_predictive.iloc[0] == pytest.approx(
        post.log_marginal_likelihood - rest.log_marginal_likelihood, abs=1e-9
    )
    assert set(bm.predictive_checks(post).check) == {"given all", "Q", "largest residual"}
    assert bm.power_scaling(post)["likelihood"].gt(0).all()
