"""Meta-regression against metafor 5.0.1 (tests/reference/metareg_extract.json), its equivariance, and what it refuses."""

import json

import numpy as np
import pandas as pd
import pytest
from paths import REFERENCE_FOLDER

import bayesmeta as bm
from bayesmeta.frequentist.heterogeneity_regression import REGRESSION_ESTIMATORS
from bayesmeta.frequentist.names import METHODS
from bayesmeta.frequentist.weighted_regression import regression_data

REFERENCE = json.loads((REFERENCE_FOLDER / "metareg_extract.json").read_text())["datasets"]
MODELS = [(name, model) for name, entry in REFERENCE.items() for model in entry["models"]]
CI = {"z": "wald", "knha": "hksj", "adhoc": "hksj_guarded"}
FITS = [
    (name, model, fit)
    for name, model in MODELS
    for fit in REFERENCE[name]["models"][model]
    if fit.count("__") == 1 and fit.rpartition("__")[2] in CI
]
#: formulas of the models in the reference file
FORMULAS = {
    ("bcg", "ablat_year"): "~ ablat + year",
    ("bcg", "ablat_x_alloc"): "~ ablat * alloc",
    ("bcg", "alloc_noint"): "~ 0 + alloc",
    ("bcg", "ablat_quadratic"): "~ ablat + I(ablat^2)",
    ("bangertdrowns2004", "length_wic_meta"): "~ length + wic + meta",
    ("bangertdrowns2004", "grade_factor"): "~ factor(grade)",
    ("bangertdrowns2004", "length_x_meta"): "~ length * meta",
    ("raudenbush1985", "weeks"): "~ weeks",
    ("mcdaniel1994", "type_struct"): "~ type + struct",
    ("viechtbauer2021", "dose"): "~ dose",
    ("viechtbauer2021", "log_dose"): "~ log(dose)",
}


def arrays(name, model):
    entry = REFERENCE[name]
    rows = entry["models"][model]["used"]
    y, v = (np.array(entry["columns"][column], float)[rows] for column in ("yi", "vi"))
    return y, v, np.array(entry["models"][model]["x"], float)


def fitted(name, model, method="REML", ci="wald"):
    y, v, x = arrays(name, model)
    return bm.regression(yi=y, vi=v, moderators=x, method=method, ci=ci)


def close(ours, theirs, rel=1e-8):
    np.testing.assert_allclose(ours, np.array(theirs, float), rtol=rel, atol=1e-10)


@pytest.mark.parametrize(("name", "model", "fit"), FITS)
def test_regression_is_that_of_metafor(name, model, fit):
    method, _, test = fit.rpartition("__")
    ours, theirs = fitted(name, model, method, CI[test]), REFERENCE[name]["models"][model][fit]
    table = ours.coefficients
    for column, key in (
        ("estimate", "beta"),
        ("se", "se"),
        ("pvalue", "pval"),
        ("ci_low", "ci_lb"),
        ("ci_high", "ci_ub"),
    ):
        close(table[column], theirs[key])
    for value, key in (
        (ours.tau2, "tau2"), (ours.qm, "QM"), (ours.qm_pvalue, "QMp"), (ours.qe, "QE"), (ours.qe_pvalue, "QEp"), (ours.h2, "H2"),
        (ours.hk_factor, "s2w"),
    ):  # fmt: skip
        close(value, theirs[key])
    # metafor stops a little above a tau2 of zero, which I2 in percent shows
    np.testing.assert_allclose(ours.i2, theirs["I2"], rtol=1e-8, atol=1e-8)
    if "se_tau2" in theirs:
        close(ours.tau2_se, theirs["se_tau2"])
    if "R2" in theirs:
        close(ours.r2, theirs["R2"])
    if "fit_stats" in theirs:
        tau2 = np.array([ours.tau2])
        close(ours.data.log_likelihood(tau2, restricted=False)[0], theirs["fit_stats"]["ML"])
        close(ours.data.log_likelihood(tau2, restricted=True)[0], theirs["fit_stats"]["REML"])
    if "predict" in theirs:
        new = np.array(theirs["newmods"], float)
        rows = new if new.shape[1] == len(table) else np.column_stack([np.ones(len(new)), new])
        pairs = (
            ("estimate", "pred"),
            ("se", "se"),
            ("ci_low", "ci_lb"),
            ("ci_high", "ci_ub"),
            ("pi_low", "pi_lb"),
            ("pi_high", "pi_ub"),
        )
        for column, key in pairs:
            close(ours.predict(rows)[column], theirs["predict"][key], rel=2e-8)
    if "vif" in theirs:
        close(ours.vif(), theirs["vif"]["vif"])


@pytest.mark.parametrize(("name", "model"), MODELS)
@pytest.mark.parametrize("test", ["z", "knha"])
def test_influence_and_study_effects_are_those_of_metafor(name, model, test):
    theirs = REFERENCE[name]["models"][model][f"REML__{test}"]
    ours = fitted(name, model, "REML", CI[test])
    if "hat" in theirs:
        influence = ours.influence()
        known = np.array([z is not None for z in theirs["rstudent"]["z"]])
        close(influence["hat"], theirs["hat"])
        for column, values in (
            ("residual", theirs["rstudent"]["resid"]), ("se", theirs["rstudent"]["se"]), ("rstudent", theirs["rstudent"]["z"]),
            ("cooks_distance", theirs["cooks_distance"]),
        ):  # fmt: skip
            close(influence[column][known], np.array(values)[known])
        study_effects = ours.blup()
        for column, key in (("estimate", "pred"), ("se", "se"), ("pi_low", "pi_lb"), ("pi_high", "pi_ub")):
            close(study_effects[column], theirs["blup"][key])


@pytest.mark.parametrize(("name", "model"), MODELS)
def test_intervals_and_tests_of_subsets_are_those_of_metafor(name, model):
    entry = REFERENCE[name]["models"][model]
    interval = entry["REML__confint_QP"]
    close(fitted(name, model).tau2_interval, [interval["ci_lb"][0], interval["ci_ub"][0]])
    ours = fitted(name, model, ci="hksj")
    for key, theirs in entry.items():
        if "anova_btt" in key:
            found = ours.test([ours.names[i - 1] for i in theirs["btt"]])
            close(
                [found.statistic, found.df, found.df_residual, found.pvalue],
                [theirs["QM"], *theirs["QMdf"], theirs["QMp"]],
            )
    if "LRT_ML_vs_intercept_only" in entry:
        y, v, _ = arrays(name, model)
        null = bm.regression(yi=y, vi=v, method="ML")
        likelihood_ratio = 2 * (fitted(name, model, "ML").log_likelihood - null.log_likelihood)
        close(likelihood_ratio, entry["LRT_ML_vs_intercept_only"]["LRT"])


@pytest.mark.parametrize(("name", "model"), FORMULAS)
def test_formulas_give_the_model_matrix_of_r(name, model):
    entry, formula = REFERENCE[name], FORMULAS[name, model]
    frame = pd.DataFrame(entry["columns"])
    fit = bm.regression(yi=frame["yi"], vi=frame["vi"], data=frame, moderators=formula, drop_missing=True)
    np.testing.assert_allclose(fit.matrix.x, entry["models"][model]["x"], rtol=1e-12)
    close(fit.estimates, entry["models"][model]["REML__z"]["beta"])
    assert list(np.flatnonzero(fit.matrix.used)) == entry["models"][model]["used"]


def test_without_moderators_it_is_the_random_effects_model():
    y, v, _ = arrays("bcg", "ablat_year")
    for method, record in METHODS.items():
        if record.mantel_haenszel_q:
            continue
        for ci in ("wald", "t", "hksj", "hksj_guarded"):
            ours, pooled = (
                bm.regression(yi=y, vi=v, method=method, ci=ci),
                bm.random_effects(yi=y, vi=v, method=method, ci=ci),
            )
            row = ours.coefficients.loc["mu"]
            for attribute in ("estimate", "se", "pvalue", "ci_low", "ci_high"):
                assert row[attribute] == pytest.approx(getattr(pooled, attribute), rel=1e-10)
            for attribute in ("tau2", "i2", "h2", "tau2_ci_low", "tau2_ci_high"):
                assert getattr(ours, attribute) == pytest.approx(getattr(pooled, attribute), rel=1e-10, nan_ok=True)
            assert ours.qe == pytest.approx(pooled.q, rel=1e-10)


@pytest.mark.parametrize("method", [name for name, record in METHODS.items() if record.estimator])
def test_results_follow_the_units_of_effects_and_moderators(method):
    if METHODS[method].mantel_haenszel_q:
        return
    y, v, x = arrays("bcg", "ablat_year")
    one = bm.regression(yi=y, vi=v, moderators=x, method=method, ci="hksj")
    units = np.diag([1.0, 1e3, 1e-3])
    other = bm.regression(yi=1e-4 * y, vi=1e-8 * v, moderators=x @ units, method=method, ci="hksj")
    np.testing.assert_allclose(other.estimates * np.diag(units), 1e-4 * one.estimates, rtol=1e-6)
    assert other.tau2 == pytest.approx(1e-8 * one.tau2, rel=1e-8)
    assert other.qm == pytest.approx(one.qm, rel=1e-7)
    # adding a multiple of a column of X to the effects changes that coefficient, and nothing else
    moved = bm.regression(yi=y + x @ np.array([1.0, 0.01, 0.0]), vi=v, moderators=x, method=method)
    if method != "SJ":  # starts from the crude variance of the effects, whatever the moderators
        np.testing.assert_allclose(moved.estimates - one.estimates, [1.0, 0.01, 0.0], atol=2e-7)


def test_the_likelihood_is_nowhere_higher_than_at_its_estimate():
    generator = np.random.default_rng(3)
    for _ in range(60):
        k, p = int(generator.integers(4, 15)), int(generator.integers(1, 4))
        x, v = generator.normal(size=(k, p)), 10 ** generator.uniform(-4, 1, k)
        data = regression_data(generator.normal(size=k), v, x)
        grid = np.concatenate(([0.0], np.geomspace(1e-8, 100, 2000)))
        for method, restricted in (("ML", False), ("REML", True)):
            best = REGRESSION_ESTIMATORS[method](data)[0]
            highest = data.log_likelihood(grid, restricted=restricted).max()
            assert data.log_likelihood(np.array([best]), restricted=restricted)[0] >= highest - 1e-9 * max(
                1, abs(highest)
            )


def test_no_intercept_and_a_numeric_moderator():
    # metafor 3.8 to 5.0.1 centre the effects here; the weighted residual sum of squares is meant
    y, v, x = arrays("bcg", "ablat_year")
    slope = x[:, [1]]
    fit = bm.regression(yi=y, vi=v, moderators=slope, method="DL")
    b = np.sum(slope[:, 0] * y / v) / np.sum(slope[:, 0] ** 2 / v)
    assert fit.qe == pytest.approx(np.sum((y - slope[:, 0] * b) ** 2 / v), rel=1e-12)
    assert np.isnan(fit.r2)


def test_a_test_of_a_term_tests_all_its_coefficients():
    frame = pd.DataFrame(REFERENCE["bcg"]["columns"])
    fit = bm.regression(yi=frame["yi"], vi=frame["vi"], data=frame, moderators="~ ablat + alloc")
    by_term, by_matrix = fit.test("alloc"), fit.test(np.eye(4)[2:])
    assert by_term.tested == ("alloc[T.random]", "alloc[T.systematic]")
    assert by_term.df == 2
    assert by_term.statistic == pytest.approx(by_matrix.statistic)
    assert fit.test("ablat").statistic == pytest.approx(fit.coefficients.loc["ablat", "statistic"] ** 2)
    with pytest.raises(bm.SpecError, match="'allok'; did you mean 'alloc'"):
        fit.test("allok")


def test_predictions_for_new_values_of_a_formula():
    frame = pd.DataFrame(REFERENCE["bcg"]["columns"])
    fit = bm.regression(yi=frame["yi"], vi=frame["vi"], data=frame, moderators="~ ablat * alloc")
    new = pd.DataFrame({"ablat": [10.0, 50.0], "alloc": ["random", "alternate"]}, index=["south", "north"])
    found = fit.predict(new)
    assert list(found.index) == ["south", "north"]
    b = fit.coefficients["estimate"]
    south = b["Intercept"] + b["alloc[T.random]"] + 10 * (b["ablat"] + b["ablat:alloc[T.random]"])
    assert found.loc["south", "estimate"] == pytest.approx(south)
    assert len(fit.predict()) == 13


def test_permutation_test():
    y, v, x = arrays("bcg", "ablat_year")
    fit = bm.regression(yi=y, vi=v, moderators=x[:, :2])
    found = fit.permutation_test(iterations=400, seed=2)
    assert found["pvalue"]["x2"] <= 0.02
    assert found["pvalue"]["x2"] == found["pvalue"]["moderators"]
    pd.testing.assert_frame_equal(found, fit.permutation_test(iterations=400, seed=2))
    # all 24 orders of four studies; reversed or not, the largest statistic is the observed one
    exact = bm.regression(
        yi=[1.0, 2.0, 3.0, 4.1], vi=[0.5] * 4, moderators=np.column_stack([np.ones(4), np.arange(4)]), method="CE"
    )
    assert exact.permutation_test(iterations=24)["pvalue"]["x2"] == pytest.approx(2 / 24)


def test_permutation_of_signs_without_moderators_is_random_when_there_are_many_studies():
    """40 studies: the smallest p value is one over the number of permutations."""
    generator = np.random.default_rng(4)
    y = generator.normal(0.5, 0.2, 40)
    fit = bm.regression(yi=y, vi=np.full(40, 0.04), moderators="~ 1")
    assert fit.permutation_test(iterations=200).loc["Intercept", "pvalue"] == 1 / 200
    null = bm.regression(yi=y - y.mean(), vi=np.full(40, 0.04), moderators="~ 1")
    assert null.permutation_test(iterations=200).loc["Intercept", "pvalue"] > 0.9


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"method": "DL-MH"}, bm.SpecError, "Mantel-Haenszel"),
        ({"method": "DLL"}, bm.SpecError, "did you mean"),
        ({"ci": "waldo"}, bm.SpecError, "did you mean"),
        ({"moderators": "~ dose", "data": {"dose": [1, 2, 3, None]}}, bm.DataError, "missing for '4'"),
        (
            {"moderators": "~ bs(dose, df=3)", "data": {"dose": [1, 2, 3, 4]}},
            bm.DataError,
            "4 coefficients for 4 studies leave nothing",
        ),
        (
            {"moderators": "~ dose * dose2", "data": {"dose": [1, 2, 3, 4], "dose2": [2, 4, 6, 8]}},
            bm.DataError,
            "cannot be told apart",
        ),
        ({"moderators": "~ dose", "data": [1, 2, 3, 4]}, bm.SpecError, "data should be a frame"),
    ],
)
def test_what_cannot_be_fitted_is_refused(options, error, text):
    with pytest.raises(error, match=text):
        bm.regression(yi=[0.1, 0.4, -0.2, 0.3], vi=[0.1, 0.1, 0.2, 0.1], **options)


def test_study_tables_and_frames():
    frame = pd.DataFrame(
        {"study": list("ABCDE"), "yi": [0.1, 0.5, 0.3, 0.9, 0.4], "vi": [0.1] * 5, "weeks": [2, 4, 3, 9, None]}
    )
    from_frame = bm.regression(frame, moderators="~ weeks", drop_missing=True)
    from_table = bm.regression(bm.read_studies(frame), measure="GEN", moderators="~ weeks", drop_missing=True)
    assert from_frame.coefficients.equals(from_table.coefficients)
    assert from_frame.labels == ("A", "B", "C", "D")
    assert from_frame.notes == ("'E' is left out: weeks missing",)
    assert repr(from_frame).startswith("<Regression: GEN ~ weeks; 4 studies, REML")


def test_several_rows_of_a_study_are_not_taken_for_independent_studies():
    frame = pd.DataFrame({"study": list("AABC"), "yi": [0.1, 0.5, 0.3, 0.9], "vi": [0.1] * 4, "weeks": [2, 4, 3, 9]})
    with pytest.raises(bm.DataError, match="'A' is in row 0 already"):
        bm.regression(frame, moderators="~ weeks")
    assert bm.multilevel(frame, nesting="study/estimate", moderators="~ weeks").k == 4
