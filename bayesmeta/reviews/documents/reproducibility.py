"""The statement of a manuscript on how its results can be reproduced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bayesmeta.reviews.documents.sentences import first_capital, listed
from bayesmeta.reviews.documents.source import DocumentSource
from bayesmeta.reviews.file_names import MANIFEST_FILE, REVIEW_TOML

#: digits of a SHA-256 that are printed; the manifest has all
_DIGITS = 16


def reproducibility(source: DocumentSource) -> list[str]:
    """Return the paragraphs on versions, seed, digests and the command."""
    review = source.review
    versions = sorted(source.versions.items(), key=lambda item: (item[0] not in ("bayesmeta", "python"), item[0]))
    known = ", ".join(f"{name} {version}" for name, version in versions if version != "not installed")
    drawn = _what_is_drawn(source)
    seed = (
        f"{first_capital(listed(drawn))} used random numbers with the seed {review.settings.seed}. "
        if drawn
        else "No random numbers were used. "
    )
    lines = [
        f"All numbers, tables and figures were made by the command: bayesmeta run {REVIEW_TOML} --out {review.id} "
        f"--engine {review.settings.engine}. {seed}Versions: {known}."
    ]
    digests = _digests(source.manifest)
    if digests:
        lines.append(
            f"First {_DIGITS} digits of the SHA-256 of what was read: {'; '.join(digests)}. The file {MANIFEST_FILE} beside the "
            "results has them in full, with the priors of every analysis."
        )
    return lines


def _what_is_drawn(source: DocumentSource) -> list[str]:
    """Return what of a run depends on random numbers, in words."""
    facts, review = source.facts, source.review
    parts = ["the sampler"] if "nuts" in facts.engines else []
    if any(one.id in facts.ids for one in review.network):
        parts.append("the ranking of treatments")
    if any(one.id in facts.ids for one in review.categories):
        parts.append("the risks of categories")
    return parts


def _digests(manifest: Mapping[str, Any]) -> list[str]:
    hashes = manifest.get("sha256") or {}
    found = [f"{name} {hashes[name][:_DIGITS]}" for name in (REVIEW_TOML, "settings") if hashes.get(name)]
    files: dict[str, str] = {}
    for _, analysis in sorted((manifest.get("analyses") or {}).items()):
        data = analysis.get("data") or {}
        names = [data["file"]] if isinstance(data.get("file"), str) else data.get("file") or []
        if names and data.get("sha256"):
            files[" with ".join(names)] = data["sha256"]
    return found + [f"{name} {digest[:_DIGITS]}" for name, digest in files.items()]
