"""Arguments that are extents or axes: as Python ints, and in range."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np

from graphc.place import located
from graphc.tensor import Tensor, TracedValueError


def as_ints(name: str, value: Any, what: str = "shape") -> tuple[int, ...]:
    """A tuple of Python ints from an int, a sequence of ints, or an integer Tensor that has a value.

    Raises:
        TypeError: something else; `name` is the op that complains, `what` the argument.
    """
    if isinstance(value, Tensor):
        value = value.tolist()
    if isinstance(value, (np.ndarray, range)):
        value = tuple(value.tolist() if isinstance(value, np.ndarray) else value)
    items = value if isinstance(value, (tuple, list)) else (value,)
    found = []
    for item in items:
        number = _index(item)
        if number is None:
            raise located(TypeError(f"{name}: {what} must be an int or a tuple of ints, got {value!r:.80}"))
        found.append(number)
    return tuple(found)


def as_int(name: str, value: Any, what: str, least: int | None = None) -> int:
    """A Python int from an int or an integer Tensor of one element that has a value.

    Raises:
        TypeError: something else; `name` is the op that complains, `what` the argument.
        ValueError: it is less than `least`.
    """
    number = _index(value)
    if number is None:
        raise located(TypeError(f"{name}: {what} must be an int, got {value!r:.60}"))
    if least is not None and number < least:
        raise located(ValueError(f"{name}: {what} must be an int >= {least}, got {number}"))
    return number


def _index(value: Any) -> int | None:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return None
    try:
        return operator.index(value)
    except TracedValueError:
        raise
    except (TypeError, ValueError):  # an array of several elements, or of floats
        return None


def axis_of(name: str, axis: Any, ndim: int) -> int:
    """The axis as a number in [0, ndim).

    Raises:
        TypeError: no int. ValueError: out of range.
    """
    number = axis if type(axis) is int else as_int(name, axis, "an axis")  # most are ints, and ask often
    if not -ndim <= number < ndim:
        raise located(ValueError(f"{name}: axis {number} is out of range for {ndim} dimensions"))
    return number % ndim


def axes_of(name: str, axes: Any, ndim: int) -> tuple[int, ...]:
    """The axes (an int, several, or None or () for all) as increasing numbers in [0, ndim), each once."""
    if axes is None or (isinstance(axes, (tuple, list)) and not axes):
        return tuple(range(ndim))
    found = [axis_of(name, a, ndim) for a in as_ints(name, axes, "axis")]
    if len(set(found)) != len(found):
        raise located(ValueError(f"{name}: an axis is named twice in {axes!r}"))
    return tuple(sorted(found))
