"""Effects of studies with their variances, design, covariance and nesting: ``Effects``."""

from __future__ import annotations

import reprlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from bayesmeta.effects.covariance import Covariance
from bayesmeta.effects.design import Design, mean_only
from bayesmeta.effects.extremes import refuse_extreme
from bayesmeta.effects.measures import MEASURES, find_measure
from bayesmeta.effects.nesting import Nesting, independent
from bayesmeta.errors import DataError, SpecError
from bayesmeta.support.arrays import Array, real_numbers
from bayesmeta.support.display import Displayed, counted

if TYPE_CHECKING:
    import pandas as pd

    from bayesmeta.studies.table import StudyTable


@dataclass(frozen=True, eq=False, repr=False)
class Effects(Displayed):
    """Estimates of effects on the model scale, one per row of the table from which they were computed.

    Without ``design``, ``covariance`` and ``nesting`` it is a pairwise meta-analysis: one coefficient mu, independent estimates, one
    estimate per study.

    Parameters
    ----------
    yi, vi : ndarray, shape (n,)
        Effects (log scale for ratios) and their variances; NaN where a row is not pooled.
    labels : tuple of str
        Label of each row.
    measure : str
        Abbreviation of the effect measure, such as "RR".
    reasons : tuple of str
        "" for a pooled row, else why it is not pooled.
    studies : StudyTable or None
        The study table, or None for effects given as arrays.
    notes : tuple of str
        What was changed in a row before its effect was computed ("0.5 added to all four cells"), or "".
    design : Design, optional
        Design matrix X, shape (n, p), with the names of the coefficients; default: a column of ones named "mu".
    covariance : Covariance, optional
        Block-diagonal sampling covariance S; default: diagonal, ``vi``.
    nesting : Nesting, optional
        Study, and groups within it, of each estimate; default: one estimate per study.
    """

    yi: Array
    vi: Array
    labels: tuple[str, ...]
    measure: str
    reasons: tuple[str, ...]
    studies: StudyTable | None
    notes: tuple[str, ...]
    design: Design = None  # type: ignore[assignment]
    covariance: Covariance = None  # type: ignore[assignment]
    nesting: Nesting = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        if self.design is None:
            object.__setattr__(self, "design", mean_only(len(self.yi)))
        if self.covariance is None:
            object.__setattr__(self, "covariance", Covariance(self.vi))
        if self.nesting is None:
            object.__setattr__(self, "nesting", independent(len(self.yi)))

    def _line(self) -> str:
        scale = " on the log scale" if self.log else ""
        return f"{counted(len(self.yi), 'estimate')} of {self.measure}{scale}, {self.k} pooled"

    def _table(self) -> pd.DataFrame:
        return self.to_frame()

    @property
    def pairwise(self) -> bool:
        """Whether this is a pairwise meta-analysis: X a column of ones, S diagonal, one estimate per study."""
        return self.design.is_mean and self.covariance.diagonal and self.nesting.one_estimate_per_study

    def require_pairwise(self, what: str) -> None:
        """Refuse effects with moderators, correlated estimates or several estimates per study.

        Parameters
        ----------
        what : str
            What treats pairwise meta-analyses only, for the message.

        Raises
        ------
        SpecError
        """
        if self.pairwise:
            return
        reason = (
            "several estimates per study: give nesting='study/estimate' to a function that has it, such as multilevel"
        )
        if not self.design.is_mean:
            reason = f"the coefficients {', '.join(self.design.names)}: regression and fit take them, moderator_evidence compares models"
        elif not self.covariance.diagonal:
            one, two = (self.labels[int(i)] for i in self.covariance.blocks[0][0][:2])
            reason = (
                f"correlated estimates, such as '{one}' and '{two}': use multilevel, or fit with the normal likelihood, which take their "
                "covariance; or leave one estimate per study, for example by combining arms"
            )
        raise SpecError(
            f"{what} pools independent estimates, one per study, without moderators; these effects have {reason}"
        )

    @cached_property
    def sei(self) -> Array:
        """Standard errors on the model scale, shape (n,); NaN where a row is not pooled."""
        return np.sqrt(self.vi)

    @cached_property
    def used(self) -> np.ndarray:
        """Whether each row is pooled, shape (n,)."""
        return np.array([not reason for reason in self.reasons], dtype=bool)

    @property
    def k(self) -> int:
        """Number of pooled rows."""
        return int(self.used.sum())

    @property
    def log(self) -> bool:
        """Whether the effects are log ratios."""
        return MEASURES[self.measure].log

    @property
    def n(self) -> float:
        """Number of participants in the pooled rows; NaN if the table does not give it."""
        if self.studies is None or not self.studies.has("n_e", "n_c"):
            return float("nan")
        columns = self.studies.columns
        return float((columns["n_e"] + columns["n_c"])[self.used].sum())

    def to_frame(self) -> pd.DataFrame:
        """Return a frame with one row per estimate: study, yi, vi, sei (model scale), used, reason, note."""
        import pandas as pd

        values = {"study": list(self.labels), "yi": self.yi, "vi": self.vi, "sei": self.sei, "used": self.used}
        return pd.DataFrame(values | {"reason": list(self.reasons), "note": list(self.notes)})


def effects_from_arrays(
    yi: ArrayLike,
    vi: ArrayLike | None = None,
    sei: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
    measure: str = "GEN",
) -> Effects:
    """Wrap ready-made effects as ``Effects``.

    Parameters
    ----------
    yi : array_like, shape (k,)
        Effects on the model scale (log scale for ratios).
    vi, sei : array_like, shape (k,)
        Variances, or standard errors, on the model scale: exactly one of the two.
    labels : sequence of str, optional
        Study labels; "1", "2", ... by default.
    measure : str
        Abbreviation of the effect measure; "GEN" (an estimate of any kind) by default.

    Raises
    ------
    DataError
        If lengths differ, a value is missing, infinite, or (for a variance or standard error) not positive, a value is beyond
        arithmetic (1e60), or a label appears twice.
    SpecError
        If both or neither of ``vi`` and ``sei`` are given, or the measure is unknown.
    """
    found = find_measure(measure)
    if (vi is None) == (sei is None):
        raise SpecError("give exactly one of vi (variances) and sei (standard errors) with yi")
    name = "vi" if vi is not None else "sei"
    effects = finite_array("yi", yi)
    spread = finite_array(name, vi if vi is not None else sei, positive=True)
    same_length(effects, spread, name)
    names = label_names(labels, len(effects))
    blank = ("",) * len(effects)
    with np.errstate(over="ignore", under="ignore"):
        variances = spread if name == "vi" else spread**2
    refuse_extreme(variances, effects)
    return Effects(effects, variances, names, found.name, blank, None, blank)


def finite_array(name: str, values: ArrayLike | None, *, positive: bool = False) -> Array:
    """Return numbers as an array of shape (k,), all finite and, where asked, above 0.

    Raises
    ------
    DataError
        If they are not one-dimensional, not numbers, or a value is missing, infinite or not positive.
    """
    try:
        array = real_numbers(values)
    except (TypeError, ValueError):
        raise DataError(
            f"{name} should be numbers, but is {reprlib.repr(values)}", fix="Give a one-dimensional array of numbers."
        ) from None
    if array.ndim != 1:
        raise DataError(f"{name} has shape {array.shape}", fix="Give a one-dimensional array.")
    good = np.isfinite(array) & (array > 0) if positive else np.isfinite(array)
    if not good.all():
        i = int(np.flatnonzero(~good)[0])
        should = "finite and above 0" if positive else "finite"
        raise DataError(f"{name}[{i}] = {array[i]:g}, but should be {should}", fix="Leave that study out.")
    return array


def same_length(yi: Array, values: Array, name: str) -> None:
    """Refuse arrays of different lengths.

    Raises
    ------
    DataError
    """
    if yi.shape != values.shape:
        raise DataError(
            f"yi has shape {yi.shape} and {name} has shape {values.shape}",
            fix="Give two one-dimensional arrays of the same length.",
        )


def label_names(labels: Sequence[str] | None, k: int) -> tuple[str, ...]:
    """Return one label per study, each once: as given, or "1", "2", ...

    Raises
    ------
    DataError
        If there are more or fewer labels than studies, or a label appears twice.
    """
    if labels is not None and (isinstance(labels, str) or not isinstance(labels, Iterable)):
        raise DataError(f"labels should be a list with one label per study, but is {labels!r}")
    names = tuple(str(label) for label in labels) if labels is not None else tuple(map(str, range(1, k + 1)))
    if len(names) != k:
        raise DataError(f"{len(names)} labels for {k} effects", fix="Give one label per effect.")
    if len(set(names)) < k:
        label = next(label for label, count in Counter(names).items() if count > 1)
        first = names.index(label)
        i = names.index(label, first + 1)
        raise DataError(
            f"labels[{first}] and labels[{i}] are both '{names[i]}'",
            fix="Results are looked up by label. If these are different studies, give them different labels; if they are estimates "
            "from the same people, keep one of them.",
        )
    return names
