"""A prior distribution as a value: density, quantiles, draws, and the PyMC variable with this prior."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.families import FAMILIES, POSITIVE, Family
from bayesmeta.support.arguments import check_type
from bayesmeta.support.arrays import Array

#: largest parameter of a prior, and the inverse of the least one of those above 0: powers of them must be numbers a computer can represent
LARGEST = 1e60


@dataclass(frozen=True, repr=False)
class Prior:
    """A prior distribution as a value; ``str`` gives the text that ``parse_prior`` reads.

    Parameters
    ----------
    family : str
        Name of a family in ``FAMILIES``.
    args : tuple of float
        Parameters, in the order of the family's ``parameters``.
    written : str
        Text of the user where it was not the family itself, e.g. ``turner2015("...", "...")``.

    Raises
    ------
    SpecError
        If the family is unknown, or the parameters are too few, too many, not finite or out of range.

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
        check_type(self.args, tuple, f"the parameters of {form}", "a tuple of numbers")
        for value in self.args:
            check_type(value, Real, f"a parameter of {form}", "a number")
        if len(self.args) != len(names):
            raise SpecError(f"prior {self.family} takes {len(names)} numbers, {form}, but got {len(self.args)}")
        for name, value in zip(names, self.args, strict=True):
            if not np.isfinite(value):
                raise SpecError(f"prior {form}: {name} must be finite but got {value}")
            if name in POSITIVE and value <= 0:
                raise SpecError(f"prior {form}: {name} must be above 0 but got {value:g}")
            if abs(value) > LARGEST or ((name in POSITIVE or (name == "value" and value)) and abs(value) < 1 / LARGEST):
                raise SpecError(
                    f"prior {form}: {name} must be between {1 / LARGEST:g} and {LARGEST:g} in size but got {value:g}; squares of "
                    "other numbers are beyond the arithmetic of the computer. For mu without prior information, use Flat()"
                )
        if self.family == "Uniform" and self.args[0] >= self.args[1]:
            raise SpecError(f"prior {form}: low must be below high but got {self.args[0]:g} and {self.args[1]:g}")

    def __repr__(self) -> str:
        return f"<Prior: {self}>"

    def __str__(self) -> str:
        text = f"{self.family}({', '.join(f'{value:.15g}' for value in self.args)})"
        return f"{self.written} = {text}" if self.written else text

    @property
    def definition(self) -> Family:
        """The family, with its functions."""
        return FAMILIES[self.family]

    @property
    def proper(self) -> bool:
        """Whether the prior integrates to one."""
        return self.definition.ppf is not None

    @property
    def support(self) -> tuple[float, float]:
        """Lower and upper end of the support."""
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
        """Exponent a of the power-law upper tail x**-a; infinite for lighter tails, 0 for an improper prior."""
        if not self.proper:
            return 0.0
        tail = self.definition.tail
        return np.inf if tail is None else tail(*self.args)

    def logpdf(self, x: Any) -> Array:
        """Return the natural log of the density at ``x`` (any shape), -inf outside the support."""
        x = np.asarray(x, dtype=float)
        low, high = self.support
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            value = self.definition.logpdf(x, *self.args)
        return np.where((x >= low) & (x <= high) & ~np.isnan(value), value, -np.inf)

    def pdf(self, x: Any) -> Array:
        """Return the density at ``x`` (any shape), 0 outside the support."""
        return np.exp(self.logpdf(x))

    def quantile(self, p: Any) -> Array:
        """Return the quantiles at probabilities ``p`` (any shape).

        Raises
        ------
        SpecError
            If the prior is improper.
        """
        if self.definition.ppf is None:
            raise SpecError(f"the improper prior {self} has no quantiles; give a proper one to draw from it")
        with np.errstate(divide="ignore", over="ignore", under="ignore"):
            return self.definition.ppf(np.asarray(p, dtype=float), *self.args)

    def sample(self, size: int | tuple[int, ...], rng: np.random.Generator) -> Array:
        """Draw independently by inverting the distribution function; shape ``size``.

        Raises
        ------
        SpecError
            If the prior is improper.
        """
        return self.quantile(rng.uniform(size=size))

    def to_pymc(self, name: str, *, data_name: str = "", dims: str | None = None) -> Any:
        """Add a variable with this prior to the PyMC model whose ``with`` block is active, and return it.

        The parameters of the prior become the data ``<name>_prior``, so that one compiled model serves every prior of the family.

        Parameters
        ----------
        name : str
            Name of the variable.
        data_name : str
            Name of the data, if not ``<name>_prior``.
        dims : str, optional
            Dimension of the variable, whose values then have this prior independently; default: one value.

        Raises
        ------
        SpecError
            For a point prior, under which there is nothing to sample.
        """
        if self.point is not None:
            raise SpecError(
                f"NUTS does not sample a parameter fixed by {self}; use engine='quadrature' for point priors"
            )
        import pymc as pm

        if not self.args:
            return pm.Flat(name, dims=dims)
        data = pm.Data(data_name or f"{name}_prior", np.asarray(self.args, dtype=float))
        args = [data[i] for i in range(len(self.args))]
        if self.family == "LogT":
            return pm.Deterministic(
                name,
                pm.math.exp(pm.StudentT(f"log_{name}", nu=args[0], mu=args[1], sigma=args[2], dims=dims)),
                dims=dims,
            )
        if self.family == "StudentT":
            return pm.StudentT(name, nu=args[0], mu=args[1], sigma=args[2], dims=dims)
        if self.family == "HalfT":
            return pm.HalfStudentT(name, nu=args[0], sigma=args[1], dims=dims)
        return getattr(pm, self.definition.pymc)(name, *args, dims=dims)
