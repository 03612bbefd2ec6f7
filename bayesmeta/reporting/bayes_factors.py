"""Bayes factors as text, from their natural logs, which no Bayes factor is too large for."""

from __future__ import annotations

import math
from typing import Any

from bayesmeta.reporting.numbers import is_missing, significant

#: natural logs of the largest Bayes factor that is written, and of the smallest that a float has with all its digits
_LOG_LARGEST, _LOG_SMALLEST = 308 * math.log(10), -307 * math.log(10)


def bayes_factor(log_bf: Any, *, missing: str = "") -> str:
    """Write a Bayes factor, given its natural log, with three significant digits; very large or small, with a power of ten.

    Parameters
    ----------
    log_bf : float
        Natural log of the Bayes factor.
    missing : str
        Text for NaN.

    Examples
    --------
    >>> bayes_factor(1.2), bayes_factor(-9.3), bayes_factor(700.0), bayes_factor(2000.0), bayes_factor(-2000.0)
    ('3.32', '9.1e-05', '1.0e304', '> 1e308', '< 1e-307')
    """
    if is_missing(log_bf):
        return missing
    if log_bf > _LOG_LARGEST:
        return "> 1e308"
    if log_bf < _LOG_SMALLEST:
        return "< 1e-307"
    value = math.exp(log_bf)
    return significant(value, 3) if 1e-3 < value < 1e5 else f"{value:.1e}".replace("e+", "e")
