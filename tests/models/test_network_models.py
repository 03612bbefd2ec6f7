"""Log densities of the models of networks, at points, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
from model_densities import Evaluated, assert_same_density
from scipy import stats
from scipy.special import expit

import bayesmeta.engines.nuts.network_arms as network
from bayesmeta.engines.normal.model import CoefficientPrior
from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.networks.arm_level import guide_of_arms

PRIORS = Priors(Prior("Flat", ()), Prior("HalfNormal", (0.5,)), baseline=Prior("Normal", (-1.0, 3.0)))
TRIAL = np.array([0, 0, 1, 1, 1, 2, 2])
TREATMENT = np.array([0, 1, 1, 2, 3, 0, 3])
COLUMNS = {
    "OR": {"events": np.array([3.0, 8, 0, 4, 20, 7, 5]), "n": np.array([40.0, 42, 50, 51, 49, 30, 5])},
    "IRR": {"events": np.array([3.0, 8, 0, 4, 20, 7, 5]), "time": np.array([40.0, 42, 50, 51, 49, 30, 12])},
    "MD": {"mean": np.array([0.3, 0.8, 1.0, 0.4, 2.0, -0.7, 0.5]), "se": np.array([0.4, 0.2, 0.5, 0.1, 0.4, 0.3, 0.5])},
}
COLUMNS["RR"] = COLUMNS["OR"]
LIKELIHOODS = {"OR": "binomial", "RR": "binomial", "IRR": "poisson", "MD": "normal"}
PRECISION = np.array([[2.0, 0.5, 0.1], [0.5, 1.0, 0.2], [0.1, 0.2, 0.7]])


def arms(measure: str, reference: int = 1) -> network.NetworkArms:
    """Arms of three trials, one with three arms."""
    columns = COLUMNS[measure]
    prior = CoefficientPrior(np.array([0.1, -0.2, 0.3]), PRECISION)
    return network.network_arms(
        measure, f"{LIKELIHOODS[measure]} arms", ("A", "B", "C", "D"), reference, ("s1", "s2", "s3"), TRIAL, TREATMENT, columns,
        guide_of_arms(measure, columns), prior, 0.3,
    )  # fmt: skip


def arm_log_likelihood(measure: str, baseline: np.ndarray, theta: np.ndarray) -> float:
    """Log density of the arms by scipy; ``theta`` are the effects against each trial's first arm."""
    total, columns = 0.0, COLUMNS[measure]
    for i in range(3):
        rows = np.flatnonzero(i == TRIAL)
        values = {name: column[rows] for name, column in columns.items()}
        effect = theta[rows]
        middle = baseline[i] + effect - effect.mean()
        if measure == "OR":
            total += stats.binom.logpmf(values["events"], values["n"], expit(middle)).sum()
        elif measure == "RR":
            risk = expit(baseline[i]) * np.exp(effect - effect.max())
            total += stats.binom.logpmf(values["events"], values["n"], risk).sum()
        elif measure == "IRR":
            total += stats.poisson.logpmf(values["events"], values["time"] * np.exp(middle)).sum()
        else:
            total += stats.norm.logpdf(values["mean"], middle, values["se"]).sum()
    return float(total)


@pytest.mark.parametrize("reference", [0, 2])
@pytest.mark.parametrize("measure", ["OR", "RR", "IRR", "MD"])
def test_the_log_density_is_that_of_the_hierarchical_model(measure, reference) -> None:
    data = arms(measure, reference)
    priors = PRIORS if measure != "MD" else Priors(Prior("Flat", ()), Prior("HalfNormal", (0.5,)))
    model = load_model({"MD": "network_normal", "IRR": "network_poisson"}.get(measure, "network_binomial")).build(
        data, priors
    )
    assert {variable.name for variable in model.free_RVs} == {"w", "tau", "z", "baseline"}
    evaluate = Evaluated(model)
    rng, found, expected = np.random.default_rng(4), [], []
    others = np.flatnonzero((data.back != 0).any(axis=1))
    incidence = np.zeros((7, 4))
    incidence[np.arange(7), TREATMENT] = 1.0
    incidence -= incidence[[0, 0, 2, 2, 2, 5, 5]]
    for _ in range(5):
        point = {
            "w": rng.normal(size=3),
            "tau_log__": rng.normal(-1, 0.5),
            "z": rng.normal(size=4),
            "baseline": rng.normal(-0.5, 1, 3),
        }
        logp, tau, eta = evaluate(**point)
        d = data.guide_contrasts + data.guide_root @ point["w"]
        theta = data.back @ eta
        whole = np.insert(d, reference, 0.0)
        between = tau**2 * np.where(TRIAL[others][:, None] == TRIAL[others], 0.5 + 0.5 * np.eye(4), 0.0)
        effects = stats.multivariate_normal.logpdf(theta[others], incidence[others] @ whole, between)
        # z to theta given d and tau: theta = B (c + s z)
        share = tau**2 * data.r / (tau**2 * data.r + data.guide_variance)
        scale = np.sqrt(share * data.guide_variance)
        jacobian = np.log(scale).sum() + np.linalg.slogdet(data.back[others])[1]
        # without its constant, which a flat prior has not
        prior = -0.5 * (d - data.prior.mean) @ PRECISION @ (d - data.prior.mean)
        prior += stats.halfnorm.logpdf(tau, scale=0.5) + point["tau_log__"]
        if measure != "MD":
            prior += stats.norm.logpdf(point["baseline"], -1, 3).sum()
        found.append(logp)
        expected.append(effects + jacobian + prior + arm_log_likelihood(measure, point["baseline"], theta))
    assert_same_density(found, expected)


def test_the_coordinates_make_the_effects_of_a_trial_independent() -> None:
    data = arms("OR")
    value, variance = guide_of_arms("OR", COLUMNS["OR"])
    others = np.array([3, 4])
    root = data.back[np.ix_(others, [1, 2])]
    covariance = np.diag(variance[others]) + variance[2]
    np.testing.assert_allclose(root @ np.diag(data.guide_variance[1:3]) @ root.T, covariance, rtol=1e-12)
    np.testing.assert_allclose(root @ np.diag(data.r[1:3]) @ root.T, [[1.0, 0.5], [0.5, 1.0]], rtol=1e-12)
    np.testing.assert_allclose(data.back[others] @ data.guide_effect, value[others] - value[2], rtol=1e-12)
    np.testing.assert_allclose(data.centred[TRIAL == 1].sum(axis=0), 0.0, atol=1e-14)
    assert data.places.tolist() == [[0, 1, 0], [2, 3, 4], [5, 6, 5]]
    assert network.contrast_labels(data) == ("s1: B vs A", "s2: C vs B", "s2: D vs B", "s3: D vs A")
