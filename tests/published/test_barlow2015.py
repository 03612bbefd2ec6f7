"""Barlow et al. 2015, Cochrane Database of Systematic Reviews CD010534: the six pooled results of the abstract.

The study tables are reconstructed to agree with these results.
"""

import csv

import numpy as np
import pytest
from paths import REVIEWS_FOLDER

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.studies.read import read_studies

PIP = REVIEWS_FOLDER / "pip"
#: as published, except for the last digits of the interval of 1.12: 11.45 (3.11, 42.08)
PRINTED = {
    "1.1": (0.74, 0.52, 1.04),
    "1.2": (-0.22, -0.46, 0.02),
    "1.8": (8.93, 1.25, 63.70),
    "1.9": (0.48, 0.24, 0.95),
    "1.10": (0.32, 0.17, 0.58),
    "1.12": (11.45, 3.12, 42.10),
}


@pytest.mark.parametrize("analysis", PRINTED)
def test_barlow2015_abstract_pooled_results(analysis):
    """Barlow et al. 2015, abstract, main results: estimate, interval, studies and participants."""
    with (PIP / "analyses.csv").open() as file:
        row = next(row for row in csv.DictReader(file) if row["analysis"] == analysis)
    data = "continuous" if row["measure"] == "SMD" else "dichotomous"
    table = read_studies(PIP / f"{data}.csv", where={"analysis": analysis})
    effects = effect_sizes(table, row["measure"], smd="revman")
    fit = random_effects(effects, method="DL", ci="wald")
    shown = np.array([fit.estimate, fit.ci_low, fit.ci_high])
    if effects.log:
        shown = np.exp(shown)
    assert tuple(shown.round(2)) == PRINTED[analysis]
    assert (fit.k, fit.n) == (int(row["published_studies"]), int(row["published_participants"]))
    published = [float(row[f"published_{name}"]) for name in ("estimate", "ci_low", "ci_high")]
    np.testing.assert_allclose(shown, published, atol=0.021)
