"""Ops called by themselves in eager mode, each run by a compiled kernel of its own.

A kernel is compiled for one shape, which takes some ten milliseconds. A program whose shapes keep changing (a text that
grows word by word, sequences of different lengths) would wait for a kernel of every length. So until a call has come
often enough for this to pay, its operands are filled up to one of a few larger shapes, if the op's table says how to do
that without changing a bit at the beginning of its result (`Filled`).
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from graphc import dispatch
from graphc.arrays import aligned_empty
from graphc.ir import Graph, Node, TensorType, input_node
from graphc.op import Filled, Op
from graphc.place import located
from graphc.programs import compile_graph
from graphc.runtime import executable
from graphc.runtime.executable import Executable
from graphc.state import state
from graphc.tensor import Tensor

OFTEN, MANY_ELEMENTS = 500, 10_000
"""After so many calls with operands that were filled up there is a kernel of their own shapes, which then takes no more
time than was lost; so many elements count as one call more."""

MOST_COUNTED = 10_000
"""The most kinds of calls that are counted."""

SMALL = 8_192
"""Bytes up to which an operand is kept room for."""


class Call(NamedTuple):
    """An op, the types of its operands and its attributes: what a kernel is for."""

    op: Op
    types: tuple[TensorType, ...]
    attrs: tuple[tuple[str, Any], ...]

    @staticmethod
    def of(op: Op, types: tuple[TensorType, ...], attrs: dict[str, Any]) -> Call:
        return Call(op, types, tuple(attrs.items()))


class Substitute(NamedTuple):
    """A call on larger operands that is made in place of one, whose result is the beginning of its result.

    Attributes:
        call: the call that is made.
        shapes: as which the operands are seen; values: what each is filled up with.
        kept: of the result; None if that is all of it.
    """

    call: Call
    shapes: tuple[tuple[int, ...], ...]
    values: tuple[Any, ...]
    kept: tuple[slice, ...] | None


class Room:
    """Where an operand is seen in a shape, and filled up to a larger one: in memory of its own if that is little."""

    __slots__ = ("_inner", "_shape", "_type", "_value", "_whole")

    def __init__(self, shape: tuple[int, ...], type_: TensorType, value: Any) -> None:
        self._shape, self._type, self._value = shape, type_, value
        if type_.nbytes <= SMALL:
            whole = np.full(type_.shape, value, type_.dtype.np)  # what an operand does not fill keeps the value
            self._whole, self._inner = Tensor.wrap(whole, type_), whole[tuple(map(slice, shape))]

    def filled(self, operand: Tensor) -> Tensor:
        """The operand filled up; for as long as no other is."""
        array = operand.numpy_view()
        if array.shape != self._shape:
            array = array.reshape(self._shape)
        if self._type.nbytes <= SMALL:
            np.copyto(self._inner, array)
            return self._whole
        return _fill_up(array, self._type, self._value)


class Filling:
    """A substitute with its kernel, and room for its operands.

    Attributes:
        came: how often it was called.
    """

    __slots__ = ("_kept", "_kernel", "_lock", "_rooms", "came")

    def __init__(self, other: Substitute) -> None:
        self.came = 0.0
        self._kernel, self._kept = _kernel(other.call), other.kept
        self._rooms = list(map(Room, other.shapes, other.call.types, other.values))
        self._lock = threading.Lock()  # another thread may use the rooms

    def run(self, operands: Sequence[Tensor], type_: TensorType) -> Tensor:
        """The result, of this type, of the call in whose place the other is made."""
        with self._lock:
            filled = [room.filled(operand) for room, operand in zip(self._rooms, operands)]
            result = self._kernel(filled)[0].numpy_view()
        if self._kept is not None:
            result = np.ascontiguousarray(result[self._kept])
        return Tensor.wrap(result.reshape(type_.shape), type_)


_kernels: dict[Call, Executable] = {}
_came: dict[Call, Filling] = {}


def missing_kernels(calls: Iterable[Call]) -> int:
    """How many kernels these calls would have to compile, if each came once."""
    new = {call: substitute(call) for call in calls if call not in _kernels}
    return len({call if other is None else other.call for call, other in new.items()} - _kernels.keys())


def run_kernel(op: Op, operands: tuple[Tensor, ...], attrs: dict[str, Any], type_: TensorType) -> Tensor:
    """Runs one op by a compiled kernel, which is kept; while a profile is open, by one of its own shapes."""
    call = Call.of(op, tuple([o.spec for o in operands]), attrs)
    kernel = _kernels.get(call)
    if kernel is None:
        filling = _filling(call) if executable.observer is None else None
        if filling is not None:
            return filling.run(operands, type_)
        kernel = _kernel(call)
    try:
        return kernel(operands)[0]
    except (IndexError, RuntimeError) as error:
        raise located(error) from None  # the kernel serves many lines


dispatch.set_kernel_runner(run_kernel)  # in place of what imports this module


def _kernel(call: Call) -> Executable:
    found = _kernels.get(call)
    if found is None:
        inputs = tuple(input_node(f"x{i}", type_) for i, type_ in enumerate(call.types))
        node = Node(call.op.name, inputs, dict(call.attrs), _result(call))
        found = _kernels[call] = compile_graph(Graph(call.op.name, inputs, (node,)), (), dump=False)
    return found


def _result(call: Call) -> TensorType:
    return call.op.infer(*call.types, **dict(call.attrs))


def _filling(call: Call) -> Filling | None:
    """Notes that the call has come; what is to be called in its place, if it has not come often yet."""
    found = _came.get(call)
    if found is None:
        other = substitute(call)
        if other is None:
            return None
        if len(_came) >= MOST_COUNTED:
            _came.clear()
        found = _came[call] = Filling(other)
    if not state.now.seldom:
        found.came += 1 + sum([type_.size for type_ in call.types]) / MANY_ELEMENTS
    return found if found.came < OFTEN else None


# Operands that are filled up


@functools.lru_cache(MOST_COUNTED)
def substitute(call: Call) -> Substitute | None:
    """What is called in place of a call that comes seldom; None where the op's table says nothing, or there is nothing.

    A kernel for it is one for operands of other shapes as well.
    """
    filled = _filled(call) if all(type_.size for type_ in call.types) else None
    if filled is None:
        return None
    own, larger = (
        Call.of(call.op, tuple(TensorType(shape, t.dtype) for shape, t in zip(shapes, call.types)), filled.attrs)
        for shapes in (filled.shapes, [tuple(map(room, shape)) for shape in filled.shapes])
    )
    result, whole = _result(own).shape, _result(larger).shape
    return Substitute(larger, filled.shapes, filled.values, None if result == whole else tuple(map(slice, result)))


def _filled(call: Call) -> Filled | None:
    op, attrs = call.op, dict(call.attrs)
    if op.filled is not None:
        return op.filled(*call.types, **attrs)
    if "elementwise" not in op.traits or len({type_.shape for type_ in call.types}) != 1:
        return None
    return Filled(((call.types[0].size,),) * len(call.types), (1,) * len(call.types), attrs)


def room(extent: int) -> int:
    """The extent that one is filled up to: 1, 4, 16, 32, 64 and so on."""
    return 1 if extent == 1 else 4 if extent <= 4 else max(16, 1 << (extent - 1).bit_length())


def _fill_up(array: np.ndarray, type_: TensorType, value: Any) -> Tensor:
    if array.shape == type_.shape:
        return Tensor.wrap(array, type_)
    whole = aligned_empty(type_.shape, type_.dtype.np)
    whole.fill(value)
    whole[tuple(map(slice, array.shape))] = array
    return Tensor.wrap(whole, type_)
