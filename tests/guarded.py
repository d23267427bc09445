"""Arrays between pages that cannot be touched, so that to read or write outside of one is a crash."""

from __future__ import annotations

import ctypes
import mmap
import sys
from typing import Any

import numpy as np


class Guarded:
    """An array between two pages that cannot be touched, against the one at its end or at its beginning."""

    def __init__(self, size: int, dtype: Any, at_end: bool) -> None:
        page, itemsize = mmap.PAGESIZE, np.dtype(dtype).itemsize
        room = max(-(-size * itemsize // page), 1) * page
        self.map = mmap.mmap(-1, room + 2 * page)
        self.start = ctypes.addressof(ctypes.c_char.from_buffer(self.map))
        if not sys.platform.startswith("win"):
            libc = ctypes.CDLL(None)
            for edge in (self.start, self.start + page + room):
                assert libc.mprotect(ctypes.c_void_p(edge), page, 0) == 0
        offset = page + (room - size * itemsize if at_end else 0)
        self.array = np.frombuffer(self.map, dtype, size, offset)

    def address(self, element: int = 0) -> int:
        return self.array.ctypes.data + element * self.array.itemsize


def guarded(array: np.ndarray, at_end: bool) -> np.ndarray:
    """A copy of the array between such pages, which is given back when nothing holds it any more."""
    copy = Guarded(array.size, array.dtype, at_end).array.reshape(array.shape)
    copy[...] = array
    return copy
