"""Wald tests and intervals of coefficients, normal or t, and frames of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import chdtrc, fdtrc, ndtr, ndtri, stdtr, stdtrit

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class WaldTest:
    """Test that linear combinations of coefficients are zero.

    Parameters
    ----------
    statistic : float
        Chi-squared, or F where ``df_residual`` is finite.
    df : int
        Number of combinations tested.
    df_residual : float
        Denominator degrees of freedom of F; infinite for chi-squared.
    pvalue : float
        P value.
    tested : tuple of str
        Coefficients, or combinations, that were tested.
    """

    statistic: float
    df: int
    df_residual: float
    pvalue: float
    tested: tuple[str, ...]


def quantile(level: float, df: Array | float) -> Any:
    """Return the upper quantile of a two-sided interval: normal where df is infinite, else t; NaN for df of 0 or less."""
    upper = (1 + level) / 2
    if isinstance(df, float | int):
        return float(ndtri(upper) if math.isinf(df) else stdtrit(df, upper)) if df > 0 else math.nan
    with np.errstate(invalid="ignore"):
        finite = np.where(np.isfinite(df) & (df > 0), df, np.nan)
        return np.where(np.isposinf(df), ndtri(upper), stdtrit(finite, upper))


def two_sided(statistic: Array, df: Array) -> Array:
    """Return two-sided p values of z, or of t where df is finite."""
    finite = np.where(np.isfinite(df) & (df > 0), df, np.nan)
    return 2 * np.where(np.isposinf(df), ndtr(-np.abs(statistic)), stdtr(finite, -np.abs(statistic)))


def coefficient_frame(
    names: Sequence[str], estimate: Array, se: Array, df: Array | float, level: float
) -> pd.DataFrame:
    """Return a frame of coefficients with their tests and intervals.

    Parameters
    ----------
    names : sequence of str
        Index, named "term".
    estimate, se : numpy.ndarray, shape (p,)
        Estimates and standard errors, model scale.
    df : numpy.ndarray, shape (p,), or float
        Degrees of freedom of t; infinite for z.
    level : float
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        Columns estimate, se, statistic, df, pvalue, ci_low, ci_high.
    """
    import pandas as pd

    df = np.broadcast_to(np.asarray(df, dtype=float), estimate.shape)
    half = quantile(level, df) * se
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / se
    columns = {
        "estimate": estimate,
        "se": se,
        "statistic": statistic,
        "df": df,
        "pvalue": two_sided(statistic, df),
        "ci_low": estimate - half,
        "ci_high": estimate + half,
    }
    return pd.DataFrame(columns, index=pd.Index(list(names), name="term"))


def wald_test(
    contrast: Array, estimate: Array, covariance: Array, df_residual: float, tested: Sequence[str] = ()
) -> WaldTest:
    """Test that L b = 0.

    Parameters
    ----------
    contrast : numpy.ndarray, shape (m, p)
        L, of rank m.
    estimate : numpy.ndarray, shape (p,)
        Coefficients b.
    covariance : numpy.ndarray, shape (p, p)
        Their covariance.
    df_residual : float
        Denominator degrees of freedom of F; infinite for a chi-squared test.
    tested : sequence of str
        Names, for the result.
    """
    m = len(contrast)
    value = contrast @ estimate
    statistic = float(value @ np.linalg.solve(contrast @ covariance @ contrast.T, value))
    if math.isinf(df_residual):
        return WaldTest(statistic, m, df_residual, float(chdtrc(m, statistic)), tuple(tested))
    statistic /= m
    pvalue = float(fdtrc(m, df_residual, statistic)) if df_residual > 0 else math.nan
    return WaldTest(statistic, m, df_residual, pvalue, tuple(tested))


def contrast_matrix(what: Any, names: Sequence[str], terms: Sequence[Any]) -> tuple[Array, tuple[str, ...]]:
    """Return the matrix L of a test, and the names of what it tests.

    Parameters
    ----------
    what : str, sequence of str, or array_like of shape (m, p) or (p,)
        Names of terms or coefficients, or L itself.
    names : sequence of str
        Names of the coefficients.
    terms : sequence of Term
        Terms of the formula; a term tests all of its coefficients.

    Raises
    ------
    SpecError
        If a name is unknown, or L has the wrong shape or not full rank.
    """
    p = len(names)
    try:
        listed = [what] if isinstance(what, str) else list(what)
        if isinstance(what, dict):
            raise TypeError
    except TypeError:
        raise SpecError(
            f"a test takes names of terms or coefficients ({', '.join(names)}), or a matrix of linear combinations, but got {what!r}"
        ) from None
    if listed and all(isinstance(one, str) for one in listed):
        columns = {term.name: term.columns for term in terms} | {name: (i,) for i, name in enumerate(names)}
        found: list[int] = []
        for one in listed:
            if one not in columns:
                raise unknown_name("coefficient or term", one, columns)
            found += [i for i in columns[one] if i not in found]
        return np.eye(p)[found], tuple(names[i] for i in found)
    try:
        matrix = np.atleast_2d(np.asarray(what, dtype=float))
    except (TypeError, ValueError):
        matrix = np.empty((0, 0))
    if matrix.ndim != 2 or matrix.shape[1] != p or np.linalg.matrix_rank(matrix) < len(matrix):
        raise SpecError(
            f"a test of linear combinations needs a matrix with {p} columns, one per coefficient ({', '.join(names)}), and rows that "
            "are not combinations of one another"
        )
    rows = tuple(" ".join(f"{w:+g} {n}" for w, n in zip(row, names, strict=True) if w) for row in matrix)
    return matrix, rows
