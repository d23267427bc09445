"""Over axes: means, extremes, medians, norms."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import int64
from graphc.ops.coerce import as_tensor, cast, to_dtype
from graphc.tensor import Tensor

__all__ = ["amax", "amin", "count_nonzero", "max", "mean", "median", "min", "norm"]


def _axes(dim: Any) -> Any:
    """All axes for None and for ()."""
    return None if dim is None or dim == () else dim


def mean(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The mean over the axes, computed in `dtype` if it is given."""
    x = as_tensor("mean", input)
    return ops.mean(cast(x, to_dtype(dtype, x.dtype)), dim, keepdim)


def amax(input: Any, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The greatest elements over the axes."""
    return ops.amax(input, _axes(dim), keepdim)


def amin(input: Any, dim: Any = (), keepdim: bool = False) -> Tensor:
    """The smallest elements over the axes."""
    return ops.amin(input, _axes(dim), keepdim)


def max(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The greatest element; along an axis the greatest elements and their positions; of two tensors the greater."""
    return _extreme("max", ops.amax, ops.max, ops.maximum, input, dim, keepdim)


def min(input: Any, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest element; along an axis the smallest elements and their positions; of two tensors the smaller."""
    return _extreme("min", ops.amin, ops.min, ops.minimum, input, dim, keepdim)


def _extreme(name: str, alone: Any, along: Any, of_two: Any, input: Any, dim: Any, keepdim: bool) -> Any:
    x = as_tensor(name, input)
    if dim is None:
        return alone(x)
    if isinstance(dim, Tensor):
        return of_two(x, dim)
    values, positions = along(x, dim, keepdim)
    return values, cast(positions, int64)


def median(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
    """The median (the lower one of an even number); along an axis with its position."""
    x = as_tensor("median", input)
    return ops.median(ops.ravel(x))[0] if dim is None else ops.median(x, dim, keepdim)


def count_nonzero(input: Any, dim: Any = None) -> Tensor:
    """How many elements are not 0 over the axes: int64."""
    return ops.count_nonzero(input, () if dim is None else dim, dtype=int64)


def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Tensor:
    """The norm `p` of the elements over the axes as one vector ("fro" is 2)."""
    return ops.vector_norm(input, 2 if p == "fro" else p, dim, keepdim, dtype=dtype)
