"""Fitting: forms of data, default priors, choice of the engine, and errors."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.likelihoods.registry import model_data
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior

BINARY = pd.DataFrame(
    {"study": ["A", "B", "C"], "events_e": [4, 12, 7], "n_e": [40, 90, 60], "events_c": [9, 20, 8], "n_c": [41, 88, 58]}
)
CONTINUOUS = pd.DataFrame(
    {
        "study": ["A", "B", "C"], "mean_e": [10.1, 11.4, 9.0], "sd_e": [2.1, 3.0, 2.5], "n_e": [30, 45, 22],
        "mean_c": [11.0, 12.9, 9.2], "sd_c": [2.4, 2.8, 2.2], "n_c": [31, 40, 25],
    }
)  # fmt: skip
Y, V = [0.1, 0.3, -0.2], [0.04, 0.1, 0.09]


# default priors ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", ["RR", "OR", "HR", "ROM", "PETO", "OE"])
def test_log_ratios_have_one_default(measure: str) -> None:
    assert default_priors(measure).to_dict() == {"mu": "Normal(0, 2.82)", "tau": "HalfNormal(0.5)"}


def test_smd_has_its_own() -> None:
    assert default_priors("SMD").to_dict() == {"mu": "Normal(0, 2)", "tau": "HalfNormal(0.5)"}


def test_other_measures_are_scaled_to_the_data() -> None:
    with pytest.raises(SpecError, match="default priors of MD are scaled to the data; give the data, or give priors"):
        default_priors("MD")
    data = model_data(bm.effect_sizes(bm.read_studies(CONTINUOUS), "MD"), "normal")
    s = 0.5 * np.sqrt(193 / (1 / data.columns["se"] ** 2).sum())
    found = default_priors("MD", data)
    assert str(found.mu) == "Flat()"
    np.testing.assert_allclose(found.scale.args, [0.5 * s], rtol=0.006)
    # s is close to the standard deviation of one participant, which is near 2.5 in these data
    assert found.scale.args[0] == pytest.approx(1.25, rel=0.2)
    # what is printed is what is used
    assert parse_prior(str(found.scale)) == found.scale


def test_default_priors_follow_the_units() -> None:
    in_hundreds = CONTINUOUS.assign(**{name: 100 * CONTINUOUS[name] for name in ("mean_e", "sd_e", "mean_c", "sd_c")})
    first, second = (
        default_priors("MD", model_data(bm.effect_sizes(bm.read_studies(table), "MD"), "normal"))
        for table in (CONTINUOUS, in_hundreds)
    )
    assert second.scale.args[0] == pytest.approx(100 * first.scale.args[0], rel=1e-9)


def test_default_priors_without_participants() -> None:
    posterior = bm.fit(yi=Y, vi=V)
    tau_sd = max(np.sqrt(np.median(V)), np.std(Y))
    assert str(posterior.priors.mu) == "Flat()"
    assert posterior.priors.scale.args[0] == pytest.approx(tau_sd, rel=0.006)


def test_default_priors_allow_for_effects_far_apart() -> None:
    apart = bm.fit(yi=[-10.0, 0.0, 10.0], sei=[0.1, 0.1, 0.1])
    assert apart.priors.scale.args[0] == pytest.approx(np.std([-10, 0, 10]), rel=0.006)


def test_given_priors_replace_only_their_own() -> None:
    posterior = bm.fit(BINARY, measure="RR", likelihood="normal", priors={"tau": "HalfCauchy(0.3)"})
    assert posterior.priors.to_dict() == {"mu": "Normal(0, 2.82)", "tau": "HalfCauchy(0.3)"}
    posterior = bm.fit(yi=Y, vi=V, priors={"mu": Prior("Flat", ()), "tau2": "InvGamma(1, 0.1)"})
    assert posterior.priors.to_dict() == {"mu": "Flat()", "tau2": "InvGamma(1, 0.1)"}


# data ----------------------------------------------------------------------------------------------------------------


def test_arrays_tables_and_effects_are_the_same_data() -> None:
    effects = bm.effect_sizes(bm.read_studies(BINARY), "RR")
    options = {"likelihood": "normal", "engine": "quadrature"}
    fits = [
        bm.fit(BINARY, measure="RR", **options),
        bm.fit(bm.read_studies(BINARY), measure="rr", **options),
        bm.fit(effects, **options),
        bm.fit(yi=effects.yi, vi=effects.vi, labels=["A", "B", "C"], measure="RR", **options),
        bm.fit(yi=list(effects.yi), sei=tuple(effects.sei), measure="RR", **options),
    ]
    known = bm.summarize(fits[0])
    for fitted in fits[1:]:
        np.testing.assert_allclose(bm.summarize(fitted).to_numpy(float), known.to_numpy(float), rtol=1e-9)
    assert (
        fits[3].terms == fits[0].terms == ("mu", "tau", "tau2", "i2", "theta_new", "theta[A]", "theta[B]", "theta[C]")
    )


def test_a_path_is_read(tmp_path: Path) -> None:
    path = tmp_path / "studies.csv"
    BINARY.to_csv(path, index=False)
    assert effect_sizes(path, measure="OR").labels == ("A", "B", "C")


def test_effect_sizes_passes_options_on() -> None:
    zero = BINARY.assign(events_e=[0, 12, 7])
    revman = effect_sizes(zero, measure="RR", zero_cells="revman")
    assert revman.notes[0]
    with pytest.raises(SpecError, match="unknown"):
        effect_sizes(zero, measure="RR", zero_cells="nowhere")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give either a study table or yi with sei"),
        ({"studies": BINARY, "yi": Y, "vi": V}, "give either a study table or yi with sei"),
        ({"studies": BINARY}, "give the effect measure, e.g. measure='RR'"),
        ({"studies": BINARY, "measure": "RRR"}, r"unknown measure 'RRR'; did you mean 'RR'\?"),
        ({"yi": Y}, "exactly one of vi .* and sei"),
        ({"yi": Y, "vi": V, "sei": V}, "exactly one of vi .* and sei"),
    ],
)
def test_data_that_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        effect_sizes(**arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"yi": Y, "vi": V[:2]}, r"yi has shape \(3,\) and vi has shape \(2,\)"),
        ({"yi": [0.1, np.nan], "vi": [0.1, 0.1]}, r"yi\[1\] = nan, but should be finite"),
        ({"yi": [0.1, 0.2], "vi": [0.1, 0.0]}, r"vi\[1\] = 0, but should be finite and above 0"),
        ({"yi": [0.1, 0.2], "sei": [0.1, -1.0]}, r"sei\[1\] = -1, but should be finite and above 0"),
        ({"yi": [0.1, 0.2], "sei": [0.1, 0.1], "labels": ["a"]}, "1 labels for 2 effects"),
    ],
)
def test_arrays_that_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(DataError, match=message):
        bm.fit(**arguments)


def test_effects_of_another_measure_are_refused() -> None:
    effects = bm.effect_sizes(bm.read_studies(BINARY), "RR")
    with pytest.raises(SpecError, match="these effects are RR, but measure='OR' was given"):
        bm.fit(effects, measure="OR")


def test_no_study_left_is_refused() -> None:
    nothing = pd.DataFrame({"study": ["A"], "events_e": [0], "n_e": [10], "events_c": [0], "n_c": [10]})
    with pytest.raises(DataError, match="no study is left to fit"):
        bm.fit(nothing, measure="RR", likelihood="normal", engine="quadrature")


# engines -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mu", ["Normal(0, 1)", "Flat()", "Cauchy(0, 1)", "Point(0)"])
@pytest.mark.parametrize("tau", ["HalfNormal(0.5)", "HalfCauchy(0.3)", "Point(0)", "Point(0.2)"])
@pytest.mark.parametrize("likelihood", ["normal", "binomial"])
def test_quadrature_treats_every_prior(mu: str, tau: str, likelihood: str) -> None:
    posterior = bm.fit(BINARY, measure="RR", likelihood=likelihood, priors={"mu": mu, "tau": tau}, engine="quadrature")
    frame = bm.summarize(posterior)
    assert np.isfinite(posterior.log_marginal_likelihood)
    assert (frame["ci_low"] <= frame["median"]).all()
    assert (frame["median"] <= frame["ci_high"]).all()


def test_exact_is_what_is_fitted_unless_a_model_file_is_given() -> None:
    assert bm.fit(BINARY, measure="RR").method == "bayes:binomial:quadrature"


def test_the_engine_and_likelihood_are_named() -> None:
    posterior = bm.fit(BINARY, measure="RR", likelihood="normal")
    assert (posterior.engine, posterior.likelihood, posterior.method) == (
        "quadrature",
        "normal",
        "bayes:normal:quadrature",
    )
    assert posterior.data.n == 377


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"engine": "stan"}, "unknown engine 'stan'"),
        ({"engine": "quadratur"}, r"unknown engine 'quadratur'; did you mean 'quadrature'\?"),
        ({"likelihood": "negbinomial"}, "unknown likelihood 'negbinomial'"),
        ({"likelihood": "poisson"}, "likelihood 'poisson' is for IRR, not for RR"),
        ({"likelihood": "nct"}, "likelihood 'nct' is for SMD, not for RR"),
        ({"engine": "quadrature", "model": "generic_normal"}, "has no model files; use engine='nuts' with model="),
        ({"engine": "quadrature", "priors": {"mu": "Uniform(-1, 1)"}}, "needs a prior for mu on the whole line"),
        ({"engine": "quadrature", "priors": {"tau": "Normal(0, 1)"}}, r"must be a distribution on \[0, infinity\)"),
        ({"engine": "quadrature", "priors": {"tau": "Flat()"}}, r"prior for tau must"),
        ({"engine": "quadrature", "priors": {"sigma": "HalfNormal(1)"}}, "unknown parameter with a prior 'sigma'"),
        ({"seed": -1}, "seed must be a whole number, 0 or above, but got -1"),
        ({"seed": 1.5}, "seed must be a whole number"),
        ({"seed": True}, "seed must be a whole number"),
        ({"seed": 2**64}, r"seed must be below 2\^64"),
        ({"seed": 10**4999, "engine": "nuts"}, r"seed must be below 2\^64"),
    ],
)
def test_requests_that_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        bm.fit(BINARY, measure="RR", **arguments)


def test_arm_level_likelihoods_need_arm_level_data() -> None:
    with pytest.raises(DataError, match="likelihood 'binomial' needs arm-level data"):
        bm.fit(yi=Y, vi=V, measure="RR", likelihood="binomial")


def test_misspelt_options_are_refused() -> None:
    with pytest.raises((SpecError, TypeError), match="zero_cell"):
        bm.fit(BINARY, measure="RR", zero_cell="revman")
