"""Pooling into a number of windows that is given: adaptive averages and maxima."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

from graphc.ops.coerce import cast, to_float
from graphc.ops.conv import per_dimension
from graphc.ops.pool import as_images, plane_index
from graphc.ops.reduce import argmax_, max_, reduce_over, sum_over
from graphc.ops.shape import concat, expand_dims, reshape, squeeze
from graphc.ops.views import take_range, unravel
from graphc.ops.windows import Ints, max_pool, max_pool_index, sum_pool
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d",
]  # fmt: skip


def _adaptive_sizes(name: str, x: Tensor, output_size: Any, count: int) -> Ints:
    """The wanted extents; None keeps that of the input."""
    wanted = output_size if isinstance(output_size, (tuple, list)) else (output_size,) * count
    if len(wanted) != count:
        raise located(ValueError(f"{name}: output_size must be an int or {count} of them, got {output_size!r}"))
    filled = [n if w is None else w for w, n in zip(wanted, x.shape[2:], strict=True)]
    return per_dimension(name, "output_size", filled, count)


def _parts(size: int, count: int) -> list[tuple[int, int]]:
    """The windows (begin, extent) that divide `size` elements as evenly as can be; neighbours may share an element."""
    begins = [i * size // count for i in range(count)]
    return [(lo, -(-(i + 1) * size // count) - lo) for i, lo in enumerate(begins)]


def _side_by_side(kernel: Ints) -> dict[str, Any]:
    """The attributes of windows that touch and do not overlap."""
    none = ((0, 0),) * len(kernel)
    return {"kernel": kernel, "stride": kernel, "padding": none, "dilation": (1,) * len(kernel)}


def _adaptive(x: Tensor, sizes: Ints, whole: Callable[..., Tensor], part: Callable[[Tensor, int], Tensor]) -> Tensor:
    """Windows of one size by `whole(x, kernel)`, or else dimension by dimension by `part(slice, axis)`."""
    if all(n % o == 0 for n, o in zip(x.shape[2:], sizes, strict=True)):
        return whole(x, tuple(n // o for n, o in zip(x.shape[2:], sizes, strict=True)))
    for axis, o in enumerate(sizes, 2):
        if x.shape[axis] != o:
            x = concat([part(take_range(x, axis, lo, n), axis) for lo, n in _parts(x.shape[axis], o)], axis)
    return x


def _adaptive_avg(name: str, count: int, input: Any, output_size: Any) -> Tensor:
    x, single = as_images(name, input, count)
    x = cast(x, to_float(x.dtype))
    sizes = _adaptive_sizes(name, x, output_size, count)

    def whole(x: Tensor, kernel: Ints) -> Tensor:
        if kernel == x.shape[2:]:
            return sum_over(x, tuple(range(2, x.ndim)), keep=True) / prod(kernel)
        return sum_pool(x, **_side_by_side(kernel)) / prod(kernel)

    y = _adaptive(x, sizes, whole, lambda s, axis: sum_over(s, (axis,), keep=True) / s.shape[axis])
    return squeeze(y, 0) if single else y


def adaptive_avg_pool1d(input: Any, output_size: Any) -> Tensor:
    """`adaptive_avg_pool2d` along one dimension, of `[N, C, L]` or `[C, L]`."""
    return _adaptive_avg("adaptive_avg_pool1d", 1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Tensor:
    """Means of as many windows as are asked for.

    Window i of O along a dimension of S elements has those from floor(i * S / O) to ceil((i + 1) * S / O) - 1.

    Args:
        input: `[N, C, H, W]` or `[C, H, W]`.
        output_size: an int, or one for each dimension; None keeps the input's extent.
    Returns:
        `[N, C, *output_size]`.
    """
    return _adaptive_avg("adaptive_avg_pool2d", 2, input, output_size)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Tensor:
    """`adaptive_avg_pool2d` along three dimensions, of `[N, C, D, H, W]` or `[C, D, H, W]`."""
    return _adaptive_avg("adaptive_avg_pool3d", 3, input, output_size)


def _adaptive_max(name: str, count: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    x, single = as_images(name, input, count)
    sizes = _adaptive_sizes(name, x, output_size, count)
    if return_indices:
        pooled, plane = _max_and_places(x, sizes)
        return (squeeze(pooled, 0), squeeze(plane, 0)) if single else (pooled, plane)
    y = _adaptive(
        x, sizes, lambda x, kernel: max_pool(x, **_side_by_side(kernel)),
        lambda s, axis: reduce_over(max_, s, (axis,), keep=True),
    )
    return squeeze(y, 0) if single else y


def _max_and_places(x: Tensor, sizes: Ints) -> tuple[Tensor, Tensor]:
    """The maxima of `sizes` windows, and their int64 positions in the plane."""
    size = x.shape[2:]
    if all(n % o == 0 for n, o in zip(size, sizes, strict=True)):
        window = _side_by_side(tuple(n // o for n, o in zip(size, sizes, strict=True)))
        return max_pool(x, **window), plane_index(max_pool_index(x, **window), size, **window)
    values, places = [], []
    for begins, extents in (zip(*w, strict=True) for w in product(*map(_parts, size, sizes))):
        part = x
        for axis, (lo, n) in enumerate(zip(begins, extents, strict=True), 2):
            part = take_range(part, axis, lo, n)
        values.append(expand_dims(max_(part, run=(2, x.ndim)), -1))
        offsets: list[Tensor] = unravel(argmax_(part, run=(2, x.ndim)), extents)
        place = offsets[0] + begins[0]
        for offset, lo, n in zip(offsets[1:], begins[1:], size[1:], strict=True):
            place = place * n + (offset + lo)
        places.append(expand_dims(place, -1))
    shape = (*x.shape[:2], *sizes)
    return reshape(concat(values, -1), shape), reshape(concat(places, -1), shape)


def adaptive_max_pool1d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """`adaptive_max_pool2d` along one dimension, of `[N, C, L]` or `[C, L]`."""
    return _adaptive_max("adaptive_max_pool1d", 1, input, output_size, return_indices)


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima of as many windows as are asked for: the windows of `adaptive_avg_pool2d`.

    Args:
        input: `[N, C, H, W]` or `[C, H, W]`.
        output_size: an int, or one for each dimension; None keeps the input's extent.
        return_indices: also return where in `[H, W]` (row-major, int64) each maximum was.
    Returns:
        `[N, C, *output_size]`; with `return_indices` a pair.
    """
    return _adaptive_max("adaptive_max_pool2d", 2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """`adaptive_max_pool2d` along three dimensions, of `[N, C, D, H, W]` or `[C, D, H, W]`."""
    return _adaptive_max("adaptive_max_pool3d", 3, input, output_size, return_indices)
