"""The public names: explicit keywords, errors of this package, and what objects show of themselves."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

import bayesmeta as bm
from bayesmeta.errors import BayesmetaError, DataError, SpecError

FUNCTIONS = [name for name in bm.__all__ if inspect.isfunction(getattr(bm, name))]
#: functions that take the data of one analysis
POOLING = [name for name in FUNCTIONS if "sei" in inspect.signature(getattr(bm, name)).parameters]
YI, SEI = [0.8, 0.7], [0.1, 0.2]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_keywords_are_explicit(name) -> None:
    kinds = {one.kind for one in inspect.signature(getattr(bm, name)).parameters.values()}
    assert inspect.Parameter.VAR_KEYWORD not in kinds


@pytest.mark.parametrize("name", POOLING)
def test_an_unknown_keyword_is_refused_under_the_name_of_the_function(name) -> None:
    with pytest.raises(TypeError, match=rf"{name}\(\) got an unexpected keyword argument 'banana'"):
        getattr(bm, name)(yi=YI, sei=SEI, banana=1)


def test_the_functions_that_pool_take_the_same_data() -> None:
    assert {"fit", "compare", "random_effects", "effect_sizes", "influence", "model_average"} <= set(POOLING)
    wanted = {"yi", "vi", "sei", "ci_low", "ci_high", "labels", "zero_cells", "smd", "rom", "estimates", "data_level"}
    for name in POOLING:
        assert wanted <= set(inspect.signature(getattr(bm, name)).parameters), name


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"yi": YI, "sei": SEI, "measure": "HR", "estimates": "natural"}, "need both ci_low and ci_high"),
        ({"yi": YI, "sei": SEI, "zero_cells": "none"}, "zero_cells has no meaning for yi"),
        ({"yi": YI, "sei": SEI, "data_level": 0.9}, "data_level has no meaning for yi with its standard errors"),
        ({"yi": YI, "sei": SEI, "ci_low": YI, "ci_high": YI}, "and not both"),
        ({"studies": "table.csv", "measure": "RR", "vi": SEI}, "vi belongs to yi="),
        ({"studies": "table.csv", "measure": "RR", "labels": ["A"]}, "labels belongs to yi="),
        ({"yi": YI, "sei": SEI, "studies": "table.csv"}, "either a study table or yi"),
        ({}, "either a study table or yi"),
    ],
)
@pytest.mark.parametrize("function", [bm.effect_sizes, bm.fit, bm.compare, bm.influence])
def test_data_and_options_that_do_not_belong_together_are_refused(function, given, match) -> None:
    with pytest.raises(SpecError, match=match):
        function(**given)


def test_options_for_effects_that_are_computed_already_are_refused() -> None:
    effects = bm.effect_sizes(yi=YI, sei=SEI, measure="HR")
    assert bm.effect_sizes(effects) is effects
    with pytest.raises(SpecError, match="zero_cells has no meaning for effects, which are computed already"):
        bm.fit(effects, zero_cells="none")
    with pytest.raises(SpecError, match="these effects are HR"):
        bm.fit(effects, measure="RR")


def test_ratios_that_are_not_logged_are_logged_from_arrays_with_their_limits() -> None:
    effects = bm.effect_sizes(yi=[0.8, 0.7], ci_low=[0.6, 0.5], ci_high=[1.07, 0.98], measure="HR", estimates="natural")
    np.testing.assert_allclose(effects.yi, np.log([0.8, 0.7]))
    np.testing.assert_allclose(effects.sei, np.log([1.07 / 0.6, 0.98 / 0.5]) / 2 / 1.959963984540054)
    wider = bm.effect_sizes(
        yi=[0.8], ci_low=[0.6], ci_high=[1.07], measure="HR", estimates="natural", data_level=0.9, labels=["A"]
    )
    assert wider.sei[0] > effects.sei[0]
    assert wider.labels == ("A",)
    assert bm.fit(effects).quantile("mu", 0.5) == pytest.approx(np.log(0.755), abs=0.05)


def test_a_label_of_two_estimates_is_refused() -> None:
    for labels in (["A", "A"], [1, "1"]):
        with pytest.raises(DataError, match=r"labels\[0\] and labels\[1\] are both"):
            bm.fit(yi=YI, sei=SEI, labels=labels)
    assert bm.fit(yi=YI, sei=SEI, labels=["A", "B"]).quantile("theta[B]", 0.5) < 0.8


def test_fit_and_fit_many_choose_the_same_likelihood() -> None:
    import pandas as pd

    counts = pd.DataFrame(
        {"study": ["A", "B"], "events_e": [1, 0], "n_e": [30, 25], "events_c": [5, 4], "n_c": [31, 22]}
    )
    frame = bm.fit_many([counts], measure="RR")
    post = bm.fit(counts, measure="RR")
    assert post.likelihood == "binomial"
    assert frame.loc[0, "mu_median"] == pytest.approx(post.quantile("mu", 0.5), abs=1e-9)


def test_pooling_functions_take_a_table_a_frame_effects_and_a_file(tmp_path) -> None:
    import pandas as pd

    frame = pd.DataFrame(
        {"study": ["A", "B"], "events_e": [3, 2], "n_e": [30, 25], "events_c": [5, 4], "n_c": [31, 22]}
    )
    frame.to_csv(tmp_path / "table.csv", index=False)
    table = bm.read_studies(frame)
    for pool in (bm.random_effects, bm.mantel_haenszel):
        found = [pool(one, measure="RR").estimate for one in (frame, table, tmp_path / "table.csv")]
        found.append(pool(bm.effect_sizes(frame, "RR")).estimate)
        assert len(set(found)) == 1
    assert bm.peto(frame).estimate == bm.peto(bm.effect_sizes(frame, "PETO")).estimate
    with pytest.raises(SpecError, match="needs the counts of the arms"):
        bm.peto(bm.effect_sizes(yi=YI, sei=SEI))


def test_default_priors_are_priors_for_fit() -> None:
    priors = bm.default_priors("RR")
    given = bm.fit(yi=YI, sei=SEI, measure="RR", priors=priors)
    assert given.priors == priors
    assert given.quantile("mu", 0.5) == bm.fit(yi=YI, sei=SEI, measure="RR").quantile("mu", 0.5)


WRONG = {
    "priors as text": lambda: bm.fit(yi=YI, sei=SEI, priors="Normal(0, 1)"),
    "a number for the table": lambda: bm.fit(5, measure="RR"),
    "text for numbers": lambda: bm.fit(yi=["a", "b"], sei=SEI),
    "a list as likelihood": lambda: bm.fit(yi=YI, sei=SEI, likelihood=["normal"]),
    "one analysis for fit_many": lambda: bm.fit_many(5),
}


COUNTS = {
    "study": ["A", "B", "C"],
    "events_e": [3, 2, 0],
    "n_e": [30, 25, 40],
    "events_c": [5, 4, 2],
    "n_c": [31, 22, 41],
}


def counts():
    import pandas as pd

    return pd.DataFrame(COUNTS)


SHOWN = {
    "StudyTable": lambda: bm.read_studies(counts()),
    "Effects": lambda: bm.effect_sizes(counts(), "RR"),
    "RandomEffects": lambda: bm.random_effects(counts(), measure="RR"),
    "CommonEffect": lambda: bm.mantel_haenszel(counts()),
    "Regression": lambda: bm.regression(
        yi=[0.1, 0.4, 0.2, 0.6], vi=[0.1] * 4, data={"g": list("aabb")}, moderators="~ g"
    ),
    "Multilevel": lambda: bm.multilevel(
        yi=[0.1, 0.4, 0.2, 0.6], vi=[0.1] * 4, data={"g": [1, 1, 2, 2]}, nesting="g/estimate"
    ),
    "Subgroups": lambda: bm.subgroups(yi=[0.1, 0.4, 0.2, 0.6], vi=[0.1] * 4, by=list("aabb")),
    "Posterior": lambda: bm.fit(counts(), measure="RR"),
    "averaged Posterior": lambda: bm.model_average(counts(), measure="RR").posterior,
    "normal Posterior": lambda: bm.fit(yi=YI, sei=SEI),
    "ModelAverage": lambda: bm.model_average(counts(), measure="RR"),
    "Prior": lambda: bm.parse_prior("HalfNormal(0.5)"),
    "Priors": lambda: bm.default_priors("RR"),
}


@pytest.mark.parametrize("name", SHOWN)
def test_objects_show_themselves_in_one_line(name) -> None:
    found = SHOWN[name]()
    line = repr(found)
    assert line.startswith(f"<{name.split()[-1]}: ")
    assert "\n" not in line
    assert len(line) < 250
    if name != "Prior":
        assert found._repr_html_().startswith("<p>")


def test_the_line_of_a_posterior_has_the_effect_on_the_natural_scale() -> None:
    post = bm.fit(counts(), measure="RR", likelihood="normal")
    low, middle, high = np.exp(post.quantile("mu", np.array([0.025, 0.5, 0.975])))
    assert f"RR {middle:.3g} [{low:.3g}, {high:.3g}] (95%)" in repr(post)
    assert "3 studies, normal likelihood, quadrature" in repr(post)
    html = bm.read_studies(counts().assign(study=["<b>A", "B", "C"]))._repr_html_()
    assert "&lt;b&gt;A" in html


@pytest.mark.parametrize("name", SHOWN)
def test_objects_can_be_pickled(name) -> None:
    import pickle

    found = SHOWN[name]()
    again = pickle.loads(pickle.dumps(found))
    assert repr(again) == repr(found)
    if isinstance(found, bm.Posterior):
        for term in ("mu", "tau", "theta_new"):
            assert again.quantile(term, 0.3) == found.quantile(term, 0.3)


def test_the_version_and_the_base_of_all_errors_are_public() -> None:
    from importlib.metadata import version

    assert bm.__version__ == version("bayesmeta")
    assert issubclass(bm.DataError, bm.BayesmetaError)


def test_the_help_of_the_package_begins_with_a_first_analysis() -> None:
    assert "bm.fit(studies" in "\n".join((bm.__doc__ or "").splitlines()[:12])


def test_a_posterior_answers_for_a_term() -> None:
    post = bm.fit(yi=YI, sei=SEI)
    assert post.mean() == post.marginal("mu").mean()[0]
    assert post.sd("tau") == post.marginal("tau").sd()[0]
    assert post.interval("tau", 0.9) == pytest.approx(post.quantile("tau", np.array([0.05, 0.95])), rel=1e-14)
    draws = post.sample("mu", 4000, seed=3)
    assert abs(draws.mean() - post.mean()) < 5 * post.sd() / np.sqrt(4000)
    assert (draws == post.sample("mu", 4000, seed=3)).all()
    assert post.summary(level=0.9).equals(bm.summarize(post, level=0.9))


POST = bm.fit(yi=YI, sei=SEI, measure="RR")
WRONG |= {
    "labels as a number": lambda: bm.fit(yi=YI, sei=SEI, labels=3),
    "no posterior": lambda: bm.summarize("x"),
    "text as mid": lambda: bm.summarize(POST, better="lower", mid="a"),
    "text as level": lambda: bm.summarize(POST, level="a"),
    "data of the wrong type": lambda: bm.default_priors("MD", 3),
    "a number as parameters": lambda: bm.Prior("Normal", 3),
    "text as a parameter": lambda: bm.Prior("Normal", ("a", 1)),
    "a number as probabilities": lambda: bm.model_average(yi=YI, sei=SEI, measure="RR", prior_probabilities=3),
    "a number as a file": lambda: bm.load_posterior(3),
    "a number as a review": lambda: bm.run_review(3),
    "none as a review": lambda: bm.plan_review(None),
    "a number to import": lambda: bm.import_review(3, "x"),
    "a number as a Cochrane file": lambda: bm.read_cochrane(3),
    "text as a baseline": lambda: bm.absolute_risks(POST, "x"),
    "text as a probability": lambda: POST.quantile("mu", "a"),
    "text as x": lambda: POST.cdf("mu", "a"),
    "none as x": lambda: POST.pdf("mu", None),
    "3 as mass": lambda: POST.hdi("mu", 3),
    "a number to save to": lambda: POST.save(3),
    "numbers as posteriors": lambda: bm.engine_agreement(1, 2),
    "a number as a folder": lambda: bm.corpus_prior(1),
    "a number as reviews": lambda: bm.run_collection(1, 2),
    "a number as a Cochrane review": lambda: bm.reproduce_pooled(1),
    "a number for studies": lambda: bm.reproduce_studies(1),
    "numbers as a table": lambda: bm.StudyTable(1, 2),
    "text in a table": lambda: bm.StudyTable(("a",), {"yi": ["x"], "sei": [1]}),
}


@pytest.mark.parametrize("case", WRONG)
def test_values_of_the_wrong_type_are_errors_of_this_package(case) -> None:
    with pytest.raises(BayesmetaError):
        WRONG[case]()
