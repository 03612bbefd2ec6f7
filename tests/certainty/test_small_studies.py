"""Tests of small-study effects against R: metafor 3.8.1 ``regtest(yi, vi, model = "lm")``, and ``lm`` with the weights of Peters et al."""

import numpy as np
import pytest
from paths import REVIEWS_FOLDER

import bayesmeta as bm
from bayesmeta.certainty.small_studies import egger_test, peters_test
from bayesmeta.errors import DataError


@pytest.fixture(scope="module")
def bcg():
    """Log risk ratios of the 13 trials of BCG, with the sizes of the trials."""
    effects = bm.effect_sizes(bm.read_studies(REVIEWS_FOLDER / "bcg" / "studies.csv"), "RR")
    columns = effects.studies.columns
    return effects, columns["events_e"] + columns["events_c"], columns["n_e"] + columns["n_c"]


def test_eggers_test_is_that_of_metafor(bcg):
    effects, *_ = bcg
    found = egger_test(effects.yi, np.sqrt(effects.vi))
    assert (found.name, found.k) == ("Egger", 13)
    assert found.slope == pytest.approx(-2.11204212089, abs=1e-9)
    assert found.se == pytest.approx(1.507221328357, abs=1e-9)
    assert found.statistic == pytest.approx(-1.401282002289, abs=1e-9)
    assert found.pvalue == pytest.approx(0.188706995082, abs=1e-9)


def test_peters_test_is_the_weighted_regression_of_r(bcg):
    effects, events, participants = bcg
    found = peters_test(effects.yi, events, participants)
    assert found.slope == pytest.approx(-504.01362837249, rel=1e-9)
    assert found.se == pytest.approx(396.801934699630, rel=1e-9)
    assert found.pvalue == pytest.approx(0.230226874723, abs=1e-9)


@pytest.mark.parametrize(
    ("yi", "sei"), [([0.1, 0.2], [0.1, 0.2]), ([0.1, 0.2, 0.3], [0.1, 0.1, 0.1]), ([0.1, np.nan, 0.3], [0.1, 0.2, 0.3])]
)
def test_too_few_studies_or_of_one_size_are_refused(yi, sei):
    with pytest.raises(DataError, match="three or more studies of different sizes"):
        egger_test(np.array(yi), np.array(sei))
