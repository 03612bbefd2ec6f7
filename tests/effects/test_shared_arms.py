"""Sampling covariance computed from shared arms and stated correlations: Gleser and Olkin (2009), metafor, simulation; what is refused."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.effects.dependence import dependent_covariance
from bayesmeta.effects.estimate_columns import columns_of
from bayesmeta.effects.formulas import smd_exact
from bayesmeta.errors import DataError, SpecError

#: Table 19.1 of Gleser and Olkin (2009), as in metafor's test of the analysis example gleser2009
TREATMENTS = pd.DataFrame(
    {
        "study": ["1", "1", "2", "3", "3", "3"],
        "treatment": ["t1", "t2", "t1", "t1", "t2", "t3"],
        "events_c": [40, 40, 10, 150, 150, 150],
        "n_c": [1000, 1000, 200, 2000, 2000, 2000],
        "events_e": [100, 150, 15, 40, 80, 50],
        "n_e": [4000, 4000, 400, 1000, 1000, 1000],
        "shared_arm_c": ["control", "control", None, "control", "control", "control"],
    }
)
#: Table 19.3: means, standard deviation pooled over all arms, and participants
MEANS = pd.DataFrame(
    {
        "study": ["1", "1", "2", "3", "4", "4"],
        "treatment": ["t1", "t2", "t1", "t1", "t1", "t2"],
        "mean_e": [7.87, 4.35, 9.32, 8.08, 7.44, 5.34],
        "mean_c": [-1.36, -1.36, 0.98, 1.17, 0.45, 0.45],
        "sd_e": [4.2593, 4.2593, 2.8831, 3.1764, 2.9344, 2.9344],
        "sd_c": [4.2593, 4.2593, 2.8831, 3.1764, 2.9344, 2.9344],
        "n_e": [25, 22, 38, 50, 30, 30],
        "n_c": [25, 25, 40, 50, 30, 30],
        "shared_arm_c": ["c", "c", None, None, "c", "c"],
    }
)
#: Table 19.5: coaching for two tests
SCHOOLS = pd.DataFrame(
    {
        "study": np.repeat(list("1234567"), 2),
        "outcome": ["math", "reading"] * 7,
        "mean_c": [2.3, 2.5, 2.4, 1.3, 2.5, 2.4, 3.3, 1.7, 1.1, 2.0, 2.8, 2.1, 1.7, 0.6],
        "mean_e": [10.3, 6.6, 9.7, 3.1, 8.7, 3.7, 7.5, 8.5, 2.2, 2.1, 3.8, 1.4, 1.8, 3.9],
        "sd_e": [8.2, 7.3, 8.3, 8.9, 8.5, 8.3, 7.7, 9.8, 9.1, 10.4, 9.6, 7.9, 9.2, 10.2],
        "sd_c": [8.2, 7.3, 8.3, 8.9, 8.5, 8.3, 7.7, 9.8, 9.1, 10.4, 9.6, 7.9, 9.2, 10.2],
        "n_c": np.repeat([22, 21, 26, 18, 38, 42, 39], 2),
        "n_e": np.repeat([24, 21, 23, 18, 36, 42, 38], 2),
        "r": np.repeat([0.55, 0.43, 0.57, 0.66, 0.51, 0.59, 0.49], 2),
    }
)


@pytest.mark.parametrize(
    ("measure", "estimates", "qe"),
    # printed on pages 361 to 364; RR by metafor's test of the example
    [
        ("RD", [0.0200, 0.0043, 0.0211], 7.1907),
        ("OR", [0.5099, 0.0044, 0.4301], 2.0563),
        ("RR", [0.4875, 0.0006, 0.4047], 1.8954),
    ],
)
def test_shared_controls_of_gleser_and_olkin(measure: str, estimates: list[float], qe: float) -> None:
    effects = bm.effect_sizes(TREATMENTS, measure)
    assert effects.labels[:3] == ("1 (t1)", "1 (t2)", "2")
    assert [rows.tolist() for rows, _ in effects.covariance.blocks] == [[0, 1], [3, 4, 5]]
    fit = bm.multilevel(effects, moderators="~ 0 + treatment")
    # the chapter takes control minus treatment
    np.testing.assert_allclose(-fit.estimates, estimates, atol=5e-5)
    assert fit.qe == pytest.approx(qe, abs=5e-5)
    p, n = 40 / 1000, 1000
    shared = {"RD": p * (1 - p) / n, "OR": 1 / (n * p * (1 - p)), "RR": (1 - p) / (n * p)}[measure]
    assert effects.covariance.matrix[0, 1] == pytest.approx(shared, rel=1e-12)
    if measure == "RD":
        np.testing.assert_allclose(1e6 * fit.covariance[0], [24.612, 19.954, 13.323], atol=5e-4)


def test_standardized_mean_differences_of_gleser_and_olkin() -> None:
    effects = bm.effect_sizes(MEANS, "SMD")
    g = effects.yi
    # the standard deviation is the same in all arms: pooled over them
    assert effects.covariance.matrix[0, 1] == pytest.approx(1 / 25 + g[0] * g[1] / (2 * 72), rel=1e-12)
    # one for each arm is pooled over the two arms of a comparison
    own = bm.effect_sizes(MEANS.assign(sd_e=[4.1, 4.4, 2.9, 3.2, 2.9, 3.0]), "SMD")
    g = own.yi
    assert own.covariance.matrix[0, 1] == pytest.approx(1 / 25 + g[0] * g[1] * 25 / (2 * 50 * 47), rel=1e-12)
    # the chapter's estimates have no small-sample correction, and N of all arms in their variances
    d = ((MEANS["mean_e"] - MEANS["mean_c"]) / MEANS["sd_e"]).to_numpy()
    total = np.array([72, 72, 78, 100, 90, 90])
    theirs = replace(effects, yi=d, vi=(1 / MEANS["n_e"] + 1 / MEANS["n_c"]).to_numpy() + d**2 / (2 * total))
    columns = columns_of(theirs)
    covariance = dependent_covariance(theirs, columns, list(MEANS["study"]))
    fit = bm.multilevel(yi=d, data=columns, moderators="~ 0 + treatment", covariance=covariance)
    np.testing.assert_allclose(fit.estimates, [2.3743, 1.5702], atol=5e-5)
    np.testing.assert_allclose(fit.covariance, [[0.02257, 0.01244], [0.01244, 0.03554]], atol=5e-6)
    assert fit.qe == pytest.approx(3.9447, abs=5e-5)


def test_two_outcomes_of_gleser_and_olkin() -> None:
    effects = bm.effect_sizes(bm.read_studies(SCHOOLS, repeated=True), "SMD")
    assert effects.labels[:2] == ("1 (math)", "1 (reading)")
    d = ((SCHOOLS["mean_e"] - SCHOOLS["mean_c"]) / SCHOOLS["sd_e"]).round(3).to_numpy()
    n = (1 / SCHOOLS["n_e"] + 1 / SCHOOLS["n_c"]).to_numpy()
    theirs = replace(effects, yi=d, vi=n + d**2 / (2 * (SCHOOLS["n_e"] + SCHOOLS["n_c"])).to_numpy())
    covariance = bm.sampling_covariance(theirs, sampling_correlation="r", of="outcomes")
    fit = bm.multilevel(yi=d, data=SCHOOLS, moderators="~ 0 + outcome", covariance=covariance)
    # the chapter rounds the covariances to four decimals
    np.testing.assert_allclose(fit.estimates, [0.3617, 0.2051], atol=2e-4)
    assert fit.qe == pytest.approx(19.6264, abs=0.02)
    # both arms named as shared, the correlation is that of the outcomes too
    arms = SCHOOLS.assign(shared_arm_c="c", shared_arm_e="e")
    declared = bm.sampling_covariance(arms, measure="SMD", sampling_correlation="r", of="outcomes")
    plain = bm.sampling_covariance(SCHOOLS, measure="SMD", sampling_correlation="r", of="outcomes")
    np.testing.assert_allclose(declared.matrix, plain.matrix, rtol=1e-14)


def test_stated_correlations_are_those_of_vcalc() -> None:
    data = {"study": [1, 1, 1, 2, 2], "outcome": ["a", "b", "c", "a", "c"]}
    values = {"yi": [0.1, 0.2, 0.3, 0.4, 0.5], "vi": [0.04, 0.09, 0.05, 0.02, 0.03], "data": data}
    by_outcome = {"a": {"b": 0.6, "c": 0.3}, "b": {"c": 0.45}}
    # metafor 3.8-1: vcalc(vi, cluster=study, type=outcome, rho=R)
    theirs = [0.0360000000000, 0.0134164078650, 0.0301869176962, 0.00734846922835]
    for given in (by_outcome, {(a, b): r for a, inner in by_outcome.items() for b, r in inner.items()}):
        s = bm.sampling_covariance(**values, sampling_correlation=given).matrix
        np.testing.assert_allclose([s[0, 1], s[0, 2], s[1, 2], s[3, 4]], theirs, rtol=1e-10)
        np.testing.assert_array_equal(np.diagonal(s), values["vi"])
        fit = bm.multilevel(**values, nesting="study/estimate", sampling_correlation=given)
        np.testing.assert_allclose(fit.sampling.matrix, s, rtol=1e-14)
    square = pd.DataFrame([[1, 0.6, 0.3], [0.6, 1, 0.45], [0.3, 0.45, 1]], index=list("abc"), columns=list("abc"))
    found = bm.sampling_covariance(**values, sampling_correlation=square).matrix
    np.testing.assert_allclose(found, s, rtol=1e-14)
    # the same with one correlation of 0.7
    one = bm.sampling_covariance(**values, sampling_correlation=0.7).matrix
    np.testing.assert_allclose([one[0, 1], one[3, 4]], [0.042, 0.0171464281995], rtol=1e-10)


def _binomial(rng: np.random.Generator, size: int) -> dict[str, np.ndarray]:
    return {arm: rng.binomial(400, p, size) for arm, p in (("c", 0.3), ("a", 0.2), ("b", 0.4))}


def _events(rng: np.random.Generator, size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    x = _binomial(rng, size)
    return tuple(pd.DataFrame({"events_e": x[e], "n_e": 400, "events_c": x["c"], "n_c": 400}) for e in "ab")  # type: ignore[return-value]


def _rates(rng: np.random.Generator, size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    x = {arm: rng.poisson(mean, size) for arm, mean in (("c", 150), ("a", 100), ("b", 200))}
    return tuple(pd.DataFrame({"events_e": x[e], "time_e": 50.0, "events_c": x["c"], "time_c": 60.0}) for e in "ab")  # type: ignore[return-value]


def _means(rng: np.random.Generator, size: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    n, sd = 60, 2.0
    x = {
        arm: (rng.normal(mean, sd / np.sqrt(n), size), sd * np.sqrt(rng.chisquare(n - 1, size) / (n - 1)))
        for arm, mean in (("c", 10.0), ("a", 11.0), ("b", 9.0))
    }
    return tuple(  # type: ignore[return-value]
        pd.DataFrame({"mean_e": x[e][0], "sd_e": x[e][1], "n_e": n, "mean_c": x["c"][0], "sd_c": x["c"][1], "n_c": n})
        for e in "ab"
    )


@pytest.mark.parametrize(
    ("measure", "simulate"),
    [
        ("RR", _events),
        ("OR", _events),
        ("RD", _events),
        ("IRR", _rates),
        ("MD", _means),
        ("SMD", _means),
        ("ROM", _means),
    ],
)
def test_covariances_of_shared_controls_are_those_of_simulated_trials(
    measure: str, simulate: Callable[[np.random.Generator, int], tuple[pd.DataFrame, pd.DataFrame]]
) -> None:
    size = 12_000
    one, two = simulate(np.random.default_rng(5), size)
    y = [bm.effect_sizes(frame, measure).yi for frame in (one, two)]
    simulated = np.corrcoef(*y)[0, 1]
    # S of the first trials, whose own covariance is an estimate too
    first = [
        frame.iloc[:60].assign(study=[f"{i:02}" for i in range(60)], treatment=arm, shared_arm_c="c")
        for frame, arm in ((one, "a"), (two, "b"))
    ]
    s = bm.effect_sizes(pd.concat(first).sort_values(["study", "treatment"]), measure).covariance.matrix
    correlation = s / np.sqrt(np.outer(np.diagonal(s), np.diagonal(s)))
    computed = np.diagonal(correlation, 1)[::2]
    # the standard error of a simulated correlation of 0.5 is 0.007
    assert np.mean(computed) == pytest.approx(simulated, abs=0.02)


def test_large_standardized_differences_have_the_covariance_of_their_own_standard_deviations() -> None:
    # simulated: 0.0776 (standard error 0.0003) for d = 2 and 20 participants in each of three arms; by 1/(2N) it would be 0.0833
    rng, n, size = np.random.default_rng(3), 20, 20_000
    mean = {arm: rng.normal(mu, 1 / np.sqrt(n), size) for arm, mu in (("c", 0.0), ("a", 2.0), ("b", 2.0))}
    sd = {arm: np.sqrt(rng.chisquare(n - 1, size) / (n - 1)) for arm in "cab"}
    y = [smd_exact(mean[e], sd[e], np.full(size, n), mean["c"], sd["c"], np.full(size, n))[0] for e in "ab"]
    simulated = np.corrcoef(*y)[0, 1]
    table = pd.DataFrame(
        {"study": "A", "treatment": ["a", "b"], "mean_e": 2.0, "sd_e": [1.0, 1.001], "n_e": n, "mean_c": 0.0, "sd_c": 1.0, "n_c": n,
         "shared_arm_c": "c"}
    )  # fmt: skip
    s = bm.effect_sizes(table, "SMD").covariance.matrix
    assert s[0, 1] / np.sqrt(s[0, 0] * s[1, 1]) == pytest.approx(simulated, abs=0.02)
    assert simulated == pytest.approx(0.494, abs=0.02)


def test_arms_at_several_times_need_the_correlation_between_times() -> None:
    table = pd.DataFrame(
        {
            "study": ["A"] * 4 + ["B"],
            "time": [1, 2, 1, 2, 1],
            "mean_e": [1.0, 2.0, 3.0, 4.0, 2.0],
            "sd_e": [2.0, 2.5, 2.0, 2.2, 2.0],
            "n_e": [20, 20, 25, 25, 30],
            "mean_c": [0.5, 0.7, 0.5, 0.7, 1.0],
            "sd_c": [2.0, 2.4, 2.0, 2.4, 2.0],
            "n_c": [30, 30, 30, 30, 30],
            "shared_arm_c": ["c"] * 4 + [None],
            "shared_arm_e": ["a", "a", "b", "b", None],
        }
    )
    with pytest.raises(DataError, match="share an arm at different outcomes or times"):
        bm.effect_sizes(table, "MD")
    s = bm.sampling_covariance(table, measure="MD", sampling_correlation=0.6, of="outcomes").matrix
    assert s[0, 2] == pytest.approx(2.0**2 / 30)
    assert s[0, 3] == pytest.approx(0.6 * 2.0 * 2.4 / 30)
    assert s[0, 1] == pytest.approx(0.6 * (2.0 * 2.5 / 20 + 2.0 * 2.4 / 30))
    assert (np.linalg.eigvalsh(s) > 0).all()
    of_estimates = bm.sampling_covariance(table, measure="MD", sampling_correlation=0.6).matrix
    assert of_estimates[0, 1] == pytest.approx(0.6 * np.sqrt(s[0, 0] * s[1, 1]))
    fit = bm.multilevel(table, measure="MD", nesting="study/estimate", sampling_correlation=0.6)
    np.testing.assert_allclose(fit.sampling.matrix, of_estimates, rtol=1e-14)
    assert fit.labels[0] == "A (time 1, a)"


def test_zero_cells_give_the_covariance_of_the_corrected_cells() -> None:
    table = pd.DataFrame(
        {"study": ["A", "A"], "treatment": ["x", "y"], "events_e": [0, 4], "n_e": [20, 20], "events_c": [5, 5], "n_c": [30, 30],
         "shared_arm_c": ["c", "c"]}
    )  # fmt: skip
    s = bm.effect_sizes(table, "RR").covariance.matrix
    # 0.5 is added to the four cells of the first row only
    assert s[0, 1] == pytest.approx(np.sqrt((1 / 5.5 - 1 / 31) * (1 / 5 - 1 / 30)), rel=1e-12)


def test_methods_for_independent_estimates_say_what_to_do() -> None:
    effects = bm.effect_sizes(TREATMENTS, "RR")
    with pytest.raises(SpecError, match=r"such as '1 \(t1\)' and '1 \(t2\)': use multilevel"):
        bm.random_effects(effects)
    with pytest.raises(SpecError, match="use multilevel"):
        bm.regression(effects, moderators="~ treatment")
    for pool in (bm.mantel_haenszel, bm.peto):
        with pytest.raises(SpecError, match="studies of this table have several rows: use multilevel"):
            pool(TREATMENTS)
    with pytest.raises(SpecError, match="likelihood='normal'"):
        bm.fit(TREATMENTS, measure="RR", likelihood="binomial")
    fit = bm.fit(TREATMENTS, measure="RR")
    assert fit.likelihood == "normal"
    np.testing.assert_array_equal(fit.data.covariance.matrix, effects.covariance.matrix)


@pytest.mark.parametrize(
    ("table", "measure", "message"),
    [
        (TREATMENTS.assign(events_c=[40, 41, 10, 150, 150, 150]), "RR", "events_c is 40 in the one and 41 in the other"),
        (TREATMENTS.assign(shared_arm_e="x"), "RR", "'1 (t1)' and '1 (t2)' share the experimental arm 'x', but events_e is 100"),
        (
            TREATMENTS.assign(shared_arm_e="x", events_e=100, n_e=4000, events_c=40, n_c=1000),
            "RR",
            "share both arms at the same outcome and time",
        ),
        (TREATMENTS, "PETO", "for RR, OR, RD, IRR, MD, ROM, SMD; these are PETO"),
        (
            pd.DataFrame({"study": ["A", "A"], "yi": [0.1, 0.2], "sei": [0.1, 0.1], "shared_arm_c": ["c", "c"]}),
            "RR",
            "these are RR as ready-made estimates",
        ),
    ],
)  # fmt: skip
def test_impossible_shared_arms_are_refused(table: pd.DataFrame, measure: str, message: str) -> None:
    with pytest.raises(DataError) as error:
        bm.effect_sizes(table, measure)
    assert message in str(error.value)
    assert "shared_arm" in str(error.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"math": {"science": 0.5}}, r"no value for '1 \(math\)' and '1 \(reading\)'"),
        ({"math": {"reading": 1.5}}, "of math and reading should be between -1 and 1 but is 1.5"),
        ({("math", "reading"): 0.5, ("reading", "math"): 0.6}, "is both 0.5 and 0.6"),
        ({"maths": {"read": 0.5}}, "no column of outcomes or times has the levels 'maths', 'read'"),
        ("mean_c2", "did you mean 'mean_c'"),
        ({"a": 3}, "it is a number, the name of a column"),
        (1.2, "should be between -1 and 1 but is 1.2"),
        (True, "should be between -1 and 1 but is True"),
    ],
)
def test_impossible_correlations_are_refused(given: Any, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        bm.sampling_covariance(SCHOOLS, measure="SMD", sampling_correlation=given)


def test_correlations_that_cannot_occur_together_are_refused() -> None:
    data = {"study": [1, 1, 1], "outcome": list("abc")}
    given = {("a", "b"): 0.9, ("a", "c"): 0.9, ("b", "c"): -0.9}
    with pytest.raises(DataError, match="impossible together"):
        bm.sampling_covariance(yi=[0, 0, 0], vi=[1, 1, 1], data=data, sampling_correlation=given)
    with pytest.raises(DataError, match="same sampling correlation"):
        bm.sampling_covariance(
            SCHOOLS.assign(r=np.linspace(0, 0.9, 14)), measure="SMD", sampling_correlation="r", of="outcomes"
        )
