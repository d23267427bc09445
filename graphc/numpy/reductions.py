"""Over axes: sums, means, extremes and what is built on them."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

from graphc import ops
from graphc.dtype import bool_, float32, int32, uint8
from graphc.numpy.creation import asarray, ones_like
from graphc.numpy.dtypes import to
from graphc.numpy.shapes import ravel
from graphc.ops import abs as abs
from graphc.ops.axes import as_int
from graphc.ops.coerce import as_dtype, cast
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "argmax", "argmin", "average", "bincount", "count_nonzero", "cumsum", "diagonal", "diff", "max", "mean", "min",
    "nansum", "norm", "ptp", "std", "sum", "trace", "var",
]  # fmt: skip


def _reduced(x: Tensor, axis: Any) -> Any:
    """The axes as `graphc.ops` takes them: all for None."""
    return tuple(range(x.ndim)) if axis is None else tuple(axis) if isinstance(axis, list) else axis


def sum(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False, initial: Any = None) -> Tensor:
    """The sum over the axes, plus `initial`."""
    x = asarray(a)
    total = ops.sum(x, _reduced(x, axis), keepdims, dtype=None if dtype is None else as_dtype(dtype))
    return total if initial is None else total + initial


def mean(a: Any, axis: Any = None, keepdims: bool = False, dtype: Any = None) -> Tensor:
    """The mean over the axes: of whole numbers in float32."""
    x = asarray(a)
    x = x if x.dtype.is_inexact else cast(x, float32)
    return to(ops.mean(x, _reduced(x, axis), keepdims), dtype)


def average(x: Any, axis: Any = None, weights: Any = None, returned: bool = False) -> Any:
    """The mean over the axes, with weights; with `returned` also the sum of the weights."""
    value = asarray(x)
    shares = ones_like(value, float32) if weights is None else asarray(weights)
    if shares.ndim == 1 and value.ndim > 1 and isinstance(axis, int):
        shares = ops.reshape(shares, tuple(-1 if d == axis % value.ndim else 1 for d in range(value.ndim)))
    shares = ops.broadcast_to(shares, value.shape)
    total = sum(shares, axis)
    found = sum(value * shares, axis) / total
    return (found, total) if returned else found


def var(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The variance over the axes; the divisor is the count less `ddof`."""
    value = asarray(x)
    value = value if value.dtype.is_inexact else cast(value, float32)
    return ops.var(value, _reduced(value, axis), ddof, keepdims)


def std(x: Any, axis: Any = None, ddof: int = 0, keepdims: bool = False) -> Tensor:
    """The standard deviation over the axes; the divisor is the count less `ddof`."""
    return ops.sqrt(var(x, axis, ddof, keepdims))


def max(a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor:
    """The greatest element over the axes, of those where `where` holds and of `initial`."""
    return _extreme("max", ops.amax, a, axis, keepdims, initial, where)


def min(a: Any, axis: Any = None, keepdims: bool = False, initial: Any = None, where: Any = True) -> Tensor:
    """The smallest element over the axes, of those where `where` holds and of `initial`."""
    return _extreme("min", ops.amin, a, axis, keepdims, initial, where)


def _extreme(
    name: str, function: Callable[..., Tensor], a: Any, axis: Any, keepdims: bool, initial: Any, where: Any
) -> Tensor:
    x = asarray(a)
    if where is True:
        return function(x, _reduced(x, axis), keepdims, initial=initial)
    if initial is None:
        raise located(ValueError(f"{name}: `where` needs an initial value"))
    return function(x, _reduced(x, axis), keepdims, initial=initial, where=where)


def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The greatest less the smallest element over the axes."""
    return max(x, axis, keepdims) - min(x, axis, keepdims)


def argmax(a: Any, axis: int | None = None) -> Tensor:
    """The position of the first greatest element along an axis, by default in the flat tensor."""
    return ops.argmax(asarray(a), axis)


def argmin(a: Any, axis: int | None = None) -> Tensor:
    """The position of the first smallest element along an axis, by default in the flat tensor."""
    return ops.argmin(asarray(a), axis)


def cumsum(a: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """The sums of the elements up to and with each one along an axis, by default of the flat tensor."""
    x = to(asarray(a), dtype)
    x = cast(x, int32) if x.dtype in (bool_, uint8) else x
    return ops.cumsum(ravel(x) if axis is None else x, 0 if axis is None else axis, x.dtype)


def nansum(a: Any, axis: Any = None, dtype: Any = None, keepdims: bool = False) -> Tensor:
    """The sum over the axes of what is not NaN."""
    x = asarray(a)
    return sum(ops.where(ops.isnan(x), 0, x), axis, dtype, keepdims)


def count_nonzero(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """How many elements are not 0 over the axes: int32."""
    return sum(cast(ops.not_equal(asarray(x), 0), int32), axis, int32, keepdims)


def bincount(x: Any, weights: Any = None, minlength: int = 0, length: int | None = None) -> Tensor:
    """How often each of 0, 1, ... is among the elements; or the sum of its weights.

    Args:
        length: how many numbers are counted, needed in a graph: one more than the greatest by default.
    """
    flat = ravel(x)
    if length is None:
        least = as_int("bincount", minlength, "minlength", 0)
        length = builtins.max(int(ops.amax(flat).asnumpy()) + 1 if flat.size else 0, least)
    values = ones_like(flat, float32) if weights is None else asarray(weights)
    return ops.unsorted_segment_sum(values, flat, length)


def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The norm of vectors (one axis) or matrices (two); of all elements as one vector if neither is given."""
    value = asarray(x)
    value = value if value.dtype.is_inexact else cast(value, float32)
    return ops.norm(value, ord, tuple(axis) if isinstance(axis, list) else axis, keepdims)


def trace(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1, dtype: Any = None) -> Tensor:
    """The sum along a diagonal of the plane of two axes."""
    return sum(diagonal(a, offset, axis1, axis2), -1, dtype)


def diagonal(a: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """A diagonal of the plane of two axes, as the last axis."""
    return ops.diagonal(asarray(a), offset, axis1, axis2)


def diff(a: Any, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Tensor:
    """The differences of neighbours along an axis, taken `n` times; `prepend` and `append` join the ends first.

    A number of them is one slice of it.
    """
    x = asarray(a)

    def joined(end: Any) -> Tensor | None:
        if end is None:
            return None
        part = asarray(end)
        slices = (*x.shape[: axis % x.ndim], 1, *x.shape[axis % x.ndim + 1 :])
        return ops.broadcast_to(part, slices) if part.ndim == 0 else part

    return ops.diff(x, n, axis, joined(prepend), joined(append))
