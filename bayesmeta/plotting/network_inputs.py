"""What figures of networks take: data or fits of a network, levels of risk of bias, and the words at their axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.contrasts import NetworkContrasts, network_contrasts
from bayesmeta.networks.frequentist.result import NetworkMeta
from bayesmeta.networks.posterior import NetworkPosterior
from bayesmeta.studies.arms import ArmTable, ContrastTable
from bayesmeta.support.words import plural
from bayesmeta.support.wrong_kind import is_result, wrong_kind

SIDES = ("lower", "higher")
#: levels of risk of bias as they are written, with their places in ``bayesmeta.reporting.figures.network_parts.RISKS``
RISK_LEVELS = {
    "low": 0, "some concerns": 1, "some": 1, "moderate": 1, "unclear": 1, "medium": 1, "high": 2, "serious": 2, "critical": 2,
    "not assessed": 3, "no information": 3, "": 3,
}  # fmt: skip
Fit = NetworkPosterior | NetworkMeta


def contrasts_of(data: Any, measure: str | None = None, what: str = "") -> NetworkContrasts:
    """Return the contrasts behind a fit, or those of data; ``what`` is the function that draws them, for messages.

    Raises
    ------
    SpecError
        If a measure is given with a fit, or it is a result of another kind.
    """
    if isinstance(data, NetworkPosterior | NetworkMeta):
        if measure is not None:
            raise SpecError("a fit has its measure already; leave measure= out")
        return data.contrasts if isinstance(data, NetworkPosterior) else data.data
    if is_result(data) and not isinstance(data, ArmTable | ContrastTable | NetworkContrasts):
        raise wrong_kind(what, "a table of arms or contrasts, or a network", data)
    return network_contrasts(data, measure)


def fit_of(net: Any, what: str) -> Fit:
    """Return a fit of a network.

    Raises
    ------
    SpecError
        If it is something else.
    """
    if isinstance(net, NetworkPosterior | NetworkMeta):
        return net
    raise wrong_kind(what, "a network, as network() or network_meta() return it", net)


def side_of(net: Fit, better: str | None, *, needed: str = "") -> str | None:
    """Return the side of benefit, by default that of the network.

    Raises
    ------
    SpecError
        If it is unknown, or not given although ``needed`` says what for.
    """
    own = net.better if isinstance(net, NetworkPosterior) else None
    side = own if better is None else better
    if side is None and needed:
        raise SpecError(f"{needed} needs the side of benefit: better='higher' or better='lower'")
    if side is not None and side not in SIDES:
        raise unknown_name("side of benefit", side, SIDES)
    return side


def risk_places(contrasts: NetworkContrasts, risk: str | Mapping[str, str] | None) -> dict[str, int]:
    """Return the level of risk of bias of each study; empty without any.

    Parameters
    ----------
    contrasts : NetworkContrasts
        The network.
    risk : str or mapping of str to str, optional
        Column of the table of arms, or levels by study; studies without one are not assessed.

    Raises
    ------
    SpecError
        If a study, a column or a level is unknown, or arms of one study have different levels.
    """
    if risk is None:
        return {}
    if isinstance(risk, str):
        texts = column_of_studies(contrasts, risk)
    else:
        known = (*contrasts.studies, *contrasts.left_out)
        for study in risk:
            if str(study) not in known:
                raise unknown_name("study", study, contrasts.studies)
        texts = {str(study): str(level) for study, level in risk.items()}
    for level in texts.values():
        if level.strip().casefold() not in RISK_LEVELS:
            raise unknown_name("level of risk of bias", level, [name for name in RISK_LEVELS if name])
    return {study: RISK_LEVELS[texts.get(study, "").strip().casefold()] for study in contrasts.studies}


def column_of_studies(contrasts: NetworkContrasts, name: str) -> dict[str, str]:
    """Return the text of a column of the table of arms by study.

    Raises
    ------
    SpecError
        If there is no such column, or arms of one study differ in it.
    """
    arms = contrasts.arms
    if arms is None:
        raise SpecError(
            f"contrasts have no column '{name}'; give values by study, such as {{'{contrasts.studies[0]}': ...}}"
        )
    if name not in arms.extra:
        raise unknown_name("column of the table of arms", name, tuple(arms.extra))
    found: dict[str, str] = {}
    for study, text in zip(arms.studies, arms.extra[name], strict=True):
        if found.setdefault(study, text) != text:
            raise SpecError(
                f"the arms of '{study}' have '{found[study]}' and '{text}' in column '{name}'; it should be one value per study"
            )
    return found


def left_out_notes(contrasts: NetworkContrasts) -> list[str]:
    """Return a note on studies that are not in the network."""
    if not contrasts.left_out:
        return []
    reasons = "; ".join(f"{study} ({reason})" for study, reason in contrasts.left_out.items())
    return [f"Without {plural(len(contrasts.left_out), 'study', 'studies')}: {reasons}"]


def favours(first: str, second: str, better: str | None) -> tuple[str, str]:
    """Return what low and high effects of a first treatment against a second favour; empty texts without a side of benefit."""
    if better is None:
        return "", ""
    words = (f"favours {first}", f"favours {second}")
    return words if better == "lower" else (words[1], words[0])


def is_log(measure: str) -> bool:
    """Return whether effects of a measure are logs of ratios."""
    return MEASURES[measure].log


def ordered(names: Sequence[str], order: Sequence[str] | None) -> list[int]:
    """Return positions of treatments in a stated order.

    Raises
    ------
    SpecError
        If a name is unknown, missing or given twice.
    """
    if order is None:
        return list(range(len(names)))
    wanted = [str(name) for name in order]
    for name in wanted:
        if name not in names:
            raise unknown_name("treatment", name, names)
    if sorted(wanted) != sorted(names):
        missing = [name for name in names if name not in wanted]
        raise SpecError(
            f"order should have every treatment once; missing: {', '.join(missing) or 'none, but one is given twice'}"
        )
    return [names.index(name) for name in wanted]
