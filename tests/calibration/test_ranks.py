"""Ranks of true values in exact posteriors are uniform, and each review depends on its number and the seed only."""

import numpy as np
import pytest

from bayesmeta.calibration.linear import LINEAR
from bayesmeta.calibration.ranks import (
    EXPERIMENTS,
    TERMS,
    calibratable,
    calibrate,
    draw_review,
    rank_table,
    ranks_of_truth,
    terms_of_experiment,
)
from bayesmeta.calibration.uniformity import uniformity
from bayesmeta.errors import ConvergenceError, SpecError
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.posterior import Posterior


def test_talts2018_quadrature_is_calibrated_for_the_normal_model() -> None:
    rows = calibrate("normal", "quadrature", range(250), seed=11)
    for term in TERMS:
        found = uniformity(np.array([row[term] for row in rows]), np.random.default_rng(1))
        assert found.count == 250
        assert min(found.chi2_pvalue, found.deviation_pvalue) > 0.0005, term


@pytest.mark.parametrize("name", LINEAR)
def test_talts2018_quadrature_is_calibrated_for_linear_models(name: str) -> None:
    # a fit of counts takes half a second
    count = 4 if name == "regression_of_counts" else 120
    rows = calibrate(name, "quadrature", range(count), seed=5)
    assert calibrate(name, "quadrature", range(count - 1, count), seed=5) == rows[-1:]
    for term in terms_of_experiment(name):
        found = uniformity(np.array([row[term] for row in rows]), np.random.default_rng(1))
        assert found.count == count
        assert min(found.chi2_pvalue, found.deviation_pvalue) > 0.0005, term
    table = rank_table({f"{name}/quadrature": {term: [row[term] for row in rows] for term in LINEAR[name].terms}}, 1)
    assert [row["term"] for row in table] == list(LINEAR[name].terms)


def test_a_wrong_prior_for_rho_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    def confident(*data: object, **named: object) -> Posterior:
        return fit(*data, **{**named, "priors": {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)", "rho": "Beta(1, 30)"}})

    monkeypatch.setattr("bayesmeta.calibration.ranks.fit", confident)
    rows = calibrate("three_level", "quadrature", range(80), seed=1)
    for term in ("rho", "tau_between"):
        assert uniformity(np.array([row[term] for row in rows]), np.random.default_rng(1)).deviation_pvalue < 0.01, term


def test_a_wrong_prior_is_detected(monkeypatch: pytest.MonkeyPatch) -> None:
    # reviews are drawn with the experiment's priors; fit them with a tau that is far too small
    def confident(*data: object, **named: object) -> Posterior:
        return fit(*data, **{**named, "priors": {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.02)"}})

    monkeypatch.setattr("bayesmeta.calibration.ranks.fit", confident)
    rows = calibrate("normal", "quadrature", range(150), seed=1)
    for term in ("mu", "tau", "theta_1", "theta_new"):
        assert uniformity(np.array([row[term] for row in rows]), np.random.default_rng(1)).deviation_pvalue < 0.01, term


def test_a_review_depends_on_its_number_and_the_seed_only() -> None:
    whole = calibrate("normal", "quadrature", range(4), seed=3)
    part = calibrate("normal", "quadrature", range(2, 4), seed=3)
    assert part == whole[2:]
    assert calibrate("normal", "quadrature", range(2, 4), seed=4) != part


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_draws_data_for_its_likelihood(name: str) -> None:
    reviews = [draw_review(name, 1, i) for i in range(50)]
    assert {review.studies.kind for review in reviews} == {"dichotomous" if name == "binomial" else "estimate"}
    assert {len(review.theta) for review in reviews} == {6}


def test_a_fit_that_does_not_converge_keeps_its_row(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> Posterior:
        raise ConvergenceError("NUTS did not converge\n  advice")

    monkeypatch.setattr("bayesmeta.calibration.ranks.fit", refuse)
    row = calibrate("normal", "nuts", range(1), seed=1)[0]
    assert row["problem"] == "NUTS did not converge"
    assert np.isnan(row["mu"])


def test_an_engine_that_cannot_fit_a_model_is_recognized(monkeypatch: pytest.MonkeyPatch) -> None:
    assert calibratable("normal", "quadrature")

    def refuse(*_: object, **__: object) -> Posterior:
        raise SpecError("this engine does not treat it")

    monkeypatch.setattr("bayesmeta.calibration.ranks.fit", refuse)
    assert not calibratable("normal", "quadrature")


def test_an_unknown_experiment_is_refused() -> None:
    with pytest.raises(SpecError, match="unknown calibration experiment 'nromal'"):
        draw_review("nromal", 1, 1)


def test_a_true_value_far_above_its_posterior_has_rank_one() -> None:
    review = draw_review("normal", 1, 1)
    posterior = fit(review.studies, measure="HR", likelihood="normal", engine="quadrature")
    far = type(review)(1e3, 1e3, review.theta * 0 - 1e3, -1e3, review.studies)
    found = ranks_of_truth(far, posterior, np.random.default_rng(1))
    assert found == pytest.approx({"mu": 1.0, "tau": 1.0, "theta_1": 0.0, "theta_new": 0.0}, abs=1e-6)


def test_the_table_has_one_row_per_term_and_counts_failures() -> None:
    ranks = {term: np.append(np.random.default_rng(1).uniform(size=199), np.nan) for term in TERMS}
    table = rank_table({"normal/quadrature": ranks}, seed=1)
    assert [row["term"] for row in table] == list(TERMS)
    assert {(row["reviews"], row["failed"]) for row in table} == {(199, 1)}
