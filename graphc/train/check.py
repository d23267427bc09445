"""Checks of arguments, for callbacks, metrics and summaries."""

from __future__ import annotations

from typing import Any


def whole(where: str, name: str, value: Any, least: int | None = None, most: int | None = None) -> int:
    """`value`, an int of at least `least`, and at most `most`.

    Raises:
        TypeError: no int; `where` is the class that complains, `name` the argument.
        ValueError: out of range.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{where}: {name} must be an int, got {value!r}")
    if (least is not None and value < least) or (most is not None and value > most):
        span = f">= {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{where}: {name} must be an int {span}, got {value}")
    return value


def number(where: str, name: str, value: Any) -> float:
    """`value`, an int or a float.

    Raises:
        TypeError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{where}: {name} must be a number, got {value!r}")
    return value
