"""Integrals of a study's likelihood over its nuisance parameter x, as compiled loops over studies and effects.

``data`` holds a row a value wanted, in the order of columns of ``study_likelihoods.KERNELS``; ``prior`` is what ``study_likelihoods`` makes
of the prior of a baseline: its family, three parameters and its constant.
"""

from __future__ import annotations

import math

import numpy as np

from bayesmeta.engines.numerics.compiled import compiled, inlined
from bayesmeta.support.arrays import Array

#: codes of the densities
RISK_RATIO, ODDS_RATIO, RATE_RATIO, T_STATISTIC = 0, 1, 2, 3
#: codes of the families of a baseline's prior (``NO_PRIOR``: x has none of its own)
NO_PRIOR, NORMAL, STUDENT_T, LOGISTIC, BETA = 0, 1, 2, 3, 4
#: the integrand is followed until it has fallen by this much (natural log) on either side of its mode
DROP = 36.0
FIRST_NODES, MOST_NODES = 33, 8193
#: the rules on every other and on every fourth node may differ by this much in the log: the error of the whole rule is far smaller
#: (one of them may agree by chance, where its error changes sign in theta)
HALVED, QUARTERED = 1e-7, 2e-3
#: twice the nodes about square the error of a rule that converges; this power must be seen, or an error of this size (and this
#: share of counts and log-likelihood, which is rounding)
SQUARED, SURE, ROUNDING = 1.6, 1e-11, 1e-15
#: nodes are no farther apart than this where an arm's likelihood bends (exp(-n e^x) asks the most: an error of about exp(-pi^2 / 0.4)
#: of the bend's own mass); a bend where the integrand has fallen by more than this is not felt
AT_BENDS, FELT = 0.4, 30.0
#: x spreads as sinh beyond about this many standard deviations
STRETCH = 4.0


@inlined
def _risk_ratio(row: Array, theta: float, logit: float) -> float:
    """Binomial arms; x is the logit of the larger risk, the smaller is exp(-|theta|) times it."""
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
def _arm(r: float, n: float, logit: float) -> float:
    return (r if logit < 0 else r - n) * logit - n * math.log1p(math.exp(-abs(logit)))


@inlined
def _odds_ratio(row: Array, theta: float, middle: float) -> float:
    """Binomial arms; x is the mean of the two logits, which are x + theta/2 and x - theta/2."""
    return _arm(row[0], row[1], middle + 0.5 * theta) + _arm(row[2], row[3], middle - 0.5 * theta)


@inlined
def _start_odds_ratio(row: Array, theta: float) -> float:
    r_e, n_e, r_c, n_c = row[0], row[1], row[2], row[3]
    by_e = math.log((r_e + 0.5) / (n_e - r_e + 0.5)) - 0.5 * theta
    by_c = math.log((r_c + 0.5) / (n_c - r_c + 0.5)) + 0.5 * theta
    weight_e, weight_c = 1 / (1 / (r_e + 0.5) + 1 / (n_e - r_e + 0.5)), 1 / (1 / (r_c + 0.5) + 1 / (n_c - r_c + 0.5))
    # far from the data the arms contradict each other, and the mode is where one of them wants it
    best = (weight_e * by_e + weight_c * by_c) / (weight_e + weight_c)
    for wanted in (by_e, by_c):
        if _odds_ratio(row, theta, wanted) > _odds_ratio(row, theta, best):
            best = wanted
    return best


@inlined
def _rate_ratio(row: Array, theta: float, middle: float) -> float:
    """Poisson arms; x is the mean of the two log rates, which are x + theta/2 and x - theta/2."""
    half = 0.5 * theta
    expected = row[1] * math.exp(middle + half) + row[3] * math.exp(middle - half)
    return (row[0] + row[2]) * middle + (row[0] - row[2]) * half - expected


@inlined
def _start_rate_ratio(row: Array, theta: float) -> float:
    expected = row[1] * math.exp(0.5 * theta) + row[3] * math.exp(-0.5 * theta)
    return math.log((row[0] + row[2] + 0.5) / expected)


@inlined
def _t_statistic(row: Array, theta: float, log_w: float) -> float:
    """Statistic t given w = sqrt(V / df); x = log w, with the density of x when V is chi-squared."""
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
        # of the risk, as a density of its logit
        lost = math.log1p(math.exp(-abs(x)))
        return constant - prior[1] * (lost - min(x, 0.0)) - prior[2] * (lost + max(x, 0.0))
    return 0.0


@inlined
def _log_joint(code: int, row: Array, prior: Array, theta: float, x: float) -> float:
    """Return the log of the integrand at one x, up to what depends on neither theta nor x."""
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
    """Return the log density of a baseline's prior; shape (m,)."""
    out = np.empty(len(x))
    for i in range(len(x)):
        out[i] = _log_prior(prior, x[i])
    return out


@inlined
def _start(code: int, row: Array, theta: float) -> float:
    if code == RISK_RATIO:
        return _start_risk_ratio(row, theta)
    if code == ODDS_RATIO:
        return _start_odds_ratio(row, theta)
    if code == RATE_RATIO:
        return _start_rate_ratio(row, theta)
    return _start_t_statistic(row, theta)


@inlined
def _bend(r: float, n: float) -> float:
    return math.log((r + 0.5) / (n - r + 0.5))


@inlined
def _bends(code: int, row: Array, theta: float) -> tuple[float, float, float]:
    """Return where the arms' likelihoods bend within about a unit of x (nowhere: NaN): far from the mode if the prior is wide."""
    if code == RISK_RATIO:
        r_large, n_large, r_small, n_small = row[0], row[1], row[2], row[3]
        if theta <= 0:
            r_large, n_large, r_small, n_small = row[2], row[3], row[0], row[1]
        p = (r_small + 0.5) / (n_small + 1.0) * math.exp(abs(theta))
        return _bend(r_large, n_large), math.log(p / (1 - p)) if p < 1 else np.nan, 0.0
    if code == ODDS_RATIO:
        return _bend(row[0], row[1]) - 0.5 * theta, _bend(row[2], row[3]) + 0.5 * theta, np.nan
    if code == RATE_RATIO:
        return math.log((row[0] + 0.5) / row[1]) - 0.5 * theta, math.log((row[2] + 0.5) / row[3]) + 0.5 * theta, np.nan
    return np.nan, np.nan, np.nan


@inlined
def _widest(code: int, row: Array, prior: Array, theta: float, mode: float, peak: float, stretch: float) -> float:
    """Return how far apart nodes in v may be, so that the bends are resolved."""
    out = np.inf
    for x in _bends(code, row, theta):
        if not math.isnan(x) and peak - _log_joint(code, row, prior, theta, x) < FELT:
            out = min(out, AT_BENDS / math.sqrt(stretch * stretch + (x - mode) ** 2))
    return out


@inlined
def _mode(code: int, row: Array, prior: Array, theta: float) -> tuple[float, float, float]:
    """Climb to about the mode by damped Newton steps; return it, the height there and the standard deviation its curvature implies."""
    h = 1e-3
    x, sd = _start(code, row, theta), 1.0
    value = _log_joint(code, row, prior, theta, x)
    for _ in range(60):
        above, below = _log_joint(code, row, prior, theta, x + h), _log_joint(code, row, prior, theta, x - h)
        slope, bend = (above - below) / (2 * h), min((above - 2 * value + below) / h**2, -1e-6)
        # where it is nowhere near quadratic (far out, or convex) a few units uphill do better
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
    """Return the distance from the mode, on one side, at which integrand times distance has fallen by about ``DROP``."""
    d, least, most = 9.3 * sd, 0.0, np.inf
    for step in range(200):
        # what lies beyond is of the size of the density there times the distance
        fallen = peak - _log_joint(code, row, prior, theta, mode + side * d) - math.log(max(d / sd, 1.0))
        short, far = not fallen > DROP - 4, fallen > 1.5 * DROP
        if not (short or far):
            break
        if short:
            least = max(least, d)
        else:
            most = min(most, d)
        # as for a normal density, but no more than four times at once; in the middle of the bracket where that leads nowhere
        grown = d * min(max(math.sqrt(1.1 * DROP / max(fallen, 1e-3)), 0.25), 4.0)
        lost = step >= 6 and most < np.inf
        d = 0.5 * (least + min(most, 4 * d)) if lost or grown <= least or grown >= most else grown
    return d


@inlined
def _span(code: int, row: Array, prior: Array, theta: float) -> tuple[float, float, float, float, float]:
    """Return mode and height, and stretch, least and greatest v of x = mode + stretch sinh(v), within which the integrand counts."""
    mode, peak, sd = _mode(code, row, prior, theta)
    stretch = STRETCH * sd
    low = _distance(code, row, prior, theta, mode, peak, sd, -1.0) / stretch
    high = _distance(code, row, prior, theta, mode, peak, sd, 1.0) / stretch
    return mode, peak, stretch, -math.asinh(low), math.asinh(high)


@compiled
def spans(code: int, data: Array, prior: Array, theta: Array) -> tuple[Array, Array, Array]:
    """Return of each integrand the mode, the stretch and the range of v in x = mode + stretch sinh(v); shapes (m,), (m,) and (m, 2)."""
    mode, stretch, ends = np.empty(len(theta)), np.empty(len(theta)), np.empty((len(theta), 2))
    for i in range(len(theta)):
        mode[i], _, stretch[i], ends[i, 0], ends[i, 1] = _span(code, data[i], prior, theta[i])
    return mode, stretch, ends


@compiled
def log_joints(code: int, data: Array, prior: Array, theta: Array, x: Array) -> Array:
    """Return the log of each integrand at its row of ``x``; shape (m, j)."""
    out = np.empty(x.shape)
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            out[i, j] = _log_joint(code, data[i], prior, theta[i], x[i, j])
    return out


@compiled
def log_integrals(code: int, data: Array, prior: Array, theta: Array) -> Array:
    """Return the log of the integral of each integrand over x, shape (m,); NaN where ``MOST_NODES`` nodes do not resolve it."""
    out = np.empty(len(theta))
    for i in range(len(theta)):
        row = data[i]
        mode, peak, stretch, low, high = _span(code, row, prior, theta[i])
        # sums over every fourth node, over every other one, and over all: each turns into the one before when the nodes are doubled
        fourth, other, every = 0.0, 0.0, 0.0
        nodes, last, out[i] = FIRST_NODES, 0, np.nan
        widest = _widest(code, row, prior, theta[i], mode, peak, stretch)
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
