"""Records of the frequentist methods: estimators of tau2, common-effect methods, confidence and prediction intervals.

Each record has the name that users type, the label that a paper prints and the source of the formula; what computes an
estimate is found by the same name (``heterogeneity.TAU2_ESTIMATORS``). Nothing heavy is imported, so that labels and
help texts can be made from these records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bayesmeta.errors import unknown_name
from bayesmeta.support.arguments import check_level


@dataclass(frozen=True)
class Method:
    """An inverse-variance method, named after its estimator of tau2.

    Parameters
    ----------
    name : str
        Name in arguments and results, upper case.
    label : str
        Name in a paper.
    citation : str
        Authors and year; "" for the common-effect model.
    estimator : str or None
        Key of ``TAU2_ESTIMATORS``; None if tau2 is 0 by assumption.
    aliases : tuple of str
        Other spellings, upper case.
    mantel_haenszel_q : bool
        Whether Cochran's Q is taken around the Mantel-Haenszel estimate rather than the inverse-variance one.
    """

    name: str
    label: str
    citation: str
    estimator: str | None
    aliases: tuple[str, ...] = ()
    mantel_haenszel_q: bool = False


@dataclass(frozen=True)
class CommonEffectMethod:
    """A method that pools 2x2 tables from their counts: its name in results, its label in a paper, authors and year."""

    name: str
    label: str
    citation: str


@dataclass(frozen=True)
class ConfidenceInterval:
    """A confidence interval for the pooled effect.

    Parameters
    ----------
    name, label, citation : str
        Name in arguments, name in a paper, authors and year ("" where the interval is a textbook's).
    df_lost : int or None
        k less the degrees of freedom of t; None for normal quantiles.
    prediction : str
        The prediction interval that "auto" means beside it.
    hartung_knapp : bool
        Whether the standard error is multiplied by the square root of the Hartung-Knapp factor.
    guarded : bool
        Whether that factor is kept from falling below 1.
    """

    name: str
    label: str
    citation: str
    df_lost: int | None
    prediction: str
    hartung_knapp: bool = False
    guarded: bool = False


@dataclass(frozen=True)
class PredictionInterval:
    """A prediction interval for the effect in a new study.

    Parameters
    ----------
    name, label, citation : str
        Name in arguments, name in a paper, authors and year ("" where the interval is a textbook's).
    df_lost : int or None
        k less the degrees of freedom of t; None for normal quantiles.
    hartung_knapp : bool
        Whether the standard error of the mean is the Hartung-Knapp one, guarded if that of the confidence interval is.
    """

    name: str
    label: str
    citation: str
    df_lost: int | None
    hartung_knapp: bool = False


#: Inverse-variance methods by name; "DL-MH" is RevMan's DL, and EB, DLIT and SJIT solve the same equation as PM.
METHODS: Mapping[str, Method] = {
    record.name: record
    for record in (
        Method("CE", "Common effect (inverse variance)", "", None, aliases=("FE", "EE", "COMMON", "FIXED")),
        Method("DL", "DerSimonian-Laird", "DerSimonian and Laird 1986", "DL"),
        Method(
            "DL-MH", "DerSimonian-Laird (Mantel-Haenszel Q)", "Deeks and Higgins 2010", "DL", mantel_haenszel_q=True
        ),
        Method("PM", "Paule-Mandel", "Paule and Mandel 1982", "PM"),
        Method("REML", "REML", "Viechtbauer 2005", "REML"),
        Method("ML", "Maximum likelihood", "Viechtbauer 2005", "ML"),
        Method("EB", "Empirical Bayes", "Morris 1983", "PM"),
        Method("SJ", "Sidik-Jonkman", "Sidik and Jonkman 2005", "SJ"),
        Method("HE", "Hedges", "Hedges 1983", "HE"),
        Method("HS", "Hunter-Schmidt", "Hunter and Schmidt 1990", "HS"),
        Method("HSK", "Hunter-Schmidt, small samples", "Brannick et al. 2019", "HSK"),
        Method("PMM", "Paule-Mandel, median-unbiased", "Viechtbauer 2021", "PMM"),
        Method("DLIT", "DerSimonian-Laird, iterated", "Kontopantelis et al. 2013", "PM"),
        Method("SJIT", "Sidik-Jonkman, iterated", "Sidik and Jonkman 2007", "PM"),
    )
}

#: Common-effect methods by name.
COMMON_EFFECT_METHODS: Mapping[str, CommonEffectMethod] = {
    record.name: record
    for record in (
        CommonEffectMethod("MH", "Mantel-Haenszel", "Mantel and Haenszel 1959"),
        CommonEffectMethod("Peto", "Peto", "Yusuf et al. 1985"),
    )
}

#: Confidence intervals by name.
CI_METHODS: Mapping[str, ConfidenceInterval] = {
    record.name: record
    for record in (
        ConfidenceInterval("wald", "Wald", "", None, "hts"),
        ConfidenceInterval("t", "t", "Follmann and Proschan 1999", 1, "hts"),
        ConfidenceInterval("hksj", "Hartung-Knapp", "Hartung and Knapp 2001", 1, "hk", hartung_knapp=True),
        ConfidenceInterval(
            "hksj_guarded", "guarded Hartung-Knapp", "Roever et al. 2015", 1, "hk", hartung_knapp=True, guarded=True
        ),
    )
}

#: Prediction intervals by name.
PI_METHODS: Mapping[str, PredictionInterval] = {
    record.name: record
    for record in (
        PredictionInterval("hts", "t, k - 2 df", "Higgins, Thompson and Spiegelhalter 2009", 2),
        PredictionInterval("hk", "Hartung-Knapp, k - 1 df", "", 1, hartung_knapp=True),
        PredictionInterval("hk_pr", "Hartung-Knapp, k - 2 df", "Partlett and Riley 2017", 2, hartung_knapp=True),
        PredictionInterval("v", "t, k - 1 df", "Veroniki et al. 2019", 1),
        PredictionInterval("z", "normal quantiles", "", None),
    )
}

_BY_SPELLING = {spelling: record for record in METHODS.values() for spelling in (record.name, *record.aliases)}


def find_records(method: str, ci: str, pi: str, level: float) -> tuple[Method, ConfidenceInterval, PredictionInterval]:
    """Return the records of a method and its intervals, whatever their case, with ``pi="auto"`` resolved.

    Raises
    ------
    SpecError
        If a name is unknown or the level is not in (0, 1).
    """
    record = _BY_SPELLING.get(str(method).upper())
    if record is None:
        raise unknown_name("method", method, METHODS)
    interval = CI_METHODS.get(str(ci).lower())
    if interval is None:
        raise unknown_name("confidence interval", ci, CI_METHODS)
    name = str(pi).lower()
    prediction = PI_METHODS.get(interval.prediction if name == "auto" else name)
    if prediction is None:
        raise unknown_name("prediction interval", pi, ("auto", *PI_METHODS))
    check_level(level)
    return record, interval, prediction
