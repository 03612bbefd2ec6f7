"""Ledger of a run: what each output was made from, so that a run started again knows what is up to date and why the rest is not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bayesmeta.errors import BayesmetaError, DataError
from bayesmeta.reviews.file_names import ANALYSES, LEDGER_FILE, is_output
from bayesmeta.support.files import append_text, read_bytes, sha256, write_text

#: names of the entries of a review's tables, of the figures of the whole review, of its report, and of what its analyses are made from
#: by the last run's data and settings
TABLES_ENTRY, DRAWN_ENTRY, REPORT_ENTRY, REVIEW_ENTRY = "tables", "figures", "report", "review"
#: names of the entries of a review's documents, and of the table of what changed since an earlier run
DOCUMENTS_ENTRY, CHANGES_ENTRY = "documents", "changes"


def analysis_entry(analysis_id: str) -> str:
    """Return the name of the entry of an analysis' result."""
    return f"analysis {analysis_id}"


def figures_entry(analysis_id: str) -> str:
    """Return the name of the entry of an analysis' figures."""
    return f"figures {analysis_id}"


def entry_analysis(name: str) -> str:
    """Return the analysis whose result an entry is; "" for an entry of figures or tables."""
    return name.removeprefix(analysis_entry("")) if name.startswith(analysis_entry("")) else ""


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: an output, what it was made from, and its files.

    Parameters
    ----------
    name : str
        From ``analysis_entry`` or ``figures_entry``, or ``TABLES_ENTRY``, ``DRAWN_ENTRY``, ``REPORT_ENTRY``, ``DOCUMENTS_ENTRY``,
        ``CHANGES_ENTRY`` or ``REVIEW_ENTRY``.
    made_from : dict
        Part to hash: see ``bayesmeta.reviews.running.fingerprints``.
    files : dict
        Path in the run's folder to the SHA-256 of its bytes; empty where making it failed.
    problem : str
        What failed, completely (no files) or in part.
    data : str
        Of a result: SHA-256 of the file of its study table as it was read.

    Raises
    ------
    TypeError
        If a value is of another type.
    ValueError
        If a file is none that a run writes: a ledger may come from elsewhere, and what it names is replaced and removed. If a text
        is not valid Unicode.
    """

    name: str
    made_from: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    data: str = ""

    def __post_init__(self) -> None:
        texts = [self.name, self.problem, self.data]
        for mapping in (self.made_from, self.files):
            if not isinstance(mapping, Mapping):
                raise TypeError("an entry of the ledger needs mappings")
            texts += [*mapping.keys(), *mapping.values()]
        if not all(isinstance(text, str) for text in texts):
            raise TypeError("an entry of the ledger needs texts")
        "".join(texts).encode()  # half a character cannot be written again
        analysis = entry_analysis(self.name)
        for name in (*self.files, *([f"{ANALYSES}/{analysis}.json"] if analysis else [])):
            if not is_output(name):
                raise ValueError(f"'{name}' is no file of a run")


class Ledger:
    """The ledger in the folder of a run: read when it is opened; a line is added as each output is finished.

    Parameters
    ----------
    folder : pathlib.Path
        Folder of the run. Lines that were cut short when a run was killed, or that no run wrote, are skipped.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        try:
            lines = read_bytes(folder / LEDGER_FILE).decode("utf-8", errors="replace").split("\n")
        except BayesmetaError:
            lines = []
        for line in lines:
            try:
                entry = Entry(**json.loads(line))
                self.entries[entry.name] = entry
            except (ValueError, TypeError, RecursionError):
                continue

    def get(self, name: str) -> Entry:
        """Return an entry; an empty one if there is none."""
        return self.entries.get(name, Entry(name))

    def rewrite(self, names: Iterable[str] | None = None) -> None:
        """Write the ledger again, one line per entry: the given names in their order, by default all."""
        kept = list(self.entries) if names is None else [name for name in names if name in self.entries]
        self.entries = {name: self.entries[name] for name in kept}
        write_text(self.folder / LEDGER_FILE, "".join(_line(entry) for entry in self.entries.values()))

    def add(self, *entries: Entry) -> None:
        """Add entries, flushed to disk; an entry of the same name is replaced."""
        append_text(self.folder / LEDGER_FILE, "".join(_line(entry) for entry in entries))
        self.entries.update({entry.name: entry for entry in entries})

    def why_outdated(self, name: str, made_from: Mapping[str, str]) -> str:
        """Return why an output has to be made (again).

        Parameters
        ----------
        name : str
            Name of the entry.
        made_from : mapping
            What it would be made from now.

        Returns
        -------
        str
            "" if it was made from the same and its files are intact.
        """
        entry = self.entries.get(name)
        if entry is None or not (entry.made_from or entry.problem):
            return "new"
        if not entry.files and entry.problem:
            return "failed before"
        changed = [part for part in made_from if entry.made_from.get(part) != made_from[part]]
        changed += [part for part in entry.made_from if part not in made_from]
        if changed:
            return ", ".join(f"{part} changed" for part in changed)
        return self.damage(entry)

    def damage(self, entry: Entry) -> str:
        """Return which of an entry's files is missing or damaged; "" if none is."""
        for name, known in entry.files.items():
            try:
                if sha256(self.folder / name) != known:
                    return f"damaged file {name}"
            except BayesmetaError:
                return f"missing file {name}"
        return ""


def check_results(out: Path) -> None:
    """Check that the results in the folder of a run are those that were written, before something is made of them.

    Raises
    ------
    DataError
        If one was damaged or changed after the run.
    """
    ledger = Ledger(out)
    for entry in ledger.entries.values():
        for name, known in entry.files.items():
            if name.startswith(f"{ANALYSES}/") and (out / name).is_file() and sha256(out / name) != known:
                raise DataError(
                    "this result was damaged or changed after the run", source=str(out / name), fix="run the review again"
                )  # fmt: skip


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False, sort_keys=True) + "\n"
