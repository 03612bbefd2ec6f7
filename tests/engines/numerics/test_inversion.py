import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betainc, betaincinv, ndtr, ndtri

from bayesmeta.engines.numerics.inversion import invert_panels
from bayesmeta.engines.numerics.legendre import legendre_rule

U = np.array([1e-6, 0.01, 0.2, 0.5, 0.77, 0.99, 1 - 1e-6])


def on_panels(log_density, edges: tuple[float, float, float], size: int, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Edges (rows, 3) and the log density at the nodes (rows, 2, size)."""
    ends = np.array(edges)
    x = ends[:-1, None] + 0.5 * np.diff(ends)[:, None] * (legendre_rule(size)[0] + 1)
    return np.tile(ends, (rows, 1)), np.tile(log_density(x), (rows, 1, 1))


@settings(max_examples=25)
@given(st.integers(1, 8), st.integers(1, 8), st.floats(0.05, 0.95))
def test_beta_densities_are_polynomials_and_exact(a: int, b: int, cut: float) -> None:
    def log_density(x: np.ndarray) -> np.ndarray:
        return (a - 1) * np.log(x) + (b - 1) * np.log1p(-x) + 3.7

    edges, value = on_panels(log_density, (0.0, cut, 1.0), 16, len(U))
    got = invert_panels(edges, value, U)
    np.testing.assert_allclose(betainc(a, b, got), U, atol=1e-10)
    np.testing.assert_allclose(got[1:-1], betaincinv(a, b, U[1:-1]), atol=1e-9)


def test_a_normal_density_off_its_middle() -> None:
    edges, value = on_panels(lambda x: -0.5 * x * x - 800.0, (-8.0, 1.0, 8.0), 40, len(U))
    np.testing.assert_allclose(invert_panels(edges, value, U), ndtri(U), atol=1e-8)


def test_a_corner_between_the_panels_costs_no_accuracy() -> None:
    # Laplace: exp(-|x|)
    edges, value = on_panels(lambda x: -np.abs(x), (-40.0, 0.0, 40.0), 40, len(U))
    known = np.where(U < 0.5, np.log(2 * U), -np.log(2 * (1 - U)))
    np.testing.assert_allclose(invert_panels(edges, value, U), known, atol=1e-7)


def test_every_row_has_its_own_density() -> None:
    rng = np.random.default_rng(4)
    mean, sd, u = rng.normal(size=50), rng.uniform(0.2, 4.0, 50), rng.uniform(size=50)
    edges = mean[:, None] + sd[:, None] * np.array([-8.0, -0.4, 8.0])
    x = edges[:, :-1, None] + 0.5 * np.diff(edges, axis=1)[:, :, None] * (legendre_rule(40)[0] + 1)
    value = -0.5 * ((x - mean[:, None, None]) / sd[:, None, None]) ** 2
    got = invert_panels(edges, value, u)
    np.testing.assert_allclose(got, mean + sd * ndtri(u), atol=1e-8)
    np.testing.assert_allclose(ndtr((got - mean) / sd), u, atol=1e-9)


def test_all_mass_in_one_panel() -> None:
    edges, value = on_panels(
        lambda x: np.where(x > 0, -0.5 * ((x - 3) / 0.5) ** 2, -900.0), (-1.0, 0.0, 6.0), 40, len(U)
    )
    np.testing.assert_allclose(ndtr((invert_panels(edges, value, U) - 3) / 0.5), U, atol=1e-8)
