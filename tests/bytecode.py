"""Where the environment forbids bytecode beside the sources (PYTHONDONTWRITEBYTECODE), the tests keep theirs in .pytest_cache.

Otherwise each process of the tests, about a hundred, compiles what it imports again: 4 of the 7 seconds that importing PyMC and arviz take.
"""

from __future__ import annotations

import os
import sys

from paths import ROOT_FOLDER


def keep_bytecode() -> None:
    """Keep the bytecode of this process and of those that it starts."""
    if not sys.dont_write_bytecode:
        return
    sys.dont_write_bytecode = False
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if sys.pycache_prefix is None:
        sys.pycache_prefix = os.environ["PYTHONPYCACHEPREFIX"] = str(ROOT_FOLDER / ".pytest_cache" / "bytecode")
