"""Sources of reviews: review.toml files, Cochrane files, and folders searched for them."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bayesmeta.errors import BayesmetaError, SpecError, error_text
from bayesmeta.reviews.file_names import LOCK_FILE, REVIEW_TOML, ROWS_FILE, toml_file
from bayesmeta.reviews.running.code_digest import code_digest
from bayesmeta.reviews.running.plan import Choice
from bayesmeta.reviews.spec import read_review
from bayesmeta.support.arguments import checked_path
from bayesmeta.support.files import is_disk_full, read_bytes, sha256
from bayesmeta.support.json_files import write_json

#: suffixes of Cochrane files
COCHRANE = (".rm5", ".csv", ".zip")
#: folder, in that of the run, into which Cochrane files are imported
IMPORTED = "imported"
#: names in the folder of a run of many reviews that cannot be ids of reviews
OTHER_NAMES = (IMPORTED, "summary", *(name.lower() for name in (ROWS_FILE, LOCK_FILE)))
#: file beside an imported review that records what it was imported from
STAMP = "imported.json"


@dataclass(frozen=True)
class Source:
    """A file that a review is read from.

    Parameters
    ----------
    path : pathlib.Path
        A review.toml, the folder that contains one, or a Cochrane file.
    label : str
        Name in messages and in the summary: the path as given, or relative to the folder that was given.
    problem : str
        Why it cannot be read, where that is known: a folder that cannot be searched.
    """

    path: Path
    label: str
    problem: str = ""

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
        Label of its source.
    id, title, engine : str
        As in the review.
    analyses : tuple of str
        Ids of its analyses.
    """

    file: Path
    label: str
    id: str
    title: str
    engine: str
    analyses: tuple[str, ...]


@dataclass(frozen=True)
class Failure:
    """A review or an analysis that failed.

    Parameters
    ----------
    review : str
        Id of the review, or the label of its source if it could not be read.
    analysis : str
        Id of the analysis; "" if the whole review failed.
    problem : str
        What failed.
    """

    review: str
    analysis: str
    problem: str


def is_single_review(paths: Iterable[str | os.PathLike[str]]) -> bool:
    """Return whether the paths are one review rather than a collection."""
    if isinstance(paths, str | os.PathLike) or not isinstance(paths, Iterable):
        raise SpecError(f"the reviews of a collection are a list of files and folders, but got {paths!r}")
    given = [checked_path(path, "a review") for path in paths]
    return len(given) == 1 and not (os.path.isdir(given[0]) and not os.path.isfile(toml_file(given[0])))


def find_sources(paths: Iterable[str | os.PathLike[str]], out: Path | None = None) -> list[Source]:
    """Find the reviews in files and folders.

    Parameters
    ----------
    paths : iterable of path
        review.toml files, Cochrane files (.rm5, .csv, .zip), and folders. A folder that contains a review.toml is that review; any
        other is searched with all its subfolders.
    out : pathlib.Path, optional
        Folder of the outputs, which is not searched.

    Returns
    -------
    list of Source
        In the order of ``paths``, sorted within a folder; each file once.

    Raises
    ------
    SpecError
        If a path does not exist, or no review is found.
    """
    found: list[Source] = []
    for given in map(Path, paths):
        if os.path.isdir(given):
            found += [
                Source(path, path.relative_to(given).as_posix(), problem) for path, problem in _search(given, out)
            ]
        elif os.path.isfile(given):
            found.append(Source(given, f"{given.resolve().parent.name}/{given.name}"))
        else:
            raise SpecError(
                f"{given}: no such file or folder; give a review.toml, a Cochrane file, or a folder of them"
            )
    unique = {source.path.resolve(): source for source in found}
    if not unique:
        raise SpecError("no review found: no review.toml and no Cochrane file (.rm5, .csv, .zip) in the folders given")
    return list(unique.values())


def _search(folder: Path, out: Path | None, seen: set[Path] | None = None) -> list[tuple[Path, str]]:
    """Search a folder: one that contains a review.toml is a review, and its other files are the tables of it.

    Each folder is searched once, whatever links lead to it. What has the name of a review and is no file (a pipe, a device, a link to
    nothing) is found too, and reading it says what it is. A folder that cannot be searched is returned with the reason.
    """
    seen = set() if seen is None else seen
    found: list[tuple[Path, str]] = []
    try:
        real = folder.resolve()
        if real in seen or (out is not None and real == out.resolve()):
            return []
        seen.add(real)
        if os.path.lexists(folder / REVIEW_TOML) and not (folder / REVIEW_TOML).is_dir():
            return [(folder / REVIEW_TOML, "")]
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                found += _search(path, out, seen)
            elif path.suffix.lower() in COCHRANE:
                found.append((path, ""))
    except OSError as error:
        found.append((folder, f"the folder cannot be searched: {error.strerror or error}"))
    except (RuntimeError, ValueError) as error:  # a loop of links, or folders nested too deeply
        found.append((folder, f"the folder cannot be searched: {error}"))
    return found


def review_file(source: Source, imported: Path, *, fresh: bool = False) -> Path:
    """Return the review.toml of a source, importing it first if it is a Cochrane file.

    Parameters
    ----------
    source : Source
        The source.
    imported : pathlib.Path
        Folder into which a Cochrane file is imported, in a folder of its name; an earlier import is used if neither the file nor
        this package has changed.
    fresh : bool
        Whether to import again in any case.

    Raises
    ------
    BayesmetaError
        If it cannot be imported.
    """
    if not source.cochrane:
        return toml_file(source.path)
    from bayesmeta.reviews.import_cochrane import review_from_cochrane

    content = sha256(source.path)
    # files in several folders and formats may have the same name
    folder = imported / f"{source.path.stem}-{content[:8]}"
    stamp = {"sha256": content, "version": code_digest()}
    stamp_file = folder / STAMP
    if not fresh and stamp_file.is_file() and (folder / REVIEW_TOML).is_file():
        with contextlib.suppress(ValueError, RecursionError, BayesmetaError):
            if json.loads(read_bytes(stamp_file)) == stamp:
                return folder / REVIEW_TOML
    file = Path(review_from_cochrane(source.path, folder))
    write_json(stamp_file, stamp)
    return file


def read_source(source: Source, imported: Path, *, engine: str | None = None, fresh: bool = False) -> Found:
    """Read the id, title and analyses of a source.

    Raises
    ------
    BayesmetaError
        If it cannot be imported or read.
    """
    if source.problem:
        raise SpecError(source.problem)
    file = review_file(source, imported, fresh=fresh)
    try:
        review, _ = read_review(file)
    except BayesmetaError as error:
        raise SpecError(str(error)) from None
    ids = tuple(analysis.id for analysis in review.every_analysis)
    return Found(file, source.label, review.id, review.title, engine or review.settings.engine, ids)


def read_sources(sources: list[Source], imported: Path, choice: Choice) -> tuple[list[Found], list[Failure]]:
    """Read every source; return the reviews that can be run, sorted by id, and the failures.

    Raises
    ------
    SpecError
        If no review has a selected analysis.
    """
    found: dict[str, Found] = {}
    failures = []
    for source in sources:
        try:
            review = read_source(source, imported, engine=choice.engine, fresh=choice.fresh)
            if review.id.lower() in OTHER_NAMES:
                raise SpecError(
                    f"the id '{review.id}' is the name of something else in the folder of the run; choose another"
                )
        except Exception as error:  # one file must not stop the others, whatever is wrong with it
            if is_disk_full(error):
                raise
            failures.append(Failure(source.label, "", error_text(error)))
            continue
        # ids name folders, so upper and lower case count as the same
        first = found.setdefault(review.id.lower(), review)
        if first is not review:
            failures.append(
                Failure(source.label, "", f"its id '{review.id}' is that of {first.label}; the first of the two is run")
            )
    for name in choice.only:
        if not any(name in review.analyses for review in found.values()):
            raise SpecError(f"none of the reviews has an analysis '{name}'")
    return [found[name] for name in sorted(found)], failures
