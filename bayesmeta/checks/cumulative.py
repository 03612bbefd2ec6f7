"""Cumulative meta-analysis: the pooled effect after each study, in the order of their years or of another column."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.design import MEAN
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.estimate_columns import Column, columns_of
from bayesmeta.effects.independence import independent_effects
from bayesmeta.effects.subset import subset_of
from bayesmeta.errors import BayesmetaError, DataError, SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.bands import Mid
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.refit import exact_fit, refit
from bayesmeta.posterior.scale import to_natural
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.methods import FREQUENTIST
from bayesmeta.results.rows import not_estimable, tidy_frame, tidy_frequentist, tidy_posterior
from bayesmeta.support.arguments import check_level, with_keywords_of
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: frequentist methods of a cumulative meta-analysis
METHODS = ("REML", "DL")
#: columns of its frame, without those of bands
COLUMNS = (
    "k",
    "n",
    "method",
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "pi_low",
    "pi_high",
    "tau",
    "i2",
    "prob_benefit",
    "note",
)
YEAR = "year"
_YEARS = ("year", "studyyear", "publicationyear", "yearofpublication", "pubyear")
_YEAR_IN_NAME = re.compile(r"(?<!\d)(1[89]\d\d|20\d\d)(?!\d)")


@dataclass(frozen=True)
class Order:
    """The order in which studies are added.

    Parameters
    ----------
    by : str
        Column whose values order them.
    rows : tuple of int
        Rows of the effects, in order; of equal values in the order of the table.
    values : tuple of str
        The value of each of them, as text.
    """

    by: str
    rows: tuple[int, ...]
    values: tuple[str, ...]


def study_order(effects: Effects, columns: Mapping[str, Column], by: str, entering: Array) -> Order:
    """Return the order of the studies that are pooled.

    Parameters
    ----------
    effects : Effects
        n independent effects.
    columns : mapping of str to column
        Columns of the data and of the characteristics of the studies, one value per effect.
    by : str
        Column, of numbers or of texts. "year" finds the column whatever its case and, where there is none, the year in the name of each
        study ("Smith 1999a").
    entering : numpy.ndarray of bool, shape (n,)
        Which studies are pooled, and need a value.

    Raises
    ------
    SpecError
        If there is no such column.
    DataError
        If studies have no value; the message names them.
    """
    names = effects.labels if effects.studies is None else effects.studies.study_names
    found = columns.get(by)
    if found is None and by.casefold() == YEAR:
        name = next((one for one in columns if re.sub(r"[\W_]", "", one).casefold() in _YEARS), None)
        found = columns[name] if name is not None else _years_of(names)
    if found is None:
        raise unknown_name("column for the order of studies", by, columns)
    rows = [int(i) for i in np.flatnonzero(entering)]
    values = {i: found[i] for i in rows}
    if missing := [names[i] for i in rows if _is_missing(values[i])]:
        raise DataError(
            f"{_listed(missing)} no {by}, which orders a cumulative meta-analysis",
            column=by,
            fix=f"Fill in the column '{by}' of the data or of the table of the studies, or exclude them.",
        )
    numeric = all(isinstance(value, (int, float, np.number)) for value in values.values())
    rows.sort(key=lambda i: values[i] if numeric else str(values[i]))
    texts = tuple(f"{values[i]:g}" if numeric and abs(values[i]) < 1e6 else str(values[i]) for i in rows)
    return Order(by, tuple(rows), texts)


def _listed(names: Sequence[str]) -> str:
    quoted = ", ".join(f"'{name}'" for name in names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    return f"study {quoted} has" if len(names) == 1 else f"studies {quoted} have"


def _years_of(names: Sequence[str]) -> list[float]:
    """Return the last number in each name that can be a year; NaN where there is none."""
    found = (_YEAR_IN_NAME.findall(name) for name in names)
    return [float(years[-1]) if years else float("nan") for years in found]


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and value != value) or not str(value).strip()


def entering_studies(effects: Effects, posterior: Posterior | None) -> Array:
    """Return which rows of the effects are pooled by any method, bool of shape (n,)."""
    entering = effects.used.copy()
    if posterior is not None:
        entering[_rows_in(effects, posterior)] = True
    return entering


def _rows_in(effects: Effects, posterior: Posterior) -> Array:
    """Return the row of the effects of each study of a posterior."""
    rows = posterior.data.rows
    return np.flatnonzero(effects.used) if rows is None else np.asarray(rows)


def cumulative_rows(
    effects: Effects,
    order: Order,
    posterior: Posterior | None,
    *,
    methods: Sequence[str] = METHODS,
    analysis: str = "",
    level: float = 0.95,
    better: str | None = None,
    mid: Mid | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of mu after each study, by each method.

    Parameters
    ----------
    effects : Effects
        Independent effects.
    order : Order
        Order of its studies.
    posterior : Posterior or None
        Bayesian fit of all studies, whose likelihood and priors are used, by quadrature.
    methods : sequence of str
        Frequentist methods, names in ``FREQUENTIST``.
    analysis, level, better, mid
        As in ``summarize`` and its rows.

    Returns
    -------
    list of dict
        Tidy rows with ``study``, the last one added, ``at``, its value, and ``row``, its row of the effects. Frequentist rows are on
        the model scale, Bayesian ones on the natural scale, as ``scale`` says.
    """
    whole = None if posterior is None else exact_fit(posterior)
    places = {} if whole is None else {int(row): i for i, row in enumerate(_rows_in(effects, whole))}
    keep = np.zeros(len(effects.labels), dtype=bool)
    entered: list[int] = []
    rows: list[dict[str, Any]] = []
    for row, value in zip(order.rows, order.values, strict=True):
        keep[row] = True
        entered += [places[row]] if row in places else []
        chosen = subset_of(effects, keep)
        found = [_frequentist(chosen, name, analysis, level) for name in methods]
        if whole is not None and entered:
            found.insert(0, _bayesian(whole, chosen, np.sort(entered), analysis, level, better, mid))
        rows += [{**one, "study": effects.labels[row], "at": value, "row": row} for one in found]
    return rows


def _frequentist(chosen: Effects, name: str, analysis: str, level: float) -> dict[str, Any]:
    if not chosen.k:
        return not_estimable(chosen, name, "no study is estimable yet", analysis)
    return tidy_frequentist(FREQUENTIST[name].pool(chosen, level), name, chosen, analysis)[0]


def _bayesian(
    whole: Posterior, chosen: Effects, entered: Array, analysis: str, level: float, better: str | None, mid: Mid | None
) -> dict[str, Any]:
    try:
        fitted = whole
        if len(entered) < whole.data.k:
            fitted = refit(whole, data=dataclasses.replace(whole.data.subset(entered), n=chosen.n))
        summary = summarize(fitted, level=level, better=better, mid=mid, studies=False)
    except BayesmetaError as error:
        return not_estimable(chosen, whole.method, " ".join(str(error).split()), analysis)
    return next(row for row in tidy_posterior(fitted, summary, analysis, scale="natural") if row["term"] == MEAN)


@with_keywords_of(effect_sizes)
def cumulative(
    studies: Any = None,
    *,
    by: str = YEAR,
    data: Any = None,
    measure: str | None = None,
    likelihood: str | None = None,
    priors: Priors | Mapping[str, str | Prior] | None = None,
    methods: Sequence[str] = METHODS,
    level: float = 0.95,
    better: str | None = None,
    **options: Any,
) -> pd.DataFrame:
    """Pool the studies again after each one, in the order of their years or of another column.

    Parameters
    ----------
    studies : StudyTable, Effects, pandas.DataFrame or path, optional
        Independent studies, as in ``fit``.
    by : str
        Column that orders the studies, of numbers, or of texts such as dates written 2020-11-05. "year" is also taken from the names of
        the studies where there is no such column. Studies with the same value are added in the order of the table.
    data : pandas.DataFrame, mapping or path, optional
        Columns with one value per study, or one row per study with its name, as in ``fit``.
    measure, likelihood, priors
        As in ``fit``; the Bayesian results are by quadrature. Default priors are those of all studies.
    methods : sequence of str
        Frequentist methods beside the Bayesian one: "REML", "DL", "REML-HKSJ" and the others of ``compare``.
    level : float
        Level of the intervals, in (0, 1).
    better : {"lower", "higher"}, optional
        Side of benefit, for its probability.
    **options
        Data and how effects are computed, as in ``effect_sizes``: yi, sei, labels, zero_cells and so on.

    Returns
    -------
    pandas.DataFrame
        One row per study and method, in the order in which studies are added: ``study``, the last one added; the column ``by``; k, n
        (participants), method, estimate (the posterior median), se, ci_low, ci_high, pi_low, pi_high, tau, i2, prob_benefit and note.
        Natural scale: ratios are not logged, but for ``se`` and ``tau``. ``attrs`` has measure, level and by.

    Raises
    ------
    DataError
        If the data cannot be used, or studies have no year; the message names them.
    SpecError
        If an option or a method is unknown.

    Notes
    -----
    Lau et al. (1992, N Engl J Med 327:248-254). Repeated looks at the data do not change a posterior distribution; frequentist
    intervals are not adjusted for them.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> frame = bm.cumulative(yi=[-0.9, -0.4, -0.5], sei=[0.3, 0.2, 0.4], measure="OR", labels=["Ito 2004", "Berg 1999", "Cole 2011"])
    >>> frame.loc[frame["method"] == "REML", ["study", "year", "k", "estimate"]].round(3).to_dict("split")["data"]
    [['Berg 1999', 1999, 1, 0.67], ['Ito 2004', 2004, 2, 0.549], ['Cole 2011', 2011, 3, 0.573]]
    """
    check_level(level)
    if isinstance(methods, str):
        methods = (methods,)
    for name in methods:
        if name not in FREQUENTIST:
            raise unknown_name("method", name, FREQUENTIST)
    if isinstance(studies, Posterior):
        raise SpecError("a cumulative meta-analysis needs the studies: give the data that were fitted")
    effects = independent_effects(effect_sizes(studies, measure, **options))
    posterior = fit(effects, likelihood=likelihood, priors=priors, engine="quadrature")
    order = study_order(effects, columns_of(effects, data), by, entering_studies(effects, posterior))
    rows = cumulative_rows(effects, order, posterior, methods=methods, level=level, better=better)
    return cumulative_frame(rows, by, level)


def cumulative_frame(rows: Sequence[Mapping[str, Any]], by: str, level: float) -> pd.DataFrame:
    """Return the rows of ``cumulative_rows`` as the frame of ``cumulative``, natural scale."""
    import pandas as pd

    frame = to_natural(tidy_frame(rows))
    at = pd.to_numeric(frame["at"], errors="coerce")
    frame[by] = frame["at"] if at.isna().any() else at.astype(int) if (at == at.round()).all() else at
    bands = [
        name for name in frame.columns if name.startswith("prob_") and name not in COLUMNS and frame[name].notna().any()
    ]
    frame = frame[["study", by, *(name for name in COLUMNS if name in frame), *bands]]
    frame.attrs = {"measure": rows[0]["measure"], "level": level, "by": by}
    return frame
