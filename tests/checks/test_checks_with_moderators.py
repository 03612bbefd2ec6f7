"""Checks of fits with moderators: leave one out, influence, priors, power-scaling, predictions, conflicts."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError

YI, VI = [-0.9, -0.2, -0.4, 0.1, 0.3, 0.2, -0.1, 0.4], [0.1, 0.2, 0.1, 0.15, 0.2, 0.1, 0.05, 0.1]
FRAME = pd.DataFrame({"dose": [1.0, 2, 2, 3, 5, 4, 3, 6], "rob": list("lhlhlhll"), "study": list("aabbccdd")})
PRIORS = {"Intercept": "Normal(0, 1)", "dose": "Normal(0, 0.3)", "tau": "HalfNormal(0.3)"}
COUNTS = pd.DataFrame(
    {
        "study": list("abcdef"), "events_e": [0, 3, 4, 5, 6, 2], "n_e": 50, "events_c": [1, 6, 5, 9, 7, 8], "n_c": 50,
        "dose": [1.0, 2, 3, 4, 5, 6],
    }
)  # fmt: skip


@pytest.fixture(scope="module")
def post() -> bm.Posterior:
    return bm.fit(yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ dose", priors=PRIORS)


def without(i: int) -> bm.Posterior:
    rows = [j for j in range(8) if j != i]
    return bm.fit(
        yi=np.array(YI)[rows],
        vi=np.array(VI)[rows],
        measure="SMD",
        data=FRAME.iloc[rows],
        moderators="~ dose",
        priors=PRIORS,
    )


def test_a_study_is_predicted_at_its_moderators(post: bm.Posterior) -> None:
    found = bm.leave_one_out(post)
    for i in (0, 7):
        new = without(i).solution.combinations(np.array([[1.0, FRAME["dose"][i]]]), ("new",), new_study=True)
        sd = np.sqrt(new.sds[0] ** 2 + VI[i])
        density = float(norm.pdf(YI[i], new.means[0], sd) @ new.weights)
        assert found["log_predictive"].iloc[i] == pytest.approx(np.log(density), abs=1e-8)
        tail = float(norm.cdf(YI[i], new.means[0], sd) @ new.weights)
        assert found["tail"].iloc[i] == pytest.approx(tail, abs=1e-10)
    assert found["psis_error"].abs().max() < 0.05


def test_draws_of_nuts_are_smoothed_too(post: bm.Posterior) -> None:
    sampled = bm.fit(yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ dose", priors=PRIORS, engine="nuts")
    np.testing.assert_allclose(
        bm.leave_one_out(sampled)["log_predictive_psis"], bm.leave_one_out(post)["log_predictive"], atol=0.1
    )


def test_influence_on_the_effect_at_the_means_of_all_studies(post: bm.Posterior) -> None:
    found, middle = bm.influence(post), FRAME["dose"].mean()
    one = bm.predict(without(0), {"dose": [middle]}).iloc[0]
    row = found.iloc[1]
    np.testing.assert_allclose(
        row[["estimate", "se", "ci_low", "pi_high"]].astype(float), one[["median", "sd", "ci_low", "pi_high"]]
    )
    assert row["shift"] == pytest.approx(one["mean"] - post.mean("effect_at_means"))


def test_influence_on_a_coefficient(post: bm.Posterior) -> None:
    found = bm.influence(post, term="dose")
    assert found["estimate"].iloc[0] == pytest.approx(post.quantile("dose", 0.5))
    assert found["shift"].iloc[8] == pytest.approx(without(7).mean("dose") - post.mean("dose"))
    assert found["pi_low"].isna().all()
    with pytest.raises(SpecError, match="did you mean 'dose'"):
        bm.influence(post, term="dosis")
    with pytest.raises(SpecError, match="unknown term 'dose'"):
        bm.influence(bm.fit(yi=YI, vi=VI), term="dose")


def test_a_study_that_a_flat_coefficient_needs_cannot_be_left_out() -> None:
    frame = {"only": [1.0] + [0.0] * 7}
    fit = bm.fit(yi=YI, vi=VI, data=frame, moderators="~ only", priors={"only": "Flat()", "tau": "HalfNormal(0.3)"})
    with pytest.raises(DataError, match=r"without .1.*flat priors"):
        bm.influence(fit)


def test_priors_of_slopes_and_of_the_intercept_are_varied(post: bm.Posterior) -> None:
    found = bm.prior_sensitivity(post, tau_priors=["HalfNormal(1)"], term="dose")
    assert list(dict.fromkeys(found["varied"])) == ["as fitted", "tau", "Intercept", "slopes"]
    assert found["estimate"].iloc[0] == pytest.approx(post.quantile("dose", 0.5))
    wider = bm.fit(
        yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ dose", priors={**PRIORS, "dose": "Normal(0, 3)"}
    )
    assert found["estimate"].iloc[-1] == pytest.approx(wider.quantile("dose", 0.5))
    assert found["log_marginal_likelihood"].iloc[-1] == pytest.approx(wider.log_marginal_likelihood)
    assert "dose moves by at most" in found.attrs["verdict"]
    plain = bm.fit(yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ dose")
    assert set(bm.prior_sensitivity(plain, tau_priors=[])["varied"]) == {"as fitted", "mu", "slopes"}


def test_power_scaling_of_each_prior(post: bm.Posterior) -> None:
    found = bm.power_scaling(post)
    assert list(found.index) == ["Intercept", "dose", "effect_at_means", "tau"]
    assert {"prior", "prior_Intercept", "prior_dose", "prior_tau", "likelihood"} < set(found.columns)
    assert (found[["prior", "likelihood"]] > 0).all().all()
    # a narrow prior matters more for its own coefficient
    narrow = bm.fit(
        yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ dose", priors={**PRIORS, "dose": "Normal(0, 0.05)"}
    )
    assert bm.power_scaling(narrow).loc["dose", "prior_dose"] > 2 * found.loc["dose", "prior_dose"]
    flat = bm.power_scaling(bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ dose"))
    assert (flat["prior_effect_at_means"] == 0).all()
    with pytest.raises(SpecError, match="is a point"):
        bm.power_scaling(bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ dose", priors={"dose": "Point(0)"}))


def test_predictive_checks_are_about_the_regression(post: bm.Posterior) -> None:
    found = bm.predictive_checks(post).set_index(["check", "study"])
    freq = bm.regression(yi=YI, vi=VI, data=FRAME, moderators="~ dose")
    assert found.loc[("Q", ""), "observed"] == pytest.approx(freq.qe)
    loo = bm.leave_one_out(post, psis=False)
    np.testing.assert_allclose(found.loc["given the others", "tail"], loo["tail"])
    # replicated by hand: new effects about X b
    draws = post.draws["posterior"].to_dataset()
    b = np.stack([draws[name].values.ravel() for name in ("Intercept", "dose")], axis=1)
    rng, tau = np.random.default_rng(1), draws["tau"].values.ravel()
    x = np.column_stack([np.ones(8), FRAME["dose"]])
    new = b @ x.T + np.sqrt(tau[:, None] ** 2 + np.array(VI)) * rng.standard_normal((len(tau), 8))
    w = 1 / np.array(VI)
    hat = np.eye(8) - x @ np.linalg.solve((x.T * w) @ x, x.T * w)
    q = (w * (new @ hat.T) ** 2).sum(axis=1)
    assert found.loc[("Q", ""), "tail"] == pytest.approx(float((q < freq.qe).mean()), abs=0.035)


def test_arm_level_likelihood_has_the_checks() -> None:
    fit = bm.fit(COUNTS, measure="OR", moderators="~ dose")
    loo = bm.leave_one_out(fit)
    assert loo["psis_error"].abs().max() < 0.15
    tails = bm.predictive_checks(fit)
    assert set(tails["check"]) == {"given all", "given the others", "Q", "largest residual"}
    assert tails["tail"].between(0, 1).all()
    assert np.isfinite(bm.influence(fit, term="dose")["estimate"]).all()
    assert np.isfinite(bm.power_scaling(fit)["prior"]).all()


def test_nested_estimates_leave_out_whole_studies() -> None:
    fit = bm.fit(yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ dose", nesting="study/estimate")
    found = bm.influence(fit, term="dose")
    assert list(found.index) == ["(none)", "a", "b", "c", "d"]
    assert np.isfinite(bm.influence(fit)["pi_low"]).all()


def test_conflicts_name_the_coefficient() -> None:
    far = {"Intercept": "Normal(5, 0.1)", "dose": "Normal(-3, 0.1)", "tau": "HalfNormal(0.3)"}
    fit = bm.fit(yi=YI, vi=VI, measure="RR", data=FRAME, moderators="~ dose", priors=far)
    about = [sentence.split(" is ")[0] for sentence in fit.prior_conflicts[:2]]
    assert about == [f"prior-data conflict: by the data alone {name}" for name in ("Intercept", "dose")]
    spread = bm.fit(
        yi=10 * np.array(YI), vi=VI, measure="SMD", data=FRAME, moderators="~ rob", priors={"mu": "Normal(0, 10)"}
    )
    assert any("99% interval" in sentence for sentence in spread.prior_conflicts)
    fine = bm.fit(yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ dose")
    assert fine.prior_conflicts == ()


def test_evidence_for_an_effect_needs_one_and_the_normal_likelihood() -> None:
    slope = bm.fit(yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ 0 + dose", priors={"tau": "HalfNormal(0.3)"})
    counts = bm.fit(COUNTS, measure="OR", moderators="~ dose")
    for function in (bm.model_average, bm.bayes_factors):
        with pytest.raises(SpecError, match="neither an intercept nor a coefficient per group; moderator_evidence"):
            function(slope)
        with pytest.raises(SpecError, match="likelihood 'binomial'; fit with likelihood='normal'"):
            function(counts)
    effects = bm.effect_sizes(yi=YI, vi=VI, measure="SMD")
    moderated = bm.fit(effects, data=FRAME, moderators="~ dose")
    with pytest.raises(SpecError, match="moderators"):
        bm.forest(moderated)
