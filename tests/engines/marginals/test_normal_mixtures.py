"""Normal mixtures and functions of tau: quantiles, densities, shortest intervals and moments against brute force."""

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from paths import REFERENCE_FOLDER
from scipy import integrate as sci
from scipy import optimize, stats

from bayesmeta.engines.marginals.normal_mixtures import LARGE, NormalMixtures
from bayesmeta.engines.marginals.shortest import shortest_interval
from bayesmeta.engines.marginals.tau import TauFunctions
from bayesmeta.engines.numerics.panels import Map, integrate

REFERENCE = json.loads((REFERENCE_FOLDER / "bayesmeta_extract.json").read_text(encoding="utf-8"))
P = np.array([1e-9, 0.005, 0.025, 0.25, 0.5, 0.8, 0.975, 0.995, 1 - 1e-9])

#: weights, means and sds of one term
SHAPES = {
    "one normal": ([1.0], [0.3], [0.7]),
    "two peaks": ([0.4, 0.6], [-2.0, 1.5], [0.5, 0.4]),
    "one peak and a broad base": ([0.9, 0.1], [0.0, 0.5], [0.1, 30.0]),
    "almost a point": ([0.5, 0.5], [1.0, 1.0], [1e-9, 1.0]),
    "far from zero": ([0.3, 0.7], [1e6, 1e6 + 1], [0.5, 0.1]),
    "very small": ([0.3, 0.7], [1e-8, 2e-8], [1e-9, 3e-9]),
    "a second mode beyond the rest": ([0.26, 0.44, 0.2, 0.1], [0, 0, 0, 16], [1, 1, 4.5, 1]),
    "sds over many orders": (np.full(9, 1 / 9), np.zeros(9), 10.0 ** np.arange(-4, 5)),
}


def mixture(weights: object, means: object, sds: object) -> NormalMixtures:
    """A mixture of one term from its components."""
    return NormalMixtures(("mu",), np.asarray(weights, float), np.atleast_2d(means), np.atleast_2d(sds).astype(float))


@pytest.mark.parametrize("pieces", SHAPES.values(), ids=SHAPES)
def test_quantile_inverts_the_distribution_function(pieces: tuple) -> None:
    one = mixture(*pieces)
    x = one.quantile(P[:, None])[:, 0]
    assert (np.diff(x) > 0).all()
    np.testing.assert_allclose(one.cdf(x[:, None])[:, 0], P, rtol=1e-6, atol=1e-14)
    brute = np.asarray(pieces[0]) @ stats.norm(np.array(pieces[1])[:, None], np.array(pieces[2])[:, None]).cdf(x)
    np.testing.assert_allclose(brute, P, rtol=1e-6, atol=1e-14)


@given(
    st.integers(1, 6).flatmap(
        lambda n: st.tuples(
            st.lists(st.floats(0.05, 1), min_size=n, max_size=n),
            st.lists(st.floats(-50, 50), min_size=n, max_size=n),
            st.lists(st.floats(-6, 3), min_size=n, max_size=n),
        )
    ),
    st.floats(1e-4, 1 - 1e-4),
)
@settings(max_examples=100)
def test_any_mixture(pieces: tuple, p: float) -> None:
    weights = np.array(pieces[0]) / np.sum(pieces[0])
    one = mixture(weights, pieces[1], np.exp(pieces[2]))
    x = one.quantile(p)
    assert one.cdf(x)[0] == pytest.approx(p, abs=1e-8)
    low, high = one.hdi(0.9)
    assert one.cdf(high)[0] - one.cdf(low)[0] == pytest.approx(0.9, abs=1e-8)
    central = one.quantile(0.95)[0] - one.quantile(0.05)[0]
    assert (high - low)[0] <= central * (1 + 1e-9)


def test_ends_of_the_probability_scale() -> None:
    one = mixture(*SHAPES["two peaks"])
    np.testing.assert_array_equal(one.quantile(np.array([[0.0], [1.0]]))[:, 0], [-np.inf, np.inf])
    np.testing.assert_array_equal(one.cdf(np.array([[-np.inf], [np.inf]]))[:, 0], [0.0, 1.0])


@pytest.mark.parametrize("pieces", SHAPES.values(), ids=SHAPES)
def test_moments_and_density(pieces: tuple) -> None:
    weights, means, sds = (np.asarray(piece, float) for piece in pieces)
    one = mixture(*pieces)
    mean = weights @ means
    assert one.mean()[0] == pytest.approx(mean, rel=1e-14)
    assert one.sd()[0] == pytest.approx(np.sqrt(weights @ (sds**2 + (means - mean) ** 2)), rel=1e-12)
    x = one.quantile(np.array([[0.1], [0.6]]))
    brute = weights @ stats.norm(means[:, None], sds[:, None]).pdf(x[:, 0])
    np.testing.assert_allclose(one.pdf(x)[:, 0], brute, rtol=1e-10)


def brute_shortest(quantile: object, mass: float) -> float:
    """Width of the shortest interval, by a grid and a polish around its best point."""
    grid = np.linspace(1e-12, 1 - mass - 1e-12, 4001)
    width = quantile(grid + mass) - quantile(grid)
    best = int(np.argmin(width))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    polished = optimize.minimize_scalar(
        lambda p: float(np.diff(quantile(np.ravel([p, p + mass])))[0]), bounds=(low, high), method="bounded",
        options={"xatol": 1e-12},
    )  # fmt: skip
    return float(min(polished.fun, width[best]))


@pytest.mark.parametrize("mass", [0.5, 0.9, 0.95])
@pytest.mark.parametrize("pieces", SHAPES.values(), ids=SHAPES)
def test_shortest_interval_of_a_mixture(pieces: tuple, mass: float) -> None:
    one = mixture(*pieces)
    low, high = one.hdi(mass)
    assert one.cdf(high)[0] - one.cdf(low)[0] == pytest.approx(mass, abs=1e-7)
    assert (high - low)[0] == pytest.approx(brute_shortest(lambda p: one.quantile(p[:, None])[:, 0], mass), rel=1e-6)


def test_terms_have_the_same_results_alone_and_together() -> None:
    rng = np.random.default_rng(5)
    weights = np.full(20, 0.05)
    several = NormalMixtures(
        ("mu", "theta_new", "theta[a]"), weights, rng.normal(size=(3, 20)), rng.uniform(0.1, 2, (3, 20))
    )
    low, high = several.hdi(0.95)
    for i, term in enumerate(several.terms):
        one = several.take(term)
        assert one.terms == (term,)
        assert one.mean()[0] == pytest.approx(several.mean()[i], rel=1e-13)
        assert one.sd()[0] == pytest.approx(several.sd()[i], rel=1e-13)
        np.testing.assert_allclose(one.quantile(P[:, None])[:, 0], several.quantile(P[:, None])[:, i], rtol=1e-12)
        np.testing.assert_allclose([low[i], high[i]], np.ravel(one.hdi(0.95)), rtol=1e-9)


def test_shortest_interval_searches_all_tails() -> None:
    exponential, normal = stats.expon(), stats.norm(1.0, 2.0)
    np.testing.assert_allclose(shortest_interval(exponential.ppf, 0.95), (0.0, exponential.ppf(0.95)), atol=1e-12)
    np.testing.assert_allclose(shortest_interval(normal.ppf, 0.95), normal.interval(0.95), atol=1e-6)


@pytest.mark.parametrize("name", REFERENCE["mixtures"])
def test_mixtures_over_a_prior_for_tau_are_those_of_r_bayesmeta(name: str) -> None:
    # R's grid over tau is good to about 1e-3 here, so this guards the meaning, and the tests above the digits
    known = REFERENCE["mixtures"][name]
    scale = {"tau~HN(0.5), mu=0": stats.halfnorm(0, 0.5), "tau~HC(0.5), mu=0": stats.halfcauchy(0, 0.5)}[known["prior"]]
    tau = scale.ppf((np.arange(4000) + 0.5) / 4000)
    one = mixture(np.full(4000, 1 / 4000), np.zeros(4000), tau)
    np.testing.assert_allclose(one.cdf(np.array(known["x"])[:, None])[:, 0], known["cdf"], atol=2e-3)


# tau, tau2 and I2 -----------------------------------------------------------------------------------------------------

TYPICAL = 0.04
TAU = {
    "falling from zero": (stats.halfnorm(0, 0.5), Map("half_line", 0.0, 0.3)),
    "one peak": (stats.gamma(6.0, 0, 0.1), Map("half_line", 0.0, 0.3)),
    "log-normal": (stats.lognorm(0.87, 0, 0.28), Map("log", 0.0, 1.2, -1.28)),
    "uniform": (stats.uniform(0.1, 0.4), Map("interval", 0.1, 0.4)),
    "rising": (stats.powerlaw(3.0, 0, 0.8), Map("interval", 0.0, 0.8)),
}


def functions(truth: stats.rv_continuous, map: Map, moments: int = 4) -> TauFunctions:
    return TauFunctions(integrate(truth.logpdf, map, moment=2, moment_scale=0.3), TYPICAL, moments)


def of_tau(tau: np.ndarray) -> dict[str, np.ndarray]:
    return {"tau": tau, "tau2": tau**2, "i2": 100 * tau**2 / (tau**2 + TYPICAL)}


@pytest.mark.parametrize(("truth", "map"), TAU.values(), ids=TAU)
def test_functions_of_tau_have_the_distribution_of_tau(truth: stats.rv_continuous, map: Map) -> None:
    found = functions(truth, map)
    p = np.array([0.001, 0.025, 0.5, 0.975, 0.999])
    expected = of_tau(truth.ppf(p))
    for i, term in enumerate(found.terms):
        np.testing.assert_allclose(found.quantile(p[:, None])[:, i], expected[term], rtol=1e-8)
        one = found.take(term)
        np.testing.assert_allclose(one.cdf(expected[term][:, None])[:, 0], p, atol=1e-10)
        mean = sci.quad(
            lambda t, term=term: float(of_tau(np.float64(t))[term]) * truth.pdf(t), *truth.support(), limit=200
        )[0]
        assert one.mean()[0] == pytest.approx(mean, rel=1e-7)
        square = sci.quad(
            lambda t, term=term: float(of_tau(np.float64(t))[term]) ** 2 * truth.pdf(t), *truth.support(), limit=200
        )
        assert one.sd()[0] == pytest.approx(np.sqrt(square[0] - mean**2), rel=1e-6)


@pytest.mark.parametrize("term", ["tau", "tau2", "i2"])
@pytest.mark.parametrize(("truth", "map"), TAU.values(), ids=TAU)
def test_density_of_functions_of_tau(truth: stats.rv_continuous, map: Map, term: str) -> None:
    one = functions(truth, map).take(term)
    x = one.quantile(np.array([[0.1], [0.5], [0.9]]))
    step = 1e-5 * float(x[2, 0] - x[0, 0])
    slope = (one.cdf(x + step) - one.cdf(x - step)) / (2 * step)
    np.testing.assert_allclose(one.pdf(x), slope, rtol=1e-6)


@pytest.mark.parametrize("mass", [0.5, 0.95])
@pytest.mark.parametrize("term", ["tau", "tau2", "i2"])
@pytest.mark.parametrize(("truth", "map"), TAU.values(), ids=TAU)
def test_shortest_interval_of_functions_of_tau(truth: stats.rv_continuous, map: Map, term: str, mass: float) -> None:
    one = functions(truth, map).take(term)
    low, high = one.hdi(mass)
    assert one.cdf(high)[0] - one.cdf(low)[0] == pytest.approx(mass, abs=1e-7)
    shortest = brute_shortest(lambda p: of_tau(truth.ppf(p))[term], mass)
    assert (high - low)[0] == pytest.approx(shortest, rel=1e-6)


@pytest.mark.parametrize(("truth", "map"), TAU.values(), ids=TAU)
def test_nothing_below_zero_and_no_warning_at_the_ends(truth: stats.rv_continuous, map: Map) -> None:
    found = functions(truth, map)
    ends = np.array([[-1.0], [0.0]])
    np.testing.assert_allclose(found.cdf(ends), np.zeros((2, 3)), atol=1e-15)
    density = found.pdf(ends)
    np.testing.assert_array_equal(density[0], 0.0)
    assert not np.isnan(density).any()
    assert found.take("i2").cdf(np.array([100.0]))[0] == pytest.approx(1.0)
    assert not np.isnan(found.take("i2").pdf(np.array([[100.0]]))).any()


def test_moments_that_do_not_exist_are_infinite() -> None:
    truth, map = TAU["one peak"]
    for moments, finite in ((4, [True, True, True]), (3, [True, False, True]), (1, [False, False, True])):
        np.testing.assert_array_equal(np.isfinite(functions(truth, map, moments).sd()), finite)
    np.testing.assert_array_equal(np.isfinite(functions(truth, map, 1).mean()), [True, False, True])
    np.testing.assert_array_equal(np.isfinite(functions(truth, map, 0).mean()), [False, False, True])


@given(st.floats(0.01, 0.99), st.floats(0.01, 0.99))
@settings(max_examples=30)
def test_a_wider_mass_has_a_longer_shortest_interval(a: float, b: float) -> None:
    assume(abs(a - b) > 1e-3)
    one = functions(*TAU["one peak"]).take("tau")
    (low_a, high_a), (low_b, high_b) = one.hdi(min(a, b)), one.hdi(max(a, b))
    assert (high_a - low_a)[0] < (high_b - low_b)[0]


def test_shortest_intervals_of_many_components_are_checked_in_pieces(monkeypatch):
    rng = np.random.default_rng(5)
    weights = rng.random(9000)
    means, sds = rng.normal(0, 0.3, (3, 9000)), rng.uniform(0.1, 1.0, (3, 9000))
    many = NormalMixtures(("a", "b", "c"), weights / weights.sum(), means, sds)
    x = rng.normal(0, 1, (9, 3))
    assert x.size * len(weights) > LARGE
    with monkeypatch.context() as patched:
        sizes = []
        exp = np.exp
        patched.setattr(np, "exp", lambda z, **given: sizes.append(z.size) or exp(z, **given))
        pieces = many._densities(x)
    assert len(sizes) > 1
    assert max(sizes) <= LARGE
    np.testing.assert_allclose(pieces, many.pdf(x), rtol=1e-13)
    in_pieces = many.hdi(0.9)
    monkeypatch.setattr("bayesmeta.engines.marginals.normal_mixtures.LARGE", 10**9)
    np.testing.assert_array_equal(in_pieces, many.hdi(0.9))
