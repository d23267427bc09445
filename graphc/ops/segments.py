"""The greatest and the smallest element of each segment; the sum is `unsorted_segment_sum` of `gather`."""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from graphc.dispatch import located
from graphc.ops.coerce import as_tensor, broadcast, scalar
from graphc.ops.creation import iota
from graphc.ops.elementwise import equal, select
from graphc.ops.reduce import amax, amin
from graphc.ops.shape import reshape
from graphc.tensor import Tensor

__all__ = ["unsorted_segment_max", "unsorted_segment_min"]


def unsorted_segment_max(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """The greatest elements of the slices that have the same number in `segment_ids`.

    Args:
        x: numbers `[*N, *D]`.
        segment_ids: integers `[*N]`; slices whose number is not in [0, num_segments) are left out.
        num_segments: how many segments there are. The cost grows with their number times the size of `x`.
    Returns:
        `[num_segments, *D]`: the least number of the type where a segment has no slices.
    """
    return _segments("unsorted_segment_max", amax, False, x, segment_ids, num_segments)


def unsorted_segment_min(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """The smallest elements; see `unsorted_segment_max`. The greatest number where a segment has no slices."""
    return _segments("unsorted_segment_min", amin, True, x, segment_ids, num_segments)


def _segments(
    name: str, reduce: Callable[..., Tensor], greatest: bool, x: Any, segment_ids: Any, num_segments: int
) -> Tensor:
    value, ids = as_tensor(name, x), as_tensor(name, segment_ids)
    if value.dtype.is_bool or not ids.dtype.is_int or value.shape[: ids.ndim] != ids.shape or not ids.ndim:
        got = f"{value.type} and {ids.type}"
        raise located(TypeError(f"{name}: expected numbers [*N, *D] and integers [*N], got {got}"))
    if isinstance(num_segments, bool) or not isinstance(num_segments, int) or num_segments < 1:
        raise located(ValueError(f"{name}: num_segments must be an int >= 1, got {num_segments!r}"))
    limits = np.finfo(value.dtype.np) if value.dtype.is_float else np.iinfo(value.dtype.np)
    rest = value.shape[ids.ndim :]
    wide = (num_segments, ids.size, prod(rest))
    empty = scalar(_number(limits.max if greatest else limits.min), value.dtype)
    if not ids.size:
        return broadcast(empty, (num_segments, *rest))
    number = iota(shape=wide, axis=0, dtype=ids.dtype)
    own = equal(number, broadcast(reshape(ids, (1, ids.size, 1)), wide))
    rows = broadcast(reshape(value, (1, ids.size, prod(rest))), wide)
    return reshape(reduce(select(own, rows, broadcast(empty, wide)), 1), (num_segments, *rest))


def _number(limit: Any) -> float | int:
    return limit if isinstance(limit, int) else float(limit)
