"""Which column of a table of categories contains what, and which cells a name of categories counts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.columns import find_column
from bayesmeta.studies.names import simplify

#: other names of a column, the best first
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "study": ("study", "studlab", "studyc", "studyname", "studyid", "trial", "trialname", "author", "authors", "id", "label", "slab"),
    "treatment": ("treatment", "trt", "trtc", "treat", "arm", "intervention", "group"),
    "n": ("n", "total", "samplesize", "randomized", "randomised"),
    "category": ("category", "class", "classification", "outcome", "after", "classafter"),
    "before": ("before", "classbefore", "baselineclass", "from"),
    "count": ("count", "counts", "number", "events", "r", "frequency", "freq"),
}  # fmt: skip
#: names of columns of numbers that are no counts, which would be taken to be categories of a wide table
_NOT_CATEGORIES = frozenset(
    {"year", "age", "meanage", "month", "months", "week", "weeks", "duration", "durationweeks", "followup", "time", "timepoint", "visit",
     "mean", "sd", "se", "missing", "dropout", "dropouts", "lost"}
)  # fmt: skip
#: every category, in a change: "any to secure"
ANY = "any"
_CHANGE = re.compile(r"(.+?)[\s_]+to[\s_]+(.+)", re.IGNORECASE)
_STABLE = re.compile(r"stable[\s_]+(.+)", re.IGNORECASE)


@dataclass(frozen=True)
class CategoryColumns:
    """Positions of the columns of a table of categories.

    Parameters
    ----------
    at : mapping of str to int
        Position of each of study, treatment, n and, in a long table, category, count and perhaps before.
    wide : mapping of str to int
        In a wide table, position of each column of counts by what it counts; empty for a long table.
    """

    at: Mapping[str, int]
    wide: Mapping[str, int]


def category_columns(
    header: Sequence[str], columns: Mapping[str, str], categories: Sequence[str], source: str
) -> CategoryColumns:
    """Assign the columns of a table of categories.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    columns : mapping of str to str
        The user's map: a column to its meaning, or to the categories that it counts.
    categories : sequence of str
        Names of the categories, where the user gives them.
    source : str
        The file, for messages.

    Raises
    ------
    DataError
        If there are no studies, treatments or counts, or a column is neither known nor named as a category.
    SpecError
        If the map names a column that is not there.
    """
    stated: dict[str, int] = {}
    for name, meaning in columns.items():
        if meaning in stated:
            raise SpecError(f"columns maps two columns to '{meaning}'; a table has one of each")
        stated[meaning] = find_column(header, name)
    free = [at for at in range(len(header)) if at not in stated.values()]
    simple = {simplify(header[at]): at for at in reversed(free) if header[at] not in categories}
    at = {name: place for name, place in stated.items() if name in _ALIASES}
    for meaning, names in _ALIASES.items():
        there = [simple[name] for name in names if name in simple and simple[name] not in at.values()]
        if meaning not in at and there:
            at[meaning] = there[0]
    listed = ", ".join(f"'{name}'" for name in header)
    for needed, what in (("study", "studies"), ("treatment", "treatments")):
        if needed not in at:
            raise DataError(
                f"no column names the {what}; the columns are {listed}",
                source=source,
                fix=f"Add a column '{needed}', or say which of yours it is with columns={{'your name': '{needed}'}}.",
            )
    if "count" in at and "category" in at:
        return CategoryColumns(at, {})
    at = {name: place for name, place in at.items() if name in ("study", "treatment", "n")}
    wide = {name: place for name, place in stated.items() if name not in _ALIASES}
    if not wide and not categories:
        wide = {header[place]: place for place in range(len(header)) if place not in at.values()}
        for name in wide:
            if simplify(name) in _NOT_CATEGORIES:
                raise DataError(
                    f"the column '{name}' does not look like the counts of a category",
                    source=source,
                    fix="Name the columns that are: categories=['secure', 'avoidant'].",
                )
    for name in categories:
        if name not in wide and name in header:
            wide[name] = header.index(name)
    if len(wide) < 2:
        raise DataError(
            f"there are no categories; the columns are {listed}",
            source=source,
            fix="Give one row per arm and category (study, treatment, category, count), or one row per arm with a column per category.",
        )
    return CategoryColumns(at, wide)


def tidy(name: str) -> str:
    """Return a name without needless spaces."""
    return " ".join(name.split())


def changes(name: str) -> tuple[str, str] | None:
    """Return the category before and after that a name such as "insecure to secure" or "stable secure" states; None for others."""
    text = tidy(name.replace("_", " "))
    if found := _STABLE.fullmatch(text):
        return found[1], found[1]
    if found := _CHANGE.fullmatch(text):
        return found[1], found[2]
    return None


def members(name: str, categories: Sequence[str], lumps: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Return the categories that a name means: itself, those of "a+b", those of a lump, or every one for "any".

    Raises
    ------
    SpecError
        If a name is unknown.
    """
    if name.casefold() == ANY and name not in categories:
        return tuple(categories)
    found: list[str] = []
    for part in (name,) if name in categories or name in lumps else name.split("+"):
        text = tidy(part)
        if text not in categories and text not in lumps:
            raise unknown_name("category", text, (*categories, *lumps))
        found += (text,) if text in categories else lumps[text]
    return tuple(dict.fromkeys(found))
