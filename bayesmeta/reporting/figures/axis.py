"""Range and ticks of the axis of a forest plot."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from bayesmeta.reporting.numbers import typographic

_PLAIN_FROM, _PLAIN_BELOW = 1e-4, 1e6  # sizes between which tick values are plain decimals
# A range that clips hardly anything is stretched by this factor so that it clips nothing.
_SLACK = 1.5
# How far beyond the outermost estimate an interval may stretch the axis: this many typical half-widths ...
_REACH = 2.2
# ... and on a ratio axis never by more than this factor.
_MOST_FACTOR = 8.0
# An estimate this many typical half-widths from the median estimate is off the axis, marked by an arrowhead.
_OUTLYING = 12.0


def axis_limits(
    points: Sequence[float],
    intervals: Sequence[tuple[float, float]],
    summaries: Sequence[tuple[float, float, float]],
    *,
    log: bool,
    null: float = 0.0,
) -> tuple[float, float]:
    """Choose the range of the axis; intervals that extend beyond it are to be clipped.

    The range covers the estimates, the pooled estimates and the value of no effect (unless that is far away). Interval
    ends are covered up to 2.2 typical (median) half-widths beyond the outermost estimate, on ratio axes at most a
    factor 8; intervals of pooled results are covered if they are no wider than 1.5 times a typical study's.

    Parameters
    ----------
    points : sequence of float
        Study estimates, plain and shrunken, model scale (log for ratios); not finite: none.
    intervals : sequence of (low, high)
        Intervals of studies and prediction intervals, model scale.
    summaries : sequence of (estimate, low, high)
        Pooled estimates and their intervals, model scale.
    log : bool
        Whether the model scale is a log scale.
    null : float
        Value of no effect, model scale.

    Returns
    -------
    tuple of float
        Low and high end, model scale, padded; low < high.
    """
    shown = np.asarray([p for p in points if math.isfinite(p)], dtype=float)
    pooled = np.asarray([s[0] for s in summaries if math.isfinite(s[0])], dtype=float)
    ends = [(low, high) for low, high in [*intervals, *((s[1], s[2]) for s in summaries)] if low < high]
    halves = [(high - low) / 2 for low, high in ends if math.isfinite(high - low)]
    typical = float(np.median(halves)) if halves else 0.0

    everything = np.concatenate([shown, pooled]) if shown.size + pooled.size else np.asarray([null])
    centre = float(np.median(everything))
    spread = float(np.median(np.abs(everything - centre)))
    window = _OUTLYING * max(typical, spread) or math.inf
    core = np.concatenate([everything[np.abs(everything - centre) <= window], pooled])
    low, high = float(core.min()), float(core.max())
    if min(abs(low - null), abs(high - null)) <= window:
        low, high = min(low, null), max(high, null)

    most = math.log(_MOST_FACTOR) if log else math.inf
    beyond = min(max(_REACH * typical, 0.35 * (high - low)), most)
    lows = [end for end, _ in ends if math.isfinite(end)]
    highs = [end for _, end in ends if math.isfinite(end)]
    # For an infinite end the axis extends as far as it may, so that the arrowhead is apart from the estimate.
    reach_low = -math.inf if any(end == -math.inf for end, _ in ends) else min(lows, default=low)
    reach_high = math.inf if any(end == math.inf for _, end in ends) else max(highs, default=high)
    slack = min(_SLACK * beyond, most)
    wanted_low = reach_low if reach_low >= low - slack else low - beyond
    wanted_high = reach_high if reach_high <= high + slack else high + beyond
    for _, below, above in summaries:
        half = (above - below) / 2
        if math.isfinite(half) and half <= 1.5 * typical and half <= most:
            wanted_low, wanted_high = min(wanted_low, below), max(wanted_high, above)
    low, high = min(low, wanted_low), max(high, wanted_high)
    if low <= null <= high:  # both directions stay visible
        low, high = min(low, null - 0.15 * (high - null)), max(high, null + 0.15 * (null - low))
    if high - low <= max(1e-9 * max(1.0 if log else 0.0, abs(low), abs(high)), 1e-30):  # all the same, but for rounding
        half = math.log(1.5) if log else max(0.1 * abs(low), 0.5)
        low, high = low - half, high + half
    pad = 0.04 * (high - low)
    return low - pad, high + pad


def ticks(
    low: float, high: float, *, log: bool, inches: float, label_width: Callable[[str], float]
) -> tuple[list[float], list[str]]:
    """Choose tick values and their labels: the densest sensible set whose labels do not touch.

    Parameters
    ----------
    low, high : float
        Ends of the axis, natural scale.
    log : bool
        Whether the axis is logarithmic.
    inches : float
        Length of the axis.
    label_width : callable
        Returns the width in inches of a label.

    Returns
    -------
    values : list of float
        Tick values, natural scale.
    labels : list of str
        Plain decimals with a typographic minus; with a power of ten from a million on and where all are below 0.0001.
    """
    best: tuple[list[float], list[str]] = ([], [])
    for values in _candidates(low, high, log=log):
        labels = tick_labels(values)
        if len(values) <= 9 and _apart(values, labels, low, high, log, inches, label_width):
            if len(values) >= 4:
                return values, labels
            best = max(best, (values, labels), key=lambda found: len(found[0]))
    return best if len(best[0]) > 1 else _two_ticks(low, high, log, inches, label_width) or best


def _two_ticks(
    low: float, high: float, log: bool, inches: float, label_width: Callable[[str], float]
) -> tuple[list[float], list[str]] | None:
    """Return no effect and the tick furthest from it whose labels do not touch, or the ends of a set of ticks: two numbers make a scale."""
    null = 1.0 if log else 0.0
    for values in _candidates(low, high, log=log):
        ends = [values[0], values[-1]] if values else []
        pairs = [sorted((null, end)) for end in ends if null in values and end != null]
        for pair in sorted(pairs, key=lambda both: both[0] - both[1]) or ([ends] if len(set(ends)) > 1 else []):
            labels = tick_labels(pair)
            if _apart(pair, labels, low, high, log, inches, label_width):
                return pair, labels
    return None


def _candidates(low: float, high: float, *, log: bool) -> list[list[float]]:
    if not log or high / low <= 4:
        span = high - low
        start = math.floor(math.log10(span)) - 1
        steps = [m * 10.0**e for e in range(start, start + 3) for m in (1, 2, 2.5, 5)]
        sets = [[float(f"{n * s:.12g}") for n in range(math.ceil(low / s), math.floor(high / s) + 1)] for s in steps]
        # More than seven ticks on an even scale read as a ruler.
        return [[v for v in s if low <= v <= high] for s in sets if len(s) <= 7]
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = range(first, last + 1)
    full = [float(f"{m}e{e}") for e in decades for m in (1, 2, 5)]
    fine = [float(f"{m}e{e}") for e in decades for m in (1, 1.5, 2, 3, 5, 7)]
    mixed = [v for v in full if 0.1 <= v <= 10 or f"{v:e}".startswith("1.")]
    thirds = [v for v in full if not f"{v:e}".startswith("2.")]
    sets = [full, fine, mixed, thirds, *([float(f"1e{e}") for e in decades if e % m == 0] for m in (1, 2, 3, 4, 6))]
    return [[v for v in values if low <= v <= high] for values in sets]


def tick_labels(values: Sequence[float]) -> list[str]:
    """Write tick values as plain decimals, or with a power of ten where they are very large or small.

    Parameters
    ----------
    values : sequence of float
        Tick values; evenly spaced ones get the same number of decimals.

    Examples
    --------
    >>> tick_labels([0.01, 0.1, 1, 10]), tick_labels([-0.5, 0, 0.5]), tick_labels([0.75, 1, 1.25])
    (['0.01', '0.1', '1', '10'], ['−0.5', '0', '0.5'], ['0.75', '1.00', '1.25'])
    >>> tick_labels([-5e-9, 0, 5e-9]), tick_labels([1, 1000, 1e6])
    (['−5×10⁻⁹', '0', '5×10⁻⁹'], ['1', '1000', '1×10⁶'])
    """
    largest = max(map(abs, values), default=0.0)
    if 0 < largest < _PLAIN_FROM:
        return [_power_of_ten(value) for value in values]
    gaps = np.diff(np.asarray(values, dtype=float))
    finest = min([*gaps.tolist(), *(abs(value) for value in values if value)], default=1.0)
    exact = min(max(3 - math.floor(math.log10(finest)), 3), 300)
    texts = [f"{float(f'{value:.12g}'):.{exact}f}".rstrip("0").rstrip(".") for value in values]
    if gaps.size > 1 and np.allclose(gaps, gaps[0], rtol=1e-6):
        places = max(len(text.partition(".")[2]) for text in texts)
        texts = [text if text == "0" else f"{value:.{places}f}" for value, text in zip(values, texts, strict=True)]
    # differences of a millionth of the values themselves would be lost in a factor before a power of ten
    coarse = all(float(f"{value:.5g}") == float(f"{value:.12g}") for value in values)
    return [
        _power_of_ten(value)
        if coarse and (abs(value) >= _PLAIN_BELOW or 0 < abs(value) < _PLAIN_FROM)
        else typographic(text)
        for value, text in zip(values, texts, strict=True)
    ]


def _power_of_ten(value: float) -> str:
    factor, exponent = f"{value:.5e}".split("e")
    return typographic(f"{float(factor):g}e{int(exponent)}", powers=True) if value else "0"


def _apart(
    values: Sequence[float],
    labels: Sequence[str],
    low: float,
    high: float,
    log: bool,
    inches: float,
    label_width: Callable[[str], float],
) -> bool:
    scale = math.log if log else float
    positions = [(scale(v) - scale(low)) / (scale(high) - scale(low)) * inches for v in values]
    halves = [label_width(label) / 2 for label in labels]
    return all(positions[i + 1] - positions[i] >= halves[i] + halves[i + 1] + 0.09 for i in range(len(values) - 1))
