"""Where in a row that is sorted elements are to be inserted."""

from __future__ import annotations

from graphc.ir import TensorType
from graphc.runtime.functions import ELEMENT
from graphc.runtime.lanes import Lanes, gather
from graphc.runtime.llvmtext import Val, const, i64, vector
from graphc.runtime.work import Attrs, Work
from graphc.schedule import LANES

PLACES = 1024
"""Elements that one unit of work finds the places of."""


def searchsorted_units(types: list[TensorType], type_: TensorType, attrs: Attrs) -> int:
    """So many elements of a row each."""
    return type_.shape[0] * -(-type_.shape[1] // PLACES)


def searchsorted_steps(types: list[TensorType], type_: TensorType) -> int:
    """What is done for each element."""
    return 4 * types[0].shape[1].bit_length()


def emit_searchsorted(work: Work) -> None:
    """How many elements of the row come before each one, by halving, sixteen at a time."""
    b, (_, length), (_, count), dtype = work.b, work.types[0].shape, work.type_.shape, work.types[0].dtype
    element, blocks = ELEMENT[dtype.short], max(1, -(-count // PLACES))
    than = ("o" if dtype.is_float else "s") + ("le" if work.attrs["right"] else "lt")
    compare = b.fcmp if dtype.is_float else b.icmp

    def find(row: Val, at: Val, lanes: int) -> None:
        keys, place = b.gep(work.operands[0], b.mul(row, length), element), b.add(b.mul(row, count), at)
        wanted = b.load(b.gep(work.operands[1], place, element), vector(element, lanes))
        base, zero, left = const(0, vector("i64", lanes)), const(0, vector("i64", lanes)), length
        while left:
            half = max(1, left // 2)
            tested = gather(keys, Lanes(b, b.add(base, const(half - 1, base.type))), element).val
            step = b.select(compare(than, tested, wanted), const(half, base.type), zero)
            base, left = b.add(base, step), left - half
        b.store(base, b.gep(work.result, place, "i64"))

    if not work.type_.size:
        return
    with b.loop(work.begin, work.end) as unit:
        row, first = b.int_op("sdiv", unit, blocks), b.mul(b.int_op("srem", unit, blocks), PLACES)
        last = b.intrinsic("smin", "i64", b.add(first, PLACES), i64(count))
        whole = b.sub(last, b.int_op("srem", b.sub(last, first), LANES))
        with b.loop(first, whole, LANES) as at:
            find(row, at, LANES)
        with b.loop(whole, last) as at:
            find(row, at, 1)
