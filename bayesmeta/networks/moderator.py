"""Network meta-regression: a moderator of the studies that changes the effects of all treatments against the reference alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from bayesmeta.effects.parameter_names import is_network_parameter
from bayesmeta.errors import DataError, SpecError, unknown_name
from bayesmeta.model.priors.distribution import Prior
from bayesmeta.model.priors.parse import parse_prior
from bayesmeta.networks.contrasts import NetworkContrasts
from bayesmeta.networks.exact import Further
from bayesmeta.studies.arms import ArmTable
from bayesmeta.studies.numbers import parse_number
from bayesmeta.support.arrays import Array


def moderator_name(moderator: str | Mapping[str, Any], what: str = "moderator") -> str:
    """Return the name of a moderator, that of the column, or "moderator" for values by study; or of a component.

    Raises
    ------
    SpecError
        If it is the name of a parameter.
    """
    name = moderator if isinstance(moderator, str) else "moderator"
    if is_network_parameter(name):
        raise SpecError(f"the {what} '{name}' has the name of a parameter; rename it")
    return name


def moderator_values(contrasts: NetworkContrasts, moderator: str | Mapping[str, Any]) -> Array:
    """Return the value of a moderator for each study, shape (k,).

    Parameters
    ----------
    contrasts : NetworkContrasts
        The network.
    moderator : str or mapping
        Column of the table of arms, or values by study.

    Raises
    ------
    DataError
        If a study has no value, or a value is no number or differs between its arms.
    SpecError
        If there is no such column.
    """
    if isinstance(moderator, str):
        moderator = _of_column(contrasts.arms, moderator)
    given = {str(study): value for study, value in moderator.items()}
    found = []
    for study in contrasts.studies:
        try:
            value = float(given[study])
        except (KeyError, TypeError, ValueError):
            value = np.nan
        if not np.isfinite(value):
            raise DataError(
                f"study '{study}' has no value of the moderator",
                source=contrasts.source,
                fix="Give it one, or leave the study out.",
            )
        found.append(value)
    return np.array(found)


def _of_column(arms: ArmTable | None, name: str) -> dict[str, float]:
    if arms is None:
        raise SpecError(f"contrasts have no column '{name}'; give the values of the moderator by study, as a mapping")
    if name in arms.extra:
        cells = arms.extra[name]
        try:
            values = [parse_number(cell) if str(cell).strip() else np.nan for cell in cells]
        except DataError as error:
            raise DataError(error.what, source=arms.source, column=name, fix=error.fix) from None
    elif name in arms.columns:
        values = [float(value) for value in arms.columns[name]]
    else:
        raise unknown_name("moderator", name, (*arms.extra, *arms.columns))
    found: dict[str, float] = {}
    for study, value in zip(arms.studies, values, strict=True):
        if found.setdefault(study, value) != value and not np.isnan(value):
            raise DataError(
                f"the arms of study '{study}' have different values of '{name}': {found[study]:g} and {value:g}",
                source=arms.source,
                column=name,
                fix="Give one value per study, such as its mean.",
            )
    return found


def interaction(
    contrasts: NetworkContrasts, reference: int, name: str, values: Array, prior: str | Prior | None, slope_sd: float
) -> Further:
    """Return the coefficient of a moderator that is common to all treatments against the reference.

    In a study with the value x the effect of any treatment against the reference is d + b (x - mean of x over the studies).

    Parameters
    ----------
    contrasts : NetworkContrasts
        The network.
    reference : int
        Which treatment is the reference.
    name : str
        Name of the coefficient.
    values : numpy.ndarray, shape (k,)
        Values of the moderator.
    prior : str, Prior or None
        Prior of b, Normal with mean 0; None: Normal(0, slope_sd / sd(x)).
    slope_sd : float
        Standard deviation of b per standard deviation of x.

    Raises
    ------
    SpecError
        For another prior.
    DataError
        If all studies have the same value, or none compares a treatment with the reference.
    """
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
    if spread == 0:
        raise DataError(
            f"all studies have the same value of the moderator '{name}'", source=contrasts.source, fix="Leave it out."
        )
    active = (contrasts.treat != reference).astype(float) - (contrasts.base != reference)
    column = (values - values.mean())[contrasts.study_of_row] * active
    if not column.any():
        raise DataError(
            f"no study that compares a treatment with the reference '{contrasts.treatments[reference]}' tells about '{name}'",
            source=contrasts.source,
            fix="Choose another reference.",
        )
    # three significant digits, as the prior is printed
    chosen = Prior("Normal", (0.0, float(f"{slope_sd / spread:.3g}"))) if prior is None else parse_prior(prior)
    if chosen.family != "Normal" or chosen.args[0] != 0.0:
        raise SpecError(f"the prior for the moderator '{name}' must be Normal with mean 0 but is {chosen}")
    return Further(column[:, None], (name,), np.array([[chosen.args[1] ** 2]]))
