"""log m_i(theta) against integrals by mpmath.

``tests/reference/study_likelihoods.json`` contains the result of ``by_mpmath`` below for every entry of
``reference_entries()``: the integrand is written as the models define it, its mode is found, and mp.quad integrates at 40 digits between
the points where it has fallen by given amounts.
``python tests/engines/arm_level/test_study_likelihood.py`` writes the file anew. A few entries are computed again in every run.
"""

from __future__ import annotations

import json
from functools import cache
from types import SimpleNamespace

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import REFERENCE_FOLDER
from scipy.special import betaln, gammaln, xlogy
from scipy.stats import nct

from bayesmeta.engines.arm_level.study_kernels import log_joints
from bayesmeta.engines.arm_level.study_likelihood import KERNELS, draw_nuisance, kernel_of, log_marginal
from bayesmeta.errors import SpecError
from bayesmeta.model.likelihoods.densities import log_choose
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior

REFERENCE = REFERENCE_FOLDER / "study_likelihoods.json"
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
    "nct": [
        (-1.2, 8.0, 2.5**0.5), (0.4, 2.0, 1.0), (14.0, 3.0, 1.2**0.5), (0.0, 75.0, 4.4), (-4.1, 40998.0, 101.2),
        (300.0, 199998.0, 5e4**0.5),
    ],
}  # fmt: skip
BASELINES = [
    "Normal(0, 10)", "Normal(-2, 1)", "StudentT(4, -1, 2)", "Cauchy(0, 2.5)", "Logistic(0, 1)", "Beta(1, 1)", "Beta(0.5, 0.5)",
]  # fmt: skip
#: wide integrands whose edges are far from the mode: rules that resolve the bulk may miss them
FAR_EDGES = [
    ("binomial", "OR", (5, 5, 0, 5), 110.0, "Normal(0, 10)"), ("binomial", "OR", (0, 100, 0, 1000), 12.6, "Normal(0, 10)"),
    ("binomial", "OR", (2, 2, 0, 5), 60.0, "Cauchy(0, 2.5)"), ("binomial", "OR", (1, 1, 0, 100), 113.4, "Normal(0, 10)"),
    ("binomial", "RR", (1, 2, 1000, 1000), -0.003, "Normal(0, 100)"), ("binomial", "RR", (0, 20, 0, 200000), 1.0, "Normal(0, 100)"),
    ("poisson", "IRR", (0, 1000.0, 0, 200000.0), 3.17, "Normal(0, 10)"),
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
    return log_marginal(kernel_of(likelihood, measure), columns_of(likelihood, study, len(theta)), theta, baseline)


def _softplus_mp(x):
    return x + mpmath.log1p(mpmath.exp(-x)) if x > 0 else mpmath.log1p(mpmath.exp(x))


IN_DOUBLE = SimpleNamespace(
    exp=np.exp, log1p=np.log1p, expm1=np.expm1, log=np.log, softplus=lambda x: np.logaddexp(0.0, x), gammaln=gammaln,
    betaln=betaln, pi=np.pi,
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
    """Log of the density of data and nuisance parameter as the models define it, without factors that depend on the data alone."""
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
        mpmath.loggamma(n + 1) - mpmath.loggamma(r + 1) - mpmath.loggamma(n - r + 1)
        for r, n in ((r_e, n_e), (r_c, n_c))
    )


def by_mpmath(
    likelihood: str, measure: str, study: tuple[float, ...], theta: float, baseline: str = "Normal(0, 10)"
) -> float:
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
    # a tail of 1 / x^2 has mass far out: it is integrated to 1e18 and farther
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


def reference_entries() -> list[tuple]:
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
    return out + FAR_EDGES


@cache
def reference() -> dict[tuple, float]:
    entries = json.loads(REFERENCE.read_text())["log_m"]
    return {(lik, measure, tuple(study), theta, prior): value for lik, measure, study, theta, prior, value in entries}


def allowed(study: tuple[float, ...], theta, log_m) -> np.ndarray:
    """1e-11 relative to max(1, |log m|), plus the rounding of terms of the size of the counts times their logits."""
    size = sum(map(abs, study)) * (1 + np.abs(theta))
    return 1e-11 * np.maximum(1.0, np.abs(log_m)) + 2e-15 * size


EVERYTHING = [(*key, study) for key in KERNELS for study in STUDIES[key[0]]]


@pytest.mark.parametrize(("likelihood", "measure", "study"), EVERYTHING, ids=str)
def test_against_mpmath(likelihood: str, measure: str, study: tuple[float, ...]) -> None:
    known = np.array([reference()[likelihood, measure, study, theta, "Normal(0, 10)"] for theta in THETAS])
    gap = np.abs(engine(likelihood, measure, study, THETAS) - known)
    assert (gap <= allowed(study, np.array(THETAS), known)).all(), gap


@pytest.mark.parametrize("baseline", BASELINES[1:])
@pytest.mark.parametrize(("likelihood", "measure"), [key for key in KERNELS if key[0] != "nct"])
@pytest.mark.parametrize("study", [(0, 38, 0, 39), (10, 10, 5, 10)], ids=str)
def test_other_baseline_priors_against_mpmath(likelihood, measure, study, baseline) -> None:
    if likelihood == "poisson" and baseline.startswith("Beta"):
        return
    known = np.array([reference()[likelihood, measure, study, theta, baseline] for theta in (-2.0, 0.7)])
    gap = np.abs(engine(likelihood, measure, study, [-2.0, 0.7], parse_prior(baseline)) - known)
    assert (gap <= allowed(study, np.array([-2.0, 0.7]), known)).all(), gap


@pytest.mark.parametrize("entry", FAR_EDGES, ids=str)
def test_edges_far_from_the_mode_against_mpmath(entry) -> None:
    likelihood, measure, study, theta, baseline = entry
    gap = abs(engine(likelihood, measure, study, theta, parse_prior(baseline))[0] - reference()[entry])
    assert gap <= allowed(study, theta, reference()[entry]), gap


def test_the_reference_file_is_complete_and_reproduced_by_mpmath() -> None:
    assert list(reference()) == reference_entries()
    again = [
        ("binomial", "RR", (0, 5, 3, 5), 0.4, "Normal(0, 10)"),
        ("binomial", "OR", (10, 10, 5, 10), -2.0, "Beta(0.5, 0.5)"),
        ("poisson", "IRR", (120, 200000.0, 90, 190000.5), 3.0, "Normal(0, 10)"),
        ("nct", "SMD", (14.0, 3.0, 1.2**0.5), -20.0, "Normal(0, 10)"),
    ]
    for key in again:
        assert by_mpmath(*key) == pytest.approx(reference()[key], rel=1e-15), key


@pytest.mark.parametrize("study", STUDIES["nct"][:5], ids=str)
def test_the_noncentral_t_density_is_scipys(study: tuple[float, float, float]) -> None:
    t, df, root_n = study
    theta = t / root_n + np.linspace(-2.0, 2.0, 9) / root_n
    known = nct.logpdf(t, df, theta * root_n)
    np.testing.assert_allclose(engine("nct", "SMD", study, theta), known, rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("measure", ["RR", "OR"])
@pytest.mark.parametrize(("a", "b"), [(1.0, 1.0), (0.5, 0.5), (2.0, 7.0)])
@pytest.mark.parametrize("study", [(8, 48, 16, 49), (0, 38, 0, 39), (5, 5, 5, 5), (62, 13598, 248, 12867)], ids=str)
def test_with_one_risk_for_both_arms_it_is_the_beta_binomial(measure, a, b, study) -> None:
    r_e, n_e, r_c, n_c = study
    known = (
        betaln(a + r_e + r_c, b + n_e + n_c - r_e - r_c) - betaln(a, b) + log_choose(n_e, r_e) + log_choose(n_c, r_c)
    )
    got = engine("binomial", measure, study, 0.0, Prior("Beta", (a, b)))[0]
    assert got == pytest.approx(float(known), abs=1e-11 * sum(study))


@settings(max_examples=30)
@given(
    st.integers(0, 60), st.integers(1, 90), st.floats(0.0, 15.0), st.sampled_from([(1.0, 1.0), (0.5, 0.5), (3.0, 2.0)])
)
def test_where_all_have_the_event_in_the_arm_of_lower_risk_the_risk_ratio_is_closed(r, n, theta, shape) -> None:
    # (1 - p exp(-theta)) to the power of no one: a Beta integral at any theta
    a, b = shape
    r, n_c = min(r, n), 7
    known = betaln(a + r + n_c, b + n - r) - betaln(a, b) - n_c * theta + log_choose(n, r)
    got = engine("binomial", "RR", (r, n, n_c, n_c), theta, Prior("Beta", shape))[0]
    assert got == pytest.approx(float(known), rel=1e-11, abs=1e-10)


binomial_arms = st.tuples(st.integers(0, 300), st.integers(1, 300)).map(lambda arm: (min(arm), max(arm)))
thetas = st.floats(-12.0, 12.0)


@settings(max_examples=40)
@given(binomial_arms, binomial_arms, thetas, st.sampled_from(["RR", "OR"]))
def test_swapping_the_arms_flips_the_sign(e, c, theta, measure) -> None:
    one = engine("binomial", measure, (*e, *c), theta)
    assert one == pytest.approx(engine("binomial", measure, (*c, *e), -theta), rel=1e-11, abs=1e-11)


@settings(max_examples=40)
@given(binomial_arms, binomial_arms, thetas)
def test_odds_ratios_of_events_and_of_their_absence_are_mirrored(e, c, theta) -> None:
    (r_e, n_e), (r_c, n_c) = e, c
    absent = (n_e - r_e, n_e, n_c - r_c, n_c)
    one = engine("binomial", "OR", (*e, *c), theta)
    assert one == pytest.approx(engine("binomial", "OR", absent, -theta), rel=1e-11, abs=1e-11)


@settings(max_examples=40)
@given(st.integers(1, 2000), thetas, st.sampled_from(["RR", "OR"]))
def test_two_equal_arms_without_events_do_not_prefer_a_sign(n, theta, measure) -> None:
    one = engine("binomial", measure, (0, n, 0, n), theta)
    assert one == pytest.approx(engine("binomial", measure, (0, n, 0, n), -theta), rel=1e-12, abs=1e-12)


@settings(max_examples=40)
@given(st.integers(0, 300), st.floats(0.5, 1e4), st.integers(0, 300), st.floats(0.5, 1e4), thetas, st.floats(1e-3, 1e3))
def test_rates_another_unit_of_time_shifts_the_baseline_only(r_e, t_e, r_c, t_c, theta, c) -> None:
    one = engine("poisson", "IRR", (r_e, t_e, r_c, t_c), theta, Prior("Normal", (0.3, 3.0)))
    scaled = engine("poisson", "IRR", (r_e, c * t_e, r_c, c * t_c), theta, Prior("Normal", (0.3 - np.log(c), 3.0)))
    assert one == pytest.approx(scaled, rel=1e-11, abs=1e-11 * (1 + r_e + r_c))
    swapped = engine("poisson", "IRR", (r_c, t_c, r_e, t_e), -theta, Prior("Normal", (0.3, 3.0)))
    assert one == pytest.approx(swapped, rel=1e-11, abs=1e-11 * (1 + r_e + r_c))


@settings(max_examples=40)
@given(st.floats(-30.0, 30.0), st.integers(2, 5000), thetas)
def test_a_difference_of_the_other_sign(t, df, theta) -> None:
    one = engine("nct", "SMD", (t, float(df), 2.0), theta)
    assert one == pytest.approx(engine("nct", "SMD", (-t, float(df), 2.0), -theta), rel=1e-11, abs=1e-11)


@pytest.mark.parametrize(("likelihood", "measure"), list(KERNELS))
def test_many_at_once_give_the_same_as_one_at_a_time(likelihood: str, measure: str) -> None:
    studies = STUDIES[likelihood]
    columns = [columns_of(likelihood, study) for study in studies]
    together = {name: np.concatenate([one[name] for one in columns]) for name in columns[0]}
    theta = np.linspace(-2.0, 1.5, len(studies))
    at_once = log_marginal(kernel_of(likelihood, measure), together, theta)
    alone = [engine(likelihood, measure, study, t)[0] for study, t in zip(studies, theta, strict=True)]
    np.testing.assert_allclose(at_once, alone, rtol=1e-13)


def test_only_the_risk_ratio_has_a_corner() -> None:
    assert [measure for (_, measure), kernel in KERNELS.items() if kernel.corner] == ["RR"]
    for (likelihood, measure), kernel in KERNELS.items():
        study = (8, 48, 16, 49) if likelihood != "nct" else (-1.2, 8.0, 1.5)
        below, at, above = engine(likelihood, measure, study, [-1e-5, 0.0, 1e-5])
        assert (abs(above - 2 * at + below) > 1e-7) == kernel.corner, measure


def test_there_is_no_kernel_for_a_mean_difference() -> None:
    with pytest.raises(SpecError, match="nct for SMD"):
        kernel_of("normal", "MD")


@pytest.mark.parametrize(
    ("likelihood", "measure", "study", "theta", "baseline"),
    [
        ("binomial", "RR", (8, 48, 16, 49), 0.5, "Normal(0, 10)"),
        ("binomial", "RR", (5, 5, 5, 5), -1.0, "Beta(0.5, 0.5)"),
        ("binomial", "OR", (0, 38, 0, 39), 0.7, "Normal(0, 10)"),
        ("binomial", "OR", (0, 38, 0, 39), 0.7, "StudentT(4, -1, 2)"),
        ("binomial", "OR", (0, 38, 0, 39), 0.7, "Cauchy(0, 2.5)"),
        ("binomial", "OR", (505, 88391, 499, 88391), 0.1, "Logistic(0, 1)"),
        ("poisson", "IRR", (0, 30.0, 6, 30.0), -2.0, "Normal(0, 10)"),
        ("poisson", "IRR", (0, 30.0, 0, 30.0), 4.0, "Cauchy(0, 2.5)"),
    ],
)
def test_draws_of_the_baseline_have_its_distribution(likelihood, measure, study, theta, baseline) -> None:
    kernel, prior, size = kernel_of(likelihood, measure), parse_prior(baseline), 3000
    columns, effects = columns_of(likelihood, study, size), np.full(size, theta)
    drawn = draw_nuisance(kernel, columns, effects, prior, np.random.default_rng(8))
    # the distribution function on a grid that is even in arcsinh, so that it covers heavy tails too
    centre = float(np.median(drawn))
    v = np.linspace(-32.0, 32.0, 64_001)
    x = centre + np.sinh(v)
    density = log_joints(kernel.code, kernel.data_rows(columns)[:1], kernel.prior_row(prior), effects[:1], x[None])[0]
    density = np.exp(density - density.max()) * np.cosh(v)
    cdf = np.cumsum(density) - 0.5 * density
    u = np.interp(np.arcsinh(drawn - centre), v, cdf / density.sum())
    assert u.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * size))
    assert u.var() == pytest.approx(1 / 12, abs=4 / np.sqrt(180 * size))
    assert (np.histogram(u, bins=10, range=(0, 1))[0] > 0.75 * size / 10).all()


if __name__ == "__main__":
    entries = [json.dumps([*key, by_mpmath(*key)]) for key in reference_entries()]
    columns = json.dumps(["likelihood", "measure", "study", "theta", "baseline", "log m (natural log)"])
    source = json.dumps("by_mpmath in tests/engines/arm_level/test_study_likelihood.py: mp.quad at 40 digits")
    REFERENCE.write_text(
        '{"source": ' + source + ', "columns": ' + columns + ', "log_m": [\n' + ",\n".join(entries) + "\n]}\n"
    )
