"""Summaries of ratios: moments and shortest intervals of the ratio itself, and which of them do not exist."""

from __future__ import annotations

import io

import arviz as az
import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

import bayesmeta as bm
from bayesmeta.engines.marginals.normal_mixtures import NormalMixtures
from bayesmeta.engines.marginals.ratios import ratio_hdi, ratio_moments
from bayesmeta.engines.marginals.tabulated import Density, Tabulated
from bayesmeta.engines.ratio_tails import tail_rates
from bayesmeta.posterior.posterior import Posterior

Y, SE = [0.5, -0.2, 0.9], [0.5, 0.6, 0.7]


@pytest.fixture(scope="module")
def posterior() -> Posterior:
    return bm.fit(yi=Y, sei=SE, measure="OR")


def by_integration(posterior: Posterior, term: str) -> tuple[float, float]:
    """Mean and standard deviation of exp(term), from the density of the term alone."""
    points = posterior.quantile(term, np.array([1e-9, 0.01, 0.5, 0.99, 1 - 1e-9]))

    def moment(power: int) -> float:
        function = lambda x: np.exp(power * x) * posterior.pdf(term, x)  # noqa: E731
        return quad(function, points[0] - 8, points[-1] + 8, points=points, limit=500, epsrel=1e-10)[0]

    return moment(1), float(np.sqrt(moment(2) - moment(1) ** 2))


def assert_shortest(posterior: Posterior, term: str, low: float, high: float, mass: float) -> None:
    """Whether an interval of a ratio contains the mass, and no other interval that does is shorter."""
    assert posterior.cdf(term, np.log(high)) - posterior.cdf(term, np.log(low)) == pytest.approx(mass, abs=1e-7)
    tails = np.linspace(1e-6, 1 - mass - 1e-6, 400)
    ends = np.exp(posterior.quantile(term, np.stack([tails, tails + mass])))
    assert high - low <= (ends[1] - ends[0]).min() * (1 + 1e-7)


def test_moments_and_intervals_of_odds_ratios(posterior: Posterior) -> None:
    model, natural = bm.summarize(posterior), bm.summarize(posterior, scale="natural")
    for term in ("mu", "theta[1]", "theta[2]", "theta[3]"):
        mean, sd = by_integration(posterior, term)
        row = natural.loc[term]
        assert row["mean"] == pytest.approx(mean, rel=1e-7)
        assert row["sd"] == pytest.approx(sd, rel=1e-6)
        assert_shortest(posterior, term, row["hdi_low"], row["hdi_high"], 0.95)
        # not the transforms of the log-scale numbers
        assert row["mean"] > np.exp(model.loc[term, "mean"]) * 1.02
        assert row["hdi_low"] < np.exp(model.loc[term, "hdi_low"])
    for name in ("median", "ci_low", "ci_high"):
        np.testing.assert_array_equal(natural.loc[["mu"], name], np.exp(model.loc[["mu"], name]))
    found = natural.loc["mu", ["mean", "sd", "median", "hdi_low", "hdi_high"]].to_numpy(float)
    np.testing.assert_allclose(found, [1.5745, 0.7098, 1.4444, 0.4931, 2.9152], atol=1e-4)
    pd.testing.assert_frame_equal(natural.loc[["tau", "tau2", "i2"]], model.loc[["tau", "tau2", "i2"]])


def test_a_new_study_has_no_mean_and_an_interval_only_where_the_density_is_bounded(posterior: Posterior) -> None:
    row = bm.summarize(posterior, scale="natural").loc["theta_new"]
    assert np.isnan(row[["mean", "sd"]].to_numpy(float)).all()
    assert_shortest(posterior, "theta_new", row["hdi_low"], row["hdi_high"], 0.95)
    # the density of theta_new falls like exp(-|x| / A): against the inverse of the ratio that is not enough
    for prior, bounded in (("HalfNormal(0.9)", True), ("HalfNormal(1.2)", False), ("HalfCauchy(0.1)", False)):
        other = bm.fit(yi=Y, sei=SE, measure="OR", priors={"tau": prior})
        assert bm.summarize(other, scale="natural").loc["theta_new", ["hdi_low", "hdi_high"]].notna().all() == bounded


@pytest.mark.parametrize(
    ("priors", "mean", "sd"),
    [
        ({"tau": "HalfCauchy(0.5)"}, True, True),
        ({"mu": "Flat()"}, True, True),
        # three normal studies: the tail of mu falls like exp(-sqrt(3) x / A)
        ({"mu": "Flat()", "tau": "HalfNormal(1.5)"}, True, False),
        ({"mu": "Flat()", "tau": "HalfNormal(2)"}, False, False),
        ({"mu": "Flat()", "tau": "HalfCauchy(0.5)"}, False, False),
        ({"mu": "Flat()", "tau": "Uniform(0, 3)"}, True, True),
        ({"mu": "Flat()", "tau2": "Exponential(2)"}, True, True),
        ({"mu": "StudentT(4, 0, 1)", "tau": "Exponential(2)"}, False, False),
        ({"mu": "Logistic(0, 0.25)", "tau": "HalfCauchy(0.5)"}, True, True),
        ({"mu": "Logistic(0, 1.1)", "tau": "HalfCauchy(0.5)"}, False, False),
        ({"mu": "Point(0)", "tau": "HalfCauchy(0.5)"}, True, True),
    ],
)
def test_moments_that_are_infinite_are_absent(priors: dict[str, str], mean: bool, sd: bool) -> None:
    row = bm.summarize(bm.fit(yi=Y, sei=SE, measure="OR", priors=priors), scale="natural", studies=False).loc["mu"]
    assert bool(np.isfinite(row["mean"])) == mean
    assert bool(np.isfinite(row["sd"])) == sd


def test_rates_of_tails_are_those_of_the_densities() -> None:
    """Under a flat prior for mu, against the slope of the log density far out."""
    priors = {"mu": "Flat()", "tau": "HalfNormal(0.5)"}
    posterior = bm.fit(yi=Y, sei=SE, measure="OR", priors=priors)
    rates = tail_rates(posterior.data, posterior.priors, posterior.solution.terms, ("mu", "theta_new", "theta[1]"))
    assert rates["mu"] == pytest.approx((np.sqrt(3) / 0.5,) * 2, rel=1e-3)
    assert rates["theta_new"] == pytest.approx((np.sqrt(3 / 4) / 0.5,) * 2, rel=1e-3)
    assert rates["theta[1]"] == (np.inf, np.inf)
    # powers of x beside the exponential make the slope approach the rate slowly
    for term in ("mu", "theta_new"):
        x = np.array([11.0, 12.0]) if term == "theta_new" else np.array([8.0, 9.0])
        slope = -float(np.diff(np.log(posterior.pdf(term, x)))[0])
        assert slope == pytest.approx(rates[term][1], rel=0.25)


def test_arm_level_likelihoods(bcg: pd.DataFrame) -> None:
    posterior = bm.fit(bcg, measure="RR")
    natural = bm.summarize(posterior, scale="natural")
    draws = posterior.solution.sample(20000, np.random.default_rng(1))
    for term, values in (("mu", draws["mu"]), ("theta[Comstock 1969]", draws["theta"][:, 11])):
        mean, sd = by_integration(posterior, term)
        assert natural.loc[term, "mean"] == pytest.approx(mean, rel=1e-5)
        assert natural.loc[term, "sd"] == pytest.approx(sd, rel=1e-5)
        assert_shortest(posterior, term, natural.loc[term, "hdi_low"], natural.loc[term, "hdi_high"], 0.95)
        assert np.exp(values).mean() == pytest.approx(mean, abs=4 * sd / np.sqrt(20000))


def test_a_study_without_control_events_has_no_standard_deviation_of_its_ratio() -> None:
    table = pd.DataFrame(
        {"study": list("ABC"), "events_e": [5, 8, 4], "n_e": [50] * 3, "events_c": [0, 6, 5], "n_c": [50] * 3}
    )
    wide = bm.fit(table, measure="RR", priors={"tau": "HalfNormal(1.2)"})
    natural = bm.summarize(wide, scale="natural")
    # its likelihood is flat upwards, so that its effect has the tail of a new study's
    assert natural.loc["theta[A]", ["mean", "sd"]].isna().all()
    assert natural.loc["theta[B]", ["mean", "sd"]].notna().all()
    assert natural.loc["mu", ["mean", "sd"]].notna().all()


def test_mixtures_and_tables_of_one_density_agree() -> None:
    """A log-normal with a large standard deviation, whose moments lie far in the tail of the log."""
    for sd in (0.01, 0.5, 1.5):
        mixture = NormalMixtures(("x",), np.ones(1), np.full((1, 1), 0.3), np.full((1, 1), sd))
        density = Density(lambda x, sd=sd: -0.5 * ((x - 0.3) / sd) ** 2, 0.3 - 12 * sd, 0.3 + 12 * sd, 0.3, (0.3, sd))
        table = Tabulated(("x",), (density,))
        mean = np.exp(0.3 + sd**2 / 2)
        spread = mean * np.sqrt(np.expm1(sd**2))
        for family in (mixture, table):
            found = ratio_moments(family)
            assert found[0][0] == pytest.approx(mean, rel=1e-7)
            assert found[1][0] == pytest.approx(spread, rel=1e-6)
        np.testing.assert_allclose(ratio_hdi(mixture, 0.9), ratio_hdi(table, 0.9), rtol=1e-6)


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95, 0.99])
def test_intervals_follow_the_level(posterior: Posterior, level: float) -> None:
    row = bm.summarize(posterior, scale="natural", level=level).loc["mu"]
    assert_shortest(posterior, "mu", row["hdi_low"], row["hdi_high"], level)


def test_draws(drawn: Posterior) -> None:
    """NUTS: of the draws of the ratio, with their Monte Carlo standard errors."""
    model, natural = bm.summarize(drawn), bm.summarize(drawn, scale="natural")
    ratios = np.exp(drawn.solution.draws["mu"])
    row = natural.loc["mu"]
    assert row["mean"] == pytest.approx(ratios.mean())
    assert row["sd"] == pytest.approx(ratios.std(ddof=1))
    np.testing.assert_allclose(row[["hdi_low", "hdi_high"]].to_numpy(float), az.hdi(ratios.ravel(), prob=0.95))
    assert row["mcse_mean"] == pytest.approx(float(az.mcse(ratios, method="mean")))
    assert row["mcse_median"] == pytest.approx(model.loc["mu", "mcse_median"] * row["median"], rel=0.1)
    assert natural.loc["theta_new", ["mean", "sd", "mcse_mean", "mcse_sd"]].isna().all()
    assert natural.loc["theta_new", "mcse_ci_high"] > 0
    pd.testing.assert_frame_equal(natural.loc[["tau", "i2"]], model.loc[["tau", "i2"]])


def test_standard_errors_of_interval_ends_follow_the_level(drawn: Posterior) -> None:
    draws = drawn.solution.draws["mu"]
    for level in (0.5, 0.95):
        row = bm.summarize(drawn, level=level).loc["mu"]
        for name, p in (("mcse_ci_low", 0.5 - level / 2), ("mcse_ci_high", 0.5 + level / 2)):
            assert row[name] == pytest.approx(float(az.mcse(draws, method="quantile", prob=p)))


def test_averages_over_models(posterior: Posterior) -> None:
    average = bm.model_average(posterior)
    natural = bm.summarize(average.posterior, scale="natural", studies=False)
    draws = np.exp(average.posterior.solution.sample(40000, np.random.default_rng(3))["mu"])
    assert natural.loc["mu", "mean"] == pytest.approx(draws.mean(), abs=4 * draws.std() / 200)
    assert natural.loc["mu", "hdi_low"] < 1 < natural.loc["mu", "hdi_high"]


def test_rows_of_results(posterior: Posterior) -> None:
    """compare and results.csv: medians, intervals of the ratio, and a standard error named for its scale."""
    table = bm.compare(yi=Y, sei=SE, measure="OR", scale="natural")
    row = table[table["method"] == "bayes:normal:quadrature"].iloc[0]
    summary = bm.summarize(posterior, scale="natural").loc["mu"]
    assert row["estimate"] == summary["median"]
    assert row["hdi_low"] == pytest.approx(summary["hdi_low"], rel=1e-9)
    assert row["hdi_high"] == pytest.approx(summary["hdi_high"], rel=1e-9)
    assert row["se"] == pytest.approx(posterior.marginal("mu").sd()[0])
    assert set(table["scale"]) == {"natural"}
    assert set(table["se_scale"]) == {"log"}
    differences = bm.compare(yi=Y, sei=SE, measure="MD", scale="natural")
    assert set(differences["se_scale"]) == {"natural"}


def test_the_command_prints_the_ratio(posterior: Posterior, tmp_path) -> None:
    from typer.testing import CliRunner

    from bayesmeta.cli.app import app

    path = tmp_path / "s.csv"
    pd.DataFrame({"study": [1, 2, 3], "yi": Y, "sei": SE}).to_csv(path, index=False)
    result = CliRunner().invoke(app, ["fit", str(path), "--measure", "OR", "--format", "csv"])
    assert result.exit_code == 0, result.output
    printed = pd.read_csv(io.StringIO(result.stdout), index_col="term")
    expected = bm.summarize(posterior, scale="natural")
    for name in ("mean", "sd", "hdi_low", "hdi_high"):
        np.testing.assert_allclose(printed[name], expected[name], rtol=1e-8)
