"""Notes on averages that have a probability of no effect exactly."""

from __future__ import annotations


def atom_note(probability: float, estimate: float, low: float, high: float, level: float) -> str:
    """Return what a reader must know of an interval that ends at no effect exactly; "" for other intervals.

    A posterior averaged over models with and without an effect has a point mass, an atom, at no effect. Quantiles, and so the ends of an
    interval, can be that point, while the mean of the whole posterior lies beside it.

    Parameters
    ----------
    probability : float
        Posterior probability of no effect exactly.
    estimate, low, high : float
        Posterior mean and equal-tailed interval, model scale, where no effect is 0.
    level : float
        Probability of the interval.

    Examples
    --------
    >>> atom_note(0.97, 0.002, 0.0, 0.0, 0.95)
    'probability 0.97 of no effect exactly, so the 95% interval is that one point; the mean over all models lies outside it'
    >>> atom_note(0.6, 0.2, 0.0, 0.8, 0.95)
    'probability 0.60 of no effect exactly, and the 95% interval ends there'
    >>> atom_note(0.1, 0.2, -0.1, 0.8, 0.95)
    ''
    """
    if probability <= 0 or 0.0 not in (low, high):
        return ""
    # a probability of 1 is not reached
    written = "above 0.99" if probability > 0.99 else f"{probability:.2f}"
    where = "so the {:g}% interval is that one point" if low == high else "and the {:g}% interval ends there"
    outside = "" if low <= estimate <= high else "; the mean over all models lies outside it"
    return f"probability {written} of no effect exactly, {where.format(100 * level)}{outside}"
