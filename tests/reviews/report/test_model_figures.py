"""Figures of models of a review: which there are, what is on them, and that they are made from saved results alone."""

import re
import shutil

import numpy as np
import pandas as pd
import pytest
from paths import FIXTURES_FOLDER

import bayesmeta as bm
from bayesmeta.reviews.file_names import model_figure_file
from bayesmeta.reviews.folder import load_run
from bayesmeta.reviews.report.figure_list import figures_of
from bayesmeta.reviews.report.page import report_page
from bayesmeta.reviews.report.write import write_figures
from bayesmeta.reviews.run import run_review

FOLDER = FIXTURES_FOLDER / "every_model"


@pytest.fixture(scope="module")
def saved(every_model, tmp_path_factory):
    """The saved results alone, without the data that they are of, and the figures drawn from them."""
    out = tmp_path_factory.mktemp("saved")
    shutil.copytree(every_model.out / "analyses", out / "analyses")
    for name in ("review.json", "ledger.jsonl"):
        shutil.copy(every_model.out / name, out)
    review, results = load_run(out)
    write_figures(out, review, results)
    return out, review, results


def names(out, analysis):
    found = {path.stem for path in (out / "figures").glob("*.svg")}
    return {name.replace(analysis, "", 1) for name in found if re.search(rf"_{re.escape(analysis)}(_|$)", name)}


def model_of(results, analysis, kind, model):
    (result,) = [one for one in results if one.id == analysis]
    return next(one for one in result.models if one["kind"] == kind and (model is None or one["model"] == model))


def test_every_model_has_its_figures(saved):
    out, _, results = saved
    assert names(out, "1.1") == {
        "forest_", "tau_", "bubble__weeks", "bubble__focus", "bubble__weeks_2", "bubble__blinded", "coefficients_",
        "prior_posterior__weeks", "prior_posterior__focus_weeks", "prior_posterior__blinded", "subgroups__focus",
        "subgroups__blinded",
    }  # fmt: skip
    nested = [result.id for result in results if any(model["kind"] == "dependence" for model in result.models)]
    assert nested
    for analysis in nested:
        assert {"nested_", "prior_posterior_"} <= names(out, analysis)
        swept = any(model.get("sweep") for result in results if result.id == analysis for model in result.models)
        assert ("sweep_" in names(out, analysis)) == swept


def test_figures_are_those_of_the_run_and_need_no_data(every_model, saved):
    out, review, results = saved
    drawn = {path.name: path.read_bytes() for path in (every_model.out / "figures").iterdir()}
    assert {path.name: path.read_bytes() for path in (out / "figures").iterdir()} == drawn
    page = report_page(review, results)
    known = {one.id: review.as_analysis(one) for one in review.every_analysis}
    assert page.count("<figure>") == sum(len(figures_of(review, known[one.id], one)) for one in results)


def test_every_figure_has_the_notice(saved):
    out, review, _ = saved
    files = list((out / "figures").glob("*.svg"))
    assert len(files) > 20
    for file in files:
        # long notes are broken into lines
        words = " ".join(re.sub("<[^>]+>", " ", file.read_text(encoding="utf-8")).split())
        assert review.notice in words, file.name


def test_saved_lines_are_those_of_predict(saved):
    _, _, results = saved
    effects = bm.effect_sizes(FOLDER / "dichotomous.csv", "RR")
    columns = pd.read_csv(FOLDER / "characteristics.csv", index_col="study").loc[list(effects.labels)].reset_index()
    model = model_of(results, "1.1", "moderators", "~ weeks")
    line = model["drawn"]["REML-HKSJ"]["lines"][0]
    fit = bm.regression(effects, moderators="~ weeks", data=columns, ci="hksj_guarded")
    expected = bm.predict(fit, {"weeks": [line["at"][0], line["at"][-1]]})
    for name in ("estimate", "ci_low", "ci_high", "pi_low", "pi_high"):
        np.testing.assert_allclose([line[name][0], line[name][-1]], expected[name], rtol=1e-9)
    line = model["drawn"]["bayes:normal:quadrature"]["lines"][0]
    posterior = bm.fit(effects, moderators="~ weeks", data=columns, likelihood="normal")
    expected = bm.predict(posterior, {"weeks": [line["at"][0], line["at"][20]]})
    np.testing.assert_allclose([line["ci_high"][0], line["ci_high"][20]], expected["ci_high"], rtol=1e-7)
    np.testing.assert_allclose([line["pi_low"][0], line["pi_low"][20]], expected["pi_low"], rtol=1e-7)


def test_saved_densities_are_those_of_prior_posterior(saved):
    _, _, results = saved
    effects = bm.effect_sizes(FOLDER / "dichotomous.csv", "RR")
    columns = pd.read_csv(FOLDER / "characteristics.csv", index_col="study").loc[list(effects.labels)].reset_index()
    posterior = bm.fit(effects, moderators="~ weeks", data=columns, likelihood="normal")
    compared = bm.prior_posterior(posterior)
    for one in model_of(results, "1.1", "moderators", "~ weeks")["drawn"]["bayes:normal:quadrature"]["densities"]:
        expected = compared.densities(one["term"], points=len(one["x"]))
        for name in ("x", "prior", "posterior"):
            np.testing.assert_allclose(one[name], expected[name], rtol=1e-6, atol=1e-12)


def test_names_of_files(tmp_path):
    assert model_figure_file(tmp_path, "bubble", "1.1", "I(dose / 2)").name == "bubble_1.1_I_dose_2"
    assert model_figure_file(tmp_path, "bubble", "1.1", "dose", 2).name == "bubble_1.1_dose_2"
    assert model_figure_file(tmp_path, "sweep", "1.1").name == "sweep_1.1"


def test_figures_of_models_that_a_review_no_longer_has_are_removed(tmp_path):
    source = tmp_path / "review"
    shutil.copytree(FOLDER, source)
    text = (source / "review.toml").read_text(encoding="utf-8").replace('figures = ["png", "svg"]', 'figures = ["svg"]')
    (source / "review.toml").write_text(text.replace('"~ weeks", "~ focus + center(weeks)", "~ blinded"', '"~ weeks"'))
    run = run_review(source, tmp_path / "out", only=("1.2",))
    assert "bubble__weeks" in names(run.out, "1.2")
    without = re.sub(r'moderators = "~ weeks"\nprespecified = false\n', "", text)
    assert without != text
    (source / "review.toml").write_text(without, encoding="utf-8")
    assert names(run_review(source, tmp_path / "out", only=("1.2",)).out, "1.2") == {"forest_", "tau_"}
