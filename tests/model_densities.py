"""Small analyses of each likelihood, and the log density of PyMC models at points, for tests of model files."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import stats

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import effects_from_arrays
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.studies.read import read_studies

PRIORS = Priors(Prior("Normal", (0.1, 2.82)), Prior("HalfNormal", (0.5,)))


def normal_data():
    effects = effects_from_arrays([0.1, -0.5, 1.2], sei=[0.2, 0.05, 0.8], measure="GEN", labels=["A", "B", "C"])
    return model_data(effects, "normal")


EVENTS = pd.DataFrame(
    {"study": ["A", "B", "C"], "events_e": [8, 0, 0], "n_e": [48, 59, 60], "events_c": [16, 4, 0], "n_c": [49, 31, 40]}
)


def or_data():
    return model_data(effect_sizes(read_studies(EVENTS), "OR"), "binomial")


def irr_data():
    frame = EVENTS.rename(columns={"n_e": "time_e", "n_c": "time_c"})
    return model_data(effect_sizes(read_studies(frame), "IRR"), "poisson")


def rr_data():
    frame = pd.DataFrame(
        {
            "study": ["A", "B", "C"],
            "events_e": [8, 0, 0],
            "n_e": [48, 59, 60],
            "events_c": [16, 4, 0],
            "n_c": [49, 31, 40],
        }
    )
    return model_data(effect_sizes(read_studies(frame), "RR"), "binomial")


def smd_data():
    frame = pd.DataFrame(
        {"study": ["A", "B", "C"], "mean_e": [8.0, 11.2, 3.0], "sd_e": [4.2, 5, 1.5], "n_e": [34, 54, 3],
         "mean_c": [9.7, 10.7, 2.0], "sd_c": [4.4, 5, 1.0], "n_c": [46, 56, 2]}
    )  # fmt: skip
    return model_data(effect_sizes(read_studies(frame), "SMD"), "nct")


class Evaluated:
    """A model's log density as a function of its free values by name, and its theta, tau and gradient there."""

    def __init__(self, model, gradient=False):
        import pytensor

        self.names = [variable.name for variable in model.value_vars]
        outputs = [model.logp()]
        shown = [model[name] for name in ("mu", "tau", "theta") if name in model.named_vars]
        outputs += model.replace_rvs_by_values(shown)
        if gradient:
            outputs.append(model.dlogp())
        # Python's own loops: compiling would take longer than all the evaluations
        self._call = pytensor.function(model.value_vars, outputs, mode="FAST_COMPILE")

    def __call__(self, **point):
        logp, *rest = self._call(*(np.asarray(point[name], dtype=float) for name in self.names))
        return float(logp), *rest


def assert_same_density(found, expected):
    """Equal up to a constant, which PyTensor may round to single precision, and equal to that precision."""
    difference = np.subtract(found, expected)
    np.testing.assert_allclose(difference, 0, atol=1e-6)
    np.testing.assert_allclose(difference, difference[0], rtol=0, atol=1e-9 * max(1, np.abs(found).max()))


def points(size, count, extra=()):
    rng = np.random.default_rng(3)
    for scale in np.geomspace(0.05, 4, count):
        point = {
            "mu": scale * rng.normal(),
            "tau_log__": np.log(scale * rng.uniform(0.1, 1)),
            "z": scale * rng.normal(size=size),
        }
        yield {**point, **{name: draw(rng, size) for name, draw in extra}}


def study_effects(data, mu, tau, z):
    """The density of theta, with the Jacobian of z -> theta, from its definition."""
    share = tau**2 / (tau**2 + data.guide_variance)
    theta = mu + share * (data.guide_effect - mu) + np.sqrt(share * data.guide_variance) * z
    jacobian = 0.5 * np.log(share * data.guide_variance)
    return theta, (stats.norm.logpdf(theta, mu, tau) + jacobian).sum()
