"""Exact fits of two coefficients under arm-level likelihoods: against brute force, and what must not change them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bayesmeta.effects.compute import effect_sizes
from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design, mean_only
from bayesmeta.effects.effects import effects_from_arrays
from bayesmeta.engines.arm_level.propriety import unbounded_direction
from bayesmeta.engines.arm_level.smoothing import Smoothed
from bayesmeta.engines.arm_level.solve import solve_arm
from bayesmeta.engines.arm_level.solve_two import solve_two_coefficients
from bayesmeta.engines.choose import automatic_engine, solve_exactly
from bayesmeta.engines.normal.model import CoefficientPrior, normal_model
from bayesmeta.engines.normal.solve import solve_linear
from bayesmeta.engines.solution import marginal_of
from bayesmeta.engines.terms import terms_of
from bayesmeta.errors import DataError, SpecError
from bayesmeta.model.likelihoods.registry import likelihood_for, model_data
from bayesmeta.model.priors.coefficients import combination_priors
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors
from bayesmeta.studies.read import read_studies

PRIORS = Priors(Prior("Normal", (0.0, 2.0)), Prior("HalfNormal", (0.5,)))
P = np.array([[0.025], [0.5], [0.975]])
WEEKS = np.array([6.0, 12, 10, 20, 8])


def frame(measure, k):
    names = [f"S{i}" for i in range(k)]
    if measure == "SMD":
        return pd.DataFrame(
            {"study": names, "mean_e": [8.0, 11.2, 3.0, 5, 6][:k], "sd_e": [4.2, 5, 1.5, 2, 3][:k], "n_e": [34, 54, 9, 20, 31][:k],
             "mean_c": [9.7, 10.7, 2.0, 5.5, 4.5][:k], "sd_c": [4.4, 5, 1.0, 2, 3][:k], "n_c": [46, 56, 8, 25, 30][:k]}
        )  # fmt: skip
    total = "time" if measure == "IRR" else "n"
    return pd.DataFrame(
        {"study": names, "events_e": [8, 2, 0, 12, 5][:k], f"{total}_e": [48, 59, 30, 40, 51][:k], "events_c": [16, 4, 3, 9, 7][:k],
         f"{total}_c": [49, 31, 28, 44, 50][:k]}
    )  # fmt: skip


LIKELIHOODS = {"OR": "binomial", "RR": "binomial", "IRR": "poisson", "SMD": "nct"}


def analysis(measure, k=5, design=None):
    data = model_data(effect_sizes(read_studies(frame(measure, k)), measure), LIKELIHOODS[measure])
    return replace(data, design=design or Design(np.column_stack([np.ones(k), WEEKS[:k]]), ("Intercept", "weeks")))


def solve(data, priors=PRIORS):
    return solve_two_coefficients(data, priors, combination_priors(priors, data.design))


def likelihoods(data, theta):
    """m_i at a grid of theta, by brute force from the definition; shape (k, G)."""
    if data.likelihood == "nct":
        t, df, root_n = (data.columns[name][:, None] for name in ("t", "df", "root_n"))
        return stats.nct.pdf(t, df, theta * root_n)
    # analytic in a strip of half width pi: the error of the trapezoid rule is below rounding
    a = np.linspace(-45, 45, 601)
    prior = stats.norm.pdf(a, 0, 10) * (a[1] - a[0])
    density = likelihood_for(data.likelihood, data.measure).log_density
    out = []
    for i in range(data.k):
        columns = {name: value[i] for name, value in data.columns.items()}
        out.append(np.exp(density(columns, theta[:, None], a)) @ prior)
    return np.array(out)


THETA = np.linspace(-14, 14, 1201)


def brute_force(data, tau, b0, b1, m=None, theta=THETA):
    """log p(data | tau) and the mean of b1 given tau, by trapezoid rules in b, theta and the baselines."""
    m = likelihoods(data, theta) if m is None else m
    mesh = np.stack(np.meshgrid(b0, b1, indexing="ij"), axis=-1)
    value = combination_priors(PRIORS, data.design).log_density(mesh)
    for row, likelihood in zip(data.design.matrix, m, strict=True):
        mu, place = np.unique(mesh @ row, return_inverse=True)
        g = np.concatenate(
            [
                np.exp(-0.5 * ((theta - part[:, None]) / tau) ** 2) @ likelihood
                for part in np.array_split(mu, 1 + len(mu) // 2000)
            ]
        )
        spacing = (theta[1] - theta[0]) / (tau * np.sqrt(2 * np.pi))
        value = value + np.log(np.maximum(g * spacing, 1e-300))[place.reshape(value.shape)]
    weight = np.exp(value) * (b0[1] - b0[0]) * (b1[1] - b1[0])
    return np.log(weight.sum()), (weight * mesh[..., 1]).sum() / weight.sum()


@pytest.mark.parametrize("measure", ["OR", "IRR", "SMD", "RR"])
def test_given_tau_it_is_the_integral_by_brute_force(measure):
    # centred, so that the rectangle of the trapezoid rule fits the posterior
    design = Design(np.column_stack([np.ones(3), [-1.0, 0.5, 1.0]]), ("Intercept", "weeks"))
    data, priors = analysis(measure, 3, design), replace(PRIORS, scale=Prior("Point", (0.4,)))
    found = solve(data, priors)
    b = np.linspace(-6, 6, 81), np.linspace(-3.6, 3.6, 81)
    log_total, mean = brute_force(data, 0.4, *b)
    if measure == "RR":
        # the likelihood has a corner at 0, where the error of the trapezoid rule in theta falls with the square of its spacing
        finer = brute_force(data, 0.4, *b, theta=np.linspace(-14, 14, 2401))
        log_total, mean = ((4 * fine - coarse) / 3 for fine, coarse in zip(finer, (log_total, mean), strict=True))
    assert found.log_marginal_likelihood == pytest.approx(log_total, abs=2e-8)
    assert float(marginal_of(found, "weeks").mean()[0]) == pytest.approx(mean, abs=2e-8)


def test_with_tau_it_is_the_integral_by_brute_force():
    design = Design(np.array([[1.0, 0], [0, 1], [1, 0]]), ("focus[a]", "focus[b]"))
    data = analysis("OR", 3, design)
    unit, weight = np.polynomial.legendre.leggauss(24)
    tau, priors = 0.2 + 0.9 * (unit + 1), replace(PRIORS, scale=Prior("Uniform", (0.2, 2.0)))
    m = likelihoods(data, THETA)
    parts = [brute_force(data, one, np.linspace(-9, 9, 101), np.linspace(-12, 12, 101), m) for one in tau]
    log_density = np.array([total for total, _ in parts]) - np.log(1.8)
    mass = np.exp(log_density) * 0.9 * weight
    found = solve(data, priors)
    assert found.log_marginal_likelihood == pytest.approx(np.log(mass.sum()), abs=2e-8)
    mean = mass @ np.array([mean for _, mean in parts]) / mass.sum()
    assert float(marginal_of(found, "focus[b]").mean()[0]) == pytest.approx(mean, rel=1e-7)
    assert float(marginal_of(found, "tau").mean()[0]) == pytest.approx(mass @ tau / mass.sum(), rel=1e-7)
    finer = solve_two_coefficients(data, priors, combination_priors(priors, design), resolutions=((64, 0.3),))
    for term in (*found.terms.pooled, "theta[S1]"):
        one, other = marginal_of(found, term), marginal_of(finer, term)
        np.testing.assert_allclose(one.quantile(P), other.quantile(P), rtol=1e-6, atol=1e-7)


def test_with_the_normal_likelihood_it_is_the_linear_model():
    y, se = np.array([0.1, -0.5, 0.6, 0.2, 0.9]), np.array([0.2, 0.1, 0.4, 0.3, 0.2])
    design = analysis("OR").design
    data = replace(model_data(effects_from_arrays(y, sei=se, measure="GEN"), "normal"), design=design)
    prior = combination_priors(PRIORS, design)
    precision = prior.combinations.T @ np.diag([one.args[1] ** -2 for one in prior.priors]) @ prior.combinations
    model = normal_model(y, design, Covariance(se**2), CoefficientPrior(np.zeros(2), precision))
    exact, found = solve_linear(model, PRIORS, terms_of(data.labels, design.names)), solve(data)
    assert found.log_marginal_likelihood == pytest.approx(exact.log_marginal_likelihood, abs=1e-10)
    for term in exact.terms.all:
        one, other = marginal_of(found, term), marginal_of(exact, term)
        np.testing.assert_allclose([one.mean()[0], one.sd()[0]], [other.mean()[0], other.sd()[0]], rtol=1e-8, atol=1e-9)
        np.testing.assert_allclose(one.quantile(P), other.quantile(P), rtol=1e-6, atol=1e-7)
    new = np.array([[1.0, 15.0]])
    one, other = (each.combinations(new, ("at 15",), new_study=True) for each in (found, exact))
    np.testing.assert_allclose(one.quantile(P), other.quantile(P), rtol=1e-6, atol=1e-7)


def test_the_corners_of_risk_ratios_are_integrated_exactly():
    # with tau = 0 the integrand has corners on rays from b = 0: exact in polar coordinates with sectors between the rays
    weeks = np.array([-1.0, 0.5, 1.0, -0.3, 2.0])
    design = Design(np.column_stack([np.ones(5), weeks]), ("Intercept", "weeks"))
    data, priors = analysis("RR", 5, design), replace(PRIORS, scale=Prior("Point", (0.0,)))
    found = solve(data, priors)
    # 1 cos + weeks sin = 0
    rays = np.sort(np.concatenate([np.arctan2(-1, weeks), np.arctan2(1, -weeks)]))
    rays = np.append(rays, rays[0] + 2 * np.pi)
    unit, weight = np.polynomial.legendre.leggauss(24)
    angle = (rays[:-1, None] + 0.5 * np.diff(rays)[:, None] * (unit + 1)).ravel()
    cuts = np.array([0, 0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 9.0])
    radius = (cuts[:-1, None] + 0.5 * np.diff(cuts)[:, None] * (unit + 1)).ravel()
    b = radius[:, None, None] * np.stack([np.cos(angle), np.sin(angle)], axis=-1)
    value = combination_priors(PRIORS, design).log_density(b) + np.log(radius)[:, None]
    for study, row in zip(found.studies, design.matrix, strict=True):
        value = value + study.log_smooth(b @ row, np.zeros(len(radius)))
    along, around = (np.repeat(0.5 * np.diff(one), 24) * np.tile(weight, len(one) - 1) for one in (cuts, rays))
    mass = np.exp(value) * np.outer(along, around)
    assert found.log_marginal_likelihood == pytest.approx(np.log(mass.sum()), abs=2e-8)
    for term, at in (("Intercept", b[..., 0]), ("weeks", b[..., 1]), ("theta[S1]", b @ design.matrix[1])):
        assert float(marginal_of(found, term).mean()[0]) == pytest.approx((mass * at).sum() / mass.sum(), abs=2e-8)


@pytest.mark.parametrize("tau", [0.01, 0.1])
def test_corners_that_a_small_tau_smooths_are_resolved(tau):
    data, priors = analysis("RR"), replace(PRIORS, scale=Prior("Point", (tau,)))
    found = solve(data, priors)
    finer = solve_two_coefficients(data, priors, combination_priors(priors, data.design), resolutions=((180, 0.12),))
    assert found.log_marginal_likelihood == pytest.approx(finer.log_marginal_likelihood, abs=1e-7)
    for term in (*found.terms.coefficients, "theta[S2]"):
        one, other = marginal_of(found, term), marginal_of(finer, term)
        np.testing.assert_allclose(one.quantile(P), other.quantile(P), rtol=1e-6, atol=1e-6)


def test_a_fit_with_its_summary_and_draws_evaluates_few_integrals(monkeypatch):
    # each log g_i is tabulated once at each tau, and not computed anew for every direction and every point
    counted = []
    smooth = Smoothed.log_smooth
    monkeypatch.setattr(Smoothed, "log_smooth", lambda self, mu, tau: counted.append(mu.size) or smooth(self, mu, tau))
    found = solve(analysis("OR"))
    for term in found.terms.all:
        marginal_of(found, term).quantile(P)
    assert sum(counted) < 1_000_000


@pytest.mark.parametrize("measure", LIKELIHOODS)
def test_with_a_slope_fixed_by_its_prior_it_is_the_pairwise_fit(measure):
    data = analysis(measure)
    priors = replace(PRIORS, coefficients=(("Intercept", PRIORS.mu), ("weeks", Prior("Normal", (0.0, 1e-7)))))
    found, pairwise = solve(data, priors), solve_arm(replace(data, design=mean_only(5)), PRIORS)
    assert found.log_marginal_likelihood == pytest.approx(pairwise.log_marginal_likelihood, abs=1e-6)
    for term, other in (("Intercept", "mu"), ("tau", "tau"), ("theta[S2]", "theta[S2]")):
        np.testing.assert_allclose(
            marginal_of(found, term).quantile(P), marginal_of(pairwise, other).quantile(P), rtol=1e-5, atol=1e-6
        )


def test_the_order_of_studies_and_the_coding_of_a_moderator_change_nothing():
    data = analysis("OR")
    found, turned = solve(data), solve(data.subset(np.array([3, 0, 4, 1, 2])))
    recoded = Design(data.design.matrix @ np.array([[1.0, 50.0], [0.0, -3.0]]), data.design.names)
    other = solve(replace(data, design=recoded))
    for one in (turned, other):
        assert one.log_marginal_likelihood == pytest.approx(found.log_marginal_likelihood, abs=1e-8)
        for term in ("effect_at_means", "tau", "theta[S1]"):
            np.testing.assert_allclose(
                marginal_of(one, term).quantile(P), marginal_of(found, term).quantile(P), rtol=1e-6, atol=1e-7
            )
    slope, turned_slope = marginal_of(found, "weeks").quantile(P), marginal_of(other, "weeks").quantile(P)
    np.testing.assert_allclose(turned_slope, -slope[::-1] / 3, rtol=1e-6, atol=1e-7)


def test_draws_have_the_marginal_distributions():
    data = analysis("RR")
    found = solve(data)
    drawn = found.sample(4000, np.random.default_rng(4))
    assert drawn["theta"].shape == drawn["logit_larger_risk"].shape == (4000, 5)
    drawn |= {"effect_at_means": drawn["Intercept"] + WEEKS.mean() * drawn["weeks"], "theta[S2]": drawn["theta"][:, 2]}
    for term in ("Intercept", "weeks", "effect_at_means", "tau", "theta[S2]"):
        # Kolmogorov-Smirnov distance: 1.95 / sqrt(n) has a probability of 0.001
        shares = np.sort(marginal_of(found, term).cdf(drawn[term][:, None])[:, 0])
        assert np.abs(shares - (np.arange(4000) + 0.5) / 4000).max() < 1.95 / 4000**0.5


def test_what_quadrature_does_not_take():
    data = analysis("OR")
    three = Design(np.column_stack([data.design.matrix, [0, 1, 0, 1, 1]]), ("Intercept", "weeks", "focus"))
    with pytest.raises(
        SpecError,
        match=r"takes 2 coefficients at most with likelihood 'binomial', but this model has 3 .*likelihood='normal'.*'nuts'",
    ):
        solve_exactly(replace(data, design=three), PRIORS)
    assert automatic_engine(data) == ("quadrature", "")
    engine, note = automatic_engine(replace(data, design=three))
    assert engine == "nuts"
    assert note.startswith("3 coefficients with likelihood 'binomial' were sampled with NUTS")
    bounded = replace(PRIORS, coefficients=(("weeks", Prior("HalfNormal", (1.0,))),))
    with pytest.raises(SpecError, match=r"coefficients on the whole line .* but got HalfNormal\(1\)"):
        solve(data, bounded)
    with pytest.raises(SpecError, match="do not take point priors"):
        solve(data, replace(PRIORS, coefficients=(("weeks", Prior("Point", (0.0,))),)))


FLAT = Prior("Flat", ())
FLAT_PRIORS = replace(PRIORS, mu=FLAT, coefficients=(("weeks", FLAT),))


@pytest.mark.parametrize("measure", ["OR", "RR", "SMD"])
def test_flat_priors_are_the_limit_of_wide_ones(measure):
    # weeks are centred, so that the constant of the wide priors is that of their densities at 0
    weeks = WEEKS - WEEKS.mean()
    data = analysis(measure, 5, Design(np.column_stack([np.ones(5), weeks]), ("Intercept", "weeks")))
    flat = solve(data, FLAT_PRIORS)
    wide = Prior("Normal", (0.0, 1e4))
    found = solve(data, replace(PRIORS, mu=wide, coefficients=(("weeks", wide),)))
    constant = 2 * float(wide.logpdf(0.0))
    assert flat.log_marginal_likelihood == pytest.approx(found.log_marginal_likelihood - constant, abs=2e-6)
    for term in ("Intercept", "weeks", "tau"):
        np.testing.assert_allclose(
            marginal_of(flat, term).quantile(P), marginal_of(found, term).quantile(P), rtol=1e-5, atol=1e-6
        )


def counts(events_e, events_c, matrix, names, measure="RR"):
    k = len(events_e)
    table = pd.DataFrame(
        {
            "study": [f"S{i}" for i in range(k)],
            "events_e": events_e,
            "n_e": [40] * k,
            "events_c": events_c,
            "n_c": [40] * k,
        }
    )
    return replace(model_data(effect_sizes(read_studies(table), measure), "binomial"), design=Design(matrix, names))


def test_an_improper_posterior_is_refused_and_named():
    groups = np.array([[1.0, 0], [1, 0], [0, 1], [0, 1]])
    flat = replace(PRIORS, mu=FLAT)
    # no events with the treatment in the second group: its effect may be minus infinity
    separated = counts([3, 5, 0, 0], [6, 4, 3, 2], groups, ("focus[a]", "focus[b]"))
    with pytest.raises(
        DataError, match=r"improper: data and flat priors do not bound focus\[b\] .*'S2', 'S3', as where"
    ) as refused:
        solve(separated, flat)
    assert "Normal(0, 2.82)" in str(refused.value)
    # one study of the group with events in both arms bounds it
    assert np.isfinite(solve(counts([3, 5, 0, 1], [6, 4, 3, 2], groups, separated.design.names), flat).error)
    # a line through separated studies: any slope steep enough fits perfectly
    line = np.column_stack([np.ones(4), [-2.0, -1.0, 1.0, 2.0]])
    perfect = counts([0, 0, 4, 5], [4, 5, 0, 0], line, ("Intercept", "weeks"))
    with pytest.raises(DataError, match=r"do not bound .*weeks"):
        solve(perfect, FLAT_PRIORS)
    # with events that overlap each study bounds the line on one side, together on both: proper where tau has a light tail
    crossed = counts([0, 4, 0, 5], [4, 0, 5, 0], line, ("Intercept", "weeks"))
    assert -4 < float(marginal_of(solve(crossed, FLAT_PRIORS), "weeks").mean()[0]) < 4
    with pytest.raises(
        DataError,
        match=r"may be improper: .* and others bound .* on one side only, so that they vary as far as tau does",
    ):
        solve(crossed, replace(FLAT_PRIORS, scale=Prior("HalfCauchy", (0.5,))))
    assert np.isfinite(solve(separated).log_marginal_likelihood)
    # with log odds ratios the prior for the baselines bounds the effect, far out
    bounded = solve(counts([3, 5, 0, 0], [6, 4, 3, 2], groups, separated.design.names, "OR"), flat)
    assert -30 < float(marginal_of(bounded, "focus[b]").quantile(np.array([[0.025]]))[0, 0]) < -20


def test_directions_that_nothing_bounds():
    assert unbounded_direction(np.zeros((0, 2))) is not None
    assert unbounded_direction(np.array([[1.0, 0], [-1, 0], [0, 1], [0, -1]])) is None
    # bounded on three sides that surround the origin, and on three that do not
    assert unbounded_direction(np.array([[1.0, 0], [-1, 1], [-1, -1]])) is None
    d = unbounded_direction(np.array([[1.0, 0], [1, 1], [1, -1]]))
    assert (np.array([[1.0, 0], [1, 1], [1, -1]]) @ d <= 1e-12).all()


@pytest.mark.parametrize("measure", LIKELIHOODS)
def test_one_coefficient_of_any_name(measure):
    data = analysis(measure)
    named = replace(data, design=Design(np.ones((5, 1)), ("Intercept",)))
    found, pairwise = solve(named), solve_arm(replace(data, design=mean_only(5)), PRIORS)
    assert found.log_marginal_likelihood == pytest.approx(pairwise.log_marginal_likelihood, abs=1e-6)
    for term, other in (("Intercept", "mu"), ("effect_at_means", "mu"), ("tau", "tau"), ("theta[S2]", "theta[S2]")):
        np.testing.assert_allclose(
            marginal_of(found, term).quantile(P), marginal_of(pairwise, other).quantile(P), rtol=1e-5, atol=1e-6
        )
    drawn = found.sample(2000, np.random.default_rng(2))
    assert set(drawn) >= {"Intercept", "tau", "theta"}
    shares = np.sort(marginal_of(found, "Intercept").cdf(drawn["Intercept"][:, None])[:, 0])
    assert np.abs(shares - (np.arange(2000) + 0.5) / 2000).max() < 1.95 / 2000**0.5
    assert automatic_engine(named) == ("quadrature", "")


def test_a_line_through_zero_and_a_study_at_zero():
    # y = b x with the normal likelihood is the linear model; the effect at the means and of a study with x = 0 is 0 or about 0
    y, se, x = np.array([0.1, -0.5, 0.6, 0.2, 0.9]), np.array([0.2, 0.1, 0.4, 0.3, 0.2]), np.array([-2.0, -1, 0, 1, 2])
    design = Design(x[:, None], ("weeks",))
    data = replace(model_data(effects_from_arrays(y, sei=se, measure="GEN"), "normal"), design=design)
    prior = combination_priors(PRIORS, design)
    precision = prior.combinations.T @ np.diag([one.args[1] ** -2 for one in prior.priors]) @ prior.combinations
    model = normal_model(y, design, Covariance(se**2), CoefficientPrior(np.zeros(1), precision))
    exact, found = solve_linear(model, PRIORS, terms_of(data.labels, design.names)), solve(data)
    assert found.log_marginal_likelihood == pytest.approx(exact.log_marginal_likelihood, abs=1e-10)
    for term in exact.terms.all:
        np.testing.assert_allclose(
            marginal_of(found, term).quantile(P), marginal_of(exact, term).quantile(P), rtol=1e-6, atol=1e-7
        )
    assert float(marginal_of(found, "effect_at_means").mean()[0]) == 0.0
    with pytest.raises(SpecError, match="is 0 itself in a model without an intercept"):
        found.combinations(np.zeros((1, 1)), ("at 0",))
    assert found.sample(10, np.random.default_rng(1))["theta"].shape == (10, 5)


@pytest.mark.parametrize("family", [("StudentT", (4.0, 0.0, 0.1)), ("Cauchy", (0.0, 0.05)), ("Logistic", (0.0, 0.1))])
def test_other_priors_for_a_slope(family):
    # against importance weights on the grid of a normal prior: the same integrand by another route
    data, prior = analysis("OR"), Prior(*family)
    tau = replace(PRIORS, scale=Prior("Point", (0.3,)))
    found = solve(data, replace(tau, coefficients=(("weeks", prior),)))
    wide = Prior("Normal", (0.0, 1.0))
    base = solve(data, replace(tau, coefficients=(("weeks", wide),)))
    slope = marginal_of(base, "weeks")
    x, weight = np.polynomial.legendre.leggauss(400)
    x, weight = 1.5 * x, 1.5 * weight
    ratio = np.exp(prior.logpdf(x) - wide.logpdf(x)) * slope.pdf(x[:, None])[:, 0] * weight
    assert found.log_marginal_likelihood == pytest.approx(base.log_marginal_likelihood + np.log(ratio.sum()), abs=1e-7)
    mean = (ratio * x).sum() / ratio.sum()
    assert float(marginal_of(found, "weeks").mean()[0]) == pytest.approx(mean, abs=1e-7)
