"""The records of networks and of fits of categories as text and back, with all digits, for the files in which they are stored."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmeta.engines.normal.model import CoefficientPrior
from bayesmeta.engines.nuts.network_arms import NetworkArms
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.networks.contrast_priors import ContrastPrior, NetworkPriors
from bayesmeta.networks.exact import Components, Further
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.network_data import NetworkContrasts
from bayesmeta.studies.arms import ArmTable
from bayesmeta.studies.categories import CategoryTable

#: records that can be stored, by name; nothing else is made from a file
RECORDS: Mapping[str, type[Any]] = {
    record.__name__: record
    for record in (
        ArmTable, CategoryTable, CoefficientPrior, Components, ContrastPrior, Further, NetworkArms, NetworkContrasts, NetworkMeta,
        NetworkPriors, Prior, Priors,
    )
}  # fmt: skip


def to_text(value: Any) -> str:
    """Return a value as JSON: records of ``RECORDS``, arrays, mappings, tuples, slices, texts and numbers."""
    return json.dumps(_plain(value), sort_keys=True)


def from_text(text: str) -> Any:
    """Return the value that ``to_text`` wrote.

    Raises
    ------
    KeyError, TypeError, ValueError
        If the text is something else.
    """
    return _value(json.loads(text))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = [field.name for field in dataclasses.fields(value) if field.init]
        return {"record": type(value).__name__, "fields": {name: _plain(getattr(value, name)) for name in fields}}
    if isinstance(value, np.ndarray):
        return {"array": value.ravel().tolist(), "shape": value.shape, "type": value.dtype.str}
    if isinstance(value, Mapping):
        return {"mapping": [[str(name), _plain(item)] for name, item in value.items()]}
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, slice):
        return {"slice": [value.start, value.stop]}
    return value.item() if isinstance(value, np.generic) else value


def _value(plain: Any) -> Any:
    if isinstance(plain, list):
        return tuple(map(_value, plain))
    if not isinstance(plain, dict):
        return plain
    if "record" in plain:
        return RECORDS[plain["record"]](**{name: _value(item) for name, item in plain["fields"].items()})
    if "array" in plain:
        return np.array(plain["array"], dtype=np.dtype(plain["type"])).reshape(plain["shape"])
    if "slice" in plain:
        return slice(*plain["slice"])
    return {name: _value(item) for name, item in plain["mapping"]}
