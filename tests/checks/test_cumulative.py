"""Cumulative meta-analysis against R metafor's cumul and against fits of the studies so far, and what it refuses."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError

#: the BCG trials (Colditz et al. 1994), as in metafor's dat.bcg
BCG = pd.DataFrame(
    [
        ("Aronson", 1948, 4, 123, 11, 139), ("Ferguson & Simes", 1949, 6, 306, 29, 303), ("Rosenthal 1", 1960, 3, 231, 11, 220),
        ("Hart & Sutherland", 1977, 62, 13598, 248, 12867), ("Frimodt-Moller", 1973, 33, 5069, 47, 5808),
        ("Stein & Aronson", 1953, 180, 1541, 372, 1451), ("Vandiviere", 1973, 8, 2545, 10, 629),
        ("TPT Madras", 1980, 505, 88391, 499, 88391),
        ("Coetzee & Berjak", 1968, 29, 7499, 45, 7277), ("Rosenthal 2", 1961, 17, 1716, 65, 1665),
        ("Comstock 1", 1974, 186, 50634, 141, 27338),
        ("Comstock & Webster", 1969, 5, 2498, 3, 2341), ("Comstock 2", 1976, 27, 16913, 29, 17854),
    ],
    columns=["study", "year", "events_e", "n_e", "events_c", "n_c"],
)  # fmt: skip
#: metafor 3.8-1, cumul(rma(yi, vi, method="DL"), order=year): estimate, se, ci.lb, ci.ub, tau2
DL = """-0.8893113339 0.5706003549 -2.007667479 0.2290448112 0
-1.325003442 0.3489887723 -2.009008867 -0.6409980176 0
-0.9615353219 0.2335009609 -1.419188796 -0.5038818481 0.07543986586
-0.9523947426 0.1846264747 -1.314255984 -0.5905335015 0.04255151883
-1.099322287 0.1978234884 -1.4870492 -0.7115953747 0.08318907291
-0.9539942407 0.1676480881 -1.282578455 -0.625410026 0.07231906478
-0.8977333659 0.178315892 -1.247226092 -0.5482406396 0.09653290918
-0.7819364494 0.1739491757 -1.122870569 -0.4410023299 0.1219755496
-0.8531334163 0.1721442097 -1.190529867 -0.5157369652 0.1351035608
-0.7644612611 0.1542204076 -1.066727706 -0.4621948166 0.1278801554
-0.6881230659 0.1496155077 -0.9813640726 -0.3948820592 0.1382344135
-0.7900865999 0.1630846384 -1.109726618 -0.4704465822 0.2108852326
-0.7141172221 0.1787420895 -1.06444528 -0.3637891641 0.3087602629"""
#: the same with method="REML", whose Fisher scoring stops at 1e-5
REML = """-0.8893113339 0.5706003549 -2.007667479 0.2290448112 0
-1.325003442 0.3489887723 -2.009008867 -0.6409980176 0
-0.9720795578 0.245462907 -1.453178015 -0.4909811006 0.08720634162
-1.001093696 0.2222827598 -1.436759899 -0.5654274921 0.07626006639
-1.10142355 0.1996635938 -1.492757003 -0.7100900972 0.08575238543
-0.9734638761 0.187655281 -1.341261468 -0.6056662839 0.1046041449
-0.9012514364 0.1907398485 -1.27509467 -0.527408203 0.1204626919
-0.7885655671 0.196951328 -1.174583077 -0.4025480575 0.1780280859
-0.8656074717 0.196253289 -1.25025685 -0.4809580934 0.2023353325
-0.7852105438 0.1801434125 -1.138285144 -0.4321359433 0.2005466976
-0.7082062566 0.1783848884 -1.057834213 -0.3585782999 0.2280935698
-0.7947676109 0.1798777126 -1.147321449 -0.4422137727 0.2731830341
-0.7145323484 0.1797815318 -1.066897676 -0.362167021 0.313243326"""
ORDER = [0, 1, 5, 2, 9, 8, 11, 4, 6, 10, 12, 3, 7]


@pytest.fixture(scope="module")
def bcg():
    return bm.cumulative(BCG, measure="RR", likelihood="normal", better="lower")


@pytest.mark.parametrize(("method", "text", "tolerance"), [("DL", DL, 1e-9), ("REML", REML, 2e-4)])
def test_frequentist_results_are_those_of_metafor(bcg, method, text, tolerance):
    expected = np.array([[float(cell) for cell in line.split()] for line in text.splitlines()])
    rows = bcg[bcg["method"] == method]
    assert list(rows["study"]) == [BCG["study"][i] for i in ORDER]
    assert list(rows["year"]) == sorted(BCG["year"])
    assert list(rows["k"]) == list(range(1, 14))
    found = np.column_stack(
        [np.log(rows["estimate"]), rows["se"], np.log(rows["ci_low"]), np.log(rows["ci_high"]), rows["tau"] ** 2]
    )
    np.testing.assert_allclose(found, expected, atol=tolerance)
    assert rows["n"].iloc[1] == 123 + 139 + 306 + 303


def test_bayesian_results_are_those_of_fits_of_the_studies_so_far(bcg):
    rows = bcg[bcg["method"] == "bayes:normal:quadrature"].reset_index(drop=True)
    for k in (1, 4, 13):
        fitted = bm.fit(BCG.iloc[ORDER[:k]], measure="RR", likelihood="normal")
        assert np.log(rows.loc[k - 1, "estimate"]) == pytest.approx(fitted.quantile("mu", 0.5), abs=1e-9)
        assert np.log(rows.loc[k - 1, "pi_high"]) == pytest.approx(fitted.quantile("theta_new", 0.975), abs=1e-9)
        assert rows.loc[k - 1, "prob_benefit"] == pytest.approx(fitted.cdf("mu", 0.0), abs=1e-9)
        assert rows.loc[k - 1, "n"] == BCG.iloc[ORDER[:k]][["n_e", "n_c"]].to_numpy().sum()


def test_arm_level_results_count_studies_whose_effect_cannot_be_estimated():
    table = pd.DataFrame(
        {"study": ["A 2001", "B 2003", "C 1999", "D 2010"], "events_e": [0, 3, 5, 2], "n_e": [20, 30, 25, 40],
         "events_c": [0, 6, 9, 7], "n_c": [20, 31, 24, 41]}
    )  # fmt: skip
    frame = bm.cumulative(table, measure="OR", methods="DL")
    bayes = frame[frame["method"] == "bayes:binomial:quadrature"]
    assert list(bayes["study"]) == ["C 1999", "A 2001", "B 2003", "D 2010"]
    fitted = bm.fit(table.iloc[[2, 0]], measure="OR")
    assert np.log(bayes["estimate"].iloc[1]) == pytest.approx(fitted.quantile("mu", 0.5), abs=1e-9)
    # the frequentist result is that of the studies so far with an estimate
    assert list(frame[frame["method"] == "DL"]["k"]) == [1, 1, 2, 3]


YI, SEI = [0.3, 0.1, 0.5], [0.2, 0.1, 0.3]


def test_order_of_numbers_texts_names_and_ties():
    effects = bm.effect_sizes(yi=YI, sei=SEI, labels=["Ito 2004b", "Berg (1999)", "Cole 2004a"], measure="SMD")

    def order(**given):
        frame = bm.cumulative(effects, methods="DL", **given)
        return list(frame.loc[frame["method"] == "DL", "study"].str[0])

    assert order() == ["B", "I", "C"]
    assert order(by="dose", data={"dose": [10, 9, 100]}) == ["B", "I", "C"]
    assert order(by="date", data={"date": ["2020-02-01", "2019-12-31", "2020-01-05"]}) == ["B", "C", "I"]
    assert order(data={"Publication year": [2011, 2010, 2001]}) == ["C", "B", "I"]
    characteristics = pd.DataFrame({"study": ["Cole 2004a", "Ito 2004b", "Berg (1999)"], "year": [1, 2, 3]})
    assert order(data=characteristics) == ["C", "I", "B"]


def test_studies_without_a_year_are_named():
    effects = {"yi": YI, "sei": SEI, "measure": "SMD"}
    with pytest.raises(DataError, match="studies 'Trial B', 'Trial C' have no year, which orders a cumulative"):
        bm.cumulative(**effects, labels=["Trial 1999", "Trial B", "Trial C"])
    with pytest.raises(DataError, match="study 'B' has no year"):
        bm.cumulative(**effects, labels=["A", "B", "C"], data={"year": [2001, np.nan, 2004]})
    with pytest.raises(SpecError, match=r"unknown column for the order of studies 'yeer'.*did you mean"):
        bm.cumulative(**effects, labels=["A", "B", "C"], data={"year_": [1, 2, 3]}, by="yeer")
    with pytest.raises(SpecError, match="unknown method 'HKSJ'"):
        bm.cumulative(**effects, labels=["A 1999", "B 1999", "C 1999"], methods=("HKSJ",))


def test_a_hundred_studies_take_less_time_than_two_hundred_fits():
    """About a second of processor time, half of it needed; other processes slow down both sides of the comparison."""
    rng = np.random.default_rng(7)
    effects = bm.effect_sizes(yi=rng.normal(size=100), sei=rng.uniform(0.1, 0.4, 100), measure="SMD")

    def seconds(call):
        begin = time.process_time()
        call()
        return time.process_time() - begin

    bm.fit(effects).summary()
    twenty_fits = seconds(lambda: [bm.fit(effects).summary() for _ in range(20)])
    frames = []
    assert seconds(lambda: frames.append(bm.cumulative(effects, data={"year": np.arange(100)}))) < 10 * twenty_fits
    assert len(frames[0]) == 300


def test_the_figure_has_a_row_per_study_and_the_method_asked_for(bcg):
    figure = bm.cumulative_plot(bcg, better="lower", title="BCG", bands=(0.8, 1.25))
    texts = [text.get_text() for axes in figure.axes for text in axes.texts] + [
        text.get_text() for text in figure.texts
    ]
    assert sum(text.startswith("+ ") for text in texts) == 13
    assert "+ Aronson (1948)" in texts
    assert any("in the order of their year. Bayesian" in text for text in texts)
    last = bcg[bcg["method"] == "DL"].iloc[-1]
    shown = bm.cumulative_plot(bcg, method="DL")
    texts = " ".join(text.get_text() for axes in shown.axes for text in axes.texts)
    texts += " ".join(text.get_text() for text in shown.texts)
    assert f"{last['estimate']:.2f} [{last['ci_low']:.2f}, {last['ci_high']:.2f}]" in texts
    with pytest.raises(SpecError, match="unknown method 'PM'"):
        bm.cumulative_plot(bcg, method="PM")
    with pytest.raises(SpecError, match=r"takes the table of cumulative"):
        bm.cumulative_plot(BCG)
