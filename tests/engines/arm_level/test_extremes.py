"""Data and priors at the edge of what quadrature can do: studies that contradict each other, diffuse priors, huge counts."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import gammaln, logsumexp

import bayesmeta as bm
from bayesmeta.engines.arm_level.study_likelihood import kernel_of, log_marginal
from bayesmeta.errors import DataError, SpecError


def counts(*rows: tuple[float, ...]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["events_e", "n_e", "events_c", "n_c"])
    return frame.assign(study=[f"s{i}" for i in range(len(rows))])


def rates(*rows: tuple[float, ...]) -> pd.DataFrame:
    return counts(*rows).rename(columns={"n_e": "time_e", "n_c": "time_c"})


def fit(data: pd.DataFrame, measure: str = "RR", **priors: str) -> bm.Posterior:
    return bm.fit(data, measure=measure, engine="quadrature", priors=priors)


APART = ((5000, 10000, 1000, 10000), (1000, 10000, 5000, 10000), (3000, 10000, 3100, 10000))


@pytest.mark.parametrize("measure", ["RR", "OR", "IRR"])
def test_precise_studies_that_disagree_without_heterogeneity(measure: str) -> None:
    posterior = fit((rates if measure == "IRR" else counts)(*APART), measure, mu="Normal(0, 2.82)", tau="Point(0)")
    data = posterior.solution.data
    kernel = kernel_of(data.likelihood, measure)
    mu = np.linspace(-0.4, 0.4, 4001)
    each = [
        log_marginal(kernel, {name: np.full(len(mu), value[i]) for name, value in data.columns.items()}, mu, None)
        for i in range(3)
    ]
    joint = np.sum(each, axis=0) + posterior.priors.mu.logpdf(mu)
    expected = logsumexp(joint) + np.log(mu[1] - mu[0])
    assert posterior.log_marginal_likelihood == pytest.approx(expected, abs=1e-5)
    weights = np.exp(joint - logsumexp(joint))
    assert bm.summarize(posterior).loc["mu", "mean"] == pytest.approx(weights @ mu, abs=1e-6)
    fixed = fit((rates if measure == "IRR" else counts)(*APART), measure, mu="Point(0)", tau="Point(0)")
    assert fixed.log_marginal_likelihood == pytest.approx(sum(one[2000] for one in each), abs=1e-5)


def test_large_trials_of_standardized_mean_differences_are_averaged() -> None:
    data = pd.DataFrame(
        {
            "study": ["North", "South"], "mean_e": [-2.08, -2.60], "sd_e": [0.53, 0.55], "n_e": [696, 1028],
            "mean_c": [-2.15, -0.24], "sd_c": [0.32, 0.26], "n_c": [558, 808],
        }
    )  # fmt: skip
    average = bm.model_average(data, measure="SMD")
    assert np.isfinite(average.log_marginal_likelihoods).all()
    assert average.prob_heterogeneity == pytest.approx(1.0)
    assert np.isfinite(bm.summarize(average.posterior).loc["mu", "mean"])


@pytest.mark.parametrize("n", [35, 80, 100, 102, 1000])
@pytest.mark.parametrize("measure", ["RR", "OR"])
def test_everyone_has_the_event(measure: str, n: int) -> None:
    posterior = fit(counts((n, n, n, n)), measure, mu="Normal(0, 2.82)", tau="HalfNormal(0.5)")
    assert posterior.quantile("mu", 0.5) == pytest.approx(0.0, abs=1e-6)
    beside = fit(counts((n, n, n, n), (3, 30, 5, 31)), measure, mu="Normal(0, 2.82)", tau="HalfNormal(0.5)")
    assert np.isfinite(bm.summarize(beside).loc["mu", ["mean", "sd"]].to_numpy(float)).all()


SPARSE = ((1, 30, 5, 31), (0, 25, 4, 22))


def test_a_diffuse_inverse_gamma_prior_for_tau2() -> None:
    posterior = fit(counts(*SPARSE), mu="Normal(0, 2.82)", tau2="InvGamma(0.001, 0.001)")
    assert posterior.log_marginal_likelihood == pytest.approx(-16.77913, abs=1e-5)
    assert posterior.cdf("tau", 0.5) == pytest.approx(0.4872, abs=5e-5)


def test_a_diffuse_gamma_prior_whose_mass_is_below_the_smallest_number() -> None:
    posterior = fit(counts(*SPARSE), mu="Normal(0, 2.82)", tau="Gamma(0.001, 0.001)")
    common = fit(counts(*SPARSE), mu="Normal(0, 2.82)", tau="Point(0)")
    # the likelihood is flat up to tau = 1e-4, of which the prior probability is (0.001 x)^0.001 / Gamma(1.001)
    log_share = 0.001 * np.log(0.001 * 1e-4) - gammaln(1.001)
    below = common.log_marginal_likelihood + log_share - posterior.log_marginal_likelihood
    assert posterior.cdf("tau", 1e-4) == pytest.approx(np.exp(below), abs=1e-5)


@pytest.mark.parametrize("tau", ["HalfNormal(0.5)", "Point(0.3)"])
def test_a_narrow_prior_with_heavy_tails_for_mu(tau: str) -> None:
    # as a mixture of normal priors over their precisions: Student t with 1 degree of freedom
    posterior = fit(counts(*SPARSE), mu="StudentT(1, 0, 0.01)", tau=tau)
    # z, the root of the precision, is half-normal: the trapezoid rule over log z, which is exact for so smooth a function
    step = 0.2
    z = np.exp(np.arange(np.log(1e-7), np.log(9.0), step))
    logs = [fit(counts(*SPARSE), mu=f"Normal(0, {0.01 / one:.17g})", tau=tau).log_marginal_likelihood for one in z]
    expected = logsumexp(logs, b=step * z * 2 * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi))
    assert posterior.log_marginal_likelihood == pytest.approx(expected, abs=1e-5)


def test_counts_beyond_accuracy_are_refused() -> None:
    with pytest.raises(DataError, match="more than there are people"):
        fit(counts((3, 10**18, 5, 10**18), (1, 30, 5, 31)))


@pytest.mark.parametrize(
    "prior", [{"mu": "Cauchy(0, 1e300)"}, {"mu": "Normal(0, 1e200)"}, {"tau": "HalfNormal(1e-200)"}]
)
def test_priors_beyond_arithmetic_are_refused(prior: dict[str, str]) -> None:
    with pytest.raises(SpecError, match="must be between 1e-60 and 1e\\+60"):
        fit(counts(*SPARSE), **prior)


def test_standard_errors_beyond_arithmetic_are_refused() -> None:
    for tau in ("HalfNormal(0.5)", "Point(0)"):
        with pytest.raises(DataError, match="the standard error of estimate"):
            bm.fit(
                yi=[0.1, 0.2],
                sei=[1e-150, 1e150],
                measure="SMD",
                likelihood="normal",
                engine="quadrature",
                priors={"tau": tau},
            )


def test_more_studies_than_fit_into_memory_are_refused_before_any_work() -> None:
    k = 20_001
    table = pd.DataFrame({"study": np.arange(k).astype(str), "events_e": 3, "n_e": 20, "events_c": 4, "n_c": 20})
    with pytest.raises(DataError, match=r"20,001 studies are more than the 20,000 .*\n.*likelihood='normal'"):
        bm.fit(table, measure="RR")
