"""Direct against indirect evidence in a network."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate
from scipy.stats import halfnorm, multivariate_normal

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.networks.inconsistency_factors import compared, loops

TRIANGLE = pd.DataFrame(
    [("s1", "B", "A", 0.5, 0.2), ("s2", "C", "A", 0.2, 0.3), ("s3", "C", "B", 0.6, 0.25)],
    columns=["study", "treat1", "treat2", "yi", "sei"],
)
ARMS = pd.DataFrame(
    [
        ("s1", "A", 0.0, 0.2), ("s1", "B", 0.4, 0.2), ("s2", "A", 0.1, 0.3), ("s2", "C", -0.2, 0.2), ("s3", "B", 0.3, 0.2),
        ("s3", "C", 0.5, 0.3), ("s4", "A", 0.0, 0.1), ("s4", "B", 0.1, 0.2), ("s4", "C", 0.7, 0.2), ("s5", "C", 0.2, 0.2),
        ("s5", "D", 0.3, 0.2), ("s6", "A", 0.2, 0.2), ("s6", "D", 0.3, 0.2),
    ],
    columns=["study", "treatment", "mean", "se"],
)  # fmt: skip
PRIORS = {"d": "Normal(0, 1)", "tau": "HalfNormal(0.5)", "inconsistency": "Normal(0, 0.4)"}


def test_the_difference_in_a_loop_is_that_of_bucher() -> None:
    """Bucher et al. 1997, J Clin Epidemiol 50:683: the indirect effect is the difference of two direct ones."""
    priors = {"d": "Flat()", "tau": "Point(0)", "inconsistency": "Normal(0, 1e4)"}
    net = bm.network(TRIANGLE, measure="MD", priors=priors)
    error = np.sqrt(0.2**2 + 0.3**2 + 0.25**2)
    table = bm.node_split(net)
    assert list(table.index) == ["B vs A", "C vs A", "C vs B"]
    np.testing.assert_allclose(
        table["difference"], [0.5 - (0.2 - 0.6), 0.2 - (0.5 + 0.6), 0.6 - (0.2 - 0.5)], rtol=1e-6
    )
    np.testing.assert_allclose(table["difference_sd"], error, rtol=1e-6)
    np.testing.assert_allclose(table["direct"], [0.5, 0.2, 0.6], rtol=1e-6)
    np.testing.assert_allclose(table["direct_sd"], [0.2, 0.3, 0.25], rtol=1e-6)
    np.testing.assert_allclose(table["indirect"], table["direct"] - table["difference"], rtol=1e-9)
    loop = bm.inconsistency(net).loc["loop A-B-C"]
    # A vs B plus B vs C plus C vs A
    assert loop["factor"] == pytest.approx(-0.5 - 0.6 + 0.2, rel=1e-6)
    assert loop["factor_sd"] == pytest.approx(error, rel=1e-6)
    assert loop["bf_inconsistency"] == pytest.approx(table.loc["B vs A", "bf_inconsistency"], rel=1e-9)


def log_marginal(net: bm.NetworkPosterior, covariance: np.ndarray) -> float:
    """Log marginal likelihood with a further covariance of the contrasts, by scipy's quadrature of the dense normal density."""
    x = net.contrasts.design(net.reference)
    base = net.contrasts.S + x @ (0.5 * (np.eye(x.shape[1]) + 1.0)) @ x.T + covariance
    y, r = net.contrasts.y, net.contrasts.R

    def integrand(tau: float) -> float:
        return np.exp(multivariate_normal.logpdf(y, cov=base + tau**2 * r)) * halfnorm.pdf(tau, scale=0.5)

    return np.log(integrate.quad(integrand, 0, 6, points=[0.1, 0.5, 1.0], epsabs=0, epsrel=1e-11)[0])


def rows_of(net: bm.NetworkPosterior) -> list[tuple[str, str, str]]:
    """Study, treatment and first treatment of each contrast."""
    frame = net.contrasts.to_frame()
    return list(zip(frame["study"], frame["treat"], frame["base"], strict=True))


def test_the_bayes_factor_of_a_node_split_is_that_of_the_dense_models() -> None:
    net = bm.network(ARMS, measure="MD", priors=PRIORS)
    found = bm.node_split(net)
    # the contrast B vs A deviates by all, others of the three-arm trial with one of these arms by half
    part = {("B", "A"): 1.0, ("C", "A"): 0.5, ("C", "B"): -0.5}
    column = np.array([part.get((t, b), 0.0) if s in ("s1", "s4") else 0.0 for s, t, b in rows_of(net)])
    log_bf = log_marginal(net, 0.16 * np.outer(column, column)) - log_marginal(net, np.zeros((net.contrasts.m,) * 2))
    assert found.loc["B vs A", "bf_inconsistency"] == pytest.approx(np.exp(log_bf), rel=1e-8)
    odds = found["prob_inconsistency"] / (1 - found["prob_inconsistency"])
    np.testing.assert_allclose(odds, found["bf_inconsistency"], rtol=1e-9)


def test_the_bayes_factor_of_design_by_treatment_is_that_of_the_dense_models() -> None:
    net = bm.network(ARMS, measure="MD", priors=PRIORS)
    found = bm.inconsistency(net).loc["design-by-treatment"]
    # every trial has a design of its own, so the factors are like heterogeneity of known size
    log_bf = log_marginal(net, 0.16 * net.contrasts.R) - log_marginal(net, np.zeros((net.contrasts.m,) * 2))
    assert found["bf_inconsistency"] == pytest.approx(np.exp(log_bf), rel=1e-8)
    # contrasts less basic parameters
    assert found["parameters"] == net.contrasts.m - 3


def test_the_bayes_factor_of_unrelated_mean_effects_is_that_of_the_dense_models() -> None:
    net = bm.network(ARMS, measure="MD", priors=PRIORS)
    found = bm.inconsistency(net).loc["unrelated mean effects"]
    edges = [("B", "A"), ("C", "A"), ("C", "B"), ("D", "C"), ("D", "A")]
    three = {"s4": ("A", "B", "C")}
    columns = np.zeros((net.contrasts.m, len(edges)))
    for row, (study, treat, base) in enumerate(rows_of(net)):
        arms = three.get(study, (treat, base))
        for j, (first, second) in enumerate(edges):
            if first in arms and second in arms:
                deviation = {first: 1 / len(arms), second: -1 / len(arms)}
                columns[row, j] = deviation.get(treat, 0.0) - deviation.get(base, 0.0)
    log_bf = log_marginal(net, 0.16 * columns @ columns.T) - log_marginal(net, np.zeros((net.contrasts.m,) * 2))
    assert found["bf_inconsistency"] == pytest.approx(np.exp(log_bf), rel=1e-8)
    assert found["parameters"] == 2


def test_neither_order_nor_reference_nor_names_matter() -> None:
    priors = {"d": "Normal(0, 1)"}
    first = bm.network(ARMS, measure="MD", priors=priors)
    new = {"A": "z", "B": "c", "C": "x", "D": "a"}
    renamed = ARMS.assign(treatment=ARMS["treatment"].map(new)).sample(frac=1.0, random_state=3)
    second = bm.network(renamed, measure="MD", reference="x", priors=priors)
    one, two = bm.inconsistency(first), bm.inconsistency(second)
    for model in ("consistency", "design-by-treatment", "unrelated mean effects"):
        np.testing.assert_allclose(
            two.loc[model].iloc[:6].astype(float), one.loc[model].iloc[:6].astype(float), atol=1e-10
        )
    np.testing.assert_allclose(sorted(two["bf_inconsistency"]), sorted(one["bf_inconsistency"]), atol=1e-10)
    one, two = bm.node_split(first), bm.node_split(second)
    assert len(one) == len(two) == 5
    for name, row in one.iterrows():
        a, b = (new[treatment] for treatment in name.split(" vs "))
        sign = 1.0 if f"{a} vs {b}" in two.index else -1.0
        other = two.loc[f"{a} vs {b}" if sign > 0 else f"{b} vs {a}"]
        assert sign * other["difference"] == pytest.approx(row["difference"], abs=1e-10)
        assert other["bf_inconsistency"] == pytest.approx(row["bf_inconsistency"], abs=1e-10)
        assert f"{a} vs {b}" in second.terms or f"{b} vs {a}" in second.terms
    assert set(two.index) <= set(second.terms)


@pytest.mark.parametrize(
    "arms",
    [ARMS[ARMS["study"] == "s4"], ARMS[ARMS["study"].isin(["s1", "s2", "s5"])]],
    ids=["one three-arm trial", "a tree"],
)
def test_without_a_loop_nothing_can_be_inconsistent(arms) -> None:
    net = bm.network(arms, measure="MD", priors=PRIORS)
    assert list(bm.inconsistency(net).index) == ["consistency"]
    assert bm.node_split(net).empty
    assert "difference" in bm.node_split(net).columns


def test_comparisons_of_a_loop_alone_are_not_split_by_what_hangs_on_it() -> None:
    tail = pd.DataFrame([("s4", "D", "C", 0.1, 0.2)], columns=TRIANGLE.columns)
    net = bm.network(pd.concat([TRIANGLE, tail]), measure="SMD")
    assert list(bm.node_split(net).index) == ["B vs A", "C vs A", "C vs B"]
    assert bm.inconsistency(net)["parameters"].tolist() == [0, 1, 1, 1]


def test_contradictory_evidence_is_found() -> None:
    wrong = TRIANGLE.assign(yi=[2.0, 0.0, 1.0], sei=0.05)
    net = bm.network(wrong, measure="SMD", priors={"tau": "HalfNormal(0.05)", "inconsistency": "Normal(0, 2)"})
    assert bm.node_split(net)["bf_inconsistency"].min() > 1000
    right = TRIANGLE.assign(yi=[2.0, 3.0, 1.0], sei=0.05)
    net = bm.network(right, measure="SMD", priors={"tau": "HalfNormal(0.05)", "inconsistency": "Normal(0, 2)"})
    assert bm.node_split(net)["bf_inconsistency"].max() < 0.2


def test_loops_have_no_chords() -> None:
    edges = [("A", "B"), ("B", "C"), ("C", "D"), ("D", "A"), ("D", "E"), ("E", "A")]
    frame = pd.DataFrame([(f"s{i}", a, b, 0.1, 0.1) for i, (a, b) in enumerate(edges)], columns=TRIANGLE.columns)
    contrasts = bm.network_contrasts(frame, "MD")
    assert len(compared(contrasts)) == 6
    named = ["-".join(contrasts.treatments[i] for i in loop) for loop in loops(contrasts)]
    assert named == ["A-D-E", "A-B-C-D"]


def test_what_is_no_network_is_refused() -> None:
    fit = bm.fit(yi=[0.1, 0.2], sei=[0.1, 0.1])
    for function in (bm.node_split, bm.inconsistency):
        with pytest.raises(SpecError, match="the first argument should be a network"):
            function(fit)
    with pytest.raises(SpecError, match="level must be between"):
        bm.node_split(bm.network(TRIANGLE, measure="MD"), level=95)
