"""Fusion: cuts the graph into groups that are computed by one kernel each.

    before   %0 = matmul(%x, %w)   %1 = add(%0, %b)   %2 = tanh(%1)   return %2
    after    group 0 tiled { computes %0, %1, %2; writes %2 }

Two steps. First every node either joins the one group that needs it (it is then computed there, in registers), or is
stored and starts a group. Nodes that only say where to look (views, broadcasts, constants) join whoever reads them.
Then a group is merged into the one that produces its operand, where both run over the same elements: the consumer
becomes an epilogue, of a contraction (bias, activation, the optimizer's update of a weight) or of other loops.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from functools import partial
from math import prod

from graphc.index import Ix, IxLike, Var
from graphc.ir import Graph, Node
from graphc.loops import LoopBuilder, Reader, Value
from graphc.op import TABLE
from graphc.schedule import Group, Layout, Schedule

LEAVES = ("input", "constant")

DEEPEST = 64
"""How many ops deep the expression of one kernel may be: what writes it recurses, and a Python stack has an end."""


def fuse(graph: Graph, layouts: dict[Node, Layout]) -> Schedule:
    stored = _stored(graph, layouts)
    parts = [_Part(node, stored[node]) for node in graph.nodes if node in stored]
    _collect(graph, parts, stored)
    parts = _merge(parts, graph, layouts)
    groups = _ordered(parts, graph)
    return Schedule(graph, tuple(groups), layouts)


def is_free(node: Node) -> bool:
    """Whether reading the node is only reading something else at another index."""
    return node.op == "constant" or bool(TABLE[node.op].traits & {"view"}) if node.op != "input" else False


def is_contraction(node: Node) -> bool:
    return node.op not in LEAVES and "contraction" in TABLE[node.op].traits and node.dtype.is_float


def handmade(node: Node) -> str | None:
    return None if node.op in LEAVES else TABLE[node.op].kernel  # type: ignore[return-value]


def base_of(node: Node, margins: bool = False) -> Node:
    """The node whose memory a view reads; the view itself if it shows several, or none.

    With `margins`, views that surround an operand with zeros count: the reader leaves those terms out.
    """
    seen = node
    while is_free(seen) and seen.op != "constant":
        if len(seen.operands) != 1 and not (margins and _zero_margin(seen)):
            return node
        seen = seen.operands[0]
    return node if seen.op == "constant" else seen


def _zero_margin(node: Node) -> bool:
    """Whether the node surrounds its operand with zeros, along axes after the first, and puts none in between."""
    if "margin" not in TABLE[node.op].traits or node.operands[1].op != "constant":
        return False
    attrs = node.attrs
    return not (node.operands[1].attrs["value"] or any(attrs["interior"]) or attrs["low"][0] or attrs["high"][0])


# Step 1: what is stored, and who computes the rest


def _stored(graph: Graph, layouts: dict[Node, Layout]) -> dict[Node, int]:
    """The nodes whose values go to memory, each with the depth of the expression that computes it."""
    users = graph.users()
    stored: set[Node] = {*graph.outputs, *(v for _, v in graph.updates)}
    for node in graph.nodes:
        if is_contraction(node):
            stored.add(node)
            blocked = node in layouts and layouts[node].blocked
            stored.update(base_of(o, margins=blocked) for o in node.operands)
        elif handmade(node):
            stored.add(node)
            stored.update(node.operands)
    groups: dict[Node, frozenset[Node]] = {}
    in_step: set[Node] = set()  # computed once for each element of the one group that reads them
    for node in reversed(graph.nodes):
        if node.op in LEAVES:
            continue
        readers = frozenset(r for user in users[node] for r in ((user,) if user in stored else groups.get(user, ())))
        groups[node] = readers
        if node in stored or is_free(node):
            continue
        root = next(iter(readers)) if len(readers) == 1 else None
        if root is None or handmade(root) or is_contraction(root):
            stored.add(node)
        elif all(_elementwise(u, node) and (u is root or u in in_step) for u in users[node]):
            in_step.add(node)
        elif not _computed_once(node, root, lambda n, one=readers: n not in stored and groups.get(n) == one):
            stored.add(node)
    depth: dict[Node, int] = {}
    for node in graph.nodes:
        depth[node] = 1 + max((depth[o] for o in node.operands if o not in stored), default=0)
        if depth[node] >= DEEPEST:
            stored.add(node)
    return {n: depth[n] for n in stored if n.op not in LEAVES}


def _elementwise(user: Node, operand: Node) -> bool:
    return "elementwise" in TABLE[user.op].traits and user.shape == operand.shape


def _computed_once(node: Node, root: Node, inside: Callable[[Node], bool]) -> bool:
    """Whether computing `node` where the group of `root` reads it takes no more than about computing it once.

    A value is computed in the outermost loop in which its index is known. So the loops down to that one, over all the
    indices at which it is read, must not run over many more elements than it has.
    """
    b = LoopBuilder()
    loops = [b.var("i", n) for n in root.shape]
    found: set[tuple[Ix, ...]] = set()
    seen: dict[tuple[Node, tuple[Ix, ...]], Value] = {}

    def value(member: Node, index: Sequence[IxLike]) -> Value:
        at = tuple(Ix.of(i) for i in index)
        if member is node:
            found.add(at)
        elif (member, at) in seen:
            return seen[member, at]
        elif member is root or (member.op not in LEAVES and (is_free(member) or inside(member))):
            readers = (Reader(o.shape, o.dtype, partial(value, o)) for o in member.operands)
            lower = TABLE[member.op].lower
            assert lower is not None, f"op {member.op} has no lowering"
            seen[member, at] = lower(b, list(at), *readers, **member.attrs)
            return seen[member, at]
        return b.given(f"{id(member)}{at}", member.dtype, frozenset().union(*(i.variables for i in at)))

    value(root, [Ix.of(v) for v in loops])
    if "reduction" in TABLE[node.op].traits and any(not i.variables <= {*loops} for at in found for i in at):
        return False  # one reduction within another would run along two variables at once
    return sum(_iterations(loops, at) for at in found) <= MOST_WORK * prod(node.shape)


def _iterations(loops: Sequence[Var], index: tuple[Ix, ...]) -> int:
    """How often the loop runs in which the index is known; variables of reductions run innermost."""
    needed: frozenset[Var] = frozenset().union(*(i.variables for i in index))
    deepest = max((at for at, v in enumerate(loops) if v in needed), default=-1)
    summed = [v for v in needed if v not in loops]
    if summed:
        deepest = len(loops) - 1
    return prod(v.extent for v in (*loops[: deepest + 1], *summed))


MOST_WORK = 2
"""How many times over a value may be computed instead of being stored."""


class _Part:
    """A group being formed."""

    def __init__(self, node: Node, depth: int) -> None:
        self.nodes, self.stores = {node}, [node]
        self.contraction = node if is_contraction(node) else None
        self.depths = {node: depth}  # of everything that it stores, or stored before it was merged

    @property
    def shape(self) -> tuple[int, ...]:
        return self.stores[0].shape

    @property
    def handmade(self) -> str | None:
        return handmade(self.stores[0])

    def aligned(self) -> set[Node]:
        """Members computed at exactly the index that is stored; members also read elsewhere are not among them."""
        elsewhere: set[Node] = set()
        exact: set[Node] = set()
        stack = [(s, True) for s in self.stores]
        while stack:
            node, at_index = stack.pop()
            home = exact if at_index else elsewhere
            if node in home:
                continue
            home.add(node)
            if node in self.nodes:
                same = at_index and node.op not in LEAVES and "elementwise" in TABLE[node.op].traits
                stack += [(o, same and o.shape == node.shape) for o in node.operands]
        return exact - elsewhere


def _collect(graph: Graph, parts: list[_Part], stored: Container[Node]) -> None:
    """Gives every part the nodes that it computes on the way from memory to what it stores."""
    for part in parts:
        if part.handmade:
            continue
        stack = [o for s in part.stores for o in s.operands]
        if part.contraction:
            stack = [o for o in stack if is_free(o)]
        while stack:
            node = stack.pop()
            if node in stored or node.op == "input" or node in part.nodes:
                continue
            part.nodes.add(node)
            stack += node.operands


# Step 2: consumers become epilogues of their producers


def _merge(parts: list[_Part], graph: Graph, layouts: dict[Node, Layout]) -> list[_Part]:
    users = graph.users()
    kept = {*graph.outputs, *(v for _, v in graph.updates)}
    home: dict[Node, _Part] = {s: p for p in parts for s in p.stores}
    order = {node: i for i, node in enumerate(graph.nodes)}
    alive = set(map(id, parts))

    def readers(part: _Part) -> list[_Part]:
        found = [p for p in parts if id(p) in alive and p is not part and _reads_any(p, part.stores)]
        return found

    for part in reversed(parts):
        if id(part) not in alive or part.handmade:
            continue
        while True:
            consumers = readers(part)
            choice = next(
                (c for c in consumers if _fits(part, c, layouts) and not _around(part, c, consumers, readers)), None
            )
            if choice is None:
                break
            part.depths |= {s: d + _depth_below(part, choice) for s, d in choice.depths.items()}
            part.nodes |= choice.nodes
            part.stores = sorted({*part.stores, *choice.stores}, key=order.__getitem__)
            alive.discard(id(choice))
            for s in choice.stores:
                home[s] = part
            part.stores = [s for s in part.stores if s in kept or _read_outside(s, part, users, parts, alive)]
    return [p for p in parts if id(p) in alive]


def _reads_any(part: _Part, nodes: list[Node]) -> bool:
    wanted = set(nodes)
    return any(o in wanted for n in part.nodes for o in n.operands)


def _depth_below(producer: _Part, consumer: _Part) -> int:
    """How deep what the consumer reads of the producer is."""
    return max(d for s, d in producer.depths.items() if _reads_any(consumer, [s]))


def _read_outside(
    node: Node, part: _Part, users: dict[Node, list[Node]], parts: list[_Part], alive: set[int]
) -> bool:
    return any(
        user in p.nodes for user in users[node] for p in parts if id(p) in alive and p is not part
    )


def _fits(producer: _Part, consumer: _Part, layouts: dict[Node, Layout]) -> bool:
    """Whether the consumer can run in the producer's loops, right where its operand is made."""
    if consumer.contraction or consumer.handmade or consumer.shape != producer.shape:
        return False
    stores = (*producer.stores, *consumer.stores)
    if len(producer.shape) > 1 and len({layouts.get(s, Layout(s.shape)) for s in stores}) > 1:
        return False
    if any("reduction" in TABLE[s.op].traits for s in consumer.stores):
        return False
    if _depth_below(producer, consumer) + max(consumer.depths.values()) > DEEPEST:
        return False
    exact = consumer.aligned()
    read = {o for n in consumer.nodes for o in n.operands if o in producer.stores}
    return all(node in exact for node in read)


def _around(producer: _Part, consumer: _Part, consumers: list[_Part], readers: object) -> bool:
    """Whether the consumer also depends on the producer through a third group, which must run between them."""
    stack, seen = [c for c in consumers if c is not consumer], set()
    while stack:
        part = stack.pop()
        if part is consumer:
            return True
        if id(part) not in seen:
            seen.add(id(part))
            stack += readers(part)  # type: ignore[operator]  # the function of _merge
    return False


# Order


def _ordered(parts: list[_Part], graph: Graph) -> list[Group]:
    """The groups, each after those whose results it reads, otherwise in the order of the graph."""
    order = {node: i for i, node in enumerate(graph.nodes)}
    home = {s: p for p in parts for s in p.stores}

    def finish(part: _Part) -> Group:
        nodes = tuple(sorted(part.nodes, key=order.__getitem__))
        return Group(nodes, tuple(part.stores), part.contraction, part.handmade)

    writers = _update_order(parts, graph, home)
    done: set[int] = set()
    groups: list[Group] = []

    def place(part: _Part) -> None:
        stack: list[tuple[_Part, bool]] = [(part, False)]
        while stack:
            current, ready = stack.pop()
            if id(current) in done:
                continue
            if ready:
                done.add(id(current))
                groups.append(finish(current))
                continue
            stack.append((current, True))
            needs = {id(home[o]): home[o] for n in current.nodes for o in n.operands if o in home}
            needs.update({id(p): p for p in writers.get(id(current), ())})
            needs.pop(id(current), None)
            stack += [(p, False) for p in sorted(needs.values(), key=lambda p: -order[p.stores[0]])]

    for part in sorted(parts, key=lambda p: order[p.stores[0]]):
        place(part)
    return groups


def _update_order(parts: list[_Part], graph: Graph, home: dict[Node, _Part]) -> dict[int, list[_Part]]:
    """For parts that update an input: the parts that must run first: its other readers, and every check."""
    before: dict[int, list[_Part]] = {}
    depends = _dependencies(parts, home)
    checks = [p for p in parts if any(n.op not in LEAVES and "checks" in TABLE[n.op].traits for n in p.nodes)]
    for target, value in graph.updates:
        writer = home.get(value)
        if writer is None:
            continue
        first = [p for p in parts if p is not writer and any(target in n.operands for n in p.nodes)]
        for part in [*first, *checks]:
            if part is not writer and id(writer) not in depends[id(part)]:
                before.setdefault(id(writer), []).append(part)
                depends[id(writer)] |= depends[id(part)] | {id(part)}
                for other in depends.values():
                    if id(writer) in other:
                        other |= depends[id(writer)]
    return before


def _dependencies(parts: list[_Part], home: dict[Node, _Part]) -> dict[int, set[int]]:
    """For every part the parts it needs, directly or not."""
    direct = {id(p): {id(home[o]) for n in p.nodes for o in n.operands if o in home} - {id(p)} for p in parts}
    closed: dict[int, set[int]] = {}
    for start in direct:
        stack = [(start, False)]
        while stack:
            key, ready = stack.pop()
            if key in closed:
                continue
            if ready:
                closed[key] = set(direct[key]).union(*(closed[d] for d in direct[key]))
            else:
                stack.append((key, True))
                stack += [(d, False) for d in direct[key] if d not in closed]
    return closed

