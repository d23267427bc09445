"""Panels: a vector loop in pieces a few vectors wide, in which reductions down columns read along rows.

    one column after the other      for j: for k: total[j] += x[k, j]             a line of memory for each step
    in panels                       for panel: for k: for j in panel: ...         long runs of memory

Partial results, of each column sixteen where their order is defined, lie on the stack. Reductions of the same length
that do not need each other's results step together, so that what they both read is read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from graphc.index import Ix, Var
from graphc.loops import Kernel, Value
from graphc.runtime.functions import identity
from graphc.runtime.llvmtext import Val, vector
from graphc.runtime.reductions import CHAINS, combine, finished, fold, is_ordered, is_short
from graphc.runtime.values import Writer
from graphc.schedule import LANES

PANEL, WIDE = 1024, 8192
"""How many bytes wide the panels are in which columns are reduced: their partial results stay in the first-level cache.
Where what is reduced comes from main memory, whose speed takes long runs, those in the second-level one."""

TOGETHER = 8
"""So many reductions step together at most: the partial results of more would push each other out of the first-level
cache, and what they read is more streams than the machine can foresee."""

LARGE = 1 << 23
"""Bytes from which on what is reduced is taken to come from main memory."""


def down_columns(kernel: Kernel, inner: Var) -> list[list[Value]]:
    """The long reductions that each lane has of its own; those that may step together in one list."""
    found: list[list[Value]] = []
    level: dict[Value, int] = {}  # of every value, how many of the lists must be done before it
    for value in kernel.values:
        level[value] = max((level[v] for v in value.args), default=0)
        if value.kind != "reduce" or inner not in value.deps or not value.deps <= {*kernel.loops}:
            continue
        extent = value.data[1].extent
        if not extent or is_short(value) or value.data[0] in ("argmax", "argmin"):
            continue
        later = range(level[value], len(found))
        fits = (i for i in later if found[i][0].data[1].extent == extent and len(found[i]) < TOGETHER)
        same = next(fits, len(found))
        if same == len(found):
            found.append([])
        found[same].append(value)
        level[value] = same + 1
    return found


def write_panels(
    w: Writer, kernel: Kernel, var: Var, down: list[list[Value]], first: Val, last: Val, known: Ix
) -> None:
    """Writes the loop of `var`, which lies along the lanes, from `first` to `last`, of which `known` is known.

    Args:
        down: the kernel's reductions down columns.
    """
    largest = max(v.data[1].extent * var.extent * v.dtype.itemsize for together in down for v in together)
    each = max(sum(v.dtype.itemsize for v in together) for together in down)
    wide = max((PANEL if largest < LARGE else WIDE) // each // LANES, 1) * LANES
    with w.b.loop(first, last, wide) as base:
        panel = _Panel(w, var, base, w.b.intrinsic("smin", "i64", w.b.add(base, wide), last), known, wide)
        for together in down:
            panel.reduce(together)
        with panel.columns():
            w.store(kernel.stores)


class _Partial(NamedTuple):
    """A reduction's partial results: `height` rows, as wide as the panel, on the stack."""

    value: Value
    start: Val
    height: int
    stack: Val


class _Panel:
    """The columns of `var` from `base` to `stop`, at most `wide`."""

    def __init__(self, w: Writer, var: Var, base: Val, stop: Val, known: Ix, wide: int) -> None:
        self._w, self._var, self._base, self._stop, self._known, self._wide = w, var, base, stop, known, wide
        self._done: list[_Partial] = []  # whose first row is the result

    @contextmanager
    def columns(self) -> Iterator[Val]:
        """A loop over the vectors of the panel; yields how far from its left edge each is. Results are known within."""
        b, scope = self._w.b, self._w.scope
        with b.loop(self._base, self._stop, LANES) as column, scope.across(self._var, column, known=self._known):
            offset = b.sub(column, self._base)
            for value, start, _, stack in self._done:
                scope.keep(value, b.load(b.gep(stack, offset, start.element), vector(start.element, LANES)))
            yield offset

    def reduce(self, together: list[Value]) -> None:
        """Writes reductions that step together."""
        w, b = self._w, self._w.b
        partials = [self._partial(value) for value in together]
        with self.columns() as offset:
            for _, start, height, stack in partials:
                for slot in range(height):
                    b.store(start, b.gep(stack, b.add(offset, slot * self._wide), start.element))
        with b.loop(0, together[0].data[1].extent) as index, ExitStack() as loops:
            for value in together:
                loops.enter_context(w.scope.at(value.data[1], index))
            w.ahead([v.args[0] for v in together])
            rows = [b.mul(b.int_op("and", index, _slots(v) - 1), self._wide) for v in together]
            with self.columns() as offset:
                for (value, start, _, stack), row in zip(partials, rows, strict=True):
                    item = w.spread(value.args[0])
                    place = b.gep(stack, b.add(row, offset), start.element)
                    b.store(combine(b, value.data[0], value.dtype, b.load(place, start.type), item), place)
        with self.columns() as offset:
            for value, start, height, stack in partials:
                places = [b.gep(stack, b.add(offset, slot * self._wide), start.element) for slot in range(height)]
                result = fold(b, value.data[0], value.dtype, [b.load(place, start.type) for place in places])
                b.store(finished(b, value, result), places[0])
        self._done += partials

    def _partial(self, value: Value) -> _Partial:
        start = identity(value.data[0], value.dtype, LANES)
        height = min(value.data[1].extent, _slots(value)) if is_ordered(value) else _slots(value)
        return _Partial(value, start, height, self._w.b.alloca(start.element, height * self._wide))


def _slots(value: Value) -> int:
    """How many partial results each column has, a power of two."""
    return LANES if is_ordered(value) else CHAINS
