"""Component network meta-analysis: treatments as sums of their components, also in networks that are not connected."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.frequentist.heterogeneity_regression import REGRESSION_ESTIMATORS
from bayesmeta.frequentist.weighted_regression import RegressionData
from bayesmeta.networks.contrasts import NetworkContrasts, network_contrasts
from bayesmeta.networks.frequentist.component_result import ComponentNetwork
from bayesmeta.networks.frequentist.least_squares import as_regression, whiten
from bayesmeta.networks.frequentist.methods import NETWORK_METHODS, find_method
from bayesmeta.networks.graph import network_graph
from bayesmeta.networks.network_data import by_name
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

#: singular values below this share of the largest are zeros
_ZERO = 1e-10


def component_network(
    data: Any,
    measure: str | None = None,
    *,
    separator: str = "+",
    interactions: Sequence[str] | str = (),
    inactive: str | None = None,
    method: str = "DL",
    level: float = 0.95,
    zero_cells: str = "revman",
    treatments: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    combine: bool = False,
) -> ComponentNetwork:
    """Fit an additive component network meta-analysis: the effect of a treatment is the sum of the effects of its components.

    Parameters
    ----------
    data : ArmTable, ContrastTable, NetworkContrasts, pandas.DataFrame or path
        Arms or contrasts, as in ``network_meta``; the network need not be connected.
    measure : str, optional
        As in ``network_meta``.
    separator : str
        What separates components in the names of treatments: "CBT + SSRI".
    interactions : sequence of str
        Components that have an additional effect together, such as "CBT*SSRI".
    inactive : str, optional
        Component without effect, such as "placebo". Without it the effects of all components are estimated, as far as the data tell them
        apart.
    method : {"DL", "CE", "ML", "REML", "PM", "HE"}
        As in ``network_meta``.
    level : float
        Level of all intervals, in (0, 1).
    zero_cells, treatments, columns, combine : optional
        As in ``network_meta``.

    Returns
    -------
    ComponentNetwork
        Effects that the data do not identify are NaN.

    Raises
    ------
    DataError
        If the data cannot be right.
    SpecError
        If a component or method is unknown.

    Notes
    -----
    Welton et al. (2009); Rücker, Petropoulou and Schwarzer (2020), Biometrical Journal 62:808. X = B C, with B the contrasts of
    treatments and C the components of each treatment; tau2 by the estimators of ``network_meta`` with this X.
    """
    rule = find_method(method)
    if NETWORK_METHODS[rule].counts:
        raise SpecError(f"component networks pool contrasts: choose method CE, DL, ML, REML, PM or HE, not {rule}")
    check_level(level)
    contrasts = network_contrasts(
        data, measure, zero_cells=zero_cells, treatments=treatments, columns=columns, combine=combine
    )
    names, matrix = component_matrix(contrasts.treatments, separator, interactions, inactive)
    return _fit(contrasts, names, matrix, rule, inactive, level)


def component_matrix(
    treatments: Sequence[str], separator: str, interactions: Sequence[str] | str = (), inactive: str | None = None
) -> tuple[tuple[str, ...], Array]:
    """Return the components of treatments and which treatment has which, shape (T, c); interactions are further columns.

    Raises
    ------
    SpecError
        If an interaction or the inactive component names something that no treatment contains.
    """
    if not isinstance(separator, str) or not separator:
        raise SpecError(f"separator should be the text between components, such as '+', but is {separator!r}")
    parts = [tuple(part.strip() for part in name.split(separator)) for name in treatments]
    found = sorted({part for one in parts for part in one if part}, key=by_name)
    if inactive is not None and inactive not in found:
        raise unknown_name("component", inactive, found)
    names = [name for name in found if name != inactive]
    columns = [[float(name in one) for one in parts] for name in names]
    for text in [interactions] if isinstance(interactions, str) else interactions:
        together = [part.strip() for part in str(text).replace(separator, "*").split("*")]
        for part in together:
            if part not in names:
                raise unknown_name(f"component of the interaction '{text}':", part, names)
        if len(together) < 2:
            raise SpecError(f"an interaction is of two components or more, such as 'A*B'; got '{text}'")
        column = [float(set(together) <= set(one)) for one in parts]
        if not any(column):
            raise SpecError(f"no treatment has the components of the interaction '{text}' together")
        names.append("*".join(together))
        columns.append(column)
    return tuple(names), np.array(columns).T.reshape(len(treatments), len(names))


def _fit(
    contrasts: NetworkContrasts, names: tuple[str, ...], matrix: Array, method: str, inactive: str | None, level: float
) -> ComponentNetwork:
    whitened = whiten(contrasts)
    x = contrasts.incidence @ matrix
    left, values, right = np.linalg.svd(whitened.apply(x), full_matrices=False)
    rank = int((values > _ZERO * max(float(values[0]), 1e-300)).sum()) if len(values) else 0
    if rank == 0:
        raise DataError(
            "no study compares treatments that differ in their components",
            source=contrasts.source,
            fix="Check the separator and the inactive component.",
        )
    data = RegressionData(whitened.apply(contrasts.y), whitened.variances, left[:, :rank], np.eye(rank))
    estimator = NETWORK_METHODS[method].estimator
    tau2, tau2_se = 0.0, math.nan
    if estimator is not None and data.df > 0:
        tau2, tau2_se = REGRESSION_ESTIMATORS[estimator](data)
    fit = data.fit(tau2)
    back = right[:rank].T / values[:rank]
    standard, standard_df = math.nan, 0
    if len(network_graph(contrasts).components) == 1:
        plain = as_regression(whitened, contrasts.y, contrasts.design())
        standard, standard_df = plain.fit(0.0).rss, plain.df
    notes = []
    if (matrix.sum(axis=1) <= 1).all():
        notes.append("no treatment has several components: check the separator")
    missing = outside(right[:rank])
    if missing.any():
        unknown = ", ".join(name for name, out in zip(names, missing, strict=True) if out)
        notes.append(
            f"the data do not identify the effects of {unknown}: state the component without effect (inactive)"
        )
    return ComponentNetwork(
        contrasts=contrasts,
        names=names,
        matrix=matrix,
        estimates=back @ fit.gamma,
        covariance=back @ fit.inverse @ back.T,
        space=right[:rank],
        inactive=inactive,
        tau2=float(tau2),
        tau2_se=float(tau2_se),
        q=data.fit(0.0).rss,
        q_df=data.df,
        q_standard=standard,
        q_standard_df=standard_df,
        method=method,
        level=level,
        notes=(*contrasts.notes, *notes),
    )


def row_space(columns: Array) -> Array:
    """Return an orthonormal basis, shape (rank, c), of the combinations of coefficients that a design matrix, shape (m, c), identifies."""
    _, values, right = np.linalg.svd(columns, full_matrices=False)
    found: Array = right[values > _ZERO * max(float(values.max(initial=0.0)), 1e-300)]
    return found


def outside(space: Array) -> Array:
    """Return which coefficients are not identified, bool of shape (c,), from ``row_space``."""
    found: Array = np.abs(np.eye(space.shape[1]) - space.T @ space).max(axis=1) > _ZERO**0.8
    return found
