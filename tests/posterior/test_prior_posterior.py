"""Prior and posterior side by side: overlap against numerical integrals, ratios, numbers of studies, densities."""

import numpy as np
import pytest
from scipy.integrate import quad, trapezoid
from scipy.stats import norm

import bayesmeta as bm
from bayesmeta.engines.marginals.overlap import overlap
from bayesmeta.engines.marginals.priors import normal_marginal

Y, V = [0.1, 0.3, -0.2, 0.5], [0.04, 0.1, 0.09, 0.02]
PRIORS = {"mu": "Normal(0.1, 0.7)", "tau": "HalfNormal(0.5)"}


@pytest.fixture(scope="module")
def pairwise():
    return bm.fit(yi=Y, vi=V, priors=PRIORS)


@pytest.mark.parametrize(("shift", "sd"), [(0.0, 1.0), (1.0, 1.0), (0.3, 2.5), (6.0, 0.01), (0.0, 1e-4)])
def test_overlap_of_normal_distributions(shift, sd):
    found = overlap(normal_marginal("x", 0.0, 1.0), normal_marginal("x", shift, sd))
    # equal standard deviations: 2 Phi(-shift / 2) (Inman and Bradley 1989)
    if sd == 1.0:
        assert found == pytest.approx(2 * norm.cdf(-shift / 2), abs=1e-12)
    near = [shift - 8 * sd, shift, shift + 8 * sd]
    inner = quad(
        lambda x: min(norm.pdf(x), norm.pdf(x, shift, sd)), near[0], near[2], points=[shift], epsabs=1e-11, limit=500
    )[0]
    outer = sum(
        quad(lambda x: min(norm.pdf(x), norm.pdf(x, shift, sd)), *ends)[0]
        for ends in ((-9, near[0]), (near[2], 9))
        if ends[0] < ends[1]
    )
    assert found == pytest.approx(inner + outer, abs=1e-6)


def test_numbers_are_those_of_prior_and_posterior(pairwise):
    found = bm.prior_posterior(pairwise)
    assert list(found.table.index) == ["mu", "tau"]
    row = found.table.loc["mu"]
    assert list(row[["prior_mean", "prior_sd"]]) == pytest.approx([0.1, 0.7])
    assert list(row[["prior_low", "prior_high"]]) == pytest.approx(list(norm.ppf([0.025, 0.975], 0.1, 0.7)))
    assert list(row[["mean", "sd", "ci_low", "ci_high"]]) == pytest.approx(
        [pairwise.mean(), pairwise.sd(), *pairwise.interval()]
    )
    assert row["sd_ratio"] == pytest.approx(pairwise.sd() / 0.7)
    by_hand, _ = quad(
        lambda x: min(norm.pdf(x, 0.1, 0.7), pairwise.pdf("mu", x)),
        -4,
        4,
        points=[-0.2, 0.1, 0.6],
        limit=400,
        epsabs=1e-11,
    )
    assert row["overlap"] == pytest.approx(by_hand, abs=1e-8)
    by_hand, _ = quad(
        lambda x: min(2 * norm.pdf(x, 0, 0.5), pairwise.pdf("tau", x)), 0, 4, points=[0.2, 0.5], limit=400, epsabs=1e-11
    )
    assert found.table.loc["tau", "overlap"] == pytest.approx(by_hand, abs=1e-8)
    assert found.table.loc["tau", "prior_mean"] == pytest.approx(0.5 * np.sqrt(2 / np.pi))
    assert list(found.table["k"]) == [4, 4]
    assert found.studies_per_coefficient == 4.0
    assert found.levels.empty
    assert repr(found).startswith("<PriorPosterior: 4 studies per coefficient, 2 terms; overlap mu 0.")
    narrow = bm.prior_posterior(pairwise, level=0.5).table.loc["mu"]
    assert list(narrow[["ci_low", "ci_high"]]) == pytest.approx(list(pairwise.interval("mu", 0.5)))


def test_data_that_say_nothing_leave_the_prior():
    found = bm.prior_posterior(yi=[0.1], vi=[1e6], priors=PRIORS).table
    np.testing.assert_allclose(found["overlap"], 1.0, atol=1e-3)
    np.testing.assert_allclose(found["sd_ratio"], 1.0, atol=1e-3)


def test_a_prior_for_tau2_is_shown_as_that_of_tau():
    found = bm.prior_posterior(yi=Y, vi=V, priors={"mu": "Normal(0, 1)", "tau2": "Gamma(2, 8)"})
    x = np.linspace(1e-4, 2.5, 4001)
    frame = found.densities("tau")
    assert trapezoid(found.priors["tau"].pdf(x[:, None])[:, 0], x) == pytest.approx(1.0, abs=1e-5)
    assert trapezoid(frame["prior"], frame["x"]) == pytest.approx(1.0, abs=0.01)
    assert trapezoid(frame["posterior"], frame["x"]) == pytest.approx(1.0, abs=0.01)


def test_flat_and_fixed_priors_have_no_overlap():
    flat = bm.prior_posterior(yi=Y, vi=V, priors={"mu": "Flat()", "tau": "HalfCauchy(0.5)"})
    assert flat.table.loc["mu", ["prior_mean", "prior_sd", "overlap", "sd_ratio"]].isna().all()
    assert np.isfinite(flat.table.loc["tau", "overlap"])
    assert flat.table.loc["tau", "prior_sd"] == np.inf
    assert flat.densities("mu")["prior"].isna().all()
    fixed = bm.prior_posterior(yi=Y, vi=V, priors={"mu": "Normal(0, 1)", "tau": "Point(0)"})
    assert np.isnan(fixed.table.loc["tau", "overlap"])
    assert 0 < fixed.table.loc["mu", "overlap"] < 1
    with pytest.raises(bm.SpecError, match="tau is fixed by its prior"):
        fixed.densities("tau")
    with pytest.raises(bm.SpecError, match="unknown term 'muu'"):
        fixed.densities("muu")


def test_every_coefficient_beside_its_prior_and_the_studies_of_every_level():
    frame = {"dose": [1.0, 2.0, 4.0, 5.0, 8.0, 3.0], "focus": list("abcaba")}
    fit = bm.fit(
        yi=[*Y, 0.0, 0.2], vi=[*V, 0.05, 0.03], data=frame, moderators="~ dose + focus", measure="SMD",
        priors={"dose": "Normal(0, 0.1)", "tau": "HalfNormal(0.5)"},
    )  # fmt: skip
    found = bm.prior_posterior(fit)
    assert list(found.table.index) == ["Intercept", "dose", "focus[T.b]", "focus[T.c]", "tau"]
    assert list(found.table["k"]) == [6, 6, 2, 1, 6]
    assert found.studies_per_coefficient == 1.5
    assert found.levels.to_dict("list") == {"moderator": ["focus"] * 3, "level": ["a", "b", "c"], "k": [3, 2, 1]}
    assert found.table.loc["dose", "prior_sd"] == pytest.approx(0.1)
    # by default mu's prior is that of the effect at the means: the intercept is that less the slopes at the means
    x = fit.data.design.matrix
    sds = np.array([0.1, *(0.5 / x[:, 2:].std(axis=0, ddof=1))])
    assert found.table.loc["Intercept", "prior_sd"] == pytest.approx(
        np.sqrt(4.0 + ((x.mean(axis=0)[1:] * sds) ** 2).sum()), rel=5e-3
    )
    assert found.table.loc["focus[T.c]", "prior_sd"] == pytest.approx(sds[2], rel=5e-3)
    for name in ("dose", "focus[T.c]"):
        sd = found.table.loc[name, "prior_sd"]
        by_hand, _ = quad(
            lambda v, n=name, s=sd: min(norm.pdf(v, 0, s), fit.pdf(n, v)), -9 * sd, 9 * sd, limit=400, points=[0.0]
        )
        assert found.table.loc[name, "overlap"] == pytest.approx(by_hand, abs=1e-7)
    literal = bm.prior_posterior(
        yi=[*Y, 0.0, 0.2], vi=[*V, 0.05, 0.03], data=frame, moderators="~ dose", measure="SMD",
        priors={"Intercept": "Flat()", "dose": "Normal(0, 0.1)", "tau": "HalfNormal(0.5)"},
    )  # fmt: skip
    assert np.isnan(literal.table.loc["Intercept", "overlap"])
    assert 0 < literal.table.loc["dose", "overlap"] < 1


def test_what_is_refused(pairwise):
    with pytest.raises(bm.SpecError, match="several priors"):
        bm.prior_posterior(bm.model_average(pairwise).posterior)
    with pytest.raises(bm.SpecError, match="level"):
        bm.prior_posterior(pairwise, level=1.5)
