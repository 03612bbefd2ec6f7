"""What a network must be: the pairwise meta-analysis for two treatments, and the same whatever names, order and reference."""

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bayesmeta.frequentist.common_effect import mantel_haenszel
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.networks.frequentist.fit import network_meta

LETTERS = ["a", "b", "c", "d", "e"]
SEED = st.integers(0, 2**32 - 1)


def network(seed: int, treatments: int = 5, studies: int = 12) -> pd.DataFrame:
    """Arms with means of a connected network, some trials with three or four arms."""
    rng = np.random.default_rng(seed)
    rows = []
    for study in range(studies):
        first = study % treatments
        others = rng.permutation([t for t in range(treatments) if t != first])[: rng.integers(1, 4)]
        if study < treatments - 1:
            others = np.append(others[others != study + 1], study + 1)
        for t in [first, *others]:
            rows.append(
                (f"s{study}", LETTERS[t], rng.normal(0.3 * t, 0.5), rng.uniform(0.5, 2), int(rng.integers(10, 60)))
            )
    return pd.DataFrame(rows, columns=["study", "treatment", "mean", "sd", "n"])


@settings(max_examples=15, deadline=None)
@given(SEED, st.sampled_from(["CE", "DL", "ML", "REML", "PM", "HE"]), st.sampled_from(["MD", "SMD"]))
def test_names_order_and_reference_change_nothing(seed: int, method: str, measure: str) -> None:
    frame = network(seed)
    rng = np.random.default_rng(seed)
    names = dict(zip(LETTERS, rng.permutation(["v", "w", "x", "y", "z"]), strict=True))
    turned = frame.sample(frac=1, random_state=int(seed % 1000)).assign(treatment=lambda f: f.treatment.map(names))
    one = network_meta(frame, measure, method=method, reference="a")
    two = network_meta(turned, measure, method=method, reference=str(names["c"]))
    order = [names[name] for name in one.treatments]
    assert two.tau2 == pytest.approx(one.tau2, rel=1e-8, abs=1e-10)
    close = {"rel": 1e-8, "abs": 1e-9}
    assert two.effects.loc[order, order].to_numpy() == pytest.approx(one.effects.to_numpy(), **close)
    assert two.se.loc[order, order].to_numpy() == pytest.approx(one.se.to_numpy(), **close)
    for part in ("q", "q_within", "q_between", "i2"):
        assert getattr(two, part) == pytest.approx(getattr(one, part), **close)
    if method != "REML":  # metafor's constant depends on which arm of a multi-arm trial is its first
        assert two.log_likelihood == pytest.approx(one.log_likelihood, abs=1e-7, nan_ok=True)
    assert two.p_scores()[order].to_numpy() == pytest.approx(one.p_scores().to_numpy(), **close)
    assert two.contributions("random walk").sum(axis=1).to_numpy() == pytest.approx(1, rel=1e-10)
    pvalues = sorted(one.node_split().pvalue.dropna())
    assert sorted(two.node_split().pvalue.dropna()) == pytest.approx(pvalues, rel=1e-6, abs=1e-8)


@settings(max_examples=20, deadline=None)
@given(SEED, st.sampled_from(["CE", "DL", "ML", "REML", "PM", "HE"]))
def test_two_treatments_are_a_pairwise_meta_analysis(seed: int, method: str) -> None:
    rng = np.random.default_rng(seed)
    k = int(rng.integers(3, 12))
    y, se = rng.normal(0.2, 0.5, k), rng.uniform(0.1, 0.6, k)
    turn = rng.random(k) < 0.5
    frame = pd.DataFrame(
        {
            "study": np.arange(k), "treat1": np.where(turn, "p", "x"), "treat2": np.where(turn, "x", "p"),
            "yi": np.where(turn, -y, y), "sei": se,
        }
    )  # fmt: skip
    net = network_meta(frame, "MD", method=method)
    pair = random_effects(yi=y, sei=se, method=method)
    close = {"rel": 1e-10, "abs": 1e-12}
    assert net.effects.loc["x", "p"] == pytest.approx(pair.estimate, **close)
    assert net.se.loc["x", "p"] == pytest.approx(pair.se, **close)
    assert net.ci_low.loc["x", "p"] == pytest.approx(pair.ci_low, **close)
    assert net.tau2 == pytest.approx(pair.tau2, **close)
    assert net.q == pytest.approx(pair.q, **close)
    assert net.q_between_df == 0


def test_two_treatments_by_mantel_haenszel() -> None:
    frame = pd.DataFrame(
        {
            "study": np.repeat(["A", "B", "C"], 2), "treatment": ["x", "p"] * 3, "events": [1, 4, 0, 3, 5, 5],
            "n": [50, 52, 30, 31, 80, 78],
        }
    )  # fmt: skip
    wide = pd.DataFrame(
        {"study": list("ABC"), "events_e": [1, 0, 5], "n_e": [50, 30, 80], "events_c": [4, 3, 5], "n_c": [52, 31, 78]}
    )
    net, pair = network_meta(frame, "OR", method="MH"), mantel_haenszel(wide, "OR")
    assert net.effects.loc["x", "p"] == pytest.approx(pair.estimate, rel=1e-12)
    assert net.se.loc["x", "p"] == pytest.approx(pair.se, rel=1e-12)


def test_ten_treatments_take_less_than_20_ms() -> None:
    rng = np.random.default_rng(3)
    rows = [(s, f"t{t}", rng.normal(), 1.0, 40) for s in range(40) for t in rng.permutation(10)[: 2 + (s % 7 == 0)]]
    frame = pd.DataFrame(rows, columns=["study", "treatment", "mean", "sd", "n"])
    network_meta(frame, "MD", method="REML")
    times = []
    for _ in range(5):
        start = time.process_time()
        net = network_meta(frame, "MD", method="REML")
        assert net.q_between > 0
        assert net.p_scores().sum() == pytest.approx(5)
        times.append(time.process_time() - start)
    assert len(net.treatments) == 10
    assert min(times) < 0.02
