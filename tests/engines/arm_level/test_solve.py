from functools import cache

import numpy as np
import pandas as pd
import pytest
from awkward import CASES, awkward_frame
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import logsumexp, ndtr

import bayesmeta as bm
from bayesmeta.engines.arm_level.solve import solve_arm
from bayesmeta.engines.arm_level.study_likelihood import kernel_of, log_marginal
from bayesmeta.engines.arm_level.study_table import clear_tables
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.likelihoods.registry import default_likelihood, model_data
from bayesmeta.model.priors.defaults import default_priors
from bayesmeta.model.priors.parse import parse_prior, parse_priors
from bayesmeta.model.priors.priors import Priors

POINTS = np.array([0.025, 0.25, 0.5, 0.75, 0.975])
BCG = pd.read_csv("reviews/bcg/studies.csv")
PRIORS = default_priors("RR")


def data_of(measure: str, case: str):
    effects = bm.effect_sizes(bm.read_studies(awkward_frame(measure, case)), measure)
    data = model_data(effects, default_likelihood(effects))
    return data, default_priors(measure, data)


def numbers(solution, studies: bool = True) -> np.ndarray:
    families = solution.families if studies else solution.pooled
    return np.concatenate(
        [np.ravel(part) for f in families for part in (f.quantile(POINTS[:, None]), f.mean(), f.sd())]
        + [[solution.log_marginal_likelihood]]
    )


def by_brute_force(data, priors, mu: np.ndarray, tau: np.ndarray) -> np.ndarray:
    """log p(data | mu, tau) on a grid, with each study's effect integrated on its own fine grid."""
    kernel = kernel_of(data.likelihood, data.measure)
    theta = np.linspace(-40.0, 40.0, 16_001)
    total = np.zeros((len(mu), len(tau)))
    for i in range(data.k):
        columns = {name: np.full(len(theta), value[i]) for name, value in data.columns.items()}
        log_m = log_marginal(kernel, columns, theta, priors.baseline)
        matters = log_m > log_m.max() - 60
        for j, t in enumerate(tau):
            # four nodes or more per standard deviation of the normal density
            every = 4 if t > 0.08 else 1
            z = (theta[matters][::every] - mu[:, None]) / t
            z *= z
            z *= -0.5
            z += log_m[matters][::every]
            top = z.max(axis=1)
            z -= top[:, None]
            summed = np.exp(z, out=z).sum(axis=1)
            total[:, j] += top + np.log(summed * every * (theta[1] - theta[0]) / t / np.sqrt(2 * np.pi))
    return total


@pytest.mark.parametrize(("measure", "case"), CASES)
def test_doubling_the_nodes_changes_nothing(measure: str, case: str) -> None:
    data, priors = data_of(measure, case)
    plain = solve_arm(data, priors)
    fine = solve_arm(data, priors, nodes_per_panel=48, mu_nodes=(96,))
    assert plain.error < 1e-6
    assert plain.log_marginal_likelihood == pytest.approx(fine.log_marginal_likelihood, abs=1e-8)
    np.testing.assert_allclose(numbers(plain, studies=False), numbers(fine, studies=False), rtol=1.5e-7, atol=1.5e-7)


@pytest.mark.parametrize("measure", ["RR", "OR", "IRR", "SMD"])
def test_against_brute_force(measure: str) -> None:
    data, priors = data_of(measure, "single_zero" if measure != "SMD" else "two_studies")
    mu, tau = np.linspace(-12.0, 12.0, 161), np.geomspace(0.02, 6.0, 81)
    joint = by_brute_force(data, priors, mu, tau) + priors.mu.logpdf(mu)[:, None] + priors.log_tau_density(tau)
    # tau by Simpson's rule on its logarithm; below 0.02 the density is nearly flat
    weights = np.ones(81)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    weights = weights / 3 * (np.log(tau[1]) - np.log(tau[0])) * tau
    weights[0] += 0.02
    solution = solve_arm(data, priors)
    log_total = logsumexp(joint + np.log(weights)) + np.log(mu[1] - mu[0])
    assert solution.log_marginal_likelihood == pytest.approx(log_total, abs=2e-4)
    of_mu = np.exp(joint + np.log(weights) - log_total).sum(axis=1)
    np.testing.assert_allclose(solution.effects[0].take("mu").pdf(mu[:, None])[:, 0], of_mu, atol=2e-4)


@cache
def beside_a_plateau(measure: str):
    """Two small trials, one arm without events: frame, nodes and weights of mu and tau, and log p(data | mu, tau) by brute force."""
    frame = pd.DataFrame(
        {"study": ["a", "b"], "events_e": [0, 3], "n_e": [50, 60], "events_c": [3, 5], "n_c": [50, 60]}
    )
    posterior = bm.fit(frame, measure=measure, likelihood="binomial")
    v, tau = np.linspace(-7.0, 7.0, 321), np.geomspace(0.005, 3.0, 61)
    weights = np.ones(61)
    weights[1:-1:2], weights[2:-1:2] = 4.0, 2.0
    weights = weights / 3 * (np.log(tau[1]) - np.log(tau[0])) * tau
    weights[0] += 0.005
    mu = 0.5 + 0.05 * np.sinh(v)
    joint = by_brute_force(posterior.data, posterior.priors, mu, tau)
    return frame, mu, 0.05 * np.cosh(v) * (v[1] - v[0]), tau, weights, joint


@pytest.mark.parametrize("prior", ["StudentT(4, 0.5, 0.3)", "Cauchy(0, 0.1)", "Cauchy(0.5, 0.3)", "Logistic(1, 0.2)"])
@pytest.mark.parametrize("measure", ["RR", "OR"])
def test_narrow_priors_with_heavy_tails_and_a_flat_likelihood(measure: str, prior: str) -> None:
    # the likelihood is flat on one side, and only the prior's tail falls
    frame, mu, slope, tau, weights, joint = beside_a_plateau(measure)
    posterior = bm.fit(frame, measure=measure, likelihood="binomial", priors={"mu": prior, "tau": "HalfNormal(0.3)"})
    joint = joint + (posterior.priors.mu.logpdf(mu) + np.log(slope))[:, None]
    joint += posterior.priors.log_tau_density(tau) + np.log(weights)
    log_total = logsumexp(joint)
    assert posterior.log_marginal_likelihood == pytest.approx(log_total, abs=5e-4)
    share = np.exp(joint - log_total)
    for x in (-1.0, 0.0, 0.3, 0.7, 1.5):
        known = (share * ndtr((x - mu[:, None]) / tau)).sum()
        assert posterior.cdf("theta_new", x) == pytest.approx(known, abs=5e-4)


def test_bcg_binomial() -> None:
    # 13 trials, RR: numbers of a long NUTS run, to its Monte Carlo error
    posterior = bm.fit(BCG, measure="RR", likelihood="binomial", engine="quadrature")
    frame = bm.summarize(posterior)
    assert frame.loc["mu", "mean"] == pytest.approx(-0.724285, abs=1e-6)
    assert frame.loc["mu", "sd"] == pytest.approx(0.188725, abs=1e-6)
    assert frame.loc["tau", "median"] == pytest.approx(0.563040, abs=1e-6)
    assert posterior.log_marginal_likelihood == pytest.approx(-150.6114118, abs=1e-7)


def test_the_normal_likelihood_by_this_engine_is_the_closed_form() -> None:
    effects = bm.effect_sizes(bm.read_studies(BCG), "RR")
    data = model_data(effects, "normal")
    exact = bm.fit(effects, likelihood="normal", engine="quadrature").solution
    here = solve_arm(data, PRIORS)
    assert here.log_marginal_likelihood == pytest.approx(exact.log_marginal_likelihood, abs=1e-9)
    for term in ("mu", "theta_new", "theta[Aronson 1948]", "tau"):
        one, other = (next(f.take(term) for f in solution.families if term in f.terms) for solution in (here, exact))
        np.testing.assert_allclose(one.quantile(POINTS[:, None]), other.quantile(POINTS[:, None]), atol=1e-7)
        np.testing.assert_allclose(one.mean(), other.mean(), atol=1e-8)
        np.testing.assert_allclose(one.sd(), other.sd(), atol=1e-8)
        np.testing.assert_allclose(one.hdi(0.95), other.hdi(0.95), atol=1e-5)


@pytest.mark.parametrize("mu", ["StudentT(4, 0, 1)", "Cauchy(0, 1)", "Logistic(0, 1)"])
def test_other_priors_for_mu_with_one_study_and_no_spread(mu: str) -> None:
    # tau = 0 and one study: the posterior of mu is one-dimensional, and scipy can integrate it
    prior = parse_prior(mu)
    posterior = bm.fit(yi=[0.7], sei=[0.4], priors={"mu": mu, "tau": "Point(0)"}, measure="GEN")

    def density(x: float) -> float:
        return float(prior.pdf(x)) * np.exp(-0.5 * ((x - 0.7) / 0.4) ** 2) / (0.4 * np.sqrt(2 * np.pi))

    total = quad(density, -8, 10, points=[0.0, 0.7], epsabs=1e-13, limit=500)[0]
    assert posterior.log_marginal_likelihood == pytest.approx(np.log(total), abs=1e-9)
    below = quad(density, -8, 0.5, points=[0.0], epsabs=1e-13, limit=500)[0]
    assert posterior.cdf("mu", 0.5) == pytest.approx(below / total, abs=2e-8)


def test_point_priors_are_limits() -> None:
    data, priors = data_of("RR", "two_studies")
    narrow = parse_priors({"tau": "HalfNormal(1e-5)"}, priors)
    fixed = parse_priors({"tau": "Point(0)"}, priors)
    np.testing.assert_allclose(
        numbers(solve_arm(data, fixed), False)[-1], numbers(solve_arm(data, narrow), False)[-1], atol=1e-7
    )
    sharp = parse_priors({"mu": "Normal(0.3, 1e-5)"}, priors)
    at = parse_priors({"mu": "Point(0.3)"}, priors)
    one, other = solve_arm(data, at), solve_arm(data, sharp)
    assert one.log_marginal_likelihood == pytest.approx(other.log_marginal_likelihood, abs=1e-7)
    np.testing.assert_allclose(
        one.scale.quantile(POINTS[:, None]), other.scale.quantile(POINTS[:, None]), rtol=1e-6, atol=1e-6
    )
    for i in range(data.k):
        np.testing.assert_allclose(
            one.study_effects[i].quantile(POINTS[:, None])[:, 0],
            other.study_effects[0].quantile(POINTS[:, None])[:, i],
            atol=1e-5,
        )


def test_a_flat_prior_for_mu_is_refused_where_the_posterior_is_improper() -> None:
    nothing = pd.DataFrame(
        {"study": ["A", "B"], "events_e": [0, 0], "n_e": [20, 30], "events_c": [3, 4], "n_c": [20, 30]}
    )
    with pytest.raises(DataError, match="improper"):
        bm.fit(nothing, measure="RR", likelihood="binomial", priors={"mu": "Flat()"})
    assert bm.fit(BCG, measure="RR", likelihood="binomial", priors={"mu": "Flat()"}).cdf("mu", 0.0) > 0.99


def test_a_prior_for_mu_with_bounded_support_is_refused() -> None:
    with pytest.raises(SpecError, match="whole line"):
        bm.fit(BCG, measure="RR", likelihood="binomial", priors={"mu": "Uniform(-1, 1)"})


@pytest.mark.parametrize(
    ("measure", "case"), [("RR", "single_zero"), ("OR", "double_zero"), ("IRR", "two_studies"), ("SMD", "five_an_arm")]
)
def test_draws_come_from_the_posterior(measure: str, case: str) -> None:
    data, priors = data_of(measure, case)
    solution = solve_arm(data, priors)
    drawn = solution.sample(4000, np.random.default_rng(3))
    named = {"mu": drawn["mu"], "tau": drawn["tau"], "theta_new": drawn["theta_new"]}
    named |= {f"theta[{label}]": drawn["theta"][:, i] for i, label in enumerate(data.labels)}
    for term, values in named.items():
        family = next(f.take(term) for f in solution.families if term in f.terms)
        # probability integral transforms are uniform: mean and variance within 5 standard errors
        u = family.cdf(values[:, None])[:, 0]
        assert u.mean() == pytest.approx(0.5, abs=5 / np.sqrt(12 * 4000)), term
        assert u.var() == pytest.approx(1 / 12, abs=5 / np.sqrt(180 * 4000)), term
    # jointly: theta_i is drawn around mu, as the posterior correlation shows
    assert np.corrcoef(drawn["mu"], drawn["theta"].mean(axis=1))[0, 1] > 0.2


@pytest.mark.parametrize("case", ["double_zero", "unequal_arms", "one_study"])
@pytest.mark.parametrize("measure", ["RR", "OR"])
def test_many_draws_of_the_mean_come_from_its_posterior(measure: str, case: str) -> None:
    # where the two panels of mu are of unequal width; errors of a hundredth of a standard deviation are seen
    data, priors = data_of(measure, case)
    solution, size = solve_arm(data, priors), 100_000
    tau = solution._draw_tau(size, np.random.default_rng(5))
    mu = solution._draw_mu(tau, np.random.default_rng(6))
    u = solution.effects[0].take("mu").cdf(mu[:, None])[:, 0]
    assert u.mean() == pytest.approx(0.5, abs=5 / np.sqrt(12 * size))
    assert u.var() == pytest.approx(1 / 12, abs=5 / np.sqrt(180 * size))
    assert mu.mean() == pytest.approx(solution.effects[0].take("mu").mean()[0], abs=5 * mu.std() / np.sqrt(size))


@settings(max_examples=15)
@given(
    st.lists(
        st.tuples(st.integers(0, 8), st.integers(8, 60), st.integers(0, 8), st.integers(8, 60)), min_size=1, max_size=4
    ),
    st.sampled_from(["RR", "OR"]),
)
def test_swapping_the_arms_flips_the_sign_and_order_does_not_matter(rows: list, measure: str) -> None:
    names = ["events_e", "n_e", "events_c", "n_c"]
    frame = pd.DataFrame(rows, columns=names).assign(study=[f"S{i}" for i in range(len(rows))])
    swapped = frame.rename(columns={"events_e": "events_c", "n_e": "n_c", "events_c": "events_e", "n_c": "n_e"})
    one = bm.fit(frame, measure=measure, likelihood="binomial")
    other = bm.fit(swapped.iloc[::-1], measure=measure, likelihood="binomial")
    assert one.log_marginal_likelihood == pytest.approx(other.log_marginal_likelihood, abs=1e-8)
    np.testing.assert_allclose(one.quantile("mu", POINTS), -other.quantile("mu", POINTS)[::-1], atol=1e-6)
    np.testing.assert_allclose(one.quantile("tau", POINTS), other.quantile("tau", POINTS), atol=1e-6)


def test_a_study_without_events_is_kept_and_has_almost_no_weight() -> None:
    without = pd.DataFrame(
        {
            "study": ["A", "B", "C"],
            "events_e": [3, 5, 7],
            "n_e": [50, 60, 80],
            "events_c": [6, 9, 9],
            "n_c": [50, 60, 80],
        }
    )
    empty = pd.DataFrame({"study": ["D"], "events_e": [0], "n_e": [40], "events_c": [0], "n_c": [40]})
    both = bm.fit(pd.concat([without, empty]), measure="RR")
    assert both.data.k == 4
    assert "theta[D]" in both.terms
    assert both.quantile("mu", 0.5) == pytest.approx(bm.fit(without, measure="RR").quantile("mu", 0.5), abs=0.02)


def test_a_baseline_prior_changes_likelihood_and_posterior() -> None:
    rare = pd.DataFrame(
        {"study": ["A", "B"], "events_e": [0, 1], "n_e": [300, 400], "events_c": [2, 3], "n_c": [300, 400]}
    )
    wide = bm.fit(rare, measure="RR")
    stated = bm.fit(rare, measure="RR", priors={"baseline": "Normal(0, 10)"})
    flat = bm.fit(rare, measure="RR", priors={"baseline": "Beta(1, 1)"})
    assert wide.quantile("mu", 0.5) == pytest.approx(stated.quantile("mu", 0.5), abs=1e-12)
    assert abs(flat.quantile("mu", 0.5) - wide.quantile("mu", 0.5)) > 0.02
    with pytest.raises(SpecError, match="baseline"):
        bm.fit(rare, measure="RR", likelihood="normal", priors={"baseline": "Beta(1, 1)"})


def test_what_was_fitted_before_does_not_matter() -> None:
    # to the last bit, although another formula for the effects starts the searches at other values
    pain = pd.DataFrame(
        {
            "study": ["A", "B"],
            "mean_e": [20.1, 18.0],
            "sd_e": [8.2, 7.5],
            "n_e": [40, 30],
            "mean_c": [25.3, 19.2],
            "sd_c": [9.1, 8.8],
            "n_c": [42, 28],
        }
    )
    found = []
    for before in ("revman", "exact"):
        clear_tables()
        bm.fit(pain, measure="SMD", likelihood="nct", smd=before)
        found.append(bm.fit(pain, measure="SMD", likelihood="nct", smd="revman"))
    np.testing.assert_array_equal(found[0].quantile("mu", POINTS), found[1].quantile("mu", POINTS))
    assert found[0].log_marginal_likelihood == found[1].log_marginal_likelihood


def test_tables_depend_on_the_baseline_prior() -> None:
    # a table made under one baseline prior must not be used under another
    data, priors = data_of("RR", "single_zero")
    first = solve_arm(data, priors).log_marginal_likelihood
    other = solve_arm(data, Priors(priors.mu, priors.scale, baseline=parse_prior("Beta(2, 2)"))).log_marginal_likelihood
    again = solve_arm(data, priors).log_marginal_likelihood
    assert first == again
    assert abs(first - other) > 0.1


@pytest.mark.parametrize("likelihood", ["normal", "binomial"])
def test_the_joint_density_has_the_marginals(likelihood: str) -> None:
    posterior = bm.fit(BCG, measure="RR", likelihood=likelihood)
    tau = np.linspace(0.0, 4.0, 4001)[1:]
    along = posterior.joint_pdf(-0.6, tau)
    assert np.trapezoid(along, tau) == pytest.approx(posterior.pdf("mu", -0.6), rel=1e-4)
    mu = np.linspace(-4.0, 3.0, 2001)
    assert np.trapezoid(posterior.joint_pdf(mu, 0.5), mu) == pytest.approx(posterior.pdf("tau", 0.5), rel=1e-6)
    with pytest.raises(SpecError, match="point prior"):
        bm.fit(BCG, measure="RR", likelihood=likelihood, priors={"tau": "Point(0)"}).joint_pdf(0.0, 0.1)
