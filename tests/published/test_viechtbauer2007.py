"""Viechtbauer 2007, Statistics in Medicine 26:37-52: Table II (p. 44), diuretics and pre-eclampsia."""

import json

import numpy as np
from paths import REFERENCE_FOLDER

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.studies.table import StudyTable

RAW = json.loads((REFERENCE_FOLDER / "metafor_extract.json").read_text())["datasets"]["collins1985b_pre"]


def test_viechtbauer2007_table_ii_tau2_and_q_profile_interval():
    """Viechtbauer 2007, Table II, p. 44: estimates of tau2, and the Q-profile interval."""
    names = {"events_e": "ai", "n_e": "n1i", "events_c": "ci", "n_c": "n2i"}
    columns = {ours: np.array(RAW["raw"][theirs], float) for ours, theirs in names.items()}
    effects = effect_sizes(StudyTable(tuple(RAW["raw"]["slab"]), columns), "OR")
    fits = {method: random_effects(effects, method=method) for method in ("DL", "ML", "REML", "SJ")}
    assert {m: round(fit.tau2, 4) for m, fit in fits.items()} == {
        "DL": 0.2297,
        "ML": 0.2386,
        "REML": 0.3008,
        "SJ": 0.4563,
    }
    assert (round(fits["DL"].tau2_ci_low, 4), round(fits["DL"].tau2_ci_high, 4)) == (0.0723, 2.2027)
