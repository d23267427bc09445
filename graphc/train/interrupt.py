"""Ctrl-C between steps: no step of training is left half done."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Interruptible:
    """Within `with Interruptible() as interrupt`, Ctrl-C is noted; `interrupt.check()` raises it.

    A second Ctrl-C is raised at once, should a step never end. Where this is not the main thread, or the program has a
    handler of its own for SIGINT, nothing is changed.
    """

    def __init__(self) -> None:
        self._noted = False
        self._outer: Any = None

    def __enter__(self) -> Interruptible:
        main = threading.current_thread() is threading.main_thread()
        if main and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._outer = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *error: Any) -> None:
        if self._outer is not None:
            signal.signal(signal.SIGINT, self._outer)
            self._outer = None
        if error[0] is None:
            self.check()

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self._noted:
            raise KeyboardInterrupt
        self._noted = True

    def check(self) -> None:
        """Raises KeyboardInterrupt if Ctrl-C was pressed since `with` began."""
        if self._noted:
            raise KeyboardInterrupt
