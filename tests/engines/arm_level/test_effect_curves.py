"""log g_i as polynomials: against the integrals that they replace, at the edges of their zones, and beyond them."""

import numpy as np
import pandas as pd
import pytest

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.engines.arm_level.effect_curves import tabulate_curves
from bayesmeta.engines.arm_level.mu_given_tau import NormalStudy
from bayesmeta.engines.arm_level.smoothing import smoothed
from bayesmeta.engines.arm_level.study_table import tabulate
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.studies.read import read_studies

TAU = np.array([0.0, 1e-3, 0.03, 0.3, 2.0])


def studies(measure):
    rows = [("a", 3, 20, 5, 22), ("b", 0, 30, 4, 31), ("c", 40, 90, 35, 80)]
    table = pd.DataFrame(rows, columns=["study", "events_e", "n_e", "events_c", "n_c"])
    data = model_data(effect_sizes(read_studies(table), measure), "binomial")
    return [*(smoothed(one) for one in tabulate(data.likelihood, data.measure, data.columns)), NormalStudy(0.2, 0.1)]


@pytest.mark.parametrize("measure", ["OR", "RR"])
@pytest.mark.parametrize("between", [(-1.5, 1.5), (-2.0, -0.1), (0.3, 2.0), (-0.02, 0.05)])
def test_curves_are_the_integrals(measure, between):
    made = studies(measure)
    low, high = (np.full((len(TAU), len(made)), end) for end in between)
    curves = tabulate_curves(made, TAU, low, high)
    # both ends, and points about the corner at 0
    mu = np.unique(np.concatenate([np.linspace(*between, 401), np.clip([-1e-3, 0.0, 1e-3], *between)]))
    mu = np.broadcast_to(mu, (len(TAU), len(mu)))
    for i, study in enumerate(made):
        np.testing.assert_allclose(curves.values(i, mu), study.log_smooth(np.array(mu), TAU), rtol=0, atol=2e-9)
    matrix = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [1.0, 0.0]])
    b = np.stack([mu, mu], axis=-1)
    expected = sum(study.log_smooth(np.array(mu), TAU) for study in made)
    np.testing.assert_allclose(curves.sums(matrix, b), expected, rtol=0, atol=1e-8)
    beyond = np.full((len(TAU), 1, 2), between[1] + 0.1)
    assert (curves.sums(matrix, beyond) == -np.inf).all()
    rows = np.array([2, 4])
    np.testing.assert_array_equal(curves.take(rows).values(1, mu[rows]), curves.values(1, mu)[rows])
