"""What the tables of moderators and subgroups say about single models and single studies."""

import pytest

from bayesmeta.reviews.report.moderators import learned_sentence
from bayesmeta.reviews.report.subgroups import _line


@pytest.mark.parametrize(
    ("factors", "text"),
    [
        ([1.13], "the one Bayes factor for a moderator is 1.1, evidence that is weak for and against an association."),
        ([12.0], "the one Bayes factor for a moderator is 12, evidence for an association."),
        ([0.02], "the one Bayes factor for a moderator is 0.020, evidence against an association."),
        (
            [0.5, 9.0],
            "1 of 2 Bayes factors for moderators is between 1/3 and 3, evidence that is weak for and against an association; all",
        ),
    ],
)
def test_the_sentence_on_what_can_be_learned(factors, text):
    assert learned_sentence(factors).startswith(f"What can be learned: {text}")


def test_a_group_of_one_study_has_no_heterogeneity():
    row = {"estimate": 0.2, "ci_low": 0.1, "ci_high": 0.3, "tau": 0.0, "i2": 0.0, "term": "mu", "measure": "SMD"}
    for k, shown in ((1, ""), (3, "0.00")):
        methods = {"REML-HKSJ": {("mu", "a"): row | {"k": k}}}
        line = _line(
            ("mu", "a"),
            methods,
            {"tests": {}, "points": []},
            ("REML-HKSJ", "REML-common-tau", "bayes:normal:quadrature"),
        )
        assert line["tau"] == shown
        assert bool(line["I2"]) == bool(shown)
