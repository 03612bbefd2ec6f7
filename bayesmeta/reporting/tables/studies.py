"""Table of the studies of an analysis: data, effects, weights and reasons of exclusion."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bayesmeta.errors import DataError
from bayesmeta.reporting.numbers import count, estimate, is_missing, number, percent
from bayesmeta.reporting.tables.layout import NOTE
from bayesmeta.reporting.tables.results import Record, text_frame, written_estimate

if TYPE_CHECKING:
    import pandas


def _arm(row: Record, arm: str) -> str:
    """Write an arm's data: ``12/57`` events of participants, or ``10.20 (5.10), 57`` mean, SD and participants."""
    events, mean, n = (row.get(f"{name}_{arm}") for name in ("events", "mean", "n"))
    if not is_missing(events):
        return f"{count(events)}/{count(n)}"
    return "" if is_missing(mean) else f"{number(mean)} ({number(row.get(f'sd_{arm}'))}), {count(n)}"


def study_table(studies: pandas.DataFrame, *, level: float = 0.95) -> pandas.DataFrame:
    """Tabulate the studies of one analysis, including those left out, with the reason.

    Parameters
    ----------
    studies : pandas.DataFrame
        One row per study: `study`, arm data (`events_e n_e events_c n_c`, or `mean_e sd_e n_e mean_c sd_c n_c`, or
        `oe v`), `estimate ci_low ci_high` and the shrunken `theta theta_low theta_high` (both on the natural scale),
        `weight` in percent, `reason` (blank for a study that is pooled) and `note`. All but `study` may be absent.
    level : float
        Level of the intervals, for the headers.

    Returns
    -------
    pandas.DataFrame
        Text: Study, Experimental, Control, O-E, V, Estimate [95% CI], Weight, Shrunken estimate [95% CrI], Note; columns
        other than Study and the estimate only when some study has a value.

    Raises
    ------
    DataError
        When there is no column `study`.
    """
    if "study" not in studies.columns:
        raise DataError(
            "no column 'study'",
            source="studies",
            fix=f"Name the studies in a column 'study'; the columns are: {', '.join(map(str, studies.columns))}.",
        )
    estimated, shrunken = f"Estimate [{100 * level:g}% CI]", f"Shrunken estimate [{100 * level:g}% CrI]"
    rows = []
    for record in studies.to_dict("records"):
        row = {str(key): value for key, value in record.items()}
        reason, note = ("" if is_missing(row.get(name)) else str(row[name]).strip() for name in ("reason", "note"))
        rows.append(
            {
                "Study": str(row["study"]),
                "Experimental": _arm(row, "e"),
                "Control": _arm(row, "c"),
                "O-E": number(row.get("oe")),
                "V": number(row.get("v")),
                estimated: written_estimate(row),
                "Weight": percent(row.get("weight"), 1),
                shrunken: estimate(row.get("theta"), row.get("theta_low"), row.get("theta_high")),
                NOTE: ". ".join(filter(None, [f"Not pooled: {reason}" if reason else "", note])),
            }
        )
    names = ["Study", "Experimental", "Control", "O-E", "V", estimated, "Weight"]
    names += [shrunken, NOTE]
    return text_frame(rows, names, optional=set(names) - {"Study", estimated})
