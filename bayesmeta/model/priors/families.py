"""The families of prior distributions: density, quantile function, support and tail of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv, betaln, gammainccinv, gammaincinv, gammaln, ndtri, stdtrit, xlog1py, xlogy

from bayesmeta.support.arrays import Array

LOG_2PI = float(np.log(2 * np.pi))


def _student_t_logpdf(x: Array, df: float, loc: float, scale: float) -> Array:
    z = (x - loc) / scale
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * np.pi) - np.log(scale)
    return constant - (df + 1) / 2 * np.log1p(z * z / df)


def _student_t_ppf(df: float, p: Array) -> Array:
    # scipy gives +infinity for both ends
    return np.where(p <= 0, -np.inf, stdtrit(df, p))


def _normal_logpdf(x: Array, mean: float, sd: float) -> Array:
    return -0.5 * LOG_2PI - np.log(sd) - 0.5 * ((x - mean) / sd) ** 2


def _of_log(logpdf: Callable[..., Array]) -> Callable[..., Array]:
    """Turn the density of log x into the density of x."""

    def density(x: Array, *args: float) -> Array:
        log_x = np.log(x)
        return logpdf(log_x, *args) - log_x

    return density


@dataclass(frozen=True)
class Family:
    """A family of prior distributions.

    Parameters
    ----------
    parameters : tuple of str
        Names of the parameters, as error messages print them. Those in ``POSITIVE`` must be above zero.
    logpdf : callable
        ``logpdf(x, *args)``: natural log of the density, for x inside the support.
    ppf : callable or None
        ``ppf(p, *args)``: quantile function; None for an improper prior.
    pymc : str
        Name of the PyMC distribution with the same parameters, or "" where there is none.
    low, high : float
        Ends of the support (those of Uniform and Point are their parameters).
    tail : callable or None
        ``tail(*args)``: exponent a of a power-law upper tail x**-a; None where the tail is lighter than any power.
    on_log_scale : bool
        Whether the mass is spread over orders of magnitude, so that integrals run over log x.
    power_at_zero : callable or None
        ``power_at_zero(*args)``: exponent e with which the density of log x falls as x**e towards x = 0; None where it falls
        otherwise. Needed where e can be so small that floating-point numbers do not reach most of the mass.
    """

    parameters: tuple[str, ...]
    logpdf: Callable[..., Array]
    ppf: Callable[..., Array] | None
    pymc: str
    low: float = -np.inf
    tail: Callable[..., float] | None = None
    on_log_scale: bool = False
    high: float = np.inf
    power_at_zero: Callable[..., float] | None = None


#: parameters that must be above zero
POSITIVE = {"sd", "scale", "df", "sdlog", "rate", "shape", "a", "b"}

#: families by the name users write
FAMILIES: dict[str, Family] = {
    "Normal": Family(("mean", "sd"), _normal_logpdf, lambda p, m, s: m + s * ndtri(p), "Normal"),
    "StudentT": Family(
        ("df", "loc", "scale"), _student_t_logpdf, lambda p, df, m, s: m + s * _student_t_ppf(df, p), "StudentT"
    ),
    "Cauchy": Family(
        ("loc", "scale"),
        lambda x, m, s: _student_t_logpdf(x, 1.0, m, s),
        lambda p, m, s: m + s * np.tan(np.pi * (p - 0.5)),
        "Cauchy",
    ),
    "Logistic": Family(
        ("loc", "scale"),
        lambda x, m, s: -np.abs((x - m) / s) - 2 * np.log1p(np.exp(-np.abs((x - m) / s))) - np.log(s),
        lambda p, m, s: m + s * (np.log(p) - np.log1p(-p)),
        "Logistic",
    ),
    "Flat": Family((), lambda x: np.zeros_like(x), None, "Flat"),
    "Uniform": Family(
        ("low", "high"),
        lambda x, a, b: np.where((x >= a) & (x <= b), -np.log(b - a), -np.inf),
        lambda p, a, b: a + (b - a) * p,
        "Uniform",
    ),
    # all mass at one value: its "density" is a probability, and a model with it has one parameter less
    "Point": Family(("value",), lambda x, v: np.where(x == v, 0.0, -np.inf), lambda p, v: np.full_like(p, v), ""),
    "Beta": Family(
        ("a", "b"),
        lambda x, a, b: np.asarray(xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b)),
        lambda p, a, b: np.asarray(betaincinv(a, b, p)),
        "Beta",
        low=0.0,
        high=1.0,
    ),
    "HalfNormal": Family(
        ("sd",),
        lambda x, s: np.log(2.0) + _normal_logpdf(x, 0.0, s),
        lambda p, s: s * ndtri(0.5 + 0.5 * p),
        "HalfNormal",
        low=0.0,
    ),
    "HalfCauchy": Family(
        ("scale",),
        lambda x, s: np.log(2.0) + _student_t_logpdf(x, 1.0, 0.0, s),
        lambda p, s: s * np.tan(0.5 * np.pi * p),
        "HalfCauchy",
        low=0.0,
        tail=lambda s: 2.0,  # noqa: ARG005
    ),
    "HalfT": Family(
        ("df", "scale"),
        lambda x, df, s: np.log(2.0) + _student_t_logpdf(x, df, 0.0, s),
        lambda p, df, s: s * stdtrit(df, 0.5 + 0.5 * p),
        "HalfStudentT",
        low=0.0,
        tail=lambda df, s: df + 1.0,  # noqa: ARG005
    ),
    "Exponential": Family(
        ("rate",), lambda x, r: np.log(r) - r * x, lambda p, r: -np.log1p(-p) / r, "Exponential", low=0.0
    ),
    "LogNormal": Family(
        ("meanlog", "sdlog"),
        _of_log(_normal_logpdf),
        lambda p, m, s: np.exp(m + s * ndtri(p)),
        "LogNormal",
        low=0.0,
        on_log_scale=True,
    ),
    "LogT": Family(
        ("df", "loc", "scale"),
        _of_log(_student_t_logpdf),
        lambda p, df, m, s: np.exp(m + s * _student_t_ppf(df, p)),
        "",
        low=0.0,
        tail=lambda df, m, s: 1.0,  # noqa: ARG005
        on_log_scale=True,
    ),
    "Gamma": Family(
        ("shape", "rate"),
        lambda x, a, r: a * np.log(r) - gammaln(a) + (a - 1) * np.log(x) - r * x,
        lambda p, a, r: gammaincinv(a, p) / r,
        "Gamma",
        low=0.0,
        on_log_scale=True,
        power_at_zero=lambda a, r: a,  # noqa: ARG005
    ),
    "InvGamma": Family(
        ("shape", "scale"),
        lambda x, a, b: a * np.log(b) - gammaln(a) - (a + 1) * np.log(x) - b / x,
        lambda p, a, b: b / gammainccinv(a, p),
        "InverseGamma",
        low=0.0,
        tail=lambda a, b: a + 1.0,  # noqa: ARG005
        on_log_scale=True,
    ),
}
