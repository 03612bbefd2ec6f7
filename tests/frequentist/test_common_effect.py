"""Mantel-Haenszel and Peto against metafor, R meta and the formulas written out."""

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import REFERENCE_FOLDER

from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.common_effect import mantel_haenszel, peto
from bayesmeta.studies.table import StudyTable

METAFOR = json.loads((REFERENCE_FOLDER / "metafor_extract.json").read_text())["datasets"]
META = json.loads((REFERENCE_FOLDER / "meta_extract.json").read_text())["datasets"]
BINARY = [name for name, entry in METAFOR.items() if "rma_peto" in entry]
FIELDS = ("estimate", "se", "statistic", "pvalue", "ci_low", "ci_high", "q", "q_pvalue", "i2", "h2")


def table_of(raw):
    names = {"events_e": "ai", "n_e": "n1i", "events_c": "ci", "n_c": "n2i"}
    return StudyTable(tuple(raw["slab"]), {ours: np.array(raw[theirs], float) for ours, theirs in names.items()})


def counts(rows):
    columns = dict(zip(("events_e", "n_e", "events_c", "n_c"), np.array(rows, float).T, strict=True))
    return StudyTable(tuple(f"study {i}" for i in range(len(rows))), columns)


@pytest.mark.parametrize("name", BINARY)
@pytest.mark.parametrize("key", ["rma_mh_RR", "rma_mh_OR", "rma_mh_RD"])
@pytest.mark.parametrize("correction", ["", "_nocorrect"])
def test_mantel_haenszel_equals_metafors(name, key, correction):
    fit = mantel_haenszel(table_of(METAFOR[name]["raw"]), key.removeprefix("rma_mh_"))
    np.testing.assert_allclose(
        [getattr(fit, f) for f in FIELDS], METAFOR[name][key + correction], rtol=1e-9, atol=1e-14
    )
    assert fit.weights.sum() == pytest.approx(1)


@pytest.mark.parametrize("name", BINARY)
def test_peto_equals_metafors(name):
    fit = peto(table_of(METAFOR[name]["raw"]))
    np.testing.assert_allclose([getattr(fit, f) for f in FIELDS], METAFOR[name]["rma_peto"], rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("name", ["bcg", "crins2014_ptld", "nielweise2007"])
def test_the_revman_rule_equals_r_meta(name):
    table = table_of(META[name]["raw"])
    fits = {f"mh_{measure}": mantel_haenszel(table, measure, rule="revman") for measure in ("RR", "OR", "RD")}
    for key, fit in {**fits, "peto": peto(table)}.items():
        got = [fit.estimate, fit.se, fit.ci_low, fit.ci_high, fit.pvalue]
        np.testing.assert_allclose(got, META[name][key], rtol=1e-9, err_msg=key)


cell = st.integers(1, 40)


@settings(max_examples=60)
@given(st.lists(st.tuples(cell, cell, cell, cell), min_size=1, max_size=6))
def test_mantel_haenszel_equals_the_formulas_written_out(cells):
    table = counts([(a, a + b, c, c + d) for a, b, c, d in cells])
    r = [a * (c + d) / (a + b + c + d) for a, b, c, d in cells]
    s = [c * (a + b) / (a + b + c + d) for a, b, c, d in cells]
    p = [((a + b) * (c + d) * (a + c) - a * c * (a + b + c + d)) / (a + b + c + d) ** 2 for a, b, c, d in cells]
    fit = mantel_haenszel(table, "rr")
    assert math.exp(fit.estimate) == pytest.approx(sum(r) / sum(s), rel=1e-10)
    assert fit.se == pytest.approx(math.sqrt(sum(p) / (sum(r) * sum(s))), rel=1e-10)
    odds = sum(a * d / (a + b + c + d) for a, b, c, d in cells) / sum(b * c / (a + b + c + d) for a, b, c, d in cells)
    assert math.exp(mantel_haenszel(table, "OR").estimate) == pytest.approx(odds, rel=1e-10)
    n = [(a + b) * (c + d) / (a + b + c + d) for a, b, c, d in cells]
    difference = sum(w * (a / (a + b) - c / (c + d)) for w, (a, b, c, d) in zip(n, cells, strict=True)) / sum(n)
    assert mantel_haenszel(table, "RD").estimate == pytest.approx(difference, rel=1e-10, abs=1e-12)


@settings(max_examples=40)
@given(st.lists(st.tuples(cell, cell, cell, cell), min_size=1, max_size=6), st.sampled_from(["RR", "OR", "RD", "PETO"]))
def test_swapping_the_arms_flips_the_sign(cells, measure):
    here, there = (
        counts([(a, a + b, c, c + d) for a, b, c, d in cells]),
        counts([(c, c + d, a, a + b) for a, b, c, d in cells]),
    )
    pool = peto if measure == "PETO" else lambda table: mantel_haenszel(table, measure)
    np.testing.assert_allclose(pool(here).estimate, -pool(there).estimate, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(pool(here).se, pool(there).se, rtol=1e-9)


def test_double_zero_studies_have_no_weight_and_are_named():
    fit = mantel_haenszel(counts([(3, 20, 5, 20), (0, 20, 0, 20), (1, 20, 4, 20)]), "RR")
    assert fit.weights[1] == 0
    assert (fit.k, fit.q_df, fit.n) == (2, 1, 80)
    assert fit.notes == ("study 1: no events in either arm: RR not estimable",)
    both = mantel_haenszel(counts([(3, 20, 5, 20), (0, 20, 0, 20), (1, 20, 4, 20)]), "RD")
    assert (both.k, both.n, both.notes) == (3, 120, ())


def test_a_pooled_study_without_control_events_is_counted():
    rows = [(1, 407, 1, 422), (4, 111, 0, 37), (5, 231, 8, 234)]
    for measure in ("RR", "OR"):
        fit = mantel_haenszel(counts(rows), measure)
        assert (fit.k, fit.q_df, fit.n) == (3, 2, 407 + 422 + 111 + 37 + 231 + 234)
        # it changes the estimate, so it is pooled, although its own weight is 0
        assert fit.weights[1] == 0
        assert fit.estimate != pytest.approx(mantel_haenszel(counts([rows[0], rows[2]]), measure).estimate, rel=1e-3)


@pytest.mark.parametrize("rows", [[(0, 150, 0, 148), (0, 80, 0, 80)], [(20, 20, 31, 31)], [(0, 5, 0, 5), (9, 9, 8, 8)]])
def test_a_risk_difference_without_a_standard_error_is_not_estimable(rows):
    with pytest.raises(DataError, match="the Mantel-Haenszel RD has no standard error"):
        mantel_haenszel(counts(rows), "RD")
    fit = mantel_haenszel(counts(rows), "RD", rule="revman")
    assert fit.estimate == 0
    assert fit.ci_low < 0 < fit.ci_high


def test_a_study_with_events_in_everyone_has_a_weight_by_the_rule_of_revman():
    rows = [(15, 15, 4, 4), (3, 10, 4, 10)]
    fit = mantel_haenszel(counts(rows), "RR", rule="revman")
    tops, bottoms = (15.5 * 5 / 21, 3 * 10 / 20), (4.5 * 16 / 21, 4 * 10 / 20)
    np.testing.assert_allclose(fit.weights, np.array(bottoms) / sum(bottoms), rtol=1e-12)
    assert math.exp(fit.estimate) == pytest.approx(sum(tops) / sum(bottoms), rel=1e-12)
    assert fit.k == 2
    assert mantel_haenszel(counts(rows), "OR", rule="revman").k == 1


def test_peto_from_o_minus_e():
    table = StudyTable(("A", "B"), {"oe": np.array([-4.0, 2.0]), "v": np.array([8.0, 4.0])})
    fit = peto(table)
    assert fit.estimate == pytest.approx(-2 / 12)
    assert fit.se == pytest.approx(12**-0.5)
    assert fit.q == pytest.approx(8 * (-0.5 + 1 / 6) ** 2 + 4 * (0.5 + 1 / 6) ** 2)


def test_tables_that_cannot_be_pooled_are_refused():
    table = counts([(0, 20, 5, 20), (0, 30, 4, 30)])
    with pytest.raises(DataError, match="no events at all in one of the arms"):
        mantel_haenszel(table, "RR")
    assert np.isfinite(mantel_haenszel(table, "RR", rule="revman").estimate)
    with pytest.raises(DataError, match="no study is left to pool"):
        peto(counts([(0, 20, 0, 20)]))
    with pytest.raises(DataError, match="counts are needed"):
        mantel_haenszel(StudyTable(("A",), {"yi": np.array([0.1]), "sei": np.array([0.1])}))
    with pytest.raises(SpecError, match="unknown Mantel-Haenszel measure 'SMD'"):
        mantel_haenszel(table, "SMD")
    with pytest.raises(SpecError, match="unknown Mantel-Haenszel rule"):
        mantel_haenszel(table, "RR", rule="cochrane")
    with pytest.raises(SpecError, match="level must be between 0 and 1"):
        mantel_haenszel(counts([(1, 20, 5, 20)]), "RR", level=2)
