"""Published heterogeneity priors: Turner et al. 2015 for log odds ratios, Rhodes et al. 2015 for SMDs."""

from __future__ import annotations

import csv
from collections.abc import Callable
from functools import cache
from importlib.resources import files

from bayesmeta.distributions import Prior
from bayesmeta.errors import unknown_name


@cache
def _empirical_rows(file: str) -> tuple[dict[str, str], ...]:
    with (files("bayesmeta") / "data" / file).open(encoding="utf-8") as handle:
        return tuple(csv.DictReader(handle))


def empirical_entries(name: str) -> tuple[dict[str, str], ...]:
    """List the rows of ``turner2015`` or ``rhodes2015``, as text, keyed by column.

    Raises
    ------
    SpecError
        If there is no such table.
    """
    if name not in EMPIRICAL:
        raise unknown_name("empirical prior", name, EMPIRICAL)
    return _empirical_rows(EMPIRICAL[name][0])


def _find_entry(name: str, wanted: dict[str, str]) -> dict[str, str]:
    rows = list(empirical_entries(name))
    for column, value in wanted.items():
        kept = [row for row in rows if row[column].lower() == value.lower()]
        if not kept:
            raise unknown_name(f"{column} in {name}", value, dict.fromkeys(row[column] for row in rows))
        rows = kept
    return rows[0]


def turner2015(outcome: str, comparison: str) -> Prior:
    """Heterogeneity prior for the log odds ratio (Turner et al. 2015, Stat Med 34:984-998, table IV).

    Parameters
    ----------
    outcome, comparison : str
        A row of the table, as ``bayesmeta priors turner2015`` lists them.

    Returns
    -------
    Prior
        On tau (log odds ratio scale): log tau2 ~ Normal(m, s), so tau ~ LogNormal(m/2, s/2).
    """
    row = _find_entry("turner2015", {"outcome": outcome, "comparison": comparison})
    location, scale = float(row["mu_log_tau2"]), float(row["sigma_log_tau2"])
    return Prior("LogNormal", (location / 2, scale / 2), f'turner2015("{row["outcome"]}", "{row["comparison"]}")')


def rhodes2015(outcome: str, comparison: str, area: str = "other") -> Prior:
    """Heterogeneity prior for the SMD (Rhodes, Turner and Higgins 2015, J Clin Epidemiol 68:52-60).

    Parameters
    ----------
    outcome, comparison, area : str
        A row of the table, as ``bayesmeta priors rhodes2015`` lists them; area is cancer, respiratory, other or any.

    Returns
    -------
    Prior
        On tau (SMD scale): log tau2 ~ t5(m, s), so log tau ~ t5(m/2, s/2).
    """
    row = _find_entry("rhodes2015", {"area": area, "outcome": outcome, "comparison": comparison})
    location, scale = float(row["location_log_tau2"]), float(row["scale_log_tau2"])
    written = f'rhodes2015("{row["outcome"]}", "{row["comparison"]}", "{row["area"]}")'
    return Prior("LogT", (5.0, location / 2, scale / 2), written)


EMPIRICAL: dict[str, tuple[str, Callable[..., Prior]]] = {
    "turner2015": ("turner2015_log_or.csv", turner2015),
    "rhodes2015": ("rhodes2015_smd.csv", rhodes2015),
}
