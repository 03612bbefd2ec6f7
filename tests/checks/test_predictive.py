"""Posterior-predictive p-values: exact ones against draws, discrepancies against the definition, counts with their baselines."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kstest

import bayesmeta as bm
from bayesmeta.checks.leave_one_out import leave_one_out
from bayesmeta.checks.power_scaling import power_scaling
from bayesmeta.checks.predictive import cochran_q, crude_effects, predictive_checks
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.engines.arm_level.solution import ArmSolution
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.studies.read import read_studies

Y, V = np.array([0.1, 0.3, -0.2, 0.9]), np.array([0.04, 0.1, 0.09, 0.02])


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return bm.fit(yi=Y, vi=V, labels=list("ABCD"), priors={"tau": "HalfNormal(0.5)"})


def test_exact_tails_against_draws(posterior: Posterior) -> None:
    table = predictive_checks(posterior)
    assert list(table["check"]) == ["given all"] * 4 + ["given the others"] * 4 + ["Q", "largest residual"]
    rng = np.random.default_rng(4)
    for check, without in (("given all", None), ("given the others", 3)):
        rest = np.arange(4) != (9 if without is None else without)
        known = bm.fit(yi=Y[rest], vi=V[rest], priors={"tau": "HalfNormal(0.5)"})
        new = known.solution.sample(40000, rng)["theta_new"] + np.sqrt(V[3]) * rng.standard_normal(40000)
        row = table[(table["check"] == check) & (table["study"] == "D")].iloc[0]
        assert row["tail"] == pytest.approx((new < Y[3]).mean(), abs=4 * 0.5 / 200)
        assert row["pvalue"] == pytest.approx(2 * min(row["tail"], 1 - row["tail"]))
        assert row["mcse"] == 0
        assert row["observed"] == Y[3]


def test_predicting_a_study_with_its_own_data_hides_an_outlier() -> None:
    table = predictive_checks(yi=[0.1, 0.12, 0.08, 0.11, 1.0], sei=[0.1] * 5).set_index(["check", "study"])
    worst = table.index[-3][1]
    assert table.loc[("given the others", worst), "pvalue"] < table.loc[("given all", worst), "pvalue"]
    assert table.loc[("given the others", worst), "pvalue"] < 0.02


def test_q_of_the_data_and_its_tail(posterior: Posterior) -> None:
    table = predictive_checks(posterior, draws=8000).set_index("check")
    assert table.loc["Q", "observed"] == pytest.approx(random_effects(yi=Y, vi=V, method="DL").q, rel=1e-12)
    rng = np.random.default_rng(11)
    drawn = posterior.solution.sample(8000, rng)
    new = drawn["mu"][:, None] + np.sqrt(drawn["tau"][:, None] ** 2 + V) * rng.standard_normal((8000, 4))
    expected = (cochran_q(new, np.broadcast_to(V, new.shape)) < table.loc["Q", "observed"]).mean()
    assert table.loc["Q", "tail"] == pytest.approx(expected, abs=5 * np.sqrt(2) * 0.5 / np.sqrt(8000))
    assert 0 < table.loc["Q", "mcse"] <= 1 / np.sqrt(8000)


def test_too_much_heterogeneity_for_the_prior_is_detected() -> None:
    wild = predictive_checks(
        yi=[-2.0, 2.0, -2.1, 2.2], sei=[0.1] * 4, priors={"tau": "HalfNormal(0.05)", "mu": "Normal(0, 1)"}
    )
    calm = predictive_checks(yi=[-0.05, 0.1, 0.02, -0.1], sei=[0.1] * 4, priors={"mu": "Normal(0, 1)"})
    tails = [frame.set_index("check").loc[["Q", "largest residual"], "tail"].to_numpy() for frame in (wild, calm)]
    assert (tails[0] > 0.95).all()
    assert (tails[1] < 0.6).all()


def test_the_same_seed_gives_the_same_table(posterior: Posterior) -> None:
    pd.testing.assert_frame_equal(predictive_checks(posterior), predictive_checks(posterior))


def test_one_study_has_no_others() -> None:
    assert set(predictive_checks(yi=[0.1], sei=[0.2])["check"]) == {"given all", "largest residual"}


# counts --------------------------------------------------------------------------------------------------------------

COUNTS = pd.DataFrame(
    {"study": ["A", "B", "C"], "events_e": [4.0, 0.0, 300.0], "n_e": [40.0, 60.0, 5000.0],
     "events_c": [9.0, 2.0, 420.0], "n_c": [41.0, 58.0, 5100.0]}
)  # fmt: skip


@pytest.mark.parametrize("measure", ["RR", "OR"])
def test_crude_effects_are_those_of_escalc_with_a_half_everywhere(measure: str) -> None:
    data = model_data(effect_sizes(COUNTS, measure=measure), "binomial")
    found, variance = crude_effects(data, data.columns)
    known = effect_sizes(read_studies(COUNTS), measure, zero_cells="all")
    np.testing.assert_allclose(found, known.yi, rtol=1e-12)
    np.testing.assert_allclose(variance, known.vi, rtol=1e-12)


def test_replicated_t_statistics_vary_with_their_effects() -> None:
    table = pd.DataFrame(
        {"study": ["A", "B", "C"], "mean_e": [10.1, 11.4, 9.0], "sd_e": [2.1, 3.0, 2.5], "n_e": [30, 45, 22],
         "mean_c": [11.0, 12.9, 9.2], "sd_c": [2.4, 2.8, 2.2], "n_c": [31, 40, 25]}
    )  # fmt: skip
    data = model_data(effect_sizes(table, measure="SMD"), "nct")
    effect, variance = crude_effects(data, data.columns)
    np.testing.assert_allclose(effect, (table["mean_e"] - table["mean_c"]) / np.sqrt(
        ((table["n_e"] - 1) * table["sd_e"] ** 2 + (table["n_c"] - 1) * table["sd_c"] ** 2) / (table["n_e"] + table["n_c"] - 2)
    ), rtol=1e-12)  # fmt: skip
    np.testing.assert_allclose(variance, 1 / table["n_e"] + 1 / table["n_c"], rtol=1e-12)


@pytest.mark.parametrize("measure", ["RR", "OR"])
def test_an_outlying_trial_of_counts_is_detected(measure: str) -> None:
    counts = pd.DataFrame(
        {"study": list("ABCDE"), "events_e": [20, 22, 18, 24, 60], "n_e": [200] * 5, "events_c": [40, 42, 41, 44, 20], "n_c": [200] * 5}
    )  # fmt: skip
    priors = {"tau": "HalfNormal(0.1)"}
    table = predictive_checks(counts, measure=measure, likelihood="binomial", priors=priors, draws=2000)
    others = table[table["check"] == "given the others"].set_index("study")
    assert others.loc["E", "pvalue"] < 0.01 < others["pvalue"].drop("E").min()
    assert (others["mcse"] > 0).all()
    overall = table.set_index("check")
    assert overall.loc["Q", "tail"] > 0.95


def test_the_effects_in_the_studies_are_drawn_once(bcg: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refits without a study draw only the effect in a new study, and PSIS and power-scaling only mu and tau."""
    calls = []
    drawn = ArmSolution.sample
    monkeypatch.setattr(ArmSolution, "sample", lambda self, *given: calls.append(self) or drawn(self, *given))
    posterior = bm.fit(bcg, measure="RR", engine="quadrature")
    table = predictive_checks(posterior, draws=400)
    assert calls == [posterior.solution]
    assert (table["mcse"] > 0).all()
    leave_one_out(posterior)
    power_scaling(posterior)
    assert len(calls) == 1


def test_draws_without_the_studies_follow_the_posterior(bcg: pd.DataFrame) -> None:
    posterior = bm.fit(bcg, measure="RR", engine="quadrature")
    drawn = posterior.solution.sample_pooled(4000, np.random.default_rng(1))
    assert set(drawn) == {"mu", "tau", "theta_new"}
    for term, values in drawn.items():
        assert kstest(values, lambda x, term=term: posterior.cdf(term, x)).pvalue > 1e-4
