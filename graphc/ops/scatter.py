"""Writing at positions, in the forms that programs have: into Parameters, by slices and diagonals, with extremes.

The op underneath is `scatter_add` or `scatter_set` of `graphc.ops.gather`, or an indexed assignment.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from graphc.dtype import int64
from graphc.ops.axes import as_ints, axis_of
from graphc.ops.coerce import as_tensor, broadcast, broadcast_all, cast, element
from graphc.ops.control import held
from graphc.ops.creation import arange
from graphc.ops.elementwise import div, maximum, minimum, mul, select
from graphc.ops.gather import (
    from_end,
    gather,
    gather_nd,
    index_add,
    scatter_set_,
    tensor_scatter_add,
    tensor_scatter_sub,
    tensor_scatter_update,
)
from graphc.ops.indexing import setitem
from graphc.ops.scan import cumsum
from graphc.ops.segments import unsorted_segment_max, unsorted_segment_min, unsorted_segment_prod
from graphc.ops.shape import diagonal, moveaxis, reshape, stack
from graphc.parameter import Parameter
from graphc.place import located, named
from graphc.tensor import Tensor

__all__ = [
    "diagonal_scatter", "index_copy", "index_put", "inplace_add", "inplace_sub", "inplace_update", "masked_scatter",
    "scatter_add", "scatter_div", "scatter_max", "scatter_min", "scatter_mul", "scatter_nd_add", "scatter_nd_div",
    "scatter_nd_max", "scatter_nd_min", "scatter_nd_mul", "scatter_nd_sub", "scatter_nd_update", "scatter_sub",
    "scatter_update", "select_scatter", "slice_scatter", "tensor_scatter_div", "tensor_scatter_max",
    "tensor_scatter_min", "tensor_scatter_mul",
]  # fmt: skip


# Extremes and products of what is there and all updates


def _combined(
    name: str, combine: Callable[[Any, Any], Tensor], of_segments: Callable[..., Tensor], x: Any, indices: Any,
    updates: Any,
) -> Tensor:
    """What is there, combined with what the updates of each place come to together."""
    target, rows = as_tensor(name, x), as_tensor(name, indices)
    if not rows.ndim or not rows.dtype.is_int or not 1 <= rows.shape[-1] <= target.ndim:
        raise located(TypeError(f"{name}: expected integer indices [..., k], k at most {target.ndim}, got {rows.spec}"))
    depth = rows.shape[-1]
    lead, rest = target.shape[:depth], target.shape[depth:]
    given = cast(as_tensor(name, updates), target.dtype)
    if given.shape != (*rows.shape[:-1], *rest):
        raise located(ValueError(f"{name}: {given.spec} does not fit {rows.spec} into {target.spec}"))
    places = gather_nd(reshape(arange(prod(lead)), lead), rows)  # which checks them
    together = of_segments(reshape(given, (places.size, *rest)), reshape(places, (places.size,)), prod(lead))
    return combine(target, reshape(together, target.shape))


def tensor_scatter_max(input_x: Any, indices: Any, updates: Any) -> Tensor:
    """`input_x` with its slices at `indices[..., k]` replaced by the greatest of them and of `updates` there."""
    return _combined("tensor_scatter_max", maximum, unsorted_segment_max, input_x, indices, updates)


def tensor_scatter_min(input_x: Any, indices: Any, updates: Any) -> Tensor:
    """`input_x` with its slices at `indices[..., k]` replaced by the smallest of them and of `updates` there."""
    return _combined("tensor_scatter_min", minimum, unsorted_segment_min, input_x, indices, updates)


def tensor_scatter_mul(input_x: Any, indices: Any, updates: Any) -> Tensor:
    """`input_x` with its slices at `indices[..., k]` multiplied by all `updates` there."""
    return _combined("tensor_scatter_mul", mul, unsorted_segment_prod, input_x, indices, updates)


def tensor_scatter_div(input_x: Any, indices: Any, updates: Any) -> Tensor:
    """`input_x` with its slices at `indices[..., k]` divided by the product of all `updates` there; of floats."""
    x = as_tensor("tensor_scatter_div", input_x)
    if not x.dtype.is_float:
        raise located(TypeError(f"tensor_scatter_div: expected floats, got {x.spec}"))
    return _combined("tensor_scatter_div", div, unsorted_segment_prod, x, indices, updates)


# Into Parameters


def _into(name: str, on_tensors: Callable[[Any, Any, Any], Tensor], by_row: bool, what: str) -> Callable[..., Any]:
    def scatter(input_x: Parameter, indices: Any, updates: Any, use_locking: bool = False) -> Tensor:
        rows = as_tensor(name, indices)
        rows = reshape(rows, (*rows.shape, 1)) if by_row else rows
        return held(input_x, on_tensors(input_x, rows, updates))

    places = "along axis 0 at `indices`" if by_row else "at `indices[..., k]`, along the first k axes"
    returned = "returns what it holds then. Changes are never made at once."
    return named(scatter, name, f"{what} slices of the Parameter `input_x`, {places}; {returned}")


_FORMS: tuple[tuple[str, Callable[[Any, Any, Any], Tensor], str], ...] = (
    ("update", tensor_scatter_update, "Writes `updates` over"), ("add", tensor_scatter_add, "Adds `updates` to"),
    ("sub", tensor_scatter_sub, "Subtracts `updates` from"), ("mul", tensor_scatter_mul, "Multiplies by `updates` the"),
    ("div", tensor_scatter_div, "Divides by `updates` the"),
    ("max", tensor_scatter_max, "Raises to `updates`, where they are greater, the"),
    ("min", tensor_scatter_min, "Lowers to `updates`, where they are smaller, the"),
)  # fmt: skip
(
    scatter_update, scatter_add, scatter_sub, scatter_mul, scatter_div, scatter_max, scatter_min
) = [_into(f"scatter_{form}", on, True, what) for form, on, what in _FORMS]  # fmt: skip
(
    scatter_nd_update, scatter_nd_add, scatter_nd_sub, scatter_nd_mul, scatter_nd_div, scatter_nd_max, scatter_nd_min
) = [_into(f"scatter_nd_{form}", on, False, what) for form, on, what in _FORMS]  # fmt: skip


# Slices, diagonals, masks


def _at(axis: int, item: Any) -> tuple[Any, ...]:
    return (*(slice(None),) * axis, item)


def slice_scatter(
    input: Any, src: Any, axis: int = 0, start: int | None = None, end: int | None = None, step: int = 1
) -> Tensor:
    """`input` with `src` in the place of its slice `[start:end:step]` along an axis."""
    x = as_tensor("slice_scatter", input)
    index = _at(axis_of("slice_scatter", axis, x.ndim), slice(start, end, step))
    return setitem(x, index, src)


def select_scatter(input: Any, src: Any, axis: int, index: int) -> Tensor:
    """`input` with `src` in the place of its slice number `index` along an axis, which `src` does not have."""
    x = as_tensor("select_scatter", input)
    return setitem(x, _at(axis_of("select_scatter", axis, x.ndim), index), src)


def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor:
    """`input` with `src` in the place of the diagonals that `diagonal(input, offset, dim1, dim2)` gives."""
    x, values = as_tensor("diagonal_scatter", input), as_tensor("diagonal_scatter", src)
    expected = diagonal(x, offset, dim1, dim2).shape
    if values.shape != expected:
        raise located(ValueError(f"diagonal_scatter: expected src of shape {expected}, got {values.spec}"))
    planes = moveaxis(x, (dim1, dim2), (-2, -1))
    places = np.arange(expected[-1])
    index = (..., places + max(-offset, 0), places + max(offset, 0))
    return moveaxis(setitem(planes, index, values), (-2, -1), (dim1, dim2))


def masked_scatter(input: Any, mask: Any, source: Any) -> Tensor:
    """`input` with the elements of `source`, in order, in the places where the bool `mask` (broadcast) is true.

    Raises:
        IndexError: there are more such places than elements.
    """
    x, values = as_tensor("masked_scatter", input), as_tensor("masked_scatter", source)
    on = broadcast(as_tensor("masked_scatter", mask), x.shape)
    if not on.dtype.is_bool:
        raise located(TypeError(f"masked_scatter: expected a mask of bools, got {on.spec}"))
    flat = reshape(on, (x.size,))
    places = select(flat, cumsum(cast(flat, int64), 0) - 1, 0)
    return select(on, reshape(gather(reshape(cast(values, x.dtype), (values.size,)), places, 0), x.shape), x)


def index_put(input: Any, indices: Any, values: Any, accumulate: bool = False) -> Tensor:
    """`input` with `values` at the positions `indices`, as `input[indices] = values`.

    Args:
        indices: a tuple or list of integer tensors, which broadcast together, one for each of the first axes.
        values: broadcasts to the chosen elements.
        accumulate: add to what is there (several times where positions repeat), instead of replacing it.
    """
    x = as_tensor("index_put", input)
    positions = tuple(as_tensor("index_put", i) for i in indices)
    if not accumulate:
        return setitem(x, positions, values)
    rows = stack(broadcast_all("index_put", list(positions)), -1)
    wanted = (*rows.shape[:-1], *x.shape[len(positions) :])
    return tensor_scatter_add(x, rows, broadcast(element("index_put", values, x.dtype), wanted))


def index_copy(input: Any, dim: int, index: Any, tensor: Any) -> Tensor:
    """`input` with the slices of `tensor` along `dim` in the places of its slices at the vector `index`."""
    x = as_tensor("index_copy", input)
    axis = axis_of("index_copy", dim, x.ndim)
    rows = moveaxis(cast(as_tensor("index_copy", tensor), x.dtype), axis, 0)
    positions = from_end(as_tensor("index_copy", index), x.shape[axis])
    return moveaxis(scatter_set_(moveaxis(x, axis, 0), positions, rows), 0, axis)


def inplace_update(x: Any, v: Any, indices: Any) -> Tensor:
    """`x` with the slices `v` in the places of its slices along axis 0 at `indices` (an int or several)."""
    return index_copy(x, 0, Tensor(as_ints("inplace_update", indices, "indices")), v)


def inplace_add(x: Any, v: Any, indices: Any) -> Tensor:
    """`x` with the slices `v` added to its slices along axis 0 at `indices` (an int or several)."""
    return index_add(x, Tensor(as_ints("inplace_add", indices, "indices")), v, 0)


def inplace_sub(x: Any, v: Any, indices: Any) -> Tensor:
    """`x` with the slices `v` subtracted from its slices along axis 0 at `indices` (an int or several)."""
    return inplace_add(x, -as_tensor("inplace_sub", v), indices)
