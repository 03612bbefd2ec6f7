"""The average over submodels with the parts given as arrays: Konstantopoulos 2011, with and without three levels."""

import json

import numpy as np
import pytest
from paths import REFERENCE_FOLDER

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design
from bayesmeta.effects.formula_values import Term
from bayesmeta.engines.normal.level_priors import LevelPriors
from bayesmeta.engines.normal.model import CoefficientPrior
from bayesmeta.engines.normal.submodels import FullModel, Levels
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.parse import parse_prior, parse_priors
from bayesmeta.posterior.moderator_average import average_models
from bayesmeta.posterior.moderator_models import components_of

DATA = json.loads((REFERENCE_FOLDER / "exact_linear_models.json").read_text())["konstantopoulos2011"]


@pytest.fixture(scope="module")
def average():
    y, v = np.array(DATA["yi"]), np.array(DATA["vi"])
    total = parse_priors({"mu": "Normal(0, 0.5)", "tau": "InvGamma(1, 0.075)"}, default_priors("OR"), "OR")
    levels = Levels(np.array(DATA["district"]).astype(int), None, LevelPriors(total, parse_prior("Uniform(0, 1)")))
    prior = CoefficientPrior(np.zeros(1), np.array([[4.0]]))
    full = FullModel(y, Design(np.ones((len(y), 1)), ("mu",)), Covariance(v), prior, total, levels)
    return average_models(full, components_of((Term("Intercept", frozenset(), (0,)),), nested=True))


def test_konstantopoulos2011_bayes_factors(average):
    """Six models: {no effect, effect} x {common, two levels, three levels}, by an independent quadrature; R's RoBMA prints 4624.8."""
    assert len(average.included) == 6
    evidence = average.evidence
    assert list(evidence.index) == ["effect", "heterogeneity", "dependence"]
    assert evidence.loc["effect", "bf_inclusion"] == pytest.approx(0.9194227342246789, rel=1e-8)
    assert evidence.loc["dependence", "bf_inclusion"] == pytest.approx(4618.841225850541, rel=1e-7)
    log = DATA["log_marginal_likelihood"]
    some = np.logaddexp.reduce([log[f"{effect}_{name}"] for effect in "01" for name in ("two", "three")]) - np.log(4)
    none = np.logaddexp.reduce([log[f"{effect}_common"] for effect in "01"]) - np.log(2)
    assert evidence.loc["heterogeneity", "log_bf_inclusion"] == pytest.approx(some - none, rel=1e-9)


def test_konstantopoulos2011_averaged_share_between_districts(average):
    probabilities = average.posterior_probabilities
    means = [fit.rho.mean()[0] for fit in average.fits]
    assert average.averaged.loc["rho", "mean"] == pytest.approx(float(probabilities @ means), rel=1e-9)
    assert average.evidence.loc["dependence", "mean"] == average.averaged.loc["rho", "mean"]
    assert average.averaged.loc["rho", "median"] == pytest.approx(0.63, abs=0.05)
    assert average.marginal("rho").masses("rho")[0.0] == pytest.approx(
        1 - average.evidence.loc["dependence", "prob_inclusion"], abs=1e-9
    )


def test_a_fixed_tau_leaves_nothing_to_compare():
    fixed = parse_priors({"mu": "Normal(0, 0.5)", "tau": "Point(0)"}, default_priors("OR"), "OR")
    prior = CoefficientPrior(np.zeros(1), np.array([[4.0]]))
    full = FullModel(np.zeros(3), Design(np.ones((3, 1)), ("x",)), Covariance(np.ones(3)), prior, fixed)
    components = components_of((Term("x", frozenset({"x"}), (0,)),))
    with pytest.raises(SpecError, match="tau is fixed by"):
        average_models(full, components)
    assert np.isfinite(average_models(full, components, {"heterogeneity": 0}).log_bf("x"))
