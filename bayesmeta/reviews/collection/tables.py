"""Tables of the summary of a collection, and the folder of its tables and figure."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.reporting.numbers import count, interval, percent, significant
from bayesmeta.reporting.tables import write as tables
from bayesmeta.reporting.tables.csv import frame_without_formulas
from bayesmeta.reporting.tables.layout import Table
from bayesmeta.reviews.collection.counts import COLUMNS, METHODS, QUANTILES, CorpusSummary
from bayesmeta.reviews.collection.prior import CorpusPrior

if TYPE_CHECKING:
    import pandas as pd

_INTERVALS = (
    "Intervals at the level of the review (95% unless it says otherwise); no effect is 1 for ratios, 0 for differences; analyses of two "
    "studies or more."
)
_SCALE = "tau on the model scale (log for ratios): estimates, and of Bayesian methods posterior medians; analyses of two studies or more."


def corpus_tables(summary: CorpusSummary, prior: CorpusPrior | None = None) -> dict[str, Table]:
    """Return a summary as publication tables: sizes, tau, agreement, concordance, and the prior if there is one.

    Parameters
    ----------
    summary : CorpusSummary
        Result of ``corpus_summary``.
    prior : CorpusPrior, optional
        Result of ``corpus_prior``.

    Returns
    -------
    dict of str to Table
        Tables that have a row, by name.
    """
    import pandas as pd

    levels = [f"{100 * level:g}%" for level in QUANTILES]

    def quantiles(row: pd.Series) -> dict[str, str]:
        return {level: significant(row[name], 2) for level, name in zip(levels, COLUMNS, strict=True)}

    sizes = [
        {
            "Measure": row["measure"], "Analyses": count(row["analyses"]), "Of one study": count(row["one_study"]),
            "Of several": count(row["several"]),
            **{level: f"{row[name]:.3g}" for level, name in zip(levels, COLUMNS, strict=True) if row["several"]},
        }
        for _, row in summary.sizes.iterrows()
    ]  # fmt: skip
    taus = [
        {
            "Measure": row["measure"], "Outcome": row["outcome"], "Method": METHODS[row["method"]],
            "Analyses": count(row["analyses"]), **quantiles(row),
            "tau = 0": percent(100 * row["zero"], 0) if row["method"] in ("dl", "reml") else "",
        }
        for _, row in summary.tau.iterrows()
    ]  # fmt: skip
    agreement = [
        {
            "Measure": row["measure"], "Method": METHODS[row["method"]], "Analyses": count(row["analyses"]),
            "Exclude no effect": count(row["excluding"]), "Share": percent(100 * row["share"], 1),
        }
        for _, row in summary.agreement.iterrows()
    ]  # fmt: skip
    concordance = [
        {
            "Measure": row["measure"], "First method": METHODS[row["first"]], "Second method": METHODS[row["second"]],
            "Analyses": count(row["analyses"]), "Both": count(row["both"]), "Only first": count(row["only_first"]),
            "Only second": count(row["only_second"]), "Neither": count(row["neither"]),
            "Width, second/first": significant(row["width_ratio"], 3),
        }
        for _, row in summary.concordance.iterrows()
    ]  # fmt: skip
    made = {
        "sizes": (
            sizes,
            "Analyses and their numbers of studies",
            ("Quantiles of the number of studies of those of several.",),
        ),
        "tau": (taus, "Heterogeneity by measure and outcome: quantiles of tau", (_SCALE,)),
        "agreement": (agreement, "How often the interval excludes no effect", (_INTERVALS,)),
        "concordance": (
            concordance,
            "Agreement of methods: intervals that exclude no effect",
            (_INTERVALS, "Width, second/first: median ratio of the widths of the intervals on the model scale."),
        ),
    }
    found = {
        name: Table(pd.DataFrame(rows).fillna(""), caption, notes, "Measure" if name != "sizes" else None)
        for name, (rows, caption, notes) in made.items()
        if rows
    }
    return found | ({"prior": prior_table(prior)} if prior is not None and prior.models else {})


def prior_table(prior: CorpusPrior) -> Table:
    """Return the priors of a collection as a publication table."""
    import pandas as pd

    rows = [
        {
            "Measure": row["measure"], "Analyses": count(row["analyses"]), "Studies": count(row["studies"]),
            "m [95% CrI]": f"{significant(row['m'], 3)} {interval(row['m_low'], row['m_high'])}",
            "s [95% CrI]": f"{significant(row['s'], 3)} {interval(row['s_low'], row['s_high'])}",
            "Prior of tau2": f"LogNormal({significant(row['meanlog'], 3)}, {significant(row['sdlog'], 3)})",
            "Median tau [95%]": f"{significant(row['tau_median'], 2)} {interval(row['tau_low'], row['tau_high'])}",
        }
        for _, row in prior.to_frame().iterrows()
    ]  # fmt: skip
    notes = (
        "Hierarchical model with normal likelihoods: log tau2 of each analysis ~ Normal(m, s); m ~ Normal(-3, 3), s ~ HalfNormal(2); model "
        "scale (log for ratios). Prior of tau2: for a new analysis, the log-normal with the mean and variance of the predictive "
        "distribution of log tau2. Analyses count as independent, also those that share studies.",
        *(f"{measure}: no prior: {why}." for measure, why in prior.left_out.items()),
    )
    return Table(pd.DataFrame(rows), "Heterogeneity in a new meta-analysis", notes)


def write_corpus(out: str | os.PathLike[str], summary: CorpusSummary, prior: CorpusPrior | None = None) -> list[Path]:
    """Write a summary's tables (CSV and Markdown), its analyses at full precision, and the figure (PNG and SVG) into a folder.

    Parameters
    ----------
    out : path-like
        The folder.
    summary : CorpusSummary
        Result of ``corpus_summary``.
    prior : CorpusPrior, optional
        Result of ``corpus_prior``.

    Returns
    -------
    list of pathlib.Path
        The files.

    Raises
    ------
    DataError
        If a file cannot be written.
    """
    from bayesmeta.reporting.figures import save as plots
    from bayesmeta.reviews.collection.figures import corpus_figure
    from bayesmeta.support.files import write_text

    out = Path(out)
    text = frame_without_formulas(summary.analyses).to_csv(index=False, float_format="%.10g", lineterminator="\n")
    written = [write_text(out / "analyses.csv", text)]
    for name, table in corpus_tables(summary, prior).items():
        written += tables.write(table, out / name, ("csv", "md"))
    return [*written, *plots.save(corpus_figure(summary, prior), out / "corpus", ("png", "svg"))]
