import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesmeta.engines.numerics.cell_kernels import log_values
from bayesmeta.engines.numerics.cells import DEGREE, cell_points, shares


def known_on_cells(function, cells: int) -> np.ndarray:
    """Coefficients of each cell from the function's values at ``shares``, shape (cells, DEGREE)."""
    return function(shares(cells)) @ cell_points()[1]


def cell_values(cells: np.ndarray, share: np.ndarray) -> np.ndarray:
    """The function at shares of the distance, as the right side of a table."""
    return log_values(np.array([0.0, 1.0, 1.0, 0.0, len(cells), 0.0, 0.0]), cells, share)


@given(st.lists(st.floats(-3.0, 3.0), min_size=DEGREE, max_size=DEGREE), st.integers(1, 12))
def test_polynomials_in_the_root_of_the_share_are_exact(powers: list[float], cells: int) -> None:
    share = np.linspace(0.0, 1.0, 101)

    def function(s: np.ndarray) -> np.ndarray:
        return np.polynomial.polynomial.polyval(np.sqrt(s), powers)

    np.testing.assert_allclose(cell_values(known_on_cells(function, cells), share), function(share), atol=1e-11)


def test_one_power_too_many_is_not() -> None:
    share = np.linspace(0.0, 1.0, 101)
    got = cell_values(known_on_cells(lambda s: np.sqrt(s) ** DEGREE, 1), share)
    assert np.abs(got - np.sqrt(share) ** DEGREE).max() > 1e-6


def test_halving_the_cells_reduces_the_error_as_the_degree_implies() -> None:
    share = np.linspace(0.0, 1.0, 1001)
    errors = [
        np.abs(
            cell_values(known_on_cells(lambda s: np.exp(-4 * np.sqrt(s)), cells), share) - np.exp(-4 * np.sqrt(share))
        ).max()
        for cells in (2, 4, 8)
    ]
    assert errors[0] > 60 * errors[1] > 3600 * errors[2] > 0


def test_points_are_found_in_their_cells() -> None:
    # constant in each cell, and then the coordinate within it
    at, count = shares(5), 5
    constant, linear = np.zeros((2, count, DEGREE))
    constant[:, 0], linear[:, 1] = np.arange(count), 1.0
    np.testing.assert_array_equal(cell_values(constant, at.ravel()), np.repeat(np.arange(count), DEGREE))
    np.testing.assert_allclose(cell_values(linear, at.ravel()), np.tile(cell_points()[0], count), atol=1e-12)


@pytest.mark.parametrize(("share", "cell", "local"), [(0.0, 0, -1.0), (1.0, 3, 1.0), (0.25, 2, -1.0), (1 / 64, 0, 0.0)])
def test_ends_belong_to_the_outermost_cells(share: float, cell: int, local: float) -> None:
    cells = np.zeros((4, DEGREE))
    cells[:, 0], cells[:, 1] = 10.0 * np.arange(4), 1.0
    assert cell_values(cells, np.array([share]))[0] == pytest.approx(10.0 * cell + local, abs=1e-13)
