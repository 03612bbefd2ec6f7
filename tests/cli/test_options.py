"""Names in options and help texts are those of the registries that know them."""

import re

import pytest
from typer.testing import CliRunner

from bayesmeta.cli.app import app
from bayesmeta.cli.options import Engine, RunEngine, Scale, Side, one_of
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.zero_cells import ZERO_CELL_RULES
from bayesmeta.engines.choose import ENGINES
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.registry import LIKELIHOODS
from bayesmeta.model.priors.empirical import EMPIRICAL
from bayesmeta.posterior.bands import SIDES
from bayesmeta.posterior.fit import AUTO
from bayesmeta.posterior.scale import SCALES
from bayesmeta.reviews.running.plan import ENGINES as RUN_ENGINES
from bayesmeta.studies.kinds import KINDS
from bayesmeta.studies.table import StudyTable


@pytest.fixture
def help_words(monkeypatch):
    """Return the words of a command's help page."""
    monkeypatch.setenv("COLUMNS", "1000")

    def words(*command):
        return set(re.findall(r"\w+", CliRunner().invoke(app, [*command, "--help"]).output))

    return words


def test_choices_are_those_of_the_functions() -> None:
    assert {item.value for item in Engine} == {AUTO, *ENGINES, "both"}
    assert {item.value for item in RunEngine} == set(RUN_ENGINES)
    assert {item.value for item in Scale} == set(SCALES)
    assert {item.value for item in Side} == set(SIDES)


@pytest.mark.parametrize("command", ["fit", "check", "compare"])
def test_help_names_every_measure_and_zero_cell_rule(help_words, command) -> None:
    words = help_words(command)
    assert set(MEASURES) <= words
    assert set(ZERO_CELL_RULES) <= words


@pytest.mark.parametrize("command", ["fit", "check"])
def test_help_names_every_likelihood_with_its_measures(help_words, command) -> None:
    assert set(LIKELIHOODS) | {name for one in LIKELIHOODS.values() for name in one.measures} <= help_words(command)


def test_help_names_every_empirical_prior(help_words) -> None:
    assert set(EMPIRICAL) <= help_words("priors")


@pytest.mark.parametrize("option", ["smd", "estimates"])
def test_help_names_every_smd_formula_and_scale_of_estimates(help_words, option) -> None:
    with pytest.raises(SpecError) as caught:
        effect_sizes(StudyTable((), {}), "SMD", **{option: "?"})
    known = str(caught.value).partition("Known: ")[2].split(", ")
    assert len(known) == 2
    assert set(known) <= help_words("compare")


def test_the_usual_measure_of_each_kind_of_data() -> None:
    kinds = ("dichotomous", "continuous", "rates", "oe", "estimate")
    assert [KINDS[kind].measure for kind in kinds] == ["RR", "SMD", "IRR", "OE", "GEN"]


def test_names_are_joined_with_or() -> None:
    assert [one_of(["a"]), one_of(["a", "b"]), one_of("abc")] == ["a", "a or b", "a, b or c"]
