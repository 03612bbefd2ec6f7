"""What a collection of reviews says as a whole: heterogeneity and agreement of methods over its analyses, and a prior made from them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.empirical import CORPUS_FORMAT
from bayesmeta.reviews.collection.heterogeneity_model import HeterogeneityModel, fit_heterogeneity
from bayesmeta.reviews.folder import RESULTS_FILE, REVIEW_FILE, STUDIES_FILE
from bayesmeta.reviews.parquet import ROWS_FILE
from bayesmeta.support.arrays import Array
from bayesmeta.support.files import write_json
from bayesmeta.support.versions import versions

if TYPE_CHECKING:
    import pandas as pd

NEEDED = ("analysis", "method", "measure", "term", "estimate", "ci_low", "ci_high", "tau", "k")
#: measures whose tau has the unit of the outcome, so that it means nothing for another outcome
IN_UNITS = ("MD", "GEN")
#: fewer analyses than this say next to nothing about how heterogeneity varies
FEWEST = 5


@dataclass(frozen=True)
class CorpusPrior:
    """Distributions of tau2 in new meta-analyses, one a measure, from ``corpus_prior``.

    Parameters
    ----------
    models : dict of str to HeterogeneityModel
        By measure; tau2 on the MODEL scale (log for ratios).
    left_out : dict of str to str
        Measures that have none, and why.
    """

    models: dict[str, HeterogeneityModel]
    left_out: dict[str, str]

    def to_frame(self) -> pd.DataFrame:
        """Return one row a measure: analyses, studies, m and s with their 95% intervals, meanlog, sdlog, and quantiles of tau."""
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
        """Write the priors as JSON, atomic: what ``tau=corpus:FILE`` reads.

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
        As for ``read_corpus``; the reviews' own folders, with their studies.csv, must stand beside the file.
    measures : sequence of str, optional
        Default: all but MD and GEN, whose tau has the unit of the outcome.

    Returns
    -------
    CorpusPrior
        Analyses of one study say nothing about tau and are passed over; a measure with fewer than 5 analyses of two studies or more
        has no prior.

    Raises
    ------
    DataError
        If the results or the studies cannot be read.
    SpecError
        For an unknown measure, or one whose tau has the unit of the outcome.

    Notes
    -----
    y_ij ~ N(mu_i, v_ij + tau_i^2), log tau_i^2 ~ N(m, s^2), mu_i with the measure's default prior (for RD, flat): see
    ``corpus_model``. Analyses count as independent, also those that share studies.
    """
    file, root = _locate(path)
    frame = read_corpus(file)
    wanted = tuple(frame["measure"].unique()) if measures is None else tuple(name.upper() for name in measures)
    for name in wanted:
        if name not in MEASURES:
            raise unknown_name("measure", name, MEASURES)
        if measures is not None and name in IN_UNITS:
            raise SpecError(
                f"tau of {name} has the unit of the outcome, so a collection has no prior of it; leave it out"
            )
    data = dict(_study_data(frame[frame["measure"].isin(set(wanted) - set(IN_UNITS))], root))
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


def read_corpus(path: str | os.PathLike[str]) -> pd.DataFrame:
    """Read a collection's pooled rows (term mu), natural scale.

    Parameters
    ----------
    path : str or path
        A results.parquet or results.csv of a run, or the folder that holds one.

    Returns
    -------
    pandas.DataFrame
        review, analysis, method, measure, outcome, estimate, ci_low, ci_high, tau, k; a review that is not named is "". One row
        for each analysis and method: the first.

    Raises
    ------
    DataError
        If there is no such file, it is no table of results, or it has no rows.
    """
    import pandas as pd

    file, _ = _locate(path)
    fix = "give results.parquet (or results.csv) as `bayesmeta run` writes it"
    try:
        if file.suffix == ".parquet":
            import pyarrow.parquet as pq

            there = set(pq.read_schema(file).names)
        else:
            there = set(pd.read_csv(file, nrows=0).columns)
        missing = [name for name in NEEDED if name not in there]
        if missing:
            raise DataError(f"no column '{missing[0]}'", source=str(file), fix=fix)
        columns = [*NEEDED, *(name for name in ("review", "outcome") if name in there)]
        if file.suffix == ".parquet":
            frame = pd.read_parquet(file, columns=columns, filters=[("term", "==", "mu")], partitioning=None)
        else:
            frame = pd.read_csv(file, usecols=columns, dtype={"analysis": str, "review": str, "outcome": str})
            frame = frame[frame["term"] == "mu"]
        for name in ("estimate", "ci_low", "ci_high", "tau", "k"):
            frame[name] = pd.to_numeric(frame[name])
    except (OSError, ValueError) as error:
        raise DataError(f"these results cannot be read: {error}", source=str(file), fix=fix) from None
    if frame.empty:
        raise DataError("there is no pooled estimate (term mu)", source=str(file), fix=fix)
    for name in ("review", "outcome", "analysis"):
        frame[name] = frame[name].fillna("").astype(str) if name in frame else ""
    unknown = sorted(set(frame["measure"]) - set(MEASURES))
    if unknown:
        raise unknown_name("measure", unknown[0], MEASURES)
    return frame.drop(columns="term").drop_duplicates(["review", "analysis", "method"]).reset_index(drop=True)


def _locate(path: str | os.PathLike[str]) -> tuple[Path, Path]:
    """Return the file of results, and the folder in which the reviews' folders stand."""
    path = Path(path)
    if path.is_dir():
        found = [path / name for name in (ROWS_FILE, RESULTS_FILE) if (path / name).is_file()]
        if not found:
            raise DataError(
                f"neither {ROWS_FILE} nor {RESULTS_FILE} is in this folder", source=str(path),
                fix="give the folder that `bayesmeta run` wrote",
            )  # fmt: skip
        return found[0], path
    if path.suffix not in (".parquet", ".csv") or not path.is_file():
        raise DataError(
            "no such file of results", source=str(path), fix="give results.parquet, results.csv or the folder of a run"
        )
    return path, path.parent


Key = tuple[str, str, str]


def _study_data(frame: pd.DataFrame, root: Path) -> Iterator[tuple[Key, tuple[Array, Array]]]:
    """Yield (review, analysis, measure) with the effects and variances (MODEL scale) of each analysis of two studies or more."""
    import pandas as pd

    analyses = frame.drop_duplicates(["review", "analysis"]).sort_values(["review", "analysis"])
    for review, rows in analyses.groupby("review", sort=True):
        folder = root / str(review)
        file = folder / STUDIES_FILE
        try:
            studies = pd.read_csv(file, dtype={"analysis": str})
            levels = _levels(folder)
            by_analysis = {str(name): part for name, part in studies.groupby("analysis")}
            for analysis, measure in zip(map(str, rows["analysis"]), map(str, rows["measure"]), strict=True):
                if analysis not in by_analysis:
                    continue
                yi, vi = _effects(by_analysis[analysis], measure, levels.get(analysis, levels[""]))
                if len(yi) > 1:
                    yield (str(review), analysis, measure), (yi, vi)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"the studies of the review cannot be read: {error}", source=str(file),
                fix="keep the reviews' folders beside results.parquet as `bayesmeta run` wrote them, or run again",
            ) from None  # fmt: skip


def _levels(folder: Path) -> dict[str, float]:
    """Read the levels of the intervals: by analysis, and under "" for all others."""
    file = folder / REVIEW_FILE
    if not file.is_file():
        return {"": 0.95}
    review: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    own = {item["id"]: float(item["level"]) for item in review.get("analysis", ()) if item.get("level")}
    return {"": float(review.get("settings", {}).get("level", 0.95)), **own}


def _effects(studies: pd.DataFrame, measure: str, level: float) -> tuple[Array, Array]:
    """Turn estimates and intervals, natural scale, back into the effects and variances that were pooled."""
    from scipy.special import ndtri

    pooled = studies["reason"].isna() | (studies["reason"] == "") if "reason" in studies else slice(None)
    values = studies.loc[pooled, ["estimate", "ci_low", "ci_high"]].to_numpy(float)
    if MEASURES[measure].log:
        with np.errstate(divide="ignore", invalid="ignore"):
            values = np.log(values)
    se = (values[:, 2] - values[:, 1]) / (2 * float(ndtri(0.5 + 0.5 * level)))
    kept = np.isfinite(values).all(axis=1) & (se > 0)
    return values[kept, 0], se[kept] ** 2
