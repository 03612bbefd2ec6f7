"""References as BibTeX and as text, for the works that a text cites; they are those of ``works.bib``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

_ENTRY = re.compile(r"@(?P<kind>\w+)\{(?P<key>\w+),\n(?P<fields>.*?)\n\}\n", re.DOTALL)
_FIELD = re.compile(r"^  (?P<name>\w+) = \{(?P<value>.*)\},?$", re.MULTILINE)


@dataclass(frozen=True)
class Reference:
    """A published work.

    Parameters
    ----------
    key, kind : str
        Key (first author and year) and kind ("article" or "book") in BibTeX.
    bibtex : str
        Its whole entry.
    fields : mapping of str to str
        Its fields as text, without the braces of BibTeX.
    """

    key: str
    kind: str
    bibtex: str
    fields: Mapping[str, str]


@cache
def works() -> Mapping[str, Reference]:
    """Return the works that can be cited, by key."""
    text = (files("bayesmeta.reviews.documents") / "works.bib").read_text(encoding="utf-8")
    return {
        found["key"]: Reference(
            found["key"],
            found["kind"],
            found[0],
            {one["name"]: re.sub(r"[{}]|\\(?=[&%$#_])", "", one["value"]) for one in _FIELD.finditer(found["fields"])},
        )
        for found in _ENTRY.finditer(text)
    }


def bibtex(keys: Iterable[str]) -> str:
    """Return the BibTeX entries of works, in the order given: UTF-8, for biber, or BibTeX with ``inputenc``."""
    return "\n".join(works()[key].bibtex for key in keys)


def reference_text(key: str) -> str:
    """Return a work as a line of a list of references.

    Examples
    --------
    >>> reference_text("Hedges1983")
    'Hedges LV. A random effects model for effect sizes. Psychological Bulletin. 1983;93(2):388-395. doi:10.1037/0033-2909.93.2.388'
    """
    one = works()[key].fields
    authors = ", ".join(map(_author, one["author"].split(" and "))).replace(", others", ", et al")
    where = one["year"]
    if "volume" in one:
        number = f"({one['number']})" if "number" in one else ""
        where += f";{one['volume']}{number}:{one['pages'].replace('--', '-')}"
    source = one["journal"] if "journal" in one else f"{one['edition']}rd ed. {one['publisher']}"
    address = f"doi:{one['doi']}" if "doi" in one else one["url"]
    title = one["title"] if one["title"].endswith("?") else f"{one['title']}."
    return f"{authors}. {title} {source}. {where}. {address}"


def _author(name: str) -> str:
    """Write ``DerSimonian, R. E.`` as ``DerSimonian RE``."""
    family, _, given = name.partition(", ")
    return " ".join(filter(None, (family, re.sub(r"[. -]", "", given))))
