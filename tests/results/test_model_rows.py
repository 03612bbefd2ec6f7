"""Rows of ``compare`` with moderators, subgroups and several estimates per study: those of the functions, in one schema."""

import numpy as np
import pandas as pd
import pytest
from paths import REVIEWS_FOLDER

import bayesmeta as bm
from bayesmeta.effects.intercept import intercept_sentence
from bayesmeta.errors import DataError, SpecError
from bayesmeta.results.methods import FREQUENTIST, METHOD_LABELS, NESTED, method_label
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


def rows_of(model, *index, **options):
    """Frequentist rows of a model that are compared, by method, and by group or term."""
    frame = bm.compare(**options)
    assert list(frame.columns[: len(TIDY)]) == list(TIDY)
    found = frame[(frame["model"] == model) & ~frame["method"].str.startswith("bayes")]
    return found.set_index(["method", *index])


def test_moderators_give_a_row_per_coefficient_and_method():
    rows = rows_of("~ latitude", "term", studies=BCG, measure="RR", moderators="~ latitude")
    methods = ["CE", "DL", "PM", "REML", "ML", "EB", "SJ", "HE", "HS", "REML-HKSJ"]
    assert list(dict.fromkeys(rows.index.get_level_values(0))) == methods
    for method in methods:
        record = FREQUENTIST[method]
        fit = bm.regression(BCG, measure="RR", moderators="~ latitude", method=record.estimator, ci=record.ci)
        row, columns = rows.loc[(method, "latitude")], ["estimate", "se", "ci_low", "ci_high", "pvalue"]
        np.testing.assert_array_equal(row[columns].to_numpy(float), fit.coefficients.loc["latitude", columns])
        assert (row["tau2"], row["r2"], row["k"], row["n"]) == (fit.tau2, fit.r2, 13, 357347)
        assert (row["qm"], row["qm_df"], row["qm_pvalue"]) == (fit.qm, 1, fit.qm_pvalue)
        assert (row["q"], row["q_df"], row["q_pvalue"]) == (fit.qe, 11, fit.qe_pvalue)
        assert row["qm_df_residual"] == (11 if method == "REML-HKSJ" else np.inf)
        assert rows.loc[(method, "effect_at_means"), "qm"] == fit.qm
    natural = rows_of("~ latitude", "term", studies=BCG, measure="RR", moderators="~ latitude", scale="natural")
    np.testing.assert_allclose(natural["ci_low"], np.exp(rows["ci_low"]), rtol=1e-14)
    np.testing.assert_array_equal(natural["se"], rows["se"])
    assert (natural["se_scale"] == "log").all()


def test_left_out_studies_and_methods_are_noted():
    data = {"dose": [1.0, 2.0, np.nan, 4.0, 3.0], "setting": list("abbcc")}
    values = {"yi": [0.1, 0.4, 0.2, 0.6, 0.3], "vi": [0.1] * 5, "data": data}
    with pytest.raises(DataError, match="the moderator is missing for '3'"):
        bm.compare(**values, moderators="~ dose")
    rows = rows_of("~ dose", "term", **values, moderators="~ dose", drop_missing=True)
    assert (rows["k"] == 4).all()
    assert (rows.xs("dose", level="term")["note"] == "'3' is left out: dose missing").all()
    # four coefficients for four studies: nothing is left for tau2, a common effect can be fitted
    full = "~ C(setting) + dose"
    rows = rows_of(full, **values, moderators=full, drop_missing=True)
    assert rows.loc["CE", "estimate"].notna().all()
    assert np.isnan(rows.loc["REML", "estimate"])
    assert "4 coefficients for 4 studies" in rows.loc["REML", "note"]


def test_subgroups_give_a_row_per_group_and_method():
    options = {"studies": BCG, "measure": "RR", "by": "allocation"}
    frame = bm.compare(**options)
    rows = frame[(frame["model"] == "allocation") & (frame["term"] == "mu")].set_index(["method", "group"])
    overall = frame[(frame["model"] == "allocation") & (frame["term"] == "overall")].set_index("method")
    for method in ("CE", "DL", "REML", "REML-HKSJ", "MH"):
        record = FREQUENTIST[method]
        for common in (False, True) if record.has_tau else (False,):
            found = bm.subgroups(
                BCG, measure="RR", by="allocation", method=record.estimator, ci=record.ci, common_tau=common
            )
            name = f"{method}-common-tau" if common else method
            for group in found.groups.index:
                row, theirs = rows.loc[(name, group)], found.groups.loc[group]
                for column in ("estimate", "se", "ci_low", "ci_high", "tau2", "i2", "k"):
                    assert row[column] == theirs[column]
            assert (rows.loc[name, "qm_pvalue"] == found.q_pvalue).all()
            assert (rows.loc[name, "qm"] == found.q_between).all()
            assert (rows.loc[name, "q"] == found.q_within).all()
            assert overall.loc[name, "estimate"] == found.overall.estimate
            assert overall.loc[name, "qm_df"] == 2
    assert rows.loc["REML", "n"].sum() == overall.loc["REML", "n"] == 357347
    assert ("CE-common-tau", "random") not in rows.index


def test_several_estimates_per_study_give_rows_by_multilevel_methods():
    options = {"nesting": "study/estimate", "sampling_correlation": 0.6, "moderators": "~ weeks"}
    rows = rows_of("~ weeks", "term", studies=ESTIMATES, **options)
    assert list(dict.fromkeys(rows.index.get_level_values(0))) == list(NESTED)
    for method, record in NESTED.items():
        fit = bm.multilevel(ESTIMATES, **options, method=record.estimator, ci=record.ci)
        row = rows.loc[(method, "weeks")]
        table = fit.robust("CR2") if record.robust else fit.coefficients
        for name in ("estimate", "se", "ci_low", "ci_high", "pvalue"):
            assert row[name] == pytest.approx(table.loc["weeks", name], rel=1e-9)
        assert (row["k"], row["studies"]) == (10, 4)
        assert row["tau2"] == pytest.approx(fit.sigma2.sum(), rel=1e-9)
        assert row["qm_pvalue"] == pytest.approx(row["pvalue"], rel=1e-9)
        assert row["q"] == pytest.approx(fit.qe, rel=1e-12)
        assert row["note"].startswith("'weeks' varies within studies")
    # one pooled effect is mu, with its prediction interval; there are no moderators to test
    pooled = rows_of("study/estimate", studies=ESTIMATES, nesting="study/estimate")
    assert (pooled["term"] == "mu").all()
    by_ml = bm.multilevel(ESTIMATES, nesting="study/estimate", method="ML")
    assert pooled.loc["ML", "pi_low"] == pytest.approx(by_ml.predict()["pi_low"].iloc[0], rel=1e-9)
    assert "qm" not in pooled


def test_methods_that_take_dependent_estimates_as_independent_say_so():
    frame = bm.compare(ESTIMATES, nesting="study/estimate")
    pooled, nested = frame[(frame["model"] == "") & frame["estimate"].notna()], frame[frame["model"] != ""]
    assert pooled["note"].str.startswith("takes the estimates as independent, which they are not").all()
    assert not nested["note"].str.contains("independent").any()
    independent = bm.compare(yi=ESTIMATES["yi"], vi=ESTIMATES["vi"])
    np.testing.assert_allclose(pooled["estimate"], independent["estimate"].dropna(), rtol=1e-12)


def test_shared_arms_give_rows_with_their_covariance():
    table = pd.DataFrame(
        {"study": ["A", "A", "B", "C"], "treatment": list("xyxx"), "events_e": [10, 14, 8, 20], "n_e": [50, 50, 40, 90],
         "events_c": [20, 20, 12, 31], "n_c": [60, 60, 40, 80], "shared_arm_c": ["c", "c", "", ""]}
    )  # fmt: skip
    frame = bm.compare(table, measure="RR")
    effects = bm.effect_sizes(table, "RR")
    fit = bm.multilevel(effects, nesting="estimate")
    assert fit.sigma2_names == ("estimate",)
    nested = frame[frame["model"] == "estimate"].set_index("method")
    assert nested.loc["REML", "estimate"] == fit.estimates[0]
    # clusters of the robust variance are the studies
    assert (nested["studies"] == 3).all()
    pooled = frame[frame["model"] == ""].set_index("method")
    assert "independent" in pooled.loc["DL", "note"]
    exact = pooled.loc["bayes:normal:quadrature"]
    assert exact["estimate"] == bm.fit(effects).summary().loc["mu", "median"]
    assert "independent" not in exact["note"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "alocation"}, "did you mean 'allocation'"),
        ({"moderators": "~ latitud"}, "did you mean 'latitude'"),
        ({"sampling_correlation": 0.5}, "sampling_correlation= needs nesting="),
    ],
)
def test_options_that_cannot_be_carried_out_are_refused(options, message):
    with pytest.raises(SpecError, match=message):
        bm.compare(BCG, measure="RR", **options)


def test_what_is_wrong_for_every_method_is_an_error():
    with pytest.raises(SpecError, match="between -1 and 1"):
        bm.compare(ESTIMATES, nesting="study/estimate", sampling_correlation=2.0)
    with pytest.raises(DataError, match="all studies are in one group"):
        bm.compare(BCG, measure="RR", by="same", data={"same": ["a"] * 13})
    with pytest.raises(DataError, match="cannot be told apart"):
        bm.compare(BCG, measure="RR", nesting="study/estimate")


def test_every_method_of_a_row_has_a_label():
    assert method_label("REML-common-tau") == "REML, common tau"
    assert METHOD_LABELS["REML-CR2"] == "REML, cluster-robust (CR2)"
    assert set(FREQUENTIST) | set(NESTED) < set(METHOD_LABELS)


def test_parts_of_a_moderator_have_rows_and_a_sentence_on_the_intercept():
    formula = "~ within(weeks) + between(weeks)"
    rows = rows_of(formula, "term", studies=ESTIMATES, nesting="study/estimate", moderators=formula)
    fit = bm.multilevel(ESTIMATES, nesting="study/estimate", moderators=formula)
    for name in ("within(weeks)", "between(weeks)"):
        assert rows.loc[("REML", name), "estimate"] == pytest.approx(fit.coefficients.loc[name, "estimate"], rel=1e-9)
    assert "differences within studies" in rows.loc[("REML", "within(weeks)"), "note"]
    sentence = intercept_sentence(fit.matrix, {"study": ESTIMATES["study"], "weeks": ESTIMATES["weeks"]})
    assert sentence == "Intercept: the effect where within(weeks) is 0 and between(weeks) is 0"
