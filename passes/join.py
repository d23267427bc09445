"""Joining: what is concatenated is computed where the concatenation has it, so that nothing is copied.

    before   %0 = tanh(%x)   %1 = exp(%y)   %2 = concat(%0, %1, axis=0)   %3 = matmul(%2, %w)
    after    the same, with %0 inside %2 at [0, 0], %1 inside %2 at [3, 0]

The steps of a recurrent network fill the sequence that they make, the branches of a network the channels that they are
joined in. An operand that cannot be computed there (an input, a view, one that two concatenations want) is copied there
by a node of its own.
"""

from __future__ import annotations

from graphc.ir import LEAVES, Graph, Node
from graphc.op import TABLE, Places, traits_of
from graphc.passes.nodes import handmade, is_free
from graphc.schedule import Layout, Window, layout_of


def join(graph: Graph, layouts: dict[Node, Layout]) -> tuple[Graph, dict[Node, Layout]]:
    """The graph with the copies that fill concatenations, and with the layouts of what is computed inside them."""
    users = graph.users()
    wholes = [n for n in graph.nodes if _is_stored(n, graph, users, layouts)]
    if not wholes:
        return graph, layouts
    layouts = layouts | {whole: held for whole in wholes if (held := _of_parts(whole, graph, users, layouts))}
    inside = _Inside(graph, users, layouts, set(wholes))
    parts = {whole: [inside(operand, whole) for operand in whole.operands] for whole in wholes}
    new: dict[Node, Node] = {}
    found: dict[Node, Layout] = {}
    for node in graph.nodes:
        operands = [new[o] for o in node.operands]
        for at, part in enumerate(parts.get(node, ())):
            if part is None:
                operands[at] = Node("copy", (operands[at],), {}, operands[at].type, node.loc, node.forward)
        new[node] = node.with_operands(operands) if node.op not in LEAVES else node
        if node in layouts:
            found[new[node]] = layouts[node]
    for whole in reversed(wholes):  # one that lies in another: after that
        _place(new[whole], [None if p is None else new[p] for p in parts[whole]], found)
    outputs = tuple(new[o] for o in graph.outputs)
    updates = tuple((target, new[value]) for target, value in graph.updates)
    return Graph(graph.name, graph.inputs, outputs, updates, graph.arguments), found


def _place(whole: Node, parts: list[Node | None], layouts: dict[Node, Layout]) -> None:
    layout = layout_of(whole, layouts)
    for operand, part, (begin, step) in zip(whole.operands, parts, _places(whole), strict=True):
        inside = operand if part is None else part
        window = Window(whole, layout, begin, step, operand.shape)
        layouts[inside] = Layout(inside.shape, layout.blocked, layout.order, window)


def _of_parts(
    whole: Node, graph: Graph, users: dict[Node, list[Node]], layouts: dict[Node, Layout]
) -> Layout | None:
    """The layout that all parts have, if it is an order of axes, and the whole may have it too."""
    orders = {layout_of(part, layouts).order for part in whole.operands}
    if len(orders) > 1 or whole in layouts or whole in graph.kept or any(handmade(user) for user in users[whole]):
        return None
    (order,) = orders
    return Layout(whole.shape, False, order) if order else None


def _places(whole: Node) -> Places:
    places = TABLE[whole.op].places
    assert places is not None, f"op {whole.op} joins, so it has places"
    return places(*(o.type for o in whole.operands), **whole.attrs)


def _is_stored(node: Node, graph: Graph, users: dict[Node, list[Node]], layouts: dict[Node, Layout]) -> bool:
    """Whether a node is a concatenation that is better stored than looked up part by part."""
    if "joins" not in traits_of(node) or 0 in node.shape:
        return False
    layout, places = layout_of(node, layouts), _places(node)
    if layout.order or node in (v for _, v in graph.updates):
        return False
    if layout.blocked and any(begin[0] or step[0] > 1 for begin, step in places):
        return False  # a batch is not cut inside a vector
    readers, stack = set(), [node]
    while stack:
        for user in users[stack.pop()]:
            if is_free(user) and "joins" not in traits_of(user):
                stack.append(user)
            else:
                readers.add(user)
    elementwise = all("elementwise" in traits_of(r) for r in readers)
    woven = any(s > 1 for _, step in places for s in step)
    return woven or len(node.operands) > 2 or len(readers) > 1 or not elementwise or node in graph.outputs


class _Inside:
    """Which node computes an operand of a concatenation, if it may do so inside it; each only once."""

    def __init__(
        self, graph: Graph, users: dict[Node, list[Node]], layouts: dict[Node, Layout], wholes: set[Node]
    ) -> None:
        self.kept, self.users, self.layouts, self.wholes = graph.kept, users, layouts, wholes
        self.taken: set[Node] = set()

    def __call__(self, operand: Node, whole: Node) -> Node | None:
        around = layout_of(whole, self.layouts)
        node = operand
        while "reshape" in traits_of(node) and not around.blocked:
            node = node.operands[0]
        if node.op in LEAVES or node in self.kept or node in self.taken or handmade(node):
            return None
        if is_free(node) and node not in self.wholes:
            return None
        layout = layout_of(node, self.layouts)
        if (layout.blocked, layout.order) != (around.blocked, around.order):
            return None
        if any(handmade(user) for user in self.users[node]):
            return None  # which reads rows
        self.taken.add(node)
        return node
