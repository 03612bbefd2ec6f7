"""Arguments of the wrong kind to models with moderators, subgroups and dependent estimates: one error in the user's terms."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm

DATA = {
    "yi": [0.1, -0.3, 0.5, 0.2, -0.1, 0.4, 0.0, 0.3],
    "vi": [0.04, 0.05, 0.03, 0.06, 0.04, 0.05, 0.02, 0.03],
    "measure": "SMD",
    "data": {"trial": list("AABBCCDD"), "dose": np.arange(1.0, 9.0), "setting": list("xxyyxxyy"), "outcome": list("pqpqpqpq")},
}  # fmt: skip
NESTED = DATA | {"nesting": "trial/estimate"}
OUTCOMES = DATA | {"nesting": "trial", "within": "outcome"}
REGRESSION = bm.regression(**DATA, moderators="~ dose")
UN = bm.multilevel(**OUTCOMES, structure="UN")
WRONG = [3, [], {}, np.array([1, 2]), pd.DataFrame({"a": [1]}), object(), b"x", lambda x: x, REGRESSION]
TEXTS = {
    bm.regression: (DATA, ("measure", "method", "ci")),
    bm.multilevel: (OUTCOMES, ("measure", "method", "ci", "within", "structure")),
    bm.subgroups: (DATA | {"by": "setting"}, ("measure", "method", "ci", "pi")),
    bm.fit: (OUTCOMES, ("measure", "likelihood", "engine", "within", "structure")),
    bm.fit_subgroups: (DATA | {"by": "setting"}, ("measure", "likelihood", "engine")),
    bm.moderator_evidence: (DATA | {"moderators": "~ dose"}, ("measure", "engine")),
    bm.prior_posterior: (DATA | {"moderators": "~ dose"}, ("measure", "engine")),
    bm.sampling_covariance: (DATA | {"sampling_correlation": 0.5}, ("study", "by", "of")),
    bm.correlation_sweep: (NESTED, ("scale", "measure")),
}


@pytest.mark.parametrize(
    ("function", "keyword"), [(f, name) for f, (_, names) in TEXTS.items() for name in names], ids=lambda v: getattr(v, "__name__", v)
)  # fmt: skip
def test_names(function, keyword):
    given = TEXTS[function][0]
    for value in WRONG:
        with pytest.raises(bm.BayesmetaError):
            function(**given | {keyword: value})


@pytest.mark.parametrize("value", ["no", 1, None, [], np.array([True, False])], ids=repr)
def test_yes_or_no(value):
    # "no" would be true
    for function in (bm.regression, bm.fit, bm.moderator_evidence):
        with pytest.raises(bm.SpecError, match="drop_missing should be True or False"):
            function(**DATA, moderators="~ dose", drop_missing=value)
    for function in (bm.subgroups, bm.fit_subgroups):
        with pytest.raises(bm.SpecError, match="common_tau should be True or False"):
            function(**DATA, by="setting", common_tau=value)


@pytest.mark.parametrize("value", [3, 2.5, None, True, object(), REGRESSION], ids=lambda v: type(v).__name__)
def test_groups(value):
    for function in (bm.subgroups, bm.fit_subgroups):
        with pytest.raises(bm.SpecError, match="by should be the name of a column, or one group per study"):
            function(**DATA, by=value)


@pytest.mark.parametrize("value", [0, 1, 95, -0.5, "a", [], np.array([0.9, 0.5]), True, {}], ids=repr)
def test_levels(value):
    for call in (REGRESSION.predict, REGRESSION.robust, UN.predict, UN.intervals):
        with pytest.raises(bm.SpecError, match="level must be"):
            call(level=value)


def test_methods_of_results():
    for value in (3, None, {}, object(), 2.5):
        for call in (REGRESSION.test, REGRESSION.robust_test, UN.test):
            with pytest.raises(bm.SpecError, match="a test takes names of terms or coefficients"):
                call(value)
    for value in ("a", 10.5, None, 0, True, [5]):
        with pytest.raises(bm.SpecError, match="iterations must be a whole number"):
            REGRESSION.permutation_test(value)
    for value in (3, 2.5, object()):
        with pytest.raises(bm.SpecError, match="cluster should be one label per estimate"):
            REGRESSION.robust(cluster=value)
        with pytest.raises(bm.SpecError, match="unknown level"):
            UN.predict(within=value)
    with pytest.raises(bm.SpecError, match="one level per row, but has 3 for 1 rows"):
        UN.predict(within=["p", "q", "p"])
    assert UN.predict(within="p").pi_low.item() < UN.predict().ci_low.item()


def test_names_of_columns_that_are_missing():
    for call in (
        lambda: bm.sampling_covariance(**DATA, study="trial", sampling_correlation=0.5, by="outcom"),
        lambda: bm.multilevel(**DATA, nesting="trial", within="outcom", sampling_correlation=0.5),
    ):
        with pytest.raises(bm.SpecError, match=r"unknown column 'outcom'.*did you mean 'outcome'"):
            call()
    for call in (bm.fit, bm.multilevel):
        with pytest.raises(bm.SpecError, match="structure='UN' needs within="):
            call(**DATA, moderators="~ dose", structure="UN")
    with pytest.raises(bm.SpecError, match="correlations should be a number or numbers"):
        bm.correlation_sweep(**NESTED, correlations=None)
    with pytest.raises(bm.SpecError, match="unknown group"):
        bm.fit_subgroups(**DATA, by="setting").difference(pd.DataFrame(), "x")
