"""The scripts and styles that the report page contains, files of the package."""

from __future__ import annotations

from importlib.resources import files

#: scripts in the order in which they run; each adds to the one global object BM
SCRIPTS = ("numerics.js", "priors.js", "normal.js")
STYLES = ("page.css", "explorer.css")


def read_asset(name: str) -> str:
    """Return the text of a file in the folder ``static``."""
    return files("bayesmeta.reviews.explorer").joinpath("static", name).read_text(encoding="utf-8")
