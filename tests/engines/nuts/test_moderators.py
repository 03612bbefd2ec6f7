"""NUTS with moderators: against quadrature for the normal likelihood, and recovery of what data were simulated from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design
from bayesmeta.effects.effects import effects_from_arrays
from bayesmeta.engines.choose import ENGINES
from bayesmeta.engines.normal.model import CoefficientPrior, normal_model
from bayesmeta.engines.normal.solve import solve_linear
from bayesmeta.engines.solution import marginal_of
from bayesmeta.engines.terms import terms_of
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.studies.read import read_studies

PRIORS = Priors(Prior("Normal", (0.0, 2.0)), Prior("HalfNormal", (0.5,)))
K = 30
RNG = np.random.default_rng(11)
WEEKS, FOCUS = RNG.normal(12, 4, K), np.arange(K) % 2
DESIGNS = {
    1: Design(WEEKS[:, None] / 12, ("weeks",)),
    2: Design(np.column_stack([np.ones(K), WEEKS]), ("Intercept", "weeks")),
    3: Design(np.column_stack([np.ones(K), WEEKS, FOCUS]), ("Intercept", "weeks", "focus")),
}
TRUE = {1: np.array([0.5]), 2: np.array([0.8, -0.05]), 3: np.array([0.8, -0.05, 0.4])}


def nuts(data):
    return ENGINES["nuts"].solve(data, PRIORS, 3, None)[1]


def simulated(measure, likelihood, design, b):
    rng = np.random.default_rng(7)
    theta = design.matrix @ b + rng.normal(0, 0.2, K)
    n = np.full(K, 80)
    frame = {"study": [f"S{i}" for i in range(K)], "n_e": n, "n_c": n}
    if measure == "SMD":
        e, c = rng.normal(theta[:, None], 1, (K, 80)), rng.normal(0, 1, (K, 80))
        frame |= {"mean_e": e.mean(1), "sd_e": e.std(1, ddof=1), "mean_c": c.mean(1), "sd_c": c.std(1, ddof=1)}
    elif measure == "IRR":
        frame |= {
            "time_e": n,
            "time_c": n,
            "events_c": rng.poisson(n * 0.3),
            "events_e": rng.poisson(n * 0.3 * np.exp(theta)),
        }
    elif measure == "RR":
        frame |= {"events_c": rng.binomial(n, 0.2), "events_e": rng.binomial(n, 0.2 * np.exp(theta))}
    else:
        odds = 0.25 * np.exp(theta)
        frame |= {"events_c": rng.binomial(n, 0.2), "events_e": rng.binomial(n, odds / (1 + odds))}
    data = model_data(effect_sizes(read_studies(pd.DataFrame(frame)), measure), likelihood)
    return replace(data, design=design)


@pytest.mark.sampling
@pytest.mark.parametrize("p", DESIGNS)
def test_nuts_agrees_with_quadrature_by_its_monte_carlo_error(p):
    design, rng = DESIGNS[p].subset(np.arange(10)), np.random.default_rng(2)
    se = rng.uniform(0.1, 0.4, 10)
    y = design.matrix @ TRUE[p] + rng.normal(0, 0.3, 10) + rng.normal(0, se)
    data = replace(model_data(effects_from_arrays(y, sei=se, measure="GEN"), "normal"), design=design)
    sampled, prior = nuts(data), combination_priors(PRIORS, design)
    precision = prior.combinations.T @ np.diag([one.args[1] ** -2 for one in prior.priors]) @ prior.combinations
    model = normal_model(y, design, Covariance(se**2), CoefficientPrior(np.zeros(p), precision))
    exact = solve_linear(model, PRIORS, terms_of(data.labels, design.names))
    means = design.matrix.mean(axis=0)[None]
    for one, other in (
        *((marginal_of(sampled, term), marginal_of(exact, term)) for term in exact.terms.all),
        (marginal_of(sampled, "effect_at_means"), exact.combinations(means, ("effect_at_means",))),
        (sampled.combinations(means, ("new",), new_study=True), exact.combinations(means, ("new",), new_study=True)),
    ):
        effective = sampled.diagnostics["ess_bulk"]
        assert float(one.mean()[0]) == pytest.approx(
            float(other.mean()[0]), abs=5 * float(other.sd()[0] / effective**0.5)
        )
        assert float(one.sd()[0]) == pytest.approx(float(other.sd()[0]), rel=0.1)


@pytest.mark.sampling
@pytest.mark.parametrize(
    ("measure", "likelihood", "p"),
    [("OR", "binomial", 3), ("RR", "binomial", 2), ("IRR", "poisson", 1), ("SMD", "nct", 3)],
)
def test_coefficients_are_recovered(measure, likelihood, p):
    solution = nuts(simulated(measure, likelihood, DESIGNS[p], TRUE[p]))
    assert solution.terms.coefficients == DESIGNS[p].names
    assert solution.terms.combined == ("effect_at_means",)
    for name, true in zip(DESIGNS[p].names, TRUE[p], strict=True):
        marginal = marginal_of(solution, name)
        assert abs(float(marginal.mean()[0]) - true) < 3.5 * float(marginal.sd()[0])
        assert float(marginal.sd()[0]) < 0.5


def test_correlated_estimates_are_refused():
    data = replace(model_data(effects_from_arrays([0.1, 0.3], sei=[0.2, 0.2], measure="GEN"), "normal"))
    block = (np.arange(2), np.array([[0.04, 0.02], [0.02, 0.04]]))
    data = replace(data, covariance=Covariance(np.full(2, 0.04), (block,)))
    with pytest.raises(SpecError, match="engine 'nuts' has correlated sampling errors in its model for nesting"):
        nuts(data)
