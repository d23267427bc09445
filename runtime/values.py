"""Values: an expression becomes the instructions that compute it where the loops stand.

A value is written once, in the outermost scope in which all it depends on is known (`ahead`), with the operands that it
needs there: a condition on indices that is decided while the kernel is written takes no code, and neither does the side
of a choice that is not taken. Where loads and indices come from, `memory.py` and `indices.py` say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphc.index import Gathered, variables_of
from graphc.loops import Buffer, Store, Value
from graphc.runtime.functions import cast, constant, function
from graphc.runtime.indices import Indices
from graphc.runtime.llvmtext import Builder, Val, const, const_vector
from graphc.runtime.memory import Memory
from graphc.runtime.scope import Scope

Looping = Mapping[str, Callable[["Writer", Value], Val]]
"""How values of the kinds that have loops of their own are written."""


class Writer:
    """Writes values into a function whose first argument points to the addresses of buffers, then the status block.

    Attributes:
        b: the function.
        scope: where in it the loops stand; who opens a loop says so there.
        indices, memory: what writes indices, loads and stores.
    """

    def __init__(
        self, b: Builder, buffers: Sequence[Buffer], checks: Sequence[Gathered], looping: Looping
    ) -> None:
        self.b, self.scope, self._looping = b, Scope(b), looping
        self.indices = Indices(b, self.scope, self.value, checks, len(buffers))
        base = {buffer: b.load(b.gep(b.args[0], i, "ptr"), "ptr") for i, buffer in enumerate(buffers)}
        self.memory = Memory(b, self.scope, self.indices, base)

    def store(self, stores: Sequence[Store]) -> None:
        """Writes the stores at the index where the loops stand."""
        self.memory.store_all([(store, self.value(store.value)) for store in stores])

    def value(self, value: Value) -> Val:
        """The value at the index where the loops stand: a vector if it depends on the vector loop."""
        scope = self.scope
        found = scope.find(value)
        if found is not None:
            return found
        stack = [value]  # operands first; not by recursion, for expressions may be deep
        while True:
            top = stack[-1]
            missing = [a for a in self._operands(top) if scope.find(a) is None] if top.kind in ("fn", "cast") else ()
            if missing:
                stack += reversed(missing)
                continue
            written = scope.find(top)
            if written is None:
                written = scope.keep(top, self._write(top))
            stack.pop()
            if not stack:
                return written

    def spread(self, value: Value) -> Val:
        """The value as a vector, if there are lanes."""
        return self.scope.spread(self.value(value))

    def ahead(self, roots: Sequence[Value]) -> None:
        """Writes of the values what does not depend on loops still to be opened."""
        scope = self.scope
        seen: set[Value] = set()
        stack = list(reversed(roots))
        while stack:
            value = stack.pop()
            if value in seen or scope.find(value) is not None:
                continue
            seen.add(value)
            if value.deps <= scope.vars.keys():
                if value.kind != "const":
                    self.value(value)
                continue
            inner = list(self._operands(value))
            if value.kind in ("load", "position"):
                gathered = [atom for atom, _ in value.data[-1].terms if isinstance(atom, Gathered)]
                inner += [atom.value for atom in gathered]
                for atom in gathered:
                    if variables_of(atom) <= scope.vars.keys():
                        self.indices.checked(atom)
            stack += reversed(inner)

    def _operands(self, value: Value) -> tuple[Value, ...]:
        """The operands that must be written for a value: none of a decided condition, one side of a decided choice."""
        if value.kind != "fn":
            return value.args
        truth_of = self.scope.truth
        if value.data[0] == "select":
            truth = truth_of(value.args[0])
            if truth is not None and len(truth) == 1:
                return (value.args[1] if truth[0] else value.args[2],)
        if value.data[0] == "and":
            return tuple(a for a in value.args if truth_of(a) != (True,)) if truth_of(value) is None else ()
        return () if truth_of(value) is not None else value.args

    def _write(self, value: Value) -> Val:
        if value.kind in ("fn", "cast"):
            return self._computed(value)
        if value.kind == "load":
            truth = self.scope.truth(value.args[0]) if value.args else (True,)
            return self.memory.load(value, truth, self.value(value.args[0]) if truth is None else None)
        if value.kind == "const":
            return constant(value.data[0], value.dtype)
        if value.kind == "position":
            index = value.data[0]
            written = self.indices.lanes if self.scope.is_vector(value) else self.indices.scalar
            return self.indices.constant(index) or written(index)
        if value.kind == "given":
            raise AssertionError(f"emit: {value.data[0]} is not bound here")
        return self._looping[value.kind](self, value)

    def _computed(self, value: Value) -> Val:
        """What a function or a cast makes of its operands."""
        truth = self.scope.truth(value)
        if truth is not None:
            return const(truth[0], "i1") if len(truth) == 1 else const_vector(truth, "i1")
        args = [self.value(a) for a in self._operands(value)]
        if len(args) < len(value.args):
            return args[0]
        if self.scope.is_vector(value):
            args = [self.scope.spread(a) for a in args]
        if value.kind == "cast":
            return cast(self.b, args[0], value.args[0].dtype, value.dtype)
        operand = value.args[1].dtype if value.data[0] == "select" else value.args[0].dtype
        return function(self.b, value.data[0], operand, args)
