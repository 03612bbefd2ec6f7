"""Contrasts of networks: their covariance, the measures, ready-made contrasts, and the graph."""

import numpy as np
import pandas as pd
import pytest

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.errors import DataError, SpecError
from bayesmeta.networks.contrasts import network_contrasts
from bayesmeta.networks.graph import network_graph
from bayesmeta.networks.parts import network_component
from bayesmeta.studies.arms import ContrastTable

THREE = pd.DataFrame(
    {
        "study": ["A"] * 3 + ["B"] * 2, "treatment": ["p", "x", "y", "x", "p"], "events": [10, 5, 8, 0, 3], "n": [50, 60, 40, 30, 20],
        "time": [100.0, 120.0, 90.0, 60.0, 40.0], "mean": [1.0, 2.0, 3.0, 2.5, 1.5], "sd": [1.0, 1.5, 2.0, 1.2, 0.8],
    }
)  # fmt: skip


def pairwise(measure: str, **options: object) -> tuple[float, float]:
    """Effect and variance of study B by the pairwise code, x against p."""
    row = THREE.iloc[3], THREE.iloc[4]
    columns = {
        f"{name}_{arm}": [row[i][name]] for i, arm in enumerate("ec") for name in ("events", "n", "time", "mean", "sd")
    }
    keep = {
        "IRR": ("events", "time"),
        "MD": ("mean", "sd", "n"),
        "SMD": ("mean", "sd", "n"),
        "ROM": ("mean", "sd", "n"),
    }
    names = keep.get(measure, ("events", "n"))
    columns = {name: values for name, values in columns.items() if name.split("_")[0] in names}
    found = effect_sizes(pd.DataFrame({"study": ["B"], **columns}), measure, **options)
    return float(found.yi[0]), float(found.vi[0])


@pytest.mark.parametrize("measure", ["OR", "RR", "RD", "IRR", "MD", "SMD", "ROM"])
@pytest.mark.parametrize("rule", ["revman", "metafor", "all"])
def test_trials_of_two_arms_are_the_pairwise_effects(measure: str, rule: str) -> None:
    found = network_contrasts(THREE, measure, zero_cells=rule)
    options = {"zero_cells": rule} if measure in ("OR", "RR", "RD", "IRR") else {}
    y, v = pairwise(measure, **options)
    assert found.studies == ("A", "B")
    assert -found.y[2] == pytest.approx(y, rel=1e-13)
    assert found.S[2, 2] == pytest.approx(v, rel=1e-13)


@pytest.mark.parametrize("measure", ["OR", "RR", "RD", "IRR", "MD"])
def test_a_shared_arm_is_the_covariance(measure: str) -> None:
    """All three pairwise variances of the trial follow from the covariance of the contrasts against its first arm."""
    found = network_contrasts(THREE, measure)
    only = THREE[(THREE.study == "A") & (THREE.treatment != "p")]
    between = network_contrasts(only, measure)
    c = np.array([-1.0, 1.0])
    assert c @ found.y[:2] == pytest.approx(between.y[0], rel=1e-12)
    assert c @ found.S[:2, :2] @ c == pytest.approx(between.S[0, 0], rel=1e-12)
    assert found.S[:2, 2].tolist() == [0.0, 0.0]
    assert found.R.tolist() == [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]]


def test_standardized_mean_differences_of_three_arms() -> None:
    """Gleser and Olkin: one pooled standard deviation, covariance 1 / n_1 + g_i g_j / (2 N)."""
    found = network_contrasts(THREE, "SMD")
    g = found.y[:2]
    pooled = np.sqrt((49 * 1 + 59 * 1.5**2 + 39 * 4) / 147)
    assert g == pytest.approx((1 - 3 / (4 * 147 - 1)) * np.array([1, 2]) / pooled, rel=1e-5)
    assert found.S[0, 1] == pytest.approx(1 / 50 + g[0] * g[1] / 300, rel=1e-13)


def test_the_first_arm_is_the_base() -> None:
    found = network_contrasts(THREE, "MD")
    assert found.treatments == ("p", "x", "y")
    assert found.treat.tolist() == [1, 2, 0]
    assert found.base.tolist() == [0, 0, 1]
    assert found.slices == (slice(0, 2), slice(2, 3))
    assert found.incidence.tolist() == [[-1, 1, 0], [-1, 0, 1], [1, -1, 0]]
    assert found.design("x").tolist() == [[-1, 0], [-1, 1], [1, 0]]
    assert found.basic("x") == ("p", "y")
    assert found.y.tolist() == [1.0, 2.0, -1.0]
    with pytest.raises(SpecError, match="unknown treatment 'z'"):
        found.design("z")


def test_studies_without_events_are_left_out_with_the_reason() -> None:
    frame = THREE.assign(events=[10, 5, 8, 0, 0])
    found = network_contrasts(frame, "OR")
    assert found.studies == ("A",)
    assert found.left_out == {"B": "no events in any arm: OR not estimable"}
    assert network_contrasts(frame, "RD").studies == ("A", "B")
    assert network_contrasts(frame, "OR", zero_cells="metafor").studies == ("A", "B")
    assert list(network_contrasts(THREE, "OR").notes) == ["B: 0.5 added to all cells"]


def all_pairs() -> pd.DataFrame:
    """The contrasts of all pairs of arms of trials of three and of two arms."""
    rows = []
    for study, group in THREE.groupby("study"):
        arms = list(group.itertuples())
        for i, one in enumerate(arms):
            for two in arms[i + 1 :]:
                se = np.sqrt(one.sd**2 / one.n + two.sd**2 / two.n)
                rows.append((study, one.treatment, two.treatment, one.mean - two.mean, se))
    return pd.DataFrame(rows, columns=["study", "treat1", "treat2", "yi", "sei"])


def test_ready_made_contrasts_have_the_covariance_of_the_arms() -> None:
    from_arms, found = network_contrasts(THREE, "MD"), network_contrasts(all_pairs(), "MD")
    assert found.treatments == from_arms.treatments
    base = pd.DataFrame(
        {
            "study": ["A", "A", "B"], "treat1": ["x", "y", "p"], "treat2": ["p", "p", "x"], "yi": from_arms.y,
            "sei": np.sqrt(np.diagonal(from_arms.S)), "se_base": [np.sqrt(1 / 50), np.sqrt(1 / 50), np.nan],
        }
    )  # fmt: skip
    for one in (found, network_contrasts(base, "MD")):
        x, inverse = one.design("p"), np.linalg.inv(one.S)
        expected = np.linalg.inv(from_arms.design("p").T @ np.linalg.inv(from_arms.S) @ from_arms.design("p"))
        assert np.linalg.inv(x.T @ inverse @ x) == pytest.approx(expected, rel=1e-11)


def test_contrasts_that_cannot_be_right_together() -> None:
    frame = all_pairs()
    with pytest.raises(DataError, match=r"compares 3 treatments \(p, x, y\) in 2 rows"):
        network_contrasts(frame.drop(index=2))
    wrong = frame.assign(yi=[*frame.yi[:2], -frame.yi[2], frame.yi[3]])
    with pytest.raises(DataError, match="contrasts of the study 'A' contradict one another"):
        network_contrasts(wrong)
    with pytest.raises(DataError, match="standard errors of the study 'A' cannot be right together"):
        network_contrasts(frame.assign(sei=[0.1, 0.1, 5.0, 0.3]))
    two = frame.iloc[:2].assign(treat1=["x", "y"], treat2=["p", "p"], se_base=[0.1, 0.2])
    with pytest.raises(DataError, match="two values of se_base"):
        network_contrasts(two)
    with pytest.raises(DataError, match="se_base of the study 'A' is 9, not below"):
        network_contrasts(two.assign(se_base=9.0))


def test_rounded_contrasts_are_taken() -> None:
    """Their contradiction is divided evenly over the rows, whatever their order."""
    rows = [("x", "p", 0.31, 0.2), ("y", "p", 0.62, 0.21), ("y", "x", 0.32, 0.22)]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0]):
        one, two, yi, sei = zip(*(rows[i] for i in order), strict=True)
        found = network_contrasts(ContrastTable(("A",) * 3, one, two, np.array(yi), np.array(sei)))
        d = np.linalg.lstsq(found.design("p"), found.y)[0]
        assert d == pytest.approx([0.31 - 0.01 / 3, 0.62 + 0.01 / 3], rel=1e-12)


def test_measures_that_the_data_do_not_have() -> None:
    with pytest.raises(DataError, match="IRR needs events time in every arm"):
        network_contrasts(THREE.drop(columns="time"), "IRR")
    with pytest.raises(SpecError, match="HR is not computed from arms"):
        network_contrasts(THREE, "HR")
    with pytest.raises(SpecError, match="unknown measure"):
        network_contrasts(THREE, "ORR")
    with pytest.raises(SpecError, match="unknown rule for zero cells"):
        network_contrasts(THREE, zero_cells="revmen")


def test_a_network_of_two_parts() -> None:
    frame = pd.DataFrame(
        {
            "study": ["1", "2", "3"],
            "treat1": ["a", "c", "d"],
            "treat2": ["b", "d", "e"],
            "yi": [0.1, 0.2, 0.3],
            "sei": [0.1] * 3,
        }
    )
    found = network_contrasts(frame)
    graph = network_graph(found)
    assert graph.components == (("c", "d", "e"), ("a", "b"))
    assert graph.design_names == ("a:b", "c:d", "d:e")
    message = r"the network has 2 parts that no study connects: 1\. c, d, e \(2 studies\); 2\. a, b \(1 study\)"
    with pytest.raises(DataError, match=message):
        graph.require_connected()
    part = network_component(found, "a")
    assert part.treatments == ("a", "b")
    assert part.studies == ("1",)
    network_graph(part).require_connected()


def test_the_graph_of_a_network() -> None:
    found = network_contrasts(THREE, "OR")
    graph = network_graph(found)
    assert graph.multi_arm == ("A",)
    assert graph.edges.studies.tolist() == [2, 1, 1]
    assert graph.designs == {(0, 1): (1,), (0, 1, 2): (0,)}
    assert graph.loops == 1


def test_a_subset_keeps_the_data_of_its_arms() -> None:
    part = network_contrasts(THREE, "OR").subset(["B"])
    assert part.treatments == ("p", "x")
    assert part.arms is not None
    assert part.arms.treatments == ("x", "p")
    with pytest.raises(SpecError, match="unknown study 'C'"):
        part.subset(["C"])


def test_arms_of_some_studies_and_contrasts_of_others() -> None:
    """A network of several tables is that of one."""
    whole = network_contrasts(THREE, "MD")
    some, others = THREE[THREE.study == "A"], all_pairs()
    mixed = network_contrasts([some, others[others.study == "B"]], "MD")
    assert mixed.studies == whole.studies
    x, y = mixed.design("p"), whole.design("p")
    one = np.linalg.solve(x.T @ np.linalg.inv(mixed.S) @ x, x.T @ np.linalg.inv(mixed.S) @ mixed.y)
    two = np.linalg.solve(y.T @ np.linalg.inv(whole.S) @ y, y.T @ np.linalg.inv(whole.S) @ whole.y)
    assert one == pytest.approx(two, rel=1e-12)
    with pytest.raises(DataError, match="the study 'B' is in 2 tables"):
        network_contrasts([THREE, others[others.study == "B"]], "MD")
    with pytest.raises(SpecError, match="of a measure that you state"):
        network_contrasts([some, others])
