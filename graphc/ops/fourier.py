"""Discrete Fourier transforms along axes, by NumPy's and MindSpore's names: `fft`, `rfftn`, `ihfft2` and their kin.

`fft` is of complex numbers, `rfft` of real ones, of whose spectrum it gives one half, and `hfft` of those whose
spectrum is real. One that begins with `i` is the inverse, one that ends with 2 or n is over several axes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from graphc.dtype import float32, part_of
from graphc.ops.axes import as_int, as_ints, axis_of
from graphc.ops.coerce import as_float, as_tensor, cast, scalar
from graphc.ops.complex_parts import complex_, conjugate
from graphc.ops.complex_rules import pair, to_parts
from graphc.ops.creation import ones
from graphc.ops.dft import Pair, from_half_spectrum, half_spectrum, inverse, spectrum, spectrum_of_real
from graphc.ops.elementwise import mul, neg
from graphc.ops.gather import gather
from graphc.ops.shape import pad, swapaxes
from graphc.ops.views import pad_, reshape_, take_range
from graphc.place import located
from graphc.tensor import Tensor

__all__ = [
    "fft", "fft2", "fftn", "hfft", "hfft2", "hfftn", "ifft", "ifft2", "ifftn", "ihfft", "ihfft2", "ihfftn", "irfft",
    "irfft2", "irfftn", "rfft", "rfft2", "rfftn", "stft",
]  # fmt: skip


# One or several axes, of complex numbers


def fft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The discrete Fourier transform along an axis: `sum over j of input[j] * exp(-2 pi i j k / n)`.

    Args:
        input: tensor of any type; complex64 is computed of integers and narrower floats.
        n: to how many points the axis is cut, or filled up with zeros; by default those that there are.
        dim: the axis.
        norm: which direction is divided by n: `"backward"` (as None) the inverse, `"forward"` this one; `"ortho"`
            divides both by its square root.
    Returns:
        A complex tensor, n along the axis.
    Raises:
        TypeError, ValueError: an argument is not as described.
    """
    return _complex_to_complex("fft", input, _one(n), (dim,), norm, spectrum)


def ifft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `fft`."""
    return _complex_to_complex("ifft", input, _one(n), (dim,), norm, inverse)


def fft2(input: Any, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`fft` along two axes: see `fftn`."""
    return _complex_to_complex("fft2", input, s, dim, norm, spectrum)


def ifft2(input: Any, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `fft2`."""
    return _complex_to_complex("ifft2", input, s, dim, norm, inverse)


def fftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`fft` along several axes.

    Args:
        s: to how many points each is cut or filled up (-1: as many as there are).
        dim: the axes; without it all, or with `s` the last ones.
        input, norm: as of `fft`, where n is the number of points of all these axes.
    """
    return _complex_to_complex("fftn", input, s, dim, norm, spectrum)


def ifftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `fftn`."""
    return _complex_to_complex("ifftn", input, s, dim, norm, inverse)


# Of real numbers, and to real ones


def rfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """`fft` of real numbers: the first `n // 2 + 1` of its results, to which the others are conjugate.

    Raises:
        TypeError: complex numbers.
    """
    return _real_to_complex("rfft", input, _one(n), (dim,), norm)


def rfft2(input: Any, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`rfft` along the last of two axes, and `fft` along the other one."""
    return _real_to_complex("rfft2", input, s, dim, norm)


def rfftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`rfft` along the last of several axes, and `fft` along the others; arguments as of `fftn`."""
    return _real_to_complex("rfftn", input, s, dim, norm)


def irfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `rfft`: n real numbers, by default `2 * (points - 1)`, of the first `n // 2 + 1` points."""
    return _complex_to_real("irfft", input, _one(n), (dim,), norm)


def irfft2(input: Any, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `rfft2`."""
    return _complex_to_real("irfft2", input, s, dim, norm)


def irfftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `rfftn`; `s` says how many real numbers it gives along each axis."""
    return _complex_to_real("irfftn", input, s, dim, norm)


# With a real spectrum: the same with the directions exchanged


def hfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """`fft` of numbers whose spectrum is real, of which the first `n // 2 + 1` are given: n real numbers."""
    return _complex_to_real("hfft", _conjugated("hfft", input), _one(n), (dim,), _exchanged("hfft", norm))


def ihfft(input: Any, n: int | None = None, dim: int = -1, norm: str | None = None) -> Tensor:
    """The inverse of `hfft`."""
    return conjugate(_real_to_complex("ihfft", input, _one(n), (dim,), _exchanged("ihfft", norm)))


def hfft2(input: Any, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """`hfft` along the last of two axes, and `fft` along the other one."""
    return _complex_to_real("hfft2", _conjugated("hfft2", input), s, dim, _exchanged("hfft2", norm))


def ihfft2(input: Any, s: Any = None, dim: Any = (-2, -1), norm: str | None = None) -> Tensor:
    """The inverse of `hfft2`."""
    return conjugate(_real_to_complex("ihfft2", input, s, dim, _exchanged("ihfft2", norm)))


def hfftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """`hfft` along the last of several axes, and `fft` along the others; arguments as of `irfftn`."""
    return _complex_to_real("hfftn", _conjugated("hfftn", input), s, dim, _exchanged("hfftn", norm))


def ihfftn(input: Any, s: Any = None, dim: Any = None, norm: str | None = None) -> Tensor:
    """The inverse of `hfftn`."""
    return conjugate(_real_to_complex("ihfftn", input, s, dim, _exchanged("ihfftn", norm)))


# How they are made

Transform = Callable[[Pair], Pair]


def _complex_to_complex(name: str, input: Any, s: Any, dim: Any, norm: Any, transform: Transform) -> Tensor:
    x = _operand(name, input)
    axes, counts = _axes_and_counts(name, x, s, dim)
    factor = _factor(name, norm, transform is inverse, math.prod(counts))
    if x.dtype.is_complex:
        return _complex(_over(axes, counts, transform, pair(x)), factor)
    last = _fitted(x, axes[-1], counts[-1])
    re, im = _along(axes[-1], lambda x: spectrum_of_real(x[0]), (last,))
    first = re, neg(im) if transform is inverse else im
    return _complex(_over(axes[:-1], counts[:-1], transform, first), factor)


def _real_to_complex(name: str, input: Any, s: Any, dim: Any, norm: Any) -> Tensor:
    x = _operand(name, input)
    if x.dtype.is_complex:
        raise located(TypeError(f"{name}: expected real numbers, got {x.spec}"))
    axes, counts = _axes_and_counts(name, x, s, dim)
    factor = _factor(name, norm, False, math.prod(counts))
    re, im = _along(axes[-1], lambda x: half_spectrum(x[0]), (_fitted(x, axes[-1], counts[-1]),))
    return _complex(_over(axes[:-1], counts[:-1], spectrum, (re, im)), factor)


def _complex_to_real(name: str, input: Any, s: Any, dim: Any, norm: Any) -> Tensor:
    x = _operand(name, input)
    axes, counts = _axes_and_counts(name, x, s, dim, halved=True)
    factor, n = _factor(name, norm, True, math.prod(counts)), counts[-1]
    others = _over(axes[:-1], counts[:-1], inverse, pair(x))
    halves = [_fitted(part, axes[-1], n // 2 + 1) for part in others]
    (found,) = _along(axes[-1], lambda x: (from_half_spectrum((x[0], x[1]), n),), halves)
    return _scaled(found, factor)


def _over(axes: Sequence[int], counts: Sequence[int], transform: Transform, x: Pair) -> Pair:
    """Both parts, cut or filled up and transformed along these axes, the last first."""
    for axis, n in zip(reversed(axes), reversed(counts), strict=True):
        re, im = _along(axis, lambda x: transform((x[0], x[1])), [_fitted(part, axis, n) for part in x])
        x = re, im
    return x


def _along(axis: int, of: Callable[[Sequence[Tensor]], Sequence[Tensor]], x: Sequence[Tensor]) -> list[Tensor]:
    """What a function of `[outer, n, inner]` makes along an axis."""
    shape = x[0].shape
    before, behind = shape[:axis], shape[axis + 1 :]
    middle = (math.prod(before), shape[axis], math.prod(behind))
    return [reshape_(y, shape=(*before, y.shape[1], *behind)) for y in of([reshape_(part, shape=middle) for part in x])]


def _fitted(x: Tensor, axis: int, n: int) -> Tensor:
    """The first n points along an axis, with zeros behind those that there are."""
    given = x.shape[axis]
    if given >= n:
        return take_range(x, axis, 0, n)
    none = (0,) * x.ndim
    high = tuple(n - given if d == axis else 0 for d in range(x.ndim))
    return pad_(x, scalar(0, x.dtype), low=none, high=high, interior=none)


def _complex(x: Pair, factor: float) -> Tensor:
    return complex_(_scaled(x[0], factor), _scaled(x[1], factor))


def _scaled(x: Tensor, factor: float) -> Tensor:
    return x if factor == 1 else mul(x, factor)


# Arguments


def _one(n: int | None) -> tuple[int] | None:
    return None if n is None else (n,)


def _operand(name: str, input: Any) -> Tensor:
    x = as_float(name, input)
    return x if part_of(x.dtype).itemsize >= 4 else cast(x, float32)


def _conjugated(name: str, input: Any) -> Tensor:
    return conjugate(_operand(name, input))


def _axes_and_counts(
    name: str, x: Tensor, s: Any, dim: Any, halved: bool = False
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The axes, and the points of a transform along each; by default those of `x`, which of a halved last axis are
    those of one half."""
    sizes = None if s is None else as_ints(name, s, "n or s")
    given = range(x.ndim) if dim is None else as_ints(name, dim, "dim")
    if dim is None and sizes is not None:
        given = given[max(x.ndim - len(sizes), 0) :]
    axes = tuple(axis_of(name, axis, x.ndim) for axis in given)
    if not axes or len(set(axes)) < len(axes) or (sizes is not None and len(sizes) != len(axes)):
        raise located(ValueError(f"{name}: expected different axes, and a size for each, got dim={dim!r} and s={s!r}"))
    there = [x.shape[axis] for axis in axes]
    if halved:
        there[-1] = 2 * (there[-1] - 1)
    counts = tuple(n if size == -1 else size for n, size in zip(there, sizes or (-1,) * len(axes), strict=True))
    if min(counts) < 1:
        raise located(ValueError(f"{name}: expected at least one point along each axis, got {counts} of {x.spec}"))
    return axes, counts


_NORMS = {None: "forward", "backward": "forward", "ortho": "ortho", "forward": "backward"}
"""The names of norms, and that of the one which divides in the other direction."""


def _exchanged(name: str, norm: Any) -> str:
    if norm not in _NORMS:
        wanted = ", ".join(map(repr, _NORMS))
        raise located(ValueError(f"{name}: norm must be one of {wanted}, got {norm!r}"))
    return _NORMS[norm]


def _factor(name: str, norm: Any, is_inverse: bool, points: int) -> float:
    """What the sums of a transform of so many points are multiplied by."""
    divides = "backward" if is_inverse else "forward"
    found = _exchanged(name, _exchanged(name, norm))
    return 1 / math.sqrt(points) if found == "ortho" else 1 / points if found == divides else 1.0


# Over short stretches of time


def stft(
    x: Any, n_fft: int, hop_length: int | None = None, win_length: int | None = None, window: Any = None,
    center: bool = True, pad_mode: str = "REFLECT", normalized: bool = False, onesided: bool | None = None,
    return_complex: bool | None = None,
) -> Tensor:
    """The short-time Fourier transform: spectra of overlapping stretches, each multiplied by a window.

    Args:
        x: `[T]` or `[B, T]`.
        n_fft: the points of a stretch.
        hop_length: from one stretch to the next; by default `n_fft // 4`.
        win_length: the length of the window, at most `n_fft` (the default); around it are zeros.
        window: `[win_length]`; ones by default.
        center: whether `x` is continued by `n_fft // 2` points on either side, so that stretches are centred.
        pad_mode: how it is: `"REFLECT"`, `"SYMMETRIC"` or `"CONSTANT"` (zeros).
        normalized: whether spectra are divided by the square root of `n_fft`.
        onesided: whether one half of the spectra is given; by default that of real `x` and `window` is.
        return_complex: whether they are complex, or real `[..., 2]`; by default as `x` and `window` are.
    Returns:
        `[B, frequencies, stretches]`, for `[T]` without B.
    Raises:
        TypeError, ValueError: an argument is not as described, or `x` is too short.
    """
    signal = _operand("stft", x)
    points = as_int("stft", n_fft, "n_fft", 1)
    hop = as_int("stft", max(points // 4, 1) if hop_length is None else hop_length, "hop_length", 1)
    length = as_int("stft", points if win_length is None else win_length, "win_length", 1)
    taper = ones((length,), part_of(signal.dtype)) if window is None else as_tensor("stft", window)
    if signal.ndim not in (1, 2) or taper.shape != (length,) or length > points:
        expected = f"x [T] or [B, T] and a window of at most {points} points"
        raise located(ValueError(f"stft: expected {expected}, got {signal.spec}, {taper.spec} and win_length {length}"))
    is_complex = signal.dtype.is_complex or taper.dtype.is_complex
    before = (points - length) // 2
    taper = pad(taper, (before, points - length - before))
    stretches = mul(_stretches(signal, points, hop, points // 2 if center else 0, pad_mode), taper)
    norm = "ortho" if normalized else "backward"
    if onesided if onesided is not None else not is_complex:
        found = rfft(stretches, norm=norm)
    else:
        found = fft(stretches, norm=norm)
    found = swapaxes(found, -1, -2)
    return found if (is_complex if return_complex is None else return_complex) else to_parts(found)


def _after_zeros(count: int, beyond: int) -> np.ndarray:
    return np.arange(count + 2 * beyond)


_CONTINUED: dict[str, Callable[[int, int], np.ndarray]] = {
    "REFLECT": lambda count, beyond: np.pad(np.arange(count), beyond, "reflect"),
    "SYMMETRIC": lambda count, beyond: np.pad(np.arange(count), beyond, "symmetric"),
    "CONSTANT": _after_zeros,
}
"""The places in a signal of `count` points that it is continued with; in one that has zeros around it, all of them."""


def _stretches(x: Tensor, points: int, hop: int, beyond: int, mode: str) -> Tensor:
    """`[..., T]` to `[..., stretches, points]`, continued by so many points on either side."""
    numbered = _CONTINUED.get(mode.upper() if isinstance(mode, str) else "")
    if numbered is None:
        raise located(ValueError(f"stft: pad_mode must be one of {', '.join(_CONTINUED)}, got {mode!r}"))
    there = x.shape[-1]
    if there + 2 * beyond < points or not there:
        raise located(ValueError(f"stft: expected at least {points - 2 * beyond} points, got {x.spec}"))
    if numbered is _after_zeros and beyond:
        x = pad(x, (beyond, beyond))
    places = numbered(there, beyond)
    starts = np.arange(0, len(places) - points + 1, hop)
    return gather(x, Tensor(places[starts[:, None] + np.arange(points)]), x.ndim - 1)
