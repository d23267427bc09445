"""NumPy arrays as Tensors hold them: contiguous, of one of graphc's element types, large ones from a cache line on."""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np

from graphc.dtype import bfloat16, dtype_of
from graphc.ir import TensorType

LINE, PAGE = 64, 4096
"""Bytes that a cache brings at once; and those after which addresses meet in one set of the first-level cache, and a
load waits for a store before it as if it read what that writes."""

LARGE = 16_384
"""Bytes from which it counts whether an array begins where a line does."""

MOST_TYPES = 10_000
"""How many types of arrays are kept."""

_types: dict[tuple[tuple[int, ...], np.dtype[Any]], TensorType] = {}


def aligned_empty(shape: tuple[int, ...], dtype: np.dtype[Any]) -> np.ndarray:
    """An uninitialised C-contiguous array whose data starts at a multiple of 64 bytes."""
    count = int(np.prod(shape, dtype=np.int64))
    raw = np.empty(count * dtype.itemsize + LINE, np.uint8)
    start = -raw.ctypes.data % LINE
    return raw[start : start + count * dtype.itemsize].view(dtype).reshape(shape)


def aligned_copy(array: np.ndarray) -> np.ndarray:
    """A copy, which begins where a line of the cache does."""
    made = aligned_empty(array.shape, array.dtype)
    made[...] = array
    return made


def copy_of(array: np.ndarray) -> np.ndarray:
    """A copy, aligned where that counts."""
    return array.copy() if array.nbytes < LARGE else aligned_copy(array)


def type_of(array: np.ndarray) -> TensorType:
    """The array's shape and element type."""
    key = array.shape, array.dtype
    found = _types.get(key)
    if found is None:
        found = TensorType(array.shape, dtype_of(array.dtype))
        if len(_types) < MOST_TYPES:
            _types[key] = found
    return found


def of_numpy(array: np.ndarray) -> np.ndarray:
    """The array in a type that is NumPy's own: bfloat16 as float32, for code that asks what kind of number it is."""
    return array.astype(np.float32) if array.dtype == bfloat16.np else array


def known_type(array: np.ndarray) -> TensorType | None:
    """The array's type, if `type_of` has told it before."""
    return _types.get((array.shape, array.dtype))


def address_of(array: np.ndarray) -> int:
    """Where the array's elements lie."""
    try:
        # An eighth of the time of the array's own answer; stubs for Python 3.11 know no buffers.
        return ctypes.addressof(ctypes.c_char.from_buffer(array))  # type: ignore[arg-type]
    except (TypeError, ValueError):  # read-only, or without elements
        return int(array.__array_interface__["data"][0])
