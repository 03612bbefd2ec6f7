"""Distribution of the heterogeneity in a new meta-analysis, fitted to a collection of reviews."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.empirical import CORPUS_FORMAT
from bayesmeta.reviews.collection.heterogeneity_model import HeterogeneityModel, fit_heterogeneity
from bayesmeta.reviews.collection.read_corpus import find_results, read_corpus, study_effects
from bayesmeta.support.display import Displayed
from bayesmeta.support.json_files import write_json
from bayesmeta.support.versions import versions

if TYPE_CHECKING:
    import pandas as pd

#: measures whose tau has the unit of the outcome, so that it cannot be compared between outcomes
IN_UNITS = ("MD", "GEN")
#: least number of analyses from which a prior is made
FEWEST = 5


@dataclass(frozen=True, repr=False)
class CorpusPrior(Displayed):
    """Distributions of tau2 in a new meta-analysis, one per measure, from ``corpus_prior``.

    Parameters
    ----------
    models : dict of str to HeterogeneityModel
        Measure to its model; tau2 on the MODEL scale (log for ratios).
    left_out : dict of str to str
        Measure without a model to the reason.
    """

    models: dict[str, HeterogeneityModel]
    left_out: dict[str, str]

    def _line(self) -> str:
        return f"distributions of tau2 for {', '.join(self.models) or 'no measure'}; none for {', '.join(self.left_out) or 'no other'}"

    def _table(self) -> pd.DataFrame:
        return self.to_frame()

    def to_frame(self) -> pd.DataFrame:
        """Return one row per measure: analyses, studies, m and s with their 95% intervals, meanlog, sdlog, and quantiles of tau."""
        import pandas as pd

        rows = []
        for measure, model in self.models.items():
            tau = Prior("LogNormal", (model.meanlog / 2, model.sdlog / 2)).quantile([0.025, 0.5, 0.975])
            rows.append(
                {
                    "measure": measure, **vars(model),
                    **dict(zip(("tau_low", "tau_median", "tau_high"), map(float, tau), strict=True)),
                }
            )  # fmt: skip
        return pd.DataFrame(rows)

    def write(self, path: str | os.PathLike[str]) -> Path:
        """Write the priors as JSON, atomically, for ``tau=corpus:FILE``.

        Raises
        ------
        DataError
            If it cannot be written.
        """
        value = {
            "format": CORPUS_FORMAT,
            "made_by": f"bayesmeta {versions()['bayesmeta']}",
            "method": "log tau2 ~ Normal(meanlog, sdlog) in a new meta-analysis: mean and variance of the posterior predictive "
            "distribution in a hierarchical model with normal likelihoods, tau on the model scale (log for ratios)",
            "priors": {
                measure: {**vars(model), "family": "LogNormal", "on": "tau2"} for measure, model in self.models.items()
            },
            "left_out": self.left_out,
        }
        return write_json(path, value)


def corpus_prior(path: str | os.PathLike[str], measures: Sequence[str] | None = None) -> CorpusPrior:
    """Fit the distribution of tau2 over the analyses of a collection, measure by measure.

    Parameters
    ----------
    path : str or path
        As for ``read_corpus``; the folders of the reviews, with their studies.csv, must be beside the file.
    measures : sequence of str, optional
        Default: all but MD and GEN, whose tau has the unit of the outcome.

    Returns
    -------
    CorpusPrior
        Analyses of one study contain no information on tau and are skipped; a measure with fewer than 5 analyses of two studies or
        more has no prior.

    Raises
    ------
    DataError
        If the results or the study rows cannot be read.
    SpecError
        For an unknown measure, or one whose tau has the unit of the outcome.

    Notes
    -----
    y_ij ~ N(mu_i, v_ij + tau_i^2), log tau_i^2 ~ N(m, s^2), mu_i with the default prior of the measure (flat for RD): see
    ``fit_heterogeneity``. Analyses count as independent, also those that share studies.
    """
    file, folder = find_results(path)
    frame = read_corpus(file)
    wanted = tuple(frame["measure"].unique()) if measures is None else tuple(name.upper() for name in measures)
    for name in wanted:
        if name not in MEASURES:
            raise unknown_name("measure", name, MEASURES)
        if measures is not None and name in IN_UNITS:
            raise SpecError(
                f"tau of {name} has the unit of the outcome, so a collection has no prior for it; leave it out"
            )
    data = dict(study_effects(frame[frame["measure"].isin(set(wanted) - set(IN_UNITS))], folder))
    models: dict[str, HeterogeneityModel] = {}
    left_out: dict[str, str] = {}
    for measure in sorted(wanted):
        found = [effects for (_, _, name), effects in data.items() if name == measure]
        if measure in IN_UNITS:
            left_out[measure] = "tau has the unit of the outcome, which differs between analyses"
        elif len(found) < FEWEST:
            left_out[measure] = f"{len(found)} analyses of two studies or more, {FEWEST} needed"
        else:
            models[measure] = fit_heterogeneity(found, _prior_mu(measure))
    return CorpusPrior(models, left_out)


def _prior_mu(measure: str) -> Prior:
    return default_priors(measure).mu if MEASURES[measure].prior_sds is not None else Prior("Flat", ())
