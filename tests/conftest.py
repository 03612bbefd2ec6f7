"""Fixtures of several test files: small studies, converged fits (each model is compiled once per session) and a small review."""

from __future__ import annotations

import textwrap

import numpy as np
import pandas as pd
import pytest
from environment import keep_bytecode, one_thread
from hypothesis import settings
from paths import REVIEWS_FOLDER

keep_bytecode()
one_thread()
# loops are compiled the first time they are called, which no example should be blamed for
# the same examples in every run; ``--hypothesis-profile explore`` looks at other ones each time
settings.register_profile("bayesmeta", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None)
settings.load_profile("bayesmeta")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Give each process half of the tests in their order, so that fixtures of modules are made once; the first that is done helps."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.option.dist == "load" else None


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
report = false
documents = []

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


@pytest.fixture(scope="session")
def whole_source(tmp_path_factory):
    """The small review with its report page and documents, for tests that only read it."""
    text = SMALL_REVIEW.replace("report = false\ndocuments = []\n", "")
    return write_review(tmp_path_factory.mktemp("source") / "whole", text)


@pytest.fixture
def small_review(tmp_path):
    return write_review(tmp_path / "small")


@pytest.fixture(scope="session")
def chromium():
    """A headless browser, driven by playwright: one per process, since a second would find the first one's event loop."""
    from explorer.scripts import browser, not_found

    path = browser()
    if path is None:
        not_found("chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield made
        made.close()


def tree(folder):
    """Every file of a folder with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


#: a user's model file with quantities of its own: parameters, theta_new, a moderator, variables named like auxiliary ones
OWN_MODEL = '''"""Random-effects model with t distributed effects and a slope."""
import pymc as pm

from bayesmeta.modeling import add_data, add_priors

LIKELIHOODS = ("normal",)


def build(data, priors):
    with pm.Model(coords={"study": data.labels, "level": ["low", "high"]}) as model:
        columns = add_data(data, "duration")
        mu, tau, nu, slope = add_priors(priors, nu="Gamma(2, 0.1)", slope="Normal(0, 1)")
        z = pm.StudentT("z", nu=nu, mu=0, sigma=1, dims="study")
        theta = pm.Deterministic("theta", mu + slope * columns["duration"] + tau * z, dims="study")
        pm.Deterministic("log_tau", pm.math.log(tau))
        pm.Deterministic("theta_new", mu + 100.0)
        pm.Normal("w", 0, 1, dims="level")
        pm.Normal("y", theta, columns["se"], observed=columns["effect"])
    return model
'''
#: a user's model file with an exact answer: quadrature with the estimates less one; the log likelihood given mu and tau is its own
SHIFTED_MODEL = '''"""Random-effects model of estimates that are too large by one."""
import pymc as pm

from bayesmeta.modeling import add_data, add_priors, add_study_effects

LIKELIHOODS = ("normal",)
PADDED = True


def build(data, priors):
    with pm.Model(coords={"study": data.labels}) as model:
        columns = add_data(data)
        mu, tau = add_priors(priors)
        theta = add_study_effects(mu, tau, {**columns, "guide_effect": columns["guide_effect"] - 1.0})
        error = pm.Normal.dist(theta + 1.0, columns["se"])
        pm.Potential("data", columns["included"] * pm.logp(error, columns["effect"]))
        spread = pm.math.sqrt(columns["se"] ** 2 + tau**2)
        pm.Deterministic("log_likelihood", pm.logp(pm.Normal.dist(mu + 1.0, spread), columns["effect"]), dims="study")
    return model
'''
OWN_STUDIES = {
    "study": ["A", "B", "C", "D"],
    "yi": [0.5, -0.2, 0.9, 0.4],
    "sei": [0.2, 0.3, 0.25, 0.2],
    "duration": ["-1", "0", "1", "0.5"],
    "focus": ["trauma", "general", "trauma", ""],
}
OWN_PRIORS = {"mu": "Normal(0, 1)", "tau": "HalfNormal(0.3)"}


@pytest.fixture(scope="session")
def own_table():
    return pd.DataFrame(OWN_STUDIES)


@pytest.fixture(scope="session")
def own_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("own") / "own.py"
    path.write_text(OWN_MODEL, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def own(own_table, own_path, fit):
    """A fit of ``OWN_MODEL``."""
    return fit(own_table, measure="GEN", model=own_path, priors=OWN_PRIORS, seed=4)


@pytest.fixture(scope="session")
def shifted_path(tmp_path_factory):
    path = tmp_path_factory.mktemp("shifted") / "shifted.py"
    path.write_text(SHIFTED_MODEL, encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def shifted(own_table, shifted_path, fit):
    """A fit of ``SHIFTED_MODEL``."""
    return fit(own_table, measure="GEN", model=shifted_path, priors=OWN_PRIORS, seed=5)


@pytest.fixture(scope="session")
def unshifted(own_table, fit):
    """The exact answer to ``SHIFTED_MODEL``."""
    return fit(own_table.assign(yi=own_table["yi"] - 1), measure="GEN", priors=OWN_PRIORS)
