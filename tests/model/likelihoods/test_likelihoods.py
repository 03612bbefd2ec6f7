"""Densities against scipy and mpmath, replicated data against their means, and the data a model reads."""

from __future__ import annotations

import mpmath
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad
from scipy.special import expit
from scipy.stats import binom, chi2, nct, norm, poisson

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import effects_from_arrays
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.likelihoods.data import NO_GUIDE
from bayesmeta.model.likelihoods.densities import log_choose, log_risks, log_risks_by_odds
from bayesmeta.model.likelihoods.registry import (
    LIKELIHOODS,
    arm_level_likelihood,
    default_likelihood,
    likelihood_for,
    model_data,
)
from bayesmeta.studies.read import read_studies

CELLS = {
    "ordinary": (8, 48, 16, 49), "none_in_e": (0, 59, 4, 31), "none_in_c": (3, 20, 0, 25), "all_in_e": (20, 20, 5, 25),
    "all_in_c": (5, 25, 20, 20), "double_zero": (0, 60, 0, 40), "all_in_both": (30, 30, 12, 12), "one_each": (1, 1, 0, 1),
    "large": (505, 88391, 499, 88391),
}  # fmt: skip
THETAS = [0.0, 1e-9, -1e-9, 0.3, -0.3, 2.5, -2.5, 12.0, -12.0]
LOGITS = [-9.0, -3.0, -0.2, 0.0, 1.4, 6.0]


def binomial_data(cells=CELLS, measure="RR"):
    frame = pd.DataFrame(
        [(name, *map(float, values)) for name, values in cells.items()],
        columns=["study", "events_e", "n_e", "events_c", "n_c"],
    )
    return model_data(effect_sizes(read_studies(frame), measure), "binomial")


RATES = {
    "ordinary": (8, 481.5, 16, 490.0), "none_in_e": (0, 59.25, 4, 31.0), "none_in_c": (3, 20.0, 0, 250.0),
    "double_zero": (0, 60.0, 0, 40.0), "more_events_than_time": (30, 12.5, 22, 11.0), "large": (505, 883910.0, 499, 883910.0),
}  # fmt: skip
LOG_RATES = [-14.0, -7.0, -3.0, 0.0, 1.4]


def rate_data(rates=RATES):
    frame = pd.DataFrame(
        [(name, *map(float, values)) for name, values in rates.items()],
        columns=["study", "events_e", "time_e", "events_c", "time_c"],
    )
    return model_data(effect_sizes(read_studies(frame), "IRR"), "poisson")


def smd_data():
    frame = pd.DataFrame(
        {"study": ["A", "B", "C"], "mean_e": [8.0, 11.2, 3.0], "sd_e": [4.2, 5, 1.5], "n_e": [34, 54, 3],
         "mean_c": [9.7, 10.7, 2.0], "sd_c": [4.4, 5, 1.0], "n_c": [46, 56, 2]}
    )  # fmt: skip
    return model_data(effect_sizes(read_studies(frame), "SMD"), "nct")


def test_log_risks_have_the_log_ratio_and_the_logit_given():
    theta, logit = np.meshgrid(THETAS, LOGITS)
    p_e, q_e, p_c, q_c = log_risks(theta, logit)
    np.testing.assert_allclose(p_e - p_c, theta, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(np.exp(p_e) + np.exp(q_e), 1, rtol=1e-12)
    np.testing.assert_allclose(np.exp(p_c) + np.exp(q_c), 1, rtol=1e-12)
    larger = np.where(theta > 0, p_e - q_e, p_c - q_c)
    np.testing.assert_allclose(larger, logit, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("theta", [0.0, 1e-12, -1e-6, 0.7, -30.0])
@pytest.mark.parametrize("logit", [-700.0, -45.0, 0.0, 30.0, 45.0])
def test_log_risks_keep_their_digits(theta, logit):
    with mpmath.workdps(400):
        larger = 1 / (1 + mpmath.exp(-mpmath.mpf(logit)))
        smaller = larger * mpmath.exp(-abs(mpmath.mpf(theta)))
        in_e, in_c = (larger, smaller) if theta > 0 else (smaller, larger)
        expected = [float(mpmath.log(p)) for p in (in_e, 1 - in_e, in_c, 1 - in_c)]
    np.testing.assert_allclose(log_risks(np.array(theta), np.array(logit)), expected, rtol=1e-9, atol=3e-16)


def test_swapping_the_arms_mirrors_the_likelihood():
    data = binomial_data()
    mirrored = binomial_data({name: (c, n, a, m) for name, (a, m, c, n) in CELLS.items()})
    density = likelihood_for("binomial", "RR").log_density
    for theta in (0.4, -1.7):
        for logit in LOGITS:
            here = density(data.columns, np.full(data.k, theta), np.full(data.k, logit))
            there = density(mirrored.columns, np.full(data.k, -theta), np.full(data.k, logit))
            np.testing.assert_allclose(here, there, rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_binomial_density_is_scipys(cell):
    data = binomial_data({cell: CELLS[cell]})
    r_e, n_e, r_c, n_c = CELLS[cell]
    theta, logit = (grid[..., None] for grid in np.meshgrid(THETAS, LOGITS))
    found = likelihood_for("binomial", "RR").log_density(data.columns, theta, logit)
    p_e, q_e, p_c, q_c = log_risks(theta, logit)
    # a risk near one is given to scipy by its complement, which still has its digits
    in_e = np.where(p_e < q_e, binom.logpmf(r_e, n_e, np.exp(p_e)), binom.logpmf(n_e - r_e, n_e, np.exp(q_e)))
    in_c = np.where(p_c < q_c, binom.logpmf(r_c, n_c, np.exp(p_c)), binom.logpmf(n_c - r_c, n_c, np.exp(q_c)))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, in_e + in_c, rtol=1e-9, atol=1e-9)


def test_log_risks_have_the_log_odds_ratio_and_the_mid_logit_given():
    theta, logit = np.meshgrid(THETAS, LOGITS)
    p_e, q_e, p_c, q_c = log_risks_by_odds(theta, logit)
    np.testing.assert_allclose((p_e - q_e) - (p_c - q_c), theta, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(0.5 * ((p_e - q_e) + (p_c - q_c)), logit, rtol=1e-10, atol=1e-14)
    np.testing.assert_allclose(np.exp(p_e) + np.exp(q_e), 1, rtol=1e-12)
    np.testing.assert_allclose(np.exp(p_c) + np.exp(q_c), 1, rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_binomial_density_of_the_odds_ratio_is_scipys(cell):
    data = binomial_data({cell: CELLS[cell]}, "OR")
    r_e, n_e, r_c, n_c = CELLS[cell]
    theta, logit = (grid[..., None] for grid in np.meshgrid(THETAS, LOGITS))
    found = likelihood_for("binomial", "OR").log_density(data.columns, theta, logit)
    e, c = logit + theta / 2, logit - theta / 2
    # a risk near one is given to scipy by its complement, which still has its digits
    in_e = np.where(e < 0, binom.logpmf(r_e, n_e, expit(e)), binom.logpmf(n_e - r_e, n_e, expit(-e)))
    in_c = np.where(c < 0, binom.logpmf(r_c, n_c, expit(c)), binom.logpmf(n_c - r_c, n_c, expit(-c)))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, in_e + in_c, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("rates", RATES)
def test_poisson_density_of_the_rate_ratio_is_scipys(rates):
    data = rate_data({rates: RATES[rates]})
    r_e, t_e, r_c, t_c = RATES[rates]
    theta, log_rate = (grid[..., None] for grid in np.meshgrid(THETAS, LOG_RATES))
    found = likelihood_for("poisson", "IRR").log_density(data.columns, theta, log_rate)
    expected = poisson.logpmf(r_e, t_e * np.exp(log_rate + theta / 2)) + poisson.logpmf(
        r_c, t_c * np.exp(log_rate - theta / 2)
    )
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-8)


@pytest.mark.parametrize(
    ("data", "likelihood", "measure", "centres"),
    [(binomial_data, "binomial", "OR", LOGITS), (rate_data, "poisson", "IRR", LOG_RATES)],
    ids=["OR", "IRR"],
)
def test_swapping_the_arms_mirrors_odds_and_rates_too(data, likelihood, measure, centres):
    cells = CELLS if measure == "OR" else RATES
    swapped = {name: (c, n, a, m) for name, (a, m, c, n) in cells.items()}
    here, there = (data(x, measure) if measure == "OR" else data(x) for x in (cells, swapped))
    density = likelihood_for(likelihood, measure).log_density
    for theta in (0.4, -1.7):
        for centre in centres:
            nuisance = np.full(here.k, centre)
            one = density(here.columns, np.full(here.k, theta), nuisance)
            other = density(there.columns, np.full(here.k, -theta), nuisance)
            np.testing.assert_allclose(one, other, rtol=1e-10, atol=1e-10)


def test_the_unit_of_time_changes_the_log_rate_only():
    years = rate_data({"A": (8, 481.5, 16, 490.0)})
    days = rate_data({"A": (8, 481.5 * 365, 16, 490.0 * 365)})
    density = likelihood_for("poisson", "IRR").log_density
    theta, log_rate = np.array([0.3]), np.array([-3.0])
    one = density(years.columns, theta, log_rate)
    np.testing.assert_allclose(density(days.columns, theta, log_rate - np.log(365)), one, rtol=1e-12)


def test_given_all_its_events_a_study_of_rates_is_binomial():
    # integrated over a flat log rate, the Poisson likelihood is that of r_e among r_e + r_c (conditional, exact)
    data = rate_data({"A": (8, 481.5, 16, 490.0)})
    density = likelihood_for("poisson", "IRR").log_density
    found = [
        quad(lambda a, theta=theta: np.exp(density(data.columns, np.array([theta]), np.array([a]))[0] + 8), -20, 5)[0]
        for theta in (-1.0, 0.0, 0.8)
    ]
    share = 481.5 * np.exp([-1.0, 0.0, 0.8]) / (481.5 * np.exp([-1.0, 0.0, 0.8]) + 490.0)
    np.testing.assert_allclose(np.diff(np.log(found)), np.diff(binom.logpmf(8, 24, share)), rtol=1e-7)


def test_counts_that_are_zero_add_nothing_even_where_their_risk_is_certain():
    data = binomial_data({"none": (0, 60, 0, 40), "all": (30, 30, 12, 12)})
    found = likelihood_for("binomial", "RR").log_density(data.columns, np.zeros(2), np.array([-800.0, 800.0]))
    np.testing.assert_allclose(found, 0, atol=1e-12)


def test_log_choose():
    n, r = np.array([1.0, 48, 60, 88391]), np.array([0.0, 8, 60, 505])
    with mpmath.workdps(50):
        expected = [float(mpmath.log(mpmath.binomial(int(a), int(b)))) for a, b in zip(n, r, strict=True)]
    np.testing.assert_allclose(log_choose(n, r), expected, rtol=1e-12, atol=1e-9)


def test_normal_density_is_scipys():
    columns = {"effect": np.array([0.1, -2.0, 5.0]), "se": np.array([0.2, 1e-6, 30.0])}
    theta = np.array([[0.0, -2.0, 0.0], [0.4, -1.0, -100.0]])
    found = likelihood_for("normal", "GEN").log_density(columns, theta, None)
    np.testing.assert_allclose(found, norm.logpdf(columns["effect"], theta, columns["se"]), rtol=1e-13)


@pytest.mark.parametrize("theta", [0.0, 0.4, -0.4, 1.5, -1.5])
def test_noncentral_t_density_is_that_of_the_t_statistic(theta):
    data = smd_data()
    found = likelihood_for("nct", "SMD").log_density(data.columns, np.full(3, theta), None)
    t, df, root_n = (data.columns[name] for name in ("t", "df", "root_n"))
    np.testing.assert_allclose(found, nct.logpdf(t, df, theta * root_n), rtol=1e-12)
    for i in range(3):
        # from its definition, t = (ncp + Z) / sqrt(V / df), without scipy's noncentral t
        def joint(v, i=i):
            w = np.sqrt(v / df[i])
            return chi2.pdf(v, df[i]) * norm.pdf(t[i], theta * root_n[i] / w, 1 / w)

        value, _ = quad(joint, 0, df[i] + 30 * np.sqrt(2 * df[i]) + 40, points=[df[i]], limit=200)
        assert found[i] == pytest.approx(np.log(value), rel=1e-5)


def test_t_statistics_of_the_smd():
    data = smd_data()
    pooled = np.sqrt((33 * 4.2**2 + 45 * 4.4**2) / 78)
    assert data.columns["t"][0] == pytest.approx((8.0 - 9.7) / (pooled * np.sqrt(1 / 34 + 1 / 46)), rel=1e-12)
    np.testing.assert_array_equal(data.columns["df"], [78, 108, 3])
    np.testing.assert_allclose(data.columns["root_n"] ** 2, [34 * 46 / 80, 54 * 56 / 110, 6 / 5])
    assert data.n == 34 + 46 + 54 + 56 + 5


def test_replicated_data_have_the_right_means():
    size = 20_000
    rng = np.random.default_rng(0)
    data = binomial_data({"ordinary": (8, 48, 16, 49), "none": (0, 59, 4, 31)})
    theta, logit = np.array([-0.8, 0.5]), np.array([0.3, -1.0])
    wide = np.broadcast_to(theta, (size, 2))
    new = likelihood_for("binomial", "RR").replicate(data.columns, wide, np.broadcast_to(logit, (size, 2)), rng)
    risk_e, _, risk_c, _ = np.exp(log_risks(theta, logit))
    for name, risk, total in (("events_e", risk_e, data.columns["n_e"]), ("events_c", risk_c, data.columns["n_c"])):
        assert new[name].shape == (size, 2)
        error = np.sqrt(total * risk * (1 - risk) / size)
        np.testing.assert_array_less(np.abs(new[name].mean(axis=0) - total * risk), 5 * error)

    by_odds = likelihood_for("binomial", "OR").replicate(data.columns, wide, np.broadcast_to(logit, (size, 2)), rng)
    for name, log_odds in (("events_e", logit + theta / 2), ("events_c", logit - theta / 2)):
        total, risk = data.columns[f"n_{name[-1]}"], expit(log_odds)
        error = np.sqrt(total * risk * (1 - risk) / size)
        np.testing.assert_array_less(np.abs(by_odds[name].mean(axis=0) - total * risk), 5 * error)

    data = rate_data({"ordinary": (8, 48, 16, 49), "none": (0, 59, 4, 31)})
    by_rate = likelihood_for("poisson", "IRR").replicate(data.columns, wide, np.broadcast_to(logit, (size, 2)), rng)
    for name, log_rate in (("events_e", logit + theta / 2), ("events_c", logit - theta / 2)):
        expected = data.columns[f"time_{name[-1]}"] * np.exp(log_rate)
        assert by_rate[name].shape == (size, 2)
        np.testing.assert_array_less(np.abs(by_rate[name].mean(axis=0) - expected), 5 * np.sqrt(expected / size))

    columns = {"effect": np.array([0.1, -2.0]), "se": np.array([0.2, 3.0])}
    effect = likelihood_for("normal", "GEN").replicate(columns, wide, None, rng)["effect"]
    np.testing.assert_array_less(np.abs(effect.mean(axis=0) - theta), 5 * columns["se"] / np.sqrt(size))
    np.testing.assert_allclose(effect.std(axis=0), columns["se"], rtol=0.03)

    data = smd_data()
    theta = np.array([0.5, -0.3, 0.0])
    t = likelihood_for("nct", "SMD").replicate(data.columns, np.broadcast_to(theta, (size, 3)), None, rng)["t"]
    expected = nct.mean(data.columns["df"], theta * data.columns["root_n"])
    np.testing.assert_array_less(np.abs(t.mean(axis=0) - expected), 5 * t.std(axis=0) / np.sqrt(size))


def test_double_zeros_are_kept_for_the_binomial_and_excluded_for_the_normal_likelihood():
    frame = pd.DataFrame(
        {
            "study": ["A", "B", "C"],
            "events_e": [3, 0, 2],
            "n_e": [40, 60, 50],
            "events_c": [7, 0, 0],
            "n_c": [41, 60, 50],
        }
    )
    effects = effect_sizes(read_studies(frame), "RR")
    arm, normal = model_data(effects, "binomial"), model_data(effects, "normal")
    assert arm.labels == ("A", "B", "C")
    assert normal.labels == ("A", "C")
    assert (arm.n, normal.n) == (301, 181)
    assert (arm.k, normal.k) == (3, 2)
    np.testing.assert_array_equal(arm.columns["events_e"], [3, 0, 2])
    # a study without information on its effect guides nothing; for I2 it counts with the variance of its corrected table
    assert arm.guide_variance[1] == NO_GUIDE
    assert arm.study_variance[1] == pytest.approx(2 * (1 / 0.5 - 1 / 61))


def test_an_excluded_study_is_in_neither():
    table = read_studies(
        pd.DataFrame({"study": ["A", "B"], "yi": [0.1, 0.3], "sei": [0.2, 0.2]}), exclude={"B": "thesis"}
    )
    data = model_data(effect_sizes(table, "GEN"), "normal")
    assert data.labels == ("A",)
    assert np.isnan(data.n)


def test_default_likelihoods():
    frame = pd.DataFrame({"study": ["A"], "events_e": [3], "n_e": [40], "events_c": [7], "n_c": [41]})
    table = read_studies(frame)
    assert default_likelihood(effect_sizes(table, "RR")) == "binomial"
    assert default_likelihood(effect_sizes(table, "OR")) == "binomial"
    assert default_likelihood(effect_sizes(table, "PETO")) == "normal"
    assert default_likelihood(effect_sizes(table, "RD")) == "normal"
    assert default_likelihood(effects_from_arrays([0.1], sei=[0.2], measure="RR")) == "normal"


def test_the_default_likelihood_of_rates_and_of_estimates_beside_counts():
    rates = pd.DataFrame({"study": ["A"], "events_e": [3], "time_e": [40.5], "events_c": [7], "time_c": [41]})
    assert default_likelihood(effect_sizes(read_studies(rates), "IRR")) == "poisson"
    assert default_likelihood(effects_from_arrays([0.1], sei=[0.2], measure="IRR")) == "normal"
    # participants and person-time in one table serve both measures
    both = read_studies(rates.assign(n_e=40, n_c=41))
    assert default_likelihood(effect_sizes(both, "IRR")) == "poisson"
    assert default_likelihood(effect_sizes(both, "RR")) == "binomial"
    assert model_data(effect_sizes(both, "IRR"), "poisson").n == 81
    assert np.isnan(model_data(effect_sizes(read_studies(rates), "IRR"), "poisson").n)


def test_every_arm_level_likelihood_is_registered():
    assert [name for name, likelihood in LIKELIHOODS.items() if likelihood.kind] == ["binomial", "poisson", "nct"]
    for name, likelihood in LIKELIHOODS.items():
        for measure in likelihood.measures:
            assert arm_level_likelihood(measure) is likelihood
            study = likelihood_for(name, measure)
            assert bool(study.baseline) == bool(study.nuisance)
    assert arm_level_likelihood("HR") is None
    assert LIKELIHOODS["normal"].measures == ()
    assert likelihood_for("normal", "RR") is likelihood_for("normal", "GEN")
    assert (likelihood_for("binomial", "RR").nuisance, likelihood_for("binomial", "OR").nuisance) == (
        "logit_larger_risk",
        "mid_logit",
    )
    with pytest.raises(SpecError, match="'binomial' is for RR, OR, not for IRR; use 'normal'"):
        likelihood_for("binomial", "IRR")


def test_double_zeros_of_odds_and_rates_are_kept_and_guide_nothing():
    odds = binomial_data({"A": (3, 40, 7, 41), "B": (0, 60, 0, 60), "C": (2, 50, 0, 50)}, "OR")
    rates = rate_data({"A": (3, 40, 7, 41), "B": (0, 60, 0, 60), "C": (2, 50, 0, 50)})
    for data in (odds, rates):
        assert data.labels == ("A", "B", "C")
        np.testing.assert_array_equal(data.guide_variance[1:], NO_GUIDE)
    assert odds.guide_variance[0] == pytest.approx(1 / 3 + 1 / 37 + 1 / 7 + 1 / 34)
    assert rates.guide_variance[0] == pytest.approx(1 / 3 + 1 / 7)
    assert rates.study_variance[1] == pytest.approx(4.0)


def test_requests_that_cannot_be_met():
    effects = effects_from_arrays([0.1, 0.2], sei=[0.2, 0.2], measure="RR")
    with pytest.raises(SpecError, match="did you mean 'binomial'"):
        model_data(effects, "binomal")
    with pytest.raises(SpecError, match="'nct' is for SMD, not for RR; use 'normal'"):
        model_data(effects, "nct")
    with pytest.raises(DataError, match=r"(?s)needs arm-level data.*events and totals"):
        model_data(effects, "binomial")
    frame = pd.DataFrame({"study": ["A"], "events_e": [0], "n_e": [40], "events_c": [0], "n_c": [41]})
    nothing = effect_sizes(read_studies(frame), "RR")
    with pytest.raises(DataError, match=r"(?s)no study is left to fit.*not estimable"):
        model_data(nothing, "normal")
    assert model_data(nothing, "binomial").k == 1


def test_padding():
    data = binomial_data({"a": (8, 48, 16, 49), "b": (0, 59, 4, 31)})
    padded = data.padded(4)
    assert padded.k == data.k == 2
    assert len(padded.labels) == len(set(padded.labels)) == 4
    np.testing.assert_array_equal(padded.included, [1, 1, 0, 0])
    for name, value in padded.columns.items():
        np.testing.assert_array_equal(value[:2], data.columns[name])
        assert np.isfinite(value).all()
    assert data.padded(2) is data
    assert data.padded(1) is data
    # the density of the padding is finite for any value in it, so that zero times it is zero
    density = likelihood_for("binomial", "RR").log_density(
        padded.columns, np.array([-30.0, 30, -30, 30]), np.full(4, 40.0)
    )
    assert np.isfinite(density).all()
