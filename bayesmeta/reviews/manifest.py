"""Manifest of a run: versions, seed, settings, hashes of data, models and settings, and priors as used."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from bayesmeta.engines.nuts.model_files import available_models, model_folder
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.reviews.spec import Review
from bayesmeta.support.files import sha256
from bayesmeta.support.versions import versions


def manifest(review: Review, source: str, results: Iterable[tuple[AnalysisResult, str]]) -> dict[str, Any]:
    """Return the part of the manifest that does not depend on when, where and in how many steps a review was run.

    Parameters
    ----------
    review : Review
        The review as it was run.
    source : str
        SHA-256 of its review.toml.
    results : iterable of (AnalysisResult, str)
        The finished results, each with the SHA-256 of its data file as it was read; of several, the hash
        of theirs (``data_digest``).

    Returns
    -------
    dict
        Plain values, for JSON.
    """
    files = {analysis.id: review.data_files(analysis) for analysis in review.every_analysis}
    return {
        "review": review.id,
        "title": review.title,
        "notice": review.notice,
        "versions": versions(),
        "settings": review.settings.model_dump(mode="json"),
        "seed": review.settings.seed,
        "sha256": {
            "review.toml": source,
            "settings": hashlib.sha256(review.model_dump_json().encode()).hexdigest(),
            "models": {name: sha256(model_folder() / f"{name}.py") for name in available_models()},
        },
        "analyses": {
            result.id: {
                "data": {
                    "file": files[result.id][0] if len(files[result.id]) == 1 else list(files[result.id]),
                    "sha256": data,
                },
                "primary": result.primary,
                "priors": result.priors,
                "errors": result.errors,
            }
            for result, data in results
        },
    }
