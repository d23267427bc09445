"""Other names of functions, from which older programs import: `ops.functional.tensor_add`, `ops.tensor_gt`."""

from __future__ import annotations

from typing import Any

from graphc.dispatch import located
from graphc.ops.coerce import as_tensor, cast
from graphc.ops.functions import (
    add,
    div,
    exp,
    expm1,
    floor_div,
    floor_mod,
    greater,
    greater_equal,
    less,
    less_equal,
    mul,
    pow,
    sub,
)
from graphc.ops.indexing import getitem
from graphc.ops.reduce import amax, amin
from graphc.ops.scan import argsort
from graphc.ops.shape import broadcast_to, reshape
from graphc.tensor import Tensor

__all__ = [
    "expand", "expand_as", "floordiv", "floormod", "invert_permutation", "reduce_max", "reduce_min", "strided_slice",
    "tensor_add", "tensor_div", "tensor_exp", "tensor_expm1", "tensor_floordiv", "tensor_ge", "tensor_gt", "tensor_le",
    "tensor_lt", "tensor_mod", "tensor_mul", "tensor_pow", "tensor_sub", "type_as", "view_as",
]  # fmt: skip

tensor_add, tensor_sub, tensor_mul, tensor_div, tensor_pow = add, sub, mul, div, pow
tensor_floordiv = floordiv = floor_div
tensor_mod = floormod = floor_mod
tensor_exp, tensor_expm1 = exp, expm1
tensor_gt, tensor_ge, tensor_lt, tensor_le = greater, greater_equal, less, less_equal


def reduce_max(x: Any, axis: Any = ()) -> Tensor:
    """The greatest elements over the axes, all for `()`."""
    return amax(x, axis if axis != () else None)


def reduce_min(x: Any, axis: Any = ()) -> Tensor:
    """The smallest elements over the axes, all for `()`."""
    return amin(x, axis if axis != () else None)


def expand(input_x: Any, size: Any) -> Tensor:
    """`input_x` broadcast to a shape, where -1 keeps an extent: as `broadcast_to`."""
    return broadcast_to(input_x, tuple(size.tolist()) if isinstance(size, Tensor) else size)


def expand_as(input: Any, other: Any) -> Tensor:
    """`input` broadcast to the shape of another tensor."""
    return broadcast_to(input, as_tensor("expand_as", other).shape)


def view_as(input: Any, other: Any) -> Tensor:
    """`input` in the shape of another tensor, with as many elements."""
    return reshape(input, as_tensor("view_as", other).shape)


def type_as(input: Any, other: Any) -> Tensor:
    """`input` in the element type of another tensor."""
    return cast(as_tensor("type_as", input), as_tensor("type_as", other).dtype)


def invert_permutation(x: Any) -> Any:
    """The positions that undo a permutation, as a tensor if it is one, else as a tuple of ints."""
    if isinstance(x, (tuple, list)):
        return tuple(sorted(range(len(x)), key=x.__getitem__))
    order = as_tensor("invert_permutation", x)
    return cast(argsort(order), order.dtype)


def strided_slice(
    input_x: Any, begin: Any, end: Any, strides: Any, begin_mask: int = 0, end_mask: int = 0, ellipsis_mask: int = 0,
    new_axis_mask: int = 0, shrink_axis_mask: int = 0,
) -> Tensor:
    """The elements from `begin` to `end` in steps along each axis, by TensorFlow's rule.

    Args:
        begin, end, strides: ints, one of each for each part of the index.
        begin_mask, end_mask: where bit i is set, part i begins (ends) where the axis does.
        ellipsis_mask: where bit i is set, part i stands for all axes that no other part does.
        new_axis_mask: where bit i is set, part i is a new axis of extent 1.
        shrink_axis_mask: where bit i is set, part i is the one element at `begin`, without its axis.
    """
    if not len(begin) == len(end) == len(strides):
        lengths = f"{len(begin)}, {len(end)} and {len(strides)}"
        raise located(ValueError(f"strided_slice: begin, end and strides must be of one length, got {lengths}"))
    parts: list[Any] = []
    for i, (low, high, step) in enumerate(zip(begin, end, strides)):
        bit = 1 << i
        if ellipsis_mask & bit:
            parts.append(Ellipsis)
        elif new_axis_mask & bit:
            parts.append(None)
        elif shrink_axis_mask & bit:
            parts.append(low)
        else:
            parts.append(slice(None if begin_mask & bit else low, None if end_mask & bit else high, step))
    return getitem(as_tensor("strided_slice", input_x), tuple(parts))
