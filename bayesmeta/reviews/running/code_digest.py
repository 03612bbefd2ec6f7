"""Hash of the package's own code, so that results of changed code are made again.

A version number is not enough: the code of a checkout changes without it.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from bayesmeta.support.files import sha256

PACKAGE = Path(__file__).resolve().parents[2]

#: parts of the package that make results: subpackages and files, relative to its folder
MAKES_RESULTS = (
    "errors.py", "modeling.py", "data", "support", "studies", "effects", "frequentist", "model", "engines", "cochrane", "posterior",
    "results", "checks", "certainty", "networks", "categories", "reviews/file_names.py", "reviews/spec.py", "reviews/settings.py",
    "reviews/stated_priors.py", "reviews/analysis_keys.py", "reviews/model_keys.py", "reviews/synthesis_keys.py", "reviews/spec_errors.py",
    "reviews/analysis_data.py", "reviews/band_keys.py", "reviews/risk_of_bias_keys.py", "reviews/risk_of_bias.py",
    "reviews/bias_adjustment.py", "reviews/cumulative.py", "reviews/grade_keys.py",
    "reviews/absolute.py", "reviews/import_risk_of_bias.py",
    "reviews/network_checks.py", "reviews/network_components.py", "reviews/network_data.py", "reviews/network_judgements.py",
    "reviews/network_keys.py", "reviews/network_result.py", "reviews/network_rows.py", "reviews/network_run.py",
    "reviews/categories.py", "reviews/categories_keys.py",
    "reviews/analysis.py", "reviews/model_checks.py", "reviews/analysis_models.py", "reviews/analysis_priors.py",
    "reviews/result.py", "reviews/import_cochrane.py", "reviews/cochrane_toml.py",
)  # fmt: skip
#: parts that show results: after a change tables, figures and files are written again, and nothing is fitted again
SHOWS_RESULTS = (
    "reporting", "reviews/report", "reviews/explorer", "reviews/documents", "reviews/agreement.py", "reviews/changes.py",
    "reviews/folder.py", "reviews/manifest.py", "reviews/parquet.py", "reviews/run.py",
    "reviews/running/code_digest.py", "reviews/running/fingerprints.py", "reviews/running/changes.py",
    "reviews/running/plan.py",
    "reviews/running/review_run.py", "reviews/running/run_folder.py", "reviews/running/state.py", "reviews/running/tasks.py",
)  # fmt: skip
#: parts that do not affect the outputs of a run
NOT_IN_RESULTS = (
    "__init__.py", "__init__.pyi", "__main__.py", "py.typed", "cli", "calibration", "plotting", "reviews/__init__.py", "reviews/collection",
    "reviews/running/__init__.py", "reviews/running/dask.py", "reviews/running/interrupts.py", "reviews/running/jobs.py",
    "reviews/running/ledger.py", "reviews/running/lock.py", "reviews/running/progress.py", "reviews/running/workers.py",
)  # fmt: skip


def digest(value: Any) -> str:
    """Return the SHA-256 of a plain value's JSON with sorted keys."""
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
    """Hash the files that make results and, with ``shown``, those that show them.

    Parameters
    ----------
    shown : bool
        Whether to include the files that only show results.
    package : pathlib.Path
        Folder of the package.

    Returns
    -------
    str
        SHA-256 over the files' paths in the package and their contents.
    """
    parts = MAKES_RESULTS + SHOWS_RESULTS if shown else MAKES_RESULTS
    return digest([[file.relative_to(package).as_posix(), sha256(file)] for file in files_of(parts, package)])
