"""Which of the priors given to a model file its model uses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from bayesmeta.engines.nuts.model_files import ModelFile
from bayesmeta.engines.nuts.programs import build_model, same_structure, structure
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors

#: priors that nobody gives, to see whether a model changes with its priors
PROBES: dict[str, dict[str, Any]] = {
    "mu": {"mu": Prior("Normal", (0.12345, 5.4321))},
    "tau": {"scale": Prior("HalfNormal", (0.54321,)), "on_variance": False},
    "baseline": {"baseline": Prior("Normal", (0.12345, 5.4321))},
}


def ignored_priors(file: ModelFile, data: ModelData, priors: Priors, names: Iterable[str]) -> list[str]:
    """Return the parameters whose priors a model file ignores, because its model has others of its own.

    Parameters
    ----------
    file : ModelFile
        Model file.
    data : ModelData
        Data of one analysis.
    priors : Priors
        Priors given to it.
    names : iterable of str
        Parameters in question; only mu, tau (or tau2) and baseline are looked at.
    """
    wanted = {"tau" if name == "tau2" else name: name for name in names}
    return [
        name
        for key, name in wanted.items()
        if key in PROBES
        and same_model(build_model(file, data, priors), build_model(file, data, replace(priors, **PROBES[key])))
    ]


def require_priors_used(file: ModelFile, data: ModelData, priors: Priors, names: Iterable[str]) -> None:
    """Refuse priors that a model file ignores (``ignored_priors``).

    Raises
    ------
    SpecError
        If the model is the same under another prior for one of them.
    """
    for name in ignored_priors(file, data, priors, names):
        how = "add_baseline(data, priors)" if name == "baseline" else "add_priors(priors)"
        raise SpecError(
            f"the model file {file.path} does not use the prior given for {name}; take it from {how} of bayesmeta.modeling, or "
            f"give no prior for {name}"
        )


def same_model(one: Any, other: Any) -> bool:
    """Whether two PyMC models have the same structure and the same data."""
    if not same_structure(structure(one), structure(other)):
        return False
    return all(
        np.array_equal(a.get_value(), b.get_value()) for a, b in zip(one.data_vars, other.data_vars, strict=True)
    )
