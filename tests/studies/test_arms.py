"""Tables of arms and contrasts: what is read, and what is refused with which words."""

import numpy as np
import pandas as pd
import pytest

from bayesmeta.errors import DataError, SpecError
from bayesmeta.networks.contrasts import network_contrasts
from bayesmeta.studies.arms import ArmTable, ContrastTable
from bayesmeta.studies.read_arms import read_arms

LONG = pd.DataFrame(
    [("A", "placebo", 10, 50), ("B", "drug", 8, 40), ("A", "drug", 5, 50), ("B", "control", 9, 40)],
    columns=["Study", "trt", "r", "N"],
)


def test_long_table_brings_the_arms_of_a_study_together() -> None:
    arms = read_arms(LONG)
    assert isinstance(arms, ArmTable)
    assert arms.studies == ("A", "A", "B", "B")
    assert arms.treatments == ("placebo", "drug", "drug", "control")
    assert arms.columns["events"].tolist() == [10, 5, 8, 9]
    assert arms.kinds == ("events",)
    again = read_arms(arms.to_frame())
    assert again.studies == arms.studies


def test_wide_and_long_are_the_same() -> None:
    wide = pd.DataFrame(
        {
            "study": [1, 2], "treat1": ["a", "b"], "event1": [3, 4], "n1": [10, 20], "treat2": ["b", "c"], "event2": [5, 6],
            "n2": [11, 21], "treat3": ["c", ""], "event3": [7, None], "n3": [12, None],
        }
    )  # fmt: skip
    arms = read_arms(wide)
    assert arms.studies == ("1", "1", "1", "2", "2")
    assert arms.treatments == ("a", "b", "c", "b", "c")
    assert arms.columns["events"].tolist() == [3, 5, 7, 4, 6]
    assert arms.columns["n"].tolist() == [10, 11, 12, 20, 21]


@pytest.mark.parametrize(
    ("names", "kinds"),
    [
        (("mean", "sd", "n"), ("means",)),
        (("y", "se"), ("mean_se",)),
        (("events", "E"), ("rates",)),
        (("r", "n", "time"), ("events", "rates")),
    ],
)
def test_kinds_of_data(names: tuple[str, ...], kinds: tuple[str, ...]) -> None:
    frame = pd.DataFrame({"study": [1, 1], "treatment": ["a", "b"], **{name: [2.0, 3.0] for name in names}})
    assert read_arms(frame).kinds == kinds


def test_lumping_is_kept_and_unknown_names_are_refused() -> None:
    arms = read_arms(LONG, treatments={"control": "placebo"})
    assert arms.treatments == ("placebo", "drug", "drug", "placebo")
    assert arms.lumping == {"control": "placebo"}
    with pytest.raises(SpecError, match="unknown treatment 'contrl'; did you mean 'control'"):
        read_arms(LONG, treatments={"contrl": "placebo"})


def test_arms_of_one_treatment_are_refused_or_combined() -> None:
    frame = pd.DataFrame(
        {
            "study": ["A"] * 3,
            "treatment": ["x", "y", "z"],
            "mean": [1.0, 2.0, 4.0],
            "sd": [1.0, 2.0, 3.0],
            "n": [10, 20, 30],
        }
    )
    with pytest.raises(DataError, match="row 2, column 'treatment': the study 'A' has the treatment 'y' twice"):
        read_arms(frame, treatments={"z": "y"})
    arms = read_arms(frame, treatments={"z": "y"}, combine=True)
    a, b = np.random.default_rng(1).normal(size=(2, 30))
    a, b = a[:20], b
    a, b = 2 + 2 * (a - a.mean()) / a.std(ddof=1), 4 + 3 * (b - b.mean()) / b.std(ddof=1)
    both = np.concatenate([a, b])
    assert arms.columns["mean"][1] == pytest.approx(both.mean(), rel=1e-12)
    assert arms.columns["sd"][1] == pytest.approx(both.std(ddof=1), rel=1e-12)
    assert arms.notes == ("A: 2 arms of 'y' combined",)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"r": [10, 8, 5, None]}, "row 3, column 'r': events is missing for the arm 'control' of the study 'B'"),
        ({"r": [10, 8, 55, 9]}, "55 events among 50 participants"),
        ({"r": [10, 8, -5, 9]}, "events must be 0 or above but is -5"),
        ({"N": [50, 0, 50, 40]}, "n must be above 0 but is 0"),
        ({"r": [10, 8, "five", 9]}, "row 2, column 'r': 'five' is not a number"),
        ({"trt": ["placebo", "drug", "drug", ""]}, "row 3, column 'trt': the treatment is blank"),
        ({"Study": ["A", "B", "A", "C"]}, "the study 'B' has one treatment only, 'drug'"),
    ],
)
def test_arms_that_cannot_be_right(change: dict[str, list[object]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_arms(LONG.assign(**change))


def test_columns_that_are_missing() -> None:
    with pytest.raises(DataError, match="no column names the treatments"):
        read_arms(LONG.drop(columns="trt"))
    with pytest.raises(DataError, match="no column names the studies"):
        read_arms(LONG.drop(columns="Study"))
    with pytest.raises(DataError, match="the numbers of the arms are not complete"):
        read_arms(LONG.rename(columns={"r": "deaths"}))
    assert read_arms(LONG.rename(columns={"r": "deaths"}), columns={"deaths": "events"}).kinds == ("events",)
    with pytest.raises(SpecError, match="meaning of the column 'r'"):
        read_arms(LONG, columns={"r": "even"})


CONTRASTS = pd.DataFrame(
    {"study": ["A", "B"], "treat1": ["x", "y"], "treat2": ["p", "p"], "yi": [0.1, 0.2], "sei": [0.3, 0.4]}
)


def test_contrasts() -> None:
    table = read_arms(CONTRASTS)
    assert isinstance(table, ContrastTable)
    assert table.treat1 == ("x", "y")
    assert table.se_base is None
    for change, message in (
        ({"treat2": ["x", "p"]}, "the study 'A' compares 'x' with itself"),
        ({"sei": [0.3, None]}, "sei is missing for 'y' against 'p' in the study 'B'"),
        ({"sei": [0.3, 0.0]}, "sei must be above 0"),
        ({"study": ["A", "A"], "treat1": ["x", "x"]}, "the study 'A' compares 'x' with 'p' twice"),
    ):
        with pytest.raises(DataError, match=message):
            read_arms(CONTRASTS.assign(**change))


def test_contrasts_as_ratios_with_confidence_limits() -> None:
    frame = CONTRASTS.drop(columns=["yi", "sei"]).assign(HR=[0.5, 2.0], ci_low=[0.25, 1.0], ci_high=[1.0, 4.0])
    table = read_arms(frame)
    assert isinstance(table, ContrastTable)
    assert table.measure == "HR"
    assert table.yi.tolist() == pytest.approx(np.log([0.5, 2.0]))
    assert table.sei.tolist() == pytest.approx([np.log(4) / (2 * 1.959963985)] * 2)
    with pytest.raises(DataError, match="HR must be above 0 but is 0"):
        read_arms(frame.assign(HR=[0.0, 2.0]))
    with pytest.raises(DataError, match="the lower confidence limit is not below the upper one"):
        read_arms(frame.assign(ci_low=[1.0, 5.0]))


def test_contrasts_against_a_base_arm() -> None:
    """The form of TSD2's contrast data: the difference is blank in the base arm's row, which has the arm's standard error."""
    frame = pd.DataFrame(
        {
            "studyn": [1, 1, 2, 2, 2], "trtn": [1, 3, 1, 2, 4], "diff": [None, -0.31, None, -1.7, -0.9],
            "se_diff": [0.504, 0.668, 0.505, 0.383, 0.719],
        }
    )  # fmt: skip
    with pytest.raises(DataError, match="not below the standard error"):
        network_contrasts(frame)
    table = read_arms(frame.assign(se_diff=[0.504, 0.668, 0.2, 0.383, 0.719]))
    assert isinstance(table, ContrastTable)
    assert (table.treat1, table.treat2) == (("3", "2", "4"), ("1", "1", "1"))
    assert table.se_base is not None
    assert network_contrasts(table).S[1, 2] == pytest.approx(0.04)
    with pytest.raises(DataError, match="the study '2' has no base arm"):
        read_arms(frame.assign(diff=[None, -0.3, 0.1, 0.2, 0.3]))
    with pytest.raises(DataError, match="two arms of the study '2' have no contrast: '1' and '2'"):
        read_arms(frame.assign(diff=[None, -0.3, None, None, 0.3]))


def test_a_treatment_called_none_in_a_wide_table() -> None:
    """A text that elsewhere means a missing value is a name where the arm has numbers."""
    wide = pd.DataFrame(
        {"study": [1], "treat1": ["none"], "event1": [3], "n1": [10], "treat2": ["x"], "event2": [5], "n2": [11]}
    )
    assert read_arms(wide).treatments == ("none", "x")
