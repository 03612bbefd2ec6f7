"""Default priors that move no well-measured mean, and prior-data conflict."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import bayesmeta as bm
from bayesmeta.errors import SpecError

#: precise estimates far from 0
PRECISE = {"yi": [36.60, 36.70, 36.50, 36.65], "sei": [0.05, 0.06, 0.04, 0.05]}
MEANS = pd.DataFrame(
    {
        "study": list("ABC"),
        "mean_e": [110, 112, 109],
        "sd_e": 2,
        "n_e": 30,
        "mean_c": [70, 71, 69],
        "sd_c": 2,
        "n_c": 30,
    }
)
RISKS = pd.DataFrame(
    {"study": list("ABC"), "events_e": [1000, 200, 50], "n_e": [1000, 200, 50], "events_c": 0, "n_c": [1000, 200, 50]}
)


@pytest.mark.parametrize(
    ("data", "reml"),
    [
        (PRECISE, 36.5935),
        ({"studies": MEANS, "measure": "MD"}, 40.3333),
        ({"studies": RISKS, "measure": "RD"}, 1.0),
        ({"yi": [100.0], "sei": [1.0]}, 100.0),
    ],
    ids=["estimates", "MD", "RD", "one study"],
)
def test_the_default_prior_does_not_move_a_well_measured_mean(data, reml) -> None:
    known = bm.random_effects(bm.effect_sizes(**data), method="REML")
    assert known.estimate == pytest.approx(reml, abs=0.02)
    post = bm.fit(**data)
    assert post.quantile("mu", 0.5) == pytest.approx(known.estimate, abs=known.se / 2)
    low, high = post.interval("mu")
    assert low < known.estimate < high
    assert post.prior_conflicts == ()


@pytest.mark.parametrize("shift", [0.0, 1e3, -1e6])
def test_no_shift_of_the_effects_moves_the_mean_to_zero(shift) -> None:
    y = np.array([0.2, -0.1, 0.4])
    post = bm.fit(yi=y + shift, sei=[0.1, 0.2, 0.15], measure="MD")
    assert post.quantile("mu", 0.5) - shift == pytest.approx(0.2, abs=0.15)


def test_the_scale_of_tau_follows_spread_size_and_one_participant() -> None:
    assert str(bm.fit(yi=[10.0], sei=[0.1]).priors.scale) == "HalfNormal(1)"
    assert str(bm.fit(yi=[0.0], sei=[0.1]).priors.scale) == "HalfNormal(0.1)"
    assert str(bm.fit(yi=[-3.0, 3.0], sei=[0.1, 0.1]).priors.scale) == "HalfNormal(3)"
    small = MEANS.assign(mean_e=[70, 71, 69])
    # a quarter of sqrt(180 / sum 1/v) = 4, and v = 2 * 4 / 30
    assert str(bm.fit(small, measure="MD").priors.scale) == "HalfNormal(1)"


@pytest.mark.parametrize(
    ("prior", "conflict"),
    [
        ("Normal(0, 10)", True),
        ("Normal(30, 10)", False),
        ("StudentT(3, 0, 10)", False),
        ("Flat()", False),
        ("Point(0)", False),
    ],
)
def test_a_conflict_with_the_prior_for_mu_follows_the_stated_rule(prior, conflict) -> None:
    post = bm.fit(**PRECISE, priors={"mu": prior, "tau": "HalfNormal(0.2)"})
    assert bool(post.prior_conflicts) is conflict


def test_the_probability_of_a_conflict_is_the_prior_predictive_one() -> None:
    # one study, tau fixed at 0: the estimate has Normal(0, 1 + 1) under the prior
    post = bm.fit(yi=[3.9], sei=[1.0], priors={"mu": "Normal(0, 1)", "tau": "Point(0)"})
    (sentence,) = post.prior_conflicts
    assert f"probability {2 * stats.norm.sf(3.9 / np.sqrt(2)):.3f} under the prior Normal(0, 1)" in sentence
    assert bm.fit(yi=[3.5], sei=[1.0], priors={"mu": "Normal(0, 1)", "tau": "Point(0)"}).prior_conflicts == ()


@pytest.mark.parametrize(
    ("prior", "words"),
    [
        ({"tau": "HalfNormal(0.5)"}, "above the 0.99 quantile 1.29"),
        ({"tau2": "HalfNormal(0.5)"}, "above the 0.99 quantile 1.13"),
        ({"tau": "HalfNormal(5)"}, ""),
    ],
)
def test_a_conflict_with_the_prior_for_tau(prior, words) -> None:
    post = bm.fit(yi=[-3.0, 3.0, 10.0, 0.0], sei=[0.05] * 4, measure="RR", priors={"mu": "Flat()", **prior})
    assert words in "".join(post.prior_conflicts)
    assert bool(post.prior_conflicts) is bool(words)


def test_a_prior_for_tau_far_above_the_data() -> None:
    post = bm.fit(yi=[0.1, 0.12, 0.15, 0.2, 0.05], sei=[0.02] * 5, priors={"mu": "Flat()", "tau": "Uniform(5, 6)"})
    assert "below the 0.01 quantile 5.01" in post.prior_conflicts[0]


@pytest.mark.parametrize("likelihood", ["normal", "binomial"])
def test_a_conflict_is_in_the_note_of_the_row_and_in_what_fit_prints(likelihood, tmp_path) -> None:
    from typer.testing import CliRunner

    from bayesmeta.cli.app import app

    counts = pd.DataFrame(
        {"study": list("AB"), "events_e": [90, 190], "n_e": [100, 200], "events_c": [10, 20], "n_c": [100, 200]}
    )
    priors = {"mu": "Normal(0, 0.3)"}
    post = bm.fit(counts, measure="RR", likelihood=likelihood, priors=priors)
    assert "prior-data conflict" in post.prior_conflicts[0]
    rows = bm.compare(counts, measure="RR", priors=priors).set_index("method")
    assert rows.loc[f"bayes:{likelihood}:quadrature", "note"] == "; ".join(post.prior_conflicts)
    assert "prior-data conflict" in rows.loc[f"bayes:{likelihood}:averaged", "note"]
    counts.to_csv(tmp_path / "counts.csv", index=False)
    shown = CliRunner().invoke(
        app, ["fit", str(tmp_path / "counts.csv"), "-m", "RR", "-l", likelihood, "--prior", "mu=Normal(0, 0.3)"]
    )
    assert "prior-data conflict" in shown.output


def test_averages_of_differences_use_the_unit_information_prior_and_say_so() -> None:
    near = MEANS.assign(mean_e=[70.5, 71, 69.2])
    average = bm.model_average(near, measure="MD")
    assert str(average.posterior.priors.mu) == "Normal(0, 4)"
    rows = bm.compare(near, measure="MD").set_index("method")
    note = rows.loc["bayes:normal:averaged", "note"]
    assert note.split(";")[0] == "averaged under the unit-information prior mu ~ Normal(0, 4)"
    assert np.isfinite(rows.loc["bayes:normal:averaged", "bf_effect"])
    far = bm.compare(MEANS, measure="MD").set_index("method").loc["bayes:normal:averaged"]
    assert np.isnan(far["estimate"])
    assert "the data contradict the unit-information prior mu ~ Normal(0, 4)" in far["note"]


def test_averages_without_participants_are_refused_with_the_reason() -> None:
    with pytest.raises(SpecError, match="the numbers of participants"):
        bm.model_average(**PRECISE)
    row = bm.compare(**PRECISE).set_index("method").loc["bayes:normal:averaged"]
    assert row["note"].startswith("not estimable: the Bayes factor for an effect is undefined")
