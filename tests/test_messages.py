"""Messages can be read whatever is in the input that they quote."""

from __future__ import annotations

import pickle

import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError, error_text, readable, unknown_name
from bayesmeta.posterior.bands import bands_of
from bayesmeta.reviews.running.tasks import Task, perform
from bayesmeta.reviews.spec import read_review

REVIEW = """id = "r"
title = "T"
{settings}
[[analysis]]
id = "1.1"
outcome = "O"
measure = "SMD"
better = "lower"
nesting = "study/estimate"
data = "d.csv"
{more}
"""


def write_review(folder, more="", settings=""):
    (folder / "d.csv").write_text("study,estimate,yi,sei\nA,1,0.3,0.2\nA,2,0.4,0.2\nB,1,-0.1,0.15\n")
    (folder / "review.toml").write_text(REVIEW.format(more=more, settings=settings))
    return folder


def test_no_control_characters_and_no_endless_lines():
    name = "a\x1b[31m\0\u202e" + "x" * 100_000
    for error in (
        SpecError(name),
        DataError(name, source=name, column=name, fix=name),
        unknown_name("x", name, [name]),
    ):
        message = str(error)
        assert all(character.isprintable() for line in message.split("\n") for character in line)
        assert max(map(len, message.split("\n"))) < 1300
        assert str(pickle.loads(pickle.dumps(error))) == message
    assert "\x1b" not in error_text(ValueError(name))
    assert readable("café 中 \n  and more") == "café 中 \n  and more"
    assert str(unknown_name("study", "x", ["1", "1", "2"])).endswith("Known: 1, 2")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ("note = true", "'note' = true: a text"),
        ("note = 1979-05-27", "'note' = 1979-05-27: a text"),
        ("note = { down = true }", "'note' = a table: a text"),
        ("level = 2", "'level' = 2: it should be less than 1"),
        (f"level = {'9' * 400}", "999...: a number is expected"),
        (f'level = "{"x" * 5000}"', "xxx...xxx"),
    ],
)
def test_values_are_as_in_the_file_and_short(tmp_path, more, expected):
    with pytest.raises(SpecError) as caught:
        read_review(write_review(tmp_path, more))
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("name", ["../x", "\\u0000", "\\n", "\\u202E", "a" * 3000])
def test_names_that_are_no_ids(tmp_path, name):
    folder = write_review(tmp_path)
    (folder / "review.toml").write_text(REVIEW.format(more="", settings="").replace('"1.1"', f'"{name}"'))
    with pytest.raises(SpecError, match=r"letters, digits, '.', '_' and '-'|at most 60 characters") as caught:
        read_review(folder)
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


@pytest.mark.parametrize("value", ["[]", "{}", "1", "true", "1979-05-27"])
def test_a_measure_that_is_no_text(tmp_path, value):
    more = f'[[alternative]]\nname = "a"\nmeasure = {value}\ntau = "HalfNormal(1)"'
    with pytest.raises(SpecError, match=r"alternative a: 'measure' = .*a text in quotation marks is expected"):
        read_review(write_review(tmp_path, more))


def test_the_data_of_categories_are_looked_for_before_the_run(tmp_path):
    more = '[[categories]]\nid = "C"\noutcome = "O"\ndata = "/dev/zero"'
    with pytest.raises(SpecError, match="categories C: there is no data file '/dev/zero'"):
        read_review(write_review(tmp_path, more))


@pytest.mark.parametrize("value", [1e-320, 5e-324, 1e300, float("inf"), float("nan"), 10**400])
def test_thresholds_of_a_size_that_no_effect_has(tmp_path, value):
    for given in (value, {"trivial": value}):
        with pytest.raises(SpecError, match="a ratio between 1e-100 and 1e\\+100"):
            bands_of("RR", "higher", given)
        if value != 1e-320 and value != 5e-324:
            with pytest.raises(SpecError, match="a finite difference"):
                bands_of("MD", "higher", given)
    if value in (1e-320, 1e300):
        with pytest.raises(SpecError, match="a ratio between"):
            read_review(write_review(tmp_path, settings=f"[mid]\nRR = {value}"))


def test_a_synthesis_without_any_result_says_why(tmp_path):
    """Its models need a column that is not there, and it has no rows of independent estimates."""
    second = '[[analysis]]\nid = "1.2"\noutcome = "O"\nmeasure = "SMD"\nbetter = "lower"\ndata = "d.csv"\nnesting = "study/estimate"'
    more = f'{second}\n[[synthesis]]\nid = "S"\noutcome = "O"\nselect = {{ outcome = "O" }}\nnesting = "nothing"'
    review, folder = read_review(write_review(tmp_path, more, settings='[settings]\nengine = "quadrature"'))
    done = perform(Task("fit", "", review, str(folder), review.synthesis[0]))
    assert any("unknown column 'nothing'" in one for one in done.errors), done.errors
    assert not any("unexpected" in one for one in done.errors)


@pytest.mark.parametrize("standard_error", [999999999, 1e150])
def test_standard_errors_too_far_apart_are_one_message(standard_error):
    frame = pd.DataFrame({
        "study": list("ABC"), "treat1": list("xyy"), "treat2": ["p", "p", "0"], "yi": [-0.5, -0.9, -0.1],
        "sei": [0.2, standard_error, 0.2],
    })  # fmt: skip
    with pytest.raises(DataError, match="differ by so much that"):
        bm.network_meta(bm.read_arms(frame), "MD", method="CE")


def test_standard_errors_whose_square_is_zero_are_one_message():
    frame = pd.DataFrame({
        "study": list("ABC"), "treat1": list("xyy"), "treat2": ["p", "p", "x"], "yi": [-0.5, -0.9, -0.1], "sei": [0.2, 0.3, 1e-320],
    })  # fmt: skip
    with pytest.raises(DataError, match=r"its square is 0|differ by so much"):
        bm.network_meta(bm.read_arms(frame), "MD", method="CE")


def test_treatments_named_by_endless_numbers_are_sorted():
    frame = pd.DataFrame({
        "study": ["A", "A"], "treatment": ["1" * 5000, "2"], "events": [1, 2], "n": [10, 10],
    })  # fmt: skip
    assert set(bm.read_arms(frame).treatments) == {"2", "1" * 5000}


def test_marks_without_width_are_seen():
    assert "\\ufeff5" in str(DataError("column '\ufeff5'"))
