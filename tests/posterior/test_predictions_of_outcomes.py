"""Predictions and comparison with the prior of models of two outcomes, against sums over a grid of both tau and rho."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from paths import REFERENCE_FOLDER
from scipy import stats
from scipy.optimize import brentq

import bayesmeta as bm
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.overlap import overlap

BERKEY = json.loads((REFERENCE_FOLDER / "multilevel_extract.json").read_text(encoding="utf-8"))["datasets"][
    "berkey1998"
]
Y, V = np.array(BERKEY["columns"]["yi"]), np.array(BERKEY["covariance"])
FRAME = pd.DataFrame({"study": BERKEY["columns"]["trial"], "outcome": BERKEY["columns"]["outcome"]})
FRAME["year"] = [1.0, 1, 2, 2, 4, 4, 7, 7, 9, 9]
PRIORS = {
    "outcome[AL]": "Normal(0, 1)", "outcome[PD]": "Normal(0, 1)", "year": "Normal(0, 0.1)", "tau": "HalfNormal(0.5)",
    "rho": "Uniform(-1, 1)",
}  # fmt: skip
NEW = pd.DataFrame({"outcome": ["PD", "AL", "AL"], "year": [3.0, 3.0, 8.0]})
OUTCOME = (FRAME["outcome"] == "PD").to_numpy().astype(int)


@pytest.fixture(scope="module")
def fit() -> bm.Posterior:
    return bm.fit(
        yi=Y, vi=np.diagonal(V), data=FRAME, moderators="~ 0 + outcome + year", nesting="study", within="outcome", structure="UN",
        covariance=V, priors=PRIORS, measure="MD",
    )  # fmt: skip


def by_grid() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return weights, means, covariances of the coefficients, and both tau, at the nodes of a grid."""
    u, wu = np.polynomial.legendre.leggauss(40)
    s, ws = (u + 1) / 2, wu / 2
    tau, w_tau = 0.3 * s / (1 - s), ws * 0.3 / (1 - s) ** 2
    one, other, rho = (grid.ravel() for grid in np.meshgrid(tau, tau, u, indexing="ij"))
    weights = np.multiply.outer(np.multiply.outer(w_tau, w_tau), wu / 2).ravel()
    log_prior = stats.halfnorm.logpdf(one, scale=0.5) + stats.halfnorm.logpdf(other, scale=0.5)
    x = np.column_stack([OUTCOME == 0, OUTCOME == 1, FRAME["year"]]).astype(float)
    prior_precision = np.diag([1.0, 1.0, 100.0])
    same = FRAME["study"].to_numpy()[:, None] == FRAME["study"].to_numpy()
    found = []
    for part in np.array_split(np.arange(len(one)), 40):
        sd = np.stack([one[part], other[part]], axis=1)[:, OUTCOME]
        r = np.where(OUTCOME[:, None] == OUTCOME, 1.0, rho[part][:, None, None])
        total = V + same * r * sd[:, :, None] * sd[:, None, :]
        inverse, (_, log_det) = np.linalg.inv(total), np.linalg.slogdet(total)
        precision = x.T @ inverse @ x + prior_precision
        covariance = np.linalg.inv(precision)
        mean = np.einsum("jpq,qk,jkl,l->jp", covariance, x.T, inverse, Y)
        quadratic = np.einsum("k,jkl,l->j", Y, inverse, Y) - np.einsum("jp,jpq,jq->j", mean, precision, mean)
        log_density = -0.5 * (log_det + np.linalg.slogdet(precision)[1] + quadratic) + log_prior[part]
        found.append((log_density, mean, covariance))
    log_density, mean, covariance = (np.concatenate(parts) for parts in zip(*found, strict=True))
    weights = weights * np.exp(log_density - log_density.max())
    return weights / weights.sum(), mean, covariance, np.stack([one, other])


def quantile(p: float, weights: np.ndarray, mean: np.ndarray, sd: np.ndarray) -> float:
    return brentq(lambda x: weights @ stats.norm.cdf(x, mean, sd) - p, -10, 10, xtol=1e-12)


def test_predictions_are_mixtures_over_both_tau_and_rho(fit: bm.Posterior) -> None:
    weights, coefficients, covariance, tau = by_grid()
    found = bm.predict(fit, NEW)
    for (_, given), (_, row) in zip(NEW.iterrows(), found.iterrows(), strict=True):
        x = np.array([given["outcome"] == "AL", given["outcome"] == "PD", given["year"]], dtype=float)
        mean, variance = coefficients @ x, np.einsum("p,jpq,q->j", x, covariance, x)
        new = np.sqrt(variance + tau[int(given["outcome"] == "PD")] ** 2)
        centre = weights @ mean
        expected = {
            "mean": centre,
            "sd": np.sqrt(weights @ (variance + (mean - centre) ** 2)),
            **{n: quantile(p, weights, mean, np.sqrt(variance)) for n, p in (("median", 0.5), ("ci_low", 0.025), ("ci_high", 0.975))},
            **{name: quantile(p, weights, mean, new) for name, p in (("pi_low", 0.025), ("pi_high", 0.975))},
        }  # fmt: skip
        np.testing.assert_allclose(row[list(expected)], list(expected.values()), rtol=1e-4, atol=1e-5)


def test_predictions_of_the_estimates_themselves(fit: bm.Posterior) -> None:
    own = bm.predict(fit)
    np.testing.assert_allclose(own, bm.predict(fit, FRAME), rtol=1e-12)


def test_each_outcome_has_its_tau_beside_its_prior(fit: bm.Posterior) -> None:
    table = bm.prior_posterior(fit).table
    for term in ("tau[AL]", "tau[PD]"):
        assert table.loc[term, "prior_sd"] == pytest.approx(stats.halfnorm(scale=0.5).std(), rel=1e-6)
        assert table.loc[term, "sd"] == pytest.approx(fit.sd(term), rel=1e-9)
        # by the density on a grid
        x = np.linspace(1e-6, 4, 40001)
        smaller = np.minimum(fit.marginal(term).pdf(x[:, None])[:, 0], stats.halfnorm.pdf(x, scale=0.5))
        assert table.loc[term, "overlap"] == pytest.approx(np.trapezoid(smaller, x), abs=2e-4)
    assert table["overlap"].notna().all()


def test_overlap_of_a_mixture_of_many_components() -> None:
    rng = np.random.default_rng(2)
    many = NormalMixtures(
        ("a",), np.full(6_000, 1 / 6_000), rng.gamma(2, 0.2, (1, 6_000)), rng.uniform(0.05, 0.5, (1, 6_000))
    )
    few = many.merged()
    assert few.means.shape[1] < 2400
    assert few.mean()[0] == pytest.approx(many.mean()[0], rel=1e-12)
    assert few.sd()[0] == pytest.approx(many.sd()[0], rel=1e-12)
    other = NormalMixtures(("a",), np.array([0.3, 0.7]), np.array([[-0.2, 1.0]]), np.array([[0.3, 0.2]]))
    x = np.linspace(-4, 6, 2001)
    smaller = np.minimum(*(one.pdf(x[:, None])[:, 0] for one in (many, other)))
    # by the density on a grid, with an error where the densities cross
    assert overlap(many, other) == pytest.approx(np.trapezoid(smaller, x), abs=1e-5)
    assert overlap(other, many) == pytest.approx(overlap(many, other), abs=1e-9)
