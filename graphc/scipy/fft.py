"""`graphc.scipy.fft`: cosine transforms, each a product with a matrix, so that both modes and derivatives have them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from graphc import ops
from graphc.dtype import DType, float32, float64
from graphc.ops.axes import as_int, axis_of
from graphc.ops.coerce import as_tensor, cast
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["dct", "dctn", "idct", "idctn"]


@lru_cache(maxsize=8)
def _table(size: int, dtype: DType) -> np.ndarray:
    """The orthonormal matrix of the cosine transform (DCT-II), whose inverse is its transpose."""
    waves = np.cos(math.pi / size * np.outer(np.arange(size), np.arange(size) + 0.5)) * math.sqrt(2 / size)
    waves[0] *= math.sqrt(0.5)
    result: np.ndarray = waves.astype(dtype.np)
    return result


def _checked(name: str, x: Any, type: int, norm: str | None) -> Tensor:
    if type != 2:
        raise located(ValueError(f"{name}: type must be 2, got {type!r}"))
    if norm not in (None, "ortho"):
        raise located(ValueError(f"{name}: norm must be 'ortho' or None, which is the same, got {norm!r}"))
    tensor = as_tensor(name, x)
    return cast(tensor, float64 if tensor.dtype is float64 else float32)


def _along(name: str, x: Tensor, axis: int, n: int | None, inverse: bool) -> Tensor:
    """The transform along one axis, of its first `n` elements, or of zeros too."""
    axis = axis_of(name, axis, x.ndim)
    size = as_int(name, x.shape[axis] if n is None else n, "n", 1)
    last = ops.swapaxes(x, axis, -1)
    if size < last.shape[-1]:
        last = last[..., :size]
    elif size > last.shape[-1]:
        last = ops.pad(last, (0, size - last.shape[-1]))
    table = Tensor(_table(size, x.dtype))
    rows = ops.matmul(ops.reshape(last, (-1, size)), table if inverse else ops.swapaxes(table, 0, 1))
    return ops.swapaxes(ops.reshape(rows, (*last.shape[:-1], size)), axis, -1)


def _over(
    name: str, x: Any, type: int, s: Sequence[int] | None, axes: Sequence[int] | None, norm: str | None, inverse: bool
) -> Tensor:
    """The transform over several axes: all, or the last as many as there are sizes."""
    found = _checked(name, x, type, norm)
    if axes is None:
        axes = range(found.ndim) if s is None else range(found.ndim - len(s), found.ndim)
    sizes: Sequence[int | None] = [None] * len(axes) if s is None else s
    if len(sizes) != len(axes):
        raise located(ValueError(f"{name}: s and axes must be of one length, got {len(sizes)} and {len(axes)}"))
    for axis, size in zip(axes, sizes, strict=True):
        found = _along(name, found, axis, size, inverse)
    return found


def dct(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Tensor:
    """The cosine transform along an axis (Makhoul 1980): `2 / sqrt(2 N) * sum x[i] cos(pi k (2 i + 1) / (2 N))`.

    The first one is divided by the root of 2 besides, so that the transform is orthonormal.

    Args:
        x: tensor; float64 stays, all else becomes float32.
        type: 2.
        n: how many elements are transformed: the first, or filled up by zeros; None for all.
        axis: along which.
        norm: "ortho", which None means too.
    Raises:
        ValueError: another type or norm, or `n` below 1.
    """
    return _along("dct", _checked("dct", x, type, norm), axis, n, inverse=False)


def idct(x: Any, type: int = 2, n: int | None = None, axis: int = -1, norm: str | None = None) -> Tensor:
    """What `dct` makes `x` of: arguments as there."""
    return _along("idct", _checked("idct", x, type, norm), axis, n, inverse=True)


def dctn(
    x: Any, type: int = 2, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Tensor:
    """`dct` along several axes.

    Args:
        x, type, norm: as of `dct`.
        s: how many elements along each, as `n` there; None for all.
        axes: the axes; None for all, or for the last as many as `s` has.
    Raises:
        ValueError: as of `dct`, or `s` and `axes` of different lengths.
    """
    return _over("dctn", x, type, s, axes, norm, inverse=False)


def idctn(
    x: Any, type: int = 2, s: Sequence[int] | None = None, axes: Sequence[int] | None = None, norm: str | None = None
) -> Tensor:
    """What `dctn` makes `x` of: arguments as there."""
    return _over("idctn", x, type, s, axes, norm, inverse=True)
