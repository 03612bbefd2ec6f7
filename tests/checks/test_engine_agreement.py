"""How far the two engines are apart, in Monte Carlo standard errors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from conftest import as_if_sampled
from scipy import stats

from bayesmeta.checks.engine_agreement import STATISTICS, engine_agreement, largest_by_chance, worst_disagreement
from bayesmeta.errors import SpecError
from bayesmeta.posterior.summary import summarize


def test_agreement_is_the_difference_over_its_standard_error(exact, drawn):
    frame = engine_agreement(drawn, exact)
    assert list(frame.columns) == ["term", "statistic", "nuts", "quadrature", "mcse", "difference"]
    assert set(frame["term"]) == {"mu", "tau", "theta_new", *(f"theta[{label}]" for label in exact.data.labels)}
    assert len(frame) == 4 * (3 + 13)
    row = frame[(frame["term"] == "tau") & (frame["statistic"] == "ci_high")].iloc[0]
    sampled, known = summarize(drawn), summarize(exact)
    assert row["nuts"] == sampled.loc["tau", "ci_high"]
    assert row["quadrature"] == known.loc["tau", "ci_high"]
    assert row["mcse"] == sampled.loc["tau", "mcse_ci_high"]
    share = (drawn.solution.draws["tau"] <= row["quadrature"]).mean()
    size = drawn.solution.draws["tau"].size
    assert row["difference"] == pytest.approx((0.975 - share) / np.sqrt(0.975 * 0.025 / size), rel=0.35)
    row = frame[(frame["term"] == "tau") & (frame["statistic"] == "sd")].iloc[0]
    assert row["difference"] == pytest.approx((row["nuts"] - row["quadrature"]) / row["mcse"])
    assert tuple(frame["statistic"].unique()) == STATISTICS


def test_independent_draws_agree_and_differences_are_standard_normal(exact, drawn):
    frame = engine_agreement(drawn, exact)
    assert worst_disagreement(frame) < largest_by_chance(len(frame))
    assert 0.5 < np.sqrt(np.mean(frame["difference"] ** 2)) < 1.6
    assert worst_disagreement(frame) == np.abs(frame["difference"]).max()


def test_the_bound_counts_comparisons_and_fits() -> None:
    assert largest_by_chance(1) == pytest.approx(stats.norm.isf(0.0005))
    assert largest_by_chance(50) == pytest.approx(stats.norm.isf(0.0005 / 50))


def test_independent_draws_exceed_the_bound_no_more_often_than_stated(fit) -> None:
    """A hundred sets of draws of a posterior with heavy tails: a rule without counting, such as 4 MCSE with arviz' error of
    quantiles, raises alarms here.
    """
    exact = fit(yi=[0.1, 0.9, -0.4], sei=[0.2, 0.3, 0.25], measure="RR", engine="quadrature")
    known = summarize(exact)
    terms = [*exact.solution.terms.parameters, *exact.solution.terms.studies]
    for seed in range(100):
        nuts = as_if_sampled(exact, seed=seed)
        frame = engine_agreement(nuts, exact, (summarize(nuts), known))
        assert len(frame) == 4 * len(terms)
        assert worst_disagreement(frame) < largest_by_chance(100 * len(frame)), seed


def test_wrong_draws_are_detected(exact, drawn):
    shifted = {
        **drawn.solution.draws,
        "mu": drawn.solution.draws["mu"] + 0.2 * exact.solution.effects.take("mu").sd()[0],
    }
    wrong = replace(drawn, solution=replace(drawn.solution, draws=shifted))
    assert worst_disagreement(engine_agreement(wrong, exact)) > largest_by_chance(64)


def test_given_summaries_are_used(exact, drawn):
    made = (summarize(drawn), summarize(exact))
    assert engine_agreement(drawn, exact, made).equals(engine_agreement(drawn, exact))


def test_only_the_same_fit_by_the_two_engines_can_be_compared(exact, drawn, fit, bcg):
    with pytest.raises(SpecError, match="in this order"):
        engine_agreement(exact, drawn)
    with pytest.raises(SpecError, match="same studies, likelihood and priors"):
        engine_agreement(
            drawn, fit(bcg, measure="RR", likelihood="normal", priors={"tau": "HalfNormal(1)"}, engine="quadrature")
        )
    with pytest.raises(SpecError, match="same studies, likelihood and priors"):
        engine_agreement(drawn, fit(bcg.iloc[1:], measure="RR", likelihood="normal", engine="quadrature"))


def test_the_same_labels_with_other_numbers_are_not_the_same_studies(drawn, fit, bcg):
    other = bcg.assign(events_e=bcg["events_e"] + 1)
    with pytest.raises(SpecError, match="same studies"):
        engine_agreement(drawn, fit(other, measure="RR", likelihood="normal", engine="quadrature"))


@pytest.mark.sampling
def test_sampled_fits_agree(bcg_nuts, exact):
    assert worst_disagreement(engine_agreement(bcg_nuts, exact)) < largest_by_chance(64)
