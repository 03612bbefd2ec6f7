"""Labels of figures: distinct names, notes as sentences, characters without a glyph."""

import pytest

from bayesmeta.reporting.figures.labels import label_lines, sentence, short_names, study_labels, undrawable_note
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


TREATMENTS = tuple(f"{name} parent-infant psychotherapy with video-interaction guidance" for name in "ABC")
COMPARISONS = [f"{first} vs {second}" for i, first in enumerate(TREATMENTS) for second in TREATMENTS[i + 1 :]]


@pytest.mark.parametrize("joint", [" vs ", ":"])
def test_comparisons_that_are_cut_name_both_treatments(joint):
    names = [name.replace(" vs ", joint) for name in COMPARISONS]
    for lines in (label_lines(names, 1.6, most=2), [(text,) for text in short_names(names, 2.2, 7)]):
        assert len(set(lines)) == len(names)
        for name, shown in zip(names, lines, strict=True):
            first, second = (part[:2] for part in name.split(joint))
            assert shown[0].startswith(first)
            assert second in " ".join(shown)
            assert all(width(line, 8) <= 2.6 for line in shown)


def test_labels_with_a_place_are_whole_and_others_distinct():
    assert label_lines(["A vs B", "Group counselling vs No contact"], 1.0) == [
        ("A vs B",),
        ("Group", "counselling vs No", "contact"),
    ]
    alike = [f"{LONG} {LONG} {arm}" for arm in ("low", "high")]
    assert len(set(label_lines(alike, 1.5))) == 2


def test_what_is_cut_in_the_middle_is_cut_between_words():
    first, second = study_labels([f"{LONG * 3} {arm} dose 2016" for arm in ("low", "high")], 1.4, 2)
    for lines, arm in ((first, "low"), (second, "high")):
        text = " ".join(lines)
        before, after = text.split("…")
        assert (LONG * 3).startswith(before.replace("- ", "-").strip())
        assert f"{arm} dose 2016" in after
