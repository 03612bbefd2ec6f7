"""The figure of a collection."""

from pathlib import Path

import numpy as np
import pytest
from reviews.collection.test_corpus import MODEL, row

from bayesmeta.reporting.figures import save as plots
from bayesmeta.reviews.collection.counts import CorpusSummary, corpus_summary
from bayesmeta.reviews.collection.figures import corpus_figure
from bayesmeta.reviews.collection.prior import CorpusPrior
from bayesmeta.reviews.parquet import rows_bytes


def summary(folder: Path, counts: dict[str, int]) -> CorpusSummary:
    """A collection with this number of analyses of each measure; tau is i/10, every other interval excludes no effect."""
    rows = [
        row("a", f"{measure}{i}", "DL", 1.1 if i % 2 else -0.5 if measure == "SMD" else 0.5, 2.0, 0.1 * i, measure=measure, estimate=1.2)
        for measure, n in counts.items()
        for i in range(n)
    ]  # fmt: skip
    (folder / "results.parquet").write_bytes(rows_bytes(rows))
    return corpus_summary(folder)


def test_a_column_a_measure_with_the_prior_over_the_estimates(tmp_path: Path) -> None:
    found = summary(tmp_path, {"RR": 12, "SMD": 10, "OR": 3, "MD": 40})
    figure = corpus_figure(found, CorpusPrior({"RR": MODEL}, {}))
    headings = [axes.get_title(loc="left") for axes in figure.axes if axes.get_title(loc="left")]
    assert headings == ["RR, 12 analyses", "SMD, 10 analyses"]
    estimates, prior = figure.axes[0].lines
    np.testing.assert_allclose(estimates.get_xdata()[1:4], [0.0, 0.1, 0.2])
    assert estimates.get_ydata()[12] == 100
    at = np.asarray(prior.get_xdata(), float)
    middle = np.interp(np.exp(MODEL.meanlog / 2), at, np.asarray(prior.get_ydata(), float))
    assert middle == pytest.approx(50, abs=0.05)
    assert [text.get_text() for text in figure.axes[2].texts] == ["50%"]
    assert plots.svg_text(figure).startswith("<svg")


@pytest.mark.parametrize("counts", [{"MD": 3}, {"RR": 1}])
def test_small_collections_are_drawn_too(tmp_path: Path, counts: dict[str, int]) -> None:
    written = plots.save(corpus_figure(summary(tmp_path, counts)), tmp_path / "corpus")
    assert all(path.stat().st_size > 1000 for path in written)


def test_the_same_figure_gives_the_same_bytes(tmp_path: Path) -> None:
    found = summary(tmp_path, {"RR": 12})
    first, second = (plots.save(corpus_figure(found), tmp_path / name, ["svg"])[0] for name in "ab")
    assert first.read_bytes() == second.read_bytes()
