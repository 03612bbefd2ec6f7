"""Effect sizes: study tables turned into effects on the model scale.

The model scale is the log scale for ratios (RR, OR, Peto OR, IRR, HR, ROM, OE) and the measure's own scale for
differences. Every row of the table is kept: one that cannot be pooled has NaN and the reason, so labels never shift.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects import formulas
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.measures import MEASURES, Measure, find_measure
from bayesmeta.effects.ready_made import ready_made_effects
from bayesmeta.effects.zero_cells import ZERO_CELL_RULES, Computed, dichotomous_effects, rate_effects
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.kinds import KINDS
from bayesmeta.studies.plausible import refuse_impossible
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    from bayesmeta.studies.table import StudyTable


def effect_sizes(
    studies: StudyTable,
    measure: str,
    *,
    zero_cells: str = "revman",
    smd: str = "exact",
    rom: str = "classical",
    scale: str = "log",
    level: float = 0.95,
) -> Effects:
    """Compute the effect of every study and its sampling variance, on the model scale.

    Parameters
    ----------
    studies : StudyTable
        The study table, with k rows.
    measure : str
        Abbreviation of an effect measure, upper or lower case: SMD, MD, ROM, RR, OR, PETO, RD, IRR, GEN, HR or OE.
    zero_cells : {"revman", "metafor", "metafor_drop00", "all", "none"}
        What to do about zero cells of dichotomous data and rates: see
        ``bayesmeta.effects.zero_cells.ZERO_CELL_RULES``.
    smd : {"exact", "revman"}
        Hedges' g with the exact correction and metafor's variance, or RevMan's approximations of both.
    rom : {"classical", "corrected"}
        The log ratio of means as it is, or with its first-order bias removed (the default of metafor 5).
    scale : {"log", "natural"}
        Scale of ready-made ratios and their confidence limits. "natural" takes their logs; the standard error then
        comes from the limits, and an interval that is not symmetric on the log scale is an error.
    level : float
        Confidence level of ``ci_low`` and ``ci_high`` of ready-made estimates, in (0, 1).

    Returns
    -------
    Effects
        One estimate per row of ``studies`` (``yi``, ``vi`` of shape (k,)); excluded and not estimable rows have NaN and a
        reason.

    Raises
    ------
    DataError
        If the table lacks the columns the measure needs, or a row has impossible numbers.
    SpecError
        If the name of a measure, rule, formula or scale is unknown, ``level`` is outside (0, 1), or scale="natural" is given for a
        difference or for arm-level data.

    Notes
    -----
    The formulas and their sources are in ``bayesmeta.effects.formulas``.
    """
    found = find_measure(measure)
    variants = {"smd": smd, "rom": rom}
    _check_options(found, zero_cells, variants, scale)
    check_level(level)
    source = data_kind(studies, found)
    if scale == "natural" and source != "estimate":
        raise SpecError(f"scale='natural' is for ready-made estimates, but the table has {source} data. Leave it out.")
    columns = studies.columns
    if source == "estimate":
        computed = ready_made_effects(studies, natural=scale == "natural", level=level)
    else:
        given = [columns[name] for name in KINDS[source].required]
        refuse_impossible(studies, source)
        with np.errstate(all="ignore"):
            computed = _from_columns(found, source, given, zero_cells, variants.get(found.option, ""))
    reasons = []
    for i, excluded in enumerate(studies.exclusions):
        missing = [name for name in KINDS[source].required if not np.isfinite(columns[name][i])]
        reason = excluded or (f"{' and '.join(missing)} missing" if missing else computed.reasons[i])
        if not reason and not (np.isfinite(computed.yi[i]) and np.isfinite(computed.vi[i])):
            reason = found.undefined or f"{found.name} is undefined for these numbers: not estimable"
        elif not reason and not computed.vi[i] > 0:
            reason = f"its variance is zero: {found.name} not estimable"
        reasons.append(reason)
    used = np.array([not reason for reason in reasons], dtype=bool)
    notes = tuple(note if here else "" for note, here in zip(computed.notes, used, strict=True))
    yi, vi = np.where(used, computed.yi, np.nan), np.where(used, computed.vi, np.nan)
    return Effects(yi, vi, tuple(studies.labels), found.name, tuple(reasons), studies, notes)


def data_kind(studies: StudyTable, measure: Measure) -> str:
    """Return the kind of data from which a measure is computed in this table.

    It is the table's own kind if the measure can be computed from it, else the first of the measure's kinds whose columns the
    table has.

    Raises
    ------
    DataError
        If the table has the columns of none of the measure's kinds.
    """
    for kind in (studies.kind, *measure.kinds):
        if kind in measure.kinds and studies.has(*KINDS[kind].required):
            return kind
    wanted = "; or ".join(KINDS[kind].wanted for kind in measure.kinds)
    what = f"{measure.name} cannot be computed from {studies.kind} data"
    raise DataError(what, source=studies.source, fix=f"It needs {wanted}.")


def _check_options(measure: Measure, zero_cells: str, variants: dict[str, str], scale: str) -> None:
    for kind, name, known in (
        ("zero-cell rule", zero_cells, tuple(ZERO_CELL_RULES)),
        *((f"{one} formula", name, tuple(_option_values(one))) for one, name in variants.items()),
        ("scale", scale, ("log", "natural")),
    ):
        if name not in known:
            raise unknown_name(kind, name, known)
    if scale == "natural" and not measure.log:
        raise SpecError(
            f"scale='natural' takes logs, which suits ratios only; {measure.name} is not one. Leave it out."
        )


def _option_values(option: str) -> list[str]:
    """Return the values of the option of ``effect_sizes`` that chooses a formula."""
    return [variant for measure in MEASURES.values() if measure.option == option for variant in measure.formulas]


def _from_columns(measure: Measure, source: str, given: list[Array], zero_cells: str, variant: str) -> Computed:
    """Apply the measure's formula to the columns of a kind of data, ``_NEEDS[source]``."""
    blank = [""] * len(given[0])
    if source == "oe":
        return Computed(*formulas.from_o_minus_e(*given), blank, blank)
    formula = measure.formula(variant)
    if source == "rates":
        events_e, time_e, events_c, time_c = given
        return rate_effects(measure, formula, events_e, time_e, events_c, time_c, zero_cells)
    if source == "dichotomous":
        events_e, n_e, events_c, n_c = given
        return dichotomous_effects(measure, formula, events_e, n_e - events_e, events_c, n_c - events_c, zero_cells)
    return Computed(*formula(*given), blank, blank)
