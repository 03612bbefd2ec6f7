"""The draws as an arviz DataTree: groups, coordinates and contents."""

from __future__ import annotations

import dataclasses
import json

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayesmeta.checks.leave_one_out import leave_one_out
from bayesmeta.checks.power_scaling import power_scaling
from bayesmeta.model.likelihoods.registry import likelihood_for
from bayesmeta.posterior.storage import load_posterior

PREDICTIVE = {"prior_predictive", "posterior_predictive", "posterior_predictive_given_theta"}
GROUPS = PREDICTIVE | {
    "posterior", "prior", "log_prior", "log_likelihood", "log_likelihood_given_theta", "observed_data", "constant_data"
}  # fmt: skip


@pytest.mark.parametrize("which", ["exact", "drawn"])
def test_groups_and_coordinates(which, request):
    posterior = request.getfixturevalue(which)
    tree = posterior.draws
    assert set(tree.children) == GROUPS | ({"sample_stats"} if which == "drawn" else set())
    for name in ("posterior", "posterior_predictive", "log_likelihood", "observed_data", "constant_data"):
        assert tuple(tree[name]["study"].values) == posterior.data.labels
    assert dict(tree["posterior"].sizes) == {"chain": 4, "draw": 1000, "study": 13}
    assert set(tree["posterior"].data_vars) >= {"mu", "tau", "theta", "theta_new"}
    assert tree["posterior"]["theta"].dims == ("chain", "draw", "study")
    assert tree["posterior"]["mu"].dims == ("chain", "draw")
    label = posterior.data.labels[4]
    picked = tree["posterior"]["theta"].sel(study=label)
    assert float(picked.mean()) == pytest.approx(posterior.quantile(f"theta[{label}]", 0.5), abs=0.05)
    np.testing.assert_array_equal(tree["observed_data"]["effect"], posterior.data.columns["effect"])
    np.testing.assert_array_equal(tree["constant_data"]["se"], posterior.data.columns["se"])
    assert posterior.draws is tree


def test_provenance_and_priors_are_inside(exact, drawn):
    for posterior in (exact, drawn):
        spec = json.loads(posterior.draws.attrs["bayesmeta"])
        assert spec["priors"] == {"mu": "Normal(0, 2.82)", "tau": "HalfNormal(0.5)"}
        assert spec["provenance"]["numpy"] == np.__version__
        assert spec["seed"] == posterior.seed
        assert spec["engine"] == posterior.engine
        assert spec["measure"] == "RR"
    assert json.loads(drawn.draws.attrs["diagnostics"])["divergences"] == 0


@pytest.mark.parametrize("which", ["exact", "drawn"])
def test_log_likelihood_is_that_of_mu_and_tau(which, request):
    posterior = request.getfixturevalue(which)
    tree, columns = posterior.draws, posterior.data.columns
    mu, tau, theta = (tree["posterior"][name].values for name in ("mu", "tau", "theta"))
    marginal = stats.norm.logpdf(columns["effect"], mu[..., None], np.hypot(columns["se"], tau[..., None]))
    np.testing.assert_allclose(tree["log_likelihood"]["effect"].values, marginal, rtol=1e-12)
    given = stats.norm.logpdf(columns["effect"], theta, columns["se"])
    np.testing.assert_allclose(tree["log_likelihood_given_theta"]["effect"].values, given, rtol=1e-12)


def test_predictions_with_new_effects_and_with_the_studies_own(drawn):
    tree, se = drawn.draws, drawn.data.columns["se"]
    mu, tau, theta = (tree["posterior"][name].values for name in ("mu", "tau", "theta"))
    predicted = tree["posterior_predictive"]["effect"].values
    assert predicted.shape == theta.shape
    np.testing.assert_allclose(predicted.std(axis=(0, 1)), np.sqrt(mu.var() + (tau**2).mean() + se**2), rtol=0.1)
    own = tree["posterior_predictive_given_theta"]["effect"].values
    np.testing.assert_allclose(own.std(axis=(0, 1)), np.sqrt(theta.var(axis=(0, 1)) + se**2), rtol=0.06)
    prior = tree["prior_predictive"]["effect"].values
    assert prior.shape == (1, 4000, 13)
    np.testing.assert_allclose(prior.std(axis=(0, 1)), np.sqrt(2.82**2 + 0.5**2 + se**2), rtol=0.06)


def test_log_prior(fit):
    for priors, of_tau in (
        ({"tau": "HalfNormal(0.5)"}, lambda tau: stats.halfnorm(scale=0.5).logpdf(tau)),
        ({"tau2": "InvGamma(2, 0.1)"}, lambda tau: stats.invgamma(2, scale=0.1).logpdf(tau**2)),
    ):
        tree = fit(yi=[0.1, 0.4], sei=[0.2, 0.3], measure="OR", priors={"mu": "Normal(0, 2)", **priors}).draws
        mu, tau = (tree["posterior"][name].values for name in ("mu", "tau"))
        np.testing.assert_allclose(tree["log_prior"]["mu"].values, stats.norm(0, 2).logpdf(mu), rtol=1e-12)
        np.testing.assert_allclose(tree["log_prior"]["tau"].values, of_tau(tau), rtol=1e-10)
    tree = fit(yi=[0.1, 0.4], sei=[0.2, 0.3], measure="OR", priors={"mu": "Flat()", "tau": "Point(0.2)"}).draws
    assert "log_prior" not in tree.children


@pytest.mark.parametrize("which", ["exact", "drawn"])
def test_heterogeneity_is_in_the_posterior(which, request):
    posterior = request.getfixturevalue(which)
    for group in ("posterior", "prior"):
        found = posterior.draws[group]
        np.testing.assert_array_equal(found["tau2"], found["tau"] ** 2)
    assert float(found["i2"].max()) <= 100
    median = float(posterior.draws["posterior"]["i2"].median())
    assert median == pytest.approx(posterior.quantile("i2", 0.5), abs=1)


def test_prior_draws(exact):
    prior = exact.draws["prior"]
    assert prior["mu"].shape == (1, 4000)
    mu, tau, new = (prior[name].values.ravel() for name in ("mu", "tau", "theta_new"))
    assert stats.kstest(mu, stats.norm(0, 2.82).cdf).pvalue > 1e-4
    assert stats.kstest(tau, stats.halfnorm(scale=0.5).cdf).pvalue > 1e-4
    assert new.var() == pytest.approx(mu.var() + (tau**2).mean(), rel=0.06)


def test_a_flat_prior_for_mu_has_no_draws(fit):
    posterior = fit(
        yi=[0.1, 0.4], sei=[0.2, 0.3], priors={"mu": "Flat()", "tau": "HalfNormal(0.5)"}, engine="quadrature"
    )
    assert set(posterior.draws["prior"].data_vars) == {"tau", "tau2", "i2"}
    assert "prior_predictive" not in posterior.draws.children


def test_quadrature_draws_are_independent_and_follow_the_exact_posterior(exact):
    found = exact.draws["posterior"]
    summary = az.summary(exact.draws, var_names=["mu", "tau", "theta_new"], round_to="none", ci_prob=0.95)
    assert (summary["r_hat"].astype(float) < 1.01).all()
    assert (summary["ess_bulk"].astype(float) > 3000).all()
    for term in ("mu", "tau", "theta_new"):
        values = found[term].values.ravel()
        assert stats.kstest(values, lambda x, term=term: exact.cdf(term, x)).pvalue > 1e-4


def test_the_same_seed_gives_the_same_draws(fit):
    one, two, other = (fit(yi=[0.1, 0.4], sei=[0.2, 0.3], measure="SMD", seed=seed) for seed in (1, 1, 2))
    assert one.draws.identical(two.draws)
    assert not np.array_equal(one.draws["posterior"]["mu"], other.draws["posterior"]["mu"])


@pytest.fixture(scope="module")
def counts(bcg, fit):
    """The thirteen trials with the binomial likelihood, by quadrature."""
    return fit(bcg, measure="RR", engine="quadrature")


@pytest.mark.parametrize("which", ["exact", "drawn", "counts"])
def test_loo_leaves_studies_out(which, request):
    """arviz' approximation from the draws, against one refit per study."""
    posterior = request.getfixturevalue(which)
    exact = leave_one_out(posterior, psis=False)
    # no warning of high Pareto k, which would be an error
    found = az.loo(posterior.draws, pointwise=True)
    assert found.n_data_points == 13
    assert found.elpd == pytest.approx(exact.attrs["elpd_loo"], abs=0.15)
    np.testing.assert_allclose(found.elpd_i.values, exact["log_predictive"], atol=0.15)
    assert float(found.pareto_k.max()) < 0.7


def test_loo_probabilities_are_those_of_the_refits(exact):
    found = az.loo_pit(exact.draws)["effect"].values
    np.testing.assert_allclose(found, leave_one_out(exact, psis=False)["tail"], atol=0.05)


PLOTS = (
    "plot_loo_pit", "plot_loo_interval", "plot_ppc_dist", "plot_ppc_pit", "plot_ppc_interval", "plot_ppc_tstat", "plot_ppc_dist_pit"
)  # fmt: skip


@pytest.mark.parametrize("which", ["exact", "drawn", "counts", "symptoms"])
def test_arviz_takes_them(which, request):
    """Every function as a user calls it; for counts the results of studies are named, since arviz has no one plot for both kinds."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    tree = request.getfixturevalue(which).draws
    named = {"var_names": "effect"} if which == "counts" else {}
    for name in PLOTS:
        getattr(az, name)(tree, **named)
        plt.close("all")
    az.plot_ppc_dist(tree, group="prior_predictive", **named)
    az.plot_trace(tree, var_names=["mu", "tau", "tau2", "i2", "theta_new"])
    az.plot_prior_posterior(tree, var_names=["mu", "tau"])
    az.plot_psense_dist(tree, var_names=["mu", "tau"])
    plt.close("all")
    summary = az.summary(tree, ci_prob=0.95)
    assert {"mu", "tau", "tau2", "i2", "theta_new"} <= set(summary.index)
    sensitivity = az.psense_summary(tree, var_names=["mu", "tau", "theta_new"])
    assert np.isfinite(sensitivity[["prior", "likelihood"]].to_numpy(float)).all()
    assert az.hdi(tree["posterior"].to_dataset(), prob=0.9)["mu"].shape == (2,)


@pytest.fixture(scope="module")
def symptoms(fit):
    """Four t statistics, noncentral t likelihood."""
    table = pd.DataFrame(
        {
            "study": list("ABCD"),
            "mean_e": [1.2, 0.9, 1.6, 1.1], "sd_e": [1.0, 1.1, 0.9, 1.2], "n_e": [20, 35, 15, 40],
            "mean_c": [1.0, 1.0, 1.1, 1.2], "sd_c": [1.1, 1.0, 1.0, 1.1], "n_c": [22, 33, 16, 38],
        }
    )  # fmt: skip
    return fit(table, measure="SMD", likelihood="nct", engine="quadrature")


def test_power_scaling_by_arviz_is_that_of_the_check(exact):
    found = az.psense_summary(exact.draws, var_names=["mu", "tau", "theta_new"], round_to=6)
    expected = power_scaling(exact)
    np.testing.assert_allclose(found["prior"].astype(float), expected["prior"], atol=0.02)
    np.testing.assert_allclose(found["likelihood"].astype(float), expected["likelihood"], atol=0.02)


def test_counts_are_integers(counts):
    tree = counts.draws
    for group in ("observed_data", "posterior_predictive", "posterior_predictive_given_theta", "prior_predictive"):
        for name in ("events_e", "events_c"):
            assert tree[group][name].dtype == np.int64
    assert tree["constant_data"]["n_e"].dtype == np.int64
    np.testing.assert_array_equal(tree["observed_data"]["events_e"], counts.data.columns["events_e"])
    crude = np.log((4.5 / 123.5) / (11.5 / 139.5))
    assert float(tree["observed_data"]["effect"].sel(study="Aronson 1948")) == pytest.approx(crude, abs=0.01)


def test_rates_have_predictions_from_their_wide_prior(fit):
    table = pd.DataFrame(
        {"study": ["A", "B"], "events_e": [3, 8], "time_e": [100.0, 250.0], "events_c": [7, 9], "time_c": [90.0, 260.0]}
    )
    tree = fit(table, measure="IRR").draws
    assert (tree["prior_predictive"]["events_e"].values >= 0).all()
    assert tree["log_likelihood"]["effect"].shape == (4, 1000, 2)


def test_attributes_and_bytes(fit, tmp_path):
    posteriors = [
        fit(yi=[0.1, 0.4], sei=[0.2, 0.3], measure="OR", priors={"tau": "HalfNormal(0.4)"}, seed=3) for _ in range(2)
    ]
    attrs = posteriors[0].draws.attrs
    assert attrs["measure"] == "OR"
    assert attrs["likelihood"] == "normal"
    assert attrs["engine"] == "quadrature"
    assert attrs["scale"] == "log"
    assert attrs["seed"] == 3
    assert attrs["inference_library"] == "bayesmeta"
    assert json.loads(attrs["priors"])["tau"] == "HalfNormal(0.4)"
    assert json.loads(attrs["versions"])["numpy"] == np.__version__
    assert posteriors[0].draws["posterior"].attrs["inference_library"] == "bayesmeta"
    # no time and no other trace of the run: equal fits write equal files
    one, two = (posterior.save(tmp_path / f"{i}.nc").read_bytes() for i, posterior in enumerate(posteriors))
    assert one == two


def test_draws_of_counts_survive_a_file(counts, tmp_path):
    loaded = load_posterior(counts.save(tmp_path / "fit.nc"))
    assert loaded.draws.identical(counts.draws)
    assert loaded.data.columns["events_e"].dtype == float
    assert set(loaded.data.columns) == set(counts.data.columns)


def test_a_model_of_the_users_own_has_only_its_own_quantities(drawn):
    other = dataclasses.replace(drawn, model="my_model")
    assert set(other.draws.children) == {"posterior", "sample_stats", "observed_data", "constant_data"}
    assert "tau2" not in other.draws["posterior"]


@pytest.mark.sampling
@pytest.mark.parametrize(
    ("which", "observed"), [("resistant_nuts", ("events_e", "events_c")), ("symptoms_nuts", ("t",))]
)
def test_arm_level_fits(which, observed, request):
    posterior = request.getfixturevalue(which)
    tree = posterior.draws
    k = posterior.data.k
    assert set(tree.children) == GROUPS | {"sample_stats"}
    assert tuple(tree["observed_data"].data_vars)[: len(observed)] == observed
    for name in observed:
        assert tree["posterior_predictive"][name].shape == (*tree["posterior"]["mu"].shape, k)
        assert tree["posterior_predictive"][name].dims == ("chain", "draw", "study")
    likelihood = likelihood_for(posterior.likelihood, posterior.measure)
    nuisance = tree["posterior"][likelihood.nuisance].values if likelihood.nuisance else None
    (name,) = tree["log_likelihood_given_theta"].data_vars
    assert tuple(tree["log_likelihood"].data_vars) == (name,)
    expected = likelihood.log_density(posterior.data.columns, tree["posterior"]["theta"].values, nuisance)
    np.testing.assert_array_equal(tree["log_likelihood_given_theta"][name].values, expected)
    # the marginal likelihood of a study averages over effects and baselines
    assert np.isfinite(tree["log_likelihood"][name].values).all()
    assert np.isfinite(expected).all()
    assert tuple(tree["posterior"]["study"].values) == posterior.data.labels
    assert not tree["sample_stats"]["diverging"].values.any()
    if which == "resistant_nuts":
        predicted = tree["posterior_predictive_given_theta"]["events_c"].values
        assert (predicted <= posterior.data.columns["n_c"]).all()
        np.testing.assert_allclose(predicted.mean(axis=(0, 1)), posterior.data.columns["events_c"], atol=3)
