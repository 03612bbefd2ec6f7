"""Which files of the package a result depends on."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from bayesmeta.reviews.running import code_digest as module
from bayesmeta.reviews.running.code_digest import (
    MAKES_RESULTS,
    NOT_IN_RESULTS,
    PACKAGE,
    SHOWS_RESULTS,
    code_digest,
    files_of,
)
from bayesmeta.reviews.running.fingerprints import fingerprint
from bayesmeta.reviews.spec import read_review
from bayesmeta.support.files import sha256

#: modules whose imports a result depends on, besides the engines
ROOTS = ("reviews/analysis.py", "reviews/result.py", "reviews/spec.py", "reviews/cochrane_toml.py")


def relative(parts: tuple[str, ...]) -> list[str]:
    return [path.relative_to(PACKAGE).as_posix() for path in files_of(parts)]


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the package; hashes of its files are computed once, until a file is forgotten in the returned mapping."""
    shutil.copytree(PACKAGE, tmp_path / "bayesmeta", ignore=shutil.ignore_patterns("__pycache__"))
    hashes: dict[Path, str] = {}

    def cached(path):
        if path not in hashes:
            hashes[path] = sha256(path)
        return hashes[path]

    monkeypatch.setattr(module, "sha256", cached)
    return tmp_path / "bayesmeta", hashes


def digests(package):
    return [code_digest.__wrapped__(shown, package) for shown in (False, True)]


def flip(file, hashes):
    """Change the last byte of a file; add one to an empty file."""
    content = file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]) if content else b"\n")
    hashes.pop(file)
    return content


def test_every_file_is_in_one_group():
    groups = [relative(parts) for parts in (MAKES_RESULTS, SHOWS_RESULTS, NOT_IN_RESULTS)]
    listed = [name for group in groups for name in group]
    assert len(listed) == len(set(listed)), "a file is in two groups"
    assert set(relative((".",))) == set(listed), "give every subpackage and file of reviews/ a group in code_digest.py"


def test_any_changed_byte_changes_the_digest(copy):
    """One file of each part that is listed; the test above shows that every file is in a part."""
    package, hashes = copy
    before = digests(package)
    assert before == [code_digest(), code_digest(shown=True)]
    for parts, makes in ((MAKES_RESULTS, True), (SHOWS_RESULTS, False)):
        for part in parts:
            file = files_of((part,), package)[-1]
            content = flip(file, hashes)
            found = digests(package)
            assert (found[0] != before[0]) == makes, file
            assert found[1] != before[1], file
            file.write_bytes(content)
            hashes.pop(file)
    assert digests(package) == before


def test_a_renamed_or_added_file_changes_the_digest(copy):
    package, _ = copy
    before = digests(package)[0]
    (package / "effects" / "added.py").write_text("")
    added = digests(package)[0]
    (package / "effects" / "added.py").rename(package / "effects" / "other.py")
    assert len({before, added, digests(package)[0]}) == 3


def modules_imported(file: Path) -> set[Path]:
    """Files of the package that a file imports, also inside functions; imports for type checkers left out."""
    found: set[Path] = set()

    def add(name: str) -> None:
        parts = name.split(".")
        if parts[0] != "bayesmeta":
            return
        for path in (PACKAGE.joinpath(*parts[1:]).with_suffix(".py"), PACKAGE.joinpath(*parts[1:], "__init__.py")):
            found.update({path} if path.is_file() else set())

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for other in node.orelse:
                visit(other)
            return
        if isinstance(node, ast.Import):
            for alias in node.names:
                add(alias.name)
        elif isinstance(node, ast.ImportFrom) and node.module:
            add(node.module)
            for alias in node.names:
                add(f"{node.module}.{alias.name}")
        for child in ast.iter_child_nodes(node):
            visit(child)

    visit(ast.parse(file.read_text(encoding="utf-8")))
    return found


def test_what_results_import_makes_results():
    """Found by the imports themselves, so that a new subpackage cannot be forgotten."""
    waiting = [*(PACKAGE / name for name in ROOTS), *(PACKAGE / "engines").rglob("*.py")]
    reached: dict[Path, Path | None] = dict.fromkeys(waiting)
    while waiting:
        file = waiting.pop()
        for imported in modules_imported(file) - reached.keys():
            # the settings read the names of file formats and documents, which fingerprints of results leave out
            if file.name == "settings.py" and {"reporting", "documents"} & set(imported.relative_to(PACKAGE).parts):
                continue
            reached[imported] = file
            waiting.append(imported)
    assert len(reached) > 60
    names = {file.relative_to(PACKAGE).as_posix(): importer for file, importer in reached.items()}
    # it imports nothing
    names.pop("__init__.py", None)
    names.pop("reviews/__init__.py", None)
    missing = {name: str(importer) for name, importer in names.items() if name not in relative(MAKES_RESULTS)}
    assert missing == {}, "these modules, each with one that imports it, belong in MAKES_RESULTS"


def test_every_data_file_makes_results():
    """But the scripts and styles of the report page, which show them."""
    shown = set(files_of(("reviews/explorer",)))
    assert shown <= set(files_of(SHOWS_RESULTS))
    data = {path for path in files_of((".",)) if path.suffix not in (".py", ".pyi", ".typed")} - shown
    assert data
    cited = PACKAGE / "reviews" / "documents" / "works.bib"
    assert data - {cited} <= set(files_of(MAKES_RESULTS))
    assert cited in files_of(SHOWS_RESULTS)


def test_the_fingerprint_of_an_analysis_changes_with_the_code(copy, small_source, monkeypatch):
    package, hashes = copy
    review, folder = read_review(small_source)
    monkeypatch.setattr(
        "bayesmeta.reviews.running.fingerprints.code_digest", lambda: code_digest.__wrapped__(package=package)
    )
    before = fingerprint(review, review.analysis[0], folder)
    flip(package / "effects" / "formulas.py", hashes)
    after = fingerprint(review, review.analysis[0], folder)
    assert {part for part in before if before[part] != after[part]} == {"version"}
    hashes.clear()
    flip(package / "reporting" / "numbers.py", {package / "reporting" / "numbers.py": ""})
    assert fingerprint(review, review.analysis[0], folder) == after
