"""Memory planning: every stored value gets a home.

An update of an input is written into the input's own buffer when all its other readers have run; an output goes to the
buffer the caller gives; everything else gets an offset in one arena, where values that are never live together share
bytes. A value may take over the bytes of an operand that is read for the last time, at the very element that is
written.

    before   group 0 { reads %x; writes %0 }   group 1 { reads %0; writes %1 }   group 2 { reads %1; writes %2 }
    after    %0 at arena+0, %1 at arena+0 (in place), %2: output 0
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Mapping
from functools import lru_cache

import numpy as np

from graphc.arrays import LINE, PAGE
from graphc.ir import Node
from graphc.op import traits_of
from graphc.passes.parts import read_at
from graphc.schedule import Group, Home, MemoryPlan, Schedule

APART = 27 * LINE
"""A load waits for a store whose address agrees with its own but for whole pages, so neighbours keep a distance."""


def plan_memory(
    schedule: Schedule, work: Mapping[Group, int] | None = None, steady: Collection[Node] = ()
) -> MemoryPlan:
    """A home for every stored value.

    Args:
        work: bytes of memory that groups need while they run, for nothing but themselves.
        steady: inputs that are the same whenever the schedule runs; what follows from them alone is computed once.
    """
    graph, work = schedule.graph, work or {}
    turns = _turns(schedule)
    written, last_read = _accesses(schedule, turns)
    homes = _given(schedule, turns, written, last_read)
    live = {
        node: (first, max(last_read.get(node, first), first)) for node, first in written.items() if node not in homes
    }
    for _, value in graph.updates:
        if value in live:  # committed after the last group
            live[value] = (live[value][0], len(schedule.groups))
    for node in schedule.steady(steady) & live.keys():
        live[node] = (0, len(schedule.groups))
    under = _in_place(schedule, live, turns)
    spans: dict[Node | Group, tuple[int, int]] = {group: turns[group] for group in work}
    for node, (start, end) in live.items():
        known = spans.get(under[node], (start, end))  # of values that share bytes, by the first of them
        spans[under[node]] = (min(start, known[0]), max(end, known[1]))
    sizes = {value: _bytes(schedule, value) if isinstance(value, Node) else work[value] for value in spans}
    offsets, size = _pack(sizes, spans)
    homes.update({node: Home("arena", offsets[under[node]]) for node in live})
    rooms = {group: Home("arena", offsets[group]) for group in work}
    return MemoryPlan(homes, size, _largest_live_set(len(schedule.groups), sizes, spans), live, rooms)


Turns = dict[Group, tuple[int, int]]
"""For each group the numbers of the first and the last group that run when it does: its chain's, or its own twice."""


def _turns(schedule: Schedule) -> Turns:
    number = {group: at for at, group in enumerate(schedule.groups)}
    turns = {group: (at, at) for group, at in number.items()}
    for chain in schedule.chains:
        turns.update(dict.fromkeys(chain.groups, (number[chain.groups[0]], number[chain.groups[-1]])))
    return turns


def _accesses(schedule: Schedule, turns: Turns) -> tuple[dict[Node, int], dict[Node, int]]:
    """By the owner of the memory, the first group that writes there and the last that reads there."""
    written: dict[Node, int] = {}
    last_read: dict[Node, int] = {}
    for group, (first, last) in turns.items():
        for node in group.stores:
            written.setdefault(schedule.owner(node), first)
        for node in group.reads:
            last_read[schedule.owner(node)] = last
    return written, last_read


def _given(
    schedule: Schedule, turns: Turns, written: dict[Node, int], last_read: dict[Node, int]
) -> dict[Node, Home]:
    """The homes that the caller gives: inputs, where updates may be written at once too, and outputs."""
    graph = schedule.graph
    homes: dict[Node, Home] = {node: Home("input", i) for i, node in enumerate(graph.inputs)}
    for position, node in enumerate(graph.outputs):
        homes.setdefault(node, Home("output", position))
    writer = {node: group for group in schedule.groups for node in group.stores}
    last_check = max((at for at, group in enumerate(schedule.groups) if _checks(group)), default=-1)
    for target, value in graph.updates:
        if value in homes or last_check >= written[value]:  # something may fail yet, and the input must be as before
            continue
        if _may_overwrite(schedule, target, value, writer[value], turns, last_read):
            homes[value] = Home("input", homes[target].at)
    return homes


def _in_place(schedule: Schedule, live: dict[Node, tuple[int, int]], turns: Turns) -> dict[Node, Node]:
    """For every arena value the one whose bytes it takes over, and that one's, and so on: the first; or itself.

    A group may write over an operand that nobody reads after it, if it reads it only at the element it is about to
    store. (It computes all that it stores at an element before it stores any of it.)
    """
    first = {node: node for node in live}
    for group, (begin, end) in turns.items():
        if group.handmade:
            continue
        free = [n for n in group.reads if n in live and live[n][0] < begin and live[n][1] == end]
        for store in group.stores:
            over = next((n for n in free if store in live and _fits_over(schedule, group, n, store)), None)
            if over is not None:
                free.remove(over)
                first[store] = first[over]
    return first


def _fits_over(schedule: Schedule, group: Group, read: Node, store: Node) -> bool:
    same = schedule.layout(read) == schedule.layout(store) and read.dtype.itemsize == store.dtype.itemsize
    whole = schedule.elements(store) == schedule.layout(store).elements
    return same and whole and reads_in_step(group, read, store) and _reads_alone(schedule, group, read)


def _reads_alone(schedule: Schedule, group: Group, node: Node) -> bool:
    """Whether no other group of its chain, which still runs when the group writes, reads a value."""
    chain = schedule.chain_of(group)
    return chain is None or not any(node in g.reads for g in chain.groups if g is not group)


def _may_overwrite(
    schedule: Schedule, target: Node, value: Node, group: Group, turns: Turns, last_read: dict[Node, int]
) -> bool:
    """Whether the group that computes the update may write straight into the input's buffer."""
    if last_read.get(target, -1) > turns[group][1] or schedule.layout(value).blocked or group.handmade:
        return False
    return reads_in_step(group, target, value) and _reads_alone(schedule, group, target)


def _checks(group: Group) -> bool:
    return any("checks" in traits_of(n) for n in group.nodes)


def reads_in_step(group: Group, read: Node, store: Node) -> bool:
    """Whether the group reads `read` only at the element that it is about to store to `store`."""
    if read.shape != store.shape:
        return not any(read in n.operands for n in group.nodes)
    return read not in _read_elsewhere(group)


@lru_cache(maxsize=1)  # asked for one group after the other
def _read_elsewhere(group: Group) -> set[Node]:
    return read_at(group.stores, set(group.nodes))[1]


def _bytes(schedule: Schedule, node: Node) -> int:
    size = schedule.elements(node) * node.dtype.itemsize
    return -(-size // LINE) * LINE + (APART if size >= PAGE else 0)


def _largest_live_set(
    count: int, sizes: Mapping[Node | Group, int], live: Mapping[Node | Group, tuple[int, int]]
) -> int:
    steps = [0] * (count + 2)
    for value, (first, last) in live.items():
        steps[first] += sizes[value]
        steps[last + 1] -= sizes[value]
    largest = running = 0
    for change in steps:
        running += change
        largest = max(largest, running)
    return largest


def _pack(
    sizes: Mapping[Node | Group, int], live: Mapping[Node | Group, tuple[int, int]]
) -> tuple[dict[Node | Group, int], int]:
    """Offsets by best fit, the largest values first; values that live at once do not overlap."""
    placed = _Placed(len(live))
    offsets: dict[Node | Group, int] = {}
    for node in sorted(live, key=lambda n: (-sizes[n], live[n][0])):
        offsets[node] = placed.best_fit(sizes[node], *live[node])
        placed.add(offsets[node], offsets[node] + sizes[node], *live[node])
    return offsets, max((offsets[node] + sizes[node] for node in live), default=0)


class _Placed:
    """Values that have their bytes: start and end, first and last group, in the order of their bytes.

    In arrays, as each value looks at all that were placed before it.
    """

    def __init__(self, room: int) -> None:
        self._count = 0
        self._order: list[tuple[int, int]] = []
        self._rows = np.zeros((4, room), np.int64)

    def add(self, start: int, end: int, first: int, last: int) -> None:
        """Notes that a value has the bytes from `start` to `end` from group `first` to `last`."""
        at = bisect_right(self._order, (start, end))
        self._order.insert(at, (start, end))
        rows = self._rows[:, : self._count + 1]
        rows[:, at + 1 :] = rows[:, at:-1].copy()
        rows[:, at] = start, end, first, last
        self._count += 1

    def best_fit(self, need: int, first: int, last: int) -> int:
        """The start of the tightest gap that holds so many bytes, between those that live at the same time."""
        rows = self._rows[:, : self._count]
        starts, ends = rows[:2, (rows[2] <= last) & (first <= rows[3])]
        tops = np.maximum.accumulate(np.concatenate(([0], ends)))  # where taken bytes end, before each and after all
        gaps = starts - tops[:-1]
        fitting = np.flatnonzero(gaps >= need)
        at = fitting[np.argmin(gaps[fitting])] if fitting.size else -1
        return int(tops[at])
