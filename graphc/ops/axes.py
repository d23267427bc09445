"""Arguments that are extents or axes: as Python ints, and in range."""

from __future__ import annotations

from typing import Any

import numpy as np

from graphc.dispatch import located
from graphc.tensor import Tensor


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
        if isinstance(item, bool) or not hasattr(item, "__index__"):
            raise located(TypeError(f"{name}: {what} must be an int or a tuple of ints, got {value!r:.80}"))
        found.append(item.__index__())
    return tuple(found)


def axis_of(name: str, axis: Any, ndim: int) -> int:
    """The axis as a number in [0, ndim).

    Raises:
        TypeError: no int. ValueError: out of range.
    """
    if isinstance(axis, bool) or not hasattr(axis, "__index__"):
        raise located(TypeError(f"{name}: an axis must be an int, got {axis!r:.60}"))
    number: int = axis.__index__()
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
