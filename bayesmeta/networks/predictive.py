"""Predictive checks of networks on contrasts: every trial against what is predicted of it, exact by quadrature over tau."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import gammainc, ndtr

from bayesmeta.checks.predictive import check_row, tail_of
from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.left_out import WithoutStudy, leave_each_out
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: number of replications of the data of all trials
DRAWS = 4000
#: checks of single trials by what they are predicted from, with that of all contrasts of a multi-arm trial together
ALL_OF, OTHERS_OF = "given all", "given the others"
TOGETHER = {ALL_OF: "trial given all", OTHERS_OF: "trial given the others"}


def predictive_checks(
    net: NetworkPosterior, *, draws: int = DRAWS, without: Sequence[WithoutStudy] | None = None
) -> pd.DataFrame:
    """Compare the data of a network with replicated data; see ``NetworkPosterior.predictive_checks``."""
    import pandas as pd

    if not isinstance(net.solution, NetworkSolution):
        from bayesmeta.networks.sampled_predictive import sampled_checks

        return pd.DataFrame(sampled_checks(net, net.solution, draws))
    if without is None:
        without = leave_each_out(net) if net.contrasts.k > 1 else []
    left_out = {one.study: one for one in without}
    rows = []
    for check in (ALL_OF, OTHERS_OF):
        for k, study in enumerate(net.contrasts.studies):
            solution: Any = net.solution
            if check == OTHERS_OF:
                one = left_out.get(study)
                treatments = [net.treatments[arm] for arm in net.contrasts.arms_of_studies[k]]
                if one is None or one.net is None or not one.compares(*treatments):
                    continue
                solution = one.net.solution
            rows += _of_trial(net, k, solution, check)
    return pd.DataFrame(rows + _of_all(net, net.solution, draws))


def contrast_names(net: NetworkPosterior, study: int) -> list[str]:
    """Return the labels of a trial's contrasts: "trial: A vs B"."""
    contrasts, names = net.contrasts, net.contrasts.treatments
    rows = range(contrasts.slices[study].start, contrasts.slices[study].stop)
    return [f"{contrasts.studies[study]}: {names[contrasts.treat[i]]} vs {names[contrasts.base[i]]}" for i in rows]


def _of_trial(net: NetworkPosterior, study: int, predictor: NetworkSolution, check: str) -> list[dict[str, Any]]:
    """Return the checks of the contrasts of a trial, and of a multi-arm trial all together, given each node of tau in turn."""
    at, contrasts = net.contrasts.slices[study], net.contrasts
    assert isinstance(net.solution, NetworkSolution)
    x = net.solution.model.design.matrix[at]
    mean, covariance = predictor.given_tau
    spread = np.einsum("mp,tpq,nq->tmn", x, covariance, x, optimize=True)
    spread += contrasts.S[at, at] + predictor.tau[:, None, None] ** 2 * contrasts.R[at, at]
    residual = contrasts.y[at] - mean @ x.T
    tails = predictor.weights @ ndtr(residual / np.sqrt(np.diagonal(spread, axis1=1, axis2=2)))
    rows = [
        check_row(check, name, y, float(tail), 0)
        for name, y, tail in zip(contrast_names(net, study), contrasts.y[at], tails, strict=True)
    ]
    size = residual.shape[1]
    if size > 1:
        distance = np.einsum("tm,tm->t", residual, np.linalg.solve(spread, residual[..., None])[..., 0])
        tail = float(predictor.weights @ gammainc(0.5 * size, 0.5 * distance))
        rows.append(
            distance_row(TOGETHER[check], contrasts.studies[study], float(predictor.weights @ distance), tail, 0)
        )
    return rows


def distance_row(check: str, study: str, observed: float, tail: float, draws: int) -> dict[str, Any]:
    """Return the row of a distance, of which large values only are surprising: its p-value is one-sided."""
    return check_row(check, study, observed, tail, draws) | {"pvalue": 1 - tail}


def _of_all(net: NetworkPosterior, solution: NetworkSolution, draws: int) -> list[dict[str, Any]]:
    """Return the checks of all trials together, by replicated data."""
    rng, model, contrasts = np.random.default_rng([net.seed, 4]), solution.model, net.contrasts
    flat = solution.sample(draws, rng)
    coefficients = np.stack([flat[name] for name in solution.terms.coefficients], axis=1)
    expected = coefficients @ model.x.T
    # in coordinates in which the contrasts are independent
    noise = rng.standard_normal(expected.shape)
    rotated = expected + np.sqrt(model.s + flat["tau"][:, None] ** 2 * model.r) * noise
    rows = []
    rank = int(np.linalg.matrix_rank(model.x))
    if contrasts.m > rank:
        old, new = (cochran_q(values, model.s, model.x) for values in (model.y, rotated))
        rows.append(check_row("Q", "", float(old), tail_of(new, old), draws))
    spread = np.sqrt(np.diagonal(contrasts.S) + flat["tau"][:, None] ** 2)
    centre = coefficients @ model.design.matrix.T
    replicated = model.to_estimates(rotated.T).T
    largest = [np.abs((values - centre) / spread).max(axis=1) for values in (contrasts.y, replicated)]
    rows.append(check_row("largest residual", "", float(largest[0].mean()), tail_of(largest[1], largest[0]), draws))
    return rows


def cochran_q(values: Array, variances: Array, matrix: Array) -> Array:
    """Return Cochran's Q of independent values of shape (..., n) about their regression on a matrix, which may lack rank."""
    root = matrix / np.sqrt(variances)[:, None]
    scaled = values / np.sqrt(variances)
    q = np.linalg.svd(root, full_matrices=False)
    basis = q[0][:, q[1] > q[1].max(initial=0.0) * 1e-10]
    return np.asarray((scaled**2).sum(axis=-1) - ((scaled @ basis) ** 2).sum(axis=-1))
