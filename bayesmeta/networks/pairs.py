"""Pairs of treatments and the names of their contrasts."""

from __future__ import annotations


def versus(first: str, second: str) -> str:
    """Return the name of a contrast: "A vs B", the effect of A against B."""
    return f"{first} vs {second}"


def contrast_pairs(size: int, reference: int) -> list[tuple[int, int]]:
    """Return all contrasts of ``size`` treatments, each once: the others against the reference, then later ones against earlier ones."""
    others = [i for i in range(size) if i != reference]
    return [(i, reference) for i in others] + [(b, a) for i, a in enumerate(others) for b in others[i + 1 :]]
