"""Arm-level networks by NUTS, against long runs of JAGS, the exact network and the exact pairwise meta-analysis."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from paths import REFERENCE_FOLDER

import bayesmeta as bm
from bayesmeta.errors import SpecError
from bayesmeta.networks.left_out import fit_without
from bayesmeta.networks.sampled_solution import residual_deviance

JAGS = json.loads((REFERENCE_FOLDER / "network_bayes_extract.json").read_text())
TSD2 = {"d": "independent Normal(0, 100)", "tau": "Uniform(0, 5)"}


def agrees(found: float, error: float, expected: float, expected_error: float) -> bool:
    """Whether two estimates agree within four combined standard errors."""
    return abs(found - expected) <= 4 * np.hypot(error, expected_error)


def assert_agrees_with_jags(net: bm.NetworkPosterior, name: str) -> None:
    fit = JAGS[name]["fits"]["uniform_0_5"]
    table = net.summary(studies=False)
    names = {"sd": "tau"} | {f"d[{i + 1}]": f"{treatment} vs A" for i, treatment in enumerate(net.treatments)}
    for parameter, expected in fit["parameters"].items():
        if parameter == "totresdev":
            continue
        row = table.loc[names[parameter]]
        assert agrees(row["mean"], row["mcse_mean"], expected["mean"], expected["mcse_mean"]), parameter
        assert agrees(row["sd"], row["mcse_sd"], expected["sd"], expected["mcse_sd"]), parameter
    deviance = fit["parameters"]["totresdev"]
    # the standard error of the mean of draws that are nearly independent
    error = deviance["sd"] / np.sqrt(net.solution.diagnostics["ess_bulk"])
    assert agrees(net.residual_deviance, error, deviance["mean"], deviance["mcse_mean"])
    sucra = bm.ranking(net)["sucra"]
    for treatment, value, mcse in zip(net.treatments, fit["SUCRA"], fit["SUCRA_mcse"], strict=True):
        assert agrees(sucra[treatment], 0.5 / np.sqrt(net.solution.diagnostics["ess_bulk"]), value, mcse), treatment
    assert net.solution.diagnostics["divergences"] == 0


@pytest.mark.sampling
def test_smoking_cessation_agrees_with_jags() -> None:
    """Hasselblad 1998; NICE DSU Technical Support Document 4."""
    raw = JAGS["smoking"]["raw"]
    frame = pd.DataFrame(
        {"study": raw["study"], "treatment": raw["treatment"], "events": raw["responders"], "n": raw["sampleSize"]}
    )
    net = bm.network(
        frame, measure="OR", better="higher", likelihood="binomial", priors=TSD2 | {"baseline": "Normal(0, 100)"}
    )
    assert_agrees_with_jags(net, "smoking")
    # 97.8 in multinma, 98.99 in WinBUGS, by other definitions of pD
    assert net.dic == pytest.approx(98.4, abs=1.5)
    # by arm; TSD 4, table 3: residual deviance 54.0, and pD 45.0 at the means of the logits, as in WinBUGS
    points = net.deviances()
    assert points["deviance"].sum() == pytest.approx(54.0, abs=1.0)
    assert points["dic"].sum() == pytest.approx(net.dic)
    fitted, n = net.solution.drawn.draws["fitted"], np.array(raw["sampleSize"])
    middle = 1 / (1 + np.exp(-np.mean(np.log(fitted / (1 - fitted)), axis=(0, 1))))
    arms = net.solution.arms
    winbugs = net.residual_deviance - residual_deviance(arms, middle).sum()
    assert winbugs == pytest.approx(45.0, abs=0.6)
    assert points["leverage"].sum() == pytest.approx(winbugs - 1.1, abs=0.2)
    # an arm without events has the largest deviance, and fewer events than are fitted
    worst = points.loc[points["deviance"].idxmax()]
    assert (worst["observed"], worst["signed_root"] < 0, n.size) == (0, True, len(points))
    checks = net.predictive_checks(draws=2000)
    assert set(checks["check"]) == {"given all", "trial given all", "largest residual"}
    assert (checks["check"] == "trial given all").sum() == 2
    assert (net.likelihood, net.engine) == ("binomial", "nuts")
    assert "binomial likelihood, nuts" in repr(net)
    assert bm.league_table(net, value="median").loc["D", "A"] == pytest.approx(np.exp(net.quantile("D vs A", 0.5)))
    new = net.summary().loc["theta_new[D vs A]"]
    assert new["sd"] == pytest.approx(np.sqrt(net.sd("D vs A") ** 2 + net.mean("tau2")), rel=0.1)
    assert net.quantile("theta_new[A vs D]", 0.5) == pytest.approx(-net.quantile("theta_new[D vs A]", 0.5))
    assert set(net.draws(10)) == {"B vs A", "C vs A", "D vs A", "tau", "theta"}
    with pytest.raises(SpecError, match="NUTS draws give no marginal likelihood"):
        _ = net.log_marginal_likelihood
    with pytest.raises(SpecError, match="threshold analysis needs the exact network"):
        bm.threshold_analysis(net)


@pytest.mark.sampling
def test_parkinson_agrees_with_jags_and_with_the_exact_network() -> None:
    """NICE DSU Technical Support Document 2, example 5: no divergences."""
    raw = JAGS["parkinson"]["raw"]
    frame = pd.DataFrame({name: raw[name] for name in ("study", "treatment", "mean")})
    frame = frame.assign(sd=raw["std.dev"], n=raw["sampleSize"])
    options = {"measure": "MD", "better": "lower", "priors": TSD2}
    net, exact = bm.network(frame, engine="nuts", **options), bm.network(frame, **options)
    assert_agrees_with_jags(net, "parkinson")
    for term in exact.solution.terms.coefficients:
        assert agrees(net.mean(term), net.summary().loc[term, "mcse_mean"], exact.mean(term), 0.0)
    # means of arms have the normal likelihood, so that both engines predict the same
    keys = ["check", "study"]
    sampled, known = net.predictive_checks().set_index(keys), exact.predictive_checks().set_index(keys)
    for key in sampled.index:
        if key[0] == "given all":
            assert sampled.loc[key, "tail"] == pytest.approx(known.loc[key, "tail"], abs=4 * sampled.loc[key, "mcse"])
            assert sampled.loc[key, "observed"] == pytest.approx(known.loc[key, "observed"])
    assert sampled.loc[("trial given all", "3"), "tail"] == pytest.approx(
        known.loc[("trial given all", "3"), "tail"], abs=0.03
    )
    # without a trial, by NUTS and by quadrature
    one, other = (fit_without(fitted, "4") for fitted in (net, exact))
    for term in ("C vs A", "D vs A"):
        assert agrees(one.net.mean(term), one.net.summary().loc[term, "mcse_mean"], other.net.mean(term), 0.0)
    assert fit_without(net, "1").reason == ""


@pytest.mark.sampling
@pytest.mark.parametrize("measure", ["OR", "RR"])
def test_two_arms_are_the_exact_pairwise_meta_analysis(measure) -> None:
    rows = [("a", 12, 50, 20, 52), ("b", 3, 30, 9, 31), ("c", 0, 25, 4, 25), ("d", 15, 80, 22, 78), ("e", 0, 20, 0, 20)]
    wide = pd.DataFrame(rows, columns=["study", "events_e", "n_e", "events_c", "n_c"])
    arms = pd.DataFrame(
        [(row[0], *arm) for row in rows for arm in (("drug", row[1], row[2]), ("placebo", row[3], row[4]))],
        columns=["study", "treatment", "events", "n"],
    )
    net = bm.network(arms, measure=measure, reference="placebo", likelihood="binomial", better="lower")
    fit = bm.fit(bm.read_studies(wide), measure=measure)
    assert fit.likelihood == "binomial"
    # the study without events is in both
    assert "theta[e: placebo vs drug]" in net.terms
    if measure == "OR":
        # and remains in it without another
        without = fit_without(net, "a").net
        assert "theta[e: placebo vs drug]" in without.terms
        assert not any(term.startswith("theta[a:") for term in without.terms)
        assert without.contrasts.studies == ("b", "c", "d")
    table = net.summary()
    for term, other in (("drug vs placebo", "mu"), ("tau", "tau")):
        assert agrees(table.loc[term, "mean"], table.loc[term, "mcse_mean"], fit.mean(other), 0.0)
        assert agrees(table.loc[term, "sd"], table.loc[term, "mcse_sd"], fit.sd(other), 0.0)
    assert agrees(
        table.loc["theta[a: placebo vs drug]", "mean"], 2 * table.loc["tau", "mcse_mean"], -fit.mean("theta[a]"), 0.0
    )


@pytest.mark.sampling
def test_rates_of_three_arms_agree_with_what_they_were_made_from() -> None:
    """Many events and no heterogeneity: the posterior is at the rates."""
    rates = {"A": 0.10, "B": 0.05, "C": 0.20}
    rows = [(f"s{i}", name, round(5000 * rate), 5000.0) for i in range(3) for name, rate in rates.items()]
    frame = pd.DataFrame(rows, columns=["study", "treatment", "events", "time"])
    net = bm.network(frame, measure="IRR", likelihood="poisson", better="lower", priors={"tau": "HalfNormal(0.05)"})
    assert net.mean("B vs A") == pytest.approx(np.log(0.5), abs=0.02)
    assert net.mean("C vs B") == pytest.approx(np.log(4.0), abs=0.02)
    assert list(bm.ranking(net).index) == ["B", "A", "C"]
    assert net.residual_deviance < 15


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"measure": "OR", "likelihood": "nct"}, "unknown likelihood of a network 'nct'"),
        ({"measure": "OR", "likelihood": "poisson"}, "unknown likelihood of a network of OR 'poisson'"),
        ({"measure": "RD", "engine": "nuts"}, "arm-level networks of OR, RR, IRR, MD, not of RD"),
        (
            {"measure": "OR", "likelihood": "binomial", "engine": "quadrature"},
            "engine 'quadrature' has the normal likelihood",
        ),
        (
            {"measure": "OR", "likelihood": "binomial", "priors": {"tau": "Point(0)"}},
            "NUTS does not sample a parameter fixed",
        ),
        (
            {"measure": "OR", "likelihood": "binomial", "priors": {"baseline": "Beta(1, 1)"}},
            "prior for the baseline on the logit",
        ),
        ({"measure": "OR", "likelihood": "binomial", "reference": "Z"}, "unknown treatment 'Z'"),
    ],
)
def test_what_an_arm_level_network_cannot_have_is_refused(options, match) -> None:
    rows = [("a", "A", 2, 20), ("a", "B", 4, 20), ("b", "A", 3, 20), ("b", "B", 5, 20)]
    frame = pd.DataFrame(rows, columns=["study", "treatment", "events", "n"])
    with pytest.raises(SpecError, match=match):
        bm.network(frame, **options)


def test_arm_level_likelihoods_need_arms() -> None:
    frame = pd.DataFrame({"study": ["a"], "treat1": ["A"], "treat2": ["B"], "yi": [0.1], "sei": [0.1]})
    with pytest.raises(SpecError, match="likelihood 'binomial' needs the arms"):
        bm.network(frame, measure="OR", likelihood="binomial")
