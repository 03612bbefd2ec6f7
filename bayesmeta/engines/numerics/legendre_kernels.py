"""Compiled loops of Legendre series."""

from __future__ import annotations

from bayesmeta.engines.numerics.compiled import compiled
from bayesmeta.support.arrays import Array


@compiled
def fill_basis(t: Array, out: Array) -> None:
    """Write the Legendre polynomials of degree 0, 1, 2 ... at ``t`` (shape (m,)) into the rows of ``out`` (shape (size, m))."""
    for j in range(len(t)):
        x, before, now = t[j], 1.0, t[j]
        out[0, j], out[1, j] = 1.0, x
        for n in range(1, out.shape[0] - 1):
            before, now = now, now * x * ((2 * n + 1) / (n + 1)) - before * (n / (n + 1))
            out[n + 1, j] = now
