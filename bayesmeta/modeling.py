"""What a PyMC model file needs: the one module of this package that model files import.

A model file defines ``build(data, priors)``, which returns a ``pymc.Model`` with variables ``mu``, ``tau`` and ``theta`` (dims
``study``). It may declare ``MEASURES`` and ``LIKELIHOODS``, the effect measures and likelihoods it treats, and ``PADDED = True``, that it
ignores rows with ``included == 0``. The files in ``models/`` are examples.
"""

from __future__ import annotations

import os
from importlib import import_module

from bayesmeta.engines.nuts.blocks import (
    add_baseline,
    add_data,
    add_priors,
    add_study_effects,
    log1mexp_with_bounded_slope,
)
from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors

__all__ = [
    "ModelData",
    "Priors",
    "add_baseline",
    "add_data",
    "add_priors",
    "add_study_effects",
    "load_model",
    "log1mexp_with_bounded_slope",
    "run_as_script",
]


def run_as_script(path: str | os.PathLike[str]) -> None:
    """Fit the model in a file to the data named on the command line: ``python models/binary_rr.py studies.csv``.

    Parameters
    ----------
    path : str or path
        The model file, usually ``__file__``.
    """
    # loaded by name: model files must not import the command line when they are only read
    import_module("bayesmeta.cli.fit").run_model_file(os.fspath(path))
