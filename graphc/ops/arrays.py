"""NumPy's everyday array functions, written with other ops: stacking by name, differences, traces, rotations."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.dtype import int64
from graphc.ops.axes import as_int, as_ints, axis_of
from graphc.ops.coerce import as_dtype, as_tensor, broadcast, cast, full_like, scalar, to_dtype, to_float
from graphc.ops.creation import arange, row_and_column
from graphc.ops.elementwise import abs_, add, div, equal, isnan, logical_not, mul, not_equal, select, sign, sub
from graphc.ops.functions import less, signbit
from graphc.ops.reduce import norm, sum_over
from graphc.ops.scan import sort
from graphc.ops.shape import concat, diagonal, expand_dims, flip, moveaxis, reshape, swapaxes, tensor_split
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "atleast_1d", "atleast_2d", "atleast_3d", "bias_add", "column_stack", "copysign", "cross", "deepcopy", "diag_embed",
    "diff", "dist", "dsplit", "dstack", "fliplr", "flipud", "hsplit", "hstack", "is_tensor", "isneginf", "isposinf",
    "kron", "mirror_pad", "movedim", "msort", "nanmean", "nansum", "numel", "positive", "ravel", "reverse", "rot90",
    "sequence_mask", "sgn", "swapdims", "trace", "tril_indices", "triu_indices", "vecdot", "vsplit", "vstack",
]  # fmt: skip

movedim = moveaxis


def swapdims(input: Any, dim0: int, dim1: int) -> Tensor:
    """Two axes exchanged: as `swapaxes`."""
    return swapaxes(input, dim0, dim1)


def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a Tensor."""
    return isinstance(obj, Tensor)


def numel(input: Any) -> int:
    """The number of elements of a tensor."""
    return as_tensor("numel", input).size


def deepcopy(input_x: Any) -> Tensor:
    """The same value as a tensor of its own; the gradient does not pass."""
    return copy.deepcopy(as_tensor("deepcopy", input_x))


# Stacking and splitting


def _at_least(name: str, tensors: Any, ndim: int) -> list[Tensor]:
    """The tensors, each with at least `ndim` (1 to 3) dimensions: a vector becomes a row `[1, n]`, then `[1, n, 1]`."""
    if not isinstance(tensors, (tuple, list)) or not tensors:
        raise located(TypeError(f"{name}: expected a tuple or list of tensors, got {type(tensors).__name__}"))
    shaped = []
    for tensor in (as_tensor(name, t) for t in tensors):
        shape = tensor.shape or (1,)
        shape = (1, *shape) if len(shape) < min(ndim, 2) else shape
        shaped.append(reshape(tensor, (*shape, 1) if len(shape) < ndim else shape))
    return shaped


def vstack(inputs: Any) -> Tensor:
    """Tensors one below the other: joined along axis 0, vectors as rows."""
    return concat(_at_least("vstack", inputs, 2), 0)


def hstack(tensors: Any) -> Tensor:
    """Tensors side by side: joined along axis 1, vectors along their only axis."""
    parts = _at_least("hstack", tensors, 1)
    return concat(parts, 0 if parts[0].ndim == 1 else 1)


def dstack(tensors: Any) -> Tensor:
    """Tensors one behind the other: joined along axis 2, with as many dimensions."""
    return concat(_at_least("dstack", tensors, 3), 2)


def column_stack(tensors: Any) -> Tensor:
    """Tensors side by side, vectors as columns."""
    parts = _at_least("column_stack", tensors, 1)
    return concat([expand_dims(t, 1) if t.ndim == 1 else t for t in parts], 1)


def vsplit(input: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along axis 0."""
    return tensor_split(input, indices_or_sections, 0)


def hsplit(input: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along axis 1; along axis 0 of a vector."""
    return tensor_split(input, indices_or_sections, 0 if as_tensor("hsplit", input).ndim == 1 else 1)


def dsplit(input: Any, indices_or_sections: Any) -> tuple[Tensor, ...]:
    """`tensor_split` along axis 2."""
    return tensor_split(input, indices_or_sections, 2)


def _each_at_least(name: str, inputs: Any, ndim: int) -> Any:
    if isinstance(inputs, (tuple, list)):
        return tuple(_at_least(name, inputs, ndim))
    return _at_least(name, [inputs], ndim)[0]


def atleast_1d(inputs: Any) -> Any:
    """The tensor (or each of several) with at least 1 dimension: a scalar becomes `[1]`."""
    return _each_at_least("atleast_1d", inputs, 1)


def atleast_2d(inputs: Any) -> Any:
    """The tensor (or each of several) with at least 2 dimensions: `[n]` becomes `[1, n]`."""
    return _each_at_least("atleast_2d", inputs, 2)


def atleast_3d(inputs: Any) -> Any:
    """The tensor (or each of several) with at least 3 dimensions: `[n]` becomes `[1, n, 1]`, `[m, n]` `[m, n, 1]`."""
    return _each_at_least("atleast_3d", inputs, 3)


def ravel(input: Any) -> Tensor:
    """All elements as a vector."""
    return reshape(as_tensor("ravel", input), (-1,))


# Turns


def flipud(input: Any) -> Tensor:
    """Axis 0 reversed."""
    return flip(input, (0,))


def fliplr(input: Any) -> Tensor:
    """Axis 1 reversed."""
    return flip(input, (1,))


def rot90(input: Any, k: int, dims: Any) -> Tensor:
    """Turned `k` times by 90 degrees, from the first of the two axes `dims` towards the second."""
    x = as_tensor("rot90", input)
    axes = [axis_of("rot90", d, x.ndim) for d in as_ints("rot90", dims, "dims")]
    if len(axes) != 2 or axes[0] == axes[1]:
        raise located(ValueError(f"rot90: dims must be two different axes, got {dims!r:.60}"))
    (first, second), k = axes, as_int("rot90", k, "k")
    flipped = ((), (second,), (first, second), (first,))[k % 4]
    x = flip(x, flipped) if flipped else x
    return swapaxes(x, first, second) if k % 2 else x


def reverse(x: Any, axis: Any) -> Tensor:
    """The axes in the tuple `axis` reversed: as `flip`."""
    return flip(x, axis)


def msort(input: Any) -> Tensor:
    """The elements in order along axis 0."""
    return sort(input, 0)[0]


def mirror_pad(input_x: Any, paddings: Any, mode: str) -> Tensor:
    """A tensor with its own mirror image around it.

    Args:
        paddings: (before, after) for each axis: a list of pairs, or a tensor `[ndim, 2]` whose value is known.
        mode: `"REFLECT"`: the mirror stands on the elements at the edges; `"SYMMETRIC"`: beyond them.
    """
    x = as_tensor("mirror_pad", input_x)
    pairs = paddings.tolist() if isinstance(paddings, Tensor) else paddings
    if mode not in ("REFLECT", "SYMMETRIC") or len(pairs) != x.ndim:
        raise located(ValueError(f"mirror_pad: mode {mode!r} or paddings {pairs} do not fit {x.spec}"))
    skipped = int(mode == "REFLECT")
    for axis, (before, after) in enumerate(pairs):
        count = x.shape[axis]
        if not 0 <= min(before, after) <= max(before, after) <= count - skipped:
            raise located(ValueError(f"mirror_pad: axis {axis} of {x.spec} has no {before} and {after} to mirror"))
        low = flip(x.narrow(axis, skipped, before), (axis,))
        high = flip(x.narrow(axis, count - skipped - after, after), (axis,))
        x = concat([low, x, high], axis) if before or after else x
    return x


# Diagonals and triangles


def diag_embed(input: Any, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """Matrices with the last axis of `input` on a diagonal, and 0 elsewhere.

    Args:
        input: `[..., L]`.
        offset: the diagonal; > 0 above the main one, < 0 below it.
        dim1, dim2: which axes of the result are rows and columns.
    Returns:
        `[..., N, N]` with N = L + |offset|, its last two axes moved to `dim1` and `dim2`.
    """
    x = as_tensor("diag_embed", input)
    if x.ndim == 0:
        raise located(ValueError(f"diag_embed: expected at least one dimension, got {x.spec}"))
    first, second = axis_of("diag_embed", dim1, x.ndim + 1), axis_of("diag_embed", dim2, x.ndim + 1)
    if first == second:
        raise located(ValueError(f"diag_embed: dim1 and dim2 must be two axes, got {dim1} and {dim2}"))
    offset = as_int("diag_embed", offset, "offset")
    size = abs(offset)
    if size:
        x = concat([x, broadcast(scalar(0, x.dtype), (*x.shape[:-1], size))], -1)
    square = (*x.shape, x.shape[-1])
    row, column = row_and_column(square)
    on = equal(column, row + offset) if offset >= 0 else equal(row, column + size)
    spread = broadcast(expand_dims(x, -1 if offset >= 0 else -2), square)
    matrices = select(on, spread, full_like(spread, 0))
    return moveaxis(matrices, (-2, -1), (first, second))


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64) -> Tensor:
    """Rows and columns `[2, n]` of the elements of a matrix that are not above a diagonal, in row-major order."""
    return _indices("tril_indices", np.tril_indices, row, col, offset, dtype)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: Any = int64) -> Tensor:
    """Rows and columns `[2, n]` of the elements of a matrix that are not below a diagonal, in row-major order."""
    return _indices("triu_indices", np.triu_indices, row, col, offset, dtype)


def _indices(name: str, made: Callable[..., Any], row: int, col: int, offset: int, dtype: Any) -> Tensor:
    extents = as_int(name, row, "row", 0), as_int(name, offset, "offset"), as_int(name, col, "col", 0)
    return cast(Tensor(np.stack(made(*extents)).astype(np.int64)), as_dtype(dtype))


# Arithmetic


def positive(input: Any) -> Tensor:
    """The tensor itself."""
    return as_tensor("positive", input)


def sgn(input: Any) -> Tensor:
    """As `sign`: -1, 0 or 1."""
    return sign(input)


def isposinf(input: Any) -> Tensor:
    """Whether an element is plus infinity: bool."""
    return equal(as_tensor("isposinf", input), float("inf"))


def isneginf(input: Any) -> Tensor:
    """Whether an element is minus infinity: bool."""
    return equal(as_tensor("isneginf", input), float("-inf"))


def copysign(x: Any, other: Any) -> Tensor:
    """The size of `x` with the sign of `other` (that of 0, too); of integers in float32."""
    size = as_tensor("copysign", x)
    size = abs_(cast(size, to_float(size.dtype)))
    return select(signbit(other), -size, size)


def vecdot(x: Any, y: Any, *, axis: int = -1) -> Tensor:
    """The sums of products along an axis; the other axes broadcast."""
    product = mul(x, y)
    return sum_over(product, (axis_of("vecdot", axis, product.ndim),))


def dist(input: Any, other: Any, p: float = 2) -> Tensor:
    """The `p`-norm of the difference, over all elements."""
    return norm(ravel(sub(input, other)), p, 0)


def bias_add(input_x: Any, bias: Any) -> Tensor:
    """`[N, C, ...]` with the number of its channel in `bias` `[C]` added to each element."""
    x, b = as_tensor("bias_add", input_x), as_tensor("bias_add", bias)
    if x.ndim < 2 or b.shape != x.shape[1:2]:
        raise located(ValueError(f"bias_add: expected [N, C, ...] and [C], got {x.spec} and {b.spec}"))
    return add(x, reshape(b, (-1, *(1,) * (x.ndim - 2))))


def nanmean(input: Any, axis: Any = None, keepdims: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over the axes of the elements that are not NaN; NaN where there is none."""
    x = as_tensor("nanmean", input)
    x = cast(x, to_dtype(dtype, to_float(x.dtype)))
    count = cast(logical_not(isnan(x)), x.dtype).sum(axis, None, keepdims)
    return div(nansum(x, axis, keepdims), count)


def trace(input: Any) -> Tensor:
    """The sum of the main diagonal of a matrix."""
    x = as_tensor("trace", input)
    if x.ndim != 2:
        raise located(ValueError(f"trace: expected a matrix, got {x.spec}"))
    return sum_over(diagonal(x), (0,))


def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """The differences of neighbours along an axis (of bools, whether they differ), taken `n` times.

    `prepend` and `append` join the ends first.
    """
    ends = [None if part is None else as_tensor("diff", part) for part in (prepend, append)]
    joined = [part for part in (ends[0], as_tensor("diff", x), ends[1]) if part is not None]
    y = concat(joined, axis) if len(joined) > 1 else joined[0]
    axis = axis_of("diff", axis, y.ndim)
    differ = not_equal if y.dtype.is_bool else sub
    for _ in range(min(as_int("diff", n, "n", 0), y.shape[axis])):  # no elements remain after as many
        count = y.shape[axis] - 1
        y = differ(y.narrow(axis, 1, count), y.narrow(axis, 0, count))
    return y


def cross(input: Any, other: Any, dim: int | None = None) -> Tensor:
    """The vector product along `dim`, of extent 3; None: along the first such axis."""
    x, y = as_tensor("cross", input), as_tensor("cross", other)
    axes = [d for d in range(x.ndim) if x.shape[d] == 3] if dim is None else [axis_of("cross", dim, x.ndim)]
    if not axes or x.shape[axes[0]] != 3 or x.shape != y.shape:
        raise located(ValueError(f"cross: expected two tensors of one shape with an axis of 3, got {x.spec}, {y.spec}"))
    axis = axes[0]
    ahead, behind = (1, 2, 0), (2, 0, 1)

    def part(t: Tensor, order: tuple[int, ...]) -> Tensor:
        return concat([t.narrow(axis, i, 1) for i in order], axis)

    return sub(mul(part(x, ahead), part(y, behind)), mul(part(x, behind), part(y, ahead)))


def kron(input: Any, other: Any) -> Tensor:
    """The Kronecker product: every element of `input` times all of `other`, as blocks."""
    x, y = as_tensor("kron", input), as_tensor("kron", other)
    ndim = max(x.ndim, y.ndim)
    shapes = [(1,) * (ndim - t.ndim) + t.shape for t in (x, y)]
    rows = reshape(x, tuple(n for extent in shapes[0] for n in (extent, 1)))
    columns = reshape(y, tuple(n for extent in shapes[1] for n in (1, extent)))
    return reshape(mul(rows, columns), tuple(a * b for a, b in zip(*shapes, strict=True)))


def nansum(input: Any, axis: Any = None, keepdims: bool = False, *, dtype: Any = None) -> Tensor:
    """The sum over the axes, with 0 in place of NaN."""
    x = as_tensor("nansum", input)
    x = select(isnan(x), full_like(x, 0), x) if x.dtype.is_inexact else x
    total: Tensor = x.sum(axis, dtype, keepdims)
    return total


def sequence_mask(lengths: Any, maxlen: int | None = None) -> Tensor:
    """`[..., maxlen]` bools: whether a position is less than its row's length; eager mode finds `maxlen` itself."""
    x = as_tensor("sequence_mask", lengths)
    extent = int(x.max()) if maxlen is None else maxlen
    return less(arange(extent, dtype=x.dtype), expand_dims(x, -1))
