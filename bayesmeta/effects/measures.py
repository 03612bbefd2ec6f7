"""Effect measures: one record per measure, from which all other modules take its properties.

A new measure is one record in ``MEASURES`` and, where it is computed from arm-level data, one formula in ``bayesmeta.effects.formulas``.
Nothing heavy is imported, so that help texts can be made from these records.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING

from bayesmeta.errors import unknown_name

if TYPE_CHECKING:
    from bayesmeta.support.arrays import Array

Formula = Callable[..., "tuple[Array, Array]"]


@dataclass(frozen=True)
class Measure:
    """An effect measure.

    Parameters
    ----------
    name : str
        Abbreviation, in capitals: the name that users give and tables print.
    label : str
        Name as a heading, such as "Risk ratio".
    phrase : str
        Name inside a sentence, such as "risk ratio".
    kinds : tuple of str
        Kinds of data from which it can be computed (``bayesmeta.studies.kinds``), in order of preference. "estimate" is a ready-made
        effect with its standard error, "oe" O - E with its variance.
    log : bool
        Whether its model scale is the log scale (ratios).
    formulas : mapping of str to callable or str
        For the first kind, where that is arm-level data: name of a variant to its formula, a function or the name of one in
        ``bayesmeta.effects.formulas``; the first variant is the default, and "" is the name where there is only one. A formula takes
        the columns of its kind (for dichotomous data the four cells a, b, c, d) and returns effects and variances on the model scale.
    option : str
        Keyword of ``effect_sizes`` that chooses among variants; "" where there is only one.
    prior_sds : (float, float) or None
        Standard deviations of the default priors, Normal(0, sd) for mu and HalfNormal(sd) for tau, on the model scale; None for a
        measure without a natural scale, whose default prior for mu is flat and for tau scaled to the data.
    undefined : str
        Reason to give for a study for which the formula is undefined.
    zero_cells : {"cells", "variance", "nothing"}
        Where the zero-cell rule "revman" adds 0.5: to all four cells, for the variance only, or nowhere.
    needs_events, needs_nonevents : bool
        Whether studies without events in both arms, and studies with nothing but events in both, are not estimable. A risk ratio
        of the latter is 1.
    mantel_haenszel, peto : bool
        Whether the Mantel-Haenszel and Peto methods pool it.
    null : float
        Value of no effect, on the model scale.
    """

    name: str
    label: str
    phrase: str
    kinds: tuple[str, ...]
    log: bool
    formulas: Mapping[str, Formula | str] = field(default_factory=dict)
    option: str = ""
    prior_sds: tuple[float, float] | None = None
    undefined: str = ""
    zero_cells: str = "cells"
    needs_events: bool = True
    needs_nonevents: bool = True
    mantel_haenszel: bool = False
    peto: bool = False
    null: float = 0.0

    def formula(self, variant: str = "") -> Formula:
        """Return the formula of a variant."""
        found = self.formulas[variant]
        return getattr(import_module("bayesmeta.effects.formulas"), found) if isinstance(found, str) else found


#: standard deviations of the default priors for mu and tau of every log ratio
LOG_RATIO = (2.82, 0.5)

#: effect measures by name
MEASURES: dict[str, Measure] = {
    measure.name: measure
    for measure in (
        Measure(
            "SMD",
            "Standardised mean difference",
            "standardized mean difference",
            ("continuous", "estimate"),
            log=False,
            formulas={"exact": "smd_exact", "revman": "smd_revman"},
            option="smd",
            prior_sds=(2.0, 0.5),
            undefined="the pooled standard deviation is zero or the arms are too small: SMD not estimable",
        ),
        Measure(
            "MD",
            "Mean difference",
            "mean difference",
            ("continuous", "estimate"),
            log=False,
            formulas={"": "mean_difference"},
        ),
        Measure(
            "ROM",
            "Ratio of means",
            "ratio of means",
            ("continuous", "estimate"),
            log=True,
            formulas={"classical": "log_ratio_of_means", "corrected": "log_ratio_of_means_corrected"},
            option="rom",
            prior_sds=LOG_RATIO,
            undefined="the two means are not both positive or both negative: ROM not estimable",
        ),
        Measure(
            "RR",
            "Risk ratio",
            "risk ratio",
            ("dichotomous", "estimate"),
            log=True,
            formulas={"": "log_risk_ratio"},
            prior_sds=LOG_RATIO,
            needs_nonevents=False,
            mantel_haenszel=True,
        ),
        Measure(
            "OR",
            "Odds ratio",
            "odds ratio",
            ("dichotomous", "estimate"),
            log=True,
            formulas={"": "log_odds_ratio"},
            prior_sds=LOG_RATIO,
            mantel_haenszel=True,
            peto=True,
        ),
        Measure(
            "PETO",
            "Peto odds ratio",
            "Peto odds ratio",
            ("dichotomous", "oe"),
            log=True,
            formulas={"": "log_peto_odds_ratio"},
            prior_sds=LOG_RATIO,
            zero_cells="nothing",
            peto=True,
        ),
        Measure(
            "IRR",
            "Incidence rate ratio",
            "incidence rate ratio",
            ("rates", "estimate"),
            log=True,
            formulas={"": "log_rate_ratio"},
            prior_sds=LOG_RATIO,
        ),
        Measure(
            "RD",
            "Risk difference",
            "risk difference",
            ("dichotomous", "estimate"),
            log=False,
            formulas={"": "risk_difference"},
            zero_cells="variance",
            needs_events=False,
            needs_nonevents=False,
            mantel_haenszel=True,
        ),
        Measure("GEN", "Effect", "the estimate as given", ("estimate",), log=False),
        Measure("HR", "Hazard ratio", "hazard ratio", ("estimate", "oe"), log=True, prior_sds=LOG_RATIO),
        Measure(
            "OE",
            "Hazard or odds ratio from O - E",
            "ratio from observed minus expected events",
            ("oe",),
            log=True,
            prior_sds=LOG_RATIO,
        ),
    )
}


def find_measure(name: str) -> Measure:
    """Return the measure with an abbreviation, upper or lower case.

    Raises
    ------
    SpecError
        If there is no such measure; the message suggests the nearest name.
    """
    try:
        return MEASURES[str(name).upper()]
    except KeyError:
        raise unknown_name("measure", name, MEASURES) from None
