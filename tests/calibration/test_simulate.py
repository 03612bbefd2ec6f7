"""Simulated reviews have the moments of the model they are drawn from."""

import numpy as np
import pytest

from bayesmeta.calibration.simulate import Trials, cochrane_sizes, draw_effects, draw_from_prior, draw_trials
from bayesmeta.errors import SpecError
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors

PRIORS = Priors(parse_prior("Normal(0.2, 0.5)"), parse_prior("HalfNormal(0.4)"), baseline=parse_prior("Normal(-2, 1)"))


def test_effects_have_the_two_variances_of_the_model() -> None:
    sei = np.repeat([0.1, 0.5], 50_000)
    review = draw_effects(0.3, 0.4, sei, np.random.default_rng(1))
    y = review.studies.columns["yi"]
    assert y.mean() == pytest.approx(0.3, abs=4 * np.sqrt(0.16 + 0.13) / np.sqrt(len(y)))
    for half, se in ((slice(0, 50_000), 0.1), (slice(50_000, None), 0.5)):
        assert y[half].var() == pytest.approx(0.16 + se**2, rel=0.03)
    assert review.theta.var() == pytest.approx(0.16, rel=0.02)
    assert np.corrcoef(y - review.theta, review.theta)[0, 1] == pytest.approx(0.0, abs=0.02)


def test_without_heterogeneity_every_effect_is_the_mean() -> None:
    review = draw_trials(-0.3, 0.0, Trials(5, (0.1, 0.2)), np.random.default_rng(1))
    assert review.theta.tolist() == [-0.3] * 5
    assert review.theta_new == -0.3


@pytest.mark.parametrize("allocation", [1.0, 2.0])
def test_trials_have_the_given_risks_sizes_and_effects(allocation: float) -> None:
    trials = Trials(40_000, (0.002, 0.01), (50, 2000), allocation)
    columns = draw_trials(0.3, 0.0, trials, np.random.default_rng(1)).studies.columns
    events_e, n_e, events_c, n_c = (columns[name] for name in ("events_e", "n_e", "events_c", "n_c"))
    assert n_c.min() >= 50
    assert n_c.max() <= 2000
    assert np.log(n_c).mean() == pytest.approx(np.log(50 * 2000) / 2, abs=0.03)
    np.testing.assert_allclose(n_e, np.round(allocation * n_c))
    total = events_e.sum() / n_e.sum() / (events_c.sum() / n_c.sum())
    assert np.log(total) == pytest.approx(0.3, abs=4 / np.sqrt(events_c.sum()))
    assert 0.002 < events_c.sum() / n_c.sum() < 0.01
    # rare enough that many trials have an empty arm
    assert np.mean((events_c == 0) | (events_e == 0)) > 0.2


def test_experimental_risks_are_capped() -> None:
    columns = draw_trials(2.0, 1.0, Trials(500, (0.3, 0.9), (1000, 1000)), np.random.default_rng(1)).studies.columns
    assert (columns["events_e"] <= columns["n_e"]).all()
    assert np.quantile(columns["events_e"] / columns["n_e"], 0.9) == pytest.approx(0.95, abs=0.02)


def test_draws_from_the_prior_follow_it() -> None:
    rng = np.random.default_rng(1)
    reviews = [draw_from_prior(PRIORS, rng, sei=np.full(3, 0.2)) for _ in range(4000)]
    mu, tau = np.array([review.mu for review in reviews]), np.array([review.tau for review in reviews])
    assert mu.mean() == pytest.approx(0.2, abs=0.04)
    assert mu.std() == pytest.approx(0.5, rel=0.05)
    assert (tau**2).mean() == pytest.approx(0.16, rel=0.1)
    new = np.array([(review.theta_new - review.mu) / review.tau for review in reviews])
    assert new.std() == pytest.approx(1.0, rel=0.05)


def test_counts_from_the_prior_have_the_baseline_in_the_arm_of_larger_risk() -> None:
    rng = np.random.default_rng(2)
    many = np.full(20_000, 10_000.0)
    priors = Priors(
        parse_prior("Normal(0.5, 0.01)"), parse_prior("HalfNormal(0.01)"), baseline=parse_prior("Normal(-2, 1)")
    )
    columns = draw_from_prior(priors, rng, n_e=many, n_c=many).studies.columns
    larger = columns["events_e"] / columns["n_e"]
    kept = larger > 0.005
    assert np.median(larger) == pytest.approx(1 / (1 + np.exp(2)), abs=0.004)
    ratio = np.log(columns["events_e"][kept].sum() / columns["events_c"][kept].sum())
    assert ratio == pytest.approx(0.5, abs=0.05)


def test_the_same_generator_draws_the_same_review() -> None:
    one, other = (draw_trials(0.1, 0.2, Trials(7, (0.01, 0.1)), np.random.default_rng(9)) for _ in range(2))
    assert one.theta_new == other.theta_new
    for name, value in one.studies.columns.items():
        np.testing.assert_array_equal(value, other.studies.columns[name])


def test_sizes_are_those_of_cochrane_reviews() -> None:
    sizes = cochrane_sizes(20_000, np.random.default_rng(1))
    assert np.median(sizes) == 4
    assert sizes.min() == 1
    assert 90 < sizes.max() <= 180


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"risk": (0.0, 0.1)}, "risks must satisfy"),
        ({"risk": (0.2, 0.1)}, "risks must satisfy"),
        ({"risk": (0.1, 0.2), "arm": (10, 5)}, "arms 10 to 5"),
        ({"risk": (0.1, 0.2), "allocation": 0.0}, "positive allocation"),
    ],
)
def test_impossible_trials_are_refused(fields: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Trials(3, **fields)


def test_a_prior_without_a_baseline_cannot_draw_counts() -> None:
    bare = Priors(PRIORS.mu, PRIORS.scale)
    with pytest.raises(SpecError, match="prior for the baseline on the logit scale"):
        draw_from_prior(bare, np.random.default_rng(1), n_e=np.full(2, 50.0), n_c=np.full(2, 50.0))
