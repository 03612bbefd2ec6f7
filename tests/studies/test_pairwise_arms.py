"""Pairwise rows turned into arms: shared arms recognised, divided ones added up, contradictions refused."""

import numpy as np
import pandas as pd
import pytest

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.errors import DataError, SpecError
from bayesmeta.networks.contrasts import network_contrasts
from bayesmeta.studies.pairwise_arms import pairwise_arms

ROWS = pd.DataFrame(
    [
        ("A", "PIP", "control", 5, 30, 9, 31), ("A", "CBT", "control", 6, 29, 9, 31), ("B", "PIP", "CBT", 4, 20, 3, 22),
    ],
    columns=["study", "treatment_e", "treatment_c", "events_e", "n_e", "events_c", "n_c"],
)  # fmt: skip


def test_rows_that_share_an_arm_are_one_trial_of_three_arms() -> None:
    arms = pairwise_arms(ROWS)
    assert list(zip(arms.studies, arms.treatments, strict=True)) == [
        ("A", "PIP"), ("A", "control"), ("A", "CBT"), ("B", "PIP"), ("B", "CBT"),
    ]  # fmt: skip
    assert arms.columns["events"].tolist() == [5, 9, 6, 4, 3]
    assert arms.notes == ("A: the arm 'control' is shared by 2 rows (same numbers)",)
    found = network_contrasts(arms, "OR")
    assert found.notes[0] == arms.notes[0]
    pair = effect_sizes(ROWS.iloc[2:], "OR")
    assert found.y[2] == pytest.approx(-pair.yi[0])
    assert found.S[2, 2] == pytest.approx(pair.vi[0])


def test_declared_shared_arms_are_named_in_the_note() -> None:
    arms = pairwise_arms(ROWS.assign(shared_arm_c=["control group", "control group", ""]))
    assert arms.notes == ("A: the arm 'control' is shared by 2 rows (shared_arm_c 'control group')",)


def test_treatments_may_be_one_name_for_all_rows_and_be_renamed() -> None:
    arms = pairwise_arms(
        ROWS[:2].drop(columns="treatment_c"), treatment_c="usual care", treatments={"usual care": "control"}
    )
    assert arms.treatments == ("PIP", "control", "CBT")
    assert arms.lumping == {"usual care": "control"}
    assert pairwise_arms(ROWS.rename(columns={"treatment_e": "Arm 1"}), "Arm 1").treatments == (
        "PIP", "control", "CBT", "PIP", "CBT",
    )  # fmt: skip


def test_a_divided_arm_is_refused_or_added_up() -> None:
    halves = ROWS.assign(events_c=[5, 4, 3], n_c=[16, 15, 22])
    with pytest.raises(
        DataError, match=r"the arm 'control' of the study 'A' has different numbers in its 2 rows: events 5 and 4"
    ):
        pairwise_arms(halves)
    arms = pairwise_arms(halves, divided="add")
    assert (arms.columns["events"][1], arms.columns["n"][1]) == (9, 31)
    assert "added up" in arms.notes[0]
    assert pairwise_arms(halves, divided="first").columns["n"][1] == 16
    with pytest.raises(SpecError, match="divided should be"):
        pairwise_arms(halves, divided="sum")


def test_means() -> None:
    frame = pd.DataFrame(
        {
            "study": ["A", "A"], "treatment_e": ["x", "y"], "mean_e": [1.0, 2.0], "sd_e": [1.0, 1.5], "n_e": [20, 21],
            "mean_c": [0.5, 0.5], "sd_c": [1.2, 1.2], "n_c": [10, 10],
        }
    )  # fmt: skip
    arms = pairwise_arms(frame, treatment_c="p")
    assert arms.kinds == ("means",)
    assert arms.columns["n"].tolist() == [20, 10, 21]
    added = pairwise_arms(frame, treatment_c="p", divided="add")
    assert np.array_equal(added.columns["n"], arms.columns["n"])


def test_refusals() -> None:
    with pytest.raises(DataError, match="the study 'B' compares 'PIP' with itself"):
        pairwise_arms(ROWS, treatments={"CBT": "PIP"})
    with pytest.raises(DataError, match="no column names the treatment of the control arm"):
        pairwise_arms(ROWS.drop(columns="treatment_c"))
    with pytest.raises(DataError, match=r"the treatment of the experimental arm of 'B.*' is blank"):
        pairwise_arms(ROWS.assign(treatment_e=["PIP", "CBT", ""]))
    with pytest.raises(SpecError, match="renames 'CBd', but no row has it"):
        pairwise_arms(ROWS, treatments={"CBd": "PIP"})
    estimates = pd.DataFrame({"study": ["A"], "yi": [0.1], "sei": [0.2], "treatment_e": ["x"], "treatment_c": ["y"]})
    with pytest.raises(DataError, match="no numbers of both arms"):
        pairwise_arms(estimates)
