"""Nested tuples, lists and dicts, which functions take and return: their leaves, and how to put others in their place.

    leaves_of((x, {"a": [y, 2.0]}))                   # [x, y, 2.0]
    map_leaves(f, (x, {"a": [y, 2.0]}))               # (f(x), {"a": [f(y), f(2.0)]})
    key, rebuild = flatten((x, [y, 2.0]), tensors)    # tensors is [x, y] now, rebuild([v, w]) is (v, [w, 2.0])

A named tuple stays one. Other subclasses become plain tuples and lists: a ParameterTuple may hold tensors afterwards.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from graphc.dtype import DType
from graphc.parameter import Parameter
from graphc.tensor import Number, Tensor, from_numpy

_TENSORS = frozenset((Tensor, Parameter, Number))
_PLAIN = frozenset((int, bool, str, type(None), DType, type(Ellipsis)))  # what is equal to another is as good
_INTS = frozenset((int, type(None)))


def leaves_of(value: Any) -> list[Any]:
    """What nested tuples, lists and dicts hold, in order; of any other value the value."""
    if type(value) is Tensor:
        return [value]
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, (tuple, list)):
        return [leaf for item in value for leaf in leaves_of(item)]
    return [value]


def map_leaves(function: Callable[[Any], Any], value: Any) -> Any:
    """The same tuples, lists and dicts, with `function(leaf)` in the place of each leaf."""
    if type(value) is Tensor:
        return function(value)
    if isinstance(value, dict):
        return {key: map_leaves(function, item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return kind_of(value)([map_leaves(function, item) for item in value])
    return function(value)


def with_leaves(value: Any, each: Iterator[Any]) -> Any:
    """The same tuples, lists and dicts, with the next of `each` in the place of each leaf."""
    return map_leaves(lambda _: next(each), value)


def kind_of(container: tuple[Any, ...] | list[Any]) -> Callable[[list[Any]], Any]:
    """What makes a container of that kind of a list of items."""
    if isinstance(container, list):
        return list
    return getattr(type(container), "_make", tuple)


def all_tensors(values: Sequence[Any]) -> bool:
    """Whether the values are Tensors, every one, and none of them a Parameter."""
    return all(type(value) is Tensor for value in values)


def with_tensors(value: Any, copy: bool = False) -> Any:
    """The same tuples, lists and dicts, with Tensors (on the same memory, or copies) in the place of NumPy arrays."""
    if type(value) is tuple and all_tensors(value):
        return value
    return map_leaves(_copied if copy else _shared, value)


def _shared(leaf: Any) -> Any:
    return from_numpy(leaf) if isinstance(leaf, np.ndarray) else leaf


def _copied(leaf: Any) -> Any:
    return Tensor(leaf) if isinstance(leaf, np.ndarray) else leaf


def flatten(value: Any, tensors: list[Tensor]) -> tuple[Hashable, Callable[[list[Tensor]], Any]]:
    """Takes the tensors out of nested tuples, lists and dicts; Parameters, which are known by identity, stay.

    Args:
        tensors: those that are found are added to it.
    Returns:
        A key, equal for values of the same structure, types and non-tensor content; and a function that rebuilds the
        structure around other tensors.
    """
    if isinstance(value, Tensor) and not isinstance(value, Parameter):
        position = len(tensors)
        tensors.append(value)
        return value.spec, lambda new: new[position]
    if isinstance(value, (tuple, list)):
        kind, make = list if isinstance(value, list) else tuple, kind_of(value)
        first = len(tensors)
        if all_tensors(value):  # such as the gradients of many weights
            tensors += value
            last = len(tensors)
            return (kind, *[item.spec for item in value]), lambda new: make(new[first:last])
        parts = [flatten(item, tensors) for item in value]
        makers = [maker for _, maker in parts]
        return (kind, *(key for key, _ in parts)), lambda new: make([maker(new) for maker in makers])
    if isinstance(value, dict):
        pairs = [(key, *flatten(item, tensors)) for key, item in value.items()]
        return (dict, *((k, part) for k, part, _ in pairs)), lambda new: {k: maker(new) for k, _, maker in pairs}
    return Content(value), lambda new: value


Teller = Callable[[Tensor, list[Tensor]], Hashable]
"""What tells a tensor, which comes after those of a list, from others; None where nothing does."""


def describe(values: Sequence[Any], key: list[Any], tensors: list[Tensor], told_by: Teller) -> bool:
    """Adds to a key what tells these arguments from others, and to a list the tensors among them.

    It is as `flatten`, for calls that come often: it takes a fraction of the time, knows fewer kinds of values, and
    keeps nothing to rebuild them by.

    Returns:
        Whether they are tensors, numbers and the like, and nothing else; if not, key and list are of no use.
    """
    for value in values:
        kind = type(value)
        if kind in _TENSORS:
            told = told_by(value, tensors)
            if told is None:
                return False
            key.append(told)
            tensors.append(value)
        elif kind in _PLAIN:
            key += (kind, value)
        elif kind is float:
            key += (kind, value or repr(value))  # 0.0 and -0.0 are equal
        elif kind is tuple or kind is list:
            key += (kind, len(value))
            if not describe(value, key, tensors, told_by):
                return False
        elif kind is slice:
            ends = value.start, value.stop, value.step
            key.append(kind)
            if _INTS.issuperset(map(type, ends)):
                key += ends
            elif not describe(ends, key, tensors, told_by):
                return False
        else:
            return False
    return True


def is_plain(value: Any) -> bool:
    """Whether a value is a number or the like, or a tuple of such, which another that is equal can stand for."""
    return type(value) in _PLAIN or type(value) is float or (type(value) is tuple and all(map(is_plain, value)))


class Content:
    """What is no tensor, as part of a key: equal to itself, and to hashable values of its type that are equal to it."""

    def __init__(self, value: Any) -> None:
        self.value = value  # kept alive: another object at its address is not the same
        self.key: Hashable = id(value)
        if isinstance(value, float):
            self.key = repr(value)  # tells 0.0 from -0.0, and NaN is like NaN
        elif not isinstance(value, Parameter):
            with contextlib.suppress(TypeError):
                hash(value)
                self.key = value

    def __repr__(self) -> str:
        return f"{self.value!r:.60}"

    def __hash__(self) -> int:
        return hash((type(self.value), self.key))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Content) and type(self.value) is type(other.value) and bool(self.key == other.key)
