"""Tables of a calibration study as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesmeta.reporting.numbers import number
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reporting.tables.markdown import to_markdown

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import pandas as pd

_TERMS = {"mu": "mu", "tau": "tau", "theta_1": "theta 1", "theta_new": "theta new"}


def coverage_report(frame: pd.DataFrame) -> str:
    """Return the coverage study as Markdown: one table per kind of events and tau, one row per method.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of ``bayesmeta.calibration.coverage`` for all cells.

    Returns
    -------
    str
        Markdown, with an explanation before the tables.
    """
    parts = [_preamble(frame)]
    for (events, tau), block in frame.groupby(["events", "tau"], sort=False):
        mu = block["mu"].iloc[0]
        title = f"{str(events).capitalize()}, tau = {tau:g}, log risk ratio {mu:g}"
        parts.append(to_markdown(_many_k(title, block) if block["k"].nunique() > 1 else _one_k(title, block)))
    return "\n".join(parts)


def _preamble(frame: pd.DataFrame) -> str:
    reviews = sorted({int(count) for count in frame["reviews"]})
    # the first reviews may by chance be biased in one direction, for every method applied to them
    fewer = f""", but for rows that see the first {reviews[0]} of them
only, whose bias is not to be set against that of another row"""
    fewer = fewer if len(reviews) > 1 else ""
    most, bias = 100 * frame["coverage_se"].max(), frame["bias_se"].max()
    return f"""# Calibration: bias, coverage and width of every interval

Reviews of two-arm trials with counts: log risk ratios theta_i ~ N(mu, tau^2), control risks uniform on the logit from 5% to
20% ("common") or 0.5% to 2% ("rare") in control arms of 50 to 500; and 40 trials with risks of 0.2% to 1% ("very rare") in
control arms of 50 to 2000, with equal arms or two in the experimental arm for each one in the control arm. All methods see
the same {max(reviews)} reviews{fewer}.
The largest Monte Carlo standard error of a coverage is {most:.1f} percentage points, and that of a bias {bias:.3f}.

Methods named after an estimator of tau2 pool log risk ratios with 0.5 added to the cells of a study that has an empty one, leave
out studies without events (RevMan's rule), and have Wald intervals unless their names say otherwise; "Bayes normal" sees the
same numbers. MH and Peto add nothing; they average ratios, and the log of a mean ratio exceeds mu, by up to about tau^2/2.
"Bayes binomial" models the counts and keeps every study; "flatter" has Normal(0, 100) in place of Normal(0, 10) as the prior of
the baselines (the logit of the larger risk). Bayesian rows are posterior medians and equal-tailed intervals with
mu ~ Normal(0, 2.82) and tau ~ HalfNormal(0.5) or, where they say "Turner", the predictive distribution of Turner et al. (2015)
over all outcomes. "PI" is the probability that the effect in a new trial lies in the 95%
prediction interval. Bias and width are on the log scale; widths are medians. An asterisk marks a coverage more than three
standard errors from 95%.
"""


def _many_k(title: str, block: pd.DataFrame) -> Table:
    numbers = sorted(block["k"].unique())
    header = [
        "Method",
        *(f"k = {k}: coverage (width)" for k in numbers),
        *(f"k = {k}: bias (RMSE)" for k in numbers[1::3]),
    ]
    header += [f"k = {k}: PI" for k in numbers[1:]] + [f"Estimable, k = {numbers[0]}"]
    rows = []
    for method, found in block.groupby("method", sort=False):
        at = {row["k"]: row for row in found.to_dict("records")}
        cells = [f"{_coverage(at[k])} ({number(at[k]['width'], 2)})" for k in numbers]
        cells += [f"{number(at[k]['bias'], 3)} ({number(at[k]['rmse'], 2)})" for k in numbers[1::3]]
        cells += [_percent(at[k]["prediction"]) for k in numbers[1:]] + [_percent(at[numbers[0]]["estimable"])]
        rows.append([str(method), *cells])
    return _table(title, header, rows)


def _one_k(title: str, block: pd.DataFrame) -> Table:
    header = [
        "Method",
        "Bias",
        "SE of bias",
        "RMSE",
        "Coverage",
        "Wholly below",
        "Wholly above",
        "Width",
        "PI",
        "Reviews",
        "Estimable",
    ]
    rows = [
        [
            str(row["method"]), number(row["bias"], 3), number(row["bias_se"], 3), number(row["rmse"], 3), _coverage(row),
            _percent(row["below"]), _percent(row["above"]), number(row["width"], 2), _percent(row["prediction"]),
            f"{row['reviews']:.0f}", _percent(row["estimable"]),
        ]
        for row in block.to_dict("records")
    ]  # fmt: skip
    return _table(title, header, rows)


def _coverage(row: Mapping[Hashable, Any]) -> str:
    far = abs(row["coverage"] - 0.95) > 3 * (0.95 * 0.05 / max(row["reviews"] * row["estimable"], 1)) ** 0.5
    return _percent(row["coverage"]) + ("*" if far else "")


def _percent(share: float) -> str:
    return number(100 * share, 1)


def _table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    import pandas as pd

    return Table(pd.DataFrame(rows, columns=list(header)), title)


def rank_report(frame: pd.DataFrame) -> str:
    """Return the tests of the ranks as Markdown.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of ``bayesmeta.calibration.ranks.rank_table``.

    Returns
    -------
    str
        Markdown, with an explanation before the table.
    """
    header = [
        "Model",
        "Engine",
        "Term",
        "Reviews",
        "Not converged",
        "Chi-squared, 19 df",
        "Its p",
        "Largest distance",
        "Its p value",
        "Leaves the 95% band",
    ]
    rows = [
        [
            row["likelihood"].replace("_", " "), row["engine"], _TERMS.get(row["term"], row["term"].replace("_", " ")),
            str(row["reviews"]), str(row["failed"]),
            number(row["chi2"], 1),
            number(row["chi2_pvalue"], 3), number(row["deviation"], 4), number(row["deviation_pvalue"], 3),
            "no" if row["outside_band"] == 0 else f"by {row['outside_band']:.4f}",
        ]
        for row in frame.to_dict("records")
    ]  # fmt: skip
    text = """# Simulation-based calibration

Reviews with parameters, study effects, baseline risks and data drawn from the model (Talts et al. 2018). If a
posterior is right, the truth's place in it is uniform: its distribution function at the truth for quadrature, its rank among 99
thinned draws for NUTS. Uniformity is tested by chi-squared on 20 bins, by the largest distance of the empirical distribution
function from the diagonal, and by whether that function leaves its simultaneous 95% band (Säilynoja, Bürkner and Vehtari 2022),
as one in twenty does.

"""
    return text + to_markdown(_table("Are the ranks uniform?", header, rows))
