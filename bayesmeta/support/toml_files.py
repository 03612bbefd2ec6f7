"""Files in TOML, whatever they contain."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from bayesmeta.support.files import read_bytes

#: a dotted key of a hundred parts, for which the reader of TOML needs memory by the square of their number
_LONG_KEY = re.compile(r"""(?<![\w"'.-])(?:(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){100}""")


def read_toml(file: Path) -> dict[str, Any]:
    """Read a file in TOML, with or without a byte order mark.

    Raises
    ------
    DataError
        If it cannot be read, or is a device or a pipe.
    UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError
        If it is not UTF-8, not TOML, or has a number of too many digits.
    RecursionError
        If it is nested too deeply.
    """
    text = read_bytes(file).decode("utf-8-sig")
    if _LONG_KEY.search(text):
        raise RecursionError
    return tomllib.loads(text)
