"""Labels of figures: distinct names, notes as sentences, characters without a glyph."""

import pytest

from bayesmeta.reporting.figures.labels import sentence, study_labels, undrawable_note
from bayesmeta.reporting.figures.text import printable, width

LONG = "Multicentre Randomised Evaluation of Supplementation in Patients with Rare Metabolic Disorders"


def test_names_that_begin_alike_stay_distinct():
    names = [f"{LONG} low dose arm 2016", f"{LONG} high dose arm 2016", "Smith 2001"]
    lines = study_labels(names, 2.3)
    assert len(set(lines)) == 3
    assert "low dose" in " ".join(lines[0])
    assert "high dose" in " ".join(lines[1])
    very = [f"{LONG * 8} {arm} 2016" for arm in ("low", "high")]
    lines = study_labels(very, 2.3)
    assert " ".join(lines[0]).endswith("low 2016")
    assert " ".join(lines[1]).endswith("high 2016")
    middle = study_labels([f"{LONG * 8} {arm} {LONG * 8}" for arm in ("low", "high")], 2.3)
    assert len(set(middle)) == 2
    for line in (*lines, *middle):
        assert all(width(part, 8) <= 2.31 for part in line)


def test_the_same_name_twice_is_the_same_text():
    assert len(set(study_labels([f"{LONG} {LONG}"] * 2, 2.3))) == 1
    assert study_labels([f"{LONG} {LONG} {LONG}", "Other"], 2.3)[0][-1].endswith("…")


@pytest.mark.parametrize(("note", "text"), [("A note", "A note."), ("One.", "One."), ("  ", ""), ("Why?", "Why?")])
def test_notes_end_as_sentences(note, text):
    assert sentence(note) == text


def test_characters_without_a_glyph_are_explained_and_others_are_replaced_by_what_they_stand_for():
    unassigned = "\U000e0fff"
    assert printable(f"a{unassigned}") == "a□"
    assert "no font" in undrawable_note(["Smith", f"a{unassigned}"])
    assert undrawable_note(["Smith □", "Åström"]) == ""
