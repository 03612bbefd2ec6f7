"""Tables of an outcome with several categories."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.read_categories import as_categories, read_categories

WIDE = pd.DataFrame(
    {
        "Trial": ["E", "E", "F", "F", "F"],
        "Arm": ["pip", "control", "pip", "control", "talking"],
        "Total": [59, 31, 38, 40, 39],
        "secure": [45, 6, 29, 1, 22],
        "avoidant": [5, 7, 6, 11, 6],
        "resistant": [0, 4, 0, 16, 2],
        "disorganised": [9, 14, 3, 12, 9],
    }
)
CLASSES = ("secure", "avoidant", "resistant", "disorganised")


def long(frame: pd.DataFrame = WIDE) -> pd.DataFrame:
    return frame.melt(["Trial", "Arm", "Total"], var_name="class", value_name="count")


@pytest.mark.parametrize("frame", [WIDE, long(), WIDE.iloc[::-1]])
def test_long_and_wide_tables_are_one(frame) -> None:
    table = read_categories(frame, categories=CLASSES)
    assert table.categories == CLASSES
    assert not table.before
    assert table.complete
    assert sorted(table.n.tolist()) == [31, 38, 39, 40, 59]
    row = next(i for i in range(5) if (table.studies[i], table.treatments[i]) == ("F", "control"))
    np.testing.assert_array_equal(table.spread[row, 0], [1, 11, 16, 12])
    assert table.to_frame()["count"].sum() == 207


def test_files_and_the_default_names(tmp_path) -> None:
    path = tmp_path / "classes.csv"
    WIDE.to_csv(path, sep=";", index=False)
    table = read_categories(path)
    assert table.categories == CLASSES
    assert as_categories(table) is table
    with pytest.raises(SpecError, match="read_categories"):
        as_categories(table, treatments={"pip": "PIP"})


def test_lumped_arms_are_added() -> None:
    table = read_categories(WIDE, treatments={"talking": "control"})
    assert table.treatments == ("pip", "control", "pip", "control")
    np.testing.assert_array_equal(table.spread[3, 0], [23, 17, 18, 21])
    assert table.lumping == {"talking": "control"}


def test_categories_reported_together() -> None:
    frame = long()
    both = frame["class"].isin(["avoidant", "resistant"]) & (frame["Trial"] == "E")
    joined = frame[both].groupby(["Trial", "Arm", "Total"], as_index=False)["count"].sum()
    frame = pd.concat([frame[~both], joined.assign(**{"class": "avoidant + resistant"})])
    table = read_categories(frame, categories=CLASSES)
    assert not table.complete
    assert "avoidant+resistant" in table.labels
    row = table.studies.index("E")
    assert table.n[row] == WIDE["Total"][WIDE["Arm"] == table.treatments[row]].iloc[0]
    lumped = frame.replace({"class": {"avoidant + resistant": "organised"}})
    same = read_categories(lumped, categories=CLASSES, lumps={"organised": ["avoidant", "resistant"]})
    np.testing.assert_array_equal(same.cells, table.cells)


def test_changes_by_their_names() -> None:
    frame = pd.DataFrame(
        {"study": ["E", "E"], "arm": ["pip", "control"], "insecure_to_secure": [41, 3], "stable_secure": [4, 3],
         "secure_to_insecure": [1, 2], "stable_insecure": [13, 23]}
    )  # fmt: skip
    table = read_categories(frame)
    assert (table.before, table.categories) == (("secure", "insecure"),) * 2
    np.testing.assert_array_equal(table.spread[0], [[4, 1], [41, 13]])
    margins = pd.DataFrame(
        [("E", "pip", "any", "secure", 45), ("E", "pip", "any", "insecure", 14), ("E", "control", "secure", "secure", 3),
         ("E", "control", "secure", "insecure", 2), ("E", "control", "insecure", "any", 26)],
        columns=["study", "arm", "before", "after", "count"],
    )  # fmt: skip
    table = read_categories(margins, before=["secure", "insecure"])
    assert table.labels[0] == "secure to secure+insecure to secure"
    np.testing.assert_array_equal(table.spread[1], [[3, 2], [13, 13]])


def changed(row: int, column: str, value: object) -> pd.DataFrame:
    frame = WIDE.astype(object)
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (changed(0, "secure", 44), "sum to 58, but n is 59"),
        (changed(0, "secure", -1), "whole number, 0 or above, but is -1"),
        (changed(0, "secure", 45.5), "whole number, 0 or above, but is 45.5"),
        (changed(0, "secure", 1e300), "a count of 1e.300 participants is beyond"),
        (changed(1, "avoidant", None), "count of 'avoidant' is missing"),
        (changed(1, "avoidant", "few"), "'few' is not a number"),
        (WIDE.drop(columns="Arm"), "no column names the treatments"),
        (WIDE.drop(index=1), "'E' has one treatment only, 'pip'"),
        (WIDE[["Trial", "Arm", "Total", "secure"]], "there are no categories"),
        (pd.concat([WIDE, WIDE[:1]]), "counts 'secure' twice"),
        (long()[1:], "has no count of 'secure'"),
        (WIDE.assign(year=2010), "the column 'year' does not look like"),
        (
            long().assign(
                **{"class": lambda d: d["class"].str.replace("s", "S").where(d.index == d.index[0], d["class"])}
            ),
            "capital letters",
        ),
        (changed(4, "Arm", ""), "treatment is blank"),
    ],
)
def test_what_is_wrong_is_named(frame, message) -> None:
    with pytest.raises(DataError, match=message) as caught:
        read_categories(frame)
    assert caught.value.fix


def test_other_columns_need_the_names_of_the_categories() -> None:
    frame = WIDE.assign(time="post")
    with pytest.raises(DataError, match="Name the columns that are: categories="):
        read_categories(frame)
    assert read_categories(frame, categories=CLASSES).categories == CLASSES
    with pytest.raises(DataError, match="unknown category"):
        read_categories(long(), categories=CLASSES[:3])


def test_another_order() -> None:
    table = read_categories(WIDE).reordered(CLASSES[::-1])
    np.testing.assert_array_equal(table.spread[:, 0], WIDE[list(CLASSES[::-1])].to_numpy())
    with pytest.raises(DataError, match="leaves out resistant"):
        table.reordered(("secure", "avoidant", "disorganised"))
