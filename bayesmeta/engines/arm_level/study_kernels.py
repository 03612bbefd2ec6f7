"""Integrals of a study's likelihood over its nuisance parameter x, as compiled loops over studies and effects.

``code`` is the density's number in ``codes``; ``data`` has one row per value wanted, in the order of the columns of
``study_likelihood.KERNELS``; ``prior`` is what ``Kernel.prior_row`` returns: family, three parameters and constant of the baseline's prior;
``bends`` are those of ``Kernel.bends``. Every array of shape (m,) or (m, ...) has one entry per value wanted.
"""

from __future__ import annotations

import math

import numpy as np

from bayesmeta.engines.arm_level.codes import BETA, LOGISTIC, NORMAL, ODDS_RATIO, RATE_RATIO, RISK_RATIO, STUDENT_T
from bayesmeta.engines.numerics.compiled import compiled, inlined
from bayesmeta.support.arrays import Array

#: the integrand is followed until it has fallen by this much (natural log) on either side of its mode
DROP = 36.0
#: nodes of the trapezoidal rule: at first, and at most
FIRST_NODES, MOST_NODES = 33, 8193
#: the rules on every other and on every fourth node may differ by this much in the log: the error of the whole rule is far smaller
#: (one of them may agree by chance, where its error changes sign in theta)
HALVED, QUARTERED = 1e-7, 2e-3
#: twice the nodes about square the error of a rule that converges; this power must be seen, or an error of this size (and this
#: share of counts and log-likelihood, which is rounding)
SQUARED, SURE, ROUNDING = 1.6, 1e-11, 1e-15
#: nodes are no farther apart than this where an arm's likelihood bends (exp(-n e^x) needs the most: the error is about exp(-pi^2 / 0.4)
#: of the bend's own mass); a bend where the integrand has fallen by more than this (natural log) does not matter
AT_BENDS, NEGLIGIBLE = 0.4, 30.0
#: the nodes' distances grow as sinh beyond about this many standard deviations
STRETCH = 4.0


@inlined
def _risk_ratio(row: Array, theta: float, logit: float) -> float:
    """Log likelihood of binomial arms; x is the logit of the larger risk, and the smaller risk is exp(-|theta|) times the larger."""
    if theta > 0:
        r_large, n_large, r_small, n_small = row[0], row[1], row[2], row[3]
    else:
        r_large, n_large, r_small, n_small = row[2], row[3], row[0], row[1]
    gap = abs(theta)
    # with c = 1 - exp(-gap), log p = x - log(1 + e^x), log(1 - p) = -log(1 + e^x) and log(1 - p exp(-gap)) = log(1 + c e^x) - log(1 + e^x);
    # above x = 0 the same with e^-x taken out, so that large terms never cancel
    c = -math.expm1(-gap)
    small = max(math.exp(-abs(logit)), 1e-300)
    if logit < 0:
        linear, lost = (r_large + r_small) * logit, 1 + c * small
    else:
        linear, lost = (r_large - n_large) * logit, c + small
    value = linear - (n_large + n_small) * math.log1p(small) - r_small * gap
    return value + (n_small - r_small) * math.log(lost)


@inlined
def _start_risk_ratio(row: Array, theta: float) -> float:
    n_large, n_small = (row[1], row[3]) if theta > 0 else (row[3], row[1])
    p = (row[0] + row[2] + 0.5) / (n_large + n_small * math.exp(-abs(theta)) + 1.0)
    p = min(p, 1 - 0.5 / (n_large + 1.0))
    return math.log(p / (1 - p))


@inlined
def _log_binomial(r: float, n: float, logit: float) -> float:
    return (r if logit < 0 else r - n) * logit - n * math.log1p(math.exp(-abs(logit)))


@inlined
def _odds_ratio(row: Array, theta: float, middle: float) -> float:
    """Log likelihood of binomial arms; x is the mean of the two logits, which are x + theta/2 and x - theta/2."""
    return _log_binomial(row[0], row[1], middle + 0.5 * theta) + _log_binomial(row[2], row[3], middle - 0.5 * theta)


@inlined
def _start_odds_ratio(row: Array, theta: float) -> float:
    r_e, n_e, r_c, n_c = row[0], row[1], row[2], row[3]
    by_e = math.log((r_e + 0.5) / (n_e - r_e + 0.5)) - 0.5 * theta
    by_c = math.log((r_c + 0.5) / (n_c - r_c + 0.5)) + 0.5 * theta
    weight_e, weight_c = 1 / (1 / (r_e + 0.5) + 1 / (n_e - r_e + 0.5)), 1 / (1 / (r_c + 0.5) + 1 / (n_c - r_c + 0.5))
    # far from the data the arms contradict each other, and the mode is at the value one of them prefers
    best = (weight_e * by_e + weight_c * by_c) / (weight_e + weight_c)
    for preferred in (by_e, by_c):
        if _odds_ratio(row, theta, preferred) > _odds_ratio(row, theta, best):
            best = preferred
    return best


@inlined
def _rate_ratio(row: Array, theta: float, middle: float) -> float:
    """Log likelihood of Poisson arms; x is the mean of the two log rates, which are x + theta/2 and x - theta/2."""
    half = 0.5 * theta
    expected = row[1] * math.exp(middle + half) + row[3] * math.exp(middle - half)
    return (row[0] + row[2]) * middle + (row[0] - row[2]) * half - expected


@inlined
def _start_rate_ratio(row: Array, theta: float) -> float:
    expected = row[1] * math.exp(0.5 * theta) + row[3] * math.exp(-0.5 * theta)
    return math.log((row[0] + row[2] + 0.5) / expected)


@inlined
def _t_statistic(row: Array, theta: float, log_w: float) -> float:
    """Log density of the t statistic given w = sqrt(V / df) and of x = log w, where V is chi-squared with df degrees of freedom."""
    t, df, root_n = row[0], row[1], row[2]
    w = math.exp(log_w)
    return -0.5 * (t * w - theta * root_n) ** 2 + log_w + df * (log_w - 0.5 * w * w)


@inlined
def _start_t_statistic(row: Array, theta: float) -> float:
    # the maximum over log w: (df + t^2) w^2 - t delta w - (df + 1) = 0
    a, b, c = row[1] + row[0] ** 2, row[0] * theta * row[2], row[1] + 1.0
    root = math.sqrt(b * b + 4 * a * c)
    return math.log((b + root) / (2 * a) if b > 0 else 2 * c / (root - b))


@inlined
def _log_prior(prior: Array, x: float) -> float:
    family, constant = int(prior[0]), prior[4]
    if family == NORMAL:
        return constant - 0.5 * ((x - prior[1]) / prior[2]) ** 2
    if family == STUDENT_T:
        return constant - 0.5 * (prior[1] + 1) * math.log1p(((x - prior[2]) / prior[3]) ** 2 / prior[1])
    if family == LOGISTIC:
        z = abs((x - prior[1]) / prior[2])
        return constant - z - 2 * math.log1p(math.exp(-z))
    if family == BETA:
        # the density of the logit of a risk that has the Beta distribution
        lost = math.log1p(math.exp(-abs(x)))
        return constant - prior[1] * (lost - min(x, 0.0)) - prior[2] * (lost + max(x, 0.0))
    return 0.0


@inlined
def _log_joint(code: int, row: Array, prior: Array, theta: float, x: float) -> float:
    """Return the log of the integrand at one x, without the terms that depend on neither theta nor x."""
    if code == RISK_RATIO:
        value = _risk_ratio(row, theta, x)
    elif code == ODDS_RATIO:
        value = _odds_ratio(row, theta, x)
    elif code == RATE_RATIO:
        value = _rate_ratio(row, theta, x)
    else:
        value = _t_statistic(row, theta, x)
    return value + _log_prior(prior, x)


@compiled
def log_priors(prior: Array, x: Array) -> Array:
    """Return the log density of a baseline's prior at ``x``, shape (m,)."""
    out = np.empty(len(x))
    for i in range(len(x)):
        out[i] = _log_prior(prior, x[i])
    return out


@inlined
def _start(code: int, row: Array, theta: float) -> float:
    """Return an x near the mode of the likelihood, where the search for the mode of the integrand begins."""
    if code == RISK_RATIO:
        return _start_risk_ratio(row, theta)
    if code == ODDS_RATIO:
        return _start_odds_ratio(row, theta)
    if code == RATE_RATIO:
        return _start_rate_ratio(row, theta)
    return _start_t_statistic(row, theta)


@inlined
def _widest(
    code: int, row: Array, prior: Array, theta: float, bends: Array, mode: float, peak: float, stretch: float
) -> float:
    """Return the largest distance of nodes in v that resolves the bends."""
    out = np.inf
    for x in bends:
        if not math.isnan(x) and peak - _log_joint(code, row, prior, theta, x) < NEGLIGIBLE:
            out = min(out, AT_BENDS / math.sqrt(stretch * stretch + (x - mode) ** 2))
    return out


@inlined
def _mode(code: int, row: Array, prior: Array, theta: float) -> tuple[float, float, float]:
    """Find the mode approximately by damped Newton steps; return it, the log integrand there and the sd that its curvature implies."""
    h = 1e-3
    x, sd = _start(code, row, theta), 1.0
    value = _log_joint(code, row, prior, theta, x)
    for _ in range(60):
        above, below = _log_joint(code, row, prior, theta, x + h), _log_joint(code, row, prior, theta, x - h)
        slope, bend = (above - below) / (2 * h), min((above - 2 * value + below) / h**2, -1e-6)
        # far out or where the integrand is convex a Newton step is useless; a few units uphill do better
        step = min(max(-slope / bend, -4.0), 4.0)
        moved = _log_joint(code, row, prior, theta, x + step)
        for _ in range(30):
            if moved >= value - 1e-12 * abs(value) or abs(step) <= 1e-9:
                break
            step *= 0.5
            moved = _log_joint(code, row, prior, theta, x + step)
        x, value, sd = x + step, moved, 1 / math.sqrt(-bend)
        if abs(step) < 0.2 * min(sd, 1.0):
            break
    return x, value, min(max(sd, 1e-6), 30.0)


@inlined
def _distance(
    code: int, row: Array, prior: Array, theta: float, mode: float, peak: float, sd: float, side: float
) -> float:
    """Return the distance from the mode, on one side (-1 or 1), at which integrand times distance has fallen by about ``DROP``."""
    d, least, most = 9.3 * sd, 0.0, np.inf
    for step in range(200):
        # the integral beyond is of the size of the integrand there times the distance
        fallen = peak - _log_joint(code, row, prior, theta, mode + side * d) - math.log(max(d / sd, 1.0))
        short, far = not fallen > DROP - 4, fallen > 1.5 * DROP
        if not (short or far):
            break
        if short:
            least = max(least, d)
        else:
            most = min(most, d)
        # as for a normal density, but by a factor of four at most; by bisection where that leaves the bracket or takes too long
        grown = d * min(max(math.sqrt(1.1 * DROP / max(fallen, 1e-3)), 0.25), 4.0)
        lost = step >= 6 and most < np.inf
        d = 0.5 * (least + min(most, 4 * d)) if lost or grown <= least or grown >= most else grown
    return d


@inlined
def _span(code: int, row: Array, prior: Array, theta: float) -> tuple[float, float, float, float, float]:
    """Return the mode, the log integrand there, and for x = mode + stretch sinh(v) the stretch, least and greatest v that matter."""
    mode, peak, sd = _mode(code, row, prior, theta)
    stretch = STRETCH * sd
    low = _distance(code, row, prior, theta, mode, peak, sd, -1.0) / stretch
    high = _distance(code, row, prior, theta, mode, peak, sd, 1.0) / stretch
    return mode, peak, stretch, -math.asinh(low), math.asinh(high)


@compiled
def spans(code: int, data: Array, prior: Array, theta: Array) -> tuple[Array, Array, Array]:
    """Return each integrand's mode, and stretch and range of v in x = mode + stretch sinh(v); shapes (m,), (m,) and (m, 2)."""
    mode, stretch, ends = np.empty(len(theta)), np.empty(len(theta)), np.empty((len(theta), 2))
    for i in range(len(theta)):
        mode[i], _, stretch[i], ends[i, 0], ends[i, 1] = _span(code, data[i], prior, theta[i])
    return mode, stretch, ends


@compiled
def log_joints(code: int, data: Array, prior: Array, theta: Array, x: Array) -> Array:
    """Return the log of each integrand at its row of ``x``, shape (m, j)."""
    out = np.empty(x.shape)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = _log_joint(code, data[i], prior, theta[i], x[i, j])
    return out


@compiled
def log_integrals(code: int, data: Array, prior: Array, theta: Array, bends: Array) -> Array:
    """Return the log of the integral of each integrand over x, shape (m,); NaN where ``MOST_NODES`` nodes do not resolve it."""
    out = np.empty(len(theta))
    for i in range(len(theta)):
        row = data[i]
        mode, peak, stretch, low, high = _span(code, row, prior, theta[i])
        # sums over every fourth node, every second one and all; when the nodes are doubled, each becomes the one before it
        fourth, other, every = 0.0, 0.0, 0.0
        nodes, last, out[i] = FIRST_NODES, 0, np.nan
        widest = _widest(code, row, prior, theta[i], bends[i], mode, peak, stretch)
        sure = SURE + ROUNDING * (np.abs(row).sum() + abs(peak))
        while nodes <= MOST_NODES:
            h = (high - low) / (nodes - 1)
            fourth, other = other, every
            for j in range(nodes):
                if last and j % 2 == 0:
                    continue
                v = low + h * j
                e = math.exp(v)
                x = mode + stretch * 0.5 * (e - 1 / e)
                value = math.exp(_log_joint(code, row, prior, theta[i], x) - peak) * 0.5 * (e + 1 / e)
                every += value
                if not last and j % 4 == 0:
                    fourth += value
                if not last and j % 2 == 0:
                    other += value
            halved, quartered = abs(math.log(2 * other / every)), abs(math.log(4 * fourth / every))
            squared = halved < sure or halved < quartered**SQUARED
            if halved < HALVED and quartered < QUARTERED and squared and h < widest:
                out[i] = math.log(every * h * stretch) + peak
                break
            last, nodes = nodes, 2 * nodes - 1
    return out
