"""Calls in another process."""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import time

import pytest

from data.config import check
from data.elsewhere import Elsewhere
from data.errors import UserError


def test_a_result_and_a_bad_input_come_back() -> None:
    assert Elsewhere(math.comb, 5, 2).result() == 10
    with pytest.raises(UserError, match="mend this"):
        Elsewhere(check, False, "mend this").result()


def test_an_interrupt_from_the_terminal_is_left_to_whoever_waits() -> None:
    before = set(multiprocessing.active_children())
    call = Elsewhere(time.sleep, 0.5)
    (process,) = set(multiprocessing.active_children()) - before
    assert process.pid is not None
    os.kill(process.pid, signal.SIGINT)
    assert call.result() is None
    assert signal.SIGINT not in signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_killed_process_and_one_that_is_stopped_leave_nothing_behind() -> None:
    before = set(multiprocessing.active_children())
    killed, stopped = Elsewhere(time.sleep, 100), Elsewhere(time.sleep, 100)
    for process in set(multiprocessing.active_children()) - before:
        process.kill()
    with pytest.raises(EOFError):
        killed.result()
    stopped.stop()
    assert set(multiprocessing.active_children()) == before
