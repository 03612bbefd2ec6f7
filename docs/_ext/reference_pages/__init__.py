"""Sphinx extension: reference pages written from the package at build time, and formulas as MathML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .command_line import command_line_page
from .math_elements import add_mathml_renderer
from .measures import measures_table
from .page_figures import draw_page_figures
from .review_toml import review_toml_page
from .tutorial_run import run_tutorial_review

#: Files made anew by every build, relative to the source folder; pages include them.
PAGES = {
    "_generated/review-toml.md": review_toml_page,
    "_generated/command-line.md": command_line_page,
    "_generated/measures.md": measures_table,
}


#: pages whose Python blocks write figures, with the folder of these
FIGURES = {f"how-to/{name}.md": f"_generated/{name}" for name in ("network-figures", "forest-plots")}


def write_pages(app: Any) -> None:
    """Write every generated file whose text has changed, the tables and figures of the tutorial, and figures of how-to pages."""
    for name, page in PAGES.items():
        file, text = Path(app.srcdir) / name, page()
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
    run_tutorial_review(Path(app.srcdir) / "_generated" / "bcg")
    for source, folder in FIGURES.items():
        draw_page_figures(Path(app.srcdir) / source, Path(app.srcdir) / folder)


def setup(app: Any) -> dict[str, Any]:
    """Register the extension with Sphinx."""
    add_mathml_renderer(app)
    app.connect("builder-inited", write_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
