"""Name of a Bayesian method in result rows: its likelihood, its engine and, where they are not the main ones, its priors."""

from __future__ import annotations

from dataclasses import dataclass

#: stands in the place of an engine where a posterior is averaged over models
AVERAGED = "averaged"
_PREFIX = "bayes"


@dataclass(frozen=True)
class BayesianMethod:
    """A Bayesian method of a result row.

    Parameters
    ----------
    likelihood : str
        A name of ``LIKELIHOODS``.
    engine : str
        A name of ``ENGINES``, or "averaged".
    priors : str
        Name of a set of alternative priors; "" for the main ones.
    """

    likelihood: str
    engine: str
    priors: str = ""

    @property
    def id(self) -> str:
        """The method as result rows and files write it, such as "bayes:normal:quadrature"."""
        return ":".join((_PREFIX, self.likelihood, self.engine, *([self.priors] if self.priors else [])))


def parse_method(text: str) -> BayesianMethod | None:
    """Read the method of a result row; None for a method that is not Bayesian.

    Examples
    --------
    >>> parse_method("bayes:normal:quadrature:Wide")
    BayesianMethod(likelihood='normal', engine='quadrature', priors='Wide')
    >>> parse_method("DL") is None
    True
    """
    prefix, _, rest = str(text).partition(":")
    parts = rest.split(":", 2)
    if prefix != _PREFIX or len(parts) < 2:
        return None
    return BayesianMethod(*parts)
