"""The table ops of pooling, over windows of any number of spatial dimensions, closed under differentiation.

Two pairs of linear ops are each other's transpose: `sum_pool` and `sum_pool_grad`; `max_pool_gather` and
`max_pool_grad`, which move values between a window and the element of it that `max_pool_index` names. `max_pool` is
the maximum itself. All take `[N, C, *S]` and the same attributes, one entry per spatial dimension: `kernel`, `stride`,
`padding` as pairs (before, after), `dilation`.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from graphc.dtype import DType, int32
from graphc.index import IxLike
from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.views import unravel
from graphc.tensor import Tensor

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
    """The sum of `value(window, position in it)` over the windows that contain the element at `index`.

    Along each dimension these are looked for backwards from the last one, or among all where there are fewer.
    """
    lead, at = index[:2], index[2:]
    reach = tuple(-(-(d * (k - 1) + 1) // s) for k, s, d in zip(kernel, stride, dilation, strict=True))
    few = tuple(n < r and d == 1 for n, r, d in zip(ct.shape[2:], reach, dilation, strict=True))
    counts = tuple(n if all_ else r for n, r, all_ in zip(ct.shape[2:], reach, few, strict=True))

    def term(j: Any) -> Any:
        out, position, ranges = [], 0, []
        for p, step, all_, k, s, (lo, _), d, n in zip(
            at, unravel(j, counts), few, kernel, stride, padding, dilation, ct.shape[2:], strict=True
        ):
            if all_:
                o, offset = step, p + lo - step * s
                ranges += [(offset, 0, k)]
            else:
                o, offset = (p + lo) // s - step, (p + lo) % s + step * s
                ranges += [(o, 0, n), (offset // d, 0, k), (offset % d, 0, 1)]
            position = position * k + offset // d
            out.append(o)
        return b.inside(ranges, lambda: value([*lead, *out], position), b.const(0, ct.dtype))

    return term(0) if prod(counts) == 1 else b.sum(prod(counts), term)


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
