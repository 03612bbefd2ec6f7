"""The priors of a two-level model: parse what a user writes, and the defaults for what they leave out."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import betaln

from bayesmeta.distributions import FAMILIES, Prior
from bayesmeta.empirical_priors import CORPUS, EMPIRICAL, corpus
from bayesmeta.errors import SpecError, unknown_name

Array = np.ndarray
PARAMETERS = ("mu", "tau", "tau2", "baseline")

#: sd of the default prior of a baseline, on the logit of a risk or the log of a rate: wide enough that the data alone speak of the
#: effect, which a prior flat in the risk itself would tilt when events are rare
BASELINE_SD = 10.0
DEFAULT_BASELINE = Prior("Normal", (0.0, BASELINE_SD))
#: families a baseline's prior may have: on the whole logit (or log) scale, or Beta on the risk
BASELINE_FAMILIES = ("Normal", "StudentT", "Cauchy", "Logistic", "Beta")


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


@dataclass(frozen=True)
class Priors:
    """The priors of a two-level model.

    Parameters
    ----------
    mu : Prior
        Of the mean effect, on the model scale (log for ratios).
    scale : Prior
        Of the between-study standard deviation tau, or of its square.
    on_variance : bool
        Whether ``scale`` is the prior of tau2 rather than of tau.
    baseline : Prior, optional
        Of each study's baseline risk, for the arm-level likelihoods: on the logit (log for rates), or Beta on the risk. None:
        ``DEFAULT_BASELINE``. See ``baseline_log_density``.
    """

    mu: Prior
    scale: Prior
    on_variance: bool = False
    baseline: Prior | None = None

    def __post_init__(self) -> None:
        if self.scale.support[0] < 0:
            name = "tau2" if self.on_variance else "tau"
            raise SpecError(
                f"the prior of {name} must live on [0, infinity) but {self.scale} does not; try HalfNormal(0.5)"
            )
        if not self.scale.proper:
            raise SpecError(f"the prior of tau must be proper but {self.scale} is not; try HalfNormal(0.5)")
        if self.baseline is not None:
            _refuse_baseline(self.baseline)

    def log_tau_density(self, tau: Any) -> Array:
        """Natural log of the prior density of tau at ``tau`` (any shape)."""
        tau = np.asarray(tau, dtype=float)
        if not self.on_variance:
            return self.scale.logpdf(tau)
        with np.errstate(divide="ignore"):
            return self.scale.logpdf(tau**2) + np.log(2 * tau)

    @property
    def tau_support(self) -> tuple[float, float]:
        """Lower and upper end of tau's support."""
        low, high = self.scale.support
        return (float(np.sqrt(low)), float(np.sqrt(high))) if self.on_variance else (low, high)

    @property
    def fixed_tau(self) -> float | None:
        """The tau where a point prior fixes it, or None."""
        point = self.scale.point
        return None if point is None else float(np.sqrt(point)) if self.on_variance else point

    @property
    def tau_tail_exponent(self) -> float:
        """Exponent of the power-law tail of tau's prior density; infinite for lighter tails."""
        exponent = self.scale.tail_exponent
        return 2 * exponent - 1 if self.on_variance else exponent

    def sample_tau(self, size: int | tuple[int, ...], rng: np.random.Generator) -> Array:
        """Draw tau from its prior; an array of shape ``size``."""
        draws = self.scale.sample(size, rng)
        return np.sqrt(draws) if self.on_variance else draws

    def to_dict(self) -> dict[str, str]:
        """Return the priors as text, keyed as the user writes them."""
        texts = {"mu": str(self.mu), "tau2" if self.on_variance else "tau": str(self.scale)}
        return texts if self.baseline is None else {**texts, "baseline": str(self.baseline)}


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


def _refuse_baseline(prior: Prior) -> None:
    if not prior.proper:
        raise SpecError(
            f"the prior of the baseline must be proper but {prior} is not: a study without events would then say nothing that "
            f"integrates to a finite number; leave it out for {DEFAULT_BASELINE}, which is flat where the data are"
        )
    if prior.family not in BASELINE_FAMILIES:
        raise SpecError(
            f"the prior of the baseline is {', '.join(BASELINE_FAMILIES[:-1])} (on the logit of a risk or the log of a rate) or Beta (on "
            f"the risk itself), but got {prior}; try Normal(0, 10)"
        )


def check_baseline(prior: Prior | None, scale: str) -> None:
    """Refuse a baseline prior that the likelihood at hand cannot take.

    Parameters
    ----------
    prior : Prior or None
        None for the default, which every likelihood takes.
    scale : {"logit", "log", ""}
        What the likelihood's baseline is (``likelihood_for(...).baseline``): logit of a risk, log of a rate, or none.

    Raises
    ------
    SpecError
        For any prior where there is no baseline, or a Beta prior of a rate.
    """
    if prior is None:
        return
    if not scale:
        raise SpecError(
            f"this likelihood has no baseline to give the prior {prior} to; leave it out, or use an arm-level likelihood of events"
        )
    if prior.family == "Beta" and scale == "log":
        raise SpecError(
            f"a rate has no upper end, so {prior} cannot be its prior; give one of its log, such as Normal(0, 10)"
        )


def baseline_log_density(prior: Prior | None, value: Any) -> Array:
    """Natural log of the prior density of a study's baseline, on the scale the models have it on.

    Parameters
    ----------
    prior : Prior or None
        Of ``BASELINE_FAMILIES``; None for ``DEFAULT_BASELINE``. A Beta prior is one of the risk, and its density is changed to
        that of the logit: a log p + b log(1 - p) - log B(a, b).
    value : array_like
        The baseline, any shape: for the risk ratio the logit of the larger risk, for the odds ratio the mean of the arms'
        logits, for the rate ratio the mean of their log rates.

    Returns
    -------
    numpy.ndarray
        Normalized with respect to ``value``.
    """
    prior = DEFAULT_BASELINE if prior is None else prior
    if prior.family != "Beta":
        return prior.logpdf(value)
    value = np.asarray(value, dtype=float)
    a, b = prior.args
    return -a * np.logaddexp(0.0, -value) - b * np.logaddexp(0.0, value) - betaln(a, b)
