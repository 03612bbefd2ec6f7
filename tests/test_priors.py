"""Priors as a user writes them: parsed, printed, and refused with a reason."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bayesmeta.distributions import FAMILIES, POSITIVE, Prior
from bayesmeta.errors import SpecError
from bayesmeta.priors import Priors, parse_prior, parse_priors

DEFAULT = Priors(Prior("Normal", (0.0, 2.0)), Prior("HalfNormal", (0.5,)))


@st.composite
def any_prior(draw: st.DrawFn) -> Prior:
    """A prior of any family with any numbers it may have."""
    family = draw(st.sampled_from(sorted(FAMILIES)))
    wide = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda x: x + 0.0)
    above = st.floats(1e-6, 1e6)
    args = [draw(above if name in POSITIVE else wide) for name in FAMILIES[family].parameters]
    if family == "Uniform":
        args = [args[0], args[0] + draw(st.floats(0.5, 10))]
    return Prior(family, tuple(args))


@given(any_prior())
def test_what_is_printed_is_read_back(prior: Prior) -> None:
    again = parse_prior(str(prior))
    assert again.family == prior.family
    np.testing.assert_allclose(again.args, prior.args, rtol=1e-14)
    assert str(again) == str(prior)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_a_reason(text: str) -> None:
    try:
        found: Prior | SpecError = parse_prior(text)
    except SpecError as refusal:
        found = refusal
    assert isinstance(found, Prior) or "prior" in str(found)


@pytest.mark.parametrize(
    ("text", "family", "args"),
    [
        ("Normal(0, 2.82)", "Normal", (0.0, 2.82)),
        ("  normal( -0.5 ,1e1 ) ", "Normal", (-0.5, 10.0)),
        ("HALFCAUCHY(0.5)", "HalfCauchy", (0.5,)),
        ("HalfT(df=3, scale=0.5)", "HalfT", (3.0, 0.5)),
        ("HalfT(3, scale=0.5)", "HalfT", (3.0, 0.5)),
        ("HalfT(scale=0.5, df=3)", "HalfT", (3.0, 0.5)),
        ("Uniform(low=0, high=4)", "Uniform", (0.0, 4.0)),
        ("InvGamma(1, 0.1)", "InvGamma", (1.0, 0.1)),
        ("LogT(5, -1.72, 1.295)", "LogT", (5.0, -1.72, 1.295)),
        ("flat()", "Flat", ()),
    ],
)
def test_accepted_forms(text: str, family: str, args: tuple[float, ...]) -> None:
    assert parse_prior(text) == Prior(family, args)


def test_a_prior_is_returned_as_it_is() -> None:
    prior = Prior("HalfNormal", (0.5,))
    assert parse_prior(prior) is prior


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("HalfNorm(0.5)", r"unknown prior 'HalfNorm'; did you mean 'HalfNormal'\?"),
        ("Turner2016('a', 'b')", r"unknown prior 'Turner2016'; did you mean 'turner2015'\?"),
        ("HalfNormal", r"cannot read the prior 'HalfNormal': write a prior like"),
        ("HalfNormal(0.5", r"cannot read the prior"),
        ("", r"cannot read the prior ''"),
        ("0.5", r"cannot read the prior '0.5'"),
        ("__import__('os').system('true')", r"cannot read the prior"),
        ("HalfNormal(x)", r"cannot read the prior"),
        ("HalfNormal('0.5')", r"its parameters must be numbers"),
        ("HalfNormal(True)", r"its parameters must be numbers"),
        ("Normal(0)", r"Normal takes 2 numbers, Normal\(mean, sd\), but got 1"),
        ("Normal(0, 1, 2)", r"Normal takes 2 numbers, Normal\(mean, sd\), but got 3"),
        ("Normal(0, -2)", r"sd must be above 0 but got -2"),
        ("Normal(0, mean=1)", r"unknown parameter of Normal 'mean'"),
        ("HalfNormal(sigma=1)", r"unknown parameter of HalfNormal 'sigma'"),
        ("HalfNormal(1e999)", r"sd must be finite but got inf"),
    ],
)
def test_refused_forms(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_prior(text)


def test_what_is_left_out_comes_from_the_default() -> None:
    assert parse_priors(None, DEFAULT) == DEFAULT
    assert parse_priors({}, DEFAULT) == DEFAULT
    found = parse_priors({"tau": "HalfCauchy(1)"}, DEFAULT)
    assert found.mu == DEFAULT.mu
    assert found.to_dict() == {"mu": "Normal(0, 2)", "tau": "HalfCauchy(1)"}
    found = parse_priors({"tau2": "InvGamma(1, 0.1)"}, DEFAULT)
    assert found.on_variance
    assert found.to_dict() == {"mu": "Normal(0, 2)", "tau2": "InvGamma(1, 0.1)"}
    kept = parse_priors({"mu": "Flat()"}, found)
    assert kept.on_variance
    assert kept.scale == found.scale


@pytest.mark.parametrize(
    ("given_priors", "message"),
    [
        ({"tau": "HalfNormal(1)", "tau2": "HalfNormal(1)"}, r"both tau and tau2, which is one quantity; keep one"),
        ({"tua": "HalfNormal(1)"}, r"unknown parameter with a prior 'tua'; did you mean 'tau'\?"),
        ({"tau": "Normal(0, 1)"}, r"prior of tau must live on \[0, infinity\) but Normal\(0, 1\) does not; try"),
        ({"tau2": "Cauchy(0, 1)"}, r"prior of tau2 must live on \[0, infinity\)"),
        ({"tau": "Uniform(-1, 1)"}, r"must live on \[0, infinity\)"),
        ({"tau": "Flat()"}, r"prior of tau must (live on \[0, infinity\)|be proper)"),
    ],
)
def test_priors_of_a_model_that_are_refused(given_priors: dict[str, str], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_priors(given_priors, DEFAULT)


@pytest.mark.parametrize("text", ["HalfNormal(0.5)", "InvGamma(1, 0.1)", "LogT(5, -3.44, 2.59)", "Uniform(0, 4)"])
def test_a_prior_on_tau2_is_carried_over_to_tau(text: str) -> None:
    priors = Priors(DEFAULT.mu, parse_prior(text), on_variance=True)
    tau = np.array([0.05, 0.3, 1.1])
    np.testing.assert_allclose(np.exp(priors.log_tau_density(tau)), priors.scale.pdf(tau**2) * 2 * tau, rtol=1e-12)
    draws = priors.sample_tau(4000, np.random.default_rng(3))
    share = (draws <= np.sqrt(priors.scale.quantile(0.4))).mean()
    assert share == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / 4000))
    assert priors.tau_support[1] == np.sqrt(priors.scale.support[1])


def test_tails_on_tau2_are_those_of_tau() -> None:
    # p(tau2) ~ tau2^-a gives p(tau) ~ 2 tau tau^-2a
    priors = Priors(DEFAULT.mu, parse_prior("InvGamma(1, 0.1)"), on_variance=True)
    assert priors.tau_tail_exponent == 3.0
    slope = -np.diff(priors.log_tau_density(np.array([1e6, 1e6 * np.e])))[0]
    assert slope == pytest.approx(3.0, abs=1e-6)
    assert Priors(DEFAULT.mu, parse_prior("HalfCauchy(1)")).tau_tail_exponent == 2.0
    assert DEFAULT.tau_tail_exponent == np.inf


def test_the_log_normal_is_the_same_prior_on_tau_and_on_tau2() -> None:
    on_tau = Priors(DEFAULT.mu, parse_prior("LogNormal(-1.28, 0.87)"))
    on_tau2 = Priors(DEFAULT.mu, parse_prior("LogNormal(-2.56, 1.74)"), on_variance=True)
    tau = np.array([0.0, 1e-5, 0.1, 1.0, 30.0])
    np.testing.assert_allclose(on_tau.log_tau_density(tau), on_tau2.log_tau_density(tau), rtol=1e-12)
