"""Results of many analyses in the same arrays equal those of each alone."""

import numpy as np
import pytest

from bayesmeta.engines.normal.batch import solve_batch
from bayesmeta.engines.normal.batch_panels import integrate_batch
from bayesmeta.engines.normal.solve import solve_normal
from bayesmeta.errors import ConvergenceError, SpecError
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.model.priors.priors import Priors

TAILS = np.array([0.025, 0.5, 0.975])
PRIORS = [
    ("Normal(0, 2.82)", "HalfNormal(0.5)", False),
    ("Flat()", "HalfNormal(0.5)", False),
    ("Normal(0.3, 1)", "HalfCauchy(0.5)", False),
    ("Flat()", "HalfT(3, 0.5)", False),
    ("Normal(0, 4)", "Uniform(0.1, 4)", False),
    ("Normal(0, 4)", "LogNormal(-1.28, 0.87)", False),
    ("Normal(0, 4)", "LogT(5, -3.44, 2.59)", True),
    ("Flat()", "InvGamma(1, 0.1)", True),
]


def reviews(count: int, k: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vi = np.exp(rng.normal(-2, 1, (count, k)))
    yi = rng.normal(0, 1, (count, 1)) + (np.abs(rng.normal(0, 0.5, (count, 1))) + np.sqrt(vi)) * rng.normal(
        size=(count, k)
    )
    return yi, vi


def alone(y: np.ndarray, v: np.ndarray, priors: Priors) -> dict[str, np.ndarray]:
    solution = solve_normal(y, v, priors, tuple(map(str, range(len(y)))))
    mixtures, tau = solution.effects, solution.scale.take("tau")
    return {
        "mean": np.array([*mixtures.mean()[:2], *tau.mean()]),
        "sd": np.array([*mixtures.sd()[:2], *tau.sd()]),
        "quantile": np.vstack([mixtures.quantile(TAILS[:, None]).T[:2], tau.quantile(TAILS[:, None]).T]),
        "log_marginal_likelihood": np.array(solution.log_marginal_likelihood),
    }


@pytest.mark.parametrize(("mu", "tau", "on_variance"), PRIORS)
@pytest.mark.parametrize("k", [1, 2, 5, 31])
def test_each_analysis_is_solved_as_if_it_were_alone(k: int, mu: str, tau: str, on_variance: bool) -> None:
    priors = Priors(parse_prior(mu), parse_prior(tau), on_variance)
    yi, vi = reviews(7, k)
    found = solve_batch(yi, vi, priors, TAILS)
    for i in range(7):
        for name, known in alone(yi[i], vi[i], priors).items():
            np.testing.assert_allclose(found[name][i], known, rtol=1e-9, atol=1e-10, err_msg=name)


def test_analyses_of_very_different_scales_do_not_affect_each_other() -> None:
    priors = Priors(parse_prior("Normal(0, 2)"), parse_prior("HalfCauchy(0.5)"))
    yi, vi = reviews(6, 4)
    unit = 10.0 ** np.arange(-5, 1)[:, None]
    yi, vi = yi * unit, vi * unit**2
    yi[3, 0] = 40.0
    found = solve_batch(yi, vi, priors, TAILS)
    for i in range(6):
        known = alone(yi[i], vi[i], priors)
        np.testing.assert_allclose(found["quantile"][i], known["quantile"], rtol=1e-8, atol=1e-8 * known["sd"].max())


def test_chunks_do_not_change_results(monkeypatch: pytest.MonkeyPatch) -> None:
    priors = Priors(parse_prior("Normal(0, 2)"), parse_prior("HalfNormal(0.5)"))
    yi, vi = reviews(9, 3)
    whole = solve_batch(yi, vi, priors, TAILS)
    monkeypatch.setattr("bayesmeta.engines.normal.batch.ARRAY_SIZE", 500)
    for name, value in solve_batch(yi, vi, priors, TAILS).items():
        np.testing.assert_allclose(value, whole[name], rtol=1e-11, atol=1e-12, err_msg=name)


def test_the_panels_of_an_analysis_cover_all_of_its_mass() -> None:
    priors = Priors(parse_prior("Normal(0, 2)"), parse_prior("HalfNormal(0.5)"))
    yi, vi = reviews(5, 6)
    batch = integrate_batch(yi, vi, priors, np.full(5, 0.3), 2)
    np.testing.assert_allclose(batch.mass.sum(axis=1), 1.0, atol=1e-13)
    np.testing.assert_allclose(2 * batch.half_width.sum(axis=1), 1.0, atol=1e-13)
    assert (batch.error < 1e-8).all()


def test_a_prior_that_is_not_conjugate_is_an_error() -> None:
    with pytest.raises(SpecError, match="needs a Normal or Flat prior for mu"):
        solve_batch(*reviews(2, 3), Priors(parse_prior("StudentT(4, 0, 1)"), parse_prior("HalfNormal(0.5)")), TAILS)


def test_data_beyond_floating_point_are_errors() -> None:
    priors = Priors(parse_prior("Normal(0, 2)"), parse_prior("Uniform(0, 1)"))
    with pytest.raises(ConvergenceError, match="zero or not finite everywhere"), np.errstate(all="ignore"):
        solve_batch(np.array([[1e200, -1e200]]), np.array([[1e-10, 1e-10]]), priors, TAILS)
