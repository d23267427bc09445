"""Pooling over windows of any number of spatial dimensions, closed under differentiation.

Two pairs of linear table ops are each other's transpose: `sum_pool` and `sum_pool_grad`; `max_pool_gather` and
`max_pool_grad`, which move values between a window and the element of it that `max_pool_index` names. `max_pool` is
the maximum itself. All take `[N, C, *S]` and the same attributes, one entry per spatial dimension: `kernel`, `stride`,
`padding` as pairs (before, after), `dilation`. The functions with MindSpore's arguments (`max_pool2d`, ...) use them.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import numpy as np

from graphc.dispatch import located
from graphc.dtype import DType, float32, int32, int64
from graphc.index import IxLike
from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.coerce import as_tensor, broadcast, cast, scalar
from graphc.ops.conv import margins, per_dimension
from graphc.ops.creation import iota
from graphc.ops.elementwise import floor_div, floor_mod, pow_
from graphc.ops.reduce import argmax_, max_, reduce_over, sum_over
from graphc.ops.shape import concat, expand_dims, reshape, squeeze
from graphc.ops.views import take_range, unravel
from graphc.tensor import Tensor

__all__ = [
    "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "lp_pool1d", "lp_pool2d", "max_pool1d",
    "max_pool2d", "max_pool3d",
]  # fmt: skip

Ints = tuple[int, ...]
Pairs = tuple[tuple[int, int], ...]


def _outputs(size: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Ints:
    """The number of windows along each spatial dimension."""
    return tuple(
        (n + lo + hi - d * (k - 1) - 1) // s + 1
        for n, k, s, (lo, hi), d in zip(size, kernel, stride, padding, dilation, strict=True)
    )


def _check(name: str, ndim: int, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> None:
    if not ndim - 2 == len(kernel) == len(stride) == len(padding) == len(dilation) or ndim < 3:
        raise ValueError(f"{name}: expected [N, C, *S] and attributes for each of S, got {ndim} dimensions, {kernel}")
    if min(*kernel, *stride, *dilation) < 1 or min(p for pair in padding for p in pair) < 0:
        raise ValueError(f"{name}: kernel {kernel}, stride {stride} and dilation {dilation} must be at least 1, "
                         f"padding {padding} at least 0")


def _pooled(name: str, to: DType | None = None) -> Callable[..., TensorType]:
    """The rule from an operand `[N, C, *S]` to one element per window, of dtype `to` (or the operand's)."""

    def infer(
        x: TensorType, *rest: TensorType, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints
    ) -> TensorType:
        _check(name, x.ndim, kernel, stride, padding, dilation)
        if x.dtype.is_bool:
            raise TypeError(f"{name}: expected numbers, got {x}")
        size = _outputs(x.shape[2:], kernel, stride, padding, dilation)
        if min(size) < 1:
            raise ValueError(f"{name}: the window is larger than the input, kernel {kernel}, dilation {dilation}, {x}")
        result = TensorType((*x.shape[:2], *size), to or x.dtype)
        _check_index(name, rest, result)
        return result

    return infer


def _spread(name: str) -> Callable[..., TensorType]:
    """The rule from one element per window back to `[N, C, *size]`."""

    def infer(
        ct: TensorType, *rest: TensorType, size: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints
    ) -> TensorType:
        _check(name, ct.ndim, kernel, stride, padding, dilation)
        if ct.shape[2:] != _outputs(size, kernel, stride, padding, dilation):
            raise ValueError(f"{name}: {ct} does not hold one element per window of {size}")
        _check_index(name, rest, ct)
        return TensorType((*ct.shape[:2], *size), ct.dtype)

    return infer


def _check_index(name: str, rest: tuple[TensorType, ...], pooled: TensorType) -> None:
    if rest and (rest[0].dtype is not int32 or rest[0].shape != pooled.shape):
        raise ValueError(f"{name}: expected an int32 index of shape {pooled.shape}, got {rest[0]}")


# The geometry: which elements a window has, and which windows an element


def _padded(x: np.ndarray, padding: Pairs, value: Any) -> np.ndarray:
    return np.pad(x, ((0, 0), (0, 0), *padding), constant_values=value) if np.any(padding) else x


def windows(x: np.ndarray, kernel: Ints, stride: Ints, dilation: Ints) -> np.ndarray:
    """The view `[N, C, *outputs, *kernel]` of every window of `x` `[N, C, *S]`."""
    count = len(kernel)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    every = np.lib.stride_tricks.sliding_window_view(x, spans, tuple(range(2, 2 + count)))
    steps = tuple(slice(None, None, s) for s in (*stride, *dilation))
    return every[(slice(None), slice(None), *steps)]


def _flat_windows(x: np.ndarray, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints, fill: Any) -> np.ndarray:
    """`[N, C, *O, prod(kernel)]`: the elements of every window, in row-major order."""
    view = windows(_padded(x, padding, fill), kernel, stride, dilation)
    return view.reshape(*view.shape[: x.ndim], -1)


def _taps(size: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> list[tuple[slice, ...]]:
    """For each position in the window, the slices of the padded array that it has in all windows."""
    count = _outputs(size, kernel, stride, padding, dilation)
    return [
        (slice(None), slice(None), *(
            slice(i * d, i * d + s * (n - 1) + 1, s) for i, d, s, n in zip(tap, dilation, stride, count, strict=True)
        ))
        for tap in np.ndindex(*kernel)
    ]  # fmt: skip


def _element(out: list[Any], k: IxLike, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> list[Any]:
    """The spatial index of the element at position `k` of the window `out`."""
    return [
        o * s + i * d - lo
        for o, i, s, (lo, _), d in zip(out, unravel(k, kernel), stride, padding, dilation, strict=True)
    ]


def _within(b: Any, x: Any, lead: list[Any], at: list[Any], otherwise: Any) -> Any:
    """The element at the spatial index `at`, or the other value where that lies in the padding."""
    ranges = [(i, 0, n) for i, n in zip(at, x.shape[2:], strict=True)]
    return b.inside(ranges, lambda: x([*lead, *at]), otherwise)


def _sum_over_windows(
    b: Any, index: list[Any], ct: Any, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints,
    value: Callable[[list[Any], Any], Any],
) -> Any:
    """The sum of `value(window, position in it)` over the windows that contain the element at `index`."""
    lead, at = index[:2], index[2:]
    reach = tuple(-(-(d * (k - 1) + 1) // s) for k, s, d in zip(kernel, stride, dilation, strict=True))

    def term(j: Any) -> Any:
        out, position, ranges = [], 0, []
        for p, back, k, s, (lo, _), d, n in zip(
            at, unravel(j, reach), kernel, stride, padding, dilation, ct.shape[2:], strict=True
        ):
            o, offset = (p + lo) // s - back, (p + lo) % s + back * s
            ranges += [(o, 0, n), (offset // d, 0, k), (offset % d, 0, 1)]
            position = position * k + offset // d
            out.append(o)
        return b.inside(ranges, lambda: value([*lead, *out], position), b.const(0, ct.dtype))

    return term(0) if prod(reach) == 1 else b.sum(prod(reach), term)


# Sums


@define_op(infer=_pooled("sum_pool"), exact=False, traits="reduction")
def sum_pool(x: np.ndarray, *, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> np.ndarray:
    """The sum of every window, padding counting as 0.

    Args:
        x: `[N, C, *S]`.
        kernel, stride, dilation: one int per spatial dimension; `padding`: one pair (before, after).
    Returns:
        `[N, C, *O]`, O = (S + before + after - dilation * (kernel - 1) - 1) // stride + 1.
    Raises:
        ValueError: ranks do not agree, or the window is larger than the padded input.
    """
    return np.asarray(_flat_windows(x, kernel, stride, padding, dilation, 0).sum(-1))


@sum_pool.def_vjp
def sum_pool_vjp(ct: Tensor, y: Tensor, x: Tensor, **window: Any) -> Any:
    return (sum_pool_grad(ct, size=x.shape[2:], **window),)


@sum_pool.def_lower
def sum_pool_lower(b: Any, index: Any, x: Any, *, kernel: Ints, **window: Any) -> Any:
    zero = b.const(0, x.dtype)
    return b.sum(
        prod(kernel), lambda k: _within(b, x, index[:2], _element(index[2:], k, kernel, **window), zero)
    )


@define_op(infer=_spread("sum_pool_grad"), exact=False, traits="reduction")
def sum_pool_grad(
    ct: np.ndarray, *, size: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints
) -> np.ndarray:
    """The transpose of `sum_pool`: every element of `[N, C, *size]` sums `ct` over the windows that contain it."""
    return _scattered(size, kernel, stride, padding, dilation, ct, lambda k: ct)


def _scattered(
    size: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints, ct: np.ndarray,
    part: Callable[[int], np.ndarray],
) -> np.ndarray:
    """`[N, C, *size]` with `part(k)` added to the element at position k of each window."""
    total = np.zeros((*ct.shape[:2], *(n + lo + hi for n, (lo, hi) in zip(size, padding, strict=True))), ct.dtype)
    for k, tap in enumerate(_taps(size, kernel, stride, padding, dilation)):
        total[tap] += part(k)
    inside = tuple(slice(lo, lo + n) for n, (lo, _) in zip(size, padding, strict=True))
    return np.asarray(total[(slice(None), slice(None), *inside)])


@sum_pool_grad.def_vjp
def sum_pool_grad_vjp(ct_x: Tensor, y: Tensor, ct: Tensor, *, size: Ints, **window: Any) -> Any:
    return (sum_pool(ct_x, **window),)


@sum_pool_grad.def_lower
def sum_pool_grad_lower(b: Any, index: Any, ct: Any, *, size: Ints, **window: Any) -> Any:
    return _sum_over_windows(b, index, ct, **window, value=lambda out, position: ct(out))


# Maxima


def _lowest(dtype: np.dtype[Any]) -> Any:
    return -np.inf if dtype.kind == "f" else np.iinfo(dtype).min


# The three below are exact in NumPy too; the compiled kernels are many times faster than its windows.
@define_op(infer=_pooled("max_pool"), exact=False, traits="reduction")
def max_pool(x: np.ndarray, *, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> np.ndarray:
    """The maximum of every window, NaN if it holds one; padding never wins.

    Its derivative goes to the first maximum in the window's row-major order.

    Args:
        x: `[N, C, *S]`.
        kernel, stride, dilation: one int per spatial dimension; `padding`: one pair (before, after).
    Returns:
        `[N, C, *O]`, O = (S + before + after - dilation * (kernel - 1) - 1) // stride + 1.
    Raises:
        ValueError: ranks do not agree, or the window is larger than the padded input.
    """
    return np.asarray(_flat_windows(x, kernel, stride, padding, dilation, _lowest(x.dtype)).max(-1))


@max_pool.def_vjp
def max_pool_vjp(ct: Tensor, y: Tensor, x: Tensor, **window: Any) -> Any:
    return (max_pool_grad(ct, max_pool_index(x, **window), size=x.shape[2:], **window),)


@max_pool.def_lower
def max_pool_lower(b: Any, index: Any, x: Any, *, kernel: Ints, **window: Any) -> Any:
    low = b.const(_lowest(x.dtype.np), x.dtype)
    return b.max(prod(kernel), lambda k: _within(b, x, index[:2], _element(index[2:], k, kernel, **window), low))


@define_op(infer=_pooled("max_pool_index", int32), exact=False, traits="reduction")
def max_pool_index(x: np.ndarray, *, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> np.ndarray:
    """Where in its window (0 to prod(kernel) - 1, row-major) the first maximum, or the first NaN, stands: int32."""
    return np.asarray(_flat_windows(x, kernel, stride, padding, dilation, _lowest(x.dtype)).argmax(-1))


@max_pool_index.def_lower
def max_pool_index_lower(b: Any, index: Any, x: Any, *, kernel: Ints, **window: Any) -> Any:
    low = b.const(_lowest(x.dtype.np), x.dtype)
    first = b.argmax(prod(kernel), lambda k: _within(b, x, index[:2], _element(index[2:], k, kernel, **window), low))
    return b.cast(first, int32)


@define_op(infer=_spread("max_pool_grad"), exact=False, traits="reduction")
def max_pool_grad(
    ct: np.ndarray, index: np.ndarray, *, size: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints
) -> np.ndarray:
    """Every element of `[N, C, *size]` sums `ct` over the windows whose `index` names it.

    Where windows do not overlap that is one `ct` or 0.
    """
    return _scattered(size, kernel, stride, padding, dilation, ct, lambda k: np.where(index == k, ct, ct.dtype.type(0)))


@max_pool_grad.def_vjp
def max_pool_grad_vjp(ct_x: Tensor, y: Tensor, ct: Tensor, index: Tensor, *, size: Ints, **window: Any) -> Any:
    return max_pool_gather(ct_x, index, **window), None


@max_pool_grad.def_lower
def max_pool_grad_lower(b: Any, at: Any, ct: Any, index: Any, *, size: Ints, **window: Any) -> Any:
    def part(out: list[Any], position: Any) -> Any:
        chosen = b.fn("eq", index(out), b.cast(b.position(position), int32))
        return b.select(chosen, ct(out), b.const(0, ct.dtype))

    return _sum_over_windows(b, at, ct, **window, value=part)


@define_op(infer=_pooled("max_pool_gather"), exact=False, traits="reduction")
def max_pool_gather(
    x: np.ndarray, index: np.ndarray, *, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints
) -> np.ndarray:
    """The element of every window that `index` names; 0 where that is padding."""
    view = _flat_windows(x, kernel, stride, padding, dilation, 0)
    return np.take_along_axis(view, index[..., None].astype(np.int64), -1)[..., 0]


@max_pool_gather.def_vjp
def max_pool_gather_vjp(ct: Tensor, y: Tensor, x: Tensor, index: Tensor, **window: Any) -> Any:
    return max_pool_grad(ct, index, size=x.shape[2:], **window), None


@max_pool_gather.def_lower
def max_pool_gather_lower(b: Any, at: Any, x: Any, index: Any, *, kernel: Ints, **window: Any) -> Any:
    zero = b.const(0, x.dtype)

    def part(k: Any) -> Any:  # a sum with one term that counts: no index comes from memory, so none can be out of range
        chosen = b.fn("eq", index(at), b.cast(b.position(k), int32))
        return b.select(chosen, _within(b, x, at[:2], _element(at[2:], k, kernel, **window), zero), zero)

    return b.sum(prod(kernel), part)


# Functions with MindSpore's arguments


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
        raise located(ValueError(f"{name}: expected [N, C, {count} spatial dimensions], got {x.type}"))
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
    plane = _plane_index(max_pool_index(images, **window), images.shape[2:], **window)
    return (squeeze(pooled, 0), squeeze(plane, 0)) if single else (pooled, plane)


def _plane_index(index: Tensor, size: Ints, kernel: Ints, stride: Ints, padding: Pairs, dilation: Ints) -> Tensor:
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
    images = cast(images, images.dtype if images.dtype.is_float else float32)
    window = _window(name, images, kernel_size, stride, pad_mode, padding, 1, ceil_mode, count)
    total = sum_pool(images, **window)
    if divisor_override:
        if isinstance(divisor_override, bool) or not isinstance(divisor_override, int) or divisor_override < 0:
            raise located(ValueError(f"{name}: divisor_override must be an int > 0, got {divisor_override!r}"))
        mean = total / divisor_override
    else:
        counted = [(0, 0)] * count
        if count_include_pad and str(pad_mode).lower() == "pad":
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
    """`avg_pool2d` along three dimensions, of `[N, C, D, H, W]` or `[C, D, H, W]`."""
    return _avg_pool(
        "AvgPool3d", 3, input_x, kernel_size, stride, pad_mode, padding, ceil_mode, count_include_pad, divisor_override
    )


def _lp_pool(name: str, count: int, x: Any, norm_type: Any, kernel_size: Any, stride: Any, ceil_mode: bool) -> Tensor:
    images, single = as_images(name, x, count)
    images = cast(images, images.dtype if images.dtype.is_float else float32)
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


# Adaptive pooling: the number of windows is given


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
    x = cast(x, x.dtype if x.dtype.is_float else float32)
    sizes = _adaptive_sizes(name, x, output_size, count)

    def whole(x: Tensor, kernel: Ints) -> Tensor:
        if kernel == x.shape[2:]:
            return sum_over(x, tuple(range(2, x.ndim)), keep=True) / prod(kernel)
        return _avg_pool(name, count, x, kernel, kernel, "valid", 0, False, False, None)

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
        pooled, plane = _adaptive_max_places(name, x, sizes)
        return (squeeze(pooled, 0), squeeze(plane, 0)) if single else (pooled, plane)
    y = _adaptive(
        x, sizes, lambda x, kernel: _max_pool(name, count, x, kernel, kernel, 0, 1, False, False, "valid"),
        lambda s, axis: reduce_over(max_, s, (axis,), keep=True),
    )
    return squeeze(y, 0) if single else y


def _adaptive_max_places(name: str, x: Tensor, sizes: Ints) -> tuple[Tensor, Tensor]:
    """The maxima of `sizes` windows, and their int64 positions in the plane."""
    size = x.shape[2:]
    if all(n % o == 0 for n, o in zip(size, sizes, strict=True)):
        kernel = tuple(n // o for n, o in zip(size, sizes, strict=True))
        found: tuple[Tensor, Tensor] = _max_pool(name, len(size), x, kernel, kernel, 0, 1, True, False, "valid")
        return found
    values, places = [], []
    for begins, extents in (zip(*w, strict=True) for w in product(*map(_parts, size, sizes))):
        window = x
        for axis, (lo, n) in enumerate(zip(begins, extents, strict=True), 2):
            window = take_range(window, axis, lo, n)
        values.append(expand_dims(max_(window, run=(2, x.ndim)), -1))
        offsets: list[Tensor] = unravel(argmax_(window, run=(2, x.ndim)), extents)
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
