"""Which column of a table of arms, or of contrasts between treatments, contains what."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.studies.columns import find_column
from bayesmeta.studies.names import RATIO_NAMES, simplify

#: numbers of an arm, by the name that a table of arms gives them
ARM_NUMBERS = ("events", "n", "mean", "sd", "se", "time")
#: numbers of a contrast between two treatments
CONTRAST_NUMBERS = ("yi", "sei", "se_base", "ci_low", "ci_high")
#: complete sets of the numbers of an arm
ARM_KINDS: Mapping[str, tuple[str, ...]] = {
    "events": ("events", "n"),
    "means": ("mean", "sd", "n"),
    "mean_se": ("mean", "se"),
    "rates": ("events", "time"),
}
#: other names of a column, the best first
_ALIASES: Mapping[str, tuple[str, ...]] = {
    "study": (
        "study", "studlab", "studyc", "studyname", "studyid", "trial", "trialname", "author", "authors", "id", "studyn", "label", "slab",
    ),
    "treatment": ("treatment", "trt", "trtc", "treat", "arm", "intervention", "t", "trtn"),
    "events": ("events", "event", "r", "responders", "cases"),
    "n": ("n", "total", "samplesize", "randomized", "randomised"),
    "mean": ("mean", "y", "m"),
    "sd": ("sd", "stddev", "standarddeviation"),
    "se": ("se", "stderr", "standarderror"),
    "time": ("time", "persontime", "personyears", "patientyears", "exposure", "e"),
}  # fmt: skip
_CONTRAST_ALIASES: Mapping[str, tuple[str, ...]] = {
    "study": _ALIASES["study"],
    "treat1": ("treat1", "treatment1", "trt1", "t1"),
    "treat2": ("treat2", "treatment2", "trt2", "t2"),
    "yi": ("yi", "te", "diff", "estimate", "effect", "es"),
    "sei": ("sei", "sete", "se", "sediff", "stderr", "standarderror"),
    "se_base": ("sebase", "basese", "sebaseline"),
    "ci_low": ("cilow", "cilower", "cilb", "lower", "lowerci", "lcl"),
    "ci_high": ("cihigh", "ciupper", "ciub", "upper", "upperci", "ucl"),
}
#: of a table with one row per arm and the contrast against a base arm
_AGAINST_BASE: Mapping[str, tuple[str, ...]] = {
    "study": _ALIASES["study"],
    "treatment": _ALIASES["treatment"],
    "yi": ("yi", "te", "diff", "estimate", "effect"),
    "sei": ("sei", "sete", "sediff", "se"),
}
_NUMBERED = re.compile(r"(.*?)[\s._\[(,-]*([0-9]+)[\s\])]*")


@dataclass(frozen=True)
class ArmColumns:
    """Positions of the columns of a table.

    Parameters
    ----------
    form : {"long", "wide", "contrasts", "against base"}
        One row per arm; one row per study with numbered columns; one row per contrast; one row per arm with its contrast against the
        study's base arm.
    at : mapping of str to int
        Position of each known column that is there; in a wide table those of arms are named ``"events 1"``.
    arms : tuple of int
        Numbers of the arms of a wide table.
    ratio : str
        Measure of contrasts that are ratios and not their logs, by the name of their column ("HR"); else "".
    """

    form: str
    at: Mapping[str, int]
    arms: tuple[int, ...] = ()
    ratio: str = ""


def arm_columns(header: Sequence[str], columns: Mapping[str, str] | None, source: str) -> ArmColumns:
    """Assign the columns of a table of arms or contrasts, by their names or by the user's map.

    Parameters
    ----------
    header : sequence of str
        Names of the columns.
    columns : mapping of str to str, optional
        The user's map, name of a column to its meaning.
    source : str
        The file, for messages.

    Raises
    ------
    DataError
        If the table has no studies, no treatments, or no complete set of numbers.
    SpecError
        If the map names a column or a meaning that does not exist.
    """
    stated = _stated(header, columns or {})
    free = [at for at in range(len(header)) if at not in stated.values()]
    simple = {simplify(header[at]): at for at in reversed(free)}
    contrasts = {**_by_alias(simple, _CONTRAST_ALIASES), **stated}
    ratios = [name for name in simple if name in RATIO_NAMES]
    ratio = RATIO_NAMES[ratios[0]] if len(ratios) == 1 and "yi" not in contrasts else ""
    if ratio:
        contrasts["yi"] = simple[ratios[0]]
    spread = "sei" in contrasts or {"ci_low", "ci_high"} <= contrasts.keys()
    if {"treat1", "treat2", "yi"} <= contrasts.keys() and spread and not _third_arm(simple):
        at = {name: place for name, place in contrasts.items() if name in _CONTRAST_ALIASES}
        if "sei" in at and not ratio:
            at = {name: place for name, place in at.items() if name not in ("ci_low", "ci_high")}
        found = ArmColumns("contrasts", at, ratio=ratio)
    elif wide := _wide(header, free):
        found = ArmColumns("wide", {**_by_alias(simple, {"study": _ALIASES["study"]}), **wide[0], **stated}, wide[1])
    else:
        long = {**_by_alias(simple, _ALIASES), **stated}
        found = ArmColumns("long", {name: at for name, at in long.items() if name in _ALIASES})
        based = {**_by_alias(simple, _AGAINST_BASE), **stated}
        if set(_AGAINST_BASE) <= based.keys() and not any(set(kind) <= long.keys() for kind in ARM_KINDS.values()):
            found = ArmColumns("against base", {name: at for name, at in based.items() if name in _AGAINST_BASE})
    _require(found, header, source)
    return found


def _stated(header: Sequence[str], columns: Mapping[str, str]) -> dict[str, int]:
    known = (*_ALIASES, *(name for name in _CONTRAST_ALIASES if name not in _ALIASES))
    found: dict[str, int] = {}
    for name, meaning in columns.items():
        if meaning not in known:
            raise unknown_name(f"meaning of the column '{name}':", meaning, known)
        if meaning in found:
            raise SpecError(f"columns maps two columns to '{meaning}'; a table has one of each")
        found[meaning] = find_column(header, name)
    return found


def _by_alias(simple: Mapping[str, int], aliases: Mapping[str, tuple[str, ...]]) -> dict[str, int]:
    found: dict[str, int] = {}
    for meaning, names in aliases.items():
        there = [simple[name] for name in names if name in simple and simple[name] not in found.values()]
        if there:
            found[meaning] = there[0]
    return found


def _third_arm(simple: Mapping[str, int]) -> bool:
    return any(f"{name}3" in simple for name in ("treat", "treatment", "trt", "t"))


def _wide(header: Sequence[str], free: Sequence[int]) -> tuple[dict[str, int], tuple[int, ...]] | None:
    """Return the numbered columns of a wide table, or None where there are no treatments of numbered arms."""
    names = {alias: meaning for meaning, aliases in _ALIASES.items() if meaning != "study" for alias in aliases}
    found: dict[str, int] = {}
    for at in free:
        parts = _NUMBERED.fullmatch(header[at].strip())
        meaning = names.get(simplify(parts[1])) if parts else None
        if parts and meaning:
            found.setdefault(f"{meaning} {int(parts[2])}", at)
    arms = tuple(sorted(int(name.split()[1]) for name in found if name.startswith("treatment ")))
    numbered = {int(name.split()[1]) for name in found if not name.startswith("treatment ")}
    return (found, arms) if len(arms) > 1 and numbered & set(arms) else None


def _require(found: ArmColumns, header: Sequence[str], source: str) -> None:
    """Refuse a table without studies, treatments or a complete set of numbers."""
    listed = ", ".join(f"'{name}'" for name in header)
    if "study" not in found.at:
        raise DataError(
            f"no column names the studies; the columns are {listed}",
            source=source,
            fix="Add a column 'study', or say which of yours it is with columns={'your name': 'study'} (--columns).",
        )
    if found.form == "long" and "treatment" not in found.at:
        raise DataError(
            f"no column names the treatments; the columns are {listed}",
            source=source,
            fix="A table of arms has study, treatment and numbers of each arm; a table of contrasts study, treat1, treat2, yi, sei.",
        )
    if found.form in ("contrasts", "against base"):
        return
    there = {name.split()[0] for name in found.at}
    if not any(set(kind) <= there for kind in ARM_KINDS.values()):
        wanted = "; or ".join(" ".join(kind) for kind in ARM_KINDS.values())
        raise DataError(
            f"the numbers of the arms are not complete; the columns are {listed}",
            source=source,
            fix=f"Give one of: {wanted}. Names of your own are stated with columns={{'deaths': 'events'}} (--columns).",
        )
