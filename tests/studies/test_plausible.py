"""Numbers that are likely to be a slip are noted in their rows, and sound data are not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.errors import DataError
from bayesmeta.studies.read import read_studies
from bayesmeta.studies.table import StudyTable

MEANS = pd.DataFrame(
    {
        "study": ["A", "B", "C", "D"],
        "mean_e": [10.0, 11.0, 9.5, 10.4], "sd_e": [4.0, 4.4, 3.8, 4.1], "n_e": [50, 60, 40, 45],
        "mean_c": [12.0, 12.6, 11.9, 12.2], "sd_c": [4.1, 4.2, 4.0, 3.9], "n_c": [50, 61, 41, 44],
    }
)  # fmt: skip


def notes_with(measure="MD", **cells):
    table = MEANS.copy()
    for name, values in cells.items():
        for row, value in values.items():
            table.loc[row, name] = value
    return effect_sizes(table, measure).notes


def test_sound_data_have_no_note():
    assert set(effect_sizes(MEANS, "MD").notes) == {""}
    assert set(notes_with("SMD", mean_e={0: 100.0}, sd_e={0: 40.0}, mean_c={0: 120.0}, sd_c={0: 41.0})) == {""}


def test_a_standard_error_as_sd_is_noted():
    error = 4.0 / 50**0.5
    notes = notes_with(sd_e={0: error})
    assert "sd_e = 0.565685, but the SD of the other arm is 4.1: is it a standard error?" in notes[0]
    assert notes[1:] == ("", "", "")
    both = notes_with(sd_e={1: 4.4 / 60**0.5}, sd_c={1: 4.2 / 61**0.5})
    assert "of most arms" in both[1]
    assert not both[0]


def test_means_far_apart_are_noted():
    assert "standard deviations apart" in notes_with(mean_e={2: 40.0})[2]


def test_one_participant_with_a_standard_deviation_is_noted():
    assert "n_c is 1" in notes_with(n_c={3: 1})[3]


def test_a_control_arm_used_twice_is_noted():
    same = {name: {1: MEANS.loc[0, name]} for name in ("mean_c", "sd_c", "n_c")}
    notes = notes_with(**same)
    assert "the control arm is that of A" in notes[1]
    assert "divide the control arm" in notes[1]
    whole = same | {name: {1: MEANS.loc[0, name]} for name in ("mean_e", "sd_e", "n_e")}
    assert "are its participants counted twice" in notes_with(**whole)[1]


@pytest.mark.parametrize(("second", "noted"), [("Lee 2001 high dose", True), ("Kim 2003", False)])
def test_equal_counts_are_noted_where_the_names_begin_alike(second, noted):
    table = pd.DataFrame(
        {
            "study": ["Lee 2001 low dose", second],
            "events_e": [3, 5],
            "n_e": [20, 21],
            "events_c": [6, 6],
            "n_c": [20, 20],
        }
    )
    assert ("the control arm is that of Lee 2001 low dose" in effect_sizes(table, "OR").notes[1]) == noted


def test_a_variance_as_standard_error_is_noted_where_the_interval_shows_it():
    table = pd.DataFrame({"study": ["A", "B"], "yi": [0.3, 0.1], "sei": [0.04, 0.25]})
    table["ci_low"], table["ci_high"] = (
        table["yi"] - 1.96 * np.array([0.2, 0.25]),
        table["yi"] + 1.96 * np.array([0.2, 0.25]),
    )
    notes = effect_sizes(table, "GEN").notes
    assert notes == ("sei = 0.04, but the interval gives 0.2: is it a variance?", "")


def test_standard_errors_as_variances_are_noted_where_effects_agree_too_closely():
    rng = np.random.default_rng(5)
    error = rng.uniform(0.1, 0.2, 30)
    yi = rng.normal(0.3, error)
    labels = tuple(map(str, range(30)))
    wrong = effect_sizes(StudyTable(labels, {"yi": yi, "sei": np.sqrt(error)}), "GEN")
    assert "standard errors given as variances" in wrong.notes[0]
    assert set(effect_sizes(StudyTable(labels, {"yi": yi, "sei": error}), "GEN").notes) == {""}


def test_standard_errors_in_a_column_of_variances_are_noted_beside_heterogeneity():
    """Made-up effects of 17 studies whose standard errors are about 0.12, in a column named var."""
    yi = [0.28, 0.46, 0.03, 0.58, 0.34, 0.40, 0.40, 0.19, 0.54, 0.29, -0.11, 0.01, 0.43, 0.29, -0.03, 0.03, 0.08]
    error = [0.15, 0.16, 0.09, 0.09, 0.12, 0.16, 0.15, 0.09, 0.12, 0.12, 0.14, 0.12, 0.13, 0.14, 0.17, 0.09, 0.11]
    labels = [f"s{i}" for i in range(17)]
    as_variance = effect_sizes(pd.DataFrame({"study": labels, "es": yi, "var": error}), "GEN")
    assert "were standard errors given as variances?" in as_variance.notes[0]
    assert set(effect_sizes(pd.DataFrame({"study": labels, "es": yi, "se": error}), "GEN").notes) == {""}


def test_a_prior_for_another_measure_is_noted():
    counts = pd.DataFrame(
        {"study": ["A", "B"], "events_e": [3, 5], "n_e": [20, 40], "events_c": [6, 9], "n_c": [21, 41]}
    )
    rhodes = 'rhodes2015("obstetric outcome", "non-pharmacological (any)")'
    turner = 'turner2015("all-cause mortality", "pharmacological vs. placebo / control")'
    for data, measure, tau, noted in (
        (counts, "RR", rhodes, True),
        (MEANS, "SMD", rhodes, False),
        (counts, "OR", turner, False),
    ):
        notes = bm.fit(data, measure=measure, likelihood="normal", priors={"tau": tau}).prior_conflicts
        assert any("is for the heterogeneity of standardized mean differences" in note for note in notes) == noted


@pytest.mark.parametrize("count", ["1e18", "9" * 5000, 10**5000, 1e18], ids=["text", "digits", "integer", "float"])
def test_counts_of_more_than_all_people_are_refused(tmp_path, count):
    if isinstance(count, str):
        source = tmp_path / "table.csv"
        source.write_text(f"study,events_e,n_e,events_c,n_c\nA,3,{count},6,21\n")
    else:
        source = pd.DataFrame(
            {"study": ["A"], "events_e": [3], "n_e": pd.Series([count], dtype=object), "events_c": [6], "n_c": [21]}
        )
    with pytest.raises(
        DataError, match=r"column 'n_e'.*(more than there are people|not a finite number|not a number)"
    ) as caught:
        read_studies(source)
    assert len(str(caught.value)) < 500


def test_a_table_made_in_python_is_checked_too():
    table = StudyTable(("A",), {"events_e": [3.0], "n_e": [1e18], "events_c": [6.0], "n_c": [21.0]})
    with pytest.raises(DataError, match="more than there are people"):
        effect_sizes(table, "RR")
