"""Figures: their contents and layout, and that they are saved whole and reproducibly."""

import errno
import itertools
import math
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.collections import PathCollection
from matplotlib.patches import Polygon
from matplotlib.text import Text

from bayesmeta.errors import DataError, SpecError
from bayesmeta.reporting.figures.alignment import without_alignment
from bayesmeta.reporting.figures.forest import forest
from bayesmeta.reporting.figures.rows import ForestStudy, ForestSummary
from bayesmeta.reporting.figures.save import save
from bayesmeta.reporting.figures.tau import tau_plot

NAN = math.nan
FOOTNOTE = (
    "Study data reconstructed to agree with the published pooled results; not for inference about parent-infant "
    "psychotherapy. Arrowheads mark intervals that run beyond the axis."
)
NOT_ESTIMABLE = "not estimable: no events in either arm"


def ratio(label, cells, log_estimate, se, weight, note=""):
    low, high = math.exp(log_estimate - 1.96 * se), math.exp(log_estimate + 1.96 * se)
    shrunk = [math.exp(0.8 * log_estimate + z * se) if weight == weight else NAN for z in (0, -1.5, 1.5)]
    return ForestStudy(label, cells, math.exp(log_estimate), low, high, weight, *shrunk, note)


def empty(label, cells, note, shrunk=(NAN, NAN, NAN)):
    return ForestStudy(label, cells, NAN, NAN, NAN, NAN, *shrunk, note)


def two_trials():
    """Secure attachment: very wide intervals."""
    studies = [
        ratio("Trial E", ("45/59", "6/31"), 1.371, 0.374, 56.1),
        ratio("Trial F", ("29/38", "1/40"), 3.419, 0.992, 43.9),
    ]
    pooled = [
        ForestSummary("Bayesian (binomial), 95% CrI", 8.4, 3, 22, 0.9, 80, "bayes"),
        ForestSummary("DerSimonian-Laird, 95% CI", 8.93, 1.25, 63.70, NAN, NAN, "frequentist"),
        ForestSummary("Published", 8.93, 1.25, 63.70, NAN, NAN, "published"),
    ]
    return forest(
        studies,
        pooled,
        measure="RR",
        log=True,
        title="1.8 Secure attachment",
        arm_headers=("Events/N", "Events/N"),
        arm_groups=(("PIP", 1), ("Control", 1)),
        favours=("Favours control", "Favours PIP"),
        heterogeneity="τ² = 1.42, I² = 69%, Q = 3.26",
        footnote=FOOTNOTE,
    )


def six_columns():
    cells = ("-7.9", "4.2", "34", "9.7", "4.4", "46")
    studies = [
        ForestStudy(f"Trial {name}", cells, y, y - 0.44, y + 0.44, 25, 0.8 * y, 0.8 * y - 0.3, 0.8 * y + 0.3)
        for name, y in zip("ABCD", (-0.42, 0.02, -0.35, -0.21), strict=True)
    ]
    pooled = [
        ForestSummary("Bayesian (noncentral t), 95% CrI", -0.22, -0.52, 0.07, -0.81, 0.38, "bayes"),
        ForestSummary("DerSimonian-Laird, 95% CI", -0.2188, -0.4585, 0.0209, -0.75, 0.31, "frequentist"),
    ]
    return forest(
        studies,
        pooled,
        measure="SMD",
        log=False,
        title="1.2 Depression",
        arm_headers=("Mean", "SD", "N") * 2,
        arm_groups=(("Parent-infant psychotherapy, all programmes", 3), ("Control", 3)),
        favours=("Favours PIP", "Favours control"),
        footnote=FOOTNOTE,
    )


def odd_rows():
    """Zero cells, a row not estimable, excluded rows, labels that try to be mathematics, everything too long."""
    studies = [
        ratio("Costs $5_000 vs $10 \\frac{1}{2} a^b", ("0/48", "6/49"), -2.5, 1.46, 30),
        ratio("The Very Long Named International Multicentre Collaborative Randomised Trial of 2003", ("5/60", "0/58"), 2.4, 1.46, 30,
              "standard deviations were imputed from the standard errors of the baseline values, as the protocol says"),
        ratio("Supercalifragilisticexpialidocious_andmorewithoutspaces2010", ("9/31", "12/32"), -0.26, 0.36, 40, "0.5 added"),
        empty("Łukasiewicz ≥ 张伟 é 2012", ("0/20", "0/21"), NOT_ESTIMABLE, (0.8, 0.1, 5)),
        empty("Trial E", ("3/20", "4/21"), "excluded: outcome assessed after the follow-up the review asks for " * 3),
        ratio("Trial F", ("3/20", "4/21"), -9.0, 0.7, NAN, "excluded: crossover"),
    ]  # fmt: skip
    pooled = [
        ForestSummary(
            "Bayesian hierarchical model with exact binomial likelihood " * 2, 0.74, 0.25, 2.1, 0.001, 900, "bayes"
        ),
        ForestSummary("Hartung-Knapp", 0.74, 1e-7, 1e7, NAN, NAN, "frequentist"),
    ]
    return forest(
        studies,
        pooled,
        measure="RR",
        log=True,
        title="A $title$ with under_scores that goes on until it needs more than a line to be printed in full " * 2,
        arm_headers=("Experimental (events/randomised)", "n/N"),
        favours=(
            "Favours a very long name of an experimental programme delivered in the home" * 2,
            "Favours control" * 9,
        ),
        heterogeneity="τ² = 0.02, " * 20,
        footnote=FOOTNOTE * 2,
    )


def many(k, shrunken=True):
    rng = np.random.default_rng(1)
    studies = []
    for i in range(k):
        y, h = rng.normal(-0.2, 0.3), rng.uniform(0.2, 1.2)
        shrunk = (y / 2, y / 2 - h / 2, y / 2 + h / 2) if shrunken else (NAN, NAN, NAN)
        studies.append(ForestStudy(f"Author {i} {1950 + i}", ("120", "118"), y, y - h, y + h, 100 / k, *shrunk))
    pooled = [ForestSummary("REML, 95% CI", -0.2, -0.3, -0.1, -0.8, 0.4, "frequentist")]
    return forest(studies, pooled, measure="MD", log=False, title="", arm_headers=("N", "N"), favours=("less", "more"))


def bare():
    studies = [ForestStudy(f"S{i}", (), 100.0 + i, 99.0 + i, 101.0 + i, NAN, NAN, NAN, NAN) for i in range(3)]
    pooled = [ForestSummary("DL", 101, 99.5, 102.5, 98, 104, "frequentist")]
    return forest(studies, pooled, measure="MD", log=False, title="", arm_headers=(), favours=("low", "high"))


def identical():
    studies = [ForestStudy(name, ("1/2",), 1, 0.5, 2, 25, 1, 0.6, 1.7) for name in "ABCD"]
    pooled = [ForestSummary("DL", 1, 0.71, 1.41, NAN, NAN, "frequentist")]
    return forest(studies, pooled, measure="OR", log=True, title="t", arm_headers=("x",))


def heterogeneity():
    grid = np.linspace(0, 5, 1001)
    posterior = grid**0.5 * np.exp(-(((grid - 0.3) / 0.25) ** 2) / 2)
    with np.errstate(divide="ignore"):
        prior = 0.5 / np.sqrt(grid)  # infinite at 0
    return tau_plot(
        grid, posterior / np.trapezoid(posterior, grid), prior, posterior_interval=(0.05, 0.85), median=0.37,
        title="Heterogeneity in $1_8$", measure="RR", log=True, footnote=FOOTNOTE,
    )  # fmt: skip


FIGURES = {
    "two trials": two_trials,
    "six columns": six_columns,
    "odd rows": odd_rows,
    "thirty": lambda: many(30),
    "without shrinkage": lambda: many(5, shrunken=False),
    "bare": bare,
    "identical": identical,
    "tau": heterogeneity,
}


def texts(figure):
    return [without_alignment(t.get_text()) for t in figure.findobj(Text) if t.get_text().strip() and t.get_visible()]


def labelled(figure, start):
    return [a for a in figure.axes[0].get_children() if str(a.get_label()).startswith(start)]


def test_every_row_and_number_is_printed_with_one_diamond_per_summary():
    figure = two_trials()
    shown = texts(figure)
    for text in ("Trial E", "45/59", "1/40", "3.94 [1.89, 8.20]", "8.93 [1.25, 63.70]", "[0.90, 80.00]", "56.1%", "100.0%",
                 "Bayesian (binomial), 95% CrI", "95% prediction interval", "PIP", "← Favours control", "Favours PIP →",
                 "■ RR", "[95% CI]", "● Shrunken RR", "[95% CrI]", "Weight", "τ² = 1.42, I² = 69%, Q = 3.26"):  # fmt: skip
        assert text in shown, text
    assert " ".join(shown).count("reconstructed to agree") == 1
    diamonds = [p for p in figure.axes[0].patches if isinstance(p, Polygon)]
    assert [d.get_label() for d in diamonds] == ["diamond bayes", "diamond frequentist", "diamond published"]
    assert diamonds[1].get_xy()[:4, 0] == pytest.approx([1.25, 8.93, 63.70, 8.93])
    assert len(labelled(figure, "prediction interval")) == 1


def test_columns_without_content_are_left_out():
    shown = texts(bare())
    assert "Weight" not in shown
    assert not any("Shrunken" in text for text in shown)
    assert "Weight" in texts(many(3, shrunken=False))


def test_squares_have_areas_in_proportion_to_weights():
    (squares,) = (c for c in labelled(two_trials(), "studies") if isinstance(c, PathCollection))
    areas = squares.get_sizes()
    assert areas[0] / areas[1] == pytest.approx(56.1 / 43.9)


@pytest.mark.parametrize("name", FIGURES)
def test_no_two_texts_overlap_and_none_leaves_the_page(name):
    figure = FIGURES[name]()
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    page = figure.bbox
    boxes = [(t.get_text(), t.get_window_extent(renderer)) for t in figure.findobj(Text) if t.get_text().strip()]
    boxes = [(text, box) for text, box in boxes if box.width > 0]
    for text, box in boxes:
        assert page.x0 <= box.x0 < box.x1 <= page.x1, text
        assert page.y0 <= box.y0 < box.y1 <= page.y1, text
    for (one, a), (other, b) in itertools.combinations(boxes, 2):
        across = min(a.x1, b.x1) - max(a.x0, b.x0)
        down = min(a.y1, b.y1) - max(a.y0, b.y0)
        assert across <= 0.5 or down <= 1.5, f"{one!r} overlaps {other!r}"


def test_text_stays_clear_of_the_panel():
    for make in (two_trials, odd_rows, bare):
        figure = make()
        renderer = figure.canvas.get_renderer()
        figure.draw(renderer)
        panel = figure.axes[0].bbox
        for text in figure.texts:
            box = text.get_window_extent(renderer)
            beside = box.y1 > panel.y0 + 1 and box.y0 < panel.y1 - 1
            assert not beside or box.x1 < panel.x0 or box.x0 > panel.x1, text.get_text()


def test_height_grows_by_the_same_amount_for_every_row():
    heights = [many(k).get_figheight() for k in (2, 10, 200)]
    per_row = (heights[1] - heights[0]) / 8
    assert (heights[2] - heights[1]) / 190 == pytest.approx(per_row)
    assert 0.2 < per_row < 0.35


def test_rows_without_an_estimate_show_the_reason_instead():
    figure = odd_rows()
    shown = " ".join(texts(figure))
    assert NOT_ESTIMABLE in shown
    assert "0.5 added" in shown
    assert "excluded: crossover" in shown
    # Notes shortened in their row are printed in full below the table.
    assert "Trial E: excluded: outcome assessed" in shown
    assert "imputed from the standard errors of the baseline values, as the protocol says." in shown
    assert not labelled(figure, "not pooled")  # the excluded study lies off the axis: an arrowhead, no open square


def test_text_is_literal_never_mathematics():
    figure = odd_rows()
    assert any("$5_000" in text for text in texts(figure))
    assert all(not t.get_parse_math() and not t.get_usetex() for t in figure.findobj(Text) if t.get_text())
    assert any("$1_8$" in text for text in texts(heterogeneity()))


def test_intervals_beyond_the_axis_are_flagged_at_its_ends():
    figure = odd_rows()
    low, high = figure.axes[0].get_xlim()
    flags = np.concatenate([c.get_offsets() for c in labelled(figure, "clipped")])
    assert set(np.round(flags[:, 0], 9)) == {round(low, 9), round(high, 9)}
    diamond = labelled(figure, "diamond frequentist")[0].get_xy()[:, 0]
    assert low <= diamond.min() < diamond.max() <= high
    assert not labelled(identical(), "clipped")


@pytest.mark.parametrize("make", [odd_rows, heterogeneity])
def test_the_same_figure_gives_the_same_bytes_whatever_the_settings(make, tmp_path):
    formats = ("png", "svg", "pdf")
    first = [path.read_bytes() for path in save(make(), tmp_path / "one", formats)]
    leaks = {"font.size": 20, "axes.grid": True, "figure.autolayout": True, "lines.linewidth": 9, "savefig.bbox": "tight",
             "axes.facecolor": "red", "lines.marker": "o", "svg.fonttype": "none", "axes.unicode_minus": False}  # fmt: skip
    with mpl.rc_context(leaks):
        second = [path.read_bytes() for path in save(make(), tmp_path / "two", formats)]
    assert first == second
    assert first[0].startswith(b"\x89PNG")
    assert first[2].startswith(b"%PDF")
    assert b"dc:date" not in first[1]
    assert b"CreationDate" not in first[2]


def test_threads_draw_the_same_figures(tmp_path):
    def run(name):
        return [path.read_bytes() for path in save(two_trials(), tmp_path / name)]

    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(run, ["a", "b", "c", "d"]))
    assert all(result == results[0] for result in results)
    assert threading.active_count() < 20


def test_save_keeps_dots_in_names_and_makes_folders(tmp_path):
    paths = save(identical(), tmp_path / "new" / "analysis-1.8", ("svg", "png"))
    assert [path.name for path in paths] == ["analysis-1.8.svg", "analysis-1.8.png"]
    assert sorted(os.listdir(tmp_path / "new")) == ["analysis-1.8.png", "analysis-1.8.svg"]


def test_a_failed_save_leaves_the_old_file_and_no_temporary_one(tmp_path, monkeypatch):
    (tmp_path / "f.png").write_bytes(b"old")
    figure = identical()
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "disk full")))
    with pytest.raises(DataError, match="disk full"):
        save(figure, tmp_path / "f")
    assert os.listdir(tmp_path) == ["f.png"]
    assert (tmp_path / "f.png").read_bytes() == b"old"
    monkeypatch.undo()
    save(figure, tmp_path / "f")  # the figure is still whole
    with pytest.raises(SpecError, match="draw it again"):
        save(figure, tmp_path / "f")


def test_an_unknown_format_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(SpecError, match="did you mean 'png'"):
        save(identical(), tmp_path / "f", ("svg", "pngg"))
    assert not os.listdir(tmp_path)


def study(**changes):
    values = {"label": "A", "arms": ("1/2",), "estimate": 1, "ci_low": 0.5, "ci_high": 2, "weight": 100,
              "shrunk": NAN, "shrunk_low": NAN, "shrunk_high": NAN}  # fmt: skip
    return ForestStudy(**{**values, **changes})


@pytest.mark.parametrize(
    ("studies", "summaries", "changes", "message"),
    [
        ([], [], {}, "nothing to draw"),
        ([study(arms=())], [], {}, "study 'A' has 0 arm cells"),
        ([study(estimate=-0.3)], [], {}, "negative ratio"),
        ([study(ci_low=3)], [], {}, "swap the two ends"),
        ([study()], [ForestSummary("x", 1, 0.5, 2, NAN, NAN, "bayesian")], {}, "did you mean 'bayes'"),
        ([study()], [], {"arm_groups": (("PIP", 2),)}, "arm_groups span 2"),
        ([study()], [], {"level": 95}, "level must be between 0 and 1"),
    ],
)
def test_rows_that_cannot_be_drawn_are_refused(studies, summaries, changes, message):
    with pytest.raises(SpecError, match=message):
        forest(studies, summaries, measure="RR", log=True, title="", arm_headers=("n/N",), **changes)


def test_infinite_and_zero_ends_are_drawn_as_arrowheads():
    rows = [study(ci_low=0.0, ci_high=math.inf), study(label="B"), study(label="C", estimate=0.0, ci_low=0.0)]
    figure = forest(rows, [], measure="OR", log=True, title="", arm_headers=("n/N",))
    assert sum(len(c.get_offsets()) for c in labelled(figure, "clipped")) == 3
    assert "1.00 [0.00, ∞]" in texts(figure)


def test_tau_plot_shades_the_interval_and_names_everything():
    figure = heterogeneity()
    shown = texts(figure)
    for text in ("Posterior", "Prior", "Median 0.37", "95% credible interval 0.05 to 0.85"):
        assert text in shown
    assert "Between-study standard deviation τ (log RR)" in shown
    axes = figure.axes[0]
    (shade,) = labelled(figure, "95%")
    across = shade.get_paths()[0].vertices[:, 0]
    assert (across.min(), across.max()) == (0.05, 0.85)
    assert axes.get_xlim()[0] == 0
    assert 0.9 < axes.get_xlim()[1] < 2


def test_tau_plot_refuses_arrays_that_do_not_match():
    with pytest.raises(SpecError, match="one length"):
        tau_plot([0, 1], [1, 2, 3], [1, 1], posterior_interval=(0, 1), median=0.5, title="", measure="RR")
    with pytest.raises(SpecError, match="increase"):
        tau_plot([1, 0], [1, 2], [1, 1], posterior_interval=(0, 1), median=0.5, title="", measure="RR")


def test_bands_are_shades_behind_everything_darker_the_further_from_no_effect():
    rows = [ratio("A", ("1/9", "2/9"), -0.3, 0.3, 50.0), ratio("B", ("1/9", "2/9"), 0.5, 0.3, 50.0)]
    options = {"measure": "RR", "log": True, "title": "T", "arm_headers": ("e", "c")}
    limits = [0.6, 0.8, 0.9, 1 / 0.9, 1 / 0.8, 1 / 0.6]
    figure = forest(rows, [], bands=limits, **options)
    (axes,) = figure.axes
    low, high = axes.get_xlim()
    shades = {patch.get_label(): patch for patch in axes.patches if str(patch.get_label()).startswith("band ")}
    assert set(shades) == {"band -3", "band -2", "band -1", "band 1", "band 2", "band 3"}
    assert shades["band -1"].get_x() == pytest.approx(0.8)
    assert shades["band 3"].get_x() + shades["band 3"].get_width() == pytest.approx(high)
    grey = {label: patch.get_facecolor()[0] for label, patch in shades.items()}
    assert grey["band 3"] == grey["band -3"] < grey["band 2"] < grey["band 1"] < 1
    others = [artist.get_zorder() for artist in (*axes.collections, *axes.lines)]
    assert max(patch.get_zorder() for patch in shades.values()) < min(others)
    assert axes.get_xlim() == (low, high)
    assert not forest(rows, [], **options).axes[0].patches
