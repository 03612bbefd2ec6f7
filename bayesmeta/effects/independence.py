"""Effects as if all estimates were independent."""

from __future__ import annotations

from dataclasses import replace

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.effects import Effects
from bayesmeta.effects.nesting import independent


def independent_effects(effects: Effects) -> Effects:
    """Return effects without the covariance and the nesting of their estimates, for methods that treat them as independent."""
    table = effects.studies
    if table is not None and table.repeated:
        table = replace(table, study_names=table.labels)
    return replace(effects, studies=table, covariance=Covariance(effects.vi), nesting=independent(len(effects.yi)))
