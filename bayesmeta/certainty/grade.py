"""GRADE: the certainty of evidence as reviewers rate it, and statements in plain words.

Domains and levels: GRADE handbook (2013), chapter 5; three levels for imprecision are of GRADE 34 (Zeng et al. 2022, J Clin Epidemiol
150:216), three for risk of bias of non-randomized studies that start at high (GRADE 18, Schünemann et al. 2019, J Clin Epidemiol 111:105),
one at most for publication bias of GRADE guideline 5 (Guyatt et al. 2011, J Clin Epidemiol 64:1277). Statements: GRADE guideline 26
(Santesso et al. 2020, J Clin Epidemiol 119:126).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from bayesmeta.errors import SpecError, unknown_name

#: levels of certainty, from the lowest
LEVELS = ("very low", "low", "moderate", "high")
#: domains that rate down, with the most levels, and those that rate up
DOWN: Mapping[str, int] = {
    "risk_of_bias": 3,
    "inconsistency": 2,
    "indirectness": 2,
    "imprecision": 3,
    "publication_bias": 1,
}
UP: Mapping[str, int] = {"large_effect": 2, "dose_response": 1, "opposing_confounding": 1}
#: the domains as texts write them
DOMAIN_LABELS: Mapping[str, str] = {
    **{name: name.replace("_", " ") for name in (*DOWN, *UP)},
    "opposing_confounding": "confounding that opposes the effect",
}
_TIMES = {1: "one level", 2: "two levels", 3: "three levels"}


@dataclass(frozen=True)
class Rating:
    """How far a domain changes the certainty: levels down (negative) or up, and why."""

    domain: str
    levels: int
    why: str

    def in_words(self) -> str:
        """Write the rating as a footnote: "Rated down one level for imprecision: few events."""
        side = "down" if self.levels < 0 else "up"
        why = self.why.strip().rstrip(".")
        return f"Rated {side} {_TIMES[abs(self.levels)]} for {DOMAIN_LABELS[self.domain]}{f': {why}' if why else ''}."


@dataclass(frozen=True)
class Certainty:
    """Certainty of the evidence of one outcome.

    Parameters
    ----------
    start : str
        ``"high"`` for randomized trials, and for non-randomized studies judged by ROBINS-I where reviewers follow GRADE 18; ``"low"`` for
        others.
    ratings : tuple of Rating
        Those that change it.
    """

    start: str
    ratings: tuple[Rating, ...] = ()

    @property
    def level(self) -> str:
        """High, moderate, low or very low: from the start, down and up, within these four."""
        at = LEVELS.index(self.start) + sum(rating.levels for rating in self.ratings)
        return LEVELS[min(max(at, 0), len(LEVELS) - 1)]

    @property
    def reasons(self) -> tuple[str, ...]:
        """A sentence per rating that changes the certainty."""
        return tuple(rating.in_words() for rating in self.ratings if rating.levels)


def certainty(
    start: str, down: Mapping[str, tuple[int, str]] | None = None, up: Mapping[str, tuple[int, str]] | None = None
) -> Certainty:
    """Return the certainty of evidence from ratings.

    Parameters
    ----------
    start : str
        ``"high"`` or ``"low"``.
    down, up : mapping of str to (int, str)
        Domain to levels and reason, of ``DOWN`` and ``UP``.

    Raises
    ------
    SpecError
        For an unknown start or domain, or more levels than a domain has.
    """
    if start not in ("high", "low"):
        raise SpecError(
            f"evidence starts at 'high' (randomized trials, or others judged by ROBINS-I) or 'low' (others), but got '{start}'"
        )
    ratings = []
    for sign, given, known in ((-1, down or {}, DOWN), (1, up or {}, UP)):
        for domain, (levels, why) in given.items():
            if domain not in known:
                raise unknown_name("GRADE domain", domain, known)
            if not 0 <= levels <= known[domain]:
                side = "down" if sign < 0 else "up"
                raise SpecError(
                    f"{domain}: {side} = {levels}, but this domain rates {side} by 0 to {known[domain]} levels"
                )
            ratings.append(Rating(domain, sign * levels, why))
    return Certainty(start, tuple(ratings))


def is_plural(treatment: str) -> bool:
    """Return whether the name of a treatment takes a verb in the plural: "statins", "skills trainings"; not "dialysis", "access".

    By its last word before brackets and "for", "with", "of" and the like, an English noun in -s but not -ss, -us or -is.

    Examples
    --------
    >>> is_plural("Statins"), is_plural("Antibiotics (any)"), is_plural("Skills training"), is_plural("Dialysis")
    (True, True, False, False)
    """
    name = re.split(
        r" (?:for|with|without|of|in|at|by|on|to|from|per|via|over|under|after|before|plus)\b|[(\[,;:]",
        treatment.strip(),
    )[0]
    words = name.split()
    last = words[-1] if words else ""
    return len(last) > 3 and last.endswith("s") and not last.endswith(("ss", "us", "is")) and not last.isupper()


def statement(level: str, size: str, *, lowers: bool, treatment: str, outcome: str) -> str:
    """Write what an effect means, in the words of GRADE guideline 26.

    Parameters
    ----------
    level : str
        One of ``LEVELS``.
    size : str
        Where the estimate lies: ``"large"``, ``"moderate"``, ``"small"`` or ``"trivial"``; ``"important"`` with one threshold,
        ``"moderate_or_large"`` where no threshold divides these.
    lowers : bool
        Whether the treatment lowers the outcome.
    treatment, outcome : str
        Their names.

    Raises
    ------
    SpecError
        For an unknown level or size.

    Examples
    --------
    >>> statement("moderate", "large", lowers=True, treatment="Exercise", outcome="falls")
    'Exercise likely results in a large reduction in falls.'
    >>> statement("low", "trivial", lowers=True, treatment="Exercise", outcome="falls")
    'Exercise may result in little to no difference in falls.'
    """
    if level not in LEVELS:
        raise unknown_name("level of certainty", level, LEVELS)
    change = "reduction" if lowers else "increase"
    sizes = {
        "large": f"a large {change}",
        "moderate": f"{'an' if change == 'increase' else 'a'} {change}",
        "important": f"{'an' if change == 'increase' else 'a'} {change}",
        "moderate_or_large": f"{'an' if change == 'increase' else 'a'} {change}",
        "small": f"a slight {change}",
        "trivial": "little to no difference",
    }
    if size not in sizes:
        raise unknown_name("size of an effect", size, sizes)
    if level == "very low":
        return f"The evidence is very uncertain about the effect of {treatment} on {outcome}."
    result = "result in" if is_plural(treatment) else "results in"
    verb = {"high": result, "moderate": f"likely {result}", "low": "may result in"}[level]
    return f"{treatment[:1].upper()}{treatment[1:]} {verb} {sizes[size]} in {outcome}."
