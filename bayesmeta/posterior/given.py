"""What functions of a posterior are given: a posterior, or data to fit; and models that a function does not treat."""

from __future__ import annotations

from typing import Any

from bayesmeta.engines.choose import ModelSource
from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.errors import SpecError
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.posterior import Posterior

#: by the name of its class: a fit of another kind, with the methods that check it
OWN_CHECKS = {
    "NetworkPosterior": "a network has methods of its own: net.influence(), net.predictive_checks() and net.deviances()",
    "CategoryFit": "a fit of categories has methods of its own: fit.predictive_checks() and fit.deviances()",
}


def as_posterior(source: Any = None, *, built_in_only: str = "", **given: Any) -> Posterior:
    """Return a posterior as it is, or fit data: by quadrature, or with a model file by NUTS.

    Parameters
    ----------
    source : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit, or data as in ``fit``.
    built_in_only : str
        Why the caller treats no model file of a user, and what to do instead, for the message; "" if it does.
    **given
        Keywords of ``fit``: measure, likelihood, priors, seed, yi, sei and so on; none with a posterior.

    Raises
    ------
    SpecError
        If keywords are given with a posterior, which has its own data and priors, or for a user's model file where only the models of
        this package are treated.
    """
    keywords = {name: value for name, value in given.items() if value is not None}
    if isinstance(source, Posterior):
        if keywords:
            raise SpecError(
                f"a posterior has its own data and priors, so {', '.join(keywords)} cannot be given with it"
            )
        if built_in_only:
            require_built_in(source, built_in_only)
        return source
    if (methods := OWN_CHECKS.get(type(source).__name__)) is not None:
        raise SpecError(f"this function takes a posterior of pooled effects, or data; {methods}")
    if "model" in keywords and built_in_only:
        file = load_model(keywords["model"])
        if not file.built_in:
            raise SpecError(_refusal(str(ModelSource(file.name, str(file.path))), built_in_only))
    return fit(source, **{"engine": "auto" if "model" in keywords else "quadrature", **keywords})


def require_built_in(posterior: Posterior, why: str) -> None:
    """Refuse the posterior of a user's model file.

    Parameters
    ----------
    posterior : Posterior
        Any posterior.
    why : str
        What is not possible for a model file, and what to do instead, for the message.

    Raises
    ------
    SpecError
    """
    if posterior.model_path:
        raise SpecError(_refusal(posterior.fitted_model, why))


def _refusal(model: str, why: str) -> str:
    return f"this posterior is of {model}: {why}"
