"""Subgroups against metafor 5.0.1 and R meta 8.3.0, and what is refused."""

import json

import numpy as np
import pandas as pd
import pytest
from paths import REFERENCE_FOLDER

import bayesmeta as bm

REFERENCE = json.loads((REFERENCE_FOLDER / "subgroups_extract.json").read_text())["datasets"]
CI = {"z": "wald", "knha": "hksj"}
FITS = [(name, fit) for name, entry in REFERENCE.items() for fit in entry["fits"]]


def pooled(name, **options):
    columns = REFERENCE[name]["columns"]
    return bm.subgroups(yi=columns["yi"], vi=columns["vi"], by=columns["g"], **options)


@pytest.mark.parametrize(("name", "fit"), [pair for pair in FITS if pair[1].startswith("metafor")])
def test_subgroups_are_those_of_metafor(name, fit):
    theirs = REFERENCE[name]["fits"][fit]
    model, method, test = fit.split("__")
    ours = pooled(name, method=method, ci=CI[test], pi={"z": "z", "knha": "hk"}[test], common_tau="common" in model)
    if model == "metafor_separate":
        for level, one in theirs.items():
            row = ours.groups.loc[level]
            values = [one[key] if key in ("tau2", "k") else one[key][0] for key in ("beta", "se", "ci_lb", "tau2", "k")]
            np.testing.assert_allclose(row[["estimate", "se", "ci_low", "tau2", "k"]], values, rtol=1e-8, atol=1e-10)
            np.testing.assert_allclose(row["i2"], one["I2"], rtol=1e-8, atol=1e-8)
            if "pi_lb" in one.get("predict", {}):
                np.testing.assert_allclose(row["pi_low"], one["predict"]["pi_lb"][0], rtol=1e-8)
    elif model == "metafor_separate_tau2_test":
        np.testing.assert_allclose([ours.q_between, ours.q_pvalue], [theirs["Q_between"], theirs["pval"]], rtol=1e-8)
    elif model == "metafor_common_tau2":
        table = ours.groups.loc[REFERENCE[name]["levels"]]
        for column, key in (("estimate", "beta"), ("se", "se"), ("ci_low", "ci_lb")):
            np.testing.assert_allclose(table[column], theirs[key], rtol=1e-8)
        np.testing.assert_allclose(table["tau2"], theirs["tau2"], rtol=1e-8, atol=1e-10)
        assert ours.q_within == pytest.approx(theirs["QE"], rel=1e-10)
    else:
        np.testing.assert_allclose([ours.q_between, ours.q_pvalue], [theirs["QM"], theirs["QMp"]], rtol=1e-8)


@pytest.mark.parametrize(("name", "fit"), [pair for pair in FITS if pair[1].startswith("meta_metagen")])
def test_subgroups_are_those_of_r_meta(name, fit):
    theirs = REFERENCE[name]["fits"][fit]
    _, method, _, common = fit.split("__")
    ours = pooled(name, method=method, pi="v", common_tau=common.endswith("TRUE"))
    table = ours.groups.loc[theirs["levels"]]
    np.testing.assert_allclose(table["estimate"], theirs["TE_random_w"], rtol=1e-8)
    if not ours.common_tau:
        np.testing.assert_allclose(table["pi_low"], theirs["lower_predict_w"], rtol=1e-8)
    np.testing.assert_allclose(ours.q_between, np.ravel(theirs["Q_b_random"])[0], rtol=1e-8)
    np.testing.assert_allclose(ours.overall.estimate, np.ravel(theirs["TE_random"])[0], rtol=1e-8)


def test_mantel_haenszel_subgroups_are_those_of_r_meta():
    entry = REFERENCE["bcg_alloc"]
    columns, theirs = entry["columns"], entry["fits"]["meta_metabin__MH"]
    frame = pd.DataFrame(
        {"study": [f"S{i}" for i in range(13)], "events_e": columns["ai"], "n_e": columns["n1i"], "events_c": columns["ci"],
         "n_c": columns["n2i"], "alloc": columns["g"]}
    )  # fmt: skip
    ours = bm.subgroups(frame, measure="RR", by="alloc", method="MH")
    table = ours.groups.loc[theirs["levels"]]
    np.testing.assert_allclose(table["estimate"], theirs["TE_common_w"], rtol=1e-10)
    np.testing.assert_allclose(table["se"], theirs["seTE_common_w"], rtol=1e-10)
    assert ours.q_between == pytest.approx(theirs["Q_b_common"][0], rel=1e-10)
    # the same table as a study table, and the inverse-variance method of its effects
    by_table = bm.subgroups(bm.read_studies(frame), measure="RR", by="alloc", method="DL")
    np.testing.assert_allclose(
        by_table.groups.loc[theirs["levels"], "estimate"],
        [entry["fits"]["metafor_separate__DL__z"][g]["beta"][0] for g in theirs["levels"]],
        rtol=1e-8,
    )
    assert by_table.results["random"].labels == tuple(f"S{i}" for i in range(13))
    with pytest.raises(bm.SpecError, match="common_tau=True has no meaning"):
        bm.subgroups(frame, measure="RR", by="alloc", method="MH", common_tau=True)


def test_a_group_of_one_study_is_that_study():
    found = bm.subgroups(yi=[0.1, 0.5, 0.9], vi=[0.1, 0.2, 0.3], by=["a", "a", "b"])
    row = found.groups.loc["b"]
    assert list(row[["estimate", "se", "tau2", "k"]]) == pytest.approx([0.9, 0.3**0.5, 0.0, 1])
    assert np.isnan(row["pi_low"])


def test_numbers_are_groups_in_their_order():
    found = bm.subgroups(yi=[0.1, 0.5, 0.9, 0.2], vi=[0.1] * 4, data={"grade": [10, 2, 10, 2]}, by="grade")
    assert list(found.groups.index) == [2, 10]
    assert repr(found).startswith("<Subgroups: 2 groups by grade; difference p ")


def test_categories_are_groups_in_their_order():
    by = pd.Series(pd.Categorical(["b", "a", "b", "a"], categories=["c", "a", "b"]), name="focus")
    for given in ({"by": by}, {"by": "focus", "data": pd.DataFrame({"focus": by})}):
        found = bm.subgroups(yi=[0.1, 0.5, 0.9, 0.2], vi=[0.1] * 4, **given)
        assert list(found.groups.index) == ["a", "b"]
    texts = bm.subgroups(yi=[0.1, 0.5, 0.9, 0.2], vi=[0.1] * 4, by=["b", "a", "b", "a"])
    assert list(texts.groups.index) == ["b", "a"]


def test_what_cannot_be_grouped_is_refused():
    keywords = {"yi": [0.1, 0.5, 0.9], "vi": [0.1] * 3}
    with pytest.raises(bm.DataError, match="column 'focus': no group for '2'"):
        bm.subgroups(**keywords, data={"focus": ["a", None, "b"]}, by="focus")
    assert list(
        bm.subgroups(**keywords, data={"focus": ["a", None, "b"]}, by="focus", drop_missing=True).groups["k"]
    ) == [1, 1]
    with pytest.raises(bm.DataError, match="all studies are in one group: 'a'"):
        bm.subgroups(**keywords, by=["a", "a", "a"])
    with pytest.raises(bm.SpecError, match="'focuss' for by; did you mean 'focus'"):
        bm.subgroups(**keywords, data={"focus": ["a", "b", "b"]}, by="focuss")
    with pytest.raises(bm.DataError, match="data has 2 rows"):
        bm.subgroups(**keywords, by=["a", "b"])
