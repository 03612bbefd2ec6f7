"""Several estimates per study against metafor 5.0.1 and clubSandwich 0.6.0, the likelihood against its definition, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from paths import REFERENCE_FOLDER
from scipy.stats import multivariate_normal

import bayesmeta as bm
from bayesmeta.frequentist.multilevel.unstructured import make_structure

REFERENCE = json.loads((REFERENCE_FOLDER / "multilevel_extract.json").read_text())["datasets"]
SCHOOLS, OUTCOMES, TIMES = (
    {"nesting": "district/school"},
    {"nesting": "trial", "within": "outcome", "moderators": "~ 0 + outcome"},
    {"nesting": "study", "within": "time", "moderators": "~ 0 + factor(time)"},
)
#: (data, fit in the reference file) -> options
MODELS = {
    ("konstantopoulos2011", "three_level"): SCHOOLS,
    ("konstantopoulos2011", "three_level_ML"): SCHOOLS | {"method": "ML"},
    ("konstantopoulos2011", "three_level_year"): SCHOOLS | {"moderators": "~ I(year - 1990)"},
    ("konstantopoulos2011", "three_level_t"): SCHOOLS | {"ci": "contain"},
    ("konstantopoulos2011", "CS"): {"nesting": "district", "within": "school"},
    ("konstantopoulos2011", "two_level"): {"nesting": "study"},
    ("bornmann2007", "three_level"): {"nesting": "study/obs"},
    ("bornmann2007", "type"): {"nesting": "study/estimate", "moderators": "~ type"},
    ("berkey1998", "fixed"): {"moderators": "~ 0 + outcome"},
    ("berkey1998", "UN_year__ML"): OUTCOMES
    | {"structure": "UN", "method": "ML", "moderators": "~ 0 + outcome + outcome:I(year - 1983)"},
    ("fine1993", "UN"): TIMES | {"structure": "UN"},
    ("fine1993", "HCS"): TIMES | {"structure": "HCS"},
    ("fine1993", "DIAG"): TIMES | {"structure": "DIAG"},
    ("fine1993", "AR"): TIMES | {"structure": "AR"},
    ("knapp2017", "three_level"): {"nesting": "study/comp"},
    ("knapp2017", "difficulty"): {"nesting": "study/comp", "moderators": "~ difficulty", "drop_missing": True},
    ("curtis1998", "crossed"): {"nesting": "paper + species + id"},
    ("curtis1998", "crossed_fungrp"): {"nesting": "paper + id", "moderators": "~ fungrp"},
} | {
    ("berkey1998", f"{structure}__{method}"): OUTCOMES | {"structure": structure, "method": method}
    for structure in ("UN", "CS", "HCS", "DIAG", "ID")
    for method in ("REML", "ML")
}


def fitted(name, **options):
    entry = REFERENCE[name]
    frame = pd.DataFrame(entry["columns"])
    return bm.multilevel(yi=frame["yi"], vi=frame["vi"], data=frame, covariance=entry.get("covariance"), **options)


@pytest.mark.parametrize(("name", "fit"), MODELS)
def test_fits_are_those_of_metafor(name, fit):
    theirs, ours = REFERENCE[name]["fits"][fit], fitted(name, **MODELS[name, fit])
    # metafor stops where two optimisers agree to this
    rel = max(2e-6, 3 * theirs.get("check_max_abs_diff", 0.0)) if fit != "AR" else 2e-6
    # its variances are above zero where the maximum is at zero, so its likelihood is lower, never higher
    difference = ours.log_likelihood - theirs["log_likelihood"][ours.method]
    assert -1e-10 < difference < 1e-7
    rel = max(rel, 5 * np.sqrt(max(difference, 0.0)))
    np.testing.assert_allclose(ours.estimates, theirs["beta"], rtol=rel, atol=rel * 1e-2)
    table = ours.coefficients
    np.testing.assert_allclose(table["se"], theirs["se"], rtol=rel)
    np.testing.assert_allclose(table["ci_low"], theirs["ci_lb"], rtol=rel, atol=rel)
    np.testing.assert_allclose(table["pvalue"], theirs["pval"], rtol=1e2 * rel)
    assert ours.qm == pytest.approx(theirs["QM"], rel=20 * rel)
    if "QE" in theirs:
        assert ours.qe == pytest.approx(theirs["QE"], rel=1e-9)
    else:
        assert np.isnan(ours.qe)
    scale = max(max(theirs.get(key, [0.0])) for key in ("sigma2", "tau2"))
    if "sigma2" in theirs:
        np.testing.assert_allclose(ours.sigma2, theirs["sigma2"], rtol=10 * rel, atol=10 * rel * scale)
    if "tau2" in theirs:
        np.testing.assert_allclose(
            np.atleast_1d(ours.tau2), theirs["tau2"], rtol=10 * rel, atol=10 * rel * scale + 1e-10
        )
    if isinstance(ours.correlation, float) and np.isfinite(ours.correlation) and fit != "AR":
        assert ours.correlation == pytest.approx(theirs["rho"][0], abs=10 * rel)
    if "I2_total" in theirs:
        np.testing.assert_allclose(ours.i2_by_level, theirs["I2_total"]["I2_by_level"], rtol=10 * rel, atol=100 * rel)
    predicted = theirs.get("predict") or theirs.get("predict_AL_PD")
    if predicted and "moderators" not in MODELS[name, fit]:
        np.testing.assert_allclose(
            ours.predict()[["ci_low", "pi_low", "pi_high"]].iloc[0],
            [predicted[k][0] for k in ("ci_lb", "pi_lb", "pi_ub")],
            rtol=10 * rel,
        )
    if "predict_AL_PD" in theirs:
        found = ours.predict({"outcome": ["AL", "PD"]})
        np.testing.assert_allclose(found["pi_low"], predicted["pi_lb"], rtol=10 * rel)
        np.testing.assert_allclose(found["pi_high"], predicted["pi_ub"], rtol=10 * rel)
    for effects, reference in zip(ours.random_effects().values(), theirs.get("ranef", {}).values(), strict=False):
        np.testing.assert_allclose(effects["estimate"], reference["intrcpt"], atol=1e-6)
        near = 1e-6 if difference < 1e-9 else 1e-4  # the standard deviation of a variance that is zero
        np.testing.assert_allclose(effects["se"], reference["se"], atol=near)
        np.testing.assert_allclose(effects["pi_low"], reference["pi_lb"], atol=2 * near)


@pytest.mark.parametrize(
    ("name", "fit"), [pair for pair in MODELS if f"{pair[1]}_robust" in REFERENCE[pair[0]]["fits"]]
)
def test_robust_variances_are_those_of_clubsandwich(name, fit):
    theirs, ours = REFERENCE[name]["fits"][f"{fit}_robust"], fitted(name, **MODELS[name, fit])
    for kind in ("CR0", "CR1", "CR1p", "CR1S", "CR2", "CR3"):
        table = ours.robust(kind)
        if kind == "CR3" and name == "curtis1998":
            continue  # one paper alone has the nitrogen-fixing species: I - H is singular, and CR3 there is rounding error
        np.testing.assert_allclose(table["se"], theirs[kind]["se"], rtol=2e-6)
        np.testing.assert_allclose(table["df"], theirs[kind]["df_satt"], rtol=2e-6)
        np.testing.assert_allclose(table["pvalue"], theirs[kind]["p_satt"], rtol=2e-5)
    if "Wald_HTZ" in theirs:
        wald = theirs["Wald_HTZ"]
        found = ours.robust_test([ours.names[i - 1] for i in wald["tested_coefficients_1based"]])
        assert found.statistic == pytest.approx(wald["stat"], rel=1e-5)
        assert found.df_residual == pytest.approx(wald["df_denom"], rel=1e-5)
        assert found.pvalue == pytest.approx(wald["p"], rel=1e-4)


@pytest.mark.parametrize(
    ("name", "fit", "confint"),
    [
        ("konstantopoulos2011", "three_level", "three_level_confint"),
        ("konstantopoulos2011", "CS", "CS_confint"),
        ("bornmann2007", "three_level", "three_level_confint"),
        ("berkey1998", "UN__REML", "UN__REML__confint"),
        ("berkey1998", "HCS__REML", "HCS__REML__confint"),
        ("knapp2017", "three_level", "three_level_confint"),
    ],
)
def test_profile_intervals_are_those_of_metafor(name, fit, confint):
    found = fitted(name, **MODELS[name, fit]).intervals()
    theirs = REFERENCE[name]["fits"][confint]["components"]
    assert len(found) == len(theirs)
    for (_, ours), reference in zip(found.iterrows(), theirs, strict=True):
        for column, key in (("ci_low", "ci_lb"), ("ci_high", "ci_ub")):
            if reference[key][0] is not None:
                assert ours[column] == pytest.approx(reference[key][0], rel=1e-5, abs=1e-9)


def test_a_limit_of_the_profile_is_where_the_likelihood_has_fallen():
    fit = fitted("konstantopoulos2011", **SCHOOLS)
    limit = fit.intervals().loc["sigma2[district]", "ci_low"]
    likelihood = fit.likelihood
    grid = np.linspace(0.02, 0.06, 2001)
    profile = max(likelihood.evaluate(np.array([limit, other]) / fit.unit**2).value for other in grid)
    assert 2 * (fit.at.value - profile) == pytest.approx(3.841458820694124, abs=1e-4)


def random_model(seed):
    generator = np.random.default_rng(seed)
    study = np.repeat(np.arange(6), 3)
    keep = generator.uniform(size=18) > 0.2
    frame = pd.DataFrame({"study": study, "time": np.tile([0.0, 1.0, 2.5], 6), "dose": generator.normal(size=18)})[keep]
    return generator.normal(size=keep.sum()), generator.uniform(0.1, 0.4, keep.sum()), frame.reset_index(drop=True)


@pytest.mark.parametrize("structure", ["ID", "CS", "HCS", "UN", "AR", "HAR", "CAR", "DIAG"])
@pytest.mark.parametrize("method", ["ML", "REML"])
def test_the_likelihood_and_its_derivatives(structure, method):
    """The value against a multivariate normal density, the derivatives against differences."""
    y, v, frame = random_model(8)
    fit = bm.multilevel(
        yi=y,
        vi=v,
        data=frame,
        nesting="study/estimate",
        within="time",
        structure=structure,
        moderators="~ dose",
        method=method,
    )
    theta = fit.likelihood.bounds()[0]
    theta = np.concatenate([c.structure.start(0.7) for c in fit.likelihood.components]) * np.linspace(
        0.8, 1.1, len(theta)
    )
    at = fit.likelihood.evaluate(theta)
    gradient, hessian, _ = fit.likelihood.derivatives(theta, at)
    for i in range(len(theta)):
        step = np.zeros_like(theta)
        step[i] = 1e-6
        up, down = fit.likelihood.evaluate(theta + step), fit.likelihood.evaluate(theta - step)
        assert gradient[i] == pytest.approx((up.value - down.value) / 2e-6, rel=1e-6, abs=1e-7)
        slope = (
            fit.likelihood.derivatives(theta + step, up)[0] - fit.likelihood.derivatives(theta - step, down)[0]
        ) / 2e-6
        np.testing.assert_allclose(hessian[i], slope, rtol=1e-6, atol=1e-6)
    # G written out, at the maximum
    _, _, total = fit._working(None)[1:]
    x, b = fit.matrix.x, fit.estimates
    value = multivariate_normal(x @ b, total, allow_singular=False).logpdf(y)
    if method == "REML":
        w = np.linalg.inv(total)
        value += 0.5 * (
            np.linalg.slogdet(x.T @ x)[1] - np.linalg.slogdet(x.T @ w @ x)[1] + x.shape[1] * np.log(2 * np.pi)
        )
    assert fit.log_likelihood == pytest.approx(value, rel=1e-10)


def test_structures_written_out():
    times = [0.0, 1.0, 2.5]
    g, _, _ = make_structure("CAR", times).derivatives(np.array([2.0, 0.3]))
    np.testing.assert_allclose(g, 2 * 0.3 ** np.abs(np.subtract.outer(times, times)))
    g, _, _ = make_structure("HAR", times).derivatives(np.array([1.0, 2.0, 3.0, -0.4]))
    np.testing.assert_allclose(g, [[1, -0.8, 0.48], [-0.8, 4, -2.4], [0.48, -2.4, 9]])
    un = make_structure("UN", times)
    theta = np.array([1.0, 0.5, 2.0, -1.0, 0.3, 0.7])
    lower = np.array([[1, 0, 0], [0.5, 2, 0], [-1, 0.3, 0.7]])
    np.testing.assert_allclose(un.derivatives(theta)[0], lower @ lower.T)
    np.testing.assert_allclose(un.variances(theta), np.diag(lower @ lower.T))


def test_profile_intervals_of_unstructured_variances_contain_them():
    y, v, frame = random_model(3)
    fit = bm.multilevel(yi=y, vi=v, data=frame, nesting="study", within="time", structure="UN")
    found = fit.intervals()
    assert list(found.index) == ["tau2[0]", "tau2[1]", "tau2[2.5]"]
    np.testing.assert_allclose(found["estimate"], fit.tau2, rtol=1e-5, atol=1e-6)
    assert (found["ci_low"] <= found["estimate"] + 1e-9).all()
    assert (found["ci_high"] > found["estimate"]).all()
    assert fit.correlation.shape == (3, 3)


def test_one_estimate_per_study_is_the_random_effects_model():
    y, v = np.array([0.1, 0.5, -0.2, 0.8, 0.3]), np.array([0.05, 0.1, 0.04, 0.2, 0.08])
    fit = bm.multilevel(yi=y, vi=v, nesting="study")
    pooled = bm.random_effects(yi=y, vi=v, method="REML")
    assert fit.sigma2[0] == pytest.approx(pooled.tau2, rel=1e-8)
    assert fit.coefficients.loc["mu", "se"] == pytest.approx(pooled.se, rel=1e-8)
    assert fit.i2 == pytest.approx(pooled.i2, rel=1e-8)


def test_results_follow_the_units_of_the_effects():
    entry = REFERENCE["konstantopoulos2011"]["columns"]
    y, v = np.array(entry["yi"]), np.array(entry["vi"])
    one, other = (
        bm.multilevel(yi=unit * y, vi=unit**2 * v, data=entry, nesting="district/school") for unit in (1.0, 1e-5)
    )
    np.testing.assert_allclose(other.sigma2, 1e-10 * one.sigma2, rtol=1e-7)
    assert other.log_likelihood == pytest.approx(one.log_likelihood + 55 * 5 * np.log(10), rel=1e-10)


def test_a_sampling_correlation_is_a_covariance():
    entry = REFERENCE["bornmann2007"]["columns"]
    study, sd = np.array(entry["study"]), np.sqrt(entry["vi"])
    same = study[:, None] == study
    covariance = np.where(same, 0.6 * np.outer(sd, sd), 0.0) + 0.4 * np.diag(entry["vi"])
    keywords = {"yi": entry["yi"], "vi": entry["vi"], "data": entry, "nesting": "study/obs"}
    by_number = bm.multilevel(**keywords, sampling_correlation=0.6)
    for given in (covariance, [covariance[np.ix_(study == s, study == s)] for s in dict.fromkeys(study)]):
        by_matrix = bm.multilevel(**keywords, covariance=given)
        np.testing.assert_allclose(by_number.sigma2, by_matrix.sigma2, rtol=1e-8)
        assert by_number.log_likelihood == pytest.approx(by_matrix.log_likelihood, rel=1e-12)
    without_vi = bm.multilevel(yi=entry["yi"], data=entry, nesting="study/obs", covariance=covariance)
    assert without_vi.log_likelihood == pytest.approx(by_number.log_likelihood, rel=1e-12)


def test_frames_with_several_rows_per_study():
    entry = REFERENCE["bornmann2007"]["columns"]
    fit = bm.multilevel(pd.DataFrame(entry), nesting="study/obs")
    np.testing.assert_allclose(fit.sigma2, REFERENCE["bornmann2007"]["fits"]["three_level"]["sigma2"], rtol=1e-6)
    assert fit.labels[:2] == ("Ackers (2000)", "Ackers (2000) (2)")


FRAME = {
    "study": [1, 1, 2, 2, 3, 3],
    "own": [1, 2, 3, 4, 5, 6],
    "all": [1] * 6,
    "time": [0, 1, 0, 1, 0, 1],
    "name": list("ababab"),
}


#: correlations of three estimates that cannot occur together
IMPOSSIBLE = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])


@pytest.mark.parametrize(
    ("options", "error", "text"),
    [
        ({"nesting": "own/estimate"}, bm.DataError, "every group of 'own' has one estimate"),
        ({"nesting": "study + study"}, bm.DataError, "are the same groups"),
        ({"nesting": "all"}, bm.DataError, "all estimates are in one group of 'all'"),
        ({"nesting": "studdy/estimate"}, bm.SpecError, "'studdy' for nesting; did you mean 'study'"),
        ({"nesting": "study/"}, bm.SpecError, "outer to inner"),
        ({"nesting": "study", "structure": "UN"}, bm.SpecError, "needs within="),
        ({"within": "time"}, bm.SpecError, "needs nesting="),
        ({"nesting": "study", "within": "time", "structure": "VC"}, bm.SpecError, "unknown structure 'VC'"),
        ({"nesting": "study", "within": "name", "structure": "CAR"}, bm.SpecError, "times that are numbers"),
        ({"nesting": "study", "within": "all"}, bm.SpecError, "at least two levels"),
        ({"nesting": "own", "within": "time"}, bm.DataError, "has one estimate, so that correlations"),
        ({"nesting": "study", "sampling_correlation": 1.2}, bm.SpecError, "between -1 and 1 but is 1.2"),
        ({"nesting": "study", "sampling_correlation": 0.5, "covariance": np.eye(6)}, bm.SpecError, "not both"),
        ({"nesting": "study", "covariance": np.eye(5)}, bm.DataError, r"shape \(5, 5\), but there are 6"),
        ({"nesting": "study", "covariance": [np.eye(2)]}, bm.DataError, "1 matrices for 3 groups"),
        ({"covariance": np.eye(6) + np.fliplr(np.eye(6)) * 1.5}, bm.DataError, "not positive definite"),
        ({"covariance": np.kron(np.eye(2), IMPOSSIBLE)}, bm.DataError, "not positive definite"),
        ({"nesting": "study/own", "method": "DL"}, bm.SpecError, "unknown method of multilevel"),
        ({"nesting": "study/own", "ci": "hksj"}, bm.SpecError, "unknown confidence interval"),
        ({"nesting": "study/own", "moderators": "~ factor(own)"}, bm.DataError, "6 coefficients for 6 estimates"),
    ],
)
def test_what_cannot_be_fitted_is_refused(options, error, text):
    with pytest.raises(error, match=text):
        bm.multilevel(yi=[0.1, 0.4, -0.2, 0.3, 0.6, 0.0], vi=[0.1] * 6, data=FRAME, **options)


def test_a_missing_group_is_refused_by_name():
    with pytest.raises(bm.DataError, match="column 'study': no value for '2'"):
        bm.multilevel(yi=[0.1, 0.4, 0.2], vi=[0.1] * 3, data={"study": ["a", None, "b"]}, nesting="study")


def test_an_indefinite_sampling_covariance_is_accepted_if_the_sum_is_definite():
    fit = fitted("knapp2017", **MODELS["knapp2017", "three_level"])
    assert np.linalg.eigvalsh(fit.sampling.matrix).min() <= 1e-12
    assert np.isnan(fit.qe)
    assert "estimates, REML" in repr(fit)


def test_cluster_robust_errors_are_shown_beside_those_of_the_model():
    fit = fitted("konstantopoulos2011", nesting="district/school")
    table, robust = fit.with_robust(), fit.robust("CR2")
    assert list(table.columns[:7]) == list(fit.coefficients.columns)
    assert table.loc["mu", "se"] == fit.coefficients.loc["mu", "se"]
    assert table.loc["mu", "ci_low_cr2"] == robust.loc["mu", "ci_low"]
    assert "df_cr2" in fit._repr_html_()
    assert "se_cr1" in fit.with_robust("CR1")
    # without clusters there is no such error, and the table is shown
    one = bm.multilevel(yi=[0.1, 0.2, 0.4], vi=[0.1] * 3, covariance=0.1 * np.eye(3) + 0.01)
    assert one.with_robust()["se_cr2"].isna().all()
