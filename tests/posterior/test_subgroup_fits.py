"""Bayesian subgroups: fits of each group, exact differences between them, one tau for all, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from paths import REVIEWS_FOLDER
from scipy.integrate import quad

import bayesmeta as bm
from bayesmeta.engines.marginals.differences import Difference, difference
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.samples import Samples

PRIORS = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}
Y = np.array([-0.9, -0.2, -0.5, -0.4, 0.1, 0.3, -0.1])
V = np.array([0.04, 0.09, 0.02, 0.12, 0.05, 0.03, 0.08])
BY = ["a", "b", "a", "b", "b", "c", "a"]
TAILS = np.array([0.025, 0.3, 0.5, 0.975])


@pytest.fixture(scope="module")
def separate():
    return bm.fit_subgroups(yi=Y, vi=V, by=BY, priors=PRIORS)


@pytest.fixture(scope="module")
def bcg():
    return bm.read_studies(REVIEWS_FOLDER / "bcg/studies.csv")


def test_each_group_is_a_fit_of_its_own(separate) -> None:
    rows = np.array(BY) == "b"
    alone = bm.fit(yi=Y[rows], vi=V[rows], labels=["2", "4", "5"], priors=PRIORS)
    group = separate.groups["b"]
    assert group.data.labels == ("2", "4", "5")
    for term in ("mu", "tau", "theta_new", "theta[4]"):
        np.testing.assert_allclose(group.quantile(term, TAILS), alone.quantile(term, TAILS), rtol=1e-10)
    assert separate.overall.data.k == 7
    table = separate.table
    assert list(table.index) == ["a", "b", "c", "overall"]
    assert list(table.columns) == ["estimate", "sd", "ci_low", "ci_high", "tau", "tau2", "pi_low", "pi_high", "k", "n"]
    assert list(table["k"]) == [3, 3, 1, 7]
    row = [alone.quantile("mu", 0.5), alone.sd("mu"), *alone.interval("mu"), alone.quantile("tau2", 0.5)]
    np.testing.assert_allclose(
        table.loc["b", ["estimate", "sd", "ci_low", "ci_high", "tau2"]].to_numpy(float), row, rtol=1e-9
    )
    np.testing.assert_allclose(
        table.loc["b", ["pi_low", "pi_high"]].to_numpy(float), alone.interval("theta_new"), rtol=1e-9
    )


def test_a_group_with_one_study_is_fitted_and_noted(separate) -> None:
    assert separate.groups["c"].data.k == 1
    assert separate.notes == (
        "'c' has 1 study: its tau is known from the prior only, and its interval depends on that prior",
    )


def test_groups_with_one_study_are_noted_together() -> None:
    found = bm.fit_subgroups(yi=[0.1, 0.3, 0.2, 0.5], vi=[0.04] * 4, measure="SMD", by="g", data={"g": list("aabc")})
    assert found.notes == (
        "'b' and 'c' have 1 study each: their tau is known from the prior only, and their intervals depend on that prior",
    )


def test_the_difference_is_the_convolution_of_the_two_posteriors(separate) -> None:
    found = separate.difference("a", "b")
    one, other = (separate.groups[group] for group in ("a", "b"))
    assert found.mean() == pytest.approx(one.mean("mu") - other.mean("mu"), rel=1e-12)
    assert found.sd() == pytest.approx(np.hypot(one.sd("mu"), other.sd("mu")), rel=1e-12)
    for x in (-1.0, -0.4, 0.2):
        exact, _ = quad(
            lambda b, at: one.cdf("mu", at + b) * other.pdf("mu", b), -6, 6, args=(x,), epsabs=1e-12, points=[0.0]
        )
        assert found.cdf(x) == pytest.approx(exact, abs=1e-10)
        exact, _ = quad(
            lambda b, at: one.pdf("mu", at + b) * other.pdf("mu", b), -6, 6, args=(x,), epsabs=1e-12, points=[0.0]
        )
        assert found.pdf(x) == pytest.approx(exact, rel=1e-9)
    np.testing.assert_allclose(found.cdf(found.quantile(TAILS)), TAILS, atol=1e-12)
    np.testing.assert_allclose(found.quantile(TAILS), -separate.difference("b", "a").quantile(1 - TAILS), rtol=1e-9)


def test_probability_of_a_difference_beyond_a_size() -> None:
    found = bm.fit_subgroups(yi=Y, vi=V, by=BY, measure="RR", priors=PRIORS).difference("a", "b")
    bound = np.log(1.25)
    assert found.prob_beyond(1.25, side="above") == pytest.approx(1 - found.cdf(bound), rel=1e-12)
    assert found.prob_beyond(0.8, side="below") == pytest.approx(found.cdf(-bound), rel=1e-12)
    assert found.prob_beyond(1.25) == pytest.approx(1 - found.cdf(bound) + found.cdf(-bound), rel=1e-12)
    assert found.interval(scale="natural") == pytest.approx(tuple(np.exp(found.interval())), rel=1e-12)
    with pytest.raises(bm.SpecError, match="is a ratio, which must be above 0, but got -0"):
        found.prob_beyond(-0.2)
    with pytest.raises(bm.SpecError, match="did you mean 'above'"):
        found.prob_beyond(1.2, side="abov")
    on_model_scale = bm.fit_subgroups(yi=Y, vi=V, by=BY, measure="MD", priors=PRIORS).difference("a", "b")
    assert on_model_scale.prob_beyond(-0.2) == on_model_scale.prob_beyond(0.2)


def test_every_way_to_a_difference_gives_the_same(separate) -> None:
    one, other = (separate.groups[group].marginal("mu") for group in ("a", "b"))
    exact = difference("d", one, other)
    for first, second, sign in ((one, other, 1), (other, one, -1)):
        # the integral over one of the two, as for posteriors that are no mixtures of normals
        by_integral = Difference(("d",), first, second)
        p = TAILS if sign == 1 else 1 - TAILS
        np.testing.assert_allclose(
            sign * by_integral.quantile(p[:, None])[:, 0], exact.quantile(TAILS[:, None])[:, 0], atol=1e-10
        )
        x = np.array([[-0.5], [0.1]])
        np.testing.assert_allclose(by_integral.pdf(sign * x), exact.pdf(x), rtol=1e-9)
    known = PointMasses(("mu",), np.array([0.4]))
    tested = (difference("d", one, known), Difference(("d",), one, known))
    for found in tested:
        np.testing.assert_allclose(found.quantile(TAILS[:, None]), one.quantile(TAILS[:, None]) - 0.4, atol=1e-9)
    np.testing.assert_allclose(difference("d", known, one).quantile(0.3), 0.4 - one.quantile(0.7), atol=1e-9)
    assert difference("d", known, known).mean() == 0.0
    normal = NormalMixtures(("x",), np.ones(1), np.zeros((1, 1)), np.ones((1, 1)))
    low, high = Difference(("d",), normal, normal).hdi(0.95)
    np.testing.assert_allclose([low[0], high[0]], np.array([-1, 1]) * 1.959963984540054 * np.sqrt(2), atol=1e-6)


def test_arm_level_likelihoods_have_a_tau_per_group(bcg) -> None:
    found = bm.fit_subgroups(bcg, by="allocation", measure="RR", likelihood="binomial")
    assert list(found.groups) == ["random", "alternate", "systematic"]
    assert {one.likelihood for one in found.groups.values()} == {"binomial"}
    gap = found.difference("random", "systematic")
    one, other = (found.groups[group] for group in ("random", "systematic"))
    exact, _ = quad(
        lambda b: one.cdf("mu", b - 0.3) * other.pdf("mu", b), -4, 4, epsabs=1e-10, points=[-0.5], limit=200
    )
    assert gap.cdf(-0.3) == pytest.approx(exact, abs=1e-8)
    normal = bm.fit_subgroups(bcg, by="allocation", measure="RR", likelihood="normal").difference(
        "random", "systematic"
    )
    assert gap.mean() == pytest.approx(normal.mean(), abs=0.05)
    assert gap.quantile(0.975) == pytest.approx(normal.quantile(0.975), abs=0.1)
    assert list(found.table["n"]) == [222519, 13869, 120959, 357347]


def test_the_test_of_differences_is_the_frequentist_one(bcg) -> None:
    found = bm.fit_subgroups(bcg, by="allocation", measure="RR", likelihood="normal")
    other = bm.subgroups(bcg, by="allocation", measure="RR")
    assert found.test.q_between == pytest.approx(other.q_between, rel=1e-12)
    assert list(found.test.groups.index) == ["random", "alternate", "systematic"]
    assert found.test.by == "allocation"


def test_a_double_zero_study_needs_a_group_where_the_likelihood_keeps_it() -> None:
    counts = pd.DataFrame(
        {"study": list("pqrst"), "events_e": [0, 3, 5, 2, 4], "n_e": [20, 30, 40, 20, 30], "events_c": [0, 6, 9, 5, 4],
         "n_c": [20, 30, 40, 20, 30], "focus": ["", "x", "y", "x", "y"]}
    )  # fmt: skip
    with pytest.raises(bm.DataError, match="column 'focus': no group for 'p'"):
        bm.fit_subgroups(counts, by="focus", measure="OR", likelihood="binomial")
    assert bm.fit_subgroups(counts, by="focus", measure="OR", likelihood="normal").overall.data.k == 4
    dropped = bm.fit_subgroups(counts, by="focus", measure="OR", likelihood="binomial", drop_missing=True)
    assert dropped.overall.data.labels == ("q", "r", "s", "t")
    assert dropped.overall.data.k == 4
    # the participants of a study without events count where the likelihood has it
    kept = bm.fit_subgroups(counts.assign(focus=list("xxyxy")), by="focus", measure="OR", likelihood="binomial")
    assert list(kept.table["n"]) == [140, 140, 280]
    assert list(kept.table["k"]) == [3, 2, 5]


def test_draws_with_the_same_random_numbers_are_not_paired() -> None:
    drawn = Samples(("mu",), np.random.default_rng(3).standard_normal((1, 4, 2000)))
    found = difference("d", drawn, drawn)
    assert found.sd()[0] == pytest.approx(np.sqrt(2), rel=0.05)
    longer = Samples(("mu",), np.random.default_rng(4).standard_normal((1, 4, 3000)))
    assert difference("d", longer, drawn).values.shape == (1, 4, 2000)


def test_nuts_and_quadrature_agree_on_a_difference(separate) -> None:
    by_nuts = bm.fit_subgroups(yi=Y, vi=V, by=BY, priors=PRIORS, engine="nuts")
    exact, drawn = separate.difference("a", "b"), by_nuts.difference("a", "b")
    error = drawn.marginal.sampling_error()
    assert abs(drawn.mean() - exact.mean()) < 5 * error["mcse_mean"][0]
    assert abs(drawn.sd() - exact.sd()) < 5 * error["mcse_sd"][0]
    for p, name in ((0.025, "mcse_ci_low"), (0.975, "mcse_ci_high")):
        assert abs(drawn.quantile(p) - exact.quantile(p)) < 5 * error[name][0]
    assert drawn.prob_beyond(0.3) == pytest.approx(exact.prob_beyond(0.3), abs=0.05)


def test_order_of_the_groups() -> None:
    frame = pd.DataFrame({"dose": [10, 2, 10, 2], "level": pd.Categorical(list("hlhl"), categories=["l", "m", "h"])})
    keywords = {"yi": Y[:4], "vi": V[:4], "priors": PRIORS, "data": frame}
    by_dose = bm.fit_subgroups(by="dose", **keywords)
    assert list(by_dose.groups) == [2, 10]
    assert by_dose.difference("2", "10").mean() == by_dose.difference(2, 10).mean()
    assert list(bm.fit_subgroups(by="level", **keywords).groups) == ["l", "h"]
    assert list(bm.fit_subgroups(by=["z", "a", "z", "a"], yi=Y[:4], vi=V[:4], priors=PRIORS).groups) == ["z", "a"]


def test_what_is_refused(separate) -> None:
    keywords = {"yi": Y, "vi": V, "priors": PRIORS}
    with pytest.raises(bm.DataError, match="all studies are in one group: 'a'"):
        bm.fit_subgroups(by=["a"] * 7, **keywords)
    with pytest.raises(bm.DataError, match="column 'focus': no group for '2', '7'") as raised:
        bm.fit_subgroups(by="focus", data={"focus": ["a", None, "b", "a", "b", "a", ""]}, **keywords)
    assert "drop_missing=True" in str(raised.value)
    with pytest.raises(bm.SpecError, match="unknown group 'd'"):
        separate.difference("a", "d")
    with pytest.raises(bm.SpecError, match="both are 'a'"):
        separate.difference("a", "a")
    for given in ({"moderators": "~ 1"}, {"nesting": "study"}, {"sampling_correlation": 0.5}):
        with pytest.raises(bm.SpecError, match=f"{next(iter(given))}= cannot be given with subgroups"):
            bm.fit_subgroups(by=BY, **keywords, **given)
    assert repr(separate).startswith("<SubgroupFits: GEN, 3 groups by by, a tau per group; normal likelihood")


def test_a_common_tau_is_a_regression_on_the_groups() -> None:
    found = bm.fit_subgroups(yi=Y, vi=V, by=BY, priors=PRIORS, common_tau=True)
    assert found.model is not None
    x = np.array([[float(label == group) for group in "abc"] for label in BY])

    def given_tau(tau):
        w = 1 / (V + tau**2)
        covariance = np.linalg.inv(x.T @ (x * w[:, None]) + np.eye(3))
        mean = covariance @ (x.T @ (w * Y))
        spread = np.diag(V + tau**2) + x @ x.T
        density = (
            np.exp(-0.5 * Y @ np.linalg.solve(spread, Y))
            / np.sqrt(np.linalg.det(spread))
            * np.exp(-0.5 * (tau / 0.5) ** 2)
        )
        return density, mean, covariance

    total = quad(lambda tau: given_tau(tau)[0], 0, 5, epsabs=0, epsrel=1e-11, limit=200)[0]

    def expected(value):
        return (
            quad(
                lambda tau: given_tau(tau)[0] * value(*given_tau(tau)[1:], tau), 0, 5, epsabs=1e-13 * total, limit=200
            )[0]
            / total
        )

    contrast = np.array([1.0, -1.0, 0.0])
    gap = found.difference("a", "b")
    mean = expected(lambda m, _c, _tau: contrast @ m)
    assert gap.mean() == pytest.approx(mean, rel=1e-9)
    assert gap.sd() == pytest.approx(
        np.sqrt(expected(lambda m, c, _tau: contrast @ c @ contrast + (contrast @ m - mean) ** 2)), rel=1e-9
    )
    group = found.groups["b"]
    assert group.mean("mu") == pytest.approx(expected(lambda m, _c, _tau: m[1]), rel=1e-9)
    assert group.mean("tau") == pytest.approx(expected(lambda _m, _c, tau: tau), rel=1e-9)
    second = expected(lambda m, c, tau: m[1] ** 2 + c[1, 1] + tau**2)
    assert group.sd("theta_new") == pytest.approx(np.sqrt(second - group.mean("mu") ** 2), rel=1e-8)
    assert group.terms == ("mu", "tau", "tau2", "i2", "theta_new", "theta[2]", "theta[4]", "theta[5]")
    assert group.quantile("theta[4]", 0.3) == pytest.approx(found.model.quantile("theta[4]", 0.3), rel=1e-10)
    table = found.table
    assert table["tau"].iloc[:3].nunique() == 1
    assert list(table["k"]) == [3, 3, 1, 7]
    assert table.loc["b", "pi_high"] == pytest.approx(group.quantile("theta_new", 0.975), rel=1e-10)
    assert found.notes == ()
    assert found.test.q_between == pytest.approx(bm.subgroups(yi=Y, vi=V, by=BY, common_tau=True).q_between, rel=1e-10)
    drawn = group.draws["posterior"]
    assert float(drawn["mu"].mean()) == pytest.approx(group.mean("mu"), abs=0.03)
    assert drawn["theta"].shape[-1] == 3
    assert bm.summarize(group, scale="natural").loc["mu", "mean"] == pytest.approx(group.mean("mu"), rel=1e-9)
    with pytest.raises(bm.SpecError, match="one marginal likelihood together"):
        _ = group.log_marginal_likelihood
    with pytest.raises(bm.SpecError, match="the group 'tau' has the name of a parameter"):
        bm.fit_subgroups(yi=Y, vi=V, by=["tau", *BY[1:]], priors=PRIORS, common_tau=True)


def test_a_common_tau_under_a_flat_prior_for_mu() -> None:
    flat = {"mu": "Flat()", "tau": "HalfNormal(0.5)"}
    wide = {"mu": "Normal(0, 1e4)", "tau": "HalfNormal(0.5)"}
    found, near = (bm.fit_subgroups(yi=Y, vi=V, by=BY, priors=one, common_tau=True) for one in (flat, wide))
    np.testing.assert_allclose(found.table["estimate"], near.table["estimate"], atol=1e-6)
    assert found.difference("a", "c").sd() == pytest.approx(near.difference("a", "c").sd(), rel=1e-6)


HEAVY = {"mu": "StudentT(4, 0, 1)", "tau": "HalfNormal(0.5)"}


def test_a_common_tau_that_cannot_be_fitted_says_what_can() -> None:
    with pytest.raises(bm.SpecError, match=r"Leave engine= out.* or common_tau=False: a fit per group"):
        bm.fit_subgroups(yi=Y, vi=V, by=BY, common_tau=True, priors=HEAVY, engine="quadrature")


def test_two_groups_with_a_common_tau_under_a_heavy_tailed_prior() -> None:
    by = ["a" if label == "a" else "b" for label in BY]
    found = bm.fit_subgroups(yi=Y, vi=V, by=by, common_tau=True, priors=HEAVY)
    assert found.model.engine == "quadrature"
    # by brute force: given tau the groups are independent
    tau, mu = np.linspace(1e-3, 3.0, 900), np.linspace(-5, 5, 2001)
    prior = bm.Prior("StudentT", (4.0, 0.0, 1.0)).pdf(mu)
    parts = []
    for group in "ab":
        rows = np.array(by) == group
        total = (V[rows] + tau[:, None] ** 2)[:, None]
        z = (Y[rows] - mu[:, None]) / np.sqrt(total)
        density = prior * np.exp(-0.5 * (z**2).sum(axis=2)) / np.sqrt(total).prod(axis=2)
        parts.append((density.sum(axis=1), density @ mu))
    weight = parts[0][0] * parts[1][0] * np.exp(-0.5 * (tau / 0.5) ** 2)
    for (mass, moment), group in zip(parts, "ab", strict=True):
        assert found.groups[group].mean("mu") == pytest.approx(weight @ (moment / mass) / weight.sum(), abs=2e-4)
    gap = found.groups["a"].mean("mu") - found.groups["b"].mean("mu")
    assert found.difference("a", "b").mean() == pytest.approx(gap, abs=1e-7)


@pytest.mark.parametrize("measure", ["OR", "RR"])
def test_two_groups_of_counts_with_a_common_tau_are_exact(bcg, measure) -> None:
    by = ["a", "b"] * 6 + ["a"]
    found = bm.fit_subgroups(bcg, by=by, measure=measure, likelihood="binomial", common_tau=True)
    assert found.model.engine == "quadrature"
    assert found.notes == ()
    one, other = found.groups["a"], found.groups["b"]
    assert one.data.k == 7
    np.testing.assert_allclose(one.quantile("tau", TAILS), other.quantile("tau", TAILS), rtol=1e-12)
    assert found.difference("a", "b").mean() == pytest.approx(one.mean("mu") - other.mean("mu"), abs=1e-8)
    normal = bm.fit_subgroups(bcg, by=by, measure=measure, likelihood="normal", common_tau=True)
    assert one.mean("mu") == pytest.approx(normal.groups["a"].mean("mu"), abs=0.05)
    drawn = one.draws["posterior"]
    assert float(drawn["mu"].mean()) == pytest.approx(one.mean("mu"), abs=0.03)


def test_three_groups_of_counts_with_a_common_tau_are_sampled_and_it_says_so(bcg) -> None:
    found = bm.fit_subgroups(bcg, by="allocation", measure="OR", likelihood="binomial", common_tau=True, seed=3)
    assert found.model.engine == "nuts"
    assert found.notes[0].startswith(
        "the 3 groups with a common tau were sampled with NUTS: with likelihood 'binomial'"
    )
    normal = bm.fit_subgroups(bcg, by="allocation", measure="OR", likelihood="normal", common_tau=True)
    np.testing.assert_allclose(found.table["estimate"], normal.table["estimate"], atol=0.1)
    assert found.difference("random", "systematic").mean() == pytest.approx(
        normal.difference("random", "systematic").mean(), abs=0.1
    )
