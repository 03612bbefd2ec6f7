"""The kinds of data that a study table can contain, one record per kind."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind of data: its columns, what must be true of them, and its names in messages.

    Parameters
    ----------
    name : str
        The name in code and in ``StudyTable.kind``.
    label : str
        What its columns contain, for messages.
    columns : tuple of str
        The columns it needs, as a user would give them.
    own : tuple of str
        The columns that make the kind: a row with a number in one of them has data of this kind.
    measure : str
        The effect measure suggested where the user names none.
    place : int
        Its columns' place among those of a `StudyTable`: kinds with smaller numbers come first.
    instead : tuple of tuple of str
        Other complete sets of columns, in place of `columns`.
    derived : mapping of str to tuple of str
        Columns of a file from which a needed column is computed where it is absent.
    sizes : tuple of str
        Sizes of the arms, participants or person-time; above 0.
    spreads : tuple of str
        Standard deviations, standard errors and variances; above 0 in files.
    limits : mapping of str to str
        Columns that are at most as large as another one.
    in_revman : bool
        Whether RevMan knows the kind, so that its tables of other kinds contain zeros in these columns.
    zero_is_data : bool
        Whether zeros in all of its own columns can be data: no events.
    """

    name: str
    label: str
    columns: tuple[str, ...]
    own: tuple[str, ...]
    measure: str
    place: int
    instead: tuple[tuple[str, ...], ...] = ()
    derived: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    sizes: tuple[str, ...] = ()
    spreads: tuple[str, ...] = ()
    limits: Mapping[str, str] = field(default_factory=dict)
    in_revman: bool = True
    zero_is_data: bool = False

    @cached_property
    def choices(self) -> tuple[tuple[str, ...], ...]:
        """The complete sets of columns, the usual one first."""
        return (self.columns, *self.instead)

    @cached_property
    def required(self) -> tuple[str, ...]:
        """The columns that are in every complete set."""
        return tuple(name for name in self.columns if all(name in choice for choice in self.choices))

    @cached_property
    def wanted(self) -> str:
        """What a user must give, such as ``yi sei (or yi ci_low ci_high)``."""
        first, *others = (" ".join(choice) for choice in self.choices)
        return first + "".join(f" (or {other})" for other in others)

    @cached_property
    def arm_level(self) -> bool:
        """Whether the data are those of each arm, not an effect that was computed from them."""
        return any(name.endswith("_e") for name in self.columns)

    @cached_property
    def participants(self) -> bool:
        """Whether it needs the number of participants in each arm."""
        return "n_e" in self.columns

    def sources(self, name: str, there: Collection[str]) -> tuple[str, ...]:
        """Return the columns that give a needed column: itself, or those it is computed from; none if some are absent.

        Parameters
        ----------
        name : str
            One of the needed columns.
        there : collection of str
            The columns a table has.
        """
        if name in there:
            return (name,)
        parts = self.derived.get(name, ())
        return parts if all(part in there for part in parts) else ()

    def complete(self, there: Collection[str]) -> bool:
        """Return whether all columns of a complete set are there, or can be computed."""
        return any(all(self.sources(name, there) for name in choice) for choice in self.choices)

    def read_from(self, there: Collection[str]) -> set[str]:
        """Return the columns of a table that contain data of this kind, own and shared ones."""
        names = {*self.own, *self.columns}.intersection(there)
        return names.union(*(self.sources(name, there) for name in self.columns))


_TOTALS = {"n_e": ("events_e", "nonevents_e"), "n_c": ("events_c", "nonevents_c")}
_RECORDS = (
    Kind(
        name="dichotomous",
        label="events",
        columns=("events_e", "n_e", "events_c", "n_c"),
        own=("events_e", "events_c"),
        measure="RR",
        place=0,
        derived=_TOTALS,
        sizes=("n_e", "n_c"),
        limits={"events_e": "n_e", "events_c": "n_c"},
        zero_is_data=True,
    ),
    Kind(
        name="continuous",
        label="means",
        columns=("mean_e", "sd_e", "n_e", "mean_c", "sd_c", "n_c"),
        own=("mean_e", "sd_e", "mean_c", "sd_c"),
        measure="SMD",
        place=1,
        derived=_TOTALS,
        sizes=("n_e", "n_c"),
        spreads=("sd_e", "sd_c"),
    ),
    Kind(
        name="rates",
        label="person-time",
        columns=("events_e", "time_e", "events_c", "time_c"),
        own=("time_e", "time_c"),
        measure="IRR",
        place=4,
        sizes=("time_e", "time_c"),
        in_revman=False,
    ),
    Kind(
        name="oe",
        label="O-E",
        columns=("oe", "v"),
        own=("oe", "v"),
        measure="OE",
        place=3,
        spreads=("v",),
    ),
    Kind(
        name="estimate",
        label="estimates",
        columns=("yi", "sei"),
        own=("yi", "sei", "ci_low", "ci_high"),
        measure="GEN",
        place=2,
        instead=(("yi", "ci_low", "ci_high"),),
        derived={"sei": ("vi",)},
        spreads=("sei",),
    ),
)
#: Kinds of data by name, in the order in which one is preferred where a row has several.
KINDS: Mapping[str, Kind] = {kind.name: kind for kind in _RECORDS}

#: The number columns of a `StudyTable`, in their order there.
NUMERIC = tuple(
    dict.fromkeys(
        name for kind in sorted(_RECORDS, key=lambda one: one.place) for name in (*kind.columns, *kind.own)
    )
)  # fmt: skip
#: Number columns of files from which others are computed: n = events + nonevents, sei = sqrt(vi).
DERIVED = tuple(
    dict.fromkeys(
        part for kind in _RECORDS for parts in kind.derived.values() for part in parts if part not in NUMERIC
    )
)  # fmt: skip
#: The columns that each computed column is computed from.
SOURCES: Mapping[str, tuple[str, ...]] = {name: parts for kind in _RECORDS for name, parts in kind.derived.items()}
#: Columns of whole numbers.
COUNTS = frozenset(name for name in (*NUMERIC, *DERIVED) if name.rpartition("_")[0] in ("events", "n", "nonevents"))
