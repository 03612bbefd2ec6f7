"""Attachment as one outcome: risks, risk ratios and risk differences of all categories from one model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.stats import chi2

import bayesmeta as bm
from bayesmeta.categories.baseline import stated_baseline
from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.read_categories import read_categories

CLASSES = ("secure", "avoidant", "resistant", "disorganised")
TABLE = pd.DataFrame(
    [("E", "PIP", 45, 5, 0, 9), ("E", "control", 6, 7, 4, 14), ("F", "PIP", 29, 6, 0, 3), ("F", "control", 1, 11, 16, 12),
     ("F", "talking", 22, 6, 2, 9)],
    columns=["study", "treatment", *CLASSES],
)  # fmt: skip
CHANGE = pd.DataFrame(
    [("E", "PIP", 41, 4, 1, 13), ("E", "control", 3, 3, 2, 23), ("F", "PIP", 28, 1, 0, 9), ("F", "control", 1, 0, 1, 38)],
    columns=["study", "treatment", "insecure_to_secure", "stable_secure", "secure_to_insecure", "stable_insecure"],
)  # fmt: skip


@pytest.fixture(scope="module")
def attachment():
    return bm.categories(TABLE, seed=3)


@pytest.fixture(scope="module")
def change():
    return bm.categories(CHANGE, seed=3)


def ratios(fit, treatment="PIP", measure="RR"):
    frame = fit.summary()
    return frame[(frame.treatment == treatment) & (frame.measure == measure) & (frame.given == "")].set_index("term")


@pytest.mark.sampling
def test_the_risks_are_coherent(attachment) -> None:
    assert attachment.diagnostics["divergences"] == 0
    assert attachment.reference == "control"
    for new in (False, True):
        for name in attachment.treatments:
            np.testing.assert_allclose(attachment.risks(name, new_study=new).sum(axis=-1), 1.0, rtol=1e-12)
    frame = attachment.summary()
    assert list(dict.fromkeys(frame.measure)) == ["risk", "RR", "RD"]
    assert len(frame) == 4 * (3 + 2 + 2)
    differences = frame[frame.measure == "RD"].groupby("treatment")["mean"].sum()
    np.testing.assert_allclose(differences, 0.0, atol=1e-12)
    rr = ratios(attachment)
    assert rr.loc["secure", "ci_low"] > 2
    assert rr.loc["disorganised", "ci_high"] < 1
    assert (frame.r_hat < 1.01).all()
    wide = attachment.summary(new_study=True)
    assert (wide.sd[wide.measure == "RD"] >= frame.sd[frame.measure == "RD"]).all()


@pytest.mark.sampling
def test_joint_probabilities(attachment) -> None:
    both = attachment.probability({"secure": "higher", "disorganised": "lower"}, "PIP")
    rr = ratios(attachment)
    least = rr.loc["secure", "prob_higher"] + (1 - rr.loc["disorganised", "prob_higher"]) - 1
    assert least - 1e-9 <= both <= min(rr.loc["secure", "prob_higher"], 1 - rr.loc["disorganised", "prob_higher"])
    assert both > 0.95
    assert attachment.probability(dict.fromkeys(CLASSES, "higher"), "PIP") == 0.0
    with pytest.raises(SpecError, match="say which treatment: PIP, talking"):
        attachment.probability({"secure": "higher"})
    with pytest.raises(SpecError, match="unknown category 'secured'"):
        attachment.probability({"secured": "higher"}, "PIP")
    with pytest.raises(SpecError, match="unknown side"):
        attachment.probability({"secure": "more"}, "PIP")


@pytest.mark.sampling
def test_the_margins_agree_with_the_data(attachment, change) -> None:
    for fit in (attachment, change):
        margins = fit.margins()
        assert (margins["count"].between(margins.low, margins.high)).all()
        assert margins.p.between(0.05, 0.95).all()
        by_arm = margins.groupby(["study", "treatment"])
        np.testing.assert_allclose(by_arm.expected.sum(), by_arm["n"].first(), rtol=1e-9)


@pytest.mark.sampling
def test_the_deviance_of_each_arm_is_that_of_its_counts(attachment, change) -> None:
    for fit in (attachment, change):
        found = fit.deviances()
        assert found["points"].tolist() == [3] * len(fit.table.studies)
        p = fit.fitted.reshape(-1, len(found), fit.table.cells.shape[1])
        counts = np.stack([fit.table.counts[fit.table.arm == arm] for arm in range(len(found))])
        # the numbers of these tables are single cells, in another order in that of change
        cells = np.stack([fit.table.cells[fit.table.arm == arm].argmax(axis=1) for arm in range(len(found))])
        each = np.take_along_axis(p, np.broadcast_to(cells, (len(p), *cells.shape)), axis=-1)
        expected = counts.sum(axis=1, keepdims=True) * each
        terms = np.where(counts > 0, counts * np.log(np.maximum(counts, 1) / expected), 0.0)
        np.testing.assert_allclose(found["deviance"], 2 * terms.sum(axis=-1).mean(axis=0), rtol=1e-8)
        assert (found["leverage"] > 0).all()
        assert found["leverage"].sum() < found["points"].sum()


@pytest.mark.sampling
def test_counts_are_predicted_with_new_effects(attachment) -> None:
    found = attachment.predictive_checks()
    assert set(found["check"]) == {"given all", "trial given all"}
    checks = found[found["check"] == "given all"].set_index("study")
    assert "F: control, secure" not in checks.index
    # by the distribution in the first arm, moved by the effect and its deviation in a new trial, of one category against the others
    arms = list(zip(attachment.table.studies, attachment.table.treatments, strict=True))
    at = attachment.fitted[:, :, arms.index(("E", "PIP" if checks.index[0].startswith("E: control") else "control")), 0]
    names = attachment.treatments
    one, two = ("control", "PIP") if checks.index[0].startswith("E: control") else ("PIP", "control")
    rng = np.random.default_rng(8)
    effect = (
        attachment.effects.effects[:, :, names.index(one), 0] - attachment.effects.effects[:, :, names.index(two), 0]
    )
    noise = rng.standard_normal(effect.shape)
    noise -= noise.mean(axis=-1, keepdims=True)
    weights = at * np.exp(effect + attachment.tau[..., None] * np.sqrt(0.5) * noise)
    share = (weights / weights.sum(axis=-1, keepdims=True))[..., 0].ravel()
    count = attachment.table.counts[(attachment.table.arm == arms.index(("E", one)))][0]
    n = attachment.table.n[arms.index(("E", one))]
    new = rng.binomial(int(n), share)
    tail = (new < count).mean() + 0.5 * (new == count).mean()
    assert checks.loc[f"E: {one}, secure", "tail"] == pytest.approx(tail, abs=0.04)
    assert found["pvalue"].between(0.02, 1).all()


def test_the_normal_approximation_predicts_each_trial_from_the_others() -> None:
    fit = bm.categories(
        TABLE[TABLE.treatment != "talking"], engine="quadrature", priors={"tau": "Point(0.4)", "d": "Normal(0, 2)"}
    )
    found = fit.predictive_checks().set_index(["check", "study"])
    # dense: log ratios of the categories with the last, of each trial, PIP against control; every log odds has the priors given
    values, spreads = [], []
    for study in ("E", "F"):
        one, two = (
            TABLE[(TABLE.study == study) & (TABLE.treatment == name)][list(CLASSES)].to_numpy()[0] + 0.5
            for name in ("PIP", "control")
        )
        contrast = np.hstack([np.eye(3), -np.ones((3, 1))])
        values.append(contrast @ (np.log(one) - np.log(two)))
        spreads.append(contrast @ np.diag(1 / one + 1 / two) @ contrast.T)
    shape = 0.5 * (np.eye(3) + 1.0)
    between, prior = 0.4**2 * shape, 2.0**2 * shape
    for i, study in enumerate(("E", "F")):
        own, other = i, 1 - i
        total = prior + spreads[other] + between
        mean = prior @ np.linalg.solve(total, values[other])
        spread = prior - prior @ np.linalg.solve(total, prior) + spreads[own] + between
        distance = (values[own] - mean) @ np.linalg.solve(spread, values[own] - mean)
        row = found.loc[("trial given the others", study)]
        assert row["observed"] == pytest.approx(distance, rel=1e-8)
        assert row["pvalue"] == pytest.approx(chi2.sf(distance, 3), rel=1e-8)
    assert fit.deviances()["points"].tolist() == [3, 3]
    assert fit.deviances()["deviance"].sum() > 0
    with pytest.raises(SpecError, match=r"fit\.predictive_checks\(\)"):
        bm.predictive_checks(fit)


@pytest.mark.sampling
def test_order_and_labels_change_nothing_but_the_draws(attachment) -> None:
    """Label switching is impossible: other names, in another order, have the risks of the same participants."""
    renamed = TABLE[["study", "treatment", *CLASSES[::-1]]].rename(columns={"secure": "B", "disorganised": "D"})
    other = bm.categories(renamed.iloc[::-1], seed=11)
    one, two = ratios(attachment), ratios(other).rename(index={"B": "secure", "D": "disorganised"})
    error = np.hypot(one.mcse, two.mcse)
    assert (abs(one["mean"] - two["mean"]) < 4.5 * error).all()


@pytest.mark.sampling
def test_another_reference_is_the_same_posterior(attachment) -> None:
    other = attachment.against("talking")
    arm = [name == "talking" for name in other.table.treatments].index(True)
    np.testing.assert_allclose(other.risks("talking"), other.fitted[:, :, arm, 0], rtol=1e-12)
    back = other.against("control")
    np.testing.assert_allclose(back.probabilities, attachment.probabilities, rtol=1e-9)
    with pytest.raises(SpecError, match="unknown treatment"):
        attachment.against("placebo")


@pytest.mark.sampling
def test_a_stated_baseline(attachment) -> None:
    given = {"secure": 0.3, "avoidant": 0.2, "resistant": 0.1, "disorganised": 0.4}
    known = attachment.against("control", given)
    np.testing.assert_allclose(known.risks("control")[0, 0], [0.3, 0.2, 0.1, 0.4], rtol=1e-12)
    rows = known.summary()
    rows = rows[(rows.treatment == "control") & (rows.measure == "risk")]
    np.testing.assert_allclose(rows.estimate, [0.3, 0.2, 0.1, 0.4], rtol=1e-12)
    assert rows[["mcse", "ess", "r_hat"]].isna().all(axis=None)
    estimated = attachment.against("control", given, 50)
    risk = estimated.risks("control")[..., 0]
    assert risk.mean() == pytest.approx(0.3, abs=0.01)
    assert risk.std() == pytest.approx(np.sqrt(0.3 * 0.7 / 51), rel=0.05)
    # odds ratios do not depend on the baseline, risk ratios do
    odds = {}
    for name, fit in (("pooled", attachment), ("stated", known)):
        pip, control = fit.risks("PIP"), fit.risks("control")
        odds[name] = (pip[..., 0] / pip[..., 3]) / (control[..., 0] / control[..., 3])
    np.testing.assert_allclose(odds["pooled"], odds["stated"], rtol=1e-9)


@pytest.mark.sampling
def test_a_fit_is_saved_and_loaded(attachment, change, tmp_path) -> None:
    stated = attachment.against("talking", dict(zip(CLASSES, (0.4, 0.2, 0.1, 0.3), strict=True)), 40)
    near = bm.categories(TABLE, engine="quadrature", treatments={"talking": "support"}, priors={"tau": "Point(0.2)"})
    for fit in (attachment, change, stated, near):
        found = bm.load_categories(fit.save(tmp_path / "fit.nc"))
        assert isinstance(found, bm.CategoryFit)
        pd.testing.assert_frame_equal(found.summary(), fit.summary(), check_exact=True)
        pd.testing.assert_frame_equal(found.summary(new_study=True), fit.summary(new_study=True), check_exact=True)
        for name in ("reference", "treatments", "engine", "baseline", "baseline_n", "seed", "provenance", "link"):
            assert getattr(found, name) == getattr(fit, name), name
        assert dict(found.diagnostics) == dict(fit.diagnostics)
        assert found.priors.to_dict() == fit.priors.to_dict()
        pd.testing.assert_frame_equal(found.table.to_frame(), fit.table.to_frame())
        if fit.engine == "nuts":
            pd.testing.assert_frame_equal(found.margins(), fit.margins(), check_exact=True)
    assert found.provenance["bayesmeta"] == bm.__version__
    with xr.open_datatree(attachment.save(tmp_path / "fit.nc"), engine="netcdf4") as tree:
        draws = tree["posterior"].to_dataset().load()
    assert draws["fitted"].dims == ("chain", "draw", "arm", "before", "category")
    assert list(draws["category"].values) == list(CLASSES)
    with pytest.raises(DataError, match="not contain a bayesmeta posterior"):
        bm.load_posterior(tmp_path / "fit.nc")
    with pytest.raises(DataError, match="complete network"):
        bm.load_network(tmp_path / "fit.nc")


def test_files_without_a_fit_of_categories_are_refused(tmp_path) -> None:
    net = bm.network_meta(
        pd.DataFrame({"study": ["A", "A"], "treatment": ["a", "b"], "events": [5, 6], "n": [20, 20]}), "OR"
    )
    with pytest.raises(DataError, match="complete fit of categories"):
        bm.load_categories(net.save(tmp_path / "net.nc"))
    with pytest.raises(DataError, match="no such file"):
        bm.load_categories(tmp_path / "nothing.nc")


@pytest.mark.sampling
def test_separate_ratios_beside(attachment) -> None:
    frame = attachment.separate()
    assert "sum to 1" in frame.attrs["why"]
    rows = frame[frame.treatment == "PIP"].set_index("term")
    assert (rows.k == 2).all()
    alone = bm.fit(
        pd.DataFrame({"study": ["E", "F"], "events_e": [45, 29], "n_e": [59, 38], "events_c": [6, 1], "n_c": [31, 40]}),
        measure="RR", likelihood="binomial",
    )  # fmt: skip
    assert rows.loc["secure", "separate"] == pytest.approx(np.exp(alone.quantile("mu", 0.5)), rel=1e-6)
    assert (frame[frame.treatment == "talking"].k == 1).all()


@pytest.mark.sampling
def test_change_given_the_class_before(change) -> None:
    assert change.terms == (
        "secure to secure",
        "secure to insecure",
        "insecure to secure",
        "insecure to insecure",
        "secure",
        "insecure",
    )
    given = change.risks("PIP", given="insecure")
    np.testing.assert_allclose(given.sum(axis=-1), 1.0, rtol=1e-12)
    draws = change.risks("PIP")
    np.testing.assert_allclose(draws[..., 4], draws[..., 0] + draws[..., 2], rtol=1e-12)
    # who was secure before does not depend on the treatment
    np.testing.assert_allclose(draws[..., :2].sum(-1), change.risks("control")[..., :2].sum(-1), rtol=1e-12)
    frame = change.summary()
    rows = frame[(frame.given == "insecure") & (frame.measure == "risk")].set_index(["treatment", "term"])
    assert rows.loc[("PIP", "secure"), "estimate"] > 0.5
    assert rows.loc[("control", "secure"), "estimate"] < 0.2
    with pytest.raises(SpecError, match="category before treatment"):
        change.risks("PIP", given="avoidant")


@pytest.mark.sampling
def test_the_effects_of_categories_are_recovered() -> None:
    rng = np.random.default_rng(8)
    effect, tau = np.array([0.9, -0.1, -0.3, -0.5]), 0.3
    rows = []
    for trial in range(24):
        base = np.array([0.2, 0.1, 0.0, -0.3]) + 0.4 * rng.normal(size=4)
        deviation = tau * np.sqrt(0.5) * rng.normal(size=4)
        for arm, shift in (("control", 0.0), ("PIP", effect + deviation - deviation.mean())):
            p = np.exp(base + shift)
            rows.append((f"s{trial:02}", arm, *rng.multinomial(120, p / p.sum())))
    fit = bm.categories(pd.DataFrame(rows, columns=["study", "treatment", *CLASSES]))
    draws = fit.effects.effects[:, :, 1, 0]
    error = draws.std(axis=(0, 1))
    assert fit.treatments == ("control", "PIP")
    assert (abs(draws.mean(axis=(0, 1)) - effect) < 3.5 * error).all()
    assert (error < 0.15).all()
    assert abs(fit.tau.mean() - tau) < 3.5 * fit.tau.std() < 0.35


@pytest.mark.sampling
def test_transitions_are_recovered_and_margins_are_used() -> None:
    """Of every fifth trial only the classes after treatment are known."""
    rng = np.random.default_rng(9)
    rows = []
    for trial in range(10):
        for arm, shift in (("control", 0.0), ("PIP", 1.0)):
            before = rng.binomial(150, 0.35)
            kept = rng.binomial(before, 1 / (1 + np.exp(-(0.8 + 0.3 * shift))))
            gained = rng.binomial(150 - before, 1 / (1 + np.exp(-(-1.2 + shift))))
            if trial % 5:
                rows += [
                    (f"s{trial:02}", arm, "secure", "secure", kept),
                    (f"s{trial:02}", arm, "secure", "insecure", before - kept),
                ]
                rows += [
                    (f"s{trial:02}", arm, "insecure", "secure", gained),
                    (f"s{trial:02}", arm, "insecure", "insecure", 150 - before - gained),
                ]
            else:
                rows += [
                    (f"s{trial:02}", arm, "any", "secure", kept + gained),
                    (f"s{trial:02}", arm, "any", "insecure", 150 - kept - gained),
                ]
    frame = pd.DataFrame(rows, columns=["study", "treatment", "before", "after", "count"])
    fit = bm.categories(frame, categories=["secure", "insecure"])
    # log odds of secure: sqrt(2) times the coordinate, twice the centred log ratio
    odds = 2 * fit.effects.effects[:, :, 1, :, 0]
    for value, true in zip(np.moveaxis(odds, -1, 0), (0.3, 1.0), strict=True):
        assert abs(value.mean() - true) < 3.5 * value.std() < 1.5


def test_what_cannot_be_fitted_is_refused_before_sampling() -> None:
    with pytest.raises(SpecError, match="unknown treatment 'placebo'"):
        bm.categories(TABLE, reference="placebo")
    with pytest.raises(SpecError, match="whose mean must be 0"):
        bm.categories(TABLE, priors={"d": "independent Normal(1, 2)"})
    with pytest.raises(SpecError, match="baseline is 'pooled'"):
        bm.categories(TABLE, baseline="mean")
    with pytest.raises(SpecError, match="size of a stated baseline"):
        bm.categories(TABLE, baseline_n=10)
    apart = pd.concat([TABLE[:2], TABLE[2:4].replace({"PIP": "a", "control": "b"})])
    with pytest.raises(DataError, match="component"):
        bm.categories(apart)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"link": "logit"}, "link is that of ordered categories"),
        ({"outcome_order": "secure"}, "a list of names, like"),
        ({"outcome_order": [*CLASSES, "secure"]}, "names secure twice"),
        ({"outcome_order": ["secure", "safe"]}, "unknown category 'safe'"),
        ({"categories": "secure"}, "categories is a list of names"),
        ({"categories": [*CLASSES, "secure"]}, "categories names secure twice"),
        ({"columns": ["secure"]}, "columns should be a mapping"),
        ({"priors": {"inconsistency": "Normal(0, 1)"}}, "have no inconsistency"),
        ({"priors": {"baseline": "Normal(0, 3)"}}, "a prior for the baseline is for the multinomial likelihood"),
        ({"priors": {"baseline": "Normal(1, 3)"}, "engine": "nuts"}, "Normal with mean 0"),
        ({"baseline": [0.3, 0.3, 0.2, 0.2]}, "'pooled' or a probability of every category"),
        ({"baseline": 0.3}, "'pooled' or a probability of every category"),
        ({"baseline": dict(zip(CLASSES, ("a", 0.3, 0.3, 0.4), strict=True))}, "must be a number, but is 'a'"),
        ({"baseline": dict(zip(CLASSES, (30, 30, 30, 10), strict=True))}, "divide percentages by 100"),
        ({"baseline": dict.fromkeys(CLASSES, 0.25), "baseline_n": "many"}, "a number of participants"),
    ],
)
def test_arguments_that_cannot_be_used(options, message) -> None:
    with pytest.raises(SpecError, match=message):
        bm.categories(TABLE, **{"engine": "quadrature", **options})


def test_a_category_without_anybody_is_named() -> None:
    frame = bm.categories(TABLE.assign(resistant=0), engine="quadrature").separate()
    notes = frame[frame.treatment == "PIP"].set_index("term").note
    assert notes["resistant"] == "nobody in these trials was in it: the risk ratios are those of the priors"
    assert not notes.drop("resistant").any()


def test_arguments_of_a_fit_that_cannot_be_used() -> None:
    fit = bm.categories(TABLE, engine="quadrature")
    with pytest.raises(SpecError, match="'pooled' or a probability"):
        fit.against("talking", "mean")
    with pytest.raises(SpecError, match="no probability of avoidant"):
        fit.against("talking", {"secure": 1.0})
    for sides in ("secure", {}):
        with pytest.raises(SpecError, match="given by category"):
            fit.probability(sides, "PIP")


@pytest.mark.parametrize(
    ("given", "size", "message"),
    [
        ({"secure": 1.0}, None, "no probability of avoidant, resistant, disorganised"),
        (dict.fromkeys(CLASSES, 0.3), None, "sum to 1.2"),
        (dict(zip(CLASSES, (0.5, 0.5, 0.0, 0.0), strict=True)), None, "above 0 but resistant has 0"),
        (dict.fromkeys(CLASSES, 0.25), -1, "above 0, but is -1"),
        ({"safe": 1.0}, None, "unknown category of the baseline"),
    ],
)
def test_a_baseline_that_is_none(given, size, message) -> None:
    with pytest.raises(SpecError, match=message):
        stated_baseline(given, size, read_categories(TABLE), (1, 1), 1)


@pytest.mark.sampling
def test_the_normal_approximation_agrees_where_every_category_has_many() -> None:
    large = TABLE.assign(**{name: 10 * TABLE[name] + 40 for name in CLASSES})
    exact, near = bm.categories(large, seed=2), bm.categories(large, engine="quadrature", seed=2)
    one, two = ratios(exact), ratios(near)
    assert near.diagnostics == {}
    with pytest.raises(SpecError, match="engine='nuts'"):
        near.margins()
    np.testing.assert_allclose(two["estimate"], one["estimate"], rtol=0.03)
    np.testing.assert_allclose(two["sd"], one["sd"], rtol=0.12)
    with pytest.raises(SpecError, match="unknown engine"):
        bm.categories(large, engine="jags")
