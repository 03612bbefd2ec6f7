"""DerSimonian and Kacker 2007, Contemporary Clinical Trials 28:105-114: Tables 3 and 4, the CLASP example (p. 111-112)."""

import numpy as np
import pytest

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.frequentist.heterogeneity import log_likelihood
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.studies.table import StudyTable

CLASP = {
    "events_e": np.array([5, 5, 12, 69, 9, 313.0]),
    "n_e": np.array([156, 303, 565, 1570, 103, 4659.0]),
    "events_c": np.array([8, 17, 9, 94, 11, 352.0]),
    "n_c": np.array([74, 303, 477, 1565, 105, 4650.0]),
}


@pytest.mark.parametrize(
    ("method", "tau", "mu", "se"),
    [
        ("PM", 0.3681, -0.3811, 0.2060),
        ("HE", 0.4410, -0.4035, 0.2327),
        ("DL", 0.2323, -0.3240, 0.1540),
        ("EB", 0.3681, -0.3811, 0.2060),
        ("REML", 0.1843, -0.2980, 0.1343),
        ("HS", 0.1330, -0.2666, 0.1125),
        ("SJ", 0.4572, -0.4079, 0.2386),
    ],
)
def test_dersimonian2007_tables_3_and_4_log_odds_ratios(method, tau, mu, se):
    """DerSimonian and Kacker 2007, Tables 3 and 4, p. 111-112: tau, mu and its standard error by estimator."""
    fit = random_effects(effect_sizes(StudyTable(tuple("ABCDEF"), CLASP), "OR"), method=method)
    assert (round(fit.tau, 4), round(fit.estimate, 4), round(fit.se, 4)) == (tau, mu, se)


def test_dersimonian2007_maximum_likelihood_is_at_the_boundary():
    """DerSimonian and Kacker 2007, p. 111-112, the CLASP data; maximum likelihood estimate of tau2."""
    # metafor's scoring stops early, at tau = 0.0023, but the likelihood decreases from 0 on
    effects = effect_sizes(StudyTable(tuple("ABCDEF"), CLASP), "OR")
    fit = random_effects(effects, method="ML")
    at = log_likelihood(np.array([0.0, 1e-9, 0.0023**2, 1e-3]), effects.yi, effects.vi, restricted=False)
    assert fit.tau2 == 0
    assert (np.diff(at) < 0).all()
    assert round(fit.estimate, 3) == -0.197
