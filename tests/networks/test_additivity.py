"""Additivity of component networks: Bayes factors against brute force, Q against netmeta."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from networks.reference_data import REFERENCE, contrast_frame
from scipy.stats import multivariate_normal

import bayesmeta as bm
from bayesmeta.errors import SpecError

TRIALS = pd.DataFrame(
    [
        ("1", "CBT + drug", "placebo", 0.62, 0.15), ("2", "CBT", "placebo", 0.41, 0.12), ("3", "drug", "placebo", 0.30, 0.11),
        ("4", "CBT + drug", "drug", 0.22, 0.16), ("5", "CBT + exercise", "CBT", 0.10, 0.20),
    ],
    columns=["study", "treat1", "treat2", "yi", "sei"],
)  # fmt: skip
PRIORS = {"d": "Normal(0, 2)", "tau": "Point(0.1)", "inconsistency": "Normal(0, 0.4)"}


def marginal(net: bm.NetworkPosterior, variances: list[tuple[np.ndarray, np.ndarray]]) -> float:
    """The log density of the contrasts, each term of the covariance being columns and the covariance of their coefficients."""
    data = net.contrasts
    covariance = data.S + 0.1**2 * data.R + sum(x @ prior @ x.T for x, prior in variances)
    return float(multivariate_normal(np.zeros(data.m), covariance).logpdf(data.y))


def test_bayes_factors_of_additivity_are_ratios_of_normal_densities() -> None:
    net = bm.network(TRIALS, "SMD", components="+", inactive="placebo", priors=PRIORS)
    x = net.contrasts.incidence
    at = net.treatments.index
    sums = np.zeros((5, 3))
    for name, parts in {"CBT": [0], "drug": [1], "CBT + drug": [0, 1], "CBT + exercise": [0, 2]}.items():
        sums[at(name), parts] = 1.0
    components = (x @ sums, 4.0 * np.eye(3))
    # only CBT + drug has other evidence on both of its components
    deviation = (x[:, [at("CBT + drug")]], 0.16 * np.eye(1))
    treatments = (x, 2.0 * np.eye(5))
    expected = {
        "additive": marginal(net, [components]), "deviations": marginal(net, [components, deviation]),
        "without components": marginal(net, [treatments]),
    }  # fmt: skip
    found = bm.additivity(net)
    assert list(found.index) == list(expected)
    assert found["parameters"].tolist() == [0, 1, 1]
    for model, value in expected.items():
        assert np.log(found.loc[model, "bf_additivity"]) == pytest.approx(expected["additive"] - value, abs=1e-9)
        odds = found.loc[model, "bf_additivity"]
        assert found.loc[model, "prob_additivity"] == pytest.approx(odds / (1 + odds))
    assert found.attrs["prior"] == "Normal(0, 0.4)"


def test_data_that_do_not_add_up_speak_against_additivity() -> None:
    moved = TRIALS.assign(yi=TRIALS["yi"] + 1.5 * (TRIALS["treat1"] == "CBT + drug"))
    near, far = (
        bm.additivity(bm.network(frame, "SMD", components="+", inactive="placebo", priors=PRIORS))
        for frame in (TRIALS, moved)
    )
    assert near.loc["deviations", "bf_additivity"] > 1 > 100 * far.loc["deviations", "bf_additivity"]
    assert far.loc["additive", "residual_deviance"] > far.loc["deviations", "residual_deviance"]
    interacting = bm.network(moved, "SMD", components="+", inactive="placebo", interactions=["CBT*drug"])
    assert list(bm.additivity(interacting).index) == ["additive", "without components"]


def test_flat_priors_compare_models_of_the_same_size_only() -> None:
    found = bm.additivity(bm.network(TRIALS, "SMD", components="+", inactive="placebo", priors={"d": "Flat()"}))
    assert np.isfinite(found.loc["deviations", "bf_additivity"])
    assert np.isnan(found.loc["without components", "bf_additivity"])


def test_parts_that_only_components_connect_have_no_network_without_them() -> None:
    rows = [("a", "A + B", "A", 0.3, 0.1), ("b", "B", "P", 0.5, 0.1), ("c", "B + C", "C", 0.2, 0.1)]
    frame = pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])
    found = bm.additivity(bm.network(frame, "SMD", components="+", inactive="P"))
    assert list(found.index) == ["additive", "deviations"]
    assert found.loc["deviations", "parameters"] == 2
    freq = bm.component_network(frame, "SMD", inactive="P", method="CE")
    assert list(bm.additivity(freq).index) == ["additive"]


def test_q_of_additivity_is_that_of_netmeta() -> None:
    data = REFERENCE["components"]["Linde2016_face"]
    there = data["fit"]
    found = bm.additivity(bm.component_network(contrast_frame(data["contrasts"]), "OR", inactive="Placebo"))
    assert found.loc["additive", ["q", "df"]].tolist() == pytest.approx([there["Q_additive"], there["df_Q_additive"]])
    expected = [there["Q_diff"], there["df_Q_diff"], there["pval_Q_diff"]]
    assert found.loc["difference"].tolist() == pytest.approx(expected, rel=1e-6)


def test_one_component_against_none_is_the_pairwise_meta_analysis() -> None:
    y, se = [0.1, 0.4, -0.2, 0.5], [0.2, 0.15, 0.3, 0.25]
    frame = pd.DataFrame(
        [(str(i), "drug", "placebo", *row) for i, row in enumerate(zip(y, se, strict=True))],
        columns=["study", "treat1", "treat2", "yi", "sei"],
    )
    net = bm.network(
        frame, "SMD", components="+", inactive="placebo", priors={"d": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}
    )
    post = bm.fit(
        yi=y, vi=[one**2 for one in se], measure="SMD", priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.5)"}
    )
    assert net.reference == "placebo"
    for term in ("drug", "drug vs placebo"):
        assert net.mean(term) == pytest.approx(post.mean("mu"), abs=1e-10)
        assert net.sd(term) == pytest.approx(post.sd("mu"), abs=1e-10)
    assert net.quantile("tau", 0.9) == pytest.approx(post.quantile("tau", 0.9), abs=1e-9)
    assert net.log_marginal_likelihood == pytest.approx(post.log_marginal_likelihood, abs=1e-9)
    found = bm.additivity(net)
    assert found.loc["without components", "bf_additivity"] == pytest.approx(1.0, abs=1e-9)


def test_other_networks_are_refused() -> None:
    with pytest.raises(SpecError, match="fit it with components="):
        bm.additivity(bm.network(TRIALS, "SMD"))
    with pytest.raises(SpecError, match="a component network"):
        bm.additivity(TRIALS)


@pytest.mark.parametrize("reference", ["placebo", "CBT", "CBT + drug", "drug"])
def test_neither_names_nor_the_reference_nor_the_separator_matter(reference: str) -> None:
    names = {"CBT": "z", "drug": "Y", "exercise": "1", "placebo": "m"}

    def renamed(treatment: str) -> str:
        return " & ".join(names[part] for part in reversed(treatment.split(" + ")))

    frame = TRIALS.assign(treat1=TRIALS.treat1.map(renamed), treat2=TRIALS.treat2.map(renamed)).iloc[::-1]
    one = bm.network(TRIALS, "SMD", components="+", inactive="placebo", reference=reference)
    two = bm.network(frame, "SMD", components="&", inactive="m", reference=renamed(reference))
    for first, second in (("CBT + drug", "drug"), ("CBT + exercise", "placebo")):
        term, other = f"{first} vs {second}", f"{renamed(first)} vs {renamed(second)}"
        assert two.mean(other) == pytest.approx(one.mean(term), abs=1e-10)
        assert two.sd(other) == pytest.approx(one.sd(term), abs=1e-10)
    assert two.mean("z") == pytest.approx(one.mean("CBT"), abs=1e-10)
    assert two.log_marginal_likelihood == pytest.approx(one.log_marginal_likelihood, abs=1e-10)
    ours, theirs = bm.additivity(one), bm.additivity(two)
    pd.testing.assert_frame_equal(ours, theirs, rtol=1e-9, atol=1e-10)
    freq = bm.component_network(frame, "SMD", separator="&", inactive="m", method="REML")
    plain = bm.component_network(TRIALS, "SMD", inactive="placebo", method="REML")
    for name, new in (("CBT", "z"), ("drug", "Y"), ("exercise", "1")):
        assert freq.components.loc[new].to_numpy() == pytest.approx(plain.components.loc[name].to_numpy(), rel=1e-9)
