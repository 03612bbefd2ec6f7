"""The data of one analysis as a model reads them, collected from effects and their study table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln, xlogy

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design, mean_only
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.model_matrix import ModelMatrix
from bayesmeta.effects.nesting import Nesting, Outcomes
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.model.likelihoods.densities import log_choose
from bayesmeta.studies.kinds import KINDS
from bayesmeta.studies.numbers import parse_number
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arrays import Array

#: variance of the guide for a study with too little information on its effect
NO_GUIDE = 1e8
#: error of data in which no study can be used
NO_STUDY = "no study is left to fit"


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
    def units(self) -> tuple[tuple[str, Array], ...]:
        """Name and rows of each study: what is left out together. Each row is one, unless estimates are nested in studies."""
        if self.nesting is None:
            return tuple((label, np.array([i])) for i, label in enumerate(self.labels))
        outer, names = self.nesting.groups[:, 0], self.nesting.names
        codes = dict.fromkeys(outer.tolist())
        return tuple((names[code] if names else str(code + 1), np.flatnonzero(outer == code)) for code in codes)

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


def _collect(effects: Effects, likelihood: str, rows: Array, columns: dict[str, Array], guide: Effects) -> ModelData:
    if not rows.any():
        raise DataError(
            NO_STUDY, source=effects.studies.source if effects.studies else None,
            fix="; ".join(sorted({reason for reason in effects.reasons if reason})) or "give at least one study",
        )  # fmt: skip
    informative = rows & guide.used
    typical = guide.vi
    if not (informative.all() and np.isfinite(typical).all()):
        variance = np.where(informative, guide.vi, np.nan)
        typical = np.where(np.isfinite(variance), variance, np.nanmedian(variance) if informative.any() else 1.0)
    clean = informative & np.array([not note for note in guide.notes])
    return ModelData(
        measure=effects.measure,
        likelihood=likelihood,
        labels=tuple(label for label, row in zip(effects.labels, rows, strict=True) if row),
        columns={name: value[rows].astype(float) for name, value in columns.items()},
        guide_effect=np.where(clean, guide.yi, 0.0)[rows],
        guide_variance=np.where(clean, guide.vi, NO_GUIDE)[rows],
        study_variance=typical[rows],
        n=participants(effects, rows),
        included=np.ones(int(rows.sum())),
        design=effects.design.subset(rows),
        covariance=effects.covariance.subset(rows),
        table=effects.studies,
        rows=np.flatnonzero(rows),
    )


def participants(effects: Effects, rows: Array) -> float:
    """Return the number of participants of the studies at ``rows``; NaN if unknown."""
    studies = effects.studies
    if studies is None or not studies.has("n_e", "n_c"):
        return float("nan")
    return float((studies.columns["n_e"] + studies.columns["n_c"])[rows].sum())


def normal_data(effects: Effects) -> ModelData:
    """Collect the estimates and their standard errors: columns ``effect`` and ``se``."""
    columns = {"effect": effects.yi, "se": effects.sei}
    data = _collect(effects, "normal", effects.used, columns, effects)
    return replace(data, guide_effect=data.columns["effect"], guide_variance=data.columns["se"] ** 2)


def _counted(effects: Effects, names: tuple[str, ...]) -> tuple[dict[str, Array], Array, Effects]:
    """Return the columns of these names, the mask of rows in which all are finite, and the effects that guide the sampler."""
    studies = _table(effects)
    columns = {name: studies.columns[name] for name in names}
    rows = studies.included & np.isfinite(np.stack(list(columns.values()))).all(axis=0)
    return columns, rows, effect_sizes(studies, effects.measure, zero_cells="metafor")


def binomial_data(effects: Effects) -> ModelData:
    """Collect events and totals: columns ``events_e n_e events_c n_c`` and ``log_coefficient``."""
    columns, rows, guide = _counted(effects, KINDS["dichotomous"].columns)
    coefficient = log_choose(columns["n_e"], columns["events_e"]) + log_choose(columns["n_c"], columns["events_c"])
    return _collect(effects, "binomial", rows, {**columns, "log_coefficient": coefficient}, guide)


def poisson_data(effects: Effects) -> ModelData:
    """Collect events and person-time: columns ``events_e time_e events_c time_c`` and ``log_coefficient``."""
    columns, rows, guide = _counted(effects, KINDS["rates"].columns)
    parts = [
        xlogy(columns[f"events_{arm}"], columns[f"time_{arm}"]) - gammaln(columns[f"events_{arm}"] + 1)
        for arm in ("e", "c")
    ]
    coefficient = np.sum(parts, axis=0)
    return _collect(effects, "poisson", rows, {**columns, "log_coefficient": coefficient}, guide)


def nct_data(effects: Effects) -> ModelData:
    """Collect t statistics: columns ``t``, ``df`` and ``root_n`` = sqrt(n_e n_c / (n_e + n_c))."""
    columns = _table(effects).columns
    n_e, n_c, mean_e, mean_c, sd_e, sd_c = (
        columns[name] for name in ("n_e", "n_c", "mean_e", "mean_c", "sd_e", "sd_c")
    )
    df = n_e + n_c - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled_sd = np.sqrt(((n_e - 1) * sd_e**2 + (n_c - 1) * sd_c**2) / df)
        root_n = np.sqrt(n_e * n_c / (n_e + n_c))
        t = (mean_e - mean_c) / pooled_sd * root_n
    return _collect(effects, "nct", effects.used, {"t": t, "df": df, "root_n": root_n}, effects)


def _table(effects: Effects) -> StudyTable:
    assert effects.studies is not None
    return effects.studies
