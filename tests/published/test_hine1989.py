"""Hine et al. 1989, Stat Med 8:1027-1044: lidocaine after infarction, 6 trials; the permutation test that R metafor prints for it."""

import pandas as pd
import pytest
from paths import PUBLISHED_FOLDER

import bayesmeta as bm


def test_hine1989_permutation_test_of_risk_differences():
    """All 64 changes of sign, of which 4 are as far out."""
    table = pd.read_csv(PUBLISHED_FOLDER / "hine1989.csv").rename(
        columns={"ai": "events_e", "n1i": "n_e", "ci": "events_c", "n2i": "n_c"}
    )
    found = bm.regression(bm.effect_sizes(table, "RD"), moderators="~ 1").permutation_test()
    assert list(found.index) == ["Intercept"]
    assert found.loc["Intercept", "pvalue"] == pytest.approx(0.0625)
