"""PyMC model files: found by name or by path, and loaded."""

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
from bayesmeta.model.likelihoods.registry import LIKELIHOODS, THREE_LEVELS
from bayesmeta.support.files import sha256

#: models of networks of trials, which ``bayesmeta.network`` fits
NETWORKS = ("network_binomial", "network_normal", "network_poisson")
#: models of outcomes with several categories, which ``bayesmeta.categories`` fits
CATEGORIES = ("attachment_multinomial", "attachment_transition", "ordered_categories")


@dataclass(frozen=True)
class ModelFile:
    """A model file: its ``build`` function and what it declares.

    Parameters
    ----------
    name : str
        Name of the file without ``.py``.
    path : pathlib.Path
        Path of the file.
    build : callable
        ``build(data: ModelData, priors: Priors) -> pymc.Model``, a model with variables ``mu``, ``tau`` and ``theta`` (dims ``study``).
    measures, likelihoods : tuple of str
        Effect measures and likelihoods it treats (``MEASURES``, ``LIKELIHOODS``); no measures means every measure.
    padded : bool
        Whether it declares (``PADDED = True``) that it ignores rows with ``included == 0`` and takes all its numbers through ``add_data``,
        ``add_priors`` and ``add_baseline`` of ``bayesmeta.modeling``, so that it is compiled once for many analyses.
    summary : str
        First line of its docstring.
    digest : str
        SHA-256 of the file as it was loaded.
    """

    name: str
    path: Path
    build: Callable[..., Any]
    measures: tuple[str, ...]
    likelihoods: tuple[str, ...]
    padded: bool
    summary: str
    digest: str = ""

    @property
    def built_in(self) -> bool:
        """Whether it is the model of this package for a likelihood, which quadrature computes too; else it is a user's own."""
        names = {study.model for likelihood in LIKELIHOODS.values() for study in likelihood.studies.values()}
        return self.name in (*names, THREE_LEVELS, *NETWORKS, *CATEGORIES) and self.path.parent == model_folder()

    def require(self, measure: str, likelihood: str) -> None:
        """Refuse an effect measure or a likelihood that the file does not list.

        Raises
        ------
        SpecError
        """
        if likelihood not in self.likelihoods:
            listed = ", ".join(f"'{name}'" for name in self.likelihoods)
            raise SpecError(
                f"the model file {self.path} treats likelihood {listed}, not '{likelihood}': its LIKELIHOODS says so"
            )
        if self.measures and measure not in self.measures:
            raise SpecError(
                f"the model file {self.path} treats {', '.join(self.measures)}, not {measure}: its MEASURES says so"
            )


def model_folder() -> Path:
    """Return the folder of the model files of this package: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parents[2]
    inside = package / "models"
    return inside if inside.is_dir() else package.parent / "models"


def available_models() -> list[str]:
    """Return the names of the model files of this package, sorted."""
    return sorted(path.stem for path in model_folder().glob("*.py") if not path.stem.startswith("_"))


_LOADED: dict[Path, tuple[int, ModelFile]] = {}


def load_model(name: str | os.PathLike[str]) -> ModelFile:
    """Load a model file by name or by path; a file that has not changed is loaded once.

    A model file is a Python program: loading it runs its code with the rights of this process, as ``python my_model.py`` would, so load
    only files whose author you trust or which you have read.

    Parameters
    ----------
    name : str or path
        Name of a model of this package (``"binary_rr"``), or path of a model file, ending in ``.py`` (``"my_model.py"``).

    Returns
    -------
    ModelFile
        ``load_model(name).build(data, priors)`` is the PyMC model of an analysis.

    Raises
    ------
    SpecError
        If there is no such file, importing it fails, or it has no ``build(data, priors)``.
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
    digest = sha256(path)
    module: ModuleType = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # a script that ends the program, too
        raise SpecError(f"the model file {path} cannot be imported: {type(error).__name__}: {error}") from error
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
        digest=digest,
    )


def default_model(measure: str, likelihood: str) -> ModelFile:
    """Return the model file of this package for an effect measure and a likelihood.

    Of several, it is the one that lists the likelihood earliest, then one that names the measure.

    Parameters
    ----------
    measure, likelihood : str
        Names of the effect measure and the likelihood.

    Raises
    ------
    SpecError
        If there is none.
    """
    fitting = [
        model
        for model in map(load_model, available_models())
        if likelihood in model.likelihoods and (not model.measures or measure in model.measures)
    ]
    if not fitting:
        raise SpecError(
            f"no model is for {measure} with likelihood '{likelihood}'; models: {', '.join(available_models())}"
        )
    return min(fitting, key=lambda model: (model.likelihoods.index(likelihood), not model.measures, model.name))
