"""Units of work that are blocks of columns, for kernels written by hand that go down the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import prod

from graphc.ir import TensorType
from graphc.runtime.llvmtext import Builder, Val, i64
from graphc.runtime.work import Attrs, Work
from graphc.schedule import LANES

BLOCK = 64
"""Columns that one unit of work takes."""


def blocks_of(columns: int) -> int:
    """How many blocks so many columns are."""
    return -(-columns // BLOCK)


@contextmanager
def each_block(work: Work, blocks: int) -> Iterator[tuple[Val, Val]]:
    """Over the units, of which a row has so many: (row, number of the block in it)."""
    b = work.b
    with b.loop(work.begin, work.end) as unit:
        if blocks == 1:
            yield unit, i64(0)
        else:
            yield b.int_op("sdiv", unit, blocks), b.int_op("srem", unit, blocks)


def on_columns(
    b: Builder, block: Val, columns: int, body: Callable[[Val, int], None],
    of_few: Callable[[Val, int], None] | None = None,
) -> None:
    """`body(first column, how many)` for the block's columns: as vectors, and one by one what is left at the end.

    Args:
        of_few: what is done for the several that are left, in place of `body` for each.
    """
    whole, rest = divmod(columns, BLOCK)
    start = b.mul(block, BLOCK)
    if whole:
        with b.when(b.icmp("slt", block, whole)):
            for first in range(0, BLOCK, LANES):
                body(b.add(start, first), LANES)
    if rest:
        vectors = rest // LANES * LANES
        with b.when(b.icmp("eq", block, whole)):
            if vectors:
                with b.loop(start, b.add(start, vectors), LANES) as column:
                    body(column, LANES)
            if rest > vectors + 1 and of_few:
                of_few(b.add(start, vectors), rest - vectors)
            elif rest > vectors:
                with b.loop(b.add(start, vectors), b.add(start, rest)) as column:
                    body(column, 1)


def around(shape: Sequence[int], axis: int) -> tuple[int, int, int]:
    """Elements before, along and after an axis."""
    return prod(shape[:axis]), shape[axis], prod(shape[axis + 1 :])


def units_along(types: list[TensorType], type_: TensorType, attrs: Attrs) -> int:
    """How many units there are: a block of columns each, of one index of the axes before `axis`."""
    rows, _, columns = around(type_.shape, attrs["axis"])
    return rows * blocks_of(columns) if type_.size else 0
