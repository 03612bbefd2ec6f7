"""Berkey et al. 1998, Stat Med 17:2537-2550: two outcomes of five trials of periodontal treatment; numbers that R metafor prints for it."""

import numpy as np
import pandas as pd
import pytest
from paths import PUBLISHED_FOLDER

import bayesmeta as bm

TABLE = pd.read_csv(PUBLISHED_FOLDER / "berkey1998.csv")


def covariance():
    """Return the covariance of the outcomes within trials, which the trials report."""
    blocks = TABLE.groupby("trial", sort=False)[["v1i", "v2i"]]
    s = np.zeros((len(TABLE), len(TABLE)))
    for i, (_, block) in enumerate(blocks):
        s[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = block
    return s


def fitted(moderators):
    table = TABLE.assign(since=TABLE.year - 1983)
    return bm.multilevel(
        yi=table.yi, vi=np.diagonal(covariance()), data=table, nesting="trial", within="outcome", structure="UN",
        moderators=moderators, covariance=covariance(), method="ML",
    )  # fmt: skip


def test_berkey1998_two_outcomes():
    fit = fitted("~ 0 + outcome")
    found = fit.coefficients.loc[["outcome[AL]", "outcome[PD]"]]
    assert list(found.estimate) == pytest.approx([-0.3379, 0.3448], abs=6e-5)
    assert list(found.se) == pytest.approx([0.0798, 0.0495], abs=6e-5)
    assert sorted(fit.tau2) == pytest.approx([0.0070, 0.0261], abs=6e-5)
    assert np.ravel(fit.correlation)[0] == pytest.approx(0.6992, abs=6e-5)


def test_berkey1998_year_of_publication():
    """Year is centred at 1983."""
    fit = fitted("~ 0 + outcome + outcome:since")
    assert list(fit.coefficients.estimate) == pytest.approx([-0.3351, 0.3479, -0.0108, 0.0010], abs=6e-5)
    assert np.ravel(fit.correlation)[0] == pytest.approx(0.6587, abs=6e-5)
