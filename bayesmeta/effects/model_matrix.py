"""Model matrix: the design X of a formula of moderators, for the estimates there are and for new values.

``model_matrix`` is the one way from moderators to X, whichever model uses it. formulaic is imported when a formula needs it:
importing it takes a second, and a sum of numeric columns, or X itself, does without.
"""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from bayesmeta.effects.design import MEAN, Design, mean_only
from bayesmeta.effects.design_checks import check_design
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column, as_column, columns_of, find_column, missing_in
from bayesmeta.effects.formula_columns import complete_rows, read_formula, refuse_names, source_columns
from bayesmeta.effects.formula_values import Term, columns_of_formula, evaluate, whole_categories
from bayesmeta.effects.study_parts import name_parts, notes_on_parts, part_columns
from bayesmeta.errors import DataError, SpecError
from bayesmeta.support.arrays import Array, real_numbers


@dataclass(frozen=True, eq=False)
class ModelMatrix:
    """Design matrix of n estimates with what is needed to compute it for new values.

    Parameters
    ----------
    design : Design
        X with the names of the coefficients, shape (n, p); zeros in rows that are not used.
    used : numpy.ndarray of bool, shape (n,)
        Estimates that enter the model.
    terms : tuple of Term
        Terms in the order of their columns.
    formula : str or None
        Formula as the user wrote it; None where X was given.
    moderators : tuple of str
        Columns that the formula names.
    dropped : tuple of str
        One sentence per estimate that was left out because a moderator is missing.
    spec : object
        What computes the columns for new values: names of columns, a formulaic ModelSpec, or None where X was given.
    categories : tuple of str
        Columns that the formula makes categories.
    notes : tuple of str
        Which coefficients mix differences within and between studies, and what within- and between-study parts are.
    parts : mapping of str to column
        Columns of within- and between-study parts, which no data have, one value per estimate.
    values : mapping of str to column
        Columns that the formula was computed from, one value per estimate.
    study : str
        Column of the studies, for within- and between-study parts.
    """

    design: Design
    used: Array
    terms: tuple[Term, ...]
    formula: str | None
    moderators: tuple[str, ...]
    dropped: tuple[str, ...]
    spec: Any
    categories: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    parts: Mapping[str, Column] = field(default_factory=dict)
    values: Mapping[str, Column] = field(default_factory=dict)
    study: str = "study"

    @property
    def intercept(self) -> bool:
        """Whether a coefficient is the intercept, or the mean effect of a model without moderators."""
        return any(not term.factors for term in self.terms)

    @cached_property
    def x(self) -> Array:
        """X of the used estimates, shape (k, p)."""
        return self.design.matrix[self.used]

    def rows_for(self, new: Any) -> tuple[Array, list[str]]:
        """Return X for new values of the moderators.

        Parameters
        ----------
        new : pandas.DataFrame, mapping of columns, or array_like of shape (m, p)
            Moderators of m effects to predict, or the rows of X where X was given.

        Returns
        -------
        rows : numpy.ndarray, shape (m, p)
        labels : list of str
            Index of the frame, or "1", "2", ...

        Raises
        ------
        DataError
            If a moderator is missing.
        SpecError
            If a column is not there, or a value is outside of what the model knows.
        """
        if self.formula is None or isinstance(new, np.ndarray):
            return self._given_rows(new)
        if not hasattr(new, "items"):
            example = self.moderators[0] if self.moderators else "dose"
            raise SpecError(
                f"new values of the moderators should be a frame, or a mapping such as {{'{example}': [...]}}, but are {reprlib.repr(new)}"
            )
        columns = {str(name): as_column(values, str(name)) for name, values in new.items()}
        sizes = {len(values) for values in columns.values()}
        m = len(new) if hasattr(new, "columns") else (sizes.pop() if len(sizes) == 1 else 1 if not sizes else -1)
        if m < 0:
            raise DataError("the columns of the new values have different lengths", fix="Give one value per row.")
        index = [str(label) for label in new.index] if hasattr(new, "index") else [str(i + 1) for i in range(m)]
        for name in self.moderators:
            if name not in columns and name_parts(name)[1]:
                raise SpecError(
                    f"predict needs the column '{name}': between() is the mean of the study, within() the difference from it"
                )
            if name not in columns:
                raise SpecError(
                    f"predict needs the moderator '{name}' of '{self.formula}'; the new values have "
                    f"{', '.join(map(repr, columns)) or 'no columns'}"
                )
            blank = missing_in(columns[name])
            if blank.any():
                row = index[int(np.flatnonzero(blank)[0])]
                raise DataError("the moderator is missing", row=row, column=name, fix="Fill it in.")
        named = {name: columns[name] for name in self.moderators}
        return evaluate(self.spec, whole_categories(named, self.categories), index, self.formula), index

    def _given_rows(self, new: Any) -> tuple[Array, list[str]]:
        """Return rows of X that are given as such, by the names of the columns where they have names."""
        p, names = len(self.design.names), self.design.names
        index = [str(label) for label in new.index] if hasattr(new, "index") and hasattr(new, "columns") else None
        if hasattr(new, "items"):
            columns = {str(name): values for name, values in new.items()}
            values = [find_column(columns, name, "predict, which needs the coefficients of X") for name in names]
            if len({len(column) for column in values}) > 1:
                raise DataError("the columns of the new values have different lengths", fix="Give one value per row.")
            new = np.column_stack(values) if values else np.empty((0, p))
        try:
            rows = real_numbers(new)
        except (TypeError, ValueError):
            raise SpecError("new rows of X should be numbers") from None
        if rows.ndim != 2 or rows.shape[1] != p:
            raise SpecError(f"new rows of X should have shape (m, {p}) but have {rows.shape}")
        if not np.isfinite(rows).all():
            row, column = np.argwhere(~np.isfinite(rows))[0]
            raise DataError(
                "the moderator is not a finite number", row=int(row) + 1, column=names[column], fix="Fill it in."
            )
        return rows, index or [str(i + 1) for i in range(len(rows))]


def model_matrix(
    moderators: Any,
    columns: Mapping[str, Column],
    used: Array,
    labels: Sequence[str],
    *,
    drop_missing: bool = False,
    study: str = "study",
    many: bool = False,
) -> ModelMatrix:
    """Compute the design matrix of a model with moderators.

    Parameters
    ----------
    moderators : str, Design, array_like of shape (n, p), DataFrame or None
        Formula; or X itself, taken as it is (no intercept is added), with names where it has them; None for the mean effect.
    columns : mapping of str to column
        From ``columns_of``.
    used : numpy.ndarray of bool, shape (n,)
        Estimates that can be pooled. Categories, centres and knots are those of the used estimates.
    labels : sequence of str
        Labels of the estimates, for messages.
    drop_missing : bool
        Whether an estimate with a missing moderator is left out instead of refused.
    study : str
        Column of the studies, for ``within()`` and ``between()``.
    many : bool
        Whether there may be more coefficients than estimates, as with proper priors.

    Returns
    -------
    ModelMatrix

    Raises
    ------
    DataError
        If a moderator is missing, is the same in every study, or X does not have full rank.
    SpecError
        If the formula cannot be read or names a column that is not there.
    """
    n, used = len(used), np.asarray(used, dtype=bool)
    if moderators is None:
        return ModelMatrix(mean_only(n), used, (Term(MEAN, frozenset(), (0,)),), None, (), (), None)
    if not isinstance(moderators, str):
        return _given(moderators, used, many)
    formula, given = read_formula(moderators, columns), columns
    parts = part_columns(formula.parts, given, used, study)
    used, dropped = complete_rows(formula, {**given, **parts}, used, labels, drop_missing)
    if dropped:
        parts = part_columns(formula.parts, given, used, study)
    columns = {**given, **parts}
    rows = whole_categories({name: columns[name][used] for name in formula.variables}, formula.categories)
    x, names, terms, spec = columns_of_formula(formula, rows, [labels[int(i)] for i in np.flatnonzero(used)])
    refuse_names(names, formula.variables)
    check_design(x, names, rows, many=many)
    full = np.zeros((n, len(names)))
    full[used] = x
    notes = notes_on_parts(formula.parts, formula.variables, columns, used, study)
    return ModelMatrix(
        Design(full, names),
        used,
        terms,
        formula.text,
        formula.variables,
        dropped,
        spec,
        formula.categories,
        notes,
        parts,
        {name: columns[name] for name in source_columns(formula, columns, study)},
        study,
    )


def effects_with_moderators(
    effects: Effects,
    moderators: Any,
    data: Any = None,
    *,
    drop_missing: bool = False,
    study: str = "study",
    many: bool = False,
) -> tuple[Effects, ModelMatrix]:
    """Return effects with the design of their moderators, and the model matrix; see ``model_matrix``.

    An estimate that was left out because a moderator is missing has the reason in ``reasons``. Effects that have a design already keep it
    where ``moderators`` is None.
    """
    given = effects.design if moderators is None and not effects.design.is_mean else moderators
    columns = columns_of(effects, data) if isinstance(given, str) else {}
    matrix = model_matrix(
        given, columns, effects.used, effects.labels, drop_missing=drop_missing, study=study, many=many
    )
    reasons = tuple(
        reason or ("" if used else "moderator missing")
        for reason, used in zip(effects.reasons, matrix.used, strict=True)
    )
    with_design = Effects(
        effects.yi,
        effects.vi,
        effects.labels,
        effects.measure,
        reasons,
        effects.studies,
        effects.notes,
        matrix.design,
        effects.covariance,
        effects.nesting,
    )
    return with_design, matrix


def _given(moderators: Any, used: Array, many: bool) -> ModelMatrix:
    """Return the model matrix of X as it was given."""
    if isinstance(moderators, Design):
        x, names = moderators.matrix, moderators.names
    else:
        try:
            x = real_numbers(moderators)
        except (TypeError, ValueError):
            shown = "not one of numbers" if hasattr(moderators, "dtype") else reprlib.repr(moderators)
            raise SpecError(
                f"moderators should be a formula such as '~ dose', or a matrix of numbers, but is {shown}"
            ) from None
        if x.ndim == 0:
            raise SpecError(
                f"moderators should be a formula such as '~ dose', or a matrix of numbers, but is {moderators!r}"
            )
        x = x[:, None] if x.ndim == 1 else x
        default = tuple(f"x{i + 1}" for i in range(x.shape[1] if x.ndim == 2 else 0))
        names = tuple(map(str, moderators.columns)) if hasattr(moderators, "columns") else default
        refuse_names(names)
    if x.ndim != 2 or len(x) != len(used):
        raise DataError(f"X has shape {x.shape}, but there are {len(used)} estimates", fix="Give one row per estimate.")
    full = np.where(used[:, None], x, 0.0)
    design = Design(full, names)
    check_design(full[used], names, {}, many=many)
    constant = next((i for i in range(x.shape[1]) if (full[used, i] == 1.0).all()), None)
    terms = tuple(Term(name, frozenset() if i == constant else frozenset({name}), (i,)) for i, name in enumerate(names))
    return ModelMatrix(design, used, terms, None, (), (), None)
