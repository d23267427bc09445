"""Pooling with MindSpore's arguments: maxima, averages and power means of windows (`graphc.ops.windows`)."""

from __future__ import annotations

from math import prod
from typing import Any

from graphc.dtype import int64
from graphc.ops.coerce import as_tensor, broadcast, cast, scalar, to_float
from graphc.ops.conv import margins, per_dimension
from graphc.ops.creation import iota
from graphc.ops.elementwise import floor_div, floor_mod, pow_
from graphc.ops.shape import expand_dims, squeeze
from graphc.ops.windows import Ints, Pairs, max_pool, max_pool_index, sum_pool
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "max_pool1d", "max_pool2d", "max_pool3d",
]  # fmt: skip


def _window(
    name: str, x: Tensor, kernel_size: Any, stride: Any, pad_mode: Any, padding: Any, dilation: Any, ceil_mode: bool,
    count: int,
) -> dict[str, Any]:
    """The attributes of a pooling of `x` `[N, C, *S]`."""
    kernel = per_dimension(name, "kernel_size", kernel_size, count)
    strides = kernel if stride is None else per_dimension(name, "stride", stride, count)
    dilations = per_dimension(name, "dilation", dilation, count)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilations, strict=True))
    around = margins(name, x.shape[2:], spans, strides, pad_mode, padding)
    if any(p >= k for pair, k in zip(around, spans, strict=True) for p in pair):
        raise located(ValueError(f"{name}: padding must be smaller than the window {kernel}, got {padding!r}"))
    if ceil_mode:
        around = [
            (lo, hi + _overhang(n, k, s, lo, hi)) for n, k, s, (lo, hi) in zip(x.shape[2:], spans, strides, around)
        ]
    return {"kernel": kernel, "stride": strides, "padding": tuple(around), "dilation": dilations}


def _overhang(size: int, span: int, stride: int, low: int, high: int) -> int:
    """How far a last window that is not whole reaches beyond the padding; it must begin before that of the end."""
    beyond = -(size + low + high - span) % stride
    begin = size + low + high + beyond - span
    return 0 if begin >= size + low else beyond


def as_images(name: str, x: Any, count: int) -> tuple[Tensor, bool]:
    """`x` as `[N, C, *S]`, and whether it had no N."""
    x = as_tensor(name, x)
    if x.ndim not in (count + 1, count + 2):
        raise located(ValueError(f"{name}: expected [N, C, {count} spatial dimensions], got {x.spec}"))
    single = x.ndim == count + 1
    return (expand_dims(x, 0) if single else x), single


def _max_pool(
    name: str, count: int, x: Any, kernel_size: Any, stride: Any, padding: Any, dilation: Any, return_indices: bool,
    ceil_mode: bool, pad_mode: str,
) -> Any:
    images, single = as_images(name, x, count)
    window = _window(name, images, kernel_size, stride, pad_mode, padding, dilation, ceil_mode, count)
    pooled = max_pool(images, **window)
    if not return_indices:
        return squeeze(pooled, 0) if single else pooled
    plane = plane_index(max_pool_index(images, **window), images.shape[2:], **window)
    return (squeeze(pooled, 0), squeeze(plane, 0)) if single else (pooled, plane)


def plane_index(index: Tensor, size: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Tensor:
    """Positions within windows as int64 row-major positions within the whole input plane."""
    index, plane = cast(index, int64), None
    for d, n in enumerate(size):
        offset = floor_mod(floor_div(index, prod(kernel[d + 1 :])), kernel[d])
        begin = iota(shape=index.shape, axis=d + 2, dtype=int64) * stride[d] - padding[d][0]
        at = begin + offset * dilation[d]
        plane = at if plane is None else plane * n + at
    assert plane is not None
    return plane


def max_pool1d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, return_indices: bool = False,
    ceil_mode: bool = False, pad_mode: str = "pad",
) -> Any:
    """`max_pool2d` along one dimension, of `[N, C, L]` or `[C, L]`."""
    return _max_pool("MaxPool1d", 1, x, kernel_size, stride, padding, dilation, return_indices, ceil_mode, pad_mode)


def max_pool2d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, return_indices: bool = False,
    ceil_mode: bool = False, pad_mode: str = "pad",
) -> Any:
    """The maximum of every window of images.

    Args:
        x: `[N, C, H, W]` or `[C, H, W]`.
        kernel_size: the window's extents: an int, or one for each dimension.
        stride: the distance between windows; by default the window's extents.
        padding: how much padding there is around the image (it never wins): see `conv2d`.
        dilation: the distance between the elements of a window.
        return_indices: also return where in `[H, W]` (row-major, int64) each maximum, the first of equals, was.
        ceil_mode: keep a last window that is not whole.
        pad_mode: `"pad"`, `"valid"` or `"same"`: see `conv2d`.
    Returns:
        `[N, C, H', W']`; with `return_indices` a pair.
    Raises:
        ValueError: shapes or arguments that do not fit.
    """
    return _max_pool("MaxPool2d", 2, x, kernel_size, stride, padding, dilation, return_indices, ceil_mode, pad_mode)


def max_pool3d(
    x: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1, ceil_mode: bool = False,
    return_indices: bool = False, pad_mode: str = "pad",
) -> Any:
    """`max_pool2d` along three dimensions, of `[N, C, D, H, W]` or `[C, D, H, W]`."""
    return _max_pool("MaxPool3d", 3, x, kernel_size, stride, padding, dilation, return_indices, ceil_mode, pad_mode)


def _avg_pool(
    name: str, count: int, x: Any, kernel_size: Any, stride: Any, pad_mode: str, padding: Any, ceil_mode: bool,
    count_include_pad: bool, divisor_override: Any,
) -> Tensor:
    images, single = as_images(name, x, count)
    images = cast(images, to_float(images.dtype))
    window = _window(name, images, kernel_size, stride, pad_mode, padding, 1, ceil_mode, count)
    total = sum_pool(images, **window)
    if divisor_override:
        if isinstance(divisor_override, bool) or not isinstance(divisor_override, int) or divisor_override < 0:
            raise located(ValueError(f"{name}: divisor_override must be an int > 0, got {divisor_override!r}"))
        mean = total / divisor_override
    else:
        counted = [(0, 0)] * count
        if count_include_pad and (count == 3 or str(pad_mode).lower() == "pad"):  # MindSpore's volumes count "same" too
            counted = margins(name, images.shape[2:], window["kernel"], window["stride"], pad_mode, padding)
        mean = total / _counts(images, window, counted)
    return squeeze(mean, 0) if single else mean


def _counts(x: Tensor, window: dict[str, Any], counted: list[tuple[int, int]]) -> Any:
    """How many elements, of the input and of padding that is counted, each window has: a number if all have as many."""
    rest = tuple((lo - c, hi - d) for (lo, hi), (c, d) in zip(window["padding"], counted, strict=True))
    if not any(map(any, rest)):
        return prod(window["kernel"])
    size = tuple(n + c + d for n, (c, d) in zip(x.shape[2:], counted, strict=True))
    ones = broadcast(scalar(1, x.dtype), (1, 1, *size))
    return sum_pool(ones, **{**window, "padding": rest})


def avg_pool1d(
    input_x: Any, kernel_size: Any = 1, stride: Any = 1, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, pad_mode: str = "pad",
) -> Tensor:
    """`avg_pool2d` along one dimension, of `[N, C, L]` or `[C, L]`."""
    return _avg_pool(
        "AvgPool1d", 1, input_x, kernel_size, stride, pad_mode, padding, ceil_mode, count_include_pad, None
    )


def avg_pool2d(
    input_x: Any, kernel_size: Any = 1, stride: Any = 1, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: Any = 0, pad_mode: str = "pad",
) -> Tensor:
    """The mean of every window of images.

    Args:
        input_x: `[N, C, H, W]` or `[C, H, W]`.
        kernel_size, padding, ceil_mode, pad_mode: as in `max_pool2d`.
        stride: the distance between windows.
        count_include_pad: whether the mean counts padding, as zeros. Padding of `pad_mode="same"`, and what a last
            window in `ceil_mode` lacks, are never counted.
        divisor_override: divide by this instead of by the number of elements (0 or None: do not).
    Returns:
        `[N, C, H', W']`, float.
    Raises:
        ValueError: shapes or arguments that do not fit.
    """
    return _avg_pool(
        "AvgPool2d", 2, input_x, kernel_size, stride, pad_mode, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    input_x: Any, kernel_size: Any = 1, stride: Any = 1, padding: Any = 0, ceil_mode: bool = False,
    count_include_pad: bool = True, divisor_override: Any = 0, pad_mode: str = "pad",
) -> Tensor:
    """`avg_pool2d` along three dimensions, of `[N, C, D, H, W]` or `[C, D, H, W]`; padding of "same" may count too."""
    return _avg_pool(
        "AvgPool3d", 3, input_x, kernel_size, stride, pad_mode, padding, ceil_mode, count_include_pad, divisor_override
    )


def _lp_pool(name: str, count: int, x: Any, norm_type: Any, kernel_size: Any, stride: Any, ceil_mode: bool) -> Tensor:
    images, single = as_images(name, x, count)
    images = cast(images, to_float(images.dtype))
    window = _window(name, images, kernel_size, stride, "pad", 0, 1, ceil_mode, count)
    power = float(norm_type)
    total = pow_(sum_pool(pow_(images, power), **window), 1 / power)
    return squeeze(total, 0) if single else total


def lp_pool1d(x: Any, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """`lp_pool2d` along one dimension, of `[N, C, L]` or `[C, L]`."""
    return _lp_pool("lp_pool1d", 1, x, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(x: Any, norm_type: Any, kernel_size: Any, stride: Any = None, ceil_mode: bool = False) -> Tensor:
    """The root `norm_type` of the sum of the powers `norm_type` of every window of images.

    Args:
        x: `[N, C, H, W]` or `[C, H, W]`.
        norm_type: the power, not 0.
        kernel_size, stride, ceil_mode: as in `max_pool2d`.
    """
    return _lp_pool("lp_pool2d", 2, x, norm_type, kernel_size, stride, ceil_mode)
