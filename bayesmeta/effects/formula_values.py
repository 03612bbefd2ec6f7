"""Formulas evaluated: the columns of X for the estimates there are, and for new values of the moderators."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.effects.estimate_columns import Column
from bayesmeta.effects.formula_terms import Formula, transforms
from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.numbers import parse_number
from bayesmeta.support.arrays import Array


@dataclass(frozen=True)
class Term:
    """One term of a formula, such as an interaction.

    Parameters
    ----------
    name : str
        As the formula writes it, such as "dose:setting"; "Intercept" for the intercept.
    factors : frozenset of str
        What is multiplied; empty for the intercept. A term with more factors is an interaction of the terms with fewer of them.
    columns : tuple of int
        Columns of X.
    """

    name: str
    factors: frozenset[str]
    columns: tuple[int, ...]


def columns_of_formula(
    formula: Formula, rows: Mapping[str, Column], labels: Sequence[str]
) -> tuple[Array, tuple[str, ...], tuple[Term, ...], Any]:
    """Evaluate a formula for the used estimates, whose labels are given: X, names, terms, and what evaluates it again."""
    if formula.plain is not None:
        names = (INTERCEPT, *formula.plain) if formula.intercept else formula.plain
        terms = tuple(
            Term(name, frozenset() if formula.intercept and i == 0 else frozenset({name}), (i,))
            for i, name in enumerate(names)
        )
        spec = (formula.plain, formula.intercept)
        return evaluate(spec, rows, labels, formula.text), names, terms, spec
    matrix = _formulaic_matrix(formula.parsed, rows, labels, formula.text)
    spec = matrix.model_spec
    terms = tuple(
        Term(INTERCEPT if str(term) == "1" else str(term), _factors(term), tuple(range(at.start, at.stop)))
        for term, at in spec.term_slices.items()
    )
    return np.asarray(matrix, dtype=float), tuple(map(str, spec.column_names)), terms, spec


def _factors(term: Any) -> frozenset[str]:
    return frozenset(factor.expr for factor in term.factors if factor.expr != "1")


def evaluate(spec: Any, rows: Mapping[str, Column], labels: Sequence[str], text: str) -> Array:
    """Return X, shape (m, p), of new rows, whose m labels are for messages."""
    if not isinstance(spec, tuple):
        return np.asarray(_formulaic_matrix(spec, rows, labels, text), dtype=float)
    names, intercept = spec
    for name in names:
        if not (isinstance(rows[name], np.ndarray) and rows[name].dtype.kind == "f"):
            raise DataError("the moderator should be numbers", column=name, fix="Give numbers, as in the data.")
    columns = [np.ones(len(labels))] if intercept else []
    return np.column_stack(columns + [rows[name] for name in names])


def _formulaic_matrix(spec: Any, rows: Mapping[str, Column], labels: Sequence[str], text: str) -> Any:
    """Evaluate a formula, or the spec of one evaluated before, by formulaic."""
    import pandas as pd
    from formulaic.errors import DataMismatchWarning, FormulaicError

    frame = pd.DataFrame(
        {name: _unused_categories_removed(values, spec) for name, values in rows.items()}, index=range(len(labels))
    )
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            warnings.simplefilter("error", DataMismatchWarning)
            if hasattr(spec, "column_names"):
                matrix = spec.get_model_matrix(frame, context=transforms())
            else:
                matrix = spec.get_model_matrix(frame, context=transforms(), na_action="ignore")
    except DataMismatchWarning as error:
        unseen = str(error).partition(": {")[2].partition("}")[0]
        raise SpecError(
            f"the formula '{text}' was fitted without the category {unseen}, so it has no effect for it"
        ) from None
    except (FormulaicError, ValueError, TypeError, KeyError) as error:
        reason = " ".join(str(error).split())
        for name, values in rows.items():
            if re.search(rf"\b{re.escape(name)}\b", reason) and (word := _first_text(values)) is not None:
                raise DataError(
                    f"the formula '{text}' computes with numbers, but there are texts such as '{word}'",
                    column=name,
                    fix="Give numbers, or take the column as it is: its texts are then categories.",
                ) from None
        raise SpecError(f"the formula '{text}' cannot be computed: {reason}") from None
    values = np.asarray(matrix, dtype=float)
    if not np.isfinite(values).all():
        row, column = np.argwhere(~np.isfinite(values))[0]
        name = list(matrix.model_spec.column_names)[column] if hasattr(matrix, "model_spec") else ""
        raise DataError(
            f"'{name}' is not a finite number for '{labels[row]}'", fix=f"Change the value, or the formula '{text}'."
        )
    return matrix


def _first_text(values: Column) -> str | None:
    """Return the first text of a column that is no number; None of a column of numbers."""
    if isinstance(values, np.ndarray) and values.dtype.kind != "O":
        return None
    for value in values:
        try:
            parse_number(str(value))
        except DataError:
            return str(value)
    return str(values[0])


def whole_categories(rows: Mapping[str, Column], categories: Sequence[str]) -> dict[str, Column]:
    """Return columns in which categories that are whole numbers are integers: "C(grade)[T.2]", not "C(grade)[T.2.0]"."""
    found = dict(rows)
    for name in categories:
        values = found[name]
        if isinstance(values, np.ndarray) and values.dtype.kind == "f" and (values == np.round(values)).all():
            found[name] = values.astype(int)
    return found


def _unused_categories_removed(values: Column, spec: Any) -> Column:
    """Return a column for formulaic; categories that no used estimate has would be columns of zeros in X."""
    if hasattr(values, "remove_unused_categories") and not hasattr(spec, "column_names"):
        return values.remove_unused_categories()
    return values
