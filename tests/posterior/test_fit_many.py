"""Many analyses at once have the results of fit and summarize for each."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.calibration.simulate import Trials, draw_trials
from bayesmeta.posterior.fit_many import POOLED, fit_many

RNG = np.random.default_rng(5)
PAIRS = [(RNG.normal(0, 0.5, k), RNG.uniform(0.02, 0.4, k)) for k in (1, 3, 3, 8)]


def expected(posterior: bm.Posterior) -> list[float]:
    rows = bm.summarize(posterior, studies=False)
    columns = ["mean", "sd", "median", "ci_low", "ci_high"]
    return [
        *rows.loc["mu", columns], *rows.loc["theta_new", ["ci_low", "ci_high"]], *rows.loc["tau", columns],
        posterior.log_marginal_likelihood,
    ]  # fmt: skip


@pytest.mark.parametrize("measure", ["RR", "SMD", "GEN", "MD"])
def test_the_rows_are_those_of_summarize(measure: str) -> None:
    frame = fit_many(PAIRS, measure=measure)
    assert frame["k"].tolist() == [1, 3, 3, 8]
    assert frame["problem"].tolist() == [""] * 4
    for row, (yi, vi) in zip(frame[list(POOLED)].to_numpy(), PAIRS, strict=True):
        alone = bm.fit(yi=yi, vi=vi, measure=measure, likelihood="normal", engine="quadrature")
        np.testing.assert_allclose(row, expected(alone), rtol=1e-9, atol=1e-10)


def test_priors_and_level_are_used() -> None:
    priors = {"mu": "Normal(0, 1)", "tau2": "InvGamma(1, 0.1)"}
    frame = fit_many(PAIRS[3:], priors=priors, level=0.8)
    posterior = bm.fit(yi=PAIRS[3][0], vi=PAIRS[3][1], priors=priors, engine="quadrature")
    assert frame.loc[0, "mu_low"] == pytest.approx(posterior.quantile("mu", 0.1), abs=1e-10)
    assert frame.loc[0, "pi_high"] == pytest.approx(posterior.quantile("theta_new", 0.9), abs=1e-10)


def test_an_analysis_without_results_has_a_reason_and_keeps_its_row() -> None:
    empty = pd.DataFrame({"study": ["A"], "events_e": [0], "n_e": [10], "events_c": [0], "n_c": [10]})
    full = empty.assign(events_e=[3], events_c=[5])
    frame = fit_many([empty, full], measure="RR", likelihood="normal")
    assert "no study is left to fit" in frame.loc[0, "problem"]
    assert frame.loc[0, list(POOLED)].isna().all()
    assert frame.loc[1, "problem"] == ""
    assert np.isfinite(frame.loc[1, list(POOLED)].astype(float)).all()


def test_one_analysis_that_fails_does_not_affect_the_others() -> None:
    hopeless = (np.array([1e200, -1e200, 0.0]), np.full(3, 1e-10))
    with np.errstate(all="ignore"):
        frame = fit_many([PAIRS[1], hopeless, PAIRS[2]], measure="RR", priors={"tau": "Uniform(0, 1)"})
    assert [bool(problem) for problem in frame["problem"]] == [False, True, False]
    np.testing.assert_allclose(
        frame.loc[[0, 2], list(POOLED)],
        fit_many(PAIRS[1:3], measure="RR", priors={"tau": "Uniform(0, 1)"})[list(POOLED)],
    )


def test_study_tables_are_read_by_their_measure() -> None:
    reviews = [draw_trials(0.0, 0.2, Trials(4, (0.1, 0.3)), np.random.default_rng(i)).studies for i in range(3)]
    frame = fit_many(reviews, measure="OR", likelihood="normal", zero_cells="none")
    known = bm.fit(reviews[1], measure="OR", likelihood="normal", engine="quadrature", zero_cells="none")
    np.testing.assert_allclose(frame.loc[1, list(POOLED)].astype(float), expected(known), rtol=1e-9, atol=1e-10)


def test_a_request_that_no_analysis_could_fulfil_is_an_error() -> None:
    with pytest.raises(bm.SpecError, match="unknown measure 'ratio'"):
        fit_many(PAIRS, measure="ratio")
    with pytest.raises(bm.SpecError, match="level must be between 0 and 1"):
        fit_many(PAIRS, level=95)


def test_several_processes_give_the_same_results() -> None:
    rng = np.random.default_rng(4)
    tables = [draw_trials(0.2, 0.1, Trials(3, (0.1, 0.3), (30, 80)), rng).studies for _ in range(4)]
    alone = fit_many(tables, measure="RR", likelihood="binomial")
    shared = fit_many(tables, measure="RR", likelihood="binomial", jobs=2)
    pd.testing.assert_frame_equal(alone, shared)
