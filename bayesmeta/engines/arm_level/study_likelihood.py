"""Each study's own marginal likelihood m_i(theta): its arm-level likelihood with the nuisance parameter integrated out.

One integral for each value of theta. The integrand has one mode in the nuisance parameter x; it is found by damped Newton steps, and
x = mode + 4 sd sinh(v) is integrated by the trapezoidal rule in v, which converges exponentially (Trefethen and Weideman 2014, SIAM
Review 56:385). The loops are in ``study_kernels``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bayesmeta.engines.numerics.inversion import invert_panels
from bayesmeta.engines.numerics.legendre import legendre_rule
from bayesmeta.errors import ConvergenceError, unknown_name
from bayesmeta.model.priors.baseline import DEFAULT_BASELINE, baseline_log_density
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.support.arrays import Array

Columns = Mapping[str, Array]
LOG_2PI = float(np.log(2 * np.pi))
#: Gauss-Legendre nodes on either side of the mode, for draws
NUISANCE = 40


@dataclass(frozen=True)
class Kernel:
    """The joint density of a study's data and its nuisance parameter x.

    Parameters
    ----------
    density : str
        Its name in ``study_kernels``.
    columns : tuple of str
        The data it needs, in its order.
    constant : callable
        ``constant(columns)``: natural log of what depends on neither theta nor x.
    start : callable
        ``start(columns)``: about where m_i is along theta and how wide (model scale), finite whatever the data.
    corner : bool
        Whether m_i has a corner at theta = 0.
    baseline : bool
        Whether x is a baseline with a prior of its own (else its density is part of ``density``).
    """

    density: str
    columns: tuple[str, ...]
    constant: Callable[[Columns], Array]
    start: Callable[[Columns], tuple[Array, Array]]
    corner: bool = False
    baseline: bool = True

    @property
    def code(self) -> int:
        """Its number in ``study_kernels``."""
        from bayesmeta.engines.arm_level import study_kernels

        return int(getattr(study_kernels, self.density))

    def rows(self, columns: Columns) -> Array:
        """Return the data as the loops take it, shape (m, number of columns)."""
        return np.stack([columns[name] for name in self.columns], axis=1).astype(float)

    def prior(self, baseline: Prior | None) -> Array:
        """Return the prior of a baseline (None: the default) as the loops take it: family, three parameters, constant."""
        from bayesmeta.engines.arm_level import study_kernels

        if not self.baseline:
            return np.zeros(5)
        prior = DEFAULT_BASELINE if baseline is None else baseline
        # a Cauchy prior is Student's t with one degree of freedom
        args = (1.0, *prior.args) if prior.family == "Cauchy" else prior.args
        out = np.zeros(5)
        out[0], out[1 : 1 + len(args)] = getattr(study_kernels, FAMILY_CODES[prior.family]), args
        # its constant is what is missing at any one place
        at = np.array([0.0 if prior.family == "Beta" else float(prior.quantile(0.5))])
        out[4] = float(baseline_log_density(prior, at)[0] - study_kernels.log_priors(out, at)[0])
        return out


def _counted(columns: Columns) -> Array:
    return columns["log_coefficient"]


def _constant_t(columns: Columns) -> Array:
    # V = df w^2: the chi-squared density of V with dV = 2 V dlog w
    df = columns["df"]
    return -0.5 * LOG_2PI + np.log(2.0) + 0.5 * df * np.log(0.5 * df) - gammaln(0.5 * df)


def _arms(columns: Columns) -> Iterator[tuple[Array, Array]]:
    """Events and the others of both arms, half a participant added to each: good enough to begin a search with."""
    events = (columns["events_e"], columns["events_c"])
    return ((r + 0.5, n - r + 0.5) for r, n in zip(events, (columns["n_e"], columns["n_c"]), strict=True))


def _start_risk_ratio(columns: Columns) -> tuple[Array, Array]:
    (a, b), (c, d) = _arms(columns)
    return np.log(a / (a + b)) - np.log(c / (c + d)), np.sqrt(b / (a * (a + b)) + d / (c * (c + d)))


def _start_odds_ratio(columns: Columns) -> tuple[Array, Array]:
    (a, b), (c, d) = _arms(columns)
    return np.log(a / b) - np.log(c / d), np.sqrt(1 / a + 1 / b + 1 / c + 1 / d)


def _start_rate_ratio(columns: Columns) -> tuple[Array, Array]:
    a, c = columns["events_e"] + 0.5, columns["events_c"] + 0.5
    return np.log(a / columns["time_e"]) - np.log(c / columns["time_c"]), np.sqrt(1 / a + 1 / c)


def _start_t(columns: Columns) -> tuple[Array, Array]:
    d = columns["t"] / columns["root_n"]
    return d, np.sqrt(1 / columns["root_n"] ** 2 + 0.5 * d**2 / columns["df"])


FAMILY_CODES = {
    "Normal": "NORMAL", "StudentT": "STUDENT_T", "Cauchy": "STUDENT_T", "Logistic": "LOGISTIC", "Beta": "BETA",
}  # fmt: skip
_EVENTS, _RATES = ("events_e", "n_e", "events_c", "n_c"), ("events_e", "time_e", "events_c", "time_c")
#: by likelihood and measure
KERNELS: dict[tuple[str, str], Kernel] = {
    ("binomial", "RR"): Kernel("RISK_RATIO", _EVENTS, _counted, _start_risk_ratio, corner=True),
    ("binomial", "OR"): Kernel("ODDS_RATIO", _EVENTS, _counted, _start_odds_ratio),
    ("poisson", "IRR"): Kernel("RATE_RATIO", _RATES, _counted, _start_rate_ratio),
    ("nct", "SMD"): Kernel("T_STATISTIC", ("t", "df", "root_n"), _constant_t, _start_t, baseline=False),
}


def kernel_of(likelihood: str, measure: str) -> Kernel:
    """Return the kernel of a likelihood for a measure.

    Raises
    ------
    SpecError
        If there is none.
    """
    if (likelihood, measure) not in KERNELS:
        raise unknown_name("arm-level likelihood", f"{likelihood} for {measure}", [f"{a} for {b}" for a, b in KERNELS])
    return KERNELS[likelihood, measure]


def log_marginal(kernel: Kernel, columns: Columns, theta: Array, baseline: Prior | None = None) -> Array:
    """Natural log of m_i(theta), for many studies and effects at once.

    Nodes are doubled until the rules on every other and every fourth node agree. They converge faster than geometrically, so that the
    relative error of m_i is then below 1e-11, beside the rounding of log-likelihoods of the size of the counts (2e-16 times their size);
    below 2e-10 under baseline priors far wider than the default, whose edges lie far from the mode.

    Parameters
    ----------
    kernel : Kernel
        From ``kernel_of``.
    columns : mapping of str to numpy.ndarray, shape (m,)
        The data, one entry a value wanted.
    theta : numpy.ndarray, shape (m,)
        Effects, model scale.
    baseline : Prior, optional
        Of the baseline; default that of ``likelihoods``.

    Returns
    -------
    numpy.ndarray, shape (m,)

    Raises
    ------
    ConvergenceError
        If an integral is not resolved.
    """
    from bayesmeta.engines.arm_level.study_kernels import log_integrals

    out = log_integrals(kernel.code, kernel.rows(columns), kernel.prior(baseline), np.array(theta))
    if np.isnan(out).any():
        raise ConvergenceError(
            "the likelihood of a study could not be integrated over its baseline; check its data for extreme values"
        )
    return out + kernel.constant(columns)


def draw_nuisance(
    kernel: Kernel, columns: Columns, theta: Array, baseline: Prior | None, rng: np.random.Generator
) -> Array:
    """Draw each study's nuisance parameter given its effect and data (arguments as in ``log_marginal``); shape (m,)."""
    from bayesmeta.engines.arm_level.study_kernels import log_joints, spans

    code, rows, prior, theta = kernel.code, kernel.rows(columns), kernel.prior(baseline), np.ascontiguousarray(theta)
    mode, stretch, ends = spans(code, rows, prior, theta)
    # in v as in ``log_marginal``: heavy tails reach so far that the bulk would fall between nodes laid evenly in x
    edges = np.insert(ends, 1, 0.0, axis=1)
    unit = legendre_rule(NUISANCE)[0]
    v = (edges[:, :-1, None] + 0.5 * np.diff(edges, axis=1)[:, :, None] * (unit + 1)).reshape(len(theta), -1)
    value = log_joints(code, rows, prior, theta, mode[:, None] + stretch[:, None] * np.sinh(v)) + np.log(np.cosh(v))
    v = invert_panels(edges, value.reshape(len(theta), 2, -1), rng.uniform(size=len(theta)))
    return mode + stretch * np.sinh(v)
