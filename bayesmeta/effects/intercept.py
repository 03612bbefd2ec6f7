"""What the intercept of a formula is: the effect at which values of the moderators."""

from __future__ import annotations

import re
from collections.abc import Mapping

import numpy as np

from bayesmeta.effects.estimate_columns import Column
from bayesmeta.effects.model_matrix import ModelMatrix
from bayesmeta.effects.parameter_names import INTERCEPT


def intercept_values(matrix: ModelMatrix, columns: Mapping[str, Column]) -> dict[str, str]:
    """Return the values of the moderators at which the intercept is the effect, in words.

    Parameters
    ----------
    matrix : ModelMatrix
        The design of a formula.
    columns : mapping of str to column
        From ``columns_of``.

    Returns
    -------
    dict of str to str
        Moderator to "0", "its mean", a category, or "where its terms are 0". Empty without an intercept.
    """
    if INTERCEPT not in matrix.design.names:
        return {}
    factors = sorted({factor for term in matrix.terms for factor in term.factors})
    values = {**columns, **matrix.parts}
    return {name: _value(name, matrix, values[name], factors) for name in matrix.moderators}


def _value(name: str, matrix: ModelMatrix, values: Column, factors: list[str]) -> str:
    of_this = [factor for factor in factors if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", factor)]
    if name in matrix.categories or not (isinstance(values, np.ndarray) and values.dtype.kind == "f"):
        return _reference(name, matrix, values)
    if all(factor == name for factor in of_this):
        return "0"
    centred = all(re.fullmatch(rf"(center|scale|standardize)\(\s*{re.escape(name)}\s*\)", factor) for factor in of_this)
    return "its mean" if centred else "where its terms are 0"


def _reference(name: str, matrix: ModelMatrix, values: Column) -> str:
    """Return the category that has no column of its own."""
    present = [value for value, used in zip(list(values), matrix.used, strict=True) if used and value is not None]
    texts = dict.fromkeys(
        str(int(value)) if isinstance(value, float) and value.is_integer() else str(value) for value in present
    )
    columns = [part for column in matrix.design.names for part in column.split(":") if name in part]
    left = [text for text in texts if not any(part.endswith((f"[T.{text}]", f"[{text}]")) for part in columns)]
    return left[0] if len(left) == 1 else "where its terms are 0"


def intercept_sentence(matrix: ModelMatrix, columns: Mapping[str, Column]) -> str:
    """Return a sentence on what the intercept is; "" without one or without moderators.

    Parameters
    ----------
    matrix, columns
        As in ``intercept_values``.
    """
    found = intercept_values(matrix, columns)
    if not found:
        return ""
    parts = [
        f"{name} is {value}" if not value.startswith("where") else f"the terms of {name} are 0"
        for name, value in found.items()
    ]
    return f"Intercept: the effect where {' and '.join(parts)}"
