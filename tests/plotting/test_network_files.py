"""Every figure of networks: the same file twice, text as text, a heading, notes, and widths of journals."""

import pytest
from network_examples import check_texts, senn, smoking, texts

import bayesmeta as bm
from bayesmeta.reporting.figures.save import save, svg_text

ORDER = ["No contact", "Self-help", "Individual counselling", "Group counselling"]


@pytest.fixture(scope="module")
def fits():
    bayes = bm.network(smoking(), reference="No contact", better="higher")
    return {
        "bayes": bayes,
        "reml": bm.network_meta(smoking(), reference="No contact", method="REML"),
        "senn": bm.network_meta(senn(), "MD"),
    }


FIGURES = {
    "network_plot": lambda fits, **o: bm.network_plot(fits["reml"], **o),
    "network_forest": lambda fits, **o: bm.network_forest(fits["bayes"], fits["reml"], **o),
    "league_heat": lambda fits, **o: bm.league_heat(fits["bayes"], **o),
    "rankogram": lambda fits, **o: bm.rankogram(fits["bayes"], **o),
    "rank_heat": lambda fits, **o: bm.rank_heat({"Cessation": fits["bayes"]}, **o),
    "node_split_plot": lambda fits, **o: bm.node_split_plot(fits["reml"], **o),
    "net_heat_plot": lambda fits, **o: bm.net_heat_plot(fits["senn"], **o),
    "contribution_plot": lambda fits, **o: bm.contribution_plot(fits["reml"], **o),
    "transitivity_plot": lambda fits, **o: bm.transitivity_plot(fits["reml"], "setting", **o),
    "threshold_plot": lambda fits, **o: bm.threshold_plot(bm.threshold_analysis(fits["bayes"]), **o),
    "comparison_adjusted_funnel": lambda fits, **o: bm.comparison_adjusted_funnel(fits["reml"], ORDER, **o),
}


@pytest.mark.parametrize("name", FIGURES)
def test_files(fits, name, tmp_path):
    draw = FIGURES[name]
    figure = draw(fits, title="A heading", notes=["A note of mine"])
    check_texts(figure)
    assert "A heading" in texts(figure)
    assert "A note of mine." in texts(figure)
    first = save(figure, tmp_path / "one", ["svg", "pdf", "png"])
    second = save(draw(fits, title="A heading", notes=["A note of mine"]), tmp_path / "two", ["svg", "pdf", "png"])
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()
    svg = first[0].read_text(encoding="utf-8")
    assert ">A heading<" in svg
    assert "<text" in svg_text(draw(fits))


@pytest.mark.parametrize("name", FIGURES)
def test_widths(fits, name):
    """A page of a journal is wide enough for all of them (the net heat plot of ten treatments and the thresholds take a little more)."""
    wide = {"threshold_plot": 8.5, "net_heat_plot": 9.0}.get(name, 6.85)
    figure = FIGURES[name](fits, width=wide)
    assert figure.get_size_inches()[0] == pytest.approx(wide)
    check_texts(figure)
    with pytest.raises(bm.SpecError, match=r"3\.3 and 14 inches|no place"):
        FIGURES[name](fits, width=2.0)
