"""Quadrature over tau against an independent quadrature, against itself with twice the nodes, and against symmetry."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import REFERENCE_FOLDER
from scipy import integrate as sci

import bayesmeta as bm
from bayesmeta.engines.normal.formulas import conditional_mu, log_likelihood_tau
from bayesmeta.engines.normal.solve import QuadratureSolution, solve_normal
from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.i_squared import typical_variance
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.posterior import Posterior

REFERENCE = json.loads((REFERENCE_FOLDER / "bayesmeta_extract.json").read_text(encoding="utf-8"))
COLUMNS = REFERENCE["columns"]
BLOCKS = [
    pytest.param(case, block, "Normal(0, 4)" if group == "cases" else "Flat()", tau, id=f"{name} {tau} {group}")
    for group in ("cases", "flat_mu")
    for name, case in REFERENCE[group].items()
    for tau, block in case["priors"].items()
]
BCG_Y, BCG_V = (np.array(REFERENCE["cases"]["bcg__RR"][name]) for name in ("yi", "vi"))


def solve(y: object, v: object, mu: str, tau: str, *, on_variance: bool = False, nodes: int = 16) -> QuadratureSolution:
    priors = Priors(parse_prior(mu), parse_prior(tau), on_variance)
    y, v = np.asarray(y, float), np.asarray(v, float)
    return solve_normal(y, v, priors, tuple(f"s{i + 1}" for i in range(len(y))), nodes_per_panel=nodes)


def fit(y: object, v: object, mu: str = "Normal(0, 4)", tau: str = "HalfNormal(0.5)", **priors: str) -> Posterior:
    chosen = {"mu": mu, **(priors or {"tau": tau})}
    return bm.fit(yi=y, vi=v, likelihood="normal", engine="quadrature", priors=chosen)


# the reference -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("case", "block", "mu", "tau"), BLOCKS)
def test_every_number_of_the_reference(case: dict, block: dict, mu: str, tau: str) -> None:
    posterior = fit(case["yi"], case["vi"], mu, tau)
    assert posterior.log_marginal_likelihood == pytest.approx(block["log_marginal_likelihood"], abs=1e-9)
    summary = bm.summarize(posterior)
    shrinkage = {f"theta[{i + 1}]": row for i, row in enumerate(block["shrinkage"])}
    rows = {name: block[name] for name in ("tau", "mu", "theta_new")} | shrinkage
    for term, row in rows.items():
        known = dict(zip(COLUMNS, row, strict=True))
        for column, value in known.items():
            tolerance = 1e-7 if column.startswith("hdi") else 1e-9
            found = summary.loc[term, column]
            assert found == pytest.approx(value, abs=tolerance * max(1.0, known["sd"])), (term, column)
    assert [posterior.cdf("mu", 0.0), posterior.cdf("theta_new", 0.0)] == pytest.approx(block["p_lt_0"], abs=1e-9)
    if block["log_bf_tau0"] is not None:
        at_zero = log_likelihood_tau(np.zeros(1), np.array(case["yi"]), np.array(case["vi"]), posterior.priors)[0]
        assert at_zero - posterior.log_marginal_likelihood == pytest.approx(block["log_bf_tau0"], abs=1e-8)


# twice the nodes -----------------------------------------------------------------------------------------------------

TAU_PRIORS = [
    "HalfNormal(0.5)", "HalfCauchy(0.5)", "HalfT(3, 0.5)", "Uniform(0, 4)", "Uniform(0.1, 0.2)", "Exponential(2)",
    "LogNormal(-1.28, 0.87)", "LogT(5, -1.72, 1.295)", "Gamma(0.5, 1)", "Gamma(2, 0.5)", "InvGamma(1, 0.1)",
]  # fmt: skip
TAU2_PRIORS = [
    "InvGamma(1, 0.1)", "InvGamma(0.5, 0.5)", "LogNormal(-2.56, 1.74)", "LogT(5, -3.44, 2.59)", "Uniform(0, 4)",
    "HalfNormal(0.5)", "Gamma(0.5, 1)", "HalfCauchy(0.5)",
]  # fmt: skip
EVERY_PRIOR = [(text, False) for text in TAU_PRIORS] + [(text, True) for text in TAU2_PRIORS]
PRIOR_IDS = [f"tau2 ~ {text}" if on_variance else f"tau ~ {text}" for text, on_variance in EVERY_PRIOR]

DATA = {
    "k = 1": (BCG_Y[:1], BCG_V[:1]),
    "k = 2": (BCG_Y[:2], BCG_V[:2]),
    "k = 3": (BCG_Y[:3], BCG_V[:3]),
    "k = 13": (BCG_Y, BCG_V),
    "k = 130": (np.tile(BCG_Y, 10), np.tile(BCG_V, 10)),
    "two alike": ([0.3, 0.3], [0.1, 0.2]),
    "no spread": (np.zeros(6), np.full(6, 0.1)),
    "an outlier of 40": (np.append(BCG_Y, 40.0), np.append(BCG_V, 0.01)),
    "one study all but exact": (BCG_Y, np.where(np.arange(13) == 4, 1e-14, BCG_V)),
    "effects of 1e-6": (BCG_Y * 1e-6, BCG_V * 1e-12),
    "effects of 1e6": (BCG_Y * 1e6, BCG_V * 1e12),
}


def numbers(solution: QuadratureSolution) -> dict[str, np.ndarray]:
    """All numbers of a summary, by term."""
    levels = np.array([[0.025], [0.5], [0.975]])
    found = {}
    for family in solution.families:
        rows = np.vstack(
            [family.mean(), family.sd(), family.quantile(levels), family.cdf(np.full(len(family.terms), 0.1))]
        )
        found |= {term: rows[:, i] for i, term in enumerate(family.terms)}
    return found


@pytest.mark.parametrize("mu", ["Normal(0, 4)", "Flat()"])
@pytest.mark.parametrize(("tau", "on_variance"), EVERY_PRIOR, ids=PRIOR_IDS)
@pytest.mark.parametrize("data", DATA.values(), ids=DATA)
def test_doubling_the_nodes_changes_nothing(data: tuple, tau: str, on_variance: bool, mu: str) -> None:
    few, many = (solve(*data, mu, tau, on_variance=on_variance, nodes=n) for n in (16, 32))
    assert few.error < 1e-7
    scale = max(1.0, abs(many.log_marginal_likelihood))
    assert few.log_marginal_likelihood == pytest.approx(many.log_marginal_likelihood, abs=1e-8 * scale)
    first, second = numbers(few), numbers(many)
    for term, known in second.items():
        width = 100.0 if term == "i2" else known[4] - known[2]
        tolerance = np.array([1e-8 * width] * 5 + [1e-8])
        np.testing.assert_array_equal(np.isfinite(first[term]), np.isfinite(known), err_msg=term)
        finite = np.isfinite(known)
        gap = np.abs(first[term][finite] - known[finite])
        assert (gap <= tolerance[finite]).all(), (term, first[term], known)


# brute force ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mu", ["Normal(0.2, 2)", "Flat()"])
@pytest.mark.parametrize(
    ("k", "tau", "on_variance"),
    [
        *((k, *prior) for k in (2, 3, 13) for prior in EVERY_PRIOR),
        # the vague prior of old BUGS models; with few studies its tails reach further than any grid
        (13, "InvGamma(0.001, 0.001)", True),
    ],
)
def test_marginal_likelihood_and_moments_by_the_trapezoid_rule(k: int, tau: str, on_variance: bool, mu: str) -> None:
    # the trapezoid rule in log tau converges geometrically for these densities, and shares nothing with the panels
    y, v = BCG_Y[:k], BCG_V[:k]
    found = solve(y, v, mu, tau, on_variance=on_variance)
    z = np.linspace(-60.0, 60.0, 24_001)
    if "Uniform" in tau:
        low, high = found.priors.tau_support
        x, weight = np.polynomial.legendre.leggauss(20)
        edges = np.linspace(low, high, 401)[:-1, None]
        grid = (edges + (high - low) / 800 * (x + 1)).ravel()
        log_weight = np.log(np.tile(weight * (high - low) / 800, 400))
    else:
        grid, log_weight = np.exp(z), z + np.log(z[1] - z[0])
    log_value = np.concatenate(
        [found.priors.log_tau_density(t) + log_likelihood_tau(t, y, v, found.priors) for t in np.array_split(grid, 4)]
    )
    value = np.exp(log_value + log_weight - log_value.max())
    total = value.sum()
    # outside this grid the heaviest of these priors have some 1e-7 of their mass
    tolerance = 1e-6 if "LogT" in tau or "0.001" in tau else 1e-10
    assert found.log_marginal_likelihood == pytest.approx(np.log(total) + log_value.max(), abs=tolerance)
    mean, _ = conditional_mu(grid, y, v, found.priors)
    assert found.effects.take("theta[s1]").mean()[0] == pytest.approx(
        (value * (mean + grid**2 / (grid**2 + v[0]) * (y[0] - mean))).sum() / total, abs=tolerance * 10
    )
    if found.scale.finite_moments >= 1:
        assert found.scale.mean()[0] == pytest.approx((value * grid).sum() / total, rel=tolerance * 100)


def test_against_two_dimensional_integration() -> None:
    y, v = BCG_Y[:3], BCG_V[:3]
    mu_prior, tau_prior = Prior("Normal", (0.0, 2.0)), Prior("HalfCauchy", (0.5,))

    def joint(mu: np.ndarray, tau: float) -> np.ndarray:
        spread = v + tau**2
        log_likelihood = -0.5 * np.sum(
            np.log(2 * np.pi * spread) + (y - np.asarray(mu)[..., None]) ** 2 / spread, axis=-1
        )
        return np.exp(log_likelihood) * mu_prior.pdf(mu) * float(tau_prior.pdf(tau))

    x, weight = np.polynomial.legendre.leggauss(200)
    mu = 12 * x
    over_mu = [
        lambda u: 12 * float(weight @ joint(mu, u / (1 - u))) / (1 - u) ** 2,
        lambda u: 12 * float(weight @ (mu * joint(mu, u / (1 - u)))) / (1 - u) ** 2,
    ]
    # beyond tau = 50 the window of mu is too narrow, and there is 1e-9 of the whole
    total, first = (sci.quad(f, 0.0, 50 / 51, limit=200, epsabs=1e-14)[0] for f in over_mu)
    found = solve(y, v, "Normal(0, 2)", "HalfCauchy(0.5)")
    assert found.log_marginal_likelihood == pytest.approx(np.log(total), abs=1e-6)
    assert found.effects.take("mu").mean()[0] == pytest.approx(first / total, abs=1e-6)


def test_with_one_study_and_a_flat_prior_for_mu_the_posterior_of_tau_is_its_prior() -> None:
    for tau in ("HalfNormal(0.5)", "HalfCauchy(0.5)", "Uniform(0, 4)", "Exponential(2)", "Gamma(2, 3)"):
        found = solve([0.7], [0.04], "Flat()", tau)
        p = np.array([[0.025], [0.5], [0.975]])
        np.testing.assert_allclose(found.scale.take("tau").quantile(p), parse_prior(tau).quantile(p), rtol=1e-9)
        assert found.effects.take("theta[s1]").mean()[0] == pytest.approx(0.7, abs=1e-9)
        assert found.effects.take("theta[s1]").sd()[0] == pytest.approx(0.2, abs=1e-9)
        assert found.log_marginal_likelihood == pytest.approx(0.0, abs=1e-10)


# moments that do not exist -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("k", "mu", "tau", "tau_moments"),
    [
        (1, "Flat()", "HalfCauchy(0.5)", 0),
        (2, "Flat()", "HalfCauchy(0.5)", 1),
        (3, "Flat()", "HalfCauchy(0.5)", 2),
        (1, "Normal(0, 4)", "HalfCauchy(0.5)", 1),
        (2, "Normal(0, 4)", "HalfCauchy(0.5)", 2),
        (13, "Flat()", "HalfCauchy(0.5)", 4),
        (2, "Flat()", "LogT(5, -1.72, 1.295)", 0),
        (1, "Normal(0, 4)", "LogT(5, -1.72, 1.295)", 0),
        (2, "Normal(0, 4)", "LogT(5, -1.72, 1.295)", 1),
        (3, "Normal(0, 4)", "LogT(5, -1.72, 1.295)", 2),
        (2, "Flat()", "HalfNormal(0.5)", 4),
        (2, "Flat()", "Uniform(0, 4)", 4),
    ],
)
def test_moments_that_are_infinite_are_reported_so(k: int, mu: str, tau: str, tau_moments: int) -> None:
    summary = bm.summarize(fit(BCG_Y[:k], BCG_V[:k], mu, tau))
    finite = summary[["mean", "sd"]].map(np.isfinite)
    assert finite.loc["tau"].tolist() == [tau_moments >= 1, tau_moments >= 2]
    assert finite.loc["tau2"].tolist() == [tau_moments >= 2, tau_moments >= 4]
    assert finite.loc["i2"].tolist() == [True, True]
    assert finite.loc["theta_new"].tolist() == [tau_moments >= 1, tau_moments >= 2]
    # a proper prior bounds the variance of mu, and a study's own data that of its effect
    proper = mu != "Flat()"
    assert finite.loc["mu"].tolist() == [proper or tau_moments >= 1, proper or tau_moments >= 2]
    assert finite.loc["theta[1]"].tolist() == [True, True]
    assert np.isfinite(summary[["median", "ci_low", "ci_high", "hdi_low", "hdi_high"]]).all().all()


# symmetry ------------------------------------------------------------------------------------------------------------

studies = st.integers(1, 8).flatmap(
    lambda k: st.tuples(
        st.lists(st.floats(-3, 3), min_size=k, max_size=k), st.lists(st.floats(0.01, 2), min_size=k, max_size=k)
    )
)
TERMS = ("mu", "tau", "tau2", "i2", "theta_new")
VALUES = ["mean", "sd", "median", "ci_low", "ci_high"]


def table(y: object, v: object, mu: str, tau: str) -> tuple[pd.DataFrame, float]:
    posterior = fit(y, v, mu, tau)
    return bm.summarize(posterior)[VALUES], posterior.log_marginal_likelihood


@settings(max_examples=15)
@given(studies, st.randoms(use_true_random=False))
def test_the_order_of_studies_does_not_matter(data: tuple, random: object) -> None:
    y, v = map(np.array, data)
    order = list(range(len(y)))
    random.shuffle(order)
    (first, log_first), (second, log_second) = (
        table(y[i], v[i], "Normal(0, 2)", "HalfCauchy(0.5)") for i in (slice(None), order)
    )
    assert log_first == pytest.approx(log_second, abs=1e-10)
    names = [f"theta[{i + 1}]" for i in order]
    np.testing.assert_allclose(first.loc[[*TERMS, *names]], second, rtol=1e-9, atol=1e-9)


@settings(max_examples=15)
@given(studies, st.floats(-6, 6))
def test_units_do_not_matter(data: tuple, log10_unit: float) -> None:
    y, v = map(np.array, data)
    c = 10.0**log10_unit
    first, log_first = table(y, v, "Normal(0.5, 2)", "HalfCauchy(0.5)")
    second, log_second = table(c * y, c**2 * v, f"Normal({0.5 * c!r}, {2 * c!r})", f"HalfCauchy({0.5 * c!r})")
    assert log_first - len(y) * np.log(c) == pytest.approx(log_second, abs=1e-8)
    power = np.array([{"tau2": 2, "i2": 0}.get(term, 1) for term in first.index])
    np.testing.assert_allclose(first, second.div(c**power, axis=0), rtol=1e-8, atol=1e-8)


@settings(max_examples=15)
@given(studies)
def test_a_change_of_sign(data: tuple) -> None:
    y, v = map(np.array, data)
    (first, log_first), (second, log_second) = (
        table(y, v, "Normal(0, 2)", "HalfT(3, 0.5)"),
        table(-y, v, "Normal(0, 2)", "HalfT(3, 0.5)"),
    )
    assert log_first == pytest.approx(log_second, abs=1e-12 * max(1, abs(log_first)))
    mirrored = first.copy()
    effect = [term == "mu" or term.startswith("theta") for term in first.index]
    mirrored.loc[effect, "mean"] *= -1
    mirrored.loc[effect, "median"] *= -1
    mirrored.loc[effect, ["ci_low", "ci_high"]] = -first.loc[effect, ["ci_high", "ci_low"]].to_numpy()
    np.testing.assert_allclose(mirrored, second, rtol=1e-9, atol=1e-9)


@settings(max_examples=15)
@given(studies, st.floats(-100, 100))
def test_a_shift_changes_effects_only(data: tuple, shift: float) -> None:
    y, v = map(np.array, data)
    tau = "HalfNormal(0.5)"
    for mu, moved_mu in (("Flat()", "Flat()"), ("Normal(0, 2)", f"Normal({shift!r}, 2)")):
        (first, log_first), (second, log_second) = table(y, v, mu, tau), table(y + shift, v, moved_mu, tau)
        assert log_first == pytest.approx(log_second, abs=1e-8)
        effect = np.array([term == "mu" or term.startswith("theta") for term in first.index])
        moved = first.copy()
        moved.loc[effect, ["mean", "median", "ci_low", "ci_high"]] += shift
        np.testing.assert_allclose(moved, second, rtol=1e-8, atol=1e-8)


def test_a_wide_normal_prior_is_close_to_the_flat_one() -> None:
    flat, _ = table(BCG_Y, BCG_V, "Flat()", "HalfNormal(0.5)")
    wide, _ = table(BCG_Y, BCG_V, "Normal(0, 1e5)", "HalfNormal(0.5)")
    np.testing.assert_allclose(flat, wide, atol=1e-9)


def test_a_tight_prior_at_zero_gives_the_common_effect() -> None:
    found = solve(BCG_Y, BCG_V, "Flat()", "HalfNormal(1e-9)")
    weights = 1 / BCG_V
    assert found.effects.take("mu").mean()[0] == pytest.approx(weights @ BCG_Y / weights.sum(), abs=1e-9)
    assert found.effects.take("mu").sd()[0] == pytest.approx(weights.sum() ** -0.5, rel=1e-9)


# the rest ------------------------------------------------------------------------------------------------------------


def test_typical_variance() -> None:
    v = np.array([0.1, 0.3, 0.7])
    w = 1 / v
    assert typical_variance(v) == pytest.approx(2 * w.sum() / (w.sum() ** 2 - (w**2).sum()), rel=1e-13)
    assert typical_variance(np.full(5, 0.3)) == pytest.approx(0.3)
    assert typical_variance(np.array([0.3])) == 0.3
    # with one study all but exact the textbook form cancels to 0 / 0
    assert typical_variance(np.array([1e-18, 1.0, 1.0])) == pytest.approx(0.5)


def test_other_priors_for_mu_are_errors() -> None:
    with pytest.raises(
        SpecError, match=r"needs a Normal or Flat prior for mu but got Cauchy\(0, 1\); use engine='nuts'"
    ):
        solve(BCG_Y, BCG_V, "Cauchy(0, 1)", "HalfNormal(0.5)")


def test_no_study_is_an_error() -> None:
    with pytest.raises(DataError, match="no study can be pooled"):
        solve([], [], "Flat()", "HalfNormal(0.5)")


def test_draws_have_the_exact_distribution() -> None:
    solution = solve(BCG_Y, BCG_V, "Normal(0, 4)", "HalfCauchy(0.5)")
    n = 20_000
    draws = solution.sample(n, np.random.default_rng(20))
    assert draws["theta"].shape == (n, 13)
    exact = {term: family.take(term) for family in solution.families for term in family.terms}
    drawn = {name: draws[name] for name in ("mu", "tau", "theta_new")}
    drawn |= {f"theta[s{i + 1}]": draws["theta"][:, i] for i in range(13)}
    for term, value in drawn.items():
        for p in (0.025, 0.3, 0.5, 0.975):
            share = (value <= exact[term].quantile(p)[0]).mean()
            assert abs(share - p) < 4 * np.sqrt(p * (1 - p) / n), (term, p)
    # the draws are joint ones: theta_i tends to mu as tau tends to 0
    distance = np.abs(draws["theta"][:, 0] - draws["mu"])
    small = draws["tau"] < np.quantile(draws["tau"], 0.1)
    assert distance[small].mean() < distance[~small].mean()
