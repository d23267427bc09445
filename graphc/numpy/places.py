"""Places in tensors: indices of triangles and diagonals, grids, flat and multiple indices; functions along axes."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import numpy

from graphc import ops
from graphc.dtype import int32
from graphc.numpy.creation import asarray
from graphc.numpy.dtypes import short
from graphc.numpy.selection import where
from graphc.ops import abs as abs
from graphc.ops.axes import as_int, as_ints, axis_of
from graphc.ops.coerce import as_dtype, cast
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "apply_along_axis", "apply_over_axes", "argwhere", "choose", "diag_indices", "indices", "ix_", "mgrid", "ogrid",
    "piecewise", "ravel_multi_index", "tril_indices", "tril_indices_from", "triu_indices", "triu_indices_from",
    "unravel_index",
]  # fmt: skip


def _known(arrays: Any) -> tuple[Tensor, ...]:
    """Indices that are known, as int32 tensors."""
    return tuple(Tensor(numpy.asarray(a, numpy.int32)) for a in arrays)


def diag_indices(n: int, ndim: int = 2) -> tuple[Tensor, ...]:
    """The indices of the main diagonal of a tensor of `ndim` axes of extent `n`."""
    return _known([numpy.arange(as_int("diag_indices", n, "n", 0))] * as_int("diag_indices", ndim, "ndim", 0))


def tril_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Tensor, ...]:
    """The row and column of each element of an `[n, m]` matrix on its k-th diagonal and below."""
    return _of_matrix("tril_indices", numpy.tril_indices, n, k, m)


def triu_indices(n: int, k: int = 0, m: int | None = None) -> tuple[Tensor, ...]:
    """The row and column of each element of an `[n, m]` matrix on its k-th diagonal and above."""
    return _of_matrix("triu_indices", numpy.triu_indices, n, k, m)


def _of_matrix(name: str, made: Callable[..., Any], n: int, k: int, m: int | None) -> tuple[Tensor, ...]:
    rows = as_int(name, n, "n", 0)
    return _known(made(rows, as_int(name, k, "k"), rows if m is None else as_int(name, m, "m", 0)))


def _matrix(name: str, arr: Any) -> tuple[int, int]:
    shape = asarray(arr).shape
    if len(shape) != 2:
        raise located(ValueError(f"{name}: expected a matrix, got shape {shape}"))
    return shape[0], shape[1]


def tril_indices_from(arr: Any, k: int = 0) -> tuple[Tensor, ...]:
    """`tril_indices` of a matrix's shape."""
    rows, columns = _matrix("tril_indices_from", arr)
    return tril_indices(rows, k, columns)


def triu_indices_from(arr: Any, k: int = 0) -> tuple[Tensor, ...]:
    """`triu_indices` of a matrix's shape."""
    rows, columns = _matrix("triu_indices_from", arr)
    return triu_indices(rows, k, columns)


def indices(dimensions: Any, dtype: Any = int32, sparse: bool = False) -> list[Tensor]:
    """For each axis of a shape the index along it of every element; with `sparse` such that they broadcast."""
    wanted = as_dtype(dtype)
    grids: Any = numpy.indices(as_ints("indices", dimensions, "dimensions"), sparse=sparse)  # type: ignore[call-overload]  # of a literal
    return [Tensor(numpy.ascontiguousarray(g), wanted) for g in grids]


def ix_(*args: Any) -> tuple[Tensor, ...]:
    """Vectors of indices such that all combinations are chosen: each along an axis of its own."""
    vectors = [asarray(a) for a in args]
    for v in vectors:
        if v.ndim != 1:
            raise located(ValueError(f"ix_: expected vectors, got {v.spec}"))
    return tuple(
        ops.reshape(v, tuple(-1 if d == place else 1 for d in range(len(vectors)))) for place, v in enumerate(vectors)
    )


class _Grid:
    """Grids by slices: `mgrid[0:3, 0:1:5j]`, where an imaginary step says how many numbers there are."""

    def __init__(self, sparse: bool) -> None:
        self._grid: Any = numpy.ogrid if sparse else numpy.mgrid
        self._name = "ogrid" if sparse else "mgrid"

    def __getitem__(self, key: Any) -> Any:
        found = self._grid[key]
        if isinstance(found, (tuple, list)):
            return [short(Tensor(numpy.asarray(g))) for g in found]
        return short(Tensor(numpy.asarray(found)))

    def __repr__(self) -> str:
        return f"graphc.numpy.{self._name}"


mgrid, ogrid = _Grid(sparse=False), _Grid(sparse=True)
"""The coordinates of a grid: a tensor with them one after the other, and a list of those that broadcast."""


def _shape(name: str, shape: Any, order: str) -> list[int]:
    if order not in ("C", "F"):
        raise located(ValueError(f"{name}: order must be 'C' or 'F', got {order!r}"))
    return list(as_ints(name, shape))


def unravel_index(indices: Any, shape: Any, order: str = "C") -> tuple[Tensor, ...]:
    """For each index into the flat tensor its index along every axis of `shape`."""
    extents = _shape("unravel_index", shape, order)
    rest, found = asarray(indices), []
    for n in extents[::-1] if order == "C" else extents:
        found.append(ops.floor_mod(rest, n))
        rest = ops.floor_div(rest, n)
    return tuple(found[::-1] if order == "C" else found)


def ravel_multi_index(multi_index: Any, dims: Any, mode: str = "clip", order: str = "C") -> Tensor:
    """The index into the flat tensor for indices along every axis of `dims`: int32.

    Args:
        mode: what an index out of range does: be "clip"ped, or "wrap" around.
    """
    if mode not in ("clip", "wrap"):
        raise located(ValueError(f"ravel_multi_index: mode must be 'clip' or 'wrap', got {mode!r}"))
    extents = _shape("ravel_multi_index", dims, order)
    each = [asarray(i) for i in multi_index]
    if len(each) != len(extents):
        raise located(ValueError(f"ravel_multi_index: got {len(each)} indices for {len(extents)} dimensions"))
    total: Any = 0
    pairs = list(zip(each, extents, strict=True))
    for index, n in pairs if order == "C" else pairs[::-1]:
        inside = ops.clamp(index, 0, n - 1) if mode == "clip" else ops.floor_mod(index, n)
        total = total * n + inside
    return cast(total, int32)


def choose(a: Any, choices: Any, mode: str = "clip") -> Tensor:
    """For each element, a number of one of `choices`, the element of that one; see `Tensor.choose`."""
    tensors = [asarray(c) for c in choices]
    places = asarray(a)
    shape = numpy.broadcast_shapes(places.shape, *(t.shape for t in tensors))
    found: Tensor = ops.broadcast_to(places, shape).choose(tensors, mode)
    return found


def piecewise(x: Any, condlist: Any, funclist: Any, *args: Any, **kw: Any) -> Tensor:
    """From each function the elements of which its condition is the last that holds.

    Args:
        condlist: bool tensors, or one.
        funclist: functions of `x` (with `args` and `kw`) or numbers, one for each condition and perhaps one for where
            none holds; that is 0 by default.
    """
    value = asarray(x)
    conditions = [condlist] if isinstance(condlist, (Tensor, numpy.ndarray, bool)) else list(condlist)
    if len(funclist) not in (len(conditions), len(conditions) + 1):
        raise located(ValueError(f"piecewise: got {len(funclist)} functions for {len(conditions)} conditions"))

    def of(function: Any) -> Tensor:
        made = function(value, *args, **kw) if callable(function) else function
        return ops.broadcast_to(cast(asarray(made), value.dtype), value.shape)

    result = of(funclist[-1] if len(funclist) > len(conditions) else 0)
    for condition, function in zip(conditions, funclist, strict=False):
        result = where(condition, of(function), result)
    return result


def apply_along_axis(func1d: Callable[..., Any], axis: int, arr: Any, *args: Any, **kwargs: Any) -> Tensor:
    """A function of vectors, of each slice along an axis; what it returns takes the axis's place."""
    x = asarray(arr)
    axis = axis_of("apply_along_axis", axis, x.ndim)
    last = ops.moveaxis(x, axis, -1)
    rows = ops.reshape(last, (-1, x.shape[axis]))
    made = [asarray(func1d(rows[i], *args, **kwargs)) for i in builtins.range(rows.shape[0])]
    if not made:
        raise located(ValueError(f"apply_along_axis: {x.spec} has no slices along axis {axis}"))
    shape = made[0].shape
    found = ops.reshape(ops.stack(made), (*last.shape[:-1], *shape))
    lead = last.ndim - 1
    source = tuple(range(lead, lead + len(shape)))
    return ops.moveaxis(found, source, tuple(axis % x.ndim + d for d in range(len(shape))))


def apply_over_axes(func: Callable[[Any, int], Any], a: Any, axes: Any) -> Tensor:
    """`func(x, axis)` for one axis after the other; an axis that it takes away stays with extent 1."""
    x = asarray(a)
    for given in as_ints("apply_over_axes", axes, "axes"):
        axis = axis_of("apply_over_axes", given, x.ndim)
        made = asarray(func(x, axis))
        if made.ndim == x.ndim - 1:
            made = ops.expand_dims(made, axis)
        if made.ndim != x.ndim:
            raise located(ValueError(f"apply_over_axes: the function made {made.spec} of {x.spec}"))
        x = made
    return x


def argwhere(a: Any) -> Tensor:
    """The positions of the elements that are not zero: int64 `[count, axes]`."""
    return ops.argwhere(asarray(a))
