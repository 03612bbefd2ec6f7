"""The posterior as a value: its distribution functions agree with each other, its draws with both, and it survives the disk."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import integrate

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError

Y = [-0.89, -1.59, -1.35, -1.44, -0.22, -0.79, -1.62, 0.01, -0.47, -1.37, -0.34, 0.45, -0.02]
V = [0.326, 0.195, 0.415, 0.020, 0.051, 0.007, 0.223, 0.004, 0.056, 0.073, 0.012, 0.533, 0.071]
LABELS = [f"Trial {i}" for i in range(13)]
TERMS = ("mu", "tau", "tau2", "i2", "theta_new", "theta[Trial 3]")
PRIORS = ("HalfNormal(0.5)", "HalfCauchy(0.5)", "LogNormal(-1.28, 0.87)", "Uniform(0, 4)", "LogT(5, -1.72, 1.295)")


def fitted(tau: str = "HalfCauchy(0.5)", k: int = 13, **options: object) -> bm.Posterior:
    priors = {"mu": "Normal(0, 2.82)", "tau": tau}
    return bm.fit(yi=Y[:k], vi=V[:k], labels=LABELS[:k], measure="RR", likelihood="normal", priors=priors, **options)


@pytest.fixture(scope="module")
def posterior() -> bm.Posterior:
    return fitted(seed=7)


@pytest.mark.parametrize("k", [4, 13])
@pytest.mark.parametrize("tau", PRIORS)
@pytest.mark.parametrize("term", TERMS)
def test_quantile_cdf_and_pdf_agree(term: str, tau: str, k: int) -> None:
    one = fitted(tau, k)
    p = np.array([0.001, 0.025, 0.2, 0.5, 0.8, 0.975, 0.999])
    x = one.quantile(term, p)
    np.testing.assert_allclose(one.cdf(term, x), p, atol=1e-12)
    # densities of tau2 and I2 have a pole at zero, so there the step must shrink with the value
    step = 1e-4 * (np.minimum(x, x[4] - x[2]) if term in ("tau", "tau2", "i2") else x[4] - x[2])
    slope = (one.cdf(term, x + step) - one.cdf(term, x - step)) / (2 * step)
    np.testing.assert_allclose(one.pdf(term, x), slope, rtol=1e-5, atol=1e-7)
    pieces = [integrate.quad(lambda v: one.pdf(term, v), a, b)[0] for a, b in pairwise(x)]
    np.testing.assert_allclose(pieces, np.diff(p), rtol=1e-7)


@pytest.mark.parametrize("term", TERMS)
def test_numbers_and_arrays_of_any_shape(posterior: bm.Posterior, term: str) -> None:
    p = np.array([[0.1, 0.5, 0.9], [0.2, 0.3, 0.4]])
    x = posterior.quantile(term, p)
    for function, points in ((posterior.quantile, p), (posterior.cdf, x), (posterior.pdf, x)):
        found = function(term, points)
        assert found.shape == (2, 3)
        alone = function(term, float(points[0, 1]))
        assert isinstance(alone, float)
        assert alone == pytest.approx(found[0, 1], rel=1e-12)
    assert isinstance(posterior.hdi(term)[0], float)


@pytest.mark.parametrize("mass", [0.5, 0.95])
@pytest.mark.parametrize("tau", PRIORS)
@pytest.mark.parametrize("term", TERMS)
def test_the_hdi_is_the_shortest_interval(term: str, tau: str, mass: float) -> None:
    one = fitted(tau)
    low, high = one.hdi(term, mass)
    assert one.cdf(term, high) - one.cdf(term, low) == pytest.approx(mass, abs=1e-8)
    lower = np.linspace(0.0 if term in ("tau", "tau2", "i2") else 1e-6, 1 - mass - 1e-6, 2001)
    width = one.quantile(term, lower + mass) - one.quantile(term, lower)
    assert high - low <= width.min() * (1 + 1e-9)
    assert high - low >= width.min() * (1 - 1e-3)


def test_tau2_and_i2_are_functions_of_tau(posterior: bm.Posterior) -> None:
    p = np.linspace(0.01, 0.99, 9)
    tau = posterior.quantile("tau", p)
    np.testing.assert_allclose(posterior.quantile("tau2", p), tau**2, rtol=1e-12)
    w = 1 / np.array(V)
    typical = 12 * w.sum() / (w.sum() ** 2 - (w**2).sum())
    np.testing.assert_allclose(posterior.quantile("i2", p), 100 * tau**2 / (tau**2 + typical), rtol=1e-12)


@pytest.mark.parametrize("p", [-0.1, 1.1, np.nan, [0.5, 2.0]])
def test_only_probabilities_have_quantiles(posterior: bm.Posterior, p: object) -> None:
    with pytest.raises(SpecError, match=r"a probability must be in \[0, 1\] but got"):
        posterior.quantile("mu", p)


def test_unknown_terms_are_refused(posterior: bm.Posterior) -> None:
    with pytest.raises(SpecError, match=r"unknown term 'tau_2'; did you mean 'tau2'\?"):
        posterior.quantile("tau_2", 0.5)
    with pytest.raises(SpecError, match="unknown term"):
        posterior.cdf("theta[Trial 99]", 0.0)


# draws ---------------------------------------------------------------------------------------------------------------


def test_the_draws_are_in_the_schema_of_arviz(posterior: bm.Posterior) -> None:
    tree = posterior.draws
    assert tree is posterior.draws
    groups = {"posterior", "prior", "log_prior", "log_likelihood", "observed_data", "constant_data"}
    predictive = {"prior_predictive", "posterior_predictive", "posterior_predictive_given_theta"}
    assert set(tree.children) == groups | predictive | {"log_likelihood_given_theta"}
    draws = tree["posterior"]
    assert set(draws.data_vars) == {"mu", "tau", "tau2", "i2", "theta", "theta_new"}
    assert draws["theta"].dims == ("chain", "draw", "study")
    assert draws["mu"].dims == ("chain", "draw")
    assert list(draws["study"].values) == LABELS
    assert (draws.sizes["chain"], draws.sizes["draw"]) == (4, 1000)
    assert tree["observed_data"]["effect"].dims == ("study",)
    np.testing.assert_array_equal(tree["observed_data"]["effect"], Y)
    np.testing.assert_allclose(tree["constant_data"]["se"] ** 2, V)
    assert tree["log_likelihood"]["effect"].shape == (4, 1000, 13)
    assert tree["posterior_predictive"]["effect"].shape == (4, 1000, 13)
    se = np.sqrt(V)
    expected = -0.5 * np.log(2 * np.pi) - np.log(se) - 0.5 * ((np.array(Y) - draws["theta"].values) / se) ** 2
    np.testing.assert_allclose(tree["log_likelihood_given_theta"]["effect"], expected, rtol=1e-12, atol=1e-14)


def test_draws_agree_with_the_exact_quantiles(posterior: bm.Posterior) -> None:
    draws = posterior.draws["posterior"]
    flat = {name: draws[name].values.ravel() for name in ("mu", "tau", "theta_new")}
    flat["theta[Trial 3]"] = draws["theta"].sel(study="Trial 3").values.ravel()
    for term, value in flat.items():
        for p in (0.025, 0.25, 0.5, 0.75, 0.975):
            share = (value <= posterior.quantile(term, p)).mean()
            assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / 4000), (term, p)
    summary = bm.summarize(posterior)
    for term in ("mu", "tau", "theta[Trial 3]"):
        error = summary.loc[term, "sd"] / np.sqrt(4000)
        assert abs(flat[term].mean() - summary.loc[term, "mean"]) < 4 * error
    # independent draws: chains and neighbours know nothing of each other
    mu = draws["mu"].values
    assert np.abs(np.corrcoef(mu)[np.triu_indices(4, 1)]).max() < 4 / np.sqrt(1000)
    assert abs(np.corrcoef(mu[:, 1:].ravel(), mu[:, :-1].ravel())[0, 1]) < 4 / np.sqrt(4000)


def test_prior_draws_follow_the_priors(posterior: bm.Posterior) -> None:
    prior = posterior.draws["prior"]
    for p in (0.1, 0.5, 0.9):
        for name, family in (("mu", posterior.priors.mu), ("tau", posterior.priors.scale)):
            share = float((prior[name] <= float(family.quantile(p))).mean())
            assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / 4000)


def test_an_improper_prior_for_mu_has_no_draws() -> None:
    flat = bm.fit(yi=Y, vi=V, priors={"mu": "Flat()", "tau": "HalfNormal(0.5)"})
    assert set(flat.draws["prior"].data_vars) == {"tau", "tau2", "i2"}


def test_the_seed_decides_the_draws_and_nothing_else() -> None:
    first, again, other = fitted(seed=1), fitted(seed=1), fitted(seed=2)
    np.testing.assert_array_equal(first.draws["posterior"]["mu"], again.draws["posterior"]["mu"])
    assert (first.draws["posterior"]["mu"] != other.draws["posterior"]["mu"]).all()
    assert first.quantile("mu", 0.975) == other.quantile("mu", 0.975)


# on disk -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "priors",
    [
        {"mu": "Normal(0, 2.82)", "tau": "HalfCauchy(0.5)"},
        {"mu": "Flat()", "tau2": "InvGamma(1, 0.1)"},
        {"mu": "Normal(0, 2)", "tau": 'rhodes2015("mental health outcome", "non-pharmacological (any)")'},
        {"mu": "Normal(0.1, 0.30000000000000004)", "tau": "HalfNormal(0.3333333333333333)"},
    ],
)
def test_a_saved_posterior_has_the_same_results(tmp_path: Path, priors: dict[str, str]) -> None:
    labels = ["Müller 2001", "O'Brien [b], 1999", "王 2010", "D"]
    before = bm.fit(yi=Y[:4], vi=V[:4], labels=labels, measure="RR", likelihood="normal", priors=priors, seed=3)
    path = before.save(tmp_path / "deep" / "posterior.nc")
    assert [item.name for item in path.parent.iterdir()] == ["posterior.nc"]
    after = bm.load_posterior(path)
    assert after.terms == before.terms
    assert after.priors.to_dict() == before.priors.to_dict()
    assert (after.engine, after.likelihood, after.measure, after.model, after.seed) == (
        before.engine, before.likelihood, before.measure, before.model, before.seed,
    )  # fmt: skip
    assert dict(after.provenance) == dict(before.provenance)
    assert after.log_marginal_likelihood == pytest.approx(before.log_marginal_likelihood, abs=1e-12)
    np.testing.assert_allclose(bm.summarize(after), bm.summarize(before), rtol=1e-12, atol=1e-12)
    assert set(after.draws.children) == set(before.draws.children)
    for group in before.draws.children:
        for name, values in before.draws[group].data_vars.items():
            np.testing.assert_array_equal(after.draws[group][name], values)


def test_participants_are_kept(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"study": ["A", "B"], "events_e": [4, 12], "n_e": [40, 90], "events_c": [9, 20], "n_c": [41, 88]}
    )
    before = bm.fit(table, measure="RR", likelihood="normal", engine="quadrature")
    after = bm.load_posterior(before.save(tmp_path / "p.nc"))
    assert after.data.n == before.data.n == 259
    assert after.data.k == 2
    assert np.isnan(bm.load_posterior(fitted().save(tmp_path / "q.nc")).data.n)


def test_files_without_a_posterior_are_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.nc: no such file"):
        bm.load_posterior(tmp_path / "nowhere.nc")
    text = tmp_path / "notes.txt"
    text.write_text("hello", encoding="utf-8")
    with pytest.raises(DataError, match=r"notes\.txt"):
        bm.load_posterior(text)
