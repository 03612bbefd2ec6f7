"""Numbers beyond floating-point arithmetic: one row is left out of a table with its reason, arrays are refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError


@pytest.mark.parametrize(
    ("yi", "sei"), [(0.3, 1e-150), (0.3, 1e150), (0.3, 1e300), (0.3, 1e-300), (1e200, 0.1), (-1e308, 1e60)]
)
def test_a_row_beyond_arithmetic_costs_one_row(yi: float, sei: float) -> None:
    table = pd.DataFrame({"study": ["A", "B", "C"], "yi": [yi, 0.3, -0.1], "sei": [sei, 0.2, 0.15]})
    rest = table.iloc[1:]
    effects = bm.effect_sizes(table, measure="HR")
    assert list(effects.used) == [False, True, True]
    assert any(reason in effects.reasons[0] for reason in ("check the numbers", "not estimable"))
    assert bm.random_effects(table, measure="HR").estimate == bm.random_effects(rest, measure="HR").estimate
    assert bm.fit(table, measure="HR").interval("mu") == bm.fit(rest, measure="HR").interval("mu")
    assert len(bm.compare(table, measure="HR")) == len(bm.compare(rest, measure="HR"))
    for pool in (bm.random_effects, bm.fit):
        with pytest.raises(DataError, match=r"estimate (2 )?(1 )?is .*, but should be"):
            pool(yi=[yi, 0.3], sei=[sei, 0.2], measure="HR")


def test_weights_of_very_different_size_give_the_estimate_of_dersimonian_and_laird() -> None:
    """With two studies and Q > 1, tau2 is (y1 - y2)^2 / 2 - (v1 + v2) / 2, whatever the weights (eq. 8 with k = 2)."""
    for small, large in ((1e-12, 1e12), (1e-9, 1.0), (1e-12, 1e3)):
        y = np.array([0.0, 10 * large])
        found = bm.random_effects(yi=y, sei=[small, large], measure="MD", method="DL").tau2
        assert found == pytest.approx(0.5 * (y[1] - y[0]) ** 2 - 0.5 * (small**2 + large**2), rel=1e-9)
    assert bm.random_effects(yi=[0.3, -0.1], sei=[1e-12, 1e12], measure="MD", method="DL").tau2 == 0


def test_a_standard_error_of_1e18_beside_usual_ones_has_no_weight() -> None:
    for spread in (1e12, 1e18, 1e30):
        found = bm.fit(yi=[0.3, -0.1, -1], sei=[0.2, spread, 0.3], measure="HR").interval("mu")
        assert found == pytest.approx(bm.fit(yi=[0.3, -1], sei=[0.2, 0.3], measure="HR").interval("mu"), rel=1e-9)
