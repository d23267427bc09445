"""The greatest and smallest element and the product of each segment; the sum is `unsorted_segment_sum` of `gather`."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dtype import dtype_of, finite_limits
from graphc.ir import TensorType
from graphc.op import Op, define_op
from graphc.ops.axes import as_int
from graphc.ops.coerce import as_tensor, cast, full_like
from graphc.ops.elementwise import equal, greater_equal, less, logical_and, maximum, select
from graphc.ops.gather import gather_, scatter_add_
from graphc.ops.shape import reshape
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["unsorted_segment_max", "unsorted_segment_min", "unsorted_segment_prod"]


# The table


def _segments_type(x: TensorType, numbers: TensorType, *, extent: int) -> TensorType:
    if x.dtype.is_bool or not numbers.dtype.is_int or x.shape[: numbers.ndim] != numbers.shape:
        raise TypeError(f"segments: expected numbers [*N, *D] and integers [*N], got {x} and {numbers}")
    return TensorType((extent, *x.shape[numbers.ndim :]), x.dtype)


def _extreme_of_segments(name: str, extreme: np.ufunc, loses: int) -> Op:
    def meaning(x: np.ndarray, numbers: np.ndarray, *, extent: int) -> np.ndarray:
        none = finite_limits(dtype_of(x.dtype))[loses]
        result = np.full((extent, *x.shape[numbers.ndim :]), none, x.dtype)
        inside = (numbers >= 0) & (numbers < extent)
        with np.errstate(invalid="ignore"):  # NaNs
            extreme.at(result, numbers[inside], x[inside])
        return result

    op = define_op(infer=_segments_type, exact=False, name=name)(meaning)
    op.__doc__ = f"""The {name.removeprefix("segment_")} of the slices of `x` that have the same number, or NaN.

    Args:
        x: `[N..., ...]`; numbers: integers `[N...]`; slices whose number is not in [0, extent) are left out.
    Returns:
        `[extent, ...]`: the finite number of the type that loses against all others, where there are no slices.
    """
    op.def_kernel(name)
    return op


segment_max_ = _extreme_of_segments("segment_max", np.maximum, 0)
segment_min_ = _extreme_of_segments("segment_min", np.minimum, 1)


@define_op(infer=_segments_type, exact=False, name="segment_prod")
def segment_prod_(x: np.ndarray, numbers: np.ndarray, *, extent: int) -> np.ndarray:
    """The products of the slices of `x` that have the same number, one factor after the other; 1 where there are none.

    Args:
        x: `[N..., ...]`; numbers: integers `[N...]`; slices whose number is not in [0, extent) are left out.
    """
    result = np.ones((extent, *x.shape[numbers.ndim :]), x.dtype)
    inside = (numbers >= 0) & (numbers < extent)
    with np.errstate(all="ignore"):
        np.multiply.at(result, numbers[inside], x[inside])
    return result


segment_prod_.def_kernel("segment_prod")


def _rows(numbers: Tensor, x: Tensor, extent: int) -> tuple[Tensor, Tensor]:
    """For each slice the row of its segment, and whether it has one, in the shape of a slice of one element."""
    inside = logical_and(greater_equal(numbers, 0), less(numbers, extent))
    wide = reshape(inside, (*numbers.shape, *(1,) * (x.ndim - numbers.ndim)))
    return select(inside, numbers, full_like(numbers, 0)), wide


@segment_max_.def_vjp
@segment_min_.def_vjp
def segments_vjp(ct: Tensor, y: Tensor, x: Tensor, numbers: Tensor, *, extent: int) -> Any:
    """An equal share for each of the elements that are the extreme one of their segment."""
    row, wide = _rows(numbers, x, extent)
    chosen = logical_and(equal(x, gather_(y, row, axis=0)), wide)
    count = scatter_add_(full_like(y, 0), row, cast(chosen, x.dtype))
    share = ct / maximum(count, 1)
    return select(chosen, gather_(share, row, axis=0), full_like(x, 0)), None


@segment_prod_.def_vjp
def segment_prod_vjp(ct: Tensor, y: Tensor, x: Tensor, numbers: Tensor, *, extent: int) -> Any:
    """The product of the others: that of all divided by the element; where one element is 0, of all that are not 0."""
    row, wide = _rows(numbers, x, extent)
    is_zero = equal(x, 0)
    zeros = scatter_add_(full_like(y, 0), row, cast(logical_and(is_zero, wide), x.dtype))
    others = segment_prod_(select(is_zero, 1, x), numbers, extent=extent)
    share = gather_(select(equal(zeros, 0), ct * y, full_like(ct, 0)), row, axis=0) / select(is_zero, 1, x)
    alone = gather_(select(equal(zeros, 1), ct * others, full_like(ct, 0)), row, axis=0)
    return select(wide, select(is_zero, alone, share), full_like(x, 0)), None


# Functions


def unsorted_segment_max(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """The greatest elements of the slices that have the same number in `segment_ids`.

    Args:
        x: numbers `[*N, *D]`.
        segment_ids: integers `[*N]`; slices whose number is not in [0, num_segments) are left out.
        num_segments: how many segments there are.
    Returns:
        `[num_segments, *D]`: the least number of the type where a segment has no slices.
    """
    value, ids, extent = _checked("unsorted_segment_max", x, segment_ids, num_segments)
    return segment_max_(value, ids, extent=extent)


def unsorted_segment_min(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """The smallest elements; see `unsorted_segment_max`. The greatest number where a segment has no slices."""
    value, ids, extent = _checked("unsorted_segment_min", x, segment_ids, num_segments)
    return segment_min_(value, ids, extent=extent)


def unsorted_segment_prod(x: Any, segment_ids: Any, num_segments: int) -> Tensor:
    """The products of the slices of each segment; see `unsorted_segment_max`. 1 where a segment has no slices."""
    value, ids, extent = _checked("unsorted_segment_prod", x, segment_ids, num_segments)
    return segment_prod_(value, ids, extent=extent)


def _checked(name: str, x: Any, segment_ids: Any, num_segments: int) -> tuple[Tensor, Tensor, int]:
    value, ids = as_tensor(name, x), as_tensor(name, segment_ids)
    if value.dtype.is_bool or not ids.dtype.is_int or value.shape[: ids.ndim] != ids.shape or not ids.ndim:
        got = f"{value.spec} and {ids.spec}"
        raise located(TypeError(f"{name}: expected numbers [*N, *D] and integers [*N], got {got}"))
    return value, ids, as_int(name, num_segments, "num_segments", 1)
