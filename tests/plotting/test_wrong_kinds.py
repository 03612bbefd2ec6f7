"""Every function that draws, given every kind of result: it draws it, or says what it takes and which functions draw what it got."""

from __future__ import annotations

import re

import pandas as pd
import pytest
from network_examples import smoking

import bayesmeta as bm
from bayesmeta.effects.effects import Effects
from bayesmeta.errors import BayesmetaError
from bayesmeta.studies.table import StudyTable
from bayesmeta.support.wrong_kind import DRAWN_BY, UNDRAWN, wrong_kind

ORDER = ["No contact", "Self-help", "Individual counselling", "Group counselling"]
#: the functions, with what they need besides the result, and what the message says that they take
FUNCTIONS = {
    "forest": ({}, "studies"),
    "tau_plot": ({}, "a posterior"),
    "prior_posterior_plot": ({}, "a posterior"),
    "coefficient_forest": ({}, "regression, multilevel and fit"),
    "bubble": ({"moderator": "x"}, "meta-regression|moderators"),
    "subgroup_forest": ({}, "subgroups or fit_subgroups"),
    "sweep_plot": ({"measure": "OR"}, "correlation_sweep"),
    "cumulative_plot": ({}, "the table of cumulative"),
    "network_plot": ({}, "table of arms"),
    "network_forest": ({}, "a network"),
    "leverage_plot": ({}, "a network"),
    "component_forest": ({}, "a component network"),
    "league_heat": ({}, "a network"),
    "rankogram": ({"better": "higher"}, "a network"),
    "rank_heat": ({}, "networks by outcome"),
    "node_split_plot": ({}, "a network"),
    "net_heat_plot": ({}, "network_meta"),
    "contribution_plot": ({}, "network_meta"),
    "threshold_plot": ({}, "threshold_analysis"),
    "comparison_adjusted_funnel": ({"order": ORDER}, "a network"),
    "transitivity": ({"characteristic": "year"}, "table of arms"),
    "transitivity_plot": ({"characteristic": "year"}, "table of arms"),
}
KINDS = (
    "posterior", "moderated", "nested", "effects", "table", "random_effects", "mantel_haenszel", "regression", "multilevel", "average",
    "moderator_average", "subgroups", "fit_subgroups", "cumulative", "network", "network_meta", "arms", "number", "list", "dict",
)  # fmt: skip
#: what a function draws, by kind
_NETWORKS = ("network", "network_meta")
_DATA = (*_NETWORKS, "arms")
DRAWN = {
    "forest": ("posterior", "nested", "effects", "multilevel"),
    "tau_plot": ("posterior", "moderated", "nested"),
    "prior_posterior_plot": ("posterior", "moderated", "nested"),
    "coefficient_forest": ("moderated", "regression"),
    "bubble": ("moderated", "regression"),
    "subgroup_forest": ("subgroups", "fit_subgroups"),
    "cumulative_plot": ("cumulative",),
    "leverage_plot": ("network",), "network_plot": _DATA, "transitivity": _DATA, "transitivity_plot": _DATA,
    "network_forest": _NETWORKS, "league_heat": _NETWORKS, "rankogram": _NETWORKS, "node_split_plot": _NETWORKS,
    "comparison_adjusted_funnel": _NETWORKS, "net_heat_plot": ("network_meta",), "contribution_plot": ("network_meta",),
}  # fmt: skip
#: messages of their own: about the model, the measure or the columns rather than the kind
OWN = {
    ("forest", "moderated"), ("forest", "table"), ("coefficient_forest", "posterior"), ("coefficient_forest", "nested"),
    ("coefficient_forest", "multilevel"), ("bubble", "multilevel"), ("bubble", "posterior"), ("bubble", "nested"),
    # a network without components
    ("component_forest", "network"), ("sweep_plot", "cumulative"), ("rank_heat", "dict"), ("coefficient_forest", "dict"),
    # a list is of tables of arms, for which a measure is asked for
    ("network_plot", "list"), ("transitivity", "list"), ("transitivity_plot", "list"),
}  # fmt: skip


@pytest.fixture(scope="module")
def results():
    frame = pd.DataFrame({"study": list("abcdef"), "yi": [-0.9, -0.4, -0.5, 0.1, 0.2, -0.3], "sei": [0.3, 0.2, 0.4, 0.2, 0.3, 0.3],
                          "x": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], "g": list("uvuvuv"), "year": range(2000, 2006)})  # fmt: skip
    repeated = frame.assign(study=list("aabbcd"))
    counts = pd.DataFrame(
        {"study": ["a", "b"], "events_e": [3, 4], "n_e": [20, 30], "events_c": [5, 8], "n_c": [20, 30]}
    )
    effects = bm.effect_sizes(frame, measure="OR")
    arms = smoking()
    return {
        "posterior": bm.fit(effects), "moderated": bm.fit(frame, measure="OR", moderators="x"),
        "nested": bm.fit(repeated, measure="OR", nesting="study"), "effects": effects, "table": bm.read_studies(counts),
        "random_effects": bm.random_effects(effects), "mantel_haenszel": bm.mantel_haenszel(counts, measure="RR"),
        "regression": bm.regression(frame, measure="OR", moderators="x"),
        "multilevel": bm.multilevel(repeated, measure="OR", nesting="study"), "average": bm.model_average(effects),
        "moderator_average": bm.moderator_average(frame, measure="OR", moderators="x"),
        "subgroups": bm.subgroups(frame, measure="OR", by="g"), "fit_subgroups": bm.fit_subgroups(frame, measure="OR", by="g"),
        "cumulative": bm.cumulative(effects, by="year"), "network": bm.network(arms, measure="OR", better="higher"),
        "network_meta": bm.network_meta(arms, measure="OR"), "arms": arms, "number": 3, "list": [1, 2], "dict": {"a": 1},
    }  # fmt: skip


def test_every_public_function_that_draws_is_in_the_table():
    from pathlib import Path

    names = re.findall(
        r"from \.plotting\.\w+ import (\w+) as", Path(bm.__file__).with_suffix(".pyi").read_text("utf-8")
    )
    assert set(names) == set(FUNCTIONS)
    for _, functions in DRAWN_BY.values():
        assert set(functions) <= set(FUNCTIONS)


def test_the_kinds_are_classes_of_this_package():
    named = {*DRAWN_BY, *UNDRAWN}
    private = {"RandomEffects", "CommonEffect", "PriorPosterior", "StudyTable"}
    assert {name for name in named - private if not hasattr(bm, name)} <= {"ThresholdAnalysis"}
    assert {StudyTable.__name__, Effects.__name__} <= named


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_draws_a_result_or_says_what_does(results, function, kind):
    options, takes = FUNCTIONS[function]
    given = results[kind]
    if kind in DRAWN.get(function, ()):
        return  # their own tests draw them
    with pytest.raises(BayesmetaError) as refused:
        getattr(bm, function)(given, **options)
    message = str(refused.value)
    if (function, kind) in OWN:
        return
    name = type(given).__name__
    if name == "DataFrame":
        assert re.search(rf"{takes}|columns|give the effect measure", message), message
        return
    assert re.search(rf"{takes}|study table|table of arms", message), message
    assert name in message, message
    if name in DRAWN_BY:
        assert any(one in message for one in DRAWN_BY[name][1]), message
    if name in UNDRAWN:
        assert UNDRAWN[name][1] in message


def test_data_of_no_kind_are_refused_before_their_measure_is_asked_for():
    for function in (bm.fit, bm.effect_sizes, bm.moderator_evidence, bm.moderator_average, bm.model_average):
        with pytest.raises(bm.SpecError, match="study table is the path of a file or a pandas DataFrame; got int"):
            function(3)


def test_messages():
    assert str(wrong_kind("forest", "studies", object())) == "forest takes studies, but got object"
