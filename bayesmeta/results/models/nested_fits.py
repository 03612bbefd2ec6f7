"""Frequentist fits of dependent estimates by the methods of a review, which share likelihoods."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from bayesmeta.effects.effects import Effects
from bayesmeta.frequentist.multilevel.fit import multilevel, with_tests
from bayesmeta.frequentist.multilevel.result import Multilevel
from bayesmeta.results.methods import NESTED


def nested_fits(effects: Effects, **keywords: Any) -> Callable[[str], Multilevel]:
    """Return what fits a model by the name of a method of ``NESTED``; methods that differ in their tests only have one maximum.

    Parameters
    ----------
    effects : Effects
        The estimates.
    **keywords
        As in ``multilevel``, other than ``method`` and ``ci``.
    """

    @cache
    def by_estimator(name: str) -> Multilevel:
        return multilevel(effects, method=name, **keywords)

    return lambda method: with_tests(by_estimator(NESTED[method].estimator), NESTED[method].ci)
