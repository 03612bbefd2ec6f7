"""Collection of the data of each likelihood from effects and their study table."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.special import gammaln, xlogy

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import Effects
from bayesmeta.errors import DataError
from bayesmeta.model.likelihoods.data import NO_GUIDE, ModelData
from bayesmeta.model.likelihoods.densities import log_choose
from bayesmeta.studies.kinds import KINDS
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.arrays import Array

#: error of data in which no study can be used
NO_STUDY = "no study is left to fit"


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
