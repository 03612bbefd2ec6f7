import subprocess
import sys

import numpy as np
import pytest
from scipy.special import eval_legendre
from scipy.stats import norm

from bayesmeta.engines.numerics.legendre import invert_series, legendre_basis, legendre_rule, unresolved


def test_the_rule_differentiates_and_integrates_polynomials() -> None:
    nodes, weights, to_series, to_integral, to_slope = legendre_rule(8)
    assert weights.sum() == pytest.approx(2.0)
    cube = nodes**3
    series = cube @ to_series
    np.testing.assert_allclose(np.polynomial.legendre.legval(0.3, series), 0.027, atol=1e-14)
    np.testing.assert_allclose(np.polynomial.legendre.legval(0.3, series @ to_slope), 0.27, atol=1e-13)
    np.testing.assert_allclose(np.polynomial.legendre.legval(0.3, cube @ to_integral), (0.3**4 - 1) / 4, atol=1e-14)


def test_the_basis_is_scipys() -> None:
    t = np.linspace(-1.0, 1.0, 21).reshape(3, 7)
    np.testing.assert_allclose(legendre_basis(t, 30), eval_legendre(np.arange(30), t[..., None]), atol=1e-13)


def test_increasing_series_are_inverted() -> None:
    # the integral of 1 + t / 2 from -1 is t + t^2 / 4 + 3 / 4
    _, _, to_series, to_integral, _ = legendre_rule(6)
    value = np.repeat(1 + 0.5 * legendre_rule(6)[0][None], 5, axis=0)
    target, ones = np.array([0.0, 0.1, 1.0, 1.9, 2.0]), np.ones(5, dtype=bool)
    t = invert_series(value @ to_integral, value @ to_series, target, np.zeros(5), ones)
    np.testing.assert_allclose(t + 0.25 * t**2 + 0.75, target, atol=1e-14)


@pytest.mark.parametrize(("nodes", "enough"), [(12, False), (24, False), (48, True)])
def test_the_estimated_error_shows_what_is_unresolved(nodes: int, enough: bool) -> None:
    # a normal density on two panels of eight standard deviations each; the estimate is about its true error
    half = np.array([[4.0, 4.0]])
    x = np.array([[[-4.0], [4.0]]]) + 4.0 * legendre_rule(nodes)[0]
    value = norm.pdf(x)
    estimate = unresolved(value, half)[0]
    t = np.linspace(-1.0, 1.0, 2001)
    fitted = (value @ legendre_rule(nodes)[2]) @ legendre_basis(t, nodes).T
    density = norm.pdf(np.array([[-4.0], [4.0]]) + 4.0 * t)
    error = np.abs(np.cumsum((fitted[0] - density) * 4.0 * (t[1] - t[0]), axis=1)).max()
    assert (estimate < 1e-9) == enough
    assert error < 10 * estimate + 1e-9


@pytest.mark.parametrize("shape", [(), (1,), (3,), (2, 3), (0,)])
@pytest.mark.parametrize("size", [2, 3, 21, 48, 64])
def test_polynomials_at_few_points_are_those_at_many(shape: tuple[int, ...], size: int) -> None:
    t = np.random.default_rng(size).uniform(-1, 1, shape)
    few = legendre_basis(t, size)
    many = legendre_basis(np.broadcast_to(t, (400, *shape)).copy(), size)
    assert few.shape == (*shape, size)
    assert np.abs(np.broadcast_to(few, many.shape) - many).max(initial=0.0) < 1e-14


def test_polynomials_at_the_ends_of_the_panel_and_beyond_by_rounding() -> None:
    found = legendre_basis(np.array([-1.0, 1.0, 1.0 + 1e-15]), 21)
    assert np.abs(found - np.array([(-1.0) ** np.arange(21), np.ones(21), np.ones(21)])).max() < 1e-13


def test_results_do_not_depend_on_what_is_imported() -> None:
    """A fit by the normal likelihood, which needs no compiled loop, has the same bits where numba is loaded."""
    program = (
        "import bayesmeta as bm; post = bm.fit(yi=[0.1, 0.3, 0.5, -0.2], sei=[0.2, 0.1, 0.3, 0.25], measure='SMD');"
        "print(post.summary().to_numpy().tobytes().hex(), post.log_marginal_likelihood.hex())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", before + program], capture_output=True, encoding="utf-8", check=True)
        for before in ("", "import numba;")
    ]
    assert runs[0].stdout == runs[1].stdout
    assert len(runs[0].stdout) > 100
