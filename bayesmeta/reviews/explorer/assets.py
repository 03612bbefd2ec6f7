"""The scripts and styles that the report page contains, files of the package."""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from importlib.resources import files
from typing import Any

#: scripts in the order in which they run; each adds to the one global object BM
SCRIPTS = (
    "numerics.js",
    "priors.js",
    "normal.js",
    "arm.js",
    "drawing.js",
    "controls.js",
    "explorer.js",
    "page.js",
)
STYLES = ("page.css", "explorer.css", "print.css")


def read_asset(name: str) -> str:
    """Return the text of a file in the folder ``static``."""
    return files("bayesmeta.reviews.explorer").joinpath("static", name).read_text(encoding="utf-8")


@cache
def script() -> str:
    """Return all scripts as one, without lines that are comments."""
    lines = "\n".join(read_asset(name) for name in SCRIPTS).splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))


def policy(scripts: tuple[str, ...]) -> str:
    """Return a content security policy by which nothing is loaded but images in the page, and no other script than these runs.

    Parameters
    ----------
    scripts : tuple of str
        The texts of the inline scripts.
    """
    hashes = [base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii") for text in scripts]
    allowed = " ".join(f"'sha256-{one}'" for one in hashes)
    return f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src {allowed}; base-uri 'none'; form-action 'none'"


def safe_json(value: Any) -> str:
    """Return a value as JSON that can be in an HTML script element whatever its texts contain: ``</script>`` and ``<!--`` included."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    # unpaired surrogates cannot be written to a file
    return text.encode("utf-8", "replace").decode("utf-8")
