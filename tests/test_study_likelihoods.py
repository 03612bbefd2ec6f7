"""log m_i(theta) against integrals by mpmath.

``tests/reference/study_likelihoods.json`` holds what ``by_mpmath`` below gives for every entry of ``wanted()``: the integrand is written
as the models define it, its mode is found, and mp.quad integrates at 40 digits between the points where it has fallen by given amounts.
``python tests/test_study_likelihoods.py`` writes the file anew. A few entries are computed again in every run.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import betaln, gammaln, xlogy
from scipy.stats import nct

from bayesmeta.distributions import Prior
from bayesmeta.errors import SpecError
from bayesmeta.likelihood_densities import log_choose
from bayesmeta.priors import baseline_log_density, parse_prior
from bayesmeta.study_likelihoods import KERNELS, draw_nuisance, kernel_of, log_marginal

REFERENCE = Path(__file__).parent / "reference" / "study_likelihoods.json"
THETAS = (-20.0, -3.0, -1e-3, 0.0, 1e-3, 0.4, 3.0, 20.0)
NAMES = {
    "binomial": ("events_e", "n_e", "events_c", "n_c"),
    "poisson": ("events_e", "time_e", "events_c", "time_c"),
    "nct": ("t", "df", "root_n"),
}
STUDIES = {
    "binomial": [
        (8, 48, 16, 49), (0, 5, 3, 5), (5, 5, 5, 5), (10, 10, 5, 10), (0, 38, 0, 39), (505, 88391, 499, 88391), (62, 13598, 248, 12867),
        (0, 200000, 7, 190000), (199990, 200000, 200000, 200000),
    ],
    "poisson": [
        (8, 480.0, 16, 490.0), (0, 30.0, 6, 30.0), (0, 50.0, 0, 40.0), (120, 200000.0, 90, 190000.5), (3, 0.5, 1, 2.0),
        (5000, 1e5, 5200, 1e5),
    ],
    "nct": [(-1.2, 8.0, 2.5**0.5), (0.4, 2.0, 1.0), (14.0, 3.0, 1.2**0.5), (0.0, 75.0, 4.4), (-4.1, 40998.0, 101.2), (300.0, 199998.0, 5e4**0.5)],
}  # fmt: skip
BASELINES = [
    "Normal(0, 10)", "Normal(-2, 1)", "StudentT(4, -1, 2)", "Cauchy(0, 2.5)", "Logistic(0, 1)", "Beta(1, 1)", "Beta(0.5, 0.5)",
]  # fmt: skip


def columns_of(likelihood: str, study: tuple[float, ...], size: int = 1) -> dict[str, np.ndarray]:
    values = dict(zip(NAMES[likelihood], map(float, study), strict=True))
    if likelihood == "binomial":
        values["log_coefficient"] = sum(float(log_choose(values[f"n_{a}"], values[f"events_{a}"])) for a in "ec")
    if likelihood == "poisson":
        values["log_coefficient"] = sum(
            float(xlogy(values[f"events_{a}"], values[f"time_{a}"]) - gammaln(values[f"events_{a}"] + 1)) for a in "ec"
        )
    return {name: np.full(size, value) for name, value in values.items()}


def engine(likelihood: str, measure: str, study: tuple[float, ...], theta, baseline: Prior | None = None) -> np.ndarray:
    theta = np.atleast_1d(np.asarray(theta, dtype=float))
    return log_marginal(
        kernel_of(likelihood, measure), columns_of(likelihood, study, len(theta)), theta, baseline
    )


def _softplus_mp(x):
    return x + mpmath.log1p(mpmath.exp(-x)) if x > 0 else mpmath.log1p(mpmath.exp(x))


IN_DOUBLE = SimpleNamespace(
    exp=np.exp, log1p=np.log1p, expm1=np.expm1, log=np.log, softplus=lambda x: np.logaddexp(0.0, x), gammaln=gammaln, betaln=betaln, pi=np.pi,
)  # fmt: skip
BY_MPMATH = SimpleNamespace(
    exp=mpmath.exp, log1p=mpmath.log1p, expm1=mpmath.expm1, log=mpmath.log, softplus=_softplus_mp, gammaln=mpmath.loggamma,
    betaln=lambda a, b: mpmath.log(mpmath.beta(a, b)), pi=+mpmath.mp.pi,
)  # fmt: skip


def _prior(m, text: str, x):
    """Log density of the baseline, from the definitions of the distributions."""
    prior = parse_prior(text)
    args = prior.args
    if prior.family == "Beta":
        a, b = args
        return -a * m.softplus(-x) - b * m.softplus(x) - m.betaln(a, b)
    df, loc, scale = {
        "StudentT": args, "Cauchy": (1.0, *args), "Normal": (0.0, *args), "Logistic": (0.0, *args)
    }[prior.family]  # fmt: skip
    z = (x - loc) / scale
    if prior.family == "Normal":
        return -z * z / 2 - m.log(2 * m.pi) / 2 - m.log(scale)
    if prior.family == "Logistic":
        return -m.softplus(z) - m.softplus(-z) - m.log(scale)
    norm = m.gammaln((df + 1) / 2) - m.gammaln(df / 2) - m.log(df * m.pi) / 2 - m.log(scale)
    return norm - (df + 1) / 2 * m.log1p(z * z / df)


def _log_integrand(m, likelihood: str, measure: str, study, theta, x):
    """Log of the density of data and nuisance parameter as the models define it, without what depends on the data alone."""
    if likelihood == "nct":
        t, df, root_n = study
        w = m.exp(x)  # V / df = w^2 with V chi-squared, T = (Z + delta) / w
        v = df * w * w
        chi = (df / 2 - 1) * m.log(v) - v / 2 - df / 2 * m.log(2.0) - m.gammaln(df / 2)
        return chi + m.log(2 * v) + x - m.log(2 * m.pi) / 2 - (t * w - theta * root_n) ** 2 / 2
    if measure == "RR":
        gap = abs(theta)
        r_l, n_l, r_s, n_s = study if theta > 0 else (*study[2:], *study[:2])
        log_p = -m.softplus(-x)
        not_small = -m.softplus(x) if gap == 0 else m.log(-m.expm1(log_p - gap))
        return r_l * log_p - (n_l - r_l) * m.softplus(x) + r_s * (log_p - gap) + (n_s - r_s) * not_small
    r_e, n_e, r_c, n_c = study
    up, down = x + theta / 2, x - theta / 2
    if measure == "OR":
        return -sum(r * m.softplus(-a) + (n - r) * m.softplus(a) for r, n, a in ((r_e, n_e, up), (r_c, n_c, down)))
    return r_e * up - n_e * m.exp(up) + r_c * down - n_c * m.exp(down)


def _constant(likelihood: str, study):
    if likelihood == "nct":
        return mpmath.mpf(0)
    r_e, n_e, r_c, n_c = map(mpmath.mpf, study)
    if likelihood == "poisson":
        return sum((r * mpmath.log(t) if r else 0) - mpmath.loggamma(r + 1) for r, t in ((r_e, n_e), (r_c, n_c)))
    return sum(
        mpmath.loggamma(n + 1) - mpmath.loggamma(r + 1) - mpmath.loggamma(n - r + 1) for r, n in ((r_e, n_e), (r_c, n_c))
    )


def by_mpmath(likelihood: str, measure: str, study: tuple[float, ...], theta: float, baseline: str = "Normal(0, 10)") -> float:
    """log m_i(theta) by mp.quad, whose own error estimate must be below 1e-18 of it."""

    def log_f(x: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore"):
            value = _log_integrand(IN_DOUBLE, likelihood, measure, study, theta, x)
            return value if likelihood == "nct" else value + _prior(IN_DOUBLE, baseline, x)

    low, high = -150.0, 150.0
    for _ in range(12):
        grid = np.linspace(low, high, 2001)
        with np.errstate(all="ignore"):
            best = int(np.nanargmax(log_f(grid)))
        low, high = grid[max(best - 3, 0)], grid[min(best + 3, 2000)]
        if high - low < 1e-7:
            break
    mode = float(grid[best])
    peak = float(log_f(np.array([mode]))[0])
    heavy = baseline.startswith(("Student", "Cauchy"))
    # a tail of 1 / x^2 holds what it holds: it is followed to 1e18 and farther
    falls = [0.5, 2.0, 4.5, 8.0, 12.5, 18.0, 24.5, 32.0, 40.5, 50.0, *(np.arange(53.0, 98.0, 3.0) if heavy else ())]
    points = {mode}
    for side in (-1.0, 1.0):
        for fall in falls:
            near, far = 0.0, 1e-6
            while peak - log_f(np.array([mode + side * far]))[0] < fall:
                near, far = far, 2 * far
            for _ in range(30):
                middle = 0.5 * (near + far)
                inside = peak - log_f(np.array([mode + side * middle]))[0] < fall
                near, far = (middle, far) if inside else (near, middle)
            points.add(mode + side * far)
    with mpmath.workdps(40):
        study_mp, theta_mp = tuple(map(mpmath.mpf, study)), mpmath.mpf(theta)

        def f(x):
            value = _log_integrand(BY_MPMATH, likelihood, measure, study_mp, theta_mp, x) - peak
            return mpmath.exp(value if likelihood == "nct" else value + _prior(BY_MPMATH, baseline, x))

        total, error = mpmath.quad(f, sorted(points), error=True, method="gauss-legendre", maxdegree=8)
        assert error < 1e-18 * total
        return float(mpmath.log(total) + peak + _constant(likelihood, study_mp))


def wanted() -> list[tuple]:
    """Arguments of ``by_mpmath`` for every entry of the reference file."""
    out = [
        (likelihood, measure, study, theta, "Normal(0, 10)")
        for likelihood, measure in KERNELS
        for study in STUDIES[likelihood]
        for theta in THETAS
    ]
    for likelihood, measure in KERNELS:
        if likelihood == "nct":
            continue
        for study in [(0, 38, 0, 39), (10, 10, 5, 10)]:
            for prior in BASELINES[1:]:
                if not (likelihood == "poisson" and prior.startswith("Beta")):
                    out += [(likelihood, measure, study, theta, prior) for theta in (-2.0, 0.7)]
    return out


@cache
def reference() -> dict[tuple, float]:
    entries = json.loads(REFERENCE.read_text())["log_m"]
    return {(lik, measure, tuple(study), theta, prior): value for lik, measure, study, theta, prior, value in entries}


def allowed(likelihood: str, study: tuple[float, ...], theta, log_m) -> np.ndarray:
    """1e-11 relative to max(1, |log m|), beside the rounding of terms of the size of the counts times their logits."""
    size = sum(map(abs, study)) * (1 + np.abs(theta))
    return 1e-11 * np.maximum(1.0, np.abs(log_m)) + 2e-15 * size


EVERYTHING = [(*key, study) for key in KERNELS for study in STUDIES[key[0]]]


@pytest.mark.parametrize(("likelihood", "measure", "study"), EVERYTHING, ids=str)
def test_against_mpmath(likelihood: str, measure: str, study: tuple[float, ...]) -> None:
    known = np.array([reference()[likelihood, measure, study, theta, "Normal(0, 10)"] for theta in THETAS])
    gap = np.abs(engine(likelihood, measure, study, THETAS) - known)
    assert (gap <= allowed(likelihood, study, np.array(THETAS), known)).all(), gap


@pytest.mark.parametrize("baseline", BASELINES[1:])
@pytest.mark.parametrize(("likelihood", "measure"), [key for key in KERNELS if key[0] != "nct"])
@pytest.mark.parametrize("study", [(0, 38, 0, 39), (10, 10, 5, 10)], ids=str)
def test_other_baseline_priors_against_mpmath(likelihood, measure, study, baseline) -> None:
    if likelihood == "poisson" and baseline.startswith("Beta"):
        return
    known = np.array([reference()[likelihood, measure, study, theta, baseline] for theta in (-2.0, 0.7)])
    gap = np.abs(engine(likelihood, measure, study, [-2.0, 0.7], parse_prior(baseline)) - known)
    assert (gap <= allowed(likelihood, study, np.array([-2.0, 0.7]), known)).all(), gap


def test_the_reference_file_is_what_mpmath_gives() -> None:
    assert list(reference()) == wanted()
    again = [
        ("binomial", "RR", (0, 5, 3, 5), 0.4, "Normal(0, 10)"),
        ("binomial", "OR", (10, 10, 5, 10), -2.0, "Beta(0.5, 0.5)"),
        ("poisson", "IRR", (120, 200000.0, 90, 190000.5), 3.0, "Normal(0, 10)"),
        ("nct", "SMD", (14.0, 3.0, 1.2**0.5), -20.0, "Normal(0, 10)"),
    ]
    for key in again:
        assert by_mpmath(*key) == pytest.approx(reference()[key], rel=1e-15), key


if __name__ == "__main__":
    entries = [json.dumps([*key, by_mpmath(*key)]) for key in wanted()]
    columns = json.dumps(["likelihood", "measure", "study", "theta", "baseline", "log m (natural log)"])
    source = json.dumps("by_mpmath in tests/test_study_likelihoods.py: mp.quad at 40 digits")
    REFERENCE.write_text(
        '{"source": ' + source + ', "columns": ' + columns + ', "log_m": [\n' + ",\n".join(entries) + "\n]}\n"
    )
