"""Studies with several rows: refused with the ways to go on, or read with labels that tell the rows apart."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError

ROWS = {
    "study": ["Ackers", "Ackers", "Berg"],
    "outcome": ["math", "reading", "math"],
    "yi": [0.1, 0.4, 0.2],
    "sei": [0.1, 0.2, 0.1],
}


def test_a_study_with_two_rows_is_refused_with_the_ways_to_go_on() -> None:
    with pytest.raises(DataError, match="'Ackers' is in row 0 already, with other numbers") as error:
        bm.read_studies(pd.DataFrame(ROWS))
    for way in ("outcome=math", "name them differently", "combine the arms", "shared_arm_c", "nesting study/estimate"):
        assert way in str(error.value)
    # the same numbers twice are a slip, whatever the model
    with pytest.raises(DataError, match=r"with the same numbers\n.*Delete or exclude"):
        bm.read_studies(pd.DataFrame(ROWS | {"yi": [0.1, 0.1, 0.2], "sei": 0.1}))


@pytest.mark.parametrize(
    ("columns", "labels"),
    [
        ({}, ("Ackers (math)", "Ackers (reading)", "Berg")),
        ({"outcome": ["math", "math", "math"], "weeks": [4, 12, 4]}, ("Ackers (weeks 4)", "Ackers (weeks 12)", "Berg")),
        ({"outcome": ["a", "a", "b"], "sample": ["girls", "boys", ""]}, ("Ackers (girls)", "Ackers (boys)", "Berg")),
        ({"outcome": ["", "reading", "math"], "obs": [1, 2, 3]}, ("Ackers", "Ackers (2)", "Berg")),
    ],
)
def test_labels_get_what_tells_the_rows_apart(columns: dict[str, object], labels: tuple[str, ...]) -> None:
    table = bm.read_studies(pd.DataFrame(ROWS | columns), repeated=True)
    assert table.labels == labels
    assert table.study_names == ("Ackers", "Ackers", "Berg")
    assert table.repeated
    assert table.subset(np.array([True, True, False])).study_names == ("Ackers", "Ackers")
    again = bm.read_studies(table.to_frame(), repeated=True)
    assert (again.labels, again.study_names) == (labels, table.study_names)


def test_times_within_outcomes_are_told_apart_by_both() -> None:
    frame = pd.DataFrame(
        {
            "study": ["A"] * 4,
            "outcome": ["x", "x", "y", "y"],
            "time": [1, 2, 1, 2],
            "yi": [0.1, 0.2, 0.3, 0.4],
            "sei": 0.1,
        }
    )
    assert bm.read_studies(frame, repeated=True).labels[:2] == ("A (x, time 1)", "A (x, time 2)")


def test_excluded_rows_do_not_repeat_a_study() -> None:
    table = bm.read_studies(pd.DataFrame(ROWS | {"exclude": ["", "wrong outcome", ""]}))
    assert not table.repeated
    assert table.labels == ("Ackers", "Ackers (row 1)", "Berg")
    assert table.to_frame()["study"].tolist() == list(table.labels)


def test_rows_that_name_their_arms_are_read() -> None:
    frame = pd.DataFrame(
        {
            "study": ["A", "A", "B"],
            "events_e": [1, 2, 3],
            "n_e": 10,
            "events_c": [4, 4, 5],
            "n_c": 10,
            "shared_arm_c": ["x", "x", ""],
        }
    )
    assert bm.read_studies(frame).labels == ("A", "A (2)", "B")
    with pytest.raises(DataError, match="'A' is in row 0 already"):
        bm.read_studies(frame.assign(shared_arm_c=["x", "", ""]))
    # a control arm in two rows is a doubt only where nothing says that it is one
    assert bm.effect_sizes(frame, "RR").notes == ("", "", "")


def test_nesting_takes_files_in_which_studies_repeat(tmp_path: Path) -> None:
    path = tmp_path / "estimates.csv"
    frame = pd.DataFrame(
        {
            "study": ["A", "A", "B", "B", "C"],
            "outcome": ["x", "y", "x", "y", "x"],
            "yi": [0.1, 0.4, 0.2, 0.6, -0.2],
            "sei": 0.2,
        }
    )
    frame.to_csv(path, index=False)
    fit = bm.multilevel(path, measure="SMD", nesting="study/estimate", sampling_correlation=0.5)
    same = bm.multilevel(
        yi=frame["yi"], sei=frame["sei"], data=frame, nesting="study/estimate", sampling_correlation=0.5
    )
    np.testing.assert_allclose(fit.estimates, same.estimates, rtol=1e-12)
    np.testing.assert_allclose(fit.sigma2, same.sigma2, rtol=1e-12)
    assert fit.labels == ("A (x)", "A (y)", "B (x)", "B (y)", "C")
    # a table that was read with them has the nesting itself
    table = bm.read_studies(path, repeated=True)
    assert bm.multilevel(table, measure="SMD").sigma2_names == ("study", "study/estimate")
    with pytest.raises(bm.SpecError, match="several estimates per study: give nesting='study/estimate'"):
        bm.random_effects(table, measure="SMD")
