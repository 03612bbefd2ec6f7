"""Each study's own marginal likelihood m_i(theta): its arm-level likelihood with the nuisance parameter integrated out.

One integral for each value of theta, all of them at once. The integrand has one mode in the nuisance parameter x; it is found by damped
Newton steps, and x = mode + 4 sd sinh(v) is integrated by the trapezoidal rule in v, which converges exponentially (Trefethen and
Weideman 2014, SIAM Review 56:385).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaln

from bayesmeta.distributions import Prior
from bayesmeta.errors import ConvergenceError, unknown_name
from bayesmeta.inversion import invert_panels
from bayesmeta.panels import legendre_rule
from bayesmeta.priors import baseline_log_density

Array = np.ndarray
Columns = Mapping[str, Array]
LOG_2PI = float(np.log(2 * np.pi))
#: the integrand is followed until it has fallen by this much (natural log) on either side of its mode
DROP = 42.0
FIRST_NODES, MOST_NODES = 33, 2049
#: the rules on every other and on every fourth node may differ by this much in the log: the error of the whole rule is far smaller
#: (one of them may agree by chance, where its error changes sign in theta)
HALVED, QUARTERED = 1e-7, 2e-3
#: x spreads as sinh beyond about this many standard deviations
STRETCH = 4.0
#: Gauss-Legendre nodes on either side of the mode, for draws
NUISANCE = 40


@dataclass(frozen=True)
class Kernel:
    """The joint log density of a study's data and its nuisance parameter x, without the prior of x.

    Parameters
    ----------
    log_density : callable
        ``log_density(columns, theta, x)``, natural log, up to ``constant(columns)``; arrays broadcast.
    start : callable
        ``start(columns, theta)``: a first guess of the mode in x.
    constant : callable
        ``constant(columns)``: what depends on neither theta nor x.
    corner : bool
        Whether m_i has a corner at theta = 0.
    baseline : bool
        Whether x is a baseline with a prior of its own (else its density is part of ``log_density``).
    """

    log_density: Callable[[Columns, Array, Array], Array]
    start: Callable[[Columns, Array], Array]
    constant: Callable[[Columns], Array]
    corner: bool
    baseline: bool = True


def _risk_ratio(columns: Columns, theta: Array, logit: Array) -> Array:
    """Binomial arms; x is the logit of the larger risk, the smaller is exp(-|theta|) times it."""
    up = theta > 0
    r_large, n_large = (
        np.where(up, columns["events_e"], columns["events_c"]),
        np.where(up, columns["n_e"], columns["n_c"]),
    )
    r_small, n_small = (
        np.where(up, columns["events_c"], columns["events_e"]),
        np.where(up, columns["n_c"], columns["n_e"]),
    )
    gap = np.abs(theta)
    # with c = 1 - exp(-gap), log p = x - log(1 + e^x), log(1 - p) = -log(1 + e^x) and log(1 - p exp(-gap)) = log(1 + c e^x) - log(1 + e^x);
    # above x = 0 the same with e^-x taken out, so that large terms never cancel
    c, low = -np.expm1(-gap), logit < 0
    small = np.maximum(np.exp(-np.abs(logit)), 1e-300)
    linear = np.where(low, r_large + r_small, r_large - n_large) * logit
    lost = (n_small - r_small) * np.log(np.where(low, 1 + c * small, c + small))
    return linear - (n_large + n_small) * np.log1p(small) + lost - r_small * gap


def _start_risk_ratio(columns: Columns, theta: Array) -> Array:
    up = theta > 0
    n_large, n_small = np.where(up, columns["n_e"], columns["n_c"]), np.where(up, columns["n_c"], columns["n_e"])
    events = columns["events_e"] + columns["events_c"]
    p = (events + 0.5) / (n_large + n_small * np.exp(-np.abs(theta)) + 1.0)
    p = np.minimum(p, 1 - 0.5 / (n_large + 1.0))
    return np.log(p / (1 - p))


def _odds_ratio(columns: Columns, theta: Array, middle: Array) -> Array:
    """Binomial arms; x is the mean of the two logits, which are x + theta/2 and x - theta/2."""
    value = np.zeros(np.broadcast_shapes(theta.shape, middle.shape))
    for arm, shift in (("e", 0.5 * theta), ("c", -0.5 * theta)):
        logit, r, n = middle + shift, columns[f"events_{arm}"], columns[f"n_{arm}"]
        value += np.where(logit < 0, r, r - n) * logit - n * np.log1p(np.exp(-np.abs(logit)))
    return value


def _start_odds_ratio(columns: Columns, theta: Array) -> Array:
    r_e, n_e, r_c, n_c = (columns[name] for name in ("events_e", "n_e", "events_c", "n_c"))
    by_e = np.log((r_e + 0.5) / (n_e - r_e + 0.5)) - 0.5 * theta
    by_c = np.log((r_c + 0.5) / (n_c - r_c + 0.5)) + 0.5 * theta
    weight_e, weight_c = 1 / (1 / (r_e + 0.5) + 1 / (n_e - r_e + 0.5)), 1 / (1 / (r_c + 0.5) + 1 / (n_c - r_c + 0.5))
    # far from the data the arms contradict each other, and the mode is where one of them wants it
    wanted = np.stack([(weight_e * by_e + weight_c * by_c) / (weight_e + weight_c), by_e, by_c])
    best = _odds_ratio(columns, theta, wanted).argmax(axis=0)
    return np.take_along_axis(wanted, best[None], axis=0)[0]


def _rate_ratio(columns: Columns, theta: Array, middle: Array) -> Array:
    """Poisson arms; x is the mean of the two log rates, which are x + theta/2 and x - theta/2."""
    half = 0.5 * theta
    r_e, r_c = columns["events_e"], columns["events_c"]
    with np.errstate(over="ignore"):
        expected = columns["time_e"] * np.exp(middle + half) + columns["time_c"] * np.exp(middle - half)
    return (r_e + r_c) * middle + (r_e - r_c) * half - expected


def _start_rate_ratio(columns: Columns, theta: Array) -> Array:
    expected = columns["time_e"] * np.exp(0.5 * theta) + columns["time_c"] * np.exp(-0.5 * theta)
    return np.log((columns["events_e"] + columns["events_c"] + 0.5) / expected)


def _t_statistic(columns: Columns, theta: Array, log_w: Array) -> Array:
    """Statistic t given w = sqrt(V / df); x = log w, with the density of x when V is chi-squared."""
    w, df = np.exp(log_w), columns["df"]
    return -0.5 * (columns["t"] * w - theta * columns["root_n"]) ** 2 + log_w + df * (log_w - 0.5 * w * w)


def _start_t_statistic(columns: Columns, theta: Array) -> Array:
    # the maximum over log w: (df + t^2) w^2 - t delta w - (df + 1) = 0
    a, b, c = columns["df"] + columns["t"] ** 2, columns["t"] * theta * columns["root_n"], columns["df"] + 1.0
    root = np.sqrt(b * b + 4 * a * c)
    return np.log(np.where(b > 0, (b + root) / (2 * a), 2 * c / (root - b)))


def _counted(columns: Columns) -> Array:
    return columns["log_coefficient"]


def _constant_t(columns: Columns) -> Array:
    # V = df w^2: the chi-squared density of V with dV = 2 V dlog w
    df = columns["df"]
    return -0.5 * LOG_2PI + np.log(2.0) + 0.5 * df * np.log(0.5 * df) - gammaln(0.5 * df)


#: by likelihood and measure
KERNELS: dict[tuple[str, str], Kernel] = {
    ("binomial", "RR"): Kernel(_risk_ratio, _start_risk_ratio, _counted, corner=True),
    ("binomial", "OR"): Kernel(_odds_ratio, _start_odds_ratio, _counted, corner=False),
    ("poisson", "IRR"): Kernel(_rate_ratio, _start_rate_ratio, _counted, corner=False),
    ("nct", "SMD"): Kernel(_t_statistic, _start_t_statistic, _constant_t, corner=False, baseline=False),
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

    Nodes are doubled until the rules on every other and every fourth node agree to ``HALVED`` and ``QUARTERED`` in the log. They
    converge faster than geometrically, so that the relative error of m_i is then below 1e-11, beside the rounding of log-likelihoods
    of the size of the counts (2e-16 times their size).

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
        If the integral is not resolved with ``MOST_NODES`` nodes.
    """
    f = _joint(kernel, columns, theta, baseline)
    mode, peak, sd = _mode(f, kernel.start(columns, theta)[:, None])
    stretch = STRETCH * sd
    reach = np.arcsinh(_distances(f, mode, peak, sd) / stretch)
    out = np.empty(len(theta))
    rows, nodes = np.arange(len(theta)), FIRST_NODES
    while len(rows):
        low, high = -reach[rows, :1], reach[rows, 1:]
        v = low + (high - low) * (np.arange(nodes) / (nodes - 1))
        value = np.exp(f(mode[rows] + stretch[rows] * np.sinh(v), rows) - peak[rows]) * np.cosh(v)
        total = value.sum(axis=1)
        halved, quartered = (np.abs(np.log(n * value[:, ::n].sum(axis=1) / total)) for n in (2, 4))
        out[rows] = np.log(total * ((high - low) * stretch[rows])[:, 0] / (nodes - 1)) + peak[rows, 0]
        rows = rows[~((halved < HALVED) & (quartered < QUARTERED))]
        nodes = 2 * nodes - 1
        if len(rows) and nodes > MOST_NODES:
            raise ConvergenceError(
                "the likelihood of a study could not be integrated over its baseline; check its data for extreme values"
            )
    return out + kernel.constant(columns)


def draw_nuisance(
    kernel: Kernel, columns: Columns, theta: Array, baseline: Prior | None, rng: np.random.Generator
) -> Array:
    """Draw each study's nuisance parameter given its effect and data (arguments as in ``log_marginal``); shape (m,)."""
    f = _joint(kernel, columns, theta, baseline)
    mode, _, sd = _mode(f, kernel.start(columns, theta)[:, None])
    stretch = STRETCH * sd
    reach = np.arcsinh(_distances(f, mode, f(mode), sd) / stretch)
    # in v as in ``log_marginal``: heavy tails reach so far that the bulk would fall between nodes laid evenly in x
    edges = reach @ np.array([[-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    unit = legendre_rule(NUISANCE)[0]
    v = (edges[:, :-1, None] + 0.5 * np.diff(edges, axis=1)[:, :, None] * (unit + 1)).reshape(len(theta), -1)
    value = f(mode + stretch * np.sinh(v)) + np.log(np.cosh(v))
    v = invert_panels(edges, value.reshape(len(theta), 2, -1), rng.uniform(size=len(theta)))
    return (mode + stretch * np.sinh(v[:, None]))[:, 0]


def _joint(kernel: Kernel, columns: Columns, theta: Array, baseline: Prior | None) -> Callable[..., Array]:
    """Return the log of the integrand, at x of shape (m, j) or of some of the m rows."""
    wide = {name: value[:, None] for name, value in columns.items()}
    column = theta[:, None]

    def f(x: Array, rows: Array | slice = slice(None)) -> Array:
        there = wide if isinstance(rows, slice) else {name: value[rows] for name, value in wide.items()}
        value = kernel.log_density(there, column[rows], x)
        return value + baseline_log_density(baseline, x) if kernel.baseline else value

    return f


def _mode(f: Callable[..., Array], start: Array) -> tuple[Array, Array, Array]:
    """Climb to about the mode by damped Newton steps; return it, the height there and the standard deviation its curvature implies."""
    h = 1e-3
    mode, sd = start.copy(), np.ones_like(start)
    rows = np.arange(len(start))
    x, value = start, f(start)
    for _ in range(60):
        around = f(x + np.array([h, -h]), rows)
        above, below = around[:, :1], around[:, 1:]
        slope, bend = (above - below) / (2 * h), np.minimum((above - 2 * value + below) / h**2, -1e-6)
        # where it is nowhere near quadratic (far out, or convex) a few units uphill do better
        step = np.clip(-slope / bend, -4.0, 4.0)
        moved = f(x + step, rows)
        for _ in range(30):
            worse = np.flatnonzero(~(moved >= value - 1e-12 * np.abs(value)) & (np.abs(step) > 1e-9))
            if not len(worse):
                break
            step[worse] *= 0.5
            moved[worse] = f((x + step)[worse], rows[worse])
        x, value = x + step, moved
        mode[rows], sd[rows] = x, 1 / np.sqrt(-bend)
        going = np.flatnonzero(np.abs(step[:, 0]) >= 0.2 * np.minimum(sd[rows, 0], 1.0))
        if not len(going):
            break
        rows, x, value = rows[going], x[going], value[going]
    return mode, f(mode), np.clip(sd, 1e-6, 30.0)


def _distances(f: Callable[..., Array], mode: Array, peak: Array, sd: Array) -> Array:
    """Distances from the mode, below and above, at which integrand times distance has fallen by about ``DROP``; shape (m, 2)."""
    side = np.array([-1.0, 1.0])
    out = 9.3 * sd * np.ones(2)
    rows, d = np.arange(len(mode)), out
    least, most = np.zeros_like(d), np.full_like(d, np.inf)
    for _ in range(80):
        # what lies beyond is of the size of the density there times the distance
        fallen = peak[rows] - f(mode[rows] + side * d, rows) - np.log(np.maximum(d / sd[rows], 1.0))
        short, far = ~(fallen > DROP - 4), fallen > 2.5 * DROP
        going = np.flatnonzero((short | far).any(axis=1))
        if not len(going):
            break
        least, most = np.where(short, np.maximum(least, d), least), np.where(far, np.minimum(most, d), most)
        # as for a normal density, but no more than four times at once; within the bracket where there is one
        grown = d * np.clip(np.sqrt(1.1 * DROP / np.maximum(fallen, 1e-3)), 0.25, 4.0)
        grown = np.where((grown <= least) | (grown >= most), 0.5 * (least + np.minimum(most, 4 * d)), grown)
        d = np.where(short | far, grown, d)
        out[rows] = d
        rows, d, least, most = rows[going], d[going], least[going], most[going]
    return out
