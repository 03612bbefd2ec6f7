"""van Houwelingen, Arends and Stijnen 2002, Stat Med 21:589-624: BCG vaccine by maximum likelihood, latitude, and two dimensions."""

import numpy as np
import pandas as pd
import pytest
from paths import REVIEWS_FOLDER

import bayesmeta as bm

TABLE = pd.read_csv(REVIEWS_FOLDER / "bcg" / "studies.csv")


def test_vanhouwelingen2002_latitude():
    fit = bm.regression(bm.effect_sizes(TABLE, "OR"), moderators="~ latitude", data=TABLE, method="ML")
    assert list(fit.coefficients.estimate) == pytest.approx([0.3710, -0.0327], abs=1e-4)
    # printed before the last steps of the iteration: the maximum has 0.10597
    assert list(fit.coefficients.se) == pytest.approx([0.1061, 0.0034], abs=2e-4)
    assert fit.tau2 == pytest.approx(0.0040, abs=6e-5)
    assert fit.r2 == pytest.approx(98.67, abs=0.02)


def test_vanhouwelingen2002_two_dimensions():
    """The log odds of each arm; the contrast of the two is the log odds ratio."""
    arms = pd.concat(
        TABLE[["study", f"events_{arm}", f"n_{arm}"]].set_axis(["study", "events", "n"], axis=1).assign(arm=arm)
        for arm in "ec"
    ).sort_values(["study", "arm"], ignore_index=True)
    other = arms.n - arms.events
    fit = bm.multilevel(
        yi=np.log(arms.events / other), vi=1 / arms.events + 1 / other, data=arms[["study", "arm"]], nesting="study",
        within="arm", structure="UN", moderators="~ 0 + arm", method="ML",
    )  # fmt: skip
    assert list(fit.coefficients.estimate) == pytest.approx([-4.0960, -4.8337], abs=6e-5)
    assert list(fit.tau2) == pytest.approx([2.4073, 1.4314], abs=6e-5)
    assert np.ravel(fit.correlation)[0] == pytest.approx(0.9467, abs=6e-5)
