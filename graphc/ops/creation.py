"""Tensors made from nothing but a shape: `iota` of the table, constants, ranges, identity matrices.

A constant tensor is a scalar, broadcast; so it costs no memory in a graph, and folds into what reads it.
"""

from __future__ import annotations

import builtins
import math
from typing import Any

import numpy as np

from graphc.dtype import DType, float32, int32, int64
from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.axes import as_int, as_ints
from graphc.ops.coerce import (
    as_dtype,
    as_tensor,
    broadcast,
    cast,
    common_dtype,
    filled,
    natural_dtype,
    scalar,
    to_dtype,
)
from graphc.ops.elementwise import add, equal, mul
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "arange", "eye", "fill", "fills", "full", "full_like", "linspace", "logspace", "ones", "ones_like", "range",
    "scalar_to_tensor", "tuple_to_array", "zeros", "zeros_like",
]  # fmt: skip


def _iota_type(*, shape: tuple[int, ...], axis: int, dtype: DType) -> TensorType:
    if dtype.is_bool or not 0 <= axis < len(shape):
        raise ValueError(f"iota: expected a number type and an axis of shape {shape}, got {dtype.name} and {axis}")
    return TensorType(shape, dtype)


@define_op(infer=_iota_type, traits="elementwise")
def iota(*, shape: tuple[int, ...], axis: int, dtype: DType) -> np.ndarray:
    """The position along `axis` of every element: 0, 1, 2, ..."""
    along = np.arange(shape[axis]).astype(dtype.np)
    return np.broadcast_to(along.reshape([-1 if d == axis else 1 for d, _ in enumerate(shape)]), shape)


@iota.def_lower
def iota_lower(b: Any, index: Any, *, shape: tuple[int, ...], axis: int, dtype: DType) -> Any:
    return b.cast(b.position(index[axis]), dtype)


def _constant(name: str, shape: Any, value: Any, dtype: Any) -> Tensor:
    sizes = as_ints(name, shape)
    if min(sizes, default=0) < 0:
        raise located(ValueError(f"{name}: extents must be >= 0, got shape {sizes}"))
    if isinstance(value, Tensor):
        if value.size != 1:
            raise located(ValueError(f"{name}: expected one value, got {value.spec}"))
        value = cast(value, to_dtype(dtype, value.dtype))
        return broadcast(value if value.ndim == 0 else value.reshape(()), sizes)
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) not in (bool, int, float, complex):
        raise located(TypeError(f"{name}: expected a number, got {type(value).__name__} {value!r:.60}"))
    return filled(value, to_dtype(dtype, natural_dtype(value)), sizes)


def zeros(size: Any, dtype: Any = None) -> Tensor:
    """Zeros of a shape (an int or a tuple of ints): float32 unless `dtype` is given."""
    return _constant("zeros", size, 0, to_dtype(dtype, float32))


def ones(shape: Any, dtype: Any = None) -> Tensor:
    """Ones of a shape (an int or a tuple of ints): float32 unless `dtype` is given."""
    return _constant("ones", shape, 1, to_dtype(dtype, float32))


def full(size: Any, fill_value: Any, *, dtype: Any = None) -> Tensor:
    """`fill_value` (a number or a scalar Tensor) in a shape; without `dtype` in its own: float32, int64 or bool."""
    return _constant("full", size, fill_value, dtype)


def fill(type: Any, shape: Any, value: Any) -> Tensor:
    """`value` in a shape and a dtype."""
    return _constant("fill", shape, value, as_dtype(type))


def fills(x: Any, value: Any) -> Tensor:
    """`value` in the shape and dtype of `x`."""
    return full_like(x, value)


def zeros_like(input: Any, *, dtype: Any = None) -> Tensor:
    """Zeros in the shape and (unless given) dtype of `input`."""
    return full_like(input, 0, dtype=dtype)


def ones_like(input: Any, *, dtype: Any = None) -> Tensor:
    """Ones in the shape and (unless given) dtype of `input`."""
    return full_like(input, 1, dtype=dtype)


def full_like(input: Any, fill_value: Any, *, dtype: Any = None) -> Tensor:
    """`fill_value` in the shape and (unless given) dtype of `input`."""
    x = as_tensor("full_like", input)
    return _constant("full_like", x.shape, fill_value, to_dtype(dtype, x.dtype))


def _numbers(name: str, *values: Any) -> tuple[Any, ...]:
    """Python numbers from numbers and scalar Tensors that have a value."""
    found = []
    for value in values:
        if isinstance(value, (Tensor, np.generic)):
            value = value.item()
        if type(value) not in (int, float):
            raise located(TypeError(f"{name}: expected numbers, got {type(value).__name__} {value!r:.60}"))
        found.append(value)
    return tuple(found)


def arange(start: Any = 0, end: Any = None, step: Any = 1, *, dtype: Any = None) -> Tensor:
    """The numbers `start`, `start + step`, ... before `end`; `arange(n)` starts at 0.

    Args:
        start, end, step: numbers, or scalar Tensors that have a value; the length depends on them.
        dtype: by default int64, or float32 if one of them is a float.
    Raises:
        ValueError: a step of 0, or one that leads away from `end`.
    """
    start, end = (0, start) if end is None else (start, end)
    given = [x.dtype for x in (start, end, step) if isinstance(x, Tensor) and x.dtype.is_float]
    lo, hi, by = _numbers("arange", start, end, step)
    if by == 0 or (hi - lo) * by < 0:
        raise located(ValueError(f"arange: step {by} does not lead from {lo} to {hi}"))
    whole = isinstance(lo, int) and isinstance(hi, int) and isinstance(by, int)
    wanted = to_dtype(dtype, int64 if whole else given[0] if given else float32)
    if whole:
        count = -(-(hi - lo) // by)
        steps = iota(shape=(count,), axis=0, dtype=int64)
        scaled = steps if by == 1 else mul(steps, by)
        return cast(scaled if lo == 0 else add(scaled, lo), wanted)
    count = max(math.ceil((hi - lo) / by), 0)
    return Tensor.wrap((lo + np.arange(count) * float(by)).astype(wanted.np))


def range(start: Any, end: Any = None, step: Any = 1, maxlen: int = 1000000) -> Tensor:
    """As `arange`, with at most `maxlen` numbers."""
    result = arange(start, end, step)
    if result.size > maxlen:
        raise located(ValueError(f"range: {result.size} numbers are more than maxlen {maxlen}"))
    return result


def linspace(start: Any, end: Any, steps: int) -> Tensor:
    """`steps` numbers from `start` to `end`, both included, at equal distances: float32."""
    lo, hi = _numbers("linspace", start, end)
    return Tensor.wrap(np.linspace(lo, hi, as_int("linspace", steps, "steps", 1)).astype(np.float32))


def logspace(start: Any, end: Any, steps: int, base: float = 10, *, dtype: Any = None) -> Tensor:
    """`base` to the powers `linspace(start, end, steps)`."""
    (lo, hi), count = _numbers("logspace", start, end), as_int("logspace", steps, "steps", 1)
    return Tensor.wrap(np.logspace(lo, hi, count, base=base).astype(to_dtype(dtype, float32).np))


def eye(n: int, m: int | None = None, dtype: Any = None) -> Tensor:
    """The matrix `[n, m]` (square without `m`) with ones on the diagonal: float32 unless `dtype` is given."""
    rows, columns = as_ints("eye", (n, n if m is None else m))
    if min(rows, columns) < 0:
        raise located(ValueError(f"eye: extents must be >= 0, got {rows} and {columns}"))
    return cast(_on_diagonal((rows, columns), 0), to_dtype(dtype, float32))


def _on_diagonal(shape: tuple[int, ...], offset: int) -> Tensor:
    """Whether an element of the last two axes lies on the diagonal `offset` above the main one."""
    rows, columns = row_and_column(shape)
    return equal(columns, rows + offset if offset else rows)


def row_and_column(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """The positions along the last two axes of every element."""
    ndim = len(shape)
    return iota(shape=shape, axis=ndim - 2, dtype=int64), iota(shape=shape, axis=ndim - 1, dtype=int64)


def scalar_to_tensor(input_x: Any, dtype: Any = float32) -> Tensor:
    """A Python number as a scalar Tensor."""
    if type(input_x) not in (bool, int, float, complex):
        raise located(TypeError(f"scalar_to_tensor: expected a number, got {type(input_x).__name__}"))
    return scalar(input_x, as_dtype(dtype))


def tuple_to_array(input_x: Any) -> Tensor:
    """A tuple (or list, or range) of numbers as a Tensor: float32, bool, or for ints int32, as in MindSpore."""
    if not isinstance(input_x, (tuple, list, builtins.range)) or any(
        type(v) not in (bool, int, float, complex) for v in input_x
    ):
        raise located(TypeError(f"tuple_to_array: expected a tuple of numbers, got {input_x!r:.60}"))
    common = common_dtype(tuple(input_x))
    return Tensor.wrap(np.array(input_x, (int32 if common is int64 else common).np))
