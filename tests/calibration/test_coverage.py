"""Coverage, bias and their Monte Carlo errors in cases with known answers."""

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from bayesmeta.calibration.coverage import (
    NUMBERS,
    frequentist_numbers,
    grid_cells,
    performance,
    rare_cells,
    review_of,
    two_stage_rows,
)
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.frequentist.random_effects import random_effects

CELLS = {cell.name: cell for cell in (*grid_cells(), *rare_cells())}


def test_morris2019_known_intervals_have_known_coverage_bias_and_errors() -> None:
    rng = np.random.default_rng(1)
    n, z = 20_000, float(ndtri(0.95))
    estimate = 0.7 + rng.normal(size=n)
    numbers = np.column_stack([estimate, estimate - z, estimate + z, estimate - 3, estimate + 3])
    found = performance(numbers, 0.5, 0.0)
    covered = ndtr(z - 0.2) - ndtr(-z - 0.2)
    assert found["coverage"] == pytest.approx(covered, abs=4 * found["coverage_se"])
    assert found["coverage_se"] == pytest.approx(np.sqrt(covered * (1 - covered) / n), rel=0.03)
    assert found["bias"] == pytest.approx(0.2, abs=4 * found["bias_se"])
    assert found["bias_se"] == pytest.approx(1 / np.sqrt(n), rel=0.03)
    assert found["rmse"] == pytest.approx(np.sqrt(1.04), abs=4 * found["rmse_se"])
    assert found["above"] == pytest.approx(ndtr(0.2 - z), abs=0.01)
    assert found["coverage"] + found["above"] + found["below"] == pytest.approx(1.0)
    assert found["width"] == pytest.approx(2 * z)
    # with no heterogeneity a new effect is the mean itself
    assert found["prediction"] == pytest.approx(ndtr(3 - 0.2) - ndtr(-3 - 0.2), abs=0.003)


def test_an_exact_prediction_interval_has_its_nominal_coverage() -> None:
    # mu + tau z: the exact 95% interval of a new effect, for every review
    half = 0.4 * float(ndtri(0.975))
    found = performance(np.tile([0.1, 0.0, 0.2, 0.1 - half, 0.1 + half], (5, 1)), 0.1, 0.4)
    assert found["prediction"] == pytest.approx(0.95, abs=1e-12)
    assert found["prediction_se"] == pytest.approx(0.0, abs=1e-12)


def test_reviews_without_an_estimate_are_counted_and_left_out() -> None:
    rows = np.array([[0.0, -1.0, 1.0, np.nan, np.nan], [np.nan] * 5, [2.0, 1.0, 3.0, np.nan, np.nan], [np.nan] * 5])
    found = performance(rows, 0.0, 0.1)
    assert (found["reviews"], found["estimable"], found["coverage"], found["bias"]) == (4, 0.5, 0.5, 1.0)
    assert found["prediction_given"] == 0.0
    assert np.isnan(found["prediction"])
    nothing = performance(np.full((3, 5), np.nan), 0.0, 0.1)
    assert nothing["estimable"] == 0.0
    assert np.isnan(nothing["coverage"])


def test_the_cells_of_the_grid() -> None:
    grid = grid_cells()
    assert {cell.trials.k for cell in grid} == {2, 3, 5, 10, 20}
    assert {cell.tau for cell in grid} == {0.0, 0.1, 0.3, 0.6}
    assert len(grid) == 40
    assert {cell.trials.risk for cell in rare_cells()} == {(0.002, 0.01)}
    assert {cell.trials.k for cell in rare_cells()} == {40}
    assert len(CELLS) == 46


def test_a_review_depends_on_its_cell_the_seed_and_its_number() -> None:
    cell = CELLS["rare_k5_tau0.1"]
    events = [review_of(*arguments).studies.columns["events_c"].tolist() for arguments in (
        (cell, 1, 7), (cell, 1, 7), (cell, 2, 7), (cell, 1, 8), (CELLS["rare_k5_tau0.3"], 1, 7),
    )]  # fmt: skip
    assert events[0] == events[1]
    assert all(other != events[0] for other in events[2:])


def test_numbers_equal_those_of_the_methods() -> None:
    effects = effect_sizes(review_of(CELLS["common_k10_tau0.3"], 1, 0).studies, "RR")
    found = frequentist_numbers(effects, rare=False)
    known = random_effects(effects, method="REML", ci="hksj")
    assert found["REML HKSJ"] == [getattr(known, name) for name in NUMBERS]
    assert "Peto (OR)" not in found
    assert "Peto (OR)" in frequentist_numbers(effects, rare=True)


def test_a_cell_measures_every_method_on_the_same_reviews() -> None:
    cell = CELLS["common_k3_tau0"]
    rows = {row["method"]: row for row in two_stage_rows(cell, 30, 1)}
    assert {"CE", "DL", "MH", "Bayes normal", "Bayes normal, Turner"} < set(rows)
    assert "Bayes binomial" not in rows
    # wider by construction, review by review
    assert rows["DL HKSJ guarded"]["coverage"] >= rows["DL HKSJ"]["coverage"]
    assert rows["DL t"]["coverage"] >= rows["DL"]["coverage"] >= rows["CE"]["coverage"]
    assert rows["DL t"]["estimable"] == 1.0
    again = {row["method"]: row for row in two_stage_rows(cell, 30, 1)}
    np.testing.assert_array_equal(
        [list(row.values())[7:] for row in rows.values()], [list(row.values())[7:] for row in again.values()]
    )


def test_with_events_this_rare_a_review_may_have_nothing_to_pool() -> None:
    rows = {row["method"]: row for row in two_stage_rows(CELLS["rare_k2_tau0"], 150, 2)}
    assert 0.5 < rows["DL"]["estimable"] <= 1.0
    assert rows["MH"]["estimable"] < rows["DL"]["estimable"] or rows["MH"]["estimable"] == 1.0
