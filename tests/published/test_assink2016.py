"""Assink and Wibbelink 2016, Quant Meth Psych 12:154-174: recidivism, 100 estimates of 17 studies; numbers that R metafor prints for it."""

import pandas as pd
import pytest
from paths import PUBLISHED_FOLDER

import bayesmeta as bm

TABLE = pd.read_csv(PUBLISHED_FOLDER / "assink2016.csv")
DATA = {"yi": TABLE.yi, "vi": TABLE.vi, "data": TABLE[["study", "esid", "year"]]}


def test_assink2016_three_levels_and_their_likelihood_ratio_tests():
    fit = bm.multilevel(**DATA, nesting="study/esid")
    row = fit.coefficients.iloc[0]
    assert (row.estimate, row.se) == pytest.approx((0.4268, 0.1184), abs=6e-5)
    assert tuple(fit.sigma2) == pytest.approx((0.1879, 0.1120), abs=6e-5)
    without_estimates = bm.multilevel(**DATA, nesting="study")
    without_studies = bm.multilevel(**{**DATA, "data": {"row": range(len(TABLE))}}, nesting="row")
    lost = [2 * (fit.log_likelihood - other.log_likelihood) for other in (without_studies, without_estimates)]
    assert lost == pytest.approx([62.8024, 81.8658], abs=6e-5)


def test_assink2016_cluster_robust_standard_error():
    """CR2 with Satterthwaite's degrees of freedom (clubSandwich)."""
    row = bm.multilevel(**DATA, nesting="study/esid").robust("CR2").iloc[0]
    assert (row.se, row.ci_low, row.ci_high) == pytest.approx((0.1186, 0.1745, 0.6791), abs=6e-5)
    assert row.df == pytest.approx(15.45, abs=6e-3)


def test_assink2016_year_of_publication():
    fit = bm.multilevel(**DATA, nesting="study/esid", moderators="~ year")
    row = fit.coefficients.loc["year"]
    assert (row.estimate, row.se) == pytest.approx((-0.0421, 0.0180), abs=6e-5)
