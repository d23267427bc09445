"""Layout: chooses how stored values lie in memory.

Values have the batch in the lanes where `batch` says so. Gradients of weights read channels that lie side by side. What
a kernel would read in jumps, or at uneven addresses, is copied for it.

    before   %0 = conv(%x, %w)   %1 = relu(%0)   return %1
    after    %0 = copy(%x) blocked   %1 = conv(%0, %w) blocked   %2 = relu(%1) blocked   %3 = copy(%2)   return %3
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace
from math import prod

from graphc.index import Ix, Var
from graphc.ir import LEAVES, Graph, Node, rewrite
from graphc.op import TABLE, traits_of
from graphc.passes.access import OUTPUT, Access, moves
from graphc.passes.apart import images_apart
from graphc.passes.batch import in_lanes, same_entry
from graphc.passes.innermost import CHANNEL, channels_last
from graphc.passes.lower import is_affine
from graphc.passes.nodes import base_of, handmade, is_contraction, is_free, narrow_factors, permutes
from graphc.schedule import LANES, TAPS, TURNED, Layout, layout_of


def layout(graph: Graph, body: bool = False) -> tuple[Graph, dict[Node, Layout]]:
    """The graph with the copies that change layouts, and the layout of every node that is not row-major when stored.

    Args:
        body: whether it is the body of a loop: what its steps hand on lies in rows, and so does the rest.
    """
    access = Access()
    blocked = in_lanes(graph, access) if not body else set()
    if not blocked:
        graph = rewrite(graph, lambda node: images_apart(node, access))
    last = channels_last(graph) if not blocked and not body else set()
    made = _Layouts(graph, blocked, last, access)
    for node in graph.nodes:
        made.add(node)
    return made.result()


class _Layouts:
    """The graph while it is rebuilt with copies.

    Attributes:
        blocked: the nodes to be stored with the batch in the lanes.
        last: those to be stored with their channels innermost.
        layouts: of the new nodes, those that are not row-major.
    """

    def __init__(self, graph: Graph, blocked: set[Node], last: set[Node], access: Access) -> None:
        self.graph, self.users, self.access = graph, graph.users(), access
        self.blocked, self.last = blocked, last
        self._wide = _read_wide(graph, self.users) | _met_in_epilogues(graph) if blocked else set()
        self.layouts: dict[Node, Layout] = {}
        self._copies: dict[tuple[Node, Layout], Node] = {}
        self._new: dict[Node, Node] = {}
        self._tiled: dict[Hashable, bool] = {}  # by what decides it, the same for all layers of a kind

    def copy(self, node: Node, to: Layout) -> Node:
        """A copy of a new node in a layout; one for all who want it."""
        if (node, to) not in self._copies:
            made = self._copies[node, to] = Node("copy", (node,), {}, node.type, node.loc, node.forward)
            if to != Layout(node.shape):
                self.layouts[made] = to
        return self._copies[node, to]

    def add(self, node: Node) -> None:
        if node.op == "input":
            wide = node in self.blocked and node in self._wide
            self._new[node] = self.copy(node, Layout(node.shape, True)) if wide else node
            return
        operands = [self._new[o] for o in node.operands]
        if is_contraction(node):
            self._new[node] = self._contraction(node, operands)
            return
        if "run" in node.attrs:
            operands = [self._in_order(node)]
        made = self._new[node] = node.with_operands(operands)
        if (held := self._held(node)) != Layout(node.shape):
            self.layouts[made] = held

    def _in_order(self, reduction: Node) -> Node:
        """The operand of a reduction, copied if what it takes one after the other goes along the entries of a batch."""
        (operand,) = reduction.operands
        if operand in self.blocked and _crosses_entries(reduction):
            return self.copy(self._new[operand], Layout(operand.shape))
        if operand.op == "reshape" and operand not in self.blocked and operand.operands[0] in self.blocked:
            (entries,) = operand.operands
            return operand.with_operands([self.copy(self._new[entries], Layout(entries.shape))])
        return self._new[operand]

    def _held(self, node: Node) -> Layout:
        """How a node lies that is stored where it is computed."""
        if node in self.last:
            return Layout(node.shape, False, _last(node, CHANNEL))
        if node in self.blocked:
            return Layout(node.shape, True)
        return Layout(node.shape, False, self._stored_order(node) if is_contraction(node) else ())

    def _contraction(self, node: Node, operands: list[Node]) -> Node:
        """A contraction whose operands lie as its kernel needs them."""
        blocked = node in self.blocked
        for at, (old, want) in enumerate(zip(node.operands, self._wanted(node, operands), strict=True)):
            if want and layout_of(operands[at], self.layouts) != want:
                source = old if old.op == "input" else operands[at]
                there = want == layout_of(source, self.layouts)
                operands[at] = source if there else self.copy(source, want)
            elif blocked and _jumps(operands[at]):
                operands[at] = self.copy(operands[at], Layout(old.shape))
        held = self._held(node)
        made = node.with_operands(operands)
        if not self._is_tiled(made, held):
            for at, old in enumerate(node.operands):
                if is_free(operands[at]) and old.op != "constant":
                    operands[at] = self.copy(operands[at], Layout(old.shape, old in self.blocked))
            made = made.with_operands(operands)
        if held != Layout(node.shape):
            self.layouts[made] = held
        return made

    def _is_tiled(self, node: Node, held: Layout) -> bool:
        """Whether a contraction reads memory at affine addresses, which a reshape before it may prevent."""
        views: dict[Node, None] = {}
        stack = [o for o in node.operands if is_free(o) and o is not base_of(o)]
        while stack:
            view = stack.pop()
            if is_free(view) and view.op != "constant" and "joins" not in TABLE[view.op].traits and view not in views:
                views[view] = None
                stack += view.operands
        if not any("reshape" in TABLE[v.op].traits for v in views):
            return True
        seen = dict.fromkeys([node, *views, *(o for n in (node, *views) for o in n.operands)])
        layouts = {n: self.layouts[n] for n in seen if n in self.layouts} | {node: held}
        number = {n: at for at, n in enumerate(seen)}
        told = tuple([
            (n.op, n.type, layouts.get(n), tuple(n.attrs.items()), tuple([number.get(o) for o in n.operands]))
            if n in views or n is node else (n.op == "constant", n.type, layouts.get(n))
            for n in seen
        ])  # fmt: skip
        if told not in self._tiled:
            self._tiled[told] = is_affine(node, tuple(views), layouts)
        return self._tiled[told]

    def result(self) -> tuple[Graph, dict[Node, Layout]]:
        graph, new = self.graph, self._new
        outputs = tuple(
            self.copy(new[o], Layout(o.shape)) if o in self.blocked else new.get(o, o) for o in graph.outputs
        )
        updates = tuple((target, new.get(value, value)) for target, value in graph.updates)
        return replace(graph, outputs=outputs, updates=updates), self.layouts

    def _wanted(self, node: Node, operands: list[Node]) -> list[Layout | None]:
        """For each operand of a contraction the layout that its kernel needs; None where any will do.

        Sums over lanes read the batch across them; those of a depthwise convolution turn it as they go. A gradient of
        weights reads vectors of channels; unless it reads each place once, in rows: the kernel turns these as it goes.
        """
        seen = self.access.of(node)
        if seen.value is not None and seen.value.kind == "contract" and seen.value.data[1]:
            turns = self._turned_once(node, operands)
            return [Layout(o.shape) if turns else Layout(o.shape, True) for o in node.operands]
        if narrow_factors(node) and self.access.slides(node) and not self.access.places_once(node):
            image, weights = node.operands
            last = Layout(weights.shape, False, _last(weights, CHANNEL))  # where those of two channels are one word
            return [None if node in self.blocked or image in self.last else _unfilled(image), last]
        if node in self.blocked:
            return [None] * len(node.operands)
        if self.access.places_once(node) and not any(o in self.layouts for o in operands):
            return [_unfilled(o) for o in node.operands]
        both = set.intersection(*({v.name for ix in index for v in ix.variables} for _, index in seen.reads))
        wants = [
            _channels_last(o, seen.indices(o), both) or (None if o in self.last else _unfilled(o))
            for o in node.operands
        ]
        if len(wants) == 2 and all(want and want.order for want in wants) and self.access.slides(node):
            return self._vectors_of_one(node, operands, wants)
        return wants

    def _turned_once(self, node: Node, operands: list[Node]) -> bool:
        """Whether a sum over lanes has its operands in rows and reads all of a plane for one tile of results only.

        So it is where what one result reads no other does, but those of other taps: they are all of a tile.
        """
        reads = self.access.of(node).reads
        if len(reads) != 2 or not all(map(self._in_rows, node.operands, operands)):
            return False
        taps = 1
        for axis, extent in enumerate(node.shape):
            moved = [[ix for ix in index if f"{OUTPUT}{axis}" in (v.name for v in ix.variables)] for _, index in reads]
            if any(moves(ix) > 1 for some in moved for ix in some):
                taps *= extent
            elif extent > 1 and not all(moved):
                return False
        planes = [prod(o.shape[2:]) for o in node.operands]
        whole = node.operands[0].shape[0] % LANES == 0
        return whole and taps <= TAPS and LANES <= min(planes) <= max(planes) <= TURNED

    def _in_rows(self, old: Node, made: Node) -> bool:
        """Whether an operand, which is `made` in the new graph, can be had in rows without a copy."""
        return old.op == "input" or (made not in self.layouts and not is_free(made))

    def _vectors_of_one(
        self, node: Node, operands: list[Node], wants: list[Layout | None]
    ) -> list[Layout | None]:
        """Where two operands could have their channels last: only that of which vectors are read.

        The other, if several taps read each of its elements, is read one at a time, from rows: there the next steps of
        the sum find theirs beside it, and a few of its planes stay in the first-level cache, which channels side by
        side do not. The vectors need no copy either if they come in rows, as the kernel turns them: an entry of the
        batch at a time, which must find room.
        """
        seen = self.access.of(node)
        under_taps = [any(moves(ix) > 1 for index in seen.indices(o) for ix in index) for o in node.operands]
        channels = [o.shape[want.axes[-1]] for o, want in zip(node.operands, wants, strict=True) if want]
        fills = [n / (-(-n // LANES) * LANES) for n in channels]
        across = max((0, 1), key=lambda n: (0 if self._stored_order(node) else fills[n], not under_taps[n], n))
        taps = node.shape[-1] / LANES  # which fill vectors as well, and lie side by side in rows
        if not under_taps[1 - across] or fills[across] * ACROSS_CHANNELS <= taps:
            return wants
        vectors = node.operands[across]
        panel = prod(vectors.shape[1:]) // channels[across] * min(channels[across], PANEL) * vectors.dtype.itemsize
        found: list[Layout | None] = [Layout(o.shape) for o in node.operands]
        in_rows = self._in_rows(vectors, operands[across])
        if not in_rows or under_taps[across] or panel > TURNED_BYTES or fills[across] * TURNED_CHANNELS <= taps:
            found[across] = wants[across]
        return found

    def _stored_order(self, node: Node) -> tuple[int, ...]:
        """How the gradient of a convolution's weights is best stored: with what lies across the vectors innermost.

        Where the sum is short, updating the weights in the order in which the gradient is computed, which is across
        their rows, takes longer than the gradient does; so it is stored and they are updated in their own order.
        """
        if node in self.graph.kept or len(node.shape) < 3 or not self.access.slides(node):
            return ()
        if any(handmade(user) for user in self.users[node]):
            return ()  # which reads rows
        reads = [index for _, index in self.access.of(node).reads]
        if any(same_entry(index) for index in reads):
            return ()  # no gradient of weights: entries of a batch
        if all(f"{OUTPUT}0" in (v.name for ix in index for v in ix.variables) for index in reads):
            return ()  # channels by themselves
        if self.access.products(node) > SHORT_SUM * prod(node.shape):
            return ()
        return (*range(1, len(node.shape)), 0) if node.shape[0] >= LANES and node.shape[-1] > 1 else ()


ACROSS_CHANNELS, TURNED_CHANNELS = 0.7, 0.5
"""What a vector of channels last is worth, and one that must be turned, beside vectors along rows."""

PANEL, TURNED_BYTES = 4 * LANES, 256 * 1024
"""Channels of the vectors that a kernel turns at a time, and their bytes at most: a part of the second-level cache."""

SHORT_SUM = 1024
"""Terms of a sum up to which its result is stored rather than used in an order that is not memory's."""


def _jumps(weights: Node) -> bool:
    """Whether a view of large weights puts first what lies far apart, so that a sum over them jumps at every step."""
    base = base_of(weights)
    moved = weights is not base and base.op == "input" and weights.type.nbytes >= JUMPED
    return moved and len(weights.shape) > 2 and permutes(weights, base)


JUMPED = 128 * 1024
"""Bytes of weights from which they are copied in the order in which a convolution's gradient reads them."""


def _unfilled(operand: Node) -> Layout | None:
    """Rows, where a sum over the entries of a batch would stop in the middle of a vector."""
    return Layout(operand.shape) if len(operand.shape) and operand.shape[0] % LANES else None


def _channels_last(operand: Node, indices: list[tuple[Ix, ...]], both: set[str]) -> Layout | None:
    """The axis that an output variable steps along by itself, innermost; None for matrices, and where it is already.

    For sums over a batch: where each entry has its own result, its rows are read along. So they are where the variable
    moves `both` operands, as the channels of a depthwise convolution do, for no vector lies across these.
    """
    if len(operand.shape) < 3 or len(indices) != 1:
        return None
    own = [
        axis for axis, ix in enumerate(indices[0])
        if len(ix.terms) == 1 and isinstance(ix.terms[0][0], Var) and ix.terms[0][0].name.startswith(OUTPUT)
        and ix.terms[0][0].name not in both
    ]  # fmt: skip
    if not own or 0 in own or len(operand.shape) - 1 in own:
        return None
    last = max(own, key=lambda axis: operand.shape[axis])
    if operand.shape[last] < LANES // 2:
        return None
    return Layout(operand.shape, False, _last(operand, last))


def _last(node: Node, axis: int) -> tuple[int, ...]:
    """The order of a node's axes in which one lies innermost."""
    return (*(a for a in range(len(node.shape)) if a != axis), axis)


def _crosses_entries(node: Node) -> bool:
    """Whether a reduction goes along the entries of a batch, one after the other: its order is that of rows."""
    first, stop = node.attrs.get("run", (0, 0))
    return first == 0 < stop and prod(node.operands[0].shape[1:stop]) > 1


def _met_in_epilogues(graph: Graph) -> set[Node]:
    """The arguments that are read element by element together with what is made of a contraction in that way.

    Kernels turn rows that they read, but not where a tile is finished.
    """
    made = set[Node]()  # of a contraction
    met = set[Node]()
    for node in graph.nodes:
        if is_contraction(node):
            made.add(node)
        elif "elementwise" in traits_of(node) and not made.isdisjoint(node.operands):
            made.add(node)
            met.update(map(base_of, node.operands))
    return {node for node in met if node.op == "input" and prod(node.shape[1:]) > 1}


def _read_wide(graph: Graph, users: dict[Node, list[Node]]) -> set[Node]:
    """The nodes of which a contraction reads a view, or a view of what is made of them element by element.

    Kernels that read rows for a batch in the lanes turn what they read, but not where a view moves the index.
    """
    read: set[Node] = set()  # by a contraction
    moved: set[Node] = set()  # whose view is read, or is made into such
    for node in reversed(graph.nodes):
        for user in users[node]:
            if is_contraction(user):
                read.add(node)
            elif user.op in LEAVES or user.type.size < node.type.size:
                continue
            elif "view" in TABLE[user.op].traits:
                if user in read or user in moved:
                    moved.add(node)
            elif "elementwise" in TABLE[user.op].traits and user in moved:
                moved.add(node)
    return read | moved
