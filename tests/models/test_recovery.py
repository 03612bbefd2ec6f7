"""Recovery of known parameters by NUTS, for model files of which no other test does it; and that every model file has such a test."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.engines.nuts.model_files import available_models

TESTS = Path(__file__).resolve().parents[1]
#: where data simulated from a model are fitted, and where its log density is computed by scipy
RECOVERED = {
    "engines/nuts/test_moderators.py::test_coefficients_are_recovered": ["binary_or", "binary_rr", "rate_irr", "continuous_smd"],
    "networks/test_arm_level.py::test_rates_of_three_arms_agree_with_what_they_were_made_from": ["network_poisson"],
    "models/test_recovery.py::test_a_mean_and_heterogeneity_are_recovered": ["generic_normal"],
    "models/test_recovery.py::test_both_levels_are_recovered": ["three_level_normal"],
    "models/test_recovery.py::test_effects_of_a_network_are_recovered": ["network_binomial", "network_normal"],
    "categories/test_categories_fit.py::test_the_effects_of_categories_are_recovered": ["attachment_multinomial"],
    "categories/test_categories_fit.py::test_transitions_are_recovered_and_margins_are_used": ["attachment_transition"],
    "models/test_ordered_models.py::test_effects_on_ordered_categories_are_recovered": ["ordered_categories"],
}  # fmt: skip
DENSITY = {
    "models/test_models.py::test_normal_model_is_the_hierarchical_model": [
        "generic_normal", "binary_rr", "binary_or", "rate_irr", "continuous_smd"
    ],
    "models/test_models.py::test_models_of_events_are_the_likelihood_with_the_baseline_prior_given": [
        "binary_rr", "binary_or", "rate_irr"
    ],
    "models/test_models.py::test_noncentral_t_model_is_the_hierarchical_model": ["continuous_smd"],
    "models/test_three_levels.py::test_log_density": ["three_level_normal"],
    "models/test_network_models.py::test_the_log_density_is_that_of_the_hierarchical_model": [
        "network_binomial", "network_normal", "network_poisson"
    ],
    "models/test_category_models.py::test_the_log_density_is_that_of_the_multinomial": [
        "attachment_multinomial", "attachment_transition"
    ],
    "models/test_ordered_models.py::test_the_log_density_of_ordered_categories": ["ordered_categories"],
}  # fmt: skip


@pytest.mark.parametrize("tests", [RECOVERED, DENSITY], ids=["recovery", "density"])
def test_every_model_file_is_tested(tests) -> None:
    assert {name for names in tests.values() for name in names} == set(available_models())
    for place in tests:
        file, function = place.split("::")
        assert f"def {function}(" in (TESTS / file).read_text(encoding="utf-8"), place


def assert_recovered(mean: float, sd: float, true: float, most: float) -> None:
    """The truth is within 3.5 standard deviations of the mean, and these are small enough to tell."""
    assert abs(mean - true) < 3.5 * sd
    assert sd < most


@pytest.mark.sampling
def test_a_mean_and_heterogeneity_are_recovered() -> None:
    rng = np.random.default_rng(5)
    se = rng.uniform(0.05, 0.2, 60)
    y = 0.4 + 0.3 * rng.normal(size=60) + se * rng.normal(size=60)
    fit = bm.fit(yi=y, sei=se, measure="MD", priors={"mu": "Normal(0, 2)", "tau": "HalfNormal(1)"}, engine="nuts")
    assert fit.model == "generic_normal"
    assert_recovered(fit.mean("mu"), fit.sd("mu"), 0.4, 0.06)
    assert_recovered(fit.mean("tau"), fit.sd("tau"), 0.3, 0.05)


@pytest.mark.sampling
def test_both_levels_are_recovered() -> None:
    rng = np.random.default_rng(6)
    study = np.repeat(np.arange(30), 3)
    se = rng.uniform(0.05, 0.15, 90)
    y = 0.2 + (0.4 * rng.normal(size=30))[study] + 0.2 * rng.normal(size=90) + se * rng.normal(size=90)
    fit = bm.fit(
        yi=y, sei=se, data={"study": study}, nesting="study/estimate", measure="SMD", engine="nuts",
        priors={"mu": "Normal(0, 2)", "tau": "HalfNormal(1)"},
    )  # fmt: skip
    assert fit.model == "three_level_normal"
    for term, true, most in (("mu", 0.2, 0.12), ("tau_between", 0.4, 0.1), ("tau_within", 0.2, 0.05)):
        assert_recovered(fit.mean(term), fit.sd(term), true, most)


#: effects of B and C against A on the model scale
EFFECTS = {"A": 0.0, "B": -0.5, "C": 0.4}


@pytest.mark.sampling
@pytest.mark.parametrize("measure", ["OR", "RR", "MD"])
def test_effects_of_a_network_are_recovered(measure) -> None:
    rng = np.random.default_rng(8)
    rows = []
    for study, arms in enumerate(["AB", "AC", "BC", "ABC"] * 4):
        deviations = dict(zip(arms, 0.1 * rng.normal(size=len(arms)) / np.sqrt(2), strict=True))
        level = rng.normal(0, 0.3)
        for arm in arms:
            effect = level + EFFECTS[arm] + deviations[arm]
            row = {"study": f"S{study}", "treatment": arm}
            if measure == "MD":
                row |= {"mean": rng.normal(effect, 1 / np.sqrt(150)), "sd": 1.0, "n": 150}
            else:
                log_risk = np.log(0.15) + effect
                risk = np.exp(log_risk) if measure == "RR" else 1 / (1 + np.exp(-effect))
                row |= {"events": rng.binomial(400, min(risk, 0.95)), "n": 400}
            rows.append(row)
    options = {"likelihood": "normal"} if measure == "MD" else {"likelihood": "binomial"}
    net = bm.network(
        pd.DataFrame(rows), measure=measure, reference="A", engine="nuts", priors={"tau": "HalfNormal(0.5)"}, **options
    )
    for arm in "BC":
        term = f"{arm} vs A"
        assert_recovered(net.mean(term), net.sd(term), EFFECTS[arm], 0.15)
    assert net.mean("tau") < 0.3
