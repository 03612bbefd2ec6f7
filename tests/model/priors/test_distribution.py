"""Prior families against scipy.stats and R bayesmeta: densities, quantiles, draws, tails, and what is refused."""

import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import REFERENCE_FOLDER
from scipy import integrate, stats

from bayesmeta.errors import SpecError
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.families import FAMILIES
from bayesmeta.model.priors.parse import parse_prior

REFERENCE = json.loads((REFERENCE_FOLDER / "bayesmeta_extract.json").read_text(encoding="utf-8"))
LEVELS = np.array([1e-10, 0.001, 0.025, 0.3, 0.5, 0.8, 0.975, 0.999])

#: family, its numbers, the same distribution in scipy
SAME = [
    ("Normal", (-0.3, 2.82), stats.norm(-0.3, 2.82)),
    ("StudentT", (4.0, 0.1, 0.7), stats.t(4, 0.1, 0.7)),
    ("Cauchy", (0.2, 0.7), stats.cauchy(0.2, 0.7)),
    ("Logistic", (0.2, 0.7), stats.logistic(0.2, 0.7)),
    ("Beta", (1.5, 3.0), stats.beta(1.5, 3.0)),
    ("Uniform", (0.5, 4.0), stats.uniform(0.5, 3.5)),
    ("HalfNormal", (0.5,), stats.halfnorm(0, 0.5)),
    ("HalfCauchy", (0.5,), stats.halfcauchy(0, 0.5)),
    ("HalfT", (3.0, 0.5), stats.t(3, 0, 0.5)),
    ("Exponential", (2.0,), stats.expon(0, 0.5)),
    ("LogNormal", (-1.28, 0.87), stats.lognorm(0.87, 0, np.exp(-1.28))),
    ("LogT", (5.0, -1.72, 1.295), stats.t(5, -1.72, 1.295)),
    ("Gamma", (0.5, 1.5), stats.gamma(0.5, 0, 1 / 1.5)),
    ("InvGamma", (1.2, 0.1), stats.invgamma(1.2, 0, 0.1)),
]
NAMES = [family for family, _, _ in SAME]


def expected(family: str, scipy: object, x: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log density at x and quantiles at p, by scipy."""
    if family == "LogT":
        return scipy.logpdf(np.log(x)) - np.log(x), np.exp(scipy.ppf(p))
    if family == "HalfT":
        return np.log(2) + scipy.logpdf(x), scipy.ppf(0.5 + 0.5 * p)
    return scipy.logpdf(x), scipy.ppf(p)


def test_every_family_is_tested() -> None:
    assert {*NAMES, "Flat", "Point"} == set(FAMILIES)


@pytest.mark.parametrize(("family", "args", "scipy"), SAME, ids=NAMES)
def test_density_and_quantile_are_those_of_scipy(family: str, args: tuple[float, ...], scipy: object) -> None:
    prior = Prior(family, args)
    x = prior.quantile(LEVELS[1:])
    log_density, quantiles = expected(family, scipy, x, LEVELS)
    np.testing.assert_allclose(prior.logpdf(x), log_density, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(prior.pdf(x), np.exp(log_density), rtol=1e-11)
    # scipy's own half-normal quantile loses digits at 1e-10, hence the tolerance
    np.testing.assert_allclose(prior.quantile(LEVELS), quantiles, rtol=1e-6)
    np.testing.assert_allclose(prior.quantile(LEVELS[1:]), quantiles[1:], rtol=1e-10)


@pytest.mark.parametrize(("family", "args"), [(family, args) for family, args, _ in SAME], ids=NAMES)
def test_density_integrates_to_the_probability_between_two_quantiles(family: str, args: tuple[float, ...]) -> None:
    prior = Prior(family, args)
    p = np.array([0.02, 0.2, 0.5, 0.8, 0.98])
    x = prior.quantile(p)
    mass = [integrate.quad(prior.pdf, a, b, epsabs=1e-13)[0] for a, b in pairwise(x)]
    np.testing.assert_allclose(mass, np.diff(p), rtol=1e-9)


@pytest.mark.parametrize("text", REFERENCE["densities"])
def test_density_is_that_of_r_bayesmeta(text: str) -> None:
    found = parse_prior(text).pdf(REFERENCE["density_at"])
    np.testing.assert_allclose(found, REFERENCE["densities"][text], rtol=1e-11)


@pytest.mark.parametrize(("family", "args"), [(family, args) for family, args, _ in SAME], ids=NAMES)
def test_density_is_zero_outside_the_support(family: str, args: tuple[float, ...]) -> None:
    prior = Prior(family, args)
    low, high = prior.support
    for outside in (low - 1e-9 if np.isfinite(low) else np.nan, high + 1e-9 if np.isfinite(high) else np.nan):
        assert prior.logpdf(outside) == -np.inf
        assert prior.pdf(outside) == 0.0
    assert prior.logpdf([[0.6], [0.7]]).shape == (2, 1)


@pytest.mark.parametrize(("family", "args"), [(family, args) for family, args, _ in SAME], ids=NAMES)
def test_draws_follow_the_quantiles(family: str, args: tuple[float, ...]) -> None:
    prior = Prior(family, args)
    draws = prior.sample((4, 500), np.random.default_rng(11))
    assert draws.shape == (4, 500)
    share = (draws.ravel()[:, None] <= prior.quantile(LEVELS[2:-1])).mean(axis=0)
    np.testing.assert_allclose(share, LEVELS[2:-1], atol=4 * np.sqrt(0.25 / 2000))


@pytest.mark.parametrize(
    ("family", "args"),
    [(family, args) for family, args, _ in SAME if FAMILIES[family].low == 0 < np.inf == FAMILIES[family].high],
)
def test_tail_exponent_is_the_slope_of_the_log_density(family: str, args: tuple[float, ...]) -> None:
    prior = Prior(family, args)
    far = np.log(1e280 if family == "LogT" else 1e8) + np.array([0.0, 0.01])
    with np.errstate(invalid="ignore"):
        slope = -np.diff(prior.logpdf(np.exp(far)))[0] / 0.01
    if np.isfinite(prior.tail_exponent):
        assert slope == pytest.approx(prior.tail_exponent, abs=0.02)
    else:
        assert not slope < 10


def test_flat_is_improper() -> None:
    flat = Prior("Flat", ())
    assert not flat.proper
    assert str(flat) == "Flat()"
    np.testing.assert_array_equal(flat.logpdf([-1e9, 0.0, 1e9]), 0.0)
    assert flat.tail_exponent == 0.0
    with pytest.raises(SpecError, match=r"improper prior Flat\(\) has no quantiles; give a proper one"):
        flat.quantile(0.5)
    with pytest.raises(SpecError, match="improper"):
        flat.sample(3, np.random.default_rng(1))


def test_a_point_has_all_its_mass_at_one_value() -> None:
    point = Prior("Point", (0.3,))
    assert point.proper
    assert point.point == 0.3
    assert Prior("Normal", (0.3, 1.0)).point is None
    assert point.support == (0.3, 0.3)
    np.testing.assert_array_equal(point.logpdf([0.2, 0.3, 0.4]), [-np.inf, 0.0, -np.inf])
    np.testing.assert_array_equal(point.quantile([0.01, 0.5, 0.99]), 0.3)
    np.testing.assert_array_equal(point.sample((2, 3), np.random.default_rng(0)), np.full((2, 3), 0.3))
    with pytest.raises(SpecError, match="NUTS does not sample"):
        point.to_pymc("mu")


@pytest.mark.parametrize(
    ("family", "args", "message"),
    [
        ("HalfNormla", (1.0,), r"unknown prior 'HalfNormla'; did you mean 'HalfNormal'\?"),
        ("Normal", (1.0,), r"prior Normal takes 2 numbers, Normal\(mean, sd\), but got 1"),
        ("HalfNormal", (), r"prior HalfNormal takes 1 numbers?, HalfNormal\(sd\), but got 0"),
        ("Flat", (1.0,), r"prior Flat takes 0 numbers"),
        ("Normal", (0.0, -1.0), r"prior Normal\(mean, sd\): sd must be above 0 but got -1"),
        ("HalfT", (0.0, 1.0), r"df must be above 0 but got 0"),
        ("Exponential", (-2.0,), r"rate must be above 0 but got -2"),
        ("InvGamma", (1.0, 0.0), r"scale must be above 0 but got 0"),
        ("LogNormal", (0.0, 0.0), r"sdlog must be above 0 but got 0"),
        ("Normal", (np.nan, 1.0), r"mean must be finite but got nan"),
        ("HalfCauchy", (np.inf,), r"scale must be finite but got inf"),
        ("Uniform", (2.0, 2.0), r"low must be below high but got 2 and 2"),
    ],
)
def test_invalid_parameters_are_refused_with_the_reason(family: str, args: tuple[float, ...], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Prior(family, args)


@given(
    df=st.floats(0.5, 50),
    scale=st.floats(0.01, 100),
    p=st.floats(1e-6, 1 - 1e-6),
    name=st.sampled_from(["HalfT", "LogT"]),
)
def test_quantiles_rise_and_stay_in_the_support(df: float, scale: float, p: float, name: str) -> None:
    prior = Prior(name, (df, scale) if name == "HalfT" else (df, 0.0, min(scale, 3.0)))
    with np.errstate(over="ignore"):
        low, high = prior.quantile([p / 2, p])
    assert 0 <= low <= high
    assert np.isfinite(prior.logpdf(1.0))


def test_priors_are_values() -> None:
    assert Prior("HalfNormal", (0.5,)) == parse_prior("halfnormal(0.5)")
    assert hash(Prior("HalfNormal", (0.5,))) == hash(parse_prior("HalfNormal(sd=0.5)"))
