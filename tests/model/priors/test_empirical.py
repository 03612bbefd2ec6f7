"""Every published heterogeneity prior of Turner 2015 and Rhodes 2015, compared with R bayesmeta."""

import json

import numpy as np
import pytest
from paths import REFERENCE_FOLDER

from bayesmeta.errors import SpecError
from bayesmeta.model.priors.empirical import EMPIRICAL, empirical_entries, rhodes2015, turner2015
from bayesmeta.model.priors.parse import parse_prior, parse_priors
from bayesmeta.model.priors.priors import Priors

REFERENCE = json.loads((REFERENCE_FOLDER / "bayesmeta_extract.json").read_text(encoding="utf-8"))
LEVELS, AT = REFERENCE["probabilities"], REFERENCE["density_at"]


def test_every_entry_is_in_the_reference_and_back() -> None:
    turner = {(row["outcome"], row["comparison"]) for row in empirical_entries("turner2015")}
    assert turner == {(outcome, comparison) for outcome, comparison, *_ in REFERENCE["turner"]}
    rhodes = {(row["outcome"], row["comparison"], row["area"]) for row in empirical_entries("rhodes2015")}
    assert rhodes == {tuple(entry[:3]) for entry in REFERENCE["rhodes"]}
    assert (len(turner), len(rhodes)) == (81, 73)


@pytest.mark.parametrize(
    ("outcome", "comparison", "log_tau2", "quantiles", "density"),
    REFERENCE["turner"],
    ids=[" | ".join(entry[:2]) for entry in REFERENCE["turner"]],
)
def test_turner(
    outcome: str, comparison: str, log_tau2: list[float], quantiles: list[float], density: list[float]
) -> None:
    prior = turner2015(outcome, comparison)
    assert prior.family == "LogNormal"
    np.testing.assert_allclose(prior.args, np.array(log_tau2) / 2, rtol=1e-12)
    np.testing.assert_allclose(prior.quantile(LEVELS), quantiles, rtol=1e-9)
    np.testing.assert_allclose(prior.pdf(AT), density, rtol=1e-9)


@pytest.mark.parametrize(
    ("outcome", "comparison", "area", "log_tau2", "quantiles", "density"),
    REFERENCE["rhodes"],
    ids=[" | ".join(entry[:3]) for entry in REFERENCE["rhodes"]],
)
def test_rhodes(
    outcome: str, comparison: str, area: str, log_tau2: list[float], quantiles: list[float], density: list[float]
) -> None:
    prior = rhodes2015(outcome, comparison, area)
    assert prior.family == "LogT"
    np.testing.assert_allclose(prior.args, [5, *np.array(log_tau2) / 2], rtol=1e-12)
    np.testing.assert_allclose(prior.quantile(LEVELS), quantiles, rtol=1e-9)
    np.testing.assert_allclose(prior.pdf(AT), density, rtol=1e-9)


def test_names_are_read_in_any_case_and_shown_with_the_numbers() -> None:
    text = 'turner2015("Mental Health indicators", "NON-pharmacological vs. placebo / control")'
    prior = parse_prior(text)
    row = 'turner2015("mental health indicators", "non-pharmacological vs. placebo / control") = LogNormal('
    assert str(prior).startswith(row)
    numbers = parse_prior(str(prior).split(" = ")[-1])
    assert (numbers.family, numbers.args) == (prior.family, prior.args)
    named = parse_prior('rhodes2015(outcome="mental health outcome", comparison="non-pharmacological (any)")')
    assert named == rhodes2015("mental health outcome", "non-pharmacological (any)", "other")


def test_one_prior_on_tau_for_a_model() -> None:
    default = Priors(parse_prior("Normal(0, 2)"), parse_prior("HalfNormal(0.5)"))
    priors = parse_priors({"tau": 'turner2015("any", "any")'}, default)
    assert not priors.on_variance
    assert priors.to_dict()["tau"] == 'turner2015("any", "any") = LogNormal(-1.28, 0.87)'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('turner2015("mental health", "any")', r"unknown outcome in turner2015 'mental health'; did you mean"),
        ('turner2015("pain", "drug vs. placebo")', r"unknown comparison in turner2015 'drug vs. placebo'"),
        (
            'rhodes2015("mental health outcome", "non-pharmacological (any)", "heart")',
            r"unknown area in rhodes2015 'heart'",
        ),
        ('turner2015("pain")', r"turner2015 takes quoted names, see `bayesmeta priors`"),
        ("turner2015()", r"turner2015 takes quoted names"),
        ('rhodes2015("a", "b", "c", "d")', r"rhodes2015 takes quoted names"),
        ('turner2015(outcome="pain", arm="x")', r"turner2015 takes quoted names"),
    ],
)
def test_refusals(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        parse_prior(text)


def test_unknown_table() -> None:
    with pytest.raises(SpecError, match=r"unknown empirical prior 'turner2016'; did you mean 'turner2015'\?"):
        empirical_entries("turner2016")
    assert set(EMPIRICAL) == {"turner2015", "rhodes2015"}
