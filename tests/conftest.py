"""Fixtures of several test files: small studies, converged fits (each model is compiled once per session) and a small review."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
import pytest
from hypothesis import settings
from paths import REVIEWS_FOLDER

# loops are compiled the first time they are called, which no example should be blamed for
# the same examples in every run; ``--hypothesis-profile explore`` looks at other ones each time
settings.register_profile("bayesmeta", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("bayesmeta")

PIP = REVIEWS_FOLDER / "pip"

#: Colditz et al. 1994, the thirteen BCG trials, as in metafor's dat.bcg
BCG = {
    "study": [
        "Aronson 1948", "Ferguson 1949", "Rosenthal 1960", "Hart 1977", "Frimodt-Moller 1973", "Stein 1953", "Vandiviere 1973",
        "TPT Madras 1980", "Coetzee 1968", "Rosenthal 1961", "Comstock 1974", "Comstock 1969", "Comstock 1976",
    ],
    "events_e": [4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27],
    "n_e": [123, 306, 231, 13598, 5069, 1541, 2545, 88391, 7499, 1716, 50634, 2498, 16913],
    "events_c": [11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29],
    "n_c": [139, 303, 220, 12867, 5808, 1451, 629, 88391, 7277, 1665, 27338, 2341, 17854],
}  # fmt: skip
PIP_PRIORS = {"mu": "Normal(0, 2.82)", "tau": "HalfNormal(0.5)"}


def pip_table(analysis):
    """One analysis of the worked review, as a frame."""
    for name in ("continuous", "dichotomous"):
        frame = pd.read_csv(PIP / f"{name}.csv", dtype={"analysis": str})
        found = frame[frame["analysis"] == analysis].drop(columns="analysis").reset_index(drop=True)
        if len(found):
            return found
    raise KeyError(analysis)


@pytest.fixture(scope="session")
def bcg():
    return pd.DataFrame(BCG)


@pytest.fixture(scope="session")
def fit():
    from bayesmeta.posterior.fit import fit

    return fit


@pytest.fixture(scope="session")
def bcg_nuts(bcg, fit):
    return fit(bcg, measure="RR", likelihood="normal", priors=PIP_PRIORS, engine="nuts", seed=11)


@pytest.fixture(scope="session")
def depression_nuts(fit):
    """PIP 1.1: three trials, normal likelihood."""
    return fit(pip_table("1.1"), measure="RR", likelihood="normal", priors=PIP_PRIORS, engine="nuts", seed=12)


@pytest.fixture(scope="session")
def resistant_nuts(fit):
    """PIP 1.11: two trials without events in one arm, binomial likelihood."""
    return fit(pip_table("1.11"), measure="RR", likelihood="binomial", priors=PIP_PRIORS, engine="nuts", seed=13)


@pytest.fixture(scope="session")
def symptoms_nuts(fit):
    """PIP 1.2: four trials, noncentral t likelihood."""
    priors = {"mu": "Normal(0, 2)", "tau": "HalfNormal(0.5)"}
    return fit(pip_table("1.2"), measure="SMD", likelihood="nct", priors=priors, engine="nuts", seed=14)


def as_if_sampled(posterior, chains=4, draws=1000, seed=5):
    """Turn an exact posterior into one by NUTS with independent draws, without sampling."""
    from bayesmeta.engines.nuts.sampling import NutsSolution
    from bayesmeta.frequentist.i_squared import typical_variance
    from bayesmeta.posterior.posterior import Posterior

    flat = posterior.solution.sample(chains * draws, np.random.default_rng(seed))
    shaped = {name: value.reshape(chains, draws, *value.shape[1:]) for name, value in flat.items()}
    stats = {"diverging": np.zeros((chains, draws), dtype=bool), "energy": np.ones((chains, draws))}
    diagnostics = {
        "r_hat": 1.0, "ess_bulk": 4000.0, "ess_tail": 4000.0, "divergences": 0,
        "attempts": 1, "chains": chains, "draws": draws, "tune": 0, "target_accept": 0.95,
    }  # fmt: skip
    data = posterior.data
    solution = NutsSolution(shaped, stats, diagnostics, typical_variance(data.study_variance), data.labels)
    return Posterior(data, posterior.priors, "nuts", "generic_normal", solution, seed, posterior.provenance)


@pytest.fixture(scope="session")
def exact(bcg, fit):
    """BCG by quadrature."""
    return fit(bcg, measure="RR", likelihood="normal", priors=PIP_PRIORS, engine="quadrature", seed=3)


@pytest.fixture(scope="session")
def drawn(exact):
    """BCG as independent draws, in the form of a fit by NUTS."""
    return as_if_sampled(exact)


NOTICE = "Made-up numbers, to test with."
SMALL_REVIEW = f"""
id = "small"
title = "A small review"
notice = "{NOTICE}"

[settings]
engine = "quadrature"
seed = 7

[options]
smd = "revman"

[mid]
RR = 0.8

[[alternative]]
name = "Wide"
measure = "RR"
tau = "HalfCauchy(1)"

[[analysis]]
id = "1.1"
outcome = "Death"
comparison = "Drug versus placebo"
time = "one year"
measure = "RR"
better = "lower"
data = "death.csv"
published = {{ estimate = 0.62, ci_low = 0.35, ci_high = 1.1, k = 3, n = 620 }}

[[analysis]]
id = "1.2"
outcome = "Pain"
comparison = "Drug versus placebo"
measure = "SMD"
better = "lower"
data = "pain.csv"

[[analysis]]
id = "1.3"
outcome = "Broken"
comparison = "Drug versus placebo"
measure = "RR"
data = "broken.csv"
"""
SMALL_DATA = {
    "death.csv": "study,events_e,n_e,events_c,n_c\nAdams,5,100,9,100\nBaker,12,150,20,150\nClark,0,60,0,60\nDavis,1,60,4,60\n",
    "pain.csv": "study,mean_e,sd_e,n_e,mean_c,sd_c,n_c\nAdams,20.1,8.2,40,25.3,9.1,42\nBaker,18.0,7.5,30,19.2,8.8,28\n",
    "broken.csv": "study,events_e,n_e,events_c,n_c\nAdams,5,100,9,100\nBaker,200,150,20,150\n",
}


def write_review(folder, text=SMALL_REVIEW, data=None):
    """Write a review and its data; return the path of the toml file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in (SMALL_DATA if data is None else data).items():
        (folder / name).write_text(content)
    file = folder / "review.toml"
    file.write_text(textwrap.dedent(text))
    return file


@pytest.fixture(scope="session")
def small_source(tmp_path_factory):
    """The small review, for tests that only read it."""
    return write_review(tmp_path_factory.mktemp("source") / "small")


@pytest.fixture
def small_review(tmp_path):
    return write_review(tmp_path / "small")


def tree(folder):
    """Every file of a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
