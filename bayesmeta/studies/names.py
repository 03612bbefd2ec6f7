"""The names that RevMan, R meta and metafor give to the columns of a study table."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

_ARMS = {
    "e": ("experimental", "intervention", "treatment", "treat", "treated", "exp"),
    "c": ("control", "ctrl", "comparator", "controls"),
}
_ARM_LETTERS = {"e": ("e", "1", "t"), "c": ("c", "2")}
_STATISTICS = {
    "events": ("events", "event", "cases"),
    "n": ("n", "total", "totals", "samplesize"),
    "mean": ("mean", "means"),
    "sd": ("sd", "stddev", "standarddeviation", "stdev"),
    "time": ("persontime", "personyears", "patientyears", "persondays", "personmonths", "exposuretime"),
}
_OTHER = {
    "events_e": "ai tpos x1i",
    "events_c": "ci cpos x2i",
    "time_e": "t1i timee timeexperimental timeintervention timeexp",
    "time_c": "t2i timec timecontrol timectrl",
    "nonevents_e": "bi tneg noneventse",
    "nonevents_c": "di cneg noneventsc",
    "n_e": "n1i",
    "n_c": "n2i",
    "mean_e": "m1i",
    "mean_c": "m2i",
    "sd_e": "sd1i",
    "sd_c": "sd2i",
    "yi": "yi te givmean givestimate estimate effect effectsize es y logor logrr loghr lnor lnrr lnhr "
    "logoddsratio logriskratio loghazardratio",
    "sei": "sei sete se givse stderr standarderror seyi selogor selogrr seloghr selnor selnrr selnhr",
    "vi": "vi",
    "ci_low": "cilow cilower cilb lower lowerci cil lcl lci 95%cilower lower95%ci lower95ci 95%cilow",
    "ci_high": "cihigh ciupper ciub upper upperci ciu ucl uci 95%ciupper upper95%ci upper95ci 95%cihigh",
    "oe": "oe ominuse observedminusexpected",
    "v": "oevariance varianceoe voe",
    "study": "study studlab slab studyorsubgroup",
    "exclude": "exclude excluded exclusion exclusionreason excludereason reasonforexclusion",
}
#: Names of an estimate that also state its measure: ratios on the natural scale, and all others.
_RATIOS = {
    "HR": "hr hazardratio", "OR": "or oddsratio", "RR": "rr riskratio relativerisk", "ROM": "rom ratioofmeans",
    "IRR": "irr rateratio incidencerateratio",
}  # fmt: skip
_ESTIMATES = {
    "HR": "loghr lnhr loghazardratio", "OR": "logor lnor logoddsratio", "RR": "logrr lnrr logriskratio", "IRR": "logirr lnirr",
    "SMD": "smd d g hedgesg cohensd cohend", "MD": "md meandifference", "RD": "rd riskdifference",
    "GEN": "beta b z coef coefficient",
}  # fmt: skip


def simplify(name: str) -> str:
    """Reduce a column's name to its letters, digits and percent signs, in lower case.

    Examples
    --------
    >>> simplify("Std. dev_1"), simplify("O-E")
    ('stddev1', 'oe')
    """
    return _simplified(name) if len(name) < 100 else _simplified.__wrapped__(name)


@lru_cache(maxsize=1024)
def _simplified(name: str) -> str:
    return "".join(char for char in name.casefold() if char.isalpha() or char in "0123456789%")


def _build() -> dict[str, str]:
    names = {alias: target for target, text in _OTHER.items() for alias in text.split()}
    for statistic, words in _STATISTICS.items():
        for arm, arm_names in _ARMS.items():
            for word in words:
                names |= {word + letter: f"{statistic}_{arm}" for letter in _ARM_LETTERS[arm]}
                for arm_name in arm_names:
                    names |= {word + arm_name: f"{statistic}_{arm}", arm_name + word: f"{statistic}_{arm}"}
    for name in _measures(_ESTIMATES):
        names |= {
            start + name: "sei" for start in ("se", "seof", "stderr", "standarderror") if start + name not in names
        }
    return names


def _measures(names: Mapping[str, str]) -> dict[str, str]:
    return {name: measure for measure, text in names.items() for name in text.split()}


#: Measure of ratios on the natural scale, by the simplified name of their column.
RATIO_NAMES: Mapping[str, str] = _measures(_RATIOS)
#: Measure of every estimate whose column's simplified name states it.
ESTIMATE_NAMES: Mapping[str, str] = {**_measures(_ESTIMATES), **RATIO_NAMES}
#: Canonical name of a column by its simplified name.
ALIASES: Mapping[str, str] = _build()
