"""The README and the guide are true: Python blocks print what they show, quick commands too, and the others parse.

``python tests/docs/test_pages.py`` writes the outputs into all pages anew.
"""

import contextlib
import io
import os
import re
import shlex
import sys
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from bayesmeta.cli.app import app
from bayesmeta.reviews.spec import Review

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
GENERATED = ("_build", "_generated", "api")
PAGES = {
    str(file.relative_to(ROOT)): file.read_text(encoding="utf-8")
    for file in (README, *sorted((ROOT / "docs").rglob("*.md")))
    if file.parent.name not in GENERATED and "_build" not in file.parts and "_generated" not in file.parts
}
PYTHON = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
TOML = re.compile(r"^```toml\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```.*?^```\n", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
QUICK = ("categories", "check", "compare", "fit", "import", "models", "network", "priors")
INSTALL_UV = "python3 -m pip install --target .uv uv"
INSTALL = (INSTALL_UV, "python3 -m venv .venv", ".venv/bin/python -m pip install .")
#: The least a review needs, under the fragments of review.toml that pages show.
REVIEW = {
    "id": "page",
    "title": "Page",
    "analysis": [{"id": "1", "outcome": "Death", "measure": "RR", "data": "studies.csv"}],
}


def run_python(text: str, page: str) -> Iterator[tuple[re.Match[str], str]]:
    """Execute the Python blocks of a page in order, in one namespace; those that sample are only compiled."""
    names: dict[str, object] = {}
    for block in PYTHON.finditer(text):
        code = compile(block[1], page, "exec")
        if 'engine="nuts"' in block[1]:
            continue
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(code, names)
        yield block, out.getvalue()


def commands(text: str) -> Iterator[tuple[str, str]]:
    """Every command of the console blocks, with the output shown below it."""
    for block in CONSOLE.finditer(text):
        for part in block[1].removeprefix("$ ").split("\n$ "):
            command, _, shown = part.partition("\n")
            yield command, shown


def is_quick(command: str) -> bool:
    """Whether a command takes no longer than a test may; one on a file that only its reader has is not run."""
    words = shlex.split(command)
    if (
        words[0] != "bayesmeta"
        or "nuts" in words
        or not all((ROOT / word).exists() for word in words if ".csv" in word)
    ):
        return False
    return words[1] in QUICK or "--dry-run" in words


def page_commands(*, quick: bool) -> list[tuple[str, str]]:
    return [(page, command) for page in PAGES for command, _ in commands(PAGES[page]) if is_quick(command) == quick]


def printed(command: str) -> str:
    found = CliRunner().invoke(app, shlex.split(command)[1:])
    assert found.exit_code == 0, found.output
    return "\n".join(line.rstrip() for line in found.stdout.splitlines()) + "\n"


def assert_same(found: str, shown: str) -> None:
    """Compare words exactly and numbers to about the digits shown, so that rounding on another machine is no failure."""
    ours, theirs = found.split(), shown.split()
    assert [NUMBER.sub("#", word) for word in ours] == [NUMBER.sub("#", word) for word in theirs]
    numbers = [[float(number) for word in words for number in NUMBER.findall(word)] for words in (ours, theirs)]
    np.testing.assert_allclose(numbers[0], numbers[1], rtol=5e-3, atol=1.1e-3)


def link_checkout(folder: Path) -> None:
    """Make a folder look like the checkout, so that what the commands write does not land in it."""
    for name in ("reviews", "models", "scripts", "tests", "docs"):
        (folder / name).symlink_to(ROOT / name)


@pytest.fixture
def _checkout(tmp_path, monkeypatch):
    link_checkout(tmp_path)
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_checkout")
@pytest.mark.parametrize("page", [page for page in PAGES if PYTHON.search(PAGES[page])])
def test_python_blocks_print_what_the_page_shows(page):
    for block, out in run_python(PAGES[page], page):
        assert_same(out, block[2] or "")


@pytest.mark.usefixtures("_checkout")
@pytest.mark.parametrize(("page", "command"), page_commands(quick=True))
def test_quick_commands_print_what_the_page_shows(page, command):
    assert_same(printed(command), dict(commands(PAGES[page]))[command])


@pytest.mark.usefixtures("_checkout")
@pytest.mark.parametrize("command", sorted({command for _, command in page_commands(quick=False)}))
def test_every_other_command_exists_and_parses(command):
    words = shlex.split(command)
    programs = [Path(word).name for word in words]
    if command in INSTALL:
        return
    if "bayesmeta" in programs:
        group = typer.main.get_command(app)
        name, *arguments = words[programs.index("bayesmeta") + 1 :]
        assert group.commands[name].make_context(name, arguments) is not None
    elif "sphinx-build" in programs:
        assert words[-4:] == ["sphinx-build", "-W", "docs", "docs/_build/html"]
    elif "pytest" in programs:
        assert words[-4:] == ["pytest", "-q", "-n", "2"]
    else:
        assert words[0] == "python"
        assert Path(words[1]).is_file()
        if "models" not in words[1]:
            assert '__name__ == "__main__"' in Path(words[1]).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [page for page in PAGES if TOML.search(PAGES[page])])
def test_toml_blocks_are_valid_in_a_review(page):
    for block in TOML.finditer(PAGES[page]):
        Review.model_validate(REVIEW | tomllib.loads(block[1]))


@pytest.mark.parametrize("page", PAGES)
def test_the_files_a_page_names_exist(page):
    text = BLOCK.sub("", PAGES[page])
    named = r"`((?:reviews|scripts|models|tests|outputs/calibration)/[\w./-]*|[A-Z]+\.(?:md|cff)|LICENSE)`"
    for name in re.findall(named, text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        if "_generated" not in name:
            assert (ROOT / page).parent.joinpath(name).exists(), name


def test_the_checks_of_every_change_use_the_commands_of_the_readme():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    shown = [command for command, _ in commands(PAGES["README.md"])]
    tests = [command.removeprefix(".uv/bin/uv ") for command in shown if "pytest" in command]
    guide = [command.removeprefix("uv ") for command in shown if "sphinx-build" in command]
    assert len(tests) == len(guide) == 1
    assert INSTALL_UV in shown
    assert INSTALL_UV in script
    for command in (*tests, *guide):
        assert f'"$uv" {command}' in script


def rewrite(page: str) -> None:
    """Put the outputs as they are now into a page."""
    text = PAGES[page]
    for block, out in reversed(list(run_python(text, page))):
        if block[2] is not None:
            text = text[: block.start(2)] + out + text[block.end(2) :]
    for command, shown in list(commands(text)):
        if is_quick(command):
            text = text.replace(f"$ {command}\n{shown}```", f"$ {command}\n{printed(command)}```")
    (ROOT / page).write_text(text, encoding="utf-8")


def main() -> None:
    """Rewrite the pages named, or all."""
    with tempfile.TemporaryDirectory() as folder:
        link_checkout(Path(folder))
        os.chdir(folder)
        for page in sys.argv[1:] or PAGES:
            rewrite(page)
        os.chdir(ROOT)


if __name__ == "__main__":
    main()


def test_pictures_that_pages_show_are_drawn_when_the_guide_is_built():
    extension = (ROOT / "docs/_ext/reference_pages/__init__.py").read_text("utf-8")
    found = set()
    for page in (ROOT / "docs").rglob("*.md"):
        if not {"_generated", "_build"} & set(page.parts):
            found |= set(re.findall(r"\]\((?:\.\./)*_generated/([\w-]+)/", page.read_text("utf-8")))
    assert {"network-figures", "forest-plots"} <= found
    assert {folder for folder in found if f'"{folder}"' not in extension} == set()
