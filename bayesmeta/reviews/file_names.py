"""Names of the files and folders of a review and of a run."""

from __future__ import annotations

import os
import re
from pathlib import Path

#: what to fit, in the folder of a review
REVIEW_TOML = "review.toml"

#: the review as it was run
REVIEW_FILE = "review.json"
#: tidy rows, as CSV and as Parquet, and the study rows
RESULTS_FILE, ROWS_FILE, STUDIES_FILE = "results.csv", "results.parquet", "studies.csv"
#: all tables and figures on one page
REPORT_FILE = "report.html"
#: what changed since an earlier run
CHANGES_FILE = "changes.json"
#: what made the outputs, and what each of them was made from
MANIFEST_FILE, LEDGER_FILE = "manifest.json", "ledger.jsonl"
#: present only while a run writes
LOCK_FILE = ".run.lock"
#: folders of the results, the publication tables, the figures, the saved NUTS fits and the documents
ANALYSES, TABLES, FIGURES, FITS, DOCUMENTS_FOLDER = "analyses", "tables", "figures", "fits", "documents"


#: most bytes of a file's name, on any system
LONGEST = 255


def is_output(name: str) -> bool:
    """Return whether a path in a run's folder is that of a file a ledger lists: a result, a fit, a figure, a table, a report.

    Examples
    --------
    >>> is_output("tables/main.csv"), is_output("tables"), is_output("tables/../main.csv"), is_output("studies.toml")
    (True, False, False, False)
    """
    if name in (RESULTS_FILE, STUDIES_FILE, ROWS_FILE, REPORT_FILE, CHANGES_FILE):
        return True
    folder, _, file = name.partition("/")
    plain = re.fullmatch(r"[^/\\:\0]+", file) is not None and file not in (".", "..")
    return plain and folder in (ANALYSES, TABLES, FIGURES, FITS, DOCUMENTS_FOLDER) and len(file.encode()) <= LONGEST


def result_file(out: Path, analysis_id: str) -> Path:
    """Return the file of an analysis' result in a run's folder."""
    return out / ANALYSES / f"{analysis_id}.json"


def forest_file(out: Path, analysis_id: str) -> Path:
    """Return the file of an analysis' forest plot, without its suffix."""
    return out / FIGURES / f"forest_{analysis_id}"


def tau_file(out: Path, analysis_id: str) -> Path:
    """Return the file of an analysis' figure of tau, without its suffix."""
    return out / FIGURES / f"tau_{analysis_id}"


def model_figure_file(out: Path, kind: str, analysis_id: str, name: str = "", number: int = 1) -> Path:
    """Return the file of a figure of a model beyond one pooled effect, without its suffix.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the run.
    kind : str
        Kind of figure, such as "bubble".
    analysis_id : str
        Id of the analysis.
    name : str
        Name of the moderator or grouping; characters other than letters, digits and underscores become underscores.
    number : int
        From 2 on for further figures of the same kind and name.
    """
    parts = [kind, analysis_id, re.sub(r"\W+", "_", name).strip("_"), str(number) if number > 1 else ""]
    return out / FIGURES / "_".join(part for part in parts if part)


def review_figure_file(out: Path, kind: str) -> Path:
    """Return the file of a figure of the whole review, without its suffix."""
    return out / FIGURES / kind


def figure_files(out: Path, analysis_id: str) -> tuple[Path, Path]:
    """Return the files of an analysis' figures, without their suffixes."""
    return forest_file(out, analysis_id), tau_file(out, analysis_id)


def fit_file(out: Path, analysis_id: str, method: str, model: str = "", number: int = 1) -> Path:
    """Return the file of a saved NUTS fit.

    Parameters
    ----------
    out : pathlib.Path
        Folder of the run.
    analysis_id, method : str
        Id of the analysis, and the method, whose colons cannot be part of a file name on Windows.
    model : str
        Formula or nesting of a model beyond one pooled effect; characters other than letters, digits and underscores become underscores.
    number : int
        From 2 on for further models of the same name.
    """
    name = re.sub(r"\W+", "_", model).strip("_")
    parts = [analysis_id, method.replace(":", "-"), name, str(number) if number > 1 else ""]
    return out / FITS / f"{'_'.join(part for part in parts if part)}.nc"


def toml_file(path: Path) -> Path:
    """Return the review.toml that a path means: the file itself, or the one in a folder."""
    return path / REVIEW_TOML if os.path.isdir(path) else path
