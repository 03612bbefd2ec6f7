"""Contrasts of a network computed from tables of arms or of contrasts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.zero_cells import ZERO_CELL_RULES
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.networks.arm_values import StudyContrasts, kind_for, study_contrasts
from bayesmeta.networks.network_data import NetworkContrasts, assembled
from bayesmeta.networks.ready_made import contrasts_of_studies
from bayesmeta.studies.arms import ArmTable, ContrastTable
from bayesmeta.studies.read_arms import as_arms, read_arms

if TYPE_CHECKING:
    pass


def network_contrasts(
    data: Any,
    measure: str | None = None,
    *,
    zero_cells: str = "revman",
    treatments: Mapping[str, str] | None = None,
    columns: Mapping[str, str] | None = None,
    combine: bool = False,
) -> NetworkContrasts:
    """Compute the contrasts of a network from arms or ready-made contrasts.

    Parameters
    ----------
    data : ArmTable, ContrastTable, NetworkContrasts, pandas.DataFrame or path
        Arms or contrasts, as ``read_arms`` takes them; or a list of these, such as arms of some studies and contrasts of others.
        NetworkContrasts are returned as they are.
    measure : str, optional
        OR, RR, RD, IRR, MD, SMD or ROM of arms, any measure of contrasts. Default: OR of events, MD of means, IRR of events and time,
        GEN of contrasts.
    zero_cells : {"revman", "metafor", "metafor_drop00", "all", "none"}
        What to do about zero cells: see ``bayesmeta.effects.zero_cells.ZERO_CELL_RULES``.
    treatments, columns, combine : optional
        As in ``read_arms``, for a frame or file.

    Returns
    -------
    NetworkContrasts
        Connected or not; ``network_graph`` finds the components.

    Raises
    ------
    DataError
        If the data are not complete, contrasts of a trial contradict one another, or no study is estimable.
    SpecError
        If a name is unknown.
    """
    if zero_cells not in ZERO_CELL_RULES:
        raise unknown_name("rule for zero cells", zero_cells, ZERO_CELL_RULES)
    if isinstance(data, NetworkContrasts):
        if measure is not None and str(measure).upper() != data.measure:
            raise SpecError(f"the contrasts are {data.measure}; for {measure} give the arms")
        return data
    if treatments or columns or combine:
        if isinstance(data, ArmTable | ContrastTable):
            raise SpecError("treatments, columns and combine are for files and frames; give them to read_arms")
        data = read_arms(data, columns=columns, treatments=treatments, combine=combine)
    if isinstance(data, list | tuple):
        return _joined(data, measure, zero_cells)
    table = as_arms(data)
    if isinstance(table, ContrastTable):
        name = (table.measure or "GEN") if measure is None else str(measure).upper()
        if name not in MEASURES:
            raise unknown_name("measure", measure, MEASURES)
        studies, named, blocks = contrasts_of_studies(table)
        found = assembled(name, studies, named, blocks)
        return replace(found, lumping=table.lumping, source=table.source)
    return _of_arms(table, *kind_for(table, measure), zero_cells)


def _joined(parts: Sequence[Any], measure: str | None, zero_cells: str) -> NetworkContrasts:
    """Return the network of several tables, such as arms of some studies and contrasts of others.

    Raises
    ------
    DataError
        If a study is in two tables.
    SpecError
        If no measure is given, as contrasts do not say it, or there is no table.
    """
    if not parts or measure is None:
        raise SpecError("several tables make one network of a measure that you state: give measure='MD' or another")
    found = [network_contrasts(part, measure, zero_cells=zero_cells) for part in parts]
    names = [study for one in found for study in (*one.studies, *one.left_out)]
    for study, count in Counter(names).items():
        if count > 1:
            raise DataError(
                f"the study '{study}' is in {count} tables",
                fix="Give each study once, or give two studies different names.",
            )
    blocks = [StudyContrasts(one.y[rows], one.S[rows, rows]) for one in found for rows in one.slices]
    arms = [tuple(one.treatments[t] for t in own) for one in found for own in one.arms_of_studies]
    return replace(
        assembled(found[0].measure, [study for one in found for study in one.studies], arms, blocks),
        left_out={study: reason for one in found for study, reason in one.left_out.items()},
        notes=tuple(note for one in found for note in one.notes),
        lumping={old: new for one in found for old, new in one.lumping.items()},
        source=", ".join(dict.fromkeys(one.source for one in found)),
    )


def _of_arms(table: ArmTable, measure: str, kind: str, zero_cells: str) -> NetworkContrasts:
    by_study = table.rows_by_study()
    computed = {study: study_contrasts(table, rows, measure, kind, zero_cells) for study, rows in by_study.items()}
    left_out = {study: found.reason for study, found in computed.items() if found.reason}
    kept = [study for study in by_study if study not in left_out]
    if not kept:
        study, reason = next(iter(left_out.items()))
        raise DataError(
            f"no study is estimable; '{study}': {reason}", source=table.source, fix="Choose another measure."
        )
    rows = [row for study in kept for row in by_study[study]]
    named = [tuple(table.treatments[row] for row in by_study[study]) for study in kept]
    notes = [*table.notes, *(f"{study}: {reason}" for study, reason in left_out.items())]
    notes += [f"{study}: {found.note}" for study, found in computed.items() if found.note]
    return replace(
        assembled(measure, kept, named, [computed[study] for study in kept]),
        arms=table.take(rows),
        left_out=left_out,
        notes=tuple(notes),
        lumping=table.lumping,
        source=table.source,
    )
