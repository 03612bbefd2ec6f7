"""Normand 1999, Statistics in Medicine 18:321-359: Tables III, VII (lidocaine, p. 330, 349), VIII and IX (stroke, p. 351-352)."""

import json

import numpy as np
import pytest
from paths import REFERENCE_FOLDER

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.studies.table import StudyTable

DATA = json.loads((REFERENCE_FOLDER / "metafor_extract.json").read_text())["datasets"]


def test_normand1999_table_vii_risk_differences_after_lidocaine():
    """Normand 1999, data of Table III, p. 330, results of Table VII, p. 349, in percentage points."""
    raw = DATA["hine1989"]["raw"]
    names = {"events_e": "ai", "n_e": "n1i", "events_c": "ci", "n_c": "n2i"}
    table = StudyTable(tuple(raw["slab"]), {ours: np.array(raw[theirs], float) for ours, theirs in names.items()})
    effects = effect_sizes(table, "RD")
    assert list((100 * effects.yi).round(4)) == [2.8026, 0.0, 1.9711, 1.7961, 3.5334, 4.4031]
    assert list((1e4 * effects.vi).round(4)) == [17.7575, 37.5657, 8.1323, 10.8998, 8.0114, 6.1320]
    for method in ("CE", "REML", "DL"):
        fit = random_effects(effects, method=method)
        assert round(100 * fit.estimate, 2) == 2.94
        assert (round(100 * fit.ci_low, 1), round(100 * fit.ci_high, 1)) == (0.4, 5.5)
        assert fit.tau2 == 0


@pytest.mark.parametrize(
    ("method", "printed", "tau2"),
    [
        ("CE", (-3.49, -5.03, -1.96), 0.0),
        ("DL", (-14.10, -24.45, -3.75), 218.72),
        ("REML", (-15.12, -32.67, 2.43), 685.20),
    ],
)
def test_normand1999_table_ix_days_in_hospital_after_a_stroke(method, printed, tau2):
    """Normand 1999, data of Table VIII, results of Table IX, p. 351-352."""
    raw = {name: np.array(DATA["normand1999"]["raw"][name], float) for name in ("n1i", "sd1i", "n2i", "sd2i")}
    # The paper pools the two standard deviations of a study, which makes its MD variance that of equal arms.
    pooled = (raw["n1i"] - 1) * raw["sd1i"] ** 2 + (raw["n2i"] - 1) * raw["sd2i"] ** 2
    sd = np.sqrt(pooled / (raw["n1i"] + raw["n2i"] - 2))
    means = {"mean_e": DATA["normand1999"]["raw"]["m1i"], "mean_c": DATA["normand1999"]["raw"]["m2i"]}
    columns = {**means, "sd_e": sd, "sd_c": sd, "n_e": raw["n1i"], "n_c": raw["n2i"]}
    table = StudyTable(tuple(DATA["normand1999"]["raw"]["slab"]), columns)
    fit = random_effects(effect_sizes(table, "MD"), method=method)
    assert (round(fit.estimate, 2), round(fit.ci_low, 2), round(fit.ci_high, 2)) == printed
    assert round(fit.tau2, 2) == tau2
