"""The figures of a calibration study show what they are given."""

import numpy as np
import pandas as pd
import pytest

from bayesmeta.calibration.figures import STYLES, coverage_figure, rank_figure, rare_figure


def frame(**more: object) -> pd.DataFrame:
    rows = [
        {
            "events": events, "tau": tau, "k": k, "method": method, "coverage": 0.9 + 0.01 * i, "coverage_se": 0.005,
            "prediction": np.nan if method == "MH" else 0.93, "prediction_se": 0.004, "bias": 0.1 * i, "bias_se": 0.01, **more,
        }
        for events in ("common events", "rare events") for tau in (0.0, 0.3) for k in (2, 5, 10)
        for i, method in enumerate(("DL", "MH", "Bayes normal"))
    ]  # fmt: skip
    return pd.DataFrame(rows)


def test_coverage_has_a_panel_for_each_kind_of_events_and_tau() -> None:
    figure = coverage_figure(frame(), "Coverage")
    assert len(figure.axes) == 4
    assert [axes.get_title(loc="left") for axes in figure.axes][:2] == [
        "Common events, τ = 0",
        "Common events, τ = 0.3",
    ]
    panel = figure.axes[0]
    lines = {container.get_label(): container[0] for container in panel.containers}
    assert list(lines) == ["DL", "MH", "Bayes normal"]
    np.testing.assert_allclose(lines["Bayes normal"].get_ydata(), 92.0)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == list(lines)


def test_what_lies_below_the_frame_is_drawn_on_its_edge() -> None:
    panel = coverage_figure(frame(coverage=0.2), "Coverage").axes[0]
    assert panel.containers[0][0].get_ydata().tolist() == [panel.get_ylim()[0]] * 3
    labels = [text.get_text() for text in panel.get_yticklabels()]
    assert labels[0] == "≤75"
    # no label shows it where no value is below
    plain = coverage_figure(frame(), "Coverage").axes[0]
    assert "≤" not in "".join(text.get_text() for text in plain.get_yticklabels())


def test_standard_errors_do_not_leave_the_frame() -> None:
    panel = coverage_figure(frame(coverage=0.751), "Coverage").axes[0]
    ends = np.concatenate([path.vertices[:, 1] for path in panel.containers[0][2][0].get_paths()])
    assert ends.min() == pytest.approx(75.0)
    assert ends.max() == pytest.approx(76.1)


def test_a_method_without_prediction_intervals_is_left_out_of_their_figure() -> None:
    figure = coverage_figure(frame(), "Prediction", quantity="prediction")
    assert "MH" not in [text.get_text() for text in figure.legends[0].get_texts()]


def test_bias_is_on_its_own_scale() -> None:
    lines = coverage_figure(frame(), "Bias", quantity="bias").axes[0].containers
    np.testing.assert_allclose(lines[2][0].get_ydata(), 0.2)


def test_rare_events_have_a_row_a_method_from_the_top_down() -> None:
    given = frame()
    figure = rare_figure(given[given["k"] == 2], "Rare", methods=("Bayes normal", "DL", "absent"))
    assert len(figure.axes) == 4
    labels = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    assert labels == ["Bayes normal", "DL"]
    assert list(figure.axes[0].get_yticks()) == [0, -1]
    points = figure.axes[0].containers[0][0]
    np.testing.assert_allclose(points.get_xdata(), [0.2, 0.0])


def test_ranks_have_a_histogram_and_their_distance_from_uniform_with_its_band() -> None:
    rng = np.random.default_rng(1)
    ranks = {"mu": rng.uniform(size=400), "tau": np.append(rng.beta(3, 3, size=399), np.nan)}
    figure = rank_figure(ranks, "Ranks")
    assert len(figure.axes) == 4
    far, band = [], []
    for axes in figure.axes[2:]:
        far.append(np.abs(axes.lines[-1].get_ydata()).max())
        band.append(axes.collections[0].get_paths()[0].vertices[:, 1].max())
    assert far[0] < band[0]
    assert far[1] > band[1]


@pytest.mark.parametrize("which", [0, 2])
def test_the_styles_can_be_told_apart(which: int) -> None:
    assert len({(style[0], style[which]) for style in STYLES.values()}) == len(STYLES)
