"""Ctrl-C delayed while something is written, so that what was finished is also recorded."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C inside the block; it is raised at its end.

    Raises
    ------
    KeyboardInterrupt
        At the end of the block, if Ctrl-C was pressed inside it.
    """
    main_thread = threading.current_thread() is threading.main_thread()
    # another program's handler, or none, is left unchanged
    if not main_thread or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    received: list[int] = []
    signal.signal(signal.SIGINT, lambda number, _: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if received:
        raise KeyboardInterrupt
