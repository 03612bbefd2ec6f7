"""Ctrl-C held back while something is written, so that what was finished is also recorded."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back inside the block; it is raised at its end.

    Raises
    ------
    KeyboardInterrupt
        At the end of the block, if Ctrl-C was heard inside it.
    """
    ours = threading.current_thread() is threading.main_thread()
    # someone else's handler, or none, is left alone
    if not ours or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    heard: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if heard:
        raise KeyboardInterrupt
