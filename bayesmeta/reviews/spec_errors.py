"""Sentences about a review.toml that cannot be used: place, value and remedy."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time
from typing import Any

from pydantic import BaseModel

from bayesmeta.errors import unknown_name

#: what is expected where a value is of another type, by pydantic's name of the error
_EXPECTED: Mapping[str, str] = {
    "tuple_type": "a list such as [\"Drug\", \"Placebo\"]", "too_long": "a shorter list", "list_type": "a list, in square brackets",
    "dict_type": "a table such as { name = \"value\" }", "model_type": "a table of keys", "model_attributes_type": "a table of keys",
    "string_type": "a text in quotation marks", "bool_type": "true or false", "bool_parsing": "true or false",
    "float_type": "a number", "float_parsing": "a number", "int_type": "a whole number", "int_parsing": "a whole number",
    "int_from_float": "a whole number", "finite_number": "a finite number",
}  # fmt: skip


def explain(item: Any, given: dict[str, Any], tables: Mapping[str, type[BaseModel]]) -> str:
    """Turn one of pydantic's errors into a sentence with place, value and remedy.

    Parameters
    ----------
    item : dict
        One of ``ValidationError.errors()``.
    given : dict
        What the file contains.
    tables : mapping of str to model
        Tables of the file by name, "" the file itself.
    """
    place = _place(item["loc"], given)
    if item["type"] == "extra_forbidden":
        key = str(item["loc"][-1])
        if key == "scale":
            return f"{place}unknown key 'scale'; 'estimates' says whether ready-made ratios are natural or logged"
        return f"{place}{unknown_name('key', key, _known_keys(item['loc'][:-1], tables))}"
    named = [part for part in item["loc"] if isinstance(part, str)]
    key = named[-1] if named else ""
    if item["type"] == "missing":
        inside = item["loc"][-1] != key
        return f"{place}'{key}' has too few values" if inside else f"{place}the key '{key}' is missing"
    if item["type"] in _EXPECTED:
        return f"{place}'{key}' = {_written(item['input'])}: {_EXPECTED[item['type']]} is expected"
    message = item["msg"].removeprefix("Value error, ")
    if item["type"] == "value_error":
        return f"{place}{message}"
    return f"{place}'{key}' = {_written(item['input'])}: {_sentence(item, message)}"


def _sentence(item: Any, message: str) -> str:
    """Return what a value must be."""
    if item["type"] == "string_pattern_mismatch":
        return "letters, digits, '.', '_' and '-', the first a letter or digit, are expected"
    if item["type"] == "string_too_long":
        return f"at most {item['ctx']['max_length']} characters are expected"
    return message.replace("Input should", "it should", 1)


def _written(value: Any) -> str:
    """Return a value as it can be written in the file, shortened: texts of users may be of any length."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, int) and abs(value) >= 10**80:
        return f"{str(value)[:40]}..."
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "a table"
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:60]}...{text[-10:]}"


def _place(location: tuple[Any, ...], given: dict[str, Any]) -> str:
    if (
        len(location) > 1
        and location[0] in ("analysis", "alternative", "synthesis", "network", "categories")
        and isinstance(location[1], int)
    ):
        entry = given[location[0]][location[1]]
        name = entry.get("id", entry.get("name")) if isinstance(entry, dict) else None
        inner = "".join(f"[{part}] " for part in location[2:-1])
        known = (
            isinstance(name, str | int | float)
            and not isinstance(name, bool)
            and str(name).isprintable()
            and str(name).strip()
        )
        return f"{location[0]} {name if known and len(str(name)) <= 60 else f'number {location[1] + 1}'}: {inner}"
    return "".join(f"[{part}] " for part in location[:-1])


def _known_keys(location: tuple[Any, ...], tables: Mapping[str, type[BaseModel]]) -> list[str]:
    """Return the known keys of a table."""
    if "grade" in location[:-1]:
        return list(tables["rating"].model_fields)
    inner = location[-1] if location and location[-1] in tables else next(iter(location), "")
    return list(tables[inner].model_fields)
