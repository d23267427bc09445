"""Other names of functions, from which older programs import: `ops.functional.tensor_add`, `ops.tensor_gt`."""

from __future__ import annotations

from typing import Any

from graphc.dtype import float_info, int64
from graphc.ops.arrays import vstack
from graphc.ops.bessel import bessel_i0
from graphc.ops.coerce import as_tensor, broadcast_shape, cast, full_like
from graphc.ops.control import held
from graphc.ops.conv import conv_transpose
from graphc.ops.creation import scalar_to_tensor
from graphc.ops.draws import random_poisson
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
from graphc.ops.gather import index_add
from graphc.ops.indexing import getitem
from graphc.ops.random import shape_of
from graphc.ops.reduce import amax, amin
from graphc.ops.scan import argsort
from graphc.ops.selection import unique
from graphc.ops.shape import broadcast_to, pad, reshape
from graphc.parameter import Parameter
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "conv3d_transpose", "dyn_shape", "eps", "expand", "expand_as", "floordiv", "floormod", "i0", "inplace_index_add",
    "invert_permutation", "padding", "poisson", "reduce_max", "reduce_min", "row_stack", "scalar_to_array",
    "strided_slice", "tensor_add", "tensor_div", "tensor_exp", "tensor_expm1", "tensor_floordiv", "tensor_ge",
    "tensor_gt", "tensor_le", "tensor_lt", "tensor_mod", "tensor_mul", "tensor_pow", "tensor_sub", "type_as",
    "unique_with_pad", "view_as",
]  # fmt: skip

tensor_add, tensor_sub, tensor_mul, tensor_div, tensor_pow = add, sub, mul, div, pow
tensor_floordiv = floordiv = floor_div
tensor_mod = floormod = floor_mod
tensor_exp, tensor_expm1 = exp, expm1
scalar_to_array = scalar_to_tensor
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


def i0(input: Any) -> Tensor:
    """As `bessel_i0`."""
    return bessel_i0(input)


def poisson(shape: Any, mean: Any, seed: Any = None) -> Tensor:
    """Random whole numbers of Poisson's distribution, float32 in the shape that `shape` and the means broadcast to."""
    rate = as_tensor("poisson", mean)
    wanted = broadcast_shape("poisson", [shape_of("poisson", shape), rate.shape])
    return random_poisson((), broadcast_to(rate, wanted), seed)


def conv3d_transpose(
    inputs: Any, weight: Any, pad_mode: str = "valid", padding: Any = 0, stride: Any = 1, dilation: Any = 1,
    group: int = 1, output_padding: Any = 0,
) -> Tensor:
    """`conv_transpose` of `[N, Cin, D, H, W]` with `[Cin, Cout / group, KD, KH, KW]`."""
    x = as_tensor("conv3d_transpose", inputs)
    if x.ndim != 5:
        raise located(ValueError(f"conv3d_transpose: expected [N, Cin, D, H, W], got {x.spec}"))
    return conv_transpose(x, weight, None, stride, pad_mode, padding, output_padding, dilation, group)


def row_stack(tensors: Any) -> Tensor:
    """As `vstack`."""
    return vstack(tensors)


def dyn_shape(input_x: Any) -> Tensor:
    """The shape as an int64 tensor."""
    return Tensor(list(as_tensor("dyn_shape", input_x).shape), int64)


def eps(x: Any) -> Tensor:
    """The distance from 1 to the next number of the dtype, in the shape of a float tensor."""
    operand = as_tensor("eps", x)
    if not operand.dtype.is_float:
        raise located(TypeError(f"eps: expected floats, got {operand.spec}"))
    return full_like(operand, float(float_info(operand.dtype).eps))


def padding(x: Any, pad_dim_size: int = 8) -> Tensor:
    """Zeros after the one element along the last axis, so that there are `pad_dim_size`."""
    operand = as_tensor("padding", x)
    if operand.ndim < 2 or operand.shape[-1] != 1 or pad_dim_size < 1:
        raise located(ValueError(f"padding: expected [..., 1] and a positive size, got {operand.spec}, {pad_dim_size}"))
    return pad(operand, (0, pad_dim_size - 1))


def unique_with_pad(x: Any, pad_num: Any) -> tuple[Tensor, Tensor]:
    """The different elements of a vector, then `pad_num` until there are as many as before; and where each is."""
    operand = as_tensor("unique_with_pad", x)
    if operand.ndim != 1:
        raise located(ValueError(f"unique_with_pad: expected a vector, got {operand.spec}"))
    values, places = unique(operand)
    return pad(values, (0, operand.shape[0] - values.shape[0]), "constant", pad_num), places


def inplace_index_add(var: Parameter, indices: Any, updates: Any, axis: int) -> Tensor:
    """Adds slices to those of a Parameter along an axis, at `indices`; returns what it holds then."""
    return held(var, index_add(var, indices, updates, axis))
