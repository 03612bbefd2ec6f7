"""The risk ratios of one multinomial model beside those of separate meta-analyses, one per category."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.errors import BayesmetaError
from bayesmeta.posterior.fit import fit
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.categories.result import CategoryFit

#: why the two differ
WHY_THEY_DIFFER = (
    "The risk ratios of one model come from one distribution over the categories: the risks sum to 1, what is gained in one category "
    "is lost in others, and all share one tau and the indirect evidence. Separate risk ratios take each category by itself, with priors of "
    "its own, from the trials that compare the two treatments directly."
)
WHY_ORDERED_DIFFER = (
    "The risk ratios of ordered categories come from one latent variable, which a treatment moves by one amount: the numbers of all "
    "categories determine the risk ratio of each, and all share one tau and the indirect evidence. If the treatment in truth moves some "
    "categories more than others, these risk ratios are biased and the separate ones are not."
)


def separate_ratios(fitted: CategoryFit, level: float = 0.95) -> pd.DataFrame:
    """Compare the coherent risk ratios with those of a pairwise meta-analysis of each category, with the binomial likelihood.

    Parameters
    ----------
    fitted : CategoryFit
        The fit.
    level : float
        Level of the intervals.

    Returns
    -------
    pandas.DataFrame
        One row per treatment against the reference, or the reference against it, and term: ``rr``, ``rr_low``, ``rr_high`` of the one
        model; ``separate``, ``separate_low``, ``separate_high`` of the separate ones; ``k``, trials that compare the two directly and
        reported the term; ``note`` says why there is no separate one,
        or that nobody was in the category. ``attrs["why"]`` says why they differ.
    """
    import pandas as pd

    summary = fitted.summary(level=level)
    ratios = summary[(summary["measure"] == "RR") & (summary["given"] == "")]
    rows: list[dict[str, Any]] = []
    for row in ratios.to_dict("records"):
        found = {"treatment": row["treatment"], "reference": fitted.reference, "term": row["term"]}
        found |= {"rr": row["estimate"], "rr_low": row["ci_low"], "rr_high": row["ci_high"]}
        rows.append(found | _separate(fitted, row["treatment"], row["term"], level))
    frame = pd.DataFrame(rows)
    frame.attrs["why"] = WHY_ORDERED_DIFFER if fitted.link else WHY_THEY_DIFFER
    return frame


def cell_mask(fitted: CategoryFit, term: str) -> Array:
    """Return which cells a term counts, bool of shape (B * C,)."""
    table = fitted.table
    if term in table.cell_names:
        return np.array([name == term for name in table.cell_names])
    return np.tile([name == term for name in table.categories], table.shape[0])


def _separate(fitted: CategoryFit, treatment: str, term: str, level: float) -> dict[str, Any]:
    """Return the separate risk ratio of one term."""
    import pandas as pd

    table, mask = fitted.table, cell_mask(fitted, term)
    events: dict[tuple[str, str], tuple[float, float]] = {}
    for i, key in enumerate(zip(table.studies, table.treatments, strict=True)):
        own = table.arm == i
        inside, outside = (table.cells[own] & mask).any(axis=1), (table.cells[own] & ~mask).any(axis=1)
        if not (inside & outside).any():
            events[key] = float(table.counts[own][inside].sum()), float(table.n[i])
    studies = [
        name
        for name in dict.fromkeys(table.studies)
        if (name, treatment) in events and (name, fitted.reference) in events
    ]
    nan = float("nan")
    found: dict[str, Any] = {"separate": nan, "separate_low": nan, "separate_high": nan, "k": len(studies), "note": ""}
    if not studies:
        return found | {"note": f"no trial compares {treatment} with {fitted.reference} and reports it"}
    frame = pd.DataFrame(
        [(name, *events[name, treatment], *events[name, fitted.reference]) for name in studies],
        columns=["study", "events_e", "n_e", "events_c", "n_c"],
    )
    if not frame[["events_e", "events_c"]].to_numpy().any():
        found["note"] = "nobody in these trials was in it: the risk ratios are those of the priors"
    try:
        posterior = fit(frame, measure="RR", likelihood="binomial", engine="quadrature")
    except BayesmetaError as error:
        return found | {"note": " ".join(str(error).split())}
    tail = 0.5 - 0.5 * level
    low, middle, high = np.exp(posterior.quantile("mu", np.array([tail, 0.5, 1 - tail])))
    return found | {"separate": float(middle), "separate_low": float(low), "separate_high": float(high)}
