"""Node splitting of arm-level networks: against the exact network where the likelihood is the same, and its parameters."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.engines.normal.model import CoefficientPrior
from bayesmeta.engines.nuts.network_arms import network_arms
from bayesmeta.networks.inconsistency_factors import design_columns, edge_columns
from bayesmeta.networks.sampled_inconsistency import design_deviations, edge_deviations
from bayesmeta.networks.sampled_splits import columns_of, with_difference


def means():
    """Three treatments, one trial of three arms; the trials of b and c disagree with the others."""
    rng = np.random.default_rng(7)
    effects = {"a": 0.0, "b": -0.6, "c": -0.9}
    trials = ["ab", "ab", "ac", "ac", "bc", "bc", "abc"]
    rows = []
    for i, arms in enumerate(trials):
        for arm in arms:
            shift = 1.2 if arms == "bc" and arm == "c" else 0.0
            rows.append((f"T{i}", arm, effects[arm] + shift + rng.normal(0, 0.15), 1.0, 60))
    return pd.DataFrame(rows, columns=["study", "treatment", "mean", "sd", "n"])


@pytest.fixture(scope="module")
def nets():
    """The exact network of the means, and that with the same likelihood by NUTS."""
    options = {
        "measure": "MD",
        "reference": "a",
        "priors": {"tau": "HalfNormal(0.3)", "d": "Normal(0, 2)", "inconsistency": "Normal(0, 1)"},
    }
    return bm.network(means(), **options), bm.network(means(), engine="nuts", **options)


@pytest.mark.sampling
def test_normal_arms_agree_with_the_exact_network(nets):
    exact, sampled = map(bm.node_split, nets)
    assert list(sampled.index) == list(exact.index)
    assert sampled.attrs == exact.attrs
    for name in ("network", "direct", "indirect", "difference"):
        # draws are nearly independent: their standard error is about sd / sqrt(4000)
        error = 6 * exact[f"{name}_sd"] / np.sqrt(1000)
        assert (np.abs(sampled[name] - exact[name]) < error).all(), name
        np.testing.assert_allclose(sampled[f"{name}_sd"], exact[f"{name}_sd"], rtol=0.1)
    np.testing.assert_allclose(sampled["ci_low"], exact["ci_low"], atol=0.06)
    np.testing.assert_allclose(sampled["prob_above_0"], exact["prob_above_0"], atol=0.03)
    np.testing.assert_allclose(sampled["tau"], exact["tau"], atol=0.03)
    # a kernel density of draws in the middle of the distribution is near to the exact one
    middle = np.abs(exact["difference"] / exact["difference_sd"]) < 2
    assert middle.any()
    np.testing.assert_allclose(
        sampled.loc[middle, "bf_inconsistency"], exact.loc[middle, "bf_inconsistency"], rtol=0.15
    )


@pytest.mark.sampling
def test_models_of_inconsistency_of_normal_arms_agree_with_the_exact_ones(nets):
    exact, sampled = map(bm.inconsistency, nets)
    models = ["consistency", "design-by-treatment", "unrelated mean effects"]
    assert list(sampled.index) == models
    assert list(sampled.columns) == list(exact.columns)
    assert sampled.attrs == exact.attrs
    assert sampled["parameters"].tolist() == exact.loc[models, "parameters"].tolist() == [0, 3, 1]
    # each of the seven trials has one more data point, and one more parameter, its baseline
    np.testing.assert_allclose(sampled["residual_deviance"] - 7, exact.loc[models, "residual_deviance"], atol=0.4)
    np.testing.assert_allclose(sampled["dic"] - 14, exact.loc[models, "dic"], atol=0.6)
    np.testing.assert_allclose(sampled["tau"], exact.loc[models, "tau"], atol=0.03)
    assert sampled["bf_inconsistency"].isna().all()


def test_factors_of_arms_are_those_of_the_exact_network():
    frame = pd.DataFrame(
        [(f"{i}", arm, float(k), 1.0, 50) for i, name in enumerate(["ab", "ac", "bc", "abc", "abc"]) for k, arm in enumerate(name)],
        columns=["study", "treatment", "mean", "sd", "n"],
    )  # fmt: skip
    contrasts = bm.network(frame, "MD", priors={"d": "Normal(0, 1)"}).contrasts
    arms = arms_of(["ab", "ac", "bc", "abc", "abc"])
    others = (arms.back != 0).any(axis=1)

    def as_contrasts(deviations):
        return arms.back[others] @ columns_of(arms, deviations)

    for design, found in zip(bm.network_graph(contrasts).designs, design_deviations(arms), strict=True):
        np.testing.assert_allclose(as_contrasts(found), design_columns(contrasts, design), atol=1e-12)
    for pair, found in zip([(1, 0), (2, 0), (2, 1)], edge_deviations(arms), strict=True):
        np.testing.assert_allclose(as_contrasts(found), edge_columns(contrasts, [pair]), atol=1e-12)


def arms_of(trials, treatments=("a", "b", "c")):
    """Arms of trials named by their treatments, with variance 1."""
    trial = np.array([i for i, name in enumerate(trials) for _ in name])
    treatment = np.array([treatments.index(arm) for name in trials for arm in name])
    n = len(trial)
    prior = CoefficientPrior(np.zeros(len(treatments) - 1), np.eye(len(treatments) - 1))
    guide = (np.arange(n) / 7.0, np.full(n, 0.5))
    columns = {"mean": guide[0], "se": np.sqrt(guide[1])}
    return network_arms("MD", "normal arms", treatments, 0, tuple(trials), trial, treatment, columns, guide, prior, 0.2)


def test_the_difference_is_in_trials_of_both_treatments_only():
    arms = arms_of(["ab", "ac", "bc", "abc"])
    split = with_difference(arms, 1, 2, 0.5, 0.2)
    assert split.basic == ("b", "c", "direct less indirect")
    effects = split.back @ split.expected  # of arms against their trial's first, by coefficient
    labels = [(arms.trials[t], "abc"[k]) for t, k in zip(arms.trial, arms.treatment, strict=True)]
    expected = {("ab", "b"): 0.0, ("ac", "c"): 0.0, ("bc", "c"): -1.0, ("abc", "b"): 0.5, ("abc", "c"): -0.5}
    for label, effect in zip(labels, effects[:, -1], strict=True):
        np.testing.assert_allclose(effect, expected.get(label, 0.0), atol=1e-12)
    np.testing.assert_allclose(effects[:, :2], arms.back @ arms.expected)
    np.testing.assert_allclose(split.prior.precision, np.diag([1.0, 1.0, 4.0]))
    weights = split.guide_variance + 0.2**2 * split.r
    covariance = np.linalg.inv((split.expected.T / weights) @ split.expected + split.prior.precision)
    np.testing.assert_allclose(split.guide_root @ split.guide_root.T, covariance)


@pytest.mark.sampling
def test_node_split_figure_of_an_arm_level_network():
    rows = [
        ("1", "a", 9, 100), ("1", "b", 20, 100), ("2", "a", 12, 110), ("2", "c", 25, 100), ("3", "b", 18, 90), ("3", "c", 22, 95),
        ("4", "a", 0, 30), ("4", "b", 4, 30),
    ]  # fmt: skip
    net = bm.network(
        pd.DataFrame(rows, columns=["study", "treatment", "events", "n"]),
        measure="OR",
        likelihood="binomial",
        better="lower",
    )
    frame = bm.node_split(net)
    # in one loop all comparisons have the same difference, but for its sign
    np.testing.assert_allclose(np.abs(frame["difference"]), np.abs(frame["difference"]).mean(), atol=0.08)
    assert (frame["bf_inconsistency"] > 0).all()
    figure = bm.node_split_plot(net)
    assert sum(text.get_text() == "Direct" for text in figure.texts) == 3
