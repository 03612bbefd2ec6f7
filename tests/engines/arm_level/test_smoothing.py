"""g_i(mu, tau) against dense integration of the table of m_i, which test_study_table compares with m_i itself."""

import numpy as np
import pytest
from engines.arm_level.test_study_likelihood import columns_of, engine
from numpy.polynomial.legendre import leggauss
from scipy.special import log_ndtr

from bayesmeta.engines.arm_level.smoothing import NARROW, WIDE, Smoothed, hermite_rule, smoothed, unit_legendre
from bayesmeta.engines.arm_level.study_table import Table, tabulate

STUDIES = [
    *(
        ("binomial", measure, study)
        for measure in ("RR", "OR")
        for study in [(0, 38, 0, 39), (10, 10, 5, 10), (0, 5, 3, 5), (5, 5, 5, 5), (505, 88391, 499, 88391), (62, 13598, 248, 12867)]
    ),
    *(("poisson", "IRR", study)
      for study in [(0, 380.0, 0, 390.0), (10, 100.0, 5, 100.0), (0, 50.0, 3, 50.0), (62, 13598.0, 248, 12867.0)]),
    *(("nct", "SMD", study) for study in [(-1.2, 8.0, 2.5**0.5), (0.4, 2.0, 1.0), (14.0, 3.0, 1.2**0.5), (-4.1, 40998.0, 101.2)]),
]  # fmt: skip
each_study = pytest.mark.parametrize(("likelihood", "measure", "study"), STUDIES, ids=str)


def smoothed_study(likelihood: str, measure: str, study: tuple[float, ...]) -> Smoothed:
    return smoothed(tabulate(likelihood, measure, columns_of(likelihood, study))[0])


def densely(table: Table, mu: float, tau: float, scale: float) -> float:
    """log g_i on Gauss-Legendre panels as wide as the narrower factor, wherever the product is within exp(-45) of its maximum."""
    ends = mu + 60 * tau * np.array([-1.0, 1.0])
    low, high = max(ends[0], table.ends[0]), min(ends[1], table.ends[1])
    grid = np.concatenate([np.linspace(*ends, 4001), np.linspace(low, high, 4001) if low < high else [mu]])
    grid = np.unique(np.append(grid, np.clip(table.split, *ends)))
    value = table.log_value(grid) - 0.5 * ((grid - mu) / tau) ** 2
    matters = np.flatnonzero(value > value.max() - 45)
    low, high = grid[max(matters[0] - 1, 0)], grid[min(matters[-1] + 1, len(grid) - 1)]
    edges = np.linspace(low, high, 1 + int(np.clip(np.ceil((high - low) / min(tau, scale)), 8, 4000)))
    if low < table.split < high:
        edges = np.unique(np.append(edges, table.split))
    nodes, weights = leggauss(24)
    half = 0.5 * np.diff(edges)[:, None]
    x = edges[:-1, None] + half * (nodes + 1)
    exponent = table.log_value(x) - 0.5 * ((x - mu) / tau) ** 2
    top = exponent.max()
    return float(np.log((np.exp(exponent - top) * half * weights).sum()) + top - np.log(tau) - 0.5 * np.log(2 * np.pi))


@each_study
def test_against_dense_integration(likelihood: str, measure: str, study: tuple[float, ...]) -> None:
    study_g = smoothed_study(likelihood, measure, study)
    table, scale = study_g.table, study_g.scale
    beside = np.array([NARROW, WIDE])[:, None] * (1 + np.array([-1e-9, 1e-9]))
    tau = np.concatenate([np.geomspace(1e-6, 50.0, 15), scale * beside.ravel()])
    centre = table.peak_at if abs(table.peak_at) < 20 else 0.0
    mu = np.concatenate([centre + scale * np.array([-8.0, -3.0, -1.0, -0.2, 0.0, 0.5, 2.0, 8.0]), [0.0, 1e-3]])
    got = study_g.log_smooth(np.tile(mu, (len(tau), 1)), tau)
    known = np.array([[densely(table, m, t, scale) for m in mu] for t in tau])
    lost = np.maximum(table.peak - known, 0.0)
    # of m_i everything below exp(-34) of its maximum is left out: this matters where g_i itself is very small
    assert (np.abs(got - known) <= 1e-8 + 30 * np.exp(np.minimum(lost, 40.0) - 34.0)).all()
    assert np.abs(got - known)[lost < 8].max() < 1e-8


@each_study
def test_without_spread_it_is_the_study_itself(likelihood: str, measure: str, study: tuple[float, ...]) -> None:
    study_g = smoothed_study(likelihood, measure, study)
    centre = study_g.table.peak_at if abs(study_g.table.peak_at) < 20 else 0.0
    mu = centre + study_g.scale * np.linspace(-4.0, 4.0, 9)
    known = engine(likelihood, measure, study, mu)
    np.testing.assert_allclose(study_g.log_smooth(mu[None], np.zeros(1))[0], known, atol=5e-9)
    np.testing.assert_allclose(study_g.log_smooth(mu[None], np.array([1e-9]))[0], known, atol=2e-6)


@each_study
@pytest.mark.parametrize("share", [NARROW, WIDE])
def test_nothing_jumps_where_the_rule_changes(likelihood, measure, study, share) -> None:
    study_g = smoothed_study(likelihood, measure, study)
    centre = study_g.table.peak_at if abs(study_g.table.peak_at) < 20 else 0.0
    mu = centre + study_g.scale * np.linspace(-3.0, 3.0, 25)
    tau = study_g.scale * share * (1 + np.array([-1e-9, 1e-9]))
    below, above = study_g.log_smooth(np.tile(mu, (2, 1)), tau)
    np.testing.assert_allclose(below, above, atol=5e-8)


def test_a_likelihood_that_is_flat_on_one_side_keeps_its_tail() -> None:
    # no event against three of five, by risk ratio: m_i is flat towards minus infinity, where g_i has that height
    study_g = smoothed_study("binomial", "RR", (0, 5, 3, 5))
    flat = study_g.table.log_value(np.array([-300.0]))[0]
    got = study_g.log_smooth(np.full((3, 1), -200.0), np.array([0.1, 2.0, 20.0]))
    np.testing.assert_allclose(got[:, 0], flat, atol=1e-8)
    # far on the other side with a wide spread: the height times the share of effects below
    share = study_g.log_smooth(np.full((1, 1), 400.0), np.array([200.0]))[0, 0] - flat
    assert share == pytest.approx(log_ndtr(-2.0), abs=0.03)


def test_mirror_images_of_a_study() -> None:
    one, other = (smoothed_study("binomial", "RR", study) for study in [(2, 30, 9, 40), (9, 40, 2, 30)])
    mu, tau = np.linspace(-3.0, 2.0, 30), np.geomspace(1e-3, 10.0, 12)
    wide = np.tile(mu, (len(tau), 1))
    np.testing.assert_allclose(one.log_smooth(wide, tau), other.log_smooth(-wide, tau), atol=3e-9)


def test_many_at_once_give_the_same_as_one_at_a_time() -> None:
    study_g = smoothed_study("binomial", "OR", (8, 48, 16, 49))
    tau = np.geomspace(1e-3, 20.0, 9)
    mu = np.random.default_rng(0).normal(-0.7, 1.0, (9, 5))
    together = study_g.log_smooth(mu, tau)
    for i in range(9):
        np.testing.assert_allclose(study_g.log_smooth(mu[i : i + 1], tau[i : i + 1])[0], together[i], atol=1e-10)


def test_the_rules_integrate_what_they_should() -> None:
    nodes, log_weights = hermite_rule(20)
    moments = [np.exp(log_weights) @ nodes**n for n in (0, 1, 2, 4, 6)]
    np.testing.assert_allclose(moments, [1, 0, 1, 3, 15], atol=1e-11)
    unit, weights = unit_legendre(8)
    np.testing.assert_allclose([weights @ unit**n for n in range(16)], 1 / np.arange(1, 17), atol=1e-14)


@pytest.mark.parametrize(
    ("likelihood", "measure", "study"),
    [one for one in STUDIES if one[1] != "RR" and one[2] != (14.0, 3.0, 1.2**0.5)],
    ids=str,
)
@pytest.mark.parametrize("away", [-25.0, -12.0, 12.0, 25.0])
def test_a_study_that_contradicts_the_mean(likelihood, measure, study, away) -> None:
    # a mean so far away that the product lies in the tails of both factors
    study_g = smoothed_study(likelihood, measure, study)
    table, scale = study_g.table, study_g.scale
    tau = scale * np.array([0.1, 0.45, 0.55, 0.8, 1.0, 1.4, 1.6, 2.0, 3.0, 5.0, 30.0])
    mu = table.peak_at + away * scale
    got = study_g.log_smooth(np.full((len(tau), 1), mu), tau)[:, 0]
    known = np.array([densely(table, mu, t, scale) for t in tau])
    # beyond its ends the table is linear, and the change of its slope there costs some digits
    assert np.abs(got - known).max() < 1e-3
