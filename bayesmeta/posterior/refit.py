"""Refits of a posterior: under other priors, by quadrature, or without a study."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.priors.priors import Priors
from bayesmeta.posterior.fit import fit, solve
from bayesmeta.posterior.posterior import Posterior


def as_posterior(source: Any = None, **given: Any) -> Posterior:
    """Return a posterior as it is, or fit data by quadrature.

    Parameters
    ----------
    source : Posterior, StudyTable, Effects, pandas.DataFrame or path, optional
        A fit, or data as in ``fit``.
    **given
        Keywords of ``fit``: measure, likelihood, priors, seed, yi, sei and so on; none with a posterior.

    Raises
    ------
    SpecError
        If keywords are given with a posterior, which has its own data and priors.
    """
    keywords = {name: value for name, value in given.items() if value is not None}
    if not isinstance(source, Posterior):
        return fit(source, **{"engine": "quadrature", **keywords})
    if keywords:
        raise SpecError(f"a posterior has its own data and priors, so {', '.join(keywords)} cannot be given with it")
    return source


def refit(posterior: Posterior, priors: Priors | None = None) -> Posterior:
    """Fit the data of a posterior by quadrature, under its own priors or others.

    Raises
    ------
    SpecError
        If the quadrature engine does not support the priors.
    """
    return solve(posterior.data, posterior.priors if priors is None else priors, "quadrature", posterior.seed)


def exact_fit(posterior: Posterior) -> Posterior:
    """Return the posterior if it is by quadrature, else the same model fitted by quadrature."""
    return posterior if posterior.engine == "quadrature" else refit(posterior)


def leave_each_out(posterior: Posterior) -> list[Posterior]:
    """Fit the data by quadrature without each of the studies in turn.

    Raises
    ------
    DataError
        If there are fewer than two studies.
    """
    data = posterior.data
    if data.k < 2:
        raise DataError("leaving a study out needs at least two studies", fix="there is 1 study here")
    rows = np.arange(len(data.labels))
    return [refit(replace(posterior, data=data.subset(rows != i))) for i in rows]
