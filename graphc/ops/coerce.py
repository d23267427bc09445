"""How the operands of a call come to agree: Python numbers become tensors, types are promoted, shapes broadcast.

Promotion and broadcasting end here, as `cast` and `broadcast_to` nodes that are inserted only where they change
something; the ops themselves see operands of one shape and dtype.

    f32[2,3] * 2.5       2.5 becomes a float32 constant, broadcast to [2, 3]
    i64[3] + f32[2,3]    cast to float32, broadcast to [2, 3]
    exp(i64[3])          cast to float32

Beside a complex operand real ones stay real: a product with them takes two multiplications, not four
(`graphc.ops.complex_rules`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

from graphc.dtype import (
    ALL,
    DType,
    bool_,
    complex64,
    complex128,
    complex_of,
    dtype_of,
    float32,
    float64,
    int64,
    part_of,
    promote,
)
from graphc.op import TABLE
from graphc.parameter import Parameter
from graphc.place import located
from graphc.state import state
from graphc.tensor import Number, Tensor

Coerce = Callable[..., tuple[Tensor, ...]]
PythonNumber = float | int | bool | complex
Composed = TypeVar("Composed", bound=Callable[..., Any])
NARROW = frozenset(d for d in ALL if d.is_float and d.wide)
"""The floats that are computed in wider ones."""

_INT_RANGES = {d: (int(np.iinfo(d.np).min), int(np.iinfo(d.np).max)) for d in ALL if d.is_int}


def scalar(value: PythonNumber, dtype: DType) -> Tensor:
    """The 0-d tensor of a Python number.

    Raises:
        ValueError: an integer dtype that cannot hold it.
    """
    try:
        return Number.of(value, dtype)
    except ValueError as error:
        raise located(error) from None


def filled(value: PythonNumber, dtype: DType, shape: tuple[int, ...]) -> Tensor:
    """A Python number in every element: in a graph a broadcast scalar, in eager mode an array at once."""
    now = state.now
    if now.trace is None and now.piece is None:
        return Tensor.wrap(np.full(shape, scalar(value, dtype).numpy_view()))
    if now.trace is None or not shape:
        return broadcast(scalar(value, dtype), shape)
    key = repr(value), dtype, shape  # a graph has one for all that are alike, which may be many
    node = now.trace.filled.get(key)
    if node is not None:
        return now.trace.stand_in(node)
    made = broadcast(scalar(value, dtype), shape)
    assert made._node is not None
    now.trace.filled[key] = made._node
    return made


def full_like(tensor: Tensor, value: PythonNumber) -> Tensor:
    """`value` in the type of `tensor`."""
    return filled(value, tensor.dtype, tensor.shape)


def cast(tensor: Tensor, dtype: DType) -> Tensor:
    """The tensor in `dtype`; itself if it has that type.

    Raises:
        TypeError: complex numbers that would lose their imaginary parts: only a program may ask for that.
    """
    given = tensor.spec.dtype
    if given is dtype:
        return tensor
    if given.is_complex and not (dtype.is_complex or dtype.is_bool):
        raise located(TypeError(f"expected real numbers, got {tensor.spec}; see ops.real, ops.abs and Tensor.astype"))
    return TABLE["cast"](tensor, dtype=dtype)


def widely(function: Composed) -> Composed:
    """Makes a function of ops compute in float32 where it is given narrower floats, and round its results once.

    Results get the type of its first tensor. Rounded by every op they would be less exact, and sums soon infinite.
    """

    def wide(value: Any) -> Any:
        if not isinstance(value, Tensor) or value.spec.dtype not in NARROW:
            return value
        kept = isinstance(value, Parameter) and not value.requires_grad  # running statistics, which are assigned to
        return value if kept else cast(value, float32)

    def rounded(result: Tensor, dtype: DType) -> Tensor:
        return cast(result, dtype) if result.spec.dtype is float32 else result

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        dtypes = [a.spec.dtype for a in (*args, *kwargs.values()) if isinstance(a, Tensor)]
        if NARROW.isdisjoint(dtypes):
            return function(*args, **kwargs)
        result = function(*map(wide, args), **{name: wide(value) for name, value in kwargs.items()})
        if dtypes[0] not in NARROW or kwargs.get("dtype") is not None:
            return result
        if isinstance(result, Tensor):
            return rounded(result, dtypes[0])
        return tuple(rounded(item, dtypes[0]) for item in result)

    return call  # type: ignore[return-value]  # it takes and returns what the function does


def broadcast(tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """The tensor in `shape`; itself if it has that shape."""
    return tensor if tensor.spec.shape == shape else TABLE["broadcast_to"](tensor, shape=shape)


def as_tensor(name: str, operand: Any) -> Tensor:
    """A Tensor of what a call was given: a Tensor, number, array or nested list of numbers.

    Raises:
        TypeError: it is none of these; `name` is the op that complains.
    """
    if isinstance(operand, Tensor):
        return operand
    if isinstance(operand, (bool, int, float, complex)):
        return scalar(operand, natural_dtype(operand))
    if isinstance(operand, (np.ndarray, np.generic, list, tuple)):
        return Tensor(operand)
    raise located(TypeError(f"{name}: expected a Tensor or a number, got {type(operand).__name__} {operand!r:.60}"))


def element(name: str, value: Any, dtype: DType) -> Tensor:
    """What a program puts among elements of a dtype, in it: in 64 bits numbers are not float32 first, as alone."""
    if dtype is float64 or dtype is complex128:
        if isinstance(value, (bool, int, float)) or (isinstance(value, complex) and dtype is complex128):
            return scalar(value, dtype)
        if isinstance(value, (list, tuple)):
            return Tensor(value, dtype)
    return cast(as_tensor(name, value), dtype)


def as_float(name: str, operand: Any) -> Tensor:
    """The operand as a float or complex Tensor; integers and bools become float32."""
    tensor = as_tensor(name, operand)
    return cast(tensor, to_float(tensor.dtype))


def natural_dtype(number: PythonNumber) -> DType:
    """The dtype of a Python number on its own: bool, int64, float32 or complex64."""
    if isinstance(number, complex):
        return complex64
    return bool_ if isinstance(number, bool) else int64 if isinstance(number, int) else float32


def dtype_beside(dtype: DType, number: PythonNumber) -> DType:
    """The dtype in which a Python number joins tensors of `dtype`.

    It adapts to them, unless they cannot hold its kind (an int beside bools, a float beside ints, a complex number
    beside real ones) or, among integers, its size.
    """
    if isinstance(number, complex):
        return complex_of(dtype)
    kind = natural_dtype(number)
    if kind is int64 and dtype.is_int:
        low, high = _INT_RANGES[dtype]
        return dtype if low <= number <= high else int64
    return dtype if promote(kind, dtype) is dtype or dtype.is_inexact else kind


def common_dtype(operands: tuple[Any, ...]) -> DType:
    """The dtype that tensors and Python numbers promote to together."""
    found: DType | None = None
    numbers = []
    for operand in operands:
        if isinstance(operand, Tensor):
            found = operand.dtype if found is None else promote(found, operand.dtype)
        else:
            numbers.append(operand)
    for number in numbers:
        found = natural_dtype(number) if found is None else dtype_beside(found, number)
    return found or bool_


def broadcast_shape(
    name: str, shapes: Sequence[tuple[int, ...]], types: Callable[[], str] | None = None
) -> tuple[int, ...]:
    """The shape that all `shapes` broadcast to (NumPy's rule).

    Args:
        name, types: what a message calls the op and its operands.
    Raises:
        ValueError: names the shapes and the axis that do not fit.
    """
    result, axis, (a, b) = _broadcast(tuple(shapes))
    if axis:
        shown = types() if types is not None else " and ".join(map(str, shapes))
        raise located(ValueError(f"{name}: shapes do not broadcast, {shown} (axis {axis}: {a} and {b})"))
    return result


@functools.lru_cache(maxsize=4096)
def _broadcast(shapes: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], int, tuple[int, int]]:
    """The common shape; or the axis (below 0) that does not fit, and two of its extents."""
    ndim = max(map(len, shapes), default=0)
    result = []
    for axis in range(-ndim, 0):
        extents = {s[axis] for s in shapes if len(s) >= -axis and s[axis] != 1}
        if len(extents) > 1:
            a, b = sorted(extents)[:2]
            return (), axis, (a, b)
        result.append(extents.pop() if extents else 1)
    return tuple(result), 0, (1, 1)


def broadcast_all(name: str, tensors: list[Tensor]) -> list[Tensor]:
    """The tensors in the one shape that all broadcast to."""
    shapes = [t.spec.shape for t in tensors]
    if len(set(shapes)) < 2:
        return tensors
    shape = broadcast_shape(name, shapes, lambda: " and ".join(str(t.spec) for t in tensors))
    return [broadcast(t, shape) for t in tensors]


def agree(name: str, to: Callable[[DType], DType] = lambda dtype: dtype) -> Coerce:
    """A coercion for elementwise ops: one dtype (after promotion, `to` of it), one shape.

    Args:
        name: the op, for error messages.
        to: what the promoted dtype becomes, e.g. `to_float` for functions that only floats have.
    """

    def coerce(*operands: Any) -> tuple[Tensor, ...]:
        first = operands[0]
        if isinstance(first, Tensor):
            type_ = first.spec
            if to(type_.dtype) is type_.dtype:
                for o in operands:
                    if not isinstance(o, Tensor) or (o.spec is not type_ and o.spec != type_):
                        break
                else:
                    return operands
                if len(operands) == 2 and type_.dtype.is_float and type(operands[1]) in (int, float):
                    return first, filled(operands[1], type_.dtype, type_.shape)
        elif len(operands) == 2 and type(first) in (int, float) and isinstance(operands[1], Tensor):
            type_ = operands[1].spec
            if type_.dtype.is_float and to(type_.dtype) is type_.dtype:
                return filled(first, type_.dtype, type_.shape), operands[1]
        operands = tuple([o if isinstance(o, Tensor) else plain(name, o) for o in operands])
        common = common_dtype(operands)
        if common.is_complex:
            return beside_complex(common, operands)
        return tuple(together(name, to(common), operands))

    return coerce


def beside_complex(dtype: DType, operands: Sequence[Any]) -> tuple[Tensor, ...]:
    """Tensors, and Python numbers as Tensors, among which there is a complex one: each of its own kind and shape."""

    def number(value: PythonNumber) -> Tensor:
        return scalar(value, dtype if isinstance(value, complex) else part_of(dtype))

    return tuple([o if isinstance(o, Tensor) else number(o) for o in operands])


def together(name: str, dtype: DType, operands: Sequence[Any]) -> list[Tensor]:
    """Tensors and Python numbers in one dtype and in the shape that they broadcast to."""
    tensors = broadcast_all(name, [cast(o, dtype) for o in operands if isinstance(o, Tensor)])
    if len(tensors) == len(operands):
        return tensors
    shape = tensors[0].shape if tensors else ()
    found = iter(tensors)
    return [next(found) if isinstance(o, Tensor) else filled(o, dtype, shape) for o in operands]


def plain(name: str, operand: Any) -> Any:
    """The operand as a Tensor, or as a Python number, whose dtype is still open."""
    if isinstance(operand, Tensor) or type(operand) in (bool, int, float, complex):
        return operand
    if isinstance(operand, np.generic):
        return operand.item()
    return as_tensor(name, operand)


def to_float(dtype: DType) -> DType:
    """The dtype in which functions of such numbers are computed: its own, or float32 for integers and bools."""
    return dtype if dtype.is_inexact else float32


def to_bool(dtype: DType) -> DType:
    return bool_


def as_dtype(value: Any) -> DType:
    """The dtype that an argument names; see `graphc.dtype.dtype_of`."""
    try:
        return dtype_of(value)
    except TypeError as error:
        raise located(error) from None


def to_dtype(value: Any, default: DType) -> DType:
    """The dtype that an optional `dtype=` argument names."""
    return default if value is None else as_dtype(value)
