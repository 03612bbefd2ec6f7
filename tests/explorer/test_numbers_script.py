"""Numbers as text in the page, against the one rule of the package; and ticks of axes."""

import itertools
import math

import numpy as np
import pytest
from explorer.scripts import browser, not_found, run_scripts

from bayesmeta.reporting.numbers import probability, row, typographic


def test_intervals_are_written_as_in_the_tables(tmp_path):
    rng = np.random.default_rng(8)
    given = [(0.74, 0.52, 1.04), (-0.00097, -0.00154, -0.0004), (0.002, -0.31, 0.004), (8.05, 2.74, 27.62), (63.7, 1.25, 1234.4),
             (2.675, 0.125, 5.005), (0.01, 0.00041, 0.13), (0.0, 0.0, 0.0), (1234.5, 1100.2, 1400.7), (0.5, 0.495, 0.505)]  # fmt: skip
    for scale, sign in itertools.product((0.001, 0.05, 1.0, 30.0, 900.0), (-1, 1)):
        for _ in range(30):
            low, high = np.sort(rng.normal(0, scale, 2)) + sign * rng.exponential(scale)
            given.append((0.5 * (low + high), low, high))
    # tables write rows in which all is below 0.0001 otherwise, which no page shows
    given = [tuple(float(x) for x in one) for one in given if max(map(abs, one)) > 1e-3]
    found = run_scripts("return given.map(([x, a, b]) => BM.row([x], a, b));", given, tmp_path)
    expected = [[typographic(text) for text in row((x,), a, b)] for x, a, b in given]
    wrong = [one for one in zip(given, found, expected, strict=True) if one[1] != one[2]]
    assert wrong == []


def test_probabilities_are_written_as_in_the_tables(tmp_path):
    given = [0.0, 1e-9, 0.0049, 0.005, 0.0051, 0.012, 0.125, 0.5, 0.985, 0.9949, 0.995, 0.99999]
    found = run_scripts("return given.map(BM.probability);", given, tmp_path)
    assert found == [probability(p) for p in given]


@pytest.mark.parametrize("log", [False, True])
def test_ticks_are_round_few_and_inside(tmp_path, log):
    ranges = [(-1.2, 0.4), (-0.01, 0.013), (0.0, 2500.0), (-3.2, 5.1), (0.61, 0.83), (-0.2, 0.15), (0.0, 1.1)]
    ranges = [(a, b) for a, b in ranges if not log or b < 50]
    found = run_scripts(f"return given.map(([a, b]) => BM.ticks(a, b, {str(log).lower()}, 6));", ranges, tmp_path)
    for (low, high), ticks in zip(ranges, found, strict=True):
        assert 2 <= len(ticks) <= 8, (low, high, ticks)
        for at, text in ticks:
            assert low - 1e-9 <= at <= high + 1e-9
            value = float(text.replace("−", "-"))
            assert (math.log(value) if log else value) == pytest.approx(at, abs=1e-9 * max(1, abs(high)))


def test_a_browser_computes_the_same(tmp_path):
    body = "return [BM.solveNormal(given, given.priors).mu.quantile(0.975), BM.row([0.5], -0.2, 1.2), '</script>'];"
    priors = {"mu": {"family": "Flat"}, "tau": {"family": "HalfT", "args": [4, 0.5]}}
    given = {"y": [0.1, 0.5, 0.3], "v": [0.04, 0.02, 0.09], "priors": priors}
    if browser() is None:
        not_found("chromium")
    here, there = run_scripts(body, given, tmp_path, in_browser=True), run_scripts(body, given, tmp_path)
    assert here[0] == pytest.approx(there[0], rel=1e-12)
    assert here[1:] == there[1:]
