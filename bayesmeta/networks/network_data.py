"""Contrasts of a network of trials: each study's effects against its first arm, with their covariance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from bayesmeta.effects.measures import MEASURES
from bayesmeta.errors import SpecError, unknown_name
from bayesmeta.networks.arm_values import StudyContrasts
from bayesmeta.studies.arms import ArmTable
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed
from bayesmeta.support.words import plural

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class NetworkContrasts(Displayed):
    """Contrasts of k studies on the model scale (log for ratios), each against the first arm of its study.

    Parameters
    ----------
    measure : str
        Name of the effect measure.
    treatments : tuple of str
        Names of the T treatments, sorted; ``treat`` and ``base`` are positions among them.
    studies : tuple of str
        Names of the k studies that enter.
    y : numpy.ndarray, shape (m,)
        Effect of each other arm against its study's first arm; m = arms - studies. The rows of a study are neighbours.
    treat, base : numpy.ndarray of int, shape (m,)
        Treatment of each row, and of its study's first arm: y estimates d[treat] - d[base].
    S : numpy.ndarray, shape (m, m)
        Sampling covariance, block-diagonal by study.
    slices : tuple of slice
        Rows of each study.
    arms : ArmTable or None
        Data of the arms of these studies, in the same order, each study's first arm first; None for ready-made contrasts.
    left_out : mapping of str to str
        Studies that are not estimable, with the reason.
    notes : tuple of str
        What was changed in the data, and remarks of their reading.
    lumping : mapping of str to str
        Names of treatments that were replaced: name in the table to name here.
    source : str
        The file, or ``"DataFrame"``.
    """

    measure: str
    treatments: tuple[str, ...]
    studies: tuple[str, ...]
    y: Array
    treat: Array
    base: Array
    S: Array
    slices: tuple[slice, ...]
    arms: ArmTable | None = None
    left_out: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    lumping: Mapping[str, str] = field(default_factory=dict)
    source: str = "DataFrame"

    def _line(self) -> str:
        return f"{self.measure}, {plural(self.k, 'study', 'studies')}, {self.n_arms} arms, {len(self.treatments)} treatments"

    def _table(self) -> pd.DataFrame:
        return self.to_frame()

    @property
    def k(self) -> int:
        """Number of studies."""
        return len(self.studies)

    @property
    def m(self) -> int:
        """Number of contrasts: arms less studies."""
        return len(self.y)

    @property
    def n_arms(self) -> int:
        """Number of arms."""
        return self.m + self.k

    @property
    def log(self) -> bool:
        """Whether the effects are log ratios."""
        return MEASURES[self.measure].log

    @cached_property
    def R(self) -> Array:  # noqa: N802
        """Covariance of the random effects at tau = 1, shape (m, m): 1 on the diagonal, 1/2 within a study, else 0."""
        return np.where(self.same_study, 0.5 + 0.5 * np.eye(self.m), 0.0)

    @cached_property
    def study_of_row(self) -> Array:
        """Position of the study of each row, int of shape (m,)."""
        return np.repeat(np.arange(self.k), [rows.stop - rows.start for rows in self.slices])

    @cached_property
    def same_study(self) -> Array:
        """Whether two rows are of one study, bool of shape (m, m)."""
        return self.study_of_row[:, None] == self.study_of_row

    @cached_property
    def arms_of_studies(self) -> tuple[tuple[int, ...], ...]:
        """Treatments of each study, its first arm first."""
        return tuple((int(self.base[rows.start]), *(int(t) for t in self.treat[rows])) for rows in self.slices)

    @cached_property
    def incidence(self) -> Array:
        """Matrix of shape (m, T): 1 at the treatment of a row, -1 at its base, so that E(y) = incidence @ d."""
        x = np.zeros((self.m, len(self.treatments)))
        rows = np.arange(self.m)
        x[rows, self.treat] = 1.0
        x[rows, self.base] = -1.0
        return x

    def position(self, treatment: str | int | None) -> int:
        """Return the position of a treatment by name; None is the first.

        Raises
        ------
        SpecError
            For a name that no treatment has.
        """
        if treatment is None:
            return 0
        name = str(treatment)
        name = str(self.lumping.get(name, name))
        if name not in self.treatments:
            raise unknown_name("treatment", treatment, self.treatments)
        return self.treatments.index(name)

    def design(self, reference: str | int | None = None) -> Array:
        """Return the design matrix of the basic parameters, shape (m, T - 1): effects of the others against a reference."""
        return np.delete(self.incidence, self.position(reference), axis=1)

    def basic(self, reference: str | int | None = None) -> tuple[str, ...]:
        """Return the treatments of the basic parameters, in the order of ``design``'s columns: all but the reference."""
        at = self.position(reference)
        return tuple(name for i, name in enumerate(self.treatments) if i != at)

    def subset(self, studies: Sequence[str]) -> NetworkContrasts:
        """Return the network of some studies; treatments that none of them has are gone.

        Raises
        ------
        SpecError
            For a name that no study has, or none at all.
        """
        for name in studies:
            if name not in self.studies:
                raise unknown_name("study", name, self.studies)
        if not len(studies):
            raise SpecError("a network needs at least one study")
        wanted = set(studies)
        keep = [i for i, name in enumerate(self.studies) if name in wanted]
        blocks = [StudyContrasts(self.y[self.slices[i]], self.S[self.slices[i], self.slices[i]]) for i in keep]
        named = [tuple(self.treatments[t] for t in self.arms_of_studies[i]) for i in keep]
        names = [self.studies[i] for i in keep]
        arms = None
        if self.arms is not None:
            arms = self.arms.take([row for row, name in enumerate(self.arms.studies) if name in wanted])
        return replace(
            assembled(self.measure, names, named, blocks), arms=arms, lumping=self.lumping, source=self.source
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame with one row per contrast: study, treat, base, yi, sei."""
        import pandas as pd

        return pd.DataFrame(
            {
                "study": [self.studies[i] for i in self.study_of_row],
                "treat": [self.treatments[i] for i in self.treat],
                "base": [self.treatments[i] for i in self.base],
                "yi": self.y,
                "sei": np.sqrt(np.diagonal(self.S)),
            }
        )


def by_name(name: str) -> tuple[int, int, str, str]:
    """Return the key by which treatments are sorted: numbers by their value, then names whatever their case."""
    return (0, int(name), "", "") if name.isdecimal() and len(name) < 20 else (1, 0, name.casefold(), name)


def assembled(
    measure: str, studies: Sequence[str], arms: Sequence[tuple[str, ...]], blocks: Sequence[StudyContrasts]
) -> NetworkContrasts:
    """Return the contrasts of studies as one record."""
    treatments = tuple(sorted({name for names in arms for name in names}, key=by_name))
    at = {name: i for i, name in enumerate(treatments)}
    sizes = [len(block.y) for block in blocks]
    ends = np.cumsum(sizes)
    slices = tuple(slice(int(end) - size, int(end)) for end, size in zip(ends, sizes, strict=True))
    s = np.zeros((int(ends[-1]), int(ends[-1])))
    for rows, block in zip(slices, blocks, strict=True):
        s[rows, rows] = block.covariance
    treat = np.array([at[name] for names in arms for name in names[1:]], dtype=int)
    base = np.array([at[names[0]] for names in arms for _ in names[1:]], dtype=int)
    y = np.concatenate([block.y for block in blocks])
    return NetworkContrasts(measure, treatments, tuple(studies), y, treat, base, s, slices)
