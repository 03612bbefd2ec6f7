"""Checks of outcomes with several categories: residual deviance of each arm, and its counts against what is predicted of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammainc, xlogy

from bayesmeta.categories.arms import arms_of, graph_of
from bayesmeta.checks.predictive import check_row, tail_of
from bayesmeta.engines.normal.formulas import conditional_coefficients
from bayesmeta.engines.normal.model import NormalModel
from bayesmeta.engines.normal.scale import integrate_scale
from bayesmeta.networks.deviance import deviance_frame
from bayesmeta.networks.exact_solution import normal_deviances
from bayesmeta.networks.graph import NetworkGraph
from bayesmeta.networks.predictive import ALL_OF, OTHERS_OF, TOGETHER, distance_row
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.categories.result import CategoryFit


def deviances(fit: CategoryFit) -> pd.DataFrame:
    """Return the residual deviance of each arm, or of each trial of the normal approximation; see ``CategoryFit.deviances``."""
    return deviance_frame(_of_arms(fit) if fit.engine == "nuts" else _of_trials(fit))


def _of_arms(fit: CategoryFit) -> list[dict[str, Any]]:
    table = fit.table
    p = fit.fitted.reshape(-1, *fit.fitted.shape[2:])
    p = (p / p.sum(axis=(2, 3), keepdims=True)).reshape(len(p), len(table.studies), -1)
    average = residual_deviance(fit, p).mean(axis=0)
    leverage = average - residual_deviance(fit, p.mean(axis=0))
    numbers = np.bincount(table.arm, minlength=len(table.studies))
    return [
        {
            "study": table.studies[i], "treatment": table.treatments[i], "observed": np.nan, "fitted": np.nan,
            "points": int(numbers[i]) - 1, "deviance": float(average[i]), "leverage": float(leverage[i]),
        }
        for i in range(len(table.studies))
        if numbers[i] > 1
    ]  # fmt: skip


def residual_deviance(fit: CategoryFit, p: Array) -> Array:
    """Return the residual deviance of each arm, shape (..., n), at probabilities of its cells, shape (..., n, cells)."""
    table = fit.table
    of_numbers = np.einsum("...qc,qc->...q", p[..., table.arm, :], table.cells.astype(float))
    expected = table.n[table.arm] * np.maximum(of_numbers, 1e-300)
    parts = 2 * (xlogy(table.counts, table.counts) - table.counts * np.log(expected))
    return np.asarray(parts @ (table.arm[:, None] == np.arange(len(table.studies))))


def predictive_checks(fit: CategoryFit, draws: int) -> pd.DataFrame:
    """Compare the counts with replicated ones; see ``CategoryFit.predictive_checks``."""
    import pandas as pd

    return pd.DataFrame(_sampled_checks(fit, draws) if fit.engine == "nuts" else _exact_checks(fit))


def _sampled_checks(fit: CategoryFit, draws: int) -> list[dict[str, Any]]:
    table, rng = fit.table, np.random.default_rng([fit.seed, 6])
    frame = table.to_frame()
    cells = table.cells.astype(float)
    rows: list[dict[str, Any]] = []
    for trial, (study, arms) in enumerate(table.rows_by_study().items()):
        first, *others = arms
        if not others:
            continue
        own = np.flatnonzero(np.isin(table.arm, others))
        predicted = _new_arms(fit, trial, first, others)
        place = rng.integers(len(predicted), size=draws)
        new = np.empty((draws, len(own)))
        for j, arm in enumerate(others):
            counts = rng.multinomial(int(table.n[arm]), predicted[place, j])
            mine = table.arm[own] == arm
            new[:, mine] = counts @ cells[own[mine]].T
        for j, at in enumerate(own):
            label = f"{study}: {frame['treatment'].iloc[at]}, {frame['category'].iloc[at]}"
            rows.append(check_row(ALL_OF, label, table.counts[at], tail_of(new[:, j], table.counts[at]), draws))
        rows.append(_distance(study, table.counts[own], new))
    return rows


def _new_arms(fit: CategoryFit, trial: int, first: int, others: list[int]) -> Array:
    """Return draws of the probabilities of the cells of a trial's other arms, with new effects, given the first; (S, arms, cells)."""
    table = fit.table
    effects = fit.effects.against(fit.treatments.index(table.treatments[first]))
    base = fit.fitted[:, :, first] / fit.fitted[:, :, first].sum(axis=(2, 3), keepdims=True)
    new = effects.at(base, 1000 * fit.seed + trial)[
        :, :, [fit.treatments.index(table.treatments[arm]) for arm in others]
    ]
    # those who were in each category before treatment are given
    before = fit.fitted[:, :, others].sum(axis=-1, keepdims=True)
    new = new / new.sum(axis=-1, keepdims=True) * before
    found = new.reshape(-1, len(others), table.cells.shape[1])
    return np.asarray(found / found.sum(axis=-1, keepdims=True))


def _distance(trial: str, observed: Array, replicated: Array) -> dict[str, Any]:
    """Return the check of all counts of a trial: their distance from the mean of the replicated ones, in their covariance."""
    # the counts of an arm have a fixed sum, so that the covariance has no inverse
    weights = np.linalg.pinv(np.cov(replicated, rowvar=False), rcond=1e-9, hermitian=True)
    old, new = (values - replicated.mean(axis=0) for values in (observed, replicated))
    distance = float(old @ weights @ old)
    tail = tail_of(np.einsum("si,ij,sj->s", new, weights, new), distance)
    return distance_row(TOGETHER[ALL_OF], trial, distance, tail, len(replicated))


def _model_of(fit: CategoryFit) -> tuple[NormalModel, list[slice], NetworkGraph]:
    """Return the normal approximation, the coordinates of each trial in it, and the graph of the treatments."""
    arms = arms_of(fit.table, fit.reference, fit.priors)
    model = NormalModel(
        arms.guide_effect, arms.expected, arms.guide_variance, arms.r, None, 0.0, _design(arms.expected), arms.prior
    )
    size = arms.shape[1] * (arms.shape[2] - 1)
    ends = np.cumsum([(np.count_nonzero(arms.trial == k) - 1) * size for k in range(len(arms.trials))])
    starts = [0, *ends[:-1]]
    return model, [slice(int(a), int(b)) for a, b in zip(starts, ends, strict=True)], graph_of(fit.table)


def _design(matrix: Array) -> Any:
    from bayesmeta.effects.design import Design

    return Design(matrix, tuple(f"d{i}" for i in range(matrix.shape[1])))


def _tau_of(fit: CategoryFit, model: NormalModel) -> tuple[Array, Array]:
    """Return nodes of tau and their probabilities."""
    scale = fit.priors.scale
    if scale.fixed_tau is not None:
        return np.array([scale.fixed_tau]), np.ones(1)
    return integrate_scale(model, scale)[1:3]


def _of_trials(fit: CategoryFit) -> list[dict[str, Any]]:
    model, slices, graph = _model_of(fit)
    tau, weights = _tau_of(fit, model)
    deviance, leverage = normal_deviances(model, tau, weights)
    return [
        {
            "study": study, "treatment": ", ".join(graph.treatments[arm] for arm in arms), "observed": np.nan, "fitted": np.nan,
            "points": at.stop - at.start, "deviance": float(deviance[at].sum()), "leverage": float(leverage[at].sum()),
        }
        for study, arms, at in zip(graph.studies, graph.arms, slices, strict=True)
        if at.stop > at.start
    ]  # fmt: skip


def _exact_checks(fit: CategoryFit) -> list[dict[str, Any]]:
    """Return the checks of each trial by the normal approximation, exact by quadrature over tau, given all trials and the others."""
    model, slices, graph = _model_of(fit)
    rows = []
    for check in (ALL_OF, OTHERS_OF):
        for k, (study, at) in enumerate(zip(graph.studies, slices, strict=True)):
            predictor = model
            if check == OTHERS_OF:
                others = NetworkGraph(
                    graph.treatments, graph.studies[:k] + graph.studies[k + 1 :], graph.arms[:k] + graph.arms[k + 1 :]
                )
                names = {graph.treatments[arm] for arm in graph.arms[k]}
                if not any(names <= set(part) for part in others.components):
                    continue
                predictor = _without(model, at)
            if at.stop > at.start:
                rows.append(_trial_row(fit, model, at, predictor, TOGETHER[check], study))
    return rows


def _without(model: NormalModel, at: slice) -> NormalModel:
    kept = np.ones(model.n, dtype=bool)
    kept[at] = False
    x = model.x[kept]
    return NormalModel(model.y[kept], x, model.s[kept], model.r[kept], None, 0.0, _design(x), model.prior)


def _trial_row(
    fit: CategoryFit, model: NormalModel, at: slice, predictor: NormalModel, check: str, study: str
) -> dict[str, Any]:
    tau, weights = _tau_of(fit, predictor)
    mean, covariance = conditional_coefficients(tau, predictor)
    x = model.x[at]
    spread = np.einsum("mp,tpq,nq->tmn", x, covariance, x, optimize=True)
    spread += (model.s[at] + tau[:, None] ** 2 * model.r[at])[:, :, None] * np.eye(len(x))
    residual = model.y[at] - mean @ x.T
    distance = (residual * np.linalg.solve(spread, residual[..., None])[..., 0]).sum(axis=1)
    tail = float(weights @ gammainc(0.5 * len(x), 0.5 * distance))
    return distance_row(check, study, float(weights @ distance), tail, 0)
