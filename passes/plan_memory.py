"""Memory planning: every stored value gets a home.

An update of an input is written into the input's own buffer when all its other readers have run; an output goes to the
buffer the caller gives; everything else gets an offset in one arena, where values that are never live together share
bytes. A value may take over the bytes of an operand that is read for the last time, at the very element that is
written.

    before   group 0 { reads %x; writes %0 }   group 1 { reads %0; writes %1 }   group 2 { reads %1; writes %2 }
    after    %0 at arena+0, %1 at arena+0 (in place), %2: output 0
"""

from __future__ import annotations

from graphc.ir import Node
from graphc.op import TABLE
from graphc.schedule import Group, Home, MemoryPlan, Schedule

ALIGNMENT = 64


def plan_memory(schedule: Schedule) -> MemoryPlan:
    graph = schedule.graph
    homes: dict[Node, Home] = {node: Home("input", i) for i, node in enumerate(graph.inputs)}
    written: dict[Node, int] = {}  # by the owner of the memory, the first group that writes there
    last_read: dict[Node, int] = {}
    for at, group in enumerate(schedule.groups):
        for node in group.stores:
            written.setdefault(schedule.owner(node), at)
        for node in schedule.reads(group):
            last_read[schedule.owner(node)] = at
    for position, node in enumerate(graph.outputs):
        homes.setdefault(node, Home("output", position))
    for target, value in graph.updates:
        if value not in homes and _may_overwrite(schedule, target, value, written, last_read):
            homes[value] = Home("input", graph.inputs.index(target))
    live = {
        node: (first, max(last_read.get(node, first), first)) for node, first in written.items() if node not in homes
    }
    for _, value in graph.updates:
        if value in live:  # committed after the last group
            live[value] = (live[value][0], len(schedule.groups))
    first = _in_place(schedule, live)
    spans: dict[Node, tuple[int, int]] = {}  # of values that share bytes, by the first of them
    for node, (start, end) in live.items():
        known = spans.get(first[node], (start, end))
        spans[first[node]] = (min(start, known[0]), max(end, known[1]))
    offsets, size = _pack(schedule, spans)
    homes.update({node: Home("arena", offsets[first[node]]) for node in live})
    return MemoryPlan(homes, size, _largest_live_set(schedule, spans), live)


def _in_place(schedule: Schedule, live: dict[Node, tuple[int, int]]) -> dict[Node, Node]:
    """For every arena value the one whose bytes it takes over, and that one's, and so on: the first; or itself.

    A group may write over an operand that nobody reads after it, if it reads it only at the element it is about to
    store. (It computes all that it stores at an element before it stores any of it.)
    """
    first = {node: node for node in live}
    for at, group in enumerate(schedule.groups):
        free = [] if group.handmade else [n for n in schedule.reads(group) if n in live and live[n][1] == at]
        for store in group.stores:
            over = next((n for n in free if store in live and _fits_over(schedule, group, n, store)), None)
            if over is not None:
                free.remove(over)
                first[store] = first[over]
    return first


def _fits_over(schedule: Schedule, group: Group, read: Node, store: Node) -> bool:
    same = schedule.layout(read) == schedule.layout(store) and read.dtype.itemsize == store.dtype.itemsize
    return same and reads_in_step(group, read, store)


def _may_overwrite(
    schedule: Schedule, target: Node, value: Node, written: dict[Node, int], last_read: dict[Node, int]
) -> bool:
    """Whether the group that computes the update may write straight into the input's buffer."""
    at = written[value]
    if last_read.get(target, -1) > at or schedule.layout(value).blocked or schedule.groups[at].handmade:
        return False
    if any(_checks(g) for g in schedule.groups[at:]):
        return False
    return reads_in_step(schedule.groups[at], target, value)


def _checks(group: Group) -> bool:
    return any("checks" in TABLE[n.op].traits for n in group.nodes if n.op not in ("input", "constant"))


def reads_in_step(group: Group, read: Node, store: Node) -> bool:
    """Whether the group reads `read` only at the element that it is about to store to `store`."""
    if read.shape != store.shape:
        return not any(read in n.operands for n in group.nodes)
    aligned: set[Node] = set()
    elsewhere: set[Node] = set()
    inside = set(group.nodes)
    stack = [(s, True) for s in group.stores]
    while stack:
        node, exact = stack.pop()
        home = aligned if exact else elsewhere
        if node in home:
            continue
        home.add(node)
        if node in inside and node.op != "constant":
            same = exact and "elementwise" in TABLE[node.op].traits
            stack += [(o, same and o.shape == node.shape) for o in node.operands]
    return read not in elsewhere


def _bytes(schedule: Schedule, node: Node) -> int:
    size = schedule.layout(node).elements * node.dtype.itemsize
    return -(-size // ALIGNMENT) * ALIGNMENT


def _largest_live_set(schedule: Schedule, live: dict[Node, tuple[int, int]]) -> int:
    steps = [0] * (len(schedule.groups) + 2)
    for node, (first, last) in live.items():
        steps[first] += _bytes(schedule, node)
        steps[last + 1] -= _bytes(schedule, node)
    largest = running = 0
    for change in steps:
        running += change
        largest = max(largest, running)
    return largest


def _pack(schedule: Schedule, live: dict[Node, tuple[int, int]]) -> tuple[dict[Node, int], int]:
    """Offsets by best fit, the largest values first; values that live at once do not overlap."""
    order = sorted(live, key=lambda n: (-_bytes(schedule, n), live[n][0]))
    placed: list[tuple[int, int, Node]] = []
    offsets: dict[Node, int] = {}
    size = 0
    for node in order:
        need = _bytes(schedule, node)
        taken = sorted((start, end) for start, end, other in placed if _overlap(schedule, live, node, other))
        best, at = None, 0
        for start, end in taken:
            gap = start - at
            if gap >= need and (best is None or gap < best[0]):
                best = (gap, at)
            at = max(at, end)
        offsets[node] = best[1] if best else at
        placed.append((offsets[node], offsets[node] + need, node))
        size = max(size, offsets[node] + need)
    return offsets, size


def _overlap(schedule: Schedule, live: dict[Node, tuple[int, int]], x: Node, y: Node) -> bool:
    """Whether two values need their bytes at the same time."""
    (x0, x1), (y0, y1) = live[x], live[y]
    return x0 <= y1 and y0 <= x1
