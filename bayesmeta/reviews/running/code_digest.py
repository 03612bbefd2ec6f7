"""Hash of the package's own code, so that a changed program makes its results again.

A version number alone would keep the results of the code before a change where the package is used from a checkout.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from bayesmeta.support.files import sha256

PACKAGE = Path(__file__).resolve().parents[2]

#: what makes results: subpackages and single files, paths in the package's folder
MAKES_RESULTS = (
    "errors.py", "modeling.py", "data", "support", "studies", "effects", "frequentist", "model", "engines", "cochrane",
    "posterior", "results", "checks", "certainty", "networks", "reviews/spec.py", "reviews/settings.py", "reviews/analysis.py", "reviews/import_cochrane.py",
)  # fmt: skip
#: what shows results: a change here writes tables, figures and files again, and fits nothing again
SHOWS_RESULTS = (
    "reporting", "reviews/report", "reviews/folder.py", "reviews/manifest.py", "reviews/parquet.py", "reviews/run.py",
    "reviews/running/review_run.py", "reviews/running/plan.py", "reviews/running/tasks.py", "reviews/running/fingerprints.py",
    "reviews/running/code_digest.py",
)  # fmt: skip
#: what has no part in what a run writes into its folder
NOT_IN_RESULTS = (
    "__init__.py", "__init__.pyi", "__main__.py", "py.typed", "cli", "calibration", "reviews/__init__.py", "reviews/running/__init__.py",
    "reviews/collection", "reviews/running/ledger.py", "reviews/running/workers.py", "reviews/running/dask.py",
    "reviews/running/lock.py", "reviews/running/interrupts.py", "reviews/running/progress.py",
)  # fmt: skip


def digest(value: Any) -> str:
    """Hash a plain value: SHA-256 of its JSON with sorted keys."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def files_of(parts: tuple[str, ...], package: Path = PACKAGE) -> list[Path]:
    """Return the files of the named subpackages and files, sorted by path; compiled Python is left out."""
    found = set()
    for part in parts:
        path = package / part
        found |= {path} if path.is_file() else {file for file in path.rglob("*") if file.is_file()}
    return sorted(file for file in found if "__pycache__" not in file.parts)


@cache
def code_digest(shown: bool = False, package: Path = PACKAGE) -> str:
    """Hash the files that make results or, with ``shown``, also those that make figures and tables.

    Parameters
    ----------
    shown : bool
        Whether to include what only shows results.
    package : pathlib.Path
        Folder of the package.

    Returns
    -------
    str
        SHA-256 over the paths in the package and the contents of its files.
    """
    parts = MAKES_RESULTS + SHOWS_RESULTS if shown else MAKES_RESULTS
    return digest([[file.relative_to(package).as_posix(), sha256(file)] for file in files_of(parts, package)])
