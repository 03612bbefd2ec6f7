"""The packaged reviews: they can be read, and their data are those of the references."""

import json

import numpy as np
import pandas as pd
import pytest
from paths import REFERENCE_FOLDER, REVIEWS_FOLDER

import bayesmeta as bm
from bayesmeta.effects.compute import effect_sizes
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.reviews.analysis_data import read_data
from bayesmeta.reviews.spec import read_review
from bayesmeta.studies.read import read_studies

REVIEWS = REVIEWS_FOLDER
DATA = json.loads((REFERENCE_FOLDER / "metafor_extract.json").read_text())["datasets"]
NAMES = {
    "bcg": {"study": "slab", "events_e": "ai", "n_e": "n1i", "events_c": "ci", "n_c": "n2i"},
    "normand1999": {
        "study": "slab", "mean_e": "m1i", "sd_e": "sd1i", "n_e": "n1i", "mean_c": "m2i", "sd_c": "sd2i", "n_c": "n2i",
    },
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(path.parent.name for path in REVIEWS.glob("*/review.toml")))
def test_every_review_can_be_read_and_has_a_readme(name):
    review, folder = read_review(REVIEWS / name)
    assert review.id == name
    assert (folder / "README.md").is_file()


@pytest.mark.parametrize("name", NAMES)
def test_the_study_tables_are_those_of_the_references(name):
    frame = pd.read_csv(REVIEWS / name / "studies.csv")
    for ours, theirs in NAMES[name].items():
        assert frame[ours].tolist() == DATA[name]["raw"][theirs]


@pytest.mark.parametrize(
    ("name", "measure", "method", "printed"),
    [
        ("bcg", "RR", "DL", (0.4896, 0.3449, 0.6950, 0.1355, 1.7693, 0.3088, 92.12)),
        ("bcg", "RR", "REML", (0.4894, 0.3441, 0.6962, 0.1342, 1.7848, 0.3132, 92.22)),
        ("normand1999", "SMD", "DL", (-0.5307, -1.0388, -0.0227, -2.3729, 1.3114, 0.5397, 93.53)),
        ("normand1999", "SMD", "REML", (-0.5371, -1.1421, 0.0679, -2.7630, 1.6888, 0.7908, 95.49)),
        ("normand1999", "MD", "DL", (-13.9817, -24.0299, -3.9336, -49.9747, 22.0113, 205.41, 96.65)),
        ("normand1999", "MD", "REML", (-15.1060, -32.6409, 2.4289, -80.4949, 50.2829, 684.65, 98.97)),
    ],
)
def test_the_numbers_their_readmes_give(name, measure, method, printed):
    effects = effect_sizes(read_studies(REVIEWS / name / "studies.csv"), measure)
    fit = random_effects(effects, method=method)
    ends = np.array([fit.estimate, fit.ci_low, fit.ci_high, fit.pi_low, fit.pi_high])
    found = [*(np.exp(ends) if effects.log else ends), fit.tau2, fit.i2]
    digits = [4] * 5 + [2 if fit.tau2 > 100 else 4, 2]
    assert [round(float(value), places) for value, places in zip(found, digits, strict=True)] == list(printed)


def test_the_notice_of_the_worked_review_names_its_data():
    review, _ = read_review(REVIEWS / "pip")
    assert review.notice.startswith(
        "Study data reconstructed to agree with the published pooled results; not for inference"
    )
    assert len(review.analysis) == 34


def test_the_three_level_numbers_a_readme_gives():
    data = pd.read_csv(REVIEWS / "konstantopoulos2011" / "studies.csv")
    fit = bm.multilevel(data, nesting="district/school")
    found = [fit.estimates[0], fit.coefficients.se.iloc[0], *fit.sigma2, fit.sigma2[0] / fit.sigma2.sum()]
    assert [round(float(value), 4) for value in found] == [0.1847, 0.0846, 0.0651, 0.0327, 0.6653]
    limits = fit.intervals()[["ci_low", "ci_high"]].to_numpy().ravel()
    assert [round(float(value), 4) for value in limits] == [0.0222, 0.2072, 0.0163, 0.0628]
    year = bm.multilevel(data, nesting="district/school", moderators="~ center(year)")
    assert [round(float(value), 4) for value in (year.estimates[1], year.coefficients.se.iloc[1])] == [0.0053, 0.0094]


def test_the_latitude_of_a_readme():
    fit = bm.regression(REVIEWS / "bcg" / "studies.csv", measure="RR", moderators="~ latitude")
    slope = fit.coefficients.loc["latitude"]
    assert [round(float(value), 4) for value in (slope.estimate, slope.se, fit.tau2)] == [-0.0291, 0.0072, 0.0763]
    assert round(fit.r2) == 76


def test_the_arm_that_serves_two_comparisons_makes_a_covariance():
    review, folder = read_review(REVIEWS / "pip")
    synthesis = next(one for one in review.synthesis if one.id == "3.5")
    data = read_data(review, synthesis, folder)
    (indices, block), *others = data.effects.covariance.blocks
    assert not others
    assert {data.effects.labels[i] for i in indices} == {"Trial F (1.8)", "Trial F (2.6)"}
    # the variance of the log risk in the PIP arm, 29 of 38 (Gleser and Olkin 2009)
    assert block[0, 1] == pytest.approx(1 / 29 - 1 / 38, rel=1e-12)
