"""Every measure, kind of data and likelihood, from review.toml to every output."""

import dataclasses
import re

import numpy as np
import pandas as pd
import pytest
from paths import FIXTURES_FOLDER

import bayesmeta as bm
from bayesmeta.effects.compute import data_kind
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.registry import LIKELIHOODS, arm_level_likelihood
from bayesmeta.results.methods import FREQUENTIST
from bayesmeta.reviews.report.page import write_report
from bayesmeta.reviews.spec import Review, read_review

FOLDER = FIXTURES_FOLDER / "every_measure"
REVIEW = read_review(FOLDER)[0]
EACH = pytest.mark.parametrize("analysis", REVIEW.analysis, ids=lambda analysis: analysis.id)
TABLES = ("main", "methods", "studies", "evidence")
GARBAGE = re.compile(r"\bnan\b|\bNone\b|\d/(?![\w.])|(?<![\w.])/\d")


def studies_of(analysis):
    return bm.read_studies(
        FOLDER / analysis.data, where=analysis.where or None, exclude=analysis.exclude or None, columns=analysis.columns or None
    )  # fmt: skip


def effects_of(analysis):
    ratios = analysis.data == "ratios.csv"
    return bm.effect_sizes(studies_of(analysis), analysis.measure, smd="revman", scale="natural" if ratios else "log")


def rows_of(run, analysis):
    (result,) = [result for result in run.results if result.id == analysis.id]
    return result, pd.DataFrame(result.rows)


def arm_level(analysis):
    found = arm_level_likelihood(analysis.measure)
    kind = data_kind(studies_of(analysis), MEASURES[analysis.measure])
    return found.name if found is not None and found.kind == kind else None


def test_no_analysis_fails(every_measure):
    assert every_measure.failed == {}
    assert [result.id for result in every_measure.results] == [analysis.id for analysis in REVIEW.analysis]


def test_every_measure_is_made_from_every_kind_of_its_data():
    made = {(one.measure, data_kind(studies_of(one), MEASURES[one.measure])) for one in REVIEW.analysis}
    assert made == {(measure.name, kind) for measure in MEASURES.values() for kind in measure.kinds}


def test_every_likelihood_is_fitted_for_every_measure_it_treats(every_measure):
    fitted = {
        (row["method"].split(":")[1], row["measure"])
        for result in every_measure.results
        for row in result.rows
        if row["method"].startswith("bayes:")
    }
    for likelihood in LIKELIHOODS.values():
        for measure in likelihood.measures or MEASURES:
            assert (likelihood.name, measure) in fitted


@EACH
def test_every_method_has_finite_rows(every_measure, analysis):
    result, rows = rows_of(every_measure, analysis)
    effects = effects_of(analysis)
    names = {name for name, method in FREQUENTIST.items() if method.applies(effects)}
    for likelihood in filter(None, ("normal", arm_level(analysis))):
        names |= {f"bayes:{likelihood}:{engine}" for engine in ("quadrature", "averaged")}
    names |= {"published"} if analysis.published else set()
    names |= {"bayes:normal:quadrature:Wide"} if analysis.measure == "RR" else set()
    assert set(rows["method"]) == names
    assert result.primary == f"bayes:{arm_level(analysis) or 'normal'}:quadrature"
    pooled = rows[rows["term"] == "mu"]
    explained = pooled["note"].fillna("").astype(str).str.startswith("not estimable")
    numbers = pooled.loc[~explained, ["estimate", "ci_low", "ci_high"]].astype(float)
    assert np.isfinite(numbers.to_numpy()).all()
    # the mean of a model average, part of which is exactly no effect, can be outside its equal-tailed interval
    numbers = numbers[~pooled.loc[~explained, "method"].str.endswith(":averaged")]
    assert (numbers["ci_low"] <= numbers["estimate"]).all()
    assert (numbers["estimate"] <= numbers["ci_high"]).all()


@EACH
def test_rows_agree_with_fits_made_directly(every_measure, analysis):
    _, rows = rows_of(every_measure, analysis)
    effects, level = effects_of(analysis), REVIEW.level_of(analysis)
    rows = rows[rows["term"] == "mu"].set_index("method")
    for likelihood in filter(None, ("normal", arm_level(analysis))):
        priors = REVIEW.priors[analysis.measure].given() if analysis.measure in REVIEW.priors else {}
        if likelihood == "normal":
            priors.pop("baseline", None)
        posterior = bm.fit(effects, likelihood=likelihood, priors=priors, engine="quadrature")
        direct = bm.summarize(posterior, level=level, scale="natural").loc["mu", ["median", "ci_low", "ci_high"]]
        found = rows.loc[f"bayes:{likelihood}:quadrature", ["estimate", "ci_low", "ci_high"]]
        np.testing.assert_allclose(found.to_numpy(float), direct.to_numpy(float), rtol=1e-8)
    pooled = bm.random_effects(effects, method="DL", level=level)
    direct = np.array([pooled.estimate, pooled.ci_low, pooled.ci_high])
    found = rows.loc["DL", ["estimate", "ci_low", "ci_high"]].to_numpy(float)
    np.testing.assert_allclose(found, np.exp(direct) if effects.log else direct, rtol=1e-8)


@pytest.mark.parametrize("name", TABLES)
def test_tables_have_every_analysis_in_every_format(every_measure, name):
    for form in REVIEW.settings.tables:
        text = (every_measure.out / "tables" / f"{name}.{form}").read_text(encoding="utf-8")
        for analysis in REVIEW.analysis:
            assert re.search(rf"(?<![\d.]){re.escape(analysis.id)}(?![\d.])", text), (form, analysis.id)
    frame = pd.read_csv(every_measure.out / "tables" / f"{name}.csv", dtype=str, keep_default_na=False)
    for cell in frame.drop(columns="Outcome", errors="ignore").to_numpy().ravel():
        assert not GARBAGE.search(cell), cell


@EACH
def test_figures_show_the_level_of_their_analysis(every_measure, analysis):
    level = f"{100 * REVIEW.level_of(analysis):g}%"
    for kind in ("forest", "tau"):
        for form in REVIEW.settings.figures:
            assert (every_measure.out / "figures" / f"{kind}_{analysis.id}.{form}").stat().st_size > 1000
    # matplotlib writes each text as a comment beside its outlines
    forest, tau = (
        (every_measure.out / "figures" / f"{kind}_{analysis.id}.svg").read_text(encoding="utf-8")
        for kind in ("forest", "tau")
    )
    assert set(re.findall(r"([\d.]+%) (?:CI|CrI|prediction)", forest)) == {level}
    assert set(re.findall(r"([\d.]+%) credible", tau)) == {level}
    kind = data_kind(studies_of(analysis), MEASURES[analysis.measure])
    assert ("person-time" in forest) == (kind == "rates")


def test_tables_show_the_level_of_an_analysis_with_its_own(every_measure):
    for analysis in REVIEW.analysis:
        shown = f"{100 * REVIEW.level_of(analysis):g}% CI"
        for name in ("methods", "studies", "evidence"):
            frame = pd.read_csv(every_measure.out / "tables" / f"{name}.csv", dtype=str)
            assert not [column for column in frame if "95%" in column]
            (heading,) = {text for text in frame["Analysis"] if text.startswith(f"{analysis.id} ")}
            assert heading.endswith(f"{shown})")
        main = pd.read_csv(every_measure.out / "tables" / "main.csv", dtype=str).set_index("Analysis")
        assert (shown in str(main.loc[analysis.id, "Note"])) == (analysis.level is not None)


def test_rates_show_events_and_person_time(every_measure):
    frame = pd.read_csv(every_measure.out / "tables" / "studies.csv", dtype=str)
    arms = {
        name: frame.loc[frame["Analysis"].str.startswith(f"{name} "), "Experimental"].iloc[0]
        for name in ("3.1", "3.3", "3.4")
    }
    assert arms == {"3.1": "10/520.5", "3.3": "10/520.5", "3.4": "10/100"}


def test_the_report_has_every_analysis(every_measure, monkeypatch):
    # figures are tested above; drawing them a second time takes long
    monkeypatch.setattr("bayesmeta.reporting.figures.save.svg_text", lambda _: "<svg></svg>")
    text = write_report(every_measure.out).read_text(encoding="utf-8")
    for analysis in REVIEW.analysis:
        assert f'<section id="a-{analysis.id}">' in text


def review_with(**keys):
    given = REVIEW.model_dump(mode="json")
    return Review.model_validate({**given, **keys})


def test_a_baseline_is_for_measures_whose_likelihood_has_one():
    assert review_with(priors={"IRR": {"baseline": "Normal(0, 5)"}}).priors["IRR"].given() == {
        "baseline": "Normal(0, 5)"
    }
    for measure, text in (("SMD", "Normal(0, 5)"), ("GEN", "Normal(0, 5)"), ("IRR", "Beta(1, 1)")):
        with pytest.raises(ValueError, match=rf"priors\.{measure}"):
            review_with(priors={measure: {"baseline": text}})
    with pytest.raises(ValueError, match="has no baseline"):
        review_with(alternative=[{"name": "x", "measure": "RR", "baseline": "Normal(0, 5)"}])


def test_estimates_on_the_natural_scale_are_ratios_that_are_ready_made():
    from bayesmeta.reviews.analysis import run_analysis

    analyses = {analysis.id: analysis for analysis in REVIEW.analysis}
    with pytest.raises(ValueError, match="is for ratios"):
        review_with(analysis=[{**analyses["5.8"].model_dump(mode="json"), "estimates": "natural"}])
    counts = analyses["1.1"].model_copy(update={"estimates": "natural"})
    with pytest.raises(SpecError, match="ready-made"):
        run_analysis(REVIEW, counts, FOLDER)


def test_keys_that_are_not_given_are_not_written():
    written = REVIEW.model_dump(mode="json")
    assert "baseline" in written["priors"]["RR"]
    assert "baseline" not in written["alternative"][0]
    assert {"estimates" in one for one in written["analysis"]} == {True, False}


def test_a_new_measure_or_likelihood_has_to_be_added_here(monkeypatch, every_measure):
    monkeypatch.setitem(MEASURES, "NEW", dataclasses.replace(MEASURES["GEN"], name="NEW"))
    with pytest.raises(AssertionError):
        test_every_measure_is_made_from_every_kind_of_its_data()
    monkeypatch.setitem(LIKELIHOODS, "new", dataclasses.replace(LIKELIHOODS["nct"], name="new"))
    with pytest.raises(AssertionError):
        test_every_likelihood_is_fitted_for_every_measure_it_treats(every_measure)
