"""Folded: what is reduced in rows of memory, sixteen rows at once.

    before   for i: fold the sixteen partial sums of row i; log of it; for j: y[i, j] = x[i, j] - log
    after    for 16 of i: for each: partial sums; fold all at once; log of all; for each: for j: y[i, j] = x[i, j] - log

To fold a row takes as many instructions as there are halvings, each of which waits for the one before; sixteen rows
take two to four times as many (`fold_rows`). What is made of the result is then one vector's work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from graphc.index import Var
from graphc.loops import Kernel, Value, all_values, operands_of
from graphc.runtime.functions import ELEMENT
from graphc.runtime.llvmtext import Val, const_vector, i64
from graphc.runtime.memory import from_memory, to_memory
from graphc.runtime.partials import finished, fold_rows
from graphc.runtime.reductions import across_lanes
from graphc.runtime.values import Writer
from graphc.schedule import LANES


def write_folded(w: Writer, kernel: Kernel, begin: Val, end: Val, write_row: Callable[[], None]) -> None:
    """Writes the loop over rows, `kernel.folded`, from `begin` to `end`.

    Args:
        write_row: writes the loop within a row, if there is one.
    """
    row = kernel.folded
    assert row is not None
    around = frozenset(kernel.loops[: kernel.loops.index(row) + 1])
    whole = begin.literal and end.literal and (int(end.name) - int(begin.name)) % LANES == 0
    with w.b.loop(begin, end, LANES) as base:
        count = i64(LANES) if whole else w.b.intrinsic("smin", "i64", w.b.sub(end, base), i64(LANES))
        rows = _Rows(w, row, around, base, count)
        for together in _levels(kernel, row, around):
            rows.reduce(together)
        if row is kernel.loops[-1]:
            with rows.across():
                w.store(kernel.stores)
        else:
            with rows.each([store.value for store in kernel.stores]):
                write_row()


def _levels(kernel: Kernel, row: Var, around: frozenset[Var]) -> list[list[Value]]:
    """What is reduced in each row, in the order in which it must be; what needs nothing of one another in one list."""
    found: list[list[Value]] = []
    level: dict[Value, int] = {}
    for value in kernel.values:
        level[value] = max((level[v] for v in operands_of(value)), default=0)
        if value.kind == "reduce" and row in value.deps and value.deps <= around:
            if level[value] == len(found):
                found.append([])
            found[level[value]].append(value)
            level[value] += 1
    return found


class _Rows:
    """Sixteen rows from `base` on, or `count` of them. What was reduced is known as a vector, an element of each."""

    def __init__(self, w: Writer, row: Var, around: frozenset[Var], base: Val, count: Val) -> None:
        self._w, self._row, self._around, self._base, self._count = w, row, around, base, count
        steps = const_vector(range(LANES), "i64")
        self._on = None if count.literal else w.b.icmp("slt", steps, w.b.splat(count, LANES))
        self._done: dict[Value, Val] = {}

    @contextmanager
    def across(self) -> Iterator[None]:
        """Within, rows lie across the lanes."""
        with self._w.scope.across(self._row, self._base, on=self._on):
            for value, result in self._done.items():
                self._w.scope.keep(value, result)
            yield

    @contextmanager
    def each(self, roots: Sequence[Value]) -> Iterator[Val]:
        """A loop over the rows; yields the number of each. Within, what `roots` need of what was reduced is known."""
        b, scope, needed = self._w.b, self._w.scope, self._needed(roots)
        elements = [ELEMENT[value.dtype.short] for value in needed]
        places = [b.alloca(element, LANES) for element in elements]
        with self.across():
            for value, place in zip(needed, places, strict=True):
                b.store(to_memory(b, self._w.spread(value), value.dtype), place)
        with b.loop(0, self._count) as number, scope.at(self._row, b.add(self._base, number)):
            for value, place, element in zip(needed, places, elements, strict=True):
                scope.keep(value, from_memory(b, b.load(b.gep(place, number, element), element), value.dtype))
            yield number

    def reduce(self, together: Sequence[Value]) -> None:
        """Writes reductions that do not need one another."""
        b, w = self._w.b, self._w
        stacks: list[list[tuple[Val, str]]] = []
        with self.each([value.args[0] for value in together]) as number:
            for value in together:
                w.ahead(value.args)
                partial = across_lanes(w, value)
                stacks.append([(b.alloca(x.type, LANES), x.type) for x in partial])
                for x, (stack, type_) in zip(partial, stacks[-1], strict=True):
                    b.store(x, b.gep(stack, number, type_))
        for value, own in zip(together, stacks, strict=True):
            partials = [
                tuple(b.load(b.gep(stack, line, type_), type_) for stack, type_ in own) for line in range(LANES)
            ]
            self._done[value] = finished(b, value, fold_rows(b, value, partials))

    def _needed(self, roots: Sequence[Value]) -> list[Value]:
        """What is made of what was reduced and known for each row, as far as what depends on more is made of it."""
        made = set(self._done)
        for value in all_values(roots):
            if value.deps <= self._around and not made.isdisjoint(operands_of(value)):
                made.add(value)
        found: dict[Value, None] = {}
        seen: set[Value] = set()
        stack = list(roots)
        while stack:
            value = stack.pop()
            if value in made:
                found.setdefault(value)
            elif value not in seen:
                seen.add(value)
                stack += operands_of(value)
        return list(found)
