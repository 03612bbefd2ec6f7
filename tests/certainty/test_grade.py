"""GRADE: certainty from ratings, statements, optimal information size, and what the published rules propose."""

from __future__ import annotations

import math

import pytest

from bayesmeta.certainty.grade import LEVELS, certainty, is_plural, statement
from bayesmeta.certainty.grade_rules import (
    Effect,
    Finding,
    bias,
    imprecision,
    inconsistency,
    optimal_information_size,
    proposed_level,
)
from bayesmeta.errors import SpecError


def test_the_certainty_follows_from_start_and_ratings() -> None:
    assert certainty("high").level == "high"
    found = certainty("high", {"imprecision": (1, "few events"), "risk_of_bias": (1, "no blinding.")})
    assert found.level == "low"
    assert found.reasons == (
        "Rated down one level for imprecision: few events.",
        "Rated down one level for risk of bias: no blinding.",
    )
    assert certainty("low", up={"large_effect": (2, "RR above 5")}).level == "high"
    assert certainty("low", {"imprecision": (3, "x")}).level == "very low"
    assert certainty("high", up={"dose_response": (1, "x")}).level == "high"


@pytest.mark.parametrize(
    ("start", "down", "message"),
    [
        ("moderate", {}, "starts at 'high'"),
        ("high", {"precision": (1, "")}, "did you mean 'imprecision'"),
        ("high", {"publication_bias": (2, "")}, "0 to 1 levels"),
    ],
)
def test_ratings_that_are_none(start: str, down: dict, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        certainty(start, down)


@pytest.mark.parametrize(
    ("level", "size", "lowers", "written"),
    [
        # Santesso et al. 2020, J Clin Epidemiol 119:126, table of statements
        ("high", "large", True, "X results in a large reduction in falls."),
        ("high", "small", False, "X results in a slight increase in falls."),
        ("moderate", "moderate", False, "X likely results in an increase in falls."),
        ("moderate", "trivial", True, "X likely results in little to no difference in falls."),
        ("low", "important", True, "X may result in a reduction in falls."),
        ("very low", "large", True, "The evidence is very uncertain about the effect of X on falls."),
    ],
)
def test_statements(level: str, size: str, lowers: bool, written: str) -> None:
    assert statement(level, size, lowers=lowers, treatment="X", outcome="falls") == written


@pytest.mark.parametrize(
    ("treatment", "plural"),
    [
        ("Statins", True), ("SSRIs (any)", True), ("Nicotine patches for adults", True), ("exercise", False), ("Dialysis", False),
        ("Skills training with home visits", False), ("Needle and syringe access", False), ("NSAIDs", True), ("Hypnosis", False),
        ("Virus", False), ("", False),
    ],
)  # fmt: skip
def test_the_verb_agrees_with_the_treatment(treatment: str, plural: bool) -> None:
    assert is_plural(treatment) is plural
    if treatment:
        written = statement("moderate", "small", lowers=True, treatment=treatment, outcome="falls")
        assert written.endswith(f" likely {'result' if plural else 'results'} in a slight reduction in falls.")


def test_statements_for_every_level_and_size() -> None:
    sizes = ("large", "moderate", "moderate_or_large", "important", "small", "trivial")
    texts = {statement(level, size, lowers=True, treatment="X", outcome="Y") for level in LEVELS for size in sizes}
    assert len(texts) == 3 * 4 + 1
    with pytest.raises(SpecError, match="size of an effect"):
        statement("high", "huge", lowers=True, treatment="X", outcome="Y")


def test_the_optimal_information_size_is_that_of_grades_figure() -> None:
    # GRADE guidelines 6 (Guyatt et al. 2011, J Clin Epidemiol 64:1283): about 2,000 participants at a risk of 0.2 and a reduction of 25%
    assert optimal_information_size(0.2) == pytest.approx(2000, rel=0.1)
    # by hand: (1.96 + 0.8416)^2 (0.2 0.8 + 0.15 0.85) / 0.05^2 = 902.6 per arm
    assert optimal_information_size(0.2) == 2 * 903
    assert optimal_information_size(0.2, reduction=0.2) > optimal_information_size(0.2) > optimal_information_size(0.4)
    with pytest.raises(SpecError):
        optimal_information_size(0.0)


@pytest.mark.parametrize(
    ("effect", "proposed", "target"),
    [
        # differences per 1,000; minimal important difference 20 (Core GRADE 2: the side of the estimate, one level if the MID is crossed)
        (Effect(-50, -80, -25, 20), 0, "an important effect"),
        (Effect(-50, -80, -5, 20), 1, "an important effect"),
        (Effect(-50, -130, 30, 20), 2, "an important effect"),
        (Effect(-5, -15, 10, 20), 0, "little to no effect"),
        (Effect(-5, -25, 10, 20), 1, "little to no effect"),
        (Effect(-5, -40, 30, 20), 2, "little to no effect"),
        # without a minimal important difference: no effect
        (Effect(-50, -80, -5), 0, "an effect"),
        (Effect(-50, -130, 30), 1, "an effect"),
    ],
)
def test_imprecision_by_thresholds(effect: Effect, proposed: int, target: str) -> None:
    found = imprecision(effect, "Interval.")
    assert found.proposed == proposed
    assert effect.target == target
    assert f"Target of the certainty: {target}." in found.facts


def test_imprecision_by_the_optimal_information_size() -> None:
    effect = Effect(math.log(0.5), math.log(0.3), math.log(0.75), -math.log(0.9))
    large = {"baseline": 0.2, "log_ratio": math.log(0.5)}
    assert imprecision(effect, "", participants=500, **large).proposed == 1
    assert imprecision(effect, "", participants=5000, **large).proposed == 0
    # a small relative effect is plausible, whatever the number of participants
    assert imprecision(effect, "", participants=500, baseline=0.2, log_ratio=math.log(0.8)).proposed == 0
    assert "1,806 participants" in " ".join(imprecision(effect, "", participants=500, **large).facts)


def test_inconsistency() -> None:
    pooled = Effect(-0.5, -0.8, -0.2, 0.1)
    near = [(-0.5, -0.9, -0.1, 50.0), (-0.4, -0.8, 0.0, 50.0)]
    assert inconsistency(pooled, near).proposed == 0
    apart = [(-0.9, -1.1, -0.7, 60.0), (0.3, 0.1, 0.5, 40.0)]
    found = inconsistency(pooled, apart)
    assert found.proposed == 1
    assert "1 of 2 estimates" in found.facts[0]
    assert "60% of the weight" in found.facts[0]
    mixed = [(-0.9, -1.5, -0.1, 60.0), (0.3, -0.4, 1.0, 40.0)]
    assert inconsistency(pooled, mixed).proposed is None
    assert inconsistency(pooled, near[:1]).proposed == 0


def test_one_estimate_is_on_a_side() -> None:
    found = inconsistency(
        Effect(-0.5, -0.8, -0.2), [(-0.5, -0.9, -0.1, 9.0), (0.1, -0.2, 0.4, 1.0), (0.2, -0.2, 0.6, 1.0)]
    )
    assert found.facts[0].startswith(
        "1 of 3 estimates is on the side of no effect on which the pooled estimate is (82% of the weight)"
    )


def test_risk_of_bias() -> None:
    pooled = Effect(-0.5, -0.8, -0.2, 0.1)
    assert bias(math.nan, pooled, None).proposed is None
    assert bias(0.0, pooled, None).proposed == 0
    assert bias(1.0, pooled, None).proposed == 1
    assert bias(0.4, pooled, Effect(-0.45, -0.9, -0.1, 0.1)).proposed == 0
    assert bias(0.4, pooled, Effect(-0.02, -0.3, 0.2, 0.1)).proposed is None


def test_the_proposed_level_says_what_is_left_to_a_person() -> None:
    findings = [
        Finding("imprecision", (), 1, ""),
        Finding("risk_of_bias", (), 0, ""),
        Finding("inconsistency", (), None, ""),
    ]
    assert proposed_level("high", findings) == ("moderate", ("inconsistency", "indirectness", "publication_bias"))
