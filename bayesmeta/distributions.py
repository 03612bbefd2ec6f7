"""Prior distributions as values: density, quantile, draws, and the same as a PyMC variable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaincinv, betaln, gammainccinv, gammaincinv, gammaln, ndtri, stdtrit, xlog1py, xlogy

from bayesmeta.errors import SpecError, unknown_name

Array = np.ndarray
LOG_2PI = float(np.log(2 * np.pi))


def _student_t_logpdf(x: Array, df: float, loc: float, scale: float) -> Array:
    z = (x - loc) / scale
    constant = gammaln((df + 1) / 2) - gammaln(df / 2) - 0.5 * np.log(df * np.pi) - np.log(scale)
    return constant - (df + 1) / 2 * np.log1p(z * z / df)


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
        Their names, as they are printed in an error. Names in ``POSITIVE`` must be above zero.
    logpdf : callable
        ``logpdf(x, *args)`` inside the support; natural log.
    ppf : callable or None
        Quantile function ``ppf(p, *args)``; None for an improper prior.
    pymc : str
        The PyMC distribution with the same parameters, or "" where one is built by hand.
    low, high : float
        Ends of the support (those of Uniform and Point are its parameters).
    tail : callable or None
        Exponent a of a power-law tail x**-a; None where the tail is lighter than any power.
    on_log_scale : bool
        Whether the mass is spread over orders of magnitude, so that integration runs over log x.
    """

    parameters: tuple[str, ...]
    logpdf: Callable[..., Array]
    ppf: Callable[..., Array] | None
    pymc: str
    low: float = -np.inf
    tail: Callable[..., float] | None = None
    on_log_scale: bool = False
    high: float = np.inf


POSITIVE = {"sd", "scale", "df", "sdlog", "rate", "shape", "a", "b"}

FAMILIES: dict[str, Family] = {
    "Normal": Family(("mean", "sd"), _normal_logpdf, lambda p, m, s: m + s * ndtri(p), "Normal"),
    "StudentT": Family(
        ("df", "loc", "scale"), _student_t_logpdf, lambda p, df, m, s: m + s * stdtrit(df, p), "StudentT"
    ),
    "Cauchy": Family(
        ("loc", "scale"),
        lambda x, m, s: _student_t_logpdf(x, 1.0, m, s),
        lambda p, m, s: m + s * np.tan(np.pi * (p - 0.5)),
        "Cauchy",
    ),
    "Flat": Family((), lambda x: np.zeros_like(x), None, "Flat"),
    "Uniform": Family(
        ("low", "high"),
        lambda x, a, b: np.where((x >= a) & (x <= b), -np.log(b - a), -np.inf),
        lambda p, a, b: a + (b - a) * p,
        "Uniform",
    ),
    # all mass at one value: its "density" is its probability, and a model with it has one parameter less
    "Point": Family(("value",), lambda x, v: np.where(x == v, 0.0, -np.inf), lambda p, v: np.full_like(p, v), ""),
    "Beta": Family(
        ("a", "b"),
        lambda x, a, b: xlogy(a - 1, x) + xlog1py(b - 1, -x) - betaln(a, b),
        lambda p, a, b: betaincinv(a, b, p),
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
        lambda p, df, m, s: np.exp(m + s * stdtrit(df, p)),
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


@dataclass(frozen=True)
class Prior:
    """A prior distribution as a value.

    Parameters
    ----------
    family : str
        A name of ``FAMILIES``.
    args : tuple of float
        Its parameters, in the order the family names them.
    written : str
        What the user wrote when it was not the family itself, e.g. ``turner2015("...", "...")``.

    Examples
    --------
    >>> prior = Prior("HalfNormal", (0.5,))
    >>> str(prior), round(float(prior.logpdf(0.5)), 6)
    ('HalfNormal(0.5)', -0.032644)
    """

    family: str
    args: tuple[float, ...]
    written: str = ""

    def __post_init__(self) -> None:
        if self.family not in FAMILIES:
            raise unknown_name("prior", self.family, FAMILIES)
        names = FAMILIES[self.family].parameters
        form = f"{self.family}({', '.join(names)})"
        if len(self.args) != len(names):
            raise SpecError(f"prior {self.family} takes {len(names)} numbers, {form}, but got {len(self.args)}")
        for name, value in zip(names, self.args, strict=True):
            if not np.isfinite(value):
                raise SpecError(f"prior {form}: {name} must be finite but got {value}")
            if name in POSITIVE and value <= 0:
                raise SpecError(f"prior {form}: {name} must be above 0 but got {value:g}")
        if self.family == "Uniform" and self.args[0] >= self.args[1]:
            raise SpecError(f"prior {form}: low must be below high but got {self.args[0]:g} and {self.args[1]:g}")

    def __str__(self) -> str:
        text = f"{self.family}({', '.join(f'{value:.15g}' for value in self.args)})"
        return f"{self.written} = {text}" if self.written else text

    @property
    def definition(self) -> Family:
        """The family's functions."""
        return FAMILIES[self.family]

    @property
    def proper(self) -> bool:
        """Whether it integrates to one."""
        return self.definition.ppf is not None

    @property
    def support(self) -> tuple[float, float]:
        """Lower and upper end."""
        if self.family == "Uniform":
            return self.args[0], self.args[1]
        if self.family == "Point":
            return self.args[0], self.args[0]
        return self.definition.low, self.definition.high

    @property
    def point(self) -> float | None:
        """The value that has all the mass, or None."""
        return self.args[0] if self.family == "Point" else None

    @property
    def tail_exponent(self) -> float:
        """Exponent a of the power law x**-a of its upper tail; infinite for lighter tails."""
        if not self.proper:
            return 0.0
        tail = self.definition.tail
        return np.inf if tail is None else tail(*self.args)

    def logpdf(self, x: Any) -> Array:
        """Natural log of its density at ``x`` (any shape); -inf outside the support.

        Returns
        -------
        numpy.ndarray
        """
        x = np.asarray(x, dtype=float)
        low, high = self.support
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = self.definition.logpdf(x, *self.args)
        return np.where((x >= low) & (x <= high) & ~np.isnan(value), value, -np.inf)

    def pdf(self, x: Any) -> Array:
        """Its density at ``x`` (any shape)."""
        return np.exp(self.logpdf(x))

    def quantile(self, p: Any) -> Array:
        """Its quantiles at probabilities ``p``.

        Raises
        ------
        SpecError
            If the prior is improper.
        """
        if self.definition.ppf is None:
            raise SpecError(f"the improper prior {self} has no quantiles; give a proper one to draw from it")
        return self.definition.ppf(np.asarray(p, dtype=float), *self.args)

    def sample(self, size: int | tuple[int, ...], rng: np.random.Generator) -> Array:
        """Draw from it by inverting its distribution function.

        Returns
        -------
        numpy.ndarray
            Of shape ``size``.
        """
        return self.quantile(rng.uniform(size=size))

    def to_pymc(self, name: str) -> Any:
        """Add the variable ``name`` with this prior to the PyMC model on the stack.

        Its parameters become the data ``<name>_prior``, so one compiled model serves every prior of the family.

        Raises
        ------
        SpecError
            For a point prior, which leaves nothing to sample.
        """
        if self.point is not None:
            raise SpecError(
                f"NUTS does not sample a parameter fixed by {self}; use engine='quadrature' for point priors"
            )
        import pymc as pm

        if not self.args:
            return pm.Flat(name)
        data = pm.Data(f"{name}_prior", np.asarray(self.args, dtype=float))
        args = [data[i] for i in range(len(self.args))]
        if self.family == "LogT":
            return pm.Deterministic(
                name, pm.math.exp(pm.StudentT(f"log_{name}", nu=args[0], mu=args[1], sigma=args[2]))
            )
        if self.family == "StudentT":
            return pm.StudentT(name, nu=args[0], mu=args[1], sigma=args[2])
        if self.family == "HalfT":
            return pm.HalfStudentT(name, nu=args[0], sigma=args[1])
        return getattr(pm, self.definition.pymc)(name, *args)
