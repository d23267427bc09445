"""The sums of discrete Fourier transforms, of the real and imaginary parts of `[outer, n, inner]` over the middle axis.

A transform of n points is a product with the matrix of `exp(-2 pi i j k / n)`. Of `n = a * b` points it is a product
with the matrix of a points, a multiplication by n constants, and b points each (Cooley and Tukey, "An algorithm for the
machine calculation of complex Fourier series", 1965). Of a large prime number it is a convolution, and so two
transforms of a power of two (Bluestein, "A linear filtering approach to the computation of discrete Fourier transform",
1970). So all of it are products of matrices, and by constants that are made in float64. From or to real numbers, one
half of a spectrum is computed, to which the other one is conjugate.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable

import numpy as np

from graphc.dtype import DType
from graphc.ops.coerce import broadcast, full_like, scalar
from graphc.ops.elementwise import add, mul, neg, sub
from graphc.ops.linalg import matmul_
from graphc.ops.views import concat_, flip_, pad_, reshape_, take_range, transpose_
from graphc.tensor import Tensor

Pair = tuple[Tensor, Tensor]
Product = Callable[[Tensor, Tensor], Tensor]

MOST_AT_ONCE, LARGEST_PRIME, BEST_FACTOR = 32, 256, 16
"""Up to so many points, and up to such a prime number of them, a transform is one product with a matrix. Of more points
it is fastest, as measured, in factors up to the last of these."""


def spectrum(x: Pair) -> Pair:
    """The sums over j of `x[j] * exp(-2 pi i j k / n)`, for the n values of k."""
    n = x[0].shape[1]
    a, b = _factors(n)
    if a == n:
        return _times_roots(_sums, _roots(n, n, n, x[0].dtype), x)
    if a == 1:
        return _convolution(x)
    outer, _, inner = x[0].shape
    rows = _each(x, (outer, a, b * inner))
    return _in_order(_of_rows(_times_roots(_sums, _roots(a, a, a, x[0].dtype), rows), b, n))


def inverse(x: Pair) -> Pair:
    """The sums over k of `x[k] * exp(2 pi i j k / n)`: as `spectrum`, real and imaginary parts exchanged."""
    re, im = x
    im, re = spectrum((im, re))
    return re, im


def half_spectrum(x: Tensor) -> Pair:
    """Of real numbers the first `n // 2 + 1` sums of `spectrum`."""
    outer, n, inner = x.shape
    a, b = _factors(n)
    if a == 1 and n > 1:
        return _first(_convolution((x, full_like(x, 0))), n // 2 + 1)
    cosines, sines = _roots(a // 2 + 1, a, a, x.dtype, -1)
    rows = reshape_(x, shape=(outer, a, b * inner))
    found = _sums(cosines, rows), _sums(sines, rows)
    if b == 1:
        return found
    return _first(_in_order(_whole(_of_rows(found, b, n), a)), n // 2 + 1)


def spectrum_of_real(x: Tensor) -> Pair:
    """Of real numbers all sums of `spectrum`."""
    n = x.shape[1]
    if _factors(n) == (n, 1):
        cosines, sines = _roots(n, n, n, x.dtype, -1)
        return _sums(cosines, x), _sums(sines, x)
    return _whole(half_spectrum(x), n)


def from_half_spectrum(x: Pair, n: int) -> Tensor:
    """The n real sums of `inverse`, given the first `n // 2 + 1` numbers of a spectrum.

    The imaginary parts of the first and, of an even number, of the last one count for nothing.
    """
    a, b = _factors(n)
    if a == n:
        cosines, sines = _half_roots(n, x[0].dtype)
        return add(_sums(cosines, x[0]), _sums(sines, x[1]))
    whole = _whole(x, n)
    if a == 1:
        return inverse(whole)[0]
    (outer, _, inner), half = x[0].shape, a // 2 + 1
    columns = [take_range(part, 2, 0, half) for part in _each(whole, (outer, b, a, inner))]
    rows = _each([transpose_(part, perm=(0, 2, 1, 3)) for part in columns], (outer * half, b, inner))
    re, im = _each(inverse(rows), (outer, half, b, inner))
    im, re = _times_roots(mul, _columns(_roots(half, b, n, re.dtype)), (im, re))
    return reshape_(from_half_spectrum(_each((re, im), (outer, half, b * inner)), a), shape=(outer, n, inner))


# Steps of these


def _whole(x: Pair, n: int) -> Pair:
    """The first `n // 2 + 1` along the second axis, and further ones, up to n: the conjugates, in the opposite order
    along all axes of the transform, of those from the second on."""
    axes = tuple(range(1, max(x[0].ndim - 1, 2)))
    re, im = (flip_(take_range(part, 1, 1, n - 1 - n // 2), axes=axes) for part in x)
    return concat_(x[0], re, axis=1), concat_(x[1], neg(im), axis=1)


def _times_roots(product: Product, roots: Pair, x: Pair) -> Pair:
    """The products of `cosines - i * sines` and x."""
    (cosines, sines), (re, im) = roots, x
    return add(product(cosines, re), product(sines, im)), sub(product(cosines, im), product(sines, re))


def _sums(matrix: Tensor, x: Tensor) -> Tensor:
    """The sums over the middle axis that a matrix `[to, from]` says."""
    outer, n, inner = x.shape
    if inner == 1:
        found = matmul_(reshape_(x, shape=(outer, n)), matrix, transpose_b=True)
        return reshape_(found, shape=(outer, matrix.shape[0], 1))
    return matmul_(broadcast(matrix, (outer, *matrix.shape)), x)


def _of_rows(x: Pair, b: int, n: int) -> Pair:
    """`[outer, rows, b * inner]`, sums over every b-th point, to `[outer, rows, b, inner]`, the sums over all."""
    outer, rows, rest = x[0].shape
    inner = rest // b
    x = _times_roots(mul, _columns(_roots(rows, b, n, x[0].dtype)), _each(x, (outer, rows, b, inner)))
    return _each(spectrum(_each(x, (outer * rows, b, inner))), (outer, rows, b, inner))


def _in_order(x: Pair) -> Pair:
    """`[outer, a, b, inner]`, the sums for k = i + a * j at [i, j], to `[outer, n, inner]`."""
    outer, a, b, inner = x[0].shape
    return _each([transpose_(part, perm=(0, 2, 1, 3)) for part in x], (outer, a * b, inner))


def _convolution(x: Pair) -> Pair:
    """`spectrum` by `j * k = (j^2 + k^2 - (k - j)^2) / 2`."""
    n = x[0].shape[1]
    size = 1 << (2 * n - 2).bit_length()
    chirp, (re, im) = _chirp(n, size, x[0].dtype)
    zeros = scalar(0, x[0].dtype)
    around = {"low": (0, 0, 0), "high": (0, size - n, 0), "interior": (0, 0, 0)}
    a, b = spectrum(_both([pad_(part, zeros, **around) for part in _times_roots(mul, chirp, x)]))
    product = sub(mul(a, re), mul(b, im)), add(mul(a, im), mul(b, re))
    return _times_roots(mul, chirp, _first(inverse(product), n))


def _both(parts: Iterable[Tensor]) -> Pair:
    re, im = parts
    return re, im


def _each(x: Iterable[Tensor], shape: tuple[int, ...]) -> Pair:
    """Both parts in another shape."""
    return _both(reshape_(part, shape=shape) for part in x)


def _first(x: Pair, count: int) -> Pair:
    return _both(take_range(part, 1, 0, count) for part in x)


# Numbers and constants


@functools.lru_cache(maxsize=4096)
def _factors(n: int) -> tuple[int, int]:
    """n as a product of two numbers: (n, 1) if that many points are transformed at once; (1, n) if by a convolution;
    otherwise the first is transformed at once."""
    if n <= MOST_AT_ONCE:
        return n, 1
    found = (a for a in range(1, MOST_AT_ONCE + 1) if n % a == 0)
    a = min(found, key=lambda a: (a == 1, a > BEST_FACTOR, max(a, n // a)))
    return (n, 1) if a == 1 and n <= LARGEST_PRIME else (a, n // a)


def _constant(numbers: np.ndarray, dtype: DType) -> Tensor:
    return Tensor(numbers.astype(dtype.np))


@functools.lru_cache(maxsize=256)
def _roots(rows: int, columns: int, n: int, dtype: DType, sign: int = 1) -> Pair:
    """Cosines, and `sign` times the sines, of `2 pi j k / n`, for the row j and the column k."""
    angles = 2 * np.pi / n * (np.outer(np.arange(rows), np.arange(columns)) % n)
    return _constant(np.cos(angles), dtype), _constant(sign * np.sin(angles), dtype)


def _columns(roots: Pair) -> Pair:
    return _each(roots, (*roots[0].shape, 1))


@functools.lru_cache(maxsize=256)
def _half_roots(n: int, dtype: DType) -> Pair:
    """What the real and imaginary parts of half a spectrum are multiplied by, `[n, n // 2 + 1]`: those that stand for
    their conjugates too count twice."""
    counts = np.array([1 if k in (0, n - k) else 2 for k in range(n // 2 + 1)])
    angles = 2 * np.pi / n * (np.outer(np.arange(n), np.arange(n // 2 + 1)) % n)
    return _constant(counts * np.cos(angles), dtype), _constant(-counts * np.sin(angles), dtype)


@functools.lru_cache(maxsize=64)
def _chirp(n: int, size: int, dtype: DType) -> tuple[Pair, Pair]:
    """Cosines and sines of `pi j^2 / n`; and the spectrum of what they are convolved with, of so many points."""
    angles = np.pi / n * (np.arange(n) ** 2 % (2 * n))
    wave = np.zeros(size, np.complex128)
    wave[:n] = np.exp(1j * angles)
    wave[size - n + 1 :] = wave[n - 1 : 0 : -1]
    found = np.fft.fft(wave).reshape(-1, 1) / size
    roots = _constant(np.cos(angles).reshape(-1, 1), dtype), _constant(np.sin(angles).reshape(-1, 1), dtype)
    return roots, (_constant(found.real, dtype), _constant(found.imag, dtype))
