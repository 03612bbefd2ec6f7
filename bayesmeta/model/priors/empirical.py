"""Priors for heterogeneity from many meta-analyses: Turner et al. 2015 (log odds ratios), Rhodes et al. 2015 (SMDs), or one's own."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from pathlib import Path

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.support.files import read_bytes

#: prefix of a prior from the user's own collection, ``corpus:FILE``, and the value of "format" in such a file
CORPUS, CORPUS_FORMAT = "corpus:", "bayesmeta corpus prior 1"


@cache
def _read_table(file: str) -> tuple[dict[str, str], ...]:
    with (files("bayesmeta") / "data" / file).open(encoding="utf-8") as handle:
        return tuple(csv.DictReader(handle))


def empirical_entries(name: str) -> tuple[dict[str, str], ...]:
    """Return the rows of the table of a published prior, each a dict from column to text.

    Parameters
    ----------
    name : {"turner2015", "rhodes2015"}
        Name of the prior.

    Raises
    ------
    SpecError
        If there is no such prior.
    """
    if name not in EMPIRICAL:
        raise unknown_name("empirical prior", name, EMPIRICAL)
    return _read_table(EMPIRICAL[name][0])


def _find_entry(name: str, wanted: dict[str, str]) -> dict[str, str]:
    rows = list(empirical_entries(name))
    for column, value in wanted.items():
        kept = [row for row in rows if row[column].lower() == value.lower()]
        if not kept:
            raise unknown_name(f"{column} in {name}", value, dict.fromkeys(row[column] for row in rows))
        rows = kept
    return rows[0]


def turner2015(outcome: str, comparison: str) -> Prior:
    """Return the heterogeneity prior for the log odds ratio of Turner et al. (2015), Stat Med 34:984-998, table IV.

    Parameters
    ----------
    outcome, comparison : str
        Type of outcome and of comparison: a row of the table, as ``bayesmeta priors turner2015`` lists them.

    Returns
    -------
    Prior
        Prior for tau (log odds ratio scale): log tau2 ~ Normal(m, s), so tau ~ LogNormal(m/2, s/2).

    Raises
    ------
    SpecError
        If the table has no such row.
    """
    row = _find_entry("turner2015", {"outcome": outcome, "comparison": comparison})
    location, scale = float(row["mu_log_tau2"]), float(row["sigma_log_tau2"])
    return Prior("LogNormal", (location / 2, scale / 2), f'turner2015("{row["outcome"]}", "{row["comparison"]}")')


def rhodes2015(outcome: str, comparison: str, area: str = "other") -> Prior:
    """Return the heterogeneity prior for the SMD of Rhodes, Turner and Higgins (2015), J Clin Epidemiol 68:52-60.

    Parameters
    ----------
    outcome, comparison, area : str
        Type of outcome, of comparison and area of medicine (cancer, respiratory, other or any): a row of the table, as
        ``bayesmeta priors rhodes2015`` lists them.

    Returns
    -------
    Prior
        Prior for tau (SMD scale): log tau2 ~ t5(m, s), so log tau ~ t5(m/2, s/2).

    Raises
    ------
    SpecError
        If the table has no such row.
    """
    row = _find_entry("rhodes2015", {"area": area, "outcome": outcome, "comparison": comparison})
    location, scale = float(row["location_log_tau2"]), float(row["scale_log_tau2"])
    written = f'rhodes2015("{row["outcome"]}", "{row["comparison"]}", "{row["area"]}")'
    return Prior("LogT", (5.0, location / 2, scale / 2), written)


def corpus(file: str, measure: str, meanlog: float | None = None, sdlog: float | None = None) -> Prior:
    """Return the heterogeneity prior from the user's own collection, as ``bayesmeta corpus --prior-out FILE`` writes it.

    Parameters
    ----------
    file : str
        Path of the file.
    measure : str
        Name of the effect measure; the file has one prior per measure.
    meanlog, sdlog : float, optional
        Mean and standard deviation of log tau2 (model scale), where the file was read before; it is then not opened.

    Returns
    -------
    Prior
        Prior for tau: log tau2 ~ Normal(meanlog, sdlog), so tau ~ LogNormal(meanlog/2, sdlog/2).

    Raises
    ------
    SpecError
        If the file cannot be read, has another format, or has no prior for this measure.
    """
    if meanlog is None or sdlog is None:
        meanlog, sdlog = _read_corpus_prior(file, measure)
    return Prior("LogNormal", (meanlog / 2, sdlog / 2), f"corpus({json.dumps(file)}, {json.dumps(measure)})")


def corpus_text(file: str, measure: str, folder: Path) -> str:
    """Return a ``corpus:FILE`` as text with its numbers, which can be read without the file.

    Parameters
    ----------
    file : str
        Path of the file as it is written, looked up in ``folder`` first and then in the working directory.
    measure : str
        Name of the effect measure.
    folder : pathlib.Path
        Folder of the review that names the file.

    Raises
    ------
    SpecError
        As in ``corpus``.
    """
    path = folder / file if (folder / file).is_file() else Path(file)
    meanlog, sdlog = _read_corpus_prior(str(path), measure)
    return f"corpus({json.dumps(file)}, {json.dumps(measure)}, {meanlog!r}, {sdlog!r})"


def _read_corpus_prior(file: str, measure: str) -> tuple[float, float]:
    fix = "write one with `bayesmeta corpus RESULTS --prior-out FILE`"
    if not file.strip():
        raise SpecError(f"the prior corpus:FILE needs a file; {fix}")
    try:
        content = json.loads(read_bytes(file))
        if not isinstance(content, dict) or content.get("format") != CORPUS_FORMAT:
            raise SpecError(f"{file}: this is not a file of priors from a collection; {fix}")
        priors = content["priors"]
        if measure not in priors:
            known = ", ".join(sorted(priors)) or "none"
            raise SpecError(f"{file}: it has no prior for {measure}, only for: {known}; give tau another prior")
        return float(priors[measure]["meanlog"]), float(priors[measure]["sdlog"])
    except DataError as error:
        raise SpecError(f"{file}: cannot be read: {error.what.removeprefix('cannot read: ')}; {fix}") from None
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SpecError(f"{file}: this file of priors from a collection is incomplete ({error}); {fix}") from None


#: published priors by name: the file of the table in ``bayesmeta/data`` and the function that returns a row's prior
EMPIRICAL: dict[str, tuple[str, Callable[..., Prior]]] = {
    "turner2015": ("turner2015_log_or.csv", turner2015),
    "rhodes2015": ("rhodes2015_smd.csv", rhodes2015),
}
