"""What each result was made from, written beside it, so that a run started again knows what still holds and why the rest does not."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bayesmeta.errors import BayesmetaError
from bayesmeta.support.files import append_text, sha256, write_text

LEDGER_FILE = "ledger.jsonl"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger: something made, what it was made from, and the files it stands in.

    Parameters
    ----------
    name : str
        ``"analysis 1.1"``, ``"figures 1.1"`` or ``"tables"``.
    made_from : dict
        Part to hash: see ``bayesmeta.reviews.running.fingerprints``.
    files : dict
        Path in the run's folder to the SHA-256 of its bytes; empty where the making failed.
    problem : str
        What went wrong, in whole (no files) or in part.
    """

    name: str
    made_from: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


class Ledger:
    """The ledger of a run's folder: read when it is opened, a line added as each thing is finished.

    Parameters
    ----------
    folder : pathlib.Path
        Of the run. Lines that were cut short when a run was killed are passed over.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        try:
            lines = (folder / LEDGER_FILE).read_text(encoding="utf-8", errors="replace").split("\n")
        except OSError:
            lines = []
        for line in lines:
            try:
                entry = Entry(**json.loads(line))
                self.entries[entry.name] = entry
            except (ValueError, TypeError):
                continue

    def tidy(self, names: Iterable[str] | None = None) -> None:
        """Write the ledger anew, one line an entry: the given names in their order; default all, as they stand."""
        kept = list(self.entries) if names is None else [name for name in names if name in self.entries]
        self.entries = {name: self.entries[name] for name in kept}
        write_text(self.folder / LEDGER_FILE, "".join(_line(entry) for entry in self.entries.values()))

    def add(self, *entries: Entry) -> None:
        """Add entries, flushed to disk; one of the same name is replaced."""
        append_text(self.folder / LEDGER_FILE, "".join(_line(entry) for entry in entries))
        self.entries.update({entry.name: entry for entry in entries})

    def why_not(self, name: str, made_from: Mapping[str, str]) -> str:
        """Say why something has to be made (again).

        Parameters
        ----------
        name : str
            Of the entry.
        made_from : mapping
            What it would be made from now.

        Returns
        -------
        str
            "" if what is there was made from the same and its files are whole.
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
        """Say which of an entry's files is missing or damaged; "" if none is."""
        for name, known in entry.files.items():
            try:
                if sha256(self.folder / name) != known:
                    return f"damaged file {name}"
            except BayesmetaError:
                return f"missing file {name}"
        return ""


def _line(entry: Entry) -> str:
    return json.dumps(asdict(entry), ensure_ascii=False, sort_keys=True) + "\n"
