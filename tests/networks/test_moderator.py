"""Network meta-regression with a common interaction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError

ARMS = pd.DataFrame(
    [
        ("s1", "placebo", 0.0, 0.2, 40), ("s1", "A", 0.4, 0.2, 40), ("s2", "placebo", 0.1, 0.3, 50), ("s2", "B", -0.2, 0.2, 50),
        ("s3", "A", 0.3, 0.2, 60), ("s3", "B", 0.5, 0.3, 60), ("s4", "placebo", 0.0, 0.1, 70), ("s4", "A", 0.1, 0.2, 70),
        ("s4", "B", 0.7, 0.2, 70), ("s5", "B", 0.2, 0.2, 55), ("s5", "placebo", 0.3, 0.2, 55),
    ],
    columns=["study", "treatment", "mean", "se", "age"],
)  # fmt: skip
PRIORS = {"d": "Flat()", "tau": "Point(0.2)"}


def test_the_coefficient_is_that_of_generalized_least_squares() -> None:
    net = bm.network(ARMS, "MD", reference="placebo", moderator="age", priors=PRIORS | {"age": "Normal(0, 1e6)"})
    frame = net.contrasts.to_frame()
    age = dict(zip(ARMS["study"], ARMS["age"] - ARMS.groupby("study")["age"].first().mean(), strict=True))
    x = net.contrasts.design("placebo")
    active = (frame["treat"] != "placebo").astype(float) - (frame["base"] != "placebo").astype(float)
    x = np.column_stack([x, frame["study"].map(age) * active])
    weight = np.linalg.inv(net.contrasts.S + 0.04 * net.contrasts.R)
    covariance = np.linalg.inv(x.T @ weight @ x)
    expected = covariance @ x.T @ weight @ net.contrasts.y
    terms = ["A vs placebo", "B vs placebo", "age"]
    np.testing.assert_allclose([net.mean(term) for term in terms], expected, rtol=1e-7)
    np.testing.assert_allclose([net.sd(term) for term in terms], np.sqrt(np.diag(covariance)), rtol=1e-7)
    assert "age" in net.summary().index
    np.testing.assert_allclose(bm.league_table(net, value="mean").loc["A", "placebo"], expected[0], rtol=1e-7)


def test_two_treatments_are_the_pairwise_meta_regression() -> None:
    y, se, x = [0.1, 0.5, 0.4, 0.9, 0.3], [0.2, 0.1, 0.3, 0.2, 0.15], [1.0, 2.0, 4.0, 5.0, 2.5]
    contrasts = pd.DataFrame({"study": list("abcde"), "treat1": "drug", "treat2": "none", "yi": y, "sei": se})
    moderator = dict(zip("abcde", x, strict=True))
    net = bm.network(contrasts, "SMD", reference="none", moderator=moderator)
    fit = bm.fit(yi=y, sei=se, measure="SMD", moderators="~ x", data=pd.DataFrame({"x": x}))
    assert net.log_marginal_likelihood == pytest.approx(fit.log_marginal_likelihood, abs=1e-10)
    for term, other in (("drug vs none", "effect_at_means"), ("moderator", "x"), ("tau", "tau")):
        assert net.mean(term) == pytest.approx(fit.mean(other), abs=1e-10)
        assert net.sd(term) == pytest.approx(fit.sd(other), abs=1e-10)


def test_inconsistency_is_beside_the_moderator() -> None:
    net = bm.network(ARMS, "MD", reference="placebo", moderator="age", priors={"tau": "HalfNormal(0.5)"})
    table = bm.node_split(net)
    assert set(table.index) == {"A vs placebo", "B vs A", "B vs placebo"}
    without = bm.node_split(bm.network(ARMS, "MD", reference="placebo", priors={"tau": "HalfNormal(0.5)"}))
    assert (np.abs(table["difference"] - without["difference"][table.index]) > 1e-4).all()
    assert bm.inconsistency(net).loc["consistency", "bf_inconsistency"] == 1.0


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"moderator": "weight"}, SpecError, "unknown moderator 'weight'"),
        *[
            ({"moderator": name}, SpecError, "has the name of a parameter")
            for name in ("tau", "d", "theta_new", "tau_between")
        ],
        ({"moderator": {"s1": 1.0}}, DataError, "study 's2' has no value of the moderator"),
        (
            {"moderator": dict.fromkeys(["s1", "s2", "s3", "s4", "s5"], 2.0)},
            DataError,
            "all studies have the same value",
        ),
        ({"moderator": "mean"}, DataError, "have different values of 'mean'"),
        ({"moderator": "age", "priors": {"age": "Flat()"}}, SpecError, "must be Normal with mean 0"),
        ({"moderator": "age", "engine": "nuts"}, SpecError, "exact on contrasts only"),
        ({"priors": {"age": "Normal(0, 1)"}}, SpecError, "unknown parameter with a prior 'age'"),
    ],
)
def test_moderators_that_cannot_be_are_refused(options, error, match) -> None:
    with pytest.raises(error, match=match):
        bm.network(ARMS, "MD", reference="placebo", **options)


def test_a_column_of_text_or_with_a_blank_is_refused() -> None:
    words = ARMS.assign(country="Spain")
    with pytest.raises(DataError, match="'Spain'"):
        bm.network(words, "MD", moderator="country")
    blank = ARMS.assign(dose=[1.0, 1.0, *[np.nan] * 2, *[3.0] * 7])
    with pytest.raises(DataError, match="study 's2' has no value"):
        bm.network(blank, "MD", moderator="dose")
