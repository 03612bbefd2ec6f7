"""Models with several estimates per study, by maximum likelihood or restricted maximum likelihood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.errors import DataError, unknown_name
from bayesmeta.frequentist.multilevel.blocks import Component, make_blocks
from bayesmeta.frequentist.multilevel.estimates import dependent_estimates
from bayesmeta.frequentist.multilevel.groupings import make_components
from bayesmeta.frequentist.multilevel.likelihood import Likelihood
from bayesmeta.frequentist.multilevel.maximize import best_maximum
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.support.arguments import check_level, with_keywords_of
from bayesmeta.support.arrays import Array

#: tests and intervals: normal; t with k - p degrees of freedom; t with those of the levels on which a coefficient varies
INTERVALS = ("wald", "t", "contain")


@with_keywords_of(effect_sizes)
def multilevel(
    effects: Any = None,
    *,
    nesting: str | Sequence[str] | None = None,
    within: str | None = None,
    structure: str | None = None,
    moderators: Any = None,
    measure: str | None = None,
    data: Any = None,
    method: str = "REML",
    ci: str = "wald",
    level: float = 0.95,
    sampling_correlation: Any = None,
    covariance: Any = None,
    drop_missing: bool = False,
    **options: Any,
) -> Multilevel:
    """Fit a model with random effects on several levels: y ~ Normal(X b, S + Sigma).

    Parameters
    ----------
    effects : Effects, StudyTable, pandas.DataFrame or path, optional
        Effects, or data of which they are computed; or give ``yi`` instead. In a frame a study may have several rows.
    nesting : str or sequence of str
        Groups of the estimates, outer to inner: "study/estimate", "district/school". The last name may be no column: each estimate is then
        its own group. Crossed groups are added: "paper + species".
    within : str, optional
        Column of outcomes or times that are correlated within the outermost group.
    structure : {"ID", "CS", "HCS", "UN", "AR", "HAR", "CAR", "DIAG"}, optional
        Covariance of the levels of ``within``; "CS" by default. See ``multilevel.structures``.
    moderators, measure, data
        As in ``regression``.
    method : {"REML", "ML"}
        Restricted or full maximum likelihood.
    ci : {"wald", "t", "contain"}
        Tests and intervals of coefficients: normal; t with k - p degrees of freedom; t with the number of groups of the outermost level
        within which the coefficient's column does not vary, less the coefficients of that kind (``dfs = "contain"`` of metafor).
    level : float
        Level of all intervals, in (0, 1).
    sampling_correlation : float, str, mapping or pandas.DataFrame, optional
        Correlation of the sampling errors of the estimates of one outermost group: a number, a column with one number per group, or
        correlations by outcome or time, such as ``{"math": {"reading": 0.5}}``; see ``sampling_covariance``.
    covariance : array_like of shape (n, n), sequence of matrices, or Covariance, optional
        Sampling covariance instead: whole, or a matrix per outermost group. It need not be positive definite if S + Sigma is.
    drop_missing : bool
        As in ``regression``.
    **options
        Data and options as in ``effect_sizes``.

    Returns
    -------
    Multilevel

    Raises
    ------
    DataError
        If groups cannot be told apart, the covariance does not fit, or moderators are missing.
    SpecError
        If a name is not understood.

    Examples
    --------
    >>> fit = multilevel(yi=[-0.2, 0.1, 0.4, 0.5, 0.2, -0.4], vi=[0.02] * 6, data={"study": [1, 1, 2, 2, 3, 3]}, nesting="study/estimate")
    >>> f"{fit.estimates[0]:.3f}, variances {fit.sigma2[0]:.3f} and {fit.sigma2[1]:.3f}"
    '0.100, variances 0.054 and 0.057'
    """
    check_level(level)
    if str(method).upper() not in ("ML", "REML"):
        raise unknown_name("method of multilevel", method, ("REML", "ML"))
    if ci not in INTERVALS:
        raise unknown_name("confidence interval", ci, INTERVALS)
    found = dependent_estimates(
        effects, measure, data, options, nesting=nesting, within=within, moderators=moderators, drop_missing=drop_missing,
        sampling_correlation=sampling_correlation, covariance=covariance,
    )  # fmt: skip
    effects, matrix, outer, sampling = found.effects, found.matrix, found.outer, found.sampling
    used = matrix.used
    components = make_components(found.nesting, within, structure, found.columns, effects.labels, used)
    k, p = matrix.x.shape
    if k <= p and components:
        raise DataError(
            f"{p} coefficients for {k} estimates leave nothing to estimate variances from", fix="Use fewer moderators."
        )
    y = effects.yi[used]
    unit = math.sqrt(float(sampling.variances.mean()))
    q, r = np.linalg.qr(matrix.x)
    scaled = sampling_scaled(sampling, unit)
    likelihood = Likelihood(
        make_blocks(y / unit, q, scaled, components), components, str(method).upper() == "REML", k, p
    )
    theta, at = best_maximum(likelihood, _starts(likelihood, y / unit, q))
    back = np.linalg.inv(r)
    labels = tuple(label for label, here in zip(effects.labels, used, strict=True) if here)
    structured = next((c for c in components if c.structure.size > 1 or " | " in c.name), None)
    tau2, correlation = _structure_values(structured, likelihood, theta, unit)
    parts = likelihood.split(theta)
    plain = [
        (c.name, float(part[0]) * unit**2) for c, part in zip(components, parts, strict=True) if c is not structured
    ]
    return Multilevel(
        estimates=unit * back @ at.beta,
        covariance=unit**2 * back @ at.covariance @ back.T,
        names=matrix.design.names,
        df=_degrees_of_freedom(ci, matrix.x, components),
        sigma2=np.array([value for _, value in plain]),
        sigma2_names=tuple(name for name, _ in plain),
        tau2=tau2,
        correlation=correlation,
        levels=structured.levels if structured else (),
        log_likelihood=at.value - (k - p if likelihood.restricted else k) * math.log(unit),
        k=k,
        method="REML" if likelihood.restricted else "ML",
        structure=structured.structure.name if structured else "",
        ci=ci,
        measure=effects.measure,
        level=level,
        labels=labels,
        outer=tuple(outer) if outer is not None else None,
        notes=(*matrix.dropped, *matrix.notes),
        matrix=matrix,
        sampling=sampling,
        y=y,
        likelihood=likelihood,
        theta=theta,
        at=at,
        unit=unit,
    )


def with_tests(fit: Multilevel, ci: str) -> Multilevel:
    """Return a fit with other tests and intervals of coefficients; the likelihood and its maximum are the same.

    Parameters
    ----------
    fit : Multilevel
        A fit of ``multilevel``.
    ci : {"wald", "t", "contain"}
        As in ``multilevel``.
    """
    if ci == fit.ci:
        return fit
    return replace(fit, ci=ci, df=_degrees_of_freedom(ci, fit.matrix.x, fit.likelihood.components))


def sampling_scaled(sampling: Any, unit: float) -> Any:
    """Return a sampling covariance in other units: divided by ``unit`` squared."""
    blocks = tuple((rows, matrix / unit**2) for rows, matrix in sampling.blocks)
    return type(sampling)(sampling.variances / unit**2, blocks)


def _starts(likelihood: Likelihood, y: Array, q: Array) -> list[Array]:
    """Return starting values: the excess of the variance of the residuals, in several splits over the components."""
    rest = y - q @ (q.T @ y)
    excess = max(float(rest @ rest) / max(len(y) - q.shape[1], 1) - 1.0, 0.05)
    number = len(likelihood.components)
    splits = [np.full(number, 1 / max(number, 1))]
    splits += (
        [np.where(np.arange(number) == i, 0.9, 0.1 / max(number - 1, 1)) for i in range(number)] if number > 1 else []
    )
    return [
        np.concatenate(
            [c.structure.start(size * excess * share) for c, share in zip(likelihood.components, split, strict=True)]
            or [np.empty(0)]
        )
        for split in splits
        for size in (1.0, 0.1, 5.0)
    ]


def _structure_values(
    component: Component | None, likelihood: Likelihood, theta: Array, unit: float
) -> tuple[Any, Any]:
    """Return tau2 and the correlation as a user reads them."""
    if component is None:
        return math.nan, math.nan
    part = likelihood.split(theta)[likelihood.components.index(component)]
    variances, rho = component.structure.variances(part) * unit**2, component.structure.correlations(part)
    tau2 = float(variances[0]) if len(variances) == 1 else variances
    if len(rho) <= 1:
        return tau2, float(rho[0]) if len(rho) else math.nan
    import pandas as pd

    matrix = np.eye(component.structure.size)
    matrix[np.triu_indices(len(matrix), 1)] = rho
    matrix = matrix + np.triu(matrix, 1).T
    return tau2, pd.DataFrame(matrix, index=list(component.levels), columns=list(component.levels))


def _degrees_of_freedom(ci: str, x: Array, components: Sequence[Component]) -> Array:
    k, p = x.shape
    if ci == "wald":
        return np.full(p, math.inf)
    df = np.full(p, float(k - p))
    for component in components if ci == "contain" else ():
        groups = int(component.codes.max()) + 1
        first = np.array([np.flatnonzero(component.codes == group)[0] for group in range(groups)])
        between = (x == x[first][component.codes]).all(axis=0)
        df = np.where(between, np.minimum(df, groups - int(between.sum())), df)
    return df
