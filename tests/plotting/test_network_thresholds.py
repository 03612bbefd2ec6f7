"""Threshold figure: bands, alerts, text, and its plain values."""

import numpy as np
import pytest
from network_examples import check_texts, pair, senn, smoking, texts

import bayesmeta as bm
from bayesmeta.plotting.network_thresholds import threshold_rows
from bayesmeta.reporting.figures.network_threshold import ThresholdRow, threshold_figure


@pytest.fixture(scope="module")
def analysis():
    return bm.threshold_analysis(bm.network_meta(smoking(), method="DL", reference="No contact"), better="higher")


def test_rows_are_those_of_the_analysis(analysis):
    rows = threshold_rows(analysis)
    assert [row.label for row in rows] == list(analysis.table.index)
    for row, (_, found) in zip(rows, analysis.table.iterrows(), strict=True):
        np.testing.assert_allclose(
            np.log([row.estimate, row.low, row.high]), found[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float)
        )
        assert row.invariant_high == np.exp(found["invariant_high"])


def test_figure_of_contrasts(analysis):
    figure = bm.threshold_plot(analysis, title="Smoking cessation")
    check_texts(figure)
    rows = threshold_rows(analysis)
    bold = " ".join(text.get_text() for text in figure.texts if text.get_fontweight() == "bold")
    inside = {row.label for row in rows if row.invariant_low > row.low or row.invariant_high < row.high}
    assert all(name in bold for name in inside)
    assert inside == set(analysis.table.index[analysis.table["sensitive"]])
    assert not any(row.label in bold for row in rows if row.label not in inside)
    assert figure.axes[0].get_xscale() == "log"
    assert any("τ stays as it is" in text for text in texts(figure))
    bands = [part for part in figure.axes[0].collections if part.get_label() == "band"]
    assert len(bands) >= len(rows)


def test_figures_of_trials_of_two_treatments_and_of_differences():
    net = bm.network_meta(senn(), "MD", method="REML", reference="Placebo")
    found = bm.threshold_analysis(net, by="study", better="lower")
    figure = bm.threshold_plot(found, most=8)
    check_texts(figure)
    assert any(f"{len(found.table) - 8} estimates with greater thresholds" in text for text in texts(figure))
    assert figure.axes[0].get_xscale() == "linear"
    check_texts(bm.threshold_plot(bm.threshold_analysis(bm.network_meta(pair(), "MD"), better="lower")))


def test_far_ends_and_none_are_written_as_such():
    rows = [
        ThresholdRow("A vs B", 0.9, 0.5, 1.6, 0.0, float("inf"), "", ""),
        ThresholdRow("A vs C", 0.9, 0.5, 1.6, 1e-9, 1e9, "B", "C"),
    ]
    figure = threshold_figure(rows, best="A", measure="OR", log=True)
    check_texts(figure)
    assert {"(–, –)", "(<0.001, >1000)"} <= set(texts(figure))
    low, high = figure.axes[0].get_xlim()
    assert low > 0.01
    assert high < 100


def test_errors(analysis):
    with pytest.raises(bm.SpecError, match="result of threshold_analysis"):
        bm.threshold_plot(analysis.table)
    with pytest.raises(bm.SpecError, match="whole number of at least 1"):
        bm.threshold_plot(analysis, most=0)
