"""Raudenbush and Bryk 1985, J Educ Stat 10:75-98: expectancy of teachers and weeks of contact; numbers that R metafor prints for it."""

import pandas as pd
import pytest
from paths import PUBLISHED_FOLDER

import bayesmeta as bm


def test_raudenbush1985_weeks_of_contact():
    """More than three weeks count as three."""
    table = pd.read_csv(PUBLISHED_FOLDER / "raudenbush1985.csv")
    table["contact"] = table.weeks.clip(upper=3)
    fit = bm.regression(yi=table.yi, vi=table.vi, data=table[["contact"]], moderators="~ contact")
    assert list(fit.coefficients.estimate) == pytest.approx([0.4072, -0.1572], abs=6e-5)
    assert fit.tau2 == 0
    assert fit.qe == pytest.approx(16.5708, abs=6e-5)
