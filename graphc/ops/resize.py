"""Resizing along an axis by interpolation, closed under differentiation.

Output o lies at the position `(start + step * o) / den` of the input, a fraction of whole numbers, so that where it
falls is exact. Its value is a weighted sum of the elements around, those beyond an end being the one at the end.
`resize` and `resize_grad` are each other's transpose; several axes are resized one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from graphc.ir import TensorType
from graphc.op import define_op
from graphc.ops.adaptive_pool import adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d
from graphc.ops.axes import as_ints
from graphc.ops.coerce import as_tensor, broadcast, cast, to_float
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["interpolate", "upsample"]

CUBIC = -0.75
"""The slope parameter of the cubic kernel (Keys 1981, eq. 15), as in PyTorch and OpenCV."""


def _cubic_weights(t: Any, one: Callable[[float], Any]) -> list[Any]:
    """Keys' weights of the elements at -1, 0, 1, 2 for a position `t` past the one at 0."""
    a = CUBIC

    def near(x: Any) -> Any:  # |x| <= 1
        return ((one(a + 2) * x - one(a + 3)) * x) * x + one(1)

    def far(x: Any) -> Any:  # 1 < |x| < 2
        return ((one(a) * x - one(5 * a)) * x + one(8 * a)) * x - one(4 * a)

    return [far(t + one(1)), near(t), near(one(1) - t), far(one(2) - t)]


# kernel: the first element it reads, seen from the one at or before the position, and the weights from there on
_KERNELS: dict[str, tuple[int, Callable[[Any, Callable[[float], Any]], list[Any]]]] = {
    "nearest": (0, lambda t, one: [one(1)]),
    "linear": (0, lambda t, one: [one(1) - t, t]),
    "cubic": (-1, _cubic_weights),
}
_TAPS = {"nearest": 1, "linear": 2, "cubic": 4}


def _check(name: str, x: TensorType, axis: int, size: int, step: int, den: int, kernel: str) -> None:
    if not x.dtype.is_float and kernel != "nearest":
        raise TypeError(f"{name}: expected a float tensor, got {x}")
    if not 0 <= axis < x.ndim or size < 1 or step < 1 or den < 1 or kernel not in _KERNELS:
        raise ValueError(f"{name}: {x} with axis {axis}, size {size}, step {step}, den {den}, kernel {kernel!r}")


def _resize_type(x: TensorType, *, axis: int, size: int, start: int, step: int, den: int, kernel: str) -> TensorType:
    _check("resize", x, axis, size, step, den, kernel)
    if not x.shape[axis]:
        raise ValueError(f"resize: axis {axis} of {x} has no elements")
    return TensorType((*x.shape[:axis], size, *x.shape[axis + 1 :]), x.dtype)


def _sources(
    extent: int, size: int, start: int, step: int, den: int, kernel: str, dtype: np.dtype[Any]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """For every element that the kernel reads: its index and its weight, for each output."""
    position = start + step * np.arange(size)
    first, weights = _KERNELS[kernel]
    t = (position % den).astype(dtype) / dtype.type(den)
    found = weights(t, dtype.type)
    return [
        (np.clip(position // den + first + k, 0, extent - 1), np.broadcast_to(w, (size,))) for k, w in enumerate(found)
    ]


@define_op(infer=_resize_type, exact=False)
def resize(x: np.ndarray, *, axis: int, size: int, start: int, step: int, den: int, kernel: str) -> np.ndarray:
    """`x` with `size` elements along `axis`.

    Args:
        x: a tensor; float but for the kernel `"nearest"`.
        start, step, den: output o lies at (start + step * o) / den.
        kernel: `"nearest"` (the element at or before the position), `"linear"` (the two around it) or `"cubic"` (four).
    """
    rows = np.moveaxis(x, axis, -1)
    total = None
    for index, weight in _sources(x.shape[axis], size, start, step, den, kernel, x.dtype):
        part = rows[..., index] if kernel == "nearest" else weight * rows[..., index]
        total = part if total is None else total + part
    assert total is not None
    return np.moveaxis(total, -1, axis)


@resize.def_vjp
def resize_vjp(ct: Tensor, y: Tensor, x: Tensor, *, axis: int, size: int, **place: Any) -> Any:
    return (resize_grad(ct, axis=axis, size=x.shape[axis], **place),)


@resize.def_lower
def resize_lower(
    b: Any, index: Any, x: Any, *, axis: int, size: int, start: int, step: int, den: int, kernel: str
) -> Any:
    position = index[axis] * step + start
    first, weights = _KERNELS[kernel]
    extent = x.shape[axis]

    def read(at: Any) -> Any:
        def element(i: Any) -> Any:
            return x([*index[:axis], i, *index[axis + 1 :]])

        beyond = b.inside([(at, -(2**62), 0)], lambda: element(0), element(extent - 1))
        return b.inside([(at, 0, extent)], lambda: element(at), beyond)

    if kernel == "nearest":
        return read(position // den)
    total = None
    for k, weight in enumerate(weights(_weight_position(b, position, den, x.dtype), _constants(b, x.dtype))):
        part = weight * read(position // den + (first + k))
        total = part if total is None else total + part
    return total


def _weight_position(b: Any, position: Any, den: int, dtype: Any) -> Any:
    """How far the position is past the element at or before it, in [0, 1)."""
    return b.cast(b.position(position % den), dtype) / b.const(den, dtype)


def _constants(b: Any, dtype: Any) -> Callable[[float], Any]:
    return lambda number: b.const(number, dtype)


def _grad_type(ct: TensorType, *, axis: int, size: int, start: int, step: int, den: int, kernel: str) -> TensorType:
    _check("resize_grad", ct, axis, size, step, den, kernel)
    return TensorType((*ct.shape[:axis], size, *ct.shape[axis + 1 :]), ct.dtype)


@define_op(infer=_grad_type, exact=False, traits="reduction")
def resize_grad(ct: np.ndarray, *, axis: int, size: int, start: int, step: int, den: int, kernel: str) -> np.ndarray:
    """The transpose of `resize`: each of `size` elements along `axis` sums `ct`, by its weight, over its readers."""
    rows = np.moveaxis(ct, axis, 0)
    total = np.zeros((size, *rows.shape[1:]), ct.dtype)
    for index, weight in _sources(size, ct.shape[axis], start, step, den, kernel, ct.dtype):
        np.add.at(total, index, weight.reshape(-1, *(1,) * (ct.ndim - 1)) * rows)
    return np.moveaxis(total, 0, axis)


@resize_grad.def_vjp
def resize_grad_vjp(ct_x: Tensor, y: Tensor, ct: Tensor, *, axis: int, size: int, **place: Any) -> Any:
    return (resize(ct_x, axis=axis, size=ct.shape[axis], **place),)


@resize_grad.def_lower
def resize_grad_lower(
    b: Any, index: Any, ct: Any, *, axis: int, size: int, start: int, step: int, den: int, kernel: str
) -> Any:
    first, weights = _KERNELS[kernel]
    taps = _TAPS[kernel]
    # An output that reads element i has its position in [i - last tap, i - first tap + 1); no position is further than
    # that beyond an end, so the window of an end's element also has those that read beyond it.
    begin = ((index[axis] - (first + taps - 1)) * den - start + step - 1) // step
    own = b.position(index[axis])
    zero = b.const(0, ct.dtype)

    def term(k: Any) -> Any:
        out = begin + k
        position = out * step + start

        def part() -> Any:
            share = zero
            t = _weight_position(b, position, den, ct.dtype)
            for tap, weight in enumerate(weights(t, _constants(b, ct.dtype))):
                at = b.position(position // den + (first + tap))
                at = b.fn("min", b.fn("max", at, b.const(0, at.dtype)), b.const(size - 1, at.dtype))
                share = share + b.select(b.fn("eq", at, own), weight, zero)
            return share * ct([*index[:axis], out, *index[axis + 1 :]])

        return b.inside([(out, 0, ct.shape[axis])], part, zero)

    return b.sum(-(-taps * den // step), term)


# Functions


def resize_axis(
    x: Tensor, axis: int, size: int, kernel: str, coordinates: str, scale: Fraction | None = None
) -> Tensor:
    """`x` with `size` elements along `axis`.

    Args:
        coordinates: where output o lies in the input: `"half_pixel"`: (o + 1/2) / scale - 1/2; `"asymmetric"`:
            o / scale; `"center"`: (o + 1/2) / scale; `"align_corners"`: the first and the last elements coincide.
        scale: by default the ratio of the sizes.
    """
    extent = x.shape[axis]
    if size == extent and scale in (None, 1):
        return x
    if extent == 1:
        return broadcast(x, (*x.shape[:axis], size, *x.shape[axis + 1 :]))
    ratio = scale or Fraction(size, extent)
    if coordinates == "align_corners":
        start, step, den = 0, extent - 1, max(size - 1, 1)
        if kernel == "nearest":  # the nearest element, not the one before
            start, step, den = den, 2 * step, 2 * den
    else:
        p, q = ratio.numerator, ratio.denominator
        start = {"half_pixel": q - p, "asymmetric": 0, "center": q}[coordinates]
        step, den = 2 * q, 2 * p
    return resize(x, axis=axis, size=size, start=start, step=step, den=den, kernel=kernel)


def _sizes(name: str, x: Tensor, size: Any, scale_factor: Any) -> tuple[tuple[int, ...], list[Fraction | None]]:
    """The extents of the result, and the scales where they were given."""
    count = x.ndim - 2
    if (size is None) == (scale_factor is None):
        raise located(ValueError(f"{name}: expected either size or scale_factor, got {size!r} and {scale_factor!r}"))
    scales: list[Fraction | None]
    if size is not None:
        sizes = as_ints(name, size, "size")
        sizes, scales = sizes * count if len(sizes) == 1 else sizes, [None] * count
    else:
        factors = scale_factor if isinstance(scale_factor, (tuple, list)) else (scale_factor,) * count
        if any(isinstance(f, bool) or not isinstance(f, (int, float)) or f <= 0 for f in factors):
            raise located(ValueError(f"{name}: scale_factor must be > 0, got {scale_factor!r}"))
        ratios = [Fraction(f).limit_denominator(1_000_000) for f in factors]
        sizes, scales = tuple(int(n * f) for n, f in zip(x.shape[2:], ratios)), [*ratios]
    if len(sizes) != count or min(sizes) < 1:
        given = size if size is not None else scale_factor
        raise located(ValueError(f"{name}: expected {count} extents >= 1 for {x.spec}, got {given!r}"))
    return sizes, scales


_MODES = {"nearest": 0, "nearest-exact": 0, "area": 0, "linear": 3, "bilinear": 4, "trilinear": 5, "bicubic": 4}


def interpolate(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """The spatial axes of `input` resized.

    Args:
        input: `[N, C, L]`, `[N, C, H, W]` or `[N, C, D, H, W]`.
        size: the new extents: an int, or one for each axis; or else
        scale_factor: by how much they grow: a number, or one for each axis.
        mode: `"nearest"`, `"nearest-exact"`, `"area"`, or, by the number of axes, `"linear"`, `"bilinear"`,
            `"trilinear"` or `"bicubic"` (2 axes).
        align_corners: whether the first and the last elements of input and result coincide (not in the modes nearest
            and area); otherwise the outer edges of these elements do.
        recompute_scale_factor: positions follow from the ratio of the extents, not from `scale_factor` itself.
    Raises:
        ValueError: arguments that contradict each other or the input.
    """
    name = "interpolate"
    x = as_tensor(name, input)
    if not 3 <= x.ndim <= 5:
        raise located(ValueError(f"{name}: expected [N, C, L], [N, C, H, W] or [N, C, D, H, W], got {x.spec}"))
    if mode not in _MODES or _MODES[mode] not in (0, x.ndim):
        modes = ", ".join(m for m, ndim in _MODES.items() if ndim in (0, x.ndim))
        raise located(ValueError(f"{name}: mode must be one of {modes} for {x.spec}, got {mode!r}"))
    if align_corners is not None and not _MODES[mode]:
        raise located(ValueError(f"{name}: align_corners does not go with mode {mode!r}"))
    sizes, scales = _sizes(name, x, size, scale_factor)
    if mode == "area":
        return (adaptive_avg_pool1d, adaptive_avg_pool2d, adaptive_avg_pool3d)[x.ndim - 3](x, sizes)
    kernel = "cubic" if mode == "bicubic" else "linear" if _MODES[mode] else "nearest"
    coordinates = {"nearest": "asymmetric", "nearest-exact": "center"}.get(mode, "half_pixel")
    if align_corners:
        coordinates = "align_corners"
    if kernel != "nearest":
        x = cast(x, to_float(x.dtype))
    return resize_axes(x, sizes, kernel, coordinates, [None] * len(sizes) if recompute_scale_factor else scales)


def resize_axes(
    x: Tensor, sizes: Sequence[int], kernel: str, coordinates: str, scales: Sequence[Fraction | None] | None = None
) -> Tensor:
    """`resize_axis` of all spatial axes of `[N, C, *S]`, the last first."""
    scales = scales or [None] * len(sizes)
    for axis in reversed(range(len(sizes))):
        x = resize_axis(x, axis + 2, sizes[axis], kernel, coordinates, scales[axis])
    return x


def upsample(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
) -> Tensor:
    """As `interpolate`."""
    return interpolate(input, size, scale_factor, mode, align_corners, recompute_scale_factor)
