"""What is looked at after a meta-regression: R2, variance inflation, influence of each study, study effects, permutation test."""

from __future__ import annotations

import math
import reprlib
from collections.abc import Iterator, Sequence
from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.design_checks import dependent_columns
from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.errors import ConvergenceError, DataError, SpecError
from bayesmeta.frequentist.names import find_records
from bayesmeta.frequentist.regression_core import Estimated, estimate_regression
from bayesmeta.frequentist.wald import quantile, wald_test
from bayesmeta.frequentist.weighted_regression import RegressionData, regression_data
from bayesmeta.support.arguments import check_seed, check_whole
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.frequentist.regression_result import Regression


def r_squared(fit: Regression) -> float:
    """Return the heterogeneity accounted for, in percent; see ``Regression.r2``."""
    data = fit.data
    ones = np.ones((data.k, 1))
    outside = ones[:, 0] - data.q @ (data.q.T @ ones[:, 0])
    if float(outside @ outside) > 1e-16 * data.k or data.p == 1:
        return math.nan
    null = regression_data(data.y, data.v, ones)
    rule, interval, _ = find_records(fit.method, "wald", "auto", fit.level)
    if fit.common:
        total, rest = null.fit(0.0).rss, data.fit(0.0).rss
        share = 1 - (rest / data.df) / (total / null.df) if data.df > 0 and total > 0 else math.nan
        return 100 * max(0.0, share)
    tau2 = estimate_regression(null, rule, interval).tau2
    return 100 * max(0.0, 1 - fit.tau2 / tau2) if tau2 > 0 else 0.0


def cluster_labels(cluster: Sequence[Any], used: Array) -> list[Any]:
    """Return the cluster of each used estimate, from one label per row of the data or per used estimate.

    Raises
    ------
    DataError
        If there are more or fewer labels.
    SpecError
        If it is a text or one value.
    """
    if isinstance(cluster, str):
        raise SpecError(
            f"cluster should be one label per estimate, such as data[{cluster!r}], but is the text {cluster!r}"
        )
    try:
        labels = list(cluster)
    except TypeError:
        raise SpecError(f"cluster should be one label per estimate, but is {reprlib.repr(cluster)}") from None
    if len(labels) == len(used):
        return [label for label, here in zip(labels, used, strict=True) if here]
    if len(labels) != int(used.sum()):
        raise DataError(
            f"cluster has {len(labels)} labels for {int(used.sum())} estimates", fix="Give one per estimate."
        )
    return labels


def variance_inflation(fit: Regression) -> pd.Series:
    """Return how much the variance of each coefficient is larger than without correlation between them, the intercept left out."""
    import pandas as pd

    columns = [i for term in fit.matrix.terms if term.factors for i in term.columns]
    covariance = fit.covariance[np.ix_(columns, columns)]
    factors = np.diagonal(np.linalg.inv(covariance)) * np.diagonal(covariance)
    return pd.Series(factors, index=pd.Index([fit.names[i] for i in columns], name="term"), name="vif")


def _estimate(fit: Regression, data: RegressionData) -> Estimated:
    rule, interval, _ = find_records(fit.method, fit.ci, "auto", fit.level)
    return estimate_regression(data, rule, interval)


def influence(fit: Regression) -> pd.DataFrame:
    """Return fitted values, leverage, externally standardized residuals and Cook's distances (Viechtbauer and Cheung 2010).

    The model is fitted again without each study; NaN where the others do not determine the coefficients. As in metafor, the factor of
    Knapp and Hartung is one on the whole variance of a residual.
    """
    import pandas as pd

    data, x = fit.data, fit.matrix.x
    full = data.fit(fit.tau2)
    rows: list[list[float]] = []
    precision = np.linalg.inv(fit.covariance)
    for i in range(data.k):
        rest = np.arange(data.k) != i
        if data.df < 2 or dependent_columns(x[rest]):
            rows.append([math.nan] * 4)
            continue
        without = _estimate(fit, regression_data(data.y[rest], data.v[rest], x[rest]))
        residual = data.y[i] - x[i] @ without.estimates
        se = math.sqrt(without.hk_factor * (data.v[i] + without.tau2) + x[i] @ without.covariance @ x[i])
        change = fit.estimates - without.estimates
        rows.append([residual, se, residual / se, change @ precision @ change])
    left_out = np.array(rows)
    hat = full.w * ((data.q @ full.inverse) * data.q).sum(axis=1)
    columns = {
        "fitted": x @ fit.estimates,
        "hat": hat,
        "residual": left_out[:, 0],
        "se": left_out[:, 1],
        "rstudent": left_out[:, 2],
        "cooks_distance": left_out[:, 3],
    }
    return pd.DataFrame(columns, index=pd.Index(fit.labels, name="study"))


def blup(fit: Regression) -> pd.DataFrame:
    """Return the effect in each study, its estimate shrunken towards the regression (Raudenbush and Bryk 1985)."""
    import pandas as pd

    data, x = fit.data, fit.matrix.x
    weight = fit.tau2 / (fit.tau2 + data.v)
    estimate = weight * data.y + (1 - weight) * (x @ fit.estimates)
    variance = weight * data.v + (1 - weight) ** 2 * ((x @ fit.covariance) * x).sum(axis=1)
    half = quantile(fit.level, fit.df) * np.sqrt(variance)
    columns = {
        "estimate": estimate,
        "se": np.sqrt(variance),
        "pi_low": estimate - half,
        "pi_high": estimate + half,
    }
    return pd.DataFrame(columns, index=pd.Index(fit.labels, name="study"))


def permutation_test(fit: Regression, iterations: int, seed: int) -> pd.DataFrame:
    """Return permutation p values: moderators are assigned to the studies at random, and the model refitted (Higgins and Thompson 2004).

    Without moderators the signs of the estimates are random (Follmann and Proschan 1999).

    Parameters
    ----------
    fit : Regression
        Model with moderators, or with an intercept alone.
    iterations : int
        Number of random permutations; if there are no more than that, all of them are taken and the test is exact.
    seed : int
        Seed of the random permutations.

    Returns
    -------
    pandas.DataFrame
        Index: the coefficients and, with moderators, "moderators", the omnibus test; columns statistic, pvalue.

    Raises
    ------
    SpecError
        For a model whose only column varies between studies, or for fewer than 1 iteration.
    """
    import pandas as pd

    check_seed(seed)
    tested = [i for term in fit.matrix.terms if term.factors for i in term.columns]
    check_whole(iterations, "iterations")
    if not tested and list(fit.names) != [INTERCEPT]:
        raise SpecError("a permutation test needs a moderator, or an intercept alone")
    data, contrast = fit.data, np.eye(len(fit.names))[tested]

    def statistics(core: Estimated) -> Array:
        z = np.abs(core.estimates) / np.sqrt(np.diagonal(core.covariance))
        if not tested:
            return z
        return np.append(z, wald_test(contrast, core.estimates, core.covariance, core.df).statistic)

    observed = statistics(_estimate(fit, data))
    permuted, exact = _permuted(data, iterations, np.random.default_rng(seed), signs=not tested)
    # the order observed is one of the random ones
    counts, total = np.full(len(observed), 0 if exact else 1), 0 if exact else 1
    for one in permuted:
        try:
            found = statistics(_estimate(fit, one))
        except ConvergenceError:
            continue
        counts, total = counts + (found >= observed * (1 - 1e-9)), total + 1
    signed = np.append(np.sign(fit.estimates), [1.0] * bool(tested)) * observed
    index = pd.Index([*fit.names, *["moderators"] * bool(tested)], name="term")
    return pd.DataFrame({"statistic": signed, "pvalue": counts / total}, index=index)


def _permuted(
    data: RegressionData, iterations: int, generator: np.random.Generator, *, signs: bool
) -> tuple[Iterator[RegressionData], bool]:
    """Return the permuted data, all of them if there are no more than ``iterations``, and whether these are all."""
    if signs:
        exact = data.k <= math.log2(iterations)
        changes = product((1.0, -1.0), repeat=data.k) if exact else _random_signs(data.k, iterations - 1, generator)
        return (RegressionData(data.y * np.array(change), data.v, data.q, data.r) for change in changes), exact
    exact = data.k <= 10 and math.factorial(data.k) <= iterations
    orders = permutations(range(data.k)) if exact else (generator.permutation(data.k) for _ in range(iterations - 1))
    return (RegressionData(data.y, data.v, data.q[list(order)], data.r) for order in orders), exact


def _random_signs(k: int, times: int, generator: np.random.Generator) -> Iterator[Array]:
    return (generator.choice((1.0, -1.0), k) for _ in range(times))
