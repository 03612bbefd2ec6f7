import numpy as np
import pytest
from engines.arm_level.test_smoothing import smoothed_study
from engines.arm_level.test_solve import data_of
from scipy.special import ndtr
from scipy.stats import norm

from bayesmeta.engines.arm_level.mu_given_tau import NormalStudy
from bayesmeta.engines.arm_level.solve import solve_arm
from bayesmeta.engines.arm_level.study_effects import bulk, log_likelihood, study_draws, study_mixture
from bayesmeta.engines.arm_level.study_likelihood import kernel_of, log_marginal
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.parse import parse_prior, parse_priors

PRIORS = default_priors("RR")
ARM_STUDIES = [
    ("binomial", "RR", (8, 48, 16, 49)),
    ("binomial", "RR", (0, 5, 3, 5)),
    ("binomial", "OR", (0, 38, 0, 39)),
    ("binomial", "OR", (505, 88391, 499, 88391)),
    ("poisson", "IRR", (0, 50.0, 3, 50.0)),
    ("nct", "SMD", (14.0, 3.0, 1.2**0.5)),
]


@pytest.mark.parametrize(
    ("measure", "case"),
    [("RR", "single_zero"), ("OR", "opposite_zeros"), ("IRR", "huge_and_rare"), ("SMD", "huge_and_tiny")],
)
def test_every_density_integrates_to_one(measure: str, case: str) -> None:
    data, priors = data_of(measure, case)
    solution = solve_arm(data, priors)
    for i, density in enumerate(solution.study_effects[0].densities):
        panel = density.panel()
        # m_i N(theta_i; mu, tau^2) / g_i averaged over the posterior, up to the constant that keeps 1 / g_i in range
        assert panel.log_total == pytest.approx(solution.slices.log_g[..., i].max(), abs=1e-6), i
        assert panel.pdf(np.array([density.low, density.high])).max() < 1e-6 * panel.pdf(panel.nodes).max()


@pytest.mark.parametrize(("measure", "case"), [("RR", "two_studies"), ("OR", "single_zero"), ("SMD", "two_studies")])
def test_a_density_against_direct_integration(measure: str, case: str) -> None:
    # m_i(theta) times the average of N(theta; mu, tau^2) over the posterior of mu and tau given the other studies
    data, priors = data_of(measure, case)
    term = f"theta[{data.labels[0]}]"
    family = solve_arm(data, priors).study_effects[0].take(term)
    others = solve_arm(data.subset(np.arange(1, data.k)), priors)
    theta = np.linspace(-14.0, 12.0, 2601)
    kernel = kernel_of(data.likelihood, data.measure)
    log_m = log_marginal(kernel, {n: np.full(len(theta), v[0]) for n, v in data.columns.items()}, theta)
    predicted = next(f.take("theta_new") for f in others.families if "theta_new" in f.terms).pdf(theta[:, None])[:, 0]
    known = np.exp(log_m) * predicted
    known /= np.trapezoid(known, theta)
    np.testing.assert_allclose(family.pdf(theta[:, None])[:, 0], known, atol=3e-5 * known.max())


def test_a_normal_study_with_both_parameters_known_is_closed() -> None:
    study, tau = NormalStudy(0.8, 0.09), np.array([0.4])
    one = study_mixture(study, -0.2, tau, np.ones(1))
    share = 0.16 / 0.25
    known = norm(-0.2 + share * 1.0, np.sqrt(share * 0.09))
    x = known.ppf(np.array([1e-4, 0.1, 0.5, 0.9, 0.9999]))
    np.testing.assert_allclose(one.mixed(x), known.pdf(x), atol=1e-6)
    mean, sd = one.moments()
    assert mean[0] == pytest.approx(known.mean(), abs=1e-9)
    assert sd[0] == pytest.approx(known.std(), rel=1e-8)


@pytest.mark.parametrize("tau", ["Point(0.3)", "HalfNormal(0.5)"])
def test_a_fixed_mean(tau: str) -> None:
    data, _ = data_of("RR", "two_studies")
    priors = parse_priors({"mu": "Point(-0.4)", "tau": tau}, PRIORS)
    solution = solve_arm(data, priors)
    family = solution.study_effects[0]
    theta = np.linspace(-5.0, 4.0, 1801)
    columns = {name: np.full(len(theta), value[0]) for name, value in data.columns.items()}
    m = np.exp(log_marginal(kernel_of("binomial", "RR"), columns, theta))
    # the posterior of tau depends on all studies
    known = np.zeros(len(theta))
    for t, weight in zip(solution.tau, solution.weights, strict=True):
        if t > 0.02:
            given = m * np.exp(-0.5 * ((theta + 0.4) / t) ** 2)
            known += weight * given / np.trapezoid(given, theta)
    away = np.abs(theta + 0.4) > 0.15
    np.testing.assert_allclose(family.pdf(theta[away][:, None])[:, 0], known[away], atol=1e-4 * known.max())


def test_the_bulk_of_the_likelihood() -> None:
    low, high, centre = bulk(NormalStudy(2.0, 0.25))
    assert centre == 2.0
    assert log_likelihood(NormalStudy(2.0, 0.25), np.array([2.0, low])) @ [1, -1] == pytest.approx(34.0)
    assert high - 2.0 == pytest.approx(2.0 - low)
    low, high, _ = bulk(smoothed_study("binomial", "RR", (0, 5, 3, 5)))
    assert low == -np.inf
    assert 5 < high < 20


@pytest.mark.parametrize("tau", [0.0, 0.05, 1.0, 10.0])
def test_draws_for_a_normal_study(tau: float) -> None:
    rng = np.random.default_rng(9)
    mu = rng.normal(0.0, 1.0, 4000)
    drawn = study_draws(NormalStudy(0.8, 0.09), mu, np.full(4000, tau), rng)
    if tau == 0:
        np.testing.assert_array_equal(drawn, mu)
        return
    share = tau**2 / (tau**2 + 0.09)
    u = ndtr((drawn - mu - share * (0.8 - mu)) / np.sqrt(share * 0.09))
    assert u.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * 4000))
    assert u.var() == pytest.approx(1 / 12, abs=4 / np.sqrt(180 * 4000))


@pytest.mark.parametrize(("likelihood", "measure", "study"), ARM_STUDIES, ids=str)
@pytest.mark.parametrize("tau", [0.02, 0.5, 8.0])
def test_draws_by_their_distribution_function(likelihood, measure, study, tau) -> None:
    one, size, mu = smoothed_study(likelihood, measure, study), 3000, -0.3
    drawn = study_draws(one, np.full(size, mu), np.full(size, tau), np.random.default_rng(10))
    reach = 9 * min(tau, 30.0)
    low, high = min(drawn.min(), mu - reach), max(drawn.max(), mu + reach)
    theta = np.linspace(low, high, 200_001)
    exponent = one.table.log_value(theta) - 0.5 * ((theta - mu) / tau) ** 2
    density = np.exp(exponent - exponent.max())
    u = np.interp(drawn, theta, (np.cumsum(density) - 0.5 * density) / density.sum())
    assert u.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * size))
    assert u.var() == pytest.approx(1 / 12, abs=4 / np.sqrt(180 * size))


def test_draws_without_spread_are_the_mean() -> None:
    mu = np.array([-0.3, 0.2, 0.0])
    drawn = study_draws(
        smoothed_study("binomial", "OR", (8, 48, 16, 49)), mu, np.array([0.0, 0.5, 0.0]), np.random.default_rng(1)
    )
    assert drawn[0] == mu[0]
    assert drawn[2] == mu[2]
    assert drawn[1] != mu[1]


def test_draws_for_a_study_without_information_follow_the_prior() -> None:
    # a study without events in two equal arms, by odds ratio: nearly flat about 0
    one = smoothed_study("binomial", "RR", (0, 1, 0, 1))
    drawn = study_draws(one, np.full(4000, 0.4), np.full(4000, 0.1), np.random.default_rng(2))
    assert drawn.mean() == pytest.approx(0.4, abs=0.01)
    assert drawn.std() == pytest.approx(0.1, rel=0.05)
    assert parse_prior("Normal(0.4, 0.1)").logpdf(drawn).mean() == pytest.approx(-0.5 - 0.9189 - np.log(0.1), abs=0.06)
