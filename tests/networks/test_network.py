"""The Bayesian network on contrasts: exact numbers, and what must not depend on names, order or reference."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks.reference_data import DATASETS, contrast_frame
from networks.reference_data import numbers as numbers_of
from paths import REFERENCE_FOLDER
from scipy import integrate
from scipy.stats import halfnorm, multivariate_normal, norm

import bayesmeta as bm
from bayesmeta.errors import DataError, SpecError

PARKINSON = json.loads((REFERENCE_FOLDER / "exact_networks.json").read_text())["parkinson_tsd2"]
VARIANTS = {"exchangeable_sd2": "Normal(0, 2)", "independent_sd100": "independent Normal(0, 100)"}


def parkinson_arms() -> pd.DataFrame:
    frame = pd.DataFrame(PARKINSON["rows"], columns=PARKINSON["columns"])
    return frame.astype({"study": int, "treatment": int})


def parkinson(variant: str = "exchangeable_sd2", **options) -> bm.NetworkPosterior:
    priors = {"d": VARIANTS[variant], "tau": "HalfNormal(5)"}
    return bm.network(parkinson_arms(), **{"measure": "MD", "better": "lower", "priors": priors, **options})


@pytest.mark.parametrize("variant", VARIANTS)
def test_parkinson_of_tsd2_is_exact(variant) -> None:
    """NICE DSU Technical Support Document 2, example 5."""
    expected, net = PARKINSON[variant], parkinson(variant)
    assert net.log_marginal_likelihood == pytest.approx(expected["log_marginal_likelihood"], abs=1e-9)
    assert net.mean("tau") == pytest.approx(expected["tau_mean"], abs=1e-9)
    for term, values in expected["contrasts"].items():
        found = [net.mean(term), net.sd(term), *net.quantile(term, np.array([0.025, 0.5, 0.975])), net.cdf(term, 0.0)]
        wanted = [values[name] for name in ("mean", "sd", "q025", "median", "q975", "prob_lower")]
        np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-9)
    sucra = bm.ranking(net)["sucra"]
    for name, value in expected["sucra_exact"].items():
        assert sucra[name] == pytest.approx(value, abs=1e-10)


def test_parkinson_has_the_numbers_that_tsd2_prints() -> None:
    net = parkinson("independent_sd100")
    printed = {"2 vs 1": (-1.85, 0.54), "3 vs 1": (-0.50, 0.66), "4 vs 1": (-0.53, 0.65), "5 vs 1": (-0.83, 0.80)}
    for term, (mean, sd) in printed.items():
        assert (round(net.mean(term), 2), round(net.sd(term), 2)) == (mean, sd)
    assert net.quantile("tau", 0.5) == pytest.approx(0.28, abs=0.01)


def network_data(seed: int, treatments: int = 5, studies: int = 9) -> pd.DataFrame:
    """Arms of a connected network with three-arm trials, whose names do not sort as they are made."""
    rng = np.random.default_rng(seed)
    names = rng.permutation([f"drug {letter}" for letter in "ABCDEFGH"[:treatments]])
    effects, rows = rng.normal(0, 0.5, treatments), []
    for i in range(studies):
        size = 3 if i % 4 == 1 else 2
        arms = [i % treatments, (i + 1) % treatments] if size == 2 else list(rng.choice(treatments, 3, replace=False))
        for arm in arms:
            se = rng.uniform(0.1, 0.5)
            rows.append((f"study {i}", names[arm], effects[arm] + rng.normal(0, 0.3) + rng.normal(0, se), se))
    return pd.DataFrame(rows, columns=["study", "treatment", "mean", "se"])


def numbers(net: bm.NetworkPosterior) -> dict[str, float]:
    """Numbers of a network by what they are of."""
    found = {"log p(y)": net.log_marginal_likelihood, "deviance": net.residual_deviance, "dic": net.dic}
    for first in net.treatments:
        for second in net.treatments:
            if first != second:
                for term in (f"{first} vs {second}", f"theta_new[{first} vs {second}]"):
                    found |= {
                        f"{term} mean": net.mean(term),
                        f"{term} sd": net.sd(term),
                        f"{term} q": net.quantile(term, 0.1),
                    }
    found |= {"tau": net.mean("tau"), "tau q": net.quantile("tau", 0.9)}
    table = bm.ranking(net)
    return found | {f"{name} {column}": table.loc[name, column] for name in net.treatments for column in table}


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_order_of_rows_and_arms_changes_nothing(seed) -> None:
    frame = network_data(seed)
    options = {"measure": "MD", "better": "higher", "priors": {"d": "Normal(0, 1)"}}
    shuffled = frame.sample(frac=1.0, random_state=seed)
    first, second = numbers(bm.network(frame, **options)), numbers(bm.network(shuffled, **options))
    for name, value in first.items():
        assert second[name] == pytest.approx(value, abs=1e-10), name


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), reference=st.integers(0, 4))
def test_another_reference_changes_nothing_under_the_prior_of_every_contrast(seed, reference) -> None:
    frame = network_data(seed)
    options = {"measure": "SMD", "better": "higher"}
    contrasts = bm.network_contrasts(frame, "MD").to_frame().rename(columns={"treat": "treat1", "base": "treat2"})
    rng = np.random.default_rng(seed)
    two_arm = contrasts.assign(
        study=[f"s{i}" for i in range(len(contrasts))], sei=rng.uniform(0.1, 0.5, len(contrasts))
    )
    first = bm.network(two_arm, **options)
    second = bm.network(two_arm, reference=first.treatments[reference], **options)
    assert second.priors.to_dict()["d"] == "Normal(0, 2)"
    found = numbers(second)
    for name, value in numbers(first).items():
        assert found[name] == pytest.approx(value, abs=1e-10), name


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_other_names_of_the_treatments_change_no_exact_number(seed) -> None:
    frame = network_data(seed)
    old = sorted(set(frame["treatment"]))
    new = dict(zip(old, np.random.default_rng(seed).permutation([f"T{i}" for i in range(len(old))]), strict=True))
    options = {"measure": "MD", "better": "higher", "priors": {"d": "Normal(0, 1)"}}
    first = bm.network(frame, **options)
    second = bm.network(frame.assign(treatment=frame["treatment"].map(new)), **options)
    assert second.log_marginal_likelihood == pytest.approx(first.log_marginal_likelihood, abs=1e-10)
    for a in old:
        for b in old:
            if a != b:
                assert second.mean(f"{new[a]} vs {new[b]}") == pytest.approx(first.mean(f"{a} vs {b}"), abs=1e-10)
    sucra = bm.ranking(first)["sucra"]
    np.testing.assert_allclose(bm.ranking(second)["sucra"][[new[a] for a in old]], sucra[old], rtol=0, atol=1e-10)


def test_the_prior_of_tsd2_depends_on_the_reference() -> None:
    means = [parkinson("independent_sd100", reference=name).mean("2 vs 1") for name in ("1", "5")]
    assert abs(means[0] - means[1]) > 1e-6


@pytest.mark.parametrize("measure", ["SMD", "MD", "HR"])
def test_two_treatments_are_a_pairwise_meta_analysis(measure) -> None:
    rng = np.random.default_rng(3)
    y, se = rng.normal(0.3, 0.4, 8), rng.uniform(0.1, 0.4, 8)
    frame = pd.DataFrame({"study": list("abcdefgh"), "treat1": "drug", "treat2": "placebo", "yi": y, "sei": se})
    net = bm.network(frame, measure=measure, reference="placebo", better="lower")
    fit = bm.fit(yi=y, sei=se, measure=measure)
    assert net.priors.to_dict()["d"] == str(fit.priors.mu)
    assert net.priors.to_dict()["tau"] == str(fit.priors.scale)
    assert net.log_marginal_likelihood == pytest.approx(fit.log_marginal_likelihood, abs=1e-10)
    for term, other in (
        ("drug vs placebo", "mu"),
        ("tau", "tau"),
        ("i2", "i2"),
        ("theta_new[drug vs placebo]", "theta_new"),
    ):
        found, wanted = net.marginal(term), fit.marginal(other)
        np.testing.assert_allclose(found.mean(), wanted.mean(), rtol=0, atol=1e-10)
        np.testing.assert_allclose(
            found.quantile(np.array([[0.025], [0.8]])), wanted.quantile(np.array([[0.025], [0.8]])), atol=1e-10
        )
    assert bm.ranking(net).loc["drug", "sucra"] == pytest.approx(fit.cdf("mu", 0.0), abs=1e-10)


def dense(net: bm.NetworkPosterior) -> tuple:
    """Data of a network as dense matrices."""
    contrasts = net.contrasts
    return contrasts.y, contrasts.design(net.reference), contrasts.S, contrasts.R


@pytest.mark.parametrize("tau", [0.0, 0.3])
@pytest.mark.parametrize("seed", [1, 2])
def test_sucra_under_flat_priors_and_a_known_tau_is_the_p_score(seed, tau) -> None:
    """P-scores: Ruecker and Schwarzer 2015, from generalized least squares."""
    net = bm.network(network_data(seed), measure="MD", better="lower", priors={"d": "Flat()", "tau": f"Point({tau})"})
    y, x, s, r = dense(net)
    weight = np.linalg.inv(s + tau**2 * r)
    covariance = np.linalg.inv(x.T @ weight @ x)
    at = net.treatments.index(net.reference)
    d = np.insert(covariance @ x.T @ weight @ y, at, 0.0)
    whole = np.insert(np.insert(covariance, at, 0.0, axis=0), at, 0.0, axis=1)
    table = bm.ranking(net)
    for i, name in enumerate(net.treatments):
        others = [j for j in range(len(d)) if j != i]
        errors = [np.sqrt(whole[i, i] + whole[j, j] - 2 * whole[i, j]) for j in others]
        p_score = np.mean([norm.cdf((d[j] - d[i]) / error) for j, error in zip(others, errors, strict=True)])
        assert table.loc[name, "sucra"] == pytest.approx(p_score, abs=1e-12)
        assert table.loc[name, "mean_rank"] == pytest.approx(1 + (len(d) - 1) * (1 - p_score), abs=1e-11)


def log_marginal(y, x, s, r, prior_covariance, tau_sd: float) -> float:
    """Log marginal likelihood by scipy's adaptive quadrature of the dense normal density over tau."""
    base = s + x @ prior_covariance @ x.T
    top = max(multivariate_normal.logpdf(y, cov=base + t**2 * r) for t in np.linspace(0, 2, 30))

    def integrand(tau: float) -> float:
        return np.exp(multivariate_normal.logpdf(y, cov=base + tau**2 * r) - top) * halfnorm.pdf(tau, scale=tau_sd)

    return top + np.log(
        integrate.quad(integrand, 0, 12 * tau_sd, points=[0.05, 0.2, 0.5, 1.0], epsabs=0, epsrel=1e-11)[0]
    )


def test_the_marginal_likelihood_is_that_of_the_dense_normal_density() -> None:
    net = bm.network(network_data(4), measure="MD", priors={"d": "Normal(0, 1.5)", "tau": "HalfNormal(0.5)"})
    y, x, s, r = dense(net)
    prior = 1.5**2 / 2 * (np.eye(x.shape[1]) + 1.0)
    assert net.log_marginal_likelihood == pytest.approx(log_marginal(y, x, s, r, prior, 0.5), abs=1e-9)


def test_the_residual_deviance_is_the_mean_over_draws() -> None:
    net = parkinson()
    theta = net.draws(40_000)["theta"]
    residual = net.contrasts.y - theta
    weight = np.linalg.inv(net.contrasts.S)
    deviance = np.einsum("si,ij,sj->s", residual, weight, residual)
    assert net.residual_deviance == pytest.approx(deviance.mean(), abs=5 * deviance.std() / 200)
    middle = net.contrasts.y - theta.mean(axis=0)
    assert net.dic - net.residual_deviance == pytest.approx(deviance.mean() - middle @ weight @ middle, abs=0.1)


def test_draws_have_the_moments_of_the_marginal_distributions() -> None:
    net = parkinson()
    drawn = net.draws(40_000)
    for term in net.solution.terms.coefficients:
        assert drawn[term].mean() == pytest.approx(net.mean(term), abs=5 * net.sd(term) / 200)
    assert drawn["tau"].mean() == pytest.approx(net.mean("tau"), abs=5 * net.sd("tau") / 200)
    study = net.solution.terms.studies[0]
    assert drawn["theta"][:, 0].mean() == pytest.approx(net.mean(study), abs=5 * net.sd(study) / 200)


def test_a_summary_has_every_contrast_once_and_what_it_says() -> None:
    net = parkinson(better="lower")
    table = net.summary(mid=0.5)
    assert table.index.is_unique
    assert "2 vs 1" in table.index
    assert "1 vs 2" not in table.index
    assert len([term for term in table.index if term.startswith("theta_new[")]) == 10
    assert len([term for term in table.index if term.startswith("theta[")]) == net.contrasts.m
    assert table.loc["2 vs 1", "prob_benefit"] == pytest.approx(
        PARKINSON["exchangeable_sd2"]["contrasts"]["2 vs 1"]["prob_lower"]
    )
    assert table.loc["2 vs 1", "prob_beyond_mid"] == pytest.approx(net.cdf("2 vs 1", -0.5))
    assert np.isnan(table.loc["tau", "prob_benefit"])
    new = table.loc["theta_new[2 vs 1]"]
    assert new["mean"] == pytest.approx(net.mean("2 vs 1"))
    assert new["sd"] == pytest.approx(np.sqrt(net.sd("2 vs 1") ** 2 + net.marginal("tau2").mean()[0]))


def smoking() -> pd.DataFrame:
    """Eight trials of smoking cessation (Hasselblad 1998)."""
    rows = [
        (1, "none", 9, 140), (1, "individual", 23, 140), (1, "group", 10, 138), (2, "self-help", 11, 78), (2, "individual", 12, 85),
        (2, "group", 29, 170), (3, "none", 75, 731), (3, "individual", 363, 714), (10, "none", 79, 702), (10, "self-help", 77, 694),
        (11, "none", 18, 671), (11, "self-help", 21, 535), (20, "none", 0, 20), (20, "group", 9, 20), (21, "self-help", 20, 49),
        (21, "individual", 16, 43), (22, "self-help", 7, 66), (22, "group", 32, 127),
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=["study", "treatment", "events", "n"])


def test_ratios_are_exponentiated_on_the_natural_scale() -> None:
    net = bm.network(smoking(), measure="OR", reference="none", better="higher")
    model, natural = net.summary(), net.summary(scale="natural")
    for column in ("median", "ci_low", "ci_high"):
        assert natural.loc["group vs none", column] == pytest.approx(np.exp(model.loc["group vs none", column]))
    assert np.isnan(natural.loc["group vs none", "mean"])
    assert natural.loc["tau", "median"] == model.loc["tau", "median"]


def test_notebooks_show_the_league_table() -> None:
    net = parkinson()
    assert repr(net).startswith("<NetworkPosterior: MD, tau 0.251 ")
    assert "5 treatments, 7 studies, reference 1" in repr(net)
    assert "-1.75 [-2.61, -0.81]" in net._repr_html_()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"engine": "jags"}, "unknown engine 'jags'"),
        ({"better": "up"}, "unknown side of benefit 'up'"),
        ({"reference": "6"}, "unknown treatment '6'"),
        ({"priors": {"mu": "Normal(0, 1)"}}, "a network has no mu; give the prior for its contrasts as 'd'"),
        ({"priors": {"d": "Cauchy(0, 1)"}}, "must be Normal or Flat but is Cauchy"),
        ({"priors": {"d": "Normal(1, 1)"}}, "cannot be that of every contrast"),
        ({"priors": {"d": "independent"}}, "cannot read the prior"),
        ({"priors": {"rho": "Uniform(0, 1)"}}, "rho"),
        ({"priors": {"baseline": "Normal(0, 1)"}}, "the baseline is for arm-level likelihoods"),
        ({"priors": {"inconsistency": "HalfNormal(1)"}}, "must be Normal with mean 0"),
        ({"priors": "Normal(0, 1)"}, "given by parameter"),
        ({"seed": -1}, "seed must be"),
    ],
)
def test_options_that_cannot_be_are_refused(options, match) -> None:
    with pytest.raises(SpecError, match=match):
        bm.network(parkinson_arms(), measure="MD", **options)


def test_unknown_terms_are_refused_with_the_nearest_name() -> None:
    net = parkinson()
    with pytest.raises(SpecError, match=r"unknown term '2 v 1'; did you mean '2 vs 1'\?"):
        net.mean("2 v 1")
    with pytest.raises(SpecError, match="unknown term 'mu'"):
        net.mean()


def test_a_network_in_two_parts_is_refused() -> None:
    frame = pd.DataFrame(
        {"study": ["a", "b"], "treat1": ["A", "C"], "treat2": ["B", "D"], "yi": [0.1, 0.2], "sei": [0.1, 0.1]}
    )
    with pytest.raises(DataError, match="2 parts that no study connects"):
        bm.network(frame, measure="MD")


def test_two_studies_with_a_flat_prior_are_bounded_by_the_prior_for_tau() -> None:
    frame = pd.DataFrame(
        {"study": ["a", "b"], "treat1": ["A", "C"], "treat2": ["B", "B"], "yi": [0.1, 0.2], "sei": [0.1, 0.1]}
    )
    net = bm.network(frame, measure="MD", priors={"tau": "HalfNormal(0.3)"})
    assert net.mean("C vs A") == pytest.approx(0.1)
    assert net.sd("C vs A") == pytest.approx(np.sqrt(0.02 + 2 * 0.09))


@pytest.mark.parametrize("name", ["Senn2013", "Dong2013", "Franchini2012", "Woods2010", "smokingcessation"])
def test_the_limit_of_flat_priors_and_a_known_tau_is_netmeta(name) -> None:
    """Effects, standard errors, league orientation, P-scores and rank probabilities of netmeta 3.3.1."""
    data = DATASETS[name]
    fit, ranks, drawn = (data["fits"][key] for key in ("netmeta__DL", "netrank", "rank_mvn"))
    better = "higher" if ranks["small_values"] == "undesirable" else "lower"
    net = bm.network(
        contrast_frame(data["contrasts"]),
        "MD",
        better=better,
        priors={"d": "Flat()", "tau": f"Point({fit['tau2'] ** 0.5!r})"},
    )
    names = fit["trts"]
    for value, key in (("mean", "TE_random"), ("sd", "seTE_random")):
        found = bm.league_table(net, value=value).loc[names, names].to_numpy()
        np.testing.assert_allclose(found, numbers_of(fit[key]), rtol=0, atol=1e-9)
    table = bm.ranking(net).loc[ranks["trts"]]
    np.testing.assert_allclose(table["sucra"], ranks["P_score_random"], rtol=0, atol=1e-9)
    # the probabilities of ranks there are from a million draws
    order = [net.treatments.index(treatment) for treatment in drawn["trts"]]
    expected = numbers_of(drawn["prob_random"])
    error = np.sqrt(expected * (1 - expected) * (1 / 40_000 + 1e-6))
    assert (np.abs(net.ranking().probabilities[order] - expected) < 5 * error + 1e-4).all()
