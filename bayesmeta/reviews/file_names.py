"""Names of the files and folders of a review and of a run."""

from __future__ import annotations

import os
from pathlib import Path

#: what to fit, in the folder of a review
REVIEW_TOML = "review.toml"

#: the review as it was run
REVIEW_FILE = "review.json"
#: tidy rows, as CSV and as Parquet, and the study rows
RESULTS_FILE, ROWS_FILE, STUDIES_FILE = "results.csv", "results.parquet", "studies.csv"
#: all tables and figures on one page
REPORT_FILE = "report.html"
#: what made the outputs, and what each of them was made from
MANIFEST_FILE, LEDGER_FILE = "manifest.json", "ledger.jsonl"
#: present only while a run writes
LOCK_FILE = ".run.lock"
#: folders of the publication tables, the figures and the saved NUTS fits
TABLES, FIGURES, FITS = "tables", "figures", "fits"
#: figures of the risk of bias of an analysis
BIAS_FIGURES = ("traffic_light", "bias_summary")


def result_file(out: Path, analysis_id: str) -> Path:
    """Return the file of an analysis' result in a run's folder."""
    return out / "analyses" / f"{analysis_id}.json"


def forest_file(out: Path, analysis_id: str) -> Path:
    """Return the file of an analysis' forest plot, without its suffix."""
    return out / FIGURES / f"forest_{analysis_id}"


def tau_file(out: Path, analysis_id: str) -> Path:
    """Return the file of an analysis' figure of tau, without its suffix."""
    return out / FIGURES / f"tau_{analysis_id}"


def bias_file(out: Path, name: str, analysis_id: str) -> Path:
    """Return the file of a figure of the risk of bias of an analysis, one of ``BIAS_FIGURES``, without its suffix."""
    return out / FIGURES / f"{name}_{analysis_id}"


def figure_files(out: Path, analysis_id: str) -> tuple[Path, ...]:
    """Return the files of an analysis' figures, without their suffixes."""
    bias = (bias_file(out, name, analysis_id) for name in BIAS_FIGURES)
    return forest_file(out, analysis_id), tau_file(out, analysis_id), *bias


def fit_file(out: Path, analysis_id: str, method: str) -> Path:
    """Return the file of a saved NUTS fit; colons of its method cannot be part of a file name on Windows."""
    return out / FITS / f"{analysis_id}_{method.replace(':', '-')}.nc"


def toml_file(path: Path) -> Path:
    """Return the review.toml that a path means: the file itself, or the one in a folder."""
    return path / REVIEW_TOML if os.path.isdir(path) else path
