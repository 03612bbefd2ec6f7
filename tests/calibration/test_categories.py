"""Simulated outcomes with several categories, and the ranks of the true values."""

from __future__ import annotations

import numpy as np
import pytest

from bayesmeta.calibration.categories import CATEGORICAL, D_SD, TAU_SD
from bayesmeta.calibration.ranks import calibrate, rank_table
from bayesmeta.categories.fit import categories


@pytest.mark.parametrize("name", CATEGORICAL)
def test_parameters_are_drawn_from_the_priors(name) -> None:
    experiment = CATEGORICAL[name]
    drawn = [experiment.draw(np.random.default_rng([3, i])) for i in range(2000)]
    values = {term: np.array([truth[term] for truth, _ in drawn]) for term in experiment.terms}
    assert values["tau"].mean() == pytest.approx(TAU_SD * np.sqrt(2 / np.pi), rel=0.06)
    assert ((values["p"] >= 0) & (values["p"] <= 1)).all()
    assert all(np.isfinite(one).all() for one in values.values())
    for table in [table for _, table in drawn[:50]]:
        np.testing.assert_allclose(table.spread.sum(axis=(1, 2)), table.n)
        # the cells of an arm divide all of them
        assert (np.array([table.cells[table.arm == i].sum(axis=0) for i in range(11)]) == 1).all()
    # a centred log ratio of C categories has the variance of a log odds times (1 - 1/C) / 2
    size = {"categories": 4, "change": 2}.get(name)
    share = 1.0 if size is None else np.sqrt(0.5 * (1 - 1 / size))
    names = ("d one", "d two") if size is None else ("d one, first", "d two, first")
    one, two = (values[term] for term in names)
    assert one.std() == pytest.approx(D_SD * share, rel=0.06)
    assert (one - two).std() == pytest.approx(D_SD * share, rel=0.06)
    assert np.corrcoef(one, two)[0, 1] == pytest.approx(0.5, abs=0.06)


def test_counts_are_those_of_the_true_probabilities() -> None:
    """The mean of (count - n p) / sqrt(n p (1 - p)) in the first arm is 0 and its variance 1."""
    for experiment in CATEGORICAL.values():
        deviation = []
        for i in range(800):
            truth, table = experiment.draw(np.random.default_rng([4, i]))
            n, p = table.n[0], truth["p"]
            if 0.05 < p < 0.95:
                deviation.append((table.counts[0] - n * p) / np.sqrt(n * p * (1 - p)))
        assert np.mean(deviation) == pytest.approx(0.0, abs=0.15)
        assert np.var(deviation) == pytest.approx(1.0, abs=0.2)


@pytest.mark.sampling
def test_the_ranks_of_a_few_outcomes() -> None:
    rows = calibrate("change", "nuts", range(2), 1)
    again = calibrate("change", "nuts", range(1, 2), 1)
    assert again == rows[1:]
    terms = CATEGORICAL["change"].terms
    assert all(0 < row[term] < 1 for row in rows for term in terms)
    table = rank_table({"change/nuts": {term: np.array([row[term] for row in rows]) for term in terms}}, 1)
    assert [row["term"] for row in table] == list(terms)


@pytest.mark.parametrize("name", ["categories", "change"])
def test_the_terms_are_read_from_the_fit_as_they_are_drawn(name) -> None:
    experiment = CATEGORICAL[name]
    truth, table = experiment.draw(np.random.default_rng([6, 1]))
    fit = categories(table, reference="control", engine="quadrature")
    values = experiment.values(fit)
    assert list(values) == list(truth) == list(experiment.terms)
    assert {draws.shape for draws in values.values()} == {fit.tau.shape}
    ratios = fit.risks("one") / fit.risks("control")
    first = fit.terms.index("a")
    np.testing.assert_allclose(values["RR"], ratios[..., first], rtol=1e-12)
