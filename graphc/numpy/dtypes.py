"""The dtypes that results have."""

from __future__ import annotations

import builtins
from typing import Any

from graphc.dtype import float32, float64, int32, int64
from graphc.ops import abs as abs
from graphc.ops.coerce import as_dtype, cast
from graphc.tensor import Tensor


def short(tensor: Tensor) -> Tensor:
    """In 32 bits: what Python's numbers are without a dtype."""
    return cast(tensor, {int64: int32, float64: float32}.get(tensor.dtype, tensor.dtype))


def holds_tensors(value: Any) -> bool:
    return isinstance(value, Tensor) or (isinstance(value, (list, tuple)) and builtins.any(map(holds_tensors, value)))


def to(tensor: Tensor, dtype: Any) -> Tensor:
    return tensor if dtype is None else cast(tensor, as_dtype(dtype))
