"""State of a run's folder: which analyses have no result, and which results are of an earlier run, of other data or settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bayesmeta.reviews.running.code_digest import digest
from bayesmeta.reviews.running.ledger import REVIEW_ENTRY, Entry, Ledger, analysis_entry
from bayesmeta.reviews.spec import Review
from bayesmeta.support.words import plural

#: number of analyses that a notice names
NAMED = 20


@dataclass(frozen=True)
class State:
    """What the tables and the report of a folder have to say about it.

    Parameters
    ----------
    total : int
        Number of analyses of the review.
    failed, not_run, outdated : tuple of str
        Analyses that failed as a whole, that were not run yet, and whose result is of other data, settings or code than the last run's.
    """

    total: int
    failed: tuple[str, ...] = ()
    not_run: tuple[str, ...] = ()
    outdated: tuple[str, ...] = ()

    @property
    def notice(self) -> str:
        """Sentences for readers; "" if every analysis has its result."""
        parts = []
        missing = len(self.failed) + len(self.not_run)
        if missing:
            why = [f"failed: {_names(self.failed)}"] if self.failed else []
            why += [f"not run yet: {_names(self.not_run)}"] if self.not_run else []
            parts.append(
                f"Incomplete: {missing} of {plural(self.total, 'analysis', 'analyses')} without a result ({'; '.join(why)})."
            )
        if self.outdated:
            parts.append(
                f"Of an earlier run, made from other data, settings or code than the rest: {_names(self.outdated)}."
            )
        return " ".join(parts)


def expected_entry(made_from: Mapping[str, Mapping[str, str]]) -> Entry:
    """Return the entry of the ledger that records what each analysis of the review is made from, by the data and settings of a run."""
    return Entry(REVIEW_ENTRY, {name: digest(dict(parts)) for name, parts in made_from.items()})


def state_of(review: Review, ledger: Ledger) -> State:
    """Compare the results that a ledger lists with what its last run expected."""
    expected = ledger.get(REVIEW_ENTRY).made_from
    failed: list[str] = []
    not_run: list[str] = []
    outdated: list[str] = []
    for analysis in review.every_analysis:
        entry = ledger.get(analysis_entry(analysis.id))
        if not entry.files:
            (failed if entry.problem else not_run).append(analysis.id)
        elif expected.get(analysis.id, "") not in ("", digest(dict(entry.made_from))):
            outdated.append(analysis.id)
    return State(len(review.every_analysis), tuple(failed), tuple(not_run), tuple(outdated))


def with_notice(review: Review, state: State) -> Review:
    """Return the review with the state of its results added to the notice of its tables and report."""
    notice = " ".join(filter(None, (review.notice, state.notice)))
    return review.model_copy(update={"notice": notice})


def _names(names: tuple[str, ...]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
