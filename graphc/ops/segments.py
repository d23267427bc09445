"""The greatest and smallest element and the product of each segment; the sum is `unsorted_segment_sum` of `gather`."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from graphc.dispatch import located
from graphc.dtype import DType
from graphc.ops.coerce import as_tensor, broadcast, scalar
from graphc.ops.creation import iota
from graphc.ops.elementwise import equal, select
from graphc.ops.reduce import amax, amin
from graphc.ops.reduce import prod as prod_of
from graphc.ops.shape import reshape
from graphc.tensor import Tensor

__all__ = ["unsorted_segment_max", "unsorted_segment_min", "unsorted_segment_prod"]


def unsorted_segment_max(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """The greatest elements of the slices that have the same number in `segment_ids`.

    Args:
        x: numbers `[*N, *D]`.
        segment_ids: integers `[*N]`; slices whose number is not in [0, num_segments) are left out.
        num_segments: how many segments there are. The cost grows with their number times the size of `x`.
    Returns:
        `[num_segments, *D]`: the least number of the type where a segment has no slices.
    """
    return _segments("unsorted_segment_max", amax, _least, x, segment_ids, num_segments)


def unsorted_segment_min(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """The smallest elements; see `unsorted_segment_max`. The greatest number where a segment has no slices."""
    return _segments("unsorted_segment_min", amin, _greatest, x, segment_ids, num_segments)


def unsorted_segment_prod(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """The products of the slices of each segment; see `unsorted_segment_max`. 1 where a segment has no slices."""
    return _segments("unsorted_segment_prod", _product, lambda dtype: 1, x, segment_ids, num_segments)


def _product(x: Tensor, axis: int) -> Tensor:
    return prod_of(x, axis, dtype=x.dtype)


def _least(dtype: DType) -> float | int:
    return float(np.finfo(dtype.np).min) if dtype.is_float else int(np.iinfo(dtype.np).min)


def _greatest(dtype: DType) -> float | int:
    return float(np.finfo(dtype.np).max) if dtype.is_float else int(np.iinfo(dtype.np).max)


def _segments(
    name: str, reduce: Callable[..., Tensor], of_none: Callable[[DType], float | int], x: Any, segment_ids: Any,
    num_segments: int,
) -> Tensor:
    value, ids = as_tensor(name, x), as_tensor(name, segment_ids)
    if value.dtype.is_bool or not ids.dtype.is_int or value.shape[: ids.ndim] != ids.shape or not ids.ndim:
        got = f"{value.type} and {ids.type}"
        raise located(TypeError(f"{name}: expected numbers [*N, *D] and integers [*N], got {got}"))
    if isinstance(num_segments, bool) or not isinstance(num_segments, int) or num_segments < 1:
        raise located(ValueError(f"{name}: num_segments must be an int >= 1, got {num_segments!r}"))
    rest = value.shape[ids.ndim :]
    wide = (num_segments, ids.size, prod(rest))
    empty = scalar(of_none(value.dtype), value.dtype)
    if not ids.size:
        return broadcast(empty, (num_segments, *rest))
    number = iota(shape=wide, axis=0, dtype=ids.dtype)
    own = equal(number, broadcast(reshape(ids, (1, ids.size, 1)), wide))
    rows = broadcast(reshape(value, (1, ids.size, prod(rest))), wide)
    return reshape(reduce(select(own, rows, broadcast(empty, wide)), 1), (num_segments, *rest))
