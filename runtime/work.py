"""What a kernel written by hand is, and what it is given: where it is written, and the op that it is for.

Work comes in units that share nothing, so that any number of threads gives the same bits; within a unit the order is
that of the op's NumPy meaning. Buffers are C-contiguous and do not overlap; a bool is a byte, 0 or 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from graphc.ir import TensorType
from graphc.runtime.llvmtext import Builder, Val

Attrs = Mapping[str, Any]


class Work(NamedTuple):
    """The units of work [begin, end) of one op, to be written into a function.

    Attributes:
        b: the function.
        operands, result: the addresses of the buffers.
        types, type_: of the operands, and of the result.
        attrs: the op's attributes.
        fail: `fail(cond, position, value)` writes that an error is noted where `cond` holds.
    """

    b: Builder
    operands: list[Val]
    result: Val
    types: list[TensorType]
    type_: TensorType
    attrs: Attrs
    begin: Val
    end: Val
    fail: Callable[[Val, Val, Val], None]


@dataclass(frozen=True)
class Handmade:
    """A kernel.

    Attributes:
        emit: writes it.
        units: `(types, type_, attrs)` to the number of work units.
        steps: `(types, type_)` to the arithmetic for each element of the result, roughly.
        complaint: what an error is, of its `{position}` and `{value}`; an index out of range if not given.
    """

    emit: Callable[[Work], None]
    units: Callable[[list[TensorType], TensorType, Attrs], int]
    steps: Callable[[list[TensorType], TensorType], int] = lambda types, type_: 16
    complaint: str | None = None
