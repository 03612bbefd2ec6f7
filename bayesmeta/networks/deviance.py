"""Residual deviance and leverage of the data points of a network: the arms of its trials, or the contrasts of each trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.networks.exact_solution import NetworkSolution
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.networks.sampled_solution import SampledNetwork
from bayesmeta.support.arrays import Array

if TYPE_CHECKING:
    import pandas as pd

#: columns of the numbers
COLUMNS = ("study", "treatment", "observed", "fitted", "points", "deviance", "leverage", "dic", "signed_root")


def deviances(net: NetworkPosterior) -> pd.DataFrame:
    """Return residual deviances and leverages; see ``NetworkPosterior.deviances``."""
    solution = net.solution
    rows = _of_trials(net, solution) if isinstance(solution, NetworkSolution) else _of_arms(solution)
    return deviance_frame(rows)


def deviance_frame(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Return the frame of data points with study, treatment, observed, fitted, points, deviance and leverage.

    Added are dic, deviance plus leverage, and signed_root: the root of the deviance per point, below 0 where the observed value is below
    the fitted one.
    """
    import pandas as pd

    frame = pd.DataFrame(rows)
    below = (frame["observed"] < frame["fitted"]).to_numpy()
    root = np.sqrt(frame["deviance"].to_numpy() / frame["points"].to_numpy())
    frame["dic"] = frame["deviance"] + frame["leverage"]
    frame["signed_root"] = np.where(below, -root, root)
    return frame[list(COLUMNS)]


def _of_trials(net: NetworkPosterior, solution: NetworkSolution) -> list[dict[str, Any]]:
    contrasts = net.contrasts
    deviance, leverage = solution.deviances
    fitted = posterior_effects(solution)
    rows = []
    for k, (study, at) in enumerate(zip(contrasts.studies, contrasts.slices, strict=True)):
        names = [contrasts.treatments[arm] for arm in contrasts.arms_of_studies[k]]
        single = at.stop - at.start == 1
        rows.append(
            {
                "study": study, "treatment": f"{names[1]} vs {names[0]}" if single else ", ".join(names),
                "observed": float(contrasts.y[at.start]) if single else np.nan, "fitted": float(fitted[at.start]) if single else np.nan,
                "points": at.stop - at.start, "deviance": float(deviance[at].sum()), "leverage": float(leverage[at].sum()),
            }
        )  # fmt: skip
    return rows


def posterior_effects(solution: NetworkSolution) -> Array:
    """Return the posterior means of the effects in the studies, shape (n,), on the model scale."""
    model, (mean, _) = solution.model, solution.given_tau
    between = solution.tau[:, None] ** 2 * model.r
    share = between / (between + model.s)
    expected = mean @ model.x.T
    return model.to_estimates(solution.weights @ (expected + share * (model.y - expected)))


def _of_arms(solution: SampledNetwork) -> list[dict[str, Any]]:
    arms = solution.arms
    deviance, leverage = solution.deviances
    fitted = solution.drawn.draws["fitted"].mean(axis=(0, 1))
    observed = arms.columns["mean"] if arms.likelihood == "normal arms" else arms.columns["events"]
    if arms.likelihood == "binomial arms":
        fitted = fitted * arms.columns["n"]
    return [
        {
            "study": arms.trials[arms.trial[i]], "treatment": arms.treatments[arms.treatment[i]], "observed": float(observed[i]),
            "fitted": float(fitted[i]), "points": 1, "deviance": float(deviance[i]), "leverage": float(leverage[i]),
        }
        for i in range(len(arms.trial))
    ]  # fmt: skip
