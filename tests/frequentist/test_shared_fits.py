"""Methods that differ in their tests share a fit and its profile intervals, which take few evaluations of the likelihood."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.frequentist.multilevel import profile
from bayesmeta.frequentist.multilevel.fit import with_tests
from bayesmeta.frequentist.multilevel.likelihood import Likelihood
from bayesmeta.results.methods import NESTED
from bayesmeta.results.models import nested_fits as shared
from bayesmeta.results.models.nested_fits import nested_fits

DATA = {
    "yi": [-0.2, 0.1, 0.4, 0.5, 0.2, -0.4, 0.3, 0.9],
    "vi": [0.02, 0.03, 0.05, 0.02, 0.04, 0.02, 0.03, 0.05],
    "data": {"study": [1, 1, 2, 2, 3, 3, 4, 4], "year": [1, 1, 2, 2, 3, 3, 5, 5]},
    "nesting": "study/estimate",
}


@pytest.fixture
def evaluated(monkeypatch):
    found = []
    evaluate = Likelihood.evaluate
    monkeypatch.setattr(Likelihood, "evaluate", lambda self, theta: found.append(theta) or evaluate(self, theta))
    return found


@pytest.mark.parametrize("effect", [1.0, 0.0])
def test_a_profile_takes_few_evaluations(effect, evaluated):
    values = {**DATA, "yi": [effect * y for y in DATA["yi"]]}
    fit = bm.multilevel(**values, moderators="~ year")
    evaluated.clear()
    found = fit.intervals()
    assert 0 < len(evaluated) < 250
    if not effect:
        assert (found["estimate"] == 0).all()
    for place, limit in enumerate(found["ci_high"]):
        fixed = np.arange(2) == place
        theta = fit.theta.copy()
        theta[place] = limit / fit.unit**2
        _, at = profile.maximize(fit.likelihood, theta, fixed)
        assert fit.at.value - at.value == pytest.approx(3.841458820694124 / 2, abs=1e-8)


def test_intervals_are_computed_once(evaluated):
    fit = bm.multilevel(**DATA)
    first = fit.intervals()
    evaluated.clear()
    pd.testing.assert_frame_equal(with_tests(fit, "contain").intervals(), first)
    assert not evaluated
    first.loc[:] = 0.0  # what was returned is the caller's
    assert fit.intervals()["ci_high"].min() > 0
    narrow = fit.intervals(0.5)
    assert evaluated
    assert (narrow["ci_high"] < fit.intervals()["ci_high"]).all()


@pytest.mark.parametrize("ci", ["wald", "t", "contain"])
def test_other_tests_of_the_same_fit(ci):
    wanted = bm.multilevel(**DATA, moderators="~ year", ci=ci)
    found = with_tests(bm.multilevel(**DATA, moderators="~ year", ci="t"), ci)
    assert found.ci == ci
    pd.testing.assert_frame_equal(found.coefficients, wanted.coefficients)


def test_methods_of_one_estimator_are_fitted_once(monkeypatch):
    fitted = []
    multilevel = shared.multilevel
    monkeypatch.setattr(shared, "multilevel", lambda *a, **k: fitted.append(k["method"]) or multilevel(*a, **k))
    effects = bm.effect_sizes(yi=DATA["yi"], vi=DATA["vi"])
    fit = nested_fits(effects, data=DATA["data"], nesting="study/estimate")
    for method, record in NESTED.items():
        assert (fit(method).method, fit(method).ci) == (record.estimator, record.ci)
    assert sorted(fitted) == ["ML", "REML"]
