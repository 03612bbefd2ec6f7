"""The three-level model file: its log density against scipy, and NUTS against quadrature."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from model_densities import Evaluated, assert_same_density, study_effects
from scipy import stats

import bayesmeta as bm
from bayesmeta.checks.engine_agreement import largest_by_chance, worst_disagreement
from bayesmeta.engines.nuts.model_files import default_model, load_model

Y, V = np.array([0.2, 0.5, 0.1, 0.6, 0.9, 0.3, -0.1, 0.2]), np.array([0.04, 0.05, 0.09, 0.06, 0.05, 0.03, 0.08, 0.07])
STUDY = np.array([0, 0, 0, 1, 1, 2, 3, 3])
GIVEN = {
    "yi": Y, "vi": V, "data": {"study": STUDY, "dose": [1.0, 1, 2, 3, 3, 4, 2, 5]}, "nesting": "study/estimate", "measure": "SMD",
}  # fmt: skip
BY_LEVEL = {"tau_between": "HalfNormal(0.3)", "tau_within": "HalfNormal(0.4)"}


@pytest.mark.parametrize("by_level", [False, True])
def test_log_density(by_level: bool) -> None:
    priors = BY_LEVEL if by_level else {"tau": "HalfNormal(0.5)", "rho": "Beta(2, 3)"}
    fitted = bm.fit(**GIVEN, priors={"mu": "Normal(0.1, 2)", **priors})
    data = fitted.data
    evaluate = Evaluated(load_model("three_level_normal").build(data, fitted.priors))
    rng, found, expected = np.random.default_rng(3), [], []
    for scale in np.geomspace(0.05, 2, 12):
        mu, u, z = scale * rng.normal(), rng.normal(size=4), rng.normal(size=len(Y))
        if by_level:
            between, within = scale * rng.uniform(0.1, 1, size=2)
            point = {"tau_between_log__": np.log(between), "tau_within_log__": np.log(within)}
            prior = stats.halfnorm.logpdf(between, scale=0.3) + stats.halfnorm.logpdf(within, scale=0.4)
            prior += np.log(between) + np.log(within)
        else:
            tau, rho = scale * rng.uniform(0.1, 1), rng.uniform(0.05, 0.95)
            between, within = tau * np.sqrt(rho), tau * np.sqrt(1 - rho)
            point = {"tau_log__": np.log(tau), "rho_logodds__": np.log(rho / (1 - rho))}
            prior = (
                stats.halfnorm.logpdf(tau, scale=0.5)
                + np.log(tau)
                + stats.beta.logpdf(rho, 2, 3)
                + np.log(rho * (1 - rho))
            )
        value, *shown = evaluate(mu=mu, u=u, z=z, **point)
        theta, density = study_effects(data, mu + between * u[STUDY], within, z)
        np.testing.assert_allclose(shown[-1], theta, rtol=1e-6)
        found.append(value)
        likelihood = stats.norm.logpdf(Y, theta, np.sqrt(V)).sum()
        expected.append(prior + stats.norm.logpdf(mu, 0.1, 2) + stats.norm.logpdf(u).sum() + density + likelihood)
    assert_same_density(found, expected)


def test_log_density_with_correlated_sampling_errors() -> None:
    priors = {"mu": "Normal(0.1, 2)", "tau": "HalfNormal(0.5)", "rho": "Beta(2, 3)"}
    fitted, independent = bm.fit(**GIVEN, sampling_correlation=0.6, priors=priors), bm.fit(**GIVEN, priors=priors)
    covariance = np.where(STUDY[:, None] == STUDY, 0.6, 0.0) * np.sqrt(np.outer(V, V))
    np.fill_diagonal(covariance, V)
    both = [Evaluated(load_model("three_level_normal").build(fit.data, fit.priors)) for fit in (fitted, independent)]
    rng, found, expected = np.random.default_rng(4), [], []
    for _ in range(12):
        point = {"mu": rng.normal(), "u": rng.normal(size=4), "z": rng.normal(size=len(Y))}
        point |= {"tau_log__": rng.normal() - 1, "rho_logodds__": rng.normal()}
        (value, *shown), (other, *_) = (evaluate(**point) for evaluate in both)
        theta = shown[-1]
        found.append(value - other)
        expected.append(
            stats.multivariate_normal.logpdf(Y, theta, covariance) - stats.norm.logpdf(Y, theta, np.sqrt(V)).sum()
        )
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-8)


def test_an_indefinite_sampling_covariance_is_for_quadrature() -> None:
    block = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]) * 0.01
    given = {
        "yi": Y[:6] * 3,
        "vi": np.full(6, 0.01),
        "data": {"study": [0, 0, 0, 1, 1, 1]},
        "nesting": "study/estimate",
    }
    with pytest.raises(bm.SpecError, match="positive definite sampling covariance"):
        bm.fit(**given, covariance=np.kron(np.eye(2), block), engine="nuts")


@pytest.mark.sampling
def test_nuts_and_quadrature_agree_with_correlated_sampling_errors() -> None:
    given = {**GIVEN, "sampling_correlation": 0.6}
    sampled, exact = bm.fit(**given, engine="nuts"), bm.fit(**given)
    agreement = bm.engine_agreement(sampled, exact)
    assert worst_disagreement(agreement) < largest_by_chance(len(agreement))
    # the correlation matters: the fit without it is another one
    assert worst_disagreement(bm.engine_agreement(sampled, bm.fit(**GIVEN))) > largest_by_chance(len(agreement))


@pytest.mark.sampling
def test_nuts_and_quadrature_agree(tmp_path: Path) -> None:
    given = {**GIVEN, "moderators": "~ dose", "priors": {"dose": "Normal(0, 0.2)"}}
    sampled, exact = bm.fit(**given, engine="nuts"), bm.fit(**given)
    assert sampled.model == exact.model == "three_level_normal"
    # within Monte Carlo error, by the rule that counts the terms compared
    agreement = bm.engine_agreement(sampled, exact)
    assert worst_disagreement(agreement) < largest_by_chance(len(agreement))
    table, other = (bm.summarize(one, studies=False) for one in (sampled, exact))
    assert list(table.index) == list(other.index)
    gap = (table["mean"] - other["mean"]).abs() / table["mcse_mean"]
    assert gap.max() < 4.5
    again = bm.load_posterior(sampled.save(tmp_path / "fit.nc"))
    assert again.mean("rho") == sampled.mean("rho")
    assert again.terms == sampled.terms


def test_the_file_is_for_nested_estimates_only() -> None:
    assert default_model("SMD", "normal").name == "generic_normal"
    with pytest.raises(
        bm.SpecError, match="three_level_normal is for several estimates per study: give nesting='study/estimate'"
    ):
        bm.fit(yi=[0.1, 0.2], vi=[0.1, 0.1], model="three_level_normal")
    with pytest.raises(bm.SpecError, match="generic_normal is not for several estimates per study"):
        bm.fit(**GIVEN, model="generic_normal")
    with pytest.raises(bm.SpecError, match="nesting='study/estimate' only"):
        bm.fit(**{**GIVEN, "nesting": "study"}, engine="nuts")
    with pytest.raises(
        bm.SpecError, match=r"correlated sampling errors in its model for nesting='study/estimate' only"
    ):
        bm.fit(yi=Y, vi=V, covariance=np.diag(V) + 0.01 * (1 - np.eye(8)), engine="nuts")
    grouped = {**GIVEN, "data": {"study": STUDY, "arm": [0, 0, 1, 0, 1, 0, 0, 0]}, "nesting": "study/arm"}
    with pytest.raises(bm.SpecError, match="share a group of 'study/arm'"):
        bm.fit(**grouped, engine="nuts")
