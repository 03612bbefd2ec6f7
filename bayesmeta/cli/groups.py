"""Subgroups on the command line: a row per group, one for all studies, and the differences between groups."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bayesmeta.cli.model_options import columns_of_studies
from bayesmeta.cli.options import Format
from bayesmeta.cli.printing import print_frame, print_notes

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.posterior.subgroup_fits import SubgroupFits


def fit_groups(effects: Any, by: str, file: Path | None, *, common_tau: bool, drop_missing: bool, **given: Any) -> Any:
    """Fit the subgroups of --by; arguments as in ``fit_subgroups``, ``file`` that of --data."""
    from bayesmeta.posterior.fit_subgroups import fit_subgroups

    data = columns_of_studies(effects, file, drop_missing=drop_missing)
    return fit_subgroups(effects, by=by, data=data, common_tau=common_tau, drop_missing=drop_missing, **given)


def print_groups(
    found: SubgroupFits, *, level: float, scale: str, better: str | None, mid: float | None, form: Format
) -> None:
    """Print the groups, the overall result and the differences between each two groups.

    As CSV and JSON all rows are in one table, whose column ``kind`` is group, overall or difference.
    """
    groups = group_rows(found, level=level, scale=scale, better=better, mid=mid)
    differences = difference_rows(found, level=level, scale=scale, mid=mid)
    if form is not Format.table:
        import pandas as pd

        kinds = ["group"] * len(found.groups) + ["overall"] + ["difference"] * len(differences)
        every = pd.concat([groups, differences]).rename_axis("group")
        every.insert(0, "kind", kinds)
        print_frame(every, form)
        for note in found.notes:
            typer.echo(note, err=True)
        return
    print_notes(found.effects)
    overall = found.overall
    tau = "one tau" if found.common_tau else "a tau per group"
    priors = ", ".join(f"{name} ~ {text}" for name, text in overall.priors.to_dict().items())
    typer.echo(
        f"{overall.measure} by {found.by}, {tau}, {overall.data.k} studies, {overall.likelihood} likelihood, engine "
        f"{overall.engine}; {priors}"
    )
    print_frame(groups.dropna(axis="columns", how="all"), form, f"{scale} scale, {100 * level:g}% intervals")
    ratio = scale == "natural" and found.difference(*list(found.groups)[:2]).log
    print_frame(differences, form, f"Differences between groups{', as ratios of the two effects' if ratio else ''}")
    for note in (*found.notes, _test(found)):
        typer.echo(note)


def group_rows(
    found: SubgroupFits, *, level: float, scale: str, better: str | None = None, mid: float | None = None
) -> pd.DataFrame:
    """Return ``found.to_frame`` with the posterior probabilities of a benefit where its side is given."""
    from bayesmeta.engines.terms import MEAN
    from bayesmeta.posterior.bands import band_columns

    frame = found.to_frame(scale=scale, level=level)
    fits = (*found.groups.values(), found.overall)
    sides = [band_columns(one.marginal(MEAN), one.measure, better, mid) for one in fits]
    for name in sides[0]:
        frame[name] = [float(side[name][0]) for side in sides]
    return frame


def difference_rows(found: SubgroupFits, *, level: float, scale: str, mid: float | None = None) -> pd.DataFrame:
    """Return the differences between each two groups.

    Returns
    -------
    pandas.DataFrame
        Index difference; columns estimate (posterior median), sd (model scale), ci_low, ci_high, prob_below, the probability that the
        first group's effect is below the second's, and prob_beyond_mid, that the two differ by more than ``mid``.
    """
    import numpy as np
    import pandas as pd

    rows, names = [], []
    for first, second in combinations(found.groups, 2):
        difference = found.difference(first, second)
        ratio = scale == "natural" and difference.log
        names.append(f"{first} {'/' if ratio else '-'} {second}")
        middle = difference.quantile(0.5)
        low, high = difference.interval(level, scale=scale)
        row = {
            "estimate": float(np.exp(middle)) if ratio else middle, "sd": difference.sd(), "ci_low": low, "ci_high": high,
            "prob_below": difference.cdf(0.0),
        }  # fmt: skip
        rows.append(row if mid is None else {**row, "prob_beyond_mid": difference.prob_beyond(mid)})
    return pd.DataFrame(rows, index=pd.Index(names, name="difference"))


def _test(found: SubgroupFits) -> str:
    """Return the frequentist test of differences in a sentence."""
    import math

    from bayesmeta.reporting.numbers import number, pvalue

    test = found.test
    chi = math.isinf(test.q_df_residual)
    p = pvalue(test.q_pvalue)
    return (
        f"Test of differences between groups (REML): {'chi2' if chi else 'F'} = {number(test.q_between)} (df = {test.q_df}"
        f"{'' if chi else f' and {test.q_df_residual:.3g}'}, p {p if p[:1] in '<>' else f'= {p}'})."
    )
