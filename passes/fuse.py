"""Fusion: cuts the graph into groups that are computed by one kernel each.

    before   %0 = matmul(%x, %w)   %1 = add(%0, %b)   %2 = tanh(%1)   return %2
    after    group 0 tiled { computes %0, %1, %2; writes %2 }

Three steps. First every node either joins the one group that needs it (it is then computed there, in registers), or is
stored and starts a group. Nodes that only say where to look (views, broadcasts, constants) join whoever reads them, and
so do those that are as cheap as a load.
Then a group is merged into the one that produces its operand, where both run over the same elements: the consumer
becomes an epilogue, of a contraction (bias, activation, the optimizer's update of a weight) or of other loops.
Last, reductions over the same windows of a value become one. `order` then says in which order groups run.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from functools import partial
from math import inf, prod

from graphc.index import Ix, IxLike, Var
from graphc.ir import LEAVES, Graph, Node
from graphc.loop_builder import LoopBuilder, Reader
from graphc.loops import Value, all_values
from graphc.op import TABLE, traits_of, unrolled
from graphc.passes.nodes import CHEAP, base_of, elementwise, handmade, is_contraction, is_free, shown_by
from graphc.passes.order import in_order
from graphc.passes.parts import Part, Web
from graphc.passes.runs import in_short_runs
from graphc.schedule import Group, Layout, Schedule, layout_of

DEEPEST = 64
"""How many ops deep the expression of one kernel may be: what writes it recurses, and a Python stack has an end."""

WIDEST = 128
"""How many nodes may lie between one that a kernel computes within reductions or views, and what the kernel stores.

To find out how often it would be computed takes as long as there are nodes; and where hundreds are added up, each
computed for a place of its own, most of what is computed is not needed there.
"""


LONG_TOTAL = 1024
"""From how many terms on a total has a kernel of its own."""


def fuse(graph: Graph, layouts: dict[Node, Layout]) -> Schedule:
    wholes = {layout.within.whole for layout in layouts.values() if layout.within}
    stored = _stored(graph, layouts, wholes)
    parts = [Part(n, stored[n], is_contraction(n), n in wholes) for n in graph.nodes if n in stored]
    for part in parts:
        operands = part.stores[0].operands
        if not part.handmade:
            part.collect(stored, [o for o in operands if is_free(o)] if part.contraction else operands)
    web = Web(parts)
    _merge(web, graph, layouts)
    _pair(web, graph, layouts)
    order = graph.number
    groups = (
        Group(tuple(sorted(p.nodes, key=order.__getitem__)), tuple(p.stores), p.contraction, p.handmade, p.joined)
        for p in in_order(web, graph)
    )
    return Schedule(graph, tuple(groups), layouts)


def _turns(node: Node, layouts: Mapping[Node, Layout]) -> bool:
    """Whether the node is a copy that lies otherwise than what it copies; it turns that only where it stands alone."""
    return node.op == "copy" and layouts.get(node) != layouts.get(node.operands[0])


# Step 1: what is stored, and who computes the rest


def _stored(graph: Graph, layouts: dict[Node, Layout], wholes: set[Node]) -> dict[Node, int]:
    """The nodes whose values go to memory, each with the depth of the expression that computes it."""
    users = graph.users()
    stored = _stored_anyway(graph, layouts, wholes, users)
    again = _as_cheap_as_loads(graph, users)
    groups: dict[Node, frozenset[Node]] = {}
    alone: frozenset[Node] = frozenset()
    in_step: set[Node] = set()  # computed once for each element of the one group that reads them
    work: dict[Hashable, tuple[float, float]] = {}  # of `_work`, the same for all layers of a kind
    for node in reversed(graph.nodes):
        if node.op in LEAVES:
            continue
        found = [frozenset((user,)) if user in stored else groups.get(user, alone) for user in users[node]]
        readers = groups[node] = found[0] if len(found) == 1 else frozenset().union(*found)
        if node in stored or is_free(node) or (len(readers) > 1 and node in again):
            continue
        root = next(iter(readers)) if len(readers) == 1 else None
        if root is None or handmade(root) or is_contraction(root) or unrolled(root):
            stored.add(node)
        elif all(elementwise(u, node) and (u is root or u in in_step) for u in users[node]):
            in_step.add(node)
        elif not _computed_once(node, root, layout_of(root, layouts), groups, stored, work):
            stored.add(node)
    depth: dict[Node, int] = {}
    for node in graph.nodes:
        depth[node] = 1 + max((depth[o] for o in node.operands if o not in stored), default=0)
        if depth[node] >= DEEPEST:
            stored.add(node)
    return {n: depth[n] for n in stored if n.op not in LEAVES}


def _stored_anyway(
    graph: Graph, layouts: dict[Node, Layout], wholes: set[Node], users: Mapping[Node, Sequence[Node]]
) -> set[Node]:
    """The nodes that go to memory whoever reads them: results, what lies in a layout of its own, the operands of
    contractions and of hand-made kernels, and what a reader would find out of order."""
    stored = {*graph.kept, *wholes}
    stored.update(node for node, layout in layouts.items() if layout.within)
    turned = {base_of(node) for node in graph.nodes if "permutes" in traits_of(node)}
    stored.update(node for node in graph.nodes if _is_long_total(node))
    picked = {base_of(node.operands[0]) for node in graph.nodes if _picks_many(node)}
    stored.update(node for node in turned | picked if _is_reduced(node))
    for node in graph.nodes:
        in_runs = is_free(node) and in_short_runs(node, users, layouts)
        if in_runs or _turns(node, layouts) or _loses_its_edges(node, users):
            stored.add(node)
        if is_contraction(node) or unrolled(node):
            stored.add(node)
            stored.update(base_of(o) for o in node.operands)
        elif handmade(node):
            stored.add(node)
            stored.update(node.operands)
    return stored


def _is_long_total(node: Node) -> bool:
    """Whether a node is one number made of many: to be made once, not for each part that its readers' work comes in."""
    return _is_reduction(node) and node.type.size == 1 and node.operands[0].type.size >= LONG_TOTAL


def _picks_many(node: Node) -> bool:
    """Whether a node looks up most elements of its operand, in any order."""
    return "looks_up" in traits_of(node) and node.type.size * MOST_WORK >= node.operands[0].type.size


def _is_reduced(node: Node) -> bool:
    """Whether a value is made, element by element, of a reduction, which in another order would read in jumps."""
    made = {node: None}
    stack = [node]
    while stack and len(made) < WIDEST:
        member = stack.pop()
        if _is_reduction(member):
            return True
        if "elementwise" in traits_of(member) or is_free(member):
            new = [o for o in member.operands if o.type.size == node.type.size and o not in made]
            made.update(dict.fromkeys(new))
            stack += new
    return False


def _loses_its_edges(node: Node, users: Mapping[Node, Sequence[Node]]) -> bool:
    """Whether a reshape or a reduction runs over the edges of what was surrounded: then each element's place would be
    divided to see on which side of an edge it is, and no vector could be read; stored, it is read as it lies."""
    if "margin" not in traits_of(node):
        return False
    wider = [axis for axis, n in enumerate(node.shape) if n != node.operands[0].shape[axis]]
    edges = {prod(node.shape[:end]) for axis in wider for end in (axis, axis + 1)}
    readers = [node]
    for reader in readers:
        if "reshape" in traits_of(reader) or _is_reduction(reader):
            shape, (first, stop) = reader.shape, (0, 0)
            if _is_reduction(reader):
                shape, (first, stop) = reader.operands[0].shape, reader.attrs.get("run", (0, 0))
            if not edges <= {prod(shape[:end]) for end in range(len(shape) + 1) if not first < end < stop}:
                return True
        if reader is node or "elementwise" in traits_of(reader):
            readers += [u for u in users[reader] if u not in readers and len(readers) < WIDEST]
    return False


def _as_cheap_as_loads(graph: Graph, users: Mapping[Node, Sequence[Node]]) -> Collection[Node]:
    """The nodes that several groups may each compute where they read them, in a few steps from one value of their size.

    Or from values that are far smaller, as are the differences of all pairs: these are in the cache.

    To load that value takes as long as to load the node's, which is then not written. Where nobody else reads it, it
    is the node's that is better stored: right where the other is made.
    """
    steps: dict[Node, int] = {}
    for node in graph.nodes:
        if node.op not in CHEAP:
            continue
        loaded = [o for o in node.operands if shown_by(o).op != "constant"]
        if loaded and all(base_of(o).type.size * SPREAD <= node.type.size for o in loaded):
            steps[node] = 1
            continue
        full = {o for o in loaded if shown_by(o).type.size == node.type.size}
        if len(full) != 1:
            continue
        (read,) = full
        source = shown_by(read)
        if is_free(source) or steps.get(source, 0) == CHEAP_WORK:
            continue
        if source.op == "input" or source in graph.kept or _read_by_several(read, users):
            steps[node] = steps.get(source, 0) + 1
    return steps


def _read_by_several(view: Node, users: Mapping[Node, Sequence[Node]]) -> bool:
    """Whether a view, one that it shows, or what they show in the end, has several readers."""
    while len({*users[view]}) == 1 and is_free(view):
        view = view.operands[0]
    return len({*users[view]}) > 1


def _computed_once(
    node: Node, root: Node, layout: Layout, groups: Mapping[Node, frozenset[Node]], stored: Collection[Node],
    work: dict[Hashable, tuple[float, float]],
) -> bool:  # fmt: skip
    """Whether computing `node` where the group of `root` reads it takes no more than about computing it once.

    Args:
        work: what is known of it by now.
    """

    def inside(member: Node) -> bool:
        return member not in stored and groups.get(member) == groups[node]

    way = _told(node, root, inside)
    if way is None:
        return False
    told = (way, layout)
    if told not in work:
        work[told] = _work(node, root, layout, inside)
    least, most = work[told]
    size = prod(node.shape)
    twice = REDUCED_WORK if _is_reduction(node) else MOST_WORK
    return least <= twice * size or most <= _most_work(node, inside) * size


def _told(node: Node, root: Node, inside: Callable[[Node], bool]) -> Hashable | None:
    """All that decides at which indices the group of `root` reads a node: what is on the way from one to the other.

    None where that is more than WIDEST nodes.
    """
    number: dict[Node, int] = {}
    between: list[Node] = []
    stack = [root]
    while stack:
        member = stack.pop()
        if member in number:
            continue
        number[member] = len(number)
        if member is not node and (member is root or (member.op not in LEAVES and (is_free(member) or inside(member)))):
            between.append(member)
            stack += member.operands
            if len(between) > WIDEST:
                return None
    parts = [
        (m.op, tuple(m.attrs.items()), m.type, tuple([(number[o], o.type) for o in m.operands])) for m in between
    ]
    return number[node], node.op, tuple(parts)


def _work(node: Node, root: Node, layout: Layout, inside: Callable[[Node], bool]) -> tuple[float, float]:
    """How often `node` is computed where the group of `root` reads it, if reductions run innermost; and as they run.

    A value is computed in the outermost loop in which its index is known. So the loops down to that one, over all the
    indices at which it is read, must not run over many more elements than it has. Loops run in the order of the
    root's memory; those over a blocked batch, for what is reduced, as in rows. A reduction runs where its result is
    known: of a normalisation's rows the mean may be computed, then the variance, then all elements.
    """
    b = LoopBuilder()
    index = [b.var("i", n) for n in root.shape]
    loops = [index[axis] for axis in layout.axes]
    found: set[tuple[Ix, ...]] = set()
    seen: dict[tuple[Node, tuple[Ix, ...]], Value] = {}
    depth, too_deep = 0, False

    def value(member: Node, index: Sequence[IxLike]) -> Value:
        nonlocal depth, too_deep
        at = tuple(Ix.of(i) for i in index)
        if member is node:
            found.add(at)
        elif (member, at) in seen:
            return seen[member, at]
        elif depth >= DEEPEST:
            too_deep = True
        elif member is root or (member.op not in LEAVES and (is_free(member) or inside(member))):
            readers = (Reader(o.shape, o.dtype, partial(value, o)) for o in member.operands)
            lower = TABLE[member.op].lower
            assert lower is not None, f"op {member.op} has no lowering"
            depth += 1
            seen[member, at] = lower(b, list(at), *readers, **member.attrs)
            depth -= 1
            return seen[member, at]
        return b.given(f"{id(member)}{at}", member.dtype, frozenset().union(*(i.variables for i in at)))

    top = value(root, [Ix.of(v) for v in index])
    if too_deep:
        return inf, inf
    if _is_reduction(node) and any(not i.variables <= {*loops} for at in found for i in at):
        return inf, inf  # one reduction within another would run along two variables at once
    reductions = {v.data[1]: v for v in all_values([top]) if v.kind == "reduce"}
    return sum(_iterations(loops, at, {}) for at in found), sum(_iterations(loops, at, reductions) for at in found)


def _iterations(loops: Sequence[Var], index: tuple[Ix, ...], reductions: Mapping[Var, Value]) -> int:
    """How often the loop runs in which the index is known.

    Args:
        reductions: by their variables; those of others run innermost.
    """
    needed: set[Var] = set().union(*(i.variables for i in index))
    summed = [v for v in needed if v not in loops]
    around = {v for v in needed if v in loops}
    for var in summed:  # grows by the variables of reductions around
        for outer in reductions[var].deps if var in reductions else loops:
            if outer in loops:
                around.add(outer)
            elif outer not in summed:
                summed.append(outer)
    deepest = max((at for at, v in enumerate(loops) if v in around), default=-1)
    return prod(v.extent for v in (*loops[: deepest + 1], *summed))


def _most_work(node: Node, inside: Callable[[Node], bool]) -> int:
    """How many times over a value may be computed: several, if that takes no more than to load it each time."""
    if node.op not in CHEAP:
        return 1
    seen, stack, reads = {node}, [node], set[Node]()
    while stack:
        member = stack.pop()
        if member.op in LEAVES or not (member is node or is_free(member) or inside(member)):
            reads.add(member)
            continue
        if _is_reduction(member) or member.type.size < node.type.size:
            continue  # known in a loop around
        if not is_free(member) and member.op not in CHEAP:
            return 1
        new = [o for o in member.operands if o not in seen]
        seen.update(new)
        stack += new
    return CHEAP_WORK if sum(read.type.size == node.type.size for read in reads) <= 1 else 1


MOST_WORK, REDUCED_WORK, CHEAP_WORK = 2, 1.25, 4
"""How many times over a value may be computed instead of being stored; one that many are reduced to, which takes far
longer than to load it; and one that costs little more than its load."""

SPREAD = 8
"""How many times as large as each that it is made of a value is, from which on these are taken to be in the cache."""


# Step 2: consumers become epilogues of their producers


def _merge(web: Web, graph: Graph, layouts: dict[Node, Layout]) -> None:
    kept, order = graph.kept, graph.number
    for part in reversed(list(web.parts)):
        if part not in web.parts or part.handmade or part.joined or is_free(part.stores[0]):
            continue
        while choice := next((c for c in web.consumers(part) if _fits(web, part, c, layouts)), None):
            depth = _depth_below(web, part, choice)
            part.depths |= {s: d + depth for s, d in choice.depths.items()}
            stores = {*part.stores, *choice.stores}
            web.join(part, choice)
            part.stores = sorted(
                (s for s in stores if s in kept or any(p is not part for p in web.readers_of(s))), key=order.__getitem__
            )


def _depth_below(web: Web, producer: Part, consumer: Part) -> int:
    """How deep what the consumer reads of the producer is."""
    return max(d for s, d in producer.depths.items() if s in web.reads[consumer])


def _fits(web: Web, producer: Part, consumer: Part, layouts: dict[Node, Layout]) -> bool:
    """Whether the consumer can run in the producer's loops, right where its operand is made."""
    if consumer.contraction or consumer.handmade or consumer.joined or consumer.shape != producer.shape:
        return False
    if any(map(unrolled, (*producer.stores, *consumer.stores))) or _turns(producer.stores[0], layouts):
        return False
    if any(map(_is_reduction, consumer.stores)):
        return False
    first, *others = (layout_of(s, layouts) for s in (*producer.stores, *consumer.stores))
    if len(producer.shape) > 1 and not all(first.walks_like(other) for other in others):
        return False
    if _depth_below(web, producer, consumer) + max(consumer.depths.values()) > DEEPEST:
        return False
    if not web.reads[consumer].intersection(producer.stores) <= consumer.aligned():
        return False
    return not web.joined_through(producer, consumer)


# Step 3: reductions over the same windows become one


def _pair(web: Web, graph: Graph, layouts: dict[Node, Layout]) -> None:
    """Reductions over the same windows of a value read them together: a maximum, and where it stands."""
    order = graph.number
    found: dict[Hashable, Part] = {}
    for part in list(web.parts):
        if part.contraction or part.handmade or part.joined:
            continue
        reductions = [n for n in part.nodes if n.shape == part.shape and _is_reduction(n)]
        for node in sorted(reductions, key=order.__getitem__):
            first = found.setdefault((node.operands, *node.attrs.items()), part)
            if first is not part and first in web.parts and _run_alike(web, first, part, layouts):
                first.stores = sorted((*first.stores, *part.stores), key=order.__getitem__)
                first.depths |= part.depths
                web.join(first, part)
                break


def _run_alike(web: Web, first: Part, second: Part, layouts: dict[Node, Layout]) -> bool:
    """Whether the loops of one part can be those of another, of which none needs the other."""
    one, *others = (layout_of(s, layouts) for s in (*first.stores, *second.stores))
    same = all(one.walks_like(other) for other in others) and web.reads[second] <= web.reads[first]
    return same and not web.depends(first, second) and not web.depends(second, first)


def _is_reduction(node: Node) -> bool:
    return "reduction" in traits_of(node)
