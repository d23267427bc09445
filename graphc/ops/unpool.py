"""The way back from the maxima of windows to where in the images they were."""

from __future__ import annotations

from math import prod
from typing import Any

from graphc.ops.coerce import filled
from graphc.ops.conv import per_dimension
from graphc.ops.gather import tensor_scatter_elements
from graphc.ops.pool import as_images
from graphc.ops.shape import reshape, squeeze
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["max_unpool1d", "max_unpool2d", "max_unpool3d"]


def _max_unpool(
    name: str, count: int, x: Any, indices: Any, kernel_size: Any, stride: Any, padding: Any, output_size: Any
) -> Tensor:
    (images, single), (places, _) = as_images(name, x, count), as_images(name, indices, count)
    if places.shape != images.shape or not places.dtype.is_int:
        raise located(
            ValueError(f"{name}: expected integer indices, one for each of {images.spec}, got {places.spec}")
        )
    kernel = per_dimension(name, "kernel_size", kernel_size, count)
    steps = kernel if stride in (None, 0) else per_dimension(name, "stride", stride, count)
    margin = per_dimension(name, "padding", padding, count, least=0)
    size = tuple((n - 1) * s - 2 * p + k for n, s, p, k in zip(images.shape[2:], steps, margin, kernel, strict=True))
    if output_size:
        wanted = tuple(int(n) for n in output_size)[-count:]
        if len(wanted) != count or any(abs(w - n) >= s for w, n, s in zip(wanted, size, steps, strict=True)):
            raise located(ValueError(f"{name}: output_size {output_size} is not within a stride of {size}"))
        size = wanted
    planes = images.shape[0] * images.shape[1]
    empty = filled(0, images.dtype, (planes, prod(size)))
    flat = tensor_scatter_elements(empty, reshape(places, (planes, -1)), reshape(images, (planes, -1)), axis=1)
    result = reshape(flat, (*images.shape[:2], *size))
    return squeeze(result, 0) if single else result


def max_unpool1d(
    x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """`max_unpool2d` along one dimension, of `[N, C, L]` or `[C, L]`."""
    return _max_unpool("max_unpool1d", 1, x, indices, kernel_size, stride, padding, output_size)


def max_unpool2d(
    x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """Images that are 0 but where the maxima were that `max_pool2d(..., return_indices=True)` found.

    Args:
        x, indices: `[N, C, H, W]` or `[C, H, W]`: the maxima and where they were.
        kernel_size, stride, padding: of the pooling.
        output_size: the images' shape or extents, where several sizes pool to this one: less than a stride from the
            default, (H - 1) * stride - 2 * padding + kernel.
    Returns:
        `[N, C, H', W']` or `[C, H', W']`. Of several maxima from one place (windows overlap) the last stays.
    Raises:
        IndexError: an index outside the images. ValueError: shapes or arguments that do not fit.
    """
    return _max_unpool("max_unpool2d", 2, x, indices, kernel_size, stride, padding, output_size)


def max_unpool3d(
    x: Any, indices: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, output_size: Any = None
) -> Tensor:
    """`max_unpool2d` along three dimensions, of `[N, C, D, H, W]` or `[C, D, H, W]`."""
    return _max_unpool("max_unpool3d", 3, x, indices, kernel_size, stride, padding, output_size)
