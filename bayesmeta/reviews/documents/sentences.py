"""Sentences with the works they cite, and texts made of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

#: analyses that a sentence names one by one
NAMED = 8


@dataclass(frozen=True)
class Sentence:
    """A sentence of a text.

    Parameters
    ----------
    text : str
        The sentence, with ``{}`` where the numbers of the works it cites are; without one they are before its full stop.
    cites : tuple of tuple of str
        Keys of the works of each place, in order.
    """

    text: str
    cites: tuple[tuple[str, ...], ...] = ()


def cited(text: str, *keys: str) -> Sentence:
    """Return a sentence that cites all its works at its end."""
    return Sentence(text, (keys,) if keys else ())


@dataclass(frozen=True)
class Section:
    """Sentences under a heading; one paragraph."""

    heading: str
    sentences: tuple[Sentence, ...]


def keys_of(sections: Iterable[Section]) -> list[str]:
    """Return the keys of the works cited, in the order in which they first appear."""
    return list(
        dict.fromkeys(
            key for section in sections for sentence in section.sentences for place in sentence.cites for key in place
        )
    )


def paragraph_text(section: Section, numbers: Sequence[str]) -> str:
    """Return the paragraph of a section, with the numbers of its works in brackets.

    Parameters
    ----------
    section : Section
        The section.
    numbers : sequence of str
        Keys of the works in the order of the list of references.
    """
    place = {key: number for number, key in enumerate(numbers, 1)}
    return " ".join(_text(sentence, place) for sentence in section.sentences)


def _text(sentence: Sentence, place: dict[str, int]) -> str:
    marks = [
        f" [{', '.join(str(place[key]) for key in sorted(keys, key=place.__getitem__))}]" for keys in sentence.cites
    ]
    parts = sentence.text.split("{}")
    if len(parts) == 1 and marks:
        return f"{sentence.text.removesuffix('.')}{''.join(marks)}."
    return "".join(part + (marks[i] if i < len(marks) else "") for i, part in enumerate(parts))


def first_capital(text: str) -> str:
    """Return a text with a capital first letter, and the others as they are."""
    return text[:1].upper() + text[1:]


def named(ids: Iterable[str]) -> str:
    """Write the ids of analyses: all of a few, "analysis 1.1" or "analyses 1.1, 1.2"; the number of many."""
    found = list(dict.fromkeys(ids))
    if len(found) > NAMED:
        return f"{len(found)} analyses"
    return f"analys{'i' if len(found) == 1 else 'e'}s {', '.join(found)}"


def listed(words: Sequence[str], last: str = "and") -> str:
    """Write words as a list: ``a, b and c``."""
    *before, final = words
    return f"{', '.join(before)} {last} {final}" if before else final
