"""Predictions: the mean effect at values of the moderators, and the effect in a new study that has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.design import MEAN
from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.model_matrix import ModelMatrix, model_matrix
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.protocol import Marginals
from bayesmeta.engines.marginals.ratios import ratio_moments
from bayesmeta.engines.normal.linear_effects import known_or_mixed
from bayesmeta.engines.terms import NEW_STUDY, TAU
from bayesmeta.errors import SpecError
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.frequentist.regression_result import Regression
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.posterior.method import AVERAGED
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.posterior.scale import check_scale, on_scale
from bayesmeta.support.arguments import check_level
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: columns of predictions
MOMENTS, QUANTILES, NEW = ("mean", "sd"), ("median", "ci_low", "ci_high"), ("pi_low", "pi_high")


def predict(fit: Any, frame: Any = None, *, level: float = 0.95, scale: str = "model") -> pd.DataFrame:
    """Predict effects at values of the moderators.

    Parameters
    ----------
    fit : Posterior, Regression or Multilevel
        A fit with moderators, or without.
    frame : pandas.DataFrame or mapping, optional
        Values of the moderators, one row per prediction; centres, knots and categories are those of the data that were fitted. Or rows
        of X, where X was given. By default the moderators of the data; without moderators the mean effect.
    level : float
        Probability of the intervals, in (0, 1).
    scale : str
        ``"model"`` (log for ratios) or ``"natural"``: medians and the ends of intervals are exponentiated; mean and sd are those of the
        ratio, NaN where a flat prior may leave them infinite.

    Returns
    -------
    pandas.DataFrame
        One row per row of ``frame``, with its index: mean, sd, median, ci_low, ci_high of the mean effect (of ``Regression`` and
        ``Multilevel``: estimate, se, ci_low, ci_high), and pi_low, pi_high, the interval of the effect in a new study; where studies have
        several estimates, of a new estimate in a new study. Exact mixtures by quadrature; from the draws by NUTS. ``attrs`` has level and
        scale.

    Raises
    ------
    DataError
        If a moderator is missing.
    SpecError
        If a column is not there, a category is new, or the fit has no predictions.

    Examples
    --------
    >>> import bayesmeta as bm
    >>> fit = bm.fit(yi=[-0.9, -0.2, -0.4, 0.1], vi=[0.1] * 4, data={"dose": [1, 2, 2, 3]}, moderators="~ dose", measure="SMD")
    >>> bm.predict(fit, {"dose": [1.5, 2.5]}).round(3)["median"].tolist()
    [-0.554, -0.139]
    """
    check_level(level)
    check_scale(scale)
    if isinstance(fit, (Regression, Multilevel)):
        found = on_scale(fit.predict(frame, level=level), scale, MEASURES[fit.measure].log)
        found.attrs = {"level": level, "scale": scale}
        return found
    if not isinstance(fit, Posterior):
        raise SpecError(
            f"predict takes a posterior of fit(), or a regression() or multilevel(), but got {type(fit).__name__}"
        )
    return _predicted(fit, frame, level, scale)


def _predicted(posterior: Posterior, frame: Any, level: float, scale: str) -> pd.DataFrame:
    import pandas as pd

    mean, new, index = _marginals(posterior, frame)
    tails = np.array([[0.5], [0.5 - 0.5 * level], [0.5 + 0.5 * level]])
    m, log = len(index), MEASURES[posterior.measure].log
    columns = {name: np.full(m, np.nan) for name in (*MOMENTS, *QUANTILES, *NEW)}
    moments = _moments_exist(posterior) or not (log and scale == "natural")
    for rows, family in _families(mean):
        ratio = log and scale == "natural"
        if moments:
            both = ratio_moments(family) if ratio else (family.mean(), family.sd())
            columns["mean"][rows], columns["sd"][rows] = both
        for name, values in zip(QUANTILES, family.quantile(tails), strict=True):
            columns[name][rows] = values
    for rows, family in _families(new):
        for name, values in zip(NEW, family.quantile(tails[1:]), strict=True):
            columns[name][rows] = values
    found = on_scale(pd.DataFrame(columns, index=index), scale, log)
    found.attrs = {"level": level, "scale": scale}
    return found


def _marginals(posterior: Posterior, frame: Any) -> tuple[Marginals, Marginals | None, list[str]]:
    """Return the marginal distributions of the mean effects and, where the model has them, of effects in new studies; and the index."""
    solution, data = posterior.solution, posterior.data
    if posterior.engine == AVERAGED:
        raise SpecError(
            "predict takes a single model, and this posterior is averaged over several; moderator_average() averages coefficients"
        )
    if data.design.is_mean:
        if frame is not None:
            raise SpecError("this fit has no moderators: leave the values out, or fit with moderators=")
        terms = solution.terms
        return (
            posterior.marginal(terms.coefficients[0]),
            posterior.marginal(terms.new[-1]) if terms.new else None,
            [terms.coefficients[0]],
        )
    matrix = matrix_of(data)
    rows, index = (data.design.matrix, list(data.labels)) if frame is None else matrix.rows_for(frame)
    if not hasattr(solution, "combinations"):
        raise SpecError(f"{posterior.fitted_model} has no predictions at values of the moderators")
    names = tuple(str(i) for i in range(len(rows)))
    return solution.combinations(rows, names), _new_effects(posterior, solution, rows, names), index


def new_effect(posterior: Posterior, row: Array) -> Marginals:
    """Return the distribution of the effect in a new study with a row of X, shape (p,); without moderators that of theta_new.

    Raises
    ------
    SpecError
        If the model has none.
    """
    terms = posterior.solution.terms
    if posterior.data.design.is_mean:
        return posterior.marginal(terms.new[-1] if terms.new else NEW_STUDY)
    found = _new_effects(posterior, posterior.solution, row[None, :], (NEW_STUDY,))
    if found is None:
        raise SpecError(f"{posterior.fitted_model} has no effect in a new study")
    return found


def mean_effect(posterior: Posterior, term: str, row: Array) -> Marginals:
    """Return the distribution of the expected effect of a study with a row of X, shape (p,), under the name ``term``."""
    if posterior.data.design.is_mean:
        return posterior.marginal(MEAN)
    solution: Any = posterior.solution
    return _families(solution.combinations(row[None, :], (term,)))[0][1]


def _new_effects(posterior: Posterior, solution: Any, rows: Array, names: tuple[str, ...]) -> Marginals | None:
    """Return the effects in new studies; None where tau differs between outcomes, or a user's model has none."""
    data = posterior.data
    if data.outcomes is not None and data.outcomes.structure == "UN":
        return None
    if posterior.engine == "nuts":
        if TAU not in solution.draws:
            return None
        return solution.combinations(rows, names, new_study=True, seed=posterior.seed)
    # with two levels of heterogeneity the deviation is that of both; with one, tau is the whole of it
    nested = data.nesting is not None and "rho" in solution.terms.heterogeneity
    return solution.combinations(rows, names, **{"new_estimate" if nested else "new_study": True})


def _families(family: Marginals | None) -> list[tuple[Array, Any]]:
    """Return the rows and distributions of predictions; those that are known for certain apart from others."""
    if family is None:
        return []
    if not isinstance(family, NormalMixtures):
        return [(np.arange(len(family.terms)), family)]
    places = {term: i for i, term in enumerate(family.terms)}
    finite = family.finite_moments or (4,) * len(family.terms)
    parts = known_or_mixed(family.terms, family.weights, family.means, family.sds, finite)
    return [(np.array([places[term] for term in part.terms]), part) for part in parts]


def matrix_of(data: ModelData) -> ModelMatrix:
    """Return the model matrix of the data of a fit; of effects that came with a design, that design."""
    if data.matrix is not None:
        return data.matrix
    return model_matrix(data.design, {}, np.ones(len(data.labels), dtype=bool), data.labels)


def _moments_exist(posterior: Posterior) -> bool:
    """Whether the ratio has a mean and standard deviation whatever tau is: under normal priors of all coefficients."""
    if posterior.model_path:
        return False
    found = combination_priors(posterior.priors, posterior.data.design)
    return all(family in ("Normal", "Point") for family in found.families)
