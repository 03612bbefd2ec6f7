"""Konstantopoulos 2011, Res Synth Methods 2:61-76: modified school calendars, 56 schools in 11 districts; numbers that R prints for it."""

import pandas as pd
import pytest
from paths import REVIEWS_FOLDER

import bayesmeta as bm

TABLE = pd.read_csv(REVIEWS_FOLDER / "konstantopoulos2011" / "studies.csv")
DATA = {"yi": TABLE.yi, "vi": TABLE.vi, "data": TABLE[["district", "school", "year"]], "nesting": "district/school"}


def test_konstantopoulos2011_restricted_maximum_likelihood():
    fit = bm.multilevel(**DATA)
    row = fit.coefficients.iloc[0]
    assert (row.estimate, row.se) == pytest.approx((0.1847, 0.0846), abs=6e-5)
    assert tuple(fit.sigma2) == pytest.approx((0.0651, 0.0327), abs=6e-5)
    assert fit.log_likelihood == pytest.approx(-7.9587, abs=6e-5)
    assert fit.sigma2[0] / sum(fit.sigma2) == pytest.approx(0.6653, abs=6e-5)
    intervals = fit.intervals()[["ci_low", "ci_high"]].to_numpy().ravel()
    assert list(intervals[:4]) == pytest.approx([0.0222, 0.2072, 0.0163, 0.0628], abs=6e-5)


def test_konstantopoulos2011_maximum_likelihood_and_prediction():
    fit = bm.multilevel(**DATA, method="ML")
    row = fit.coefficients.iloc[0]
    assert (row.estimate, row.se) == pytest.approx((0.1845, 0.0805), abs=6e-5)
    assert tuple(fit.sigma2) == pytest.approx((0.0577, 0.0329), abs=6e-5)
    predicted = fit.predict().iloc[0]
    assert (predicted.pi_low, predicted.pi_high) == pytest.approx((-0.4262, 0.7951), abs=6e-5)


def test_konstantopoulos2011_year():
    """By maximum likelihood; year is centred at its mean."""
    fit = bm.multilevel(**DATA, moderators="~ center(year)", method="ML")
    assert list(fit.coefficients.estimate) == pytest.approx([0.1780, 0.0051], abs=6e-5)
