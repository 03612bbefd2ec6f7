"""What a reader of a fit must know beside its numbers: the engine taken, what the intercept is, what was left out."""

from __future__ import annotations

from bayesmeta.effects.intercept import intercept_sentence
from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.parameter_names import INTERCEPT
from bayesmeta.engines.choose import automatic_engine
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors


def notes_on_fit(data: ModelData, priors: Priors, engine: str) -> tuple[str, ...]:
    """Return one sentence per thing to know of a fit with moderators or dependent estimates; empty for a pairwise meta-analysis.

    Parameters
    ----------
    data : ModelData
        Data of the fit.
    priors : Priors
        Its priors.
    engine : str
        Name of the engine that computed it.
    """
    found = []
    if engine == "nuts":
        found.append(automatic_engine(data)[1])
    if not data.covariance.diagonal or data.nesting is not None:
        found.append("normal likelihood: that of estimates that depend on each other")
    if not data.design.is_mean:
        found += _on_moderators(data)
        if INTERCEPT in data.design.names and INTERCEPT not in dict(priors.coefficients):
            found.append(f"the prior mu ~ {priors.mu} is that of effect_at_means")
    return tuple(sentence for sentence in found if sentence)


def _on_moderators(data: ModelData) -> list[str]:
    matrix, found = data.matrix, []
    if matrix is not None and matrix.formula is not None:
        found += [intercept_sentence(matrix, matrix.values), *matrix.notes, *matrix.dropped]
    means = zip(data.design.names, data.design.matrix.mean(axis=0), strict=True)
    values = [f"{name} = {value:.4g}" for name, value in means if name != INTERCEPT]
    if values:
        found.append(f"effect_at_means: the effect where {', '.join(values)}")
    if MEASURES[data.measure].log:
        found.append(
            f"on the natural scale effects are {data.measure}s, and the coefficient of a moderator is the factor by which the "
            f"{data.measure} changes per unit of it, a ratio of ratios"
        )
    return found
