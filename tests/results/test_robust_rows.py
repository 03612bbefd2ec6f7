"""Cluster-robust rows of groups that are one study: empty, with the reason."""

import numpy as np

import bayesmeta as bm
from bayesmeta.results.model_rows import multilevel_rows, nested_subgroup_rows

COLUMNS = {"study": list("AABBCCDEE"), "focus": list("xxxxyywzz")}
EFFECTS = bm.effect_sizes(yi=[0.1, 0.3, 0.5, 0.2, -0.1, 0.4, 0.6, 0.9, 0.7], vi=[0.04] * 9)


def test_coefficients_that_one_study_decides_have_a_reason():
    fit = bm.multilevel(EFFECTS, data=COLUMNS, nesting="study/estimate", moderators="~ 0 + focus")
    rows = {row["term"]: row for row in multilevel_rows(fit, "REML-CR2", EFFECTS, "~ 0 + focus")}
    assert np.isfinite(rows["focus[x]"]["se"])
    assert "cluster-robust" not in rows["focus[x]"]["note"]
    for term in ("focus[y]", "focus[w]", "focus[z]"):
        assert np.isnan(rows[term]["se"])
        assert "one study alone" in rows[term]["note"]
    # a test of all of them together is there no more than they are; it was an error before, and all rows with it
    assert np.isnan(rows["focus[x]"]["qm_pvalue"])


def test_groups_of_one_study_have_a_reason():
    overall = bm.multilevel(EFFECTS, data=COLUMNS, nesting="study/estimate")
    fit = bm.multilevel(EFFECTS, data=COLUMNS, nesting="study/estimate", moderators="~ 0 + focus")
    rows, test = nested_subgroup_rows(fit, overall, "REML-CR2", EFFECTS, "focus")
    assert np.isnan(test["pvalue"])
    assert [row["group"] for row in rows if "one study alone" in row.get("note", "")] == [
        *(f"focus[{name}]" for name in "wyz"), *(f"focus[{name}] vs focus[w]" for name in "xyz")
    ]  # fmt: skip
