"""Eager calls that come often: from some call on, a function of ops is one native call.

An op called by itself is looked up, checked and run by Python, which takes some microseconds, and a function of
several ops takes as many times that. So calls are counted, and one that has come often (the sooner, the more elements
it has) is traced and compiled as `jit` would; from then on, arguments like these go straight into native code. Compiled
and op by op give the same bits. What returns its arguments, or views of them, changes state, or asks for values is left
as it is.

    for _ in range(1000):
        y = ops.clip(x, 0.0, 1.0)    # op by op at first, then one native call
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from graphc.dtype import DType
from graphc.nested import flatten
from graphc.tensor import Tensor, filled
from graphc.trace import Traced, trace

OFTEN, MANY_ELEMENTS = 500, 10_000
"""After so many calls one is compiled; so many elements count as a call more."""

READY, MOST = 4, 64
"""How many of a function's compiled calls are tried without a look at the arguments, and how many are kept at all."""

MOST_COUNTED = 1_000
"""The most kinds of calls of a function that are counted."""

_PLAIN = frozenset((int, bool, str, type(None), DType, type(Ellipsis)))  # what is equal to another is as good


class Entry:
    """A call that is compiled."""

    def __init__(self, traced: Traced, args: tuple[Any, ...]) -> None:
        from graphc.programs import compile_graph  # brings llvmlite
        from graphc.runtime.entry import Expected

        self._rebuild, self._types = traced.rebuild, [output.type for output in traced.graph.outputs]
        marks: list[Any] = [object() for _ in self._types]
        self._single = len(marks) == 1 and traced.rebuild(marks) is marks[0]
        self._executable = compile_graph(traced.graph, (), dump=False)
        expected = [Expected(a.type) if type(a) is Tensor else Expected(None, a) for a in args]
        self.enter: Callable[..., Any] = self._executable.way(expected) if all(map(_is_fixed, args)) else _nothing
        self._enter_tensors = self._executable.way([Expected(node.type) for node in traced.graph.inputs])

    def value_in(self, memory: Sequence[Any]) -> Any:
        """What the function returns, in the memory that `enter` returned."""
        if self._single:
            return filled(memory[0], self._types[0])
        return self._rebuild(list(map(filled, memory, self._types)))

    def run(self, leaves: Sequence[Tensor]) -> Any:
        """What the function returns for these tensors among its arguments; None where it fails, or is watched."""
        memory = self._enter_tensors(*leaves)
        return None if memory is None or type(memory) is bytes else self.value_in(memory)


def _nothing(*args: Any) -> None:
    """In place of a way into native code."""


def _is_fixed(value: Any) -> bool:
    """Whether a value can be told from others by its type, if it is a tensor, or by which object it is."""
    return type(value) is not list and (type(value) is not tuple or all(_is_number(item) for item in value))


def _is_number(value: Any) -> bool:
    return type(value) in _PLAIN or type(value) is float or (type(value) is tuple and all(map(_is_number, value)))


class Often:
    """The calls of one function, with or without names for its last arguments."""

    __slots__ = ("_calls", "_function", "_name", "_ready")

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._name = str(getattr(function, "name", getattr(function, "__name__", "call"))).strip("<>")
        self._ready: tuple[Entry, ...] = ()
        self._calls: dict[Hashable, Entry | float] = {}  # how often each came; after it was compiled, its code

    def __call__(self, args: tuple[Any, ...]) -> Any:
        """What the function returns, if the call is compiled or to be compiled now; else None, and nothing is done."""
        for entry in self._ready:
            memory = entry.enter(*args)
            if memory is not None:
                return None if type(memory) is bytes else entry.value_in(memory)  # op by op it says what is wrong
        key: list[Any] = []
        leaves: list[Tensor] = []
        if not _describe(args, key, leaves):
            return None
        known = tuple(key)
        found = self._calls.get(known, 0.0)
        if type(found) is float:
            if len(self._calls) >= MOST_COUNTED:
                self._calls.clear()
            found += 1 + sum(leaf.type.size for leaf in leaves) / MANY_ELEMENTS
            self._calls[known] = found
            if not OFTEN <= found < float("inf"):
                return None
            made = self._made(args)
            if made is None:
                self._calls[known] = float("inf")
                return None
            if sum(type(call) is Entry for call in self._calls.values()) >= MOST:
                self._calls.clear()
            found = self._calls[known] = made
        assert isinstance(found, Entry)
        if found not in self._ready:
            self._ready = (found, *self._ready)[:READY]
        return found.run(leaves)

    def _made(self, args: tuple[Any, ...]) -> Entry | None:
        """The call as native code; None where it has to stay as it is."""
        try:
            traced = trace(self._function, args, {}, self._name)
        except Exception:  # whatever it is, op by op it says so, or it works
            return None
        graph, inputs = traced.graph, set(traced.graph.inputs)
        state = traced.bound or traced.changed or graph.updates or traced.visited or traced.surroundings.any()
        if state or not graph.outputs or inputs.intersection(graph.outputs):
            return None
        return None if _shares_memory(self._function(*args), args) else Entry(traced, args)


def _shares_memory(value: Any, args: tuple[Any, ...]) -> bool:
    """Whether what a function returned is in part a view of its arguments, which costs less than any code."""
    results: list[Tensor] = []
    given: list[Tensor] = []
    flatten(value, results)
    flatten(args, given)
    return any(np.may_share_memory(r.numpy_view(), g.numpy_view()) for r in results for g in given)


def _describe(values: Sequence[Any], key: list[Any], leaves: list[Tensor]) -> bool:
    """Adds to a key what tells these arguments from others, and to a list the tensors among them.

    Returns:
        Whether they are such that native code may be for.
    """
    for value in values:
        kind = type(value)
        if kind is Tensor:
            if value._node is not None:
                return False  # a stand-in left over, of which the op that reads it complains
            key.append(value.type)
            leaves.append(value)
        elif kind in _PLAIN:
            key += (kind, value)
        elif kind is float:
            key += (kind, value or repr(value))  # 0.0 and -0.0 are equal
        elif kind is tuple or kind is list:
            key += (kind, len(value))
            if not _describe(value, key, leaves):
                return False
        elif kind is slice:
            key.append(kind)
            if not _describe((value.start, value.stop, value.step), key, leaves):
                return False
        else:
            return False
    return True


_functions: dict[Hashable, Often] = {}


def shortcut(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `function(*args, **kwargs)` returns, by native code; None, and nothing is done, where there is none."""
    if not kwargs:
        often = _functions.get(function)
        if often is None:
            often = _functions[function] = Often(function)
        return often(args)
    key = function, len(args), *kwargs
    often = _functions.get(key)
    if often is None:
        often = _functions[key] = Often(_by_position(function, len(args), tuple(kwargs)))
    return often((*args, *kwargs.values()))


def _by_position(function: Callable[..., Any], count: int, names: tuple[str, ...]) -> Callable[..., Any]:
    def called(*args: Any) -> Any:
        return function(*args[:count], **dict(zip(names, args[count:], strict=True)))

    called.__name__ = getattr(function, "__name__", "call")
    return called

