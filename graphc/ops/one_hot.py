"""One-hot rows: a value at each index along a new axis, another value elsewhere."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dtype import bool_, int64
from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.axes import as_int, axis_of
from graphc.ops.coerce import as_tensor, cast, common_dtype, full_like, scalar
from graphc.ops.creation import iota
from graphc.ops.elementwise import equal, select
from graphc.ops.gather import check_integers, check_positions
from graphc.ops.reduce import sum_over
from graphc.ops.shape import expand_dims, reshape
from graphc.ops.views import broadcast_to_
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["one_hot"]


def _one_hot_type(indices: TensorType, on: TensorType, off: TensorType, *, depth: int, axis: int) -> TensorType:
    check_integers("one_hot", (indices,))
    if on.shape or off != on:
        raise TypeError(f"one_hot: expected scalars of one dtype for on and off, got {on} and {off}")
    if depth < 0 or not 0 <= axis <= indices.ndim:
        raise ValueError(f"one_hot: expected depth >= 0 and an axis of the result, got {depth} and {axis}")
    return TensorType((*indices.shape[:axis], depth, *indices.shape[axis:]), on.dtype)


@define_op(infer=_one_hot_type, traits="checks", name="one_hot")
def one_hot_(indices: np.ndarray, on: np.ndarray, off: np.ndarray, *, depth: int, axis: int) -> np.ndarray:
    """`on` at each index along a new axis of extent `depth`, elsewhere `off`.

    Raises:
        IndexError: an index outside [0, depth).
    """
    check_positions("one_hot", indices, depth)
    places = np.arange(depth).reshape(-1, *(1,) * (indices.ndim - axis))
    return np.where(np.expand_dims(indices, axis) == places, on, off)


@one_hot_.def_vjp
def one_hot_vjp(ct: Tensor, y: Tensor, indices: Tensor, on: Tensor, off: Tensor, *, depth: int, axis: int) -> Any:
    def part(value: bool) -> Tensor:
        chosen = one_hot_(indices, scalar(value, bool_), scalar(not value, bool_), depth=depth, axis=axis)
        return sum_over(select(chosen, ct, full_like(ct, 0)), tuple(range(ct.ndim)))

    return None, lambda: part(True), lambda: part(False)


@one_hot_.def_lower
def one_hot_lower(b: Any, index: Any, indices: Any, on: Any, off: Any, *, depth: int, axis: int) -> Any:
    at = b.gathered(indices, [*index[:axis], *index[axis + 1 :]], depth)
    return b.select(b.fn("eq", b.position(at), b.position(index[axis])), on([]), off([]))


def one_hot(indices: Any, depth: int, on_value: Any = 1, off_value: Any = 0, axis: int = -1) -> Tensor:
    """`on_value` at each index along a new axis of extent `depth`, elsewhere `off_value`.

    Args:
        indices: integers; those outside [0, depth), as of labels that count for nothing, give `off_value` only.
        on_value, off_value: numbers or scalar Tensors; the result has their dtype (int64 for Python ints).
        axis: where the new axis is in the result.
    Raises:
        TypeError: `indices` are no integers.
    """
    x, on, off, count, along = _one_hot_parts(indices, depth, on_value, off_value, axis)
    try:
        result = _one_hot_type(x.spec, on.spec, off.spec, depth=count, axis=along)
    except (TypeError, ValueError) as error:
        raise located(error) from None
    places = iota(shape=result.shape, axis=along, dtype=int64)
    chosen = equal(broadcast_to_(expand_dims(cast(x, int64), along), shape=result.shape), places)
    return select(chosen, *(broadcast_to_(v, shape=result.shape) for v in (on, off)))


def checked_one_hot(indices: Any, depth: int, on_value: Any = 1, off_value: Any = 0, axis: int = -1) -> Tensor:
    """As `one_hot`, of indices that must be in [0, depth).

    Raises:
        IndexError: an index out of range.
    """
    x, on, off, count, along = _one_hot_parts(indices, depth, on_value, off_value, axis)
    return one_hot_(x, on, off, depth=count, axis=along)


def _one_hot_parts(
    indices: Any, depth: int, on_value: Any, off_value: Any, axis: int
) -> tuple[Tensor, Tensor, Tensor, int, int]:
    x = as_tensor("one_hot", indices)
    dtype = common_dtype((on_value, off_value))
    on, off = (reshape(cast(as_tensor("one_hot", v), dtype), ()) for v in (on_value, off_value))
    return x, on, off, as_int("one_hot", depth, "depth"), axis_of("one_hot", axis, x.ndim + 1)
