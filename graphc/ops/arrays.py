"""NumPy's everyday functions of arrays that other ops make up: stacking by name, differences, traces, turns."""

from __future__ import annotations

import copy
from typing import Any

from graphc.dispatch import located
from graphc.ops.coerce import as_tensor, full_like
from graphc.ops.creation import arange
from graphc.ops.elementwise import isnan, mul, select, sub
from graphc.ops.functions import less
from graphc.ops.reduce import sum_over
from graphc.ops.shape import (
    axis_of,
    concat,
    diagonal,
    expand_dims,
    flip,
    moveaxis,
    reshape,
    swapaxes,
    tensor_split,
)
from graphc.tensor import Tensor

__all__ = [
    "column_stack", "cross", "deepcopy", "diff", "dsplit", "dstack", "fliplr", "flipud", "hsplit", "hstack",
    "is_tensor", "kron", "movedim", "nansum", "numel", "rot90", "sequence_mask", "swapdims", "trace", "vsplit",
    "vstack",
]  # fmt: skip

movedim, swapdims = moveaxis, swapaxes


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
    first, second = (axis_of("rot90", d, x.ndim) for d in dims)
    if first == second:
        raise located(ValueError(f"rot90: dims must be two different axes, got {dims}"))
    flipped = ((), (second,), (first, second), (first,))[k % 4]
    x = flip(x, flipped) if flipped else x
    return swapaxes(x, first, second) if k % 2 else x


# Arithmetic


def trace(input: Any) -> Tensor:
    """The sum of the main diagonal of a matrix."""
    x = as_tensor("trace", input)
    if x.ndim != 2:
        raise located(ValueError(f"trace: expected a matrix, got {x.type}"))
    return sum_over(diagonal(x), (0,))


def diff(x: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """The differences of neighbours along an axis, taken `n` times; `prepend` and `append` join the ends first."""
    joined = [as_tensor("diff", part) for part in (prepend, x, append) if part is not None]
    y = concat(joined, axis) if len(joined) > 1 else joined[0]
    axis = axis_of("diff", axis, y.ndim)
    if n < 0:
        raise located(ValueError(f"diff: n must not be negative, got {n}"))
    for _ in range(n):
        count = y.shape[axis] - 1
        y = sub(y.narrow(axis, 1, count), y.narrow(axis, 0, count))
    return y


def cross(input: Any, other: Any, dim: int | None = None) -> Tensor:
    """The vector product along `dim`, of extent 3; None: along the first such axis."""
    x, y = as_tensor("cross", input), as_tensor("cross", other)
    axes = [d for d in range(x.ndim) if x.shape[d] == 3] if dim is None else [axis_of("cross", dim, x.ndim)]
    if not axes or x.shape[axes[0]] != 3 or x.shape != y.shape:
        raise located(ValueError(f"cross: expected two tensors of one shape with an axis of 3, got {x.type}, {y.type}"))
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
    x = select(isnan(x), full_like(x, 0), x) if x.dtype.is_float else x
    total: Tensor = x.sum(axis, dtype, keepdims)
    return total


def sequence_mask(lengths: Any, maxlen: int | None = None) -> Tensor:
    """`[..., maxlen]` bools: whether a position is less than its row's length; eager mode finds `maxlen` itself."""
    x = as_tensor("sequence_mask", lengths)
    extent = int(x.max()) if maxlen is None else maxlen
    return less(arange(extent, dtype=x.dtype), expand_dims(x, -1))
