"""Additive component networks, exact."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from networks.reference_data import REFERENCE, contrast_frame

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError

TRIALS = pd.DataFrame(
    [
        ("1", "CBT + drug", "placebo", 0.62, 0.15), ("2", "CBT", "placebo", 0.41, 0.12), ("3", "drug", "placebo", 0.30, 0.11),
        ("4", "CBT + drug", "drug", 0.22, 0.16), ("5", "CBT + exercise", "CBT", 0.10, 0.20),
    ],
    columns=["study", "treat1", "treat2", "yi", "sei"],
)  # fmt: skip


def test_the_limit_of_flat_priors_and_a_known_tau_is_the_frequentist_one() -> None:
    data = REFERENCE["components"]["Linde2016_face"]
    frame = contrast_frame(data["contrasts"])
    inactive = data["fit"].get("inactive")
    options = {"inactive": inactive} if inactive else {}
    freq = bm.component_network(frame, "MD", **options)
    tau = float(freq.tau2) ** 0.5
    priors = {"d": "Normal(0, 1e5)", "tau": f"Point({tau!r})"}
    net = bm.network(frame, "MD", components="+", better="lower", priors=priors, **options)
    identified = freq.components["estimate"].notna()
    assert identified.sum() >= 3
    for component, row in freq.components[identified].iterrows():
        assert net.mean(component) == pytest.approx(row["estimate"], abs=1e-6)
        assert net.sd(component) == pytest.approx(row["se"], rel=1e-6)


def test_effects_of_treatments_are_sums_of_those_of_their_components() -> None:
    net = bm.network(TRIALS, "SMD", components="+", inactive="placebo", reference="placebo", better="higher")
    assert net.solution.terms.coefficients == ("CBT", "drug", "exercise")
    assert net.mean("CBT + drug vs placebo") == pytest.approx(net.mean("CBT") + net.mean("drug"), abs=1e-12)
    assert net.mean("CBT + drug vs CBT") == pytest.approx(net.mean("drug"), abs=1e-12)
    assert net.sd("CBT + exercise vs CBT") == pytest.approx(net.sd("exercise"), abs=1e-12)
    table = net.summary()
    assert {"CBT", "CBT + drug vs placebo", "theta_new[CBT + drug vs placebo]"} <= set(table.index)
    ranks = bm.ranking(net)
    assert ranks.index[-1] == "placebo"
    assert net.ranking().probabilities.sum() == pytest.approx(5.0)
    assert bm.league_table(net, value="mean").loc["CBT", "placebo"] == pytest.approx(net.mean("CBT"))
    drawn = net.draws(20_000)
    assert drawn["CBT"].mean() == pytest.approx(net.mean("CBT"), abs=5 * net.sd("CBT") / np.sqrt(20_000))


def test_an_interaction_is_the_deviation_from_additivity() -> None:
    priors = {"d": "Normal(0, 1e4)", "tau": "Point(0)"}
    plain = bm.network(TRIALS[:4], "SMD", reference="placebo", priors=priors)
    net = bm.network(TRIALS[:4], "SMD", components="+", inactive="placebo", interactions=["CBT*drug"], priors=priors)
    for term in ("CBT + drug vs placebo", "CBT vs placebo", "drug vs placebo"):
        assert net.mean(term) == pytest.approx(plain.mean(term), abs=1e-6)
    expected = plain.mean("CBT + drug vs placebo") - plain.mean("CBT vs placebo") - plain.mean("drug vs placebo")
    assert net.mean("CBT*drug") == pytest.approx(expected, abs=1e-6)


def test_components_connect_what_no_study_does() -> None:
    frame = pd.DataFrame(
        [("a", "A + B", "A", 0.3, 0.1), ("b", "B + C", "C", 0.5, 0.1)],
        columns=["study", "treat1", "treat2", "yi", "sei"],
    )
    with pytest.raises(DataError, match="2 parts that no study connects"):
        bm.network(frame, "SMD")
    with pytest.raises(DataError, match="3 coefficients of 4 treatments cannot be estimated"):
        bm.network(frame, "SMD", components="+", priors={"d": "Flat()"})
    net = bm.network(frame, "SMD", components="+", priors={"tau": "Point(0)"})
    assert net.mean("B") == pytest.approx(0.4, abs=0.001)
    # no trial tells about A against C, so it has its prior
    assert net.sd("A vs C") == pytest.approx(np.sqrt(8.0), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"inactive": "placebo"}, SpecError, "give components, what separates"),
        ({"components": "+", "inactive": "sugar"}, SpecError, "unknown component 'sugar'"),
        ({"components": "+", "engine": "nuts", "measure": "OR"}, SpecError, "exact on contrasts only"),
        ({"components": "+", "interactions": ["CBT*sun"]}, SpecError, "component of the interaction"),
    ],
)
def test_components_that_cannot_be_are_refused(options, error, match) -> None:
    with pytest.raises(error, match=match):
        bm.network(TRIALS, **{"measure": "SMD", **options})


def test_two_names_of_one_treatment_are_refused() -> None:
    twice = pd.concat([TRIALS, pd.DataFrame([("6", "drug + CBT", "placebo", 0.5, 0.1)], columns=TRIALS.columns)])
    with pytest.raises(SpecError, match="'CBT \\+ drug' and 'drug \\+ CBT' have the same components"):
        bm.network(twice, "SMD", components="+")
    with pytest.raises(SpecError, match="is for networks without components;"):
        bm.node_split(bm.network(TRIALS, "SMD", components="+"))
