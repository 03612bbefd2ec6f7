"""Fingerprint of an analysis: hashes of the parts that its result depends on, so that a change can be named."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bayesmeta.engines.nuts.model_files import available_models, model_folder
from bayesmeta.errors import DataError
from bayesmeta.reviews.analysis_keys import Analysis
from bayesmeta.reviews.categories_keys import Categories
from bayesmeta.reviews.network_data import read_network
from bayesmeta.reviews.network_keys import Network
from bayesmeta.reviews.running.code_digest import code_digest, digest
from bayesmeta.reviews.spec import AnyAnalysis, Review
from bayesmeta.reviews.synthesis_keys import Synthesis
from bayesmeta.studies.read import read_studies
from bayesmeta.support.files import sha256
from bayesmeta.support.versions import versions

#: settings of what is written, which results do not depend on
OUTPUT_SETTINGS = frozenset({"tables", "figures", "figure_width", "figure_layout", "documents", "save_fits"})
#: keys of a review that other parts of a fingerprint contain, or that results do not depend on
OTHER_KEYS = frozenset(
    {
        "id",
        "title",
        "citation",
        "notice",
        "analysis",
        "synthesis",
        "network",
        "categories",
        "studies",
        "priors",
        "alternative",
        "mid",
        "bands",
        "settings",
        "options",
    }
)
NUMERIC, SAMPLING = ("numpy", "scipy"), ("pymc", "pytensor", "nutpie", "arviz")


def fingerprint(review: Review, analysis: AnyAnalysis, folder: Path, content: str | None = None) -> dict[str, str]:
    """Return hashes of the parts that the result of an analysis depends on.

    Parameters
    ----------
    review : Review
        The review, with the engine to use.
    analysis : Analysis
        The analysis.
    folder : pathlib.Path
        Folder of the data files.
    content : str, optional
        Hash of the data files, from ``data_digest``.

    Returns
    -------
    dict
        Name of a part to its hash: ``data`` (the study table as it is read for this analysis), ``analysis``, ``priors`` (those of its
        measure and comparison), ``settings`` (with the options, and every other key of the review that is not about one measure),
        ``version`` (this package's code, numpy and scipy; PyMC, PyTensor, nutpie and arviz for NUTS) and, for NUTS, ``model`` (the
        model files for its measure).
    """
    known_as = review.as_analysis(analysis)
    settings = review.settings.model_dump(mode="json")
    samples = settings.get("engine") != "quadrature"
    # the analyses are left out before they are written: a review can have thousands
    rest = review.model_dump(mode="json", exclude=set(OTHER_KEYS))
    known = versions()
    parts = {
        "data": tables_digest(review, analysis, folder, content),
        "analysis": digest(_keys(review, analysis)),
        "priors": digest(_priors(review, known_as)),
        "settings": digest(
            [
                {name: value for name, value in settings.items() if name not in OUTPUT_SETTINGS},
                review.options.model_dump(mode="json"),
                review.mid.get(known_as.measure),
                bands.given if (bands := review.bands.get(known_as.measure)) else None,
                rest,
            ]
        ),
        "version": digest([code_digest(), [known[name] for name in NUMERIC + (SAMPLING if samples else ())]]),
    }
    if samples:
        parts["model"] = _models_digest("categories" if isinstance(analysis, Categories) else known_as.measure)
    return parts


def _priors(review: Review, analysis: Analysis) -> list[Any]:
    """Collect the priors of the analysis, main and alternative; those of a file are part of their texts."""
    main = review.priors.get(analysis.measure)
    applying = [
        alternative.model_dump(mode="json")
        for alternative in review.alternative
        if alternative.measure == analysis.measure and alternative.comparison in (None, analysis.comparison)
    ]
    return [main.model_dump(mode="json") if main else None, *applying]


def file_digest(file: Path) -> str:
    """Hash a data file; "" if it cannot be read, which running the analysis reports."""
    try:
        return sha256(file)
    except DataError:
        return ""


def data_digest(review: Review, analysis: AnyAnalysis, folder: Path) -> str:
    """Hash the data files of an analysis: SHA-256 of one file, the hash of the names and hashes of several; "" if one cannot be read."""
    return combined({name: file_digest(folder / name) for name in review.data_files(analysis)})


def combined(hashes: Mapping[str, str]) -> str:
    """Return one hash of the hashes of data files by name: that of the file where there is one; "" if one is missing."""
    if not all(hashes.values()):
        return ""
    return next(iter(hashes.values())) if len(hashes) == 1 else digest(sorted(hashes.items()))


def tables_digest(review: Review, analysis: AnyAnalysis, folder: Path, content: str | None = None) -> str:
    """Hash the tables that an analysis reads, as they are read for it.

    Parameters
    ----------
    review, analysis, folder
        As in ``fingerprint``.
    content : str, optional
        Hash of the data files.
    """
    if isinstance(analysis, Network):
        return network_digest(analysis, folder, content)
    if isinstance(analysis, Categories):
        return file_digest(folder / analysis.data) if content is None else content
    members = review.members(analysis)
    if len(review.data_files(analysis)) == 1 and len(members) == 1 and review.risk_of_bias is None:
        return table_digest(members[0], folder, content)
    parts = [table_digest(member, folder) for member in members]
    if review.studies is not None and review.reads_characteristics(analysis):
        parts.append(file_digest(folder / review.studies.data))
    if review.risk_of_bias is not None:
        parts.append(file_digest(folder / review.risk_of_bias_data))
    return digest(parts)


def _keys(review: Review, analysis: AnyAnalysis) -> Any:
    """Return the keys of an analysis, or of a synthesis and of the analyses that it pools."""
    own = analysis.model_dump(mode="json")
    return (
        [own, *(one.model_dump(mode="json") for one in review.members(analysis))]
        if isinstance(analysis, Synthesis)
        else own
    )


def table_digest(analysis: Analysis, folder: Path, content: str | None = None) -> str:
    """Hash the study table as it is read for an analysis; for a table that cannot be read, its file.

    A changed row of a table that many analyses share thus affects only those that read it.
    """
    file = folder / analysis.data
    content = file_digest(file) if content is None else content
    try:
        chosen = [tuple(sorted(given.items())) for given in (analysis.where, analysis.exclude, analysis.columns)]
        return _read_digest(file.resolve(), content, *chosen)
    except Exception:  # whatever reading raises, running the analysis reports
        return content


def network_digest(network: Network, folder: Path, content: str | None = None) -> str:
    """Hash the table of arms or contrasts as it is read for a network; for a table that cannot be read, its file."""
    content = file_digest(folder / network.data) if content is None else content
    try:
        table = read_network(network, folder)
        if file_digest(folder / network.data) != content:
            return content
        return digest(_plain({name: value for name, value in vars(table).items() if name != "source"}))
    except Exception:  # whatever reading raises, running the network reports
        return content


Pairs = tuple[tuple[str, str], ...]


@lru_cache(maxsize=4096)
def _read_digest(file: Path, content: str, where: Pairs, exclude: Pairs, columns: Pairs) -> str:
    """Hash the table that ``read_studies`` returns; cached by the content of the file, which must not change meanwhile."""
    table = read_studies(file, where=dict(where) or None, exclude=dict(exclude) or None, columns=dict(columns) or None)
    if sha256(file) != content:
        raise DataError("the file changed while it was read", source=str(file))
    return digest(_plain({name: value for name, value in vars(table).items() if name != "source"}))


def _plain(value: Any) -> Any:
    """Turn the parts of a table into values that JSON has, with all digits."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return [_plain(item) for item in value.tolist()]
    return value if isinstance(value, str | int | bool | None) else repr(value)


def _models_digest(measure: str) -> str:
    """Hash the model files for a measure; they are read, not imported."""
    found = []
    for name in available_models():
        path = model_folder() / f"{name}.py"
        measures = _declared_measures(path.read_text(encoding="utf-8"))
        if not measures or measure in measures:
            found.append([name, sha256(path)])
    return digest(found)


def _declared_measures(code: str) -> tuple[str, ...]:
    """Read ``MEASURES`` of a model file; empty, which means every measure, where it is not a literal."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.Assign) and [getattr(target, "id", "") for target in node.targets] == ["MEASURES"]:
            try:
                return tuple(ast.literal_eval(node.value))
            except ValueError:
                return ()
    return ()
