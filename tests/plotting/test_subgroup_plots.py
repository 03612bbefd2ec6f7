"""Forest plots of subgroups: frequentist and Bayesian results, arm data and their totals, widths of a journal."""

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.figures.forest import forest
from bayesmeta.reporting.figures.rows import ForestStudy
from bayesmeta.reporting.numbers import estimate, interval, typographic
from tests.plotting.test_regression_plots import LABELS, V, Y, check_geometry, texts

BY = list("aabbabcabcabc")
COUNTS = pd.DataFrame(
    {
        "study": LABELS[:5], "events_e": [4, 6, 3, 0, 33], "n_e": [123, 306, 231, 50, 506], "events_c": [11, 29, 11, 0, 47],
        "n_c": [139, 303, 220, 50, 580],
    }
)  # fmt: skip


def plain(figure):
    return [without_alignment(text) for text in texts(figure)]


@pytest.mark.parametrize("options", [{}, {"ci": "hksj"}, {"common_tau": True}, {"method": "CE"}])
def test_frequentist_subgroups(options):
    found = bm.subgroups(yi=Y, vi=V, labels=LABELS, measure="RR", by=BY, **options)
    figure = bm.subgroup_forest(found)
    check_geometry(figure)
    shown = plain(figure)
    for row in [*found.groups.to_dict("records"), vars(found.overall)]:
        numbers = np.exp([row["estimate"], row["ci_low"], row["ci_high"]])
        assert typographic(estimate(*numbers), powers=True) in shown
        if np.isfinite(row.get("pi_low", np.nan)):
            ends = interval(*np.exp([row["pi_low"], row["pi_high"]]))
            assert typographic(ends, powers=True) in shown
    diamonds = [p.get_xy()[1][0] for p in figure.axes[0].patches if p.get_label() == "diamond frequentist"]
    assert diamonds == pytest.approx(list(np.exp([*found.groups["estimate"], found.overall.estimate])))
    test = next(text for text in shown if text.startswith("Test of differences between groups"))
    assert f"= {found.q_between:.2f}" in test
    assert ("F = " in test) == np.isfinite(found.q_df_residual)
    # the weights are those of the pooled effect of all studies, and add up in the groups
    weights = pd.Series(found.overall.weights).groupby(BY).sum()
    assert all(f"{100 * weight:.1f}%" in shown for weight in weights)
    assert "100.0%" in shown


def test_level_is_that_of_the_result():
    found = bm.subgroups(yi=Y, vi=V, measure="RR", by=BY, level=0.9)
    assert any("Subtotal, 90% CI" in text for text in texts(bm.subgroup_forest(found)))
    with pytest.raises(bm.SpecError, match=r"level=0\.95"):
        bm.subgroup_forest(found, level=0.95)
    with pytest.raises(bm.SpecError, match="subgroups or fit_subgroups"):
        bm.subgroup_forest(bm.random_effects(yi=Y, vi=V))


@pytest.mark.parametrize("fitted", [False, True])
def test_arm_data_and_totals(fitted):
    call = bm.fit_subgroups if fitted else bm.subgroups
    found = call(COUNTS, measure="RR", by=list("aabbb"), data=COUNTS)
    figure = bm.subgroup_forest(found, groups=("Vaccine", "None"), better="lower")
    check_geometry(figure)
    shown = plain(figure)
    # the study without events is not pooled, and in no total
    assert {"10/429", "40/442", "36/737", "58/800", "46/1166", "98/1242"} <= set(shown)
    assert "← Favours Vaccine" in shown
    if not fitted:
        assert any("not estimable" in text or "no events" in text for text in shown)


@pytest.mark.parametrize("width", [85 / 25.4, 174 / 25.4, 11])
@pytest.mark.parametrize(
    "names", [LABELS[:5], [f"A collaborative multi-centre trial with a long name, part {i}" for i in range(5)]]
)
def test_widths_of_a_journal(width, names):
    found = bm.subgroups(COUNTS.assign(study=names), measure="RR", by=list("aabbb"))
    figure = bm.subgroup_forest(found, width=width)
    check_geometry(figure)
    assert figure.get_figwidth() == pytest.approx(width)
    shown = plain(figure)
    narrow = [text for text in shown if text.startswith("Not shown at this width")]
    assert bool(narrow) == ("36/737" not in shown)
    assert len(narrow) == (width < 5)
    for low, high in zip(np.exp(found.groups["ci_low"]), np.exp(found.groups["ci_high"]), strict=True):
        assert any(interval(low, high) in text for text in shown)


def test_a_width_without_place_is_refused():
    found = bm.subgroups(yi=[-1e5, -2e5, -3e5, -5e5], vi=[1e8] * 4, measure="MD", by=list("aabb"))
    # even such numbers have a place, in the smallest type
    check_geometry(bm.subgroup_forest(found, width=3.3))
    word = "Haemoglobinkonzentrationsveränderungsverhältnis"
    with pytest.raises(bm.SpecError, match=r"no place for the numbers; give at least \d"):
        forest(
            [ForestStudy("Trial", (), 1.2, 0.8, 1.5, 100.0, *[np.nan] * 3)], [], measure=word, log=True, title="",
            arm_headers=(), width_inches=3.3,
        )  # fmt: skip
    with pytest.raises(bm.SpecError, match="between"):
        bm.subgroup_forest(found, width=2)
