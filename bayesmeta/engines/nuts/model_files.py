"""The model zoo: find a PyMC model file by name or by path and load it."""

from __future__ import annotations

import importlib.util
import inspect
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from bayesmeta.errors import SpecError, unknown_name


@dataclass(frozen=True)
class ModelFile:
    """A model file: ``build(data, priors) -> pymc.Model`` and what it is for.

    Parameters
    ----------
    name : str
        The file's stem.
    path : pathlib.Path
        Where it was found.
    build : callable
        ``build(data: ModelData, priors: Priors) -> pymc.Model`` with variables mu, tau and theta (dims study).
    measures, likelihoods : tuple of str
        What it declares to treat (``MEASURES``, ``LIKELIHOODS``); empty measures mean all.
    padded : bool
        Whether it declares (``PADDED = True``) that it ignores rows with ``included == 0`` and takes all its numbers through
        ``bayesmeta.engines.nuts.blocks.add_data`` and ``add_priors``, so that it is compiled once for many analyses.
    summary : str
        First line of its docstring.
    """

    name: str
    path: Path
    build: Callable[..., Any]
    measures: tuple[str, ...]
    likelihoods: tuple[str, ...]
    padded: bool
    summary: str


def model_folder() -> Path:
    """Return the folder of the models that come along: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def available_models() -> list[str]:
    """Return the names of the models that come along, sorted."""
    return sorted(path.stem for path in model_folder().glob("*.py") if not path.stem.startswith("_"))


_LOADED: dict[Path, tuple[int, ModelFile]] = {}


def load_model(name: str | os.PathLike[str]) -> ModelFile:
    """Load a model by name (``"binary_rr"``) or by path (``"my_model.py"``).

    Raises
    ------
    SpecError
        If there is no such file, it does not import, or it has no ``build(data, priors)``.
    """
    text = os.fspath(name)
    path = Path(text) if text.endswith(".py") else model_folder() / f"{text}.py"
    if not path.is_file():
        if text.endswith(".py"):
            raise SpecError(f"no model file at {text}; give the path of a .py file with build(data, priors)")
        raise unknown_name("model", text, available_models())
    path = path.resolve()
    stamp = path.stat().st_mtime_ns
    if path not in _LOADED or _LOADED[path][0] != stamp:
        _LOADED[path] = (stamp, _read(path))
    return _LOADED[path][1]


def _read(path: Path) -> ModelFile:
    spec = importlib.util.spec_from_file_location(f"bayesmeta_model_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module: ModuleType = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise SpecError(f"the model file {path} does not import: {type(error).__name__}: {error}") from error
    build = getattr(module, "build", None)
    if not callable(build) or len(inspect.signature(build).parameters) < 2:
        raise SpecError(f"the model file {path} must define build(data, priors) returning a pymc.Model")
    return ModelFile(
        name=path.stem,
        path=path,
        build=build,
        measures=tuple(getattr(module, "MEASURES", ())),
        likelihoods=tuple(getattr(module, "LIKELIHOODS", ("normal",))),
        padded=bool(getattr(module, "PADDED", False)),
        summary=(module.__doc__ or "").strip().split("\n")[0],
    )


def default_model(measure: str, likelihood: str) -> ModelFile:
    """Return the model that treats a measure with a likelihood: the one that names this likelihood first, then the most specific.

    Raises
    ------
    SpecError
        If none does.
    """
    fitting = [
        model
        for model in map(load_model, available_models())
        if likelihood in model.likelihoods and (not model.measures or measure in model.measures)
    ]
    if not fitting:
        raise SpecError(
            f"no model treats {measure} with likelihood '{likelihood}'; models: {', '.join(available_models())}"
        )
    return min(fitting, key=lambda model: (model.likelihoods.index(likelihood), not model.measures, model.name))
