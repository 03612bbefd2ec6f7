"""Ctrl-C is delayed until a file is written."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from bayesmeta.reviews.running.interrupts import uninterrupted


def test_ctrl_c_is_raised_at_the_end_of_the_block():
    done = []

    def write():
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            done.append("written")

    with pytest.raises(KeyboardInterrupt):
        write()
    assert done == ["written"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_inside_the_block_is_raised():
    def fail():
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_other_handlers_and_other_threads_are_unchanged():
    received = []
    before = signal.signal(signal.SIGINT, lambda *_: received.append(1))
    try:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            assert received == [1]
    finally:
        signal.signal(signal.SIGINT, before)

    def elsewhere():
        with uninterrupted():
            received.append(2)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert received == [1, 2]
