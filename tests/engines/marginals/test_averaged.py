"""Point masses, and distributions averaged over models that have them: the methods of every family, exact at the jumps."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import ndtr, ndtri

from bayesmeta.engines.marginals.averaged import Averaged
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.tabulated import Density, Tabulated


def normal(mean: float, sd: float) -> NormalMixtures:
    return NormalMixtures(("mu",), np.ones(1), np.array([[mean]]), np.array([[sd]]))


def spike_and_slab(weight: float, mean: float = 0.8, sd: float = 0.5) -> Averaged:
    spike = PointMasses(("mu",), np.zeros(1))
    return Averaged(("mu",), np.array([weight, 1 - weight]), ((spike, normal(mean, sd)),))


def test_every_summary_of_a_point_mass_is_its_value() -> None:
    known = PointMasses(("tau", "tau2"), np.array([0.5, 0.25]))
    np.testing.assert_array_equal(known.mean(), [0.5, 0.25])
    np.testing.assert_array_equal(known.sd(), [0, 0])
    np.testing.assert_array_equal(known.quantile(np.array([[0.1], [0.9]])), [[0.5, 0.25]] * 2)
    np.testing.assert_array_equal(known.cdf(np.array([[0.3], [0.5]])), [[0, 1], [1, 1]])
    np.testing.assert_array_equal(known.pdf(np.array([[0.3], [0.5]])), [[0, 0], [np.inf, 0]])
    low, high = known.hdi(0.95)
    np.testing.assert_array_equal(low, high)
    assert known.take("tau2").mean() == 0.25
    with pytest.raises(ValueError, match=r"tuple\.index"):
        known.take("mu")


def test_moments_of_a_spike_and_slab_in_closed_form() -> None:
    mixture = spike_and_slab(0.3)
    assert mixture.mean()[0] == pytest.approx(0.7 * 0.8, rel=1e-15)
    assert mixture.sd()[0] ** 2 == pytest.approx(0.7 * (0.5**2 + 0.8**2) - (0.7 * 0.8) ** 2, rel=1e-14)
    assert mixture.masses("mu") == {0.0: 0.3}


def test_the_distribution_function_jumps_by_the_mass() -> None:
    mixture = spike_and_slab(0.3)
    below, at = mixture.cdf(np.array([[-1e-12], [0.0]]))[:, 0]
    assert at - below == pytest.approx(0.3, abs=1e-11)
    assert at == pytest.approx(0.3 + 0.7 * ndtr(-1.6), rel=1e-14)


def test_the_density_is_that_of_the_continuous_part() -> None:
    mixture = spike_and_slab(0.3)
    assert quad(lambda x: float(mixture.pdf(np.array([x]))[0]), -4, 6)[0] == pytest.approx(0.7, abs=1e-9)
    assert np.isfinite(mixture.pdf(np.zeros((1, 1)))).all()


def test_quantiles_at_and_near_the_mass() -> None:
    mixture = spike_and_slab(0.3)
    jump = 0.7 * ndtr(-1.6)
    p = np.array([0.0, 0.5 * jump, jump + 1e-9, jump + 0.15, jump + 0.3 - 1e-9, 0.9, 1.0])
    found = mixture.quantile(p[:, None])[:, 0]
    expected_low, expected_high = 0.8 + 0.5 * ndtri([0.5 * jump / 0.7, 0.6 / 0.7])
    np.testing.assert_allclose(found, [-np.inf, expected_low, 0, 0, 0, expected_high, np.inf], rtol=1e-12, atol=1e-15)


@settings(max_examples=40)
@given(weight=st.floats(0.02, 0.98), mean=st.floats(-3, 3), sd=st.floats(0.05, 5), p=st.floats(1e-6, 1 - 1e-6))
def test_a_quantile_is_the_first_value_to_reach_its_probability(
    weight: float, mean: float, sd: float, p: float
) -> None:
    mixture = spike_and_slab(weight, mean, sd)
    x = float(mixture.quantile(p)[0])
    step = 1e-7 * sd
    assert mixture.cdf(np.array([x + step]))[0] >= p - 1e-12
    assert mixture.cdf(np.array([x - step]))[0] <= p + 1e-12


@settings(max_examples=25)
@given(weight=st.floats(0.02, 0.98), mean=st.floats(-3, 3), sd=st.floats(0.05, 5), mass=st.floats(0.5, 0.99))
def test_no_interval_is_shorter_than_the_shortest(weight: float, mean: float, sd: float, mass: float) -> None:
    mixture = spike_and_slab(weight, mean, sd)
    (low,), (high,) = mixture.hdi(mass)
    # closed intervals: what lies strictly below the lower end is left out
    probability = mixture.cdf(np.array([high]))[0] - mixture.cdf(np.array([np.nextafter(low, -np.inf)]))[0]
    assert probability >= mass - 1e-7
    tails = np.linspace(0, 1 - mass, 400)
    widths = mixture.quantile((tails + mass)[:, None])[:, 0] - mixture.quantile(tails[:, None])[:, 0]
    assert high - low <= np.nanmin(widths) * (1 + 1e-6) + 1e-12


def test_the_spike_is_the_shortest_interval_if_its_mass_suffices() -> None:
    low, high = spike_and_slab(0.96).hdi(0.95)
    assert low[0] == high[0] == 0


def test_two_slabs_without_a_mass_are_the_mixture_of_normals() -> None:
    weights = np.array([0.25, 0.75])
    averaged = Averaged(("mu",), weights, ((normal(-1.0, 0.4), normal(0.5, 1.0)),))
    known = NormalMixtures(("mu",), weights, np.array([[-1.0, 0.5]]), np.array([[0.4, 1.0]]))
    p = np.array([[0.001], [0.025], [0.4], [0.975], [0.9999]])
    np.testing.assert_allclose(averaged.quantile(p), known.quantile(p), rtol=1e-11)
    np.testing.assert_allclose(averaged.hdi(0.9), known.hdi(0.9), atol=1e-6)
    assert averaged.masses("mu") == {}
    np.testing.assert_allclose([averaged.mean(), averaged.sd()], [known.mean(), known.sd()], rtol=1e-14)


def test_a_model_without_weight_has_no_effect() -> None:
    heavy = NormalMixtures(("mu",), np.ones(1), np.zeros((1, 1)), np.ones((1, 1)), finite_moments=(0,))
    averaged = Averaged(("mu",), np.array([1.0, 0.0]), ((normal(1.0, 2.0), heavy),))
    assert (averaged.mean()[0], averaged.sd()[0]) == (1.0, 2.0)
    both = Averaged(("mu",), np.array([0.5, 0.5]), ((normal(1.0, 2.0), heavy),))
    assert np.isnan(both.mean()[0])
    assert both.sd()[0] == np.inf


def test_distribution_function_and_density_at_once_are_those_computed_apart() -> None:
    slab = Tabulated(("mu",), (Density(lambda x: -0.5 * (x / 0.7) ** 2, -6.0, 6.0, 0.0),))
    parts = (PointMasses(("mu",), np.zeros(1)), normal(0.3, 0.4), slab)
    average = Averaged(("mu",), np.array([0.2, 0.5, 0.3]), (parts,))
    x = np.linspace(-3.0, 3.0, 41)
    cdf, pdf = average._cdf_and_pdf(0, x)
    np.testing.assert_array_equal(cdf, average._cdf(0, x))
    np.testing.assert_array_equal(pdf, average._pdf(0, x))
