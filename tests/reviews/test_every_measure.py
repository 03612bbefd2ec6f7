"""Every measure, kind of data and likelihood, from review.toml to every output."""

import csv
import dataclasses
import re
from collections import Counter

import numpy as np
import pandas as pd
import pytest
from paths import FIXTURES_FOLDER
from table_readers import read_docx, read_html, read_latex, split_markdown, unescape_markdown
from table_readers import text_of as contents
from typer.testing import CliRunner

import bayesmeta as bm
from bayesmeta.cli.app import app
from bayesmeta.effects.compute import data_kind
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.registry import LIKELIHOODS, arm_level_likelihood
from bayesmeta.reporting.figures.formats import FIGURE_FORMATS
from bayesmeta.reporting.tables.formats import TABLE_FORMATS
from bayesmeta.results.methods import FREQUENTIST
from bayesmeta.reviews.report.write import draw_analysis
from bayesmeta.reviews.spec import Review, read_review
from bayesmeta.studies.kinds import KINDS

FOLDER = FIXTURES_FOLDER / "every_measure"
REVIEW = read_review(FOLDER)[0]
EACH = pytest.mark.parametrize("analysis", REVIEW.analysis, ids=lambda analysis: analysis.id)
#: column of the tables that becomes the headings of groups of rows
TABLES = {
    "main": "Comparison",
    "methods": "Analysis",
    "studies": "Analysis",
    "bands": "Comparison",
    "evidence": "Analysis",
    "priors": "Analysis",
}
GARBAGE = re.compile(r"\bnan\b|\bNone\b|\d/(?![\w.])|(?<![\w.])/\d")


def studies_of(analysis):
    return bm.read_studies(
        FOLDER / analysis.data, where=analysis.where or None, exclude=analysis.exclude or None, columns=analysis.columns or None
    )  # fmt: skip


def scale_of(analysis):
    return "natural" if analysis.data == "ratios.csv" else "log"


def effects_of(analysis):
    return bm.effect_sizes(studies_of(analysis), analysis.measure, smd="revman", estimates=scale_of(analysis))


def mid_of(analysis):
    """The minimal important difference: the analysis' own, or the review's on the side of benefit; ratios in it are below 1."""
    own = analysis.bands or (REVIEW.bands.get(analysis.measure) if analysis.mid is None and analysis.better else None)
    if own is not None:
        return {name: value for name, value in own if value is not None}
    if analysis.mid is not None or analysis.better is None:
        return analysis.mid
    mid = REVIEW.mid.get(analysis.measure)
    return 1 / mid if mid and MEASURES[analysis.measure].log and analysis.better == "higher" else mid


def priors_of(analysis, likelihood=None):
    given = REVIEW.priors[analysis.measure].given() if analysis.measure in REVIEW.priors else {}
    return {name: text for name, text in given.items() if name != "baseline" or likelihood != "normal"}


def alternative_of(analysis):
    return next((one for one in REVIEW.alternative if one.measure == analysis.measure), None)


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
    assert {kind for _, kind in made} == set(KINDS)


def test_every_set_of_columns_of_a_kind_is_read_and_every_scale_of_ratios():
    tables = [studies_of(one) for one in REVIEW.analysis]
    for kind in KINDS.values():
        for columns in kind.choices:
            assert any(table.kind == kind.name and table.has(*columns) for table in tables), (kind.name, columns)
    ready_made = {
        scale_of(one)
        for one in REVIEW.analysis
        if MEASURES[one.measure].log and data_kind(studies_of(one), MEASURES[one.measure]) == "estimate"
    }
    assert ready_made == {"log", "natural"}


def test_every_format_is_written(every_measure, tmp_path):
    assert set(REVIEW.settings.tables) == set(TABLE_FORMATS)
    # formats that take long are drawn of one analysis
    review = REVIEW.model_copy(
        update={"settings": REVIEW.settings.model_copy(update={"figures": tuple(FIGURE_FORMATS)})}
    )
    result, _ = rows_of(every_measure, REVIEW.analysis[0])
    written = draw_analysis(tmp_path, review, REVIEW.analysis[0], result)
    assert Counter(path.suffix[1:] for path in written) == dict.fromkeys(FIGURE_FORMATS, 2)
    assert all(path.stat().st_size > 1000 for path in written)


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
    names |= {"bayes:normal:quadrature:Wide"} if alternative_of(analysis) else set()
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


def assert_same(found, expected):
    np.testing.assert_allclose(np.asarray(found, float), np.asarray(expected, float), rtol=1e-8, atol=1e-12)


@EACH
def test_rows_agree_with_a_comparison_made_directly(every_measure, analysis):
    _, rows = rows_of(every_measure, analysis)
    direct = bm.compare(
        effects_of(analysis), priors=priors_of(analysis), level=REVIEW.level_of(analysis), scale="natural", better=analysis.better,
        mid=mid_of(analysis),
    ).set_index("method")  # fmt: skip
    rows = rows[rows["term"] == "mu"].set_index("method")
    beside = {"published", "bayes:normal:quadrature:Wide"}
    assert set(rows.index) - beside == set(direct.index)
    columns = direct.drop(columns="analysis").select_dtypes("number").columns
    assert {"estimate", "se", "ci_low", "ci_high", "pi_low", "pi_high", "tau", "i2", "k", "n"} <= set(columns)
    assert_same(rows.loc[direct.index, columns], direct[columns])


@EACH
def test_terms_studies_and_alternative_priors_agree_with_fits_made_directly(every_measure, analysis):
    result, rows = rows_of(every_measure, analysis)
    effects, level = effects_of(analysis), REVIEW.level_of(analysis)
    likelihood = arm_level(analysis) or "normal"
    posterior = bm.fit(effects, likelihood=likelihood, priors=priors_of(analysis, likelihood), engine="quadrature")
    summary = bm.summarize(posterior, level=level, scale="natural", better=analysis.better, mid=mid_of(analysis))
    middle = ["median", "ci_low", "ci_high"]
    terms = rows[rows["method"] == result.primary].set_index("term")
    columns = ["hdi_low", "hdi_high", "prob_benefit", "prob_beyond_mid"]
    assert_same(terms[["estimate", "ci_low", "ci_high", *columns]], summary.loc[terms.index, [*middle, *columns]])
    assert_same([result.tau[name] for name in middle], summary.loc["tau", middle])
    known = {name.removeprefix("theta[").removesuffix("]"): row for name, row in summary[middle].iterrows()}
    half = bm.fit(yi=[0.0], sei=[1.0], priors={"mu": "Flat()", "tau": "Point(0)"}).quantile("mu", 0.5 + level / 2)
    for i, study in enumerate(result.studies):
        ends = effects.yi[i] + np.array([0, -1, 1]) * half * effects.sei[i]
        found = [study[name] for name in ("estimate", "ci_low", "ci_high")]
        assert_same(found, np.exp(ends) if effects.log else ends)
        assert_same(
            [study[name] for name in ("theta", "theta_low", "theta_high")], known.get(study["study"], [np.nan] * 3)
        )
    alternative = alternative_of(analysis)
    if alternative:
        main = {name: text for name, text in priors_of(analysis, "normal").items() if name == "mu"}
        wide = bm.fit(effects, likelihood="normal", priors={**main, **alternative.given()}, engine="quadrature")
        direct = bm.summarize(wide, level=level, scale="natural", studies=False)
        terms = rows[rows["method"] == "bayes:normal:quadrature:Wide"].set_index("term")
        assert_same(terms[["estimate", "ci_low", "ci_high"]], direct.loc[terms.index, middle])


def lines_of(name, result):
    """How many lines a table has of an analysis."""
    methods = Counter(row["method"] for row in result.rows if row["term"] == "mu")
    averaged = [row for row in result.rows if row["method"].endswith(":averaged")]
    alternatives = [method for method in methods if method.endswith(":Wide")]
    effects = [row for row in result.rows if row["method"] == result.primary and row["term"] in ("mu", "theta_new")]
    return {
        "bands": sum("prob_small_benefit" in row and row["prob_trivial"] >= 0 for row in effects),
        "main": 1, "methods": len(methods) - len(alternatives), "studies": len(result.studies), "evidence": len(averaged),
        "priors": 2 * len(alternatives),
    }[name]  # fmt: skip


@pytest.mark.parametrize("name", TABLES)
def test_tables_have_every_analysis_in_every_format(every_measure, name):
    def text_of(form):
        return (every_measure.out / "tables" / f"{name}.{form}").read_text(encoding="utf-8")

    records = list(csv.DictReader(text_of("csv").removeprefix("\ufeff").splitlines()))
    assert Counter(record["Analysis"].split(" ")[0] for record in records) == Counter(
        {result.id: lines_of(name, result) for result in every_measure.results}
    )
    shown = [column for column in records[0] if column not in (TABLES[name], "Note")]
    cells = [[" ".join(record[column].split()) for column in shown] for record in records]
    for cell in [record[column] for record in records for column in record if column != "Outcome"]:
        assert not GARBAGE.search(cell), cell
    page = [
        [" ".join(cell.split()) for cell in row] for row in read_html(text_of("html")).rows if len(row) == len(shown)
    ]
    assert [[cell.replace("−", "-").replace("∞", "inf") for cell in row] for row in page[1:]] == cells
    lines = [split_markdown(line) for line in text_of("md").splitlines() if line.startswith("|")]
    assert {len(line) for line in lines} == {len(shown)}
    unmarked = [[unescape_markdown(re.sub(r"<sup>\w+</sup>", "", cell)) for cell in line] for line in lines[2:]]
    assert [line for line in unmarked if any(line) and not line[0].startswith("**")] == cells
    latex = read_latex(text_of("tex"))
    assert len(latex) == 2 + len(cells)
    assert {row.count("&") for row in latex} == {len(shown) - 1}
    _, word = read_docx((every_measure.out / "tables" / f"{name}.docx").read_bytes())
    assert [row[1:] for row in word[1:] if len(row) == len(shown)] == [row[1:] for row in cells]
    for form in TABLE_FORMATS:
        text = contents(every_measure.out / "tables" / f"{name}.{form}")
        assert not re.search(r"\b(nan|None|NaN)\b", text)
        for result in every_measure.results:
            if lines_of(name, result):
                assert re.search(rf"(?<![\d.]){re.escape(result.id)}(?![\d.])", text), (form, result.id)


def test_the_table_of_priors_names_a_prior_for_the_variance(every_measure):
    frame = pd.read_csv(every_measure.out / "tables" / "priors.csv", dtype=str)
    of_odds = frame["Analysis"].str.contains(r"\(OR;")
    assert set(frame.loc[of_odds, "Prior of tau"]) == {"tau2 ~ LogNormal(-2, 1)", "tau2 ~ InvGamma(1, 0.1)"}
    assert set(frame.loc[~of_odds, "Prior of tau"]) == {"HalfNormal(0.5)", "HalfCauchy(1)"}
    figure = (every_measure.out / "figures" / "tau_1.2.svg").read_text(encoding="utf-8")
    assert "Prior: tau2 ~ LogNormal(-2, 1)." in figure


def test_rows_name_each_study_that_is_left_out_once(every_measure):
    rows = pd.concat([pd.DataFrame(result.rows) for result in every_measure.results])
    for note in rows["note"].fillna("").astype(str):
        assert note.count("Baker 2004: ") <= 1
        assert not re.search(r"(^|; )(no|every|high)\b", note), note
    # the risk differences of studies without events are pooled
    pooled = rows[(rows["analysis"] == "8.3") & (rows["method"] == "MH") & (rows["term"] == "mu")]
    assert pooled[["k", "note"]].to_numpy().tolist() == [[4, "Evans 2020: no data"]]


@EACH
def test_figures_show_the_level_of_their_analysis(every_measure, analysis):
    level = f"{100 * REVIEW.level_of(analysis):g}%"
    for kind in ("forest", "tau"):
        for form in REVIEW.settings.figures:
            assert (every_measure.out / "figures" / f"{kind}_{analysis.id}.{form}").stat().st_size > 1000
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
        for name in ("methods", "studies", "evidence", *(["priors"] if alternative_of(analysis) else [])):
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
    outcome = CliRunner().invoke(app, ["report", str(every_measure.out)])
    assert outcome.exit_code == 0, outcome.output
    text = (every_measure.out / "report.html").read_text(encoding="utf-8")
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


def test_a_new_measure_kind_of_data_or_likelihood_has_to_be_added_here(monkeypatch, every_measure):
    with monkeypatch.context() as patch:
        patch.setitem(KINDS, "new", dataclasses.replace(KINDS["oe"], name="new"))
        with pytest.raises(AssertionError):
            test_every_measure_is_made_from_every_kind_of_its_data()
    with monkeypatch.context() as patch:
        patch.setitem(KINDS, "oe", dataclasses.replace(KINDS["oe"], instead=(("yi", "v"),)))
        with pytest.raises(AssertionError, match=r"'oe', \('yi', 'v'\)"):
            test_every_set_of_columns_of_a_kind_is_read_and_every_scale_of_ratios()
    monkeypatch.setitem(MEASURES, "NEW", dataclasses.replace(MEASURES["GEN"], name="NEW"))
    with pytest.raises(AssertionError):
        test_every_measure_is_made_from_every_kind_of_its_data()
    monkeypatch.setitem(LIKELIHOODS, "new", dataclasses.replace(LIKELIHOODS["nct"], name="new"))
    with pytest.raises(AssertionError):
        test_every_likelihood_is_fitted_for_every_measure_it_treats(every_measure)
