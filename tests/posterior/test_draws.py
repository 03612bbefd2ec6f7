"""The draws as an arviz DataTree: groups, coordinates and contents."""

from __future__ import annotations

import json

import arviz as az
import numpy as np
import pytest
from scipy import stats

from bayesmeta.model.likelihoods.registry import likelihood_for

GROUPS = {"posterior", "prior", "posterior_predictive", "log_likelihood", "observed_data", "constant_data"}


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


def test_log_likelihood_and_predictions(drawn):
    tree = drawn.draws
    theta = tree["posterior"]["theta"].values
    expected = stats.norm.logpdf(drawn.data.columns["effect"], theta, drawn.data.columns["se"])
    np.testing.assert_allclose(tree["log_likelihood"]["effect"].values, expected, rtol=1e-12)
    predicted = tree["posterior_predictive"]["effect"].values
    assert predicted.shape == theta.shape
    spread = np.sqrt(theta.var(axis=(0, 1)) + drawn.data.columns["se"] ** 2)
    np.testing.assert_allclose(predicted.std(axis=(0, 1)), spread, rtol=0.06)


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
    assert set(posterior.draws["prior"].data_vars) == {"tau"}


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


@pytest.mark.parametrize("which", ["exact", "drawn"])
def test_arviz_reads_them(which, request):
    tree = request.getfixturevalue(which).draws
    # importance sampling is poor for some of these trials, and arviz warns
    with pytest.warns(UserWarning, match="Pareto"):
        found = az.loo(tree, pointwise=True)
    assert np.isfinite(found.elpd)
    assert found.n_data_points == 13
    assert az.hdi(tree["posterior"].to_dataset(), prob=0.9)["mu"].shape == (2,)


@pytest.mark.sampling
@pytest.mark.parametrize(
    ("which", "observed"), [("resistant_nuts", ("events_e", "events_c")), ("symptoms_nuts", ("t",))]
)
def test_arm_level_fits(which, observed, request):
    posterior = request.getfixturevalue(which)
    tree = posterior.draws
    k = posterior.data.k
    assert set(tree.children) == GROUPS | {"sample_stats"}
    assert tuple(tree["observed_data"].data_vars) == observed
    for name in observed:
        assert tree["posterior_predictive"][name].shape == (*tree["posterior"]["mu"].shape, k)
        assert tree["posterior_predictive"][name].dims == ("chain", "draw", "study")
    likelihood = likelihood_for(posterior.likelihood, posterior.measure)
    nuisance = tree["posterior"][likelihood.nuisance].values if likelihood.nuisance else None
    (name,) = tree["log_likelihood"].data_vars
    expected = likelihood.log_density(posterior.data.columns, tree["posterior"]["theta"].values, nuisance)
    np.testing.assert_array_equal(tree["log_likelihood"][name].values, expected)
    assert np.isfinite(expected).all()
    assert tuple(tree["posterior"]["study"].values) == posterior.data.labels
    assert not tree["sample_stats"]["diverging"].values.any()
    if which == "resistant_nuts":
        predicted = tree["posterior_predictive"]["events_c"].values
        assert (predicted <= posterior.data.columns["n_c"]).all()
        np.testing.assert_allclose(predicted.mean(axis=(0, 1)), posterior.data.columns["events_c"], atol=3)
