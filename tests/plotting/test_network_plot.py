"""Network plot: nodes, lines, shading, risk of bias, and labels that never collide."""

import itertools

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgb
from network_examples import check_texts, pair, senn, smoking, texts

import bayesmeta as bm
from bayesmeta.plotting.network_graphs import network_drawing
from bayesmeta.reporting.figures.network_drawing import NetworkDrawing, NetworkEdge, NetworkNode
from bayesmeta.reporting.figures.network_graph import network_graph_figure
from bayesmeta.reporting.figures.network_layout import by_distance, circular, touches
from bayesmeta.reporting.figures.network_parts import RISKS
from bayesmeta.reporting.figures.save import save


def made_up(treatments, name="Treatment {}", seed=1):
    rng = np.random.default_rng(seed)
    pairs = {(0, i) for i in range(1, treatments)} | {
        tuple(sorted(p)) for p in rng.integers(0, treatments, (treatments // 2, 2)) if p[0] != p[1]
    }
    nodes = tuple(NetworkNode(name.format(i), float(rng.integers(20, 20000)), 3) for i in range(treatments))
    return NetworkDrawing(nodes, tuple(NetworkEdge(int(a), int(b), int(rng.integers(1, 9))) for a, b in sorted(pairs)))


def nodes_of(figure):
    return [(patch.center, patch.radius) for patch in figure.axes[0].patches if hasattr(patch, "radius")]


def check_labels_off_nodes(figure):
    """No text covers a circle."""
    axes = figure.axes[0]
    renderer = figure.canvas.get_renderer()
    figure.draw(renderer)
    for text in axes.texts:
        box = text.get_window_extent(renderer).transformed(axes.transData.inverted())
        for centre, radius in nodes_of(figure):
            assert not touches((box.x0, box.y0, box.x1, box.y1), centre, radius - 0.01), text.get_text()


def test_circles_are_participants_and_lines_are_trials():
    contrasts = bm.network_contrasts(smoking())
    drawing = network_drawing(contrasts)
    arms = smoking().to_frame()
    expected = arms.groupby("treatment")["n"].sum()
    assert {node.name: node.participants for node in drawing.nodes} == expected.to_dict()
    assert {node.name: node.studies for node in drawing.nodes} == arms.groupby("treatment").size().to_dict()
    graph = bm.network_graph(contrasts)
    assert [[edge.first, edge.second, edge.studies] for edge in drawing.edges] == [
        [graph.treatments.index(a), graph.treatments.index(b), n] for a, b, n in graph.edges.to_numpy().tolist()
    ]
    figure = bm.network_plot(contrasts)
    areas = np.array([radius**2 for _, radius in nodes_of(figure)])
    np.testing.assert_allclose(areas / areas.max(), expected / expected.max(), rtol=1e-12)
    widths = sorted(line.get_linewidth() for line in figure.axes[0].get_lines() if line.get_label() == "edge")
    trials = sorted(edge.studies for edge in drawing.edges)
    np.testing.assert_allclose(widths[-1] / widths[-2], trials[-1] / trials[-2])
    assert sum(patch.get_label() == "multi-arm" for patch in figure.axes[0].patches) == 2
    assert sorted(text for text in texts(figure) if text.isdecimal()) == sorted(map(str, trials))
    check_texts(figure)
    check_labels_off_nodes(figure)


def test_order_of_treatments_and_of_rows():
    contrasts = bm.network_contrasts(smoking())
    names = ["Self-help", "No contact", "Group counselling", "Individual counselling"]
    moved = network_drawing(contrasts, order=names)
    assert [node.name for node in moved.nodes] == names
    own = {
        frozenset((contrasts.treatments[e.first], contrasts.treatments[e.second])): e.studies
        for e in network_drawing(contrasts).edges
    }
    assert {frozenset((names[e.first], names[e.second])): e.studies for e in moved.edges} == own
    with pytest.raises(bm.SpecError, match="missing: Self-help"):
        bm.network_plot(contrasts, order=names[1:])


@pytest.mark.parametrize("layout", ["circular", "distance"])
@pytest.mark.parametrize(
    ("treatments", "name"),
    [
        (1, "Only {}"),
        (2, "Treatment {}"),
        (3, "T{}"),
        (12, "Treatment {} with the long name of a drug, 50 mg twice daily"),
        (25, "Treatment {}"),
    ],
)
def test_labels_never_collide(treatments, name, layout):
    figure = network_graph_figure(made_up(treatments, name), layout=layout, counts=treatments < 25, title="A network")
    check_texts(figure)
    check_labels_off_nodes(figure)


def test_the_same_network_has_the_same_places():
    edges = [(edge.first, edge.second) for edge in made_up(9).edges]
    first, second = by_distance(edges, 9), by_distance(edges, 9)
    assert (first == second).all()
    # a path is drawn as a line: distances are those along it
    path = by_distance([(0, 1), (1, 2), (2, 3)], 4)
    lengths = np.hypot(*np.diff(path, axis=0).T)
    np.testing.assert_allclose(lengths, lengths[0], rtol=5e-3)
    np.testing.assert_allclose(np.hypot(*circular(7).T), 1.0)


def test_risk_of_bias_is_coloured_by_the_shares_of_trials():
    frame = pair().assign(study=["a", "b", "c"])
    figure = bm.network_plot(frame, measure="MD", risk_of_bias={"a": "low", "b": "Serious"})
    edge, length = {}, 0.0
    for line in figure.axes[0].get_lines():
        ends = line.get_xydata()
        edge[line.get_label()] = float(np.hypot(*(ends[1] - ends[0])))
        length += edge[line.get_label()]
    np.testing.assert_allclose([edge[r] / length for r in ("low", "high", "not assessed")], 1 / 3)
    assert {"low", "some concerns", "high", "not assessed"} <= set(texts(figure))
    check_texts(figure)
    with pytest.raises(bm.SpecError, match="awful"):
        bm.network_plot(frame, measure="MD", risk_of_bias={"a": "awful"})
    with pytest.raises(bm.SpecError, match="unknown study 'z'"):
        bm.network_plot(frame, measure="MD", risk_of_bias={"z": "low"})


def test_risk_of_bias_from_a_column():
    arms = smoking().to_frame().assign(rob=["low" if s < "Trial 2" else "high" for s in smoking().studies])
    table = bm.read_arms(arms)
    drawing_text = texts(bm.network_plot(table, risk_of_bias="rob"))
    assert "Trials by risk of bias:" in drawing_text
    with pytest.raises(bm.SpecError, match="unknown column"):
        bm.network_plot(table, risk_of_bias="bias")
    with pytest.raises(bm.SpecError, match="one value per study"):
        bm.network_plot(bm.read_arms(arms.assign(rob=["low", *["high"] * (len(arms) - 1)])), risk_of_bias="rob")


def test_levels_of_risk_differ_in_grey():
    grey = [float(np.dot(to_rgb(risk.color), [0.299, 0.587, 0.114])) for risk in RISKS[:3]]
    assert min(a - b for a, b in itertools.pairwise(grey)) > 0.07


def test_contrasts_without_participants_and_disconnected_networks():
    figure = bm.network_plot(senn())
    assert any("Areas of circles: trials" in text for text in texts(figure))
    check_texts(figure)
    two = pd.concat([pair(), pair().replace({"x": "y", "p": "q", "a": "d", "b": "e", "c": "f"})])
    assert any("2 parts that no trial connects" in text for text in texts(bm.network_plot(two, measure="MD")))


def test_formats_and_widths(tmp_path):
    for path in save(bm.network_plot(smoking(), title="Smoking"), tmp_path / "network", ["svg", "pdf", "png"]):
        assert path.stat().st_size > 1000
    assert ">Group counselling<" in (tmp_path / "network.svg").read_text(encoding="utf-8")
    check_texts(bm.network_plot(smoking(), width=4.5))
    with pytest.raises(bm.SpecError, match="leave no place for the names; give at least"):
        bm.network_plot(
            bm.read_arms(smoking().to_frame().replace({"Self-help": "S" * 60, "No contact": "N" * 50})), width=3.3
        )
    places = {"No contact": (0, 0), "Self-help": (1, 1), "Individual counselling": (0, 1), "Group counselling": (1, 0)}
    check_texts(bm.network_plot(smoking(), layout=places))
    with pytest.raises(bm.SpecError, match="no place for Self-help"):
        bm.network_plot(smoking(), layout={k: v for k, v in places.items() if k != "Self-help"})
    with pytest.raises(bm.SpecError, match="layout"):
        bm.network_plot(smoking(), layout="spring")
    with pytest.raises(bm.SpecError, match="measure already"):
        bm.network_plot(bm.network_meta(smoking()), measure="OR")
