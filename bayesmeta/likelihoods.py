"""What the data say about each study's own effect: the data a model reads, its log density, and replicated data.

Everything here is plain numpy, shared by both engines; the PyMC models under ``models/`` must agree with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import gammaln

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.measures import Effects, effect_sizes

Array = np.ndarray
LOG_2PI = float(np.log(2 * np.pi))

#: sd of the normal prior on the logit of the larger risk: wide enough that the data alone speak of the effect (DESIGN, section 2)
BASELINE_SD = 10.0
#: variance of the guide for a study that says too little to place its effect: its prior takes over
NO_GUIDE = 1e8


@dataclass(frozen=True)
class ModelData:
    """The data of one analysis as a model reads them, one entry a study that enters the likelihood.

    Parameters
    ----------
    measure, likelihood : str
        What theta is, and which of ``LIKELIHOODS`` links it to the data.
    labels : tuple of str
        Study names, length k.
    columns : mapping of str to numpy.ndarray
        The likelihood's data, each of shape (k,), on the model scale.
    guide_effect, guide_variance : numpy.ndarray, shape (k,)
        A normal approximation to each study's likelihood. It only chooses the coordinates NUTS moves in and leaves the model as it is.
    study_variance : numpy.ndarray, shape (k,)
        Within-study variances, for I2.
    n : float
        Participants in all; NaN if unknown.
    included : numpy.ndarray, shape (k,)
        1 for a study, 0 for a row of padding that the likelihood must ignore.
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

    @property
    def k(self) -> int:
        """Number of studies, padding not counted."""
        return int(self.included.sum())

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
        )

    def padded(self, size: int) -> ModelData:
        """Return the same data with rows of padding up to ``size``, so that one compiled model serves many analyses."""
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
        )


@dataclass(frozen=True)
class Likelihood:
    """One way of linking a study's effect to its data.

    Parameters
    ----------
    name, label : str
        Its name in specifications, and in tables.
    measures : tuple of str
        The effect measures it can treat; empty for all.
    nuisance : str
        The model variable, one a study, that it needs beside theta; "" for none.
    log_density : callable
        ``log_density(columns, theta, nuisance)`` with theta of shape (..., k): natural log of p(data_i | theta_i, nuisance_i).
    replicate : callable
        ``replicate(columns, theta, nuisance, rng)``: new data, a mapping of column to array of shape (..., k).
    observed : tuple of str
        The columns that ``replicate`` makes anew.
    """

    name: str
    label: str
    measures: tuple[str, ...]
    nuisance: str
    log_density: Callable[[Mapping[str, Array], Array, Array | None], Array]
    replicate: Callable[[Mapping[str, Array], Array, Array | None, np.random.Generator], dict[str, Array]]
    observed: tuple[str, ...]


def _normal_log_density(columns: Mapping[str, Array], theta: Array, _: Array | None) -> Array:
    z = (columns["effect"] - theta) / columns["se"]
    return -0.5 * (LOG_2PI + z * z) - np.log(columns["se"])


def _normal_replicate(
    columns: Mapping[str, Array], theta: Array, _: Array | None, rng: np.random.Generator
) -> dict[str, Array]:
    return {"effect": theta + columns["se"] * rng.standard_normal(theta.shape)}


def log_risks(theta: Array, logit_larger: Array) -> tuple[Array, Array, Array, Array]:
    """Log risks and log complements of both arms, from the log risk ratio and the logit of the larger risk.

    Parameters
    ----------
    theta, logit_larger : numpy.ndarray
        Broadcastable shapes.

    Returns
    -------
    log p_e, log(1 - p_e), log p_c, log(1 - p_c) : numpy.ndarray
    """
    larger, not_larger = -np.logaddexp(0.0, -logit_larger), -np.logaddexp(0.0, logit_larger)
    smaller = larger - np.abs(theta)
    with np.errstate(divide="ignore"):
        # at theta = 0 the risks are equal, and log(1 - p) of the larger one keeps its digits
        not_smaller = np.where(theta == 0, not_larger, np.log(-np.expm1(np.minimum(smaller, -1e-300))))
    up = theta > 0
    return (
        np.where(up, larger, smaller),
        np.where(up, not_larger, not_smaller),
        np.where(up, smaller, larger),
        np.where(up, not_smaller, not_larger),
    )


def log_choose(n: Array, r: Array) -> Array:
    """Natural log of the binomial coefficient."""
    return gammaln(n + 1) - gammaln(r + 1) - gammaln(n - r + 1)


def _binomial_log_density(columns: Mapping[str, Array], theta: Array, logit_larger: Array | None) -> Array:
    assert logit_larger is not None
    p_e, q_e, p_c, q_c = log_risks(theta, logit_larger)
    r_e, n_e, r_c, n_c = (columns[name] for name in ("events_e", "n_e", "events_c", "n_c"))
    terms = [(r_e, p_e), (n_e - r_e, q_e), (r_c, p_c), (n_c - r_c, q_c)]
    return columns["log_coefficient"] + np.sum(
        [np.where(count > 0, count * log_p, 0.0) for count, log_p in terms], axis=0
    )


def _binomial_replicate(
    columns: Mapping[str, Array], theta: Array, logit_larger: Array | None, rng: np.random.Generator
) -> dict[str, Array]:
    assert logit_larger is not None
    p_e, _, p_c, _ = log_risks(theta, logit_larger)
    shape = theta.shape
    return {
        "events_e": rng.binomial(np.broadcast_to(columns["n_e"].astype(int), shape), np.exp(p_e)).astype(float),
        "events_c": rng.binomial(np.broadcast_to(columns["n_c"].astype(int), shape), np.exp(p_c)).astype(float),
    }


def _nct_log_density(columns: Mapping[str, Array], theta: Array, _: Array | None) -> Array:
    from scipy.stats import nct

    with np.errstate(all="ignore"):
        return np.asarray(nct.logpdf(columns["t"], columns["df"], theta * columns["root_n"]))


def _nct_replicate(
    columns: Mapping[str, Array], theta: Array, _: Array | None, rng: np.random.Generator
) -> dict[str, Array]:
    scale = np.sqrt(rng.chisquare(np.broadcast_to(columns["df"], theta.shape)) / columns["df"])
    return {"t": (theta * columns["root_n"] + rng.standard_normal(theta.shape)) / scale}


LIKELIHOODS: dict[str, Likelihood] = {
    "normal": Likelihood("normal", "normal likelihood", (), "", _normal_log_density, _normal_replicate, ("effect",)),
    "binomial": Likelihood(
        "binomial",
        "binomial likelihood",
        ("RR",),
        "logit_larger_risk",
        _binomial_log_density,
        _binomial_replicate,
        ("events_e", "events_c"),
    ),
    "nct": Likelihood("nct", "noncentral t likelihood", ("SMD",), "", _nct_log_density, _nct_replicate, ("t",)),
}
ARM_LEVEL = {"RR": ("binomial", "dichotomous"), "SMD": ("nct", "continuous")}


def default_likelihood(effects: Effects) -> str:
    """Name the likelihood of the data as they are: the arm-level one where arm-level data and a model for it exist."""
    name, kind = ARM_LEVEL.get(effects.measure, ("normal", ""))
    return name if effects.studies is not None and effects.studies.kind == kind else "normal"


def model_data(effects: Effects, likelihood: str) -> ModelData:
    """Collect what a likelihood reads from a table of effects.

    Parameters
    ----------
    effects : Effects
        With their study table, for the arm-level likelihoods.
    likelihood : str
        A name of ``LIKELIHOODS``.

    Raises
    ------
    SpecError
        If the likelihood is unknown or does not treat this measure.
    DataError
        If the data it needs are not there, or no study is left.
    """
    if likelihood not in LIKELIHOODS:
        raise unknown_name("likelihood", likelihood, LIKELIHOODS)
    definition = LIKELIHOODS[likelihood]
    if definition.measures and effects.measure not in definition.measures:
        raise SpecError(
            f"likelihood '{likelihood}' is for {', '.join(definition.measures)}, not for {effects.measure}; use 'normal'"
        )
    if likelihood == "normal":
        return _normal_data(effects)
    kind = ARM_LEVEL[effects.measure][1]
    studies = effects.studies
    if studies is None or studies.kind != kind:
        raise DataError(
            f"likelihood '{likelihood}' needs arm-level data",
            fix="give events and totals (or means, SDs and totals) per arm",
        )
    return _binomial_data(effects) if likelihood == "binomial" else _nct_data(effects)


def _collect(effects: Effects, likelihood: str, rows: Array, columns: dict[str, Array], guide: Effects) -> ModelData:
    if not rows.any():
        raise DataError(
            "no study is left to fit", source=effects.studies.source if effects.studies else None,
            fix="; ".join(sorted({reason for reason in effects.reasons if reason})) or "give at least one study",
        )  # fmt: skip
    informative = rows & guide.used
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
        n=_participants(effects, rows),
        included=np.ones(int(rows.sum())),
    )


def _participants(effects: Effects, rows: Array) -> float:
    studies = effects.studies
    if studies is None or not studies.has("n_e", "n_c"):
        return float("nan")
    return float((studies.columns["n_e"] + studies.columns["n_c"])[rows].sum())


def _normal_data(effects: Effects) -> ModelData:
    columns = {"effect": effects.yi, "se": effects.sei}
    data = _collect(effects, "normal", effects.used, columns, effects)
    return replace(data, guide_effect=data.columns["effect"], guide_variance=data.columns["se"] ** 2)


def _binomial_data(effects: Effects) -> ModelData:
    studies = effects.studies
    assert studies is not None
    names = ("events_e", "n_e", "events_c", "n_c")
    columns = {name: studies.columns[name] for name in names}
    rows = studies.included & np.isfinite(np.stack(list(columns.values()))).all(axis=0)
    coefficient = log_choose(columns["n_e"], columns["events_e"]) + log_choose(columns["n_c"], columns["events_c"])
    guide = effect_sizes(studies, effects.measure, zero_cells="metafor")
    return _collect(effects, "binomial", rows, {**columns, "log_coefficient": coefficient}, guide)


def _nct_data(effects: Effects) -> ModelData:
    studies = effects.studies
    assert studies is not None
    n_e, n_c, mean_e, mean_c, sd_e, sd_c = (
        studies.columns[name] for name in ("n_e", "n_c", "mean_e", "mean_c", "sd_e", "sd_c")
    )
    df = n_e + n_c - 2
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled_sd = np.sqrt(((n_e - 1) * sd_e**2 + (n_c - 1) * sd_c**2) / df)
        root_n = np.sqrt(n_e * n_c / (n_e + n_c))
        columns = {"t": (mean_e - mean_c) / pooled_sd * root_n, "df": df, "root_n": root_n}
    return _collect(effects, "nct", effects.used, columns, effects)
