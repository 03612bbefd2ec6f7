"""Priors as users write them: from text to ``Prior`` and ``Priors``."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.empirical import CORPUS, EMPIRICAL, corpus
from bayesmeta.model.priors.families import FAMILIES
from bayesmeta.model.priors.priors import Priors

#: parameters a user may give a prior for; tau and tau2 are one quantity
PARAMETERS = ("mu", "tau", "tau2", "baseline")
#: parameters of models with several estimates per study
LEVELS = ("rho", "tau_between", "tau_within")
HELP = 'write a prior like "Normal(0, 2.82)", "HalfNormal(0.5)" or turner2015("outcome", "comparison")'


def parse_priors(
    given: Priors | Mapping[str, str | Prior] | None,
    default: Priors,
    measure: str = "",
    *,
    others: bool = False,
    coefficients: Sequence[str] = (),
) -> Priors:
    """Read the priors a user gives, and take the default for each one left out.

    Parameters
    ----------
    given : mapping of str to str or Prior, or Priors
        Priors by parameter: ``mu``, ``tau`` (or ``tau2``, for a prior on the variance) and ``baseline``.
    default : Priors
        Priors for the parameters that are not given.
    measure : str
        Name of the effect measure, which ``corpus:FILE`` needs.
    others : bool
        Whether other parameters may have priors: those of a user's model file, which decides whether it has them.
    coefficients : sequence of str
        Names of the coefficients of a model with moderators, which may have priors of their own.

    Raises
    ------
    SpecError
        For an unknown parameter, for both tau and tau2, for a ``corpus:FILE`` given to mu or baseline, or as in ``parse_prior``.
    """
    if isinstance(given, Priors):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise SpecError(f'priors are given by parameter, like {{"mu": "Normal(0, 2.82)"}}, but got {given!r}')
    given = dict(given or {})
    known = (*PARAMETERS, *(LEVELS if default.rho is not None else ()), *coefficients)
    for key in given:
        if key in LEVELS and default.rho is None and not others:
            raise SpecError(f"a prior for {key} is for models with several estimates per study; give nesting=")
        if key not in known and not others:
            raise unknown_name("parameter with a prior", key, known)
    if "mu" in given and INTERCEPT in given and INTERCEPT in coefficients:
        raise SpecError(
            f"priors name both mu and {INTERCEPT}: mu's is that of the effect at the means of the moderators, and {INTERCEPT}'s "
            "takes its place; give one of them"
        )
    levels = _levels(given, default)
    if "tau" in given and "tau2" in given:
        raise SpecError("priors name both tau and tau2, which is one quantity; keep one of them")
    for key in ("mu", "baseline"):
        if _is_corpus_prior(given.get(key)):
            raise SpecError(f"the prior '{given[key]}' is one for heterogeneity; give it to tau, not to {key}")
    mu = parse_prior(given["mu"]) if "mu" in given else default.mu
    baseline = parse_prior(given["baseline"]) if "baseline" in given else default.baseline
    own = tuple((key, parse_prior(text)) for key, text in given.items() if key not in known)
    named = {key: parse_prior(text) for key, text in given.items() if key in coefficients}
    levels["coefficients"] = tuple(({**dict(default.coefficients), **named}).items())
    if "tau2" in given:
        # the file of a collection states its parameter, so tau=corpus:FILE and tau2=corpus:FILE are the same prior
        on_variance = not _is_corpus_prior(given["tau2"])
        return Priors(mu, parse_prior(given["tau2"], measure), on_variance, baseline, own, **levels)
    if "tau" in given:
        return Priors(mu, parse_prior(given["tau"], measure), baseline=baseline, others=own, **levels)
    return Priors(mu, default.scale, default.on_variance, baseline, own, **levels)


def _levels(given: Mapping[str, Any], default: Priors) -> dict[str, Any]:
    """Return the priors for rho, or for tau_between and tau_within, of a model with several estimates per study.

    Raises
    ------
    SpecError
        If both pairs of parameters are given, or one of tau_between and tau_within.
    """
    if default.rho is None:
        return {}
    by_level = [key for key in ("tau_between", "tau_within") if key in given]
    if not by_level:
        return {"rho": parse_prior(given["rho"]) if "rho" in given else default.rho}
    clash = [key for key in ("tau", "tau2", "rho") if key in given]
    if clash:
        raise SpecError(
            f"priors name {clash[0]} and {by_level[0]}; give those for tau and rho, or for tau_between and tau_within"
        )
    if len(by_level) < 2:
        raise SpecError(f"priors name {by_level[0]} only; give both tau_between and tau_within, or tau and rho")
    return {"between": parse_prior(given["tau_between"]), "within": parse_prior(given["tau_within"])}


def parse_prior(text: str | Prior, measure: str = "") -> Prior:
    """Read one prior, e.g. ``"HalfNormal(0.5)"``.

    Parameters
    ----------
    text : str or Prior
        A family of ``FAMILIES`` with its numbers, or ``turner2015(...)`` or ``rhodes2015(...)`` with quoted names, or ``corpus:FILE``,
        the prior for tau that ``bayesmeta corpus`` derives from the user's own collection. A ``Prior`` is returned as it is.
    measure : str
        Name of the effect measure, which ``corpus:FILE`` needs.

    Raises
    ------
    SpecError
        If the text cannot be parsed, names no known prior, or its parameters are out of range.

    Examples
    --------
    >>> str(parse_prior("normal(0, 2.82)"))
    'Normal(0, 2.82)'
    """
    if isinstance(text, Prior):
        return text
    text = str(text)
    if text.strip().lower().startswith(CORPUS):
        if not measure:
            raise SpecError(
                f"the prior '{text}' differs between effect measures, and the effect measure is not known here"
            )
        return corpus(text.strip()[len(CORPUS) :].strip(), measure)
    written, args, named = _parse_call(text)
    if written.lower() == "corpus":
        return _parse_corpus(text, args, named)
    lowered = {name.lower(): name for name in [*FAMILIES, *EMPIRICAL]}
    name = lowered.get(written.lower())
    if name is None:
        raise unknown_name("prior", written, lowered.values())
    if name in EMPIRICAL:
        return _parse_empirical(text, name, args, named)
    return _parse_family(text, name, args, named)


def _parse_call(text: str) -> tuple[str, list[Any], dict[str, Any]]:
    """Return the name, the arguments and the named arguments of ``Name(value, ..., key=value, ...)``."""
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name)):
            raise ValueError("not of the form Name(...)")
        args = [ast.literal_eval(argument) for argument in call.args]
        named = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        raise SpecError(f"cannot read the prior '{text}': {HELP}") from error
    return call.func.id, args, named


def _parse_family(text: str, name: str, args: list[Any], named: dict[str, Any]) -> Prior:
    """Return a prior of a family from its numbers, by position or by name."""
    parameters = FAMILIES[name].parameters
    if unknown := [key for key in named if key not in parameters[len(args) :]]:
        raise unknown_name(f"parameter of {name}", unknown[0], parameters)
    values = [*args, *(named[key] for key in parameters[len(args) :] if key in named)]
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        raise SpecError(f"cannot read the prior '{text}': its parameters must be numbers; {HELP}")
    return Prior(name, tuple(float(value) for value in values))


def _parse_empirical(text: str, name: str, args: list[Any], named: dict[str, Any]) -> Prior:
    """Return a prior of a published table from the names of its row."""
    try:
        return EMPIRICAL[name][1](*map(str, args), **{key: str(value) for key, value in named.items()})
    except TypeError as error:
        raise SpecError(f"cannot read the prior '{text}': {name} takes quoted names, see `bayesmeta priors`") from error


def _parse_corpus(text: str, args: list[Any], named: dict[str, Any]) -> Prior:
    """Return the prior of ``corpus("FILE", "RR", meanlog, sdlog)``, the form in which a review stores a ``corpus:FILE``."""
    names, numbers = args[:2], args[2:]
    texts = len(names) == 2 and all(isinstance(name, str) for name in names)
    if named or not texts or len(numbers) not in (0, 2) or not all(type(value) in (int, float) for value in numbers):
        raise SpecError(f"cannot read the prior '{text}': write corpus:FILE, a file of `bayesmeta corpus --prior-out`")
    return corpus(*args)


def _is_corpus_prior(text: object) -> bool:
    """Whether a prior is written as one from the user's own collection."""
    return isinstance(text, str) and text.strip().lower().startswith((CORPUS, "corpus("))
