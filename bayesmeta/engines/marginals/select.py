"""Some of the terms of a family of marginal distributions."""

from __future__ import annotations

from dataclasses import replace
from functools import singledispatch
from typing import Any

from bayesmeta.engines.marginals.averaged import Averaged
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.samples import Samples
from bayesmeta.engines.marginals.tabulated import Tabulated
from bayesmeta.engines.marginals.tau import TauFunctions


@singledispatch
def select(family: Any, rows: list[int]) -> Any:  # noqa: ARG001
    """Return the family of the terms at these positions, which share arrays and tables with the whole one."""
    raise TypeError(f"no selection from a {type(family).__name__}")


def _terms(family: Any, rows: list[int]) -> tuple[str, ...]:
    return tuple(family.terms[i] for i in rows)


@select.register
def _mixtures(family: NormalMixtures, rows: list[int]) -> NormalMixtures:
    moments = tuple(family.finite_moments[i] for i in rows) if family.finite_moments else ()
    return NormalMixtures(_terms(family, rows), family.weights, family.means[rows], family.sds[rows], moments)


@select.register
def _tables(family: Tabulated, rows: list[int]) -> Tabulated:
    moments = tuple(family.moments[i] for i in rows) if family.moments else ()
    return Tabulated(_terms(family, rows), tuple(family.densities[i] for i in rows), moments, family._tables)


@select.register
def _points(family: PointMasses, rows: list[int]) -> PointMasses:
    return PointMasses(_terms(family, rows), family.values[rows])


@select.register
def _draws(family: Samples, rows: list[int]) -> Samples:
    return Samples(_terms(family, rows), family.values[rows])


@select.register
def _averages(family: Averaged, rows: list[int]) -> Averaged:
    return Averaged(_terms(family, rows), family.weights, tuple(family.parts[i] for i in rows))


@select.register
def _of_tau(family: TauFunctions, rows: list[int]) -> TauFunctions:
    return replace(family, terms=_terms(family, rows))
