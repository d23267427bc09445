"""Maxima of windows that are placed at random: fractional max pooling.

    ops.fractional_max_pool2d(x, kernel_size=2, output_ratio=0.7)      # [N, C, H, W] to 0.7 times the extents

B. Graham, "Fractional Max-Pooling", 2014: windows of one size, whose distances are some 1 / ratio, rounded up or down
by one random number for each channel and dimension.
"""

from __future__ import annotations

from math import prod
from typing import Any

from graphc.dtype import float32, int64
from graphc.ops.coerce import as_tensor, broadcast, cast, filled
from graphc.ops.conv import per_dimension
from graphc.ops.creation import iota
from graphc.ops.elementwise import floor
from graphc.ops.gather import gather_elements
from graphc.ops.pool import as_images
from graphc.ops.random import rand
from graphc.ops.reduce import argmax
from graphc.ops.shape import concat, expand_dims, narrow, reshape, squeeze
from graphc.ops.windows import Ints
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["fractional_max_pool2d", "fractional_max_pool3d"]


def _sizes(name: str, size: Ints, kernel: Ints, output_size: Any, output_ratio: Any) -> Ints:
    """How many windows there are along each dimension."""
    count = len(size)
    if output_size is not None:
        wanted = per_dimension(name, "output_size", output_size, count)
    elif output_ratio is not None:
        ratios = output_ratio if isinstance(output_ratio, (tuple, list)) else (output_ratio,) * count
        if len(ratios) != count or not all(isinstance(r, float) and 0 < r < 1 for r in ratios):
            expected = f"a number between 0 and 1 or {count} of them"
            raise located(ValueError(f"{name}: output_ratio must be {expected}, got {output_ratio!r}"))
        wanted = tuple(max(int(n * r), 1) for n, r in zip(size, ratios, strict=True))
    else:
        raise located(ValueError(f"{name}: expected output_size or output_ratio, got neither"))
    for n, k, o in zip(size, kernel, wanted, strict=True):
        if k + o - 1 > n:
            raise located(ValueError(f"{name}: {o} windows of {k} elements do not fit into an extent of {n}"))
    return wanted


def _begins(sample: Tensor, size: int, kernel: int, count: int) -> Tensor:
    """Where the windows along one dimension begin: int64 [N, C, count] for a random number `sample` [N, C, 1].

    The last one ends where the dimension does.
    """
    last = filled(size - kernel, int64, sample.shape)
    if count == 1:
        return last
    step = (size - kernel) / (count - 1)
    number = cast(iota(shape=(*sample.shape[:2], count - 1), axis=2, dtype=int64), sample.dtype)
    wide = broadcast(sample, number.shape)
    return concat([cast(floor((number + wide) * step) - floor(wide * step), int64), last], 2)


def _positions(begins: list[Tensor], size: Ints, kernel: Ints) -> Tensor:
    """The place in its plane of each element of each window: int64 [N, C, windows, elements of a window]."""
    found: Tensor | None = None
    count, lead = len(size), begins[0].shape[:2]
    shape = (*lead, *(b.shape[2] for b in begins), *kernel)
    for d, begin in enumerate(begins):
        along = [1] * (2 * count)
        along[d] = begin.shape[2]
        at = broadcast(reshape(begin, (*lead, *along)), shape) + iota(shape=shape, axis=2 + count + d, dtype=int64)
        found = at if found is None else found * size[d] + at
    assert found is not None
    return reshape(found, (*lead, -1, prod(kernel)))


def _pooled(
    name: str, count: int, input: Any, kernel_size: Any, output_size: Any, output_ratio: Any, return_indices: bool,
    samples: Any, order: Ints,
) -> Any:
    """`order` says which of a channel's random numbers is that of each dimension."""
    images, single = as_images(name, input, count)
    size = images.shape[2:]
    kernel = per_dimension(name, "kernel_size", kernel_size, count)
    wanted = _sizes(name, size, kernel, output_size, output_ratio)
    if samples is None:
        drawn = rand((*images.shape[:2], count), dtype=images.dtype if images.dtype.is_float else float32)
    else:
        drawn = as_tensor(name, samples)
        each = (images.shape[1], count)
        if drawn.shape not in ((1, *each), (images.shape[0], *each)) or not drawn.dtype.is_float:
            expected = f"floats [N, C, {count}] or [1, C, {count}] for {images.spec}"
            raise located(ValueError(f"{name}: expected _random_samples, {expected}, got {drawn.spec}"))
        drawn = broadcast(drawn, (*images.shape[:2], count))
    begins = [
        _begins(narrow(drawn, 2, which, 1), n, k, o)
        for which, n, k, o in zip(order, size, kernel, wanted, strict=True)
    ]
    places = _positions(begins, size, kernel)
    flat = reshape(images, (*images.shape[:2], prod(size)))
    seen = reshape(gather_elements(flat, 2, reshape(places, (*images.shape[:2], -1))), places.shape)
    best = squeeze(gather_elements(places, 3, expand_dims(argmax(seen, 3), 3)), 3)
    shape = (*images.shape[:2], *wanted)
    maxima, index = reshape(gather_elements(flat, 2, best), shape), reshape(best, shape)
    maxima, index = (squeeze(t, 0) if single else t for t in (maxima, index))
    return (maxima, index) if return_indices else maxima


def fractional_max_pool2d(
    input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:
    """The maxima of windows placed at random.

    Args:
        input: `[N, C, H, W]` or `[C, H, W]`.
        kernel_size: extents of a window, an int or two.
        output_size: how many windows there are along each dimension, an int or two.
        output_ratio: instead, what part of the extents: a number between 0 and 1, or two.
        return_indices: also return where in its plane, row by row, each maximum is: int64.
        _random_samples: floats [N, C, 2] or [1, C, 2] in [0, 1), the first for W, the second for H; None draws them.
    Returns:
        The maxima `[N, C, OH, OW]`, in the type of `input`, or these and their places.
    Raises:
        ValueError: an argument is not as described, or so many windows do not fit.
    """
    name = "fractional_max_pool2d"
    order = (1, 0)
    return _pooled(
        name, 2, input, kernel_size, output_size, output_ratio, return_indices, _random_samples, order
    )  # fmt: skip


def fractional_max_pool3d(
    input: Any, kernel_size: Any, output_size: Any = None, output_ratio: Any = None, return_indices: bool = False,
    _random_samples: Any = None,
) -> Any:
    """The maxima of windows of `[N, C, D, H, W]` or `[C, D, H, W]`, placed at random; see `fractional_max_pool2d`.

    The random numbers of a channel are those for D, H and W.
    """
    name = "fractional_max_pool3d"
    order = (0, 1, 2)
    return _pooled(
        name, 3, input, kernel_size, output_size, output_ratio, return_indices, _random_samples, order
    )  # fmt: skip
