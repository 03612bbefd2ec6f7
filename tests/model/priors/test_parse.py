"""Priors as users write them: parsed, printed, and refused with a reason."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from bayesmeta.errors import SpecError
from bayesmeta.model.priors.baseline import baseline_log_density, check_baseline
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.families import FAMILIES, POSITIVE
from bayesmeta.model.priors.parse import parse_prior, parse_priors
from bayesmeta.model.priors.priors import Priors

DEFAULT = Priors(Prior("Normal", (0.0, 2.0)), Prior("HalfNormal", (0.5,)))


@st.composite
def any_prior(draw: st.DrawFn) -> Prior:
    """A prior of any family with any parameters it may have."""
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
        (
            {"tau": "Normal(0, 1)"},
            r"prior for tau must be a distribution on \[0, infinity\) but Normal\(0, 1\) is not; try",
        ),
        ({"tau2": "Cauchy(0, 1)"}, r"prior for tau2 must be a distribution on \[0, infinity\)"),
        ({"tau": "Uniform(-1, 1)"}, r"must be a distribution on \[0, infinity\)"),
        ({"tau": "Flat()"}, r"prior for tau must be (a distribution on \[0, infinity\)|proper)"),
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


BASELINES = {
    "Normal(0, 10)": stats.norm(0, 10).logpdf,
    "StudentT(4, -1, 2)": stats.t(4, -1, 2).logpdf,
    "Cauchy(-1, 2)": stats.cauchy(-1, 2).logpdf,
    "Logistic(-1, 2)": stats.logistic(-1, 2).logpdf,
    # a risk that is uniform has a standard logistic logit
    "Beta(1, 1)": stats.logistic(0, 1).logpdf,
}


@pytest.mark.parametrize("text", BASELINES)
def test_baseline_density_is_normalized_on_the_logit(text: str) -> None:
    prior = parse_prior(text)
    assert parse_priors({"baseline": text}, DEFAULT).baseline == prior
    logit = np.array([-40.0, -3.0, 0.0, 1.2, 25.0])
    np.testing.assert_allclose(baseline_log_density(prior, logit), BASELINES[text](logit), rtol=1e-12)
    mass = integrate.quad(lambda x: np.exp(baseline_log_density(prior, x)), -np.inf, np.inf, epsabs=1e-12)[0]
    assert mass == pytest.approx(1, abs=1e-7)


def test_beta_baselines_are_those_of_the_risk() -> None:
    logit = np.array([-700.0, -30.0, -2.0, 0.4, 30.0, 700.0])
    with mpmath.workdps(60):
        expected = []
        for value in logit:
            p = 1 / (1 + mpmath.exp(-mpmath.mpf(value)))
            q = 1 / (1 + mpmath.exp(mpmath.mpf(value)))
            expected.append(float(0.5 * mpmath.log(p) + 2.5 * mpmath.log(q) - mpmath.log(mpmath.beta(0.5, 2.5))))
    np.testing.assert_allclose(baseline_log_density(parse_prior("Beta(0.5, 2.5)"), logit), expected, rtol=1e-12)


def test_the_default_baseline() -> None:
    assert parse_priors(None, DEFAULT).baseline is None
    assert "baseline" not in DEFAULT.to_dict()
    np.testing.assert_allclose(baseline_log_density(None, [0.0, 7.0]), stats.norm(0, 10).logpdf([0.0, 7.0]), rtol=1e-13)
    given_one = parse_priors({"baseline": "Beta(1, 1)", "tau2": "InvGamma(1, 0.1)"}, DEFAULT)
    assert given_one.to_dict() == {"mu": "Normal(0, 2)", "tau2": "InvGamma(1, 0.1)", "baseline": "Beta(1, 1)"}
    assert parse_priors({"mu": "Normal(0, 1)"}, given_one).baseline == given_one.baseline


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "Flat()",
            r"prior for the baseline must be proper but Flat\(\) is not: .* study without events .* leave it out for Normal\(0, 10\)",
        ),
        (
            "HalfNormal(1)",
            r"prior for the baseline must be Normal, StudentT, Cauchy, Logistic .* or Beta .* but got HalfNormal\(1\); try",
        ),
        ("Uniform(-5, 5)", r"but got Uniform\(-5, 5\); try Normal\(0, 10\)"),
        ("Point(0)", r"but got Point\(0\)"),
    ],
)
def test_baselines_that_are_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_priors({"baseline": text}, DEFAULT)


def test_baselines_a_likelihood_cannot_take() -> None:
    check_baseline(None, "")
    check_baseline(parse_prior("Beta(1, 1)"), "logit")
    check_baseline(parse_prior("Cauchy(0, 2)"), "log")
    with pytest.raises(SpecError, match=r"rate has no upper limit, so Beta\(1, 1\)"):
        check_baseline(parse_prior("Beta(1, 1)"), "log")
    with pytest.raises(SpecError, match=r"no baseline to give the prior Normal\(0, 1\) to; leave it out"):
        check_baseline(parse_prior("Normal(0, 1)"), "")
