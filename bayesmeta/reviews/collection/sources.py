"""Where reviews come from: review.toml files, folders searched for them, and the files Cochrane gives."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bayesmeta.errors import BayesmetaError, SpecError
from bayesmeta.reviews.running.code_digest import code_digest
from bayesmeta.reviews.running.plan import Choice
from bayesmeta.reviews.spec import read_review
from bayesmeta.support.files import sha256, write_json

COCHRANE = (".rm5", ".csv", ".zip")
IMPORTED = "imported"
STAMP = "imported.json"


@dataclass(frozen=True)
class Source:
    """One place a review may come from.

    Parameters
    ----------
    path : pathlib.Path
        A review.toml, the folder that holds one, or a Cochrane file.
    label : str
        How it is called in messages and in the summary: as given, or below the folder that was given.
    """

    path: Path
    label: str

    @property
    def cochrane(self) -> bool:
        """Whether it has to be imported."""
        return self.path.suffix.lower() in COCHRANE


@dataclass(frozen=True)
class Found:
    """A review that can be run.

    Parameters
    ----------
    file : pathlib.Path
        Its review.toml.
    label : str
        Of its source.
    id, title, engine : str
    analyses : tuple of str
        Ids.
    """

    file: Path
    label: str
    id: str
    title: str
    engine: str
    analyses: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """Something that did not succeed.

    Parameters
    ----------
    review : str
        Its id, or where it was looked for if it could not be read.
    analysis : str
        "" if it is the whole review.
    problem : str
    """

    review: str
    analysis: str
    problem: str


def is_one(paths: Iterable[str | os.PathLike[str]]) -> bool:
    """Tell whether what is given is one review rather than a collection."""
    given = [Path(path) for path in paths]
    return len(given) == 1 and not (given[0].is_dir() and not (given[0] / "review.toml").is_file())


def find_sources(paths: Iterable[str | os.PathLike[str]], out: Path | None = None) -> list[Source]:
    """List the reviews that are given or stand in the folders given.

    Parameters
    ----------
    paths : iterable of path
        review.toml files, Cochrane files (.rm5, .csv, .zip), and folders. A folder with a review.toml is that review; any other is
        searched with all below it.
    out : pathlib.Path, optional
        Passed over when it lies in a folder given: what a run wrote is not a review to run.

    Raises
    ------
    SpecError
        If one is not there, or nothing is found.
    """
    found: list[Source] = []
    for given in map(Path, paths):
        if given.is_dir():
            found += [Source(path, path.relative_to(given).as_posix()) for path in _below(given, out)]
        elif given.is_file():
            found.append(Source(given, f"{given.resolve().parent.name}/{given.name}"))
        else:
            raise SpecError(
                f"{given}: no such file or folder; give a review.toml, a Cochrane file, or a folder of them"
            )
    unique = {source.path.resolve(): source for source in found}
    if not unique:
        raise SpecError("no review found: no review.toml and no Cochrane file (.rm5, .csv, .zip) in the folders given")
    return list(unique.values())


def _below(folder: Path, out: Path | None) -> list[Path]:
    """Search a folder: one with a review.toml is a review, and its other files are its tables."""
    if (folder / "review.toml").is_file():
        return [folder / "review.toml"]
    if out is not None and out.exists() and folder.samefile(out):
        return []
    found: list[Path] = []
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            found += _below(path, out)
        elif path.suffix.lower() in COCHRANE:
            found.append(path)
    return found


def review_file(source: Source, room: Path, *, fresh: bool = False) -> Path:
    """Return the review.toml of a source, importing it first if it is a Cochrane file.

    Parameters
    ----------
    source : Source
    room : pathlib.Path
        A Cochrane file is imported into a folder of its name in here, unless it stands there already and neither file nor package
        changed.
    fresh : bool
        Whether to import again in any case.

    Raises
    ------
    BayesmetaError
        If it cannot be imported.
    """
    if not source.cochrane:
        return source.path / "review.toml" if source.path.is_dir() else source.path
    from bayesmeta.reviews.import_cochrane import review_from_cochrane

    content = sha256(source.path)
    # the same name may stand in several folders and formats
    folder = room / f"{source.path.stem}-{content[:8]}"
    stamp = {"sha256": content, "version": code_digest()}
    known = folder / STAMP
    if not fresh and known.is_file() and (folder / "review.toml").is_file():
        try:
            if json.loads(known.read_text(encoding="utf-8")) == stamp:
                return folder / "review.toml"
        except ValueError:
            pass
    file = Path(review_from_cochrane(source.path, folder))
    write_json(known, stamp)
    return file


def look_at(source: Source, room: Path, *, engine: str | None = None, fresh: bool = False) -> Found:
    """Read a source just far enough to know what it holds.

    Raises
    ------
    BayesmetaError
        If it cannot be imported or read.
    """
    file = review_file(source, room, fresh=fresh)
    try:
        review, _ = read_review(file)
    except BayesmetaError as error:
        raise SpecError(str(error)) from None
    ids = tuple(analysis.id for analysis in review.analysis)
    return Found(file, source.label, review.id, review.title, engine or review.settings.engine, ids)


def survey(sources: list[Source], room: Path, choice: Choice) -> tuple[list[Found], list[Failure]]:
    """Look at every source: the reviews that can be run, by their ids, and the failures.

    Raises
    ------
    SpecError
        If no review has an analysis that is asked for.
    """
    found: dict[str, Found] = {}
    failures = []
    for source in sources:
        try:
            known = look_at(source, room, engine=choice.engine, fresh=choice.fresh)
        except BayesmetaError as error:
            failures.append(Failure(source.label, "", str(error)))
            continue
        # ids name folders, so case does not tell them apart
        first = found.setdefault(known.id.lower(), known)
        if first is not known:
            failures.append(
                Failure(source.label, "", f"its id '{known.id}' is that of {first.label}; the first of the two is run")
            )
    for name in choice.only:
        if not any(name in known.analyses for known in found.values()):
            raise SpecError(f"none of the reviews has an analysis '{name}'")
    return [found[name] for name in sorted(found)], failures
