"""The generated reference pages leave nothing out, and the API page lists every public name."""

import re

import pytest
import typer
from paths import ROOT_FOLDER
from pydantic import BaseModel
from reference_pages.command_line import command_line_page
from reference_pages.measures import measures_table
from reference_pages.review_toml import TABLES, review_toml_page, type_text

import bayesmeta
from bayesmeta import modeling
from bayesmeta.cli.app import app
from bayesmeta.effects.measures import MEASURES
from bayesmeta.effects.zero_cells import ZERO_CELL_RULES
from bayesmeta.reviews import spec


@pytest.mark.parametrize("model", TABLES.values(), ids=lambda model: model.__name__)
def test_every_key_of_review_toml_is_described(model):
    undescribed = [key for key, field in model.model_fields.items() if not (field.description or "").endswith(".")]
    assert not undescribed


def test_every_table_of_review_toml_is_on_the_page():
    models = {
        kind
        for kind in vars(spec).values()
        if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in (BaseModel, spec.Strict)
    }
    assert models == set(TABLES.values())


def test_page_of_review_toml_has_a_row_per_key_with_type_and_default():
    sections = review_toml_page().split("## ")[1:]
    assert len(sections) == len(TABLES)
    for section, model in zip(sections, TABLES.values(), strict=True):
        for key in model.model_fields:
            assert re.search(rf"^\| `{key}` \| [^|]+ \| [^|]+ \| [^|]+ \|$", section.replace("\\|", ""), re.MULTILINE)
    assert '| `engine` | `"both"`, `"quadrature"` or `"nuts"` | `"both"` |' in review_toml_page()
    assert "| `level` | number, above 0 and below 1 | `0.95` |" in review_toml_page()
    assert '| `tables` | list of text | `["csv", "md", "html", "tex", "xlsx", "docx"]` |' in review_toml_page()


def test_zero_cell_rules_are_all_named_and_explained():
    described = spec.Options.model_fields["zero_cells"].description
    assert re.findall(r'"(\w+)"', described) == list(ZERO_CELL_RULES)
    assert all(rule in review_toml_page() for rule in ZERO_CELL_RULES.values())


def test_type_of_an_optional_number_with_limits_is_in_words():
    assert type_text(spec.Published.model_fields["i2"].annotation) == "number, at least 0 and at most 100"


def test_every_command_argument_and_option_is_on_the_page():
    page = command_line_page()
    for name, command in typer.main.get_command(app).commands.items():
        section = page.split(f"## `bayesmeta {name}`")[1].split("\n## ")[0]
        for parameter in command.params:
            assert parameter.help, f"{name} {parameter.name} has no help text"
            argument = parameter.param_type_name == "argument"
            shown = (parameter.metavar or parameter.name.upper()) if argument else parameter.opts[0]
            assert f"`{shown}`" in section


def test_every_measure_is_in_the_table():
    assert re.findall(r"^\| `(\w+)`", measures_table(), re.MULTILINE) == list(MEASURES)


def test_every_public_name_is_listed_once_in_the_api_reference():
    text = (ROOT_FOLDER / "docs" / "reference" / "api.md").read_text(encoding="utf-8")
    top, model_files = text.split(".. currentmodule:: bayesmeta.modeling")
    for part, names in ((top, set(bayesmeta.__all__) - {"__version__"}), (model_files, modeling.__all__)):
        assert sorted(re.findall(r"^   (\w+)$", part, re.MULTILINE)) == sorted(names)
