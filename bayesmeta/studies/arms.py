"""Tables of arms and of contrasts between treatments, for network meta-analysis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from bayesmeta.studies.arm_columns import ARM_KINDS
from bayesmeta.support.arrays import Array
from bayesmeta.support.display import Displayed
from bayesmeta.support.words import plural

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False, repr=False)
class ArmTable(Displayed):
    """Arms of trials, one row per arm; the arms of a study are neighbours, studies in the order of their first row.

    Parameters
    ----------
    studies, treatments : tuple of str
        Study and treatment of each of n arms.
    columns : mapping of str to numpy.ndarray, shape (n,)
        Numbers of the arms: ``events n``, ``mean sd n``, ``mean se`` or ``events time``, as far as they are there; NaN where blank.
    extra : mapping of str to tuple of str
        Other columns of the table, as text.
    lumping : mapping of str to str
        Name in the table to the name that replaces it, for treatments that were renamed or lumped.
    notes : tuple of str
        What was recognised or changed while reading.
    source : str
        The file, or ``"DataFrame"``.
    """

    studies: tuple[str, ...]
    treatments: tuple[str, ...]
    columns: Mapping[str, Array]
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    lumping: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    source: str = "DataFrame"

    def _line(self) -> str:
        studies, treatments = len(set(self.studies)), len(set(self.treatments))
        return f"{len(self.studies)} arms of {plural(studies, 'study', 'studies')}, {treatments} treatments ({', '.join(self.columns)})"

    def _table(self) -> pd.DataFrame:
        return self.to_frame()

    @property
    def kinds(self) -> tuple[str, ...]:
        """Kinds of data that every arm has: "events", "means", "mean_se", "rates"; the first is the usual one."""
        return tuple(
            kind
            for kind, names in ARM_KINDS.items()
            if all(name in self.columns and not np.isnan(self.columns[name]).any() for name in names)
        )

    def rows_by_study(self) -> dict[str, list[int]]:
        """Return the rows of each study."""
        found: dict[str, list[int]] = {}
        for row, study in enumerate(self.studies):
            found.setdefault(study, []).append(row)
        return found

    def take(self, rows: Any) -> ArmTable:
        """Return the table with only these rows, in this order."""
        at = [int(row) for row in rows]
        return ArmTable(
            tuple(self.studies[i] for i in at),
            tuple(self.treatments[i] for i in at),
            {name: values[at] for name, values in self.columns.items()},
            {name: tuple(texts[i] for i in at) for name, texts in self.extra.items()},
            self.lumping,
            self.notes,
            self.source,
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame: study, treatment, numbers and other columns."""
        import pandas as pd

        numbers = {name: np.array(values) for name, values in self.columns.items()}
        return pd.DataFrame(
            {"study": list(self.studies), "treatment": list(self.treatments), **numbers}
            | {name: list(texts) for name, texts in self.extra.items() if name not in numbers}
        )


@dataclass(frozen=True, eq=False, repr=False)
class ContrastTable(Displayed):
    """Contrasts between the treatments of trials, one row per contrast: ``yi`` is the effect of treat1 against treat2.

    Parameters
    ----------
    studies, treat1, treat2 : tuple of str
        Study and treatments of each of m contrasts.
    yi, sei : numpy.ndarray, shape (m,)
        Contrasts on the model scale (logs of ratios) and their standard errors.
    se_base : numpy.ndarray, shape (m,), or None
        Standard error of the arm that all contrasts of a study share; NaN where it is not given.
    lumping : mapping of str to str
        Name in the table to the name that replaces it.
    source : str
        The file, or ``"DataFrame"``.
    measure : str
        Measure that the name of the column of ratios states ("HR"), else "".
    extra : mapping of str to tuple of str
        Other columns of the table, as text.
    """

    studies: tuple[str, ...]
    treat1: tuple[str, ...]
    treat2: tuple[str, ...]
    yi: Array
    sei: Array
    se_base: Array | None = None
    lumping: Mapping[str, str] = field(default_factory=dict)
    source: str = "DataFrame"
    measure: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def _line(self) -> str:
        studies, treatments = len(set(self.studies)), len({*self.treat1, *self.treat2})
        return f"{len(self.studies)} contrasts of {plural(studies, 'study', 'studies')}, {treatments} treatments"

    def _table(self) -> pd.DataFrame:
        return self.to_frame()

    def take(self, rows: Any) -> ContrastTable:
        """Return the table with only these rows, in this order."""
        at = [int(row) for row in rows]
        return replace(
            self,
            studies=tuple(self.studies[i] for i in at),
            treat1=tuple(self.treat1[i] for i in at),
            treat2=tuple(self.treat2[i] for i in at),
            yi=self.yi[at],
            sei=self.sei[at],
            se_base=None if self.se_base is None else self.se_base[at],
            extra={name: tuple(texts[i] for i in at) for name, texts in self.extra.items()},
        )

    def to_frame(self) -> pd.DataFrame:
        """Return a DataFrame: study, treat1, treat2, yi, sei and, where given, se_base."""
        import pandas as pd

        frame = pd.DataFrame({"study": list(self.studies), "treat1": list(self.treat1), "treat2": list(self.treat2)})
        frame = frame.assign(yi=self.yi, sei=self.sei)
        return frame if self.se_base is None else frame.assign(se_base=self.se_base)
