"""Effect sizes against metafor, the zero-cell rules, ready-made estimates, and errors."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import REFERENCE_FOLDER

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import Effects, effects_from_arrays
from bayesmeta.effects.formulas import hedges_correction
from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import DataError, SpecError
from bayesmeta.studies.read import read_studies
from bayesmeta.studies.table import StudyTable

METAFOR = json.loads((REFERENCE_FOLDER / "metafor_extract.json").read_text())["datasets"]
META = json.loads((REFERENCE_FOLDER / "meta_extract.json").read_text())["datasets"]

HOW = {
    "RR": ("RR", {"zero_cells": "metafor"}),
    "OR": ("OR", {"zero_cells": "metafor"}),
    "RD": ("RD", {"zero_cells": "metafor"}),
    "PETO": ("PETO", {"zero_cells": "metafor"}),
    "RR_drop00": ("RR", {"zero_cells": "metafor_drop00"}),
    "OR_drop00": ("OR", {"zero_cells": "metafor_drop00"}),
    "RD_drop00": ("RD", {"zero_cells": "metafor_drop00"}),
    "RR_add_all": ("RR", {"zero_cells": "all"}),
    "OR_add_all": ("OR", {"zero_cells": "all"}),
    "RD_add_all": ("RD", {"zero_cells": "all"}),
    "SMD_LS": ("SMD", {}),
    "MD_LS": ("MD", {}),
    "ROM_correct_FALSE": ("ROM", {}),
    "ROM_default": ("ROM", {"rom": "corrected"}),
}


def table_of(raw):
    names = {"events_e": "ai", "n_e": "n1i", "events_c": "ci", "n_c": "n2i"}
    if "m1i" in raw:
        names = {"mean_e": "m1i", "sd_e": "sd1i", "n_e": "n1i", "mean_c": "m2i", "sd_c": "sd2i", "n_c": "n2i"}
    return StudyTable(tuple(raw["slab"]), {ours: np.array(raw[theirs], float) for ours, theirs in names.items()})


def counts(*rows, exclusions=()):
    labels = tuple(f"study {i + 1}" for i in range(len(rows)))
    columns = dict(zip(("events_e", "n_e", "events_c", "n_c"), np.array(rows, float).T, strict=True))
    return StudyTable(labels, columns, exclusions=exclusions)


def estimates(**columns):
    k = len(columns["yi"])
    return StudyTable(tuple(f"study {i + 1}" for i in range(k)), {n: np.array(v, float) for n, v in columns.items()})


CASES = [(name, key) for name, entry in METAFOR.items() for key in entry.get("escalc", ())]


@pytest.mark.parametrize(("name", "key"), CASES)
def test_effects_equal_those_of_escalc(name, key):
    measure, options = HOW[key]
    effects = effect_sizes(table_of(METAFOR[name]["raw"]), measure, **options)
    yi, vi = (np.array(values, dtype=float) for values in METAFOR[name]["escalc"][key])
    np.testing.assert_array_equal(np.isnan(effects.yi), np.isnan(yi))
    np.testing.assert_allclose(effects.yi, yi, rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(effects.vi, vi, rtol=1e-10)


@pytest.mark.parametrize("name", ["bcg", "crins2014_ptld", "nielweise2007"])
def test_risk_differences_by_revmans_rule_equal_those_of_r_meta(name):
    effects = effect_sizes(table_of(META[name]["raw"]), "RD")
    np.testing.assert_allclose(effects.yi, META[name]["rd"][0], rtol=1e-10, atol=1e-13)
    np.testing.assert_allclose(effects.sei, META[name]["rd"][1], rtol=1e-10)


def test_the_exact_correction_agrees_with_its_closed_form():
    # Gamma(1)/Gamma(1/2) at df = 2, and 1 - 3/(4 df - 1) for large df.
    np.testing.assert_allclose(hedges_correction(np.array([2.0])), 1 / np.sqrt(np.pi), rtol=1e-14)
    np.testing.assert_allclose(hedges_correction(np.array([400.0])), 1 - 3 / 1599, rtol=1e-6)
    assert np.isnan(hedges_correction(np.array([1.0, 0.0]))).all()


def test_revmans_smd_is_that_of_its_formulas():
    # Trial A of PIP analysis 1.2: means 11.2 and 10.7, both sds 5.0, 54 and 56 participants.
    frame = pd.DataFrame(
        {"study": ["A"], "mean_e": [11.2], "sd_e": [5.0], "n_e": [54], "mean_c": [10.7], "sd_c": [5.0]}
    )
    effects = effect_sizes(read_studies(frame.assign(n_c=[56])), "smd", smd="revman")
    g = 0.1 * (1 - 3 / (4 * 110 - 9))
    np.testing.assert_allclose(effects.yi, [g], rtol=1e-12)
    np.testing.assert_allclose(effects.sei, [np.sqrt(110 / (54 * 56) + g**2 / (2 * (110 - 3.94)))], rtol=1e-12)


ZEROS = [(0, 10, 3, 10), (0, 12, 0, 11), (7, 7, 9, 9), (10, 10, 4, 10), (3, 9, 2, 9)]


@pytest.mark.parametrize(
    ("measure", "rule", "used", "corrected"),
    [
        ("RR", "revman", "10111", "10110"),
        ("OR", "revman", "10011", "10010"),
        ("RD", "revman", "11111", "11110"),
        ("PETO", "revman", "10011", "00000"),
        ("RR", "metafor", "11111", "11110"),
        ("PETO", "metafor", "11111", "11110"),
        ("RR", "metafor_drop00", "10011", "10010"),
        ("RD", "metafor_drop00", "10011", "10010"),
        ("OR", "all", "11111", "11111"),
        ("OR", "none", "00001", "00000"),
        ("RR", "none", "00011", "00000"),
        ("RD", "none", "10011", "00000"),
    ],
)
def test_zero_cell_rules_use_and_correct_their_studies(measure, rule, used, corrected):
    effects = effect_sizes(counts(*ZEROS), measure, zero_cells=rule)
    assert "".join("1" if here else "0" for here in effects.used) == used
    assert "".join("1" if note else "0" for note in effects.notes) == corrected
    assert all(bool(reason) != here for reason, here in zip(effects.reasons, effects.used, strict=True))
    np.testing.assert_array_equal(np.isfinite(effects.yi), effects.used)
    np.testing.assert_array_equal(np.isfinite(effects.vi), effects.used)


def test_a_study_that_is_not_estimable_has_a_reason_and_keeps_its_row():
    effects = effect_sizes(counts(*ZEROS), "OR")
    assert effects.labels == tuple(f"study {i}" for i in range(1, 6))
    assert effects.reasons[1] == "no events in either arm: OR not estimable"
    assert effects.reasons[2] == "every participant in both arms had the event: OR not estimable"
    assert effects.notes[0] == "0.5 added to all four cells"
    assert (effects.k, effects.n) == (3, 20 + 20 + 18)


def test_a_risk_ratio_of_events_in_everyone_is_one_by_the_rule_of_revman():
    effects = effect_sizes(counts((15, 15, 4, 4), (3, 10, 4, 10)), "RR")
    assert effects.yi[0] == 0
    # the variance of the cells with 0.5 added
    assert effects.vi[0] == pytest.approx(1 / 15.5 - 1 / 16 + 1 / 4.5 - 1 / 5, rel=1e-12)
    assert effects.notes[0] == "0.5 added to all four cells for the variance"
    for rule in ("metafor_drop00", "none"):
        assert not effect_sizes(counts((15, 15, 4, 4), (3, 10, 4, 10)), "RR", zero_cells=rule).used[0]


def test_excluded_rows_keep_their_reason_and_are_not_checked():
    effects = effect_sizes(counts((3, 10, 4, 10), (84, 21, 4, 20), exclusions=("", "events above total")), "OR")
    assert effects.reasons == ("", "events above total")
    assert np.isnan(effects.yi[1])
    frame = effects.to_frame()
    assert list(frame.columns) == ["study", "yi", "vi", "sei", "used", "reason", "note"]
    assert list(frame["used"]) == [True, False]


def test_a_blank_number_leaves_its_row_out_with_a_reason():
    effects = effect_sizes(counts((3, 10, 4, 10), (3, 10, np.nan, 12)), "RR")
    assert effects.reasons == ("", "events_c missing")


def test_impossible_counts_name_the_study_and_the_column():
    with pytest.raises(DataError, match=r"row study 2, column 'events_e': events_e = 84 is more than the arm's total"):
        effect_sizes(counts((3, 10, 4, 10), (84, 21, 4, 20)), "RR")


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: effect_sizes(counts(ZEROS[4]), "SDM"), "unknown measure 'SDM'; did you mean 'SMD'"),
        (lambda: effect_sizes(counts(ZEROS[4]), "RR", zero_cells="cochrane"), "unknown zero-cell rule"),
        (lambda: effect_sizes(counts(ZEROS[4]), "RR", smd="cohen"), "unknown smd formula"),
        (lambda: effect_sizes(counts(ZEROS[4]), "RR", estimates="natural"), "is for ready-made estimates"),
        (lambda: effect_sizes(counts(ZEROS[4]), "RD", estimates="natural"), "suits ratios only"),
        (lambda: effect_sizes(counts(ZEROS[4]), "RR", data_level=95), "level must be between 0 and 1"),
        (lambda: effects_from_arrays([1.0], [1.0], [1.0]), "exactly one of vi"),
    ],
)
def test_requests_that_cannot_be_carried_out(call, match):
    with pytest.raises(SpecError, match=match):
        call()


def test_the_error_for_data_of_the_wrong_kind_names_the_columns():
    with pytest.raises(
        DataError, match=r"SMD cannot be computed from dichotomous data\n.*mean_e sd_e n_e mean_c sd_c n_c"
    ):
        effect_sizes(counts(ZEROS[4]), "SMD")


def test_names_are_not_case_sensitive_and_logs_are_marked():
    assert effect_sizes(counts(ZEROS[4]), "rr").measure == "RR"
    assert [name for name, measure in MEASURES.items() if not measure.log] == ["SMD", "MD", "RD", "GEN"]
    assert all(measure.null == 0 for measure in MEASURES.values())


def test_ready_made_estimates_have_a_standard_error_or_an_interval():
    table = estimates(
        yi=[0.5, 0.2, 0.1], sei=[0.1, np.nan, np.nan], ci_low=[np.nan, 0.0, np.nan], ci_high=[np.nan, 0.4, 0.3]
    )
    effects = effect_sizes(table, "GEN", data_level=0.9)
    np.testing.assert_allclose(effects.sei[:2], [0.1, 0.2 / 1.6448536269514722], rtol=1e-12)
    assert effects.reasons[2] == "sei (or ci_low and ci_high) missing"
    assert effects.notes[1] == "standard error from the 90% confidence interval"
    assert np.isnan(effects.n)


def test_ratios_on_the_natural_scale_are_logged():
    table = estimates(yi=[0.74, 8.93], ci_low=[0.52, 1.25], ci_high=[1.04, 63.70])
    effects = effect_sizes(table, "HR", estimates="natural")
    np.testing.assert_allclose(effects.yi, np.log([0.74, 8.93]), rtol=1e-14)
    np.testing.assert_allclose(effects.sei[0], np.log(1.04 / 0.52) / (2 * 1.959963984540054), rtol=1e-12)
    assert effects.log


@pytest.mark.parametrize(
    ("columns", "scale", "match"),
    [
        ({"yi": [0.9], "ci_low": [0.5], "ci_high": [1.04]}, "natural", "not symmetric on the log scale"),
        ({"yi": [0.74], "ci_low": [0.52], "ci_high": [1.04]}, "log", "if these are ratios"),
        ({"yi": [-0.3], "ci_low": [-0.7], "ci_high": [0.1]}, "natural", "-0.7 cannot be a ratio"),
        ({"yi": [0.3], "ci_low": [0.7], "ci_high": [0.1]}, "log", "ci_low = 0.7 is above ci_high = 0.1"),
        ({"yi": [0.3], "sei": [-0.1]}, "log", "sei = -0.1 is negative"),
        ({"yi": [0.3], "sei": [0.1]}, "natural", "need ci_low and ci_high"),
    ],
)
def test_inconsistent_estimates_are_errors(columns, scale, match):
    with pytest.raises(DataError, match=match):
        effect_sizes(estimates(**columns), "HR", estimates=scale)


def test_o_minus_e_gives_the_log_ratio():
    table = StudyTable(("A", "B"), {"oe": np.array([-4.0, 1.0]), "v": np.array([8.0, 0.0])})
    effects = effect_sizes(table, "OE")
    assert (effects.yi[0], effects.vi[0]) == (-0.5, 0.125)
    assert effects.reasons[1] == "OE is undefined for these numbers: not estimable"
    np.testing.assert_array_equal(effect_sizes(table, "HR").yi, effects.yi)


def test_continuous_rows_without_a_defined_effect():
    names = ("mean_e", "sd_e", "n_e", "mean_c", "sd_c", "n_c")
    rows = np.array([(1.0, 0.0, 9, 2.0, 0.0, 9), (-1.0, 1.0, 9, 2.0, 1.0, 9)])
    table = StudyTable(("A", "B"), dict(zip(names, rows.T, strict=True)))
    assert "standard deviation is zero" in effect_sizes(table, "SMD").reasons[0]
    assert effect_sizes(table, "MD").reasons[0] == "its variance is zero: MD not estimable"
    assert "means are not both positive" in effect_sizes(table, "ROM").reasons[1]


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"yi": [0.1, 0.2], "vi": [0.1]}, r"yi has shape \(2,\) and vi has shape \(1,\)"),
        ({"yi": [0.1, np.nan], "vi": [0.1, 0.1]}, r"yi\[1\] = nan"),
        ({"yi": [0.1, 0.2], "vi": [-0.1, 0.1]}, r"vi\[0\] = -0.1, but should be finite and above 0"),
        ({"yi": [0.1, 0.2], "sei": [0.1, 0.0]}, r"sei\[1\] = 0"),
        ({"yi": [0.1], "vi": [0.1], "labels": ["a", "b"]}, "2 labels for 1 effects"),
    ],
)
def test_the_error_for_unusable_arrays_names_the_index(kwargs, match):
    with pytest.raises(DataError, match=match):
        effects_from_arrays(**kwargs)


def test_arrays_become_effects():
    effects = effects_from_arrays([0.1, 0.2], sei=[0.5, 0.25])
    assert isinstance(effects, Effects)
    assert effects.labels == ("1", "2")
    np.testing.assert_array_equal(effects.vi, [0.25, 0.0625])


arm = st.tuples(st.integers(0, 30), st.integers(0, 30)).filter(lambda pair: sum(pair) > 0)


@settings(max_examples=60)
@given(st.lists(st.tuples(arm, arm), min_size=1, max_size=5), st.sampled_from(["RR", "OR", "RD", "PETO"]))
def test_swapping_the_arms_of_counts_flips_the_sign(tables, measure):
    here = effect_sizes(counts(*[(a, a + b, c, c + d) for (a, b), (c, d) in tables]), measure)
    there = effect_sizes(counts(*[(c, c + d, a, a + b) for (a, b), (c, d) in tables]), measure)
    np.testing.assert_allclose(here.yi, -there.yi, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(here.vi, there.vi, rtol=1e-12)
    assert here.reasons == there.reasons


positive = st.floats(0.1, 50)


@settings(max_examples=60)
@given(
    positive,
    positive,
    positive,
    positive,
    st.integers(3, 80),
    st.integers(3, 80),
    st.sampled_from(["SMD", "MD", "ROM"]),
)
def test_swapping_the_arms_of_means_flips_the_sign(m_e, sd_e, m_c, sd_c, n_e, n_c, measure):
    names = ("mean_e", "sd_e", "n_e", "mean_c", "sd_c", "n_c")

    def effects(*row):
        return effect_sizes(
            StudyTable(("A",), {name: np.array([v]) for name, v in zip(names, row, strict=True)}), measure
        )

    here, there = effects(m_e, sd_e, n_e, m_c, sd_c, n_c), effects(m_c, sd_c, n_c, m_e, sd_e, n_e)
    np.testing.assert_allclose(here.yi, -there.yi, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(here.vi, there.vi, rtol=1e-10)


def rates(*rows, exclusions=()):
    labels = tuple(f"study {i + 1}" for i in range(len(rows)))
    columns = dict(zip(("events_e", "time_e", "events_c", "time_c"), np.array(rows, float).T, strict=True))
    return StudyTable(labels, columns, exclusions=exclusions)


#: rows and what metafor's escalc(measure="IRR") computes from them: log(x1/t1) - log(x2/t2), 1/x1 + 1/x2,
#: 0.5 added to both counts where one is zero (add=1/2, to="only0")
RATES = [
    (7, 1344.0, 11, 1988.0),
    (8, 1600.0, 8, 1460.0),
    (0, 1162.5, 1, 1189.5),
    (4, 516.0, 0, 501.0),
    (0, 300.0, 0, 310.0),
]
IRR = [
    (np.log(7 / 1344) - np.log(11 / 1988), 1 / 7 + 1 / 11),
    (np.log(1460 / 1600), 0.25),
    (np.log(0.5 / 1162.5) - np.log(1.5 / 1189.5), 2 + 2 / 3),
    (np.log(4.5 / 516) - np.log(0.5 / 501), 2 / 9 + 2),
    (np.log(310 / 300), 4.0),
]


@pytest.mark.parametrize(
    ("rule", "used"),
    [
        ("metafor", [1, 1, 1, 1, 1]),
        ("metafor_drop00", [1, 1, 1, 1, 0]),
        ("revman", [1, 1, 1, 1, 0]),
        ("none", [1, 1, 0, 0, 0]),
    ],
)
def test_rate_ratios_are_those_of_escalc(rule, used):
    effects = effect_sizes(rates(*RATES), "IRR", zero_cells=rule)
    np.testing.assert_array_equal(effects.used, used)
    for i, (yi, vi) in enumerate(IRR):
        if used[i]:
            assert effects.yi[i] == pytest.approx(yi, rel=1e-12)
            assert effects.vi[i] == pytest.approx(vi, rel=1e-12)
            assert (effects.notes[i] == "0.5 added to the events of both arms") is (i > 1)
    assert effects.log
    assert np.isnan(effects.n)


def test_rates_with_half_an_event_added_to_every_study():
    effects = effect_sizes(rates(*RATES), "irr", zero_cells="all")
    assert effects.vi[0] == pytest.approx(1 / 7.5 + 1 / 11.5, rel=1e-12)
    assert effects.k == 5


def test_rates_that_are_not_estimable_have_a_reason():
    effects = effect_sizes(rates(*RATES), "IRR")
    assert effects.reasons[4] == "no events in either arm: IRR not estimable"
    none = effect_sizes(rates(*RATES), "IRR", zero_cells="none")
    assert none.reasons[2] == "an arm has no events and nothing is added: IRR not estimable"
    assert "left out by the rule" in effect_sizes(rates(*RATES), "IRR", zero_cells="metafor_drop00").reasons[4]
    with pytest.raises(DataError, match=r"time_c = 0 is not positive"):
        effect_sizes(rates((3, 100, 4, 0)), "IRR")
    with pytest.raises(DataError, match=r"events_e = -3 is negative"):
        effect_sizes(rates((-3, 100, 4, 10)), "IRR")
    with pytest.raises(
        DataError, match=r"(?s)IRR cannot be computed from dichotomous data.*events_e time_e events_c time_c"
    ):
        effect_sizes(counts((3, 10, 4, 10)), "IRR")
    with pytest.raises(DataError, match="RR cannot be computed from rates data"):
        effect_sizes(rates((3, 10, 4, 10)), "RR")


def test_a_table_with_person_time_and_participants_is_for_both_measures():
    table = read_studies(
        pd.DataFrame(
            {"study": ["A", "B"], "events_e": [3, 2], "n_e": [40, 9], "time_e": [38.5, 8.0], "events_c": [7, 1], "n_c": [41, 9],
             "time_c": [37.5, 8.5]}
        )
    )  # fmt: skip
    rate = effect_sizes(table, "IRR")
    assert rate.yi[0] == pytest.approx(np.log(3 / 38.5) - np.log(7 / 37.5), rel=1e-12)
    assert effect_sizes(table, "RR").yi[0] == pytest.approx(np.log(3 / 40) - np.log(7 / 41), rel=1e-12)
    assert rate.n == 99


def test_ready_made_rate_ratios():
    effects = effect_sizes(estimates(yi=[0.8], ci_low=[0.5], ci_high=[1.28]), "IRR", estimates="natural")
    assert effects.yi[0] == pytest.approx(np.log(0.8))
