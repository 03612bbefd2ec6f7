"""Bad input to models with moderators, subgroups and dependent estimates: every function gives one error in the user's terms.

A case is what is given to a function, by keyword, and the texts that its message must have. It goes to every function that
has these keywords.
"""

import inspect

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm

N = 8
YI = np.array([0.1, -0.3, 0.5, 0.2, -0.1, 0.4, 0.0, 0.3])
VI = np.array([0.04, 0.05, 0.03, 0.06, 0.04, 0.05, 0.02, 0.03])
DATA = {
    "trial": list("AABBCCDD"),
    "own": list("abcdefgh"),
    "dose": np.array([1.0, 2, 3, 4, 5, 6, 7, 9]),
    "setting": list("xxyyxxyy"),
    "outcome": list("pqpqpqpq"),
}
NAMES = [f"Trial {i + 1}" for i in range(N)]


def data(**columns):
    """Return the columns of the data with others added."""
    return DATA | columns


def regressed(formula, *texts, error=bm.DataError, **columns):
    """Return a case about a formula."""
    return {"moderators": formula, "data": data(**columns)}, error, texts


def changed(values, at, value):
    """Return values with one of them changed."""
    found = np.array(values, dtype=float)
    found[at] = value
    return found


def covariance(off_diagonal, blocks=4):
    """Return a covariance with one number within each of four studies."""
    return np.diag(VI) + np.kron(np.eye(blocks), off_diagonal * (1 - np.eye(N // blocks)))


PARAMETERS = [
    "mu", "tau", "tau2", "i2", "rho", "tau_between", "tau_within", "i2_between", "i2_within", "theta", "theta_new", "theta_new_estimate",
    "effect_at_means", "Intercept",
]  # fmt: skip

FORMULAS = {
    "rank-deficient": regressed(
        "~ dose + twice", "'twice' cannot be told apart from Intercept, dose", "rank 2 for 3", twice=2 * DATA["dose"]
    ),
    "the same categories": regressed("~ setting + again", "'again[T.y]' cannot be told apart", again=DATA["setting"]),
    "missing": regressed(
        "~ dose", "column 'dose'", "missing for 'Trial 2', 'Trial 6'", "drop_missing", dose=[1, None, 3, 4, 5, np.nan, 7, 9]
    ),
    "missing category": regressed("~ setting", "column 'setting'", "'Trial 3'", "drop_missing", setting=[*"xx", None, *"yxxyy"]),
    "constant": regressed("~ dose", "column 'dose'", "is 3 for all 8 estimates", "Leave it out", dose=[3.0] * N),
    "near-constant": regressed("~ dose", "column 'dose'", "1 to ten digits", dose=1 + 1e-13 * np.arange(N)),
    "one category": regressed("~ setting", "column 'setting'", "'x' for all 8 estimates", setting=["x"] * N),
    "infinite": regressed("~ dose", "column 'dose'", "inf for 'Trial 2'", dose=changed(DATA["dose"], 1, np.inf)),
    "text for a number": regressed("~ log(dose)", "column 'dose'", "'many'", dose=["1", "2", "many", *"34567"]),
    "logarithm of zero": regressed("~ log(dose)", "'log(dose)'", "'Trial 1'", dose=np.arange(8.0)),
    "dates": regressed("~ day", "column 'day'", "2020-01-01", "the year", day=np.arange("2020-01-01", "2020-01-09", dtype="datetime64[D]")),
    "complex": regressed("~ dose", "column 'dose'", "neither a number nor a text", dose=np.arange(N) * 1j),
    "huge": regressed("~ dose", "'dose'", "7e+200", "units", dose=1e200 * np.arange(N)),
    "tiny": regressed("~ dose", "'dose'", "7e-200", "units", dose=1e-200 * np.arange(N)),
    "shape": regressed("~ dose", "column 'dose'", "one value per row", dose=[[1, 2]] * N),
    "length": ({"moderators": "~ dose", "data": {"dose": [1.0, 2, 3]}}, bm.DataError, ["column 'dose'", "3 rows", "8 estimates"]),
    "unknown column": regressed("~ dos", "unknown column 'dos'", "did you mean 'dose'?", error=bm.SpecError),
    "unknown column in a function": regressed("~ C(settng)", "unknown column 'settng'", "did you mean 'setting'?", error=bm.SpecError),
    "unknown function": regressed("~ lg(dose)", "unknown function 'lg'", "log", error=bm.SpecError),
    "unreadable": regressed("~ dose +* setting", "'~ dose +* setting'", "cannot be read", error=bm.SpecError),
    "code": regressed("~ __import__('os').system('true')", "cannot be read", error=bm.SpecError),
    "left-hand side": regressed("y ~ dose", "moderators only", error=bm.SpecError),
    "empty": regressed("", "''", error=bm.SpecError),
    "no terms": regressed("~ 0", "no terms", error=bm.SpecError),
    "a number for a formula": regressed(3, "a formula", "3", error=bm.SpecError),
    "data of another type": ({"moderators": "~ dose", "data": 3}, bm.SpecError, ["frame", "int"]),
    **{f"named {name}": regressed(f"~ {name}", f"'{name}'", "rename", error=bm.SpecError, **{name: DATA["dose"]}) for name in PARAMETERS},
    "categories named tau": regressed("~ tau", "'tau'", "rename", error=bm.SpecError, tau=DATA["setting"]),
    "named as a study's effect": regressed("~ `theta[A]`", "'theta[A]'", "rename", error=bm.SpecError, **{"theta[A]": DATA["dose"]}),
}  # fmt: skip

MATRICES = {
    "text": ({"moderators": np.array([["a"]] * N)}, bm.SpecError, ["a matrix of numbers"]),
    "missing": ({"moderators": np.full((N, 1), np.nan)}, bm.SpecError, ["coefficient 'x1'", "row 1"]),
    "short": ({"moderators": np.ones((5, 1))}, bm.DataError, ["(5, 1)", "8 estimates"]),
    "rank": ({"moderators": np.ones((N, 2))}, bm.DataError, ["'x2' cannot be told apart from x1"]),
    "complex": ({"moderators": np.ones((N, 1)) * 1j}, bm.SpecError, ["a matrix of numbers"]),
}

#: only functions without proper priors refuse as many coefficients
TOO_MANY = {
    "more coefficients than studies": regressed("~ own + dose + setting", "10 coefficients", "8 estimates"),
    "as many coefficients as studies": regressed("~ own", "8 coefficients for 8", "leave nothing"),
}

GROUPS = {
    "unknown column": ({"by": "settng", "data": DATA}, bm.SpecError, ["'settng'", "did you mean 'setting'?"]),
    "missing": (
        {"by": "setting", "data": data(setting=[*"xx", None, *"yxxyy"])},
        bm.DataError,
        ["column 'setting'", "'Trial 3'", "drop_missing"],
    ),
    "one group": ({"by": "setting", "data": data(setting=["x"] * N)}, bm.DataError, ["column 'setting'", "one group"]),
    "length": ({"by": "setting", "data": {"setting": ["x", "y"]}}, bm.DataError, ["column 'setting'", "2 rows", "8 estimates"]),
}  # fmt: skip

NESTED = {"nesting": "trial/estimate", "data": DATA}
NESTINGS = {
    "one estimate each": ({"nesting": "own/estimate", "data": DATA}, bm.DataError, ["every group of 'own' has one estimate"]),
    "one group": ({"nesting": "all/estimate", "data": data(all=["x"] * N)}, bm.DataError, ["one group of 'all'", "Leave it out"]),
    "unknown column": ({"nesting": "tral/estimate", "data": DATA}, bm.SpecError, ["'tral'", "nesting", "did you mean 'trial'?"]),
    "missing": ({"nesting": "trial", "data": data(trial=["A", None, *"BBCCDD"])}, bm.DataError, ["column 'trial'", "'Trial 2'"]),
    "empty": ({"nesting": "", "data": DATA}, bm.SpecError, ["nesting=''", "study/estimate"]),
    "a name missing": ({"nesting": "trial/", "data": DATA}, bm.SpecError, ["nesting='trial/'"]),
    "a number": ({"nesting": 3, "data": DATA}, bm.SpecError, ["nesting", "3"]),
    **{
        f"correlation {value}": (
            NESTED | {"sampling_correlation": value}, bm.SpecError, ["sampling_correlation", "between -1 and 1", str(value)],
        )
        for value in (1.5, -2, 1.0, -1.0, float("nan"))
    },
    "correlation below its bound": (
        {"nesting": "setting/estimate", "data": DATA, "sampling_correlation": -0.34},
        bm.SpecError,
        ["sampling_correlation", "-1/3", "positive definite", "'Trial 1', 'Trial 2', 'Trial 5', 'Trial 6'", "-0.34"],
    ),
    "correlation of an unknown column": (NESTED | {"sampling_correlation": "r"}, bm.SpecError, ["'r'", "sampling_correlation"]),
    "correlation without groups": ({"nesting": None, "sampling_correlation": 0.5, "data": DATA}, bm.SpecError, ["nesting="]),
    "covariance that is not symmetric": (
        NESTED | {"covariance": covariance(0.01) + np.eye(N, k=1) * 0.001}, bm.DataError, ["not symmetric"],
    ),
    "covariance of another shape": (NESTED | {"covariance": np.diag(VI[:5])}, bm.DataError, ["(5, 5)", "8 estimates"]),
    "covariance missing": (NESTED | {"covariance": np.diag(VI * np.nan)}, bm.DataError, ["covariance", "missing"]),
    "covariance of texts": (NESTED | {"covariance": "S"}, bm.DataError, ["covariance", "'S'"]),
    "covariance and correlation": (NESTED | {"covariance": covariance(0.01), "sampling_correlation": 0.5}, bm.SpecError, ["not both"]),
}  # fmt: skip

OUTCOMES = {"nesting": "trial", "within": "outcome", "data": DATA}
STRUCTURES = {
    "unknown structure": (OUTCOMES | {"structure": "USN"}, bm.SpecError, ["unknown structure 'USN'", "'UN'"]),
    "a number for a structure": (OUTCOMES | {"structure": 3}, bm.SpecError, ["unknown structure '3'"]),
    "structure without outcomes": ({"nesting": "trial", "structure": "UN", "data": DATA}, bm.SpecError, ["within="]),
    "outcomes without groups": ({"nesting": None, "within": "outcome", "data": DATA}, bm.SpecError, ["nesting="]),
    "unknown outcomes": (OUTCOMES | {"within": "outcom"}, bm.SpecError, ["'outcom'", "did you mean 'outcome'?"]),
    "missing outcomes": (OUTCOMES | {"data": data(outcome=[*"pq", None, *"qpqpq"])}, bm.DataError, ["column 'outcome'", "'Trial 3'"]),
    "one outcome per group": (OUTCOMES | {"nesting": "own", "structure": "UN"}, bm.DataError, ["'own'", "correlation"]),
}  # fmt: skip

ESTIMATES = {
    "yi missing": ({"yi": changed(YI, 1, np.nan)}, bm.DataError, ["yi[1] = nan", "Leave that study out"]),
    "yi infinite": ({"yi": changed(YI, 1, np.inf)}, bm.DataError, ["yi[1] = inf"]),
    "yi huge": ({"yi": YI * 1e300}, bm.DataError, ["estimate 1 is 1e+299", "unit"]),
    "yi far from 0": ({"yi": YI * 1e30}, bm.DataError, ["estimate 1 is 1e+29", "standard error 0.2", "unit"]),
    "yi complex": ({"yi": YI * 1j}, bm.DataError, ["yi should be numbers"]),
    "yi text": ({"yi": ["a"] * N}, bm.DataError, ["yi should be numbers"]),
    "yi of two dimensions": ({"yi": YI[:, None]}, bm.DataError, ["(8, 1)", "one-dimensional"]),
    "vi missing": ({"vi": changed(VI, 1, np.nan)}, bm.DataError, ["vi[1] = nan"]),
    "vi zero": ({"vi": changed(VI, 1, 0)}, bm.DataError, ["vi[1] = 0", "above 0"]),
    "vi negative": ({"vi": -VI}, bm.DataError, ["vi[0] = -0.04"]),
    "vi tiny": ({"vi": VI * 1e-300}, bm.DataError, ["standard error of estimate 1 is 2e-151", "unit"]),
    "vi short": ({"vi": VI[:5]}, bm.DataError, ["yi has shape (8,) and vi has shape (5,)"]),
    "vi absent": ({"vi": None}, bm.SpecError, ["vi (variances)", "sei (standard errors)"]),
    "labels short": ({"labels": NAMES[:5]}, bm.DataError, ["5 labels for 8"]),
}

NAMED = {
    "unknown method": ({"method": "RMEL"}, bm.SpecError, ["unknown method", "'RMEL'", "REML"]),
    "unknown interval": ({"ci": "wold"}, bm.SpecError, ["'wold'", "wald"]),
    "level": ({"level": 95}, bm.SpecError, ["level", "95", "0.95"]),
    "prior of an unknown term": ({"priors": {"sigma": "HalfNormal(1)"}}, bm.SpecError, ["'sigma'"]),
    "prior that cannot be read": ({"priors": {"tau": "HalfNormal"}}, bm.SpecError, ["'HalfNormal'"]),
    "likelihood": ({"likelihood": "binomail"}, bm.SpecError, ["'binomail'"]),
    "engine": ({"engine": "gibbs"}, bm.SpecError, ["'gibbs'"]),
    "measure": ({"measure": "SDM"}, bm.SpecError, ["unknown measure 'SDM'"]),
}


def posterior(**given):
    """Fit a Bayesian model, for functions that take one."""
    return bm.fit(**given)


FORMULA, NEST = {"moderators": "~ dose", "data": DATA}, {"nesting": "trial/estimate", "data": DATA}
#: name: function, what it needs beside yi and vi, and the groups of cases that it takes
FUNCTIONS = {
    "regression": (bm.regression, FORMULA, [FORMULAS, MATRICES, TOO_MANY, ESTIMATES, NAMED]),
    "multilevel": (bm.multilevel, NEST, [FORMULAS, MATRICES, TOO_MANY, NESTINGS, STRUCTURES, ESTIMATES, NAMED]),
    "fit": (bm.fit, FORMULA, [FORMULAS, MATRICES, ESTIMATES, NAMED]),
    "fit nested": (bm.fit, NEST, [FORMULAS, MATRICES, NESTINGS, STRUCTURES, ESTIMATES, NAMED]),
    "subgroups": (bm.subgroups, {"by": "setting", "data": DATA}, [GROUPS, ESTIMATES, NAMED]),
    "fit_subgroups": (bm.fit_subgroups, {"by": "setting", "data": DATA}, [GROUPS, ESTIMATES, NAMED]),
    "compare": (bm.compare, FORMULA, [FORMULAS, GROUPS, NESTINGS, ESTIMATES, NAMED]),
    "moderator_evidence": (bm.moderator_evidence, FORMULA, [FORMULAS, MATRICES, ESTIMATES, NAMED]),
    "predict": (lambda **given: bm.predict(posterior(**given)), FORMULA, [FORMULAS]),
}  # fmt: skip


def cases():
    """Yield what a function is called with, for every function and the cases whose keywords it has."""
    for name, (function, needs, groups) in FUNCTIONS.items():
        known = set(inspect.signature(function).parameters)
        for group in groups:
            for case, (given, error, texts) in group.items():
                if name == "predict" or set(given) - {"labels"} <= known:
                    keywords = {"yi": YI, "vi": VI, "labels": NAMES} | needs | given
                    if "by" in given or "nesting" in given:
                        keywords.pop("moderators", None)
                    yield pytest.param(function, keywords, error, texts, id=f"{name}: {case}")


@pytest.mark.parametrize(("function", "keywords", "error", "texts"), list(cases()))
def test_bad_input_is_one_error(function, keywords, error, texts):
    with pytest.raises(error) as refused:
        function(**keywords)
    message = str(refused.value)
    for text in texts:
        assert text in message
    for word in ("Traceback", "ndarray", "dtype", "KeyError", "<unknown>"):
        assert word not in message


class TestPredict:
    """New values of the moderators."""

    @pytest.fixture(scope="class")
    @staticmethod
    def fits():
        given = {"yi": YI, "vi": VI, "data": DATA, "moderators": "~ dose + setting"}
        return {
            "fit": bm.fit(**given),
            "regression": bm.regression(**given),
            "multilevel": bm.multilevel(nesting="trial/estimate", **given),
        }

    @pytest.mark.parametrize("name", ["fit", "regression", "multilevel"])
    @pytest.mark.parametrize(
        ("new", "error", "texts"),
        [
            ({"dose": [1.0]}, bm.SpecError, ["predict needs the moderator 'setting'", "'dose'"]),
            (pd.DataFrame({"dose": [1.0]}), bm.SpecError, ["predict needs the moderator 'setting'", "'dose'"]),
            ({}, bm.SpecError, ["predict needs the moderator 'dose'", "no columns"]),
            ({"dose": [1.0], "setting": ["z"]}, bm.SpecError, ["without the category 'z'"]),
            ({"dose": [np.nan], "setting": ["x"]}, bm.DataError, ["row 1", "column 'dose'", "missing"]),
            ({"dose": [np.inf], "setting": ["x"]}, bm.DataError, ["'dose' is not a finite number"]),
            ({"dose": ["much"], "setting": ["x"]}, bm.DataError, ["column 'dose'", "'much'"]),
            ({"dose": 1.0, "setting": "x"}, bm.DataError, ["column 'dose'", "one value per row"]),
            ({"dose": [1.0], "setting": ["x", "y"]}, bm.DataError, ["different lengths"]),
            ([1, 2], bm.SpecError, ["a frame, or a mapping", "[1, 2]"]),
            ("dose", bm.SpecError, ["a frame, or a mapping"]),
            (np.ones((2, 2)), bm.SpecError, ["(m, 3)", "(2, 2)"]),
        ],
    )
    def test_bad_values(self, fits, name, new, error, texts):
        with pytest.raises(error) as refused:
            bm.predict(fits[name], new)
        for text in texts:
            assert text in str(refused.value)

    def test_without_moderators(self):
        with pytest.raises(bm.SpecError, match="no moderators"):
            bm.predict(bm.fit(yi=YI, vi=VI), {"dose": [1.0]})


def test_drop_missing_says_what_it_drops():
    given = {"yi": YI, "vi": VI, "labels": NAMES, "moderators": "~ dose", "drop_missing": True}
    given["data"] = data(dose=changed(DATA["dose"], 2, np.nan))
    found = [bm.regression(**given), bm.multilevel(nesting="trial/estimate", **given), bm.fit(**given)]
    for result in found:
        assert any("'Trial 3'" in note and "dose" in note for note in result.notes)


def test_an_indefinite_covariance_alone_is_accepted():
    """S is indefinite, and S + Sigma is not: three estimates whose correlations cannot occur together."""
    block = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]) * 0.01
    covariance = np.kron(np.eye(3), block)
    assert np.linalg.eigvalsh(covariance)[0] < 0
    y = np.array([0.9, -0.8, 0.1, 1.2, 0.2, -0.9, -1.1, 0.6, 0.4])
    given = {"yi": y, "vi": np.full(9, 0.01), "data": {"trial": list("AAABBBCCC")}, "nesting": "trial/estimate"}
    assert bm.multilevel(covariance=covariance, **given).sigma2.sum() > 0.1
    exact = bm.fit(covariance=covariance, **given)
    # tau is at least so large that S + Sigma is positive definite
    assert exact.quantile("tau", 1e-6) > np.sqrt(-np.linalg.eigvalsh(block)[0]) * 0.99


def test_a_sum_that_is_not_positive_definite_is_refused():
    block = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]]) * 0.01
    y = np.full(9, 0.1) + 1e-3 * np.arange(9)
    given = {"yi": y, "vi": np.full(9, 0.01), "data": {"trial": list("AAABBBCCC")}, "nesting": "trial/estimate"}
    with pytest.raises(bm.DataError, match="not positive definite"):
        bm.fit(covariance=np.kron(np.eye(3), block), priors={"tau": "Uniform(0, 0.01)"}, **given)
