"""How much the data say about each coefficient: prior and posterior side by side, their overlap, and the numbers of studies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.engines.marginals.overlap import density_grid, overlap
from bayesmeta.engines.marginals.point_masses import PointMasses
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.posterior.fit import fit
from bayesmeta.posterior.given import as_posterior
from bayesmeta.posterior.method import AVERAGED
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.prior_marginals import prior_marginals
from bayesmeta.support.arguments import check_level, with_keywords_of
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed, counted

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class PriorPosterior(Displayed):
    """Prior and posterior of each coefficient and of tau, on the model scale (log for ratios).

    Parameters
    ----------
    table : pandas.DataFrame
        Index term; columns prior_mean, prior_sd, prior_low, prior_high, mean, sd, ci_low, ci_high (equal-tailed), overlap (area under the
        smaller of both densities, from 0 to 1), sd_ratio (posterior over prior standard deviation; 1 where nothing was learned), k (studies
        that have the level of an indicator, all studies for other columns). NaN where the prior is flat or has no moments.
    levels : pandas.DataFrame
        Studies per level of each categorical moderator: columns moderator, level, k.
    studies_per_coefficient : float
        Number of studies over the number of coefficients.
    priors, posteriors : mapping of str to Marginals
        Distributions by term; the prior of a flat one is missing.
    """

    table: pd.DataFrame
    levels: pd.DataFrame
    studies_per_coefficient: float
    priors: Mapping[str, Marginals]
    posteriors: Mapping[str, Marginals]

    def _line(self) -> str:
        parts = [f"{term} {value:.2f}" for term, value in self.table["overlap"].items() if np.isfinite(value)]
        shown = f"; overlap {', '.join(parts)}" if parts else ""
        return f"{self.studies_per_coefficient:.3g} studies per coefficient, {counted(len(self.table), 'term')}{shown}"

    def _table(self) -> pd.DataFrame:
        return self.table

    def densities(self, term: str, points: int = 401) -> pd.DataFrame:
        """Return the densities of a term for a figure: columns x (model scale), prior, posterior; the prior is NaN where it is flat.

        Parameters
        ----------
        term : str
            A coefficient or "tau".
        points : int
            Number of equally spaced points, from where one of both has a thousandth of its probability to where it has all but that.

        Raises
        ------
        SpecError
            If there is no such term, or it is fixed by its prior.
        """
        import pandas as pd

        if term not in self.posteriors:
            raise unknown_name("term", term, self.posteriors)
        posterior = self.posteriors[term]
        if isinstance(posterior, PointMasses):
            raise SpecError(f"{term} is fixed by its prior, so it has no density")
        prior = self.priors.get(term, posterior)
        x = density_grid(prior, posterior, points)
        known = _at(prior, x) if term in self.priors else np.full(points, np.nan)
        return pd.DataFrame({"x": x, "prior": known, "posterior": _at(posterior, x)})


@with_keywords_of(fit)
def prior_posterior(studies: Any = None, *, level: float = 0.95, **given: Any) -> PriorPosterior:
    """Compare the posterior of each coefficient and of tau with its prior.

    With few studies per coefficient a posterior is little more than its prior: the overlap is near 1, and so is the ratio of the standard
    deviations.

    Parameters
    ----------
    studies : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit, or data as in ``fit``.
    level : float
        Probability of the intervals, in (0, 1).
    **given
        Keywords of ``fit``, for data.

    Returns
    -------
    PriorPosterior
        With the frames ``table`` and ``levels``, ``studies_per_coefficient`` and ``densities(term)``.

    Raises
    ------
    SpecError
        For an average over models or a model file of your own, or a level outside (0, 1).
    """
    check_level(level)
    posterior = as_posterior(
        studies, built_in_only="prior and posterior are compared for the models of this package", **given
    )
    if posterior.engine == AVERAGED:
        raise SpecError("an average over models has several priors; give the fit of one model")
    import pandas as pd

    terms = (*posterior.solution.terms.coefficients, *posterior.solution.terms.scales)
    found = prior_marginals(posterior)
    after = {term: posterior.marginal(term) for term in terms}
    rows = {term: _row(found.get(term), after[term], level) | {"k": _informing(posterior, term)} for term in terms}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("term").astype({"k": int})
    coefficients = max(len(posterior.solution.terms.coefficients), 1)
    return PriorPosterior(table, _levels(posterior), _studies(posterior) / coefficients, found, after)


def learned(posterior: Posterior, terms: Sequence[str]) -> dict[str, dict[str, float]]:
    """Return what the data say about some terms, without the other numbers of ``prior_posterior``.

    Parameters
    ----------
    posterior : Posterior
        A fit of a model of this package.
    terms : sequence of str
        Coefficients.

    Returns
    -------
    dict
        By term: sd_ratio and overlap as in ``PriorPosterior.table``, and k_coefficient, its k.
    """
    priors, found = prior_marginals(posterior), {}
    for term in terms:
        row = _row(priors.get(term), posterior.marginal(term), 0.95)
        found[term] = {
            "sd_ratio": row["sd_ratio"],
            "overlap": row["overlap"],
            "k_coefficient": float(_informing(posterior, term)),
        }
    return found


def _at(one: Marginals, x: Array) -> Array:
    return one.pdf(x[:, None])[:, 0]


def _row(prior: Marginals | None, posterior: Marginals, level: float) -> dict[str, float]:
    """Return the numbers of one term."""
    tails = np.array([[0.5 - 0.5 * level], [0.5 + 0.5 * level]])
    before = [np.nan] * 4 if prior is None else [prior.mean()[0], prior.sd()[0], *prior.quantile(tails)[:, 0]]
    after = [posterior.mean()[0], posterior.sd()[0], *posterior.quantile(tails)[:, 0]]
    fixed = isinstance(posterior, PointMasses) or isinstance(prior, PointMasses)
    area = np.nan if prior is None or fixed else overlap(prior, posterior)
    ratio = after[1] / before[1] if before[1] > 0 and np.isfinite(before[1]) else np.nan
    names = (
        "prior_mean",
        "prior_sd",
        "prior_low",
        "prior_high",
        "mean",
        "sd",
        "ci_low",
        "ci_high",
        "overlap",
        "sd_ratio",
    )
    return dict(zip(names, map(float, (*before, *after, area, ratio)), strict=True))


def _studies(posterior: Posterior, rows: Array | None = None) -> int:
    """Return the number of studies among the rows of a mask; of estimates nested in studies, their studies."""
    data = posterior.data
    here = data.included > 0 if rows is None else rows & (data.included > 0)
    return int(here.sum()) if data.nesting is None else len(np.unique(data.nesting.groups[here, 0]))


def _informing(posterior: Posterior, term: str) -> int:
    """Return how many studies have the level of an indicator; all studies for any other term."""
    data = posterior.data
    if term not in data.design.names:
        return _studies(posterior)
    column = data.design.matrix[:, data.design.names.index(term)]
    indicator = np.isin(column[data.included > 0], (0.0, 1.0)).all()
    return _studies(posterior, column == 1.0) if indicator else _studies(posterior)


def _levels(posterior: Posterior) -> pd.DataFrame:
    """Return the studies per level of the categorical moderators of a formula, by the indicators in its design."""
    import pandas as pd

    matrix = posterior.data.matrix
    contrasts = getattr(getattr(matrix, "spec", None), "factor_contrasts", {}) or {}
    rows = []
    for factor, state in contrasts.items():
        name, counts = str(factor), {}
        for level in state.levels:
            columns = {f"{name}[T.{level}]", f"{name}[{level}]"} & set(posterior.data.design.names)
            counts[str(level)] = _informing(posterior, columns.pop()) if columns else None
        silent = [level for level, count in counts.items() if count is None]
        if len(silent) == 1:
            known = {f"{name}[T.{level}]" for level in counts} & set(posterior.data.design.names)
            shown = [posterior.data.design.names.index(one) for one in known]
            counts[silent[0]] = _studies(posterior, (posterior.data.design.matrix[:, shown] == 0.0).all(axis=1))
        if len(silent) <= 1:
            rows += [{"moderator": name, "level": level, "k": count} for level, count in counts.items()]
    return pd.DataFrame(rows, columns=["moderator", "level", "k"])
