import numpy as np
import pandas as pd

from bayesmeta.support.frames import by_index, records, tuples

FRAME = pd.DataFrame(
    {"name": ["a", None], "n": [1, 2], "x": [0.5, np.nan], "yes": [True, False], "any": [1.5, "text"]}, index=["r", "s"]
)


def test_rows_are_those_of_pandas() -> None:
    for mine, theirs in zip(records(FRAME), FRAME.to_dict("records"), strict=True):
        assert list(mine) == list(theirs)
        assert all(pd.isna(a) if pd.isna(b) else a == b for a, b in zip(mine.values(), theirs.values(), strict=True))
    assert records(FRAME)[0]["name"] == "a"
    assert list(by_index(FRAME)) == ["r", "s"]


def test_numbers_are_those_of_python() -> None:
    (_, n, x, yes, _), _ = tuples(FRAME)
    assert (type(n), type(x), type(yes)) == (int, float, bool)
    assert tuples(FRAME.iloc[:0]) == []
