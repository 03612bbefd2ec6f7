"""Tools for judging the risk of bias: domains and judgements, read from the package's data, or made of a reviewer's own."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

from bayesmeta.errors import SpecError, unknown_name

#: the tool with the reviewer's own domains
OWN = "own"
#: colours and symbols of a reviewer's own judgements, from the best to the worst, by their number
_RAMPS: Mapping[int, tuple[tuple[str, str], ...]] = {
    2: (("#009e73", "+"), ("#d55e00", "−")),
    3: (("#009e73", "+"), ("#f0e442", "?"), ("#d55e00", "−")),
    4: (("#009e73", "+"), ("#f0e442", "~"), ("#d55e00", "−"), ("#7f2704", "×")),
    5: (("#009e73", "+"), ("#f0e442", "~"), ("#bbbbbb", "?"), ("#d55e00", "−"), ("#7f2704", "×")),
}


@dataclass(frozen=True)
class Judgement:
    """One of the judgements of a tool.

    Parameters
    ----------
    name : str
        As result rows write it.
    label : str
        As figures and tables write it.
    severity : int
        0 is the lowest risk.
    symbol, colour : str
        Its light.
    high : bool
        Whether a trial so judged is at high risk of bias.
    spellings : tuple of str
        Further ways in which tables of judgements write it.
    """

    name: str
    label: str
    severity: int
    symbol: str
    colour: str
    high: bool = False
    spellings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Domain:
    """A domain of a tool.

    Parameters
    ----------
    key : str
        Name of its column, after the prefix.
    label : str
        Name in figures and tables.
    spellings : tuple of str
        Further names.
    counts : bool
        Whether it counts for the overall judgement.
    """

    key: str
    label: str
    spellings: tuple[str, ...] = ()
    counts: bool = True


@dataclass(frozen=True)
class Tool:
    """A tool for judging the risk of bias.

    Parameters
    ----------
    name, label, source : str
        Name in review.toml, name in tables, and reference.
    overall : str
        How the overall judgement follows from the domains, where it is not given.
    domains : tuple of Domain
        In the order of the tool.
    judgements : tuple of Judgement
        In the order in which they are shown.
    """

    name: str
    label: str
    source: str
    overall: str
    domains: tuple[Domain, ...]
    judgements: tuple[Judgement, ...]

    def domain(self, text: str) -> Domain | None:
        """Return the domain that a text names: its key, label or a spelling, what is in brackets left out; None if there is none."""
        wanted = simple(text)
        return next((one for one in self.domains if wanted in _names(one)), None)

    def judgement(self, text: str) -> Judgement | None:
        """Return the judgement that a text names; None if there is none."""
        wanted = " ".join(text.casefold().split())
        for one in self.judgements:
            if wanted in (one.name.casefold(), one.label.casefold(), *one.spellings):
                return one
        return None

    def worst(self, names: Sequence[str]) -> str:
        """Return the judgement with the highest severity; "" where none is high and one is missing, or there is none."""
        known = {one.name: one for one in self.judgements}
        found = [known[name] for name in names if name]
        if not found:
            return ""
        worst = max(found, key=lambda one: one.severity)
        return worst.name if worst.high or len(found) == len(names) else ""

    def is_high(self, name: str) -> bool:
        """Return whether a judgement is one of high risk."""
        return any(one.high for one in self.judgements if one.name == name)


def simple(text: str) -> str:
    """Return a name of a domain in lower case with underscores, without brackets, and without what follows a colon and "all"."""
    plain = re.sub(r"\([^)]*\)", " ", text)
    plain = re.sub(r":\s*(all|all outcomes)\b.*$", " ", plain, flags=re.IGNORECASE)
    return re.sub(r"[\W_]+", "_", plain.casefold()).strip("_")


def _names(domain: Domain) -> set[str]:
    return {simple(text) for text in (domain.key, domain.label, *domain.spellings)}


@cache
def tools() -> Mapping[str, Tool]:
    """Return the tools that come with the package, by name."""
    content = (files("bayesmeta") / "data" / "risk_of_bias_tools.toml").read_text(encoding="utf-8")
    found = {}
    for name, given in tomllib.loads(content).items():
        domains = tuple(Domain(**_with_tuple(one)) for one in given.pop("domains"))
        judgements = tuple(Judgement(**_with_tuple(one)) for one in given.pop("judgements"))
        found[name] = Tool(name, domains=domains, judgements=judgements, **given)
    return found


def _with_tuple(given: dict[str, Any]) -> dict[str, Any]:
    return given | {"spellings": tuple(given.get("spellings", ()))}


def get_tool(
    name: str, *, domains: Sequence[str] = (), judgements: Sequence[str] = (), key_domains: Sequence[str] = ()
) -> Tool:
    """Return a tool for judging the risk of bias.

    Parameters
    ----------
    name : str
        ``"cochrane"``, ``"rob2"``, ``"robins-i"``, ``"quadas-2"``, or ``"own"``.
    domains : sequence of str
        With ``"own"``, the names of its domains; else those of the tool's domains that were judged, by default all.
    judgements : sequence of str
        With ``"own"``, two to five judgements from the best to the worst; the last (of four or five, the last two) is a high risk.
        Default: low, unclear, high.
    key_domains : sequence of str
        Domains that count for the overall judgement; by default all.

    Raises
    ------
    SpecError
        For unknown names, and a tool of one's own without domains.
    """
    known = tools()
    if name == OWN:
        found = _own_tool(tuple(domains), tuple(judgements))
    elif name not in known:
        raise unknown_name("risk-of-bias tool", name, [*known, OWN])
    else:
        found = known[name]
        if judgements:
            raise SpecError(f"the judgements of {found.label} are its own; give judgements with tool = '{OWN}' only")
        if domains:
            chosen = [_known_domain(found, text) for text in domains]
            found = replace(found, domains=tuple(one for one in found.domains if one in chosen))
    if key_domains:
        key = [_known_domain(found, text) for text in key_domains]
        found = replace(found, domains=tuple(replace(one, counts=one in key) for one in found.domains))
    return found


def _known_domain(tool: Tool, text: str) -> Domain:
    found = tool.domain(text)
    if found is None:
        raise unknown_name(f"domain of {tool.label}", text, [one.key for one in tool.domains])
    return found


def _own_tool(domains: tuple[str, ...], judgements: tuple[str, ...]) -> Tool:
    if not domains:
        raise SpecError(f'the tool \'{OWN}\' needs domains, such as ["Confounding", "Missing data"]')
    keys = [simple(text) for text in domains]
    if len(set(keys)) < len(keys) or not all(keys):
        raise SpecError("the domains of a risk-of-bias tool need names that differ in their letters")
    names = judgements or ("low", "unclear", "high")
    if len(names) not in _RAMPS or len({name.casefold() for name in names}) < len(names):
        raise SpecError(
            "a risk-of-bias tool has two to five judgements with different names, from the best to the worst"
        )
    high = len(names) - (2 if len(names) > 3 else 1)
    lights = _RAMPS[len(names)]
    return Tool(
        OWN,
        "Risk of bias",
        "",
        "Highest risk among the key domains",
        tuple(Domain(key, text) for key, text in zip(keys, domains, strict=True)),
        tuple(
            Judgement(name.casefold(), name.capitalize(), i, lights[i][1], lights[i][0], i >= high)
            for i, name in enumerate(names)
        ),
    )
