"""Convolutions over any number of spatial dimensions, closed under differentiation.

The table holds `conv` and `conv_grad_weight`. Each is linear in both operands, and their derivatives are one another:
the gradient of the weights is `conv_grad_weight`, that of the input is a `conv` of the cotangent with the flipped
weights; where the stride is more than one, as many of them, each with the taps that meet every stride-th element, woven
together. The functions with MindSpore's arguments (`conv2d`, ...) work out the margins, convolve and add the bias.

A margin does not consist of zeros: windows may reach beyond the input, by `low` elements before it, and terms for which
there is no element are not part of the sum. So an infinite or NaN weight has no effect there, where its product with
zero would be NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from math import gcd, prod
from typing import Any, NamedTuple

import numpy as np

from graphc.dtype import dtype_of, sum_type
from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.axes import as_ints
from graphc.ops.coerce import as_tensor, cast, filled
from graphc.ops.elementwise import add
from graphc.ops.linalg import contract, same_dtype
from graphc.ops.shape import flip, reshape, transpose
from graphc.ops.views import slice_, weave
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "conv1d", "conv2d", "conv3d", "conv_transpose",
]  # fmt: skip

Ints = tuple[int, ...]


def _check_types(name: str, x: TensorType, w: TensorType, spatial: int, attrs: tuple[Ints, ...]) -> None:
    if not x.dtype.is_float or x.dtype is not w.dtype:
        raise TypeError(f"{name}: expected two float tensors of one type, got {x} and {w}")
    if x.ndim != spatial + 2 or w.ndim != spatial + 2 or any(len(a) != spatial for a in attrs):
        raise ValueError(f"{name}: expected [N, C, {spatial} spatial dimensions], got {x} and {w}")
    if any(n < 1 for a in attrs for n in a):
        raise ValueError(f"{name}: kernel, stride and dilation must be at least 1, got {attrs}")


def _conv_type(
    x: TensorType, w: TensorType, *, stride: Ints, dilation: Ints, low: Ints, size: Ints, groups: int = 1
) -> TensorType:
    _check_types("conv", x, w, len(stride), (stride, dilation, size))
    if groups < 1 or x.shape[1] % groups or w.shape[0] % groups or w.shape[1] * groups != x.shape[1]:
        raise ValueError(
            f"conv: channels do not agree, input {x} has {x.shape[1]}, weight {w} takes {w.shape[1]} in each of "
            f"{groups} groups and gives {w.shape[0]}"
        )
    return TensorType((x.shape[0], w.shape[0], *size), sum_type(x.dtype) if _by_twos(w, groups) else x.dtype)


def _by_twos(w: TensorType, groups: int) -> bool:
    """Whether factors are multiplied as they are if they are bfloat16, two channels at a time."""
    return groups == 1 and w.shape[1] % 2 == 0


def _taps(
    extents: Ints, kernel: Ints, stride: Ints, dilation: Ints, low: Ints, size: Ints
) -> Iterator[tuple[tuple[Any, ...], ...]]:
    """As indices: every tap of the kernel, the windows in which it meets an element, the elements it meets there."""
    for tap in np.ndindex(*kernel):
        where, what = [], []
        for k, n, s, d, lo, count in zip(tap, extents, stride, dilation, low, size, strict=True):
            at = k * d - lo  # in the first window
            first = min(max(-(at // s), 0), count)
            last = max(min(-((at - n) // s), count), first)
            where.append(slice(first, last))
            what.append(slice(first * s + at, last * s + at, s))
        yield (..., *tap), (..., *where), (..., *what)


@define_op(infer=_conv_type, exact=False, traits="contraction")
def conv(
    x: np.ndarray, w: np.ndarray, *, stride: Ints, dilation: Ints, low: Ints, size: Ints, groups: int = 1
) -> np.ndarray:
    """Cross-correlation. Along each dimension tap k of window o meets element o * stride + k * dilation - low.

    Each element of the result is one chain of fused multiply-adds over (input channel, *kernel), in that order, of the
    terms whose element exists; of bfloat16, where there is one group of an even number of channels, over (two input
    channels, *kernel), in float32. Or it is made of tiles, by a rule of its shape (`graphc.passes.winograd`), so that
    elements beyond its window are terms too, and zeros beyond the input: which counts if they are infinite, or their
    weights.

    Args:
        x: float `[N, Cin, *S]`.
        w: float `[Cout, Cin / groups, *K]`.
        stride, dilation: one int per spatial dimension.
        low: how many elements before the input the first window begins; below 0, within it.
        size: the number of windows, O.
        groups: output channel c reads the input channels of group c // (Cout / groups).
    Returns:
        `[N, Cout, *O]`.
    Raises:
        TypeError: not two float tensors of one type.
        ValueError: channels or ranks do not agree.
    """
    type_ = sum_type(dtype_of(x.dtype)).np
    grouped = x.astype(type_, copy=False).reshape(x.shape[0], groups, -1, *x.shape[2:])
    weights = w.astype(type_, copy=False).reshape(groups, -1, *w.shape[1:])
    result = np.zeros((x.shape[0], groups, weights.shape[1], *size), type_)
    for tap, where, what in _taps(x.shape[2:], w.shape[2:], stride, dilation, low, size):
        result[where] += np.einsum("agc...,gdc->agd...", grouped[what], weights[tap], optimize=True)
    return result.reshape(x.shape[0], w.shape[0], *size)


@conv.def_vjp
def conv_vjp(
    ct: Tensor, y: Tensor, x: Tensor, w: Tensor, *, stride: Ints, dilation: Ints, low: Ints, size: Ints, groups: int = 1
) -> tuple[Any, ...]:
    kernel, extents = w.shape[2:], x.shape[2:]
    ct = cast(ct, x.dtype)  # exactly, where the sum was rounded to the type of its factors
    return (
        lambda: conv_grad_input(ct, w, extents, stride, dilation, low, groups),
        lambda: conv_grad_weight(x, ct, kernel=kernel, stride=stride, dilation=dilation, low=low, groups=groups),
    )


def _summed(
    b: Any, extents: Ints, factors: Callable[..., tuple[Any, Any]], places: Callable[..., list[Any]], x: Any,
    lanes: bool = False,
) -> Any:
    """The sum of `factors(*k)` over the k whose `places(*k)` are those of an element of `x` `[N, C, *S]`."""

    def there(*k: Any) -> list[tuple[Any, int, int]]:
        return [(at, 0, n) for at, n in zip(places(*k), x.shape[2:], strict=True)]

    return contract(b, extents, factors, x.dtype, lanes, there)


@conv.def_lower
def conv_lower(
    b: Any, index: Any, x: Any, w: Any, *, stride: Ints, dilation: Ints, low: Ints, size: Ints, groups: int = 1
) -> Any:
    n, co, *out = index
    depth = w.shape[1]
    first = co // (w.shape[0] // groups) * depth if groups > 1 else 0

    def places(ci: Any, *k: Any) -> list[Any]:
        return [o * s + i * d - lo for o, s, i, d, lo in zip(out, stride, k, dilation, low, strict=True)]

    def factors(ci: Any, *k: Any) -> tuple[Any, Any]:
        return x([n, first + ci, *places(ci, *k)]), w([co, ci, *k])

    if x.dtype is sum_type(x.dtype):
        return _summed(b, tuple(w.shape[1:]), factors, places, x)
    if prod(w.shape[2:]) == 1:
        return _summed(b, (*w.shape[2:], depth), _last(factors), _last(places), x)
    return _summed(b, (depth // 2, *w.shape[2:], 2), _of_two(factors), _of_two(places), x)


def _last(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of (channel, *tap) as one of (*tap, channel)."""
    return lambda *k: function(k[-1], *k[:-1])


def _of_two(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of (channel, *tap) as one of (two channels, *tap, which of them)."""
    return lambda two, *k: function(two * 2 + k[-1], *k[:-1])


def _grad_weight_type(
    x: TensorType, ct: TensorType, *, kernel: Ints, stride: Ints, dilation: Ints, low: Ints, groups: int = 1
) -> TensorType:
    _check_types("conv_grad_weight", x, ct, len(stride), (kernel, stride, dilation))
    if x.shape[0] != ct.shape[0]:
        raise ValueError(f"conv_grad_weight: the batches of {x} and {ct} differ")
    if groups < 1 or x.shape[1] % groups or ct.shape[1] % groups:
        raise ValueError(f"conv_grad_weight: the channels of {x} and {ct} do not divide into {groups} groups")
    narrow = _pixels_by_twos(x, ct, kernel, stride, low, groups)
    return TensorType((ct.shape[1], x.shape[1] // groups, *kernel), sum_type(x.dtype) if narrow else x.dtype)


def _pixels_by_twos(x: TensorType, ct: TensorType, kernel: Ints, stride: Ints, low: Ints, groups: int) -> bool:
    """Whether factors are multiplied as they are if they are bfloat16, two pixels at a time: of one tap, and one chain,
    where rows are of twos, and no pixel is in a margin while its neighbour is not."""
    plain = groups == 1 and prod(kernel) == 1 and set(stride) == {1} and not any(low) and x.shape[2:] == ct.shape[2:]
    return plain and ct.shape[-1] % 2 == 0 and not _over_images(x.shape[0], x.shape[1], ct.shape[1])


def _over_images(images: int, depth: int, width: int) -> bool:
    """Whether a gradient of weights has sixteen chains over the images, of so many channels in a group."""
    return images >= 8 and min(depth, width) < 16


@define_op(infer=_grad_weight_type, exact=False, traits="contraction")
def conv_grad_weight(
    x: np.ndarray, ct: np.ndarray, *, kernel: Ints, stride: Ints, dilation: Ints, low: Ints, groups: int = 1
) -> np.ndarray:
    """The gradient of `conv` with respect to its weights.

    Each element is a sum over (N, *O), of the terms whose element of the input exists: with at least 8 images and fewer
    than 16 channels in a group on either side, as 16 chains over n mod 16 and their fold (few channels leave the vector
    lanes to the images); otherwise as one chain, or of tiles as `conv` is. With one tap that meets every pixel, in rows
    of an even number, bfloat16 is summed in float32, two pixels at a time.

    Args:
        x: float `[N, Cin, *S]`, the convolution's input.
        ct: float `[N, Cout, *O]`, the cotangent of its result.
        kernel: the weights' spatial extents.
        low: how many elements before the input the first window begins.
    Returns:
        `[Cout, Cin / groups, *kernel]`.
    """
    images, type_ = x.shape[0], sum_type(dtype_of(x.dtype)).np
    grouped = x.astype(type_, copy=False).reshape(images, groups, -1, *x.shape[2:])
    cts = ct.astype(type_, copy=False).reshape(images, groups, -1, *ct.shape[2:])
    result = np.zeros((groups, cts.shape[2], grouped.shape[2], *kernel), type_)
    for tap, where, what in _taps(x.shape[2:], kernel, stride, dilation, low, ct.shape[2:]):
        met, by = (v.reshape(*v.shape[:3], -1) for v in (grouped[what], cts[where]))
        result[tap] = np.einsum("agcs,agds->gdc", met, by, optimize=True)
    return result.reshape(ct.shape[1], -1, *kernel)


@conv_grad_weight.def_vjp
def conv_grad_weight_vjp(
    ct_w: Tensor, y: Tensor, x: Tensor, ct: Tensor, *, kernel: Ints, stride: Ints, dilation: Ints, low: Ints,
    groups: int = 1,
) -> tuple[Any, ...]:
    extents, size = x.shape[2:], ct.shape[2:]
    ct_w = cast(ct_w, x.dtype)  # exactly, where the sum was rounded to the type of its factors
    return (
        lambda: conv_grad_input(ct, ct_w, extents, stride, dilation, low, groups),
        lambda: conv(x, ct_w, stride=stride, dilation=dilation, low=low, size=size, groups=groups),
    )


@conv_grad_weight.def_lower
def conv_grad_weight_lower(
    b: Any, index: Any, x: Any, ct: Any, *, kernel: Ints, stride: Ints, dilation: Ints, low: Ints, groups: int = 1
) -> Any:
    co, ci, *k = index
    depth, width = x.shape[1] // groups, ct.shape[1] // groups
    first = co // width * depth if groups > 1 else 0

    def places(n: Any, *out: Any) -> list[Any]:
        return [o * s + i * d - lo for o, s, i, d, lo in zip(out, stride, k, dilation, low, strict=True)]

    def factors(n: Any, *out: Any) -> tuple[Any, Any]:
        return x([n, first + ci, *places(n, *out)]), ct([n, co, *out])

    lanes = _over_images(ct.shape[0], depth, width)
    return _summed(b, (ct.shape[0], *ct.shape[2:]), factors, places, x, lanes)


def conv_grad_input(
    ct: Tensor, w: Tensor, extents: Ints, stride: Ints, dilation: Ints, low: Ints, groups: int = 1
) -> Tensor:
    """The gradient of `conv` with respect to its input: the transposed convolution.

    Args:
        ct: float `[N, Cout, *O]`.
        w: float `[Cout, Cin / groups, *K]`.
        extents: the spatial extents of the input, S.
        low: how many elements before the input the first window begins.
    Returns:
        `[N, Cin, *S]`.
    """
    side_by_side = w.shape[2:] == stride and set(dilation) == {1} and not any(low)
    if side_by_side and max(stride) > 1 and extents == _times(ct.shape[2:], stride):
        return _grad_patches(ct, w, groups)
    along = [
        sorted((_phase(r, *d) for r in range(d[0])), key=lambda phase: phase.place)
        for d in zip(stride, dilation, w.shape[2:], extents, low, strict=True)
    ]  # fmt: skip
    phases = [phase for phase in product(*along) if all(one.extent for one in phase)]
    parts = [_conv_phase(ct, w, groups, phase) for phase in phases]
    if len(parts) == 1 and parts[0].shape[2:] == extents:
        return parts[0]
    begins = tuple((0, 0, *(one.place for one in phase)) for phase in phases)
    return weave(*parts, begins=begins, step=(1, 1, *stride), shape=(ct.shape[0], w.shape[1] * groups, *extents))


def _times(extents: Ints, by: Ints) -> Ints:
    return tuple(n * s for n, s in zip(extents, by, strict=True))


def _grad_patches(ct: Tensor, w: Tensor, groups: int) -> Tensor:
    """The gradient of windows that lie side by side and cover the input: one product makes whole windows of it."""
    n, c_out, *out = ct.shape
    kernel, channels, d = w.shape[2:], w.shape[1] * groups, len(out)
    w = reshape(w, (groups, c_out // groups, -1))
    w = reshape(transpose(w, (0, 2, 1)), (-1, c_out // groups, *(1,) * d))  # [Cin * K, Cout / groups, 1, ...]
    ones = (1,) * d
    y = conv(ct, w, stride=ones, dilation=ones, low=(0,) * d, size=tuple(out), groups=groups)
    y = reshape(y, (n, channels, *kernel, *out))
    y = transpose(y, (0, 1, *(a for axis in range(2, 2 + d) for a in (axis + d, axis))))
    return reshape(y, (n, channels, *_times(tuple(out), kernel)))


class _Phase(NamedTuple):
    """Along one dimension, every stride-th element of an input's gradient: the taps that meet it, and where they read.

    Element `stride * q + residue`, counted from the first window's begin, meets tap k of output (stride * q + residue -
    dilation * k) / stride, so only taps with dilation * k = residue modulo the stride: first, first + step, ...
    """

    place: int  # of its first element among the stride's first ones
    extent: int  # how many elements
    taps: tuple[int, int, int]  # first, how many, step
    apart: int  # outputs between the reads of neighbouring taps
    low: int  # how many outputs before the first one the first element's taps begin


def _phase(residue: int, stride: int, dilation: int, kernel: int, size: int, before: int) -> _Phase:
    shared = gcd(stride, dilation)
    step, apart = stride // shared, dilation // shared
    first = next((k for k in range(min(kernel, step)) if (dilation * k - residue) % stride == 0), kernel)
    taps = len(range(first, kernel, step))
    start = -((residue - before) // stride)  # the first q whose element is not before the result
    place = stride * start + residue - before
    low = (taps - 1) * apart - (residue - dilation * first) // stride - start
    return _Phase(place, len(range(place, size, stride)), (first, taps, step), apart, low)


def _conv_phase(ct: Tensor, w: Tensor, groups: int, phases: tuple[_Phase, ...]) -> Tensor:
    """One phase of the input's gradient: a convolution of the cotangent with the taps that meet it."""
    count = tuple(p.extent for p in phases)
    if any(p.taps[1] == 0 for p in phases):
        return filled(0, ct.dtype, (ct.shape[0], w.shape[1] * groups, *count))
    begin, shape, step = zip(*(p.taps for p in phases), strict=True)
    w = slice_(w, begin=(0, 0, *begin), shape=(*w.shape[:2], *shape), step=(1, 1, *step))
    low, apart = tuple(p.low for p in phases), tuple(p.apart for p in phases)
    return conv(
        ct, _turned(w, groups), stride=(1,) * len(phases), dilation=apart, low=low, size=count, groups=groups
    )  # fmt: skip


def _turned(w: Tensor, groups: int) -> Tensor:
    """Weights `[Cout, Cin / groups, *K]` flipped and with their channels exchanged: `[Cin, Cout / groups, *K]`."""
    c_out, depth, *kernel = w.shape
    spatial = tuple(range(2, w.ndim))
    w = flip(w, tuple(a for a in spatial if w.shape[a] > 1))
    if groups == 1:
        return transpose(w, (1, 0, *spatial))
    w = reshape(w, (groups, c_out // groups, depth, *kernel))
    w = transpose(w, (0, 2, 1, *(a + 1 for a in spatial)))
    return reshape(w, (groups * depth, c_out // groups, *kernel))


# Functions with MindSpore's arguments


def per_dimension(name: str, what: str, value: Any, count: int, least: int = 1) -> Ints:
    """One int for each of `count` dimensions, from an int or that many."""
    found = as_ints(name, value, what)
    found = found * count if len(found) == 1 else found
    if len(found) != count or min(found) < least:
        raise located(ValueError(f"{name}: {what} must be an int >= {least} or {count} of them, got {value!r}"))
    return found


def margins(
    name: str, size: Ints, spans: Ints, stride: Ints, pad_mode: Any, padding: Any
) -> list[tuple[int, int]]:
    """The padding (before, after) of each spatial dimension.

    Args:
        size: extents of the input; `spans`: those of the (dilated) window.
        pad_mode: `"valid"` none; `"same"` so much that there are ceil(size / stride) windows, an odd one at the end;
            `"pad"` what `padding` says.
        padding: an int, one per dimension, or a pair (before, after) of each dimension in one flat tuple.
    Raises:
        ValueError: an unknown mode, a wrong number of paddings, or padding that the mode does not use.
    """
    mode = pad_mode.lower() if isinstance(pad_mode, str) else pad_mode
    if mode not in ("valid", "same", "pad"):
        raise located(ValueError(
            f"For '{name}', the 'pad_mode' must be str and must be in '['valid', 'same', 'pad']', but got '{pad_mode}'."
        ))
    amounts = as_ints(name, padding, "padding")
    count = len(size)
    if len(amounts) not in (1, count, 2 * count) or min(amounts) < 0:
        counts = f"an int >= 0, {count} or {2 * count} of them"
        raise located(ValueError(f"{name}: padding must be {counts}, got {padding!r}"))
    if mode != "pad" and any(amounts):
        raise located(ValueError(f"{name}: padding must be 0 with pad_mode {mode!r}, got {padding!r}"))
    if mode == "same":
        totals = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(size, spans, stride, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    if len(amounts) == 2 * count:
        return list(zip(amounts[::2], amounts[1::2], strict=True))
    return [(n, n) for n in (amounts * count if len(amounts) == 1 else amounts)]


def _convolution(
    name: str, spatial: int, input: Any, weight: Any, bias: Any, stride: Any, pad_mode: Any, padding: Any,
    dilation: Any, groups: Any,
) -> Tensor:
    x, w = same_dtype(name)(input, weight)
    _check_operands(name, spatial, x, w)
    strides = per_dimension(name, "stride", stride, spatial)
    dilations = per_dimension(name, "dilation", dilation, spatial)
    (group,) = per_dimension(name, "groups", groups, 1)
    spans = tuple(d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilations, strict=True))
    around = margins(name, x.shape[2:], spans, strides, pad_mode, padding)
    low = tuple(lo for lo, _ in around)
    windows = zip(x.shape[2:], around, spans, strides, strict=True)
    size = tuple((n + lo + hi - k) // s + 1 for n, (lo, hi), k, s in windows)
    if min(size) < 1:
        raise located(ValueError(f"{name}: the kernel is larger than the (padded) input, {w.spec} on {x.spec}"))
    y = conv(x, w, stride=strides, dilation=dilations, low=low, size=size, groups=group)
    return _biased(name, y, bias)


def _check_operands(name: str, spatial: int, x: Tensor, w: Tensor) -> None:
    if not x.dtype.is_inexact:
        raise located(TypeError(f"{name}: expected float tensors, got {x.spec} and {w.spec}"))
    if x.ndim != spatial + 2 or w.ndim != spatial + 2:
        got = f"{x.spec} and {w.spec}"
        raise located(ValueError(f"{name}: expected input and weight of {spatial + 2} dimensions, got {got}"))


def _biased(name: str, y: Tensor, bias: Any) -> Tensor:
    if bias is None:
        return y
    bias = as_tensor(name, bias)
    if bias.shape != y.shape[1:2]:
        raise located(ValueError(f"{name}: expected a bias of shape {y.shape[1:2]}, got {bias.spec}"))
    return add(y, reshape(bias, (*bias.shape, *(1,) * (y.ndim - 2))))


def conv1d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, pad_mode: str = "valid", padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:
    """Convolution along one dimension: `conv2d` of `[N, Cin, L]` with `[Cout, Cin / groups, K]`."""
    return _convolution("Conv1d", 1, input, weight, bias, stride, pad_mode, padding, dilation, groups)


def conv2d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, pad_mode: str = "valid", padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:
    """Convolution (cross-correlation) of images, with a bias.

    Args:
        input: float `[N, Cin, H, W]`.
        weight: float `[Cout, Cin / groups, KH, KW]`.
        bias: `[Cout]` or None.
        stride, dilation: an int, or one for each dimension.
        pad_mode: `"valid"`, `"same"` (the result has ceil(size / stride) rows and columns; where the padding is odd,
            the larger part comes after) or `"pad"`.
        padding: for `"pad"`: an int, (rows, columns), or (top, bottom, left, right).
        groups: into how many groups, without connection, the channels are divided.
    Returns:
        `[N, Cout, H', W']`.
    Raises:
        TypeError: no float tensors.
        ValueError: shapes or arguments that do not fit.
    """
    return _convolution("Conv2D", 2, input, weight, bias, stride, pad_mode, padding, dilation, groups)


def conv3d(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, pad_mode: str = "valid", padding: Any = 0,
    dilation: Any = 1, groups: int = 1,
) -> Tensor:
    """Convolution of volumes: `conv2d` of `[N, Cin, D, H, W]` with `[Cout, Cin / groups, KD, KH, KW]`."""
    return _convolution("Conv3D", 3, input, weight, bias, stride, pad_mode, padding, dilation, groups)


def conv_transpose(
    input: Any, weight: Any, bias: Any = None, stride: Any = 1, pad_mode: str = "valid", padding: Any = 0,
    output_padding: Any = 0, dilation: Any = 1, groups: int = 1,
) -> Tensor:
    """Transposed convolution along 1, 2 or 3 dimensions: the gradient of a convolution with respect to its input.

    Args:
        input: float `[N, Cin, *S]`.
        weight: float `[Cin, Cout / groups, *K]`.
        bias: `[Cout]` or None.
        stride, dilation: an int, or one for each dimension.
        pad_mode: with span = dilation * (K - 1) + 1: `"valid"` (the result has (S - 1) * stride + max(span, stride)
            elements), `"same"` (S * stride) or `"pad"` ((S - 1) * stride + span - before - after + output_padding).
        padding: for `"pad"`: what the convolution in the other direction pads.
        output_padding: for `"pad"`: how many elements more the result has at the end.
    Returns:
        `[N, Cout, *S']`.
    Raises:
        TypeError: no float tensors.
        ValueError: shapes or arguments that do not fit.
    """
    name = "conv_transpose"
    x, w = same_dtype(name)(input, weight)
    count = x.ndim - 2
    if not 1 <= count <= 3:
        raise located(ValueError(f"{name}: expected an input of 3 to 5 dimensions, got {x.spec}"))
    _check_operands(name, count, x, w)
    strides = per_dimension(name, "stride", stride, count)
    dilations = per_dimension(name, "dilation", dilation, count)
    extra = per_dimension(name, "output_padding", output_padding, count, least=0)
    (group,) = per_dimension(name, "groups", groups, 1)
    if x.shape[1] != w.shape[0] or x.shape[1] % group:
        raise located(ValueError(f"{name}: input {x.spec} and weight {w.spec} do not fit in {group} groups"))
    spans = tuple(d * (k - 1) + 1 for k, d in zip(w.shape[2:], dilations, strict=True))
    natural = tuple((n - 1) * s for n, s in zip(x.shape[2:], strides, strict=True))
    mode = pad_mode.lower() if isinstance(pad_mode, str) else pad_mode
    if any(extra) and (mode != "pad" or any(e >= max(s, d) for e, s, d in zip(extra, strides, dilations, strict=True))):
        raise located(ValueError(
            f"{name}: output_padding must be 0, or with pad_mode 'pad' below stride or dilation, got {output_padding!r}"
        ))
    whole = tuple(n + (s if mode == "same" else max(k, s)) for n, k, s in zip(natural, spans, strides, strict=True))
    around = margins(name, whole, spans, strides, pad_mode, padding)
    if mode == "pad":
        whole = tuple(
            n + k - lo - hi + e for n, k, (lo, hi), e in zip(natural, spans, around, extra, strict=True)
        )
    if min(whole) < 1:
        raise located(ValueError(f"{name}: padding {padding!r} leaves nothing of the result, {x.spec} with {w.spec}"))
    y = conv_grad_input(x, w, whole, strides, dilations, tuple(lo for lo, _ in around), group)
    return _biased(name, y, bias)
