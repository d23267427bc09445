"""What a lowering uses to write one element of an op's result: the builder of loop-nest expressions, and readers.

    @matmul.def_lower
    def matmul_lower(b, index, x, y):                 # b is a LoopBuilder, x and y are Readers
        i, j = index
        return b.sum(x.shape[1], lambda k: x([i, k]) * y([k, j]))

An operand is read by calling it with an index. A reduction has a variable of its own. An element that exists only for
some indices (an image beside its padding) is given with their ranges, which guard the loads within.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partialmethod
from typing import TYPE_CHECKING, Any

from graphc.dtype import DType, bool_, int64, sum_type
from graphc.index import Gathered, Ix, IxLike, Var
from graphc.known import has_data
from graphc.loops import Buffer, Value, all_values, exact

if TYPE_CHECKING:
    from graphc.ir import Node


@dataclass(frozen=True, eq=False)
class Reader:
    """An operand within a lowering: call it with an index to read an element."""

    shape: tuple[int, ...]
    dtype: DType
    read: Callable[[Sequence[IxLike]], Value]

    def __call__(self, index: Sequence[IxLike]) -> Value:
        return self.read(index)


_BOOLEAN = {"lt", "le", "gt", "ge", "eq", "ne", "isnan", "isinf", "isfinite"}


class LoopBuilder:
    """What a lowering is given to write one element of an op's result with (`b` in `x_lower(b, index, ...)`)."""

    def __init__(self) -> None:
        self._values: dict[tuple[Any, ...], Value] = {}
        self._guards: list[Value] = []
        self._serial = 0
        self.author: Node | None = None  # the node that is being written

    # Making values

    def make(self, kind: str, dtype: DType, data: tuple[Any, ...], args: tuple[Value, ...] = ()) -> Value:
        content = tuple(id(d) if isinstance(d, (Buffer, Var)) else exact(d) for d in data)
        key = (kind, dtype.short, content, tuple(map(id, args)))
        found = self._values.get(key)
        if found is None:
            found = self._values[key] = Value(self, kind, dtype, data, args, _dependencies(kind, data, args))
        return found

    def const(self, number: float | int | bool, dtype: DType) -> Value:
        return self.make("const", dtype, (dtype.np.type(number).item(),))

    def fn(self, name: str, *values: Value) -> Value:
        """An elementwise function of values of one dtype; comparisons give bool."""
        dtype = bool_ if name in _BOOLEAN else values[0].dtype
        return self.make("fn", dtype, (name,), values)

    def cast(self, value: Value, dtype: DType) -> Value:
        return value if value.dtype is dtype else self.make("cast", dtype, (), (value,))

    def select(self, cond: Value, x: Value, y: Value) -> Value:
        return x if x is y else self.make("fn", x.dtype, ("select",), (cond, x, y))

    def position(self, index: IxLike) -> Value:
        """The index itself as an int64."""
        ix = Ix.of(index)
        return self.const(ix.const, int64) if not ix.terms else self.make("position", int64, (ix,))

    def load(self, buffer: Buffer, address: Ix) -> Value:
        """The element at `address`; nothing outside the buffer is read where the innermost `inside` does not hold."""
        guarded = self._guards and _may_leave(buffer, address)
        return self.make("load", buffer.dtype, (buffer, address), (self._guards[-1],) if guarded else ())

    def given(self, name: str, dtype: DType, variables: frozenset[Var]) -> Value:
        """A value that the surrounding kernel provides."""
        return self.make("given", dtype, (name, variables))

    def var(self, name: str, extent: int) -> Var:
        self._serial += 1
        return Var(f"{name}{self._serial}", extent)

    # Conditions on indices

    def inside(self, ranges: Sequence[tuple[IxLike, int, int]], value: Callable[[], Value], otherwise: Value) -> Value:
        """`value()` where every `lo <= index < hi`, otherwise the other; loads within are guarded."""
        own = self._within(ranges)
        if own is None:
            return otherwise
        with self._guarded(own):
            inner = value()
        return inner if not own else self.select(own[0], inner, otherwise)

    def _within(self, ranges: Sequence[tuple[IxLike, int, int]]) -> tuple[Value, ...] | None:
        """The condition that all indices are in their ranges: none if they always are; None if they never are."""
        own: Value | None = None
        for index, lo, hi in ranges:
            ix = Ix.of(index)
            least, most = ix.bounds
            if most < lo or least >= hi:
                return None
            if least < lo:
                own = self._and(own, self.fn("ge", self.position(ix), self.const(lo, int64)))
            if most >= hi:
                own = self._and(own, self.fn("lt", self.position(ix), self.const(hi, int64)))
        return () if own is None else (own,)

    @contextmanager
    def _guarded(self, own: tuple[Value, ...]) -> Iterator[None]:
        """Loads made within happen where the condition, if there is one, holds too."""
        if not own:
            yield
            return
        self._guards.append(self._and(self.guard, own[0]))
        try:
            yield
        finally:
            self._guards.pop()

    def _and(self, x: Value | None, y: Value) -> Value:
        return y if x is None or x is y else self.fn("and", x, y)

    @contextmanager
    def unguarded(self) -> Iterator[None]:
        """Values made within carry no guard (used for what is computed once, outside any condition)."""
        outer, self._guards = self._guards, []
        try:
            yield
        finally:
            self._guards = outer

    @property
    def guard(self) -> Value | None:
        """The condition under which values made now are used."""
        return self._guards[-1] if self._guards else None

    def gathered(self, indices: Reader, at: Sequence[IxLike], extent: int, what: str = "index") -> Ix:
        """An index read from memory, `indices(at)`, checked at run time to lie in [0, extent)."""
        position = Ix.of(0)
        for i, n in zip(at, indices.shape, strict=True):
            position = position * n + Ix.of(i)
        value = self.cast(indices(at), int64)
        return Ix.of(Gathered(value, extent, what, self.guard, self.author, position))

    # Reductions

    def reduce(self, kind: str, n: int, body: Callable[[Ix], Value]) -> Value:
        """`kind` (sum, prod, max, min, any, all, argmax, argmin) of `body(k)` over k in range(n).

        Sums and products have a defined order: sixteen partial results over k mod 16, each in the order of k, folded by
        halves (8, 4, 2, 1). The zero among floats that max and min give is 0.0, never -0.0.
        """
        var = self.var("k", n)
        value = body(Ix.of(var))
        dtype = int64 if kind in ("argmax", "argmin") else value.dtype
        return self.make("reduce", dtype, (kind, var), (value,))

    sum = partialmethod(reduce, "sum")
    prod = partialmethod(reduce, "prod")
    max = partialmethod(reduce, "max")
    min = partialmethod(reduce, "min")
    any = partialmethod(reduce, "any")
    all = partialmethod(reduce, "all")
    argmax = partialmethod(reduce, "argmax")
    argmin = partialmethod(reduce, "argmin")

    def contract(
        self, extents: Sequence[int], body: Callable[..., tuple[Value, Value]], lanes: bool = False,
        there: Callable[..., Sequence[tuple[IxLike, int, int]]] | None = None,
    ) -> Value:
        """The sum of products over all the extents: one chain of fused multiply-adds from +0.0, outermost index first.

        Of narrow factors two terms at a time, of which the second is added first (`graphc.runtime.twos`).

        With `lanes`: sixteen such chains over the first index mod 16, folded by halves. With `there`: of the terms for
        which every `lo <= index < hi`; nothing is read for others.
        """
        variables = tuple(self.var("k", n) for n in extents)
        at = [Ix.of(v) for v in variables]
        own = self._within(there(*at) if there else ())
        with self._guarded(own or ()):
            a, b = body(*at)
        if 0 in extents or own is None:
            return self.const(0, sum_type(a.dtype))
        return self.make("contract", sum_type(a.dtype), (variables, lanes), (a, b, *own))

    def random_bits(self, seed: Value, counter: Value, element: Value) -> Value:
        """32 random bits as an int64: word 0 of Philox4x32-10."""
        return self.fn("random_bits", seed, counter, element)

    # Rewriting

    def substitute(self, values: Sequence[Value], new: Mapping[Var, Ix]) -> list[Value]:
        """The values with variables replaced."""
        done: dict[Value, Value] = {}
        for v in all_values(values):
            done[v] = self._rebuild(v, new, tuple([done[a] for a in v.args]))
        return [done[value] for value in values]

    def _rebuild(self, v: Value, new: Mapping[Var, Ix], args: tuple[Value, ...]) -> Value:
        data = v.data
        if v.kind == "load":
            data = (data[0], data[1].substitute(new))
        elif v.kind == "position":
            return self.position(data[0].substitute(new))
        elif v.kind == "given":
            return v
        return v if data == v.data and args == v.args else self.make(v.kind, v.dtype, data, args)


def _may_leave(buffer: Buffer, address: Ix) -> bool:
    """Whether an address may lie outside of a buffer, as far as its form shows; those read from memory are checked."""
    least, most = address.bounds
    return least < 0 or most >= buffer.elements or has_data(address)


def _dependencies(kind: str, data: tuple[Any, ...], args: tuple[Value, ...]) -> frozenset[Var]:
    deps: frozenset[Var] = frozenset().union(*(a.deps for a in args))
    if kind == "load":
        return deps.union(data[1].variables)
    if kind == "position":
        return deps.union(data[0].variables)
    if kind == "given":
        return deps.union(data[1])
    if kind == "reduce":
        return deps - {data[1]}
    if kind == "contract":
        return deps - frozenset(data[0])
    return deps
