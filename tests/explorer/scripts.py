"""Runs the explorer's scripts outside a page: by node, or by a headless chromium, whichever is found."""

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bayesmeta.reviews.explorer.assets import SCRIPTS, read_asset

#: scripts that need no document
NUMERIC = tuple(name for name in SCRIPTS if name not in ("controls.js", "explorer.js", "page.js"))


def browser() -> str | None:
    """Path of a chromium, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


def run_scripts(body: str, given: object, folder: Path, *, in_browser: bool = False) -> object:
    """Run the numeric scripts and then the body of a function of ``given``; return what it returns.

    Skips the test where neither node nor chromium is found.
    """
    code = "\n".join(read_asset(name) for name in NUMERIC)
    code += f"\nconst answer = JSON.stringify(((BM, given) => {{{body}}})(globalThis.BM, {json.dumps(given)}));"
    if shutil.which("node") and not in_browser:
        file = folder / "run.js"
        file.write_text(code + "\nprocess.stdout.write(answer);", encoding="utf-8")
        done = subprocess.run(["node", str(file)], capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
    if browser():
        file = folder / "run.html"
        escaped = code.replace("</script", "<\\/script")
        page = f"<!DOCTYPE html><meta charset=utf-8><pre></pre><script>{escaped}\n"
        page += "document.querySelector('pre').textContent = answer;</script>"
        file.write_text(page, encoding="utf-8")
        command = [str(browser()), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", file.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
        found = re.search(r"<pre>(.*)</pre>", done.stdout, re.DOTALL)
        assert found is not None, done.stderr
        assert found[1], done.stderr
        return json.loads(html.unescape(found[1]))
    return not_found("node or chromium")


def not_found(what: str) -> None:
    """Skip the test: a browser is no dependency of the project."""
    pytest.skip(f"{what} is not installed")
