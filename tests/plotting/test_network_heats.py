"""League table, net heat plot, ranks over outcomes and rankograms: numbers, direction, colours, text."""

import itertools

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from network_examples import check_texts, pair, senn, smoking, star, texts

import bayesmeta as bm
from bayesmeta.plotting.network_heats import league_values, net_heat_values, rank_heat_values
from bayesmeta.plotting.network_ranks import rank_values
from bayesmeta.reporting.figures.network_heat import LeagueValues, NetHeat, league_figure, net_heat_figure
from bayesmeta.reporting.figures.network_parts import DIVERGING, SEQUENTIAL, ink_on
from bayesmeta.reporting.figures.network_ranks import RankValues, rankogram_figure


@pytest.fixture(scope="module")
def bayes():
    return bm.network(smoking(), reference="No contact", better="higher")


@pytest.fixture(scope="module")
def diabetes():
    return bm.network_meta(senn(), "MD", method="REML", reference="Placebo")


def cells_of(figure):
    """Colours of the cells, from the top left."""
    return [patch.get_facecolor()[:3] for patch in figure.axes[0].patches if patch.get_label() == "cell"]


def bluer(color):
    return color[2] > color[0]


def test_league_values_are_row_against_column(bayes, diabetes):
    values = league_values(bayes, 0.9)
    i, j = bayes.treatments.index("Self-help"), bayes.treatments.index("No contact")
    expected = np.exp(bayes.quantile("Self-help vs No contact", np.array([0.05, 0.5, 0.95])))
    np.testing.assert_allclose([values.low[i, j], values.estimate[i, j], values.high[i, j]], expected)
    np.testing.assert_allclose([values.low[j, i], values.high[j, i]], 1 / expected[[2, 0]])
    values = league_values(diabetes, 0.95)
    i, j = diabetes.treatments.index("Metformin"), diabetes.treatments.index("Placebo")
    row = diabetes.summary().loc["Metformin vs Placebo"]
    drawn = [values.estimate[i, j], values.low[i, j], values.high[i, j]]
    np.testing.assert_allclose(drawn, row[["estimate", "ci_low", "ci_high"]].to_numpy(dtype=float))


def test_league_is_blue_where_the_row_is_better_and_says_its_direction(bayes, diabetes):
    for net, side in ((bayes, "higher"), (diabetes, "lower")):
        figure = bm.league_heat(net, better=side, title="League")
        check_texts(figure)
        assert any("of the treatment of its row against that of its column" in text for text in texts(figure))
        assert any("blue: the row's treatment is better" in text for text in texts(figure))
        count = len(net.treatments)
        colors = np.array(cells_of(figure)).reshape(count, count, 3)
        # treatments are in the order of their ranks: above the diagonal the row is better
        for i, j in itertools.combinations(range(0, count, count - 1), 2):
            assert bluer(colors[i, j])
            assert not bluer(colors[j, i])
    assert any("blue: below 0" in text for text in texts(bm.league_heat(diabetes, order="name")))


def test_bold_cells_exclude_no_effect(bayes):
    figure = bm.league_heat(bayes)
    bold = {text.get_text() for text in figure.axes[0].texts if text.get_fontweight() == "bold"}
    values = league_values(bayes, 0.95)
    away = (values.low > 1) | (values.high < 1)
    np.fill_diagonal(away, False)
    assert bold == {f"{value:.2f}" for value in values.estimate[away]}


def test_league_of_many_treatments_and_of_two():
    names = tuple(f"Treatment number {i}" for i in range(25))
    effects = np.exp(np.random.default_rng(3).normal(0, 0.5, (25, 25)))
    values = LeagueValues(names, effects, effects / 2, effects * 2)
    figure = league_figure(values, measure="OR", log=True)
    check_texts(figure)
    assert any("no place for intervals" in text for text in texts(figure))
    assert figure.get_size_inches()[0] <= 14
    check_texts(bm.league_heat(bm.network_meta(pair(), "MD"), better="lower"))
    with pytest.raises(bm.SpecError, match="give at least"):
        league_figure(values, measure="OR", log=True, width_inches=5)


def test_net_heat_is_that_of_the_network():
    net = bm.network_meta(senn(), "MD", method="CE")
    heat = net_heat_values(net)
    frame = net.net_heat()
    for i, j in itertools.product(range(len(heat.labels)), repeat=2):
        assert heat.change[i, j] == frame.loc[heat.labels[i], heat.labels[j]]
    # the diagonal is what a design's own share in Q becomes: it is gone when the design is detached
    assert (np.diagonal(heat.change) <= 1e-12).all()
    # netmeta's plot of these data has its hot spot at the comparisons with sulfonylurea
    hottest = heat.labels[int(np.argmin(np.diagonal(heat.change)))]
    assert "Sulfonylurea" in hottest
    assert heat.labels.index("Metformin:Sulfonylurea") - heat.labels.index("Rosiglitazone:Sulfonylurea") in (-1, 1)
    figure = bm.net_heat_plot(net)
    check_texts(figure)
    colors = np.array(cells_of(figure)).reshape(len(heat.labels), -1, 3)
    for i, j in zip(*np.nonzero(np.abs(heat.change) > 1), strict=True):
        assert bluer(colors[i, j]) == (heat.change[i, j] > 0)
    squares = [patch.get_width() ** 2 for patch in figure.axes[0].patches if patch.get_label() == "square"]
    shown = heat.contribution[heat.contribution > 0]
    np.testing.assert_allclose(np.array(squares) / max(squares), shown / shown.max(), rtol=1e-9)
    assert any("contrasts are left out" in text for text in texts(figure))
    # the design of three arms has a number, which a note explains
    assert "Designs of several arms: (1) Acarbose:Metformin:Placebo." in texts(figure)
    assert "Acarbose:Metformin (1)" in texts(figure)


def test_net_heat_of_many_designs():
    rng = np.random.default_rng(5)
    names = tuple(f"Treatment {i}:Treatment {i + 1}" for i in range(60))
    figure = net_heat_figure(NetHeat(names, rng.normal(0, 5, (60, 60)), rng.uniform(0, 1, (60, 60))))
    check_texts(figure)
    assert any("Changes beyond 8" in text for text in texts(figure))


def test_contributions_of_net_heat_are_weights_of_direct_estimates():
    """Each row's weights give the network estimate from the direct ones."""
    net = bm.network_meta(senn(), "MD", method="CE")
    step = net._inconsistency.common
    np.testing.assert_allclose(step.hat @ step.y, step.x @ net.estimates, atol=1e-10)
    heat = net_heat_values(net)
    row = net.net_heat().index.get_loc(heat.labels[0])
    column = net.net_heat().index.get_loc(heat.labels[3])
    np.testing.assert_allclose(heat.contribution[0, 3], abs(step.hat[row, column]))


def test_net_heat_needs_loops():
    with pytest.raises(bm.SpecError, match="at least two designs"):
        bm.net_heat_plot(bm.network_meta(star(), method="CE"))
    with pytest.raises(bm.SpecError, match="weights contrasts"):
        bm.net_heat_plot(bm.network_meta(smoking(), method="MH"))
    with pytest.raises(bm.SpecError, match="result of network_meta"):
        bm.net_heat_plot(bm.network(smoking()))


def test_rank_heat_of_several_outcomes(bayes, diabetes):
    nets = {"Cessation": bayes, "HbA1c": diabetes}
    values = rank_heat_values(nets, {"HbA1c": "lower"})
    scores = bm.ranking(bayes)["sucra"]
    for name, score in scores.items():
        assert values.sucra[values.treatments.index(name), 0] == score
    assert np.isnan(values.sucra[values.treatments.index("Placebo"), 0])
    assert list(np.nanmean(values.sucra, axis=1)) == sorted(np.nanmean(values.sucra, axis=1), reverse=True)
    figure = bm.rank_heat(nets, better={"HbA1c": "lower"}, title="Ranks")
    check_texts(figure)
    assert any("SUCRA or P-score in percent" in text for text in texts(figure))
    assert f"{100 * scores.iloc[0]:.0f}" in texts(figure)
    with pytest.raises(bm.SpecError, match="outcome 'HbA1c' needs the side"):
        bm.rank_heat(nets)
    with pytest.raises(bm.SpecError, match="no outcome 'x'"):
        bm.rank_heat(nets, better={"x": "lower"})
    with pytest.raises(bm.SpecError, match="networks by outcome"):
        bm.rank_heat([bayes])


def test_rankogram_has_the_probabilities(bayes, diabetes):
    values = rank_values(bayes, "higher")
    frame = bm.ranking(bayes)
    assert values.treatments == tuple(frame.index)
    np.testing.assert_allclose(values.sucra, frame["sucra"])
    np.testing.assert_allclose(values.probabilities[:, 0], frame["prob_best"])
    # the mean of the cumulative probabilities but the last is SUCRA, up to the error of the draws
    cumulative = values.probabilities.cumsum(axis=1)[:, :-1].mean(axis=1)
    np.testing.assert_allclose(cumulative, values.sucra, atol=0.01)
    figure = bm.rankogram(bayes, title="Smoking cessation")
    check_texts(figure)
    for axes, row in zip(figure.axes, values.probabilities, strict=True):
        np.testing.assert_allclose([bar.get_height() for bar in axes.patches], row)
        np.testing.assert_allclose(axes.get_lines()[0].get_ydata()[-1], 1.0)
    assert f"SUCRA {100 * values.sucra[0]:.0f}%" in texts(figure)
    assert "P-score 90%" in texts(bm.rankogram(diabetes, better="lower"))
    with pytest.raises(bm.SpecError, match="side of benefit"):
        bm.rankogram(diabetes)


@pytest.mark.parametrize(("count", "wide"), [(1, 3.3), (2, 6.85), (11, 3.3), (25, 6.85)])
def test_rankograms_of_few_and_many_treatments(count, wide):
    rng = np.random.default_rng(count)
    probabilities = rng.dirichlet(np.ones(count), count)
    names = tuple(f"Treatment {i} with a very long name, 50 mg twice daily" for i in range(count))
    figure = rankogram_figure(RankValues(names, probabilities, rng.uniform(size=count)), width_inches=wide)
    check_texts(figure)
    with pytest.raises(bm.SpecError, match="sum to 1"):
        rankogram_figure(RankValues(names, 2 * probabilities, np.ones(count)))


def test_ties_share_ranks():
    """Treatments without any difference have equal probabilities of all ranks."""
    probabilities = np.full((3, 3), 1 / 3)
    check_texts(rankogram_figure(RankValues(("a", "b", "c"), probabilities, np.full(3, 0.5))))


def test_texts_are_read_on_every_colour():
    def light(color):
        rgb = np.array(to_rgb(color))
        linear = np.where(rgb <= 0.03928, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    for colors in (DIVERGING, SEQUENTIAL):
        for share in np.linspace(0, 1, 21):
            back = colors(share)[:3]
            a, b = sorted((light(back), light(ink_on(back))))
            assert (b + 0.05) / (a + 0.05) > 4.0


def test_colours_differ_in_lightness():
    """In grey the ends of the diverging scale are darker than its middle, and the sequential one darkens throughout."""
    grey = [float(np.dot(SEQUENTIAL(share)[:3], [0.299, 0.587, 0.114])) for share in np.linspace(0, 1, 9)]
    assert all(a > b for a, b in itertools.pairwise(grey))
    assert float(np.dot(DIVERGING(0.5)[:3], [0.299, 0.587, 0.114])) > 0.99
