"""Refits of a posterior: the model that was fitted, under other priors or without a study."""

from __future__ import annotations

import numpy as np

from bayesmeta.engines.nuts.model_files import load_model
from bayesmeta.engines.nuts.prior_use import require_priors_used
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.likelihoods.data import ModelData
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.fit import solve
from bayesmeta.posterior.method import AVERAGED
from bayesmeta.posterior.model_average import average_again
from bayesmeta.posterior.posterior import Posterior
from bayesmeta.support.arrays import Array


def refit(posterior: Posterior, priors: Priors | None = None, data: ModelData | None = None) -> Posterior:
    """Fit the model of a posterior again: by quadrature, or the user's model file by NUTS, or every model of an average.

    Parameters
    ----------
    posterior : Posterior
        Any posterior.
    priors : Priors, optional
        Other priors; of an average, those under the alternatives. Default: its own.
    data : ModelData, optional
        Other data, such as those of a part of the studies. Default: its own.

    Raises
    ------
    SpecError
        If the engine does not support the priors, or the user's model file ignores them or has changed since it was fitted.
    """
    data = posterior.data if data is None else data
    chosen = posterior.priors if priors is None else priors
    if posterior.engine == AVERAGED:
        return average_again(posterior, data, chosen).posterior
    if posterior.model_path:
        return _sample_again(posterior, data, chosen)
    return solve(data, chosen, "quadrature", posterior.seed)


def _sample_again(posterior: Posterior, data: ModelData, priors: Priors) -> Posterior:
    """Sample the user's model file of a posterior, as it was when it was fitted."""
    assert posterior.source is not None
    file = load_model(posterior.model_path)
    if file.digest != posterior.source.digest:
        raise SpecError(f"{posterior.fitted_model} has changed since this posterior was fitted; fit it again")
    old, new = posterior.priors, priors
    changed = {"mu": old.mu != new.mu, "baseline": old.baseline != new.baseline}
    changed["tau"] = (old.scale, old.on_variance) != (new.scale, new.on_variance)
    require_priors_used(file, data, priors, [name for name, differs in changed.items() if differs])
    return solve(data, priors, "nuts", posterior.seed, file.path)


def exact_fit(posterior: Posterior) -> Posterior:
    """Return the most exact fit of the same model: by quadrature, or the posterior itself if its model has draws only or is an average."""
    by_quadrature = posterior.engine == "quadrature"
    return posterior if by_quadrature or posterior.engine == AVERAGED or posterior.model_path else refit(posterior)


def leave_each_out(posterior: Posterior) -> list[Posterior]:
    """Fit the same model without each of the studies in turn, with all its estimates.

    Raises
    ------
    DataError
        If there are fewer than two studies.
    """
    data = posterior.data
    if len(data.units) < 2:
        raise DataError("leaving a study out needs at least two studies", fix="there is 1 study here")
    return [_without(posterior, name, rows) for name, rows in data.units]


def _without(posterior: Posterior, name: str, rows: Array) -> Posterior:
    """Fit the same model without the estimates at ``rows``."""
    data = posterior.data
    try:
        return refit(posterior, data=data.subset(np.delete(np.arange(len(data.labels)), rows)))
    except DataError as error:
        raise DataError(
            f"without '{name}': {error.what}",
            fix=error.fix or "Use proper priors, or leave that study out of the check.",
        ) from error
