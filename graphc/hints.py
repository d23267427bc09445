"""Hints that programs give to MindSpore's parser of Python; graphc, which runs the Python to trace it, needs none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")

__all__ = [
    "JitConfig", "jit_class", "lazy_inline", "mutable", "no_init_parameters", "no_inline", "recompute",
    "set_deterministic",
]  # fmt: skip


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


def no_inline(fn: T) -> T:
    """Marks a function that MindSpore's compiler keeps apart; graphs are built the same either way."""
    return fn


class JitConfig:
    """How MindSpore's compiler should work, for `Cell.set_jit_config`; a network's values are the same for any.

    Args:
        jit_level: "", "O0", "O1" or "O2".
        exc_mode: "auto", "sink" or "no_sink".
        jit_syntax_level: "", "STRICT" or "LAX".
        debug_level: "RELEASE" or "DEBUG".
        infer_boost: "on" or "off".
    Raises:
        ValueError: another value.
    """

    def __init__(
        self, jit_level: str = "", exc_mode: str = "auto", jit_syntax_level: str = "", debug_level: str = "RELEASE",
        infer_boost: str = "off", **kwargs: Any,
    ) -> None:
        self.jit_config_dict: dict[str, Any] = dict(kwargs)
        for name, value, allowed in (
            ("jit_level", jit_level, ("", "O0", "O1", "O2")), ("exc_mode", exc_mode, ("auto", "sink", "no_sink")),
            ("jit_syntax_level", jit_syntax_level, ("", "STRICT", "LAX")),
            ("debug_level", debug_level, ("RELEASE", "DEBUG")), ("infer_boost", infer_boost, ("on", "off")),
        ):  # fmt: skip
            if value not in allowed:
                raise ValueError(f"JitConfig: {name} must be one of {allowed}, got {value!r}")
            self.jit_config_dict[name] = value


def set_deterministic(deterministic: bool) -> None:
    """Asks for the same bits in every run, which there always are.

    Raises:
        TypeError: not a bool.
    """
    if not isinstance(deterministic, bool):
        raise TypeError(f"set_deterministic: expected a bool, got {deterministic!r}")


def mutable(input_data: T, dynamic_len: bool = False) -> T:
    """The value itself. Where it holds tensors their values may differ from call to call, as they always may.

    Raises:
        ValueError: `dynamic_len`: a graph is compiled for each length.
    """
    if dynamic_len:
        raise ValueError("mutable: dynamic_len is not supported; a graph is compiled for each length")
    return input_data


def recompute(block: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """`block(*args, **kwargs)`, of a Cell whose inner results the backward pass may compute again: what is kept is the
    compiler's choice in graphc, and values are the same either way.

    Raises:
        TypeError: `block` cannot be called.
    """
    if not callable(block):
        raise TypeError(f"recompute: expected a Cell, got {type(block).__name__}")
    return block(*args, **kwargs)


@contextmanager
def no_init_parameters() -> Iterator[None]:
    """Within `with no_init_parameters():` a network may be made whose Parameters are only to be loaded: here they have
    values at once, which `load_checkpoint` replaces."""
    yield
