"""What programs tell MindSpore's parser of Python, and a trace, which runs the Python, need not be told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")

__all__ = ["jit_class", "lazy_inline", "mutable"]


def jit_class(cls: type[T]) -> type[T]:
    """Marks a class whose objects are used in a graph; those of any class may be.

    Raises:
        TypeError: `cls` is no class.
    """
    if not isinstance(cls, type):
        raise TypeError(f"jit_class: expected a class, got {type(cls).__name__}")
    return cls


def lazy_inline(fn: Callable[..., Any] | None = None, attrs: Any = None, policy: str | None = None) -> Any:
    """Marks the `__init__` of a Cell that is compiled once and used many times; graphs are built the same either way.

    Args:
        fn: the `__init__`.
        attrs: which of its arguments tell Cells apart; graphc tells them apart by themselves.
        policy: None or "front": where in MindSpore's compiler the Cell is inlined.
    """
    if policy not in (None, "front"):
        raise ValueError(f"lazy_inline: policy must be None or 'front', got {policy!r}")
    return fn if fn is not None else lambda function: function


def mutable(input_data: T, dynamic_len: bool = False) -> T:
    """The value itself. Where it holds tensors their values may differ from call to call, as they always may.

    Raises:
        ValueError: `dynamic_len`: a graph is compiled for each length.
    """
    if dynamic_len:
        raise ValueError("mutable: dynamic_len is not supported; a graph is compiled for each length")
    return input_data
