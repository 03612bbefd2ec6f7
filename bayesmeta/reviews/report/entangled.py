"""Moderators that the studies of an analysis do not tell apart, because they vary together."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations
from typing import Any

import numpy as np

from bayesmeta.reporting.numbers import number
from bayesmeta.reviews.result import AnalysisResult
from bayesmeta.support.arrays import Array

#: correlation from which on two moderators are named, and from which on they are the same up to rounding
HIGH, SAME = 0.8, 1 - 1e-9


def entangled(results: Iterable[AnalysisResult]) -> list[str]:
    """Return a sentence per pair of moderators that an analysis cannot, or hardly, tell apart.

    Moderators are compared by formula: by the largest canonical correlation of their columns of X, each less its mean, over the
    estimates that both models have. Formulas with a moderator in common are not compared.
    """
    pairs: dict[tuple[str, str], dict[str, float]] = {}
    for result in results:
        models = [model for model in result.models if model["kind"] == "moderators"]
        for one, other in combinations(models, 2):
            if set(one["columns"]) & set(other["columns"]):
                continue
            correlation = _correlation(one["points"], other["points"])
            if correlation >= HIGH:
                names = ", ".join(one["columns"]), ", ".join(other["columns"])
                pairs.setdefault(names, {})[result.id] = correlation
    return [_sentence(names, found) for names, found in pairs.items()]


def _sentence(names: tuple[str, str], found: dict[str, float]) -> str:
    same = [name for name, value in found.items() if value >= SAME]
    near = [f"{name} ({number(value)})" for name, value in found.items() if value < SAME]
    parts = [f"cannot be told apart in {', '.join(same)}, where they vary in the same way"] if same else []
    parts += [f"can hardly be told apart in {', '.join(near)}, where they vary together (correlation)"] if near else []
    return f"{names[0]} and {names[1]} {' and '.join(parts)}: an association with one may be due to the other."


def _correlation(one: list[dict[str, Any]], other: list[dict[str, Any]]) -> float:
    """Return the largest canonical correlation of two designs; 0 where one does not vary."""
    second = {point["study"]: point["x"] for point in other}
    shared = [point for point in one if point["study"] in second]
    left = _orthonormal(np.array([point["x"] for point in shared], dtype=float))
    right = _orthonormal(np.array([second[point["study"]] for point in shared], dtype=float))
    if not left.size or not right.size:
        return 0.0
    return float(min(np.linalg.svd(left.T @ right, compute_uv=False)[0], 1.0))


def _orthonormal(x: Array) -> Array:
    """Return an orthonormal basis of the columns less their means; no columns where nothing varies."""
    if not x.size:
        return np.zeros((len(x), 0))
    centred = x - x.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    return u[:, s > 1e-9 * max(float(s.max(initial=0.0)), 1e-300)] if s.size else np.zeros((len(x), 0))
