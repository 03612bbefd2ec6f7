"""Bayesian rows of ``compare`` with moderators, subgroups and several estimates per study: those of the fits, in one schema."""

import numpy as np
import pandas as pd
import pytest
from paths import REVIEWS_FOLDER

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.posterior.predictions import new_effect
from bayesmeta.results.models.bayesian_fits import can_sample
from bayesmeta.results.models.priors import model_priors

BCG = bm.read_studies(REVIEWS_FOLDER / "bcg" / "studies.csv")
NORMAL = "bayes:normal:quadrature"
PRIORS = {"mu": "Normal(0, 2)", "tau": "HalfNormal(0.5)"}
NESTED = pd.DataFrame(
    {
        "study": ["A", "A", "A", "B", "B", "C", "C", "D", "D", "D"],
        "weeks": [4.0, 12, 26, 4, 12, 4, 26, 4, 12, 26],
        "arm": list("xyyxyxyxxy"),
        "yi": [-0.52, -0.31, -0.28, -0.81, -0.60, -0.15, 0.08, -0.45, -0.41, -0.12],
        "vi": [0.04, 0.05, 0.06, 0.03, 0.04, 0.05, 0.07, 0.02, 0.03, 0.04],
    }
)


def rows(frame, model, method=NORMAL):
    found = frame[(frame["model"] == model) & (frame["method"] == method)]
    return found.set_index(["term", "group"])


@pytest.fixture(scope="module")
def effects():
    return bm.effect_sizes(BCG, "RR")


def test_rows_of_moderators_are_those_of_the_fit(effects):
    formula = "~ latitude + allocation"
    frame = bm.compare(effects, moderators=formula, priors=PRIORS)
    fit = bm.fit(effects, likelihood="normal", moderators=formula, priors=PRIORS)
    found, summary = rows(frame, formula), fit.summary(studies=False)
    names = ["Intercept", "latitude", "allocation[T.random]", "allocation[T.systematic]", "effect_at_means"]
    assert list(found.index) == [(name, "") for name in names]
    for name in names:
        row = found.loc[(name, "")]
        expected = summary.loc[name, ["median", "sd", "ci_low", "ci_high"]].to_numpy(float)
        np.testing.assert_array_equal(row[["estimate", "se", "ci_low", "ci_high"]].to_numpy(float), expected)
        assert row["tau"] == summary.loc["tau", "median"]
    at_means = new_effect(fit, fit.data.design.matrix.mean(axis=0)).quantile(np.array([[0.025], [0.975]]))[:, 0]
    assert found.loc[("effect_at_means", ""), ["pi_low", "pi_high"]].tolist() == pytest.approx(
        at_means.tolist(), rel=1e-12
    )


def test_rows_of_moderators_say_what_was_learned(effects):
    formula = "~ latitude + allocation"
    fit = bm.fit(effects, likelihood="normal", moderators=formula, priors=PRIORS)
    found = rows(bm.compare(effects, moderators=formula, priors=PRIORS), formula)
    learned, evidence = bm.prior_posterior(fit), bm.moderator_evidence(fit)
    for name in ("latitude", "allocation[T.random]"):
        row = found.loc[(name, "")]
        assert row["sd_ratio"] == pytest.approx(learned.table.loc[name, "sd_ratio"], rel=1e-12)
        assert row["overlap"] == pytest.approx(learned.table.loc[name, "overlap"], rel=1e-12)
    # the studies that have the category, all studies for a number
    assert found.loc[("allocation[T.random]", ""), "k_coefficient"] == 7
    assert found.loc[("latitude", ""), "k_coefficient"] == 13
    assert (
        found.loc[("latitude", ""), "prior"]
        == f"Normal(0, {0.5 / np.std(list(map(float, BCG.extra['latitude'])), ddof=1):.3g})"
    )
    # a term with two coefficients has its Bayes factor in the row of the first
    for term, name in (("latitude", "latitude"), ("allocation", "allocation[T.random]"), ("effect", "effect_at_means")):
        assert found.loc[(name, ""), "bf_inclusion"] == pytest.approx(evidence.loc[term, "bf_inclusion"], rel=1e-12)
    assert np.isnan(found.loc[("allocation[T.systematic]", ""), "bf_inclusion"])


def test_a_note_says_how_little_few_studies_tell():
    few = {"yi": [0.1, 0.3, -0.2, 0.2], "vi": [1.3, 1.2, 1.4, 1.3], "data": {"dose": [1.0, 2.0, 2.0, 4.0]}}
    note = rows(bm.compare(**few, measure="SMD", moderators="~ dose"), "~ dose")["note"].iloc[0]
    assert "little is learned from 4 studies for 2 coefficients" in note
    assert "dose (" in note
    assert "Intercept" not in note
    many = {"yi": np.linspace(0, 1, 30), "vi": [0.01] * 30, "data": {"dose": np.arange(30.0)}}
    note = rows(bm.compare(**many, measure="SMD", moderators="~ dose"), "~ dose")["note"].iloc[0]
    assert "little" not in note


def test_arm_level_regressions_have_rows_where_quadrature_takes_them():
    studies = bm.read_studies(REVIEWS_FOLDER / "bcg" / "studies.csv", where={"allocation": "random"})
    frame = bm.compare(studies, measure="RR", moderators=["~ latitude", "~ latitude + year"], priors=PRIORS)
    exact = bm.fit(studies, measure="RR", moderators="~ latitude", priors=PRIORS, engine="quadrature")
    row = rows(frame, "~ latitude", "bayes:binomial:quadrature").loc[("latitude", "")]
    assert row["estimate"] == pytest.approx(exact.quantile("latitude", 0.5), rel=1e-9)
    assert rows(frame, "~ latitude + year", "bayes:binomial:quadrature").empty
    instead = rows(frame, "~ latitude + year")["note"].iloc[0]
    assert instead.startswith("The normal likelihood was fitted in place of the binomial one")
    assert "this model has 3" in instead


def test_rows_of_dependent_estimates_are_those_of_the_fit():
    frame = bm.compare(NESTED, nesting="study/estimate", sampling_correlation=0.4, priors=PRIORS, moderators="~ weeks")
    given = {"nesting": "study/estimate", "sampling_correlation": 0.4, "priors": PRIORS, "measure": "GEN"}
    fit = bm.fit(NESTED, **given)
    row, summary = rows(frame, "study/estimate").loc[("mu", "")], fit.summary(studies=False)
    assert row["estimate"] == summary.loc["mu", "median"]
    for name in ("tau", "rho", "tau_between", "tau_within"):
        assert row[name] == summary.loc[name, "median"]
    assert (row["pi_low"], row["pi_high"]) == tuple(summary.loc["theta_new_estimate", ["ci_low", "ci_high"]])
    assert row["log_marginal_likelihood"] == fit.log_marginal_likelihood
    assert row["bf_dependence"] == pytest.approx(bm.moderator_evidence(fit).loc["dependence", "bf_inclusion"])
    assert row["studies"] == 4
    slope = bm.fit(NESTED, moderators="~ weeks", **given).summary(studies=False).loc["weeks", "median"]
    assert rows(frame, "~ weeks").loc[("weeks", ""), "estimate"] == slope


def test_groups_of_dependent_estimates_are_coefficients_of_one_model():
    given = {"nesting": "study/estimate", "sampling_correlation": 0.4, "priors": PRIORS}
    found = rows(bm.compare(NESTED, by="arm", **given), "arm")
    fit = bm.fit(NESTED, moderators="~ 0 + arm", measure="GEN", **given)
    for group in "xy":
        row = found.loc[("mu", group)]
        assert row["estimate"] == pytest.approx(fit.quantile(f"arm[{group}]", 0.5), rel=1e-9)
        assert row["k"] == 5
    difference = found.loc[("difference", "y vs x")]
    combined = fit.solution.combinations(np.array([[-1.0, 1.0]]), ("difference",))
    assert difference["estimate"] == pytest.approx(combined.quantile(np.array([[0.5]]))[0, 0], rel=1e-9)
    assert difference["se"] == pytest.approx(combined.sd()[0], rel=1e-9)
    overall = found.loc[("overall", "")]
    assert overall["estimate"] == pytest.approx(bm.fit(NESTED, measure="GEN", **given).quantile("mu", 0.5), rel=1e-9)


def test_groups_have_rows_with_a_common_tau_too(effects):
    frame = bm.compare(effects, by="allocation", priors=PRIORS)
    found = rows(frame, "allocation", f"{NORMAL}-common-tau")
    fits = bm.fit_subgroups(effects, by="allocation", likelihood="normal", priors=PRIORS, common_tau=True)
    for group, fit in fits.groups.items():
        assert found.loc[("mu", group), "ci_high"] == pytest.approx(fit.quantile("mu", 0.975), rel=1e-9)
    # one tau
    assert found.loc[("mu", slice(None)), "tau"].nunique() == 1
    assert rows(frame, "allocation").loc[("mu", slice(None)), "tau"].nunique() == 3


def test_priors_by_name_reach_the_models_that_have_them():
    given = {"nesting": "study/estimate", "moderators": ["~ weeks", "~ arm"]}
    own = {"weeks": "Normal(0, 0.001)", "rho": "Beta(8, 2)"}
    frame, plain = bm.compare(NESTED, priors=PRIORS | own, **given), bm.compare(NESTED, priors=PRIORS, **given)
    narrow = rows(frame, "~ weeks").loc[("weeks", "")]
    assert abs(narrow["estimate"]) < 0.001
    assert narrow["prior"] == "Normal(0, 0.001)"
    # one formula's coefficient is no other's; the pooled effect has neither
    expected = bm.fit(
        NESTED, measure="GEN", nesting="study/estimate", moderators="~ arm", priors=PRIORS | {"rho": "Beta(8, 2)"}
    )
    row = rows(frame, "~ arm").loc[("arm[T.y]", "")]
    assert row["estimate"] == pytest.approx(expected.quantile("arm[T.y]", 0.5), rel=1e-9)
    assert frame.loc[frame["model"] == "", "estimate"].equals(plain.loc[plain["model"] == "", "estimate"])
    with pytest.raises(SpecError, match="parameter or coefficient with a prior 'wekks'; did you mean 'weeks'"):
        bm.compare(NESTED, priors={"wekks": "Normal(0, 1)"}, **given)
    with pytest.raises(SpecError, match="parameter or coefficient with a prior 'rho'"):
        bm.compare(yi=[0.1, 0.2], vi=[0.1, 0.1], priors={"rho": "Beta(1, 1)"})


def test_priors_that_replace_others_in_a_model():
    both = {
        "mu": "a",
        "Intercept": "b",
        "dose": "c",
        "tau": "d",
        "tau_between": "e",
        "tau_within": "f",
        "rho": "g",
        "baseline": "h",
    }
    assert model_priors(both, ("Intercept", "dose"), nested=False) == {
        "Intercept": "b", "dose": "c", "tau": "d", "baseline": "h"
    }  # fmt: skip
    assert model_priors(both, (), nested=True) == {"mu": "a", "tau_between": "e", "tau_within": "f"}
    one = {"tau": "d", "rho": "g", "tau_between": "e"}
    assert model_priors(one, (), nested=True) == one


def test_data_that_nuts_has_a_model_for():
    given = {"nesting": "study/estimate", "measure": "GEN", "priors": PRIORS}
    assert can_sample(bm.fit(NESTED, **given).data)
    assert can_sample(bm.fit(NESTED, sampling_correlation=0.3, **given).data)
    assert not can_sample(bm.fit(NESTED, **(given | {"nesting": "study"})).data)
