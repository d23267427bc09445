"""Checks of layers' and optimizers' arguments, with the texts that MindSpore gives its errors."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from graphc.dtype import DType, dtype_of


def _number(where: str, name: str, value: Any, kind: type, bound: float, strict: bool) -> None:
    number = isinstance(value, (int, float) if kind is float else int) and not isinstance(value, bool)
    if number and math.isfinite(value) and (value > bound if strict else value >= bound):
        return
    error = ValueError if number else TypeError
    raise error(
        f"For '{where}', the '{name}' must be {kind.__name__} and must {'>' if strict else '>='} {bound}, "
        f"but got '{value}' with type '{type(value).__name__}'."
    )


def positive_int(where: str, name: str, value: Any) -> int:
    """`value`, an int above 0.

    Raises:
        TypeError, ValueError: it is not; the text names `where` (the class) and `name` (the argument).
    """
    _number(where, name, value, int, 0, strict=True)
    return int(value)


def non_negative_int(where: str, name: str, value: Any) -> int:
    """`value`, an int of at least 0."""
    _number(where, name, value, int, 0, strict=False)
    return int(value)


def positive_float(where: str, name: str, value: Any) -> float:
    """`value`, a number above 0."""
    _number(where, name, value, float, 0.0, strict=True)
    return float(value)


def non_negative_float(where: str, name: str, value: Any) -> float:
    """`value`, a number of at least 0."""
    _number(where, name, value, float, 0.0, strict=False)
    return float(value)


def number(where: str, name: str, value: Any) -> float:
    """`value`, any int or float."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"For '{where}', the '{name}' must be a number, but got '{value}' with type "
                        f"'{type(value).__name__}'.")
    return value


def between(where: str, name: str, value: Any, low: float, high: float, ends: str = "()") -> float:
    """`value`, a number between `low` and `high`; `ends` says by its brackets which of them are allowed."""
    number(where, name, value)
    above = value >= low if ends[0] == "[" else value > low
    below = value <= high if ends[1] == "]" else value < high
    if not (above and below):
        raise ValueError(
            f"For '{where}', the '{name}' must be in range of {ends[0]}{low}, {high}{ends[1]}, "
            f"but got {value} with type '{type(value).__name__}'."
        )
    return float(value)


def boolean(where: str, name: str, value: Any) -> bool:
    """`value`, a bool."""
    if not isinstance(value, bool):
        raise TypeError(f"For '{where}', the type of '{name}' must be 'bool', but got '{type(value).__name__}'.")
    return value


def one_of(where: str, name: str, value: Any, allowed: Sequence[str]) -> str:
    """`value`, one of the strings `allowed`."""
    if not isinstance(value, str) or value not in allowed:
        raise ValueError(
            f"For '{where}', the '{name}' must be str and must be in '{list(allowed)}', but got '{value}'."
        )
    return value


def extents(where: str, name: str, value: Any, count: int, least: int = 1) -> tuple[int, ...]:
    """`value`, an int for all of `count` spatial axes or a tuple of one for each, all at least `least`."""
    items = (value,) * count if isinstance(value, int) and not isinstance(value, bool) else value
    typed = isinstance(items, (tuple, list)) and (count > 1 or len(items) == 1) and all(map(is_int, items))
    if not typed or len(items) != count or min(items) < least:
        error = ValueError if typed else TypeError
        raise error(
            f"For '{where}', the '{name}' must be an int or a tuple of {count} ints, all >= {least}, but got {value!r}."
        )
    return tuple(items)


def is_int(value: Any) -> bool:
    """Whether it is an int and no bool."""
    return isinstance(value, int) and not isinstance(value, bool)


def string(where: str, name: str, value: Any, allowed: Sequence[str]) -> str:
    """As `one_of`, where what is no string is a TypeError, as MindSpore has it for some arguments."""
    if not isinstance(value, str):
        raise TypeError(f"For '{where}', the type of '{name}' must be 'str', but got '{type(value).__name__}'.")
    return one_of(where, name, value, allowed)


def only(where: str, name: str, value: Any, supported: Any) -> None:
    """Raises ValueError for an option other than the one that graphc has."""
    if type(value) is not type(supported) or value != supported:
        raise ValueError(
            f"For '{where}', the '{name}' must be {supported!r}, but got {value!r}, which is not supported."
        )


def float_dtype(where: str, dtype: Any) -> DType:
    """`dtype`, which must be float32 or float64."""
    found = dtype_of(dtype)
    if not found.is_float:
        raise TypeError(f"For '{where}', the 'dtype' must be float32 or float64, but got {dtype!r}.")
    return found
