"""What is compared when elements are sorted: integers that order as they do."""

from __future__ import annotations

from graphc.dtype import DType
from graphc.runtime.functions import UNSIGNED
from graphc.runtime.lanes import Lanes, where

WIDE = 8
"""Elements that are compared at once."""

HALF = 32
"""Bits of an element up to which it goes, with its position, into one integer of 64."""


def ordering(x: Lanes, dtype: DType, descending: bool) -> Lanes:
    """An i32 or i64 that orders as the element does: zeros are equal, NaNs too, and greater than every number."""
    if dtype.is_float:
        bits, sign = (x + 0.0).bits(), 8 * dtype.itemsize - 1  # of -0, those of 0
        key = where(Lanes(x.b, x.b.fcmp("uno", x.val, x.val)), bits.like((1 << sign) - 1),
                    bits ^ (bits >> sign & (1 << sign) - 1))
    elif x.element in ("i32", "i64"):
        key = x
    else:
        key = x.convert("zext" if dtype.short in UNSIGNED else "sext", "i32")
    return ~key if descending else key
