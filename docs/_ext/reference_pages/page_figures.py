"""Figures of a how-to page: its Python blocks are run when the guide is built, and write them."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

_PYTHON = re.compile(r"^```python\n(.*?)^```\n", re.MULTILINE | re.DOTALL)


def draw_page_figures(page: Path, folder: Path) -> None:
    """Run the Python blocks of a page in a folder, in order and in one namespace; a page that has not changed since is not run again.

    Parameters
    ----------
    page : pathlib.Path
        The page.
    folder : pathlib.Path
        Where its blocks write figures.
    """
    text, done = page.read_text(encoding="utf-8"), folder / "page.md"
    if done.exists() and done.read_text(encoding="utf-8") == text:
        return
    folder.mkdir(parents=True, exist_ok=True)
    names: dict[str, object] = {}
    with contextlib.chdir(folder), contextlib.redirect_stdout(io.StringIO()):
        for block in _PYTHON.finditer(text):
            exec(compile(block[1], str(page), "exec"), names)
    done.write_text(text, encoding="utf-8")
