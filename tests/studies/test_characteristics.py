"""Study characteristics joined by the names of the studies, as a file, a frame and as ``data=``."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.characteristics import join_characteristics

TABLE = pd.DataFrame(
    {"study": ["Ackers 2000", "Berg  2001", "Cole 1999"], "yi": [0.1, 0.4, 0.2], "sei": [0.1, 0.2, 0.1], "arm": "x"}
)
CHARACTERISTICS = pd.DataFrame(
    {"study": ["Cole 1999", "Ackers 2000", "Berg 2001"], "weeks": [12, 4, 8], "focus": ["skills", "family", "skills"]}
)


def test_characteristics_are_joined_by_name(tmp_path: Path) -> None:
    path = tmp_path / "characteristics.csv"
    CHARACTERISTICS.iloc[:2].to_csv(path, index=False, sep=";")
    joined = join_characteristics(bm.read_studies(TABLE), path)
    assert joined.extra["weeks"] == ("4", "", "12")
    assert joined.extra["focus"] == ("family", "", "skills")
    assert joined.extra["arm"] == ("x", "x", "x")
    authors = pd.DataFrame({"Author": ["Cole", "Ackers"], "Year": [1999, 2000], "weeks": [12, 4]})
    assert join_characteristics(bm.read_studies(TABLE), authors).extra["weeks"] == ("4", "", "12")
    by_index = CHARACTERISTICS.set_index("study")
    assert join_characteristics(bm.read_studies(TABLE), by_index).extra["weeks"] == ("4", "8", "12")


def test_rows_of_one_study_get_the_same_characteristics() -> None:
    table = bm.read_studies(pd.concat([TABLE, TABLE.assign(yi=0.5)]), repeated=True)
    joined = join_characteristics(table, CHARACTERISTICS)
    assert joined.extra["weeks"] == ("4", "8", "12", "4", "8", "12")


@pytest.mark.parametrize(
    ("frame", "message", "fix"),
    [
        (CHARACTERISTICS.replace("Berg 2001", "Bergh 2001"), "row 2: 'Bergh 2001' is the name of no study", "Berg 2001"),
        (CHARACTERISTICS.replace("Berg 2001", "Zhu 2020"), "'Zhu 2020' is the name of no study", "Write the name as"),
        (CHARACTERISTICS.replace("Berg 2001", "Cole 1999"), "row 2, column 'study': 'Cole 1999' is in row 0", "one row per study"),
        (CHARACTERISTICS.replace("Berg 2001", ""), "row 2, column 'study': the row has no study name", "Name the study"),
        (CHARACTERISTICS.rename(columns={"weeks": "Arm"}), "column 'Arm': the study table has a column 'arm', too", "Rename or delete"),
        (CHARACTERISTICS.rename(columns={"study": "who"}), "no column names the studies", "add a column 'study'"),
    ],
)  # fmt: skip
def test_characteristics_that_do_not_fit_are_refused(frame: pd.DataFrame, message: str, fix: str) -> None:
    with pytest.raises(DataError) as error:
        join_characteristics(bm.read_studies(TABLE), frame)
    assert message in str(error.value)
    assert fix in str(error.value)


def test_other_studies_of_a_review_may_be_in_the_file() -> None:
    table = bm.read_studies(TABLE.iloc[:2])
    with pytest.raises(DataError, match="'Cole 1999' is the name of no study"):
        join_characteristics(table, CHARACTERISTICS)
    joined = join_characteristics(table, CHARACTERISTICS, known=list(TABLE["study"]))
    assert joined.extra["weeks"] == ("4", "8")
    with pytest.raises(SpecError, match="path of a file or a pandas DataFrame; got int"):
        join_characteristics(table, 3)  # type: ignore[arg-type]


def test_models_take_characteristics_as_data(tmp_path: Path) -> None:
    path = tmp_path / "characteristics.csv"
    CHARACTERISTICS.to_csv(path, index=False)
    effects = bm.effect_sizes(TABLE, "SMD")
    theirs = bm.regression(effects, moderators=np.column_stack([np.ones(3), [4, 8, 12]]), method="CE")
    for data in (path, str(path), CHARACTERISTICS, CHARACTERISTICS.to_dict("list"), CHARACTERISTICS.iloc[::-1]):
        fit = bm.regression(effects, moderators="~ weeks", method="CE", data=data)
        np.testing.assert_allclose(fit.estimates, theirs.estimates, rtol=1e-12)
    focus = CHARACTERISTICS.assign(focus=pd.Categorical(CHARACTERISTICS["focus"], ["skills", "family"]))
    two = CHARACTERISTICS.iloc[:2].assign(focus=["skills", "family"])
    groups = bm.subgroups(effects, by="focus", method="CE", data=two, drop_missing=True)
    assert groups.groups.index.tolist() == ["family", "skills"]
    fit = bm.regression(effects, moderators="~ focus", method="CE", data=focus)
    assert fit.names == ("Intercept", "focus[T.family]")
    with pytest.raises(DataError, match="the moderator is missing for 'Berg  2001'"):
        bm.regression(effects, moderators="~ weeks", method="CE", data=CHARACTERISTICS.iloc[:2])


def test_data_with_neither_one_row_per_estimate_nor_one_per_study_are_refused() -> None:
    effects = bm.effect_sizes(TABLE, "SMD")
    with pytest.raises(DataError, match="data has 2 rows, but there are 3 estimates"):
        bm.regression(effects, moderators="~ weeks", data={"weeks": [1, 2]})
    twice = {"study": ["Ackers 2000", "Ackers 2000"], "weeks": [1, 2]}
    with pytest.raises(DataError, match="2 rows for 3 estimates, and 'Ackers 2000' in several"):
        bm.regression(effects, moderators="~ weeks", data=twice)


def test_multilevel_models_take_characteristics_as_data(tmp_path: Path) -> None:
    path = tmp_path / "characteristics.csv"
    CHARACTERISTICS.to_csv(path, index=False)
    rows = pd.concat([TABLE, TABLE.assign(yi=[0.3, 0.5, -0.2])]).drop(columns="arm")
    fit = bm.multilevel(rows, measure="SMD", nesting="study/estimate", moderators="~ weeks", data=path)
    same = bm.multilevel(
        rows.assign(weeks=[4, 8, 12, 4, 8, 12]), measure="SMD", nesting="study/estimate", moderators="~ weeks"
    )
    np.testing.assert_allclose(fit.estimates, same.estimates, rtol=1e-12)
