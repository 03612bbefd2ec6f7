"""Rows of ``compare`` with moderators, subgroups and several estimates per study: those of the functions, in one schema."""

import numpy as np
import pandas as pd
import pytest
from paths import REVIEWS_FOLDER

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError
from bayesmeta.results.methods import FREQUENTIST, METHOD_LABELS, MULTILEVEL
from bayesmeta.results.rows import TIDY

BCG = bm.read_studies(REVIEWS_FOLDER / "bcg" / "studies.csv")
ESTIMATES = pd.DataFrame(
    {
        "study": ["A", "A", "A", "B", "B", "C", "C", "D", "D", "D"],
        "weeks": [4, 12, 26, 4, 12, 4, 26, 4, 12, 26],
        "yi": [-0.52, -0.31, -0.28, -0.81, -0.60, -0.15, 0.08, -0.45, -0.41, -0.12],
        "vi": [0.04, 0.05, 0.06, 0.03, 0.04, 0.05, 0.07, 0.02, 0.03, 0.04],
    }
)


def test_moderators_give_a_row_per_coefficient_and_method() -> None:
    frame = bm.compare(BCG, measure="RR", moderators="~ latitude")
    assert list(frame.columns[: len(TIDY)]) == list(TIDY)
    assert frame["method"].nunique() == 10
    assert frame.groupby("method")["term"].apply(list).map(tuple).unique().tolist() == [("Intercept", "latitude")]
    rows = frame.set_index(["method", "term"])
    for method, options in (("REML", {}), ("DL", {}), ("REML-HKSJ", {"ci": "hksj_guarded"}), ("CE", {})):
        fit = bm.regression(BCG, measure="RR", moderators="~ latitude", method=method.partition("-")[0], **options)
        row = rows.loc[(method, "latitude")]
        np.testing.assert_array_equal(
            row[["estimate", "se", "ci_low", "ci_high", "pvalue"]].to_numpy(float),
            fit.coefficients.loc["latitude", ["estimate", "se", "ci_low", "ci_high", "pvalue"]],
        )
        assert (row["tau2"], row["r2"], row["k"], row["n"]) == (fit.tau2, fit.r2, 13, 357347)
        assert (row["qm"], row["qm_df"], row["qm_pvalue"]) == (fit.qm, 1, fit.qm_pvalue)
        assert (row["q"], row["q_df"], row["q_pvalue"]) == (fit.qe, 11, fit.qe_pvalue)
        assert row["qm_df_residual"] == (11 if options else np.inf)
    natural = bm.compare(BCG, measure="RR", moderators="~ latitude", scale="natural").set_index(["method", "term"])
    np.testing.assert_allclose(natural["ci_low"], np.exp(rows["ci_low"]), rtol=1e-14)
    np.testing.assert_array_equal(natural["se"], rows["se"])
    assert (natural["se_scale"] == "log").all()


def test_left_out_studies_and_methods_are_noted() -> None:
    data = {"dose": [1.0, 2.0, np.nan, 4.0, 3.0], "setting": list("aabbc")}
    values = {"yi": [0.1, 0.4, 0.2, 0.6, 0.3], "vi": [0.1] * 5, "data": data}
    with pytest.raises(DataError, match="the moderator is missing for '3'"):
        bm.compare(**values, moderators="~ dose")
    frame = bm.compare(**values, moderators="~ dose", drop_missing=True)
    assert (frame["k"] == 4).all()
    assert (frame["note"] == "3: moderator missing").all()
    # five coefficients for five studies: nothing is left for tau2, a common effect can be fitted
    frame = bm.compare(**values, moderators=np.eye(5)).set_index("method")
    np.testing.assert_allclose(frame.loc["CE", "estimate"], values["yi"], rtol=1e-12)
    assert frame.loc["REML", "estimate"].isna().all()
    assert frame.loc["REML", "note"].str.startswith("not estimable: 5 coefficients for 5 studies").all()


def test_subgroups_give_a_row_per_group_and_method() -> None:
    frame = bm.compare(BCG, measure="RR", by="allocation")
    assert list(frame.columns[:5]) == ["analysis", "method", "measure", "term", "group"]
    assert frame.groupby("method")["group"].apply(list).map(tuple).unique().tolist() == [
        ("random", "alternate", "systematic", "")
    ]
    rows = frame.set_index(["method", "group"])
    for common, method in ((False, "REML"), (True, "REML-common-tau")):
        found = bm.subgroups(BCG, measure="RR", by="allocation", common_tau=common)
        for group in found.groups.index:
            row, theirs = rows.loc[(method, group)], found.groups.loc[group]
            for name in ("estimate", "se", "ci_low", "ci_high", "tau2", "i2", "k"):
                assert row[name] == theirs[name]
        assert (rows.loc[method, "qm_pvalue"] == found.q_pvalue).all()
        assert (rows.loc[method, "q"] == found.q_within).all()
        assert rows.loc[(method, ""), "estimate"] == found.overall.estimate
    assert rows.loc["REML", "n"].iloc[:3].sum() == rows.loc[("REML", ""), "n"]
    assert ("MH", "random") in rows.index
    assert ("CE-common-tau", "random") not in rows.index
    natural = bm.compare(BCG, measure="RR", by="allocation", scale="natural").set_index(["method", "group"])
    assert natural.loc[("DL", "random"), "estimate"] == np.exp(rows.loc[("DL", "random"), "estimate"])


def test_several_estimates_per_study_give_rows_by_multilevel_methods() -> None:
    options = {"nesting": "study/estimate", "sampling_correlation": 0.6, "moderators": "~ weeks"}
    frame = bm.compare(ESTIMATES, **options)
    assert frame["method"].unique().tolist() == list(MULTILEVEL)
    rows = frame.set_index(["method", "term"])
    fit = bm.multilevel(ESTIMATES, **options)
    plain, robust = rows.loc[("multilevel-REML", "weeks")], rows.loc[("multilevel-REML-CR2", "weeks")]
    np.testing.assert_allclose([plain["estimate"], robust["estimate"]], fit.estimates[1], rtol=1e-9)
    assert plain["ci_low"] == pytest.approx(fit.coefficients.loc["weeks", "ci_low"], rel=1e-9)
    assert robust["ci_low"] == pytest.approx(fit.robust("CR2").loc["weeks", "ci_low"], rel=1e-9)
    assert (plain["k"], plain["studies"]) == (10, 4)
    assert plain["tau2"] == pytest.approx(fit.sigma2.sum(), rel=1e-12)
    np.testing.assert_allclose([plain["tau_between"] ** 2, plain["tau_within"] ** 2], fit.sigma2, rtol=1e-12)
    assert plain["qm_pvalue"] == pytest.approx(fit.qm_pvalue, rel=1e-9)
    assert robust["qm_pvalue"] == pytest.approx(robust["pvalue"], rel=1e-9)
    assert plain["note"].startswith("'weeks' varies within studies")
    # one pooled effect is mu, with its prediction interval
    pooled = bm.compare(ESTIMATES, nesting="study/estimate").set_index("method")
    assert (pooled["term"] == "mu").all()
    by_ml = bm.multilevel(ESTIMATES, nesting="study/estimate", method="ML")
    assert pooled.loc["multilevel-ML", "pi_low"] == by_ml.predict()["pi_low"].iloc[0]


def test_shared_arms_give_rows_with_their_covariance() -> None:
    table = pd.DataFrame(
        {"study": ["A", "A", "B", "C"], "treatment": list("xyxx"), "events_e": [10, 14, 8, 20], "n_e": [50, 50, 40, 90],
         "events_c": [20, 20, 12, 31], "n_c": [60, 60, 40, 80], "shared_arm_c": ["c", "c", "", ""]}
    )  # fmt: skip
    frame = bm.compare(table, measure="RR").set_index("method")
    effects = bm.effect_sizes(table, "RR")
    fit = bm.multilevel(effects, nesting="estimate")
    assert fit.sigma2_names == ("estimate",)
    assert frame.loc["multilevel-REML", "estimate"] == fit.estimates[0]
    # clusters of the robust variance are the studies
    assert (frame["studies"] == 3).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "allocation", "moderators": "~ latitude"}, "give by= or moderators=, not both"),
        ({"by": "allocation", "nesting": "study/estimate"}, "by= pools independent estimates"),
        ({"by": "alocation"}, "did you mean 'allocation'"),
        ({"moderators": "~ latitud"}, "did you mean 'latitude'"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        bm.compare(BCG, measure="RR", **options)


def test_impossible_correlations_are_refused() -> None:
    with pytest.raises(SpecError, match="between -1 and 1"):
        bm.compare(ESTIMATES, nesting="study/estimate", sampling_correlation=2.0)


def test_what_is_wrong_for_every_method_is_an_error() -> None:
    with pytest.raises(DataError, match="all studies are in one group"):
        bm.compare(BCG, measure="RR", by=["a"] * 13)
    with pytest.raises(DataError, match="cannot be told apart"):
        bm.compare(BCG, measure="RR", nesting="study/estimate")


def test_every_method_of_a_row_has_a_label() -> None:
    assert METHOD_LABELS["REML-common-tau"] == "REML, common tau2"
    assert METHOD_LABELS["multilevel-REML-CR2"] == "Multilevel, REML, cluster-robust (CR2)"
    assert "CE-common-tau" not in METHOD_LABELS
    assert set(FREQUENTIST) | set(MULTILEVEL) < set(METHOD_LABELS)
