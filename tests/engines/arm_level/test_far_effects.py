"""Standardized mean differences of hundreds: one message, without numpy's warnings and in no time."""

from __future__ import annotations

import numpy as np
import pytest

import bayesmeta as bm


def table(tmp_path, shift):
    path = tmp_path / "t.csv"
    rows = ("A,20,8,40,25,9,42", "B,18,7,30,19,8,28", f"C,{19 + 7 * shift},7,35,19,7,29")
    path.write_text("\n".join(("study,mean_e,sd_e,n_e,mean_c,sd_c,n_c", *rows)))
    return path


@pytest.mark.parametrize("shift", [500, 1000, 1e8])
def test_an_effect_beyond_the_tables(tmp_path, shift):
    with pytest.raises(
        bm.ConvergenceError, match=r"the effect of a study is about .* computed up to 400; check its numbers"
    ):
        bm.fit(table(tmp_path, shift), measure="SMD")


def test_an_effect_within_the_tables_that_cannot_be_summarized(tmp_path):
    post = bm.fit(table(tmp_path, 300), measure="SMD")
    with pytest.raises(bm.ConvergenceError, match="check the data and the priors for extreme values"):
        bm.summarize(post)


def test_a_study_whose_likelihood_is_the_same_at_every_draw():
    found = bm.leave_one_out(yi=[0.3, -0.1, 0.2], sei=[0.2, 999999999.0, 0.25], measure="SMD")
    assert found["pareto_k"].iloc[1] == 0
    assert found["log_predictive_psis"].iloc[1] == pytest.approx(found["log_predictive"].iloc[1], abs=1e-9)
    assert np.isfinite(found.to_numpy(float)).all()


@pytest.mark.parametrize("level", [1e-320, 1e-9, 1 - 1e-15])
def test_levels_at_which_ends_are_rounding_errors(level):
    post = bm.fit(yi=[0.3, -0.1, 0.2], sei=[0.2, 0.3, 0.25], measure="SMD")
    with pytest.raises(bm.SpecError, match=r"level must be between 1e-06 and 0.999999999 but got"):
        bm.summarize(post, level=level)
