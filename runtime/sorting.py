"""Sorting: the order of each row's elements, equal ones as they stand, or its beginning.

A row of up to `RUN` positions is sorted by a network (`sort_network.py`). Longer rows, and rows of 64 bits that are not
short, are sorted by their digits (`sort_digits.py`); short ones of 64 bits are merged (`sort_merge.py`). Of the
beginning of a row only so much is put in order (`sort_leading.py`).
"""

from __future__ import annotations

from math import prod

from graphc.ir import TensorType
from graphc.runtime.functions import ELEMENT
from graphc.runtime.llvmtext import Builder, Val, i64
from graphc.runtime.sort_digits import Digits
from graphc.runtime.sort_key import HALF
from graphc.runtime.sort_leading import Chosen
from graphc.runtime.sort_merge import Merge
from graphc.runtime.sort_network import RUN, Network
from graphc.runtime.work import Attrs, Work

SHORT = 128
"""From so many elements of 64 bits on, digits are better than merges."""


def argsort_units(types: list[TensorType], type_: TensorType, attrs: Attrs) -> int:
    """A row each."""
    return prod(type_.shape[:-1]) if type_.size else 0


def emit_argsort(work: Work) -> None:
    """The positions of each row's elements, in their order.

    Rows that the network cannot hold go as i32 between the two halves of the row's own result of i64, and are widened
    at the end; so no memory is needed that grows with them.
    """
    b, length, dtype, descending = work.b, work.type_.shape[-1], work.types[0].dtype, work.attrs["descending"]
    if not work.type_.size:
        return
    element, narrow = ELEMENT[dtype.short], dtype.itemsize * 8 <= HALF
    network = Network(b, dtype, descending) if narrow and length <= RUN else None
    digits = Digits(b, dtype, descending, length) if network is None and length >= SHORT else None
    with b.loop(work.begin, work.end) as row:
        start = b.mul(row, length)
        keys, out = b.gep(work.operands[0], start, element), b.gep(work.result, start, "i64")
        if network:
            network.sort(keys, i64(0), length)
            network.store(out, "i64", length)
        else:
            low, high = out, b.gep(out, length, "i32")
            with b.loop(0, length) as i:
                b.store(b.convert("trunc", i, "i32"), b.gep(low, i, "i32"))
            if digits:
                in_high = digits.sort(keys, low, high)
            else:
                in_high = Merge(b, dtype, descending).sort(keys, low, high, length)
            _widen(b, low, high, in_high, length)


def _widen(b: Builder, low: Val, high: Val, in_high: Val, length: int) -> None:
    """Makes i64 of the positions (i32), from the end that keeps what is not yet read: upwards from the high half,
    downwards from the low one."""
    source = b.select(in_high, high, low)
    with b.loop(0, length) as i:
        at = b.select(in_high, i, b.sub(i64(length - 1), i))
        b.store(b.convert("sext", b.load(b.gep(source, at, "i32"), "i32"), "i64"), b.gep(low, at, "i64"))


def emit_leading(work: Work) -> None:
    """The positions of each row's first `count` elements in their order."""
    b, length, dtype, count = work.b, work.types[0].shape[-1], work.types[0].dtype, work.type_.shape[-1]
    if not work.type_.size:
        return
    if dtype.itemsize * 8 > HALF:
        chosen = Chosen(b, dtype, work.attrs["descending"], length, count)
        with b.loop(work.begin, work.end) as row:
            keys = b.gep(work.operands[0], b.mul(row, length), ELEMENT[dtype.short])
            chosen.store(keys, b.gep(work.result, b.mul(row, count), "i64"))
        return
    network = Network(b, dtype, work.attrs["descending"])
    with b.loop(work.begin, work.end) as row:
        keys = b.gep(work.operands[0], b.mul(row, length), ELEMENT[dtype.short])
        network.sort_leading(keys, length, count)
        network.store(b.gep(work.result, b.mul(row, count), "i64"), "i64", count)


def leading_steps(types: list[TensorType], type_: TensorType) -> int:
    """What is done for each position that is found."""
    return 16 * max(1, types[0].shape[-1] // max(1, type_.shape[-1]))
