"""The normal likelihood as the page computes it, against the package: a distribution per prior and data set."""

import numpy as np
import pytest
from explorer.scripts import run_scripts
from scipy import special

from bayesmeta.engines.normal.solve import solve_normal
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.priors import Priors

#: on the model scale; the page promises 1e-6
TOLERANCE = 1e-9

SOLVE = """
return given.map(({y, v, priors, at}) => {
  const s = BM.solveNormal({y, v}, priors);
  const probabilities = [0.001, 0.025, 0.25, 0.5, 0.9, 0.975, 0.999];
  return {
    logTotal: s.logTotal, typical: s.typicalVariance,
    tau: probabilities.map(p => s.tau.quantile(p)), mu: probabilities.map(p => s.mu.quantile(p)),
    fresh: probabilities.map(p => s.fresh.quantile(p)), theta: probabilities.map(p => s.theta(0).quantile(p)),
    cdf: at.map(x => [s.mu.cdf(x), s.fresh.cdf(x), s.tau.cdf(Math.abs(x)), s.tau.pdf(Math.abs(x) + 0.01)]),
  };
});
"""
PROBABILITIES = np.array([0.001, 0.025, 0.25, 0.5, 0.9, 0.975, 0.999])
AT = [-2.0, -0.5, -0.1, 0.0, 0.05, 0.3, 1.0]

DATA = {
    "one": ([0.4], [0.04]),
    "two": ([-0.3, 0.8], [0.02, 0.3]),
    "three": ([0.1, 0.2, 0.15], [0.01, 0.04, 0.09]),
    "outlier": ([0.1, 0.2, 0.15, 3.0], [0.01, 0.04, 0.09, 0.02]),
    "precise": ([0.1, 0.1001, 0.0999], [1e-8, 4e-8, 2e-8]),
    "mixed": ([0.1, 0.4, -0.2, 0.7, 0.05], [1e-6, 0.04, 0.3, 0.9, 2.0]),
    "large units": ([120.0, 250.0, 90.0, 310.0], [900.0, 2500.0, 400.0, 3600.0]),
    "many": (
        list(np.random.default_rng(3).normal(0.2, 0.4, 40)),
        list(np.random.default_rng(4).uniform(0.005, 0.5, 40)),
    ),
}
TAU = [
    ("HalfNormal", (0.5,), False), ("HalfNormal", (0.01,), False), ("HalfCauchy", (0.3,), False), ("HalfT", (4.0, 0.5), False),
    ("Uniform", (0.0, 2.0), False), ("Uniform", (0.1, 0.4), False), ("Exponential", (2.0,), False), ("LogNormal", (-1.0, 0.8), False),
    ("LogNormal", (-2.56, 1.74), True), ("LogT", (5.0, -3.0, 2.1), True), ("Gamma", (2.0, 5.0), False), ("Gamma", (0.5, 2.0), True),
    ("InvGamma", (1.5, 0.2), True), ("HalfNormal", (1.0,), True), ("Point", (0.3,), False), ("Point", (0.0,), False),
]  # fmt: skip
MU = [("Normal", (0.0, 2.82)), ("Normal", (-0.5, 0.2)), ("Flat", ())]


def cases() -> list[tuple[str, Priors, dict]]:
    found = []
    for name, (y, v) in DATA.items():
        scale = 100.0 if name == "large units" else 1.0
        for family, args, on_variance in TAU:
            for mu, mu_args in MU:
                if len(y) < 2 and mu == "Flat":
                    continue
                given = tuple(scale * a for a in args) if family in ("HalfNormal", "HalfCauchy", "Uniform") else args
                tau_prior = {"family": family, "args": given, "onVariance": on_variance}
                priors = {"mu": {"family": mu, "args": mu_args}, "tau": tau_prior}
                at = [scale * x for x in AT]
                found.append((name, Priors(Prior(mu, mu_args), Prior(family, given), on_variance),
                              {"y": list(map(float, y)), "v": list(map(float, v)), "priors": priors, "at": at}))  # fmt: skip
    return found


@pytest.fixture(scope="module")
def answers(tmp_path_factory) -> list[dict]:
    return run_scripts(SOLVE, [case for *_, case in cases()], tmp_path_factory.mktemp("scripts"))


@pytest.mark.parametrize("name", DATA)
def test_the_page_agrees_with_the_package(name: str, answers):
    seen = 0
    for (data, priors, case), answer in zip(cases(), answers, strict=True):
        if data != name or priors.fixed_tau is not None:
            continue
        seen += 1
        y, v = np.array(case["y"]), np.array(case["v"])
        labels = tuple(map(str, range(len(y))))
        exact = solve_normal(y, v, priors, labels)
        wide = PROBABILITIES[:, None]
        scale = 100.0 if name == "large units" else 1.0
        expected = {
            "tau": exact.scale.take("tau").quantile(wide)[:, 0],
            "mu": exact.effects.take("mu").quantile(wide)[:, 0],
            "fresh": exact.effects.take("theta_new").quantile(wide)[:, 0],
            "theta": exact.effects.take("theta[0]").quantile(wide)[:, 0],
        }
        for term, values in expected.items():
            np.testing.assert_allclose(
                answer[term], values, rtol=TOLERANCE, atol=TOLERANCE * scale, err_msg=f"{name} {priors} {term}"
            )
        at = np.array(case["at"])[:, None]
        cdf = np.stack([
            exact.effects.take("mu").cdf(at)[:, 0], exact.effects.take("theta_new").cdf(at)[:, 0],
            exact.scale.take("tau").cdf(np.abs(at))[:, 0], exact.scale.take("tau").pdf(np.abs(at) + 0.01)[:, 0],
        ], axis=1)  # fmt: skip
        np.testing.assert_allclose(answer["cdf"], cdf, rtol=1e-7, atol=TOLERANCE, err_msg=f"{name} {priors}")
        assert answer["logTotal"] == pytest.approx(exact.log_marginal_likelihood, abs=1e-8)
        assert answer["typical"] == pytest.approx(exact.scale.typical_variance, rel=1e-12)
    assert seen >= 28


@pytest.mark.parametrize("name", DATA)
def test_a_fixed_tau_is_the_closed_form(name: str, answers):
    seen = 0
    for (data, priors, case), answer in zip(cases(), answers, strict=True):
        if data != name or priors.fixed_tau is None:
            continue
        seen += 1
        y, v = np.array(case["y"]), np.array(case["v"]) + priors.fixed_tau**2
        precision, weighted = (1 / v).sum(), (y / v).sum()
        if priors.mu.family == "Normal":
            mean, sd = priors.mu.args
            precision, weighted = precision + sd**-2, weighted + mean * sd**-2
        z = special.ndtri(PROBABILITIES)
        scale = 100.0 if name == "large units" else 1.0
        values = weighted / precision + z / np.sqrt(precision)
        np.testing.assert_allclose(answer["mu"], values, rtol=TOLERANCE, atol=TOLERANCE * scale)
        values = weighted / precision + z * np.sqrt(1 / precision + priors.fixed_tau**2)
        np.testing.assert_allclose(answer["fresh"], values, rtol=TOLERANCE, atol=TOLERANCE * scale)
        assert set(answer["tau"]) == {priors.fixed_tau}
    assert seen >= 4


def test_special_functions(tmp_path):
    z = np.concatenate([np.linspace(-38, 38, 401), [-0.6628, 0.6629, 5.656]])
    p = np.concatenate([10.0 ** -np.arange(1, 300, 7), [0.3, 0.5, 0.7, 0.999]])
    x = np.concatenate([np.linspace(0.05, 40, 200), [200.5]])
    body = "return [given[0].map(BM.ndtr), given[1].map(BM.ndtri), given[2].map(BM.gammaln), given[0].map(BM.logScaledHalfErfc)];"
    ndtr, ndtri, gammaln, half = run_scripts(body, [z.tolist(), p.tolist(), x.tolist()], tmp_path)
    np.testing.assert_allclose(ndtr, special.ndtr(z), rtol=1e-12, atol=1e-300)
    np.testing.assert_allclose(ndtri, special.ndtri(p), rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(gammaln, special.gammaln(x), rtol=1e-12, atol=1e-13)
    expected = np.where(z > -20, np.log(0.5 * special.erfcx(np.maximum(z, -20))), z * z)
    np.testing.assert_allclose(half, expected, rtol=1e-12, atol=1e-12)
