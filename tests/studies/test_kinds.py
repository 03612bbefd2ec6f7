"""The records of the kinds of data."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError
from bayesmeta.studies.kinds import COUNTS, DERIVED, KINDS, NUMERIC, SOURCES, Kind
from bayesmeta.studies.names import ALIASES
from bayesmeta.studies.read import read_studies
from bayesmeta.studies.table import StudyTable

VALUES = {"events": 4.0, "n": 40.0, "nonevents": 36.0, "mean": 5.0, "sd": 2.0, "time": 90.0, "yi": 0.2, "sei": 0.1, "vi": 0.01,
          "ci_low": 0.0, "ci_high": 0.4, "oe": 1.5, "v": 2.0}  # fmt: skip
EACH = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def value(column: str) -> float:
    return VALUES.get(column, VALUES.get(column.removesuffix("_e").removesuffix("_c"), np.nan))


def frame(*columns: str) -> pd.DataFrame:
    return pd.DataFrame({"study": ["A", "B"], **{name: [value(name)] * 2 for name in columns}})


@EACH
def test_a_record_is_consistent(kind: Kind) -> None:
    assert KINDS[kind.name] is kind
    assert kind.label
    for choice in kind.choices:
        assert len(set(choice)) == len(choice)
        assert set(choice) <= set(NUMERIC)
    assert set(kind.own) <= {name for choice in kind.choices for name in choice}
    assert kind.own[0] in kind.columns
    assert set(kind.required) <= set(kind.columns)
    assert {*kind.sizes, *kind.spreads, *kind.limits, *kind.limits.values(), *kind.derived} <= set(kind.columns)
    assert not {*kind.sizes} & {*kind.spreads}
    for name, parts in kind.derived.items():
        assert parts == SOURCES[name]
        assert set(parts) <= {*NUMERIC, *DERIVED}
    assert kind.arm_level == any(name.endswith("_e") for name in kind.columns)
    assert kind.name in MEASURES[kind.measure].kinds


@EACH
def test_a_table_of_each_complete_set_is_of_the_kind(kind: Kind) -> None:
    for choice in kind.choices:
        table = read_studies(frame(*choice))
        assert table.kind == kind.name
        assert tuple(table.columns) == tuple(name for name in NUMERIC if name in choice)
        assert effect_sizes(table, kind.measure).k == 2


@EACH
def test_computed_columns_replace_those_that_are_absent(kind: Kind) -> None:
    for name, parts in kind.derived.items():
        columns = [other for other in dict.fromkeys((*kind.columns, *parts)) if other != name]
        assert read_studies(frame(*columns)).columns[name] == pytest.approx(value(name))


@EACH
def test_a_table_without_a_required_column_is_not_of_the_kind(kind: Kind) -> None:
    for name in kind.required:
        others = [other for other in kind.columns if other != name]
        with pytest.raises(DataError, match=name):
            read_studies(frame(*others))


@EACH
def test_a_value_that_no_study_can_have_is_refused(kind: Kind) -> None:
    for name in (*kind.sizes, *kind.spreads):
        data = frame(*kind.columns)
        data.loc[1, name] = 0
        with pytest.raises(DataError, match="is not above 0"):
            read_studies(data)
    for name, most in kind.limits.items():
        data = frame(*kind.columns)
        data.loc[1, name] = data.loc[1, most] + 1
        with pytest.raises(DataError, match="are more than"):
            read_studies(data)
        columns = {column: data[column].to_numpy() for column in kind.columns}
        with pytest.raises(DataError, match="is more than the arm's total"):
            effect_sizes(StudyTable(("A", "B"), columns), kind.measure)


def test_columns_of_numbers() -> None:
    assert {name for kind in KINDS.values() for name in (*kind.columns, *kind.own)} == set(NUMERIC)
    assert not set(NUMERIC) & set(DERIVED)
    assert {*NUMERIC, *DERIVED} == set(ALIASES.values()) - {"study", "exclude"}
    assert {"events_e", "n_e", "events_c", "n_c", "nonevents_e", "nonevents_c"} == COUNTS
    places = [kind.place for kind in KINDS.values()]
    assert len(set(places)) == len(places)


def test_order_of_preference() -> None:
    assert tuple(KINDS) == ("dichotomous", "continuous", "rates", "oe", "estimate")
    for one, other in combinations(KINDS.values(), 2):
        columns = {name: np.full(2, value(name)) for name in (*one.columns, *other.columns)}
        first = next(kind for kind in KINDS.values() if kind.complete(columns))
        assert StudyTable(("A", "B"), columns).kind == first.name


def test_what_a_user_must_give() -> None:
    assert KINDS["estimate"].wanted == "yi sei (or yi ci_low ci_high)"
    assert KINDS["rates"].wanted == "events_e time_e events_c time_c"
    with pytest.raises(DataError, match=r"or yi sei \(or yi ci_low ci_high\)\."):
        read_studies(frame("n_e", "n_c"))


def test_non_events_alone_give_no_totals() -> None:
    with pytest.raises(
        DataError, match=r"n_e \(or events_e and nonevents_e\), n_c \(or events_c and nonevents_c\) are not"
    ):
        read_studies(frame("mean_e", "sd_e", "nonevents_e", "mean_c", "sd_c", "nonevents_c"))


def test_person_time_without_its_counts_is_not_analysed() -> None:
    """In RevMan's tables counts beside an estimate in every row are dropped, and rates with them."""
    data = frame("events_e", "n_e", "events_c", "n_c", "time_e", "time_c", "sei").assign(**{"GIV Mean": [0.1, 0.3]})
    table = read_studies(data)
    assert table.kind == "estimate"
    assert not table.has("events_e")
