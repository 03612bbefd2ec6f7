"""Data of fits with moderators: the rows of each likelihood, the number of coefficients, and bad input."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError

#: the first trial has no events
COUNTS = pd.DataFrame(
    {
        "study": list("abcdef"), "events_e": [0, 3, 4, 5, 6, 2], "n_e": [50] * 6, "events_c": [0, 6, 5, 9, 7, 8],
        "n_c": [50] * 6, "dose": [1.0, 2, 3, 4, 5, 6],
    }
)  # fmt: skip
YI, VI = [-0.9, -0.2, -0.4, 0.1, 0.3, 0.2], [0.1, 0.2, 0.1, 0.15, 0.2, 0.1]
FRAME = pd.DataFrame(
    {"dose": [1.0, 2, 2, 3, 5, 4], "same": [1.0] * 6, "twice": [2.0, 4, 4, 6, 10, 8], "rob": list("lhlhlh")}
)


def test_studies_without_events_have_their_moderators() -> None:
    binomial = bm.fit(COUNTS, measure="OR", moderators="~ dose").data
    assert binomial.labels == tuple("abcdef")
    np.testing.assert_array_equal(binomial.design.matrix, np.column_stack([np.ones(6), np.arange(1.0, 7)]))
    assert binomial.n == 600
    normal = bm.fit(COUNTS, measure="OR", moderators="~ dose", likelihood="normal").data
    assert normal.labels == tuple("bcdef")
    np.testing.assert_array_equal(normal.design.matrix[:, 1], np.arange(2.0, 7))


def test_categories_and_centres_are_those_of_the_studies_of_the_likelihood() -> None:
    found = bm.fit(COUNTS, measure="OR", moderators="~ center(dose)").data.design.matrix[:, 1]
    np.testing.assert_allclose(found, np.arange(1.0, 7) - 3.5)
    # the only study of its group has no events
    groups = COUNTS.assign(group=["x", *"yyyyy"])
    assert bm.fit(groups, measure="OR", moderators="~ group").data.design.names == ("Intercept", "group[T.y]")


def test_a_missing_moderator_is_refused_or_its_study_left_out() -> None:
    gaps = COUNTS.assign(dose=[1.0, 2, np.nan, 4, 5, 6])
    with pytest.raises(DataError, match=r"(?s)missing for 'c'.*drop_missing"):
        bm.fit(gaps, measure="OR", moderators="~ dose")
    left = bm.fit(gaps, measure="OR", moderators="~ dose", drop_missing=True).data
    assert (left.labels, left.n) == (tuple("abdef"), 500)
    np.testing.assert_array_equal(left.design.matrix[:, 1], [1, 2, 4, 5, 6])


def test_more_coefficients_than_studies_need_proper_priors() -> None:
    x = np.random.default_rng(1).normal(size=(6, 8))
    flat = {"x1": "Flat()", "x2": "Flat()", **{f"x{i}": "Flat()" for i in range(3, 9)}, "tau": "HalfNormal(0.5)"}
    with pytest.raises(DataError, match=r"(?s)8 coefficients .* from 6 estimates with flat priors.*by the names"):
        bm.fit(yi=YI, vi=VI, moderators=x, priors=flat)
    wide = dict.fromkeys(flat, "Normal(0, 1)") | {"tau": "HalfNormal(0.5)"}
    post = bm.fit(yi=YI, vi=VI, moderators=x, priors=wide)
    assert np.isfinite(post.log_marginal_likelihood)
    assert 0 < post.sd("x8") < 1
    with pytest.raises(DataError, match="8 coefficients"):
        bm.regression(yi=YI, vi=VI, moderators=x)


@pytest.mark.parametrize(
    ("moderators", "error", "message"),
    [
        ("~ same", DataError, "'same': the moderator is 1 for all 6 estimates"),
        ("~ dose + twice", DataError, "'twice' cannot be told apart"),
        ("~ dosis", SpecError, "did you mean 'dose'"),
        (pd.DataFrame({"tau": [1.0, 2, 2, 3, 5, 4]}), SpecError, "'tau' has the name of a parameter"),
        (pd.DataFrame({"effect_at_means": [1.0, 2, 2, 3, 5, 4]}), SpecError, "name of a parameter"),
        (pd.DataFrame(np.eye(6)[:, :2], columns=["a", "a"]), SpecError, "two moderators are named 'a'"),
    ],
)  # fmt: skip
def test_designs_that_are_refused(moderators: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bm.fit(yi=YI, vi=VI, data=FRAME, moderators=moderators)


@pytest.mark.parametrize("name", ["tau", "rho", "effect_at_means", "theta_new", "mu", "i2"])
def test_columns_named_like_parameters_are_refused(name: str) -> None:
    with pytest.raises(SpecError, match=f"'{name}' has the name of a parameter"):
        bm.fit(yi=YI, vi=VI, data={name: FRAME["dose"]}, moderators=f"~ {name}")


def test_a_prior_for_no_coefficient_is_refused() -> None:
    with pytest.raises(SpecError, match=r"'rob\[T.m\]'; did you mean 'rob\[T.l\]'"):
        bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ rob", priors={"rob[T.m]": "Normal(0, 1)"})


@pytest.mark.parametrize("correlation", [-1.01, 1.5])
def test_a_correlation_outside_its_range_is_refused(correlation: float) -> None:
    data = {"study": ["a", "a", "b", "b", "c", "c"], "dose": FRAME["dose"]}
    with pytest.raises((SpecError, DataError), match=r"correlation.*(between -1 and 1|-1)"):
        bm.fit(yi=YI, vi=VI, data=data, moderators="~ dose", nesting="study/estimate", sampling_correlation=correlation)


@pytest.mark.parametrize("covariance", [np.eye(5), np.ones((6, 5))])
def test_a_covariance_of_another_shape_is_refused(covariance: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"shape|square|6"):
        bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ dose", covariance=covariance)


def test_an_indefinite_covariance_is_refused_with_the_way_on() -> None:
    s = np.full((6, 6), 0.1) + np.diag([-0.05] * 6)
    with pytest.raises(DataError, match=r"(?s)not positive definite.*nesting="):
        bm.fit(yi=YI, vi=np.diagonal(s), data=FRAME, moderators="~ dose", covariance=s)
