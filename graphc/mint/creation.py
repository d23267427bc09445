"""New tensors of given numbers."""

from __future__ import annotations

from typing import Any

from graphc import ops
from graphc.dtype import float32
from graphc.ops.coerce import as_tensor, cast, to_dtype
from graphc.place import located
from graphc.tensor import Tensor

__all__ = ["empty", "empty_like", "full", "linspace"]


def full(size: Any, fill_value: Any, *, dtype: Any = None) -> Tensor:
    """A value in every element; in its own dtype (bool, int64 or float32) unless another is given."""
    return ops.full(size, fill_value, dtype=to_dtype(dtype, as_tensor("full", fill_value).dtype))


def empty(*size: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor whose elements do not matter: zeros, float32 unless `dtype` is given.

    Args:
        device: None or "CPU".
    """
    on_cpu("empty", device)
    return ops.zeros(size[0] if len(size) == 1 else size, to_dtype(dtype, float32))


def empty_like(input: Any, *, dtype: Any = None, device: Any = None) -> Tensor:
    """A tensor of the shape and (unless `dtype` is given) dtype of another, whose elements do not matter: zeros."""
    on_cpu("empty_like", device)
    return ops.zeros_like(input, dtype=dtype)


def linspace(start: Any, end: Any, steps: int, *, dtype: Any = None) -> Tensor:
    """Numbers in equal steps from `start` to `end`."""
    values = ops.linspace(start, end, steps)
    return cast(values, to_dtype(dtype, values.dtype))


def on_cpu(name: str, device: Any) -> None:
    """ValueError for any other device: it is the only one there is."""
    if device not in (None, "CPU", "cpu"):
        raise located(ValueError(f"{name}: device must be None or 'CPU', got {device!r}"))
