"""Colditz et al. 1994, JAMA 271:698-702: BCG vaccine and tuberculosis, 13 trials; the pooled risk ratio of the abstract."""

import json

import numpy as np
import pandas as pd
from paths import REFERENCE_FOLDER

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.studies.read import read_studies

RAW = json.loads((REFERENCE_FOLDER / "metafor_extract.json").read_text())["datasets"]["bcg"]["raw"]


def test_colditz1994_abstract_pooled_risk_ratio():
    """Colditz et al. 1994, abstract, p. 698."""
    names = {"study": "slab", "events_e": "ai", "n_e": "n1i", "events_c": "ci", "n_c": "n2i"}
    table = read_studies(pd.DataFrame({ours: RAW[theirs] for ours, theirs in names.items()}))
    fit = random_effects(effect_sizes(table, "RR"), method="DL")
    assert tuple(np.exp([fit.estimate, fit.ci_low, fit.ci_high]).round(2)) == (0.49, 0.34, 0.70)
    assert (fit.k, fit.n) == (13, 357347)
