"""Each study's own marginal likelihood m_i(theta): its arm-level likelihood with the nuisance parameter integrated out.

One integral for each value of theta. The integrand has one mode in the nuisance parameter x; it is found by damped Newton steps, and
x = mode + 4 sd sinh(v) is integrated by the trapezoidal rule in v, which converges exponentially (Trefethen and Weideman 2014, SIAM
Review 56:385). The compiled loops are in ``study_kernels``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bayesmeta.engines.arm_level import codes
from bayesmeta.engines.numerics.inversion import invert_panels
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.errors import ConvergenceError, unknown_name
from bayesmeta.model.priors.baseline import DEFAULT_BASELINE, baseline_log_density
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.support.arrays import Array

Columns = Mapping[str, Array]
LOG_2PI = float(np.log(2 * np.pi))
#: Gauss-Legendre nodes on each side of the mode, for draws of the nuisance parameter
DRAW_NODES = 40


@dataclass(frozen=True)
class Kernel:
    """The joint density of a study's data and its nuisance parameter x.

    Parameters
    ----------
    code : int
        Number of the density in ``codes``.
    columns : tuple of str
        Names of the data columns, in the order the compiled loops take them.
    constant : callable
        ``constant(columns)``: natural log of the factor that depends on neither theta nor x, shape (k,).
    start : callable
        ``start(columns)``: approximate location and width of m_i along theta (model scale), each of shape (k,) and finite for any data.
    bends : callable
        ``bends(columns, theta)``: values of x within about a unit of which an arm's likelihood bends (NaN: nowhere), shape (m, bends);
        they are far from the mode where the baseline prior is wide.
    corner : bool
        Whether m_i has a corner at theta = 0.
    baseline : bool
        Whether x is a baseline with a prior of its own (otherwise the density of x is part of the density of the data).
    """

    code: int
    columns: tuple[str, ...]
    constant: Callable[[Columns], Array]
    start: Callable[[Columns], tuple[Array, Array]]
    bends: Callable[[Columns, Array], Array]
    corner: bool = False
    baseline: bool = True

    def data_rows(self, columns: Columns) -> Array:
        """Return the data as the compiled loops take them, shape (m, number of columns)."""
        return np.stack([columns[name] for name in self.columns], axis=1).astype(float)

    def prior_row(self, baseline: Prior | None) -> Array:
        """Return the prior for the baseline (None: the default) as the loops take it: family, three parameters, constant; shape (5,)."""
        from bayesmeta.engines.arm_level.study_kernels import log_priors

        if not self.baseline:
            return np.zeros(5)
        prior = DEFAULT_BASELINE if baseline is None else baseline
        args = (1.0, *prior.args) if prior.family == "Cauchy" else prior.args
        out = np.zeros(5)
        out[0], out[1 : 1 + len(args)] = FAMILY_CODES[prior.family], args
        # the constant is the difference to the normalized density, the same at every value
        at = np.array([0.0 if prior.family == "Beta" else float(prior.quantile(0.5))])
        out[4] = float(baseline_log_density(prior, at)[0] - log_priors(out, at)[0])
        return out


def _log_coefficient(columns: Columns) -> Array:
    return columns["log_coefficient"]


def _constant_t(columns: Columns) -> Array:
    # V = df w^2: the chi-squared density of V with dV = 2 V dlog w
    df = columns["df"]
    return -0.5 * LOG_2PI + np.log(2.0) + 0.5 * df * np.log(0.5 * df) - gammaln(0.5 * df)


def _arms(columns: Columns) -> Iterator[tuple[Array, Array]]:
    """Numbers with and without the event in each arm, each plus 1/2."""
    events = (columns["events_e"], columns["events_c"])
    return ((r + 0.5, n - r + 0.5) for r, n in zip(events, (columns["n_e"], columns["n_c"]), strict=True))


def _start_risk_ratio(columns: Columns) -> tuple[Array, Array]:
    (a, b), (c, d) = _arms(columns)
    return np.log(a / (a + b)) - np.log(c / (c + d)), np.sqrt(b / (a * (a + b)) + d / (c * (c + d)))


def _bends_risk_ratio(columns: Columns, theta: Array) -> Array:
    (a, b), (c, d) = _arms(columns)
    larger = np.where(theta > 0, np.log(a / b), np.log(c / d))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        # the larger risk at which the smaller one is that of its own arm
        p = np.where(theta > 0, c / (c + d), a / (a + b)) * np.exp(np.abs(theta))
        return np.stack([larger, np.log(p / (1 - p)), np.zeros_like(theta)], axis=1)


def _start_odds_ratio(columns: Columns) -> tuple[Array, Array]:
    (a, b), (c, d) = _arms(columns)
    return np.log(a / b) - np.log(c / d), np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)


def _bends_odds_ratio(columns: Columns, theta: Array) -> Array:
    (a, b), (c, d) = _arms(columns)
    return np.stack([np.log(a / b) - 0.5 * theta, np.log(c / d) + 0.5 * theta], axis=1)


def _start_rate_ratio(columns: Columns) -> tuple[Array, Array]:
    a, c = columns["events_e"] + 0.5, columns["events_c"] + 0.5
    return np.log(a / columns["time_e"]) - np.log(c / columns["time_c"]), np.sqrt(1 / a + 1 / c)


def _bends_rate_ratio(columns: Columns, theta: Array) -> Array:
    log_e, log_c = (np.log((columns[f"events_{arm}"] + 0.5) / columns[f"time_{arm}"]) for arm in ("e", "c"))
    return np.stack([log_e - 0.5 * theta, log_c + 0.5 * theta], axis=1)


def _start_t(columns: Columns) -> tuple[Array, Array]:
    d = columns["t"] / columns["root_n"]
    return d, np.sqrt(1 / columns["root_n"] ** 2 + 0.5 * d**2 / columns["df"])


def _no_bends(_: Columns, theta: Array) -> Array:
    return np.empty((len(theta), 0))


#: numbers of the families of a baseline's prior in the compiled loops; a Cauchy prior is Student's t with one degree of freedom
FAMILY_CODES = {
    "Normal": codes.NORMAL, "StudentT": codes.STUDENT_T, "Cauchy": codes.STUDENT_T, "Logistic": codes.LOGISTIC, "Beta": codes.BETA,
}  # fmt: skip
_EVENTS, _RATES = ("events_e", "n_e", "events_c", "n_c"), ("events_e", "time_e", "events_c", "time_c")
#: kernels by likelihood and effect measure
KERNELS: dict[tuple[str, str], Kernel] = {
    ("binomial", "RR"): Kernel(
        codes.RISK_RATIO, _EVENTS, _log_coefficient, _start_risk_ratio, _bends_risk_ratio, corner=True
    ),
    ("binomial", "OR"): Kernel(codes.ODDS_RATIO, _EVENTS, _log_coefficient, _start_odds_ratio, _bends_odds_ratio),
    ("poisson", "IRR"): Kernel(codes.RATE_RATIO, _RATES, _log_coefficient, _start_rate_ratio, _bends_rate_ratio),
    ("nct", "SMD"): Kernel(codes.T_STATISTIC, ("t", "df", "root_n"), _constant_t, _start_t, _no_bends, baseline=False),
}


def kernel_of(likelihood: str, measure: str) -> Kernel:
    """Return the kernel of a likelihood for an effect measure.

    Raises
    ------
    SpecError
        If there is none.
    """
    if (likelihood, measure) not in KERNELS:
        raise unknown_name("arm-level likelihood", f"{likelihood} for {measure}", [f"{a} for {b}" for a, b in KERNELS])
    return KERNELS[likelihood, measure]


def log_marginal(kernel: Kernel, columns: Columns, theta: Array, baseline: Prior | None = None) -> Array:
    """Return log m_i(theta) for many studies and effects at once, natural log.

    Nodes are doubled until the rules on every second and every fourth node agree. The rules converge faster than geometrically, so that the
    relative error of m_i is then below 1e-11, plus the rounding of log-likelihoods of the size of the counts (2e-16 times their size);
    below 2e-10 under baseline priors far wider than the default, whose edges lie far from the mode.

    Parameters
    ----------
    kernel : Kernel
        Kernel of the likelihood, from ``kernel_of``.
    columns : mapping of str to numpy.ndarray, shape (m,)
        Data of the study, one entry per value wanted.
    theta : numpy.ndarray, shape (m,)
        Effects, model scale.
    baseline : Prior, optional
        Prior for the baseline; default ``DEFAULT_BASELINE``.

    Returns
    -------
    numpy.ndarray, shape (m,)

    Raises
    ------
    ConvergenceError
        If an integral is not resolved.
    """
    from bayesmeta.engines.arm_level.study_kernels import log_integrals

    theta = np.array(theta)
    rows, prior, bends = kernel.data_rows(columns), kernel.prior_row(baseline), kernel.bends(columns, theta)
    out = log_integrals(kernel.code, rows, prior, theta, bends)
    if np.isnan(out).any():
        raise ConvergenceError(
            "the likelihood of a study could not be integrated over its baseline; check its data for extreme values"
        )
    return out + kernel.constant(columns)


def draw_nuisance(
    kernel: Kernel, columns: Columns, theta: Array, baseline: Prior | None, rng: np.random.Generator
) -> Array:
    """Draw the nuisance parameter x given each effect and its study's data, shape (m,); arguments as in ``log_marginal``."""
    from bayesmeta.engines.arm_level.study_kernels import log_joints, spans

    code, rows, prior = kernel.code, kernel.data_rows(columns), kernel.prior_row(baseline)
    theta = np.ascontiguousarray(theta)
    mode, stretch, ends = spans(code, rows, prior, theta)
    # nodes in v as in ``log_marginal``: with heavy tails the bulk would fall between nodes laid evenly in x
    edges = np.insert(ends, 1, 0.0, axis=1)
    unit = legendre_rule(DRAW_NODES)[0]
    v = (edges[:, :-1, None] + 0.5 * np.diff(edges, axis=1)[:, :, None] * (unit + 1)).reshape(len(theta), -1)
    value = log_joints(code, rows, prior, theta, mode[:, None] + stretch[:, None] * np.sinh(v)) + np.log(np.cosh(v))
    v = invert_panels(edges, value.reshape(len(theta), 2, -1), rng.uniform(size=len(theta)))
    return mode + stretch * np.sinh(v)
