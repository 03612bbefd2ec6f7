"""Priors as users write them: text to ``Prior`` and ``Priors``."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.distribution import FAMILIES, Prior
from bayesmeta.model.priors.empirical import CORPUS, EMPIRICAL, corpus
from bayesmeta.model.priors.priors import Priors

PARAMETERS = ("mu", "tau", "tau2", "baseline")


def parse_prior(text: str | Prior, measure: str = "") -> Prior:
    """Read a prior as it is written, e.g. ``"HalfNormal(0.5)"``.

    Parameters
    ----------
    text : str or Prior
        A family of ``FAMILIES`` with its numbers, or ``turner2015(...)`` or ``rhodes2015(...)`` with quoted names, or
        ``corpus:FILE``, the prior of tau that ``bayesmeta corpus`` made of the user's own collection.
    measure : str
        The effect measure, for ``corpus:FILE``.

    Raises
    ------
    SpecError
        If it does not parse, names no known prior, or its parameters are out of range.

    Examples
    --------
    >>> str(parse_prior("normal(0, 2.82)"))
    'Normal(0, 2.82)'
    """
    if isinstance(text, Prior):
        return text
    if str(text).strip().lower().startswith(CORPUS):
        if not measure:
            raise SpecError(f"the prior '{text}' differs between effect measures, and none is known here")
        return corpus(str(text).strip()[len(CORPUS) :].strip(), measure)
    help_text = 'write a prior like "Normal(0, 2.82)", "HalfNormal(0.5)" or turner2015("outcome", "comparison")'
    try:
        call = ast.parse(str(text).strip(), mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            raise ValueError("not of the form Name(...)")
        args = [ast.literal_eval(argument) for argument in call.args]
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise SpecError(f"cannot read the prior '{text}': {help_text}") from error
    if call.func.id.lower() == "corpus":
        return _corpus_call(str(text), args, named)
    lowered = {name.lower(): name for name in [*FAMILIES, *EMPIRICAL]}
    name = lowered.get(call.func.id.lower())
    if name is None:
        raise unknown_name("prior", call.func.id, lowered.values())
    if name in EMPIRICAL:
        try:
            return EMPIRICAL[name][1](*map(str, args), **{str(key): str(value) for key, value in named.items()})
        except TypeError as error:
            raise SpecError(
                f"cannot read the prior '{text}': {name} takes quoted names, see `bayesmeta priors`"
            ) from error
    parameters = FAMILIES[name].parameters
    if unknown := [str(key) for key in named if key not in parameters[len(args) :]]:
        raise unknown_name(f"parameter of {name}", unknown[0], parameters)
    values = [*args, *(named[key] for key in parameters[len(args) :] if key in named)]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise SpecError(f"cannot read the prior '{text}': its parameters must be numbers; {help_text}")
    return Prior(name, tuple(float(value) for value in values))


def _corpus_call(text: str, args: list[Any], named: dict[str | None, Any]) -> Prior:
    """Read ``corpus("FILE", "RR", meanlog, sdlog)``, the form in which a review carries a ``corpus:FILE``."""
    names, numbers = args[:2], args[2:]
    texts = len(names) == 2 and all(isinstance(name, str) for name in names)
    if named or not texts or len(numbers) not in (0, 2) or not all(type(value) in (int, float) for value in numbers):
        raise SpecError(f"cannot read the prior '{text}': write corpus:FILE, a file of `bayesmeta corpus --prior-out`")
    return corpus(*args)


def from_corpus(text: object) -> bool:
    """Whether a prior is written as one of the user's own collection."""
    return isinstance(text, str) and text.strip().lower().startswith((CORPUS, "corpus("))


def parse_priors(given: Mapping[str, str | Prior] | None, default: Priors, measure: str = "") -> Priors:
    """Read the priors a user gives, with the default for those left out.

    Parameters
    ----------
    given : mapping of str to str or Prior
        Keys ``mu`` and ``tau`` (or ``tau2``, for a prior on the variance), and ``baseline``.
    default : Priors
        For what is not given.
    measure : str
        The effect measure, for ``corpus:FILE``.

    Raises
    ------
    SpecError
        For an unknown key, for both tau and tau2, or for a prior of a collection on something else.
    """
    given = dict(given or {})
    for key in given:
        if key not in PARAMETERS:
            raise unknown_name("parameter with a prior", key, PARAMETERS)
    if "tau" in given and "tau2" in given:
        raise SpecError("priors name both tau and tau2, which is one quantity; keep one of them")
    for key in ("mu", "baseline"):
        if from_corpus(given.get(key)):
            raise SpecError(f"the prior '{given[key]}' is one of heterogeneity; give it to tau, not to {key}")
    mu = parse_prior(given["mu"]) if "mu" in given else default.mu
    baseline = parse_prior(given["baseline"]) if "baseline" in given else default.baseline
    if "tau2" in given:
        # of a collection's prior it is known what it is of: tau=corpus:FILE and tau2=corpus:FILE are the same
        on_variance = not from_corpus(given["tau2"])
        return Priors(mu, parse_prior(given["tau2"], measure), on_variance=on_variance, baseline=baseline)
    if "tau" in given:
        return Priors(mu, parse_prior(given["tau"], measure), baseline=baseline)
    return Priors(mu, default.scale, default.on_variance, baseline)
