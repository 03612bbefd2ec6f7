"""Ctrl-C and the signals that end a program: raised as KeyboardInterrupt, and delayed while something is written."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType
from typing import Any

#: signals that end a program from outside: an ended session, a scheduler of jobs; Windows has fewer
ENDING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Ended(KeyboardInterrupt):
    """A signal that ends a program has come.

    Parameters
    ----------
    number : int
        The signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def _raise(number: int, _: FrameType | None) -> None:
    raise Ended(number)


@contextmanager
def ending_signals_raise() -> Iterator[None]:
    """Raise ``Ended`` inside the block when SIGTERM or SIGHUP comes, so that locks and processes are released as after Ctrl-C.

    A signal that another program handles or ignores (as ``nohup`` does) is left to it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    with ExitStack() as stack:
        for number in ENDING:
            if signal.getsignal(number) == signal.SIG_DFL:
                signal.signal(number, _raise)
                stack.callback(signal.signal, number, signal.SIG_DFL)
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C, and the signals of ``ending_signals_raise``, inside the block; they are raised at its end.

    Raises
    ------
    KeyboardInterrupt
        At the end of the block, if one came inside it.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    own: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, **dict.fromkeys(ENDING, _raise)}
    # another program's handler, or none, is left unchanged
    delayed = [number for number, handler in own.items() if signal.getsignal(number) is handler]
    received: list[int] = []
    for number in delayed:
        signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number in delayed:
            signal.signal(number, own[number])
    if received:
        raise KeyboardInterrupt if received[0] == signal.SIGINT else Ended(received[0])
