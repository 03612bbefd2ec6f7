"""Marginal distributions estimated from draws, with the methods of the exact ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bayesmeta.engines.terms import HETEROGENEITY
from bayesmeta.support.arrays import Array


@dataclass(frozen=True)
class Samples:
    """Draws of several terms.

    Parameters
    ----------
    terms : tuple of str
        Names, length T.
    values : numpy.ndarray, shape (T, chain, draw)
        Draws on the model scale.
    """

    terms: tuple[str, ...]
    values: Array

    def take(self, term: str) -> Samples:
        """Return the draws of one term."""
        i = self.terms.index(term)
        return Samples((term,), self.values[i : i + 1])

    @property
    def _flat(self) -> Array:
        return self.values.reshape(len(self.terms), -1)

    def mean(self) -> Array:
        """Means, shape (T,)."""
        return self._flat.mean(axis=1)

    def sd(self) -> Array:
        """Standard deviations, shape (T,)."""
        return self._flat.std(axis=1, ddof=1)

    def cdf(self, x: Array) -> Array:
        """Share of draws at or below ``x``, broadcast against (T,)."""
        return (self._flat <= np.asarray(x, dtype=float)[..., None]).mean(axis=-1)

    def cdf_ess(self, x: Array) -> Array:
        """Effective numbers of draws for the shares at or below ``x`` (shape (T,)), by arviz; shape (T,)."""
        import arviz_stats as az
        import xarray as xr

        below = self.values <= np.asarray(x, dtype=float)[:, None, None]
        found = az.ess(xr.Dataset({"below": (("term", "chain", "draw"), below.astype(float))}), method="mean")
        # arviz gives more than all draws for chains that alternate, and for draws that are all on one side
        return np.minimum(found["below"].values, below[0].size)

    def quantile(self, p: float | Array) -> Array:
        """Quantiles at ``p`` (a number, or shape (..., 1) with one p per row)."""
        p = np.asarray(p, dtype=float)
        if p.ndim == 0:
            return np.quantile(self._flat, p, axis=1)
        return np.quantile(self._flat, p[..., 0], axis=1).reshape(*p.shape[:-1], len(self.terms))

    def pdf(self, x: Array) -> Array:
        """Kernel density estimates at ``x`` of shape (m, 1), by arviz; reflected at 0 for tau, tau2 and i2."""
        from arviz_stats.base import array_stats

        x = np.ravel(x)
        columns = []
        for term, row in zip(self.terms, self._flat, strict=True):
            grid, density, _ = array_stats.kde(row)
            # the grid of arviz ends at the smallest draw; between it and the bound 0 the density is taken to be constant
            left = np.where(x >= 0, density[0], 0.0) if term in HETEROGENEITY else 0.0
            columns.append(np.where(x < grid[0], left, np.interp(x, grid, density, right=0.0)))
        return np.stack(columns, axis=-1)

    def hdi(self, mass: float, start: Array | None = None) -> tuple[Array, Array]:  # noqa: ARG002
        """Highest-density intervals by arviz: lower and upper ends, each of shape (T,)."""
        import arviz_stats as az

        ends = np.array([az.hdi(row, prob=mass) for row in self._flat])
        return ends[:, 0], ends[:, 1]

    def convergence(self) -> dict[str, Array]:
        """``r_hat``, ``ess_bulk`` and ``mcse_mean``, the Monte Carlo standard errors of the means, by arviz, each of shape (T,)."""
        import arviz_stats as az

        draws = self._dataset()
        found = {
            "r_hat": az.rhat(draws),
            "ess_bulk": az.ess(draws, method="bulk"),
            "mcse_mean": az.mcse(draws, method="mean"),
        }
        return {name: value["value"].values for name, value in found.items()}

    def sampling_error(self, level: float = 0.95) -> dict[str, Array]:
        """r_hat, ESS and Monte Carlo standard errors by arviz, each of shape (T,).

        ``mcse_ci_low`` and ``mcse_ci_high`` are those of the ends of equal-tailed intervals of this level.
        """
        import arviz_stats as az

        draws, known = self._dataset(), self.convergence()
        quantiles = {
            f"mcse_{name}": az.mcse(draws, method="quantile", prob=p)["value"].values
            for name, p in (("ci_low", 0.5 - 0.5 * level), ("median", 0.5), ("ci_high", 0.5 + 0.5 * level))
        }
        return {
            "r_hat": known["r_hat"],
            "ess_bulk": known["ess_bulk"],
            "ess_tail": az.ess(draws, method="tail")["value"].values,
            "mcse_mean": known["mcse_mean"],
            "mcse_sd": az.mcse(draws, method="sd")["value"].values,
            **quantiles,
        }

    def _dataset(self) -> Any:
        import xarray as xr

        return xr.Dataset({"value": (("term", "chain", "draw"), self.values)})
