"""A prior from the user's own collection: written, read, refused, and stored in a review."""

import json
from pathlib import Path

import pytest

from bayesmeta.errors import SpecError
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior, parse_priors
from bayesmeta.reviews.collection.heterogeneity_model import HeterogeneityModel
from bayesmeta.reviews.collection.prior import CorpusPrior
from bayesmeta.reviews.spec import Review, read_review

MODEL = HeterogeneityModel(30, 200, -2.0, 0.2, -2.4, -1.6, 1.5, 0.2, 1.1, 1.9, -2.125, 1.625)
DEFAULT = default_priors("RR")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file with a prior for RR."""
    return CorpusPrior({"RR": MODEL}, {}).write(tmp_path / "prior.json")


@pytest.mark.parametrize("key", ["tau", "tau2"])
def test_both_keys_mean_the_same_prior_on_tau(file: Path, key: str) -> None:
    found = parse_priors({key: f" corpus:{file} "}, DEFAULT, "RR")
    assert found.scale.family == "LogNormal"
    assert found.scale.args == (-1.0625, 0.8125)
    assert not found.on_variance
    assert found.mu == DEFAULT.mu
    assert str(found.scale) == f'corpus({json.dumps(str(file))}, "RR") = LogNormal(-1.0625, 0.8125)'


def test_the_form_with_numbers_needs_no_file() -> None:
    expected = Prior("LogNormal", (-1.0625, 0.8125), 'corpus("gone.json", "RR")')
    assert parse_prior('corpus("gone.json", "RR", -2.125, 1.625)') == expected
    assert parse_priors({"tau2": 'corpus("gone.json", "RR", -2.125, 1.625)'}, DEFAULT).scale == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("corpus:", "needs a file"),
        ("corpus:nowhere.json", "nowhere.json: cannot be read"),
        ("corpus(1, 2)", "cannot read the prior"),
        ('corpus("a.json")', "cannot read the prior"),
        ('corpus("a.json", "RR", "x", 1)', "cannot read the prior"),
        ('corpus("a.json", "RR", 1, -1)', "above 0"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, reason: str) -> None:
    with pytest.raises(SpecError, match=reason.replace("(", r"\(")):
        parse_prior(text, "RR")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"format": "bayesmeta corpus prior 1"}', '{"format": "bayesmeta corpus prior 1", "priors": {"RR": {}}}',
                '{"format": "bayesmeta corpus prior 1", "priors": {"RR": {"meanlog": null, "sdlog": 1}}}']
)  # fmt: skip
def test_another_file_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "x.json").write_text(content, encoding="utf-8")
    with pytest.raises(SpecError, match=r"x\.json: this (is not a )?file of priors"):
        parse_prior(f"corpus:{tmp_path / 'x.json'}", "RR")


def test_a_measure_that_is_not_in_it_is_refused(file: Path) -> None:
    with pytest.raises(SpecError, match="no prior for SMD, only for: RR"):
        parse_priors({"tau": f"corpus:{file}"}, DEFAULT, "SMD")
    with pytest.raises(SpecError, match="differs between effect measures"):
        parse_priors({"tau": f"corpus:{file}"}, DEFAULT)


@pytest.mark.parametrize("key", ["mu", "baseline"])
def test_it_is_a_prior_for_heterogeneity_only(file: Path, key: str) -> None:
    with pytest.raises(SpecError, match="one for heterogeneity"):
        parse_priors({key: f"corpus:{file}"}, DEFAULT, "RR")


REVIEW = """
id = "x"
title = "X"
[priors.RR]
{key} = "corpus:{file}"
[[alternative]]
name = "ours"
measure = "{measure}"
tau2 = "corpus:{file}"
[[analysis]]
id = "1"
outcome = "Death"
measure = "RR"
data = "d.csv"
"""


def review_at(folder: Path, key: str = "tau", file: str = "prior.json", measure: str = "RR") -> Path:
    """Write a review that names the file."""
    (folder / "d.csv").write_text("study,yi,sei\na,0.1,0.2\nb,0.3,0.2\n", encoding="utf-8")
    target = folder / "review.toml"
    target.write_text(REVIEW.format(key=key, file=file, measure=measure), encoding="utf-8")
    return target


def test_a_review_names_a_file_beside_it_and_stores_its_numbers(tmp_path: Path, file: Path) -> None:
    review, _ = read_review(review_at(tmp_path))
    file.unlink()
    again = Review.model_validate(json.loads(review.model_dump_json()))
    for priors in (again.priors["RR"], again.alternative[0]):
        found = parse_priors(priors.given(), DEFAULT)
        assert found.scale == Prior("LogNormal", (-1.0625, 0.8125), 'corpus("prior.json", "RR")')
        assert not found.on_variance


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"file": "other.json"}, r"review\.toml: other\.json: cannot be read"),
        ({"measure": "OR"}, "no prior for OR"),
        ({"key": "mu"}, "one for heterogeneity"),
    ],
)
def test_a_review_that_names_a_wrong_one_is_refused(
    tmp_path: Path, file: Path, change: dict[str, str], reason: str
) -> None:
    assert file.is_file()
    with pytest.raises(SpecError, match=reason):
        read_review(review_at(tmp_path, **change))
