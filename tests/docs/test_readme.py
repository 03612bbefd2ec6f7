"""The README is true: its Python blocks print what it shows, its quick commands too, and the others parse.

``python tests/docs/test_readme.py`` writes the outputs into the README anew.
"""

import contextlib
import io
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import typer
from paths import ROOT_FOLDER
from typer.testing import CliRunner

from bayesmeta.cli.app import app

ROOT = ROOT_FOLDER
README = ROOT / "README.md"
PYTHON = re.compile(r"^```python\n(.*?)^```\n(?:```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL)
CONSOLE = re.compile(r"^```console\n(.*?)^```\n", re.MULTILINE | re.DOTALL)
NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?")
QUICK = ("compare", "fit", "models", "priors")


def run_python(text: str) -> Iterator[tuple[re.Match[str], str]]:
    """Execute the Python blocks in order, in one namespace; those that sample are only compiled."""
    names: dict[str, object] = {}
    for block in PYTHON.finditer(text):
        code = compile(block[1], "README.md", "exec")
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
    words = shlex.split(command)
    return words[0] == "bayesmeta" and words[1] in QUICK and "nuts" not in words


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


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Give a folder that looks like the checkout and may be written to."""
    for name in ("reviews", "models", "scripts"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)


TEXT = README.read_text(encoding="utf-8")


@pytest.mark.usefixtures("checkout")
def test_python_blocks_print_what_the_readme_shows():
    shown = {block.start(): (block[2] or "", out) for block, out in run_python(TEXT)}
    assert len(shown) >= 4
    for expected, out in shown.values():
        assert_same(out, expected)


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("command", [command for command, _ in commands(TEXT) if is_quick(command)])
def test_quick_commands_print_what_the_readme_shows(command):
    assert_same(printed(command), dict(commands(TEXT))[command])


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize("command", [command for command, _ in commands(TEXT) if not is_quick(command)])
def test_every_other_command_exists_and_parses(command):
    words = shlex.split(command)
    if "bayesmeta" in words:
        group = typer.main.get_command(app)
        name, *arguments = words[words.index("bayesmeta") + 1 :]
        assert group.commands[name].make_context(name, arguments) is not None
    elif "python" in words:
        assert Path(words[1]).is_file()
        if "models" not in words[1]:
            assert '__name__ == "__main__"' in Path(words[1]).read_text(encoding="utf-8")
    else:
        assert words[-2:] == ["pytest", "-q"]


def test_every_key_of_review_toml_is_in_its_table():
    from bayesmeta.reviews.spec import AlternativePriors, Analysis, Options, Published, Review, Settings

    table = TEXT.split("## review.toml")[1].split("\n## ")[0]
    kinds = (Review, Settings, Options, AlternativePriors, Analysis, Published)
    keys = {name for kind in kinds for name in kind.model_fields}
    assert not {key for key in keys if not re.search(rf"\b{key}\b", table)}


def test_the_files_it_points_to_exist():
    text = re.sub(r"^```.*?^```\n", "", TEXT, flags=re.MULTILINE | re.DOTALL)
    for name in re.findall(r"`((?:reviews|scripts|models|tests)/[\w./-]*|[A-Z]+\.(?:md|cff)|LICENSE)`", text):
        assert (ROOT / name).exists(), name


def rewrite() -> None:
    """Put the outputs as they are now into the README."""
    text = README.read_text(encoding="utf-8")
    for block, out in reversed(list(run_python(text))):
        if block[2] is not None:
            text = text[: block.start(2)] + out + text[block.end(2) :]
    for command, shown in list(commands(text)):
        if is_quick(command):
            text = text.replace(f"$ {command}\n{shown}```", f"$ {command}\n{printed(command)}```")
    README.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    os.chdir(ROOT)
    rewrite()
