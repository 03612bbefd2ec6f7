"""Ids of Bayesian methods in result rows: likelihood, engine and, where they are not the main ones, priors."""

from __future__ import annotations

from dataclasses import dataclass

from bayesmeta.model.likelihoods.registry import THREE_LEVELS, likelihood_for

#: in place of the name of an engine, for a posterior averaged over models
AVERAGED = "averaged"
_PREFIX = "bayes"


@dataclass(frozen=True)
class BayesianMethod:
    """A Bayesian method of a result row.

    Parameters
    ----------
    likelihood : str
        Name of the likelihood.
    engine : str
        Name of the engine, or "averaged".
    priors : str
        Name of a set of alternative priors; "" for the main ones.
    """

    likelihood: str
    engine: str
    priors: str = ""

    @property
    def id(self) -> str:
        """Id in result rows and files, such as "bayes:normal:quadrature"."""
        return ":".join((_PREFIX, self.likelihood, self.engine, *([self.priors] if self.priors else [])))


def is_built_in(engine: str, model: str, likelihood: str, measure: str) -> bool:
    """Whether a fit is of the two-level model of its likelihood, rather than of a model file of the user's own.

    Parameters
    ----------
    engine, model, likelihood, measure : str
        As of ``Posterior``: of a fit by NUTS, ``model`` is the name of the model file.
    """
    return engine != "nuts" or model in (likelihood_for(likelihood, measure).model, THREE_LEVELS)


def parse_method(text: str) -> BayesianMethod | None:
    """Return the Bayesian method with an id; None if the id is of another method.

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
