"""Linde et al. 2005, Cochrane Database of Systematic Reviews CD000448: St John's wort.

The regression of Viechtbauer 2007, Z Psychol 215:104-121, with its doses: mg per day, times 7, times weeks, in grams.
Numbers as R metafor prints them.
"""

import pandas as pd
import pytest
from paths import PUBLISHED_FOLDER

import bayesmeta as bm

TABLE = pd.read_csv(PUBLISHED_FOLDER / "linde2005.csv").rename(
    columns={"ai": "events_e", "n1i": "n_e", "ci": "events_c", "n2i": "n_c"}
)
RESIDUAL = {
    "HS": 0.0253,
    "HE": 0.0388,
    "DL": 0.0475,
    "SJ": 0.0912,
    "PM": 0.0633,
    "ML": 0.0240,
    "REML": 0.0558,
    "EB": 0.0633,
}


@pytest.mark.parametrize(("method", "tau2"), RESIDUAL.items())
def test_linde2005_residual_heterogeneity_by_every_estimator(method, tau2):
    fit = bm.regression(
        bm.effect_sizes(TABLE, "RR"), moderators="~ I(dose - 34) * I(baseline - 20)", data=TABLE, method=method
    )
    assert fit.tau2 == pytest.approx(tau2, abs=6e-5)
    if method == "DL":
        assert fit.r2 == pytest.approx(47.38, abs=6e-3)
