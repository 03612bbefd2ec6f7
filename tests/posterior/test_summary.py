"""Summaries of a posterior and the comparison of methods: columns, scales, probabilities of benefit, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

import bayesmeta as bm
from bayesmeta.engines.terms import is_effect
from bayesmeta.errors import DataError, SpecError
from bayesmeta.posterior.bands import bands_of
from bayesmeta.posterior.scale import to_natural
from bayesmeta.results.methods import FREQUENTIST
from bayesmeta.results.rows import TIDY

BINARY = pd.DataFrame(
    {
        "study": ["A", "B", "C", "D"], "events_e": [4, 12, 7, 1], "n_e": [40, 90, 60, 25],
        "events_c": [9, 20, 8, 5], "n_c": [41, 88, 58, 24],
    }
)  # fmt: skip
CONTINUOUS = pd.DataFrame(
    {
        "study": ["A", "B", "C"], "mean_e": [10.1, 11.4, 9.0], "sd_e": [2.1, 3.0, 2.5], "n_e": [30, 45, 22],
        "mean_c": [11.0, 12.9, 9.2], "sd_c": [2.4, 2.8, 2.2], "n_c": [31, 40, 25],
    }
)  # fmt: skip
TERMS = ["mu", "tau", "tau2", "i2", "theta_new"]
COLUMNS = [
    "mean", "sd", "median", "ci_low", "ci_high", "hdi_low", "hdi_high", "prob_benefit", "prob_beyond_mid", "r_hat", "ess_bulk",
    "ess_tail", "mcse_mean", "mcse_sd", "mcse_ci_low", "mcse_median", "mcse_ci_high",
]  # fmt: skip
#: what DESIGN promises to scripts outside the project
PROMISED = [
    "analysis", "method", "measure", "term", "estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "tau", "tau2", "i2", "k", "n",
]  # fmt: skip


@pytest.fixture(scope="module")
def ratio() -> bm.Posterior:
    return bm.fit(BINARY, measure="RR", likelihood="normal", engine="quadrature")


@pytest.fixture(scope="module")
def difference() -> bm.Posterior:
    return bm.fit(CONTINUOUS, measure="SMD", likelihood="normal", engine="quadrature")


# summarize -----------------------------------------------------------------------------------------------------------


def test_rows_and_columns(ratio: bm.Posterior) -> None:
    summary = bm.summarize(ratio)
    assert summary.index.name == "term"
    assert list(summary.index) == [*TERMS, *(f"theta[{name}]" for name in "ABCD")]
    assert set(COLUMNS) <= set(summary.columns)
    assert list(bm.summarize(ratio, studies=False).index) == TERMS
    pd.testing.assert_frame_equal(bm.summarize(ratio, studies=False), summary.loc[TERMS])


def test_every_number_is_that_of_the_posterior(ratio: bm.Posterior) -> None:
    summary = bm.summarize(ratio, level=0.9)
    for term, row in summary.iterrows():
        found = ratio.quantile(term, np.array([0.05, 0.5, 0.95]))
        np.testing.assert_allclose(row[["ci_low", "median", "ci_high"]].to_numpy(float), found, rtol=1e-9)
        np.testing.assert_allclose(
            row[["hdi_low", "hdi_high"]].to_numpy(float), ratio.hdi(term, 0.9), rtol=1e-6, atol=1e-9
        )


def test_quadrature_has_no_sampling_error(ratio: bm.Posterior) -> None:
    summary = bm.summarize(ratio)
    assert (summary.filter(like="mcse") == 0).all().all()
    assert summary[["r_hat", "ess_bulk", "ess_tail"]].isna().all().all()


def test_the_natural_scale_of_ratios(ratio: bm.Posterior) -> None:
    model, natural = bm.summarize(ratio), bm.summarize(ratio, scale="natural")
    values = ["median", "ci_low", "ci_high"]
    effects = [term for term in model.index if is_effect(term)]
    others = ["tau", "tau2", "i2"]
    np.testing.assert_allclose(natural.loc[effects, values], np.exp(model.loc[effects, values]), rtol=1e-14)
    pd.testing.assert_frame_equal(natural.loc[others], model.loc[others])


def test_differences_are_on_their_natural_scale_already(difference: bm.Posterior) -> None:
    pd.testing.assert_frame_equal(bm.summarize(difference, scale="natural"), bm.summarize(difference))


@pytest.mark.parametrize(
    ("better", "mid", "log_mid"), [("lower", 0.8, np.log(0.8)), ("higher", 1.25, np.log(1.25)), ("lower", 1.0, 0.0)]
)
def test_probabilities_of_benefit_of_ratios(ratio: bm.Posterior, better: str, mid: float, log_mid: float) -> None:
    summary = bm.summarize(ratio, better=better, mid=mid)
    for term in ("mu", "theta_new", "theta[B]"):
        below = [ratio.cdf(term, 0.0), ratio.cdf(term, log_mid)]
        expected = below if better == "lower" else [1 - value for value in below]
        np.testing.assert_allclose(
            summary.loc[term, ["prob_benefit", "prob_beyond_mid"]].to_numpy(float), expected, atol=1e-12
        )
    assert summary.loc[["tau", "tau2", "i2"], ["prob_benefit", "prob_beyond_mid"]].isna().all().all()
    assert (summary.loc["mu", "prob_beyond_mid"] <= summary.loc["mu", "prob_benefit"]) or mid == 1.0
    # probabilities do not depend on the scale of the table
    natural = bm.summarize(ratio, better=better, mid=mid, scale="natural")
    pd.testing.assert_series_equal(natural["prob_beyond_mid"], summary["prob_beyond_mid"])


@pytest.mark.parametrize("mid", [0.2, -0.2])
@pytest.mark.parametrize("better", ["lower", "higher"])
def test_only_the_size_of_a_difference_counts(difference: bm.Posterior, better: str, mid: float) -> None:
    found = bm.summarize(difference, better=better, mid=mid).loc["mu", "prob_beyond_mid"]
    expected = difference.cdf("mu", -0.2) if better == "lower" else 1 - difference.cdf("mu", 0.2)
    assert found == pytest.approx(expected, abs=1e-12)


def test_without_a_side_there_are_no_probabilities(ratio: bm.Posterior) -> None:
    assert bm.summarize(ratio)[["prob_benefit", "prob_beyond_mid"]].isna().all().all()
    assert bm.summarize(ratio, better="lower")["prob_beyond_mid"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": "log"}, "unknown scale 'log'"),
        ({"scale": "Natural"}, r"unknown scale 'Natural'; did you mean 'natural'\?"),
        ({"level": 95}, "level must be between 0 and 1 but got 95"),
        ({"level": 0.0}, "level must be between 0 and 1"),
        ({"level": 1.0}, "level must be between 0 and 1"),
        ({"better": "less"}, "unknown side of benefit 'less'"),
        ({"mid": 0.8}, "needs the side of benefit: better='lower' or better='higher'"),
        ({"mid": 0.8, "better": "higher"}, "0.8 is not on the side of benefit, which is 'higher' than 1"),
        ({"mid": 1.2, "better": "lower"}, "1.2 is not on the side of benefit"),
        ({"mid": 0.0, "better": "lower"}, r"a ratio between 1e-100 and 1e\+100 but got 0"),
        ({"mid": -0.2, "better": "lower"}, "a ratio between .* but got -0.2"),
        ({"mid": float("nan"), "better": "lower"}, "minimal important"),
    ],
)
def test_what_summarize_refuses(ratio: bm.Posterior, arguments: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        bm.summarize(ratio, **arguments)


def test_mid_on_the_model_scale() -> None:
    assert bands_of("SMD", "lower", 0.2) == bands_of("SMD", "lower", -0.2)
    assert bands_of("SMD", "lower", 0.2).edges == (0.2,)
    assert bands_of("MD", "higher", -3.0).edges == (3.0,)
    assert bands_of("OR", "lower", 0.5).edges == pytest.approx([np.log(2)])


def test_an_interval_widens_with_its_level(ratio: bm.Posterior) -> None:
    wide, narrow = bm.summarize(ratio, level=0.99), bm.summarize(ratio, level=0.5)
    assert (wide["ci_low"] < narrow["ci_low"]).all()
    assert (wide["ci_high"] > narrow["ci_high"]).all()
    pd.testing.assert_series_equal(wide["median"], narrow["median"], rtol=1e-12)


# compare -------------------------------------------------------------------------------------------------------------


def test_the_tidy_columns_come_first() -> None:
    frame = bm.compare(BINARY, measure="RR")
    assert list(TIDY) == PROMISED
    assert list(frame.columns[: len(PROMISED)]) == PROMISED
    assert frame["method"].is_unique
    assert set(frame["term"]) == {"mu"}
    assert set(frame["measure"]) == {"RR"}
    assert (frame["k"] == 4).all()
    assert (frame["n"] == 426).all()


@pytest.mark.parametrize(
    ("table", "measure", "more"),
    [
        (BINARY, "RR", {"DL-MH", "MH"}),
        (BINARY, "OR", {"DL-MH", "MH", "Peto"}),
        (BINARY, "RD", {"DL-MH", "MH"}),
        (BINARY, "PETO", {"Peto"}),
        (CONTINUOUS, "SMD", set()),
        (CONTINUOUS, "MD", set()),
    ],
)
def test_one_row_a_method(table: pd.DataFrame, measure: str, more: set[str]) -> None:
    frame = bm.compare(table, measure=measure)
    usual = set(FREQUENTIST) - {"DL-MH", "MH", "Peto"}
    bayes = [name for name in frame["method"] if name.startswith("bayes:")]
    assert "bayes:normal:quadrature" in bayes
    assert set(frame["method"]) - set(bayes) == usual | more
    assert np.isfinite(frame[["estimate", "se", "ci_low", "ci_high"]].to_numpy(float)).all()
    # the averaged posterior may have its median, and ends of its interval, at no effect
    averaged = frame["method"].str.endswith(":averaged")
    arm_level = {"RR": ["binomial"], "OR": ["binomial"], "SMD": ["nct"]}.get(measure, [])
    assert list(frame.loc[averaged, "method"]) == [f"bayes:{name}:averaged" for name in ["normal", *arm_level]]
    assert (frame["ci_low"] <= frame["estimate"]).all()
    assert (frame["estimate"] <= frame["ci_high"]).all()
    frame = frame[~averaged]
    assert (frame["ci_low"] < frame["estimate"]).all()
    assert (frame["estimate"] < frame["ci_high"]).all()


def test_rows_are_those_of_the_methods_alone() -> None:
    frame = bm.compare(BINARY, measure="RR").set_index("method")
    effects = bm.effect_sizes(bm.read_studies(BINARY), "RR")
    alone = bm.random_effects(effects, method="REML", ci="wald")
    row = frame.loc["REML", ["estimate", "se", "ci_low", "ci_high", "tau2", "i2"]].to_numpy(float)
    np.testing.assert_allclose(
        row, [alone.estimate, alone.se, alone.ci_low, alone.ci_high, alone.tau2, alone.i2], rtol=1e-12
    )
    exact = bm.fit(effects, likelihood="normal", engine="quadrature")
    row = frame.loc[
        "bayes:normal:quadrature", ["estimate", "ci_low", "ci_high", "pi_low", "pi_high", "tau", "i2"]
    ].to_numpy(float)
    expected = [
        *exact.quantile("mu", np.array([0.5, 0.025, 0.975])), *exact.quantile("theta_new", np.array([0.025, 0.975])),
        exact.quantile("tau", 0.5), exact.quantile("i2", 0.5),
    ]  # fmt: skip
    np.testing.assert_allclose(row, expected, rtol=1e-9)


def test_common_effect_in_closed_form() -> None:
    y, v = np.array([0.1, 0.3, -0.2]), np.array([0.04, 0.1, 0.09])
    row = bm.compare(yi=y, vi=v).set_index("method").loc["CE"]
    w = 1 / v
    estimate, se = w @ y / w.sum(), w.sum() ** -0.5
    assert row["estimate"] == pytest.approx(estimate, rel=1e-13)
    assert row["se"] == pytest.approx(se, rel=1e-13)
    assert ndtr((row["ci_high"] - estimate) / se) == pytest.approx(0.975, abs=1e-12)


def test_levels_and_priors_reach_the_rows() -> None:
    wide, narrow = (bm.compare(BINARY, measure="RR", level=level).set_index("method") for level in (0.95, 0.5))
    assert (wide["ci_low"] < narrow["ci_low"]).all()
    tight = bm.compare(BINARY, measure="RR", priors={"mu": "Normal(0, 0.01)"}).set_index("method")
    assert abs(tight.loc["bayes:normal:quadrature", "estimate"]) < 0.01
    assert tight.loc["DL", "estimate"] == wide.loc["DL", "estimate"]


def test_better_and_mid_reach_the_bayesian_row() -> None:
    frame = bm.compare(BINARY, measure="RR", better="lower", mid=0.8).set_index("method")
    exact = bm.fit(BINARY, measure="RR", likelihood="normal", engine="quadrature")
    assert frame.loc["bayes:normal:quadrature", "prob_beyond_mid"] == pytest.approx(
        exact.cdf("mu", np.log(0.8)), abs=1e-12
    )


def test_the_natural_scale_is_one_exponential_away() -> None:
    model, natural = bm.compare(BINARY, measure="RR"), bm.compare(BINARY, measure="RR", scale="natural")
    values = ["estimate", "ci_low", "ci_high", "pi_low", "pi_high"]
    np.testing.assert_allclose(natural[values].to_numpy(float), np.exp(model[values].to_numpy(float)), rtol=1e-14)
    pd.testing.assert_frame_equal(
        natural[["se", "tau", "tau2", "i2", "k", "n"]], model[["se", "tau", "tau2", "i2", "k", "n"]]
    )
    assert set(model["scale"]) == {"model"}
    assert set(natural["scale"]) == {"natural"}
    # a shortest interval of the logarithm gives none of the ratio
    derived = ["hdi_low", "hdi_high", "mcse_median"]
    pd.testing.assert_frame_equal(to_natural(model).drop(columns=derived), natural.drop(columns=derived))
    assert to_natural(model)[derived].isna().all(axis=None)
    pd.testing.assert_frame_equal(to_natural(natural), natural)
    difference = bm.compare(CONTINUOUS, measure="MD")
    pd.testing.assert_frame_equal(to_natural(difference).drop(columns="scale"), difference.drop(columns="scale"))


def test_only_effects_of_ratios_are_exponentiated() -> None:
    frame = bm.compare(BINARY, measure="RR")
    row = frame.iloc[[0]].assign(term="tau", estimate=0.3)
    both = to_natural(pd.concat([frame.iloc[[0]], row], ignore_index=True))
    assert both.loc[1, "estimate"] == 0.3
    assert both.loc[0, "estimate"] == pytest.approx(np.exp(frame.loc[0, "estimate"]))
    assert frame.loc[0, "scale"] == "model", "the frame given is left alone"


def test_studies_left_out_are_named() -> None:
    zeros = pd.concat(
        [BINARY, pd.DataFrame({"study": ["Z"], "events_e": [0], "n_e": [10], "events_c": [0], "n_c": [12]})],
        ignore_index=True,
    )
    frame = bm.compare(zeros, measure="RR").set_index("method")
    assert frame.loc["DL", "k"] == 4
    assert "Z: " in frame.loc["DL", "note"]


def test_one_study_keeps_every_row() -> None:
    frame = bm.compare(BINARY.head(1), measure="RR").set_index("method")
    assert np.isfinite(frame.loc["bayes:normal:quadrature", "estimate"])
    assert np.isfinite(frame.loc["CE", "estimate"])
    assert len(frame) >= len(FREQUENTIST)
    empty = frame[frame["estimate"].isna()]
    assert empty["note"].str.startswith("not estimable").all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"scale": "ratio"}, "unknown scale 'ratio'"),
        ({"level": 95}, "level must be between 0 and 1 but got 95"),
        ({"mid": 0.8}, "needs the side of benefit"),
        ({"better": "down"}, "unknown side of benefit 'down'"),
        ({"priors": {"tau": "Normal(0, 1)"}}, r"must be a distribution on \[0, infinity\)"),
    ],
)
def test_what_compare_refuses(arguments: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        bm.compare(BINARY, measure="RR", **arguments)


def test_nothing_to_compare_is_refused() -> None:
    nothing = pd.DataFrame({"study": ["A"], "events_e": [0], "n_e": [10], "events_c": [0], "n_c": [10]})
    with pytest.raises(DataError):
        bm.compare(nothing, measure="PETO")
