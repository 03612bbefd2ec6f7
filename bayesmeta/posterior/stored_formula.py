"""The formula of a stored posterior with the columns it was computed from, so that a loaded one predicts as the fitted one does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmeta.effects.estimate_columns import Column
from bayesmeta.effects.model_matrix import ModelMatrix, model_matrix
from bayesmeta.model.likelihoods.data import ModelData


def stored_formula(data: ModelData) -> dict[str, Any]:
    """Return the formula and the columns of the moderators of the fitted rows, as values that JSON can store; empty without a formula."""
    matrix = data.matrix
    if matrix is None or matrix.formula is None or int(matrix.used.sum()) != len(data.labels):
        # of a part of the fitted rows the design is stored, and no formula
        return {}
    columns = {name: _plain(values, matrix.used) for name, values in matrix.values.items()}
    return {
        "formula": {"text": matrix.formula, "study": matrix.study, "columns": columns, "dropped": list(matrix.dropped)}
    }


def matrix_of_formula(spec: Mapping[str, Any], labels: tuple[str, ...]) -> ModelMatrix | None:
    """Return the model matrix that ``stored_formula`` stored; None without one.

    Parameters
    ----------
    spec : mapping
        Stored specification of a posterior.
    labels : tuple of str
        Labels of the fitted rows.
    """
    if "formula" not in spec:
        return None
    stored = spec["formula"]
    columns = {name: _column(values) for name, values in stored["columns"].items()}
    used = np.ones(len(labels), dtype=bool)
    return model_matrix(stored["text"], columns, used, labels, study=stored["study"], many=True)


def _plain(values: Column, used: Any) -> dict[str, Any]:
    kept = values[used]
    if not isinstance(kept, np.ndarray):
        categories = [value.item() if hasattr(value, "item") else value for value in kept.categories]
        return {"codes": np.asarray(kept.codes).tolist(), "categories": categories, "ordered": bool(kept.ordered)}
    return {"numbers": kept.tolist()} if kept.dtype.kind in "fi" else {"texts": kept.tolist()}


def _column(stored: Mapping[str, Any]) -> Column:
    if "codes" in stored:
        import pandas as pd

        return pd.Categorical.from_codes(stored["codes"], categories=stored["categories"], ordered=stored["ordered"])
    return np.array(stored["numbers"], float) if "numbers" in stored else np.array(stored["texts"], dtype=object)
