"""Heterogeneity priors from many meta-analyses: Turner et al. 2015 for log odds ratios, Rhodes et al. 2015 for SMDs, and one's own."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior

#: how a prior from the user's own collection is written: ``corpus:FILE``, in a file that says this of itself
CORPUS, CORPUS_FORMAT = "corpus:", "bayesmeta corpus prior 1"


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


def corpus(file: str, measure: str, meanlog: float | None = None, sdlog: float | None = None) -> Prior:
    """Heterogeneity prior from a collection of the user's own, as ``bayesmeta corpus --prior-out FILE`` writes it.

    Parameters
    ----------
    file : str
        Its path.
    measure : str
        The effect measure; the file has one prior for each.
    meanlog, sdlog : float, optional
        Of log tau2 (MODEL scale), where the file was read before; it is not opened then.

    Returns
    -------
    Prior
        On tau: log tau2 ~ Normal(meanlog, sdlog), so tau ~ LogNormal(meanlog/2, sdlog/2).

    Raises
    ------
    SpecError
        If the file cannot be read, is no such file, or has no prior of this measure.
    """
    if meanlog is None or sdlog is None:
        meanlog, sdlog = _read_corpus_prior(file, measure)
    return Prior("LogNormal", (meanlog / 2, sdlog / 2), f"corpus({json.dumps(file)}, {json.dumps(measure)})")


def corpus_text(file: str, measure: str, folder: Path) -> str:
    """Write a ``corpus:FILE`` with its numbers, so that it can be read where the file is not.

    Parameters
    ----------
    file : str
        The file as it is named, looked for in ``folder`` first and then where the program runs.
    measure, folder
        The effect measure; where the name stands.

    Raises
    ------
    SpecError
        As ``corpus``.
    """
    place = folder / file if (folder / file).is_file() else Path(file)
    meanlog, sdlog = _read_corpus_prior(str(place), measure)
    return f"corpus({json.dumps(file)}, {json.dumps(measure)}, {meanlog!r}, {sdlog!r})"


def _read_corpus_prior(file: str, measure: str) -> tuple[float, float]:
    make = "make it with `bayesmeta corpus RESULTS --prior-out FILE`"
    if not file.strip():
        raise SpecError(f"the prior corpus:FILE needs a file; {make}")
    try:
        found = json.loads(Path(file).read_text(encoding="utf-8"))
        if not isinstance(found, dict) or found.get("format") != CORPUS_FORMAT:
            raise SpecError(f"{file}: this is no prior of a collection; {make}")
        priors = found["priors"]
        if measure not in priors:
            known = ", ".join(sorted(priors)) or "none"
            raise SpecError(f"{file}: there is no prior of {measure} in it, only of: {known}; write tau in another way")
        return float(priors[measure]["meanlog"]), float(priors[measure]["sdlog"])
    except OSError as error:
        raise SpecError(f"{file}: cannot be read: {error.strerror or error}; {make}") from None
    except (ValueError, KeyError, TypeError) as error:
        raise SpecError(f"{file}: this is no whole prior of a collection ({error}); {make}") from None


EMPIRICAL: dict[str, tuple[str, Callable[..., Prior]]] = {
    "turner2015": ("turner2015_log_or.csv", turner2015),
    "rhodes2015": ("rhodes2015_smd.csv", rhodes2015),
}
