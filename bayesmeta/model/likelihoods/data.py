"""The data of one analysis as a model reads them, collected from effects and their study table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import MEAN, Design, mean_only
from bayesmeta.effects.model_matrix import ModelMatrix
from bayesmeta.effects.nesting import Nesting, Outcomes
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.numbers import parse_number
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arrays import Array

#: variance of the guide for a study with too little information on its effect
NO_GUIDE = 1e8


@dataclass(frozen=True)
class ModelData:
    """The data of one analysis as a model reads them, with one entry per study that enters the likelihood.

    Parameters
    ----------
    measure, likelihood : str
        Name of the effect measure, whose value on the model scale is theta, and name of the likelihood in ``LIKELIHOODS``.
    labels : tuple of str
        Study names, length k.
    columns : mapping of str to numpy.ndarray
        Data of the likelihood by column, each of shape (k,). ``normal``: ``effect`` and ``se`` on the model scale (log for ratios);
        ``binomial``: counts ``events_e n_e events_c n_c``; ``poisson``: counts and person-time ``events_e time_e events_c time_c``, both
        with ``log_coefficient``, the log of the factors of the likelihood without parameters; ``nct``: ``t``, ``df`` and ``root_n``.
    guide_effect, guide_variance : numpy.ndarray, shape (k,)
        Normal approximation to each study's likelihood (model scale). It only chooses the coordinates in which NUTS moves; the model does
        not depend on it.
    study_variance : numpy.ndarray, shape (k,)
        Within-study variances (squared model scale), for I2.
    n : float
        Total number of participants; NaN if unknown.
    included : numpy.ndarray, shape (k,)
        1 for a study, 0 for a row of padding, which the likelihood must ignore.
    design : Design, optional
        Design matrix X with the names of the coefficients; default: the mean, "mu".
    covariance : Covariance, optional
        Sampling covariance S of the estimates; default: independent, with ``study_variance``.
    table : StudyTable, optional
        Study table from which the effects were computed, whose other columns ``column`` gives; None for effects given as arrays.
    rows : numpy.ndarray of int, shape (k,), optional
        Row of each study in ``table``.
    nesting : Nesting, optional
        Study, and group within it, of each estimate, where the model has random effects of both; None for two levels.
    outcomes : Outcomes, optional
        Outcomes or times that are correlated within studies.
    matrix : ModelMatrix, optional
        The formula that made ``design``, for predictions.
    """

    measure: str
    likelihood: str
    labels: tuple[str, ...]
    columns: Mapping[str, Array]
    guide_effect: Array
    guide_variance: Array
    study_variance: Array
    n: float
    included: Array
    design: Design = None  # type: ignore[assignment]
    covariance: Covariance = None  # type: ignore[assignment]
    table: StudyTable | None = None
    rows: Array | None = None
    nesting: Nesting | None = None
    outcomes: Outcomes | None = None
    matrix: ModelMatrix | None = None

    def __post_init__(self) -> None:
        if self.design is None:
            object.__setattr__(self, "design", mean_only(len(self.labels)))
        if self.covariance is None:
            object.__setattr__(self, "covariance", Covariance(self.study_variance))

    @property
    def independent(self) -> bool:
        """Whether the estimates are independent and the mean is the one coefficient."""
        return self.design.is_mean and self.covariance.diagonal and self.nesting is None

    @property
    def separate(self) -> bool:
        """Whether the estimates are independent given the coefficients and tau, so that the likelihood is a product over studies."""
        return self.covariance.diagonal and self.nesting is None

    def expected_effects(self, draws: Mapping[str, Array]) -> Array:
        """Return X b, the expected effect of each estimate, at draws of the coefficients.

        Parameters
        ----------
        draws : mapping of str to numpy.ndarray, shape (...)
            Draws of each coefficient by its name.

        Returns
        -------
        numpy.ndarray, shape (..., n)
            Without moderators shape (..., 1): all estimates have the same.
        """
        if self.design.is_mean:
            return draws[MEAN][..., None]
        return np.stack([draws[name] for name in self.design.names], axis=-1) @ self.design.matrix.T

    def require_separate(self, what: str) -> None:
        """Refuse correlated estimates.

        Parameters
        ----------
        what : str
            What treats independent estimates only, for the message.

        Raises
        ------
        SpecError
        """
        if not self.separate:
            reason = "several estimates per study" if self.nesting is not None else "correlated estimates"
            raise SpecError(f"{what} treats independent estimates; these data have {reason}")

    def require_independent(self, what: str) -> None:
        """Refuse moderators and correlated estimates.

        Parameters
        ----------
        what : str
            What treats independent estimates only, for the message.

        Raises
        ------
        SpecError
        """
        if not self.independent:
            reason = (
                "correlated estimates" if self.design.is_mean else f"the coefficients {', '.join(self.design.names)}"
            )
            reason = "several estimates per study" if self.nesting is not None else reason
            raise SpecError(f"{what} treats independent estimates without moderators; these data have {reason}")

    @property
    def k(self) -> int:
        """Number of studies, without padding."""
        return int(self.included.sum())

    @property
    def product(self) -> bool:
        """Whether the likelihood given the parameters is a product over the studies of ``units``."""
        return self.nesting is not None or self.covariance.diagonal or len(self.units) < len(self.labels)

    @property
    def units(self) -> tuple[tuple[str, Array], ...]:
        """Name and rows of each study: what is left out together.

        Each row is one, unless estimates are nested in studies or have correlated sampling errors, as those of a shared arm: then each
        group of correlated estimates is one, with the name of its study or else all its labels. Where every estimate is correlated with
        every other, each row is one, which the others predict through the covariance too.
        """
        if self.nesting is None:
            return self._correlated_units() if self.covariance.blocks else self._rows_apart()
        outer, names = self.nesting.groups[:, 0], self.nesting.names
        codes = dict.fromkeys(outer.tolist())
        return tuple((names[code] if names else str(code + 1), np.flatnonzero(outer == code)) for code in codes)

    def _rows_apart(self) -> tuple[tuple[str, Array], ...]:
        return tuple((label, np.array([i])) for i, label in enumerate(self.labels))

    def _correlated_units(self) -> tuple[tuple[str, Array], ...]:
        block = {int(row): np.sort(rows) for rows, _ in self.covariance.blocks for row in rows}
        found = [block.get(i, np.array([i])) for i in range(len(self.labels))]
        found = [rows for i, rows in enumerate(found) if rows[0] == i]
        if len(found) == 1:
            return self._rows_apart()
        return tuple((self._unit_name(rows), rows) for rows in found)

    def _unit_name(self, rows: Array) -> str:
        """Return the name of the one study that these rows are of, or their labels."""
        if self.table is not None and self.rows is not None and len(rows) > 1:
            names = {self.table.study_names[int(i)] for i in self.rows[rows]}
            if len(names) == 1:
                return names.pop()
        return " + ".join(self.labels[int(i)] for i in rows)

    def column(self, name: str) -> Array:
        """Return a column of the likelihood or of the study table, such as a moderator, for the studies of this analysis.

        Parameters
        ----------
        name : str
            Name of the column.

        Returns
        -------
        numpy.ndarray, shape (k,)
            Numbers, NaN where the cell is blank; text if a cell is not a number. A row of padding has the number 1, or the text of the
            last study.

        Raises
        ------
        SpecError
            If there is no such column, or no study table.
        """
        if name in self.columns:
            return self.columns[name]
        if self.table is None or self.rows is None:
            raise SpecError(
                f"there is no column '{name}': these effects were given as arrays, without a study table; give a table with this column"
            )
        if name in self.table.columns:
            values = np.asarray(self.table.columns[name], float)[self.rows]
        elif name in self.table.extra:
            values = _numbers_or_text([self.table.extra[name][i] for i in self.rows])
        else:
            raise unknown_name("column", name, (*self.columns, *self.table.columns, *self.table.extra))
        padding = np.repeat(values[-1:] if values.dtype.kind == "U" else 1.0, len(self.labels) - len(values))
        return np.concatenate([values, padding])

    def subset(self, rows: Array) -> ModelData:
        """Return the data of the studies at ``rows`` (a boolean mask, or indices); ``n`` becomes unknown."""
        kept = np.arange(len(self.labels))[rows]
        return replace(
            self,
            labels=tuple(self.labels[i] for i in kept),
            columns={name: value[kept] for name, value in self.columns.items()},
            guide_effect=self.guide_effect[kept],
            guide_variance=self.guide_variance[kept],
            study_variance=self.study_variance[kept],
            included=self.included[kept],
            n=float("nan"),
            design=self.design.subset(kept),
            covariance=self.covariance.subset(kept),
            rows=None if self.rows is None else self.rows[kept],
            nesting=None if self.nesting is None else self.nesting.subset(kept),
            outcomes=None if self.outcomes is None else self.outcomes.subset(kept),
        )

    def padded(self, size: int) -> ModelData:
        """Return the data with rows of padding up to ``size`` rows, so that one compiled model serves many analyses."""
        extra = size - len(self.labels)
        if extra <= 0:
            return self
        columns = {name: np.concatenate([value, np.ones(extra)]) for name, value in self.columns.items()}
        return replace(
            self,
            labels=(*self.labels, *(f"(padding {i + 1})" for i in range(extra))),
            columns=columns,
            guide_effect=np.concatenate([self.guide_effect, np.zeros(extra)]),
            guide_variance=np.concatenate([self.guide_variance, np.full(extra, NO_GUIDE)]),
            study_variance=np.concatenate([self.study_variance, np.ones(extra)]),
            included=np.concatenate([self.included, np.zeros(extra)]),
            design=Design(np.vstack([self.design.matrix, np.ones((extra, len(self.design.names)))]), self.design.names),
            covariance=Covariance(np.concatenate([self.covariance.variances, np.ones(extra)]), self.covariance.blocks),
        )


def _numbers_or_text(cells: Sequence[str]) -> Array:
    """Return cells as numbers, NaN where one is blank; as text if one is neither a number nor blank."""
    try:
        return np.array([parse_number(cell) for cell in cells])
    except DataError:
        return np.array(cells, dtype=str)
