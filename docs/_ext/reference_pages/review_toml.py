"""The reference of review.toml, from the pydantic models that read it."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bayesmeta.effects.zero_cells import ZERO_CELL_RULES
from bayesmeta.reviews.spec import (
    AbsoluteKeys,
    AdjustKeys,
    AlternativePriors,
    Analysis,
    BandKeys,
    Categories,
    GradeKeys,
    Network,
    Options,
    PriorTexts,
    Published,
    RatingKeys,
    Review,
    RiskOfBiasKeys,
    Settings,
    StudyCharacteristics,
    Synthesis,
)

from .markdown import choices, table

#: Heading of each table of the file, with its model.
TABLES: Mapping[str, type[BaseModel]] = {
    "Top of the file": Review,
    "[settings]": Settings,
    "[options]": Options,
    "[priors.MEASURE]": PriorTexts,
    "[bands.MEASURE]": BandKeys,
    "[[alternative]]": AlternativePriors,
    "[[analysis]]": Analysis,
    "published": Published,
    "absolute": AbsoluteKeys,
    "grade": GradeKeys,
    "A rating of `grade`": RatingKeys,
    "[studies]": StudyCharacteristics,
    "[risk_of_bias]": RiskOfBiasKeys,
    "adjust": AdjustKeys,
    "[[synthesis]]": Synthesis,
    "[[network]]": Network,
    "[[categories]]": Categories,
}
SIMPLE = {str: "text", int: "whole number", float: "number", bool: "`true` or `false`"}
LIMITS = {"gt": "above", "ge": "at least", "lt": "below", "le": "at most"}


def type_text(annotation: Any) -> str:
    """Return the type of a key in words, as a user of TOML would write it."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _with_limits(type_text(inner[0]), inner[1:])
    if origin in (Union, types.UnionType):
        return " or ".join(type_text(part) for part in inner if part is not type(None))
    if origin is Literal:
        return choices(f'"{value}"' for value in inner)
    if origin is tuple and inner[-1] is ...:
        one = inner[0]
        return f"tables `[[{_name(one)}]]`" if _is_model(one) else f"list of {type_text(one)}"
    if origin is tuple:
        return f"list of {len(inner)} {type_text(inner[0])}s"
    if origin is dict:
        return "tables by measure" if _is_model(inner[1]) else f"table of {type_text(inner[1])}s"
    return "table" if _is_model(annotation) else SIMPLE[annotation]


def default_text(field: FieldInfo) -> str:
    """Return the default of a key as it would be written in the file."""
    value = field.get_default()
    if field.is_required():
        return "required"
    if value is None or value in ("", (), {}):
        return "none"
    if isinstance(value, BaseModel):
        return "as below"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{_toml(value)}`"


def review_toml_page() -> str:
    """Return the reference: one section per table of the file, one row per key."""
    parts = []
    for heading, model in TABLES.items():
        title = heading if heading[0].isupper() else f"`{heading}`"
        rows = [
            [f"`{key}`", _with_limits(type_text(field.annotation), field.metadata), default_text(field), text(field)]
            for key, field in _own_fields_first(model)
        ]
        parts.append(f"## {title}\n\n{model.__doc__}\n\n{table(['Key', 'Type', 'Default', 'Meaning'], rows)}")
        if model is Options:
            rules = [[f'`"{name}"`', meaning] for name, meaning in ZERO_CELL_RULES.items()]
            parts.append(f"What the rules for zero cells do:\n\n{table(['`zero_cells`', 'Meaning'], rules)}")
    return "\n".join(parts)


def text(field: FieldInfo) -> str:
    """Return the description of a key."""
    return field.description or ""


def _own_fields_first(model: type[BaseModel]) -> list[tuple[str, FieldInfo]]:
    """Return the fields with those that the model declares itself before those it inherits."""
    return sorted(model.model_fields.items(), key=lambda item: item[0] not in model.__annotations__)


def _with_limits(text: str, metadata: Any) -> str:
    limits = [
        f"{words} {getattr(limit, name):g}"
        for limit in _flat(metadata)
        for name, words in LIMITS.items()
        if hasattr(limit, name)
    ]
    return f"{text}, {' and '.join(limits)}" if limits else text


def _flat(metadata: Any) -> list[Any]:
    return [limit for item in metadata for limit in (item.metadata if isinstance(item, FieldInfo) else [item])]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _name(model: type[BaseModel]) -> str:
    return next(heading.strip("[]") for heading, other in TABLES.items() if other is model)


def _toml(value: Any) -> str:
    if isinstance(value, tuple):
        return f"[{', '.join(_toml(item) for item in value)}]"
    return f'"{value}"' if isinstance(value, str) else f"{value}"
