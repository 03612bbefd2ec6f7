"""Dias, Sutton, Welton and Ades 2013, Med Decis Making 33:618-640 (NICE DSU Technical Support Document 3): BCG vaccine, log odds ratios.

Binomial likelihood, baselines and effects Normal(0, 100^2), between-study standard deviation half-normal with scale 5; posterior means and
standard deviations, of the standard deviation between studies the median, as printed from 20000 draws and more.
"""

import pytest
from paths import REVIEWS_FOLDER

import bayesmeta as bm

STUDIES = bm.read_studies(REVIEWS_FOLDER / "bcg" / "studies.csv")
WIDE = "Normal(0, 100)"


def printed(table, term, column="mean"):
    return tuple(table.loc[term, [column, "sd", "ci_low", "ci_high"]])


def test_dias2013_without_covariate():
    """Random effects without covariate."""
    priors = {"mu": WIDE, "baseline": WIDE, "tau": "HalfNormal(5)"}
    fit = bm.fit(STUDIES, measure="OR", likelihood="binomial", priors=priors)
    table = bm.summarize(fit, studies=False)
    assert printed(table, "mu") == pytest.approx((-0.762, 0.22, -1.21, -0.34), abs=0.0075)
    assert printed(table, "tau", "median") == pytest.approx((0.649, 0.202, 0.39, 1.17), abs=0.0075)


def test_dias2013_latitude():
    """Meta-regression on latitude, centred at its mean."""
    given = {"Intercept": WIDE, "center(latitude)": WIDE, "baseline": WIDE, "tau": "HalfNormal(5)"}
    fit = bm.fit(STUDIES, measure="OR", likelihood="binomial", moderators="~ center(latitude)", priors=given)
    assert fit.engine == "quadrature"
    table = bm.summarize(fit, studies=False)
    assert printed(table, "Intercept")[:2] == pytest.approx((-0.763, 0.126), abs=0.0025)
    assert printed(table, "center(latitude)") == pytest.approx((-0.032, 0.009, -0.05, -0.01), abs=0.005)
    tau = printed(table, "tau", "median")
    assert (tau[0], tau[2], tau[3]) == pytest.approx((0.272, 0.03, 0.75), abs=0.02)
