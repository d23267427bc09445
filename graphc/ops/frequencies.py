"""Frequencies of discrete Fourier transforms, and their order: zero first, or in the middle."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dtype import float32
from graphc.ops.axes import as_int, axes_of
from graphc.ops.coerce import as_dtype, as_tensor
from graphc.ops.shape import roll
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["fftfreq", "fftshift", "ifftshift", "rfftfreq"]


def fftfreq(n: int, d: float = 1.0, dtype: Any = None) -> Tensor:
    """The frequencies of a transform of `n` samples, `d` apart: 0, the positive ones, the negative ones.

    Args:
        dtype: float32 unless another is given.
    Raises:
        TypeError: `n` is no int, or `d` no number. ValueError: `n` is not positive, or `d` is 0.
    """
    return _frequencies("fftfreq", np.fft.fftfreq, n, d, dtype)


def rfftfreq(n: int, d: float = 1.0, dtype: Any = None) -> Tensor:
    """As `fftfreq`, without the negative frequencies."""
    return _frequencies("rfftfreq", np.fft.rfftfreq, n, d, dtype)


def _frequencies(name: str, made: Any, n: int, d: float, dtype: Any) -> Tensor:
    n = as_int(name, n, "n", 1)
    if isinstance(d, bool) or not isinstance(d, (int, float)):
        raise located(TypeError(f"{name}: d must be a number, got {d!r}"))
    if d == 0:
        raise located(ValueError(f"{name}: d must not be 0"))
    return Tensor(made(n, d), float32 if dtype is None else as_dtype(dtype))


def fftshift(input: Any, dim: Any = None) -> Tensor:
    """The elements such that what was first is in the middle, along these axes (None: all)."""
    return _turned("fftshift", input, dim, 1)


def ifftshift(input: Any, dim: Any = None) -> Tensor:
    """What `fftshift` was given."""
    return _turned("ifftshift", input, dim, -1)


def _turned(name: str, input: Any, dim: Any, sign: int) -> Tensor:
    x = as_tensor(name, input)
    axes = axes_of(name, dim, x.ndim)
    return roll(x, tuple(sign * (x.shape[a] // 2) for a in axes), axes)
