"""Lines of text below a forest plot in the words of its layout: heterogeneity, the test of the overall effect, differences of groups."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.reporting.figures.alignment import written_interval
from bayesmeta.reporting.figures.named_layouts import Layout
from bayesmeta.reporting.numbers import count, is_missing, number, percent, row, typographic
from bayesmeta.results.methods import METHOD_LABELS

Row = Mapping[str, Any]
_SUBSCRIPTS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def pooled_text(pooled: Mapping[str, Row], tau: Row | None, measure: str, layout: Layout, level: float) -> str:
    """Write heterogeneity, the test of no overall effect and the posterior of tau, those that there are, on lines of their own.

    Parameters
    ----------
    pooled : mapping of str to mapping
        Rows of the pooled effect by method; heterogeneity and test are by DerSimonian-Laird.
    tau : mapping, optional
        ``median``, ``ci_low`` and ``ci_high`` of the posterior of tau, model scale.
    measure : str
        Effect measure.
    layout : Layout
        The words and the form of the numbers.
    level : float
        Level of the interval of tau.
    """
    found = pooled.get("DL", {})
    bayesian, heterogeneity = _posterior(tau, layout, level), _heterogeneity(found, layout)
    test = _overall(found, measure, layout)
    if layout.opening:
        both = [text for text in (bayesian, heterogeneity) if text]
        lines = [layout.opening + layout.joint.join(both) if both else "", test]
    else:
        lines = [heterogeneity, test, bayesian]
    return typographic("\n".join(filter(None, lines)), powers=True)


def _posterior(tau: Row | None, layout: Layout, level: float) -> str:
    if not tau:
        return ""
    median, low, high = row((tau["median"],), tau["ci_low"], tau["ci_high"], missing="NE")
    interval = written_interval(low, high, layout.between(negative=False))
    return layout.bayesian.format(median=median, interval=interval, percent=f"{100 * level:g}%")


def _heterogeneity(found: Row, layout: Layout) -> str:
    if is_missing(found.get("q_df")):
        return ""
    if not found["q_df"] > 0:
        return layout.one_study
    return layout.heterogeneity.format(
        method=METHOD_LABELS["DL"], tau2=number(found["tau2"]), i2=percent(found["i2"]), q=number(found["q"]),
        p=layout.pvalue(found["q_pvalue"]), **degrees(found["q_df"]),
    )  # fmt: skip


def _overall(found: Row, measure: str, layout: Layout) -> str:
    value, se = found.get("estimate"), found.get("se")
    if is_missing(value) or is_missing(se) or is_missing(found.get("pvalue")) or not se:
        return ""
    z = (math.log(float(found["estimate"])) if MEASURES[measure].log else float(found["estimate"])) / float(found["se"])
    written = {"z": number(z, keep=0), "absolute_z": number(abs(z), keep=0), "p": layout.pvalue(found["pvalue"])}
    return layout.overall.format(method=METHOD_LABELS["DL"], **written)


def difference_text(method: str, statistic: float, df: float, df_residual: float, pvalue: float, layout: Layout) -> str:
    """Write a test of differences between groups: chi-squared, or F where the residual degrees of freedom are finite; "" without P."""
    if is_missing(pvalue):
        return ""
    finite = not is_missing(df_residual) and math.isfinite(df_residual)
    template = layout.difference_f if finite else layout.difference
    written_df = {"df": f"{df:g} and {df_residual:.3g}"} if finite else {}
    # I2 of the groups as RevMan has it: the share of the statistic that is above its degrees of freedom
    excess = 100 * max(1 - df / statistic, 0.0) if statistic > 0 else 0.0
    numbers = degrees(df) | written_df | {"i2": percent(excess)}
    text = template.format(method=method, value=number(statistic), p=layout.pvalue(pvalue), **numbers)
    return typographic(text, powers=True)


def degrees(df: float) -> dict[str, str]:
    """Return degrees of freedom as they are written in a line and as a subscript."""
    written = count(df) if float(df).is_integer() else f"{df:g}"
    return {"df": written, "df_sub": written.translate(_SUBSCRIPTS)}
