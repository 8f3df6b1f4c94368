"""A function's result from another process, which computes it while this one goes on."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection
from typing import Generic, ParamSpec, TypeVar

from data.errors import UserError

P = ParamSpec("P")
T = TypeVar("T")


class Elsewhere(Generic[P, T]):
    """One call under way in another process, which is begun afresh: this one may have threads, and hold a GPU.

    Args:
        function: of a module, so that the other process finds it.
        arguments: its own; they and the result are pickled.
    """

    def __init__(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> None:
        context = multiprocessing.get_context("spawn")
        self._receiver, sender = context.Pipe(duplex=False)
        call = sender, function, arguments, named
        self._process = context.Process(target=answer, args=call, name=function.__name__, daemon=True)
        resource_tracker.ensure_running()  # would otherwise be begun below, and let the signal through
        with held_back(signal.SIGINT):  # Ctrl-C reaches every process of a terminal; the one that waits sees to it
            self._process.start()
        sender.close()  # that the other process ends then shows at once

    def result(self) -> T:
        """Wait for it.

        Raises:
            UserError: of the function.
            EOFError: when the process was killed, or could not do it.
        """
        try:
            found: T | UserError = self._receiver.recv()
        finally:
            self.stop()
        if isinstance(found, UserError):
            raise found
        return found

    def stop(self) -> None:
        """End the process, wherever it stands."""
        self._process.terminate()
        self._process.join()
        self._receiver.close()


@contextmanager
def held_back(number: signal.Signals) -> Iterator[None]:
    """Let a signal wait; a process that is begun meanwhile never gets it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {number})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def answer(
    sender: Connection, function: Callable[..., object], arguments: tuple[object, ...], named: dict[str, object]
) -> None:
    """What the other process does."""
    try:
        sender.send(function(*arguments, **named))
    except UserError as error:
        sender.send(error)
    except BrokenPipeError:  # nobody waits any more
        pass
