"""Simulated outcomes with several categories, and the ranks of the true values."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmeta.calibration.categories import CATEGORIES, PRIORS, category_ranks, draw_categories


def test_parameters_are_drawn_from_the_priors() -> None:
    truths = [draw_categories(np.random.default_rng([3, i]))[1] for i in range(3000)]
    values = {name: np.array([one[name] for one in truths]) for name in truths[0]}
    assert PRIORS["d"] == "Normal(0, 1.5)"
    for one in ("one", "two"):
        odds = values[f"{one}: a"] - values[f"{one}: c"]
        assert odds.std() == pytest.approx(1.5, rel=0.05)
        np.testing.assert_allclose(sum(values[f"{one}: {name}"] for name in CATEGORIES), 0.0, atol=1e-12)
    first, second = (values[f"{one}: a"] - values[f"{one}: b"] for one in ("one", "two"))
    assert np.corrcoef(first, second)[0, 1] == pytest.approx(0.5, abs=0.05)
    assert (first - second).std() == pytest.approx(1.5, rel=0.05)
    assert values["tau"].mean() == pytest.approx(0.5 * np.sqrt(2 / np.pi), rel=0.05)
    table, _ = draw_categories(np.random.default_rng(5))
    assert table.spread.shape == (11, 1, 4)
    np.testing.assert_array_equal(table.spread.sum(axis=(1, 2)), table.n)


@pytest.mark.sampling
def test_the_ranks_of_a_few_outcomes() -> None:
    ranks = category_ranks(range(3))
    again = category_ranks(range(2, 3))
    for name, values in ranks.items():
        assert ((values > 0) & (values < 1)).all()
        assert values[2] == again[name][0]
