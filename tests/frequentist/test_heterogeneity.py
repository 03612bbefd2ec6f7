"""The estimators of tau2: roots and maxima checked against their definitions, not against another program."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import chdtri

from bayesmeta.frequentist.heterogeneity import (
    TAU2_ESTIMATORS,
    fixed_moments,
    generalized_q,
    i2_h2,
    log_likelihood,
    q_profile,
    solve_generalized_q,
)
from bayesmeta.frequentist.names import METHODS

studies = st.lists(st.tuples(st.floats(-3, 3), st.floats(-4, 1).map(lambda x: 10.0**x)), min_size=2, max_size=12)


def tau2(method, y, v):
    return TAU2_ESTIMATORS[METHODS[method].estimator](y, v, fixed_moments(y, v))


@settings(max_examples=150)
@given(studies, st.booleans())
def test_the_likelihood_is_nowhere_higher_than_at_its_estimate(rows, restricted):
    y, v = np.array(rows).T
    best = tau2("REML" if restricted else "ML", y, v)
    dense = np.concatenate(([0.0], np.geomspace(1e-8, 100, 3000)))
    highest = log_likelihood(dense, y, v, restricted=restricted).max()
    assert log_likelihood(np.array([best]), y, v, restricted=restricted)[0] >= highest - 1e-9 * max(1, abs(highest))


def test_the_higher_of_two_maxima_is_found():
    # Two precise studies that agree, and imprecise ones far apart: a maximum at 0 and one far from it.
    y = np.array([0.0, 0.001, 1.0, -1.0, 2.5, -2.0])
    for weight in (1e-6, 1e-3):
        v = np.array([weight, weight, 0.5, 0.5, 0.5, 0.5])
        for restricted in (False, True):
            grid = np.concatenate(([0.0], np.geomspace(1e-9, 10, 20_000)))
            values = log_likelihood(grid, y, v, restricted=restricted)
            best = tau2("REML" if restricted else "ML", y, v)
            assert best == pytest.approx(grid[values.argmax()], rel=2e-3, abs=1e-12)


def test_reml_to_many_digits():
    y = np.array([0.1, 0.9, -0.4, 0.5, 1.4])
    v = np.array([0.05, 0.02, 0.1, 0.04, 0.08])
    mpmath.mp.dps = 30

    def score(t):
        w = [1 / (mpmath.mpf(float(x)) + t) for x in v]
        mean = sum(a * mpmath.mpf(float(b)) for a, b in zip(w, y, strict=True)) / sum(w)
        squares = sum(a**2 * (mpmath.mpf(float(b)) - mean) ** 2 for a, b in zip(w, y, strict=True))
        return squares - sum(w) + sum(a**2 for a in w) / sum(w)

    assert tau2("REML", y, v) == pytest.approx(float(mpmath.findroot(score, 0.4)), rel=1e-13)


@settings(max_examples=150)
@given(studies, st.floats(0.001, 30))
def test_the_generalized_q_is_solved(rows, target):
    y, v = np.array(rows).T
    root = solve_generalized_q(target, y, v)
    if root > 0:
        assert generalized_q(root, y, v)[0] == pytest.approx(target, rel=1e-9)
    else:
        assert generalized_q(0.0, y, v)[0] <= target


@settings(max_examples=80)
@given(studies, st.sampled_from([0.5, 0.9, 0.95, 0.999]))
def test_q_profile_limits_put_q_at_the_chi_squared_quantiles(rows, level):
    y, v = np.array(rows).T
    low, high = q_profile(y, v, level)
    assert 0 <= low <= high
    for limit, tail in ((low, (1 - level) / 2), (high, (1 + level) / 2)):
        quantile = float(chdtri(len(y) - 1, tail))
        q = generalized_q(limit, y, v)[0]
        assert q == pytest.approx(quantile, rel=1e-8) if limit > 0 else q <= quantile * (1 + 1e-12)


def test_an_empty_q_profile_interval_is_reported_as_zero():
    assert q_profile(np.array([0.2, 0.2, 0.2]), np.array([0.1, 0.2, 0.3])) == (0.0, 0.0)
    assert np.isnan(q_profile(np.array([0.2]), np.array([0.1]))).all()


def test_closed_forms_for_two_studies():
    y, v = np.array([0.0, 2.0]), np.array([1.0, 1.0])
    fixed = fixed_moments(y, v)
    assert fixed == (2, 2.0, 2.0, 1.0, 2.0)
    assert fixed.typical_variance == 1.0
    known = {"DL": 1.0, "PM": 1.0, "EB": 1.0, "REML": 1.0, "HE": 1.0, "SJ": 1.0, "ML": 0.0, "HS": 0.0}
    assert {name: tau2(name, y, v) for name in known} == pytest.approx(known, abs=1e-12)
    assert i2_h2(3.0, 1.0) == (75.0, 4.0)


def test_wildly_unequal_precisions_converge():
    y, v = np.array([0.0, 1.0, -1.0, 0.5]), np.array([1e-18, 1.0, 1e-9, 1e6])
    for name in TAU2_ESTIMATORS:
        assert np.isfinite(tau2(name, y, v))
    assert generalized_q(tau2("PM", y, v), y, v)[0] == pytest.approx(3, rel=1e-9)
