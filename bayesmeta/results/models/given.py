"""What the models of an analysis are fitted to, and what they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column, columns_of
from bayesmeta.errors import DataError
from bayesmeta.results.methods import COMMON_TAU as COMMON_TAU
from bayesmeta.results.methods import FREQUENTIST, NESTED
from bayesmeta.results.model_rows import (
    unfitted_row,
)
from bayesmeta.results.models.wanted import WantedModels

Rows = list[dict[str, Any]]
#: sampling correlations of the sweep, beside the stated one
SWEEP = (0.0, 0.2, 0.4, 0.6, 0.8, 0.9)
#: kinds of models
MODERATORS, SUBGROUPS, DEPENDENCE = "moderators", "subgroups", "dependence"


@dataclass(frozen=True)
class ChosenMethods:
    """Names of the frequentist methods by which models are fitted.

    Parameters
    ----------
    regression, subgroups : tuple of str
        Methods of independent studies (``FREQUENTIST``).
    nested : tuple of str
        Methods of dependent estimates (``NESTED``).
    """

    regression: tuple[str, ...]
    subgroups: tuple[str, ...]
    nested: tuple[str, ...]


#: methods that the tables of a review show
REVIEW_METHODS = ChosenMethods(("REML", "REML-HKSJ"), ("REML", "REML-HKSJ"), ("REML", "REML-t", "REML-CR2"))
#: every method that there is
EVERY_METHOD = ChosenMethods(
    tuple(name for name, method in FREQUENTIST.items() if method.regresses), tuple(FREQUENTIST), tuple(NESTED)
)


@dataclass(frozen=True, eq=False)
class ModelInput:
    """What the models of an analysis are fitted to.

    Parameters
    ----------
    effects : Effects
        The estimates, independent.
    columns : mapping of str to column
        Columns beside those of the study table, one value per estimate.
    wanted : WantedModels
        What to fit.
    level : float
        Level of the intervals.
    id : str
        Id of the analysis.
    methods : ChosenMethods
        Frequentist methods.
    drawn : bool
        Whether what figures need is added to the values of the models.
    """

    effects: Effects
    columns: Mapping[str, Column]
    wanted: WantedModels
    level: float
    id: str
    methods: ChosenMethods = REVIEW_METHODS
    drawn: bool = False

    @property
    def every_column(self) -> dict[str, Column]:
        """All columns by name, those of the study table too."""
        return columns_of(self.effects, dict(self.columns))

    @property
    def nested(self) -> dict[str, Any]:
        """Keywords of a model of dependent estimates; empty without nesting."""
        if self.wanted.nesting is None:
            return {}
        return {
            "nesting": self.wanted.nesting,
            "sampling_correlation": self.wanted.sampling_correlation,
            "covariance": self.wanted.covariance,
        }


@dataclass
class ModelResults:
    """Rows of the models of an analysis, and one entry per model with what tables and figures need beside them."""

    rows: Rows
    models: list[dict[str, Any]]


def one_line(text: str) -> str:
    """Write a message of several lines as sentences on one line."""
    return " ".join(". ".join(line.strip().rstrip(".") for line in text.splitlines()).split())


def each_method(given: ModelInput, model: str, methods: Sequence[str], fit: Callable[[str], Rows]) -> Rows:
    """Return the rows of every method; one that these data do not allow has a row with the reason."""
    rows: Rows = []
    failed = 0
    for method in methods:
        try:
            rows += fit(method)
        except DataError as error:
            failed += 1
            if failed == len(methods):
                raise
            rows.append(unfitted_row(given.effects, method, model, one_line(error.what), given.id))
    return rows


def only_used(effects: Effects, used: Any) -> Effects:
    """Return the effects in which only some estimates, bool of shape (n,), are pooled."""
    reasons = tuple(reason or ("" if here else "left out") for reason, here in zip(effects.reasons, used, strict=True))
    return replace(effects, reasons=reasons)


def plain_value(value: Any) -> Any:
    """Return a value of a column as JSON has it: a number or a text."""
    return float(value) if isinstance(value, (int, float, np.number)) else str(value)
