"""Windows of signal processing: vectors that rise from an end to the middle and fall again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from graphc.dtype import float32
from graphc.ops.axes import as_int
from graphc.ops.coerce import as_dtype
from graphc.tensor import Tensor

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def _window(name: str, length: Any, periodic: bool, dtype: Any, at: Callable[[np.ndarray], np.ndarray]) -> Tensor:
    """`at` of the numbers 0 to 1 in equal steps, the last left out where the window is one period of many."""
    length = as_int(name, length, "window_length", 0)
    if length == 1:
        values = np.ones(1)
    else:
        values = at(np.arange(length) / max(length if periodic else length - 1, 1))
    return Tensor(values, as_dtype(dtype or float32))


def bartlett_window(window_length: int | Tensor, periodic: bool = True, *, dtype: Any = None) -> Tensor:
    """The triangle `1 - |2 t - 1|` for t from 0 to 1: `[window_length]`, float32 unless `dtype` is given.

    Args:
        window_length: how many elements, an int or an integer Tensor `[]`.
        periodic: leave out the last of one more element, so that windows join; else the two ends are equal.
    """
    return _window("bartlett_window", window_length, periodic, dtype, lambda t: 1 - np.abs(2 * t - 1))


def blackman_window(window_length: int | Tensor, periodic: bool = True, *, dtype: Any = None) -> Tensor:
    """`0.42 - 0.5 cos(2 pi t) + 0.08 cos(4 pi t)`; see `bartlett_window`."""
    return _window(
        "blackman_window", window_length, periodic, dtype,
        lambda t: 0.42 - 0.5 * np.cos(2 * np.pi * t) + 0.08 * np.cos(4 * np.pi * t),
    )  # fmt: skip


def hamming_window(
    window_length: int | Tensor, periodic: bool = True, alpha: float = 0.54, beta: float = 0.46, *, dtype: Any = None
) -> Tensor:
    """`alpha - beta cos(2 pi t)`; see `bartlett_window`."""
    return _window(
        "hamming_window", window_length, periodic, dtype, lambda t: alpha - beta * np.cos(2 * np.pi * t)
    )  # fmt: skip


def hann_window(window_length: int | Tensor, periodic: bool = True, *, dtype: Any = None) -> Tensor:
    """`0.5 - 0.5 cos(2 pi t)`; see `bartlett_window`."""
    return hamming_window(window_length, periodic, 0.5, 0.5, dtype=dtype)


def kaiser_window(
    window_length: int | Tensor, periodic: bool = True, beta: float = 12.0, *, dtype: Any = None
) -> Tensor:
    """`I0(beta sqrt(1 - (2 t - 1)^2)) / I0(beta)`, I0 a modified Bessel function; see `bartlett_window`."""

    def at(t: np.ndarray) -> np.ndarray:
        return np.i0(beta * np.sqrt(np.clip(1 - (2 * t - 1) ** 2, 0, None))) / np.i0(beta)

    return _window("kaiser_window", window_length, periodic, dtype, at)
