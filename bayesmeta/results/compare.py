"""Every method side by side, in one tidy schema: one row a method and term; nothing is rounded here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bayesmeta.effects.design import MEAN
from bayesmeta.errors import unknown_name
from bayesmeta.model.likelihoods.registry import default_likelihood
from bayesmeta.posterior.scale import SCALES, to_natural
from bayesmeta.posterior.summary import summarize
from bayesmeta.results.rows import averaged_rows, frequentist_rows, tidy_frame, tidy_posterior
from bayesmeta.support.arguments import check_level

if TYPE_CHECKING:
    import pandas as pd


def compare(
    studies: Any = None,
    *,
    measure: str | None = None,
    priors: Any = None,
    level: float = 0.95,
    scale: str = "model",
    better: str | None = None,
    mid: float | None = None,
    **data: Any,
) -> pd.DataFrame:
    """Pool the same studies by every method, side by side; needs no PyMC.

    Parameters
    ----------
    studies, measure, priors
        As in ``fit``.
    level, scale, better, mid
        As in ``summarize``.
    **data
        Other keywords of ``fit`` that describe the data, such as ``yi`` and ``sei``.

    Returns
    -------
    pandas.DataFrame
        One row a method: the frequentist ones; by quadrature the Bayesian model with the normal likelihood and, where there are arm-level
        data, with theirs; and each averaged over the models with and without an effect and heterogeneity
        (``model_average``). Columns ``TIDY`` and more. The estimates of the Bayesian rows are posterior medians, of the averaged ones
        means.
    """
    from bayesmeta.posterior.fit import as_effects, fit

    if scale not in SCALES:
        raise unknown_name("scale", scale, SCALES)
    check_level(level)
    effects = as_effects(studies, measure=measure, **data)
    rows = frequentist_rows(effects, level=level)
    for likelihood in dict.fromkeys(("normal", default_likelihood(effects))):
        given = {
            name: text for name, text in dict(priors or {}).items() if name != "baseline" or likelihood != "normal"
        }
        posterior = fit(effects, likelihood=likelihood, priors=given, engine="quadrature")
        summary = summarize(posterior, level=level, better=better, mid=mid, studies=False)
        rows += tidy_posterior(posterior, summary)
        rows += averaged_rows(posterior, level=level, better=better, mid=mid)
    frame = tidy_frame([row for row in rows if row["term"] == MEAN])
    return to_natural(frame) if scale == "natural" else frame
