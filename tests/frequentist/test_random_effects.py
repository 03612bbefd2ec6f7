"""Random-effects results against metafor and R meta, their equivariance, boundary cases and refused arguments."""

import json
import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from paths import REFERENCE_FOLDER

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.effects import effects_from_arrays
from bayesmeta.errors import DataError, SpecError
from bayesmeta.frequentist.common_effect import mantel_haenszel
from bayesmeta.frequentist.names import CI_METHODS, METHODS
from bayesmeta.frequentist.random_effects import random_effects
from bayesmeta.studies.table import StudyTable

METAFOR = json.loads((REFERENCE_FOLDER / "metafor_extract.json").read_text())["datasets"]
META = json.loads((REFERENCE_FOLDER / "meta_extract.json").read_text())["datasets"]

FITS = [(name, measure) for name, entry in METAFOR.items() for measure in entry["fits"]]
ITERATED = {"ML", "REML", "EB", "PM"}
CI = {"z": ("wald", "z", "hts"), "t": ("t", "v", "hts"), "knha": ("hksj", "hk", "hk_pr")}
CI["adhoc"] = ("hksj_guarded", "hk", "hk_pr")
ARRAY_METHODS = [name for name, record in METHODS.items() if not record.mantel_haenszel_q]


def effects_of(name, measure):
    raw = METAFOR[name]["raw"]
    if raw["kind"] == "generic":
        return effects_from_arrays(raw["yi"], raw["vi"])
    names = {"events_e": "ai", "n_e": "n1i", "events_c": "ci", "n_c": "n2i"}
    if raw["kind"] == "continuous":
        names = {"mean_e": "m1i", "sd_e": "sd1i", "n_e": "n1i", "mean_c": "m2i", "sd_c": "sd2i", "n_c": "n2i"}
    table = StudyTable(tuple(raw["slab"]), {ours: np.array(raw[theirs], float) for ours, theirs in names.items()})
    return effect_sizes(table, measure.partition("_")[0], zero_cells="metafor")


def close(got, reference, rtol, atol=1e-12):
    reference = [math.nan if value is None else value for value in reference]
    np.testing.assert_allclose(got, reference, rtol=rtol, atol=atol)


@pytest.mark.parametrize(("name", "measure"), FITS)
def test_every_method_and_interval_equals_metafors(name, measure):
    effects = effects_of(name, measure)
    for method, reference in METAFOR[name]["fits"][measure]["uni"].items():
        # metafor stops ML and REML at an absolute change of 1e-12 in tau2, which is 4e-8 of the smallest tau2 here.
        rtol = 1e-6 if method in ITERATED else 1e-8
        for test, (ci, pi, riley) in CI.items():
            fit = random_effects(effects, method=method, ci=ci, pi=pi)
            close(
                [fit.estimate, fit.tau2, fit.i2, fit.h2, fit.q, fit.q_pvalue],
                reference["fit"],
                rtol,
                atol=1e-11 * fit.h2,
            )
            other = random_effects(effects, method=method, ci=ci, pi=riley)
            got = [fit.se, fit.statistic, fit.pvalue, fit.ci_low, fit.ci_high, fit.pi_low, fit.pi_high]
            close(got, reference[test][:7], rtol)
            # With two studies Riley's interval has no degree of freedom: NaN here and in R meta, one df in the reference.
            close([other.pi_low, other.pi_high], reference[test][7:] if fit.k > 2 else [None, None], rtol)


@pytest.mark.parametrize(("name", "measure"), FITS)
def test_q_profile_limits_equal_metafors(name, measure):
    effects = effects_of(name, measure)
    for method, reference in METAFOR[name]["fits"][measure]["qp"].items():
        fit = random_effects(effects, method=method)
        # uniroot stops at an absolute 1e-12 or so, which is 2e-7 of the smallest limit here.
        close([fit.tau2, fit.tau2_ci_low, fit.tau2_ci_high], reference["tau2"], 1e-6)
        close([fit.i2, fit.i2_ci_low, fit.i2_ci_high], reference["I2"], 1e-6, atol=1e-9)
        close([fit.h2, fit.h2_ci_low, fit.h2_ci_high], reference["H2"], 1e-6)


@pytest.mark.parametrize("name", ["rubin1981", "crins2014_ptld"])
def test_prediction_intervals_equal_those_of_r_meta(name):
    for theirs, (ci, ours) in {
        "V": ("wald", "v"),
        "HTS": ("wald", "hts"),
        "HK": ("hksj", "hk"),
        "HK-PR": ("hksj", "hk_pr"),
        "S": ("wald", "z"),
    }.items():
        fit = random_effects(yi=META[name]["TE"], sei=META[name]["seTE"], method="REML", ci=ci, pi=ours)
        close([fit.pi_low, fit.pi_high], META[name]["predict"][theirs], 1e-8)
    guarded = random_effects(yi=META[name]["TE"], sei=META[name]["seTE"], method="REML", ci="hksj_guarded")
    close([guarded.se], [META[name]["HK_adhoc_se"]], 1e-8)


def test_auto_prediction_intervals_follow_the_confidence_interval():
    effects = effects_of("bcg", "RR")
    assert [random_effects(effects, ci=ci).pi for ci in ("wald", "t", "hksj", "hksj_guarded")] == [
        "hts",
        "hts",
        "hk",
        "hk",
    ]


def test_dl_mh_takes_q_around_the_mantel_haenszel_estimate_of_revman():
    effects = effects_of("nielweise2007", "RR")
    effects = effect_sizes(effects.studies, "RR")
    centre = mantel_haenszel(effects.studies, "RR", rule="revman").estimate
    y, w = effects.yi[effects.used], 1 / effects.vi[effects.used]
    q = float(np.sum(w * (y - centre) ** 2))
    tau2 = max(0.0, (q - (len(y) - 1)) / (w.sum() - (w**2).sum() / w.sum()))
    fit = random_effects(effects, method="dl-mh")
    close([fit.q, fit.tau2, fit.i2], [q, tau2, 100 * max(0, (q - len(y) + 1) / q)], 1e-12)
    assert fit.q > random_effects(effects, method="DL").q
    w = 1 / (effects.vi[effects.used] + tau2)
    close([fit.estimate], [float(w @ y / w.sum())], 1e-12)
    assert effects.k == 17
    assert (fit.weights == 0).sum() == 1
    assert fit.n == sum(effects.studies.columns["n_e"] + effects.studies.columns["n_c"]) - 223


def test_one_study_alone_is_its_own_estimate():
    for method in ARRAY_METHODS:
        for ci in CI_METHODS:
            fit = random_effects(yi=[0.4], sei=[0.2], method=method, ci=ci)
            close([fit.estimate, fit.se, fit.ci_high, fit.tau2], [0.4, 0.2, 0.4 + 0.2 * 1.959963984540054, 0.0], 1e-12)
            close([fit.i2, fit.h2, fit.q, fit.q_pvalue], [0, 1, 0, 1], 1e-12)
            assert np.isnan([fit.pi_low, fit.pi_high, fit.tau2_ci_low, fit.tau2_ci_high, fit.i2_ci_high]).all()
            assert any("one study" in note for note in fit.notes)


def test_identical_effects_have_no_heterogeneity():
    for method in ARRAY_METHODS:
        fit = random_effects(yi=[0.3] * 4, vi=[0.1, 0.2, 0.3, 0.4], method=method, ci="hksj")
        assert fit.tau2 == 0
        assert fit.i2 == 0
        assert (fit.tau2_ci_low, fit.tau2_ci_high) == (
            (0, 0) if method != "CE" else (pytest.approx(math.nan, nan_ok=True),) * 2
        )
        assert fit.se < 1e-15
        assert any("hksj_guarded" in note for note in fit.notes)


def test_an_unguarded_hartung_knapp_interval_narrower_than_wald_is_noted():
    yi, vi = [0.30, 0.31, 0.29], [0.04, 0.05, 0.06]
    loose, guarded = (random_effects(yi=yi, vi=vi, ci=ci) for ci in ("hksj", "hksj_guarded"))
    assert "factor" in loose.notes[0]
    assert guarded.notes == ()
    assert guarded.se == random_effects(yi=yi, vi=vi).se > loose.se


@pytest.mark.parametrize("scale", [1e-6, 1e-3, 1e5])
@pytest.mark.parametrize("method", ARRAY_METHODS)
def test_the_unit_of_the_outcome_does_not_matter(method, scale):
    yi, vi = np.array([0.1, 0.9, -0.4, 0.5, 1.4]), np.array([0.05, 0.02, 0.1, 0.04, 0.08])
    one, other = (
        random_effects(yi=yi, vi=vi, method=method),
        random_effects(yi=yi * scale, vi=vi * scale**2, method=method),
    )
    close([other.tau2, other.tau2_ci_high], [one.tau2 * scale**2, one.tau2_ci_high * scale**2], 1e-9, atol=0)
    assert method == "CE" or other.tau2 > 0


effect = st.floats(-3, 3)
variance = st.floats(0.01, 2)
studies = st.lists(st.tuples(effect, variance), min_size=2, max_size=9)
SCALAR = (
    "estimate",
    "se",
    "ci_low",
    "ci_high",
    "tau2",
    "tau2_ci_low",
    "tau2_ci_high",
    "i2",
    "h2",
    "q",
    "pi_low",
    "pi_high",
)


@settings(max_examples=40)
@given(studies, st.sampled_from(ARRAY_METHODS), st.sampled_from(list(CI_METHODS)), st.randoms())
def test_the_order_of_the_studies_does_not_matter(rows, method, ci, random):
    shuffled = random.sample(range(len(rows)), len(rows))
    y, v = np.array(rows).T
    here, there = (random_effects(yi=y[o], vi=v[o], method=method, ci=ci) for o in (list(range(len(y))), shuffled))
    close([getattr(there, f) for f in SCALAR], [getattr(here, f) for f in SCALAR], 1e-7, atol=1e-8)
    close(there.weights, here.weights[shuffled], 1e-7)
    assert here.weights.sum() == pytest.approx(1)


@settings(max_examples=40)
@given(studies, st.sampled_from(ARRAY_METHODS), st.floats(0.01, 100), st.floats(-50, 50))
def test_shifting_and_scaling_the_effects_shifts_and_scales_the_result(rows, method, scale, shift):
    y, v = np.array(rows).T
    one = random_effects(yi=y, vi=v, method=method)
    other = random_effects(yi=y * scale + shift, vi=v * scale**2, method=method)
    atol = 1e-7 * scale
    close([other.estimate, other.ci_low], [one.estimate * scale + shift, one.ci_low * scale + shift], 1e-7, atol=atol)
    close([other.se], [one.se * scale], 1e-7, atol=atol)
    close(
        [other.tau2, other.tau2_ci_high], [one.tau2 * scale**2, one.tau2_ci_high * scale**2], 1e-6, atol=1e-8 * scale**2
    )
    close([other.i2, other.q], [one.i2, one.q], 1e-6, atol=1e-6)


@settings(max_examples=40)
@given(studies, st.sampled_from(ARRAY_METHODS))
def test_reversing_the_signs_of_the_effects_reverses_the_result(rows, method):
    y, v = np.array(rows).T
    assume(np.ptp(y) > 1e-3)
    here, there = random_effects(yi=y, vi=v, method=method), random_effects(yi=-y, vi=v, method=method)
    close([here.estimate, here.ci_low, here.tau2], [-there.estimate, -there.ci_high, there.tau2], 1e-9)


@pytest.mark.parametrize(
    ("kwargs", "match"),
    [
        ({"method": "DSL"}, "unknown method 'DSL'"),
        ({"method": "REMl."}, "did you mean 'REML'"),
        ({"ci": "hk"}, "unknown confidence interval 'hk'"),
        ({"pi": "riley"}, "unknown prediction interval 'riley'"),
        ({"level": 95}, "level must be between 0 and 1 but got 95"),
        ({"method": "DL-MH"}, "needs RR, OR or RD effects"),
    ],
)
def test_unknown_names_are_refused(kwargs, match):
    with pytest.raises(SpecError, match=match):
        random_effects(yi=[0.1, 0.2], vi=[0.1, 0.1], **kwargs)


def test_contradictory_or_empty_input_is_refused():
    with pytest.raises(SpecError, match="give either a study table or yi"):
        random_effects()
    with pytest.raises(SpecError, match="not both"):
        random_effects(effects_from_arrays([0.1], [0.1]), yi=[0.1])
    with pytest.raises(SpecError, match="a study table is the path of a file or a pandas DataFrame; got list"):
        random_effects([0.1, 0.2])
    with pytest.raises(DataError, match="no study is left to pool"):
        random_effects(yi=[], vi=[])


def test_method_aliases():
    for name in ("ce", "FE", "ee", "common"):
        assert random_effects(yi=[0.1, 0.4], vi=[0.1, 0.1], method=name).method == "CE"
