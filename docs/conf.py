"""Configuration of Sphinx: ``sphinx-build -W docs docs/_build/html`` builds the guide, without network."""

import sys
from importlib.metadata import version as installed_version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "bayesmeta"
author = "the bayesmeta authors"
version = release = installed_version("bayesmeta")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_design",
    "reference_pages",
]
exclude_patterns = ["_build", "_ext", "_generated"]
templates_path = ["_templates"]
smartquotes = False  # options such as --prior keep their two hyphens

myst_enable_extensions = ["colon_fence", "dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"

autosummary_generate = True
autodoc_typehints = "none"
numpydoc_show_class_members = False
numpydoc_validation_checks = {"GL06", "GL07", "PR02", "PR03", "PR10"}

html_theme = "pydata_sphinx_theme"
html_title = "bayesmeta"
html_static_path = ["_static"]
html_css_files = ["guide.css"]
html_sidebars = {page: [] for page in ("install", "tutorial", "changelog")}  # no pages below them
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "show_prev_next": True,
    "show_toc_level": 2,
    "footer_start": [],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
}
