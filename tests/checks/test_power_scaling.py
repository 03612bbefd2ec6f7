"""Power-scaling: against posteriors whose priors or data are really scaled, and the diagnoses of clear cases."""

import numpy as np
import pytest

import bayesmeta as bm
from bayesmeta.checks.power_scaling import DRAWS, diagnosis, power_scaling
from bayesmeta.engines.normal.formulas import log_likelihood_tau
from bayesmeta.errors import SpecError

Y, V = np.array([0.1, 0.3, -0.2, 0.9, 0.4]), np.array([0.04, 0.1, 0.09, 0.02, 0.05])


def distance(cdf, other, x) -> float:
    """Cumulative Jensen-Shannon distance, symmetrized and normalized (Kallioinen et al. 2024, eq. 8), by the trapezoidal rule."""

    def one_way(p, q):
        middle = 0.5 * (p + q)
        parts = []
        for a, b in ((p, q), (q, p)):
            with np.errstate(divide="ignore", invalid="ignore"):
                parts.append(np.where(a > 0, a * np.log2(a / middle), 0.0) + (b - a) / (2 * np.log(2)))
        bound = np.trapezoid(p + q, x)
        return np.sqrt(np.trapezoid(parts[0] + parts[1], x) / bound)

    p, q = cdf(x), other(x)
    return max(one_way(p, q), one_way(1 - p, 1 - q))


def sensitivity(posterior, scaled, term: str, x, alphas) -> float:
    values = [distance(lambda x: posterior.cdf(term, x), lambda x, one=one: one.cdf(term, x), x) for one in scaled]
    return 0.5 * sum(value / abs(np.log2(alpha)) for value, alpha in zip(values, alphas, strict=True))


def test_priors_to_a_power_against_fits_under_them() -> None:
    """Normal(0, s)^a is Normal(0, s / sqrt(a)), HalfNormal likewise, so that a fit under them is the scaled posterior."""
    alphas = (0.8, 1.25)
    posterior = bm.fit(yi=Y, vi=V, priors={"mu": "Normal(0, 0.3)", "tau": "HalfNormal(0.2)"})
    table = power_scaling(posterior, alphas=alphas)
    for column, mu, tau in (("prior", 1, 1), ("prior_mu", 1, 0), ("prior_tau", 0, 1)):
        scaled = [
            bm.fit(yi=Y, vi=V, priors={"mu": f"Normal(0, {0.3 * a ** (-0.5 * mu)})", "tau": f"HalfNormal({0.2 * a ** (-0.5 * tau)})"})
            for a in alphas
        ]  # fmt: skip
        for term in ("mu", "tau"):
            # arviz integrates over the range of the draws
            x = np.linspace(*posterior.quantile(term, np.array([0.5, DRAWS - 0.5]) / DRAWS), 4001)
            known = sensitivity(posterior, scaled, term, x, alphas)
            assert table.loc[term, column] == pytest.approx(known, rel=0.15, abs=0.004)


def test_the_likelihood_to_a_power_against_a_grid_of_tau() -> None:
    """With mu fixed by a tight prior the posterior of tau is one-dimensional: the power of the likelihood can be computed on a grid."""
    posterior = bm.fit(yi=Y, vi=V, priors={"mu": "Normal(0.3, 1e-4)", "tau": "HalfNormal(0.5)"})
    table = power_scaling(posterior)
    grid = np.linspace(*posterior.quantile("tau", np.array([0.5, DRAWS - 0.5]) / DRAWS), 6001)
    log_prior = posterior.priors.scale.logpdf(grid)
    log_likelihood = log_likelihood_tau(grid, Y, V, posterior.priors)

    def cdf(alpha):
        log_density = log_prior + alpha * log_likelihood
        total = np.cumsum(np.exp(log_density - log_density.max()))
        return total / total[-1]

    values = [distance(lambda _: cdf(1.0), lambda _, a=a: cdf(a), grid) / abs(np.log2(a)) for a in (0.8, 1.25)]
    assert table.loc["tau", "likelihood"] == pytest.approx(np.mean(values), rel=0.2)
    assert table.loc["mu", "likelihood"] < 0.02


def test_a_prior_in_conflict_with_the_data_is_diagnosed() -> None:
    table = power_scaling(
        yi=[2.0, 2.1, 1.9, 2.0], sei=[0.3] * 4, priors={"mu": "Normal(0, 0.4)", "tau": "HalfNormal(0.1)"}
    )
    assert table.loc["mu", "diagnosis"] == "prior-data conflict"
    assert table.loc["mu", "prior_mu"] > table.loc["mu", "prior_tau"]


def test_data_without_information_on_tau_are_diagnosed() -> None:
    table = power_scaling(yi=[0.1, 0.3], sei=[1.0, 1.2], priors={"mu": "Normal(0, 1)", "tau": "HalfNormal(0.1)"})
    assert table.loc["tau", "diagnosis"] == "strong prior / weak likelihood"


def test_many_data_determine_mu() -> None:
    rng = np.random.default_rng(1)
    y = 0.5 + 0.3 * rng.standard_normal(60)
    table = power_scaling(yi=y, sei=[0.1] * 60, priors={"mu": "Normal(0, 2)", "tau": "HalfNormal(0.5)"})
    assert (table["diagnosis"] == "-").all()
    assert (table["prior"] < 0.05).all()


def test_diagnoses_by_their_thresholds() -> None:
    assert diagnosis(0.04, 0.5) == "-"
    assert diagnosis(0.06, 0.06) == "prior-data conflict"
    assert diagnosis(0.06, 0.04) == "strong prior / weak likelihood"
    assert diagnosis(0.06, 0.04, threshold=0.1) == "-"


def test_a_flat_prior_for_mu_has_no_sensitivity() -> None:
    table = power_scaling(yi=Y, vi=V, priors={"mu": "Flat()"})
    assert (table["prior_mu"] == 0).all()
    np.testing.assert_allclose(table["prior"], table["prior_tau"], rtol=1e-12)


def test_point_priors_are_errors() -> None:
    with pytest.raises(SpecError, match="power-scaling needs priors with a density"):
        power_scaling(yi=Y, vi=V, priors={"tau": "Point(0.2)"})
