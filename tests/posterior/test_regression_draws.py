"""Draws and files of posteriors with moderators."""

from pathlib import Path

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

import bayesmeta as bm

YI, VI = [-0.9, -0.2, -0.4, 0.1, 0.3, 0.2, -0.1], [0.1, 0.2, 0.1, 0.15, 0.2, 0.1, 0.05]
FRAME = pd.DataFrame(
    {"dose": [1.0, 2, 2, 3, 5, 4, 3], "rob": pd.Categorical(list("lhlhlhl"), ["l", "h"]), "study": list("aabbccd")}
)
COUNTS = pd.DataFrame(
    {"events_e": [0, 3, 4, 5, 6, 2], "n_e": 50, "events_c": [0, 6, 5, 9, 7, 8], "n_c": 50, "dose": [1.0, 2, 3, 4, 5, 6]}
)


@pytest.fixture(scope="module")
def post() -> bm.Posterior:
    return bm.fit(yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ dose + rob")


def test_layout(post: bm.Posterior) -> None:
    tree = post.draws
    assert {"Intercept", "dose", "rob[T.h]", "tau", "tau2", "i2", "effect_at_means"} <= set(tree["posterior"].data_vars)
    assert tree["constant_data"]["design"].dims == ("study", "coefficient")
    assert list(tree["constant_data"]["coefficient"].values) == ["Intercept", "dose", "rob[T.h]"]
    draws, summary = tree["posterior"].to_dataset(), bm.summarize(post, studies=False)
    for term in ("Intercept", "dose", "rob[T.h]", "effect_at_means", "tau", "i2"):
        assert float(draws[term].mean()) == pytest.approx(summary.loc[term, "mean"], abs=0.1 * summary.loc[term, "sd"])


def test_log_likelihood_is_that_of_each_study_at_its_moderators(post: bm.Posterior) -> None:
    tree = post.draws
    draws, x = tree["posterior"].to_dataset(), tree["constant_data"]["design"].values
    b = np.stack([draws[name].values for name in ("Intercept", "dose", "rob[T.h]")], axis=-1)
    sd = np.sqrt(np.array(VI) + draws["tau"].values[..., None] ** 2)
    np.testing.assert_allclose(tree["log_likelihood"]["effect"], norm.logpdf(YI, b @ x.T, sd), rtol=1e-10)
    small = bm.fit(
        yi=YI, vi=VI, data=FRAME, moderators="~ dose",
        priors={"Intercept": "Normal(0, 0.5)", "dose": "Normal(0, 0.2)", "tau": "HalfNormal(0.1)"},
    )  # fmt: skip
    exact = float(bm.leave_one_out(small, psis=False)["log_predictive"].sum())
    assert az.loo(small.draws).elpd == pytest.approx(exact, abs=0.1)


def test_log_prior_has_the_parameters_that_have_priors(post: bm.Posterior) -> None:
    tree = post.draws
    assert set(tree["log_prior"].data_vars) == {"effect_at_means", "dose", "rob[T.h]", "tau"}
    draws, sd = tree["posterior"].to_dataset(), 0.5 / FRAME["dose"].std()
    np.testing.assert_allclose(tree["log_prior"]["effect_at_means"], norm.logpdf(draws["effect_at_means"], 0, 2))
    np.testing.assert_allclose(tree["log_prior"]["dose"], norm.logpdf(draws["dose"], 0, float(f"{sd:.3g}")))


def test_prior_draws_have_the_prior_of_the_effect_at_the_means(post: bm.Posterior) -> None:
    prior = post.draws["prior"].to_dataset()
    assert float(prior["effect_at_means"].std()) == pytest.approx(2.0, rel=0.05)
    assert abs(np.corrcoef(prior["effect_at_means"].values[0], prior["dose"].values[0])[0, 1]) < 0.06
    assert post.draws["prior_predictive"]["effect"].shape == (1, 4000, 7)
    flat = bm.fit(yi=YI, vi=VI, data=FRAME, moderators="~ dose")
    assert "Intercept" not in flat.draws["prior"]
    assert "prior_predictive" not in flat.draws


def test_posterior_predictive_follows_the_moderators(post: bm.Posterior) -> None:
    new = post.draws["posterior_predictive"]["effect"].values.reshape(-1, 7)
    expected = bm.predict(post)["mean"].to_numpy()
    np.testing.assert_allclose(new.mean(axis=0), expected, atol=0.06)


@pytest.mark.parametrize("formula", ["~ dose + rob", "~ center(dose)", "~ bs(dose, df=3)", "~ 0 + rob", "~ dose:rob"])
def test_files_keep_the_formula(formula: str, tmp_path: Path) -> None:
    fit = bm.fit(yi=YI, vi=VI, measure="SMD", data=FRAME, moderators=formula)
    again = bm.load_posterior(fit.save(tmp_path / "a.nc"))
    frame = {"dose": [1.5, 4.0], "rob": ["h", "l"]}
    pd.testing.assert_frame_equal(bm.predict(again, frame), bm.predict(fit, frame), rtol=1e-12)
    pd.testing.assert_frame_equal(bm.summarize(again), bm.summarize(fit), rtol=1e-12)


def test_files_keep_within_and_between_parts(tmp_path: Path) -> None:
    fit = bm.fit(
        yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ within(dose) + between(dose)", nesting="study/estimate"
    )
    again = bm.load_posterior(fit.save(tmp_path / "a.nc"))
    frame = {"within(dose)": [0.0, 1.0], "between(dose)": [2.0, 3.0]}
    pd.testing.assert_frame_equal(bm.predict(again, frame), bm.predict(fit, frame), rtol=1e-12)
    assert {"Intercept", "within(dose)", "effect_at_means"} <= set(fit.draws["prior"].data_vars)


def test_files_of_draws_and_of_arm_level_likelihoods(tmp_path: Path) -> None:
    for options in ({"engine": "nuts", "likelihood": "normal"}, {"likelihood": "binomial"}):
        fit = bm.fit(COUNTS, measure="OR", moderators="~ dose", **options)
        again = bm.load_posterior(fit.save(tmp_path / "a.nc"))
        pd.testing.assert_frame_equal(bm.predict(again, {"dose": [2.0]}), bm.predict(fit, {"dose": [2.0]}), rtol=1e-12)
        pd.testing.assert_frame_equal(bm.summarize(again, studies=False), bm.summarize(fit, studies=False), rtol=1e-12)
        assert fit.draws["log_likelihood"]["effect"].dims == ("chain", "draw", "study")
        assert fit.draws["posterior_predictive"]["effect"].shape[2] == fit.data.k


def test_files_of_rows_of_x(tmp_path: Path) -> None:
    x = np.column_stack([np.ones(7), FRAME["dose"]])
    fit = bm.fit(yi=YI, vi=VI, measure="SMD", moderators=x)
    again = bm.load_posterior(fit.save(tmp_path / "a.nc"))
    pd.testing.assert_frame_equal(bm.predict(again, x[:2]), bm.predict(fit, x[:2]), rtol=1e-12)


def test_point_priors_have_draws_and_no_log_prior(tmp_path: Path) -> None:
    fit = bm.fit(yi=YI, vi=VI, measure="SMD", data=FRAME, moderators="~ dose", priors={"dose": "Point(0)"})
    assert set(fit.draws["log_prior"].data_vars) == {"effect_at_means", "tau"}
    assert float(np.abs(fit.draws["posterior"]["dose"]).max()) < 1e-15
    again = bm.load_posterior(fit.save(tmp_path / "a.nc"))
    pd.testing.assert_frame_equal(bm.summarize(again), bm.summarize(fit), rtol=1e-12)
