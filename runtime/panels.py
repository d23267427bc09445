"""Panels: a vector loop in pieces a few vectors wide, in which reductions down columns read along rows.

    one column after the other      for j: for k: total[j] += x[k, j]             a line of memory for each step
    in panels                       for panel: for k: for j in panel: ...         long runs of memory

Partial results, of each column sixteen where their order is defined, lie on the stack. Reductions of the same length
that do not need each other's results step together, so that what they both read is read once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import NamedTuple

from graphc.index import Ix, Var
from graphc.loops import Kernel, Value
from graphc.runtime.functions import identity
from graphc.runtime.llvmtext import Val, i64, vector
from graphc.runtime.partials import combine, finished, fold, is_ordered
from graphc.runtime.reductions import CHAINS, fits_registers, is_short, weight
from graphc.runtime.side_by_side import few_columns
from graphc.runtime.values import Writer
from graphc.schedule import LANES

PANEL, WIDE = 1024, 8192
"""How many bytes wide the panels are in which columns are reduced: their partial results stay in the first-level cache.
Where what is reduced comes from main memory, whose speed takes long runs, those in the second-level one."""

TOGETHER = 8
"""So many reductions step together at most: the partial results of more would push each other out of the first-level
cache, and what they read is more streams than the machine can foresee."""

WRITTEN_OUT, FEW_STEPS = 24, 64
"""Operations up to which the vectors of a panel are written without a loop; and steps of a reduction below which the
first ones, which find nothing to add to, are written by themselves."""

SEVERAL, LIGHT = 4, 12
"""Steps that are added to a partial result at a time; and operations of a step up to which they are."""

LARGE = 1 << 23
"""Bytes from which on what is reduced is taken to come from main memory."""


def down_columns(kernel: Kernel, inner: Var) -> list[list[Value]]:
    """The long reductions that each lane has of its own; those that may step together in one list.

    None if all of them are done better where they stand: one that is would be done again for each step of another.
    """
    long = [v for v in kernel.values if _is_long(v, kernel, inner)]
    if all(fits_registers(value) or few_columns(value, inner) for value in long):
        return []
    found: list[list[Value]] = []
    level: dict[Value, int] = {}  # of every value, how many of the lists must be done before it
    for value in kernel.values:
        level[value] = max((level[v] for v in value.args), default=0)
        if value not in long:
            continue
        extent = value.data[1].extent
        later = range(level[value], len(found))
        fits = (i for i in later if found[i][0].data[1].extent == extent and len(found[i]) < TOGETHER)
        same = next(fits, len(found))
        if same == len(found):
            found.append([])
        found[same].append(value)
        level[value] = same + 1
    return found


def _is_long(value: Value, kernel: Kernel, inner: Var) -> bool:
    if value.kind != "reduce" or inner not in value.deps or not value.deps <= {*kernel.loops}:
        return False
    kind, var = value.data
    return bool(var.extent) and not is_short(value) and kind not in ("argmax", "argmin")


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
    if first.literal and last.literal and int(last.name) - int(first.name) <= wide:
        _write_panel(_Panel(w, var, first, last, known, wide), kernel, down)
        return
    with w.b.loop(first, last, wide) as base:
        stop = w.b.intrinsic("smin", "i64", w.b.add(base, wide), last)
        _write_panel(_Panel(w, var, base, stop, known, wide), kernel, down)


def _write_panel(panel: _Panel, kernel: Kernel, down: list[list[Value]]) -> None:
    for together in down:
        panel.reduce(together)
    for _ in panel.columns(len(kernel.values)):
        panel.w.store(kernel.stores)


class _Partial(NamedTuple):
    """A reduction's partial results: `height` rows, as wide as the panel, on the stack."""

    value: Value
    start: Val
    height: int
    stack: Val


class _Panel:
    """The columns of `var` from `base` to `stop`, at most `wide`."""

    def __init__(self, w: Writer, var: Var, base: Val, stop: Val, known: Ix, wide: int) -> None:
        self.w, self._var, self._base, self._stop, self._known, self._wide = w, var, base, stop, known, wide
        self._done: list[_Partial] = []  # whose first row is the result

    def columns(self, work: int) -> Iterator[Val]:
        """The vectors of the panel, each as how far it is from the left edge. Results are known where it is written.

        Args:
            work: how many operations are written for each: few vectors of little work are written without a loop.
        """
        b, bounds = self.w.b, (self._base, self._stop)
        if all(bound.literal for bound in bounds):
            first, stop = (int(bound.name) for bound in bounds)
            if (stop - first) // LANES * work <= WRITTEN_OUT:
                for column in range(first, stop, LANES):
                    with self._column(i64(column)) as offset:
                        yield offset
                return
        with b.loop(*bounds, LANES) as at, self._column(at) as offset:
            yield offset

    @contextmanager
    def _column(self, column: Val) -> Iterator[Val]:
        b, scope = self.w.b, self.w.scope
        with scope.across(self._var, column, known=None if column.literal else self._known):
            offset = b.sub(column, self._base)
            for value, start, _, stack in self._done:
                scope.keep(value, b.load(b.gep(stack, offset, start.element), vector(start.element, LANES)))
            yield offset

    def reduce(self, together: list[Value]) -> None:
        """Writes reductions that step together."""
        partials = [self._partial(value) for value in together]
        extent, work = int(together[0].data[1].extent), weight([value.args[0] for value in together])
        height = partials[0].height
        if extent < FEW_STEPS and all(partial.height == height for partial in partials):
            self._steps(partials, 0, height, work, first=True)
            if extent > height:
                self._steps(partials, height, extent, work)
        else:
            self._begin(partials)
            self._steps(partials, self._several(partials, extent, work), extent, work)
        self._fold(partials)
        self._done += partials

    def _begin(self, partials: Sequence[_Partial]) -> None:
        b = self.w.b
        for offset in self.columns(sum(partial.height for partial in partials)):
            for _, start, height, stack in partials:
                for slot in range(height):
                    b.store(start, b.gep(stack, b.add(offset, slot * self._wide), start.element))

    def _several(self, partials: Sequence[_Partial], extent: int, work: int) -> int:
        """Adds to each partial result SEVERAL steps at a time, which reads and writes it less often.

        Returns:
            The first step that is left.
        """
        w, b, height = self.w, self.w.b, partials[0].height
        stop = extent - extent % (SEVERAL * height)
        if work > LIGHT or any(partial.height != height for partial in partials):
            return 0
        with b.loop(0, stop, SEVERAL * height) as block, b.loop(0, height) as slot:
            first, row = b.add(block, slot), b.mul(slot, self._wide)
            for offset in self.columns(SEVERAL * work):
                for value, start, _, stack in partials:
                    place = b.gep(stack, b.add(row, offset), start.element)
                    total = b.load(place, start.type)
                    for n in range(SEVERAL):
                        with w.scope.at(value.data[1], first, beyond=n * height):
                            total = combine(b, value.data[0], value.dtype, total, w.spread(value.args[0]))
                    b.store(total, place)
        return stop

    def _steps(self, partials: Sequence[_Partial], low: int, high: int, work: int, first: bool = False) -> None:
        """The steps from `low` on; the `first` ones find nothing to add to."""
        w, b = self.w, self.w.b
        with b.loop(low, high) as index, ExitStack() as loops:
            for value, *_ in partials:
                loops.enter_context(w.scope.at(value.data[1], index))
            w.ahead([value.args[0] for value, *_ in partials])
            rows = [b.mul(b.int_op("and", index, _slots(value) - 1), self._wide) for value, *_ in partials]
            for offset in self.columns(work):
                for (value, start, _, stack), row in zip(partials, rows, strict=True):
                    item = w.spread(value.args[0])
                    place = b.gep(stack, b.add(row, offset), start.element)
                    before = start if first else b.load(place, start.type)
                    b.store(combine(b, value.data[0], value.dtype, before, item), place)

    def _fold(self, partials: Sequence[_Partial]) -> None:
        b = self.w.b
        for offset in self.columns(sum(partial.height for partial in partials)):
            for value, start, height, stack in partials:
                places = [b.gep(stack, b.add(offset, slot * self._wide), start.element) for slot in range(height)]
                result = fold(b, value.data[0], value.dtype, [b.load(place, start.type) for place in places])
                b.store(finished(b, value, result), places[0])

    def _partial(self, value: Value) -> _Partial:
        start = identity(value.data[0], value.dtype, LANES)
        height = min(value.data[1].extent, _slots(value)) if is_ordered(value) else _slots(value)
        return _Partial(value, start, height, self.w.b.alloca(start.element, height * self._wide))


def _slots(value: Value) -> int:
    """How many partial results each column has, a power of two."""
    return LANES if is_ordered(value) else CHAINS
