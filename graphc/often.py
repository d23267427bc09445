"""Eager calls that come often: from some call on, a function of ops is one native call.

An op called by itself is looked up, checked and run by Python, which takes some microseconds, and a function of
several ops takes as many times that. So calls are counted, and one that has come often (the sooner, the more elements
it has) is traced and compiled as `jit` would; from then on, arguments like these go straight into native code. Compiled
and op by op give the same bits. What returns its arguments, or views of them, or asks for values is left as it is.

    for _ in range(1000):
        y = ops.clip(x, 0.0, 1.0)    # op by op at first, then one native call

Draws of random numbers are such functions, whose native code advances the stream, and so are layers
(`graphc.nn.layer`), whose Parameters are bound to it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

from graphc.nested import describe, flatten, is_plain, map_leaves
from graphc.parameter import Parameter
from graphc.random import is_stream
from graphc.tensor import Tensor, filled
from graphc.trace import Traced, trace

OFTEN, MANY_ELEMENTS, FEW_OPS = 500, 10_000, 5
"""After so many calls one is compiled; so many elements count as a call more, and more ops than these as several."""

READY, MOST = 4, 64
"""How many of a function's compiled calls are tried without a look at the arguments, and how many are kept at all."""

MOST_COUNTED = 1_000
"""The most kinds of calls of a function that are counted."""

NEVER = float("inf")
"""In place of a count: the call stays as it is."""


class Entry:
    """A call that is compiled."""

    def __init__(self, traced: Traced, args: tuple[Any, ...]) -> None:
        from graphc.programs import compile_graph  # brings llvmlite
        from graphc.runtime.entry_plan import Expected

        graph = traced.graph
        self._rebuild, self._types = traced.rebuild, [output.type for output in graph.outputs]
        marks: list[Any] = [object() for _ in self._types]
        self._single = len(marks) == 1 and traced.rebuild(marks) is marks[0]
        self._executable = compile_graph(graph, traced.bound, dump=False)
        expected = [Expected(a.spec) if type(a) is Tensor else Expected(None, a) for a in args]
        self.enter: Callable[..., Any] = self._executable.way(expected) if all(map(_is_fixed, args)) else _nothing
        arguments = graph.inputs[: graph.arguments]
        self._enter_tensors = self._executable.way([Expected(node.type) for node in arguments])

    def value_in(self, memory: Sequence[Any]) -> Any:
        """What the function returns, in the memory that `enter` returned."""
        if self._single:
            return filled(memory[0], self._types[0])
        return self._rebuild(list(map(filled, memory, self._types)))

    def run(self, leaves: Sequence[Tensor]) -> Any:
        """What the function returns for these tensors among its arguments; None where it fails, or is watched."""
        memory = self._enter_tensors(*map(_as_tensor, leaves))
        return None if memory is None or type(memory) is bytes else self.value_in(memory)


def _nothing(*args: Any) -> None:
    """In place of a way into native code."""


def _is_fixed(value: Any) -> bool:
    """Whether a value can be told from others by its type, if it is a tensor, or by which object it is."""
    return type(value) is Tensor or (type(value) is not slice and is_plain(value))


def _as_tensor(leaf: Any) -> Any:
    """A Parameter or number as a Tensor on its memory: to code that does not write to it one is as good as another."""
    if type(leaf) is Tensor or not isinstance(leaf, Tensor):
        return leaf
    leaf.address()  # the Tensor knows it then
    seen = Tensor.__new__(Tensor)
    seen._take(leaf)
    return seen


def _told(tensor: Tensor, before: list[Tensor]) -> Hashable:
    """What tells a tensor from others that need other code: its type."""
    return tensor.spec if tensor._node is None else None  # of a stand-in left over the op that reads it complains


class Often:
    """The calls of one function, with or without names for its last arguments.

    Args:
        reads: Parameters that it may read and write besides its arguments, for as long as it is used; of a function of
            ops there are none but the streams of random numbers.
    """

    __slots__ = ("_calls", "_function", "_name", "_reads", "_ready")

    def __init__(self, function: Callable[..., Any], reads: Sequence[Parameter] | None = None) -> None:
        self._function, self._reads = function, reads
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
        if not describe(args, key, leaves, _told):
            return None
        known = tuple(key)
        found = self._calls.get(known, 0.0)
        if isinstance(found, Entry):
            if found not in self._ready:
                self._ready = (found, *self._ready)[:READY]
            return found.run(leaves)
        if found is NEVER:
            return None
        if len(self._calls) >= MOST_COUNTED:
            self._calls.clear()
        before, early = found, OFTEN / 10
        found += 1 + sum(leaf.spec.size for leaf in leaves) / MANY_ELEMENTS
        if before < early <= found < OFTEN:
            found = self._weighed(found, args)
        self._calls[known] = found
        return self._compiled(known, args) if OFTEN <= found < NEVER else None

    def _weighed(self, count: float, args: tuple[Any, ...]) -> float:
        """How often a call counts as having come, of which there were so many: the more ops it has, the more often."""
        traced = self._traced(args)
        return NEVER if traced is None else count * max(1.0, len(traced.graph.nodes) / FEW_OPS)

    def _compiled(self, known: Hashable, args: tuple[Any, ...]) -> Any:
        """What the function returns, whose calls of this kind are native code from the next one on; None where they
        have to stay as they are."""
        self._calls[known] = NEVER
        traced = self._traced(args)
        if traced is None:
            return None
        value = self._function(*args)
        if not _shares_memory(value, args):
            if sum(isinstance(call, Entry) for call in self._calls.values()) >= MOST:
                self._calls.clear()
            self._calls[known] = Entry(traced, args)
        return value

    def _traced(self, args: tuple[Any, ...]) -> Traced | None:
        """The call as a graph; None where it is none, or depends on more than may be bound to code."""
        try:
            traced = trace(self._function, map_leaves(_as_tensor, args), {}, self._name)
        except Exception:  # whatever it is, op by op it says so, or it works
            return None
        return traced if self._fits(traced) else None

    def _fits(self, traced: Traced) -> bool:
        """Whether what was traced depends on nothing but its arguments and what is bound to it for good."""
        graph = traced.graph
        if traced.changed or not graph.outputs or {*graph.inputs} & {*graph.outputs}:
            return False
        parameters = [tensor for tensor in traced.bound if isinstance(tensor, Parameter) and not is_stream(tensor)]
        if self._reads is None:
            return not (parameters or traced.visited or traced.surroundings.any())
        known = {id(parameter) for parameter in self._reads}
        made_within = all(ref() is None for ref, _ in traced.captured)
        return made_within and all(id(parameter) in known for parameter in parameters)


def _shares_memory(value: Any, args: tuple[Any, ...]) -> bool:
    """Whether what a function returned is in part a view of its arguments, which costs less than any code."""
    results: list[Tensor] = []
    given: list[Tensor] = []
    flatten(value, results)
    flatten(args, given)
    return any(np.may_share_memory(r.numpy_view(), g.numpy_view()) for r in results for g in given)


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
